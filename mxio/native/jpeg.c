#include "jpeg.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h> /* after jpeglib.h: its settings decide the numbers of the messages */

#ifndef LIBJPEG_TURBO_VERSION_NUMBER
#error "mxio needs libjpeg-turbo; this is another libjpeg"
#endif
#if LIBJPEG_TURBO_VERSION_NUMBER < 2001002
#error "mxio needs libjpeg-turbo 2.1.2 or newer"
#endif

/* A progressive file may repeat scans without end; real ones have about ten. */
#define MAX_SCANS 500
#define ROWS_AT_ONCE 8
/* Fancy upsampling looks one chroma sample to each side of the window. */
#define MARGIN 1
/* Columns are asked for in whole chroma blocks: narrower cuts met bugs in
 * libjpeg-turbo. */
#define COLUMN_STEP 16

struct fence {
    struct jpeg_error_mgr manager; /* first: libjpeg hands back a pointer to it */
    jmp_buf back;
    struct mxio_error *err;
};

struct mxio_jpeg {
    struct jpeg_decompress_struct codec;
    struct fence fence;
    struct jpeg_progress_mgr progress;
    struct mxio_buffer rows;   /* decoded as stored */
    struct mxio_buffer turned; /* upright, when the orientation asks for it */
    struct mxio_picture picture;
};

static void
on_error(j_common_ptr codec)
{
    struct fence *fence = (struct fence *)codec->err;
    char reason[JMSG_LENGTH_MAX];

    codec->err->format_message(codec, reason);
    const bool no_memory = codec->err->msg_code == JERR_OUT_OF_MEMORY;
    mxio_fail(fence->err, no_memory ? MXIO_ENOMEM : MXIO_EDATA, "JPEG: %s", reason);
    longjmp(fence->back, 1);
}

/* libjpeg calls damage a warning and goes on with gray; a loader must not. */
static void
on_message(j_common_ptr codec, int level)
{
    if (level >= 0)
        return;
    switch (codec->err->msg_code) {
    case JWRN_HIT_MARKER:
    case JWRN_JPEG_EOF:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_NOT_SEQUENTIAL:
    case JWRN_TOO_MUCH_DATA:
    case JWRN_BOGUS_PROGRESSION:
        on_error(codec);
        return;
    default: /* stray bytes between segments, a newer JFIF version */
        return;
    }
}

static void
ignore_output(j_common_ptr codec)
{
    (void)codec;
}

static void
on_progress(j_common_ptr codec)
{
    struct jpeg_decompress_struct *decompress = (struct jpeg_decompress_struct *)codec;
    struct fence *fence = (struct fence *)codec->err;

    if (decompress->input_scan_number <= MAX_SCANS)
        return;
    mxio_fail(fence->err, MXIO_EDATA, "JPEG: more than %d scans", MAX_SCANS);
    longjmp(fence->back, 1);
}

static void
fence_init(struct fence *fence)
{
    jpeg_std_error(&fence->manager);
    fence->manager.error_exit = on_error;
    fence->manager.emit_message = on_message;
    fence->manager.output_message = ignore_output;
}

bool
mxio_jpeg_sniff(const uint8_t *bytes, size_t size)
{
    return size >= 3 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF;
}

enum mxio_status
mxio_jpeg_new(struct mxio_jpeg **out, struct mxio_error *err)
{
    struct mxio_jpeg *jpeg = mxio_alloc(sizeof *jpeg);

    if (jpeg == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for a JPEG decoder");
    fence_init(&jpeg->fence);
    jpeg->codec.err = &jpeg->fence.manager;
    jpeg->fence.err = err;
    if (setjmp(jpeg->fence.back)) {
        mxio_free(jpeg);
        return err->status;
    }
    jpeg_create_decompress(&jpeg->codec);
    jpeg->progress.progress_monitor = on_progress;
    jpeg->codec.progress = &jpeg->progress;
    *out = jpeg;
    return MXIO_OK;
}

void
mxio_jpeg_free(struct mxio_jpeg *jpeg)
{
    if (jpeg == NULL)
        return;
    jpeg_destroy_decompress(&jpeg->codec);
    mxio_buffer_free(&jpeg->rows);
    mxio_buffer_free(&jpeg->turned);
    mxio_free(jpeg);
}

/* A TIFF header as EXIF embeds it; all offsets count from its first byte. */
struct tiff {
    const uint8_t *bytes;
    size_t size;
    bool big_endian;
};

static uint32_t
tiff_number(const struct tiff *tiff, size_t at, size_t width)
{
    uint32_t value = 0;

    for (size_t i = 0; i < width; i++)
        value = value << 8 | tiff->bytes[at + (tiff->big_endian ? i : width - 1 - i)];
    return value;
}

/* The orientation tag (0x0112) of the first directory, or 1. */
static int
tiff_orientation(const struct tiff *tiff)
{
    const size_t entry_size = 12;

    if (tiff->size < 8)
        return 1;
    const size_t directory = tiff_number(tiff, 4, 4);
    if (directory > tiff->size - 2)
        return 1;
    const size_t count = tiff_number(tiff, directory, 2);
    for (size_t i = 0; i < count; i++) {
        const size_t entry = directory + 2 + i * entry_size;
        if (entry > tiff->size || tiff->size - entry < entry_size)
            return 1;
        if (tiff_number(tiff, entry, 2) != 0x0112)
            continue;
        const uint32_t value = tiff_number(tiff, entry + 8, 2);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

/* Walk the segments up to the first scan for the EXIF block in APP1. */
static int
find_orientation(const uint8_t *bytes, size_t size)
{
    static const uint8_t signature[6] = "Exif\0";
    size_t at = 2;

    while (size - at >= 4 && bytes[at] == 0xFF) {
        const uint8_t marker = bytes[at + 1];
        if (marker == 0xFF) { /* fill byte */
            at++;
            continue;
        }
        if (marker == 0xDA || marker == 0xD9)
            return 1;
        const size_t length = (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        if (length < 2 || length > size - at - 2)
            return 1;
        const uint8_t *body = bytes + at + 4;
        const size_t body_size = length - 2;
        if (marker == 0xE1 && body_size > sizeof signature + 8 &&
            memcmp(body, signature, sizeof signature) == 0) {
            const uint8_t *start = body + sizeof signature;
            return tiff_orientation(&(struct tiff){.bytes = start,
                                                   .size = body_size - sizeof signature,
                                                   .big_endian = start[0] == 'M'});
        }
        at += 2 + length;
    }
    return 1;
}

enum mxio_status
mxio_jpeg_open(struct mxio_jpeg *jpeg, const uint8_t *bytes, size_t size, bool orient,
               int64_t max_pixels, struct mxio_picture *out, struct mxio_error *err)
{
    struct jpeg_decompress_struct *codec = &jpeg->codec;

    if (!mxio_jpeg_sniff(bytes, size))
        return mxio_fail(err, MXIO_EDATA, "not a JPEG");
    jpeg->fence.err = err;
    if (setjmp(jpeg->fence.back)) {
        jpeg_abort_decompress(codec);
        return err->status;
    }
    /* Made anew: the tables of the last picture must not serve one that lacks its own.
     */
    jpeg_destroy_decompress(codec);
    jpeg_create_decompress(codec);
    codec->progress = &jpeg->progress;
    jpeg_mem_src(codec, bytes, size);
    jpeg_read_header(codec, TRUE);
    if ((int64_t)codec->image_width * codec->image_height > max_pixels)
        return mxio_fail(err, MXIO_EDATA,
                         "JPEG: %u x %u pixels are more than max_pixels=%lld",
                         codec->image_width, codec->image_height,
                         (long long)max_pixels);
    const int orientation = orient ? find_orientation(bytes, size) : 1;
    const bool swapped = orientation >= 5;
    jpeg->picture =
        (struct mxio_picture){.width = (int)(swapped ? codec->image_height
                                                     : codec->image_width),
                              .height = (int)(swapped ? codec->image_width
                                                      : codec->image_height),
                              .channels = codec->num_components == 1 ? 1 : 3,
                              .bits = codec->data_precision,
                              .orientation = orientation};
    *out = jpeg->picture;
    return MXIO_OK;
}

enum mxio_status
mxio_jpeg_shrink(struct mxio_jpeg *jpeg, int by, struct mxio_picture *out,
                 struct mxio_error *err)
{
    struct jpeg_decompress_struct *codec = &jpeg->codec;
    const bool swapped = jpeg->picture.orientation >= 5;

    jpeg->fence.err = err;
    if (setjmp(jpeg->fence.back)) {
        jpeg_abort_decompress(codec);
        return err->status;
    }
    codec->scale_num = 1;
    codec->scale_denom = (unsigned)by;
    jpeg_calc_output_dimensions(codec);
    jpeg->picture.width = (int)(swapped ? codec->output_height : codec->output_width);
    jpeg->picture.height = (int)(swapped ? codec->output_width : codec->output_height);
    *out = jpeg->picture;
    return MXIO_OK;
}

/*
 * How an upright picture lies in the stored one: stored = (transposed ? swap : id) of
 * the upright coordinates, then mirrored in x and y. By EXIF orientation 1 to 8.
 */
static const struct turn {
    bool transpose, mirror_x, mirror_y;
} turns[9] = {
    [1] = {false, false, false}, [2] = {false, true, false}, [3] = {false, true, true},
    [4] = {false, false, true},  [5] = {true, false, false}, [6] = {true, false, true},
    [7] = {true, true, true},    [8] = {true, true, false},
};

static struct mxio_rect
stored_window(const struct mxio_jpeg *jpeg, struct mxio_rect upright)
{
    const struct mxio_picture *picture = &jpeg->picture;
    const struct turn turn = turns[picture->orientation];
    struct mxio_rect out = upright;

    if (turn.transpose)
        out = (struct mxio_rect){upright.y, upright.x, upright.height, upright.width};
    if (turn.mirror_x)
        out.x = (turn.transpose ? picture->height : picture->width) - out.x - out.width;
    if (turn.mirror_y)
        out.y =
            (turn.transpose ? picture->width : picture->height) - out.y - out.height;
    return out;
}

/* Copy the stored pixels to their upright places. */
static void
turn_upright(const struct mxio_view *stored, int orientation, uint8_t *out,
             size_t out_stride)
{
    const struct turn turn = turns[orientation];
    const struct mxio_rect held = stored->held;
    const size_t pixel = (size_t)stored->channels;

    for (int y = 0; y < held.height; y++)
        for (int x = 0; x < held.width; x++) {
            const int to_x = turn.mirror_x ? held.width - 1 - x : x;
            const int to_y = turn.mirror_y ? held.height - 1 - y : y;
            const size_t row = (size_t)(turn.transpose ? to_x : to_y);
            const size_t column = (size_t)(turn.transpose ? to_y : to_x);
            memcpy(out + row * out_stride + column * pixel,
                   stored->bytes + (size_t)y * stored->stride + (size_t)x * pixel,
                   pixel);
        }
}

/* CMYK of Adobe's inverted kind to RGB, as OpenCV reads it; in place, from 4 bytes to 1
 * or 3. */
static void
cmyk_row(uint8_t *row, size_t width, int channels, bool bgr)
{
    for (size_t i = 0; i < width; i++) {
        const uint8_t *in = row + 4 * i;
        const int k = in[3];
        const int rgb[3] = {k - ((255 - in[0]) * k >> 8), k - ((255 - in[1]) * k >> 8),
                            k - ((255 - in[2]) * k >> 8)};
        if (channels == 1) { /* .299, .587, .114 in 14 bits */
            row[i] =
                (uint8_t)((rgb[0] * 4899 + rgb[1] * 9617 + rgb[2] * 1868 + 8192) >> 14);
            continue;
        }
        for (int c = 0; c < 3; c++)
            row[3 * i + (size_t)c] = (uint8_t)rgb[bgr ? 2 - c : c];
    }
}

static J_COLOR_SPACE
output_space(const struct jpeg_decompress_struct *codec, int channels, bool bgr)
{
    if (codec->jpeg_color_space == JCS_CMYK || codec->jpeg_color_space == JCS_YCCK)
        return JCS_CMYK;
    if (channels == 1)
        return JCS_GRAYSCALE;
    return bgr ? JCS_EXT_BGR : JCS_EXT_RGB;
}

/* Decode the columns that libjpeg gives for the window; *left is how many of them come
 * before it. */
static enum mxio_status
decode_window(struct mxio_jpeg *jpeg, int channels, bool bgr, struct mxio_rect window,
              size_t *stride, size_t *left, struct mxio_error *err)
{
    struct jpeg_decompress_struct *codec = &jpeg->codec;

    jpeg->fence.err = err;
    if (setjmp(jpeg->fence.back)) /* locals are not changed between a call that may jump
                                     and here */
        return err->status;
    codec->out_color_space = output_space(codec, channels, bgr);
    /* Smoothing guesses at scans that are missing, from blocks outside of the window,
     * too. */
    codec->do_block_smoothing = FALSE;
    jpeg_start_decompress(codec);

    const JDIMENSION image_width = codec->output_width;
    JDIMENSION start = (JDIMENSION)(window.x > MARGIN ? window.x - MARGIN : 0);
    JDIMENSION end = (JDIMENSION)(window.x + window.width + MARGIN);
    end += COLUMN_STEP - 1 - (end + COLUMN_STEP - 1) % COLUMN_STEP;
    if (end > image_width)
        end = image_width;
    /* Of a cut with a single chroma sample in a row, libjpeg makes another colour. */
    if (end - start < COLUMN_STEP)
        start = end > COLUMN_STEP ? end - COLUMN_STEP : 0;
    if (start >= COLUMN_STEP || end < image_width) {
        JDIMENSION width = end - start;
        jpeg_crop_scanline(codec, &start, &width);
    } else {
        start = 0;
    }
    *left = (size_t)window.x - start;
    const size_t row_size =
        (size_t)codec->output_width * (size_t)codec->output_components;
    *stride = row_size;
    const enum mxio_status status =
        mxio_buffer_need(&jpeg->rows, *stride * (size_t)window.height + MXIO_SLACK,
                         err);
    if (status != MXIO_OK)
        return status;

    const JDIMENSION first = (JDIMENSION)window.y;
    if (first > 0 && jpeg_skip_scanlines(codec, first) != first)
        return mxio_fail(err, MXIO_EDATA, "JPEG: ends before row %u", first);
    while (codec->output_scanline < first + (JDIMENSION)window.height) {
        JSAMPROW rows[ROWS_AT_ONCE];
        const JDIMENSION done = codec->output_scanline - first;
        const JDIMENSION wanted = (JDIMENSION)window.height - done;
        for (JDIMENSION i = 0; i < ROWS_AT_ONCE; i++)
            rows[i] =
                jpeg->rows.bytes + (size_t)(done + (i < wanted ? i : 0)) * *stride;
        const JDIMENSION got =
            jpeg_read_scanlines(codec, rows,
                                wanted < ROWS_AT_ONCE ? wanted : ROWS_AT_ONCE);
        if (codec->out_color_space == JCS_CMYK)
            for (JDIMENSION i = 0; i < got; i++)
                cmyk_row(rows[i], codec->output_width, channels, bgr);
    }
    return MXIO_OK;
}

enum mxio_status
mxio_jpeg_read(struct mxio_jpeg *jpeg, int channels, bool bgr, struct mxio_rect window,
               struct mxio_view *out, struct mxio_error *err)
{
    const struct mxio_picture *picture = &jpeg->picture;
    const struct mxio_rect stored = stored_window(jpeg, window);
    size_t stride = 0, left = 0;

    const enum mxio_status status =
        decode_window(jpeg, channels, bgr, stored, &stride, &left, err);
    jpeg_abort_decompress(&jpeg->codec);
    if (status != MXIO_OK)
        return status;
    struct mxio_view view = {.bytes = jpeg->rows.bytes + left * (size_t)channels,
                             .stride = stride,
                             .width = picture->width,
                             .height = picture->height,
                             .channels = channels,
                             .held = stored};
    if (picture->orientation != 1) {
        const size_t upright = (size_t)window.width * (size_t)channels;
        const enum mxio_status room =
            mxio_buffer_need(&jpeg->turned,
                             upright * (size_t)window.height + MXIO_SLACK, err);
        if (room != MXIO_OK)
            return room;
        turn_upright(&view, picture->orientation, jpeg->turned.bytes, upright);
        view.bytes = jpeg->turned.bytes;
        view.stride = upright;
    }
    view.held = window;
    *out = view;
    return MXIO_OK;
}

uint8_t *
mxio_jpeg_take(struct mxio_jpeg *jpeg, const struct mxio_view *view)
{
    uint8_t *bytes = jpeg->rows.bytes;

    if (view->bytes != bytes ||
        view->stride != (size_t)view->width * (size_t)view->channels)
        return NULL;
    jpeg->rows = (struct mxio_buffer){.bytes = NULL};
    return bytes;
}

/* libjpeg's own memory destination loses its buffer when it fails after growing. */
struct destination {
    struct jpeg_destination_mgr manager; /* first: libjpeg hands back a pointer to it */
    uint8_t *bytes;
    size_t size;
};

static void
destination_start(j_compress_ptr codec)
{
    struct destination *to = (struct destination *)codec->dest;

    to->manager.next_output_byte = to->bytes;
    to->manager.free_in_buffer = to->size;
}

static boolean
destination_grow(j_compress_ptr codec)
{
    struct destination *to = (struct destination *)codec->dest;
    uint8_t *bytes = mxio_realloc(to->bytes, to->size * 2);

    if (bytes == NULL)
        ERREXIT1(codec, JERR_OUT_OF_MEMORY, 0);
    to->bytes = bytes;
    to->manager.next_output_byte = bytes + to->size;
    to->manager.free_in_buffer = to->size;
    to->size *= 2;
    return TRUE;
}

static void
destination_end(j_compress_ptr codec)
{
    (void)codec;
}

enum mxio_status
mxio_jpeg_encode(const uint8_t *pixels, int width, int height, int channels, bool bgr,
                 int quality, uint8_t **out, size_t *out_size, struct mxio_error *err)
{
    struct jpeg_compress_struct codec;
    struct fence fence = {.err = err};
    struct destination to = {.manager = {.init_destination = destination_start,
                                         .empty_output_buffer = destination_grow,
                                         .term_destination = destination_end},
                             .size = 65536};

    if (width < 1 || height < 1 || width > JPEG_MAX_DIMENSION ||
        height > JPEG_MAX_DIMENSION)
        return mxio_fail(err, MXIO_EPARAM,
                         "JPEG holds 1 to %ld pixels a side, got %d x %d",
                         JPEG_MAX_DIMENSION, width, height);
    to.bytes = mxio_alloc(to.size);
    if (to.bytes == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory to encode a JPEG");
    fence_init(&fence);
    codec.err = &fence.manager;
    if (setjmp(fence.back)) {
        jpeg_destroy_compress(&codec);
        mxio_free(to.bytes);
        return err->status;
    }
    jpeg_create_compress(&codec);
    codec.dest = &to.manager;
    codec.image_width = (JDIMENSION)width;
    codec.image_height = (JDIMENSION)height;
    codec.input_components = channels;
    codec.in_color_space = channels == 1 ? JCS_GRAYSCALE
                           : bgr         ? JCS_EXT_BGR
                                         : JCS_EXT_RGB;
    jpeg_set_defaults(&codec);
    jpeg_set_quality(&codec, quality, TRUE);
    jpeg_start_compress(&codec, TRUE);
    while (codec.next_scanline < codec.image_height) {
        JSAMPROW row = (JSAMPROW)(pixels + (size_t)codec.next_scanline * (size_t)width *
                                               (size_t)channels);
        jpeg_write_scanlines(&codec, &row, 1);
    }
    jpeg_finish_compress(&codec);
    *out_size = to.size - to.manager.free_in_buffer;
    *out = to.bytes;
    jpeg_destroy_compress(&codec);
    return MXIO_OK;
}

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

const char *
mxio_jpeg_version(void)
{
    return "libjpeg-turbo " TEXT(LIBJPEG_TURBO_VERSION);
}
