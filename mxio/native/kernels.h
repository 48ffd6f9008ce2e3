/*
 * Pure functions on rows of pixels: the inner loops. No memory, no random numbers, no
 * errors.
 *
 * The scalar functions in kernels.c are the truth; those of other levels give the same
 * bytes. Input rows are readable for MXIO_SLACK bytes past their end, int16 and float
 * rows of a resize writable as far.
 *
 * Threads: every function may run anywhere; the choice of a level is made once per
 *          process.
 */
#ifndef MXIO_KERNELS_H
#define MXIO_KERNELS_H

#include "base.h"
#include "kernels_color.h"
#include "kernels_jpeg.h"
#include "kernels_png.h"
#include "kernels_values.h"

/* Weights of a bilinear resize are multiples of 1 / 2048, as in OpenCV. */
#define MXIO_WEIGHT_BITS 11

/* The weights of two neighbours, once for each channel: the width of a vector. */
struct mxio_weights {
    int16_t pair[4][2];
};

/* A source pixel of a resize by other methods, and what it counts. */
struct mxio_tap {
    int32_t from; /* columns: byte offset; rows: number */
    float weight;
};

/* Four neighbours in a row: the byte offset of the first, and weights that are multiples of
 * 1 / 2048. */
struct mxio_fours {
    int32_t first;
    int16_t weights[4];
};

/* A point of a picture in 1 / 32 pixel. */
#define MXIO_WARP_STEPS 32
/* Weights of its taps are multiples of 1 / 16384. */
#define MXIO_WARP_WEIGHT_BITS 14
struct mxio_warp_point {
    int32_t x, y;
};

struct mxio_kernels {
    const char *name;
    const struct mxio_color_kernels *color;
    const struct mxio_jpeg_kernels *jpeg;
    const struct mxio_value_kernels *values;
    mxio_unfilter_row *unfilter_row;

    /*
     * Horizontal pass of a resize, for width pixels of `channels` (1, 3, 4): out[x][c] =
     * (pixel[c] * weights[x].pair[c][0] + pixel[c + channels] * weights[x].pair[c][1])
     * >> 4, where pixel = row + first[x], a byte offset.
     */
    void (*stretch_row)(int16_t *out, const uint8_t *row, const int32_t *first,
                        const struct mxio_weights *weights, size_t width, int channels);

    /* Vertical pass: ((top * weight[0] >> 16) + (bottom * weight[1] >> 16) + 2) >> 2,
     * count values. */
    void (*blend_rows)(uint8_t *out, const int16_t *top, const int16_t *bottom,
                       const int16_t weight[2], size_t count);

    /*
     * Horizontal pass by any taps: pixel x is the sum over taps[end[x - 1]] to before
     * taps[end[x]], in that order, of the pixel at that byte offset times the weight.
     */
    void (*stretch_taps)(float *out, const uint8_t *row, const struct mxio_tap *taps,
                         const size_t *end, size_t width, int channels);

    /* The same by four neighbours each. */
    void (*stretch_fours)(float *out, const uint8_t *row,
                          const struct mxio_fours *fours, size_t width, int channels);

    /* The sum of rows[k][i] * weights[k], k rising, clamped and rounded half up. */
    void (*blend_fours)(uint8_t *out, const float *const rows[4],
                        const float weights[4], size_t count);

    /* sum + row * weight, count values. */
    void (*add_row)(float *sum, const float *row, float weight, size_t count);

    /* Clamped, rounded half up. */
    void (*round_row)(uint8_t *out, const float *in, size_t count);

    /* Interleaved pixels to one plane per channel (3 or 4). */
    void (*split_row)(uint8_t *const *planes, const uint8_t *row, size_t width,
                      int channels);

    /*
     * Bilinear values at points whose four neighbours are all inside, weights multiples
     * of 1 / 1024, rounded half up; for pixels of 1, 3 or 4 channels.
     */
    void (*warp_row)(uint8_t *out, const uint8_t *from, size_t stride,
                     const struct mxio_warp_point *points, size_t count, int channels);

    /*
     * The same for taps x taps (4 or 8) neighbours, of which the one at the point's own
     * pixel is in column and row taps / 2 - 1; weights[y of 32][x of 32][row][column],
     * clamped.
     */
    void (*warp_taps)(uint8_t *out, const uint8_t *from, size_t stride,
                      const struct mxio_warp_point *points, size_t count, int channels,
                      const int16_t *weights, int taps);

    /* Right to left: pixels of 1, 3 or 4 channels. */
    void (*flip_row)(uint8_t *out, const uint8_t *row, size_t width, int channels);
};

/* The best level for this processor, or the one that the environment variable MXIO_SIMD
 * names, if it is there; chosen at the first call. */
const struct mxio_kernels *
mxio_kernels_best(void);

/* A level by the name that MXIO_SIMD has for it: "off", "avx2", "neon"; NULL when the processor
 * or the build lacks it. */
const struct mxio_kernels *
mxio_kernels_named(const char *name);

/* The name of a level, whether it is there or not: 0 is the best, "off" the last; NULL
 * behind it. */
const char *
mxio_kernels_name(size_t number);

/* The truth. */
extern const struct mxio_kernels mxio_kernels_scalar;

#if defined __x86_64__
extern const struct mxio_kernels mxio_kernels_avx2;
#elif defined __AARCH64EL__ /* arm64, the low byte first */
extern const struct mxio_kernels mxio_kernels_neon;
#endif

#endif
