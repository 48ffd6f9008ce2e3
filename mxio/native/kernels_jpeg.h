/*
 * From coefficients of JPEG to pixels: kernels as those of kernels.h, the scalar functions
 * the truth. Bytes are those of libjpeg-turbo's vector code for the same processor, whose
 * numbers are 16 bits wide where its plain code has 32: only coefficients that no encoder
 * makes tell them apart.
 *
 * Threads: pure functions.
 */
#ifndef MXIO_KERNELS_JPEG_H
#define MXIO_KERNELS_JPEG_H

#include "base.h"

struct mxio_jpeg_block {
    const int16_t *coefficients; /* 64, in natural order */
    const uint16_t *steps;       /* of quantisation */
    uint8_t *out;                /* 8 rows of 8 samples */
    size_t stride;
};

struct mxio_jpeg_kernels {
    bool pays; /* faster than libjpeg's */

    /* The inverse transform, "slow integer" of the IJG: Loeffler, Ligtenberg, Moschytz,
     * "Practical fast 1-D DCT algorithms with 11 multiplications" (1989), of two blocks. */
    void (*transform)(const struct mxio_jpeg_block blocks[2]);

    /*
     * Chroma between its samples, a triangle as wide as two of them: 2 * count values of
     * count samples, of which one before the first and one behind the last are read, too.
     * Writes up to MXIO_SLACK bytes past the end.
     */
    void (*widen)(uint8_t *out, const uint8_t *row, size_t count);

    /* The same between a row, which counts three quarters, and its neighbour. */
    void (*widen_between)(uint8_t *out, const uint8_t *row, const uint8_t *neighbour,
                          size_t count);

    /* YCbCr of JFIF to pixels of 3 bytes, width of them; writes up to MXIO_SLACK bytes
     * past the end. */
    void (*to_rgb)(uint8_t *out, const uint8_t *luma, const uint8_t *blue,
                   const uint8_t *red, size_t width, bool bgr);
};

extern const struct mxio_jpeg_kernels mxio_jpeg_kernels_scalar;

#if defined __x86_64__
extern const struct mxio_jpeg_kernels mxio_jpeg_kernels_avx2;
#elif defined __AARCH64EL__
extern const struct mxio_jpeg_kernels mxio_jpeg_kernels_neon;
#endif

#endif
