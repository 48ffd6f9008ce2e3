/*
 * What the headers of image records say, read without the pictures.
 *
 * Records in a row are looked up in blocks where they are small, one by one where they
 * are large, so that a scan of a whole file set reads it once and keeps 64 KiB of it.
 *
 * Owner:   a scan borrows its reader; free gives back its buffers.
 * Threads: one at a time, holding what guards the reader.
 * Errors:  MXIO_EDATA with file, record and byte for damage and for a record without an
 *          image header; MXIO_EIO.
 */
#ifndef MXIO_SCAN_H
#define MXIO_SCAN_H

#include "base.h"
#include "reader.h"

struct mxio_scan {
    struct mxio_reader *reader;
    struct mxio_buffer record; /* a record read by itself */
    struct mxio_buffer block;  /* bytes of one file from block_start on */
    uint64_t block_start;
    size_t block_size;
    uint64_t next; /* where the record after the last one starts */
};

/* The caller's arrays, one entry for each record. */
struct mxio_scan_heads {
    uint64_t *ids, *offsets; /* of the record head, counted through all files */
    uint64_t *sizes;         /* bytes behind the header and its labels */
    uint32_t *flags;
    float *labels; /* `width` of them; NaN where the record has no such label */
    size_t width;
};

/* Heads of the records ordinals[0 .. count), or first, first + 1, ... when ordinals is
 * NULL. *done is how many there were: an ordinal behind the last record ends the scan.
 */
MXIO_MUST_USE enum mxio_status
mxio_scan_read(struct mxio_scan *scan, const uint64_t *ordinals, uint64_t first,
               size_t count, const struct mxio_scan_heads *out, size_t *done,
               struct mxio_error *err);

/* Gives back the buffers, not the reader. */
void
mxio_scan_free(struct mxio_scan *scan);

#endif
