/*
 * One array of a batch while it is made from lines: rows of CSV, or of LibSVM.
 *
 * Owner:   init makes a side whole or leaves it to free; a side owns its lines and
 *          arrays.
 * Threads: one at a time.
 * Errors:  MXIO_EDATA with err->file, err->offset and the line in the message for a bad
 *          row, whose values then count for nothing; MXIO_ENOMEM; MXIO_EPARAM from
 *          init.
 */
#ifndef MXIO_ROWS_SIDE_H
#define MXIO_ROWS_SIDE_H

#include "lines.h"
#include "rows.h"

/* An array that grows, entries of one size. */
struct mxio_growing {
    uint8_t *bytes;
    size_t entry_size, count, room;
};

/* One array of a batch while it is made. */
struct mxio_side {
    struct mxio_lines *lines; /* NULL: no files of its own */
    const char *shape;        /* the parameter that says how wide a row is */
    size_t width;
    bool sparse;
    enum mxio_row_type type;
    int first_file;
    struct mxio_growing values;
    struct mxio_growing indices, starts; /* int64; only when sparse */
};

/* For a batch of inputs->batch_size rows. The caller has set `shape`, and sets
 * first_file and lines before the first row. */
MXIO_MUST_USE enum mxio_status
mxio_side_init(struct mxio_side *side, const struct mxio_rows_inputs *inputs,
               const struct mxio_row_files *files, struct mxio_error *err);

void
mxio_side_free(struct mxio_side *side);

/* Begin a batch. */
void
mxio_side_clear(struct mxio_side *side);

/* Add the values of one line, width of them. */
MXIO_MUST_USE enum mxio_status
mxio_side_add_csv(struct mxio_side *side, const struct mxio_line *line,
                  struct mxio_error *err);

/* Add the features of one line, "label [qid:n] index:value ..."; the label goes to
 * *label. */
MXIO_MUST_USE enum mxio_status
mxio_side_add_libsvm(struct mxio_side *side, const struct mxio_line *line, float *label,
                     struct mxio_error *err);

/* Add a value of a dense row. */
void
mxio_side_add_value(struct mxio_side *side, float value);

/* End row `row`: a dense one gets the zeros that it lacks. */
void
mxio_side_end_row(struct mxio_side *side, size_t row);

/* Bytes in use. */
size_t
mxio_growing_size(const struct mxio_growing *array);

#endif
