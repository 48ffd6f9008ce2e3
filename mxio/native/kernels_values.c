#include "kernels_values.h"

#include <math.h>
#include <string.h>

static float
transform(uint8_t value, size_t i, const struct mxio_affine *by)
{
    const size_t k = i * by->step;

    return ((float)value - by->mean[k]) * by->factor[k] + by->bias[k];
}

static void
to_float32(float *out, const uint8_t *in, size_t count, const struct mxio_affine *by)
{
    for (size_t i = 0; i < count; i++)
        out[i] = transform(in[i], i, by);
}

static uint16_t
half_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    const uint32_t magnitude = bits & 0x7FFFFFFF;
    if (magnitude > 0x7F800000) /* NaN keeps the top of its payload, and stays quiet */
        return (uint16_t)(sign | 0x7E00 | (magnitude >> 13 & 0x3FF));
    if (magnitude >= 0x477FF000) /* rounds to 65536 or more */
        return sign | 0x7C00;
    if (magnitude < 0x33000001) /* at most half of the smallest subnormal */
        return sign;
    const uint32_t exponent = magnitude >> 23;
    const uint32_t mantissa = (magnitude & 0x7FFFFF) | 0x800000;
    /* Bits to drop: 13 for normal numbers, more as the exponent falls below 2^-14. */
    const uint32_t drop = exponent >= 113 ? 13 : 126 - exponent;
    const uint32_t rest = mantissa & (((uint32_t)1 << drop) - 1);
    const uint32_t half = (uint32_t)1 << (drop - 1);
    uint32_t kept = mantissa >> drop;
    kept += rest > half || (rest == half && (kept & 1));
    /* The implicit bit of a normal number carries into the exponent by itself. */
    return (uint16_t)(sign |
                      (exponent >= 113 ? ((exponent - 113) << 10) + kept : kept));
}

static void
to_float16(uint16_t *out, const uint8_t *in, size_t count, const struct mxio_affine *by)
{
    for (size_t i = 0; i < count; i++)
        out[i] = half_of(transform(in[i], i, by));
}

static uint16_t
bfloat16_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    if (value != value)
        return 0x7FC0;
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static void
to_bfloat16(uint16_t *out, const uint8_t *in, size_t count,
            const struct mxio_affine *by)
{
    for (size_t i = 0; i < count; i++)
        out[i] = bfloat16_of(transform(in[i], i, by));
}

static void
to_int8(int8_t *out, const uint8_t *in, size_t count, const struct mxio_affine *by)
{
    for (size_t i = 0; i < count; i++) {
        const float value = (float)in[i] - roundf(by->mean[i * by->step]);
        out[i] = (int8_t)(value > 127 ? 127 : value < -128 ? -128 : value);
    }
}

/* Pixels that are taken apart at once. */
#define BLOCK 256

/* Channel c of pixels [x, x + count) of the output. */
static void
pick(uint8_t *out, const struct mxio_pixels *from, size_t x, size_t count, size_t c)
{
    const size_t step = (size_t)from->channels;

    for (size_t i = 0; i < count; i++) {
        const size_t at = from->flip ? from->width - 1 - x - i : x + i;
        out[i] = from->row[at * step + c];
    }
}

static struct mxio_affine
affine_from(const struct mxio_affine *by, size_t i)
{
    const size_t k = i * by->step;

    return (struct mxio_affine){by->mean + k, by->factor + k, by->bias + k, by->step};
}

static void
to_planes(void *const *planes, const struct mxio_pixels *from,
          const struct mxio_affine *by, enum mxio_value_type type)
{
    const struct mxio_value_kernels *kernels = &mxio_value_kernels_scalar;
    uint8_t block[BLOCK];

    for (size_t c = 0; c < (size_t)from->channels; c++)
        for (size_t x = 0; x < from->width; x += BLOCK) {
            const size_t left = from->width - x, count = left < BLOCK ? left : BLOCK;
            const struct mxio_affine here = affine_from(&by[c], x);
            pick(block, from, x, count, c);
            if (type == MXIO_VALUE_FLOAT32)
                kernels->to_float32((float *)planes[c] + x, block, count, &here);
            else if (type == MXIO_VALUE_FLOAT16)
                kernels->to_float16((uint16_t *)planes[c] + x, block, count, &here);
            else if (type == MXIO_VALUE_BFLOAT16)
                kernels->to_bfloat16((uint16_t *)planes[c] + x, block, count, &here);
            else
                kernels->to_int8((int8_t *)planes[c] + x, block, count, &here);
        }
}

const struct mxio_value_kernels mxio_value_kernels_scalar = {
    .to_float32 = to_float32,
    .to_float16 = to_float16,
    .to_bfloat16 = to_bfloat16,
    .to_int8 = to_int8,
    .to_planes = to_planes,
};
