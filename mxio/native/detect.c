#include "detect.h"

#include <math.h>

/* Ratios of sides below this add no border; MXNet's number. */
#define LEAST_PAD 1.05
/* Keeps the sides of a crop apart from 0; MXNet's number. */
#define LEAST_SCALE 1e-12

static const struct mxio_box whole = {0, 0, 1, 1};

static void
draw_colors(const struct mxio_params *params, struct mxio_rng rng,
            struct mxio_color_plan *out)
{
    const double shares[4] = {params->random_hue_prob, params->random_illumination_prob,
                              params->random_saturation_prob,
                              params->random_contrast_prob};
    const double most[4] = {(double)params->max_random_hue,
                            params->max_random_illumination,
                            (double)params->max_random_saturation,
                            params->max_random_contrast};
    static const uint32_t draws[4] = {MXIO_DRAW_DET_HUE, MXIO_DRAW_DET_LIGHTNESS,
                                      MXIO_DRAW_DET_SATURATION, MXIO_DRAW_DET_CONTRAST};
    double change[4];

    for (uint32_t i = 0; i < 4; i++) {
        const bool kept =
            mxio_rng_happens(rng, MXIO_DRAW_DET_COLOR_COIN + i, shares[i]);
        change[i] = kept ? mxio_rng_between(rng, draws[i], -most[i], most[i]) : 0;
    }
    for (int i = 0; i < 3; i++) {
        out->hls_shift[i] = (int)change[i];
        out->hls = out->hls || out->hls_shift[i] != 0;
    }
    out->gain = fabs(change[3]) > 1e-3;
    out->gain_factor = (float)(1 + change[3]);
}

/* ---- pad ---- */

static enum mxio_status
plan_pad(const struct mxio_params *params, struct mxio_rng rng,
         struct mxio_detection *out, struct mxio_error *err)
{
    const struct mxio_size size = mxio_plan_size(&out->plan);
    const double scale =
        mxio_rng_between(rng, MXIO_DRAW_DET_PAD_SCALE, 1, params->max_pad_scale);
    const double x = mxio_rng_between(rng, MXIO_DRAW_DET_PAD_X, 0, scale - 1);
    const double y = mxio_rng_between(rng, MXIO_DRAW_DET_PAD_Y, 0, scale - 1);

    if (scale < LEAST_PAD ||
        !mxio_rng_happens(rng, MXIO_DRAW_DET_PAD, params->rand_pad_prob))
        return MXIO_OK;
    out->pad = (struct mxio_box){(float)-x, (float)-y, (float)scale, (float)scale};
    const int64_t left = (int64_t)(x * size.width);
    const int64_t right = (int64_t)((scale - x - 1) * size.width);
    return mxio_plan_add_border(&out->plan, params, out->plan.mirror ? right : left,
                                (int64_t)(y * size.height),
                                out->plan.mirror ? left : right,
                                (int64_t)((scale - y - 1) * size.height), err);
}

/* ---- crop ---- */

struct interval {
    double low, high;
};

struct sampler {
    struct interval scale, ratio, overlap, sample_coverage, object_coverage;
    size_t trials;
};

static struct interval
interval_at(const struct mxio_list *low, const struct mxio_list *high, size_t i)
{
    return (struct interval){mxio_list_at(low, i), mxio_list_at(high, i)};
}

static struct sampler
sampler_at(const struct mxio_params *params, size_t i)
{
    return (struct sampler){
        .scale = interval_at(&params->min_crop_scales, &params->max_crop_scales, i),
        .ratio = interval_at(&params->min_crop_aspect_ratios,
                             &params->max_crop_aspect_ratios, i),
        .overlap =
            interval_at(&params->min_crop_overlaps, &params->max_crop_overlaps, i),
        .sample_coverage = interval_at(&params->min_crop_sample_coverages,
                                       &params->max_crop_sample_coverages, i),
        .object_coverage = interval_at(&params->min_crop_object_coverages,
                                       &params->max_crop_object_coverages, i),
        .trials = (size_t)mxio_list_at(&params->max_crop_trials, i)};
}

/* `aspect` is width by height of the image. */
static struct mxio_box
propose(const struct sampler *sampler, struct mxio_rng rng, uint32_t t, double aspect)
{
    const double scale =
        LEAST_SCALE + mxio_rng_between(rng, t + MXIO_DRAW_DET_CROP_SCALE,
                                       sampler->scale.low, sampler->scale.high);
    const double area = scale * scale;
    const double low = fmax(sampler->ratio.low / aspect, area);
    const double high = fmin(sampler->ratio.high / aspect, 1 / area);
    /* low may be above high: then the limits of the image win over those asked for. */
    const double ratio =
        sqrt(mxio_rng_between(rng, t + MXIO_DRAW_DET_CROP_RATIO, low, high));
    const double width = fmin(1, scale * ratio), height = fmin(1, scale / ratio);

    return (struct mxio_box){(float)mxio_rng_between(rng, t + MXIO_DRAW_DET_CROP_X, 0,
                                                     1 - width),
                             (float)mxio_rng_between(rng, t + MXIO_DRAW_DET_CROP_Y, 0,
                                                     1 - height),
                             (float)width, (float)height};
}

static struct mxio_box
box_of(const float *object)
{
    return (struct mxio_box){object[1], object[2], object[3] - object[1],
                             object[4] - object[2]};
}

static double
area_of(struct mxio_box box)
{
    return (double)box.width * box.height;
}

static double
intersection(struct mxio_box a, struct mxio_box b)
{
    const float width = fminf(a.x + a.width, b.x + b.width) - fmaxf(a.x, b.x);
    const float height = fminf(a.y + a.height, b.y + b.height) - fmaxf(a.y, b.y);

    return width > 0 && height > 0 ? (double)width * height : 0;
}

/* Of [0, 1] everything is inside, also what is no number. */
static bool
is_inside(struct interval interval, double share)
{
    if (interval.low <= 0 && interval.high >= 1)
        return true;
    return share >= interval.low && share <= interval.high;
}

static bool
satisfies(const struct sampler *sampler, struct mxio_box crop, const float *object)
{
    const struct mxio_box box = box_of(object);
    const double common = intersection(crop, box);

    return is_inside(sampler->overlap,
                     common / (area_of(crop) + area_of(box) - common)) &&
           is_inside(sampler->sample_coverage, common / area_of(crop)) &&
           is_inside(sampler->object_coverage, common / area_of(box));
}

struct emission {
    bool overlap; /* else by the centre */
    double share;
    struct mxio_box crop;
};

static bool
is_kept(const float *object, const void *context)
{
    const struct emission *by = context;
    const struct mxio_box box = box_of(object);
    const float x = (object[1] + object[3]) / 2, y = (object[2] + object[4]) / 2;

    if (by->overlap)
        return intersection(by->crop, box) / area_of(box) > by->share;
    return x >= by->crop.x && x < by->crop.x + by->crop.width && y >= by->crop.y &&
           y < by->crop.y + by->crop.height;
}

/* Some object satisfies the sampler, and some object is kept; or there is none. */
static bool
is_good(const struct sampler *sampler, const struct emission *by,
        const struct mxio_detlabel *label)
{
    bool satisfied = label->count == 0, kept = label->count == 0;

    for (size_t i = 0; i < label->count && !(satisfied && kept); i++) {
        const float *object = mxio_detlabel_object(label, i);
        satisfied = satisfied || satisfies(sampler, by->crop, object);
        kept = kept || is_kept(object, by);
    }
    return satisfied && kept;
}

/* The samplers in random order. */
static void
shuffle_samplers(struct mxio_rng rng, size_t count, size_t order[MXIO_MAX_LIST])
{
    for (size_t i = 0; i < count; i++) {
        const uint32_t draw = MXIO_DRAW_DET_SAMPLER + (uint32_t)i * MXIO_DRAW_TRY;
        const size_t at = (size_t)mxio_rng_integer(rng, draw, 0, (int64_t)i);
        order[i] = order[at];
        order[at] = i;
    }
}

/* The first good crop, and the label in it; false when there is none. */
static bool
draw_crop(const struct mxio_params *params, struct mxio_rng rng, struct mxio_size size,
          struct mxio_detlabel *label, struct mxio_box *out)
{
    const double aspect = (double)size.width / size.height;
    const size_t count = (size_t)params->num_crop_sampler;
    struct emission by = {params->crop_emit_mode == MXIO_EMIT_OVERLAP,
                          params->emit_overlap_thresh, whole};
    size_t order[MXIO_MAX_LIST];
    uint32_t tries = 0;

    shuffle_samplers(rng, count, order);
    for (size_t i = 0; i < count; i++) {
        const struct sampler sampler = sampler_at(params, order[i]);
        for (size_t trial = 0; trial < sampler.trials; trial++, tries++) {
            by.crop = propose(&sampler, rng, tries * MXIO_DRAW_TRY, aspect);
            if (!is_good(&sampler, &by, label))
                continue;
            mxio_detlabel_keep(label, is_kept, &by);
            mxio_detlabel_project(label, by.crop);
            *out = by.crop;
            return true;
        }
    }
    return false;
}

/* Pixels from a share on, at least one, all inside. */
static void
pixels_of(float at, float length, int side, int *first, int *count)
{
    *first = (int)(at * (float)side);
    *count = (int)(length * (float)side);
    if (*first > side - 1)
        *first = side - 1;
    if (*count < 1)
        *count = 1;
    if (*count > side - *first)
        *count = side - *first;
}

static void
add_crop(struct mxio_plan *plan, struct mxio_box crop)
{
    const struct mxio_size size = mxio_plan_size(plan);
    struct mxio_rect box;

    pixels_of(crop.x, crop.width, size.width, &box.x, &box.width);
    pixels_of(crop.y, crop.height, size.height, &box.y, &box.height);
    if (plan->mirror)
        box.x = size.width - box.x - box.width;
    mxio_plan_add_crop(plan, box);
}

/* ---- fit ---- */

/* MXNet fits the mirrored picture; here it is mirrored when it is emitted. */
static enum mxio_inter
inter_before_mirror(enum mxio_inter inter)
{
    switch (inter) {
    case MXIO_INTER_NEAREST:
        return MXIO_INTER_NEAREST_MIRRORED;
    case MXIO_INTER_AREA:
        return MXIO_INTER_AREA_MIRRORED;
    default:
        return inter;
    }
}

static enum mxio_status
plan_fit(const struct mxio_params *params, struct mxio_rng rng,
         struct mxio_detection *out, struct mxio_error *err)
{
    const struct mxio_size size = mxio_plan_size(&out->plan);
    int width = (int)params->data_shape.width, height = (int)params->data_shape.height;
    const float ratio =
        fminf((float)height / (float)size.height, (float)width / (float)size.width);

    if (params->resize_mode == MXIO_SHRINK && ratio >= 1) {
        width = size.width;
        height = size.height;
    } else if (params->resize_mode != MXIO_FORCE) {
        width = (int)fmaxf(1, ratio * (float)size.width);
        height = (int)fmaxf(1, ratio * (float)size.height);
    }
    const enum mxio_inter inter =
        mxio_plan_inter(params, rng, MXIO_DRAW_DET_INTER, size, width, height);
    const enum mxio_status status =
        mxio_plan_add_resize(&out->plan, params, width, height,
                             out->plan.mirror ? inter_before_mirror(inter) : inter,
                             err);
    if (status != MXIO_OK)
        return status;
    out->shown = (struct mxio_size){width, height};
    const int right = (int)params->data_shape.width - width;
    return mxio_plan_add_border(&out->plan, params, out->plan.mirror ? right : 0, 0,
                                out->plan.mirror ? 0 : right,
                                (int)params->data_shape.height - height, err);
}

enum mxio_status
mxio_detect_draw(const struct mxio_params *params, struct mxio_rng rng,
                 struct mxio_size from, struct mxio_detlabel *label,
                 struct mxio_detection *out, struct mxio_error *err)
{
    const uint8_t fill = (uint8_t)params->det_fill_value;
    struct mxio_plan *plan = &out->plan;

    *out = (struct mxio_detection){.plan = {.from = from,
                                            .border = {fill, fill, fill, 0},
                                            .tone = {1, 0}},
                                   .pad = whole,
                                   .crop = whole};
    enum mxio_status status = mxio_plan_add_short_edge(plan, params, rng, err);
    if (status != MXIO_OK)
        return status;
    draw_colors(params, rng, &plan->color);
    plan->color_at = plan->step_count;
    plan->mirror =
        mxio_rng_happens(rng, MXIO_DRAW_DET_MIRROR, params->rand_mirror_prob);
    if (plan->mirror)
        mxio_detlabel_mirror(label);
    status = plan_pad(params, rng, out, err);
    if (status != MXIO_OK)
        return status;
    if (out->pad.width > 1)
        mxio_detlabel_project(label, out->pad);
    if (mxio_rng_happens(rng, MXIO_DRAW_DET_CROP, params->rand_crop_prob) &&
        draw_crop(params, rng, mxio_plan_size(plan), label, &out->crop))
        add_crop(plan, out->crop);
    return plan_fit(params, rng, out, err);
}
