#include "rows_side.h"

#include <stdio.h>
#include <string.h>

#include "number.h"

/* Of one array of a batch: 2^40 bytes of int64. */
#define MOST_VALUES ((size_t)1 << 37)

/* So much of a word is shown in a message. */
#define SHOWN 40

static enum mxio_status
grow(struct mxio_growing *array, size_t more, struct mxio_error *err)
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
append(struct mxio_growing *array, const void *entry)
{
    memcpy(array->bytes + array->count * array->entry_size, entry, array->entry_size);
    array->count++;
}

size_t
mxio_growing_size(const struct mxio_growing *array)
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
take_value(struct mxio_side *side, const char *at, const char *end)
{
    const char *stop;
    void *values = side->values.bytes;
    const size_t place = side->values.count;
    int64_t whole;

    switch (side->type) {
    case MXIO_ROW_FLOAT32:
        stop = mxio_number_float(at, end, (float *)values + place);
        break;
    case MXIO_ROW_INT32:
        stop = mxio_number_whole(at, end, INT32_MIN, INT32_MAX, &whole);
        if (stop != NULL)
            ((int32_t *)values)[place] = (int32_t)whole;
        break;
    default:
        stop =
            mxio_number_whole(at, end, INT64_MIN, INT64_MAX, (int64_t *)values + place);
    }
    side->values.count += stop != NULL;
    return stop;
}

/* A failure at a place of a line; the rest of the message is the caller's. */
static enum mxio_status
fail_at(const struct mxio_side *side, const struct mxio_line *line, const char *at,
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
refuse_csv(const struct mxio_side *side, const struct mxio_line *line, size_t column,
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
             side->width, type_names[side->type], shown(at, stop == NULL ? end : stop),
             at);
    return fail_at(side, line, at, err, what);
}

enum mxio_status
mxio_side_add_csv(struct mxio_side *side, const struct mxio_line *line,
                  struct mxio_error *err)
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
refuse_word(const struct mxio_side *side, const struct mxio_line *line, const char *at,
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
take_pair(struct mxio_side *side, const struct mxio_line *line, const char **at,
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
        snprintf(problem, sizeof problem, "index %lld behind %lld, indices must ascend",
                 (long long)index, (long long)*last_index);
        return refuse_word(side, line, word, problem, err);
    }
    p = take_value(side, p + 1, end);
    if (p == NULL || (p < end && past_blanks(p, end) == p))
        return refuse_word(side, line, word, "the value is not a number", err);
    append(&side->indices, &index);
    *last_index = index;
    *at = p;
    return MXIO_OK;
}

/* "label [qid:n] index:value ..."; the features go to `side`, the label to *label. */
enum mxio_status
mxio_side_add_libsvm(struct mxio_side *side, const struct mxio_line *line, float *label,
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

void
mxio_side_clear(struct mxio_side *side)
{
    const int64_t start = 0;

    side->values.count = side->indices.count = side->starts.count = 0;
    if (side->sparse)
        append(&side->starts, &start);
}

void
mxio_side_add_value(struct mxio_side *side, float value)
{
    append(&side->values, &value);
}

/* A sparse row ends where the values do; a dense one, also a bad one, has its width. */
void
mxio_side_end_row(struct mxio_side *side, size_t row)
{
    const int64_t count = (int64_t)side->values.count;

    if (side->sparse) {
        append(&side->starts, &count);
        return;
    }
    const size_t whole = (row + 1) * side->width;
    if (side->values.count < whole)
        memset(side->values.bytes + mxio_growing_size(&side->values), 0,
               whole * side->values.entry_size - mxio_growing_size(&side->values));
    side->values.count = whole;
}

enum mxio_status
mxio_side_init(struct mxio_side *side, const struct mxio_rows_inputs *inputs,
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
        values > MOST_VALUES)
        return mxio_fail(err, MXIO_EPARAM,
                         "batch_size=%zu of this %s is more than 2^37 values",
                         inputs->batch_size, side->shape);
    return grow(&side->values, values, err);
}

void
mxio_side_free(struct mxio_side *side)
{
    mxio_lines_free(side->lines);
    mxio_free(side->values.bytes);
    mxio_free(side->indices.bytes);
    mxio_free(side->starts.bytes);
}
