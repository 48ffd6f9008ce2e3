#include "params.h"

#include <stdlib.h>
#include <string.h>

#define ALL 7
#define OWN 6
#define MX 1
#define NUMPY 2
#define TORCH 4
#define REQUIRED true
#define OPTIONAL false
#define COMMON(group_, faces_, need_, name_, doc_)                                     \
    .name = #name_, .group = MXIO_##group_, .faces = (faces_), .required = (need_),    \
    .doc = (doc_), .offset = offsetof(struct mxio_params, name_)

/* A REAL's bounds are doubles, an INT's must keep all 64 bits. */
#define RANGE_INT(initial_, low_, high_)                                               \
    .initial = (initial_), .int_low = (low_), .int_high = (high_)
#define RANGE_FLAG RANGE_INT
#define RANGE_REAL(initial_, low_, high_)                                              \
    .initial_real = (double)(initial_), .low = (low_), .high = (high_)

const struct mxio_param mxio_param_table[] = {
#define NUMBER(kind_, group_, faces_, need_, name_, initial_, low_, high_, doc_)       \
    {COMMON(group_, faces_, need_, name_, doc_), .kind = MXIO_##kind_,                 \
     RANGE_##kind_(initial_, low_, high_)},
#define CHOICE(group_, faces_, need_, name_, initial_, choices_, doc_)                 \
    {COMMON(group_, faces_, need_, name_, doc_), .kind = MXIO_CHOICE,                  \
     .initial = (initial_), .choices = (choices_)},
#define TEXT(group_, faces_, need_, name_, initial_, doc_)                             \
    {COMMON(group_, faces_, need_, name_, doc_), .kind = MXIO_TEXT, .text = (initial_)},
#define SHAPE(group_, faces_, need_, name_, doc_)                                      \
    {COMMON(group_, faces_, need_, name_, doc_), .kind = MXIO_SHAPE},
#include "params.def"
#undef NUMBER
#undef CHOICE
#undef TEXT
#undef SHAPE
};

const size_t mxio_param_count = sizeof mxio_param_table / sizeof mxio_param_table[0];

/* The sides of a JPEG have 16 bits; a batch is bounded by what one allocation may
 * sensibly be. */
#define MAX_SIDE 65535
#define MAX_BATCH_BYTES ((size_t)1 << 40)

const struct mxio_param *
mxio_param_find(const char *name)
{
    for (size_t i = 0; i < mxio_param_count; i++)
        if (strcmp(mxio_param_table[i].name, name) == 0)
            return &mxio_param_table[i];
    return NULL;
}

static void *
field(struct mxio_params *params, const struct mxio_param *row)
{
    return (char *)params + row->offset;
}

enum mxio_status
mxio_params_set_text(struct mxio_params *params, const struct mxio_param *row,
                     const char *value, struct mxio_error *err)
{
    char **place = field(params, row);
    const size_t size = strlen(value) + 1;
    char *copy = mxio_alloc(size);

    if (copy == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for the text of %s", row->name);
    memcpy(copy, value, size);
    mxio_free(*place);
    *place = copy;
    return MXIO_OK;
}

enum mxio_status
mxio_params_init(struct mxio_params *out, struct mxio_error *err)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < mxio_param_count; i++) {
        const struct mxio_param *row = &mxio_param_table[i];
        enum mxio_status status = MXIO_OK;
        switch (row->kind) {
        case MXIO_INT:
        case MXIO_FLAG:
        case MXIO_CHOICE:
            *(int64_t *)field(out, row) = row->initial;
            break;
        case MXIO_REAL:
            *(double *)field(out, row) = row->initial_real;
            break;
        case MXIO_TEXT:
            status = mxio_params_set_text(out, row, row->text, err);
            break;
        case MXIO_SHAPE:
            break; /* zeros: not given */
        }
        if (status != MXIO_OK) {
            mxio_params_free(out);
            return status;
        }
    }
    return MXIO_OK;
}

void
mxio_params_free(struct mxio_params *params)
{
    for (size_t i = 0; i < mxio_param_count; i++)
        if (mxio_param_table[i].kind == MXIO_TEXT) {
            char **place = field(params, &mxio_param_table[i]);
            mxio_free(*place);
            *place = NULL;
        }
}

static int64_t
choice_count(const char *choices)
{
    int64_t count = 1;

    for (const char *p = choices; *p != '\0'; p++)
        count += *p == '|';
    return count;
}

enum mxio_status
mxio_params_set_int(struct mxio_params *params, const struct mxio_param *row,
                    int64_t value, struct mxio_error *err)
{
    const bool choice = row->kind == MXIO_CHOICE;
    const int64_t low = choice ? 0 : row->int_low;
    const int64_t high = choice ? choice_count(row->choices) - 1 : row->int_high;

    if (value < low || value > high)
        return mxio_fail(err, MXIO_EPARAM, "%s must be in [%lld, %lld], got %lld",
                         row->name, (long long)low, (long long)high, (long long)value);
    *(int64_t *)field(params, row) = value;
    return MXIO_OK;
}

enum mxio_status
mxio_params_set_real(struct mxio_params *params, const struct mxio_param *row,
                     double value, struct mxio_error *err)
{
    /* Written so that NaN fails. */
    if (!(value >= row->low && value <= row->high))
        return mxio_fail(err, MXIO_EPARAM, "%s must be in [%.15g, %.15g], got %.15g",
                         row->name, row->low, row->high, value);
    *(double *)field(params, row) = value;
    return MXIO_OK;
}

enum mxio_status
mxio_params_set_none(struct mxio_params *params, const struct mxio_param *row,
                     struct mxio_error *err)
{
    const bool real = row->kind == MXIO_REAL;

    if (real && row->initial_real == (double)MXIO_NONE)
        *(double *)field(params, row) = row->initial_real;
    else if (row->kind == MXIO_INT && row->initial == MXIO_NONE)
        *(int64_t *)field(params, row) = MXIO_NONE;
    else
        return mxio_fail(err, MXIO_EPARAM, "%s must not be None", row->name);
    return MXIO_OK;
}

enum mxio_status
mxio_params_set_shape(struct mxio_params *params, const struct mxio_param *row,
                      struct mxio_shape value, struct mxio_error *err)
{
    if (value.channels != 1 && value.channels != 3 && value.channels != 4)
        return mxio_fail(
            err, MXIO_EPARAM,
            "%s must be (channels, height, width) with 1, 3 or 4 channels, got (%lld, %lld, %lld)",
            row->name, (long long)value.channels, (long long)value.height,
            (long long)value.width);
    if (value.height < 1 || value.height > MAX_SIDE || value.width < 1 ||
        value.width > MAX_SIDE)
        return mxio_fail(
            err, MXIO_EPARAM,
            "height and width of %s must be in [1, %d], got (%lld, %lld, %lld)",
            row->name, MAX_SIDE, (long long)value.channels, (long long)value.height,
            (long long)value.width);
    *(struct mxio_shape *)field(params, row) = value;
    return MXIO_OK;
}

size_t
mxio_params_sample_values(const struct mxio_params *params)
{
    const struct mxio_shape *shape = &params->data_shape;

    return (size_t)shape->channels * (size_t)shape->height * (size_t)shape->width;
}

size_t
mxio_params_value_size(const struct mxio_params *params)
{
    switch (params->dtype) {
    case MXIO_FLOAT32:
        return 4;
    case MXIO_FLOAT16:
        return 2;
    default:
        return 1;
    }
}

void
mxio_params_aspect(const struct mxio_params *params, double *low, double *high)
{
    const bool given = params->min_aspect_ratio != (double)MXIO_NONE;

    *low = given ? params->min_aspect_ratio : 1 - params->max_aspect_ratio;
    *high = given ? params->max_aspect_ratio : 1 + params->max_aspect_ratio;
}

bool
mxio_params_is_affine(const struct mxio_params *params)
{
    double low, high;

    mxio_params_aspect(params, &low, &high);
    return params->max_rotate_angle > 0 || params->max_shear_ratio > 0 ||
           params->rotate > 0 || params->rotate_list[0] != '\0' ||
           params->max_random_scale != 1 || params->min_random_scale != 1 ||
           (!params->random_resized_crop && (low != 1 || high != 1)) ||
           params->max_img_size != 1e10 || params->min_img_size != 0;
}

size_t
mxio_params_rotations(const struct mxio_params *params)
{
    size_t count = params->rotate_list[0] != '\0';

    for (const char *p = params->rotate_list; *p != '\0'; p++)
        count += *p == ',';
    return count;
}

int
mxio_params_rotation(const struct mxio_params *params, size_t i)
{
    const char *p = params->rotate_list;

    for (; i > 0; i--)
        p = strchr(p, ',') + 1;
    return (int)strtol(p, NULL, 10);
}

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
    if (params->min_img_size > params->max_img_size)
        return mxio_fail(err, MXIO_EPARAM, "min_img_size=%g is above max_img_size=%g",
                         params->min_img_size, params->max_img_size);
    if (low > high)
        return mxio_fail(err, MXIO_EPARAM,
                         "min_aspect_ratio=%g is above max_aspect_ratio=%g", low, high);
    if (low <= 0 && (low != high || high != 1))
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
    const bool mean = params->mean_r != 0 || params->mean_g != 0 ||
                      params->mean_b != 0 || params->mean_a != 0 ||
                      params->mean_img[0] != '\0';
    const bool factor = params->std_r != 1 || params->std_g != 1 ||
                        params->std_b != 1 || params->std_a != 1 ||
                        params->scale != 1 || params->max_random_contrast != 0 ||
                        params->max_random_illumination != 0;

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
    return status == MXIO_OK ? check_normalisation(params, err) : status;
}
