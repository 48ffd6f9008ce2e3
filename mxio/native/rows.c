#include "rows.h"

#include <string.h>

#include "lines.h"
#include "number.h"

/* Sections of a block begin at multiples of this. */
#define SECTION ((size_t)64)

/* So much of a word is shown in a message. */
#define SHOWN 40

/* An array that grows, entries of one size. */
struct growing {
    uint8_t *bytes;
    size_t entry_size, count, room;
};

/* One array of a batch while it is made. */
struct side {
    struct mxio_lines *lines; /* NULL: no files of its own */
    const char *shape;        /* the parameter that says how wide a row is */
    size_t width;
    bool sparse;
    enum mxio_row_type type;
    int first_file;
    struct growing values;
    struct growing indices, starts; /* int64; only when sparse */
};

struct mxio_rows {
    size_t batch_size;
    bool round_batch, sparse;
    bool labels_aligned; /* the labels begin with the row of the part */
    size_t part_index;
    struct side data, label;
    uint64_t *ids;
    struct mxio_pool *pool; /* NULL when batches differ in size */
    uint64_t skip;          /* rows to leave out before the next batch */
    uint64_t row;           /* number of the next row */
    uint64_t carry;
    bool over;
};

/* ---- arrays ---- */

static enum mxio_status
grow(struct growing *array, size_t more, struct mxio_error *err)
{
    size_t size;

    if (more <= array->room - array->count)
        return MXIO_OK;
    size_t room = array->count + more;
    if (room < 2 * array->room)
        room = 2 * array->room;
    uint8_t *bytes = mxio_multiply(room, array->entry_size, &size)
                         ? mxio_realloc(array->bytes, size)
                         : NULL;
    if (bytes == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for %zu values of a batch", room);
    array->bytes = bytes;
    array->room = room;
    return MXIO_OK;
}

static void
append(struct growing *array, const void *entry)
{
    memcpy(array->bytes + array->count * array->entry_size, entry, array->entry_size);
    array->count++;
}

static size_t
size_of(const struct growing *array)
{
    return array->count * array->entry_size;
}

/* ---- one row ---- */

static const char *
past_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\v' || *at == '\f'))
        at++;
    return at;
}

/* The number at `at`, as the side stores it; NULL when there is none. */
static const char *
take_value(struct side *side, const char *at, const char *end)
{
    const char *stop;
    int64_t whole = 0;
    int32_t narrow;
    float real;

    switch (side->type) {
    case MXIO_ROW_FLOAT32:
        stop = mxio_number_float(at, end, &real);
        if (stop != NULL)
            append(&side->values, &real);
        return stop;
    case MXIO_ROW_INT32:
        stop = mxio_number_whole(at, end, INT32_MIN, INT32_MAX, &whole);
        narrow = (int32_t)whole;
        if (stop != NULL)
            append(&side->values, &narrow);
        return stop;
    default:
        stop = mxio_number_whole(at, end, INT64_MIN, INT64_MAX, &whole);
        if (stop != NULL)
            append(&side->values, &whole);
        return stop;
    }
}

/* A failure at a place of a line; the rest of the message is the caller's. */
static enum mxio_status
fail_at(const struct side *side, const struct mxio_line *line, const char *at,
        struct mxio_error *err, const char *what)
{
    char place[48] = "";
    const uint64_t number =
        mxio_lines_place(side->lines, line, (size_t)(at - line->text), err);

    err->file += side->first_file;
    if (number > 0)
        snprintf(place, sizeof place, "line %llu: ", (unsigned long long)number);
    return mxio_fail(err, MXIO_EDATA, "%s%s", place, what);
}

static const char *const type_names[] = {[MXIO_ROW_FLOAT32] = "a number",
                                         [MXIO_ROW_INT32] = "a whole number (int32)",
                                         [MXIO_ROW_INT64] = "a whole number (int64)"};

static int
shown(const char *at, const char *end)
{
    return (int)(end - at < SHOWN ? end - at : SHOWN);
}

/* Say what is wrong with a row of CSV: its length, if that is, else the value at `at`. */
static enum mxio_status
refuse_csv(const struct side *side, const struct mxio_line *line, size_t column,
           const char *at, struct mxio_error *err)
{
    const char *end = line->text + line->size;
    const char *stop = memchr(at, ',', (size_t)(end - at));
    char what[256];
    size_t count = 1;

    for (const char *p = line->text; p < end; p++)
        count += *p == ',';
    if (count != side->width) {
        snprintf(what, sizeof what, "a row of %zu values, %s holds %zu", count,
                 side->shape, side->width);
        return fail_at(side, line, line->text, err, what);
    }
    snprintf(what, sizeof what, "value %zu of %zu is not %s: '%.*s'", column + 1,
             side->width, type_names[side->type],
             shown(at, stop == NULL ? end : stop), at);
    return fail_at(side, line, at, err, what);
}

static enum mxio_status
parse_csv(struct side *side, const struct mxio_line *line, struct mxio_error *err)
{
    const char *end = line->text + line->size;
    const char *at = line->text;

    for (size_t column = 0; column < side->width; column++) {
        const char *word = past_blanks(at, end);
        at = take_value(side, word, end);
        if (at != NULL)
            at = past_blanks(at, end);
        const bool last = column + 1 == side->width;
        if (at == NULL || (last ? at != end : at == end || *at != ','))
            return refuse_csv(side, line, column, word, err);
        at += !last;
    }
    return MXIO_OK;
}

static enum mxio_status
refuse_word(const struct side *side, const struct mxio_line *line, const char *at,
            const char *problem, struct mxio_error *err)
{
    const char *end = line->text + line->size;
    const char *stop = at;
    char what[256];

    while (stop < end && past_blanks(stop, end) == stop)
        stop++;
    snprintf(what, sizeof what, "%s: '%.*s'", problem, shown(at, stop), at);
    return fail_at(side, line, at, err, what);
}

/* One "index:value"; *at moves behind it. */
static enum mxio_status
take_pair(struct side *side, const struct mxio_line *line, const char **at,
          int64_t *last_index, struct mxio_error *err)
{
    const char *word = *at, *end = line->text + line->size;
    int64_t index;
    char problem[160];

    enum mxio_status status = grow(&side->values, 1, err);
    if (status == MXIO_OK)
        status = grow(&side->indices, 1, err);
    if (status != MXIO_OK)
        return status;
    const char *p = mxio_number_whole(word, end, INT64_MIN, INT64_MAX, &index);
    if (p == NULL || p == end || *p != ':')
        return refuse_word(side, line, word, "not index:value", err);
    if (index < 0)
        return refuse_word(side, line, word, "a negative index", err);
    if ((uint64_t)index >= side->width) {
        snprintf(problem, sizeof problem,
                 "index %lld is outside %s (%zu,), indices count from 0",
                 (long long)index, side->shape, side->width);
        return refuse_word(side, line, word, problem, err);
    }
    if (index <= *last_index) {
        snprintf(problem, sizeof problem,
                 "index %lld behind %lld, indices must ascend", (long long)index,
                 (long long)*last_index);
        return refuse_word(side, line, word, problem, err);
    }
    p = take_value(side, p + 1, end);
    if (p == NULL || (p < end && past_blanks(p, end) == p)) {
        return refuse_word(side, line, word, "the value is not a number", err);
    }
    append(&side->indices, &index);
    *last_index = index;
    *at = p;
    return MXIO_OK;
}

/* "label [qid:n] index:value ..."; the features go to `side`, the label to *label. */
static enum mxio_status
parse_libsvm(struct side *side, const struct mxio_line *line, float *label,
             struct mxio_error *err)
{
    const char *end = line->text + line->size;
    const char *word = past_blanks(line->text, end);
    enum mxio_status status = MXIO_OK;
    int64_t last_index = -1, ignored;

    const char *at = mxio_number_float(word, end, label);
    if (at == NULL || (at < end && past_blanks(at, end) == at))
        return refuse_word(side, line, word, "the label is not a number", err);
    at = past_blanks(at, end);
    if (end - at > 4 && memcmp(at, "qid:", 4) == 0) {
        word = at;
        at = mxio_number_whole(at + 4, end, INT64_MIN, INT64_MAX, &ignored);
        if (at == NULL || (at < end && past_blanks(at, end) == at))
            return refuse_word(side, line, word, "qid is not a whole number", err);
        at = past_blanks(at, end);
    }
    while (at < end && status == MXIO_OK) {
        status = take_pair(side, line, &at, &last_index, err);
        at = past_blanks(at, end);
    }
    return status;
}

/* ---- sides ---- */

static void
clear_side(struct side *side)
{
    side->values.count = side->indices.count = side->starts.count = 0;
}

/* A sparse row ends where the values do; a dense one, also a bad one, has its width. */
static void
end_row(struct side *side, size_t row)
{
    const int64_t count = (int64_t)side->values.count;
    const size_t row_size = side->width * side->values.entry_size;

    if (side->sparse) {
        append(&side->starts, &count);
        return;
    }
    const size_t whole = (row + 1) * side->width;
    if (side->values.count < whole)
        memset(side->values.bytes + size_of(&side->values), 0,
               (whole * side->values.entry_size) - size_of(&side->values));
    (void)row_size;
    side->values.count = whole;
}

static enum mxio_status
make_side(struct side *side, const struct mxio_rows_inputs *inputs,
          const struct mxio_row_files *files, struct mxio_error *err)
{
    static const size_t sizes[] = {[MXIO_ROW_FLOAT32] = sizeof(float),
                                   [MXIO_ROW_INT32] = sizeof(int32_t),
                                   [MXIO_ROW_INT64] = sizeof(int64_t)};
    size_t values;

    side->width = files->width;
    side->sparse = inputs->sparse && files->path_count > 0;
    side->type = inputs->sparse ? MXIO_ROW_FLOAT32 : inputs->type;
    side->values.entry_size = sizes[side->type];
    side->indices.entry_size = side->starts.entry_size = sizeof(int64_t);
    if (side->sparse)
        return grow(&side->starts, inputs->batch_size + 1, err);
    if (!mxio_multiply(inputs->batch_size, files->width, &values) ||
        values > SIZE_MAX / 16)
        return mxio_fail(err, MXIO_EPARAM,
                         "batch_size=%zu of this %s is more than the memory holds",
                         inputs->batch_size, side->shape);
    return grow(&side->values, values, err);
}

static void
free_side(struct side *side)
{
    mxio_lines_free(side->lines);
    mxio_free(side->values.bytes);
    mxio_free(side->indices.bytes);
    mxio_free(side->starts.bytes);
}

/* ---- life ---- */

void
mxio_rows_free(struct mxio_rows *rows)
{
    if (rows == NULL)
        return;
    free_side(&rows->data);
    free_side(&rows->label);
    mxio_free(rows->ids);
    mxio_pool_close(rows->pool);
    mxio_free(rows);
}

static size_t
aligned(size_t size)
{
    return (size + SECTION - 1) / SECTION * SECTION;
}

/* Where each array of a batch goes; returns the size of the block. */
static size_t
lay_out(const struct mxio_rows *rows, struct mxio_row_batch *out)
{
    const struct side *sides[] = {&rows->data, &rows->label};
    struct mxio_row_array *arrays[] = {&out->data, &out->label};
    size_t end = 0;

    for (size_t i = 0; i < 2; i++) {
        arrays[i]->values = end;
        arrays[i]->indices = end += aligned(size_of(&sides[i]->values));
        arrays[i]->starts = end += aligned(size_of(&sides[i]->indices));
        end += aligned(size_of(&sides[i]->starts));
    }
    out->ids = end;
    return end + rows->batch_size * sizeof *rows->ids;
}

static enum mxio_status
open_lines(struct mxio_rows *rows, const struct mxio_rows_inputs *inputs,
           struct mxio_error *err)
{
    const char comment = inputs->sparse ? '#' : '\0';
    enum mxio_status status =
        mxio_lines_new(&rows->data.lines, inputs->data.paths, inputs->data.path_count,
                       inputs->num_parts, inputs->part_index, comment, err);

    if (status != MXIO_OK || inputs->label.path_count == 0)
        return status;
    status = mxio_lines_new(&rows->label.lines, inputs->label.paths,
                            inputs->label.path_count, 1, 0, comment, err);
    if (status != MXIO_OK)
        err->file = err->file < 0 ? rows->label.first_file
                                  : err->file + rows->label.first_file;
    return status;
}

static enum mxio_status
make_rows(struct mxio_rows *rows, const struct mxio_rows_inputs *inputs,
          struct mxio_error *err)
{
    struct mxio_row_batch layout;

    rows->batch_size = inputs->batch_size;
    rows->round_batch = inputs->round_batch;
    rows->sparse = inputs->sparse;
    rows->part_index = inputs->part_index;
    rows->data.shape = "data_shape";
    rows->label.shape = "label_shape";
    rows->label.first_file = (int)inputs->data.path_count;
    enum mxio_status status = make_side(&rows->data, inputs, &inputs->data, err);
    if (status == MXIO_OK)
        status = make_side(&rows->label, inputs, &inputs->label, err);
    if (status != MXIO_OK)
        return status;
    rows->ids = mxio_alloc(inputs->batch_size * sizeof *rows->ids);
    if (rows->ids == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for a batch of %zu rows",
                         inputs->batch_size);
    if (!inputs->sparse) {
        rows->data.values.count = inputs->batch_size * rows->data.width;
        rows->label.values.count = inputs->batch_size * rows->label.width;
        status = mxio_pool_new(&rows->pool, lay_out(rows, &layout), inputs->keep, err);
    }
    return status == MXIO_OK ? open_lines(rows, inputs, err) : status;
}

enum mxio_status
mxio_rows_new(struct mxio_rows **out, const struct mxio_rows_inputs *inputs,
              struct mxio_error *err)
{
    struct mxio_rows *rows = mxio_alloc(sizeof *rows);

    if (rows == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for rows");
    const enum mxio_status status = make_rows(rows, inputs, err);
    if (status != MXIO_OK) {
        mxio_rows_free(rows);
        return status;
    }
    *out = rows;
    return MXIO_OK;
}

void
mxio_rows_watch(struct mxio_rows *rows, bool (*stopped)(void *), void *context)
{
    mxio_lines_watch(rows->data.lines, stopped, context);
    if (rows->label.lines != NULL)
        mxio_lines_watch(rows->label.lines, stopped, context);
}

/* ---- batches ---- */

static void
rewind_rows(struct mxio_rows *rows)
{
    mxio_lines_rewind(rows->data.lines);
    if (rows->label.lines != NULL)
        mxio_lines_rewind(rows->label.lines);
    rows->row = 0;
}

void
mxio_rows_start(struct mxio_rows *rows, uint64_t carry)
{
    rewind_rows(rows);
    rows->skip = carry;
    rows->carry = 0;
    rows->over = false;
}

static enum mxio_status
next_line(struct side *side, struct mxio_line *line, bool *got, struct mxio_error *err)
{
    const enum mxio_status status = mxio_lines_next(side->lines, line, got, err);

    if (status != MXIO_OK && err->file >= 0)
        err->file += side->first_file;
    return status;
}

/* The next line of the data and, with files of labels, the one that goes with it. */
static enum mxio_status
next_lines(struct mxio_rows *rows, struct mxio_line *data, struct mxio_line *label,
           bool *got, struct mxio_error *err)
{
    enum mxio_status status = next_line(&rows->data, data, got, err);
    bool got_label = true;

    if (status != MXIO_OK || !*got)
        return status;
    if (rows->label.lines != NULL)
        status = next_line(&rows->label, label, &got_label, err);
    if (status == MXIO_OK && !got_label) {
        err->file = rows->label.first_file;
        return mxio_fail(err, MXIO_EDATA,
                         "only %llu rows of labels, and more of data",
                         (unsigned long long)rows->row);
    }
    rows->row++;
    return status;
}

/* Rows in front of the part have labels, too: leave these out, once for all epochs. */
static enum mxio_status
align_labels(struct mxio_rows *rows, struct mxio_error *err)
{
    struct mxio_line line;
    uint64_t before = 0;
    bool got = true;

    if (rows->labels_aligned || rows->label.lines == NULL || rows->part_index == 0)
        return MXIO_OK;
    enum mxio_status status = mxio_lines_before(rows->data.lines, &before, err);
    for (uint64_t i = 0; i < before && got && status == MXIO_OK; i++)
        status = next_line(&rows->label, &line, &got, err);
    if (status != MXIO_OK)
        return status;
    mxio_lines_begin_here(rows->label.lines);
    rows->labels_aligned = true;
    return MXIO_OK;
}

static enum mxio_status
leave_out(struct mxio_rows *rows, struct mxio_error *err)
{
    struct mxio_line data, label;
    bool got = true;
    enum mxio_status status = align_labels(rows, err);

    for (; rows->skip > 0 && got && status == MXIO_OK; rows->skip--)
        status = next_lines(rows, &data, &label, &got, err);
    return status;
}

/* Parse one row into place `row`; what is bad is said, and a row of zeros. */
static enum mxio_status
parse_row(struct mxio_rows *rows, size_t row, const struct mxio_line *data,
          const struct mxio_line *label, struct mxio_error *err)
{
    enum mxio_status status;
    float first = 0, ignored;

    status = rows->sparse ? parse_libsvm(&rows->data, data, &first, err)
                          : parse_csv(&rows->data, data, err);
    if (rows->sparse && rows->label.lines == NULL)
        append(&rows->label.values, &first);
    else if (rows->label.lines != NULL && status == MXIO_OK)
        status = rows->sparse ? parse_libsvm(&rows->label, label, &ignored, err)
                              : parse_csv(&rows->label, label, err);
    end_row(&rows->data, row);
    end_row(&rows->label, row);
    return status;
}

/* The data end inside a batch that has `row` rows: go on at the start, or be content. */
static enum mxio_status
wrap(struct mxio_rows *rows, size_t row, bool wrapped, struct mxio_error *err)
{
    const uint64_t count = rows->row;

    if (count == 0)
        return mxio_fail(err, MXIO_EDATA,
                         "there is no row: nothing but blank lines in this part");
    if (wrapped)
        return mxio_fail(
            err, MXIO_EPARAM,
            "batch_size=%zu: %zu rows of this batch are the %llu of one epoch and what "
            "was left of the one before; a batch may run on into one further epoch only",
            rows->batch_size, row, (unsigned long long)count);
    rewind_rows(rows);
    return MXIO_OK;
}

/* Copy the arrays into a block of their own. */
static enum mxio_status
hand_over(struct mxio_rows *rows, struct mxio_row_batch *out, struct mxio_error *err)
{
    const struct side *sides[] = {&rows->data, &rows->label};
    const struct mxio_row_array *arrays[] = {&out->data, &out->label};
    const size_t size = lay_out(rows, out);
    const enum mxio_status status = rows->pool != NULL
                                        ? mxio_pool_get(rows->pool, &out->block, err)
                                        : mxio_block_new(&out->block, size, err);

    if (status != MXIO_OK)
        return status;
    uint8_t *bytes = out->block->bytes;
    for (size_t i = 0; i < 2; i++) {
        const struct side *side = sides[i];
        if (side->values.count > 0)
            memcpy(bytes + arrays[i]->values, side->values.bytes,
                   size_of(&side->values));
        if (side->indices.count > 0)
            memcpy(bytes + arrays[i]->indices, side->indices.bytes,
                   size_of(&side->indices));
        if (side->starts.count > 0)
            memcpy(bytes + arrays[i]->starts, side->starts.bytes,
                   size_of(&side->starts));
    }
    memcpy(bytes + out->ids, rows->ids, rows->batch_size * sizeof *rows->ids);
    return MXIO_OK;
}

/* Rows that there are not are zeros. */
static void
fill_up(struct mxio_rows *rows, size_t row)
{
    for (; row < rows->batch_size; row++) {
        end_row(&rows->data, row);
        end_row(&rows->label, row);
        rows->ids[row] = 0;
    }
}

/* Fill the sides. *bad keeps what is wrong with the first bad row. */
static enum mxio_status
read_rows(struct mxio_rows *rows, size_t *given, size_t *pad, struct mxio_error *bad,
          struct mxio_error *err)
{
    struct mxio_line data, label;
    bool got, wrapped = false;
    size_t row = 0;

    *pad = 0;
    while (row < rows->batch_size) {
        enum mxio_status status = next_lines(rows, &data, &label, &got, err);
        if (status != MXIO_OK)
            return status;
        if (!got) {
            if (rows->row > 0 && (row == 0 || !rows->round_batch))
                break;
            status = wrap(rows, row, wrapped, err);
            if (status != MXIO_OK)
                return status;
            wrapped = true;
            *pad = rows->batch_size - row;
            continue;
        }
        rows->ids[row] = rows->row - 1;
        struct mxio_error here = MXIO_NO_ERROR;
        status = parse_row(rows, row, &data, &label, &here);
        if (status == MXIO_ENOMEM) {
            *err = here;
            return status;
        }
        if (status != MXIO_OK && bad->status == MXIO_OK)
            *bad = here;
        row++;
    }
    *given = row;
    if (row > 0 && row < rows->batch_size)
        *pad = rows->batch_size - row;
    return MXIO_OK;
}

enum mxio_status
mxio_rows_next(struct mxio_rows *rows, struct mxio_row_batch *out, bool *last,
               struct mxio_error *err)
{
    const int64_t start = 0;
    struct mxio_error bad = MXIO_NO_ERROR;
    size_t given = 0, pad = 0;

    *last = true;
    *out = (struct mxio_row_batch){.block = NULL};
    if (rows->over)
        return MXIO_OK;
    clear_side(&rows->data);
    clear_side(&rows->label);
    if (rows->data.sparse)
        append(&rows->data.starts, &start);
    if (rows->label.sparse)
        append(&rows->label.starts, &start);
    enum mxio_status status = leave_out(rows, err);
    if (status == MXIO_OK)
        status = read_rows(rows, &given, &pad, &bad, err);
    if (status != MXIO_OK)
        return status;
    rows->over = given == 0 || pad > 0;
    if (given == 0)
        return MXIO_OK;
    *last = false;
    if (bad.status != MXIO_OK) {
        *err = bad;
        return bad.status;
    }
    fill_up(rows, given);
    if (rows->round_batch)
        rows->carry = pad;
    out->pad = pad;
    out->carry = rows->carry;
    status = hand_over(rows, out, err);
    *last = status != MXIO_OK;
    return status;
}
