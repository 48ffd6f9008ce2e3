#include "maths.h"

#include <float.h>

#include "check.h"

/* The C library's functions are right to the last bit or so; they only differ between
 * processors, which is why the core has its own. */

TEST(logarithms_are_right_over_the_whole_range)
{
    for (int exponent = DBL_MIN_EXP; exponent < DBL_MAX_EXP; exponent++) {
        const double x = ldexp(0.7 + exponent % 32 / 200.0, exponent);
        const double right = log(x);
        CHECK_NEAR(mxio_log(x), right, 1e-15 * fmax(fabs(right), 1));
    }
    for (int i = 1; i < 4000; i++) {
        const double x = i / 1000.0;
        const double right = log(x);
        CHECK_NEAR(mxio_log(x), right, 1e-15 * fabs(right) + 1e-18);
    }
    CHECK_NEAR(mxio_log(1), 0, 0);
}

TEST(sines_and_cosines_are_right_up_to_64)
{
    for (int i = -64000; i <= 64000; i++) {
        const double x = i / 1000.0;
        CHECK_NEAR(mxio_sin(x), sin(x), 1e-15);
        CHECK_NEAR(mxio_cos(x), cos(x), 1e-15);
    }
}

TEST(whole_degrees_give_the_corners_of_the_circle)
{
    const double degree = 0.01745329251994329577;

    for (int turn = -2; turn <= 2; turn++) {
        CHECK_NEAR(mxio_cos((360 * turn + 0) * degree), 1, 1e-15);
        CHECK_NEAR(mxio_sin((360 * turn + 90) * degree), 1, 1e-15);
        CHECK_NEAR(mxio_cos((360 * turn + 180) * degree), -1, 1e-15);
        CHECK_NEAR(mxio_sin((360 * turn + 270) * degree), -1, 1e-15);
        CHECK_NEAR(mxio_cos((360 * turn + 60) * degree), 0.5, 1e-14);
    }
}

/* The distribution function of the normal law. */
static double
share_below(double x)
{
    return 0.5 * erfc(-x / sqrt(2));
}

TEST(normal_quantiles_undo_the_distribution_function)
{
    for (int i = -800; i <= 550; i++) {
        const double x = i / 100.0;
        const double got = mxio_normal_quantile(share_below(x));
        CHECK_NEAR(got, x, 1.2e-9 * fabs(x) + 1e-9);
    }
}

TEST(published_quantiles_are_met)
{
    static const double known[][2] = {{0.5, 0},
                                      {0.75, 0.6744897501960817},
                                      {0.975, 1.959963984540054},
                                      {0.995, 2.575829303548901},
                                      {0.9999, 3.719016485455709}};

    for (int i = 0; i < 5; i++) {
        CHECK_NEAR(mxio_normal_quantile(known[i][0]), known[i][1], 5e-9);
        CHECK_NEAR(mxio_normal_quantile(1 - known[i][0]), -known[i][1], 5e-9);
    }
}

TEST(quantiles_of_the_ends_are_numbers)
{
    CHECK_NEAR(mxio_normal_quantile(0x1p-54), -8.29, 0.1);
    CHECK_NEAR(mxio_normal_quantile(1 - 0x1p-53), 8.2, 0.1);
}

/* Keys 1981: a kernel over the distance, a = -0.75 as in OpenCV. */
static double
cubic_at(double x)
{
    const double a = -0.75;

    x = fabs(x);
    if (x <= 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

static double
lanczos_at(double x)
{
    const double pi = 3.14159265358979323846;

    if (fabs(x) < 1e-9)
        return 1;
    return fabs(x) < 4 ? sin(pi * x) * sin(pi * x / 4) / (pi * pi * x * x / 4) : 0;
}

TEST(cubic_weights_are_the_kernel_and_sum_to_one)
{
    for (int i = 0; i < 1000; i++) {
        const float x = (float)i / 1000;
        float weights[4], sum = 0;
        mxio_cubic_weights(x, weights);
        for (int k = 0; k < 4; k++) {
            CHECK_NEAR(weights[k], cubic_at(x + 1 - k), 1e-6);
            sum += weights[k];
        }
        CHECK_NEAR(sum, 1, 1e-6);
    }
}

TEST(lanczos_weights_are_the_kernel_made_to_sum_to_one)
{
    for (int i = 0; i < 1000; i++) {
        const float x = (float)i / 1000;
        double total = 0;
        float weights[8], sum = 0;
        mxio_lanczos_weights(x, weights);
        for (int k = 0; k < 8; k++)
            total += lanczos_at(x + 3 - k);
        for (int k = 0; k < 8; k++) {
            CHECK_NEAR(weights[k], lanczos_at(x + 3 - k) / total, 2e-6);
            sum += weights[k];
        }
        CHECK_NEAR(sum, 1, 1e-6);
    }
}

int
main(void)
{
    RUN(logarithms_are_right_over_the_whole_range);
    RUN(sines_and_cosines_are_right_up_to_64);
    RUN(whole_degrees_give_the_corners_of_the_circle);
    RUN(normal_quantiles_undo_the_distribution_function);
    RUN(published_quantiles_are_met);
    RUN(quantiles_of_the_ends_are_numbers);
    RUN(cubic_weights_are_the_kernel_and_sum_to_one);
    RUN(lanczos_weights_are_the_kernel_made_to_sum_to_one);
    return check_result();
}
