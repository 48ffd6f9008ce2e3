/*
 * Whole zlib streams and CRC-32, by libdeflate where the build found it, else by zlib.
 *
 * Owner:   an inflater keeps its state from one stream to the next.
 * Threads: one inflater per thread.
 * Errors:  MXIO_ENOMEM. A stream that is not right in every respect is just refused.
 */
#ifndef MXIO_INFLATE_H
#define MXIO_INFLATE_H

#include "base.h"

struct mxio_inflater;

MXIO_MUST_USE enum mxio_status
mxio_inflater_new(struct mxio_inflater **out, struct mxio_error *err);

/* Accepts NULL. */
void
mxio_inflater_free(struct mxio_inflater *inflater);

/*
 * True when the input is one zlib stream and nothing else, its checksum is right, and it
 * holds exactly out_size bytes. Whatever the answer, the output is written to. Refused
 * too: a stream whose window, as its header gives it, may be too small for it; only zlib
 * would notice. libdeflate does not notice codes for lengths and distances that deflate
 * leaves unused, and reads others in their place; the checksum has to be right all the same.
 */
MXIO_MUST_USE bool
mxio_inflate(struct mxio_inflater *inflater, const uint8_t *in, size_t in_size,
             uint8_t *out, size_t out_size);

uint32_t
mxio_crc32(const uint8_t *bytes, size_t size);

/* "libdeflate 1.14", or "zlib 1.2.13" */
const char *
mxio_inflate_version(void);

#endif
