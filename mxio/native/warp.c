#include "warp.h"

#include <limits.h>
#include <math.h>

/* Fixed point of the coordinates: 10 bits, of which 5 remain for the fraction. */
#define UNIT 1024
#define STEPS MXIO_WARP_STEPS

void
mxio_warper_free(struct mxio_warper *warper)
{
    mxio_buffer_free(&warper->points);
}

static int
round_to_int(double x)
{
    return x >= INT_MAX / 2   ? INT_MAX / 2
           : x <= INT_MIN / 2 ? INT_MIN / 2
                              : (int)lrint(x);
}

/* The inverse of an affine matrix; zeros for one that has none. */
static void
invert(const float m[6], double out[6])
{
    const double det = (double)m[0] * m[4] - (double)m[1] * m[3];
    const double by = det != 0 ? 1 / det : 0;

    out[0] = m[4] * by;
    out[1] = -m[1] * by;
    out[3] = -m[3] * by;
    out[4] = m[0] * by;
    out[2] = -out[0] * m[2] - out[1] * m[5];
    out[5] = -out[3] * m[2] - out[4] * m[5];
}

/* Where the pixels of an output row lie in the source, in 1 / 32 pixel. */
static void
fill_points(struct mxio_warp_point *points, const double inverse[6], int y, int width)
{
    const int half = UNIT / STEPS / 2;
    const int start_x = round_to_int((inverse[1] * y + inverse[2]) * UNIT) + half;
    const int start_y = round_to_int((inverse[4] * y + inverse[5]) * UNIT) + half;

    for (int x = 0; x < width; x++) {
        points[x].x = (start_x + round_to_int(inverse[0] * x * UNIT)) >> 5;
        points[x].y = (start_y + round_to_int(inverse[3] * x * UNIT)) >> 5;
    }
}

/* One pixel from any taps, those outside are the border; for edges, cubic and Lanczos. */
static void
sample_taps(const struct mxio_view *from, struct mxio_warp_point at, const float *wx,
            const float *wy, int taps, const uint8_t border[4], uint8_t *out)
{
    const int first_x = (at.x >> 5) - (taps / 2 - 1),
              first_y = (at.y >> 5) - (taps / 2 - 1);
    float sum[4] = {0};

    for (int j = 0; j < taps; j++)
        for (int i = 0; i < taps; i++) {
            const int x = first_x + i, y = first_y + j;
            const bool inside = x >= 0 && y >= 0 && x < from->width && y < from->height;
            const uint8_t *in = inside ? from->bytes + (size_t)y * from->stride +
                                             (size_t)x * (size_t)from->channels
                                       : border;
            for (int c = 0; c < from->channels; c++)
                sum[c] += (float)in[c] * wx[i] * wy[j];
        }
    for (int c = 0; c < from->channels; c++)
        out[c] = (uint8_t)(sum[c] <= 0 ? 0 : sum[c] >= 255 ? 255 : sum[c] + 0.5f);
}

static void
weights_at(enum mxio_inter inter, int fraction, float *weights)
{
    const float x = (float)fraction / STEPS;

    if (inter == MXIO_INTER_CUBIC)
        mxio_cubic_weights(x, weights);
    else if (inter == MXIO_INTER_LANCZOS)
        mxio_lanczos_weights(x, weights);
    else {
        weights[0] = 1 - x;
        weights[1] = x;
    }
}

/* Weights of each fraction, and how many taps they are for. */
struct weights {
    float of[STEPS][8];
    int taps;
};

static void
fill_weights(struct weights *weights, enum mxio_inter inter)
{
    weights->taps = inter == MXIO_INTER_CUBIC ? 4 : inter == MXIO_INTER_LANCZOS ? 8 : 2;
    for (int i = 0; i < STEPS; i++)
        weights_at(inter, i, weights->of[i]);
}

/* Columns of the row whose four bilinear neighbours are all inside: an interval. */
static void
inside_span(const struct mxio_view *from, const struct mxio_warp_point *points,
            int width, int *start, int *end)
{
    *start = 0;
    while (*start < width) {
        const int x = points[*start].x >> 5, y = points[*start].y >> 5;
        if (x >= 0 && y >= 0 && x < from->width - 1 && y < from->height - 1)
            break;
        ++*start;
    }
    *end = *start;
    while (*end < width) {
        const int x = points[*end].x >> 5, y = points[*end].y >> 5;
        if (x < 0 || y < 0 || x >= from->width - 1 || y >= from->height - 1)
            break;
        ++*end;
    }
}

enum mxio_status
mxio_warp(struct mxio_warper *warper, const struct mxio_view *from,
          const float matrix[6], struct mxio_size to, enum mxio_inter inter,
          const uint8_t border[4], uint8_t *out, struct mxio_error *err)
{
    const struct mxio_kernels *kernels = mxio_kernels_best();
    const size_t pixel = (size_t)from->channels;
    struct weights weights;
    double inverse[6];

    const enum mxio_status status =
        mxio_buffer_need(&warper->points,
                         (size_t)to.width * sizeof(struct mxio_warp_point), err);
    if (status != MXIO_OK)
        return status;
    struct mxio_warp_point *points = (void *)warper->points.bytes;
    invert(matrix, inverse);
    fill_weights(&weights, inter);
    for (int y = 0; y < to.height; y++, out += (size_t)to.width * pixel) {
        int start = 0, end = 0;
        fill_points(points, inverse, y, to.width);
        if (weights.taps == 2)
            inside_span(from, points, to.width, &start, &end);
        if (end > start)
            kernels->warp_row(out + (size_t)start * pixel, from->bytes, from->stride,
                              points + start, (size_t)(end - start), from->channels);
        for (int x = 0; x < to.width; x++) {
            if (x == start && end > start)
                x = end;
            if (x < to.width)
                sample_taps(from, points[x], weights.of[points[x].x & (STEPS - 1)],
                            weights.of[points[x].y & (STEPS - 1)], weights.taps, border,
                            out + (size_t)x * pixel);
        }
    }
    return MXIO_OK;
}
