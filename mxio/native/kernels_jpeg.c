#include "kernels_jpeg.h"

#include <string.h>

#include "kernels_jpeg_inner.h"

/* ---- transform ---- */

/* a * x + b * y, which wraps at 32 bits. */
static uint32_t
weighed(int16_t x, int a, int16_t y, int b)
{
    return (uint32_t)(x * a) + (uint32_t)(y * b);
}

static int16_t
descaled(uint32_t value, unsigned shift)
{
    const int32_t out = (int32_t)(value + (UINT32_C(1) << (shift - 1))) >> shift;

    if (DCT_WRAPS)
        return (int16_t)out;
    return (int16_t)(out < INT16_MIN ? INT16_MIN : out > INT16_MAX ? INT16_MAX : out);
}

/* Eight numbers in place, `step` from one to the next. */
static void
transform_line(int16_t *line, size_t step, unsigned shift)
{
    int16_t in[8];

    for (size_t i = 0; i < 8; i++)
        in[i] = line[i * step];
    const int16_t sum = (int16_t)(in[0] + in[4]), rest = (int16_t)(in[0] - in[4]);
    const uint32_t low = weighed(in[2], DCT_2_TO_LOW, in[6], DCT_CROSS_26);
    const uint32_t high = weighed(in[2], DCT_CROSS_26, in[6], DCT_6_TO_HIGH);
    const uint32_t even[4] = {((uint32_t)sum << DCT_BITS) + low,
                              ((uint32_t)rest << DCT_BITS) + high,
                              ((uint32_t)rest << DCT_BITS) - high,
                              ((uint32_t)sum << DCT_BITS) - low};
    const int16_t sum_73 = (int16_t)(in[7] + in[3]), sum_51 = (int16_t)(in[5] + in[1]);
    const uint32_t to_73 = weighed(sum_73, DCT_73_TO_73, sum_51, DCT_CROSS_SUMS);
    const uint32_t to_51 = weighed(sum_73, DCT_CROSS_SUMS, sum_51, DCT_51_TO_51);
    const uint32_t odd[4] = {weighed(in[7], DCT_CROSS_71, in[1], DCT_1_TO_1) + to_51,
                             weighed(in[5], DCT_CROSS_53, in[3], DCT_3_TO_3) + to_73,
                             weighed(in[5], DCT_5_TO_5, in[3], DCT_CROSS_53) + to_51,
                             weighed(in[7], DCT_7_TO_7, in[1], DCT_CROSS_71) + to_73};
    for (size_t i = 0; i < 4; i++) {
        line[i * step] = descaled(even[i] + odd[i], shift);
        line[(7 - i) * step] = descaled(even[i] - odd[i], shift);
    }
}

static void
transform_columns(int16_t *values, bool flat)
{
    for (size_t x = 0; x < 8; x++)
        if (!flat)
            transform_line(values + x, 8, DCT_COLUMNS_SHIFT);
        else /* as above, but numbers that are too large wrap */
            for (size_t y = 8; y-- > 0;)
                values[8 * y + x] = (int16_t)((uint32_t)values[x] << DCT_EXTRA);
}

static void
transform_block(const struct mxio_jpeg_block *block)
{
    static const int16_t zeros[7 * 8];
    int16_t values[64];

    for (size_t i = 0; i < 64; i++)
        values[i] = (int16_t)(block->coefficients[i] * block->steps[i]);
    transform_columns(values,
                      memcmp(block->coefficients + 8, zeros, sizeof zeros) == 0);
    for (size_t y = 0; y < 8; y++) {
        transform_line(values + 8 * y, 1, DCT_ROWS_SHIFT);
        for (size_t x = 0; x < 8; x++) {
            const int value = values[8 * y + x] + 128;
            block->out[y * block->stride + x] = (uint8_t)(value < 0     ? 0
                                                          : value > 255 ? 255
                                                                        : value);
        }
    }
}

static void
transform(const struct mxio_jpeg_block blocks[2])
{
    transform_block(&blocks[0]);
    transform_block(&blocks[1]);
}

/* ---- upsampling ---- */

static void
widen(uint8_t *out, const uint8_t *row, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        out[2 * i] = (uint8_t)((3 * row[i] + row[(ptrdiff_t)i - 1] + 1) >> 2);
        out[2 * i + 1] = (uint8_t)((3 * row[i] + row[i + 1] + 2) >> 2);
    }
}

static void
widen_between(uint8_t *out, const uint8_t *row, const uint8_t *neighbour, size_t count)
{
    int before = 3 * row[-1] + neighbour[-1], here = 3 * row[0] + neighbour[0];

    for (size_t i = 0; i < count; i++) {
        const int next = 3 * row[i + 1] + neighbour[i + 1];
        out[2 * i] = (uint8_t)((3 * here + before + 8) >> 4);
        out[2 * i + 1] = (uint8_t)((3 * here + next + 7) >> 4);
        before = here;
        here = next;
    }
}

/* ---- colours ---- */

static uint8_t
clamped(int value)
{
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void
to_rgb(uint8_t *out, const uint8_t *luma, const uint8_t *blue, const uint8_t *red,
       size_t width, bool bgr)
{
    const int half = 1 << 15;

    for (size_t i = 0; i < width; i++) {
        const int y = luma[i], cb = blue[i] - 128, cr = red[i] - 128;
        const uint8_t rgb[3] = {
            clamped(y + cr + ((RED_OF_RED * cr + half) >> 16)),
            clamped(y - cr + ((GREEN_OF_BLUE * cb + GREEN_OF_RED * cr + half) >> 16)),
            clamped(y + 2 * cb + ((BLUE_OF_BLUE * cb + half) >> 16)),
        };
        for (size_t c = 0; c < 3; c++)
            out[3 * i + c] = rgb[bgr ? 2 - c : c];
    }
}

const struct mxio_jpeg_kernels mxio_jpeg_kernels_scalar = {
    .pays = false,
    .transform = transform,
    .widen = widen,
    .widen_between = widen_between,
    .to_rgb = to_rgb,
};
