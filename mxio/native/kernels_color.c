#include "kernels_color.h"

#include <float.h>

static int
gray_of(const uint8_t *pixel)
{
    return (pixel[0] * 1868 + pixel[1] * 9617 + pixel[2] * 4899 + 8192) >> 14;
}

static uint64_t
gray_sum(const uint8_t *pixels, size_t count, int channels)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++, pixels += channels)
        sum += (uint64_t)gray_of(pixels);
    return sum;
}

/* Adding and taking away 1.5 * 2^23 rounds to the nearest, ties to even. */
static int
rounded(float x)
{
    return (int)((x + 12582912.0f) - 12582912.0f);
}

static int
clamp(int x, int most)
{
    return x < 0 ? 0 : x > most ? most : x;
}

static void
linear(uint8_t *pixels, size_t count, int channels, const float factor[4],
       const float bias[4], bool cut)
{
    for (size_t i = 0; i < count; i++)
        for (int c = 0; c < channels; c++, pixels++) {
            const float value = (float)*pixels * factor[c] + bias[c];
            const float inside = value < 0 ? 0 : value > 255 ? 255 : value;
            *pixels = (uint8_t)(cut ? (int)inside : rounded(inside));
        }
}

static void
saturate(uint8_t *pixels, size_t count, int channels, float alpha)
{
    for (size_t i = 0; i < count; i++, pixels += channels) {
        const float gray = (float)gray_of(pixels) * (1 - alpha);
        for (int c = 0; c < 3; c++)
            pixels[c] = (uint8_t)clamp(rounded((float)pixels[c] * alpha + gray), 255);
    }
}

/* Hue in degrees, 0 to 360; the largest of the channels says which third. */
static float
hue_of(float r, float g, float b, float most, float range)
{
    const float by = 60 / range;
    float hue;

    if (most == r)
        hue = (g - b) * by;
    else if (most == g)
        hue = (b - r) * by + 120;
    else
        hue = (r - g) * by + 240;
    return hue < 0 ? hue + 360 : hue;
}

/* A pixel's hue, lightness and saturation in OpenCV's levels. */
static void
levels_of(const uint8_t *pixel, int levels[3])
{
    const float unit = 1.0f / 255;
    const float r = (float)pixel[0] * unit, g = (float)pixel[1] * unit,
                b = (float)pixel[2] * unit;
    const float rg_most = r > g ? r : g, rg_least = r < g ? r : g;
    const float most = rg_most > b ? rg_most : b, least = rg_least < b ? rg_least : b;
    const float range = most - least, sum = most + least, lightness = sum * 0.5f;

    levels[0] = levels[2] = 0;
    levels[1] = rounded(lightness * 255);
    if (range <= FLT_EPSILON)
        return;
    levels[0] = rounded(hue_of(r, g, b, most, range) * 0.5f);
    levels[2] = rounded(range / (lightness < 0.5f ? sum : 2 - most - least) * 255);
}

/* low + (high - low) * share, share cut to 0..1, as a level. */
static uint8_t
channel_of(float low, float span, float share)
{
    const float inside = share < 0 ? 0 : share > 1 ? 1 : share;

    return (uint8_t)clamp(rounded((low + span * inside) * 255), 255);
}

static float
distance(float a, float b)
{
    return a < b ? b - a : a - b;
}

/* Each channel is a trapezoid over the hue, in sixths of the circle. */
static void
pixel_of(const int levels[3], uint8_t *pixel)
{
    const float unit = 1.0f / 255;
    const float hue = (float)levels[0] * (6.0f / 180);
    const float lightness = (float)levels[1] * unit;
    const float saturation = (float)levels[2] * unit;
    const float high = lightness <= 0.5f
                           ? lightness * (1 + saturation)
                           : lightness + saturation - lightness * saturation;
    const float low = 2 * lightness - high;
    const float span = high - low;

    pixel[0] = channel_of(low, span, distance(hue, 3) - 1);
    pixel[1] = channel_of(low, span, 2 - distance(hue, 2));
    pixel[2] = channel_of(low, span, 2 - distance(hue, 4));
}

static void
shift_hls(uint8_t *pixels, size_t count, int channels, const int shift[3])
{
    static const int most[3] = {180, 255, 255};
    int levels[3];

    for (size_t i = 0; i < count; i++, pixels += channels) {
        levels_of(pixels, levels);
        for (int c = 0; c < 3; c++)
            levels[c] = clamp(levels[c] + shift[c], most[c]);
        pixel_of(levels, pixels);
    }
}

const struct mxio_color_kernels mxio_color_kernels_scalar = {
    .linear = linear,
    .gray_sum = gray_sum,
    .saturate = saturate,
    .shift_hls = shift_hls,
};
