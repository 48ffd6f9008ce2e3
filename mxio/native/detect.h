/*
 * Augmentation for detection: a plan for the pixels, and the same done to the objects of
 * the label. Order and formulas are MXNet's (image_det_aug_default.cc):
 * resize of the shorter edge, colours, mirror, border, crop, fit to data_shape.
 *
 * Pixels are mirrored when they are emitted, so the steps of the plan are those of the
 * picture as it is stored; boxes speak of the mirrored one.
 *
 * Threads: pure functions.
 * Errors:  MXIO_EDATA when a step would make more than max_pixels pixels.
 */
#ifndef MXIO_DETECT_H
#define MXIO_DETECT_H

#include "augment.h"
#include "base.h"
#include "detlabel.h"
#include "params.h"
#include "rng.h"

struct mxio_detection {
    struct mxio_plan plan;
    struct mxio_size
        shown; /* of the image in the sample, whose top left corner it fills;
                               the rest has the colour of a border */
    struct mxio_box
        pad; /* what is seen of the mirrored image: all of it is 0, 0, 1, 1 */
    struct mxio_box crop; /* what is seen of the padded one */
};

/* The label is changed as the pixels will be. */
MXIO_MUST_USE enum mxio_status
mxio_detect_draw(const struct mxio_params *params, struct mxio_rng rng,
                 struct mxio_size from, struct mxio_detlabel *label,
                 struct mxio_detection *out, struct mxio_error *err);

#endif
