/*
 * The last step: rows of 8-bit pixels to the values of a batch.
 *
 *   value = (pixel - mean) * (contrast * scale / std) + illumination * scale / std
 *                                                   float32, float16, bfloat16
 *   value = pixel                                   uint8
 *   value = clamp(pixel - round(mean))              int8
 *
 * Source: MXNet's normalisation, ImageRecordIter; mean_img takes the place of mean_r,
 * g, b, a.
 *
 * Owner:   an emitter is made once for a loader and read by its workers.
 * Threads: an emitter is read-only; each worker has its own scratch.
 * Errors:  MXIO_ENOMEM.
 */
#ifndef MXIO_EMIT_H
#define MXIO_EMIT_H

#include "base.h"
#include "kernels.h"
#include "params.h"

struct mxio_emitter {
    const struct mxio_kernels *kernels;
    int dtype, layout;
    size_t value_size; /* bytes */
    struct mxio_size_chw {
        size_t channels, height, width;
    } shape;
    bool each;      /* the three arrays below hold a number for each value of a row */
    bool mean_rows; /* mean differs from row to row */
    float *mean[2]; /* upright, and mirrored when mean_rows; rows in the order of the
                       layout */
    float *factor, *bias;
};

/* `mean` is NULL, or channels x height x width numbers. */
MXIO_MUST_USE enum mxio_status
mxio_emitter_make(struct mxio_emitter *out, const struct mxio_params *params,
                  const float *mean, struct mxio_error *err);

void
mxio_emitter_free(struct mxio_emitter *emitter);

/* One worker's part of the emission: scratch, and the tone of the sample under way. */
struct mxio_emission {
    struct mxio_buffer flipped;
    struct mxio_buffer tone; /* factor and bias, when the tone is not the plain one */
    const float *factor, *bias;
};

/* Random contrast and illumination of one sample; {1, 0} is the plain tone. */
struct mxio_tone {
    float contrast, illumination;
};

MXIO_MUST_USE enum mxio_status
mxio_emission_start(struct mxio_emission *emission, const struct mxio_emitter *emitter,
                    struct mxio_tone tone, struct mxio_error *err);

void
mxio_emission_free(struct mxio_emission *emission);

enum mxio_mirror {
    MXIO_UPRIGHT,
    MXIO_MIRRORED, /* the rows come so already */
    MXIO_TO_MIRROR
};

/* Row y of the sample at `sample`. The mirrored mean image follows its pixels. */
void
mxio_emit_row(struct mxio_emission *emission, const struct mxio_emitter *emitter,
              const uint8_t *row, int y, enum mxio_mirror mirror, void *sample);

#endif
