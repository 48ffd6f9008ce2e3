/* The deciding half of augment.h: from parameters and random numbers to a plan. */
#include "augment.h"

#include <math.h>

#include "maths.h"

/* Tries of random_resized_crop before it gives up; MXNet's number. */
#define TRIES 10

struct mxio_size
mxio_plan_size(const struct mxio_plan *plan)
{
    if (plan->step_count == 0)
        return plan->from;
    const struct mxio_rect to = plan->steps[plan->step_count - 1].to;
    return (struct mxio_size){to.width, to.height};
}

static void
add_step(struct mxio_plan *plan, enum mxio_step_kind kind, enum mxio_inter inter,
         struct mxio_rect to)
{
    plan->steps[plan->step_count] = (struct mxio_step){.kind = kind,
                                                       .inter = inter,
                                                       .from = mxio_plan_size(plan),
                                                       .to = to};
    plan->step_count++;
}

/* Sizes that a step would make may be absurd: a picture of 1 x 60000, shorter edge 256. */
static enum mxio_status
check_size(const struct mxio_plan *plan, const struct mxio_params *params,
           const char *what, int64_t width, int64_t height, struct mxio_error *err)
{
    if (width <= INT32_MAX / height && width * height <= params->max_pixels)
        return MXIO_OK;
    return mxio_fail(err, MXIO_EDATA,
                     "%s %d x %d pixels to %lld x %lld makes more than max_pixels=%lld",
                     what, plan->from.width, plan->from.height, (long long)width,
                     (long long)height, (long long)params->max_pixels);
}

/* As in MXNet, 9 is cubic to enlarge, area to shrink, else bilinear; 10 any. */
enum mxio_inter
mxio_plan_inter(const struct mxio_params *params, struct mxio_rng rng, uint32_t draw,
                struct mxio_size from, double width, double height)
{
    if (params->inter_method == 10)
        return (enum mxio_inter)mxio_rng_integer(rng, draw, MXIO_INTER_NEAREST,
                                                 MXIO_INTER_LANCZOS);
    if (params->inter_method != 9)
        return (enum mxio_inter)params->inter_method;
    if (width > from.width && height > from.height)
        return MXIO_INTER_CUBIC;
    return width < from.width && height < from.height ? MXIO_INTER_AREA
                                                      : MXIO_INTER_LINEAR;
}

enum mxio_status
mxio_plan_add_resize(struct mxio_plan *plan, const struct mxio_params *params,
                     int64_t width, int64_t height, enum mxio_inter inter,
                     struct mxio_error *err)
{
    const struct mxio_size from = mxio_plan_size(plan);
    const enum mxio_status status =
        check_size(plan, params, "resizing", width, height, err);

    if (status == MXIO_OK && (width != from.width || height != from.height))
        add_step(plan, MXIO_STEP_RESIZE, inter,
                 (struct mxio_rect){0, 0, (int)width, (int)height});
    return status;
}

void
mxio_plan_add_crop(struct mxio_plan *plan, struct mxio_rect box)
{
    const struct mxio_size from = mxio_plan_size(plan);

    if (box.width != from.width || box.height != from.height)
        add_step(plan, MXIO_STEP_CROP, MXIO_INTER_NEAREST, box);
}

/* MXNet's rule: the shorter edge, the other by integer division. */
enum mxio_status
mxio_plan_add_short_edge(struct mxio_plan *plan, const struct mxio_params *params,
                         struct mxio_rng rng, struct mxio_error *err)
{
    const int64_t cols = plan->from.width, rows = plan->from.height;
    const bool tall = rows > cols;

    if (params->resize <= 0)
        return MXIO_OK;
    const int64_t width = tall ? params->resize : params->resize * cols / rows;
    const int64_t height = tall ? params->resize * rows / cols : params->resize;
    return mxio_plan_add_resize(plan, params, width, height,
                                mxio_plan_inter(params, rng, MXIO_DRAW_INTER_RESIZE,
                                                plan->from, (double)width,
                                                (double)height),
                                err);
}

/* Whole degrees: rotate, one of rotate_list, or at random. */
static int
draw_angle(const struct mxio_params *params, struct mxio_rng rng)
{
    const size_t listed = mxio_params_rotations(params);

    if (listed > 0)
        return mxio_params_rotation(params,
                                    (size_t)mxio_rng_integer(rng, MXIO_DRAW_ANGLE, 0,
                                                             (int64_t)listed - 1));
    if (params->rotate > 0)
        return (int)params->rotate;
    return (int)mxio_rng_integer(rng, MXIO_DRAW_ANGLE, -params->max_rotate_angle,
                                 params->max_rotate_angle);
}

static float
clamp_side(const struct mxio_params *params, double side)
{
    const double most = side > params->max_img_size ? params->max_img_size : side;

    return (float)(most < params->min_img_size ? params->min_img_size : most);
}

/* MXNet's rule: rotation, shear, scale and stretch about the centre. */
static enum mxio_status
plan_warp(struct mxio_plan *plan, const struct mxio_params *params, struct mxio_rng rng,
          struct mxio_error *err)
{
    const double degree = 0.01745329251994329577;
    const struct mxio_size from = mxio_plan_size(plan);
    double low, high, scale = 1, ratio = 1;

    if (!mxio_params_is_affine(params))
        return MXIO_OK;
    mxio_params_aspect(params, &low, &high);
    const double shear =
        mxio_rng_between(rng, MXIO_DRAW_SHEAR, -params->max_shear_ratio,
                         params->max_shear_ratio);
    const int angle = draw_angle(params, rng);
    if (!params->random_resized_crop) {
        scale = mxio_rng_between(rng, MXIO_DRAW_SCALE, params->min_random_scale,
                                 params->max_random_scale);
        ratio = mxio_rng_between(rng, MXIO_DRAW_STRETCH, low, high);
    }
    const double a = mxio_cos(angle * degree), b = mxio_sin(angle * degree);
    const double hs = 2 * scale / (1 + ratio), ws = ratio * hs;
    const float width = clamp_side(params, scale * from.width);
    const float height = clamp_side(params, scale * from.height);
    const double m[4] = {hs * a - shear * b * ws, hs * b + shear * a * ws, -b * ws,
                         a * ws};
    for (int i = 0; i < 2; i++) {
        const double canvas = i == 0 ? width : height;
        plan->matrix[3 * i] = (float)m[2 * i];
        plan->matrix[3 * i + 1] = (float)m[2 * i + 1];
        plan->matrix[3 * i + 2] =
            (float)((canvas - (m[2 * i] * from.width + m[2 * i + 1] * from.height)) /
                    2);
    }
    const int to_width = width < 1 ? 1 : (int)width;
    const int to_height = height < 1 ? 1 : (int)height;
    const enum mxio_status status =
        check_size(plan, params, "transforming", to_width, to_height, err);
    enum mxio_inter inter =
        mxio_plan_inter(params, rng, MXIO_DRAW_INTER_WARP, from, to_width, to_height);
    if (inter ==
        MXIO_INTER_NEAREST) /* a random pick; asked for by name it is refused */
        inter = MXIO_INTER_LINEAR;
    if (status == MXIO_OK)
        add_step(plan, MXIO_STEP_WARP, inter,
                 (struct mxio_rect){0, 0, to_width, to_height});
    return status;
}

enum mxio_status
mxio_plan_add_border(struct mxio_plan *plan, const struct mxio_params *params,
                     int64_t left, int64_t top, int64_t right, int64_t bottom,
                     struct mxio_error *err)
{
    const struct mxio_size from = mxio_plan_size(plan);
    const int64_t width = from.width + left + right;
    const int64_t height = from.height + top + bottom;

    if (left == 0 && top == 0 && right == 0 && bottom == 0)
        return MXIO_OK;
    const enum mxio_status status =
        check_size(plan, params, "padding", width, height, err);
    if (status == MXIO_OK)
        add_step(plan, MXIO_STEP_PAD, MXIO_INTER_NEAREST,
                 (struct mxio_rect){-(int)left, -(int)top, (int)width, (int)height});
    return status;
}

/* MXNet's rule: up to ten boxes; false when none fits, or there is nothing to draw. */
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
        const double share =
            mxio_rng_between(rng, t + MXIO_DRAW_AREA, params->min_random_area,
                             params->max_random_area);
        const double area = share * size.width * size.height;
        const double ratio = mxio_rng_between(rng, t + MXIO_DRAW_RATIO, low, high);
        const bool swap = mxio_rng_integer(rng, t + MXIO_DRAW_SWAP, 0, 1) == 1;
        const double wide = round(sqrt(area * ratio)),
                     narrow = round(sqrt(area / ratio));
        const double width = swap ? narrow : wide, height = swap ? wide : narrow;
        if (width < 1 || height < 1 || width > size.width || height > size.height)
            continue;
        const int64_t right = size.width - (int64_t)width;
        const int64_t down = size.height - (int64_t)height;
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

/* A box of the given size, at random (rand_crop) or in the middle. */
static struct mxio_rect
place_box(const struct mxio_params *params, struct mxio_rng rng, struct mxio_size from,
          int width, int height)
{
    const int right = from.width - width, down = from.height - height;
    struct mxio_rect box = {right / 2, down / 2, width, height};

    if (params->rand_crop) {
        box.x = (int)mxio_rng_integer(rng, MXIO_DRAW_CROP_X, 0, right);
        box.y = (int)mxio_rng_integer(rng, MXIO_DRAW_CROP_Y, 0, down);
    }
    return box;
}

/* A box, resized to data_shape. */
static enum mxio_status
add_resized_box(struct mxio_plan *plan, const struct mxio_params *params,
                struct mxio_rng rng, struct mxio_rect box, struct mxio_error *err)
{
    const struct mxio_shape *shape = &params->data_shape;

    mxio_plan_add_crop(plan, box);
    return mxio_plan_add_resize(plan, params, shape->width, shape->height,
                                mxio_plan_inter(params, rng, MXIO_DRAW_INTER_CROP,
                                                (struct mxio_size){box.width,
                                                                   box.height},
                                                (double)shape->width,
                                                (double)shape->height),
                                err);
}

/* min_crop_size and max_crop_size: a square of random size. */
static enum mxio_status
plan_square(struct mxio_plan *plan, const struct mxio_params *params,
            struct mxio_rng rng, struct mxio_error *err)
{
    const struct mxio_size size = mxio_plan_size(plan);
    const int side =
        (int)mxio_rng_integer(rng, MXIO_DRAW_CROP_SIZE, params->min_crop_size,
                              params->max_crop_size);

    if (size.width < params->max_crop_size || size.height < params->max_crop_size)
        return mxio_fail(err, MXIO_EDATA,
                         "%d x %d pixels are smaller than max_crop_size=%lld",
                         size.width, size.height, (long long)params->max_crop_size);
    return add_resized_box(plan, params, rng, place_box(params, rng, size, side, side),
                           err);
}

/* The plain crop: enlarge what is too small, rows, then columns; then cut. */
static enum mxio_status
plan_crop(struct mxio_plan *plan, const struct mxio_params *params, struct mxio_rng rng,
          struct mxio_error *err)
{
    const int width = (int)params->data_shape.width;
    const int height = (int)params->data_shape.height;
    struct mxio_size size = mxio_plan_size(plan);
    const enum mxio_inter inter =
        mxio_plan_inter(params, rng, MXIO_DRAW_INTER_CROP, size, width, height);
    enum mxio_status status = MXIO_OK;

    if (size.height < height) {
        const int64_t cols =
            (int64_t)((float)height / (float)size.height * (float)size.width);
        status =
            mxio_plan_add_resize(plan, params, cols > 0 ? cols : 1, height, inter, err);
    }
    size = mxio_plan_size(plan);
    if (status == MXIO_OK && size.width < width) {
        const int64_t rows =
            (int64_t)((float)width / (float)size.width * (float)size.height);
        /* Rounding may take a row of those just made. */
        status = mxio_plan_add_resize(plan, params, width,
                                      rows > height ? rows : height, inter, err);
    }
    if (status == MXIO_OK)
        mxio_plan_add_crop(plan,
                           place_box(params, rng, mxio_plan_size(plan), width, height));
    return status;
}

static int
scaled(int side, double ratio)
{
    const double out = round(side * ratio);

    return out < 1 ? 1 : (int)out;
}

/* What a low resolution does to a picture: made smaller, then as large as it was. */
static enum mxio_status
plan_downscale(struct mxio_plan *plan, const struct mxio_params *params,
               struct mxio_rng rng, struct mxio_error *err)
{
    const struct mxio_size size = mxio_plan_size(plan);
    const double ratio = mxio_rng_between(rng, MXIO_DRAW_DOWNSCALE_RATIO,
                                          params->min_downscale, params->max_downscale);

    if (!mxio_rng_happens(rng, MXIO_DRAW_DOWNSCALE, params->rand_downscale_prob))
        return MXIO_OK;
    const enum mxio_status status =
        mxio_plan_add_resize(plan, params, scaled(size.width, ratio),
                             scaled(size.height, ratio), MXIO_INTER_AREA, err);
    return status != MXIO_OK
               ? status
               : mxio_plan_add_resize(plan, params, size.width, size.height,
                                      MXIO_INTER_LINEAR, err);
}

static void
plan_blur(struct mxio_plan *plan, const struct mxio_params *params, struct mxio_rng rng)
{
    const struct mxio_size size = mxio_plan_size(plan);

    if (!mxio_rng_happens(rng, MXIO_DRAW_BLUR, params->rand_blur_prob))
        return;
    add_step(plan, MXIO_STEP_BLUR, MXIO_INTER_NEAREST,
             (struct mxio_rect){0, 0, size.width, size.height});
    plan->steps[plan->step_count - 1].radius =
        (int)mxio_rng_integer(rng, MXIO_DRAW_BLUR_RADIUS, 1, params->max_blur_radius);
}

static void
draw_turn(const struct mxio_params *params, struct mxio_rng rng,
          struct mxio_color_plan *out)
{
    out->turn = mxio_rng_happens(rng, MXIO_DRAW_HSV, params->rand_hsv_prob);
    out->hue_turn = mxio_rng_between(rng, MXIO_DRAW_HSV_HUE, 0, params->max_hue_turn);
    out->saturation_gain =
        mxio_rng_between(rng, MXIO_DRAW_HSV_SATURATION, 1, params->max_saturation_gain);
    out->gray = mxio_rng_happens(rng, MXIO_DRAW_GRAY, params->rand_gray_prob);
}

/* Jitters, HLS and PCA noise, as MXNet draws them. */
static void
draw_colors(const struct mxio_params *params, struct mxio_rng rng,
            struct mxio_color_plan *out)
{
    static const enum mxio_jitter orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                                  {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    static const double axes[3][3] = {{55.46 * -.5675, 4.794 * .7192, 1.148 * .4009},
                                      {55.46 * -.5808, 4.794 * -.0045, 1.148 * -.8140},
                                      {55.46 * -.5836, 4.794 * -.6948, 1.148 * .4203}};
    const double widths[3] = {params->brightness, params->contrast, params->saturation};
    const int64_t shifts[3] = {params->random_h, params->random_l, params->random_s};
    double noise[3];

    out->jitter = widths[0] > 0 || widths[1] > 0 || widths[2] > 0;
    out->hls = shifts[0] > 0 || shifts[1] > 0 || shifts[2] > 0;
    out->noise = params->pca_noise > 0;
    const int64_t order = mxio_rng_integer(rng, MXIO_DRAW_JITTER_ORDER, 0, 5);
    for (uint32_t i = 0; i < 3; i++) {
        const double u1 = mxio_rng_unit(rng, MXIO_DRAW_HLS + 2 * i);
        const double u2 = mxio_rng_unit(rng, MXIO_DRAW_HLS + 2 * i + 1);
        out->order[i] = orders[order][i];
        out->alpha[i] = (float)(1 + mxio_rng_between(rng, MXIO_DRAW_BRIGHTNESS + i,
                                                     -widths[i], widths[i]));
        out->hls_shift[i] = (int)(((u1 + 4 * u2) / 5 * 2 - 1) * (double)shifts[i]);
        /* Away from 0, where the quantile has no value. */
        noise[i] =
            params->pca_noise *
            mxio_normal_quantile(mxio_rng_unit(rng, MXIO_DRAW_PCA + i) + 0x1p-54);
    }
    for (int c = 0; c < 3; c++)
        out->noise_shift[c] = (float)(axes[c][0] * noise[0] + axes[c][1] * noise[1] +
                                      axes[c][2] * noise[2]);
}

/* A factor and a shift of all values of an image. */
static struct mxio_tone
draw_tone(const struct mxio_params *params, struct mxio_rng rng)
{
    const double contrast = params->max_random_contrast;
    const double light = params->max_random_illumination;

    return (struct mxio_tone){(float)(1 + mxio_rng_between(rng, MXIO_DRAW_TONE_CONTRAST,
                                                           -contrast, contrast)),
                              (float)mxio_rng_between(rng, MXIO_DRAW_TONE_ILLUMINATION,
                                                      -light, light)};
}

enum mxio_status
mxio_plan_draw(const struct mxio_params *params, struct mxio_rng rng,
               struct mxio_size from, struct mxio_plan *out, struct mxio_error *err)
{
    const uint8_t fill = (uint8_t)params->fill_value;
    struct mxio_plan plan = {.from = from, .border = {fill, fill, fill, 0}};
    struct mxio_rect box;

    enum mxio_status status = mxio_plan_add_short_edge(&plan, params, rng, err);
    if (status == MXIO_OK)
        status = plan_warp(&plan, params, rng, err);
    if (status == MXIO_OK)
        status = mxio_plan_add_border(&plan, params, params->pad, params->pad,
                                      params->pad, params->pad, err);
    if (status != MXIO_OK)
        return status;
    if (params->random_resized_crop &&
        draw_resized_crop(params, rng, mxio_plan_size(&plan), &box))
        status = add_resized_box(&plan, params, rng, box, err);
    else if (params->max_crop_size != -1)
        status = plan_square(&plan, params, rng, err);
    else
        status = plan_crop(&plan, params, rng, err);
    if (status != MXIO_OK)
        return status;
    status = plan_downscale(&plan, params, rng, err);
    if (status != MXIO_OK)
        return status;
    plan_blur(&plan, params, rng);
    draw_colors(params, rng, &plan.color);
    draw_turn(params, rng, &plan.color);
    plan.color_at = plan.step_count;
    plan.mirror =
        params->mirror ||
        (params->rand_mirror && mxio_rng_integer(rng, MXIO_DRAW_MIRROR, 0, 1) == 1);
    plan.tone = draw_tone(params, rng);
    *out = plan;
    return MXIO_OK;
}
