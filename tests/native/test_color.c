#include "color.h"

#include "check.h"
#include "levels.h"

#define COUNT 500

/* Pixels of all kinds: noise, grays, and pure colours. */
static void
fill(uint8_t *pixels, int channels)
{
    uint32_t state = 5;

    for (int i = 0; i < COUNT; i++) {
        const uint8_t gray = (uint8_t)any_u32(&state);
        for (int c = 0; c < channels; c++)
            pixels[i * channels + c] = i % 5 == 0   ? gray
                                       : i % 5 == 1 ? (uint8_t)(i >> c & 1 ? 255 : 0)
                                                    : (uint8_t)any_u32(&state);
    }
}

static uint8_t
clamped(double x)
{
    return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
}

/* MXNet's rule: .299 falls on blue and .114 on red; OpenCV's 14 bits. */
static int
mxnet_gray(const uint8_t *rgb)
{
    return (int)floor((rgb[2] * 4899.0 + rgb[1] * 9617.0 + rgb[0] * 1868.0) / 16384 +
                      0.5);
}

/* Every value in every channel. */
TEST(a_linear_change_rounds_or_cuts_and_is_clamped)
{
    static const float factors[4] = {0.5F, 1.25F, 0, 1};
    static const float biases[4] = {0.75F, -30.5F, 12, -300};

    FOR_EACH_LEVEL(kernels)
    for (int i = 0; i < 2 * 3; i++) {
        const bool cut = i % 2 != 0;
        const int channels = channel_counts[i / 2];
        uint8_t pixels[256 * 4 + MXIO_SLACK];
        for (int k = 0; k < 256 * 4 + (int)MXIO_SLACK; k++)
            pixels[k] = (uint8_t)(k / channels);
        kernels->color->linear(pixels, 256, channels, factors, biases, cut);
        for (int k = 0; k < 256 * channels; k++) {
            const int c = k % channels;
            const int value = k / channels;
            const double sum = value * (double)factors[c] + (double)biases[c];
            CHECK_INT(pixels[k], clamped(cut ? trunc(sum) : nearbyint(sum)));
        }
        CHECK_INT(pixels[256 * channels], 0); /* of pixel 256, not asked for */
    }
}

TEST(every_count_is_changed_and_nothing_behind_it)
{
    static const float factors[4] = {2, 3, 4, 5}, none[4] = {0};

    FOR_EACH_LEVEL(kernels)
    for (int i = 0; i < 3 * 40; i++) {
        const int channels = channel_counts[i % 3], count = i / 3;
        uint8_t pixels[40 * 4 + MXIO_SLACK];
        memset(pixels, 10, sizeof pixels);
        kernels->color->linear(pixels, (size_t)count, channels, factors, none, false);
        for (int k = 0; k < (int)sizeof pixels; k++)
            CHECK_INT(pixels[k], k < count * channels ? 20 + 10 * (k % channels) : 10);
    }
}

TEST(a_scale_spares_alpha_and_a_shift_does_not)
{
    uint8_t pixels[8 + MXIO_SLACK] = {100, 101, 3, 200, 0, 255, 90, 7};
    static const uint8_t scaled[8] = {120, 122, 0, 200, 0, 255, 105, 7};
    static const uint8_t shifted[8] = {120, 121, 10, 200, 0, 254, 115, 7};
    static const float shift[4] = {0.75F, -0.75F, 10, 0};

    mxio_color_scale(pixels, 2, 4, 1.5F, -30);
    CHECK_BYTES(pixels, scaled, 8);
    mxio_color_shift(pixels, 2, 4, shift);
    CHECK_BYTES(pixels, shifted, 8);
}

TEST(the_gray_mean_is_that_of_mxnet)
{
    uint8_t pixels[COUNT * 4 + MXIO_SLACK];

    for (int channels = 1; channels <= 4; channels += 1 + (channels == 1)) {
        double sum = 0;
        fill(pixels, channels);
        for (int i = 0; i < COUNT; i++)
            sum += channels == 1 ? pixels[i] : mxnet_gray(pixels + i * channels);
        CHECK_NEAR(mxio_color_gray_mean(pixels, COUNT, channels), sum / COUNT, 1e-4);
    }
}

TEST(saturation_moves_away_from_gray)
{
    static const float alphas[] = {0, 0.5F, 1, 1.75F};
    uint8_t pixels[COUNT * 4 + MXIO_SLACK], before[COUNT * 4];

    for (int k = 0; k < 8; k++) {
        const int channels = 3 + k % 2;
        const double alpha = (double)alphas[k / 2];
        fill(pixels, channels);
        memcpy(before, pixels, sizeof before);
        mxio_color_saturate(pixels, COUNT, channels, alphas[k / 2]);
        for (int i = 0; i < COUNT * channels; i++) {
            const uint8_t *pixel = before + i / channels * channels;
            const double value = before[i] * alpha + mxnet_gray(pixel) * (1 - alpha);
            CHECK_INT(pixels[i],
                      i % channels == 3 ? before[i] : clamped(nearbyint(value)));
        }
    }
}

TEST(gray_pictures_have_no_saturation)
{
    uint8_t pixels[COUNT + MXIO_SLACK], before[COUNT];
    fill(pixels, 1);
    memcpy(before, pixels, sizeof before);

    mxio_color_saturate(pixels, COUNT, 1, 0.25F);

    CHECK_BYTES(pixels, before, COUNT);
}

/* ---- hue, lightness, saturation ---- */

/* One channel of a colour by hue in degrees; Foley and van Dam. */
static double
hls_value(double low, double high, double hue)
{
    hue = fmod(hue + 720, 360);
    if (hue < 60)
        return low + (high - low) * hue / 60;
    if (hue < 180)
        return high;
    return hue < 240 ? low + (high - low) * (240 - hue) / 60 : low;
}

static int
bounded(double level, int shift, int most)
{
    const int moved = (int)nearbyint(level) + shift;

    return moved < 0 ? 0 : moved > most ? most : moved;
}

/*
 * MXNet's rule: to 8-bit HLS (hue 0..180), shifted and clamped, and back. Says how far
 * away a value may be: half a level may fall to either side in float, and a level of
 * hue is worth up to 8.5 of a colour.
 */
static double
shifted(const uint8_t *rgb, const int shift[3], double out[3])
{
    const double r = rgb[0] / 255.0, g = rgb[1] / 255.0, b = rgb[2] / 255.0;
    const double most = fmax(r, fmax(g, b)), least = fmin(r, fmin(g, b));
    const double range = most - least, sum = most + least;
    double hue = 0, saturation = 0;

    if (range > 0) {
        saturation = sum < 1 ? range / sum : range / (2 - sum);
        hue = most == r   ? 60 * (g - b) / range
              : most == g ? 60 * (b - r) / range + 120
                          : 60 * (r - g) / range + 240;
    }
    const double level = (hue < 0 ? hue + 360 : hue) / 2;
    const bool halfway = fabs(level - floor(level) - 0.5) < 1e-3;
    hue = 2.0 * bounded(level, shift[0], 180);
    const double light = bounded(sum / 2 * 255, shift[1], 255) / 255.0;
    saturation = bounded(saturation * 255, shift[2], 255) / 255.0;
    const double high = light <= 0.5 ? light * (1 + saturation)
                                     : light + saturation - light * saturation;
    for (int c = 0; c < 3; c++)
        out[c] = 255 * hls_value(2 * light - high, high, hue + 120 - 120 * c);
    return halfway ? 11 : 2.6;
}

TEST(hue_lightness_and_saturation_are_shifted)
{
    static const int shifts[][3] = {{0, 0, 0},    {40, 0, 0},   {-60, 0, 0},
                                    {0, 50, 0},   {0, -90, 0},  {0, 0, 100},
                                    {0, 0, -80},  {90, 20, 30}, {180, 255, 0},
                                    {-5, -7, 255}};
    uint8_t pixels[COUNT * 4 + MXIO_SLACK], before[COUNT * 4];

    for (size_t k = 0; k < 2 * sizeof shifts / sizeof shifts[0]; k++) {
        const int channels = 3 + (int)(k % 2);
        fill(pixels, channels);
        memcpy(before, pixels, sizeof before);
        mxio_color_shift_hls(pixels, COUNT, channels, shifts[k / 2]);
        for (int i = 0; i < COUNT; i++) {
            const uint8_t *pixel = before + i * channels;
            double right[3];
            const double allowed = shifted(pixel, shifts[k / 2], right);
            for (int c = 0; c < 3; c++)
                CHECK_NEAR(pixels[i * channels + c], right[c], allowed);
            if (channels == 4)
                CHECK_INT(pixels[i * channels + 3], pixel[3]);
        }
    }
}

TEST(of_gray_only_the_lightness_is_shifted)
{
    static const int shift[3] = {50, -20, 90};
    uint8_t pixels[COUNT + MXIO_SLACK], before[COUNT];
    fill(pixels, 1);
    memcpy(before, pixels, sizeof before);

    mxio_color_shift_hls(pixels, COUNT, 1, shift);

    for (int i = 0; i < COUNT; i++)
        CHECK_INT(pixels[i], clamped(before[i] - 20.0));
}

/* The functions of color.h use the best level; the truth is the scalar one. */
TEST(colour_kernels_of_all_levels_give_the_same_bytes)
{
    static const int shifts[][3] = {{0, 0, 0}, {40, -30, 60}, {-90, 255, -255}};
    const struct mxio_color_kernels *truth = mxio_kernels_scalar.color;

    FOR_EACH_LEVEL(kernels)
    for (int count = 0; count <= 2 * 200; count++) {
        const int channels = 3 + count % 2;
        const size_t pixels = (size_t)(count / 2), size = pixels * (size_t)channels;
        uint8_t source[COUNT * 4 + MXIO_SLACK] = {0};
        fill(source, channels);
        uint8_t *one = exact_copy(source, size + MXIO_SLACK);
        uint8_t *other = exact_copy(source, size + MXIO_SLACK);
        CHECK_INT(kernels->color->gray_sum(one, pixels, channels),
                  truth->gray_sum(one, pixels, channels));
        kernels->color->saturate(one, pixels, channels, 1.3F);
        truth->saturate(other, pixels, channels, 1.3F);
        CHECK_BYTES(one, other, size + MXIO_SLACK);
        kernels->color->shift_hls(one, pixels, channels, shifts[count % 3]);
        truth->shift_hls(other, pixels, channels, shifts[count % 3]);
        CHECK_BYTES(one, other, size + MXIO_SLACK);
        CHECK_BYTES(one + size, source + size, MXIO_SLACK); /* not ours to change */
        free(one);
        free(other);
    }
}

TEST(a_turn_keeps_gray_and_a_third_of_the_circle_exchanges_the_colours)
{
    uint8_t gray[4] = {90, 90, 90, 17}, red[3] = {200, 0, 0};
    const struct mxio_color_matrix third = mxio_color_turn(120, 1);
    const struct mxio_color_matrix none = mxio_color_turn(0, 1);

    mxio_color_mix(&third, gray, 1, 4);
    mxio_color_mix(&third, red, 1, 3);

    for (int c = 0; c < 3; c++) {
        CHECK_NEAR(gray[c], 90, 1);
        for (int d = 0; d < 3; d++) /* DALI's numbers are rounded */
            CHECK_NEAR(none.of[c][d], c == d ? 16384 : 0, 100);
    }
    CHECK_INT(gray[3], 17);
    CHECK(red[0] < 60 && (red[1] > 60) != (red[2] > 60));
}

TEST(saturation_0_is_the_luma_and_10_is_clamped)
{
    uint8_t pixels[6] = {255, 0, 0, 10, 200, 30}, wild[6];
    const struct mxio_color_matrix none = mxio_color_turn(33, 0);
    const struct mxio_color_matrix most = mxio_color_turn(180, 10);

    memcpy(wild, pixels, sizeof wild);
    mxio_color_mix(&none, pixels, 2, 3);
    mxio_color_mix(&most, wild, 2, 3);

    /* .299 * 255; .299 * 10 + .587 * 200 + .114 * 30 */
    CHECK_BYTES(pixels, ((uint8_t[]){76, 76, 76, 124, 124, 124}), 6);
    CHECK_BYTES(wild, ((uint8_t[]){0, 255, 255, 255, 0, 255}), 6);
}

int
main(void)
{
    RUN(a_linear_change_rounds_or_cuts_and_is_clamped);
    RUN(every_count_is_changed_and_nothing_behind_it);
    RUN(a_scale_spares_alpha_and_a_shift_does_not);
    RUN(the_gray_mean_is_that_of_mxnet);
    RUN(saturation_moves_away_from_gray);
    RUN(gray_pictures_have_no_saturation);
    RUN(hue_lightness_and_saturation_are_shifted);
    RUN(of_gray_only_the_lightness_is_shifted);
    RUN(colour_kernels_of_all_levels_give_the_same_bytes);
    RUN(a_turn_keeps_gray_and_a_third_of_the_circle_exchanges_the_colours);
    RUN(saturation_0_is_the_luma_and_10_is_clamped);
    return check_result();
}
