/*
 * The parameters of a loader: the struct, the table behind it, and the checks.
 *
 * Owner:   a params struct owns its texts; mxio_params_free gives them back.
 * Threads: read-only once checked.
 * Errors:  MXIO_EPARAM: the message names the parameter, its value, and what would be
 *          right.
 */
#ifndef MXIO_PARAMS_H
#define MXIO_PARAMS_H

#include "base.h"

#define MXIO_NONE                                                                      \
    INT64_MIN /* "None" in an INT; in a REAL the same number as a double */

enum mxio_kind { MXIO_INT, MXIO_REAL, MXIO_FLAG, MXIO_CHOICE, MXIO_TEXT, MXIO_SHAPE };
enum mxio_group {
    MXIO_DATASET,
    MXIO_BATCH,
    MXIO_AUGMENTATION,
    MXIO_BACKEND,
    MXIO_AUXILIARY
};

enum { MXIO_FACE_MX = 1, MXIO_FACE_NUMPY = 2, MXIO_FACE_TORCH = 4 };

/* Places in the lists of choices, in the order of params.def. */
enum { MXIO_SHARD_RECORDS, MXIO_SHARD_PARTITION };
enum { MXIO_LAST_DROP, MXIO_LAST_PAD, MXIO_LAST_PARTIAL };
enum { MXIO_FLOAT32, MXIO_FLOAT16, MXIO_UINT8, MXIO_INT8 };
enum { MXIO_NCHW, MXIO_NHWC };
enum { MXIO_LABEL_FLOAT32, MXIO_LABEL_FLOAT64, MXIO_LABEL_INT32, MXIO_LABEL_INT64 };
enum { MXIO_RAISE, MXIO_SKIP, MXIO_REPLACE };

struct mxio_shape {
    int64_t channels, height, width;
};

#define MXIO_C_INT int64_t
#define MXIO_C_REAL double
#define MXIO_C_FLAG int64_t

struct mxio_params {
#define NUMBER(kind, group, faces, need, name, initial, low, high, doc)                \
    MXIO_C_##kind name;
#define CHOICE(group, faces, need, name, initial, choices, doc) int64_t name;
#define TEXT(group, faces, need, name, initial, doc) char *name;
#define SHAPE(group, faces, need, name, doc) struct mxio_shape name;
#include "params.def"
#undef NUMBER
#undef CHOICE
#undef TEXT
#undef SHAPE
};

/* One row of params.def. Numbers use low, high, initial; CHOICE uses initial and
 * choices; TEXT uses text. */
struct mxio_param {
    const char *name;
    enum mxio_kind kind;
    enum mxio_group group;
    int faces;
    bool required;
    double low, high; /* of a REAL */
    double initial_real;
    int64_t int_low, int_high; /* of an INT or FLAG */
    int64_t initial;
    const char *choices; /* "first|second" */
    const char *text;
    const char *doc;
    size_t offset; /* in struct mxio_params */
};

extern const struct mxio_param mxio_param_table[];
extern const size_t mxio_param_count;

/* NULL when there is none of that name. */
const struct mxio_param *
mxio_param_find(const char *name);

/* Every parameter at its default; texts are copied. */
MXIO_MUST_USE enum mxio_status
mxio_params_init(struct mxio_params *out, struct mxio_error *err);

void
mxio_params_free(struct mxio_params *params);

/* Set one value of the row's kind; the range is checked at once. */
MXIO_MUST_USE enum mxio_status
mxio_params_set_int(struct mxio_params *params, const struct mxio_param *row,
                    int64_t value, struct mxio_error *err);
MXIO_MUST_USE enum mxio_status
mxio_params_set_real(struct mxio_params *params, const struct mxio_param *row,
                     double value, struct mxio_error *err);
/* "None", where that is the default. */
MXIO_MUST_USE enum mxio_status
mxio_params_set_none(struct mxio_params *params, const struct mxio_param *row,
                     struct mxio_error *err);
MXIO_MUST_USE enum mxio_status
mxio_params_set_text(struct mxio_params *params, const struct mxio_param *row,
                     const char *value, struct mxio_error *err);
MXIO_MUST_USE enum mxio_status
mxio_params_set_shape(struct mxio_params *params, const struct mxio_param *row,
                      struct mxio_shape value, struct mxio_error *err);

/* What must hold between parameters. */
MXIO_MUST_USE enum mxio_status
mxio_params_check(const struct mxio_params *params, struct mxio_error *err);

/* Values of a sample, and bytes of a value of its dtype. */
size_t
mxio_params_sample_values(const struct mxio_params *params);
size_t
mxio_params_value_size(const struct mxio_params *params);

/* True when one of the parameters of the affine step asks for it. */
bool
mxio_params_is_affine(const struct mxio_params *params);

/* Angles in rotate_list, and number i of them; checked. */
size_t
mxio_params_rotations(const struct mxio_params *params);
int
mxio_params_rotation(const struct mxio_params *params, size_t i);

/* The range of aspect ratios that max_aspect_ratio and min_aspect_ratio stand for. */
void
mxio_params_aspect(const struct mxio_params *params, double *low, double *high);

#endif
