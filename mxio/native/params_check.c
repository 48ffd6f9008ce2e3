/* The part of params.h that says what must hold between parameters. */
#include "params.h"

#include <stdlib.h>

/* A batch is bounded by what one allocation may sensibly be. */
#define MAX_BATCH_BYTES ((size_t)1 << 40)

/* Whole numbers in [-360, 360], separated by commas. */
static enum mxio_status
check_rotations(const struct mxio_params *params, struct mxio_error *err)
{
    const char *p = params->rotate_list;

    for (bool more = *p != '\0'; more; p++) {
        char *end;
        const long angle = strtol(p, &end, 10);
        if (end == p || (*end != ',' && *end != '\0') || angle < -360 || angle > 360)
            return mxio_fail(
                err, MXIO_EPARAM,
                "rotate_list must hold whole degrees in [-360, 360] separated by commas, got '%s'",
                params->rotate_list);
        more = *end == ',';
        p = end;
    }
    return MXIO_OK;
}

static enum mxio_status
check_ranges(const struct mxio_params *params, struct mxio_error *err)
{
    double low, high;

    mxio_params_aspect(params, &low, &high);
    if (params->min_random_area > params->max_random_area)
        return mxio_fail(err, MXIO_EPARAM,
                         "min_random_area=%g is above max_random_area=%g",
                         params->min_random_area, params->max_random_area);
    if (params->max_random_area <= 0)
        return mxio_fail(err, MXIO_EPARAM, "max_random_area must be above 0, got %g",
                         params->max_random_area);
    if (params->min_random_scale > params->max_random_scale)
        return mxio_fail(err, MXIO_EPARAM,
                         "min_random_scale=%g is above max_random_scale=%g",
                         params->min_random_scale, params->max_random_scale);
    if (params->min_downscale > params->max_downscale)
        return mxio_fail(err, MXIO_EPARAM, "min_downscale=%g is above max_downscale=%g",
                         params->min_downscale, params->max_downscale);
    if (params->min_img_size > params->max_img_size)
        return mxio_fail(err, MXIO_EPARAM, "min_img_size=%g is above max_img_size=%g",
                         params->min_img_size, params->max_img_size);
    if (low > high)
        return mxio_fail(err, MXIO_EPARAM,
                         "min_aspect_ratio=%g is above max_aspect_ratio=%g", low, high);
    if (low <= 0)
        return mxio_fail(err, MXIO_EPARAM,
                         "the smallest aspect ratio must be above 0, got %g "
                         "(min_aspect_ratio, or 1 - max_aspect_ratio)",
                         low);
    return MXIO_OK;
}

static enum mxio_status
check_crop(const struct mxio_params *params, struct mxio_error *err)
{
    const bool area = params->min_random_area != 1 || params->max_random_area != 1;
    const bool square = params->max_crop_size != -1 || params->min_crop_size != -1;

    if (area && !params->random_resized_crop)
        return mxio_fail(
            err, MXIO_EPARAM,
            "min_random_area and max_random_area need random_resized_crop=True");
    if (params->random_resized_crop &&
        (params->rand_crop || square || params->min_random_scale != 1 ||
         params->max_random_scale != 1))
        return mxio_fail(err, MXIO_EPARAM,
                         "random_resized_crop=True excludes rand_crop, min_crop_size, "
                         "max_crop_size, min_random_scale and max_random_scale");
    if (square &&
        (params->min_crop_size < 1 || params->max_crop_size < params->min_crop_size))
        return mxio_fail(err, MXIO_EPARAM,
                         "min_crop_size and max_crop_size go together, "
                         "1 <= min_crop_size <= max_crop_size, got %lld and %lld",
                         (long long)params->min_crop_size,
                         (long long)params->max_crop_size);
    if (params->inter_method >= 5 && params->inter_method <= 8)
        return mxio_fail(err, MXIO_EPARAM,
                         "inter_method must be 0, 1, 2, 3, 4, 9 or 10, got %lld",
                         (long long)params->inter_method);
    if (params->inter_method == 0 && mxio_params_is_affine(params))
        return mxio_fail(
            err, MXIO_EPARAM,
            "inter_method=0 cannot rotate, shear, scale or stretch: use 1");
    return check_rotations(params, err);
}

static enum mxio_status
check_color(const struct mxio_params *params, struct mxio_error *err)
{
    const bool colorful = params->saturation > 0 || params->random_h > 0 ||
                          params->random_s > 0 || params->pca_noise > 0;

    if (colorful && params->data_shape.channels == 1)
        return mxio_fail(err, MXIO_EPARAM,
                         "saturation, random_h, random_s and pca_noise need 3 or 4 "
                         "channels, data_shape asks for 1");
    return MXIO_OK;
}

static enum mxio_status
check_normalisation(const struct mxio_params *params, struct mxio_error *err)
{
    const struct mxio_norm norm = mxio_params_norm(params);
    /* Of ImageDetRecordIter contrast and illumination change pixels. */
    const bool tone = !params->detect && (params->max_random_contrast != 0 ||
                                          params->max_random_illumination != 0);
    bool mean = params->mean_img[0] != '\0', factor = params->scale != 1 || tone;

    for (int c = 0; c < 4; c++) {
        mean = mean || norm.mean[c] != 0;
        factor = factor || norm.std[c] != 1;
    }
    if (params->dtype == MXIO_UINT8 && (mean || factor))
        return mxio_fail(
            err, MXIO_EPARAM,
            "dtype='uint8' takes the pixels as they are: leave out mean, std, scale, max_random_contrast and max_random_illumination, or ask for float32");
    if (params->dtype == MXIO_INT8 && factor)
        return mxio_fail(
            err, MXIO_EPARAM,
            "dtype='int8' takes only a mean: leave out std, scale, max_random_contrast and max_random_illumination, or ask for float32");
    return MXIO_OK;
}

/* Of a number that a pair of lists has for each sampler, the first at most the second. */
static enum mxio_status
check_samplers(const struct mxio_params *params, struct mxio_error *err)
{
    const struct {
        const char *name; /* behind min_crop_ and max_crop_ */
        const struct mxio_list *low, *high;
    } pairs[] = {{"scales", &params->min_crop_scales, &params->max_crop_scales},
                 {"aspect_ratios", &params->min_crop_aspect_ratios,
                  &params->max_crop_aspect_ratios},
                 {"overlaps", &params->min_crop_overlaps, &params->max_crop_overlaps},
                 {"sample_coverages", &params->min_crop_sample_coverages,
                  &params->max_crop_sample_coverages},
                 {"object_coverages", &params->min_crop_object_coverages,
                  &params->max_crop_object_coverages}};
    const size_t samplers = (size_t)params->num_crop_sampler;

    for (size_t p = 0; p < sizeof pairs / sizeof pairs[0]; p++) {
        const struct mxio_list *lists[2] = {pairs[p].low, pairs[p].high};
        for (int i = 0; i < 2; i++)
            if (lists[i]->count != 1 && lists[i]->count != samplers)
                return mxio_fail(
                    err, MXIO_EPARAM,
                    "%s_crop_%s must hold 1 number or num_crop_sampler=%zu, got %zu",
                    i == 0 ? "min" : "max", pairs[p].name, samplers, lists[i]->count);
        for (size_t i = 0; i < samplers; i++)
            if (mxio_list_at(lists[0], i) > mxio_list_at(lists[1], i))
                return mxio_fail(err, MXIO_EPARAM,
                                 "min_crop_%s=%g is above max_crop_%s=%g",
                                 pairs[p].name, mxio_list_at(lists[0], i),
                                 pairs[p].name, mxio_list_at(lists[1], i));
    }
    if (params->max_crop_trials.count != 1 && params->max_crop_trials.count != samplers)
        return mxio_fail(
            err, MXIO_EPARAM,
            "max_crop_trials must hold 1 number or num_crop_sampler=%zu, got %zu",
            samplers, params->max_crop_trials.count);
    return MXIO_OK;
}

/* What only ImageDetRecordIter has. */
static enum mxio_status
check_detection(const struct mxio_params *params, struct mxio_error *err)
{
    const double stds[4] = {params->det_std_r, params->det_std_g, params->det_std_b,
                            params->det_std_a};
    const bool colorful =
        (params->random_hue_prob > 0 && params->max_random_hue > 0) ||
        (params->random_saturation_prob > 0 && params->max_random_saturation > 0);

    if (params->det_label_width != -1 && params->det_label_width < MXIO_LEAST_BOXES)
        return mxio_fail(
            err, MXIO_EPARAM,
            "label_width must be -1, labels of any width, or at least %d, got %lld",
            MXIO_LEAST_BOXES, (long long)params->det_label_width);
    for (int c = 0; c < 4; c++)
        if (stds[c] > 0 && stds[c] < 1e-12)
            return mxio_fail(
                err, MXIO_EPARAM,
                "std_%c must be 0, which divides nothing, or at least 1e-12, got %g",
                "rgba"[c], stds[c]);
    if (colorful && params->data_shape.channels == 1)
        return mxio_fail(err, MXIO_EPARAM,
                         "max_random_hue and max_random_saturation need 3 or 4 "
                         "channels, data_shape asks for 1");
    return check_samplers(params, err);
}

enum mxio_status
mxio_params_check(const struct mxio_params *params, struct mxio_error *err)
{
    size_t bytes;

    if (params->path_imgrec[0] == '\0')
        return mxio_fail(err, MXIO_EPARAM,
                         "path_imgrec must name a RecordIO file, got ''");
    if (params->data_shape.channels == 0)
        return mxio_fail(err, MXIO_EPARAM,
                         "data_shape must be given: (channels, height, width)");
    if (params->batch_size == 0)
        return mxio_fail(err, MXIO_EPARAM,
                         "batch_size must be given: samples in a batch, at least 1");
    if (!mxio_multiply(mxio_params_sample_values(params) *
                           mxio_params_value_size(params),
                       (size_t)params->batch_size, &bytes) ||
        bytes > MAX_BATCH_BYTES)
        return mxio_fail(err, MXIO_EPARAM,
                         "batch_size=%lld of this data_shape is more than 2^40 bytes",
                         (long long)params->batch_size);
    if (params->part_index >= params->num_parts)
        return mxio_fail(
            err, MXIO_EPARAM,
            "part_index must be in [0, num_parts - 1] = [0, %lld], got %lld",
            (long long)params->num_parts - 1, (long long)params->part_index);
    const int64_t world = params->world_size == MXIO_NONE ? 1 : params->world_size;
    const int64_t rank = params->rank == MXIO_NONE ? 0 : params->rank;
    if (rank >= world)
        return mxio_fail(err, MXIO_EPARAM,
                         "rank must be in [0, world_size - 1] = [0, %lld], got %lld",
                         (long long)world - 1, (long long)rank);
    if (world > 1 && params->on_error == MXIO_SKIP)
        return mxio_fail(
            err, MXIO_EPARAM,
            "on_error='skip' would give the ranks unequal counts: use 'replace' with world_size=%lld",
            (long long)world);
    enum mxio_status status = check_ranges(params, err);
    if (status == MXIO_OK)
        status = check_crop(params, err);
    if (status == MXIO_OK)
        status = check_color(params, err);
    if (status == MXIO_OK)
        status = check_detection(params, err);
    return status == MXIO_OK ? check_normalisation(params, err) : status;
}
