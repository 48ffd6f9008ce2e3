#include "png.h"

#include <png.h>
#include <setjmp.h>
#include <sys/resource.h>
#include <zlib.h>

#include "faults.h"
#include "records.h"

#define ENOUGH ((int64_t)1 << 40)

/* ---- pictures made by libpng, and what they must decode to ---- */

struct recipe {
    int width, height;
    int type, depth; /* libpng's colour type; bits of a sample */
    bool interlaced;
    bool transparent; /* a tRNS chunk */
    bool small_chunks;
    bool text; /* a tEXt chunk before the pixels */
};

static int
samples_in(int type)
{
    return type == PNG_COLOR_TYPE_RGB          ? 3
           : type == PNG_COLOR_TYPE_RGB_ALPHA  ? 4
           : type == PNG_COLOR_TYPE_GRAY_ALPHA ? 2
                                               : 1;
}

/* Sample c of a pixel, of the recipe's depth; noise, so that nothing compresses. */
static uint32_t
sample_at(const struct recipe *recipe, int x, int y, int c)
{
    uint32_t state = (uint32_t)((x * 131 + y) * 31 + c) * 2654435761U + 1;

    any_u32(&state);
    return any_u32(&state) >> 7 & ((1U << recipe->depth) - 1);
}

static uint8_t
palette_at(uint32_t entry, int c)
{
    return (uint8_t)(entry * (uint32_t)(c * 40 + 37) + 11);
}

/* Only the first entries have an alpha. */
static uint8_t
palette_alpha(const struct recipe *recipe, uint32_t entry)
{
    return recipe->transparent && entry < 2 ? (uint8_t)(entry * 100 + 30) : 255;
}

/* Red, green, blue, alpha of a pixel in 8 bits; PNG's own rules, section 12 and 13. */
static void
true_rgba(const struct recipe *recipe, int x, int y, uint8_t rgba[4])
{
    const uint32_t most = (1U << recipe->depth) - 1;
    const int samples = samples_in(recipe->type);
    uint8_t values[4] = {0, 0, 0, 255};

    for (int c = 0; c < samples; c++) {
        const uint32_t value = sample_at(recipe, x, y, c);
        values[c] = (uint8_t)(recipe->depth == 16 ? value >> 8 : value * 255 / most);
    }
    const uint32_t entry = sample_at(recipe, x, y, 0);
    for (int c = 0; c < 4; c++)
        rgba[c] = samples >= 3                             ? values[c]
                  : recipe->type != PNG_COLOR_TYPE_PALETTE ? values[0]
                                                           : palette_at(entry, c);
    rgba[3] = recipe->type == PNG_COLOR_TYPE_PALETTE      ? palette_alpha(recipe, entry)
              : recipe->type == PNG_COLOR_TYPE_GRAY_ALPHA ? values[1]
              : recipe->type == PNG_COLOR_TYPE_RGB_ALPHA  ? values[3]
                                                          : 255;
}

/* The same for a decode to so many channels; gray by .299, .587, .114 in 14 bits. */
static void
true_pixel(const struct recipe *recipe, int x, int y, int channels, uint8_t *out)
{
    uint8_t rgba[4];

    true_rgba(recipe, x, y, rgba);
    if (channels > 1)
        memcpy(out, rgba, (size_t)channels);
    else if (recipe->type & PNG_COLOR_MASK_COLOR)
        out[0] = (uint8_t)lrint(
            (rgba[0] * 4899.0 + rgba[1] * 9617.0 + rgba[2] * 1868.0) / 16384);
    else
        out[0] = rgba[0];
}

static void
take_bytes(png_structp codec, png_bytep from, size_t size)
{
    bytes_add(png_get_io_ptr(codec), from, size);
}

static void
flush_nothing(png_structp codec)
{
    (void)codec;
}

static void
put_row(const struct recipe *recipe, int y, uint8_t *row)
{
    const int samples = samples_in(recipe->type);

    memset(row, 0, (size_t)recipe->width * 8);
    for (int i = 0; i < recipe->width * samples; i++) {
        const uint32_t value = sample_at(recipe, i / samples, y, i % samples);
        const int bit = i * recipe->depth;
        if (recipe->depth == 16)
            row[2 * i] = (uint8_t)(value >> 8);
        if (recipe->depth >= 8)
            row[bit / 8 + (recipe->depth == 16)] = (uint8_t)value;
        else
            row[bit / 8] |= (uint8_t)(value << (8 - recipe->depth - bit % 8));
    }
}

static void
put_tables(const struct recipe *recipe, png_structp codec, png_infop info)
{
    png_color palette[256];
    png_byte alphas[2];
    png_color_16 key = {.gray = 1, .red = 1, .green = 1, .blue = 1};

    for (uint32_t i = 0; i < 256; i++)
        palette[i] = (png_color){palette_at(i, 0), palette_at(i, 1), palette_at(i, 2)};
    for (uint32_t i = 0; i < 2; i++)
        alphas[i] = palette_alpha(recipe, i);
    if (recipe->type == PNG_COLOR_TYPE_PALETTE)
        png_set_PLTE(codec, info, palette, 1 << recipe->depth);
    if (recipe->transparent)
        png_set_tRNS(codec, info, alphas, 2, &key);
}

static struct bytes
make_png(const struct recipe *recipe)
{
    struct bytes out = {.at = NULL};
    uint8_t *row = malloc((size_t)recipe->width * 8);
    png_structp codec =
        png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(codec);
    MUST(row != NULL && info != NULL, "libpng");

    png_set_write_fn(codec, &out, take_bytes, flush_nothing);
    if (recipe->small_chunks)
        png_set_compression_buffer_size(codec, 64);
    png_set_IHDR(codec, info, (png_uint_32)recipe->width, (png_uint_32)recipe->height,
                 recipe->depth, recipe->type,
                 recipe->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    put_tables(recipe, codec, info);
    if (recipe->text)
        png_set_text(codec, info,
                     &(png_text){.compression = PNG_TEXT_COMPRESSION_NONE,
                                 .key = (char[]){"Title"},
                                 .text = (char[]){"A picture"},
                                 .text_length = 9},
                     1);
    png_write_info(codec, info);
    const int passes = png_set_interlace_handling(codec);
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < recipe->height; y++) {
            put_row(recipe, y, row);
            png_write_row(codec, row);
        }
    png_write_end(codec, info);
    png_destroy_write_struct(&codec, &info);
    free(row);
    return out;
}

static struct mxio_png *
decoder(void)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_png *png = NULL;

    MUST(mxio_png_new(&png, &err) == MXIO_OK, "mxio_png_new");
    return png;
}

/* ---- decoding ---- */

static bool
window_is_right(struct mxio_png *png, const struct recipe *recipe,
                const struct bytes *made, int channels, struct mxio_rect window)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_picture picture;
    struct mxio_view view;

    if (mxio_png_open(png, made->at, made->size, ENOUGH, &picture, &err) != MXIO_OK ||
        mxio_png_read(png, channels, false, window, &view, &err) != MXIO_OK)
        return check_failed(__FILE__, __LINE__, "%s", err.message);
    if (picture.width != recipe->width || picture.height != recipe->height ||
        view.width != recipe->width || view.height != recipe->height ||
        view.channels != channels || memcmp(&view.held, &window, sizeof window) != 0)
        return check_failed(__FILE__, __LINE__, "wrong sizes");
    for (int y = 0; y < window.height; y++)
        for (int x = 0; x < window.width; x++) {
            uint8_t right[4];
            true_pixel(recipe, window.x + x, window.y + y, channels, right);
            if (memcmp(view.bytes + (size_t)y * view.stride + (size_t)(x * channels),
                       right, (size_t)channels) != 0)
                return check_failed(__FILE__, __LINE__,
                                    "type %d, depth %d, interlaced %d, transparent %d, "
                                    "channels %d: pixel (%d, %d)",
                                    recipe->type, recipe->depth, recipe->interlaced,
                                    recipe->transparent, channels, window.x + x,
                                    window.y + y);
        }
    uint8_t slack[MXIO_SLACK]; /* a sanitizer sees what is not there */
    memcpy(slack,
           view.bytes + (size_t)(window.height - 1) * view.stride +
               (size_t)(window.width * channels),
           sizeof slack);
    return true;
}

static bool
windows_are_right(struct mxio_png *png, const struct recipe *recipe,
                  const struct bytes *made, int channels)
{
    const int width = recipe->width, height = recipe->height;
    const struct mxio_rect windows[] =
        {{0, 0, width, height},
         {0, 0, 1, 1},
         {width - 1, 0, 1, height},
         {0, height - 1, width, 1},
         {width - 1, height - 1, 1, 1},
         {width / 2, height / 3, 1 + width / 3, 1 + height / 3},
         {width / 3, 0, 1 + width / 3, 1}};
    bool right = true;

    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++)
        right = right && window_is_right(png, recipe, made, channels, windows[i]);
    return right;
}

static const struct {
    int type, depth, channels;
} kinds[] = {
    {PNG_COLOR_TYPE_GRAY, 1, 1},        {PNG_COLOR_TYPE_GRAY, 2, 1},
    {PNG_COLOR_TYPE_GRAY, 4, 1},        {PNG_COLOR_TYPE_GRAY, 8, 1},
    {PNG_COLOR_TYPE_GRAY, 16, 1},       {PNG_COLOR_TYPE_RGB, 8, 3},
    {PNG_COLOR_TYPE_RGB, 16, 3},        {PNG_COLOR_TYPE_PALETTE, 1, 3},
    {PNG_COLOR_TYPE_PALETTE, 2, 3},     {PNG_COLOR_TYPE_PALETTE, 4, 3},
    {PNG_COLOR_TYPE_PALETTE, 8, 3},     {PNG_COLOR_TYPE_GRAY_ALPHA, 8, 4},
    {PNG_COLOR_TYPE_GRAY_ALPHA, 16, 4}, {PNG_COLOR_TYPE_RGB_ALPHA, 8, 4},
    {PNG_COLOR_TYPE_RGB_ALPHA, 16, 4},
};
#define KINDS ((int)(sizeof kinds / sizeof kinds[0]))

static bool
kind_is_right(int kind, bool transparent, int stored_channels)
{
    static const int sizes[][2] = {{1, 1}, {2, 9}, {17, 5}, {33, 31}};
    struct mxio_png *png = decoder();
    bool right = true;

    for (int i = 0; i < 8; i++) {
        const struct recipe recipe = {.width = sizes[i / 2][0],
                                      .height = sizes[i / 2][1],
                                      .type = kinds[kind].type,
                                      .depth = kinds[kind].depth,
                                      .interlaced = i % 2 != 0,
                                      .transparent = transparent};
        struct bytes made = make_png(&recipe);
        for (int channels = 1; channels <= stored_channels || channels <= 3; channels++)
            right = right &&
                    (channels == 2 || windows_are_right(png, &recipe, &made, channels));
        free(made.at);
    }
    mxio_png_free(png);
    return right;
}

TEST(every_type_and_depth_decodes_to_gray_colour_and_alpha)
{
    for (int kind = 0; kind < KINDS; kind++)
        CHECK(kind_is_right(kind, false, kinds[kind].channels));
}

TEST(transparent_palettes_have_alpha_and_other_keys_are_ignored)
{
    for (int kind = 0; kind < KINDS; kind++)
        if (kinds[kind].channels != 4)
            CHECK(kind_is_right(kind, true,
                                kinds[kind].type == PNG_COLOR_TYPE_PALETTE ? 4 : 3));
}

TEST(the_header_says_what_is_stored)
{
    struct mxio_png *png = decoder();

    for (int kind = 0; kind < KINDS; kind++)
        for (int transparent = 0; transparent < 2; transparent++) {
            const bool palette = kinds[kind].type == PNG_COLOR_TYPE_PALETTE;
            const struct recipe recipe = {.width = 7,
                                          .height = 3,
                                          .type = kinds[kind].type,
                                          .depth = kinds[kind].depth,
                                          .transparent = transparent && palette};
            struct bytes made = make_png(&recipe);
            struct mxio_error err = MXIO_NO_ERROR;
            struct mxio_picture picture;
            CHECK_OK(mxio_png_open(png, made.at, made.size, ENOUGH, &picture, &err),
                     err);
            CHECK_INT(picture.width, 7);
            CHECK_INT(picture.height, 3);
            CHECK_INT(picture.channels, recipe.transparent ? 4 : kinds[kind].channels);
            CHECK_INT(picture.bits, kinds[kind].depth);
            CHECK_INT(picture.orientation, 1);
            free(made.at);
        }
    mxio_png_free(png);
}

TEST(blue_comes_first_when_asked_for)
{
    struct mxio_png *png = decoder();

    for (int kind = 0; kind < KINDS; kind++)
        for (int channels = 1; channels <= kinds[kind].channels; channels++) {
            const struct recipe recipe = {.width = 9,
                                          .height = 1,
                                          .type = kinds[kind].type,
                                          .depth = kinds[kind].depth};
            struct bytes made = make_png(&recipe);
            struct mxio_error err = MXIO_NO_ERROR;
            struct mxio_picture picture;
            struct mxio_view view;
            if (channels == 2)
                channels++;
            CHECK_OK(mxio_png_open(png, made.at, made.size, ENOUGH, &picture, &err),
                     err);
            CHECK_OK(mxio_png_read(png, channels, true, (struct mxio_rect){0, 0, 9, 1},
                                   &view, &err),
                     err);
            for (int x = 0; x < 9; x++) {
                uint8_t right[4];
                true_pixel(&recipe, x, 0, channels, right);
                for (int c = 0; c < channels; c++)
                    CHECK_INT(view.bytes[x * channels + c],
                              right[channels >= 3 && c < 3 ? 2 - c : c]);
            }
            free(made.at);
        }
    mxio_png_free(png);
}

TEST(alpha_that_is_not_there_is_refused)
{
    struct mxio_png *png = decoder();

    for (int kind = 0; kind < KINDS; kind++) {
        const struct recipe recipe = {.width = 4,
                                      .height = 4,
                                      .type = kinds[kind].type,
                                      .depth = kinds[kind].depth};
        struct bytes made = make_png(&recipe);
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_picture picture;
        struct mxio_view view = {.stride = 91};
        if (kinds[kind].channels != 4) {
            CHECK_OK(mxio_png_open(png, made.at, made.size, ENOUGH, &picture, &err),
                     err);
            CHECK_INT(mxio_png_read(png, 4, false, (struct mxio_rect){0, 0, 4, 4},
                                    &view, &err),
                      MXIO_EDATA);
            CHECK_SAYS(err.message, kinds[kind].channels == 1 ? "4 channels, got 1"
                                                              : "4 channels, got 3");
            CHECK_INT(view.stride, 91);
        }
        free(made.at);
    }
    mxio_png_free(png);
}

/* ---- damage and limits ---- */

static enum mxio_status
read_bytes(const uint8_t *bytes, size_t size, struct mxio_rect window)
{
    struct mxio_png *png = decoder();
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_picture picture = {.width = 91};
    struct mxio_view view = {.stride = 92};
    uint8_t *copy = exact_copy(bytes, size);

    enum mxio_status status = mxio_png_open(png, copy, size, ENOUGH, &picture, &err);
    if (status != MXIO_OK && picture.width != 91)
        status = MXIO_ESTATE;
    if (status == MXIO_OK)
        status = mxio_png_read(png, 3, false, window, &view, &err);
    if (status != MXIO_OK && (view.stride != 92 || err.status != status))
        status = MXIO_ESTATE;
    mxio_png_free(png);
    free(copy);
    return status;
}

static const struct mxio_rect whole = {0, 0, 40, 30};

/* A picture of that size in many IDAT chunks. */
static struct bytes
in_small_chunks(bool interlaced)
{
    const struct recipe recipe = {.width = 40,
                                  .height = 30,
                                  .type = PNG_COLOR_TYPE_RGB,
                                  .depth = 8,
                                  .interlaced = interlaced,
                                  .small_chunks = true,
                                  .text = true};

    return make_png(&recipe);
}

/* Where the type of chunk number n of this kind is. */
static size_t
find_chunk(const struct bytes *made, const char *type, int n)
{
    for (size_t at = 8; at + 8 < made->size;) {
        const size_t size = (size_t)made->at[at] << 24 |
                            (size_t)made->at[at + 1] << 16 |
                            (size_t)made->at[at + 2] << 8 | made->at[at + 3];
        if (memcmp(made->at + at + 4, type, 4) == 0 && n-- == 0)
            return at + 4;
        at += 12 + size;
    }
    return 0;
}

TEST(a_picture_cut_off_in_its_pixels_is_damaged)
{
    for (int interlaced = 0; interlaced < 2; interlaced++) {
        struct bytes made = in_small_chunks(interlaced != 0);
        const size_t end = find_chunk(&made, "IEND", 0) - 8;
        for (size_t size = 0; size < end; size += size < 100 ? 1 : 7)
            CHECK_INT(read_bytes(made.at, size, whole), MXIO_EDATA);
        CHECK_INT(read_bytes(made.at, made.size, whole), MXIO_OK);
        free(made.at);
    }
}

/* The checksum of the pixels comes at their end: a row alone cannot be trusted. */
TEST(damage_behind_the_window_is_damage)
{
    struct bytes made = in_small_chunks(false);
    const struct mxio_rect above = {3, 0, 20, 10}, below = {3, 25, 20, 5};

    CHECK_INT(read_bytes(made.at, made.size, above), MXIO_OK);
    CHECK_INT(read_bytes(made.at, made.size * 3 / 4, above), MXIO_EDATA);
    CHECK_INT(read_bytes(made.at, made.size * 3 / 4, below), MXIO_EDATA);
    made.at[find_chunk(&made, "IDAT", 45) + 10] ^= 0x40;
    CHECK_INT(read_bytes(made.at, made.size, above), MXIO_EDATA);
    free(made.at);
}

TEST(any_flipped_bit_of_the_pixels_is_noticed)
{
    struct bytes made = in_small_chunks(false);
    uint32_t state = 1;

    for (int n = 0;; n++) {
        const size_t chunk = find_chunk(&made, "IDAT", n);
        if (chunk == 0)
            break;
        const size_t at = chunk + 4 + (size_t)any_below(&state, 12);
        made.at[at] ^= 4;
        CHECK_INT(read_bytes(made.at, made.size, whole), MXIO_EDATA);
        made.at[at] ^= 4;
    }
    free(made.at);
}

TEST(a_wrong_checksum_is_damage_where_it_matters)
{
    const struct recipe recipe = {.width = 40,
                                  .height = 30,
                                  .type = PNG_COLOR_TYPE_PALETTE,
                                  .depth = 8,
                                  .text = true};
    static const char *const needed[] = {"IHDR", "PLTE", "IDAT"};
    struct bytes made = make_png(&recipe);

    for (int i = 0; i < 3; i++) {
        const size_t chunk = find_chunk(&made, needed[i], 0);
        const size_t size = (size_t)made.at[chunk - 2] << 8 | made.at[chunk - 1];
        made.at[chunk + 4 + size] ^= 1; /* of its checksum */
        CHECK_INT(read_bytes(made.at, made.size, whole), MXIO_EDATA);
        made.at[chunk + 4 + size] ^= 1;
    }
    made.at[find_chunk(&made, "tEXt", 0) + 6] ^= 1;
    CHECK_INT(read_bytes(made.at, made.size, whole), MXIO_OK);
    free(made.at);
}

TEST(noise_instead_of_a_picture_never_passes_a_bound)
{
    uint32_t state = 3;

    for (int round = 0; round < 600; round++) {
        struct bytes made = in_small_chunks(round % 2 != 0);
        for (int i = 0; i < 3; i++)
            made.at[8 + any_below(&state, (int)made.size - 8)] =
                (uint8_t)any_u32(&state);
        const enum mxio_status status =
            read_bytes(made.at, made.size, (struct mxio_rect){0, 0, 1, 1});
        CHECK(status == MXIO_OK || status == MXIO_EDATA);
        free(made.at);
    }
}

/* PNG's CRC, bit by bit. */
static uint32_t
checksum(const uint8_t *bytes, size_t size)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xEDB88320) : 0);
    }
    return ~crc;
}

static void
add_big_endian(struct bytes *to, uint32_t value)
{
    const uint8_t raw[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
                            (uint8_t)(value >> 8), (uint8_t)value};

    bytes_add(to, raw, 4);
}

/* A header that promises such a picture, and the start of its pixels. */
static struct bytes
promise(uint32_t width, uint32_t height)
{
    struct bytes out = {.at = NULL};

    bytes_add(&out, "\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR", 16);
    add_big_endian(&out, width);
    add_big_endian(&out, height);
    bytes_add(&out, "\x08\x02\0\0\0", 5);
    add_big_endian(&out, checksum(out.at + 12, 17));
    bytes_add(&out, "\0\0\x10\0IDAT", 8);
    return out;
}

TEST(pictures_beyond_max_pixels_are_refused)
{
    struct bytes made = promise(30000, 20000);
    struct mxio_png *png = decoder();
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_picture picture = {.width = 91};

    CHECK_INT(mxio_png_open(png, made.at, made.size, 599999999, &picture, &err),
              MXIO_EDATA);
    CHECK_SAYS(err.message, "30000 x 20000 pixels are more than max_pixels=599999999");
    CHECK_INT(picture.width, 91);
    CHECK_OK(mxio_png_open(png, made.at, made.size, 600000000, &picture, &err), err);
    CHECK_INT(picture.width, 30000);
    mxio_png_free(png);
    free(made.at);
}

TEST(sides_without_bound_are_refused)
{
    static const uint32_t wrong[][2] = {{0, 1},
                                        {1, 0},
                                        {1000001, 1},
                                        {1, 1000001},
                                        {0x7FFFFFFF, 0x7FFFFFFF},
                                        {0xFFFFFFFF, 1}};

    for (int i = 0; i < 6; i++) {
        struct bytes made = promise(wrong[i][0], wrong[i][1]);
        CHECK_INT(read_bytes(made.at, made.size, whole), MXIO_EDATA);
        free(made.at);
    }
}

/* The picture with a chunk added before its pixels, so many times. */
static struct bytes
with_chunks(const struct bytes *made, const struct bytes *chunk, int times)
{
    const size_t head = 8 + 25; /* signature and IHDR */
    struct bytes out = {.at = NULL};

    bytes_add(&out, made->at, head);
    for (int i = 0; i < times; i++)
        bytes_add(&out, chunk->at, chunk->size);
    bytes_add(&out, made->at + head, made->size - head);
    return out;
}

/* A zTXt chunk of so many times the letter a. */
static struct bytes
packed_text(size_t letters)
{
    uint8_t *text = malloc(letters);
    uLongf size = compressBound(letters);
    uint8_t *packed = malloc(size);
    struct bytes out = {.at = NULL};

    memset(text, 'a', letters);
    compress2(packed, &size, text, letters, 9);
    add_big_endian(&out, (uint32_t)size + 3);
    bytes_add(&out, "zTXtk\0", 7);
    bytes_add(&out, packed, size);
    add_big_endian(&out, checksum(out.at + 4, out.size - 4));
    free(text);
    free(packed);
    return out;
}

/* 7 KB took 7 MB each, up to 1000 times. */
TEST(packed_texts_take_no_memory)
{
    struct bytes made = in_small_chunks(true);
    struct bytes chunk = packed_text(7000000);
    struct bytes bomb = with_chunks(&made, &chunk, 40);
    struct rusage before, after;

    getrusage(RUSAGE_SELF, &before);
    CHECK_INT(read_bytes(bomb.at, bomb.size, whole), MXIO_OK);
    getrusage(RUSAGE_SELF, &after);
    CHECK(after.ru_maxrss - before.ru_maxrss < 100000); /* KB */
    free(made.at);
    free(chunk.at);
    free(bomb.at);
}

TEST(a_png_is_known_by_its_first_eight_bytes)
{
    const uint8_t *signature = (const uint8_t *)"\x89PNG\r\n\x1A\n";

    CHECK(mxio_png_sniff(signature, 8));
    CHECK(!mxio_png_sniff(signature, 7));
    CHECK(!mxio_png_sniff((const uint8_t *)"\x89PNG\n\x1A\n\n", 8));
    CHECK(!mxio_png_sniff(NULL, 0));
    CHECK_INT(read_bytes((const uint8_t *)"\xFF\xD8\xFF.....", 8, whole), MXIO_EDATA);
    CHECK_SAYS(mxio_png_version(), "libpng 1.");
}

TEST(after_a_damaged_picture_the_next_is_right)
{
    const struct recipe recipe = {.width = 40,
                                  .height = 30,
                                  .type = PNG_COLOR_TYPE_RGB,
                                  .depth = 8};
    struct bytes made = make_png(&recipe);
    struct bytes other = in_small_chunks(true);
    const size_t pixels_end = find_chunk(&other, "IEND", 0) - 8;
    struct mxio_png *png = decoder();

    for (size_t size = 0; size < pixels_end; size += 211) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_picture picture;
        struct mxio_view view;
        if (mxio_png_open(png, other.at, size, ENOUGH, &picture, &err) == MXIO_OK)
            CHECK_INT(mxio_png_read(png, 3, false, whole, &view, &err), MXIO_EDATA);
        CHECK(window_is_right(png, &recipe, &made, 3, whole));
    }
    mxio_png_free(png);
    mxio_png_free(NULL);
    free(made.at);
    free(other.at);
}

static enum mxio_status
decode_once(void *context, struct mxio_error *err)
{
    const struct bytes *made = context;
    struct mxio_png *png = NULL;
    struct mxio_picture picture;
    struct mxio_view view;

    enum mxio_status status = mxio_png_new(&png, err);
    if (status == MXIO_OK)
        status = mxio_png_open(png, made->at, made->size, ENOUGH, &picture, err);
    if (status == MXIO_OK)
        status =
            mxio_png_read(png, 3, false, (struct mxio_rect){1, 1, 9, 9}, &view, err);
    mxio_png_free(png);
    return status;
}

TEST(every_failing_allocation_of_decoding_is_survived)
{
    struct bytes made = in_small_chunks(false), other = in_small_chunks(true);

    CHECK_INT(faults_met(decode_once, &made), 4);
    CHECK(faults_met(decode_once, &other) > 3); /* those of libpng, too */
    free(made.at);
    free(other.at);
}

/* ---- encoding ---- */

/* The pixels of a PNG as libpng itself reads them. */
static bool
decodes_to(const uint8_t *png, size_t size, int width, int height, int channels,
           const uint8_t *pixels)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    bool right = png_image_begin_read_from_memory(&image, png, size) != 0 &&
                 (int)image.width == width && (int)image.height == height;

    image.format = channels == 1   ? PNG_FORMAT_GRAY
                   : channels == 3 ? PNG_FORMAT_RGB
                                   : PNG_FORMAT_RGBA;
    uint8_t *out = malloc(PNG_IMAGE_SIZE(image));
    right = right && png_image_finish_read(&image, NULL, out, 0, NULL) != 0 &&
            memcmp(out, pixels, (size_t)(width * height * channels)) == 0;
    png_image_free(&image);
    free(out);
    return right;
}

TEST(an_encoded_picture_decodes_to_the_same)
{
    static const int sizes[][2] = {{1, 1}, {3, 50}, {211, 97}};
    uint8_t *pixels = malloc(211 * 97 * 4), *swapped = malloc(211 * 97 * 4);
    uint32_t state = 1;
    for (int i = 0; i < 211 * 97 * 4; i++)
        pixels[i] = (uint8_t)any_u32(&state);

    for (int i = 0; i < 3 * 3 * 2 * 2; i++) {
        const int *size = sizes[i % 3];
        const int channels = (const int[]){1, 3, 4}[i / 3 % 3];
        const bool bgr = i / 9 % 2 != 0;
        const int count = size[0] * size[1] * channels;
        struct mxio_error err = MXIO_NO_ERROR;
        uint8_t *png;
        size_t png_size;
        for (int k = 0; k < count; k++) {
            const int c = k % channels;
            swapped[k] = pixels[bgr && channels > 1 && c < 3 ? k - c + 2 - c : k];
        }
        CHECK_OK(mxio_png_encode(pixels, size[0], size[1], channels, bgr,
                                 i / 18 == 0 ? 0 : 9, &png, &png_size, &err),
                 err);
        CHECK(decodes_to(png, png_size, size[0], size[1], channels, swapped));
        mxio_free(png);
    }
    free(pixels);
    free(swapped);
}

TEST(a_higher_level_makes_fewer_bytes)
{
    static const uint8_t pixels[100 * 100];
    struct mxio_error err = MXIO_NO_ERROR;
    uint8_t *png;
    size_t stored, packed;

    CHECK_OK(mxio_png_encode(pixels, 100, 100, 1, false, 0, &png, &stored, &err), err);
    mxio_free(png);
    CHECK_OK(mxio_png_encode(pixels, 100, 100, 1, false, 9, &png, &packed, &err), err);
    mxio_free(png);

    CHECK(stored > 10000);
    CHECK(packed < 1000);
}

static enum mxio_status
encode_once(void *context, struct mxio_error *err)
{
    uint8_t *png = NULL;
    size_t size = 91;
    const enum mxio_status status =
        mxio_png_encode(context, 100, 100, 4, false, 0, &png, &size, err);

    if (status != MXIO_OK && (png != NULL || size != 91))
        return MXIO_ESTATE;
    mxio_free(png);
    return status;
}

TEST(every_failing_allocation_of_encoding_is_survived)
{
    uint8_t *pixels = calloc(1, 100 * 100 * 4);
    const int met = faults_met(encode_once, pixels);

    free(pixels);
    CHECK(met > 2); /* those of libpng, too */
}

int
main(void)
{
    RUN(every_type_and_depth_decodes_to_gray_colour_and_alpha);
    RUN(transparent_palettes_have_alpha_and_other_keys_are_ignored);
    RUN(the_header_says_what_is_stored);
    RUN(blue_comes_first_when_asked_for);
    RUN(alpha_that_is_not_there_is_refused);
    RUN(a_picture_cut_off_in_its_pixels_is_damaged);
    RUN(damage_behind_the_window_is_damage);
    RUN(any_flipped_bit_of_the_pixels_is_noticed);
    RUN(a_wrong_checksum_is_damage_where_it_matters);
    RUN(noise_instead_of_a_picture_never_passes_a_bound);
    RUN(pictures_beyond_max_pixels_are_refused);
    RUN(sides_without_bound_are_refused);
    RUN(packed_texts_take_no_memory);
    RUN(a_png_is_known_by_its_first_eight_bytes);
    RUN(after_a_damaged_picture_the_next_is_right);
    RUN(every_failing_allocation_of_decoding_is_survived);
    RUN(an_encoded_picture_decodes_to_the_same);
    RUN(a_higher_level_makes_fewer_bytes);
    RUN(every_failing_allocation_of_encoding_is_survived);
    return check_result();
}
