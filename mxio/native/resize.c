#include "resize.h"

#include <math.h>
#include <string.h>

#define ONE (1 << MXIO_WEIGHT_BITS)

/* Where output pixel i falls in the source: the lower neighbour and the weight of the
 * upper one. */
struct tap {
    int first;
    int16_t upper;
};

static struct tap
tap_of(int i, int from, int to)
{
    const double scale = 1.0 / ((double)to / from);
    float place = (float)((i + 0.5) * scale - 0.5);
    int first = (int)floorf(place);

    place -= (float)first;
    if (first < 0)
        return (struct tap){.first = 0, .upper = 0};
    if (first >=
        from - 1) /* the last pixel is the upper neighbour, where there are two */
        return (struct tap){.first = from > 1 ? from - 2 : 0,
                            .upper = from > 1 ? ONE : 0};
    return (struct tap){.first = first, .upper = (int16_t)lrintf(place * ONE)};
}

static void
source_span(int from, int to, int start, int count, int *source_start,
            int *source_count)
{
    const int first = tap_of(start, from, to).first;
    const int last = tap_of(start + count - 1, from, to).first + 1;

    *source_start = first;
    *source_count = (last < from ? last : from - 1) - first + 1;
}

struct mxio_rect
mxio_resize_source(struct mxio_size from, struct mxio_size to, struct mxio_rect window)
{
    struct mxio_rect out;

    source_span(from.width, to.width, window.x, window.width, &out.x, &out.width);
    source_span(from.height, to.height, window.y, window.height, &out.y, &out.height);
    return out;
}

static void
axis_free(struct mxio_axis *axis)
{
    mxio_free(axis->first);
    mxio_free(axis->weights);
    *axis = (struct mxio_axis){.first = NULL};
}

static enum mxio_status
axis_fill(struct mxio_axis *axis, int from, int to, int start, int count, bool flip,
          struct mxio_error *err)
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
        const struct tap tap = tap_of(start + i, from, to);
        const int place = flip ? count - 1 - i : i;
        axis->first[place] = tap.first;
        for (int c = 0; c < 4; c++) {
            axis->weights[place].pair[c][0] = (int16_t)(ONE - tap.upper);
            axis->weights[place].pair[c][1] = tap.upper;
        }
    }
    return MXIO_OK;
}

void
mxio_resizer_free(struct mxio_resizer *resizer)
{
    axis_free(&resizer->x);
    axis_free(&resizer->y);
    for (int i = 0; i < 2; i++)
        mxio_buffer_free(&resizer->stretched[i]);
    mxio_buffer_free(&resizer->out);
}

enum mxio_status
mxio_resizer_start(struct mxio_resizer *resizer, const struct mxio_view *from,
                   struct mxio_size to, struct mxio_rect window, bool flip,
                   struct mxio_error *err)
{
    const size_t values = (size_t)window.width * (size_t)from->channels;
    enum mxio_status status;

    resizer->kernels = mxio_kernels_best();
    resizer->from = from;
    resizer->window = window;
    status = axis_fill(&resizer->x, from->width, to.width, window.x, window.width, flip,
                       err);
    if (status == MXIO_OK)
        status = axis_fill(&resizer->y, from->height, to.height, window.y,
                           window.height, false, err);
    for (int i = 0; i < 2 && status == MXIO_OK; i++) {
        resizer->held_row[i] = -1;
        status = mxio_buffer_need(&resizer->stretched[i],
                                  values * sizeof(int16_t) + MXIO_SLACK, err);
    }
    if (status == MXIO_OK)
        status = mxio_buffer_need(&resizer->out, values + MXIO_SLACK, err);
    if (status != MXIO_OK)
        return status;
    for (int i = 0; i < window.width; i++)
        resizer->x.first[i] = (resizer->x.first[i] - from->held.x) * from->channels;
    return MXIO_OK;
}

/* Source row y, stretched; kept in the slot of its parity, so that neighbours do not
 * push each other out. */
static const int16_t *
stretched_row(struct mxio_resizer *resizer, int y)
{
    const struct mxio_view *from = resizer->from;
    const int slot = y & 1;
    int16_t *out = (int16_t *)resizer->stretched[slot].bytes;

    if (resizer->held_row[slot] != y) {
        const uint8_t *row = from->bytes + (size_t)(y - from->held.y) * from->stride;
        resizer->kernels->stretch_row(out, row, resizer->x.first, resizer->x.weights,
                                      (size_t)resizer->window.width, from->channels);
        resizer->held_row[slot] = y;
    }
    return out;
}

const uint8_t *
mxio_resizer_row(struct mxio_resizer *resizer, int y)
{
    const int upper = resizer->y.first[y];
    const int16_t *weights = resizer->y.weights[y].pair[0];
    const int16_t *top = stretched_row(resizer, upper);
    /* A row of weight 0 need not be there. */
    const int16_t *bottom = weights[1] != 0 ? stretched_row(resizer, upper + 1) : top;

    if (weights[0] == 0)
        top = bottom;
    resizer->kernels->blend_rows(resizer->out.bytes, top, bottom, weights,
                                 (size_t)resizer->window.width *
                                     (size_t)resizer->from->channels);
    return resizer->out.bytes;
}
