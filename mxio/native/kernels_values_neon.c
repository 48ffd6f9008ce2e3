/* The values of a batch in NEON, eight at a time: the same bytes as kernels_values.c. No
 * FMA: it rounds once less. */
#include "kernels_values.h"

#if defined __AARCH64EL__

#include <arm_neon.h>

#define EIGHT 8

/* Each in two vectors. */
struct wide_affine {
    float32x4_t mean[2], factor[2], bias[2];
};

static inline float32x4_t
load(const float *numbers, size_t i, size_t step)
{
    return step == 0 ? vdupq_n_f32(numbers[0]) : vld1q_f32(numbers + i);
}

/* The numbers as a type wants them. */
static inline struct wide_affine
affine_for(const struct mxio_affine *by, size_t i, enum mxio_value_type type)
{
    struct wide_affine wide;

    for (size_t k = 0; k < 2; k++) {
        const float32x4_t mean = load(by->mean, i + 4 * k, by->step);
        if (type == MXIO_VALUE_INT8) {
            wide.mean[k] = vrndaq_f32(mean);
            wide.factor[k] = wide.bias[k] = vdupq_n_f32(0);
            continue;
        }
        wide.mean[k] = mean;
        wide.factor[k] = load(by->factor, i + 4 * k, by->step);
        wide.bias[k] = load(by->bias, i + 4 * k, by->step);
    }
    return wide;
}

static inline uint16x4_t
bfloat16_of(float32x4_t values)
{
    const uint32x4_t bits = vreinterpretq_u32_f32(values);
    const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    const uint16x4_t upper = vaddhn_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7FFF)));
    const uint16x4_t number = vmovn_u32(vceqq_f32(values, values));

    return vbsl_u16(number, upper, vdup_n_u16(0x7FC0));
}

static inline uint16x4_t
half_of(float32x4_t values)
{
    return vreinterpret_u16_f16(vcvt_f16_f32(values));
}

/* Whole numbers; each step saturates. */
static inline int8x8_t
int8_of(float32x4_t low, float32x4_t high)
{
    return vqmovn_s16(
        vcombine_s16(vqmovn_s32(vcvtq_s32_f32(low)), vqmovn_s32(vcvtq_s32_f32(high))));
}

/* Eight pixels to eight values at place i. */
static inline void
put(void *out, size_t i, uint8x8_t pixels, const struct wide_affine *by,
    enum mxio_value_type type)
{
    const uint16x8_t words = vmovl_u8(pixels);
    const uint32x4_t halves[2] = {vmovl_u16(vget_low_u16(words)),
                                  vmovl_u16(vget_high_u16(words))};
    float32x4_t centred[2];

    for (int k = 0; k < 2; k++)
        centred[k] = vsubq_f32(vcvtq_f32_u32(halves[k]), by->mean[k]);
    if (type == MXIO_VALUE_INT8) {
        vst1_s8((int8_t *)out + i, int8_of(centred[0], centred[1]));
        return;
    }
    for (size_t k = 0, at = i; k < 2; k++, at += 4) {
        const float32x4_t values =
            vaddq_f32(vmulq_f32(centred[k], by->factor[k]), by->bias[k]);
        if (type == MXIO_VALUE_FLOAT32)
            vst1q_f32((float *)out + at, values);
        else
            vst1_u16((uint16_t *)out + at, type == MXIO_VALUE_FLOAT16
                                               ? half_of(values)
                                               : bfloat16_of(values));
    }
}

/* At least eight; the last eight are done whole, be some of them done before. */
static inline void
convert(void *out, const uint8_t *in, size_t count, const struct mxio_affine *by,
        enum mxio_value_type type)
{
    struct wide_affine wide = affine_for(by, 0, type);

    for (size_t done = 0; done < count; done += EIGHT) {
        const size_t i = done + EIGHT <= count ? done : count - EIGHT;
        if (by->step != 0)
            wide = affine_for(by, i, type);
        put(out, i, vld1_u8(in + i), &wide, type);
    }
}

static void
to_float32(float *out, const uint8_t *in, size_t count, const struct mxio_affine *by)
{
    if (count < EIGHT)
        mxio_value_kernels_scalar.to_float32(out, in, count, by);
    else
        convert(out, in, count, by, MXIO_VALUE_FLOAT32);
}

static void
to_float16(uint16_t *out, const uint8_t *in, size_t count, const struct mxio_affine *by)
{
    if (count < EIGHT)
        mxio_value_kernels_scalar.to_float16(out, in, count, by);
    else
        convert(out, in, count, by, MXIO_VALUE_FLOAT16);
}

static void
to_bfloat16(uint16_t *out, const uint8_t *in, size_t count,
            const struct mxio_affine *by)
{
    if (count < EIGHT)
        mxio_value_kernels_scalar.to_bfloat16(out, in, count, by);
    else
        convert(out, in, count, by, MXIO_VALUE_BFLOAT16);
}

static void
to_int8(int8_t *out, const uint8_t *in, size_t count, const struct mxio_affine *by)
{
    if (count < EIGHT)
        mxio_value_kernels_scalar.to_int8(out, in, count, by);
    else
        convert(out, in, count, by, MXIO_VALUE_INT8);
}

/* Eight pixels, a vector for each channel. */
static inline uint8x8x4_t
load_pixels(const uint8_t *in, const bool three)
{
    if (!three)
        return vld4_u8(in);
    const uint8x8x3_t rgb = vld3_u8(in);
    return (uint8x8x4_t){{rgb.val[0], rgb.val[1], rgb.val[2], vdup_n_u8(0)}};
}

/* At least eight pixels, the last eight as in convert. */
static inline void
spread(void *const *planes, const struct mxio_pixels *from,
       const struct mxio_affine *by, enum mxio_value_type type, const bool three)
{
    const size_t channels = three ? 3 : 4;
    struct wide_affine wide[4];

    for (size_t c = 0; c < channels; c++)
        wide[c] = affine_for(&by[c], 0, type);
    for (size_t done = 0; done < from->width; done += EIGHT) {
        const size_t x = done + EIGHT <= from->width ? done : from->width - EIGHT;
        const size_t at = from->flip ? from->width - EIGHT - x : x;
        const uint8x8x4_t pixels = load_pixels(from->row + at * channels, three);
        for (size_t c = 0; c < channels; c++) {
            if (by[c].step != 0)
                wide[c] = affine_for(&by[c], x, type);
            put(planes[c], x, from->flip ? vrev64_u8(pixels.val[c]) : pixels.val[c],
                &wide[c], type);
        }
    }
}

/* Code of its own for the usual, RGB to float32. */
static void
to_planes(void *const *planes, const struct mxio_pixels *from,
          const struct mxio_affine *by, enum mxio_value_type type)
{
    const bool three = from->channels == 3;

    if (from->width < EIGHT)
        mxio_value_kernels_scalar.to_planes(planes, from, by, type);
    else if (type == MXIO_VALUE_FLOAT32 && three)
        spread(planes, from, by, MXIO_VALUE_FLOAT32, true);
    else if (type == MXIO_VALUE_FLOAT32)
        spread(planes, from, by, MXIO_VALUE_FLOAT32, false);
    else if (type == MXIO_VALUE_FLOAT16)
        spread(planes, from, by, MXIO_VALUE_FLOAT16, three);
    else if (type == MXIO_VALUE_BFLOAT16)
        spread(planes, from, by, MXIO_VALUE_BFLOAT16, three);
    else
        spread(planes, from, by, MXIO_VALUE_INT8, three);
}

const struct mxio_value_kernels mxio_value_kernels_neon = {
    .to_float32 = to_float32,
    .to_float16 = to_float16,
    .to_bfloat16 = to_bfloat16,
    .to_int8 = to_int8,
    .to_planes = to_planes,
};

#else

typedef int mxio_kernels_values_neon_is_for_arm64; /* an empty file is no C */

#endif
