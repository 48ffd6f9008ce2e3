#include "sample.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "detect.h"
#include "detlabel.h"
#include "imgrec.h"
#include "jpeg.h"
#include "png.h"
#include "rng.h"

struct mxio_sampler {
    const struct mxio_source *source;
    struct mxio_run run;
    struct mxio_buffer record; /* not in the run */
    struct mxio_buffer pixels; /* a copy of the caller's, with slack behind it */
    struct mxio_jpeg *jpeg;
    struct mxio_png *png;
    struct mxio_augmenter augmenter;
    struct mxio_detlabel boxes; /* of the sample under way, for detection */
    atomic_int stage;           /* the rest of this struct belongs to one thread */
    uint64_t since;             /* when the stage began */
    struct mxio_spent spent;
};

/* A sample begins, with its reading. */
static void
begin(struct mxio_sampler *sampler)
{
    sampler->since = mxio_clock();
    atomic_store_explicit(&sampler->stage, MXIO_STAGE_READ, memory_order_relaxed);
}

/* The stage that went on is over. */
static void
end_stage(struct mxio_sampler *sampler, enum mxio_stage next)
{
    const uint64_t time = mxio_clock();

    sampler->spent.stage[mxio_sampler_stage(sampler)] += time - sampler->since;
    sampler->since = time;
    atomic_store_explicit(&sampler->stage, next, memory_order_relaxed);
}

enum mxio_stage
mxio_sampler_stage(const struct mxio_sampler *sampler)
{
    return (enum mxio_stage)atomic_load_explicit(&sampler->stage, memory_order_relaxed);
}

void
mxio_spent_add(struct mxio_spent *sum, const struct mxio_spent *more)
{
    for (int i = 0; i < MXIO_STAGE_COUNT; i++)
        sum->stage[i] += more->stage[i];
    for (int i = 0; i < MXIO_PATH_COUNT; i++)
        sum->paths[i] += more->paths[i];
    sum->samples += more->samples;
    sum->bytes += more->bytes;
}

struct mxio_spent
mxio_sampler_spent(struct mxio_sampler *sampler)
{
    const struct mxio_spent spent = sampler->spent;

    sampler->spent = (struct mxio_spent){.samples = 0};
    return spent;
}

void
mxio_sampler_free(struct mxio_sampler *sampler)
{
    if (sampler == NULL)
        return;
    mxio_buffer_free(&sampler->run.buffer);
    mxio_buffer_free(&sampler->record);
    mxio_buffer_free(&sampler->pixels);
    mxio_jpeg_free(sampler->jpeg);
    mxio_png_free(sampler->png);
    mxio_augmenter_free(&sampler->augmenter);
    mxio_detlabel_free(&sampler->boxes);
    mxio_free(sampler);
}

enum mxio_status
mxio_sampler_new(struct mxio_sampler **out, const struct mxio_source *source,
                 struct mxio_error *err)
{
    struct mxio_sampler *sampler = mxio_alloc(sizeof *sampler);

    if (sampler == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for a worker");
    sampler->source = source;
    sampler->augmenter.emitter = source->emitter;
    enum mxio_status status = mxio_jpeg_new(&sampler->jpeg, err);
    if (status == MXIO_OK)
        status = mxio_png_new(&sampler->png, err);
    if (status != MXIO_OK) {
        mxio_sampler_free(sampler);
        return status;
    }
    *out = sampler;
    return MXIO_OK;
}

size_t
mxio_label_size(const struct mxio_params *params)
{
    return params->label_dtype == MXIO_LABEL_FLOAT32 ||
                   params->label_dtype == MXIO_LABEL_INT32
               ? 4
               : 8;
}

static enum mxio_status
put_label(const struct mxio_params *params, double value, size_t i, void *out,
          struct mxio_error *err)
{
    const bool wide = params->label_dtype == MXIO_LABEL_INT64;
    const double bound = wide ? 0x1p63 : 0x1p31;

    switch (params->label_dtype) {
    case MXIO_LABEL_FLOAT32:
        ((float *)out)[i] = (float)value;
        return MXIO_OK;
    case MXIO_LABEL_FLOAT64:
        ((double *)out)[i] = value;
        return MXIO_OK;
    default:
        break;
    }
    if (!(value >= -bound && value < bound) || value != floor(value))
        return mxio_fail(
            err, MXIO_EDATA,
            "label %g is not a whole number of %d bits: ask for label_dtype='float32'",
            value, wide ? 64 : 32);
    if (wide)
        ((int64_t *)out)[i] = (int64_t)value;
    else
        ((int32_t *)out)[i] = (int32_t)value;
    return MXIO_OK;
}

/* More labels than are asked for do no harm in faces of InsightFace, (identity,
 * aligned); elsewhere label_width must be right. */
static bool
fits(const struct mxio_params *params, uint32_t flag)
{
    return flag == 0 || flag == params->label_width ||
           (flag > params->label_width &&
            params->record_layout == MXIO_RECORDS_INSIGHTFACE);
}

/* The list's labels if there is a list; else those packed in the record; else the one
 * in its header. */
static enum mxio_status
put_labels(const struct mxio_source *source, const struct mxio_imgrec *record,
           void *out, struct mxio_error *err)
{
    const size_t width = (size_t)source->params->label_width;
    const double *listed = NULL;
    enum mxio_status status = MXIO_OK;

    if (source->labels != NULL) {
        listed = mxio_labels_find(source->labels, record->id);
        if (listed == NULL)
            return mxio_fail(err, MXIO_EDATA, "path_imglist has no line with id %llu",
                             (unsigned long long)record->id);
    } else if (!fits(source->params, record->flag)) {
        return mxio_fail(err, MXIO_EDATA,
                         "the record holds %u labels, label_width is %zu", record->flag,
                         width);
    } else if (record->flag == 0 && width != 1) {
        return mxio_fail(
            err, MXIO_EDATA,
            "the record holds one label, label_width is %zu: give path_imglist, or pack all labels",
            width);
    }
    for (size_t i = 0; i < width && status == MXIO_OK; i++) {
        const double value = listed != NULL     ? listed[i]
                             : record->flag > 0 ? (double)mxio_imgrec_label(record, i)
                                                : (double)record->label;
        status = put_label(source->params, value, i, out, err);
    }
    return status;
}

/* The labels of a record: into the batch, or for detection where the plan changes them
 * first. */
static enum mxio_status
take_labels(struct mxio_sampler *sampler, const struct mxio_imgrec *record, void *out,
            struct mxio_error *err)
{
    const struct mxio_source *source = sampler->source;

    return source->params->detect ? mxio_detlabel_read(&sampler->boxes, source->params,
                                                       source->labels, record, err)
                                  : put_labels(source, record, out, err);
}

void
mxio_sampler_expect(struct mxio_sampler *sampler, struct mxio_place place)
{
    begin(sampler);
    mxio_reader_run(sampler->source->reader, place, &sampler->run);
    end_stage(sampler, MXIO_STAGE_READ);
}

static enum mxio_status
read_record(struct mxio_sampler *sampler, const struct mxio_ask *ask,
            struct mxio_imgrec *out, struct mxio_error *err)
{
    const struct mxio_reader *reader = sampler->source->reader;
    enum mxio_status status;
    const uint8_t *payload;
    size_t size;

    if (!mxio_reader_take(reader, ask->place, &sampler->run, &payload, &size, &status,
                          err))
        status = mxio_reader_read(reader, ask->place, &sampler->record, &payload, &size,
                                  err);
    if (status == MXIO_OK)
        status = mxio_imgrec_parse(payload, size, out, err);
    end_stage(sampler, MXIO_STAGE_DECODE);
    if (status == MXIO_OK) {
        sampler->spent.bytes += size;
        err->has_id = true; /* for whatever goes wrong from here on */
        err->id = out->id;
    }
    return status;
}

/* Another epoch may take another window of a picture. */
static bool
window_varies(const struct mxio_params *params)
{
    if (params->inter_method ==
        10) /* each looks at pixels beside it as far as it must */
        return true;
    if (params->detect)
        return params->rand_crop_prob > 0 || params->rand_pad_prob > 0;
    return params->rand_crop || params->random_resized_crop ||
           params->min_crop_size != params->max_crop_size ||
           mxio_params_is_affine(params);
}

/* The plan of a sample; for detection also its label. What goes wrong from here on may be
 * the plan's fault. */
static enum mxio_status
draw_plan(struct mxio_sampler *sampler, const struct mxio_ask *ask,
          struct mxio_size size, void *label, struct mxio_plan *out,
          struct mxio_error *err)
{
    const struct mxio_params *params = sampler->source->params;
    const int64_t seed =
        params->seed_aug != MXIO_NONE ? params->seed_aug : params->seed;
    const struct mxio_rng rng = mxio_rng_make(seed, ask->epoch, ask->record);
    struct mxio_detection detection;

    err->by_plan = window_varies(params);
    err->epoch = ask->epoch;
    if (!params->detect)
        return mxio_plan_draw(params, rng, size, out, err);
    const enum mxio_status status =
        mxio_detect_draw(params, rng, size, &sampler->boxes, &detection, err);
    if (status != MXIO_OK)
        return status;
    *out = detection.plan;
    return mxio_detlabel_write(&sampler->boxes, params, detection.shown, label, err);
}

static enum mxio_path
path_taken(const struct mxio_sampler *sampler, bool jpeg)
{
    const struct mxio_jpeg_ways ways = mxio_jpeg_used(sampler->jpeg);

    if (jpeg)
        return ways.plain     ? MXIO_PATH_JPEG_PLAIN
               : ways.entropy ? MXIO_PATH_JPEG_OWN
                              : MXIO_PATH_JPEG_STOCK;
    return mxio_png_was_plain(sampler->png) ? MXIO_PATH_PNG_PLAIN
                                            : MXIO_PATH_PNG_LIBPNG;
}

/* From the header of the picture to the sample; only the window of the plan is decoded.
 */
static enum mxio_status
decode_and_augment(struct mxio_sampler *sampler, const struct mxio_ask *ask,
                   const uint8_t *bytes, size_t size, const struct mxio_sample *out,
                   struct mxio_error *err)
{
    const struct mxio_params *params = sampler->source->params;
    const int channels = (int)params->data_shape.channels;
    const bool jpeg = mxio_jpeg_sniff(bytes, size);
    struct mxio_picture picture;
    struct mxio_plan plan;
    struct mxio_view view;

    if (size == 0)
        return mxio_fail(err, MXIO_EDATA, "the record holds no picture");
    if (!jpeg && !mxio_png_sniff(bytes, size)) {
        sampler->spent.paths[MXIO_PATH_FOREIGN]++;
        return mxio_fail(err, MXIO_EFOREIGN, "neither JPEG nor PNG");
    }
    if (jpeg && channels == 4)
        return mxio_fail(err, MXIO_EDATA, "JPEG: expected 4 channels, got 1 or 3");
    enum mxio_status status = jpeg ? mxio_jpeg_open(sampler->jpeg, bytes, size, true,
                                                    params->max_pixels, &picture, err)
                                   : mxio_png_open(sampler->png, bytes, size,
                                                   params->max_pixels, &picture, err);
    if (status == MXIO_OK)
        status =
            draw_plan(sampler, ask, (struct mxio_size){picture.width, picture.height},
                      out->label, &plan, err);
    if (status != MXIO_OK)
        return status;
    const struct mxio_rect window = mxio_plan_window(&plan);
    err->by_plan = err->by_plan && jpeg; /* of a PNG all bytes count */
    status = jpeg ? mxio_jpeg_read(sampler->jpeg, channels, false, window, &view, err)
                  : mxio_png_read(sampler->png, channels, false, window, &view, err);
    sampler->spent.paths[path_taken(sampler, jpeg)]++;
    end_stage(sampler, MXIO_STAGE_TRANSFORM);
    if (status == MXIO_OK)
        status = mxio_plan_apply(&sampler->augmenter, &plan, &view, out->data, err);
    return status;
}

/* Complete what is known of a failure's place. */
static enum mxio_status
name_place(const struct mxio_sampler *sampler, const struct mxio_ask *ask,
           enum mxio_status status, struct mxio_error *err)
{
    mxio_reader_name_place(sampler->source->reader, ask->place.offset, err);
    err->record = (int64_t)ask->record;
    return status;
}

enum mxio_status
mxio_sampler_make(struct mxio_sampler *sampler, const struct mxio_ask *ask,
                  const struct mxio_sample *out, struct mxio_error *err)
{
    struct mxio_imgrec record;

    begin(sampler);
    enum mxio_status status = read_record(sampler, ask, &record, err);
    if (status == MXIO_OK)
        status = take_labels(sampler, &record, out->label, err);
    if (status == MXIO_OK)
        status = decode_and_augment(sampler, ask, record.picture, record.picture_size,
                                    out, err);
    end_stage(sampler, MXIO_STAGE_READ);
    sampler->spent.samples++;
    if (status != MXIO_OK)
        return name_place(sampler, ask, status, err);
    *out->id = record.id;
    return MXIO_OK;
}

enum mxio_status
mxio_sampler_picture(struct mxio_sampler *sampler, const struct mxio_ask *ask,
                     const uint8_t **bytes, size_t *size, struct mxio_error *err)
{
    struct mxio_imgrec record;

    begin(sampler);
    const enum mxio_status status = read_record(sampler, ask, &record, err);

    if (status != MXIO_OK)
        return name_place(sampler, ask, status, err);
    *bytes = record.picture;
    *size = record.picture_size;
    return MXIO_OK;
}

enum mxio_status
mxio_sampler_finish(struct mxio_sampler *sampler, const struct mxio_ask *ask,
                    const struct mxio_view *pixels, const struct mxio_sample *out,
                    struct mxio_error *err)
{
    const size_t size = pixels->stride * (size_t)pixels->height;
    struct mxio_view copy = *pixels;
    struct mxio_imgrec record;
    struct mxio_plan plan;

    begin(sampler);
    enum mxio_status status = read_record(sampler, ask, &record, err);
    if (status == MXIO_OK)
        status = take_labels(sampler, &record, out->label, err);
    if (status == MXIO_OK &&
        (int64_t)pixels->width * pixels->height > sampler->source->params->max_pixels)
        status =
            mxio_fail(err, MXIO_EDATA, "%d x %d pixels are more than max_pixels=%lld",
                      pixels->width, pixels->height,
                      (long long)sampler->source->params->max_pixels);
    if (status == MXIO_OK)
        status =
            draw_plan(sampler, ask, (struct mxio_size){pixels->width, pixels->height},
                      out->label, &plan, err);
    if (status == MXIO_OK)
        status = mxio_buffer_need(&sampler->pixels, size + MXIO_SLACK, err);
    if (status == MXIO_OK) {
        end_stage(sampler, MXIO_STAGE_TRANSFORM);
        copy.bytes = memcpy(sampler->pixels.bytes, pixels->bytes, size);
        status = mxio_plan_apply(&sampler->augmenter, &plan, &copy, out->data, err);
    }
    end_stage(sampler, MXIO_STAGE_READ);
    if (status != MXIO_OK)
        return name_place(sampler, ask, status, err);
    *out->id = record.id;
    return MXIO_OK;
}
