/*
 * The filters of PNG undone; a kernel as those of kernels.h, the scalar function the truth.
 *
 * Threads: pure functions.
 */
#ifndef MXIO_KERNELS_PNG_H
#define MXIO_KERNELS_PNG_H

#include "base.h"

/* Section 9 of the specification; the byte before each row. */
enum mxio_png_filter {
    MXIO_PNG_NONE,
    MXIO_PNG_SUB,
    MXIO_PNG_UP,
    MXIO_PNG_AVERAGE,
    MXIO_PNG_PAETH,
    MXIO_PNG_FILTERS
};

/*
 * In place: a row of size bytes, pixels of `pixel` bytes (1, 3, 4), behind the row
 * `above`, which is zeros for the first one. Both are readable for MXIO_SLACK bytes past
 * their end.
 */
typedef void
mxio_unfilter_row(uint8_t *row, const uint8_t *above, size_t size, size_t pixel,
                  enum mxio_png_filter filter);

mxio_unfilter_row mxio_unfilter_row_scalar;

#if defined __x86_64__
mxio_unfilter_row mxio_unfilter_row_avx2;
#elif defined __AARCH64EL__
mxio_unfilter_row mxio_unfilter_row_neon;
#endif

#endif
