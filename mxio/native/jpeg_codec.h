/*
 * What all that works with libjpeg shares: the fence that its errors come back over,
 * and memory that an encoder writes to.
 *
 * Owner:   the fence borrows the error it fills; bytes of a sink are freed by whoever
 *          made it, with mxio_free.
 * Threads: one fence and one sink per codec.
 * Errors:  by longjmp to `back`, with *err set. Locals changed between setjmp and a
 *          call into libjpeg are lost then.
 */
#ifndef MXIO_JPEG_CODEC_H
#define MXIO_JPEG_CODEC_H

#include "base.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

#ifndef LIBJPEG_TURBO_VERSION_NUMBER
#error "mxio needs libjpeg-turbo; this is another libjpeg"
#endif
#if LIBJPEG_TURBO_VERSION_NUMBER < 2001002
#error "mxio needs libjpeg-turbo 2.1.2 or newer"
#endif

struct mxio_jpeg_fence {
    struct jpeg_error_mgr manager; /* first: libjpeg hands back a pointer to it */
    jmp_buf back;
    struct mxio_error *err;
    bool irregular; /* set instead of *err: our entropy decoding gives up */
    struct jpeg_progress_mgr progress;
};

/* Errors, and warnings that mean damage, jump back. */
void
mxio_jpeg_fence_init(struct mxio_jpeg_fence *fence);

/* A fresh decompressor behind the fence, at the start of these bytes. May jump. */
void
mxio_jpeg_begin(struct jpeg_decompress_struct *codec, struct mxio_jpeg_fence *fence,
                const uint8_t *bytes, size_t size);

/* libjpeg's own memory destination loses its buffer when it fails after growing. */
struct mxio_jpeg_sink {
    struct jpeg_destination_mgr manager; /* first: libjpeg hands back a pointer to it */
    uint8_t *bytes;
    size_t size;
};

MXIO_MUST_USE enum mxio_status
mxio_jpeg_sink_init(struct mxio_jpeg_sink *sink, size_t size, struct mxio_error *err);

/* Bytes written, once the codec has finished. */
size_t
mxio_jpeg_sink_used(const struct mxio_jpeg_sink *sink);

/* What an encoder makes: baseline, 4:2:0. */
struct mxio_jpeg_recipe {
    int width, height, channels;
    bool bgr;
    int quality;
    unsigned restart_interval; /* MCUs, 0: none */
};

/* As mxio_jpeg_encode, for sides and channels that are right. */
MXIO_MUST_USE enum mxio_status
mxio_jpeg_compress(const struct mxio_jpeg_recipe *recipe, const uint8_t *pixels,
                   uint8_t **out, size_t *out_size, struct mxio_error *err);

#endif
