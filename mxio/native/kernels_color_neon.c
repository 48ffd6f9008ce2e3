/* The colour kernels in NEON, eight pixels at a time: the same bytes as kernels_color.c.
 * No FMA: it rounds once less. */
#include "kernels_color.h"

#if defined __AARCH64EL__

#include <arm_neon.h>
#include <float.h>

#define EIGHT 8

/* Eight pixels, a vector for each channel; of 3 channels alpha is not looked at. */
static inline uint8x8x4_t
load(const uint8_t *pixels, int channels)
{
    if (channels == 4)
        return vld4_u8(pixels);
    const uint8x8x3_t rgb = vld3_u8(pixels);
    return (uint8x8x4_t){{rgb.val[0], rgb.val[1], rgb.val[2], vdup_n_u8(0)}};
}

static inline void
store(uint8_t *pixels, int channels, uint8x8x4_t values)
{
    const uint8x8x3_t rgb = {{values.val[0], values.val[1], values.val[2]}};

    if (channels == 4)
        vst4_u8(pixels, values);
    else
        vst3_u8(pixels, rgb);
}

static inline uint16x4_t
gray_of_four(uint16x4_t r, uint16x4_t g, uint16x4_t b)
{
    const uint32x4_t rg = vmlal_n_u16(vmull_n_u16(r, 1868), g, 9617);

    return vrshrn_n_u32(vmlal_n_u16(rg, b, 4899), 14);
}

static inline uint16x8_t
gray_of(uint8x8x4_t pixels)
{
    const uint16x8_t r = vmovl_u8(pixels.val[0]), g = vmovl_u8(pixels.val[1]),
                     b = vmovl_u8(pixels.val[2]);

    return vcombine_u16(gray_of_four(vget_low_u16(r), vget_low_u16(g), vget_low_u16(b)),
                        gray_of_four(vget_high_u16(r), vget_high_u16(g),
                                     vget_high_u16(b)));
}

static uint64_t
gray_sum(const uint8_t *pixels, size_t count, int channels)
{
    const size_t step = (size_t)channels;
    uint64x2_t sums = vdupq_n_u64(0);
    size_t i = 0;

    for (; i + EIGHT <= count; i += EIGHT) {
        const uint16x8_t grays = gray_of(load(pixels + i * step, channels));
        sums = vpadalq_u32(sums, vpaddlq_u16(grays));
    }
    return vaddvq_u64(sums) +
           mxio_color_kernels_scalar.gray_sum(pixels + i * step, count - i, channels);
}

/* Four values each. */
struct floats {
    float32x4_t low, high;
};

static inline struct floats
floats_of(uint16x8_t words)
{
    return (struct floats){vcvtq_f32_u32(vmovl_u16(vget_low_u16(words))),
                           vcvtq_f32_u32(vmovl_u16(vget_high_u16(words)))};
}

/* Whole numbers to bytes, clamped. */
static inline uint8x8_t
bytes_of(int32x4_t low, int32x4_t high)
{
    return vqmovn_u16(vcombine_u16(vqmovun_s32(low), vqmovun_s32(high)));
}

/* Eight values at `pixels` by numbers of their own. Beyond the limits a cut, too, is one
 * to the limits. */
static inline void
linear_eight(uint8_t *pixels, const float *factors, const float *biases, bool cut)
{
    const struct floats in = floats_of(vmovl_u8(vld1_u8(pixels)));
    const float32x4_t low =
        vaddq_f32(vmulq_f32(in.low, vld1q_f32(factors)), vld1q_f32(biases));
    const float32x4_t high =
        vaddq_f32(vmulq_f32(in.high, vld1q_f32(factors + 4)), vld1q_f32(biases + 4));

    vst1_u8(pixels, cut ? bytes_of(vcvtq_s32_f32(low), vcvtq_s32_f32(high))
                        : bytes_of(vcvtnq_s32_f32(low), vcvtnq_s32_f32(high)));
}

/* Blocks of 24 values: eight pixels of 3 channels, or whole ones of 1 and 4. */
static void
linear(uint8_t *pixels, size_t count, int channels, const float factor[4],
       const float bias[4], bool cut)
{
    const size_t step = (size_t)channels, block = (size_t)3 * EIGHT;
    float factors[3 * EIGHT], biases[3 * EIGHT];
    size_t at = 0;

    for (size_t i = 0; i < block; i++) {
        factors[i] = factor[i % step];
        biases[i] = bias[i % step];
    }
    for (; at + block <= count * step; at += block)
        for (size_t k = 0; k < block; k += EIGHT)
            linear_eight(pixels + at + k, factors + k, biases + k, cut);
    mxio_color_kernels_scalar.linear(pixels + at, count - at / step, channels, factor,
                                     bias, cut);
}

static inline uint8x8_t
mixed(uint8x8_t channel, float alpha, struct floats gray)
{
    const struct floats value = floats_of(vmovl_u8(channel));

    return bytes_of(vcvtnq_s32_f32(vaddq_f32(vmulq_n_f32(value.low, alpha), gray.low)),
                    vcvtnq_s32_f32(
                        vaddq_f32(vmulq_n_f32(value.high, alpha), gray.high)));
}

static void
saturate(uint8_t *pixels, size_t count, int channels, float alpha)
{
    const size_t step = (size_t)channels;
    size_t i = 0;

    for (; i + EIGHT <= count; i += EIGHT) {
        uint8x8x4_t in = load(pixels + i * step, channels);
        struct floats gray = floats_of(gray_of(in));
        gray.low = vmulq_n_f32(gray.low, 1 - alpha);
        gray.high = vmulq_n_f32(gray.high, 1 - alpha);
        for (int c = 0; c < 3; c++)
            in.val[c] = mixed(in.val[c], alpha, gray);
        store(pixels + i * step, channels, in);
    }
    mxio_color_kernels_scalar.saturate(pixels + i * step, count - i, channels, alpha);
}

/* ---- hue, lightness, saturation: four pixels at a time ---- */

struct levels {
    int32x4_t hue, lightness, saturation;
};

struct colour {
    float32x4_t r, g, b;
};

static inline float32x4_t
hue_of(struct colour in, float32x4_t most, float32x4_t range)
{
    const float32x4_t by = vdivq_f32(vdupq_n_f32(60), range);
    const float32x4_t of_r = vmulq_f32(vsubq_f32(in.g, in.b), by);
    const float32x4_t of_g =
        vaddq_f32(vmulq_f32(vsubq_f32(in.b, in.r), by), vdupq_n_f32(120));
    const float32x4_t of_b =
        vaddq_f32(vmulq_f32(vsubq_f32(in.r, in.g), by), vdupq_n_f32(240));
    const float32x4_t of_gb = vbslq_f32(vceqq_f32(most, in.g), of_g, of_b);
    const float32x4_t hue = vbslq_f32(vceqq_f32(most, in.r), of_r, of_gb);

    return vbslq_f32(vcltzq_f32(hue), vaddq_f32(hue, vdupq_n_f32(360)), hue);
}

/* The nearest whole numbers where `there`, else 0. */
static inline int32x4_t
level_where(uint32x4_t there, float32x4_t value)
{
    return vandq_s32(vreinterpretq_s32_u32(there), vcvtnq_s32_f32(value));
}

static inline struct levels
levels_of(struct colour in)
{
    const float32x4_t half = vdupq_n_f32(0.5f);
    const float32x4_t most = vmaxq_f32(vmaxq_f32(in.r, in.g), in.b);
    const float32x4_t least = vminq_f32(vminq_f32(in.r, in.g), in.b);
    const float32x4_t range = vsubq_f32(most, least), sum = vaddq_f32(most, least);
    const float32x4_t lightness = vmulq_f32(sum, half);
    const uint32x4_t colourful = vcgtq_f32(range, vdupq_n_f32(FLT_EPSILON));
    const float32x4_t bright = vsubq_f32(vsubq_f32(vdupq_n_f32(2), most), least);
    const float32x4_t below = vbslq_f32(vcltq_f32(lightness, half), sum, bright);

    return (struct levels){
        level_where(colourful, vmulq_f32(hue_of(in, most, range), half)),
        vcvtnq_s32_f32(vmulq_n_f32(lightness, 255)),
        level_where(colourful, vmulq_n_f32(vdivq_f32(range, below), 255)),
    };
}

static inline int32x4_t
channel_of(float32x4_t low, float32x4_t span, float32x4_t share)
{
    const float32x4_t inside =
        vminq_f32(vmaxq_f32(share, vdupq_n_f32(0)), vdupq_n_f32(1));

    return vcvtnq_s32_f32(vmulq_n_f32(vaddq_f32(low, vmulq_f32(span, inside)), 255));
}

static inline float32x4_t
distance(float32x4_t a, float b)
{
    return vabdq_f32(a, vdupq_n_f32(b));
}

/* The channels of four pixels, not clamped. */
static inline void
pixels_of(struct levels levels, int32x4_t channels[3])
{
    const float unit = 1.0f / 255;
    const float32x4_t one = vdupq_n_f32(1), two = vdupq_n_f32(2);
    const float32x4_t hue = vmulq_n_f32(vcvtq_f32_s32(levels.hue), 6.0f / 180);
    const float32x4_t light = vmulq_n_f32(vcvtq_f32_s32(levels.lightness), unit);
    const float32x4_t much = vmulq_n_f32(vcvtq_f32_s32(levels.saturation), unit);
    const float32x4_t dark_high = vmulq_f32(light, vaddq_f32(one, much));
    const float32x4_t light_high =
        vsubq_f32(vaddq_f32(light, much), vmulq_f32(light, much));
    const float32x4_t high =
        vbslq_f32(vcleq_f32(light, vdupq_n_f32(0.5f)), dark_high, light_high);
    const float32x4_t low = vsubq_f32(vmulq_f32(two, light), high);
    const float32x4_t span = vsubq_f32(high, low);

    channels[0] = channel_of(low, span, vsubq_f32(distance(hue, 3), one));
    channels[1] = channel_of(low, span, vsubq_f32(two, distance(hue, 2)));
    channels[2] = channel_of(low, span, vsubq_f32(two, distance(hue, 4)));
}

static inline int32x4_t
moved(int32x4_t level, int shift, int most)
{
    const int32x4_t sum = vaddq_s32(level, vdupq_n_s32(shift));

    return vminq_s32(vmaxq_s32(sum, vdupq_n_s32(0)), vdupq_n_s32(most));
}

static inline void
shift_four(struct colour in, const int shift[3], int32x4_t channels[3])
{
    struct levels levels = levels_of(in);

    levels.hue = moved(levels.hue, shift[0], 180);
    levels.lightness = moved(levels.lightness, shift[1], 255);
    levels.saturation = moved(levels.saturation, shift[2], 255);
    pixels_of(levels, channels);
}

static inline struct floats
units_of(uint8x8_t channel)
{
    const struct floats value = floats_of(vmovl_u8(channel));

    return (struct floats){vmulq_n_f32(value.low, 1.0f / 255),
                           vmulq_n_f32(value.high, 1.0f / 255)};
}

static void
shift_hls(uint8_t *pixels, size_t count, int channels, const int shift[3])
{
    const size_t step = (size_t)channels;
    size_t i = 0;

    for (; i + EIGHT <= count; i += EIGHT) {
        uint8x8x4_t in = load(pixels + i * step, channels);
        const struct floats r = units_of(in.val[0]), g = units_of(in.val[1]),
                            b = units_of(in.val[2]);
        int32x4_t low[3], high[3];
        shift_four((struct colour){r.low, g.low, b.low}, shift, low);
        shift_four((struct colour){r.high, g.high, b.high}, shift, high);
        for (int c = 0; c < 3; c++)
            in.val[c] = bytes_of(low[c], high[c]);
        store(pixels + i * step, channels, in);
    }
    mxio_color_kernels_scalar.shift_hls(pixels + i * step, count - i, channels, shift);
}

const struct mxio_color_kernels mxio_color_kernels_neon = {
    .linear = linear,
    .gray_sum = gray_sum,
    .saturate = saturate,
    .shift_hls = shift_hls,
};

#else

typedef int mxio_kernels_color_neon_is_for_arm64; /* an empty file is no C */

#endif
