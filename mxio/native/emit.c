#include "emit.h"

#include <string.h>

/* Values in a run that is converted at once: a row of one plane, or of all channels. */
static size_t
run_length(const struct mxio_emitter *emitter)
{
    return emitter->shape.width *
           (emitter->layout == MXIO_NHWC ? emitter->shape.channels : (size_t)1);
}

void
mxio_emitter_free(struct mxio_emitter *emitter)
{
    mxio_free(emitter->mean[0]);
    mxio_free(emitter->mean[1]);
    mxio_free(emitter->factor);
    mxio_free(emitter->bias);
    *emitter = (struct mxio_emitter){.kernels = NULL};
}

/*
 * Where the numbers of channel c, column x, row y lie. With one number a channel the
 * arrays hold just those; else a run of a row (NHWC), or the runs of the channels one
 * after the other (NCHW).
 */
static size_t
place_of(const struct mxio_emitter *emitter, size_t c, size_t y, size_t x)
{
    const size_t channels = emitter->shape.channels, width = emitter->shape.width;

    if (!emitter->each)
        return c;
    return emitter->layout == MXIO_NHWC ? (y * width + x) * channels + c
                                        : (y * channels + c) * width + x;
}

static void
fill_rows(const struct mxio_emitter *emitter, float *out, const float *by_channel,
          const float *image, size_t height, bool mirrored)
{
    const size_t width = emitter->shape.width;

    for (size_t c = 0; c < emitter->shape.channels; c++)
        for (size_t y = 0; y < height; y++)
            for (size_t x = 0; x < width; x++) {
                const size_t from = mirrored ? width - 1 - x : x;
                out[place_of(emitter, c, y, x)] =
                    image != NULL
                        ? image[(c * emitter->shape.height + y) * width + from]
                        : by_channel[c];
            }
}

enum mxio_status
mxio_emitter_make(struct mxio_emitter *out, const struct mxio_params *params,
                  const float *mean, struct mxio_error *err)
{
    const struct mxio_norm norm = mxio_params_norm(params);
    const float no_bias[4] = {0};
    float means[4], factors[4];
    struct mxio_emitter made = {.kernels = mxio_kernels_best(),
                                .dtype = (int)params->dtype,
                                .layout = (int)params->layout,
                                .value_size = mxio_params_value_size(params),
                                .shape = {(size_t)params->data_shape.channels,
                                          (size_t)params->data_shape.height,
                                          (size_t)params->data_shape.width},
                                .each = mean != NULL || params->layout == MXIO_NHWC,
                                .mean_rows = mean != NULL};

    for (int c = 0; c < 4; c++) {
        means[c] = (float)norm.mean[c];
        factors[c] = (float)params->scale / (float)norm.std[c];
    }
    const size_t row = made.shape.width * made.shape.channels;
    const size_t mean_height = made.mean_rows ? made.shape.height : 1;
    for (int i = 0; i < 2; i++)
        made.mean[i] = mxio_alloc(row * mean_height * sizeof(float));
    made.factor = mxio_alloc(row * sizeof(float));
    made.bias = mxio_alloc(row * sizeof(float));
    if (!made.mean[0] || !made.mean[1] || !made.factor || !made.bias) {
        mxio_emitter_free(&made);
        return mxio_fail(err, MXIO_ENOMEM, "no memory for the normalisation");
    }
    fill_rows(&made, made.mean[0], means, mean, mean_height, false);
    /* ImageDetRecordIter subtracts after it has mirrored. */
    fill_rows(&made, made.mean[1], means, mean, mean_height, !params->detect);
    fill_rows(&made, made.factor, factors, NULL, 1, false);
    fill_rows(&made, made.bias, no_bias, NULL, 1, false);
    *out = made;
    return MXIO_OK;
}

void
mxio_emission_free(struct mxio_emission *emission)
{
    mxio_buffer_free(&emission->flipped);
    mxio_buffer_free(&emission->tone);
}

enum mxio_status
mxio_emission_start(struct mxio_emission *emission, const struct mxio_emitter *emitter,
                    struct mxio_tone tone, struct mxio_error *err)
{
    const size_t count = emitter->shape.width * emitter->shape.channels;

    emission->factor = emitter->factor;
    emission->bias = emitter->bias;
    enum mxio_status status =
        mxio_buffer_need(&emission->flipped, count + MXIO_SLACK, err);
    if (status != MXIO_OK || (tone.contrast == 1 && tone.illumination == 0))
        return status;
    status = mxio_buffer_need(&emission->tone, 2 * count * sizeof(float), err);
    if (status != MXIO_OK)
        return status;
    float *factor = (void *)emission->tone.bytes, *bias = factor + count;
    for (size_t i = 0; i < (emitter->each ? count : emitter->shape.channels); i++) {
        factor[i] = emitter->factor[i] * tone.contrast;
        bias[i] = emitter->factor[i] * tone.illumination;
    }
    emission->factor = factor;
    emission->bias = bias;
    return MXIO_OK;
}

/* The numbers of row y for a run of values: channel `run` in NCHW, 0 in NHWC. */
static struct mxio_affine
affine_of(const struct mxio_emission *emission, const struct mxio_emitter *emitter,
          size_t run, int y, bool mirrored)
{
    const size_t at = emitter->each ? run * run_length(emitter) : run;
    const size_t mean_row =
        emitter->mean_rows ? (size_t)y * emitter->shape.width * emitter->shape.channels
                           : 0;

    return (struct mxio_affine){.mean = emitter->mean[mirrored ? 1 : 0] + mean_row + at,
                                .factor = emission->factor + at,
                                .bias = emission->bias + at,
                                .step = emitter->each ? 1 : 0};
}

static void
emit_run(const struct mxio_emitter *emitter, const uint8_t *in,
         const struct mxio_affine *by, void *out)
{
    const struct mxio_value_kernels *values = emitter->kernels->values;
    const size_t count = run_length(emitter);

    switch (emitter->dtype) {
    case MXIO_FLOAT32:
        values->to_float32(out, in, count, by);
        return;
    case MXIO_FLOAT16:
        values->to_float16(out, in, count, by);
        return;
    case MXIO_BFLOAT16:
        values->to_bfloat16(out, in, count, by);
        return;
    case MXIO_INT8:
        values->to_int8(out, in, count, by);
        return;
    default:
        memcpy(out, in, count);
    }
}

/* Each channel to its plane. */
static void
emit_planes(const struct mxio_emission *emission, const struct mxio_emitter *emitter,
            const struct mxio_pixels *from, int y, bool mirrored, uint8_t *sample)
{
    static const enum mxio_value_type types[] = {[MXIO_FLOAT32] = MXIO_VALUE_FLOAT32,
                                                 [MXIO_FLOAT16] = MXIO_VALUE_FLOAT16,
                                                 [MXIO_BFLOAT16] = MXIO_VALUE_BFLOAT16,
                                                 [MXIO_INT8] = MXIO_VALUE_INT8};
    struct mxio_affine by[4];
    void *planes[4];

    for (size_t c = 0; c < emitter->shape.channels; c++) {
        by[c] = affine_of(emission, emitter, c, y, mirrored);
        planes[c] = sample + (c * emitter->shape.height + (size_t)y) * from->width *
                                 emitter->value_size;
    }
    emitter->kernels->values->to_planes(planes, from, by, types[emitter->dtype]);
}

void
mxio_emit_row(struct mxio_emission *emission, const struct mxio_emitter *emitter,
              const uint8_t *row, int y, enum mxio_mirror mirror, void *sample)
{
    const size_t width = emitter->shape.width, channels = emitter->shape.channels;
    const bool flip = mirror == MXIO_TO_MIRROR, mirrored = mirror != MXIO_UPRIGHT;
    const bool in_planes = emitter->layout == MXIO_NCHW && channels > 1;
    uint8_t *planes[4] = {NULL}, *out = sample;

    if (in_planes && emitter->dtype != MXIO_UINT8) {
        const struct mxio_pixels from = {row, width, (int)channels, flip};
        emit_planes(emission, emitter, &from, y, mirrored, out);
        return;
    }
    if (flip) {
        emitter->kernels->flip_row(emission->flipped.bytes, row, width, (int)channels);
        row = emission->flipped.bytes;
    }
    if (!in_planes) {
        const struct mxio_affine by = affine_of(emission, emitter, 0, y, mirrored);
        emit_run(emitter, row, &by,
                 out + (size_t)y * run_length(emitter) * emitter->value_size);
        return;
    }
    for (size_t c = 0; c < channels; c++)
        planes[c] = out + (c * emitter->shape.height + (size_t)y) * width;
    emitter->kernels->split_row(planes, row, width, (int)channels);
}
