/* The doing half of augment.h: a plan carried out on pixels. augment_plan.c decides. */
#include "augment.h"

#include <string.h>

/* A window of at least one pixel, inside of a picture. */
static struct mxio_rect
inside(struct mxio_rect window, struct mxio_size size)
{
    int left = window.x < 0 ? 0 : window.x, top = window.y < 0 ? 0 : window.y;
    int right = window.x + window.width, bottom = window.y + window.height;

    left = left < size.width ? left : size.width - 1;
    top = top < size.height ? top : size.height - 1;
    right = right > size.width ? size.width : right > left ? right : left + 1;
    bottom = bottom > size.height ? size.height : bottom > top ? bottom : top + 1;
    return (struct mxio_rect){left, top, right - left, bottom - top};
}

/* The part of a step's input that a window of its output is made of. */
static struct mxio_rect
input_window(const struct mxio_step *step, struct mxio_rect window)
{
    const struct mxio_size to = {step->to.width, step->to.height};

    switch (step->kind) {
    case MXIO_STEP_RESIZE:
        return mxio_resize_source(step->from, to, step->inter, window);
    case MXIO_STEP_WARP:
    case MXIO_STEP_BLUR:
        return (struct mxio_rect){0, 0, step->from.width, step->from.height};
    default:
        window.x += step->to.x;
        window.y += step->to.y;
        return inside(window, step->from);
    }
}

/* The part of the output of step `last` that the whole plan uses. */
static struct mxio_rect
window_behind(const struct mxio_plan *plan, int last)
{
    const struct mxio_size size = mxio_plan_size(plan);
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
    mxio_warper_free(&augmenter->warper);
    mxio_blurrer_free(&augmenter->blurrer);
    mxio_emission_free(&augmenter->emission);
    for (int i = 0; i < 2; i++)
        mxio_buffer_free(&augmenter->between[i]);
}

/* ---- steps from picture to picture ---- */

/* Room for a window of pixels; *view becomes the picture of size `to` that holds it. */
static enum mxio_status
make_picture(struct mxio_buffer *room, struct mxio_view *view, struct mxio_size to,
             struct mxio_rect window, struct mxio_error *err)
{
    const size_t row_size = (size_t)window.width * (size_t)view->channels;
    const enum mxio_status status =
        mxio_buffer_need(room, row_size * (size_t)window.height + MXIO_SLACK, err);

    if (status == MXIO_OK)
        *view = (struct mxio_view){.bytes = room->bytes,
                                   .stride = row_size,
                                   .width = to.width,
                                   .height = to.height,
                                   .channels = view->channels,
                                   .held = window};
    return status;
}

/* The view with its first byte at its own pixel (0, 0). */
static struct mxio_view
from_origin(struct mxio_view view)
{
    view.bytes -= (ptrdiff_t)view.held.y * (ptrdiff_t)view.stride +
                  (ptrdiff_t)view.held.x * (ptrdiff_t)view.channels;
    view.held = (struct mxio_rect){0, 0, view.width, view.height};
    return view;
}

static enum mxio_status
resize_step(struct mxio_augmenter *augmenter, const struct mxio_step *step,
            struct mxio_buffer *room, struct mxio_view *view, struct mxio_rect window,
            struct mxio_error *err)
{
    const struct mxio_size to = {step->to.width, step->to.height};
    const struct mxio_view from = *view;

    enum mxio_status status = make_picture(room, view, to, window, err);
    if (status == MXIO_OK)
        status = mxio_resizer_start(&augmenter->resizer, &from, to, step->inter, window,
                                    false, err);
    for (int y = 0; y < window.height && status == MXIO_OK; y++)
        memcpy(room->bytes + (size_t)y * view->stride,
               mxio_resizer_row(&augmenter->resizer, y), view->stride);
    return status;
}

static enum mxio_status
warp_step(struct mxio_augmenter *augmenter, const struct mxio_plan *plan,
          const struct mxio_step *step, struct mxio_buffer *room,
          struct mxio_view *view, struct mxio_rect window, struct mxio_error *err)
{
    const struct mxio_size to = {step->to.width, step->to.height};
    const struct mxio_view from = *view;
    const enum mxio_status status = make_picture(room, view, to, window, err);

    if (status != MXIO_OK)
        return status;
    return mxio_warp(&augmenter->warper, &from, plan->matrix, window, step->inter,
                     plan->border, room->bytes, err);
}

static enum mxio_status
blur_step(struct mxio_augmenter *augmenter, const struct mxio_step *step,
          struct mxio_buffer *room, struct mxio_view *view, struct mxio_rect window,
          struct mxio_error *err)
{
    const struct mxio_view from = from_origin(*view);
    const enum mxio_status status = make_picture(room, view, step->from, window, err);

    if (status != MXIO_OK)
        return status;
    return mxio_blur(&augmenter->blurrer, &from, step->radius, window, room->bytes,
                     err);
}

/* Rows of border without gaps: the first pixel by pixel, the others are copies. */
static void
fill_rows(uint8_t *out, const uint8_t border[4], size_t width, size_t height,
          size_t channels)
{
    const size_t row_size = width * channels;

    for (size_t i = 0; i < row_size; i++)
        out[i] = border[i % channels];
    for (size_t y = 1; y < height; y++)
        memcpy(out + y * row_size, out, row_size);
}

/* Border in the window of the output, then the rows of the input inside of it. */
static enum mxio_status
pad_step(const struct mxio_plan *plan, const struct mxio_step *step,
         struct mxio_buffer *room, struct mxio_view *view, struct mxio_rect window,
         struct mxio_error *err)
{
    const struct mxio_size to = {step->to.width, step->to.height};
    const struct mxio_view from = *view;
    const size_t pixel = (size_t)from.channels;
    const enum mxio_status status = make_picture(room, view, to, window, err);

    if (status != MXIO_OK)
        return status;
    fill_rows(room->bytes, plan->border, (size_t)window.width, (size_t)window.height,
              pixel);
    /* In coordinates of the input. */
    const int left = window.x + step->to.x, top = window.y + step->to.y;
    const int first = left > 0 ? left : 0;
    const int end = left + window.width < from.width ? left + window.width : from.width;
    for (int y = 0; y < window.height && first < end; y++)
        if (top + y >= 0 && top + y < from.height)
            memcpy(room->bytes + (size_t)y * view->stride +
                       (size_t)(first - left) * pixel,
                   from.bytes + (size_t)(top + y - from.held.y) * from.stride +
                       (size_t)(first - from.held.x) * pixel,
                   (size_t)(end - first) * pixel);
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

/* ---- colours ---- */

static bool
changes_colors(const struct mxio_plan *plan)
{
    return plan->color.jitter || plan->color.hls || plan->color.gain ||
           plan->color.noise || plan->color.turn || plan->color.gray;
}

static void
jitter(const struct mxio_color_plan *plan, uint8_t *pixels, size_t count, int channels)
{
    for (int i = 0; i < 3; i++) {
        const float alpha = plan->alpha[plan->order[i]];
        if (alpha == 1)
            continue; /* nothing would change */
        switch (plan->order[i]) {
        case MXIO_BRIGHTNESS:
            mxio_color_scale(pixels, count, channels, alpha, 0);
            break;
        case MXIO_CONTRAST:
            mxio_color_scale(pixels, count, channels, alpha,
                             (1 - alpha) *
                                 mxio_color_gray_mean(pixels, count, channels));
            break;
        case MXIO_SATURATION:
            mxio_color_saturate(pixels, count, channels, alpha);
            break;
        }
    }
}

/* Change the colours of the rows at `pixels`, which have no gaps. */
static void
change_colors(const struct mxio_color_plan *plan, uint8_t *pixels, size_t count,
              int channels)
{
    if (plan->jitter)
        jitter(plan, pixels, count, channels);
    if (plan->hls)
        mxio_color_shift_hls(pixels, count, channels, plan->hls_shift);
    if (plan->gain)
        mxio_color_scale(pixels, count, channels, plan->gain_factor, 0);
    if (plan->noise)
        mxio_color_shift(pixels, count, channels, plan->noise_shift);
    if (plan->turn) {
        const struct mxio_color_matrix matrix =
            mxio_color_turn(plan->hue_turn, plan->saturation_gain);
        mxio_color_mix(&matrix, pixels, count, channels);
    }
    if (plan->gray) {
        const struct mxio_color_matrix matrix = mxio_color_turn(0, 0);
        mxio_color_mix(&matrix, pixels, count, channels);
    }
}

/* Colours are changed in a picture of our own; the view may be the decoder's. */
static enum mxio_status
color_step(const struct mxio_plan *plan, struct mxio_buffer *room,
           struct mxio_view *view, struct mxio_error *err)
{
    const struct mxio_view from = *view;
    const struct mxio_size size = {from.width, from.height};
    const struct mxio_rect window = inside(from.held, size);
    const enum mxio_status status = make_picture(room, view, size, window, err);

    if (status != MXIO_OK)
        return status;
    for (int y = 0; y < window.height; y++)
        memcpy(room->bytes + (size_t)y * view->stride,
               from.bytes + (size_t)(window.y + y - from.held.y) * from.stride +
                   (size_t)(window.x - from.held.x) * (size_t)from.channels,
               view->stride);
    change_colors(&plan->color, room->bytes,
                  (size_t)window.width * (size_t)window.height, view->channels);
    return MXIO_OK;
}

/* ---- to values ---- */

static enum mxio_status
emit_resized(struct mxio_augmenter *augmenter, const struct mxio_step *step,
             const struct mxio_view *view, struct mxio_rect window, bool mirror,
             void *out, struct mxio_error *err)
{
    const struct mxio_size to = {step->to.width, step->to.height};
    const enum mxio_status status =
        mxio_resizer_start(&augmenter->resizer, view, to, step->inter, window, mirror,
                           err);

    if (status != MXIO_OK)
        return status;
    for (int y = 0; y < window.height; y++)
        mxio_emit_row(&augmenter->emission, augmenter->emitter,
                      mxio_resizer_row(&augmenter->resizer, y), y,
                      mirror ? MXIO_MIRRORED : MXIO_UPRIGHT, out);
    return MXIO_OK;
}

static void
emit_view(struct mxio_augmenter *augmenter, const struct mxio_view *view, bool mirror,
          void *out)
{
    const struct mxio_view from = from_origin(*view);

    for (int y = 0; y < view->height; y++)
        mxio_emit_row(&augmenter->emission, augmenter->emitter,
                      from.bytes + (size_t)y * from.stride, y,
                      mirror ? MXIO_TO_MIRROR : MXIO_UPRIGHT, out);
}

/* The step is the last that makes pixels, and its rows can be emitted as they come. */
static bool
is_emitted(const struct mxio_plan *plan, int step)
{
    for (int i = step + 1; i < plan->step_count; i++)
        if (plan->steps[i].kind != MXIO_STEP_CROP)
            return false;
    return plan->steps[step].kind == MXIO_STEP_RESIZE &&
           (plan->color_at <= step || !changes_colors(plan));
}

static enum mxio_status
apply_step(struct mxio_augmenter *augmenter, const struct mxio_plan *plan, int number,
           struct mxio_buffer *room, struct mxio_view *view, struct mxio_error *err)
{
    const struct mxio_step *step = &plan->steps[number];
    const struct mxio_rect window = window_behind(plan, number);

    switch (step->kind) {
    case MXIO_STEP_RESIZE:
        return resize_step(augmenter, step, room, view, window, err);
    case MXIO_STEP_WARP:
        return warp_step(augmenter, plan, step, room, view, window, err);
    case MXIO_STEP_BLUR:
        return blur_step(augmenter, step, room, view, window, err);
    case MXIO_STEP_PAD:
        return pad_step(plan, step, room, view, window, err);
    default:
        crop_view(view, step->to);
        return MXIO_OK;
    }
}

enum mxio_status
mxio_plan_apply(struct mxio_augmenter *augmenter, const struct mxio_plan *plan,
                const struct mxio_view *view, void *out, struct mxio_error *err)
{
    struct mxio_view now = *view;
    int made = 0; /* pictures between steps: each is made from the one before it */
    enum mxio_status status =
        mxio_emission_start(&augmenter->emission, augmenter->emitter, plan->tone, err);

    for (int i = 0; i <= plan->step_count && status == MXIO_OK; i++) {
        if (i == plan->color_at && changes_colors(plan))
            status = color_step(plan, &augmenter->between[made++ & 1], &now, err);
        if (i == plan->step_count || status != MXIO_OK)
            break;
        if (is_emitted(plan, i))
            return emit_resized(augmenter, &plan->steps[i], &now,
                                window_behind(plan, i), plan->mirror, out, err);
        status =
            apply_step(augmenter, plan, i, &augmenter->between[made & 1], &now, err);
        made += plan->steps[i].kind != MXIO_STEP_CROP;
    }
    if (status == MXIO_OK)
        emit_view(augmenter, &now, plan->mirror, out);
    return status;
}
