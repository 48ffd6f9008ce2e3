#include "repack.h"

#include <string.h>

#include "file.h"
#include "jpeg.h"
#include "jpeg_transcode.h"
#include "png.h"
#include "recordio.h"
#include "resize.h"

#define MOST_SHRINKING 8

struct mxio_repacker {
    struct mxio_jpeg *jpeg; /* made when the first picture of its kind comes */
    struct mxio_png *png;
    struct mxio_resizer resizer;
    struct mxio_buffer file, pixels;
};

enum mxio_status
mxio_repacker_new(struct mxio_repacker **out, struct mxio_error *err)
{
    struct mxio_repacker *repacker = mxio_alloc(sizeof *repacker);

    if (repacker == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for a packing thread");
    *out = repacker;
    return MXIO_OK;
}

void
mxio_repacker_free(struct mxio_repacker *repacker)
{
    if (repacker == NULL)
        return;
    mxio_jpeg_free(repacker->jpeg);
    mxio_png_free(repacker->png);
    mxio_resizer_free(&repacker->resizer);
    mxio_buffer_free(&repacker->file);
    mxio_buffer_free(&repacker->pixels);
    mxio_free(repacker);
}

/* ---- records ---- */

/* A payload under construction, with room for the head of its record and the padding. */
struct payload {
    uint8_t *bytes; /* of the record; the payload begins behind MXIO_HEAD_SIZE */
    size_t size;    /* of the payload */
};

static enum mxio_status
payload_start(struct payload *payload, const struct mxio_pack_job *job,
              uint64_t picture_size, struct mxio_error *err)
{
    const uint64_t size = picture_size + job->head_size;

    if (size >= MXIO_RECORD_LIMIT) {
        mxio_fail(err, MXIO_EDATA,
                  "a record must have fewer than 2**29 = %zu bytes, got %llu",
                  MXIO_RECORD_LIMIT, (unsigned long long)size);
        return MXIO_EDATA;
    }
    payload->size = (size_t)size;
    payload->bytes = mxio_alloc_pages(MXIO_HEAD_SIZE + payload->size + 3);
    if (payload->bytes == NULL) {
        mxio_fail(err, MXIO_ENOMEM, "no memory for a record of %llu bytes",
                  (unsigned long long)size);
        return MXIO_ENOMEM;
    }
    memcpy(payload->bytes + MXIO_HEAD_SIZE, job->head, job->head_size);
    return MXIO_OK;
}

/* Where the picture goes. */
static uint8_t *
payload_picture(const struct payload *payload, const struct mxio_pack_job *job)
{
    return payload->bytes + MXIO_HEAD_SIZE + job->head_size;
}

/* Make a record of the payload, in place unless it holds the magic number. */
static enum mxio_status
payload_finish(struct payload *payload, struct mxio_block **out, struct mxio_error *err)
{
    uint8_t *body = payload->bytes + MXIO_HEAD_SIZE;
    const size_t padding = (4 - payload->size % 4) % 4;
    const size_t plain = MXIO_HEAD_SIZE + payload->size + padding;
    const size_t encoded = mxio_recordio_encoded_size(body, payload->size);

    if (encoded == plain) {
        mxio_store_u32(payload->bytes, MXIO_RECORD_MAGIC);
        mxio_store_u32(payload->bytes + 4, (uint32_t)payload->size);
        memset(body + payload->size, 0, padding);
        return mxio_block_adopt(out, payload->bytes, plain, err);
    }
    const enum mxio_status status = mxio_block_new(out, encoded, err);
    if (status == MXIO_OK)
        mxio_recordio_encode(body, payload->size, (*out)->bytes);
    mxio_free(payload->bytes);
    return status;
}

/* ---- files ---- */

static enum mxio_status
open_file(struct mxio_file *file, const char *path, struct mxio_error *err)
{
    const enum mxio_status status = mxio_file_open(file, path, err);

    if (status != MXIO_OK || (file->size > 0 && file->size < MXIO_RECORD_LIMIT))
        return status;
    mxio_file_close(file);
    if (file->size == 0)
        return mxio_fail(err, MXIO_EDATA, "the file is empty");
    return mxio_fail(err, MXIO_EDATA,
                     "a picture must have fewer than 2**29 = %zu bytes, got %llu",
                     MXIO_RECORD_LIMIT, (unsigned long long)file->size);
}

/* A record of picture bytes. */
static enum mxio_status
pack_bytes(const struct mxio_pack_job *job, const uint8_t *bytes, size_t size,
           struct mxio_block **out, struct mxio_error *err)
{
    struct payload payload = {.bytes = NULL};

    const enum mxio_status status = payload_start(&payload, job, size, err);
    if (status != MXIO_OK)
        return status;
    memcpy(payload_picture(&payload, job), bytes, size);
    return payload_finish(&payload, out, err);
}

/* The same, where a JPEG is written anew first, if that can be done. */
static enum mxio_status
pack_transcoded(const struct mxio_pack_job *job, const struct mxio_recipe *recipe,
                const uint8_t *bytes, size_t size, struct mxio_block **out,
                struct mxio_error *err)
{
    struct mxio_error kept = *err;
    uint8_t *fast = NULL;
    size_t fast_size = 0;

    if (!mxio_jpeg_sniff(bytes, size))
        return pack_bytes(job, bytes, size, out, err);
    enum mxio_status status =
        mxio_jpeg_transcode(bytes, size, MXIO_JPEG_FAST_RESTART, recipe->max_pixels,
                            &fast, &fast_size, &kept);
    if (status == MXIO_EFOREIGN)
        return pack_bytes(job, bytes, size, out, err);
    if (status != MXIO_OK) {
        *err = kept;
        return status;
    }
    status = pack_bytes(job, fast, fast_size, out, err);
    mxio_free(fast);
    return status;
}

static enum mxio_status
pack_unchanged(struct mxio_repacker *self, const struct mxio_recipe *recipe,
               const struct mxio_pack_job *job, const struct mxio_file *file,
               struct mxio_block **out, struct mxio_error *err)
{
    const size_t size = (size_t)file->size;
    struct payload payload = {.bytes = NULL};
    enum mxio_status status;

    if (recipe->transcode) {
        status = mxio_buffer_need(&self->file, size, err);
        if (status == MXIO_OK)
            status = mxio_file_read(file, 0, self->file.bytes, size, err);
        return status != MXIO_OK
                   ? status
                   : pack_transcoded(job, recipe, self->file.bytes, size, out, err);
    }
    status = payload_start(&payload, job, size, err);
    if (status != MXIO_OK)
        return status;
    status = mxio_file_read(file, 0, payload_picture(&payload, job), size, err);
    if (status == MXIO_OK)
        return payload_finish(&payload, out, err);
    mxio_free(payload.bytes);
    return status;
}

/* ---- pixels ---- */

/* By how much a picture may be shrunk while it is decoded: it stays as large as the
 * result, or larger. */
static int
shrinking(const struct mxio_recipe *recipe, const struct mxio_picture *picture)
{
    const int shorter =
        picture->width < picture->height ? picture->width : picture->height;
    int by = 1;

    if (!recipe->scaled_decode || recipe->resize == 0)
        return by;
    while (by < MOST_SHRINKING && shorter / (2 * by) >= recipe->resize)
        by *= 2;
    return by;
}

/* *full is the size of the picture; the view may be smaller by the factor of shrinking. */
static enum mxio_status
decode_jpeg(struct mxio_repacker *self, const struct mxio_recipe *recipe, size_t size,
            struct mxio_size *full, struct mxio_view *out, struct mxio_error *err)
{
    struct mxio_picture picture;
    enum mxio_status status = MXIO_OK;

    if (self->jpeg == NULL)
        status = mxio_jpeg_new(&self->jpeg, err);
    if (status == MXIO_OK)
        status =
            mxio_jpeg_open(self->jpeg, self->file.bytes, size, recipe->channels != 0,
                           recipe->max_pixels, &picture, err);
    if (status != MXIO_OK)
        return status;
    if (recipe->channels == 0 && picture.bits > 8)
        return mxio_fail(err, MXIO_EFOREIGN, "JPEG of %d bits", picture.bits);
    *full = (struct mxio_size){picture.width, picture.height};
    const int by = shrinking(recipe, &picture);
    if (by > 1)
        status = mxio_jpeg_shrink(self->jpeg, by, &picture, err);
    if (status != MXIO_OK)
        return status;
    const int channels = recipe->channels == 0 ? picture.channels : recipe->channels;
    const struct mxio_rect all = {0, 0, picture.width, picture.height};
    return mxio_jpeg_read(self->jpeg, channels, false, all, out, err);
}

static enum mxio_status
decode_png(struct mxio_repacker *self, const struct mxio_recipe *recipe, size_t size,
           struct mxio_size *full, struct mxio_view *out, struct mxio_error *err)
{
    struct mxio_picture picture;
    enum mxio_status status = MXIO_OK;

    if (self->png == NULL)
        status = mxio_png_new(&self->png, err);
    if (status == MXIO_OK)
        status = mxio_png_open(self->png, self->file.bytes, size, recipe->max_pixels,
                               &picture, err);
    if (status != MXIO_OK)
        return status;
    if (recipe->channels == 0 && picture.bits > 8)
        return mxio_fail(err, MXIO_EFOREIGN, "PNG of %d bits", picture.bits);
    *full = (struct mxio_size){picture.width, picture.height};
    int channels = recipe->channels == 0 ? picture.channels : recipe->channels;
    if (channels == 4 && !recipe->png)
        channels = 3;
    const struct mxio_rect all = {0, 0, picture.width, picture.height};
    return mxio_png_read(self->png, channels, false, all, out, err);
}

static enum mxio_status
decode(struct mxio_repacker *self, const struct mxio_recipe *recipe,
       const struct mxio_file *file, struct mxio_size *full, struct mxio_view *out,
       struct mxio_error *err)
{
    const size_t size = (size_t)file->size;

    enum mxio_status status = mxio_buffer_need(&self->file, size, err);
    if (status == MXIO_OK)
        status = mxio_file_read(file, 0, self->file.bytes, size, err);
    if (status != MXIO_OK)
        return status;
    if (mxio_jpeg_sniff(self->file.bytes, size))
        return decode_jpeg(self, recipe, size, full, out, err);
    if (mxio_png_sniff(self->file.bytes, size))
        return decode_png(self, recipe, size, full, out, err);
    return mxio_fail(err, MXIO_EFOREIGN, "neither JPEG nor PNG");
}

static int
shorter_of(int a, int b)
{
    return a < b ? a : b;
}

/* The square in the middle. */
static void
cut_square(struct mxio_view *view)
{
    const int size = shorter_of(view->width, view->height);
    const size_t top = (size_t)((view->height - size) / 2);
    const size_t left = (size_t)((view->width - size) / 2);

    view->bytes += top * view->stride + left * (size_t)view->channels;
    view->width = size;
    view->height = size;
    view->held = (struct mxio_rect){0, 0, size, size};
}

/* The size that the shorter edge of `from` comes to `resize` with. */
static enum mxio_status
target_size(struct mxio_size from, const struct mxio_recipe *recipe,
            struct mxio_size *out, struct mxio_error *err)
{
    const int64_t resize = recipe->resize;
    const bool upright = from.height > from.width;
    const int64_t width = upright ? resize : resize * from.width / from.height;
    const int64_t height = upright ? resize * from.height / from.width : resize;

    if (width * height > recipe->max_pixels)
        return mxio_fail(err, MXIO_EDATA,
                         "resized to %lld x %lld, it has more pixels than the %lld "
                         "that are allowed",
                         (long long)width, (long long)height,
                         (long long)recipe->max_pixels);
    *out = (struct mxio_size){(int)width, (int)height};
    return MXIO_OK;
}

static enum mxio_inter
inter_of(const struct mxio_pack_job *job, struct mxio_size from, struct mxio_size to)
{
    if (job->inter != MXIO_INTER_FITTING)
        return (enum mxio_inter)job->inter;
    if (to.width > from.width && to.height > from.height)
        return MXIO_INTER_CUBIC;
    return to.width < from.width && to.height < from.height ? MXIO_INTER_AREA
                                                            : MXIO_INTER_LINEAR;
}

/* The view, `to` large, without gaps between its rows. */
static enum mxio_status
resize(struct mxio_repacker *self, const struct mxio_view *view, struct mxio_size to,
       enum mxio_inter inter, struct mxio_error *err)
{
    const struct mxio_rect all = {0, 0, to.width, to.height};
    const size_t row = (size_t)to.width * (size_t)view->channels;

    enum mxio_status status =
        mxio_buffer_need(&self->pixels, row * (size_t)to.height, err);
    if (status == MXIO_OK)
        status = mxio_resizer_start(&self->resizer, view, to, inter, all, false, err);
    for (int y = 0; y < to.height && status == MXIO_OK; y++)
        memcpy(self->pixels.bytes + (size_t)y * row,
               mxio_resizer_row(&self->resizer, y), row);
    return status;
}

static enum mxio_status
close_rows(struct mxio_repacker *self, const struct mxio_view *view,
           struct mxio_error *err)
{
    const size_t row = (size_t)view->width * (size_t)view->channels;

    const enum mxio_status status =
        mxio_buffer_need(&self->pixels, row * (size_t)view->height, err);
    for (int y = 0; y < view->height && status == MXIO_OK; y++)
        memcpy(self->pixels.bytes + (size_t)y * row,
               view->bytes + (size_t)y * view->stride, row);
    return status;
}

/* Cut and resize; the view is then of rows without gaps. */
static enum mxio_status
shape(struct mxio_repacker *self, const struct mxio_recipe *recipe,
      const struct mxio_pack_job *job, struct mxio_size full, struct mxio_view *view,
      struct mxio_error *err)
{
    struct mxio_size to = {view->width, view->height};
    enum mxio_status status = MXIO_OK;

    if (recipe->center_crop) {
        cut_square(view);
        full.width = full.height = shorter_of(full.width, full.height);
        to = (struct mxio_size){view->width, view->height};
    }
    if (recipe->resize > 0 && recipe->resize != shorter_of(full.width, full.height))
        status = target_size(full, recipe, &to, err);
    if (status != MXIO_OK)
        return status;
    if (to.width != view->width || to.height != view->height) {
        status = resize(self, view, to, inter_of(job, full, to), err);
    } else {
        if (view->stride == (size_t)view->width * (size_t)view->channels)
            return MXIO_OK;
        status = close_rows(self, view, err);
    }
    view->bytes = self->pixels.bytes;
    view->width = to.width;
    view->height = to.height;
    return status;
}

enum mxio_status
mxio_repack(struct mxio_repacker *repacker, const struct mxio_recipe *recipe,
            const struct mxio_pack_job *job, struct mxio_block **out,
            struct mxio_error *err)
{
    struct mxio_file file = {.descriptor = -1};
    struct mxio_view view = {.bytes = NULL};
    struct mxio_size full = {1, 1};
    uint8_t *encoded;
    size_t size;

    enum mxio_status status = open_file(&file, job->path, err);
    if (status != MXIO_OK)
        return status;
    status = recipe->unchanged ? pack_unchanged(repacker, recipe, job, &file, out, err)
                               : decode(repacker, recipe, &file, &full, &view, err);
    mxio_file_close(&file);
    if (status != MXIO_OK || recipe->unchanged)
        return status;
    status = shape(repacker, recipe, job, full, &view, err);
    if (status != MXIO_OK)
        return status;
    status = recipe->png
                 ? mxio_png_encode(view.bytes, view.width, view.height, view.channels,
                                   false, recipe->quality, &encoded, &size, err)
                 : mxio_jpeg_encode(view.bytes, view.width, view.height, view.channels,
                                    false, recipe->quality, &encoded, &size, err);
    if (status != MXIO_OK)
        return status;
    status = recipe->transcode ? pack_transcoded(job, recipe, encoded, size, out, err)
                               : pack_bytes(job, encoded, size, out, err);
    mxio_free(encoded);
    return status;
}
