#include "png.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "png_plain.h"

#define SIGNATURE_SIZE ((size_t)8)

/* Memory for libpng. What it says when there is none is like any error of its own: a flag
 * of the decoder or encoder tells them apart. */
static png_voidp
give_memory(png_structp codec, png_alloc_size_t size)
{
    bool *no_memory = png_get_mem_ptr(codec);
    void *block = mxio_realloc(NULL, size); /* need not be zeroed */

    *no_memory = *no_memory || block == NULL;
    return block;
}

static void
take_memory(png_structp codec, png_voidp block)
{
    (void)codec;
    mxio_free(block);
}

struct mxio_png {
    struct mxio_plain_png plain;
    bool is_plain, only_libpng;
    png_structp codec; /* NULL between pictures: libpng has no reuse */
    png_infop info;
    const uint8_t *bytes;
    size_t size, place;
    struct mxio_buffer rows;
    struct mxio_buffer row; /* a row that nobody wants */
    struct mxio_picture picture;
    jmp_buf back;
    bool no_memory; /* libpng was refused some */
    struct mxio_error *err;
};

static void
on_error(png_structp codec, png_const_charp reason)
{
    struct mxio_png *png = png_get_error_ptr(codec);

    mxio_fail(png->err, png->no_memory ? MXIO_ENOMEM : MXIO_EDATA, "PNG: %s", reason);
    longjmp(png->back, 1);
}

static void
on_warning(png_structp codec, png_const_charp reason)
{
    (void)codec;
    (void)reason;
}

static void
give_bytes(png_structp codec, png_bytep out, size_t size)
{
    struct mxio_png *png = png_get_io_ptr(codec);

    if (size > png->size - png->place)
        png_error(codec, "the data end too early");
    memcpy(out, png->bytes + png->place, size);
    png->place += size;
}

bool
mxio_png_sniff(const uint8_t *bytes, size_t size)
{
    return size >= SIGNATURE_SIZE && png_sig_cmp(bytes, 0, SIGNATURE_SIZE) == 0;
}

enum mxio_status
mxio_png_new(struct mxio_png **out, struct mxio_error *err)
{
    struct mxio_png *png = mxio_alloc(sizeof *png);

    if (png == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for a PNG decoder");
    *out = png;
    return MXIO_OK;
}

static void
close_picture(struct mxio_png *png)
{
    if (png->codec != NULL)
        png_destroy_read_struct(&png->codec, &png->info, NULL);
}

void
mxio_png_free(struct mxio_png *png)
{
    if (png == NULL)
        return;
    close_picture(png);
    mxio_plain_png_free(&png->plain);
    mxio_buffer_free(&png->rows);
    mxio_buffer_free(&png->row);
    mxio_free(png);
}

bool
mxio_png_was_plain(const struct mxio_png *png)
{
    return png->is_plain;
}

void
mxio_png_only_libpng(struct mxio_png *png)
{
    png->only_libpng = true;
}

static int
stored_channels(png_structp codec, png_infop info)
{
    const png_byte type = png_get_color_type(codec, info);
    const bool transparent = png_get_valid(codec, info, PNG_INFO_tRNS) != 0;

    if (type & PNG_COLOR_MASK_ALPHA)
        return 4;
    if (type == PNG_COLOR_TYPE_PALETTE && transparent)
        return 4;
    return type == PNG_COLOR_TYPE_GRAY ? 1 : 3;
}

/* The header as libpng reads it, from the start of the bytes. */
static enum mxio_status
open_libpng(struct mxio_png *png, struct mxio_error *err)
{
    png->place = 0;
    png->err = err;
    png->no_memory = false;
    if (setjmp(png->back)) {
        close_picture(png);
        return err->status;
    }
    png->codec =
        png_create_read_struct_2(PNG_LIBPNG_VER_STRING, png, on_error, on_warning,
                                 &png->no_memory, give_memory, take_memory);
    if (png->codec == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for a PNG decoder");
    png->info = png_create_info_struct(png->codec);
    if (png->info == NULL) {
        close_picture(png);
        return mxio_fail(err, MXIO_ENOMEM, "no memory for a PNG decoder");
    }
    png_set_read_fn(png->codec, png, give_bytes);
    png_set_user_limits(png->codec, MXIO_PNG_MAX_SIDE, MXIO_PNG_MAX_SIDE);
    png_set_chunk_malloc_max(png->codec, MXIO_PNG_MAX_TEXT);
    png_set_chunk_cache_max(png->codec, 1); /* its word for: keep no texts at all */
    png_read_info(png->codec, png->info);
    png->picture =
        (struct mxio_picture){.width = (int)png_get_image_width(png->codec, png->info),
                              .height =
                                  (int)png_get_image_height(png->codec, png->info),
                              .channels = stored_channels(png->codec, png->info),
                              .bits = png_get_bit_depth(png->codec, png->info),
                              .orientation = 1};
    return MXIO_OK;
}

enum mxio_status
mxio_png_open(struct mxio_png *png, const uint8_t *bytes, size_t size,
              int64_t max_pixels, struct mxio_picture *out, struct mxio_error *err)
{
    if (!mxio_png_sniff(bytes, size))
        return mxio_fail(err, MXIO_EDATA, "not a PNG");
    close_picture(png);
    png->bytes = bytes;
    png->size = size;
    png->is_plain =
        !png->only_libpng &&
        mxio_plain_png_open(&png->plain, bytes + SIGNATURE_SIZE, size - SIGNATURE_SIZE);
    if (png->is_plain)
        png->picture =
            (struct mxio_picture){.width = png->plain.width,
                                  .height = png->plain.height,
                                  .channels = mxio_plain_png_channels(&png->plain),
                                  .bits = 8,
                                  .orientation = 1};
    const enum mxio_status status = png->is_plain ? MXIO_OK : open_libpng(png, err);
    if (status != MXIO_OK)
        return status;
    const struct mxio_picture picture = png->picture;
    if ((int64_t)picture.width * picture.height > max_pixels) {
        close_picture(png);
        return mxio_fail(err, MXIO_EDATA,
                         "PNG: %d x %d pixels are more than max_pixels=%lld",
                         picture.width, picture.height, (long long)max_pixels);
    }
    *out = picture;
    return MXIO_OK;
}

/* Gray in place from rows of RGB; .299, .587, .114 in 14 bits, as OpenCV does. */
static void
gray_row(uint8_t *row, size_t width)
{
    for (size_t i = 0; i < width; i++)
        row[i] = (uint8_t)((row[3 * i] * 4899 + row[3 * i + 1] * 9617 +
                            row[3 * i + 2] * 1868 + 8192) >>
                           14);
}

/* Ask libpng for 8 bits and `channels` channels, or 3 where gray is still to be made of
 * colour. */
static size_t
ask_for(struct mxio_png *png, int channels, bool bgr)
{
    const bool color =
        (png_get_color_type(png->codec, png->info) & PNG_COLOR_MASK_COLOR) != 0;

    png_set_strip_16(png->codec);
    if (png_get_color_type(png->codec, png->info) == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(png->codec);
    else
        png_set_expand_gray_1_2_4_to_8(png->codec);
    if (channels != 4)
        png_set_strip_alpha(png->codec);
    else if (png_get_valid(png->codec, png->info, PNG_INFO_tRNS))
        png_set_tRNS_to_alpha(png->codec);
    if (!color && channels > 1)
        png_set_gray_to_rgb(png->codec);
    if (bgr && (color || channels > 1) && channels != 1)
        png_set_bgr(png->codec);
    return color && channels == 1 ? 3 : (size_t)channels;
}

static enum mxio_status
read_rows(struct mxio_png *png, int channels, bool bgr, struct mxio_rect window,
          size_t *stride, struct mxio_error *err)
{
    png->err = err;
    if (setjmp(png->back)) /* locals are not changed between a call that may jump and
                              here */
        return err->status;
    const size_t decoded = ask_for(png, channels, bgr);
    const int passes = png_set_interlace_handling(png->codec);
    png_read_update_info(png->codec, png->info);
    const size_t row_size = (size_t)png->picture.width * decoded;
    if (png_get_rowbytes(png->codec, png->info) != row_size)
        return mxio_fail(err, MXIO_EDATA, "PNG: rows of %zu bytes, %zu expected",
                         png_get_rowbytes(png->codec, png->info), row_size);
    /* An interlaced picture comes in passes over all of its rows. */
    const int first = passes > 1 ? 0 : window.y;
    const int end = passes > 1 ? png->picture.height : window.y + window.height;
    enum mxio_status status =
        mxio_buffer_need(&png->rows, row_size * (size_t)(end - first) + MXIO_SLACK,
                         err);
    if (status == MXIO_OK)
        status = mxio_buffer_need(&png->row, row_size, err);
    if (status != MXIO_OK)
        return status;
    /* Rows behind the window are read, too: the checksum of the data comes at their end. */
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < png->picture.height; y++)
            png_read_row(png->codec,
                         y < first || y >= end
                             ? png->row.bytes
                             : png->rows.bytes + row_size * (size_t)(y - first),
                         NULL);
    png_read_end(png->codec, NULL);
    if (decoded != (size_t)channels)
        for (int y = 0; y < end - first; y++)
            gray_row(png->rows.bytes + row_size * (size_t)y,
                     (size_t)png->picture.width);
    *stride = row_size;
    return MXIO_OK;
}

static enum mxio_status
read_libpng(struct mxio_png *png, int channels, bool bgr, struct mxio_rect window,
            struct mxio_view *out, struct mxio_error *err)
{
    size_t stride = 0;
    const bool interlaced =
        png_get_interlace_type(png->codec, png->info) != PNG_INTERLACE_NONE;
    const enum mxio_status status = read_rows(png, channels, bgr, window, &stride, err);

    close_picture(png);
    if (status != MXIO_OK)
        return status;
    *out = (struct mxio_view){.bytes = png->rows.bytes +
                                       (interlaced ? stride * (size_t)window.y : 0) +
                                       (size_t)window.x * (size_t)channels,
                              .stride = stride,
                              .width = png->picture.width,
                              .height = png->picture.height,
                              .channels = channels,
                              .held = window};
    return MXIO_OK;
}

enum mxio_status
mxio_png_read(struct mxio_png *png, int channels, bool bgr, struct mxio_rect window,
              struct mxio_view *out, struct mxio_error *err)
{
    bool done = false;

    if (channels == 4 && png->picture.channels != 4)
        return mxio_fail(err, MXIO_EDATA, "PNG: expected 4 channels, got %d",
                         png->picture.channels);
    if (png->is_plain) {
        enum mxio_status status =
            mxio_plain_png_read(&png->plain, channels, bgr, window, out, &done, err);
        if (status == MXIO_OK && !done) /* damaged, or not quite: it is libpng's word */
            status = open_libpng(png, err);
        if (status != MXIO_OK || done)
            return status;
    }
    return read_libpng(png, channels, bgr, window, out, err);
}

struct encoder {
    jmp_buf back;
    struct mxio_error *err;
    uint8_t *bytes;
    size_t size, used;
    bool no_memory;
};

static void
on_encode_error(png_structp codec, png_const_charp reason)
{
    struct encoder *encoder = png_get_error_ptr(codec);

    mxio_fail(encoder->err, encoder->no_memory ? MXIO_ENOMEM : MXIO_EDATA, "PNG: %s",
              reason);
    longjmp(encoder->back, 1);
}

static void
take_bytes(png_structp codec, png_bytep in, size_t size)
{
    struct encoder *encoder = png_get_io_ptr(codec);

    if (size > encoder->size - encoder->used) {
        const size_t wanted = 2 * encoder->size + size;
        uint8_t *bytes = mxio_realloc(encoder->bytes, wanted);
        if (bytes == NULL) {
            encoder->no_memory = true;
            png_error(codec, "no memory to encode");
        }
        encoder->bytes = bytes;
        encoder->size = wanted;
    }
    memcpy(encoder->bytes + encoder->used, in, size);
    encoder->used += size;
}

static void
ignore_flush(png_structp codec)
{
    (void)codec;
}

static int
color_type(int channels)
{
    return channels == 1   ? PNG_COLOR_TYPE_GRAY
           : channels == 3 ? PNG_COLOR_TYPE_RGB
                           : PNG_COLOR_TYPE_RGB_ALPHA;
}

enum mxio_status
mxio_png_encode(const uint8_t *pixels, int width, int height, int channels, bool bgr,
                int level, uint8_t **out, size_t *out_size, struct mxio_error *err)
{
    struct encoder encoder = {.err = err};
    png_structp volatile codec =
        png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &encoder, on_encode_error,
                                  on_warning, &encoder.no_memory, give_memory,
                                  take_memory);
    png_infop volatile info = codec == NULL ? NULL : png_create_info_struct(codec);

    if (info == NULL) {
        png_destroy_write_struct((png_structp *)&codec, NULL);
        return mxio_fail(err, MXIO_ENOMEM, "no memory for a PNG encoder");
    }
    if (setjmp(encoder.back)) {
        png_destroy_write_struct((png_structp *)&codec, (png_infop *)&info);
        mxio_free(encoder.bytes);
        return err->status;
    }
    png_set_write_fn(codec, &encoder, take_bytes, ignore_flush);
    png_set_compression_level(codec, level);
    png_set_IHDR(codec, info, (png_uint_32)width, (png_uint_32)height, 8,
                 color_type(channels), PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(codec, info);
    if (bgr && channels > 1)
        png_set_bgr(codec);
    for (int y = 0; y < height; y++)
        png_write_row(codec, pixels + (size_t)y * (size_t)width * (size_t)channels);
    png_write_end(codec, NULL);
    png_destroy_write_struct((png_structp *)&codec, (png_infop *)&info);
    *out = encoder.bytes;
    *out_size = encoder.used;
    return MXIO_OK;
}

const char *
mxio_png_version(void)
{
    return "libpng " PNG_LIBPNG_VER_STRING;
}
