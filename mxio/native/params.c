#include "params.h"

#include <stdlib.h>
#include <string.h>

#define NOBODY 0
#define MX 1
#define NUMPY 2
#define TORCH 4
#define DET 8
#define RAW 16
#define OWN 6
#define ALL 7
#define EVERY 15
#define REQUIRED true
#define OPTIONAL false
#define WORDS(group_, faces_, need_, name_, doc_)                                      \
    .name = #name_, .group = MXIO_##group_, .faces = (faces_), .required = (need_),    \
    .doc = (doc_)
#define COMMON(group_, faces_, need_, name_, doc_)                                     \
    WORDS(group_, faces_, need_, name_, doc_),                                         \
        .offset = offsetof(struct mxio_params, name_)

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
#define LIST(kind_, group_, faces_, need_, name_, initial_, low_, high_, doc_)         \
    {COMMON(group_, faces_, need_, name_, doc_), .kind = MXIO_##kind_,                 \
     RANGE_REAL(initial_, low_, high_)},
#define OBJECT(group_, faces_, need_, name_, doc_)                                     \
    {WORDS(group_, faces_, need_, name_, doc_), .kind = MXIO_OBJECT},
#include "params.def"
#undef NUMBER
#undef CHOICE
#undef TEXT
#undef SHAPE
#undef LIST
#undef OBJECT
};

const size_t mxio_param_count = sizeof mxio_param_table / sizeof mxio_param_table[0];

/* The sides of a JPEG have 16 bits. */
#define MAX_SIDE 65535

const struct mxio_param *
mxio_param_find(const char *name)
{
    for (size_t i = 0; i < mxio_param_count; i++)
        if (strcmp(mxio_param_table[i].name, name) == 0)
            return &mxio_param_table[i];
    return NULL;
}

const char *
mxio_param_shown(const struct mxio_param *row)
{
    return strncmp(row->name, "det_", 4) == 0 ? row->name + 4 : row->name;
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
        case MXIO_OBJECT:
            break; /* zeros: not given */
        case MXIO_INTS:
        case MXIO_REALS:
            *(struct mxio_list *)field(out, row) =
                (struct mxio_list){1, {row->initial_real}};
            break;
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
                         mxio_param_shown(row), (long long)low, (long long)high,
                         (long long)value);
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
                         mxio_param_shown(row), row->low, row->high, value);
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
        return mxio_fail(err, MXIO_EPARAM, "%s must not be None",
                         mxio_param_shown(row));
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

enum mxio_status
mxio_params_set_list(struct mxio_params *params, const struct mxio_param *row,
                     const double *values, size_t count, struct mxio_error *err)
{
    struct mxio_list *list = field(params, row);

    if (count < 1 || count > MXIO_MAX_LIST)
        return mxio_fail(err, MXIO_EPARAM, "%s must hold 1 to %d numbers, got %zu",
                         mxio_param_shown(row), MXIO_MAX_LIST, count);
    for (size_t i = 0; i < count; i++)
        if (!(values[i] >= row->low && values[i] <= row->high))
            return mxio_fail(err, MXIO_EPARAM,
                             "each number of %s must be in [%.15g, %.15g], got %.15g",
                             mxio_param_shown(row), row->low, row->high, values[i]);
    list->count = count;
    memcpy(list->values, values, count * sizeof *values);
    return MXIO_OK;
}

double
mxio_list_at(const struct mxio_list *list, size_t i)
{
    return list->values[list->count == 1 ? 0 : i];
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
    case MXIO_BFLOAT16:
        return 2;
    default:
        return 1;
    }
}

size_t
mxio_params_listed(const struct mxio_params *params)
{
    if (!params->detect)
        return (size_t)params->label_width;
    return params->det_label_width == -1 ? 0 : (size_t)params->det_label_width;
}

struct mxio_norm
mxio_params_norm(const struct mxio_params *params)
{
    struct mxio_norm norm = {{params->mean_r, params->mean_g, params->mean_b,
                              params->mean_a},
                             {params->std_r, params->std_g, params->std_b,
                              params->std_a}};
    const double det_std[4] = {params->det_std_r, params->det_std_g, params->det_std_b,
                               params->det_std_a};
    bool positive = false;

    if (!params->detect)
        return norm;
    for (int c = 0; c < 4; c++) {
        positive = positive || norm.mean[c] > 0;
        norm.std[c] = det_std[c] > 0 ? det_std[c] : 1;
    }
    for (int c = 0; c < 4 && !positive; c++)
        norm.mean[c] = 0;
    return norm;
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
