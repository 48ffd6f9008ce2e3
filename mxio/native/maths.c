#include "maths.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* log(m) = 2 atanh((m - 1) / (m + 1)); for m in [1/sqrt 2, sqrt 2] the series is short. */
double
mxio_log(double x)
{
    const double log_2 = 0.69314718055994530942;
    int exponent;
    double m = frexp(x, &exponent);

    if (m < 0.70710678118654752440) {
        m *= 2;
        exponent--;
    }
    const double z = (m - 1) / (m + 1), square = z * z;
    double sum = 0;
    for (int k = 23; k >= 1; k -= 2)
        sum = sum * square + 1.0 / k;
    return 2 * z * sum + exponent * log_2;
}

/* sin x = x - x^3 / 3! + ..., cos x = 1 - x^2 / 2! + ...; |x| <= pi / 4. */
static double
series(double x, int first)
{
    const double square = x * x;
    double term = first == 0 ? 1 : x, sum = term;

    for (int k = first + 1; k < first + 20; k += 2) {
        term *= -square / (k * (k + 1.0));
        sum += term;
    }
    return sum;
}

static double
sine_from(double x, int quarter)
{
    /* pi / 2 in two parts: the first has few bits, so that multiples of it are exact. */
    const double high = 1.57079632673412561417, low = 6.07710050650619224932e-11;
    const double turns = floor(x / (high + low) + 0.5);
    const double rest = (x - turns * high) - turns * low;

    switch (((int)turns + quarter) & 3) {
    case 0:
        return series(rest, 1);
    case 1:
        return series(rest, 0);
    case 2:
        return -series(rest, 1);
    default:
        return -series(rest, 0);
    }
}

double
mxio_sin(double x)
{
    return sine_from(x, 0);
}

double
mxio_cos(double x)
{
    return sine_from(x, 1);
}

static double
polynomial(const double *coefficients, int count, double x)
{
    double sum = coefficients[0];

    for (int i = 1; i < count; i++)
        sum = sum * x + coefficients[i];
    return sum;
}

/* Rational approximation of P. J. Acklam (2003), relative error below 1.15e-9. */
double
mxio_normal_quantile(double p)
{
    static const double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,
                               -2.759285104469687e+02, 1.383577518672690e+02,
                               -3.066479806614716e+01, 2.506628277459239e+00};
    static const double b[] = {-5.447609879822406e+01, 1.615858368580409e+02,
                               -1.556989798598866e+02, 6.680131188771972e+01,
                               -1.328068155288572e+01, 1};
    static const double c[] = {-7.784894002430293e-03, -3.223964580411365e-01,
                               -2.400758277161838e+00, -2.549732539343734e+00,
                               4.374664141464968e+00,  2.938163982698783e+00};
    static const double d[] = {7.784695709041462e-03, 3.224671290700398e-01,
                               2.445134137142996e+00, 3.754408661907416e+00, 1};
    const double tail = 0.02425;

    if (p > 1 - tail)
        return -mxio_normal_quantile(1 - p);
    if (p < tail) {
        const double q = sqrt(-2 * mxio_log(p));
        return polynomial(c, 6, q) / polynomial(d, 5, q);
    }
    const double q = p - 0.5;
    return polynomial(a, 6, q * q) * q / polynomial(b, 6, q * q);
}

void
mxio_cubic_weights(float x, float weights[4])
{
    const float a = -0.75f;
    const float y = 1 - x;

    weights[0] = ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a;
    weights[1] = ((a + 2) * x - (a + 3)) * x * x + 1;
    weights[2] = ((a + 2) * y - (a + 3)) * y * y + 1;
    weights[3] = 1 - weights[0] - weights[1] - weights[2];
}

void
mxio_lanczos_weights(float x, float weights[8])
{
    const double quarter = 0.78539816339744830962; /* pi / 4 */
    float sum = 0;

    memset(weights, 0, 8 * sizeof *weights);
    if (x < FLT_EPSILON) {
        weights[3] = 1;
        return;
    }
    for (int i = 0; i < 8; i++) {
        /* sinc(t) sinc(t / 4) up to a factor that the sum takes out; t = x + 3 - i */
        const double at = (x + 3 - i) * quarter;
        weights[i] = (float)(mxio_sin(4 * at) * mxio_sin(at) / (at * at));
        sum += weights[i];
    }
    for (int i = 0; i < 8; i++)
        weights[i] /= sum;
}
