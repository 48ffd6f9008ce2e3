/*
 * Usual JPEGs (jpeg_header.h) without libjpeg: our own entropy decoding, inverse transform,
 * upsampling and colours, of the window alone. Pixels are libjpeg-turbo's to the bit.
 *
 * Known to files of jpeg alone.
 *
 * Owner:   memory is kept from one picture to the next; bytes given to open must live
 *          until the read.
 * Threads: one per thread.
 * Errors:  MXIO_ENOMEM.
 */
#ifndef MXIO_JPEG_PLAIN_H
#define MXIO_JPEG_PLAIN_H

#include "base.h"

struct mxio_plain_jpeg;

MXIO_MUST_USE enum mxio_status
mxio_plain_jpeg_new(struct mxio_plain_jpeg **out, struct mxio_error *err);

/* Accepts NULL. */
void
mxio_plain_jpeg_free(struct mxio_plain_jpeg *plain);

/* Read the header: true when the picture is plain so far. *out is not upright yet. */
MXIO_MUST_USE bool
mxio_plain_jpeg_open(struct mxio_plain_jpeg *plain, const uint8_t *bytes, size_t size,
                     struct mxio_picture *out);

/* What to decode: window.height rows of window.width pixels of 1 or 3 channels. */
struct mxio_plain_wish {
    int channels;
    bool bgr;
    struct mxio_rect window; /* of the stored picture */
    bool insist;             /* make tables for a small picture, too */
};

/*
 * Decode the window to `out`, rows close to each other, with MXIO_SLACK bytes of room behind
 * the last. *done is false when that is for libjpeg to judge.
 */
MXIO_MUST_USE enum mxio_status
mxio_plain_jpeg_read(struct mxio_plain_jpeg *plain, const struct mxio_plain_wish *wish,
                     uint8_t *out, bool *done, struct mxio_error *err);

#endif
