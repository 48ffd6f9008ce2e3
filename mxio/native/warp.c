#include "warp.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* Fixed point of the coordinates: 10 bits, of which 5 remain for the fraction. */
#define UNIT 1024
#define STEPS MXIO_WARP_STEPS
/* Coordinates far outside of any picture; sums of two of them are still numbers. */
#define FAR (INT_MAX / 4)
#define ONE (1 << MXIO_WARP_WEIGHT_BITS)

void
mxio_warper_free(struct mxio_warper *warper)
{
    mxio_buffer_free(&warper->points);
    mxio_buffer_free(&warper->steps);
    mxio_buffer_free(&warper->weights);
}

static int
round_to_int(double x)
{
    return x >= FAR ? FAR : x <= -FAR ? -FAR : (int)lrint(x);
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

/* How far each point of a row lies from the row's start: the same for all rows. */
static void
fill_steps(struct mxio_warp_point *steps, const double inverse[6],
           struct mxio_rect window)
{
    for (int i = 0; i < window.width; i++) {
        const int x = window.x + i;
        steps[i].x = round_to_int(inverse[0] * x * UNIT);
        steps[i].y = round_to_int(inverse[3] * x * UNIT);
    }
}

/* Where the pixels of output row y lie in the source, in 1 / 32 pixel. */
static void
fill_points(struct mxio_warp_point *points, const struct mxio_warp_point *steps,
            const double inverse[6], int y, int width)
{
    const int half = UNIT / STEPS / 2;
    const int start_x = round_to_int((inverse[1] * y + inverse[2]) * UNIT) + half;
    const int start_y = round_to_int((inverse[4] * y + inverse[5]) * UNIT) + half;

    for (int i = 0; i < width; i++) {
        points[i].x = (start_x + steps[i].x) >> 5;
        points[i].y = (start_y + steps[i].y) >> 5;
    }
}

/* ---- weights ---- */

static void
weights_at(int taps, int fraction, float *weights)
{
    const float x = (float)fraction / STEPS;

    if (taps == 4)
        mxio_cubic_weights(x, weights);
    else if (taps == 8)
        mxio_lanczos_weights(x, weights);
    else {
        weights[0] = 1 - x;
        weights[1] = x;
    }
}

/* The weights of one point, rounded; what they lack to ONE goes to the largest. */
static void
round_weights(int16_t *out, const float *wx, const float *wy, int taps)
{
    int sum = 0, largest = 0;

    for (int i = 0; i < taps * taps; i++) {
        out[i] = (int16_t)rintf(wx[i % taps] * wy[i / taps] * ONE);
        sum += out[i];
        if (out[i] > out[largest])
            largest = i;
    }
    out[largest] = (int16_t)(out[largest] + ONE - sum);
}

/* Fill the table of all fractions, unless it is there. */
static enum mxio_status
need_weights(struct mxio_warper *warper, enum mxio_inter inter, struct mxio_error *err)
{
    const int taps = inter == MXIO_INTER_CUBIC     ? 4
                     : inter == MXIO_INTER_LANCZOS ? 8
                                                   : 2;
    const size_t each = (size_t)taps * (size_t)taps;
    float by[STEPS][8];

    if (warper->taps == taps)
        return MXIO_OK;
    warper->taps = 0;
    const enum mxio_status status =
        mxio_buffer_need(&warper->weights, each * STEPS * STEPS * sizeof(int16_t), err);
    if (status != MXIO_OK)
        return status;
    int16_t *out = (void *)warper->weights.bytes;
    for (int i = 0; i < STEPS; i++)
        weights_at(taps, i, by[i]);
    for (int y = 0; y < STEPS; y++)
        for (int x = 0; x < STEPS; x++, out += each)
            round_weights(out, by[x], by[y], taps);
    warper->taps = taps;
    return MXIO_OK;
}

/* ---- pixels ---- */

/* What all points of a picture have in common. */
struct picture {
    const struct mxio_view *from;
    const int16_t *weights;
    int taps;
    const uint8_t *border;
};

/* The first of a point's columns, and of its rows, is so far from the point's own. */
static int
reach(const struct picture *picture)
{
    return picture->taps / 2 - 1;
}

/* All taps of the point are inside. */
static bool
is_inside(const struct picture *picture, struct mxio_warp_point at)
{
    const int x = (at.x >> 5) - reach(picture), y = (at.y >> 5) - reach(picture);

    return x >= 0 && y >= 0 && x <= picture->from->width - picture->taps &&
           y <= picture->from->height - picture->taps;
}

/* The points of the row that are inside: an interval, since the picture is convex. */
static void
inside_span(const struct picture *picture, const struct mxio_warp_point *points,
            int width, int *start, int *end)
{
    *start = 0;
    while (*start < width && !is_inside(picture, points[*start]))
        ++*start;
    *end = *start;
    while (*end < width && is_inside(picture, points[*end]))
        ++*end;
}

/* One pixel some of whose taps are outside: there they are the border. */
static void
edge_pixel(const struct picture *picture, struct mxio_warp_point at, uint8_t *out)
{
    const struct mxio_view *from = picture->from;
    const int taps = picture->taps, channels = from->channels;
    const int left = (at.x >> 5) - reach(picture), top = (at.y >> 5) - reach(picture);
    const int16_t *weight =
        picture->weights +
        ((at.y & (STEPS - 1)) * STEPS + (at.x & (STEPS - 1))) * taps * taps;
    int sum[4] = {0};

    if (left >= from->width || top >= from->height || left + taps <= 0 ||
        top + taps <= 0) {
        memcpy(out, picture->border, (size_t)channels);
        return;
    }
    for (int y = top; y < top + taps; y++)
        for (int x = left; x < left + taps; x++, weight++) {
            const bool inside = x >= 0 && y >= 0 && x < from->width && y < from->height;
            const uint8_t *in = inside ? from->bytes + (size_t)y * from->stride +
                                             (size_t)x * (size_t)channels
                                       : picture->border;
            for (int c = 0; c < channels; c++)
                sum[c] += in[c] * *weight;
        }
    for (int c = 0; c < channels; c++) {
        const int value = (sum[c] + ONE / 2) >> MXIO_WARP_WEIGHT_BITS;
        out[c] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
}

static void
warp_points(const struct picture *picture, const struct mxio_warp_point *points,
            int width, uint8_t *out)
{
    const struct mxio_kernels *kernels = mxio_kernels_best();
    const struct mxio_view *from = picture->from;
    const size_t pixel = (size_t)from->channels;
    int start, end;

    inside_span(picture, points, width, &start, &end);
    if (picture->taps == 2)
        kernels->warp_row(out + (size_t)start * pixel, from->bytes, from->stride,
                          points + start, (size_t)(end - start), from->channels);
    else
        kernels->warp_taps(out + (size_t)start * pixel, from->bytes, from->stride,
                           points + start, (size_t)(end - start), from->channels,
                           picture->weights, picture->taps);
    for (int i = 0; i < start; i++)
        edge_pixel(picture, points[i], out + (size_t)i * pixel);
    for (int i = end; i < width; i++)
        edge_pixel(picture, points[i], out + (size_t)i * pixel);
}

enum mxio_status
mxio_warp(struct mxio_warper *warper, const struct mxio_view *from,
          const float matrix[6], struct mxio_rect window, enum mxio_inter inter,
          const uint8_t border[4], uint8_t *out, struct mxio_error *err)
{
    const size_t size = (size_t)window.width * sizeof(struct mxio_warp_point);
    double inverse[6];

    enum mxio_status status = need_weights(warper, inter, err);
    if (status == MXIO_OK)
        status = mxio_buffer_need(&warper->points, size, err);
    if (status == MXIO_OK)
        status = mxio_buffer_need(&warper->steps, size, err);
    if (status != MXIO_OK)
        return status;
    const struct picture picture = {from, (const void *)warper->weights.bytes,
                                    warper->taps, border};
    struct mxio_warp_point *points = (void *)warper->points.bytes;
    struct mxio_warp_point *steps = (void *)warper->steps.bytes;
    invert(matrix, inverse);
    fill_steps(steps, inverse, window);
    for (int y = 0; y < window.height; y++) {
        fill_points(points, steps, inverse, window.y + y, window.width);
        warp_points(&picture, points, window.width,
                    out + (size_t)y * (size_t)window.width * (size_t)from->channels);
    }
    return MXIO_OK;
}
