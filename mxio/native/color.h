/*
 * Colour jitter of 8-bit pixels, red first, in place, as MXNet's default augmenter does it
 * on OpenCV.
 *
 * Pixels are readable for MXIO_SLACK bytes past their end.
 *
 * Threads: pure functions.
 */
#ifndef MXIO_COLOR_H
#define MXIO_COLOR_H

#include "base.h"

/* value * factor + bias, rounded to the nearest, ties to even, clamped; not of alpha. */
void
mxio_color_scale(uint8_t *pixels, size_t count, int channels, float factor, float bias);

/* value + shift[channel], cut towards zero, clamped. */
void
mxio_color_shift(uint8_t *pixels, size_t count, int channels, const float shift[4]);

/*
 * The mean of MXNet's "gray" over `count` pixels: .299 of BLUE, .587 of green, .114 of RED,
 * its way of reading the channels; of 1 channel, that.
 */
float
mxio_color_gray_mean(const uint8_t *pixels, size_t count, int channels);

/* value * alpha + gray * (1 - alpha) for the colours; nothing for 1 channel. */
void
mxio_color_saturate(uint8_t *pixels, size_t count, int channels, float alpha);

/* Multiples of 2^-14 that make red, green and blue of red, green and blue. */
struct mxio_color_matrix {
    int32_t of[3][3];
};

/*
 * The hue turned by an angle, the saturation multiplied by up to 10: rotation and scaling
 * of the plane of chroma in YIQ, as DALI's hsv does it (with its numbers). Saturation 0
 * makes gray: .299 of red, .587 of green, .114 of blue.
 */
struct mxio_color_matrix
mxio_color_turn(double degrees, double saturation);

/* The colours of each pixel through the matrix, rounded, clamped; nothing for 1 channel. */
void
mxio_color_mix(const struct mxio_color_matrix *matrix, uint8_t *pixels, size_t count,
               int channels);

/* Add to hue (0..180), lightness, saturation (0..255), each clamped; 1 channel: lightness. */
void
mxio_color_shift_hls(uint8_t *pixels, size_t count, int channels, const int shift[3]);

#endif
