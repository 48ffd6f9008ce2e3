/*
 * From coefficients to pixels: every level gives the bytes of the scalar truth. That the
 * truth is libjpeg's, test_jpeg_entropy.c shows.
 */
#include "kernels_jpeg.h"

#include <string.h>

#include "check.h"
#include "levels.h"

struct block {
    int16_t coefficients[64];
    uint16_t steps[64];
};

/* Coefficients up to `most` in the first `count` places and a few others. */
static struct block
any_block(uint32_t *state, int count, int most)
{
    struct block out = {.steps = {0}};

    for (int i = 0; i < 64; i++) {
        out.steps[i] = (uint16_t)(1 + any_below(state, 255));
        if (i < count || any_below(state, 40) == 0)
            out.coefficients[i] = (int16_t)(any_below(state, 2 * most + 1) - most);
    }
    return out;
}

/* Both blocks by a level, in rows of 11 and 24 bytes with others beside them. */
static void
transform_by(const struct mxio_kernels *kernels, const struct block blocks[2],
             uint8_t out[2][8 * 24])
{
    const size_t strides[2] = {11, 24};
    struct mxio_jpeg_block both[2];

    memset(out, 0xEE, 2 * sizeof out[0]);
    for (int i = 0; i < 2; i++)
        both[i] = (struct mxio_jpeg_block){blocks[i].coefficients, blocks[i].steps,
                                           out[i], strides[i]};
    kernels->jpeg->transform(both);
}

TEST(transforms_give_the_same_samples)
{
    /* The last ones are more than an encoder makes, and wrap or saturate on the way. */
    static const int most[] = {1, 9, 80, 1023, 32767};
    uint32_t state = 1;

    FOR_EACH_LEVEL(kernels)
    {
        for (int i = 0; i < 3000; i++) {
            const struct block blocks[2] = {any_block(&state, any_below(&state, 12),
                                                      most[i % 5]),
                                            any_block(&state, any_below(&state, 64),
                                                      most[i % 5])};
            uint8_t right[2][8 * 24], out[2][8 * 24];
            transform_by(&mxio_kernels_scalar, blocks, right);
            transform_by(kernels, blocks, out);
            CHECK(memcmp(out, right, sizeof right) == 0);
        }
    }
}

TEST(blocks_with_a_single_row_give_the_same_samples)
{
    uint32_t state = 2;

    FOR_EACH_LEVEL(kernels)
    {
        for (int i = 0; i < 400; i++) {
            struct block blocks[2] = {any_block(&state, 8, 32767),
                                      any_block(&state, 8, 2000)};
            uint8_t right[2][8 * 24], out[2][8 * 24];
            for (int j = 0; j < 2; j++)
                if (i % 3 != j) /* in one of the two, or in both */
                    memset(blocks[j].coefficients + 8, 0, 56 * sizeof(int16_t));
            transform_by(&mxio_kernels_scalar, blocks, right);
            transform_by(kernels, blocks, out);
            CHECK(memcmp(out, right, sizeof right) == 0);
        }
    }
}

/* Room for `size` bytes and what a kernel may write behind them. */
static uint8_t *
room_for(size_t size)
{
    return guarded(size + MXIO_SLACK);
}

TEST(chroma_is_widened_to_the_same_values)
{
    FOR_EACH_LEVEL(kernels)
    {
        for (size_t count = 1; count <= WIDEST / 2; count++) {
            uint8_t *row = noise(count + 2, (uint32_t)count);
            uint8_t *neighbour = noise(count + 2, (uint32_t)count + 1000);
            uint8_t *right = room_for(2 * count), *out = room_for(2 * count);
            mxio_kernels_scalar.jpeg->widen(right, row + 1, count);
            kernels->jpeg->widen(out, row + 1, count);
            CHECK(memcmp(out, right, 2 * count) == 0);
            mxio_kernels_scalar.jpeg->widen_between(right, row + 1, neighbour + 1,
                                                    count);
            kernels->jpeg->widen_between(out, row + 1, neighbour + 1, count);
            CHECK(memcmp(out, right, 2 * count) == 0);
            CHECK(guard_is_whole(out, 2 * count + MXIO_SLACK));
            free(row);
            free(neighbour);
            free(right);
            free(out);
        }
    }
}

TEST(colours_are_the_same)
{
    FOR_EACH_LEVEL(kernels)
    {
        for (size_t width = 1; width <= WIDEST; width++) {
            uint8_t *luma = noise(width, (uint32_t)width);
            uint8_t *blue = noise(width, (uint32_t)width + 1000);
            uint8_t *red = noise(width, (uint32_t)width + 2000);
            uint8_t *right = room_for(3 * width), *out = room_for(3 * width);
            const bool bgr = width % 2 == 0;
            mxio_kernels_scalar.jpeg->to_rgb(right, luma, blue, red, width, bgr);
            kernels->jpeg->to_rgb(out, luma, blue, red, width, bgr);
            CHECK(memcmp(out, right, 3 * width) == 0);
            CHECK(guard_is_whole(out, 3 * width + MXIO_SLACK));
            free(luma);
            free(blue);
            free(red);
            free(right);
            free(out);
        }
    }
}

/* Every pair of chroma values, beside a luma that clamps at neither end and at both. */
TEST(every_colour_is_the_same)
{
    enum { ALL = 256 };
    uint8_t luma[ALL + MXIO_SLACK] = {0}, blue[ALL + MXIO_SLACK] = {0};
    uint8_t red[ALL + MXIO_SLACK] = {0};
    uint8_t right[3 * ALL + MXIO_SLACK], out[3 * ALL + MXIO_SLACK];

    for (int i = 0; i < ALL; i++)
        red[i] = (uint8_t)i;
    FOR_EACH_LEVEL(kernels)
    {
        for (int cb = 0; cb < ALL; cb++) {
            memset(blue, cb, ALL);
            memset(luma, cb * 5 % 256, ALL);
            mxio_kernels_scalar.jpeg->to_rgb(right, luma, blue, red, ALL, false);
            kernels->jpeg->to_rgb(out, luma, blue, red, ALL, false);
            CHECK(memcmp(out, right, (size_t)3 * ALL) == 0);
        }
    }
}

/* JFIF's formulas, in floating point. */
TEST(the_truth_is_within_one_level_of_the_formulas)
{
    for (int i = 0; i < 4096; i++) {
        const int y = i % 16 * 17, cb = i / 16 % 16 * 17, cr = i / 256 * 17;
        const uint8_t in[3] = {(uint8_t)y, (uint8_t)cb, (uint8_t)cr};
        const double rgb[3] = {y + 1.402 * (cr - 128),
                               y - 0.344136286 * (cb - 128) - 0.714136286 * (cr - 128),
                               y + 1.772 * (cb - 128)};
        uint8_t out[3];
        mxio_kernels_scalar.jpeg->to_rgb(out, &in[0], &in[1], &in[2], 1, false);
        for (int c = 0; c < 3; c++) {
            const double right = rgb[c] < 0 ? 0 : rgb[c] > 255 ? 255 : rgb[c];
            CHECK(out[c] - right < 1 && right - out[c] < 1);
        }
    }
}

int
main(void)
{
    RUN(transforms_give_the_same_samples);
    RUN(blocks_with_a_single_row_give_the_same_samples);
    RUN(chroma_is_widened_to_the_same_values);
    RUN(colours_are_the_same);
    RUN(every_colour_is_the_same);
    RUN(the_truth_is_within_one_level_of_the_formulas);
    return check_result();
}
