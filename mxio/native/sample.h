/*
 * One record in, one finished sample out: one worker's private state.
 *
 * Owner:   a sampler borrows the params, reader, labels and emitter; they must outlive
 *          it.
 * Threads: one sampler per thread.
 * Errors:  MXIO_EDATA, MXIO_EIO with file, record, id and offset as far as known;
 *          MXIO_EFOREIGN when the picture's format is not known to the core: the caller
 *          decodes it and calls finish.
 */
#ifndef MXIO_SAMPLE_H
#define MXIO_SAMPLE_H

#include "augment.h"
#include "base.h"
#include "emit.h"
#include "labels.h"
#include "params.h"
#include "reader.h"

struct mxio_sampler;

/* What all samplers of a loader share. */
struct mxio_source {
    const struct mxio_params *params; /* detect: labels are boxes */
    const struct mxio_reader *reader;
    const struct mxio_labels *labels; /* NULL: those in the records */
    const struct mxio_emitter *emitter;
};

/* Which record, where it lies, and under which key it is augmented. */
struct mxio_ask {
    uint64_t epoch, record;
    struct mxio_place place;
};

/* Where the parts of the sample go; label has room for label_width values of
 * label_dtype, or of a row of detlabel.h when params->detect. */
struct mxio_sample {
    void *data, *label;
    uint64_t *id;
};

/* What a sampler is at. */
enum mxio_stage {
    MXIO_STAGE_READ,
    MXIO_STAGE_DECODE,
    MXIO_STAGE_TRANSFORM,
    MXIO_STAGE_COUNT,
};

/* Any thread may ask. */
enum mxio_stage
mxio_sampler_stage(const struct mxio_sampler *sampler);

/* The ways that a picture can be decoded. */
enum mxio_path {
    MXIO_PATH_JPEG_PLAIN, /* without libjpeg */
    MXIO_PATH_JPEG_OWN,   /* entropy decoding of our own */
    MXIO_PATH_JPEG_STOCK, /* libjpeg alone */
    MXIO_PATH_PNG_PLAIN,  /* without libpng */
    MXIO_PATH_PNG_LIBPNG,
    MXIO_PATH_FOREIGN, /* by the consumer */
    MXIO_PATH_COUNT,
};

/* What samples took: nanoseconds in each stage, ways of decoding, and bytes of records.
 */
struct mxio_spent {
    uint64_t stage[MXIO_STAGE_COUNT];
    uint64_t paths[MXIO_PATH_COUNT];
    uint64_t samples, bytes;
};

void
mxio_spent_add(struct mxio_spent *sum, const struct mxio_spent *more);

/* What was spent since the last call. */
struct mxio_spent
mxio_sampler_spent(struct mxio_sampler *sampler);

MXIO_MUST_USE enum mxio_status
mxio_sampler_new(struct mxio_sampler **out, const struct mxio_source *source,
                 struct mxio_error *err);

/* Accepts NULL. */
void
mxio_sampler_free(struct mxio_sampler *sampler);

/* The next samples lie in this place, one behind the other: worth one reading. */
void
mxio_sampler_expect(struct mxio_sampler *sampler, struct mxio_place place);

MXIO_MUST_USE enum mxio_status
mxio_sampler_make(struct mxio_sampler *sampler, const struct mxio_ask *ask,
                  const struct mxio_sample *out, struct mxio_error *err);

/* The encoded picture of a record, borrowed until the next call. */
MXIO_MUST_USE enum mxio_status
mxio_sampler_picture(struct mxio_sampler *sampler, const struct mxio_ask *ask,
                     const uint8_t **bytes, size_t *size, struct mxio_error *err);

/* As make, from decoded pixels (channels of data_shape, red first) instead of the
 * record's picture. */
MXIO_MUST_USE enum mxio_status
mxio_sampler_finish(struct mxio_sampler *sampler, const struct mxio_ask *ask,
                    const struct mxio_view *pixels, const struct mxio_sample *out,
                    struct mxio_error *err);

/* Bytes of one label value. */
size_t
mxio_label_size(const struct mxio_params *params);

#endif
