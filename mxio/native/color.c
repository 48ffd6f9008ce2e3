#include "color.h"

#include <math.h>

static uint8_t
clamp_round(float x)
{
    return (uint8_t)(x <= 0 ? 0 : x >= 255 ? 255 : rintf(x));
}

void
mxio_color_scale(struct mxio_color_table *table, float factor, float bias)
{
    for (int c = 0; c < 4; c++)
        for (int i = 0; i < 256; i++)
            table->of[c][i] =
                c == 3 ? (uint8_t)i : clamp_round((float)i * factor + bias);
}

void
mxio_color_shift(struct mxio_color_table *table, const float shift[4])
{
    for (int c = 0; c < 4; c++)
        for (int i = 0; i < 256; i++) {
            const float sum = (float)i + shift[c];
            table->of[c][i] = (uint8_t)(sum <= 0 ? 0 : sum >= 255 ? 255 : sum);
        }
}

void
mxio_color_apply(const struct mxio_color_table *table, uint8_t *pixels, size_t count,
                 int channels)
{
    for (size_t i = 0; i < count; i++)
        for (int c = 0; c < channels; c++, pixels++)
            *pixels = table->of[c][*pixels];
}

/* OpenCV's gray in 14 bits, with red and blue in each other's place. */
static int
gray_of(const uint8_t *pixel)
{
    return (pixel[2] * 4899 + pixel[1] * 9617 + pixel[0] * 1868 + 8192) >> 14;
}

float
mxio_color_gray_mean(const uint8_t *pixels, size_t count, int channels)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++, pixels += channels)
        sum += (uint64_t)(channels == 1 ? *pixels : gray_of(pixels));
    return (float)((double)sum / (double)count);
}

void
mxio_color_saturate(uint8_t *pixels, size_t count, int channels, float alpha)
{
    for (size_t i = 0; i < count && channels > 1; i++, pixels += channels) {
        const float gray = (float)gray_of(pixels) * (1 - alpha);
        for (int c = 0; c < 3; c++) {
            /* Adding and taking away 1.5 * 2^23 rounds to the nearest, ties to even. */
            const float value =
                ((float)pixels[c] * alpha + gray + 12582912.0f) - 12582912.0f;
            const float low = value < 0 ? 0 : value;
            pixels[c] = (uint8_t)(low > 255 ? 255 : low);
        }
    }
}

struct hls {
    float hue, lightness, saturation; /* 0..360, 0..1, 0..1 */
};

static struct hls
hls_of(const uint8_t *pixel)
{
    const float r = (float)pixel[0] / 255, g = (float)pixel[1] / 255,
                b = (float)pixel[2] / 255;
    const float most = fmaxf(r, fmaxf(g, b)), least = fminf(r, fminf(g, b));
    const float range = most - least, sum = most + least;
    struct hls out = {0, sum / 2, 0};

    if (range <= 0)
        return out;
    out.saturation = out.lightness < 0.5f ? range / sum : range / (2 - sum);
    if (most == r)
        out.hue = (g - b) * 60 / range;
    else if (most == g)
        out.hue = (b - r) * 60 / range + 120;
    else
        out.hue = (r - g) * 60 / range + 240;
    if (out.hue < 0)
        out.hue += 360;
    return out;
}

/* One colour: a trapezoid over the hue, in sixths of the circle. */
static float
channel_at(float hue, float low, float high)
{
    if (hue < 0)
        hue += 6;
    if (hue >= 6)
        hue -= 6;
    if (hue < 1)
        return low + (high - low) * hue;
    if (hue < 3)
        return high;
    if (hue < 4)
        return low + (high - low) * (4 - hue);
    return low;
}

static void
rgb_of(struct hls in, uint8_t *pixel)
{
    const float high = in.lightness <= 0.5f ? in.lightness * (1 + in.saturation)
                                            : in.lightness + in.saturation -
                                                  in.lightness * in.saturation;
    const float low = 2 * in.lightness - high;
    const float hue = in.hue / 60;

    pixel[0] = clamp_round(channel_at(hue + 2, low, high) * 255);
    pixel[1] = clamp_round(channel_at(hue, low, high) * 255);
    pixel[2] = clamp_round(channel_at(hue - 2, low, high) * 255);
}

static float
moved(float value, float unit, int shift, int most)
{
    const int level = (int)rintf(value * unit) + shift;

    return (float)(level < 0 ? 0 : level > most ? most : level) / unit;
}

void
mxio_color_shift_hls(uint8_t *pixels, size_t count, int channels, const int shift[3])
{
    if (channels == 1) {
        const float light[4] = {(float)shift[1]};
        struct mxio_color_table table;
        mxio_color_shift(&table, light);
        mxio_color_apply(&table, pixels, count, channels);
        return;
    }
    for (size_t i = 0; i < count; i++, pixels += channels) {
        const struct hls in = hls_of(pixels);
        /* 8-bit hue is in steps of two degrees. */
        const struct hls out = {moved(in.hue, 0.5f, shift[0], 180),
                                moved(in.lightness, 255, shift[1], 255),
                                moved(in.saturation, 255, shift[2], 255)};
        rgb_of(out, pixels);
    }
}
