#include "png_plain.h"

#include <string.h>

#include "kernels.h"
#include "png.h"

/* Colour types of the header. */
enum { GRAY = 0, RGB = 2, PALETTE = 3, RGBA = 6 };

/* Rows of a picture are all in memory at once; of larger ones libpng keeps the window. */
#define MAX_RAW_SIZE ((size_t)64 << 20)
#define HEADER_SIZE ((size_t)13)
/* Length, type and checksum. */
#define CHUNK_FRAME ((size_t)12)
#define MAX_CHUNK_SIZE ((size_t)MXIO_PNG_MAX_TEXT)

struct chunk {
    uint32_t type;
    const uint8_t *content;
    size_t size;
};

#define TYPE(a, b, c, d)                                                               \
    ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

enum chunk_type {
    IHDR = TYPE('I', 'H', 'D', 'R'),
    PLTE = TYPE('P', 'L', 'T', 'E'),
    IDAT = TYPE('I', 'D', 'A', 'T'),
    IEND = TYPE('I', 'E', 'N', 'D'),
    TRNS = TYPE('t', 'R', 'N', 'S')
};

void
mxio_plain_png_free(struct mxio_plain_png *plain)
{
    mxio_inflater_free(plain->inflater);
    mxio_buffer_free(&plain->joined);
    mxio_buffer_free(&plain->raw);
    mxio_buffer_free(&plain->rows);
}

static uint32_t
load_big_endian(const uint8_t *bytes)
{
    return TYPE(bytes[0], bytes[1], bytes[2], bytes[3]);
}

/* The chunk at *at, which moves behind it; false when it is not whole. */
static bool
next_chunk(const uint8_t *bytes, size_t size, size_t *at, struct chunk *out)
{
    if (size - *at < CHUNK_FRAME)
        return false;
    const uint8_t *start = bytes + *at;
    const size_t length = load_big_endian(start);
    if (length > size - *at - CHUNK_FRAME)
        return false;
    *out = (struct chunk){load_big_endian(start + 4), start + 8, length};
    *at += length + CHUNK_FRAME;
    return mxio_crc32(start + 4, length + 4) == load_big_endian(start + 8 + length);
}

/* A chunk that means nothing to the pixels: four letters, the first a small one. */
static bool
is_ancillary(const struct chunk *chunk)
{
    for (int shift = 0; shift < 32; shift += 8) {
        const uint32_t letter = (chunk->type >> shift & 0xFF) | 0x20;
        if (letter < 'a' || letter > 'z')
            return false;
    }
    return (chunk->type >> 24 & 0x20) != 0 && chunk->type != TRNS &&
           chunk->size <= MAX_CHUNK_SIZE;
}

static size_t
stored_pixel(const struct mxio_plain_png *plain)
{
    return plain->color_type == RGBA ? 4 : plain->color_type == RGB ? 3 : 1;
}

int
mxio_plain_png_channels(const struct mxio_plain_png *plain)
{
    return plain->color_type == PALETTE ? 3 : (int)stored_pixel(plain);
}

/* Bytes from one row of raw to the next. */
static size_t
raw_stride(const struct mxio_plain_png *plain)
{
    return (size_t)plain->width * stored_pixel(plain) + 1;
}

static bool
take_header(struct mxio_plain_png *plain, const struct chunk *chunk)
{
    if (chunk->type != IHDR || chunk->size != HEADER_SIZE)
        return false;
    const uint8_t *in = chunk->content;
    const uint32_t width = load_big_endian(in), height = load_big_endian(in + 4);
    const int type = in[9];
    /* 8 bits; compression, filters and interlacing of the kind 0 */
    if (in[8] != 8 || in[10] != 0 || in[11] != 0 || in[12] != 0 || width == 0 ||
        height == 0 || width > MXIO_PNG_MAX_SIDE || height > MXIO_PNG_MAX_SIDE ||
        (type != GRAY && type != RGB && type != PALETTE && type != RGBA))
        return false;
    plain->width = (int)width;
    plain->height = (int)height;
    plain->color_type = type;
    return raw_stride(plain) <= MAX_RAW_SIZE / height;
}

/* A palette comes once, before the data, and only where it is needed. */
static bool
take_palette(struct mxio_plain_png *plain, const struct chunk *chunk)
{
    if (plain->color_type != PALETTE || plain->palette != NULL || plain->data != NULL ||
        chunk->size == 0 || chunk->size % 3 != 0 || chunk->size > (size_t)256 * 3)
        return false;
    plain->palette = chunk->content;
    plain->palette_size = chunk->size;
    return true;
}

static bool
take_data(struct mxio_plain_png *plain, const struct chunk *chunk, bool follows)
{
    if (plain->data_chunks > 0 && !follows)
        return false;
    if (plain->data_chunks == 0)
        plain->data = chunk->content;
    plain->data_chunks++;
    plain->data_size += chunk->size;
    return true;
}

bool
mxio_plain_png_open(struct mxio_plain_png *plain, const uint8_t *bytes, size_t size)
{
    uint32_t before = IHDR;
    struct chunk chunk;
    size_t at = 0;

    plain->palette = plain->data = NULL;
    plain->palette_size = plain->data_size = plain->data_chunks = 0;
    if (!next_chunk(bytes, size, &at, &chunk) || !take_header(plain, &chunk))
        return false;
    while (next_chunk(bytes, size, &at, &chunk)) {
        bool fits;
        if (chunk.type == IEND)
            return chunk.size == 0 && plain->data_chunks > 0 &&
                   (plain->color_type == PALETTE) == (plain->palette != NULL);
        if (chunk.type == PLTE)
            fits = take_palette(plain, &chunk);
        else if (chunk.type == IDAT)
            fits = take_data(plain, &chunk, before == IDAT);
        else
            fits = is_ancillary(&chunk);
        if (!fits)
            return false;
        before = chunk.type;
    }
    return false;
}

/* ---- pixels ---- */

/* The zlib stream in one piece: that of the only chunk, or a copy. */
static enum mxio_status
join_data(struct mxio_plain_png *plain, const uint8_t **out, struct mxio_error *err)
{
    const uint8_t *content = plain->data;

    *out = content;
    if (plain->data_chunks == 1)
        return MXIO_OK;
    const enum mxio_status status =
        mxio_buffer_need(&plain->joined, plain->data_size, err);
    if (status != MXIO_OK)
        return status;
    *out = plain->joined.bytes;
    uint8_t *to = plain->joined.bytes;
    for (size_t i = 0; i < plain->data_chunks; i++) {
        const size_t size = load_big_endian(content - 8);
        memcpy(to, content, size);
        to += size;
        content += size + CHUNK_FRAME;
    }
    return MXIO_OK;
}

/* Undo the filters of the rows down to the end of the window; false when there is a filter
 * that PNG does not know, even behind it. */
static bool
undo_filters(const struct mxio_plain_png *plain, uint8_t *zeros, uint8_t *first,
             int end)
{
    const struct mxio_kernels *kernels = mxio_kernels_best();
    const size_t stride = raw_stride(plain), row_size = stride - 1;
    const uint8_t *above = zeros;

    memset(zeros, 0, row_size);
    for (int y = 0; y < plain->height; y++) {
        uint8_t *row = first + (size_t)y * stride;
        const int filter = row[-1];
        if (filter >= MXIO_PNG_FILTERS)
            return false;
        if (y < end && filter != MXIO_PNG_NONE)
            kernels->unfilter_row(row, above, row_size, stored_pixel(plain),
                                  (enum mxio_png_filter)filter);
        above = row;
    }
    return true;
}

/* As OpenCV: .299, .587, .114 in 14 bits. */
static uint8_t
gray_of(const uint8_t *rgb)
{
    return (uint8_t)((rgb[0] * 4899 + rgb[1] * 9617 + rgb[2] * 1868 + 8192) >> 14);
}

/* One row of stored pixels to other channels, or blue first. */
static void
convert_row(const struct mxio_plain_png *plain, const uint8_t *in, size_t width,
            int channels, bool bgr, uint8_t *out)
{
    const size_t pixel = stored_pixel(plain);

    for (size_t x = 0; x < width; x++, in += pixel, out += channels) {
        uint8_t rgb[3] = {0}; /* an entry behind the end of a palette is black */
        if (plain->color_type == GRAY)
            memset(rgb, in[0], 3);
        else if (plain->color_type != PALETTE)
            memcpy(rgb, in, 3);
        else if ((size_t)in[0] * 3 < plain->palette_size)
            memcpy(rgb, plain->palette + (size_t)in[0] * 3, 3);
        if (channels == 1) {
            out[0] = gray_of(rgb);
            continue;
        }
        for (int c = 0; c < 3; c++)
            out[c] = rgb[bgr ? 2 - c : c];
        if (channels == 4)
            out[3] = in[3];
    }
}

static enum mxio_status
convert(struct mxio_plain_png *plain, int channels, bool bgr, struct mxio_view *view,
        struct mxio_error *err)
{
    const struct mxio_rect held = view->held;
    const size_t row_size = (size_t)held.width * (size_t)channels;
    const enum mxio_status status =
        mxio_buffer_need(&plain->rows, row_size * (size_t)held.height + MXIO_SLACK,
                         err);

    if (status != MXIO_OK)
        return status;
    for (int y = 0; y < held.height; y++)
        convert_row(plain, view->bytes + (size_t)y * view->stride, (size_t)held.width,
                    channels, bgr, plain->rows.bytes + (size_t)y * row_size);
    view->bytes = plain->rows.bytes;
    view->stride = row_size;
    return MXIO_OK;
}

/* Room for the row of zeros and the raw rows, which are inflated into it. */
static enum mxio_status
inflate_rows(struct mxio_plain_png *plain, bool *done, struct mxio_error *err)
{
    const size_t stride = raw_stride(plain), size = stride * (size_t)plain->height;
    const uint8_t *data;

    enum mxio_status status = join_data(plain, &data, err);
    if (status == MXIO_OK && plain->inflater == NULL)
        status = mxio_inflater_new(&plain->inflater, err);
    if (status == MXIO_OK)
        status = mxio_buffer_need(&plain->raw, stride + size + MXIO_SLACK, err);
    if (status == MXIO_OK)
        *done = mxio_inflate(plain->inflater, data, plain->data_size,
                             plain->raw.bytes + stride, size);
    return status;
}

enum mxio_status
mxio_plain_png_read(struct mxio_plain_png *plain, int channels, bool bgr,
                    struct mxio_rect window, struct mxio_view *out, bool *done,
                    struct mxio_error *err)
{
    const size_t stride = raw_stride(plain);
    const enum mxio_status status = inflate_rows(plain, done, err);

    if (status != MXIO_OK || !*done)
        return status;
    uint8_t *zeros = plain->raw.bytes, *first = zeros + stride + 1;
    *done = undo_filters(plain, zeros, first, window.y + window.height);
    if (!*done)
        return MXIO_OK;
    struct mxio_view view = {.bytes = first + (size_t)window.y * stride +
                                      (size_t)window.x * stored_pixel(plain),
                             .stride = stride,
                             .width = plain->width,
                             .height = plain->height,
                             .channels = channels,
                             .held = window};
    const bool as_stored =
        plain->color_type != PALETTE && channels == (int)stored_pixel(plain);
    if (!as_stored || (bgr && channels != 1)) {
        const enum mxio_status room = convert(plain, channels, bgr, &view, err);
        if (room != MXIO_OK)
            return room;
    }
    *out = view;
    return MXIO_OK;
}
