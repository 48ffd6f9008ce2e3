/* The kernels in NEON: the same bytes as kernels.c. No FMA: it rounds once less. */
#include "kernels.h"

#if defined __AARCH64EL__

#include <arm_neon.h>
#include <string.h>

/* Words 0 to 3 of one pixel, and of the one behind it, of 3 or 4 channels. */
static inline int16x4_t
left_of(uint16x8_t words)
{
    return vreinterpret_s16_u16(vget_low_u16(words));
}

static inline int16x4_t
right_of(uint16x8_t words, bool three)
{
    const uint16x4_t low = vget_low_u16(words), high = vget_high_u16(words);

    return vreinterpret_s16_u16(three ? vext_u16(low, high, 3) : high);
}

/* Of an output of 3 channels each store covers the start of the next, or the slack. */
static inline void
stretch_pixels(int16_t *out, const uint8_t *row, const int32_t *first,
               const struct mxio_weights *weights, size_t width, const bool three)
{
    for (size_t x = 0; x < width; x++) {
        const uint16x8_t words = vmovl_u8(vld1_u8(row + first[x]));
        const int16x4_t by = vld1_s16(weights[x].pair[0]);
        const int32x4_t left = vmull_lane_s16(left_of(words), by, 0);
        const int32x4_t sum = vmlal_lane_s16(left, right_of(words, three), by, 1);
        vst1_s16(out + x * (three ? 3 : 4), vshrn_n_s32(sum, 4));
    }
}

static void
stretch_row(int16_t *out, const uint8_t *row, const int32_t *first,
            const struct mxio_weights *weights, size_t width, int channels)
{
    if (channels == 1) /* each pixel from a place of its own: nothing to share */
        mxio_kernels_scalar.stretch_row(out, row, first, weights, width, channels);
    else if (channels == 3)
        stretch_pixels(out, row, first, weights, width, true);
    else
        stretch_pixels(out, row, first, weights, width, false);
}

/* Not rounded yet. vqdmulh is twice the product, >> 16. */
static inline int16x8_t
blend_eight(const int16_t *top, const int16_t *bottom, const int16_t weight[2])
{
    const int16x8_t upper = vqdmulhq_n_s16(vld1q_s16(top), weight[0]);
    const int16x8_t lower = vqdmulhq_n_s16(vld1q_s16(bottom), weight[1]);

    return vsraq_n_s16(vshrq_n_s16(upper, 1), lower, 1);
}

static void
blend_rows(uint8_t *out, const int16_t *top, const int16_t *bottom,
           const int16_t weight[2], size_t count)
{
    const int16_t by[2] = {weight[0],
                           weight[1]}; /* out might cover it, to a compiler */
    size_t i = 0;

    for (; i + 16 <= count; i += 16) {
        const int16x8_t low = blend_eight(top + i, bottom + i, by);
        const int16x8_t high = blend_eight(top + i + 8, bottom + i + 8, by);
        vst1q_u8(out + i, vqrshrun_high_n_s16(vqrshrun_n_s16(low, 2), high, 2));
    }
    mxio_kernels_scalar.blend_rows(out + i, top + i, bottom + i, weight, count - i);
}

/* Four bytes as floats. */
static inline float32x4_t
load_pixel(const uint8_t *at)
{
    uint32_t bytes;

    memcpy(&bytes, at, sizeof bytes);
    const uint16x8_t words = vmovl_u8(vcreate_u8(bytes));
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(words)));
}

/* A pixel's channels side by side; of 3 channels, each store covers the end of the last. */
static void
stretch_taps(float *out, const uint8_t *row, const struct mxio_tap *taps,
             const size_t *end, size_t width, int channels)
{
    size_t tap = 0;

    if (channels == 1) {
        mxio_kernels_scalar.stretch_taps(out, row, taps, end, width, channels);
        return;
    }
    for (size_t x = 0; x < width; x++) {
        float32x4_t sum = vdupq_n_f32(0);
        for (; tap < end[x]; tap++)
            sum = vaddq_f32(sum, vmulq_n_f32(load_pixel(row + taps[tap].from),
                                             taps[tap].weight));
        vst1q_f32(out + x * (size_t)channels, sum);
    }
}

/* A compiler makes of the plain loop what could be written here. */
static void
add_row(float *sum, const float *row, float weight, size_t count)
{
    mxio_kernels_scalar.add_row(sum, row, weight, count);
}

/* Four values, clamped and rounded half up: by adding, as vcvta rounds the float below
 * 0.5 down, and the truth up. */
static inline uint16x4_t
rounded(float32x4_t values)
{
    const float32x4_t inside =
        vminq_f32(vmaxq_f32(values, vdupq_n_f32(0)), vdupq_n_f32(255));

    return vmovn_u32(vcvtq_u32_f32(vaddq_f32(inside, vdupq_n_f32(0.5f))));
}

static void
round_row(uint8_t *out, const float *in, size_t count)
{
    size_t i = 0;

    for (; i + 8 <= count; i += 8)
        vst1_u8(out + i, vmovn_u16(vcombine_u16(rounded(vld1q_f32(in + i)),
                                                rounded(vld1q_f32(in + i + 4)))));
    mxio_kernels_scalar.round_row(out + i, in + i, count - i);
}

/* Four neighbours in a row, weighted, added to the sum of each channel. */
static inline int32x4_t
add_fours(int32x4_t sum, const uint8_t *in, const int16_t *weights, const bool three)
{
    const uint8x16_t bytes = vld1q_u8(in);
    const int16x4_t by = vld1_s16(weights);
    const uint16x8_t low = vmovl_u8(vget_low_u8(bytes));
    const uint16x8_t high =
        vmovl_u8(three ? vget_low_u8(vextq_u8(bytes, bytes, 6)) : vget_high_u8(bytes));

    sum = vmlal_lane_s16(sum, left_of(low), by, 0);
    sum = vmlal_lane_s16(sum, right_of(low, three), by, 1);
    sum = vmlal_lane_s16(sum, left_of(high), by, 2);
    return vmlal_lane_s16(sum, right_of(high, three), by, 3);
}

/* Of 3 channels each store covers the end of the last. */
static inline void
stretch_fours_of(float *out, const uint8_t *row, const struct mxio_fours *fours,
                 size_t width, const bool three)
{
    const float unit = 1.0f / (1 << MXIO_WEIGHT_BITS);

    for (size_t x = 0; x < width; x++) {
        const int32x4_t sum =
            add_fours(vdupq_n_s32(0), row + fours[x].first, fours[x].weights, three);
        vst1q_f32(out + x * (three ? 3 : 4), vmulq_n_f32(vcvtq_f32_s32(sum), unit));
    }
}

static void
stretch_fours(float *out, const uint8_t *row, const struct mxio_fours *fours,
              size_t width, int channels)
{
    if (channels == 1)
        mxio_kernels_scalar.stretch_fours(out, row, fours, width, channels);
    else if (channels == 3)
        stretch_fours_of(out, row, fours, width, true);
    else
        stretch_fours_of(out, row, fours, width, false);
}

/* Four values of the four rows, summed in their order. */
static inline float32x4_t
sum_fours(const float *const rows[4], const float weights[4], size_t i)
{
    float32x4_t sum = vmulq_n_f32(vld1q_f32(rows[0] + i), weights[0]);

    for (int k = 1; k < 4; k++)
        sum = vaddq_f32(sum, vmulq_n_f32(vld1q_f32(rows[k] + i), weights[k]));
    return sum;
}

static void
blend_fours(uint8_t *out, const float *const rows[4], const float weights[4],
            size_t count)
{
    size_t i = 0;

    for (; i + 8 <= count; i += 8)
        vst1_u8(out + i,
                vmovn_u16(vcombine_u16(rounded(sum_fours(rows, weights, i)),
                                       rounded(sum_fours(rows, weights, i + 4)))));
    const float *const rest[4] = {rows[0] + i, rows[1] + i, rows[2] + i, rows[3] + i};
    mxio_kernels_scalar.blend_fours(out + i, rest, weights, count - i);
}

/* The last 16 pixels are done whole, be some of them done before. */
static void
split_row(uint8_t *const *planes, const uint8_t *row, size_t width, int channels)
{
    if (width < 16) {
        mxio_kernels_scalar.split_row(planes, row, width, channels);
        return;
    }
    for (size_t done = 0; done < width; done += 16) {
        const size_t x = done + 16 <= width ? done : width - 16;
        if (channels == 3) {
            const uint8x16x3_t in = vld3q_u8(row + 3 * x);
            for (int c = 0; c < 3; c++)
                vst1q_u8(planes[c] + x, in.val[c]);
        } else {
            const uint8x16x4_t in = vld4q_u8(row + 4 * x);
            for (int c = 0; c < 4; c++)
                vst1q_u8(planes[c] + x, in.val[c]);
        }
    }
}

/* Weighted by row first, in 16 bits, then by column. */
static inline uint16x4_t
warp_one(const uint8_t *from, size_t stride, struct mxio_warp_point point,
         const bool three)
{
    const uint8_t x = point.x & 31, y = point.y & 31;
    const uint8_t *top = from + (size_t)(point.y >> 5) * stride +
                         (size_t)(point.x >> 5) * (three ? 3 : 4);
    const uint16x8_t upper = vmull_u8(vld1_u8(top), vdup_n_u8(32 - y));
    const uint16x8_t both = vmlal_u8(upper, vld1_u8(top + stride), vdup_n_u8(y));
    const int32x4_t left = vmull_n_s16(left_of(both), 32 - x);
    const int32x4_t sum = vmlal_n_s16(left, right_of(both, three), x);

    return vreinterpret_u16_s16(vrshrn_n_s32(sum, 10));
}

/* The low four words as bytes. */
static inline void
store_pixel(uint8_t *out, uint16x4_t words)
{
    const uint8x8_t bytes = vmovn_u16(vcombine_u16(words, words));
    const uint32_t pixel = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);

    memcpy(out, &pixel, sizeof pixel);
}

/* A byte more is stored of 3 channels; the last pixel is left to the plain code. */
static inline size_t
warp_most(uint8_t *out, const uint8_t *from, size_t stride,
          const struct mxio_warp_point *points, size_t count, const bool three)
{
    size_t i = 0;

    for (; i + 1 < count; i++)
        store_pixel(out + i * (three ? 3 : 4),
                    warp_one(from, stride, points[i], three));
    return i;
}

static void
warp_row(uint8_t *out, const uint8_t *from, size_t stride,
         const struct mxio_warp_point *points, size_t count, int channels)
{
    size_t i = 0;

    if (channels == 3)
        i = warp_most(out, from, stride, points, count, true);
    else if (channels == 4)
        i = warp_most(out, from, stride, points, count, false);
    mxio_kernels_scalar.warp_row(out + i * (size_t)channels, from, stride, points + i,
                                 count - i, channels);
}

/* `in` is the first of a pixel's taps. */
static inline uint16x4_t
sum_taps(const uint8_t *in, size_t stride, const int16_t *weights, const int taps,
         const bool three)
{
    int32x4_t sum = vdupq_n_s32(0);

    for (int y = 0; y < taps; y++, in += stride)
        for (int x = 0; x < taps; x += 4, weights += 4)
            sum = add_fours(sum, in + x * (three ? 3 : 4), weights, three);
    return vmin_u16(vqrshrun_n_s32(sum, MXIO_WARP_WEIGHT_BITS), vdup_n_u16(255));
}

/* As warp_most. */
static inline size_t
warp_most_taps(uint8_t *out, const uint8_t *from, size_t stride,
               const struct mxio_warp_point *points, size_t count,
               const int16_t *weights, const int taps, const bool three)
{
    const size_t step = three ? 3 : 4;
    const int reach = taps / 2 - 1;
    size_t i = 0;

    for (; i + 1 < count; i++) {
        const struct mxio_warp_point at = points[i];
        const int fraction = (at.y & 31) * 32 + (at.x & 31);
        const uint8_t *in = from + (size_t)((at.y >> 5) - reach) * stride +
                            (size_t)((at.x >> 5) - reach) * step;
        store_pixel(out + i * step,
                    sum_taps(in, stride, weights + fraction * taps * taps, taps,
                             three));
    }
    return i;
}

static void
warp_taps(uint8_t *out, const uint8_t *from, size_t stride,
          const struct mxio_warp_point *points, size_t count, int channels,
          const int16_t *weights, int taps)
{
    size_t i = 0;

    if (channels == 3)
        i = taps == 4
                ? warp_most_taps(out, from, stride, points, count, weights, 4, true)
                : warp_most_taps(out, from, stride, points, count, weights, 8, true);
    else if (channels == 4)
        i = taps == 4
                ? warp_most_taps(out, from, stride, points, count, weights, 4, false)
                : warp_most_taps(out, from, stride, points, count, weights, 8, false);
    mxio_kernels_scalar.warp_taps(out + i * (size_t)channels, from, stride, points + i,
                                  count - i, channels, weights, taps);
}

/* The pixels of 16 bytes from right to left. */
static const uint8_t backward[5][16] = {
    [1] = {15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
    [3] = {12, 13, 14, 9, 10, 11, 6, 7, 8, 3, 4, 5, 0, 1, 2, 255},
    [4] = {12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3},
};

/* Of 3 channels five pixels at a time; the 16th byte is stored over, and so the last ones
 * are left to the plain code. */
static void
flip_row(uint8_t *out, const uint8_t *row, size_t width, int channels)
{
    const uint8x16_t order = vld1q_u8(backward[channels]);
    const size_t step = (size_t)channels, size = width * step;
    const size_t block = 16 / step * step;
    size_t at = 0;

    for (; at + 16 <= size; at += block)
        vst1q_u8(out + at, vqtbl1q_u8(vld1q_u8(row + size - block - at), order));
    mxio_kernels_scalar.flip_row(out + at, row, width - at / step, channels);
}

const struct mxio_kernels mxio_kernels_neon = {
    .name = "neon",
    .color = &mxio_color_kernels_neon,
    .jpeg = &mxio_jpeg_kernels_neon,
    .values = &mxio_value_kernels_neon,
    .unfilter_row = mxio_unfilter_row_neon,
    .stretch_row = stretch_row,
    .blend_rows = blend_rows,
    .stretch_taps = stretch_taps,
    .stretch_fours = stretch_fours,
    .blend_fours = blend_fours,
    .add_row = add_row,
    .round_row = round_row,
    .split_row = split_row,
    .warp_row = warp_row,
    .warp_taps = warp_taps,
    .flip_row = flip_row,
};

#else

typedef int mxio_kernels_neon_is_for_arm64; /* an empty file is no C */

#endif
