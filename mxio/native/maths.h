/*
 * A few functions of the C library, computed the same on every processor: libm may choose
 * fused multiply-adds, and then the last bit differs.
 *
 * Threads: pure functions.
 */
#ifndef MXIO_MATHS_H
#define MXIO_MATHS_H

/* Natural logarithm of a normal, positive number; error below 1e-15 of the result. */
double
mxio_log(double x);

/* Sine and cosine of an angle in radians, |x| <= 64; error below 1e-15. */
double
mxio_sin(double x);

double
mxio_cos(double x);

/* The normal deviate below which the share p of all lies, 0 < p < 1; relative error below 1.2e-9. */
double
mxio_normal_quantile(double p);

/*
 * OpenCV's numbers of interpolation methods. Two of them tell left from right; what they
 * make of a mirrored picture, mirrored back, has numbers of our own.
 */
enum mxio_inter {
    MXIO_INTER_NEAREST,
    MXIO_INTER_LINEAR,
    MXIO_INTER_CUBIC,
    MXIO_INTER_AREA,
    MXIO_INTER_LANCZOS,
    MXIO_INTER_NEAREST_MIRRORED,
    MXIO_INTER_AREA_MIRRORED,
};

/* The weights of a bicubic (a = -0.75) or Lanczos kernel at the fraction 0 <= x < 1. */
void
mxio_cubic_weights(float x, float weights[4]);
void
mxio_lanczos_weights(float x, float weights[8]);

#endif
