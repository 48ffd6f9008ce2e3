/*
 * The colour kernels: pixels of 3 or 4 channels, red first, in place; alpha is left alone.
 *
 * As in kernels.h the scalar functions, in kernels_color.c, are the truth; pixels are
 * readable for MXIO_SLACK bytes past their end.
 *
 * Threads: pure functions.
 */
#ifndef MXIO_KERNELS_COLOR_H
#define MXIO_KERNELS_COLOR_H

#include "base.h"

struct mxio_color_kernels {
    /*
     * value * factor[channel] + bias[channel], clamped, and rounded to the nearest, ties to
     * even, or cut towards zero; of 1 channel, too, and of alpha.
     */
    void (*linear)(uint8_t *pixels, size_t count, int channels, const float factor[4],
                   const float bias[4], bool cut);

    /*
     * The sum of MXNet's gray: OpenCV's in 14 bits, with red and blue in each other's
     * place.
     */
    uint64_t (*gray_sum)(const uint8_t *pixels, size_t count, int channels);

    /* value * alpha + gray * (1 - alpha), rounded to the nearest, ties to even, clamped. */
    void (*saturate)(uint8_t *pixels, size_t count, int channels, float alpha);

    /*
     * To OpenCV's 8-bit hue (0..180), lightness and saturation (0..255), the shift added
     * to each and clamped, and back.
     */
    void (*shift_hls)(uint8_t *pixels, size_t count, int channels, const int shift[3]);
};

extern const struct mxio_color_kernels mxio_color_kernels_scalar;

#if defined __x86_64__
extern const struct mxio_color_kernels mxio_color_kernels_avx2;
#elif defined __AARCH64EL__
extern const struct mxio_color_kernels mxio_color_kernels_neon;
#endif

#endif
