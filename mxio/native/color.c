#include "color.h"

#include <math.h>

#include "kernels.h"

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

float
mxio_color_gray_mean(const uint8_t *pixels, size_t count, int channels)
{
    uint64_t sum = 0;

    if (channels > 1)
        sum = mxio_kernels_best()->color->gray_sum(pixels, count, channels);
    for (size_t i = 0; i < count && channels == 1; i++)
        sum += pixels[i];
    return (float)((double)sum / (double)count);
}

void
mxio_color_saturate(uint8_t *pixels, size_t count, int channels, float alpha)
{
    if (channels > 1)
        mxio_kernels_best()->color->saturate(pixels, count, channels, alpha);
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
    mxio_kernels_best()->color->shift_hls(pixels, count, channels, shift);
}
