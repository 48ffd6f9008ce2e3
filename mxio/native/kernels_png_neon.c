/* PNG's filters undone in NEON: the same bytes as kernels_png.c. */
#include "kernels_png.h"

#if defined __AARCH64EL__

#include <arm_neon.h>
#include <string.h>

static void
undo_up(uint8_t *row, const uint8_t *above, size_t size)
{
    size_t i = 0;

    for (; i + 16 <= size; i += 16)
        vst1q_u8(row + i, vaddq_u8(vld1q_u8(row + i), vld1q_u8(above + i)));
    mxio_unfilter_row_scalar(row + i, above + i, size - i, 1, MXIO_PNG_UP);
}

/* Bytes 12 to 14 of 3-byte pixels, 12 to 15 of 4-byte ones: the last whole pixel, in each
 * place. 255 gives 0. */
static const uint8_t last_3[16] = {12, 13, 14, 12, 13, 14, 12, 13,
                                   14, 12, 13, 14, 12, 13, 14, 255};
static const uint8_t last_4[16] = {12, 13, 14, 15, 12, 13, 14, 15,
                                   12, 13, 14, 15, 12, 13, 14, 15};
static const uint8_t all_but_16th[16] = {255, 255, 255, 255, 255, 255, 255, 255,
                                         255, 255, 255, 255, 255, 255, 255, 0};

/* Sums of 1, then 2, then 4 neighbours, and the last pixel of the block before. Of 3-byte
 * pixels five are done at once and the 16th byte is left as it was. */
static inline void
undo_sub(uint8_t *row, size_t size, const bool three)
{
    const size_t pixel = three ? 3 : 4, block = three ? 15 : 16;
    const uint8x16_t last = vld1q_u8(three ? last_3 : last_4);
    const uint8x16_t ours = vld1q_u8(all_but_16th), zero = vdupq_n_u8(0);
    uint8x16_t before = zero;
    size_t i = 0;

    for (; i + 16 <= size; i += block) {
        const uint8x16_t old = vld1q_u8(row + i);
        uint8x16_t sum = old;
        if (three) {
            sum = vaddq_u8(sum, vextq_u8(zero, sum, 16 - 3));
            sum = vaddq_u8(sum, vextq_u8(zero, sum, 16 - 6));
            sum = vaddq_u8(sum, vextq_u8(zero, sum, 16 - 12));
        } else {
            sum = vaddq_u8(sum, vextq_u8(zero, sum, 16 - 4));
            sum = vaddq_u8(sum, vextq_u8(zero, sum, 16 - 8));
        }
        sum = vaddq_u8(sum, before);
        before = vqtbl1q_u8(sum, last);
        vst1q_u8(row + i, three ? vbslq_u8(ours, sum, old) : sum);
    }
    for (i = i < pixel ? pixel : i; i < size; i++)
        row[i] = (uint8_t)(row[i] + row[i - pixel]);
}

static inline uint8x8_t
load_pixel(const uint8_t *at)
{
    uint32_t bytes;

    memcpy(&bytes, at, sizeof bytes);
    return vcreate_u8(bytes);
}

static inline void
store_pixel(uint8_t *at, uint8x8_t bytes, size_t size)
{
    const uint32_t low = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);

    memcpy(at, &low, size);
}

/* In each of the next two the pixel behind is loaded before 4 bytes are stored over its
 * first one; the last pixel is stored by its own size. */
static inline void
undo_average(uint8_t *row, const uint8_t *above, size_t size, const size_t pixel)
{
    uint8x8_t left = vdup_n_u8(0), next = load_pixel(row);

    for (size_t i = 0; i < size; i += pixel) {
        const uint8x8_t here = next;
        const bool is_last = i + pixel == size;
        if (!is_last)
            next = load_pixel(row + i + pixel);
        left = vadd_u8(here, vhadd_u8(left, load_pixel(above + i)));
        store_pixel(row + i, left, is_last ? pixel : 4);
    }
}

/* |left + above - 2 * corner| in 16 bits, the other two distances in 8. */
static inline uint8x8_t
paeth(uint8x8_t left, uint8x8_t above, uint8x8_t corner)
{
    const uint8x8_t by_left = vabd_u8(above, corner), by_above = vabd_u8(left, corner);
    const uint16x8_t far = vabdq_u16(vaddl_u8(left, above), vshll_n_u8(corner, 1));
    const uint8x8_t by_corner = vqmovn_u16(far); /* of all that is 255 left wins */
    const uint8x8_t least = vmin_u8(vmin_u8(by_left, by_above), by_corner);
    const uint8x8_t other = vbsl_u8(vceq_u8(by_above, least), above, corner);

    return vbsl_u8(vceq_u8(by_left, least), left, other);
}

static inline void
undo_paeth(uint8_t *row, const uint8_t *above, size_t size, const size_t pixel)
{
    uint8x8_t left = vdup_n_u8(0), corner = left, next = load_pixel(row);

    for (size_t i = 0; i < size; i += pixel) {
        const uint8x8_t here = next, up = load_pixel(above + i);
        const bool is_last = i + pixel == size;
        if (!is_last)
            next = load_pixel(row + i + pixel);
        left = vadd_u8(here, paeth(left, up, corner));
        corner = up;
        store_pixel(row + i, left, is_last ? pixel : 4);
    }
}

void
mxio_unfilter_row_neon(uint8_t *row, const uint8_t *above, size_t size, size_t pixel,
                       enum mxio_png_filter filter)
{
    if (filter == MXIO_PNG_UP)
        undo_up(row, above, size);
    else if (filter == MXIO_PNG_NONE || pixel == 1)
        mxio_unfilter_row_scalar(row, above, size, pixel, filter);
    else if (filter == MXIO_PNG_SUB && pixel == 3)
        undo_sub(row, size, true);
    else if (filter == MXIO_PNG_SUB)
        undo_sub(row, size, false);
    else if (filter == MXIO_PNG_AVERAGE && pixel == 3)
        undo_average(row, above, size, 3);
    else if (filter == MXIO_PNG_AVERAGE)
        undo_average(row, above, size, 4);
    else if (pixel == 3)
        undo_paeth(row, above, size, 3);
    else
        undo_paeth(row, above, size, 4);
}

#else

typedef int mxio_kernels_png_neon_is_for_arm64; /* an empty file is no C */

#endif
