#include "jpeg_transcode.h"

#include <string.h>

#include "jpeg.h"
#include "jpeg_codec.h"

#include <jerror.h> /* after jpeglib.h: its settings decide the numbers of the messages */

#define MAX_MARKER_SIZE 0xFFFF

struct transcoder {
    struct mxio_jpeg_fence fence; /* of all three */
    struct jpeg_decompress_struct source;
    struct jpeg_compress_struct target;
    struct jpeg_decompress_struct result; /* what was written, read again */
    struct mxio_jpeg_sink sink;
    jvirt_barray_ptr *coefficients; /* of the source */
};

/* Messages of libjpeg about what is no damage but cannot be read, or not be written. */
static bool
is_foreign(int message)
{
    switch (message) {
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_DCT_COEF:
    case JERR_BAD_MCU_SIZE:
    case JERR_BAD_PRECISION:
    case JERR_COMPONENT_COUNT:
    case JERR_MISMATCHED_QUANT_TABLE:
    case JERR_SOF_UNSUPPORTED:
        return true;
    default:
        return false;
    }
}

static void
begin(struct transcoder *work, struct jpeg_decompress_struct *codec,
      const uint8_t *bytes, size_t size)
{
    mxio_jpeg_begin(codec, &work->fence, bytes, size);
    jpeg_save_markers(codec, JPEG_COM, MAX_MARKER_SIZE);
    for (int i = 0; i < 16; i++)
        jpeg_save_markers(codec, JPEG_APP0 + i, MAX_MARKER_SIZE);
    jpeg_read_header(codec, TRUE);
}

/* What later scans would have refined is guessed at by readers, unless it is baseline. */
static bool
is_complete(const struct jpeg_decompress_struct *codec)
{
    if (!codec->progressive_mode)
        return true;
    for (int i = 0; i < codec->num_components; i++)
        for (int k = 0; k < DCTSIZE2; k++)
            if (codec->coef_bits[i][k] != 0)
                return false;
    return true;
}

static enum mxio_status
read_source(struct transcoder *work, int64_t max_pixels, struct mxio_error *err)
{
    struct jpeg_decompress_struct *source = &work->source;

    if ((int64_t)source->image_width * source->image_height > max_pixels)
        return mxio_fail(err, MXIO_EDATA,
                         "JPEG: %u x %u pixels are more than max_pixels=%lld",
                         source->image_width, source->image_height,
                         (long long)max_pixels);
    if (source->arith_code)
        return mxio_fail(err, MXIO_EFOREIGN, "JPEG: arithmetic coding");
    work->coefficients = jpeg_read_coefficients(source);
    if (!is_complete(source))
        return mxio_fail(err, MXIO_EFOREIGN, "JPEG: progressive, with scans missing");
    return MXIO_OK;
}

static void
write_target(struct transcoder *work, unsigned restart_interval)
{
    struct jpeg_compress_struct *target = &work->target;

    target->err = &work->fence.manager;
    jpeg_create_compress(target);
    target->dest = &work->sink.manager;
    jpeg_copy_critical_parameters(&work->source, target);
    target->optimize_coding = TRUE;
    target->restart_interval = restart_interval;
    /* These are among the segments that are copied, where there were any. */
    target->write_JFIF_header = FALSE;
    target->write_Adobe_marker = FALSE;
    jpeg_write_coefficients(target, work->coefficients);
    for (jpeg_saved_marker_ptr marker = work->source.marker_list; marker != NULL;
         marker = marker->next)
        jpeg_write_marker(target, marker->marker, marker->data, marker->data_length);
    jpeg_finish_compress(target);
}

static bool
same_markers(const struct jpeg_decompress_struct *one,
             const struct jpeg_decompress_struct *other)
{
    jpeg_saved_marker_ptr a = one->marker_list, b = other->marker_list;

    for (; a != NULL && b != NULL; a = a->next, b = b->next)
        if (a->marker != b->marker || a->data_length != b->data_length ||
            memcmp(a->data, b->data, a->data_length) != 0)
            return false;
    return a == NULL && b == NULL;
}

static bool
same_component(const jpeg_component_info *a, const jpeg_component_info *b)
{
    /* A component that no scan brought has no table, and no coefficients. */
    return a->component_id == b->component_id && a->h_samp_factor == b->h_samp_factor &&
           a->v_samp_factor == b->v_samp_factor &&
           a->width_in_blocks == b->width_in_blocks &&
           a->height_in_blocks == b->height_in_blocks && b->quant_table != NULL &&
           (a->quant_table == NULL ||
            memcmp(a->quant_table->quantval, b->quant_table->quantval,
                   sizeof a->quant_table->quantval) == 0);
}

static bool
same_blocks(struct transcoder *work, int component, jvirt_barray_ptr wanted,
            jvirt_barray_ptr got)
{
    const jpeg_component_info *info = &work->source.comp_info[component];
    j_common_ptr source = (j_common_ptr)&work->source;
    j_common_ptr result = (j_common_ptr)&work->result;

    for (JDIMENSION row = 0; row < info->height_in_blocks; row++) {
        JBLOCKARRAY a = source->mem->access_virt_barray(source, wanted, row, 1, FALSE);
        JBLOCKARRAY b = result->mem->access_virt_barray(result, got, row, 1, FALSE);
        if (memcmp(a[0], b[0], info->width_in_blocks * sizeof(JBLOCK)) != 0)
            return false;
    }
    return true;
}

/* True when what was written holds what was read. */
static bool
is_equal(struct transcoder *work)
{
    const struct jpeg_decompress_struct *source = &work->source;
    const struct jpeg_decompress_struct *result = &work->result;

    begin(work, &work->result, work->sink.bytes, mxio_jpeg_sink_used(&work->sink));
    jvirt_barray_ptr *got = jpeg_read_coefficients(&work->result);
    bool equal = source->image_width == result->image_width &&
                 source->image_height == result->image_height &&
                 source->num_components == result->num_components &&
                 source->jpeg_color_space == result->jpeg_color_space &&
                 same_markers(source, result);
    for (int i = 0; equal && i < source->num_components; i++)
        equal = same_component(&source->comp_info[i], &result->comp_info[i]) &&
                same_blocks(work, i, work->coefficients[i], got[i]);
    return equal;
}

static enum mxio_status
transcode(struct transcoder *work, const uint8_t *bytes, size_t size,
          unsigned restart_interval, int64_t max_pixels, struct mxio_error *err)
{
    work->fence.err = err;
    if (setjmp(
            work->fence.back)) { /* locals are not changed between a call that may jump
                                       and here */
        if (err->status == MXIO_EDATA && is_foreign(work->fence.manager.msg_code))
            err->status = MXIO_EFOREIGN;
        return err->status;
    }
    begin(work, &work->source, bytes, size);
    const enum mxio_status status = read_source(work, max_pixels, err);
    if (status != MXIO_OK)
        return status;
    write_target(work, restart_interval);
    if (!is_equal(work))
        return mxio_fail(err, MXIO_EFOREIGN, "JPEG: not the same when read again");
    return MXIO_OK;
}

enum mxio_status
mxio_jpeg_transcode(const uint8_t *bytes, size_t size, unsigned restart_interval,
                    int64_t max_pixels, uint8_t **out, size_t *out_size,
                    struct mxio_error *err)
{
    struct transcoder work = {.fence = {.irregular = false}};

    if (restart_interval > MXIO_JPEG_MAX_RESTART)
        return mxio_fail(err, MXIO_EPARAM, "restart must be in [0, %d], got %u",
                         MXIO_JPEG_MAX_RESTART, restart_interval);
    if (!mxio_jpeg_sniff(bytes, size))
        return mxio_fail(err, MXIO_EFOREIGN, "not a JPEG");
    mxio_jpeg_fence_init(&work.fence);
    /* It seldom gets larger. */
    enum mxio_status status = mxio_jpeg_sink_init(&work.sink, size + 1024, err);
    if (status == MXIO_OK)
        status = transcode(&work, bytes, size, restart_interval, max_pixels, err);
    if (status == MXIO_OK) {
        *out_size = mxio_jpeg_sink_used(&work.sink);
        *out = work.sink.bytes;
    } else {
        mxio_free(work.sink.bytes);
    }
    jpeg_destroy_decompress(&work.source);
    jpeg_destroy_compress(&work.target);
    jpeg_destroy_decompress(&work.result);
    return status;
}
