/*
 * The kernels of the last step: 8-bit pixels to the values of a batch; as those of
 * kernels.h, the scalar functions the truth.
 *
 * Threads: pure functions.
 */
#ifndef MXIO_KERNELS_VALUES_H
#define MXIO_KERNELS_VALUES_H

#include "base.h"

/* (value - mean) * factor + bias; one number for all values (step 0), or one for each
 * (step 1). */
struct mxio_affine {
    const float *mean, *factor, *bias;
    size_t step;
};

enum mxio_value_type {
    MXIO_VALUE_FLOAT32,
    MXIO_VALUE_FLOAT16,  /* IEEE binary16, rounded to nearest, ties to even */
    MXIO_VALUE_BFLOAT16, /* the upper half of a float, rounded so; NaN is 0x7FC0 */
    MXIO_VALUE_INT8,     /* value - round(mean), half away from zero, clamped to
                            -128..127; factor and bias are not looked at */
};

/* A row of interleaved pixels, taken from right to left when flip. */
struct mxio_pixels {
    const uint8_t *row;
    size_t width;
    int channels;
    bool flip;
};

struct mxio_value_kernels {
    void (*to_float32)(float *out, const uint8_t *in, size_t count,
                       const struct mxio_affine *by);
    void (*to_float16)(uint16_t *out, const uint8_t *in, size_t count,
                       const struct mxio_affine *by);
    void (*to_bfloat16)(uint16_t *out, const uint8_t *in, size_t count,
                        const struct mxio_affine *by);
    void (*to_int8)(int8_t *out, const uint8_t *in, size_t count,
                    const struct mxio_affine *by);

    /* Each channel (3 or 4) to its plane, by its own numbers. */
    void (*to_planes)(void *const *planes, const struct mxio_pixels *from,
                      const struct mxio_affine *by, enum mxio_value_type type);
};

extern const struct mxio_value_kernels mxio_value_kernels_scalar;

#if defined __x86_64__
extern const struct mxio_value_kernels mxio_value_kernels_avx2;
#elif defined __AARCH64EL__
extern const struct mxio_value_kernels mxio_value_kernels_neon;
#endif

#endif
