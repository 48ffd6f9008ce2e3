/* From coefficients to pixels in NEON: the same bytes as kernels_jpeg.c. */
#include "kernels_jpeg.h"

#if defined __AARCH64EL__

#include <arm_neon.h>

#include "kernels_jpeg_inner.h"

/* ---- transform ---- */

/* 32 bits for each of 8 words. */
struct wide {
    int32x4_t low, high;
};

/* x * a + y * b + more */
static inline struct wide
weighed(int16x8_t x, int a, int16x8_t y, int b, struct wide more)
{
    const int16_t by_x = (int16_t)a, by_y = (int16_t)b;
    const int32x4_t low = vmlal_n_s16(more.low, vget_low_s16(x), by_x);
    const int32x4_t high = vmlal_n_s16(more.high, vget_high_s16(x), by_x);

    return (struct wide){vmlal_n_s16(low, vget_low_s16(y), by_y),
                         vmlal_n_s16(high, vget_high_s16(y), by_y)};
}

static inline struct wide
scaled(int16x8_t x)
{
    return (struct wide){vshll_n_s16(vget_low_s16(x), DCT_BITS),
                         vshll_high_n_s16(x, DCT_BITS)};
}

static inline struct wide
plus(struct wide a, struct wide b)
{
    return (struct wide){vaddq_s32(a.low, b.low), vaddq_s32(a.high, b.high)};
}

static inline struct wide
minus(struct wide a, struct wide b)
{
    return (struct wide){vsubq_s32(a.low, b.low), vsubq_s32(a.high, b.high)};
}

/* The even and the odd half of the outputs, still in 32 bits. */
static inline void
weigh_lines(const int16x8_t v[8], struct wide even[4], struct wide odd[4])
{
    const struct wide none = {vdupq_n_s32(0), vdupq_n_s32(0)};
    const struct wide sum = scaled(vaddq_s16(v[0], v[4]));
    const struct wide rest = scaled(vsubq_s16(v[0], v[4]));
    const struct wide low = weighed(v[2], DCT_2_TO_LOW, v[6], DCT_CROSS_26, none);
    const struct wide high = weighed(v[2], DCT_CROSS_26, v[6], DCT_6_TO_HIGH, none);
    const int16x8_t sum_73 = vaddq_s16(v[7], v[3]), sum_51 = vaddq_s16(v[5], v[1]);
    const struct wide to_73 =
        weighed(sum_73, DCT_73_TO_73, sum_51, DCT_CROSS_SUMS, none);
    const struct wide to_51 =
        weighed(sum_73, DCT_CROSS_SUMS, sum_51, DCT_51_TO_51, none);

    even[0] = plus(sum, low);
    even[1] = plus(rest, high);
    even[2] = minus(rest, high);
    even[3] = minus(sum, low);
    odd[0] = weighed(v[7], DCT_CROSS_71, v[1], DCT_1_TO_1, to_51);
    odd[1] = weighed(v[5], DCT_CROSS_53, v[3], DCT_3_TO_3, to_73);
    odd[2] = weighed(v[5], DCT_5_TO_5, v[3], DCT_CROSS_53, to_51);
    odd[3] = weighed(v[7], DCT_7_TO_7, v[1], DCT_CROSS_71, to_73);
}

/* Rounded; what is too large wraps. */
static inline int16x8_t
descaled(struct wide x)
{
    return vrshrn_high_n_s32(vrshrn_n_s32(x.low, DCT_COLUMNS_SHIFT), x.high,
                             DCT_COLUMNS_SHIFT);
}

static inline void
transform_columns(int16x8_t v[8])
{
    struct wide even[4], odd[4];

    weigh_lines(v, even, odd);
    for (int i = 0; i < 4; i++) {
        v[i] = descaled(plus(even[i], odd[i]));
        v[7 - i] = descaled(minus(even[i], odd[i]));
    }
}

/* The upper 16 of 32 bits; DCT_ROWS_SHIFT - 16 more are for samples_of. */
static inline void
transform_rows(int16x8_t v[8])
{
    struct wide even[4], odd[4];

    weigh_lines(v, even, odd);
    for (int i = 0; i < 4; i++) {
        v[i] = vaddhn_high_s32(vaddhn_s32(even[i].low, odd[i].low), even[i].high,
                               odd[i].high);
        v[7 - i] = vsubhn_high_s32(vsubhn_s32(even[i].low, odd[i].low), even[i].high,
                                   odd[i].high);
    }
}

static inline int16x8_t
pairs(int16x8_t a, int16x8_t b, const bool odd)
{
    const int32x4_t x = vreinterpretq_s32_s16(a), y = vreinterpretq_s32_s16(b);

    return vreinterpretq_s16_s32(odd ? vtrn2q_s32(x, y) : vtrn1q_s32(x, y));
}

static inline int16x8_t
halves(int16x8_t a, int16x8_t b, const bool odd)
{
    const int64x2_t x = vreinterpretq_s64_s16(a), y = vreinterpretq_s64_s16(b);

    return vreinterpretq_s16_s64(odd ? vtrn2q_s64(x, y) : vtrn1q_s64(x, y));
}

/* Rows become columns. */
static inline void
transpose(int16x8_t v[8])
{
    int16x8_t a[8], b[8];

    for (int i = 0; i < 8; i += 2) {
        a[i] = vtrn1q_s16(v[i], v[i + 1]);
        a[i + 1] = vtrn2q_s16(v[i], v[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; j++) {
            b[i + j] = pairs(a[i + j], a[i + j + 2], false);
            b[i + j + 2] = pairs(a[i + j], a[i + j + 2], true);
        }
    for (int i = 0; i < 4; i++) {
        v[i] = halves(b[i], b[i + 4], false);
        v[i + 4] = halves(b[i], b[i + 4], true);
    }
}

/* Rounded, clamped, and 128 more. */
static inline uint8x16_t
samples_of(int16x8_t low, int16x8_t high)
{
    const int8x16_t out = vqrshrn_high_n_s16(vqrshrn_n_s16(low, DCT_ROWS_SHIFT - 16),
                                             high, DCT_ROWS_SHIFT - 16);

    return veorq_u8(vreinterpretq_u8_s8(out), vdupq_n_u8(0x80));
}

/* Two rows in the order of their samples, of those with columns 0 to 3 and 4 to 7. */
static inline void
store_rows(uint8_t *out, size_t stride, uint32x4_t rows)
{
    vst1_u8(out, vreinterpret_u8_u32(vget_low_u32(rows)));
    vst1_u8(out + stride, vreinterpret_u8_u32(vget_high_u32(rows)));
}

/* Columns become rows. */
static inline void
store_columns(const struct mxio_jpeg_block *block, const int16x8_t v[8])
{
    const size_t stride = block->stride;
    uint8x16_t in[4];

    for (int i = 0; i < 4; i++) /* columns i and i + 4 */
        in[i] = samples_of(v[i], v[i + 4]);
    const uint8x16_t even[2] = {vzip1q_u8(in[0], in[2]), vzip2q_u8(in[0], in[2])};
    const uint8x16_t odd[2] = {vzip1q_u8(in[1], in[3]), vzip2q_u8(in[1], in[3])};
    const uint32x4_t upper[2] = {vreinterpretq_u32_u8(vzip1q_u8(even[0], odd[0])),
                                 vreinterpretq_u32_u8(vzip1q_u8(even[1], odd[1]))};
    const uint32x4_t lower[2] = {vreinterpretq_u32_u8(vzip2q_u8(even[0], odd[0])),
                                 vreinterpretq_u32_u8(vzip2q_u8(even[1], odd[1]))};
    store_rows(block->out, stride, vzip1q_u32(upper[0], upper[1]));
    store_rows(block->out + 2 * stride, stride, vzip2q_u32(upper[0], upper[1]));
    store_rows(block->out + 4 * stride, stride, vzip1q_u32(lower[0], lower[1]));
    store_rows(block->out + 6 * stride, stride, vzip2q_u32(lower[0], lower[1]));
}

static inline void
transform_block(const struct mxio_jpeg_block *block)
{
    int16x8_t v[8], below = vdupq_n_s16(0);

    for (int i = 0; i < 8; i++) {
        const int16x8_t coefficients = vld1q_s16(block->coefficients + 8 * i);
        if (i > 0)
            below = vorrq_s16(below, coefficients);
        v[i] = vmulq_s16(coefficients,
                         vreinterpretq_s16_u16(vld1q_u16(block->steps + 8 * i)));
    }
    if (vmaxvq_u16(vreinterpretq_u16_s16(below)) != 0) {
        transform_columns(v);
    } else { /* nothing but a first row */
        v[0] = vshlq_n_s16(v[0], DCT_EXTRA);
        for (int i = 1; i < 8; i++)
            v[i] = v[0];
    }
    transpose(v);
    transform_rows(v);
    store_columns(block, v);
}

static void
transform(const struct mxio_jpeg_block blocks[2])
{
    transform_block(&blocks[0]);
    transform_block(&blocks[1]);
}

/* ---- upsampling ---- */

/* Even and odd bytes of the output from words. */
static inline void
store_pairs(uint8_t *out, uint16x8_t even, uint16x8_t odd)
{
    vst1q_u8(out, vreinterpretq_u8_u16(vsliq_n_u16(even, odd, 8)));
}

static void
widen(uint8_t *out, const uint8_t *row, size_t count)
{
    const uint8x8_t three = vdup_n_u8(3);
    const uint16x8_t one = vdupq_n_u16(1);

    for (size_t i = 0; i < count; i += 8) {
        const uint16x8_t here = vmull_u8(vld1_u8(row + i), three);
        const uint16x8_t before = vaddw_u8(here, vld1_u8(row + i - 1));
        const uint16x8_t next = vaddw_u8(here, vld1_u8(row + i + 1));
        store_pairs(out + 2 * i, vshrq_n_u16(vaddq_u16(before, one), 2),
                    vrshrq_n_u16(next, 2));
    }
}

static inline uint16x8_t
between(const uint8_t *row, const uint8_t *neighbour)
{
    return vmlal_u8(vmovl_u8(vld1_u8(neighbour)), vld1_u8(row), vdup_n_u8(3));
}

static void
widen_between(uint8_t *out, const uint8_t *row, const uint8_t *neighbour, size_t count)
{
    const uint16x8_t seven = vdupq_n_u16(7);

    for (size_t i = 0; i < count; i += 8) {
        const uint16x8_t here = between(row + i, neighbour + i);
        const uint16x8_t before = between(row + i - 1, neighbour + i - 1);
        const uint16x8_t next = between(row + i + 1, neighbour + i + 1);
        store_pairs(out + 2 * i, vrshrq_n_u16(vmlaq_n_u16(before, here, 3), 4),
                    vshrq_n_u16(vmlaq_n_u16(vaddq_u16(next, seven), here, 3), 4));
    }
}

/* ---- colours ---- */

/* (x * factor + half) >> 16; vqdmulh is twice the product, >> 16. */
static inline int16x8_t
rounded_share(int16x8_t x, int factor)
{
    return vrshrq_n_s16(vqdmulhq_n_s16(x, (int16_t)factor), 1);
}

static inline int16x8_t
green_share(int16x8_t blue, int16x8_t red)
{
    const struct wide none = {vdupq_n_s32(0), vdupq_n_s32(0)};
    const struct wide sum = weighed(blue, GREEN_OF_BLUE, red, GREEN_OF_RED, none);

    return vrshrn_high_n_s32(vrshrn_n_s32(sum.low, 16), sum.high, 16);
}

/* A whole number from -128 on. */
static inline int16x8_t
centred(uint8x8_t bytes)
{
    return vreinterpretq_s16_u16(vsubl_u8(bytes, vdup_n_u8(128)));
}

/* Red, green and blue of eight pixels. */
static inline uint8x8x3_t
colours_of(uint8x8_t luma, uint8x8_t blue, uint8x8_t red)
{
    const int16x8_t y = vreinterpretq_s16_u16(vmovl_u8(luma));
    const int16x8_t cb = centred(blue), cr = centred(red);
    const int16x8_t r = vaddq_s16(vaddq_s16(y, cr), rounded_share(cr, RED_OF_RED));
    const int16x8_t g = vaddq_s16(vsubq_s16(y, cr), green_share(cb, cr));
    const int16x8_t b =
        vaddq_s16(vaddq_s16(y, vaddq_s16(cb, cb)), rounded_share(cb, BLUE_OF_BLUE));

    return (uint8x8x3_t){{vqmovun_s16(r), vqmovun_s16(g), vqmovun_s16(b)}};
}

static void
to_rgb(uint8_t *out, const uint8_t *luma, const uint8_t *blue, const uint8_t *red,
       size_t width, bool bgr)
{
    for (size_t i = 0; i < width; i += 16) {
        const uint8x16_t y = vld1q_u8(luma + i), cb = vld1q_u8(blue + i),
                         cr = vld1q_u8(red + i);
        const uint8x8x3_t low =
            colours_of(vget_low_u8(y), vget_low_u8(cb), vget_low_u8(cr));
        const uint8x8x3_t high =
            colours_of(vget_high_u8(y), vget_high_u8(cb), vget_high_u8(cr));
        uint8x16x3_t pixels;
        for (int c = 0; c < 3; c++)
            pixels.val[bgr ? 2 - c : c] = vcombine_u8(low.val[c], high.val[c]);
        vst3q_u8(out + 3 * i, pixels);
    }
}

const struct mxio_jpeg_kernels mxio_jpeg_kernels_neon = {
    .pays = true,
    .transform = transform,
    .widen = widen,
    .widen_between = widen_between,
    .to_rgb = to_rgb,
};

#else

typedef int mxio_kernels_jpeg_neon_is_for_arm64; /* an empty file is no C */

#endif
