/*
 * Affine transforms of 8-bit pixels, as OpenCV's warpAffine: coordinates rounded to 1/32
 * pixel, weights to 1/16384, a constant border.
 *
 * Owner:   a warper keeps its memory and its weights from one picture to the next.
 * Threads: one warper per thread.
 * Errors:  MXIO_ENOMEM.
 */
#ifndef MXIO_WARP_H
#define MXIO_WARP_H

#include "base.h"
#include "kernels.h"
#include "maths.h"

struct mxio_warper {
    struct mxio_buffer points;  /* of one row of the output */
    struct mxio_buffer steps;   /* from the start of a row to each of its points */
    struct mxio_buffer weights; /* of all fractions, for `taps` columns and rows */
    int taps;                   /* 0: not filled */
};

void
mxio_warper_free(struct mxio_warper *warper);

/*
 * Fill out with the window of the transformed picture, in rows without gaps, with slack
 * behind. matrix takes (column, row, 1) of the source to those of the output. The view must
 * hold the whole picture. Methods: bilinear, cubic, Lanczos; area counts as bilinear.
 * border: a value for each channel.
 */
MXIO_MUST_USE enum mxio_status
mxio_warp(struct mxio_warper *warper, const struct mxio_view *from,
          const float matrix[6], struct mxio_rect window, enum mxio_inter inter,
          const uint8_t border[4], uint8_t *out, struct mxio_error *err);

#endif
