/*
 * Augmentation: decide a plan, then do it.
 *
 * A plan is plain numbers; drawing one needs no picture, carrying it out no random
 * numbers. Order and formulas are MXNet's: resize of the shorter edge, then a crop
 * (random_resized_crop, random or centred), then mirror and normalisation. Source:
 * MXNet 1.9.1 image_aug_default.cc.
 *
 * Owner:   an augmenter is one worker's scratch.
 * Threads: one augmenter per thread; plans are values.
 * Errors:  MXIO_EDATA when a step would make more than max_pixels pixels, MXIO_ENOMEM.
 */
#ifndef MXIO_AUGMENT_H
#define MXIO_AUGMENT_H

#include "base.h"
#include "emit.h"
#include "params.h"
#include "resize.h"
#include "rng.h"

enum mxio_step_kind { MXIO_STEP_RESIZE, MXIO_STEP_CROP };

struct mxio_step {
    enum mxio_step_kind kind;
    struct mxio_size from; /* of the picture that comes in */
    struct mxio_rect to;   /* RESIZE: width and height; CROP: the window kept */
};

#define MXIO_MAX_STEPS 5

struct mxio_plan {
    struct mxio_size from;
    int step_count;
    struct mxio_step steps[MXIO_MAX_STEPS];
    bool mirror;
};

MXIO_MUST_USE enum mxio_status
mxio_plan_draw(const struct mxio_params *params, struct mxio_rng rng,
               struct mxio_size from, struct mxio_plan *out, struct mxio_error *err);

/* The pixels of the picture that the plan uses. */
struct mxio_rect
mxio_plan_window(const struct mxio_plan *plan);

struct mxio_augmenter {
    const struct mxio_emitter *emitter;
    struct mxio_resizer resizer;
    struct mxio_buffer between[2]; /* pictures between two steps */
    struct mxio_buffer flipped, scratch;
};

void
mxio_augmenter_free(struct mxio_augmenter *augmenter);

/* Carry out the plan on a view that holds mxio_plan_window, into the sample at `out`.
 */
MXIO_MUST_USE enum mxio_status
mxio_plan_apply(struct mxio_augmenter *augmenter, const struct mxio_plan *plan,
                const struct mxio_view *view, void *out, struct mxio_error *err);

#endif
