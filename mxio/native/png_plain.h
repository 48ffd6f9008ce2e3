/*
 * Plain PNGs without libpng: 8 bits, gray, RGB, RGBA or palette, not interlaced, no
 * transparent colours, whole and undamaged. Everything else is left to libpng, its verdict
 * on damage included: what is accepted here, libpng accepts with the same pixels (but for
 * unused codes, see inflate.h).
 *
 * Known to png.c only.
 *
 * Owner:   memory is kept from one picture to the next; bytes given to open must live
 *          until the read.
 * Threads: one per thread.
 * Errors:  MXIO_ENOMEM.
 */
#ifndef MXIO_PNG_PLAIN_H
#define MXIO_PNG_PLAIN_H

#include "base.h"
#include "inflate.h"

struct mxio_plain_png {
    struct mxio_inflater *inflater;
    struct mxio_buffer joined; /* the content of several IDAT chunks */
    struct mxio_buffer raw;    /* a row of zeros, then rows behind their filter bytes */
    struct mxio_buffer rows;   /* a window of other channels than the stored ones */
    /* The picture under way. */
    int width, height, color_type;
    const uint8_t *palette, *data; /* content of PLTE; the first IDAT chunk */
    size_t palette_size, data_size, data_chunks;
};

void
mxio_plain_png_free(struct mxio_plain_png *plain);

/* Walk all chunks, from behind the signature on, and check each checksum: true when the
 * picture is plain so far. */
MXIO_MUST_USE bool
mxio_plain_png_open(struct mxio_plain_png *plain, const uint8_t *bytes, size_t size);

/* 1, 3 or 4. */
int
mxio_plain_png_channels(const struct mxio_plain_png *plain);

/* The window as mxio_png_read gives it; *done is false when that is for libpng to judge.
 * Four channels only of RGBA. */
MXIO_MUST_USE enum mxio_status
mxio_plain_png_read(struct mxio_plain_png *plain, int channels, bool bgr,
                    struct mxio_rect window, struct mxio_view *out, bool *done,
                    struct mxio_error *err);

#endif
