#include "color.h"

#include <math.h>

#include "kernels.h"
#include "maths.h"

#define MATRIX_ONE 16384

void
mxio_color_scale(uint8_t *pixels, size_t count, int channels, float factor, float bias)
{
    const float factors[4] = {factor, factor, factor, 1};
    const float biases[4] = {bias, bias, bias, 0};

    mxio_kernels_best()->color->linear(pixels, count, channels, factors, biases, false);
}

void
mxio_color_shift(uint8_t *pixels, size_t count, int channels, const float shift[4])
{
    const float ones[4] = {1, 1, 1, 1};

    mxio_kernels_best()->color->linear(pixels, count, channels, ones, shift, true);
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
        mxio_color_shift(pixels, count, channels, light);
        return;
    }
    mxio_kernels_best()->color->shift_hls(pixels, count, channels, shift);
}

struct mxio_color_matrix
mxio_color_turn(double degrees, double saturation)
{
    static const double to_yiq[3][3] = {{.299, .587, .114},
                                        {.596, -.274, -.321},
                                        {.211, -.523, .311}};
    static const double from_yiq[3][3] = {{1, .956, .621},
                                          {1, -.272, -.647},
                                          {1, -1.107, 1.705}};
    const double angle = degrees * 0.01745329251994329577;
    const double a = mxio_cos(angle) * saturation, b = mxio_sin(angle) * saturation;
    struct mxio_color_matrix out;

    for (int column = 0; column < 3; column++) {
        const double y = to_yiq[0][column], i = to_yiq[1][column],
                     q = to_yiq[2][column];
        const double turned_i = a * i + b * q, turned_q = a * q - b * i;
        for (int row = 0; row < 3; row++) {
            const double sum = from_yiq[row][0] * y + from_yiq[row][1] * turned_i +
                               from_yiq[row][2] * turned_q;
            out.of[row][column] = (int32_t)lrint(sum * MATRIX_ONE);
        }
    }
    return out;
}

void
mxio_color_mix(const struct mxio_color_matrix *matrix, uint8_t *pixels, size_t count,
               int channels)
{
    const int32_t(*m)[3] = matrix->of;

    for (size_t i = 0; i < count && channels > 1; i++, pixels += channels) {
        const int32_t r = pixels[0], g = pixels[1], b = pixels[2];
        for (int c = 0; c < 3; c++) {
            const int32_t sum =
                (m[c][0] * r + m[c][1] * g + m[c][2] * b + MATRIX_ONE / 2) / MATRIX_ONE;
            pixels[c] = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
        }
    }
}
