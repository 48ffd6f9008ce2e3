/*
 * Batches of rows from text: CSV, or LibSVM's "label index:value ...".
 *
 * The data, and labels from files of their own, are read row by row together. With
 * round_batch the last batch is completed with rows from the start, which the next
 * epoch leaves out (the carry).
 *
 * Owner:   new copies what it is given; a batch's block belongs to the receiver.
 * Threads: one at a time.
 * Errors:  MXIO_EDATA with err->file, err->offset and the line in the message;
 *          MXIO_EPARAM when a batch is larger than two epochs; as lines.h. Files of the
 *          labels are counted behind those of the data.
 */
#ifndef MXIO_ROWS_H
#define MXIO_ROWS_H

#include "base.h"
#include "source.h"

enum mxio_row_type { MXIO_ROW_FLOAT32, MXIO_ROW_INT32, MXIO_ROW_INT64 };

/* Files of one kind, and how many values a row of them has. */
struct mxio_row_files {
    const char *const *paths;
    size_t path_count;
    size_t width;
};

struct mxio_rows_inputs {
    bool sparse; /* LibSVM, float32; else CSV */
    enum mxio_row_type type;
    size_t batch_size;
    bool round_batch; /* else the last batch may have rows of zeros */
    size_t num_parts, part_index;
    size_t keep; /* idle batches held back for reuse */
    struct mxio_row_files data;
    /* Without files: zeros; for LibSVM the number at the start of each line, width 1. */
    struct mxio_row_files label;
    struct mxio_watch watch;
};

struct mxio_rows;

MXIO_MUST_USE enum mxio_status
mxio_rows_new(struct mxio_rows **out, const struct mxio_rows_inputs *inputs,
              struct mxio_error *err);

/* Accepts NULL. */
void
mxio_rows_free(struct mxio_rows *rows);

/* Begin an epoch, behind `carry` rows. */
void
mxio_rows_start(struct mxio_rows *rows, uint64_t carry);

/* The next batch, as source.h says; what fails is a bad row. */
MXIO_MUST_USE enum mxio_status
mxio_rows_next(struct mxio_rows *rows, struct mxio_row_batch *out, bool *last,
               struct mxio_error *err);

/* The rows as a source, which owns them. */
struct mxio_source
mxio_rows_source(struct mxio_rows *rows);

/* Opens them as a source. */
struct mxio_opening
mxio_rows_opening(const struct mxio_rows_inputs *inputs);

#endif
