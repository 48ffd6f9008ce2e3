#include "resize.h"

#include <math.h>
#include <string.h>

#define ONE (1 << MXIO_WEIGHT_BITS)

/* One axis of a resize: sizes before and after, and the method in force. */
struct scale {
    int from, to;
    enum mxio_inter inter;
    bool by_area;  /* bilinear with the weights of an enlarging INTER_AREA */
    bool mirrored; /* counted from the end; asked of nearest and by_area only */
    double step;   /* as OpenCV computes it */
};

static struct scale
rows_of(int from, int to, enum mxio_inter inter, bool enlarges)
{
    if (inter == MXIO_INTER_NEAREST_MIRRORED)
        inter = MXIO_INTER_NEAREST;
    if (inter == MXIO_INTER_AREA_MIRRORED)
        inter = MXIO_INTER_AREA;
    const bool by_area = inter == MXIO_INTER_AREA && enlarges;

    return (struct scale){.from = from,
                          .to = to,
                          .inter = by_area ? MXIO_INTER_LINEAR : inter,
                          .by_area = by_area,
                          .step = 1.0 / ((double)to / from)};
}

static struct scale
columns_of(int from, int to, enum mxio_inter inter, bool enlarges)
{
    struct scale scale = rows_of(from, to, inter, enlarges);

    scale.mirrored = inter == MXIO_INTER_NEAREST_MIRRORED ||
                     (inter == MXIO_INTER_AREA_MIRRORED && scale.by_area);
    return scale;
}

/* INTER_AREA averages only where neither side grows; else it is a kind of bilinear. */
static bool
enlarges(struct mxio_size from, struct mxio_size to)
{
    return to.width > from.width || to.height > from.height;
}

/* The functions of the C library would be calls, two for each column of each picture. */
static int
floor_of(float x)
{
    const int whole = (int)x;

    return whole - (x < (float)whole);
}

/* To the nearest, ties to even, as lrintf; below 2^22. */
static int
nearest_to(float x)
{
    const float big = 0x1.8p23f;

    return (int)((x + big) - big);
}

/* Where output pixel i falls: the lower neighbour, may be outside, and the fraction. */
static int
place_of(const struct scale *scale, int i, float *fraction)
{
    if (scale->by_area) {
        const int first = (int)floor(i * scale->step);
        const float rest =
            (float)((i + 1) - (first + 1) * ((double)scale->to / scale->from));
        *fraction = rest <= 0 ? 0 : rest - floorf(rest);
        return first;
    }
    const float place = (float)((i + 0.5) * scale->step - 0.5);
    const int first = floor_of(place);
    *fraction = place - (float)first;
    return first;
}

/* Bilinear: the lower of two source pixels, both inside, and the weight of the upper. */
static int
upright_pair_of(const struct scale *scale, int i, int16_t *upper)
{
    float fraction;
    const int first = place_of(scale, i, &fraction);

    *upper = 0;
    if (first < 0)
        return 0;
    if (first >=
        scale->from - 1) { /* the last pixel is the upper one, if there are two */
        *upper = scale->from > 1 ? ONE : 0;
        return scale->from > 1 ? scale->from - 2 : 0;
    }
    *upper = (int16_t)nearest_to(fraction * ONE);
    return first;
}

static int
pair_of(const struct scale *scale, int i, int16_t *upper)
{
    if (!scale->mirrored)
        return upright_pair_of(scale, i, upper);
    const int first = upright_pair_of(scale, scale->to - 1 - i, upper);
    if (scale->from == 1)
        return 0;
    *upper = (int16_t)(ONE - *upper);
    return scale->from - 2 - first;
}

static int
clamp(int x, int from)
{
    return x < 0 ? 0 : x >= from ? from - 1 : x;
}

/* OpenCV's nearest: the pixel at the start of the output pixel, not at its middle. */
static int
nearest_of(const struct scale *scale, int i)
{
    const int of = scale->mirrored ? scale->to - 1 - i : i;
    const int place = clamp((int)floor(of * scale->step), scale->from);

    return scale->mirrored ? scale->from - 1 - place : place;
}

/* Cubic and Lanczos: weights in OpenCV's fixed point, pixels outside are the edge's. */
static int
kernel_taps(const struct scale *scale, int i, struct mxio_tap *out)
{
    const int count = scale->inter == MXIO_INTER_CUBIC ? 4 : 8;
    float weights[8], fraction;
    const int first = place_of(scale, i, &fraction) - (count / 2 - 1);

    if (count == 4)
        mxio_cubic_weights(fraction, weights);
    else
        mxio_lanczos_weights(fraction, weights);
    for (int k = 0; k < count; k++)
        out[k] = (struct mxio_tap){clamp(first + k, scale->from),
                                   rintf(weights[k] * ONE) * (1.0f / ONE)};
    return count;
}

/* Area: each source pixel by the share of the output pixel that it covers. */
static int
area_taps(const struct scale *scale, int i, struct mxio_tap *out)
{
    const double step = (double)scale->from / scale->to;
    const double start = i * step, end = start + step;
    const double width = fmin(step, scale->from - start);
    int last = (int)fmin(floor(end), scale->from - 1);
    const int first = (int)fmin(ceil(start), last);
    int count = 0;

    if (first - start > 1e-3)
        out[count++] = (struct mxio_tap){first - 1, (float)((first - start) / width)};
    for (int x = first; x < last; x++)
        out[count++] = (struct mxio_tap){x, (float)(1 / width)};
    if (end - last > 1e-3)
        out[count++] =
            (struct mxio_tap){last, (float)(fmin(fmin(end - last, 1), width) / width)};
    return count;
}

static int
taps_of(const struct scale *scale, int i, struct mxio_tap *out)
{
    if (scale->inter == MXIO_INTER_NEAREST) {
        *out = (struct mxio_tap){nearest_of(scale, i), 1};
        return 1;
    }
    return scale->inter == MXIO_INTER_AREA ? area_taps(scale, i, out)
                                           : kernel_taps(scale, i, out);
}

/* Most taps of one output pixel. */
static size_t
most_taps(const struct scale *scale)
{
    if (scale->inter == MXIO_INTER_AREA)
        return (size_t)(scale->from / scale->to) + 3;
    return MXIO_KEPT_ROWS;
}

static void
source_span(const struct scale *scale, int start, int count, int *first, int *size)
{
    int last;

    if (scale->inter == MXIO_INTER_LINEAR) {
        int16_t upper;
        *first = pair_of(scale, start, &upper);
        last = pair_of(scale, start + count - 1, &upper) + 1;
    } else if (scale->inter == MXIO_INTER_NEAREST) {
        *first = nearest_of(scale, start);
        last = nearest_of(scale, start + count - 1);
    } else if (scale->inter == MXIO_INTER_AREA) {
        const double step = (double)scale->from / scale->to;
        *first = (int)floor(start * step);
        last = (int)ceil((start + count) * step);
    } else {
        const int reach = scale->inter == MXIO_INTER_CUBIC ? 2 : 4;
        float fraction;
        *first = place_of(scale, start, &fraction) - (reach - 1);
        last = place_of(scale, start + count - 1, &fraction) + reach;
    }
    *first = clamp(*first, scale->from);
    *size = clamp(last, scale->from) - *first + 1;
}

struct mxio_rect
mxio_resize_source(struct mxio_size from, struct mxio_size to, enum mxio_inter inter,
                   struct mxio_rect window)
{
    const bool larger = enlarges(from, to);
    const struct scale x = columns_of(from.width, to.width, inter, larger);
    const struct scale y = rows_of(from.height, to.height, inter, larger);
    struct mxio_rect out;

    source_span(&x, window.x, window.width, &out.x, &out.width);
    source_span(&y, window.y, window.height, &out.y, &out.height);
    return out;
}

/* ---- tables ---- */

static void
axis_free(struct mxio_axis *axis)
{
    mxio_free(axis->first);
    mxio_free(axis->weights);
    *axis = (struct mxio_axis){.first = NULL};
}

static enum mxio_status
axis_fill(struct mxio_axis *axis, const struct scale *scale, int start, int count,
          bool flip, struct mxio_error *err)
{
    const size_t need = (size_t)count;

    if (axis->room < need) {
        axis_free(axis);
        axis->first = mxio_alloc(need * sizeof *axis->first);
        axis->weights = mxio_alloc(need * sizeof *axis->weights);
        if (axis->first == NULL || axis->weights == NULL)
            return mxio_fail(err, MXIO_ENOMEM, "no memory for a row of %d pixels",
                             count);
        axis->room = need;
    }
    for (int i = 0; i < count; i++) {
        const int place = flip ? count - 1 - i : i;
        int16_t upper;
        axis->first[place] = pair_of(scale, start + i, &upper);
        for (int c = 0; c < 4; c++) {
            axis->weights[place].pair[c][0] = (int16_t)(ONE - upper);
            axis->weights[place].pair[c][1] = upper;
        }
    }
    return MXIO_OK;
}

static void
taps_free(struct mxio_taps *taps)
{
    mxio_free(taps->taps);
    mxio_free(taps->end);
    *taps = (struct mxio_taps){.taps = NULL};
}

static enum mxio_status
taps_fill(struct mxio_taps *taps, const struct scale *scale, int start, int count,
          bool flip, struct mxio_error *err)
{
    const size_t most = most_taps(scale);
    size_t end = 0;

    if (taps->end_room < (size_t)count || taps->tap_room < (size_t)count * most) {
        taps_free(taps);
        taps->end = mxio_alloc((size_t)count * sizeof *taps->end);
        taps->taps = mxio_alloc((size_t)count * most * sizeof *taps->taps);
        if (taps->end == NULL || taps->taps == NULL)
            return mxio_fail(err, MXIO_ENOMEM, "no memory for a row of %d pixels",
                             count);
        taps->end_room = (size_t)count;
        taps->tap_room = (size_t)count * most;
    }
    for (int i = 0; i < count; i++) {
        const int of = flip ? start + count - 1 - i : start + i;
        end += (size_t)taps_of(scale, of, taps->taps + end);
        taps->end[i] = end;
    }
    return MXIO_OK;
}

/* Cubic: four neighbours that the view holds, the weights of taps at an edge added up. */
static enum mxio_status
fours_fill(struct mxio_buffer *room, const struct scale *scale, int start, int count,
           bool flip, const struct mxio_view *from, struct mxio_error *err)
{
    const int end = from->held.x + from->held.width - 4;
    const enum mxio_status status =
        mxio_buffer_need(room, (size_t)count * sizeof(struct mxio_fours), err);

    if (status != MXIO_OK)
        return status;
    struct mxio_fours *fours = (void *)room->bytes;
    for (int i = 0; i < count; i++) {
        struct mxio_tap taps[MXIO_KEPT_ROWS];
        kernel_taps(scale, flip ? start + count - 1 - i : start + i, taps);
        const int first = taps[0].from < end ? taps[0].from : end;
        fours[i] =
            (struct mxio_fours){.first = (first - from->held.x) * from->channels};
        for (int k = 0; k < 4; k++)
            fours[i].weights[taps[k].from - first] += (int16_t)(taps[k].weight * ONE);
    }
    return MXIO_OK;
}

/* ---- rows ---- */

void
mxio_resizer_free(struct mxio_resizer *resizer)
{
    mxio_buffer_free(&resizer->fours);
    axis_free(&resizer->x);
    axis_free(&resizer->y);
    taps_free(&resizer->columns);
    taps_free(&resizer->rows);
    for (int i = 0; i < MXIO_KEPT_ROWS; i++)
        mxio_buffer_free(&resizer->stretched[i]);
    mxio_buffer_free(&resizer->sum);
    mxio_buffer_free(&resizer->out);
}

/* The tables of both axes; columns as byte offsets in the view's rows. */
static enum mxio_status
fill_tables(struct mxio_resizer *resizer, struct mxio_size to, enum mxio_inter inter,
            bool flip, struct mxio_error *err)
{
    const struct mxio_view *from = resizer->from;
    const struct mxio_rect window = resizer->window;
    const bool larger = enlarges((struct mxio_size){from->width, from->height}, to);
    const struct scale x = columns_of(from->width, to.width, inter, larger);
    const struct scale y = rows_of(from->height, to.height, inter, larger);
    enum mxio_status status;

    resizer->bilinear = x.inter == MXIO_INTER_LINEAR;
    resizer->by_fours = false;
    if (resizer->bilinear) {
        status = axis_fill(&resizer->x, &x, window.x, window.width, flip, err);
        if (status == MXIO_OK)
            status = axis_fill(&resizer->y, &y, window.y, window.height, false, err);
        for (int i = 0; i < window.width && status == MXIO_OK; i++)
            resizer->x.first[i] = (resizer->x.first[i] - from->held.x) * from->channels;
        return status;
    }
    status = taps_fill(&resizer->rows, &y, window.y, window.height, false, err);
    resizer->by_fours = x.inter == MXIO_INTER_CUBIC && from->held.width >= 4;
    if (status == MXIO_OK && resizer->by_fours)
        return fours_fill(&resizer->fours, &x, window.x, window.width, flip, from, err);
    if (status == MXIO_OK)
        status = taps_fill(&resizer->columns, &x, window.x, window.width, flip, err);
    if (status != MXIO_OK)
        return status;
    for (size_t i = 0; i < resizer->columns.end[window.width - 1]; i++) {
        struct mxio_tap *tap = &resizer->columns.taps[i];
        tap->from = (tap->from - from->held.x) * from->channels;
    }
    return MXIO_OK;
}

enum mxio_status
mxio_resizer_start(struct mxio_resizer *resizer, const struct mxio_view *from,
                   struct mxio_size to, enum mxio_inter inter, struct mxio_rect window,
                   bool flip, struct mxio_error *err)
{
    const size_t values = (size_t)window.width * (size_t)from->channels;
    const size_t row_size = values * sizeof(float) + MXIO_SLACK;

    resizer->kernels = mxio_kernels_best();
    resizer->from = from;
    resizer->window = window;
    enum mxio_status status = fill_tables(resizer, to, inter, flip, err);
    for (int i = 0; i < MXIO_KEPT_ROWS; i++)
        resizer->held_row[i] = -1;
    for (int i = 0; i < (resizer->bilinear ? 2 : MXIO_KEPT_ROWS) && status == MXIO_OK;
         i++)
        status = mxio_buffer_need(&resizer->stretched[i], row_size, err);
    if (status == MXIO_OK && !resizer->bilinear)
        status = mxio_buffer_need(&resizer->sum, row_size, err);
    if (status == MXIO_OK)
        status = mxio_buffer_need(&resizer->out, values + MXIO_SLACK, err);
    return status;
}

/*
 * Source row y, stretched by `stretch`, kept in the slot of its number modulo `slots`, so
 * that neighbours do not push each other out.
 */
static void *
stretched_row(struct mxio_resizer *resizer, int y, int slots,
              void (*stretch)(struct mxio_resizer *, const uint8_t *, void *))
{
    const struct mxio_view *from = resizer->from;
    const int slot = y % slots;
    void *out = resizer->stretched[slot].bytes;

    if (resizer->held_row[slot] != y) {
        stretch(resizer, from->bytes + (size_t)(y - from->held.y) * from->stride, out);
        resizer->held_row[slot] = y;
    }
    return out;
}

static void
stretch_pairs(struct mxio_resizer *resizer, const uint8_t *row, void *out)
{
    resizer->kernels->stretch_row(out, row, resizer->x.first, resizer->x.weights,
                                  (size_t)resizer->window.width,
                                  resizer->from->channels);
}

static const uint8_t *
bilinear_row(struct mxio_resizer *resizer, int y)
{
    const int upper = resizer->y.first[y];
    const int16_t *weights = resizer->y.weights[y].pair[0];
    const int16_t *top = stretched_row(resizer, upper, 2, stretch_pairs);
    /* A row of weight 0 need not be there. */
    const int16_t *bottom =
        weights[1] != 0 ? stretched_row(resizer, upper + 1, 2, stretch_pairs) : top;

    if (weights[0] == 0)
        top = bottom;
    resizer->kernels->blend_rows(resizer->out.bytes, top, bottom, weights,
                                 (size_t)resizer->window.width *
                                     (size_t)resizer->from->channels);
    return resizer->out.bytes;
}

static void
stretch_taps(struct mxio_resizer *resizer, const uint8_t *row, void *out)
{
    resizer->kernels->stretch_taps(out, row, resizer->columns.taps,
                                   resizer->columns.end, (size_t)resizer->window.width,
                                   resizer->from->channels);
}

static const uint8_t *
taps_row(struct mxio_resizer *resizer, int y)
{
    const size_t count =
        (size_t)resizer->window.width * (size_t)resizer->from->channels;
    float *sum = (float *)(void *)resizer->sum.bytes;
    size_t tap = y == 0 ? 0 : resizer->rows.end[y - 1];

    memset(sum, 0, count * sizeof *sum);
    for (; tap < resizer->rows.end[y]; tap++) {
        const float weight = resizer->rows.taps[tap].weight;
        const float *row = stretched_row(resizer, resizer->rows.taps[tap].from,
                                         MXIO_KEPT_ROWS, stretch_taps);
        resizer->kernels->add_row(sum, row, weight, count);
    }
    resizer->kernels->round_row(resizer->out.bytes, sum, count);
    return resizer->out.bytes;
}

static void
stretch_fours(struct mxio_resizer *resizer, const uint8_t *row, void *out)
{
    resizer->kernels->stretch_fours(out, row, (const void *)resizer->fours.bytes,
                                    (size_t)resizer->window.width,
                                    resizer->from->channels);
}

/* Four rows are kept at once: those of neighbours are in slots of their own. */
static const uint8_t *
fours_row(struct mxio_resizer *resizer, int y)
{
    const struct mxio_tap *taps = resizer->rows.taps + (size_t)y * 4;
    const float *rows[4];
    float weights[4];

    for (int k = 0; k < 4; k++) {
        rows[k] = stretched_row(resizer, taps[k].from, MXIO_KEPT_ROWS, stretch_fours);
        weights[k] = taps[k].weight;
    }
    resizer->kernels->blend_fours(resizer->out.bytes, rows, weights,
                                  (size_t)resizer->window.width *
                                      (size_t)resizer->from->channels);
    return resizer->out.bytes;
}

const uint8_t *
mxio_resizer_row(struct mxio_resizer *resizer, int y)
{
    return resizer->bilinear   ? bilinear_row(resizer, y)
           : resizer->by_fours ? fours_row(resizer, y)
                               : taps_row(resizer, y);
}
