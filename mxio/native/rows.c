#include "rows.h"

#include <string.h>

#include "rows_side.h"

struct mxio_rows {
    size_t batch_size;
    bool round_batch, sparse;
    bool labels_aligned; /* the labels begin with the row of the part */
    size_t part_index;
    struct mxio_side data, label;
    uint64_t *ids;
    struct mxio_pool *pool; /* NULL when batches differ in size */
    uint64_t skip;          /* rows to leave out before the next batch */
    uint64_t row;           /* number of the next row */
    uint64_t carry;
    bool over;
};

/* ---- life ---- */

void
mxio_rows_free(struct mxio_rows *rows)
{
    if (rows == NULL)
        return;
    mxio_side_free(&rows->data);
    mxio_side_free(&rows->label);
    mxio_free(rows->ids);
    mxio_pool_close(rows->pool);
    mxio_free(rows);
}

/* Where each array of a batch goes; returns the size of the block. */
static size_t
lay_out(const struct mxio_rows *rows, struct mxio_row_batch *out)
{
    const struct mxio_side *sides[] = {&rows->data, &rows->label};
    struct mxio_row_array *arrays[] = {&out->data, &out->label};
    size_t end = 0;

    for (size_t i = 0; i < 2; i++) {
        arrays[i]->values = end;
        arrays[i]->indices = end += mxio_section(mxio_growing_size(&sides[i]->values));
        arrays[i]->starts = end += mxio_section(mxio_growing_size(&sides[i]->indices));
        end += mxio_section(mxio_growing_size(&sides[i]->starts));
    }
    out->ids = end;
    return end + rows->batch_size * sizeof *rows->ids;
}

static enum mxio_status
open_lines(struct mxio_rows *rows, const struct mxio_rows_inputs *inputs,
           struct mxio_error *err)
{
    const char comment = inputs->sparse ? '#' : '\0';
    struct mxio_watch watch = inputs->watch;
    enum mxio_status status =
        mxio_lines_new(&rows->data.lines, inputs->data.paths, inputs->data.path_count,
                       inputs->num_parts, inputs->part_index, comment, &watch, err);

    if (status != MXIO_OK || inputs->label.path_count == 0)
        return status;
    watch.first_file = rows->label.first_file;
    status = mxio_lines_new(&rows->label.lines, inputs->label.paths,
                            inputs->label.path_count, 1, 0, comment, &watch, err);
    if (status != MXIO_OK)
        err->file =
            err->file < 0 ? rows->label.first_file : err->file + rows->label.first_file;
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
    enum mxio_status status = mxio_side_init(&rows->data, inputs, &inputs->data, err);
    if (status == MXIO_OK)
        status = mxio_side_init(&rows->label, inputs, &inputs->label, err);
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
next_line(struct mxio_side *side, struct mxio_line *line, bool *got,
          struct mxio_error *err)
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
        return mxio_fail(err, MXIO_EDATA, "only %llu rows of labels, and more of data",
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

    status = rows->sparse ? mxio_side_add_libsvm(&rows->data, data, &first, err)
                          : mxio_side_add_csv(&rows->data, data, err);
    if (rows->sparse && rows->label.lines == NULL)
        mxio_side_add_value(&rows->label, first);
    else if (rows->label.lines != NULL && status == MXIO_OK)
        status = rows->sparse ? mxio_side_add_libsvm(&rows->label, label, &ignored, err)
                              : mxio_side_add_csv(&rows->label, label, err);
    mxio_side_end_row(&rows->data, row);
    mxio_side_end_row(&rows->label, row);
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
            "batch_size=%zu needs more than the %llu rows left of this epoch and the %llu of the next: a batch may run on into one further epoch only",
            rows->batch_size, (unsigned long long)(row - count),
            (unsigned long long)count);
    rewind_rows(rows);
    return MXIO_OK;
}

/* Copy the arrays into a block of their own. */
static enum mxio_status
hand_over(struct mxio_rows *rows, struct mxio_row_batch *out, struct mxio_error *err)
{
    const struct mxio_side *sides[] = {&rows->data, &rows->label};
    const struct mxio_row_array *arrays[] = {&out->data, &out->label};
    const size_t size = lay_out(rows, out);
    const enum mxio_status status = rows->pool != NULL
                                        ? mxio_pool_get(rows->pool, &out->block, err)
                                        : mxio_block_new(&out->block, size, err);

    if (status != MXIO_OK)
        return status;
    uint8_t *bytes = out->block->bytes;
    for (size_t i = 0; i < 2; i++) {
        const struct mxio_side *side = sides[i];
        if (side->values.count > 0)
            memcpy(bytes + arrays[i]->values, side->values.bytes,
                   mxio_growing_size(&side->values));
        if (side->indices.count > 0)
            memcpy(bytes + arrays[i]->indices, side->indices.bytes,
                   mxio_growing_size(&side->indices));
        if (side->starts.count > 0)
            memcpy(bytes + arrays[i]->starts, side->starts.bytes,
                   mxio_growing_size(&side->starts));
    }
    memcpy(bytes + out->ids, rows->ids, rows->batch_size * sizeof *rows->ids);
    return MXIO_OK;
}

/* Rows that there are not are zeros. */
static void
fill_up(struct mxio_rows *rows, size_t row)
{
    for (; row < rows->batch_size; row++) {
        mxio_side_end_row(&rows->data, row);
        mxio_side_end_row(&rows->label, row);
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
    struct mxio_error bad = MXIO_NO_ERROR;
    size_t given = 0, pad = 0;

    *last = true;
    *out = (struct mxio_row_batch){.block = NULL};
    if (rows->over)
        return MXIO_OK;
    mxio_side_clear(&rows->data);
    mxio_side_clear(&rows->label);
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

/* ---- as a source ---- */

static void
free_source(void *self)
{
    mxio_rows_free(self);
}

static void
start(void *self, uint64_t carry)
{
    mxio_rows_start(self, carry);
}

static enum mxio_status
next(void *self, struct mxio_row_batch *out, bool *last, struct mxio_error *err)
{
    return mxio_rows_next(self, out, last, err);
}

struct mxio_source
mxio_rows_source(struct mxio_rows *rows)
{
    static const struct mxio_source_calls calls = {free_source, start, next};

    return (struct mxio_source){rows, &calls};
}

static enum mxio_status
open_source(struct mxio_source *out, const void *given, const struct mxio_watch *watch,
            struct mxio_error *err)
{
    struct mxio_rows_inputs inputs = *(const struct mxio_rows_inputs *)given;
    struct mxio_rows *rows = NULL;

    inputs.watch = *watch;
    const enum mxio_status status = mxio_rows_new(&rows, &inputs, err);
    if (status == MXIO_OK)
        *out = mxio_rows_source(rows);
    return status;
}

struct mxio_opening
mxio_rows_opening(const struct mxio_rows_inputs *inputs)
{
    return (struct mxio_opening){open_source, inputs, sizeof *inputs};
}
