/*
 * A file read at explicit offsets.
 *
 * Owner:   open gives the caller one file, to close after its last read.
 * Threads: any number may read at once, forked children too; there is no position.
 * Errors:  MXIO_EDATA past the end, MXIO_EIO when the system refuses, MXIO_ESTATE when the
 *          lookout of the thread stops it; the caller names the file.
 */
#ifndef MXIO_FILE_H
#define MXIO_FILE_H

#include "base.h"

struct mxio_file {
    int descriptor; /* -1 when closed */
    uint64_t size;
};

MXIO_MUST_USE enum mxio_status
mxio_file_open(struct mxio_file *out, const char *path, struct mxio_error *err);

/* Exactly out_size bytes from offset on. */
MXIO_MUST_USE enum mxio_status
mxio_file_read(const struct mxio_file *file, uint64_t offset, void *out,
               size_t out_size, struct mxio_error *err);

/* Word to the system that these bytes will be read soon; it may ignore it. */
void
mxio_file_will_read(const struct mxio_file *file, uint64_t offset, uint64_t size);

/* Idempotent. */
void
mxio_file_close(struct mxio_file *file);

#endif
