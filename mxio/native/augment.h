/*
 * Augmentation: decide a plan, then do it.
 *
 * A plan is plain numbers; drawing one needs no picture, carrying it out no random numbers.
 * Order and formulas are MXNet's (image_aug_default.cc of 1.9.1): resize of the shorter
 * edge, rotation with shear, scale and stretch, border, crop, colours; then mirror and
 * normalisation. Not MXNet's are, before the colours, a picture made smaller and as large
 * as before, and blur; behind them, a turn of the hue, and gray.
 *
 * Owner:   an augmenter is one worker's scratch.
 * Threads: one augmenter per thread; plans are values.
 * Errors:  MXIO_EDATA when a step would make more than max_pixels pixels or the picture
 *          is too small for a crop, MXIO_ENOMEM.
 */
#ifndef MXIO_AUGMENT_H
#define MXIO_AUGMENT_H

#include "base.h"
#include "blur.h"
#include "color.h"
#include "emit.h"
#include "params.h"
#include "resize.h"
#include "rng.h"
#include "warp.h"

enum mxio_step_kind {
    MXIO_STEP_RESIZE,
    MXIO_STEP_WARP, /* by the plan's matrix */
    MXIO_STEP_PAD,  /* to.x = to.y = -border */
    MXIO_STEP_CROP,
    MXIO_STEP_BLUR,
};

struct mxio_step {
    enum mxio_step_kind kind;
    enum mxio_inter inter; /* RESIZE, WARP */
    struct mxio_size from; /* of the picture that comes in */
    struct mxio_rect to;   /* what comes out, in coordinates of what came in */
    int radius;            /* BLUR */
};

#define MXIO_MAX_STEPS 10

enum mxio_jitter { MXIO_BRIGHTNESS, MXIO_CONTRAST, MXIO_SATURATION };

/* What is done to the colours, in this order. */
struct mxio_color_plan {
    bool jitter, hls, gain, noise, turn, gray; /* which of them are done */
    enum mxio_jitter order[3];
    float alpha[3]; /* by jitter */
    int hls_shift[3];
    float gain_factor;
    float noise_shift[4]; /* red, green, blue, 0 */
    double hue_turn;      /* degrees */
    double saturation_gain;
};

struct mxio_plan {
    struct mxio_size from;
    int step_count;
    struct mxio_step steps[MXIO_MAX_STEPS];
    float matrix[6]; /* columns and rows of a warp's input to those of its output */
    uint8_t border[4];
    struct mxio_color_plan color;
    int color_at; /* steps before the colours */
    bool mirror;
    struct mxio_tone tone;
};

MXIO_MUST_USE enum mxio_status
mxio_plan_draw(const struct mxio_params *params, struct mxio_rng rng,
               struct mxio_size from, struct mxio_plan *out, struct mxio_error *err);

/* What the steps so far make. */
struct mxio_size
mxio_plan_size(const struct mxio_plan *plan);

/* The method that inter_method stands for, from one size to another; a random one is
 * drawn. */
enum mxio_inter
mxio_plan_inter(const struct mxio_params *params, struct mxio_rng rng, uint32_t draw,
                struct mxio_size from, double width, double height);

/* Steps for a plan, none where nothing would change. */
MXIO_MUST_USE enum mxio_status
mxio_plan_add_resize(struct mxio_plan *plan, const struct mxio_params *params,
                     int64_t width, int64_t height, enum mxio_inter inter,
                     struct mxio_error *err);
/* The parameter resize: the shorter edge, the other by integer division. */
MXIO_MUST_USE enum mxio_status
mxio_plan_add_short_edge(struct mxio_plan *plan, const struct mxio_params *params,
                         struct mxio_rng rng, struct mxio_error *err);
MXIO_MUST_USE enum mxio_status
mxio_plan_add_border(struct mxio_plan *plan, const struct mxio_params *params,
                     int64_t left, int64_t top, int64_t right, int64_t bottom,
                     struct mxio_error *err);
void
mxio_plan_add_crop(struct mxio_plan *plan, struct mxio_rect box);

/* The pixels of the picture that the plan uses. */
struct mxio_rect
mxio_plan_window(const struct mxio_plan *plan);

struct mxio_augmenter {
    const struct mxio_emitter *emitter;
    struct mxio_resizer resizer;
    struct mxio_warper warper;
    struct mxio_blurrer blurrer;
    struct mxio_emission emission;
    struct mxio_buffer between[2]; /* pictures between two steps */
};

void
mxio_augmenter_free(struct mxio_augmenter *augmenter);

/* Carry out the plan on a view that holds mxio_plan_window, into the sample at `out`. */
MXIO_MUST_USE enum mxio_status
mxio_plan_apply(struct mxio_augmenter *augmenter, const struct mxio_plan *plan,
                const struct mxio_view *view, void *out, struct mxio_error *err);

#endif
