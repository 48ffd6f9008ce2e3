/*
 * A file read once, from its start to its end, and unpacked on the way when gzip packed
 * it.
 *
 * Owner:   open gives the caller one stream, to close.
 * Threads: one at a time.
 * Errors:  MXIO_EIO as file.h, MXIO_ENOMEM; MXIO_EDATA for damaged gzip data, with
 *          err->offset, which counts unpacked bytes; MXIO_ESTATE when told to stop. The
 *          caller names the file.
 */
#ifndef MXIO_STREAM_H
#define MXIO_STREAM_H

#include "base.h"

struct mxio_stream;

/* The watch is told bytes of the file as it lies there. */
MXIO_MUST_USE enum mxio_status
mxio_stream_open(struct mxio_stream **out, const char *path,
                 const struct mxio_watch *watch, struct mxio_error *err);

/* Accepts NULL. */
void
mxio_stream_close(struct mxio_stream *stream);

/* The next out_size bytes, fewer only at the end of the file; `out` NULL passes over
 * them. */
MXIO_MUST_USE enum mxio_status
mxio_stream_read(struct mxio_stream *stream, void *out, uint64_t out_size,
                 uint64_t *got, struct mxio_error *err);

/* Unpacked bytes that were read or passed over. */
uint64_t
mxio_stream_offset(const struct mxio_stream *stream);

/* No more unpacked bytes than this are in the file. *exact: nor fewer. */
uint64_t
mxio_stream_limit(const struct mxio_stream *stream, bool *exact);

#endif
