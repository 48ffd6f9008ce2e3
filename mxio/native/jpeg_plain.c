#include "jpeg_plain.h"

#include <string.h>

#include "jpeg_header.h"
#include "jpeg_tables.h"
#include "kernels.h"

#define SIDE 8 /* of a block */
/* Before each row of samples, of which one is read; a multiple of a vector. */
#define LEFT_PAD 32
/* Of narrower chroma libjpeg repeats samples. */
#define MIN_CHROMA_WIDTH 3

/* A quantisation table in natural order, kept from picture to picture. */
struct steps {
    uint16_t natural[64];
    uint8_t stored[64];
    bool known;
};

/* A component's samples of the MCUs that the window needs: of two rows of MCUs, the later
 * one in the place of the one before the last. */
struct samples {
    uint8_t *rows;
    size_t start, stride; /* of rows in the planes; from one to the next */
    int across, down;     /* samples of an MCU */
    int left;             /* column of the first sample in a row */
    int width, height;    /* of the component in the picture */
};

struct mxio_plain_jpeg {
    int16_t blocks[MXIO_HUFFMAN_BLOCKS + 1][64];
    struct steps steps[4];
    struct mxio_jpeg_header header;
    struct mxio_huffman_cache tables;
    struct mxio_huffman_scan scan;
    /* The window under way. */
    int first, last;     /* columns of MCUs that it needs */
    int component_count; /* that it needs: 1 for gray */
    struct samples samples[MXIO_JPEG_COMPONENTS];
    struct mxio_buffer planes;
    struct mxio_buffer wide[2]; /* a row of chroma as wide as luma */
};

enum mxio_status
mxio_plain_jpeg_new(struct mxio_plain_jpeg **out, struct mxio_error *err)
{
    struct mxio_plain_jpeg *plain = mxio_alloc(sizeof *plain);

    if (plain == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for a JPEG decoder");
    *out = plain;
    return MXIO_OK;
}

void
mxio_plain_jpeg_free(struct mxio_plain_jpeg *plain)
{
    if (plain == NULL)
        return;
    mxio_buffer_free(&plain->planes);
    mxio_buffer_free(&plain->wide[0]);
    mxio_buffer_free(&plain->wide[1]);
    mxio_free(plain);
}

bool
mxio_plain_jpeg_open(struct mxio_plain_jpeg *plain, const uint8_t *bytes, size_t size,
                     struct mxio_picture *out)
{
    const struct mxio_jpeg_header *header = &plain->header;

    if (!mxio_jpeg_header_read(&plain->header, bytes, size) ||
        (header->across == 2 && (header->width + 1) / 2 < MIN_CHROMA_WIDTH))
        return false;
    *out = (struct mxio_picture){.width = header->width,
                                 .height = header->height,
                                 .channels = header->component_count,
                                 .bits = 8,
                                 .orientation = 1};
    return true;
}

/* ---- plan ---- */

static void
learn_steps(struct mxio_plain_jpeg *plain, int number)
{
    struct steps *steps = &plain->steps[number];
    const uint8_t *stored = plain->header.steps[number];

    if (steps->known && memcmp(steps->stored, stored, sizeof steps->stored) == 0)
        return;
    memcpy(steps->stored, stored, sizeof steps->stored);
    for (unsigned k = 0; k < 64; k++)
        steps->natural[mxio_huffman_place(k)] = stored[k];
    steps->known = true;
}

/* False when a Huffman table is none, or not worth making yet. */
static bool
start_scan(struct mxio_plain_jpeg *plain, bool insist)
{
    const struct mxio_jpeg_header *header = &plain->header;
    struct mxio_huffman_layout layout = {.restart_interval = header->restart_interval};
    bool whole = true;

    mxio_huffman_cache_begin(&plain->tables, insist ? SIZE_MAX : header->data_size);
    for (int i = 0; i < header->component_count; i++) {
        const struct mxio_jpeg_component *component = &header->components[i];
        const struct mxio_jpeg_table *dc = &header->dc[component->dc];
        const struct mxio_jpeg_table *ac = &header->ac[component->ac];
        const struct mxio_huffman_block block =
            {.dc = mxio_huffman_cache_get(&plain->tables, dc->counts, dc->values, true),
             .ac =
                 mxio_huffman_cache_get(&plain->tables, ac->counts, ac->values, false),
             .component = i,
             .wanted = i < plain->component_count};
        const int count = i == 0 ? header->across * header->down : 1;
        for (int j = 0; j < count; j++)
            layout.blocks[layout.block_count++] = block;
        whole = whole && block.dc != NULL && block.ac != NULL;
    }
    if (whole)
        mxio_huffman_start(&plain->scan, &layout, header->data, header->data_size);
    return whole;
}

static int
at_least(int value, int bound)
{
    return value < bound ? bound : value;
}

static int
at_most(int value, int bound)
{
    return value > bound ? bound : value;
}

/* Columns of MCUs with the window's samples, and those of chroma that count beside them. No
 * more: of what libjpeg reads, with our entropy decoding, all of this is a part. */
static void
choose_columns(struct mxio_plain_jpeg *plain, struct mxio_rect window)
{
    const struct mxio_jpeg_header *header = &plain->header;
    const int across = header->across;
    const int margin = across - 1;
    const int first = at_least(window.x - margin, 0);
    const int last = at_most(window.x + window.width - 1 + margin, header->width - 1);

    plain->first = first / across / SIDE;
    plain->last = last / across / SIDE;
}

/* Room for the samples. */
static enum mxio_status
lay_out(struct mxio_plain_jpeg *plain, struct mxio_error *err)
{
    const struct mxio_jpeg_header *header = &plain->header;
    const int columns = plain->last - plain->first + 1;
    size_t size = 0;

    for (int i = 0; i < plain->component_count; i++) {
        struct samples *samples = &plain->samples[i];
        const int across = i == 0 ? header->across : 1;
        const int down = i == 0 ? header->down : 1;
        const size_t stride =
            LEFT_PAD + (size_t)columns * (size_t)(SIDE * across) + MXIO_SLACK;
        *samples =
            (struct samples){.stride = stride,
                             .across = SIDE * across,
                             .down = SIDE * down,
                             .left = plain->first * SIDE * across,
                             .width = i == 0 ? header->width
                                             : (header->width + header->across - 1) /
                                                   header->across,
                             .height = i == 0 ? header->height
                                              : (header->height + header->down - 1) /
                                                    header->down};
        samples->start = size + LEFT_PAD;
        size += stride * 2 * (size_t)samples->down;
    }
    enum mxio_status status = mxio_buffer_need(&plain->planes, size, err);
    for (int i = 0; i < 2 && status == MXIO_OK; i++)
        status = mxio_buffer_need(&plain->wide[i],
                                  (size_t)columns * (size_t)(SIDE * header->across) +
                                      MXIO_SLACK,
                                  err);
    if (status != MXIO_OK)
        return status;
    for (int i = 0; i < plain->component_count; i++)
        plain->samples[i].rows = plain->planes.bytes + plain->samples[i].start;
    return MXIO_OK;
}

static uint8_t *
row_of(const struct samples *samples, int y)
{
    return samples->rows + (size_t)(y % (2 * samples->down)) * samples->stride;
}

/* ---- blocks to samples ---- */

/* The samples of an MCU. */
static void
transform_mcu(struct mxio_plain_jpeg *plain, int row, int column)
{
    const struct mxio_jpeg_kernels *kernels = mxio_kernels_best()->jpeg;
    struct mxio_jpeg_block blocks[MXIO_HUFFMAN_BLOCKS + 1];
    uint8_t nowhere[SIDE * SIDE];
    size_t count = 0;

    for (int i = 0; i < plain->component_count; i++) {
        const struct samples *samples = &plain->samples[i];
        const uint16_t *steps = plain->steps[plain->header.components[i].steps].natural;
        uint8_t *corner = row_of(samples, row * samples->down) +
                          (size_t)((column - plain->first) * samples->across);
        for (int y = 0; y < samples->down; y += SIDE)
            for (int x = 0; x < samples->across; x += SIDE) {
                blocks[count] =
                    (struct mxio_jpeg_block){.coefficients = plain->blocks[count],
                                             .steps = steps,
                                             .out = corner +
                                                    (size_t)y * samples->stride + x,
                                             .stride = samples->stride};
                count++;
            }
    }
    if (count % 2 != 0) {
        blocks[count] = blocks[count - 1];
        blocks[count].out = nowhere;
        blocks[count].stride = SIDE;
    }
    for (size_t i = 0; i < count; i += 2)
        kernels->transform(blocks + i);
}

/* Upsampling looks one sample beyond the picture, at the last one again. */
static void
extend_rows(const struct mxio_plain_jpeg *plain, int row)
{
    const int columns_end = (plain->last + 1) * SIDE;

    for (int i = 1; i < plain->component_count; i++) {
        const struct samples *samples = &plain->samples[i];
        const int end = samples->width - samples->left;
        uint8_t *first = row_of(samples, row * samples->down);
        for (int y = 0; y < SIDE; y++, first += samples->stride) {
            if (plain->first == 0)
                first[-1] = first[0];
            if (samples->width <= columns_end)
                first[end] = first[end - 1];
        }
    }
}

/* A row of MCUs; false when it is irregular. */
static bool
read_mcus(struct mxio_plain_jpeg *plain, int row)
{
    const struct mxio_jpeg_header *header = &plain->header;
    const int across = SIDE * header->across;
    const uint32_t columns = (uint32_t)((header->width + across - 1) / across);
    const size_t wanted =
        (size_t)(header->across * header->down + plain->component_count - 1);
    int16_t(*blocks[MXIO_HUFFMAN_BLOCKS])[64] = {NULL};

    for (size_t i = 0; i < wanted; i++)
        blocks[i] = &plain->blocks[i];
    for (int column = plain->first; column <= plain->last; column++) {
        const uint32_t mcu = (uint32_t)row * columns + (uint32_t)column;
        memset(plain->blocks, 0, wanted * sizeof plain->blocks[0]);
        if (!mxio_huffman_read(&plain->scan, mcu, blocks))
            return false;
        transform_mcu(plain, row, column);
    }
    if (header->across > 1)
        extend_rows(plain, row);
    return true;
}

/* ---- samples to pixels ---- */

/* The row of chroma that counts one quarter in row y of luma. */
static int
neighbour_of(const struct samples *chroma, int y)
{
    const int near = y / 2;

    return y % 2 == 0 ? at_least(near - 1, 0) : at_most(near + 1, chroma->height - 1);
}

/* Chroma of luma's row y, from column x on. */
static const uint8_t *
chroma_row(const struct mxio_plain_jpeg *plain, int i, int y,
           const struct mxio_rect *window)
{
    const struct mxio_jpeg_kernels *kernels = mxio_kernels_best()->jpeg;
    const struct mxio_jpeg_header *header = &plain->header;
    const struct samples *chroma = &plain->samples[i];
    uint8_t *wide = plain->wide[i - 1].bytes;

    if (header->across == 1)
        return row_of(chroma, y) + window->x - chroma->left;
    const int first = window->x / 2, last = (window->x + window->width - 1) / 2;
    const ptrdiff_t from = first - chroma->left;
    const size_t count = (size_t)(last - first + 1);
    if (header->down == 1)
        kernels->widen(wide, row_of(chroma, y) + from, count);
    else
        kernels->widen_between(wide, row_of(chroma, y / 2) + from,
                               row_of(chroma, neighbour_of(chroma, y)) + from, count);
    return wide + window->x % 2;
}

static void
emit_row(const struct mxio_plain_jpeg *plain, const struct mxio_plain_wish *wish, int y,
         uint8_t *out)
{
    const struct mxio_jpeg_kernels *kernels = mxio_kernels_best()->jpeg;
    const struct samples *samples = &plain->samples[0];
    const struct mxio_rect *window = &wish->window;
    const size_t width = (size_t)window->width;
    const uint8_t *luma = row_of(samples, y) + window->x - samples->left;

    if (wish->channels == 1)
        memcpy(out, luma, width);
    else if (plain->component_count == 1)
        kernels->to_rgb(out, luma, plain->wide[0].bytes, plain->wide[0].bytes, width,
                        wish->bgr);
    else
        kernels->to_rgb(out, luma, chroma_row(plain, 1, y, window),
                        chroma_row(plain, 2, y, window), width, wish->bgr);
}

/* The last row of luma that rows of MCUs up to `row` are enough for. */
static int
last_row_of(const struct mxio_plain_jpeg *plain, int row)
{
    const struct mxio_jpeg_header *header = &plain->header;
    const int end = (row + 1) * SIDE * header->down;

    return header->down == 1 || end >= header->height || plain->component_count == 1
               ? end - 1
               : end - 2;
}

static bool
decode(struct mxio_plain_jpeg *plain, const struct mxio_plain_wish *wish, uint8_t *out)
{
    const struct mxio_jpeg_header *header = &plain->header;
    const struct mxio_rect *window = &wish->window;
    const size_t stride = (size_t)window->width * (size_t)wish->channels;
    const int down = SIDE * header->down, end = window->y + window->height;
    const int above = header->down == 2 && plain->component_count > 1
                          ? at_least(window->y - 1, 0)
                          : window->y;
    int y = window->y;

    for (int row = above / down; y < end; row++) {
        if (!read_mcus(plain, row))
            return false;
        for (; y < end && y <= last_row_of(plain, row); y++, out += stride)
            emit_row(plain, wish, y, out);
    }
    return true;
}

enum mxio_status
mxio_plain_jpeg_read(struct mxio_plain_jpeg *plain, const struct mxio_plain_wish *wish,
                     uint8_t *out, bool *done, struct mxio_error *err)
{
    *done = false;
    plain->component_count = wish->channels == 1 ? 1 : plain->header.component_count;
    if (!start_scan(plain, wish->insist))
        return MXIO_OK;
    choose_columns(plain, wish->window);
    const enum mxio_status status = lay_out(plain, err);
    if (status != MXIO_OK)
        return status;
    for (int i = 0; i < plain->component_count; i++)
        learn_steps(plain, plain->header.components[i].steps);
    if (plain->component_count == 1 && wish->channels == 3) /* colours of gray */
        memset(plain->wide[0].bytes, 128, (size_t)wish->window.width + MXIO_SLACK);
    *done = decode(plain, wish, out);
    return MXIO_OK;
}
