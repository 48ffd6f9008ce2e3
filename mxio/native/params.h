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

enum mxio_kind {
    MXIO_INT,
    MXIO_REAL,
    MXIO_FLAG,
    MXIO_CHOICE,
    MXIO_TEXT,
    MXIO_SHAPE,
    MXIO_INTS,
    MXIO_REALS,
    MXIO_OBJECT /* only in the table: the face makes use of it */
};
enum mxio_group {
    MXIO_DATASET,
    MXIO_BATCH,
    MXIO_AUGMENTATION,
    MXIO_BACKEND,
    MXIO_AUXILIARY
};

enum {
    MXIO_FACE_MX = 1,
    MXIO_FACE_NUMPY = 2,
    MXIO_FACE_TORCH = 4,
    MXIO_FACE_DET = 8,
    MXIO_FACE_RAW = 16
};

/* Places in the lists of choices, in the order of params.def. */
enum { MXIO_SHARD_RECORDS, MXIO_SHARD_PARTITION };
enum { MXIO_RECORDS_AUTO, MXIO_RECORDS_PLAIN, MXIO_RECORDS_INSIGHTFACE };
enum { MXIO_LAST_DROP, MXIO_LAST_PAD, MXIO_LAST_PARTIAL };
enum { MXIO_FLOAT32, MXIO_FLOAT16, MXIO_UINT8, MXIO_INT8, MXIO_BFLOAT16 };
enum { MXIO_NCHW, MXIO_NHWC };
enum { MXIO_LABEL_FLOAT32, MXIO_LABEL_FLOAT64, MXIO_LABEL_INT32, MXIO_LABEL_INT64 };
enum { MXIO_RAISE, MXIO_SKIP, MXIO_REPLACE };
enum { MXIO_EMIT_CENTER, MXIO_EMIT_OVERLAP };
enum { MXIO_FORCE, MXIO_SHRINK, MXIO_FIT };

struct mxio_shape {
    int64_t channels, height, width;
};

/* The label of an image with one object: two numbers of header, five of the object. */
#define MXIO_LEAST_BOXES 7

#define MXIO_MAX_LIST 64

/* At least one number. */
struct mxio_list {
    size_t count;
    double values[MXIO_MAX_LIST];
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
#define LIST(kind, group, faces, need, name, initial, low, high, doc)                  \
    struct mxio_list name;
#define OBJECT(group, faces, need, name, doc)
#include "params.def"
#undef NUMBER
#undef CHOICE
#undef TEXT
#undef SHAPE
#undef LIST
#undef OBJECT
};

/* One row of params.def. Numbers use low, high, initial, lists those of a REAL; CHOICE
 * uses initial and choices; TEXT uses text. */
struct mxio_param {
    const char *name;
    enum mxio_kind kind;
    enum mxio_group group;
    int faces;
    bool required;
    double low, high; /* of a REAL, or of each number of a list */
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

/* The name by which the row's faces know it: without "det_". */
const char *
mxio_param_shown(const struct mxio_param *row);

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
MXIO_MUST_USE enum mxio_status
mxio_params_set_list(struct mxio_params *params, const struct mxio_param *row,
                     const double *values, size_t count, struct mxio_error *err);

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

/* Number i of a list; the only one stands for all. */
double
mxio_list_at(const struct mxio_list *list, size_t i);

/* Labels that a line of path_imglist holds; 0: all words but the last, the path. */
size_t
mxio_params_listed(const struct mxio_params *params);

/* What is subtracted from the channels, and what then divides them. */
struct mxio_norm {
    double mean[4], std[4];
};

/* As the loader's face means mean_r, ... and std_r, ... */
struct mxio_norm
mxio_params_norm(const struct mxio_params *params);

/* The range of aspect ratios that max_aspect_ratio and min_aspect_ratio stand for. */
void
mxio_params_aspect(const struct mxio_params *params, double *low, double *high);

#endif
