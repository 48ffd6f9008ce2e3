/*
 * Gaussian blur of 8-bit pixels, in whole numbers: the same on every processor, and at
 * most one level from OpenCV's in floats. The border is mirrored about its last pixel.
 *
 * Owner:   a blurrer keeps its memory from one picture to the next.
 * Threads: one blurrer per thread.
 * Errors:  MXIO_ENOMEM.
 */
#ifndef MXIO_BLUR_H
#define MXIO_BLUR_H

#include "base.h"

#define MXIO_MAX_BLUR_RADIUS 4

struct mxio_blurrer {
    struct mxio_buffer sums; /* of columns, for one row */
};

void
mxio_blurrer_free(struct mxio_blurrer *blurrer);

/*
 * Fill out with the window of the blurred picture, in rows without gaps. The view must
 * hold the whole picture. The kernel has 2 * radius + 1 taps, 1 <= radius <= 4, and the
 * deviation that OpenCV and DALI take for so many: 0.3 * (radius - 1) + 0.8.
 */
MXIO_MUST_USE enum mxio_status
mxio_blur(struct mxio_blurrer *blurrer, const struct mxio_view *from, int radius,
          struct mxio_rect window, uint8_t *out, struct mxio_error *err);

#endif
