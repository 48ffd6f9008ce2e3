/*
 * What the files of the reader share: heads and bytes (reader.c), and which of the records
 * are asked for (reader_extent.c).
 *
 * Owner, threads, errors: as reader.h.
 */
#ifndef MXIO_READER_INNER_H
#define MXIO_READER_INNER_H

#include "reader.h"

struct mxio_reader {
    struct mxio_file *files;
    uint64_t *starts; /* of the files in the set; one more for the end */
    size_t file_count;

    const uint64_t *offsets; /* of the heads known: own, or lent */
    uint64_t *own;
    size_t known, room; /* of own */
    uint64_t frontier;  /* the next head is looked for here */
    bool complete, indexed;
    struct mxio_selection selection;

    struct mxio_buffer block; /* bytes of one file from block_start on */
    uint64_t block_start;
    size_t block_size;
};

/* The file that holds the byte; offset < total. */
size_t
mxio_reader_file_of(const struct mxio_reader *reader, uint64_t offset);

/* Learn one more head, or that there are no more. */
MXIO_MUST_USE enum mxio_status
mxio_reader_extend(struct mxio_reader *reader, struct mxio_error *err);

#endif
