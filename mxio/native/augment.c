#include "augment.h"

#include <math.h>
#include <string.h>

/* Tries of random_resized_crop before it gives up; MXNet's number. */
#define TRIES 10

static struct mxio_size
size_now(const struct mxio_plan *plan)
{
    if (plan->step_count == 0)
        return plan->from;
    const struct mxio_rect to = plan->steps[plan->step_count - 1].to;
    return (struct mxio_size){to.width, to.height};
}

static void
add_step(struct mxio_plan *plan, enum mxio_step_kind kind, struct mxio_rect to)
{
    const struct mxio_size from = size_now(plan);
    const bool nothing =
        to.x == 0 && to.y == 0 && to.width == from.width && to.height == from.height;

    if (!nothing)
        plan->steps[plan->step_count++] = (struct mxio_step){kind, from, to};
}

/* A resize to sizes that may be absurd: a picture of 1 x 60000 pixels, shorter edge
 * 256. */
static enum mxio_status
add_resize(struct mxio_plan *plan, const struct mxio_params *params, int64_t width,
           int64_t height, struct mxio_error *err)
{
    if (width > INT32_MAX / height || width * height > params->max_pixels)
        return mxio_fail(
            err, MXIO_EDATA,
            "resizing %d x %d pixels to %lld x %lld makes more than max_pixels=%lld",
            plan->from.width, plan->from.height, (long long)width, (long long)height,
            (long long)params->max_pixels);
    add_step(plan, MXIO_STEP_RESIZE, (struct mxio_rect){0, 0, (int)width, (int)height});
    return MXIO_OK;
}

/* mxnet.md 4.1: the shorter edge, the other by integer division. */
static enum mxio_status
plan_resize(struct mxio_plan *plan, const struct mxio_params *params,
            struct mxio_error *err)
{
    const int64_t cols = plan->from.width, rows = plan->from.height;

    if (params->resize <= 0)
        return MXIO_OK;
    if (rows > cols)
        return add_resize(plan, params, params->resize, params->resize * rows / cols,
                          err);
    return add_resize(plan, params, params->resize * cols / rows, params->resize, err);
}

/* mxnet.md 4.3: up to ten boxes are tried; false when none fits, or there is nothing to
 * draw. */
static bool
draw_resized_crop(const struct mxio_params *params, struct mxio_rng rng,
                  struct mxio_size size, struct mxio_rect *out)
{
    double low, high;

    mxio_params_aspect(params, &low, &high);
    if (params->min_random_area == 1 && params->max_random_area == 1 && low == 1 &&
        high == 1)
        return false;
    for (uint32_t i = 0; i < TRIES; i++) {
        const uint32_t t = i * MXIO_DRAW_TRY;
        const double share = params->min_random_area +
                             (params->max_random_area - params->min_random_area) *
                                 mxio_rng_unit(rng, t + MXIO_DRAW_AREA);
        const double area = share * size.width * size.height;
        const double ratio =
            low + (high - low) * mxio_rng_unit(rng, t + MXIO_DRAW_RATIO);
        const bool swap = mxio_rng_integer(rng, t + MXIO_DRAW_SWAP, 0, 1) == 1;
        const double wide = round(sqrt(area * ratio)),
                     narrow = round(sqrt(area / ratio));
        const double width = swap ? narrow : wide, height = swap ? wide : narrow;
        if (width < 1 || height < 1 || width > size.width || height > size.height)
            continue;
        const int64_t right = size.width - (int64_t)width,
                      down = size.height - (int64_t)height;
        *out = (struct mxio_rect){.x = (int)mxio_rng_integer(rng, t + MXIO_DRAW_CROP_X,
                                                             0, right),
                                  .y = (int)mxio_rng_integer(rng, t + MXIO_DRAW_CROP_Y,
                                                             0, down),
                                  .width = (int)width,
                                  .height = (int)height};
        return true;
    }
    return false;
}

/* mxnet.md 4.3, plain crop: enlarge what is too small, first by rows, then by columns;
 * then cut. */
static enum mxio_status
plan_crop(struct mxio_plan *plan, const struct mxio_params *params, struct mxio_rng rng,
          struct mxio_error *err)
{
    const int width = (int)params->data_shape.width,
              height = (int)params->data_shape.height;
    struct mxio_size size = size_now(plan);
    enum mxio_status status = MXIO_OK;

    if (size.height < height) {
        const int64_t cols =
            (int64_t)((float)height / (float)size.height * (float)size.width);
        status = add_resize(plan, params, cols > 0 ? cols : 1, height, err);
    }
    size = size_now(plan);
    if (status == MXIO_OK && size.width < width) {
        const int64_t rows =
            (int64_t)((float)width / (float)size.width * (float)size.height);
        /* Rounding may take a row of those just made. */
        status = add_resize(plan, params, width, rows > height ? rows : height, err);
    }
    if (status != MXIO_OK)
        return status;
    size = size_now(plan);
    const int right = size.width - width, down = size.height - height;
    struct mxio_rect box = {right / 2, down / 2, width, height};
    if (params->rand_crop) {
        box.x = (int)mxio_rng_integer(rng, MXIO_DRAW_CROP_X, 0, right);
        box.y = (int)mxio_rng_integer(rng, MXIO_DRAW_CROP_Y, 0, down);
    }
    add_step(plan, MXIO_STEP_CROP, box);
    return MXIO_OK;
}

enum mxio_status
mxio_plan_draw(const struct mxio_params *params, struct mxio_rng rng,
               struct mxio_size from, struct mxio_plan *out, struct mxio_error *err)
{
    struct mxio_plan plan = {.from = from};
    struct mxio_rect box;

    enum mxio_status status = plan_resize(&plan, params, err);
    if (status != MXIO_OK)
        return status;
    if (params->random_resized_crop &&
        draw_resized_crop(params, rng, size_now(&plan), &box)) {
        add_step(&plan, MXIO_STEP_CROP, box);
        status = add_resize(&plan, params, params->data_shape.width,
                            params->data_shape.height, err);
    } else {
        status = plan_crop(&plan, params, rng, err);
    }
    if (status != MXIO_OK)
        return status;
    plan.mirror =
        params->mirror ||
        (params->rand_mirror && mxio_rng_integer(rng, MXIO_DRAW_MIRROR, 0, 1) == 1);
    *out = plan;
    return MXIO_OK;
}

/* The part of a step's input that a window of its output is made of. */
static struct mxio_rect
input_window(const struct mxio_step *step, struct mxio_rect window)
{
    if (step->kind == MXIO_STEP_CROP) {
        window.x += step->to.x;
        window.y += step->to.y;
        return window;
    }
    return mxio_resize_source(step->from,
                              (struct mxio_size){step->to.width, step->to.height},
                              window);
}

/* The part of the output of step `last` that the whole plan uses. */
static struct mxio_rect
window_behind(const struct mxio_plan *plan, int last)
{
    const struct mxio_size size = size_now(plan);
    struct mxio_rect window = {0, 0, size.width, size.height};

    for (int i = plan->step_count - 1; i > last; i--)
        window = input_window(&plan->steps[i], window);
    return window;
}

struct mxio_rect
mxio_plan_window(const struct mxio_plan *plan)
{
    return window_behind(plan, -1);
}

void
mxio_augmenter_free(struct mxio_augmenter *augmenter)
{
    mxio_resizer_free(&augmenter->resizer);
    for (int i = 0; i < 2; i++)
        mxio_buffer_free(&augmenter->between[i]);
    mxio_buffer_free(&augmenter->flipped);
    mxio_buffer_free(&augmenter->scratch);
}

static enum mxio_status
emit_resized(struct mxio_augmenter *augmenter, const struct mxio_view *view,
             struct mxio_size to, struct mxio_rect window, bool mirror, void *out,
             struct mxio_error *err)
{
    const enum mxio_status status =
        mxio_resizer_start(&augmenter->resizer, view, to, window, mirror, err);

    if (status != MXIO_OK)
        return status;
    for (int y = 0; y < window.height; y++)
        mxio_emit_row(augmenter->emitter, mxio_resizer_row(&augmenter->resizer, y), y,
                      mirror, augmenter->scratch.bytes, out);
    return MXIO_OK;
}

static enum mxio_status
emit_view(struct mxio_augmenter *augmenter, const struct mxio_view *view, bool mirror,
          void *out, struct mxio_error *err)
{
    const size_t row_size = (size_t)view->width * (size_t)view->channels;
    const enum mxio_status status =
        mxio_buffer_need(&augmenter->flipped, row_size + MXIO_SLACK, err);

    if (status != MXIO_OK)
        return status;
    for (int y = 0; y < view->height; y++) {
        const uint8_t *row = view->bytes + (size_t)y * view->stride;
        if (mirror) {
            augmenter->emitter->kernels->flip_row(augmenter->flipped.bytes, row,
                                                  (size_t)view->width, view->channels);
            row = augmenter->flipped.bytes;
        }
        mxio_emit_row(augmenter->emitter, row, y, mirror, augmenter->scratch.bytes,
                      out);
    }
    return MXIO_OK;
}

/* A resize whose output is needed by further steps. */
static enum mxio_status
resize_between(struct mxio_augmenter *augmenter, struct mxio_buffer *room,
               struct mxio_view *view, struct mxio_size to, struct mxio_rect window,
               struct mxio_error *err)
{
    const size_t row_size = (size_t)window.width * (size_t)view->channels;
    enum mxio_status status =
        mxio_buffer_need(room, row_size * (size_t)window.height + MXIO_SLACK, err);

    if (status == MXIO_OK)
        status = mxio_resizer_start(&augmenter->resizer, view, to, window, false, err);
    if (status != MXIO_OK)
        return status;
    for (int y = 0; y < window.height; y++)
        memcpy(room->bytes + (size_t)y * row_size,
               mxio_resizer_row(&augmenter->resizer, y), row_size);
    *view = (struct mxio_view){.bytes = room->bytes,
                               .stride = row_size,
                               .width = to.width,
                               .height = to.height,
                               .channels = view->channels,
                               .held = window};
    return MXIO_OK;
}

static void
crop_view(struct mxio_view *view, struct mxio_rect to)
{
    view->width = to.width;
    view->height = to.height;
    view->held.x -= to.x;
    view->held.y -= to.y;
}

/* The step is the last that makes pixels: only crops follow. */
static bool
is_last_resize(const struct mxio_plan *plan, int step)
{
    for (int i = step + 1; i < plan->step_count; i++)
        if (plan->steps[i].kind != MXIO_STEP_CROP)
            return false;
    return plan->steps[step].kind == MXIO_STEP_RESIZE;
}

enum mxio_status
mxio_plan_apply(struct mxio_augmenter *augmenter, const struct mxio_plan *plan,
                const struct mxio_view *view, void *out, struct mxio_error *err)
{
    struct mxio_view now = *view;
    int made = 0; /* pictures between steps: each is made from the one before it */
    enum mxio_status status =
        mxio_buffer_need(&augmenter->scratch, mxio_emit_scratch(augmenter->emitter),
                         err);

    for (int i = 0; i < plan->step_count && status == MXIO_OK; i++) {
        const struct mxio_step *step = &plan->steps[i];
        const struct mxio_size to = {step->to.width, step->to.height};
        const struct mxio_rect window = window_behind(plan, i);
        if (step->kind == MXIO_STEP_CROP)
            crop_view(&now, step->to);
        else if (is_last_resize(plan, i))
            return emit_resized(augmenter, &now, to, window, plan->mirror, out, err);
        else
            status = resize_between(augmenter, &augmenter->between[made++ & 1], &now,
                                    to, window, err);
    }
    if (status != MXIO_OK)
        return status;
    /* What the crops left lies at the start of the view's own coordinates. */
    now.bytes -= (ptrdiff_t)now.held.y * (ptrdiff_t)now.stride +
                 (ptrdiff_t)now.held.x * (ptrdiff_t)now.channels;
    return emit_view(augmenter, &now, plan->mirror, out, err);
}
