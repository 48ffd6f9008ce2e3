#include "jpeg.h"

#include <string.h>

#include "jpeg_codec.h"
#include "jpeg_entropy.h"
#include "jpeg_exif.h"
#include "jpeg_plain.h"

#define ROWS_AT_ONCE 8
/* Fancy upsampling looks one chroma sample to each side of the window. */
#define MARGIN 1
/* Columns are asked for in whole chroma blocks: narrower cuts met bugs in
 * libjpeg-turbo. */
#define COLUMN_STEP 16

struct mxio_jpeg {
    struct jpeg_decompress_struct codec;
    struct mxio_jpeg_fence fence;
    const uint8_t *bytes; /* of the open picture */
    size_t size;
    unsigned shrunk_by;
    struct mxio_jpeg_ways ways, used;
    bool is_plain; /* so far, and not open in libjpeg */
    struct mxio_plain_jpeg *plain;
    struct mxio_entropy *entropy; /* made when first needed */
    struct mxio_buffer rows;      /* decoded as stored */
    struct mxio_buffer turned;    /* upright, when the orientation asks for it */
    struct mxio_picture picture;
};

bool
mxio_jpeg_sniff(const uint8_t *bytes, size_t size)
{
    return size >= 3 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF;
}

enum mxio_status
mxio_jpeg_new_with(struct mxio_jpeg_ways ways, struct mxio_jpeg **out,
                   struct mxio_error *err)
{
    struct mxio_jpeg *jpeg = mxio_alloc(sizeof *jpeg);

    if (jpeg == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for a JPEG decoder");
    jpeg->ways = ways;
    mxio_jpeg_fence_init(&jpeg->fence);
    const enum mxio_status status =
        ways.plain || ways.second ? mxio_plain_jpeg_new(&jpeg->plain, err) : MXIO_OK;
    if (status != MXIO_OK) {
        mxio_jpeg_free(jpeg);
        return status;
    }
    *out = jpeg;
    return MXIO_OK;
}

enum mxio_status
mxio_jpeg_new(struct mxio_jpeg **out, struct mxio_error *err)
{
    struct mxio_jpeg_ways ways;
    const enum mxio_status status = mxio_jpeg_test_ways(&ways, err);

    return status != MXIO_OK ? status : mxio_jpeg_new_with(ways, out, err);
}

void
mxio_jpeg_free(struct mxio_jpeg *jpeg)
{
    if (jpeg == NULL)
        return;
    jpeg_destroy_decompress(&jpeg->codec);
    mxio_plain_jpeg_free(jpeg->plain);
    mxio_entropy_free(jpeg->entropy);
    mxio_buffer_free(&jpeg->rows);
    mxio_buffer_free(&jpeg->turned);
    mxio_free(jpeg);
}

/* The header as libjpeg reads it. */
static enum mxio_status
open_codec(struct mxio_jpeg *jpeg, struct mxio_error *err)
{
    jpeg->is_plain = false;
    jpeg->fence.err = err;
    jpeg->fence.irregular = false;
    if (setjmp(jpeg->fence.back)) {
        jpeg_abort_decompress(&jpeg->codec);
        return err->status;
    }
    mxio_jpeg_begin(&jpeg->codec, &jpeg->fence, jpeg->bytes, jpeg->size);
    jpeg_read_header(&jpeg->codec, TRUE);
    jpeg->codec.scale_num = 1;
    jpeg->codec.scale_denom = jpeg->shrunk_by;
    return MXIO_OK;
}

enum mxio_status
mxio_jpeg_open(struct mxio_jpeg *jpeg, const uint8_t *bytes, size_t size, bool orient,
               int64_t max_pixels, struct mxio_picture *out, struct mxio_error *err)
{
    const struct jpeg_decompress_struct *codec = &jpeg->codec;
    struct mxio_picture *picture = &jpeg->picture;

    if (!mxio_jpeg_sniff(bytes, size))
        return mxio_fail(err, MXIO_EDATA, "not a JPEG");
    jpeg->bytes = bytes;
    jpeg->size = size;
    jpeg->shrunk_by = 1;
    jpeg->is_plain =
        jpeg->ways.plain && mxio_plain_jpeg_open(jpeg->plain, bytes, size, picture);
    const enum mxio_status status = jpeg->is_plain ? MXIO_OK : open_codec(jpeg, err);
    if (status != MXIO_OK)
        return status;
    if (!jpeg->is_plain)
        *picture = (struct mxio_picture){.width = (int)codec->image_width,
                                         .height = (int)codec->image_height,
                                         .channels = codec->num_components == 1 ? 1 : 3,
                                         .bits = codec->data_precision};
    if ((int64_t)picture->width * picture->height > max_pixels)
        return mxio_fail(err, MXIO_EDATA,
                         "JPEG: %d x %d pixels are more than max_pixels=%lld",
                         picture->width, picture->height, (long long)max_pixels);
    picture->orientation = orient ? mxio_jpeg_orientation(bytes, size) : 1;
    if (picture->orientation >= 5) {
        const int width = picture->width;
        picture->width = picture->height;
        picture->height = width;
    }
    *out = *picture;
    return MXIO_OK;
}

enum mxio_status
mxio_jpeg_shrink(struct mxio_jpeg *jpeg, int by, struct mxio_picture *out,
                 struct mxio_error *err)
{
    struct jpeg_decompress_struct *codec = &jpeg->codec;
    const bool swapped = jpeg->picture.orientation >= 5;
    const enum mxio_status status = jpeg->is_plain ? open_codec(jpeg, err) : MXIO_OK;

    if (status != MXIO_OK)
        return status;
    jpeg->fence.err = err;
    if (setjmp(jpeg->fence.back)) {
        jpeg_abort_decompress(codec);
        return err->status;
    }
    jpeg->shrunk_by = (unsigned)by;
    codec->scale_denom = jpeg->shrunk_by;
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

/* What to decode, and where it came to lie. */
struct request {
    int channels;
    bool bgr;
    struct mxio_rect window; /* of the stored picture */
    size_t stride;
    size_t left; /* columns in the rows before the window */
};

/* Start decoding, of no more columns than the window needs. */
static void
start_columns(struct jpeg_decompress_struct *codec, struct request *request)
{
    const struct mxio_rect window = request->window;

    codec->out_color_space = output_space(codec, request->channels, request->bgr);
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
    request->left = (size_t)window.x - start;
    request->stride = (size_t)codec->output_width * (size_t)codec->output_components;
}

/* Decode the rows of the window. */
static enum mxio_status
read_rows(struct mxio_jpeg *jpeg, const struct request *request, struct mxio_error *err)
{
    struct jpeg_decompress_struct *codec = &jpeg->codec;
    const JDIMENSION first = (JDIMENSION)request->window.y;
    const JDIMENSION height = (JDIMENSION)request->window.height;

    if (first > 0 && jpeg_skip_scanlines(codec, first) != first)
        return mxio_fail(err, MXIO_EDATA, "JPEG: ends before row %u", first);
    while (codec->output_scanline < first + height) {
        JSAMPROW rows[ROWS_AT_ONCE];
        const JDIMENSION done = codec->output_scanline - first;
        const JDIMENSION wanted = height - done;
        for (JDIMENSION i = 0; i < ROWS_AT_ONCE; i++)
            rows[i] = jpeg->rows.bytes +
                      (size_t)(done + (i < wanted ? i : 0)) * request->stride;
        const JDIMENSION got =
            jpeg_read_scanlines(codec, rows,
                                wanted < ROWS_AT_ONCE ? wanted : ROWS_AT_ONCE);
        if (codec->out_color_space == JCS_CMYK)
            for (JDIMENSION i = 0; i < got; i++)
                cmyk_row(rows[i], codec->output_width, request->channels, request->bgr);
    }
    return MXIO_OK;
}

/* Take the entropy decoding over if we can. */
static enum mxio_status
take_entropy(struct mxio_jpeg *jpeg, const struct request *request,
             struct mxio_error *err)
{
    enum mxio_status status = MXIO_OK;

    if (!mxio_entropy_knows(&jpeg->codec))
        return MXIO_OK;
    if (jpeg->entropy == NULL)
        status = mxio_entropy_new(&jpeg->entropy, err);
    if (status == MXIO_OK) {
        mxio_entropy_take(jpeg->entropy, &jpeg->codec,
                          (JDIMENSION)request->window.x - (JDIMENSION)request->left);
        jpeg->used.entropy = true;
    }
    return status;
}

/* Decode the window. When that fails with the fence's `irregular` set, the picture is to
 * be decoded anew, by libjpeg alone. */
static enum mxio_status
decode_window(struct mxio_jpeg *jpeg, struct request *request, bool own,
              struct mxio_error *err)
{
    jpeg->fence.err = err;
    jpeg->fence.irregular = false;
    jpeg->used.entropy = false;
    if (setjmp(jpeg->fence.back)) /* locals are not changed between a call that may jump
                                     and here */
        return jpeg->fence.irregular ? MXIO_EDATA : err->status;
    start_columns(&jpeg->codec, request);
    enum mxio_status status =
        mxio_buffer_need(&jpeg->rows,
                         request->stride * (size_t)request->window.height + MXIO_SLACK,
                         err);
    if (status == MXIO_OK && own)
        status = take_entropy(jpeg, request, err);
    if (status == MXIO_OK)
        status = read_rows(jpeg, request, err);
    return status;
}

/* The same without libjpeg. used.plain is false when it is for libjpeg to judge. */
static enum mxio_status
decode_plain(struct mxio_jpeg *jpeg, struct request *request, bool insist,
             struct mxio_error *err)
{
    const struct mxio_plain_wish wish = {request->channels, request->bgr,
                                         request->window, insist};

    request->left = 0;
    request->stride = (size_t)request->window.width * (size_t)request->channels;
    const enum mxio_status status =
        mxio_buffer_need(&jpeg->rows,
                         request->stride * (size_t)request->window.height + MXIO_SLACK,
                         err);
    return status != MXIO_OK
               ? status
               : mxio_plain_jpeg_read(jpeg->plain, &wish, jpeg->rows.bytes,
                                      &jpeg->used.plain, err);
}

/* The same with libjpeg, from the header on if that has not been read. */
static enum mxio_status
decode_codec(struct mxio_jpeg *jpeg, struct request *request, struct mxio_error *err)
{
    enum mxio_status status = jpeg->is_plain ? open_codec(jpeg, err) : MXIO_OK;
    if (status == MXIO_OK)
        status = decode_window(jpeg, request, jpeg->ways.entropy, err);
    if (jpeg->fence.irregular) {
        status = open_codec(jpeg, err);
        if (status == MXIO_OK)
            status = decode_window(jpeg, request, false, err);
    }
    jpeg_abort_decompress(&jpeg->codec);
    return status;
}

/*
 * libjpeg, which has found damage, looks beside the window, too; our own decoding does not.
 * Which of them is asked first depends on the processor, and of a small picture on those
 * before it. The verdict must not: what our own can read is good.
 */
static enum mxio_status
decode_again(struct mxio_jpeg *jpeg, struct request *request, struct mxio_error *err)
{
    enum mxio_status status = MXIO_EDATA;
    struct mxio_picture ignored;

    if (jpeg->plain != NULL &&
        mxio_plain_jpeg_open(jpeg->plain, jpeg->bytes, jpeg->size, &ignored)) {
        status = decode_plain(jpeg, request, true, err);
        return status == MXIO_OK && !jpeg->used.plain ? MXIO_EDATA : status;
    }
    /* Its tables have been seen by now. */
    if (jpeg->used.entropy && !mxio_entropy_was_used(jpeg->entropy)) {
        status = open_codec(jpeg, err);
        if (status == MXIO_OK)
            status = decode_window(jpeg, request, true, err);
        jpeg_abort_decompress(&jpeg->codec);
    }
    return status;
}

enum mxio_status
mxio_jpeg_read(struct mxio_jpeg *jpeg, int channels, bool bgr, struct mxio_rect window,
               struct mxio_view *out, struct mxio_error *err)
{
    const struct mxio_picture *picture = &jpeg->picture;
    struct request request = {.channels = channels,
                              .bgr = bgr,
                              .window = stored_window(jpeg, window)};
    enum mxio_status status = MXIO_OK;

    jpeg->used = (struct mxio_jpeg_ways){.plain = false};
    if (jpeg->is_plain)
        status = decode_plain(jpeg, &request, false, err);
    if (status == MXIO_OK && !jpeg->used.plain)
        status = decode_codec(jpeg, &request, err);
    if (status == MXIO_EDATA && jpeg->shrunk_by == 1)
        err->status = status = decode_again(jpeg, &request, err);
    if (status != MXIO_OK)
        return status;
    struct mxio_view view = {.bytes =
                                 jpeg->rows.bytes + request.left * (size_t)channels,
                             .stride = request.stride,
                             .width = picture->width,
                             .height = picture->height,
                             .channels = channels,
                             .held = request.window};
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

struct mxio_jpeg_ways
mxio_jpeg_used(const struct mxio_jpeg *jpeg)
{
    return (struct mxio_jpeg_ways){.plain = jpeg->used.plain,
                                   .entropy = jpeg->used.plain ||
                                              (jpeg->used.entropy &&
                                               mxio_entropy_was_used(jpeg->entropy))};
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

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

const char *
mxio_jpeg_version(void)
{
    return "libjpeg-turbo " TEXT(LIBJPEG_TURBO_VERSION);
}
