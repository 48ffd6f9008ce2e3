/*
 * The files of MNIST: a magic number, sizes, and rows of bytes; plain or packed by gzip.
 *
 *   bytes 0-3   0x00000800 + the count of sizes: 1 for labels, 3 for images
 *   then        each size, 4 bytes; the first is the count of rows. Big-endian.
 *   then        the bytes
 *
 * Owner:   open gives the caller one file, to close.
 * Threads: one at a time.
 * Errors:  MXIO_EDATA with err->offset (of unpacked bytes) for anything else than the
 *          above; as stream.h. The caller names the file.
 */
#ifndef MXIO_IDX_H
#define MXIO_IDX_H

#include "base.h"

#define MXIO_IDX_SIZES 3

struct mxio_idx {
    struct mxio_stream *stream;
    int size_count;
    uint32_t sizes[MXIO_IDX_SIZES]; /* none is 0 */
    size_t row_size;                /* the product of all but the first */
};

/* Reads the header; the bytes are as many as it says, or, when packed, may be. */
MXIO_MUST_USE enum mxio_status
mxio_idx_open(struct mxio_idx *out, const char *path, int size_count,
              const struct mxio_watch *watch, struct mxio_error *err);

/* Idempotent. */
void
mxio_idx_close(struct mxio_idx *idx);

/* `count` rows, one behind the other; `out` NULL passes over them. */
MXIO_MUST_USE enum mxio_status
mxio_idx_read(struct mxio_idx *idx, uint8_t *out, size_t count, struct mxio_error *err);

/* After the last row: there must be no more. */
MXIO_MUST_USE enum mxio_status
mxio_idx_end(struct mxio_idx *idx, struct mxio_error *err);

#endif
