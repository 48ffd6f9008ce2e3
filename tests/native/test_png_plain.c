/* Plain PNGs against libpng: the same pixels, the same verdict, the same words. */
#include "png_plain.h"

#include "check.h"
#include "png.h"
#include "records.h"

#define ENOUGH ((int64_t)1 << 40)

enum { GRAY = 0, RGB = 2, PALETTE = 3, RGBA = 6 };

/* ---- pictures made by hand ---- */

/* What a picture is like; zeros are 5 x 7 pixels of gray, in one piece, undamaged. */
struct recipe {
    int type, width, height;
    int filter;   /* of all rows; -1: each row another one */
    size_t piece; /* most bytes of the stream in one IDAT chunk; 0: all */
    int entries;  /* of the palette; 0: 256 */
    uint32_t seed;
};

static uint32_t
crc(const uint8_t *bytes, size_t size)
{
    uint32_t sum = UINT32_MAX;

    for (size_t i = 0; i < size; i++) {
        sum ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            sum = sum >> 1 ^ (sum & 1 ? UINT32_C(0xEDB88320) : 0);
    }
    return ~sum;
}

static void
add_u32(struct bytes *to, uint32_t value)
{
    const uint8_t raw[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
                            (uint8_t)(value >> 8), (uint8_t)value};

    bytes_add(to, raw, 4);
}

static void
add_chunk(struct bytes *to, const char *type, const void *content, size_t size)
{
    add_u32(to, (uint32_t)size);
    const size_t start = to->size;
    bytes_add(to, type, 4);
    bytes_add(to, content, size);
    add_u32(to, crc(to->at + start, size + 4));
}

/* A zlib stream of stored blocks. */
static struct bytes
stored_stream(const struct bytes *raw)
{
    struct bytes out = {.at = NULL};
    uint32_t a = 1, b = 0;
    size_t at = 0;

    bytes_add(&out, "\x78\x01", 2);
    do {
        const size_t size = raw->size - at < 60000 ? raw->size - at : 60000;
        const bool is_last = at + size == raw->size;
        const uint8_t head[5] = {is_last, (uint8_t)size, (uint8_t)(size >> 8),
                                 (uint8_t)~size, (uint8_t)(~size >> 8)};
        bytes_add(&out, head, 5);
        bytes_add(&out, raw->at + at, size);
        at += size;
    } while (at < raw->size);
    for (size_t i = 0; i < raw->size; i++) {
        a = (a + raw->at[i]) % 65521;
        b = (b + a) % 65521;
    }
    add_u32(&out, b << 16 | a);
    return out;
}

static int
samples_of(int type)
{
    return type == RGBA ? 4 : type == RGB ? 3 : 1;
}

/* Rows of noise behind their filter bytes. */
static struct bytes
raw_rows(const struct recipe *recipe)
{
    struct bytes out = {.at = NULL};
    uint32_t state = recipe->seed + 1;

    for (int y = 0; y < recipe->height; y++) {
        const uint8_t filter =
            (uint8_t)(recipe->filter >= 0 ? recipe->filter : any_below(&state, 5));
        bytes_add(&out, &filter, 1);
        for (int i = 0; i < recipe->width * samples_of(recipe->type); i++) {
            const uint8_t value = (uint8_t)(any_u32(&state) >> any_below(&state, 8));
            bytes_add(&out, &value, 1);
        }
    }
    return out;
}

static void
add_start(struct bytes *to, const struct recipe *recipe)
{
    struct bytes header = {.at = NULL};
    uint8_t palette[768];

    bytes_add(to, "\x89PNG\r\n\x1A\n", 8);
    add_u32(&header, (uint32_t)recipe->width);
    add_u32(&header, (uint32_t)recipe->height);
    const uint8_t kinds[5] = {8, (uint8_t)recipe->type};
    bytes_add(&header, kinds, 5);
    add_chunk(to, "IHDR", header.at, header.size);
    free(header.at);
    for (int i = 0; i < 768; i++)
        palette[i] = (uint8_t)(i * 37 + 11);
    if (recipe->type == PALETTE)
        add_chunk(to, "PLTE", palette,
                  recipe->entries == 0 ? 768 : (size_t)recipe->entries * 3);
}

static void
add_data(struct bytes *to, const struct bytes *stream, size_t piece)
{
    size_t at = 0;

    do {
        const size_t left = stream->size - at;
        const size_t size = piece == 0 || piece > left ? left : piece;
        add_chunk(to, "IDAT", stream->at + at, size);
        at += size;
    } while (at < stream->size);
}

static struct bytes
picture(const struct recipe *recipe)
{
    struct bytes raw = raw_rows(recipe), stream = stored_stream(&raw);
    struct bytes out = {.at = NULL};

    add_start(&out, recipe);
    add_data(&out, &stream, recipe->piece);
    add_chunk(&out, "IEND", NULL, 0);
    free(raw.at);
    free(stream.at);
    return out;
}

/* ---- both ways ---- */

struct both {
    struct mxio_png *own, *libpng;
};

static struct both
both_new(void)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct both out = {.own = NULL};

    MUST(mxio_png_new(&out.own, &err) == MXIO_OK, "mxio_png_new");
    MUST(mxio_png_new(&out.libpng, &err) == MXIO_OK, "mxio_png_new");
    mxio_png_only_libpng(out.libpng);
    return out;
}

static void
both_free(const struct both *both)
{
    mxio_png_free(both->own);
    mxio_png_free(both->libpng);
}

static bool
is_plain(const uint8_t *bytes, size_t size)
{
    struct mxio_plain_png plain = {.width = 0};

    return size >= 8 && mxio_plain_png_open(&plain, bytes + 8, size - 8);
}

static bool
same_window(const struct mxio_view *one, const struct mxio_view *other)
{
    const struct mxio_rect held = one->held;
    const size_t row_size = (size_t)held.width * (size_t)one->channels;
    bool same = one->width == other->width && one->height == other->height &&
                one->channels == other->channels &&
                memcmp(&one->held, &other->held, sizeof held) == 0;

    for (int y = 0; y < held.height && same; y++)
        same = memcmp(one->bytes + (size_t)y * one->stride,
                      other->bytes + (size_t)y * other->stride, row_size) == 0;
    uint8_t slack[MXIO_SLACK]; /* a sanitizer sees what is not there */
    memcpy(slack,
           one->bytes + (size_t)(held.height - 1) * one->stride +
               (size_t)held.width * (size_t)one->channels,
           sizeof slack);
    return same;
}

/* Both read the window, or refuse it in the same words; the status, or MXIO_ESTATE when
 * they disagree. */
static enum mxio_status
both_read(const struct both *both, const uint8_t *bytes, size_t size, int channels,
          bool bgr, struct mxio_rect window)
{
    struct mxio_png *ways[2] = {both->own, both->libpng};
    struct mxio_error err[2] = {MXIO_NO_ERROR, MXIO_NO_ERROR};
    struct mxio_picture picture[2];
    struct mxio_view view[2];
    enum mxio_status status[2];

    memset(picture, 0, sizeof picture);
    for (int i = 0; i < 2; i++) {
        status[i] = mxio_png_open(ways[i], bytes, size, ENOUGH, &picture[i], &err[i]);
        if (status[i] == MXIO_OK)
            status[i] =
                mxio_png_read(ways[i], channels, bgr, window, &view[i], &err[i]);
    }
    if (status[0] != status[1] || strcmp(err[0].message, err[1].message) != 0 ||
        memcmp(&picture[0], &picture[1], sizeof picture[0]) != 0 ||
        (status[0] == MXIO_OK && !same_window(&view[0], &view[1]))) {
        check_failed(__FILE__, __LINE__, "%d \"%s\", but libpng: %d \"%s\"", status[0],
                     err[0].message, status[1], err[1].message);
        return MXIO_ESTATE;
    }
    return status[0];
}

/* All channels and orders, the whole picture and a window of it. */
static bool
all_agree(const struct both *both, const struct recipe *recipe, const uint8_t *bytes,
          size_t size, enum mxio_status expected)
{
    const int width = recipe->width, height = recipe->height;
    const struct mxio_rect windows[] = {{0, 0, width, height},
                                        {width / 3, height / 4, 1 + width / 2,
                                         1 + height / 3}};
    const int most = recipe->type == RGBA ? 4 : 3;
    bool right = true;

    for (int i = 0; i < 4; i++)
        for (int channels = 1; channels <= most; channels += 1 + (channels == 1))
            right = right && both_read(both, bytes, size, channels, i / 2 != 0,
                                       windows[i % 2]) == expected;
    return right;
}

TEST(every_kind_and_filter_gives_the_pixels_of_libpng)
{
    static const int types[] = {GRAY, RGB, PALETTE, RGBA};
    static const int sizes[][2] = {{1, 1},   {2, 3},   {3, 9},   {5, 1},
                                   {11, 11}, {32, 32}, {43, 17}, {200, 5}};
    const struct both both = both_new();

    for (int i = 0; i < 4 * 8 * 6; i++) {
        const struct recipe recipe = {.type = types[i % 4],
                                      .width = sizes[i / 4 % 8][0],
                                      .height = sizes[i / 4 % 8][1],
                                      .filter = i / 32 - 1,
                                      .piece = i % 3 == 0 ? 100 : 0,
                                      .entries = i % 5 == 0 ? 77 : 0,
                                      .seed = (uint32_t)i};
        struct bytes made = picture(&recipe);
        CHECK(is_plain(made.at, made.size));
        CHECK(all_agree(&both, &recipe, made.at, made.size, MXIO_OK));
        free(made.at);
    }
    both_free(&both);
}

/* ---- what is not plain, and damage ---- */

static const struct recipe small_rgb = {.type = RGB,
                                        .width = 5,
                                        .height = 7,
                                        .filter = -1};

/* A chunk put behind IHDR, or before IEND. */
static struct bytes
with_chunk(const struct recipe *recipe, const char *type, const char *content,
           size_t size, bool at_the_end)
{
    struct bytes made = picture(recipe), out = {.at = NULL};
    const size_t cut = at_the_end ? made.size - 12 : 33;

    bytes_add(&out, made.at, cut);
    add_chunk(&out, type, content, size);
    bytes_add(&out, made.at + cut, made.size - cut);
    free(made.at);
    return out;
}

TEST(chunks_that_change_nothing_leave_a_picture_plain)
{
    static const char *const types[] = {"tEXt", "gAMA", "sRGB", "tIME", "zzZz"};
    static const char *const contents[] = {"Title\0A picture", "\0\0\xB1\x8F", "\0",
                                           "\7\xE9\1\2\3\4\5", "any"};
    static const size_t sizes[] = {15, 4, 1, 7, 3};
    const struct both both = both_new();

    for (int i = 0; i < 10; i++) {
        struct bytes made = with_chunk(&small_rgb, types[i / 2], contents[i / 2],
                                       sizes[i / 2], i % 2 != 0);
        CHECK(is_plain(made.at, made.size));
        CHECK(all_agree(&both, &small_rgb, made.at, made.size, MXIO_OK));
        free(made.at);
    }
    both_free(&both);
}

/* Chunks that libpng has to judge, where they are put, and what it says. */
static const struct {
    const char *type, *content;
    size_t size;
    bool at_the_end;
    enum mxio_status verdict;
} odd_chunks[] = {
    {"tRNS", "\0\1\0\1\0\1", 6, false, MXIO_OK},
    {"PLTE", "abcdef", 6, false, MXIO_OK},
    {"PLTE", "abcdef", 6, true, MXIO_OK},
    {"CgBI", "\0\0\0\0", 4, false, MXIO_EDATA},
    {"IHDR", "\0\0\0\1\0\0\0\1\10\2\0\0\0", 13, false, MXIO_EDATA},
    {"a b!", "", 0, false, MXIO_EDATA},
    {"IEND", "more", 4, true, MXIO_OK},
    {"IDAT", "", 0, true, MXIO_OK},
};

TEST(chunks_that_may_matter_are_left_to_libpng)
{
    const struct both both = both_new();

    for (size_t i = 0; i < sizeof odd_chunks / sizeof odd_chunks[0]; i++) {
        struct bytes made =
            with_chunk(&small_rgb, odd_chunks[i].type, odd_chunks[i].content,
                       odd_chunks[i].size, odd_chunks[i].at_the_end);
        /* An empty piece of the data is in order. */
        CHECK_INT(is_plain(made.at, made.size),
                  strcmp(odd_chunks[i].type, "IDAT") == 0);
        CHECK(all_agree(&both, &small_rgb, made.at, made.size, odd_chunks[i].verdict));
        free(made.at);
    }
    both_free(&both);
}

TEST(palettes_out_of_place_are_left_to_libpng)
{
    const struct recipe palette = {.type = PALETTE, .width = 5, .height = 7};
    const struct both both = both_new();
    struct bytes twice = with_chunk(&palette, "PLTE", "abc", 3, false);
    struct bytes odd = with_chunk(&small_rgb, "PLTE", "abcd", 4, false);
    struct bytes none = picture(&small_rgb);
    none.at[25] = PALETTE; /* the type, in the header */
    const uint32_t sum = crc(none.at + 12, 17);
    for (int i = 0; i < 4; i++)
        none.at[29 + i] = (uint8_t)(sum >> (24 - 8 * i));

    CHECK(!is_plain(twice.at, twice.size));
    CHECK(all_agree(&both, &palette, twice.at, twice.size, MXIO_EDATA));
    CHECK(!is_plain(odd.at, odd.size));
    CHECK(all_agree(&both, &small_rgb, odd.at, odd.size, MXIO_OK));
    CHECK(!is_plain(none.at, none.size));
    CHECK(all_agree(&both, &palette, none.at, none.size, MXIO_EDATA));
    both_free(&both);
    free(twice.at);
    free(odd.at);
    free(none.at);
}

/* The rows, or the stream that holds them, changed before they are packed. */
static enum mxio_status
changed(const struct both *both, void change_raw(struct bytes *),
        void change_stream(struct bytes *), size_t piece)
{
    struct bytes raw = raw_rows(&small_rgb), out = {.at = NULL};

    if (change_raw != NULL)
        change_raw(&raw);
    struct bytes stream = stored_stream(&raw);
    if (change_stream != NULL)
        change_stream(&stream);
    add_start(&out, &small_rgb);
    add_data(&out, &stream, piece);
    add_chunk(&out, "IEND", NULL, 0);
    const enum mxio_status status =
        both_read(both, out.at, out.size, 3, false, (struct mxio_rect){0, 0, 5, 1});
    free(raw.at);
    free(stream.at);
    free(out.at);
    return status;
}

static void
unknown_filter(struct bytes *raw)
{
    raw->at[6 * 16] = 5; /* of the last row */
}

static void
one_row_more(struct bytes *raw)
{
    bytes_add(raw, "\0...............", 16);
}

static void
one_byte_less(struct bytes *raw)
{
    raw->size--;
}

static void
byte_behind(struct bytes *stream)
{
    bytes_add(stream, "x", 1);
}

static void
wrong_adler(struct bytes *stream)
{
    stream->at[stream->size - 1] ^= 1;
}

static void
no_adler(struct bytes *stream)
{
    stream->size -= 4;
}

static void
narrow_window(struct bytes *stream)
{
    stream->at[0] = 0x08; /* of 256 bytes, as many as are in the rows at most */
    stream->at[1] = 0x1D;
}

static void
wrong_method(struct bytes *stream)
{
    stream->at[0] = 0x79;
}

/* All chunks with the right checksums: what is wrong lies deeper. libpng puts up with
 * data behind the last row, and misses a wrong checksum of the stream when that comes in
 * another chunk than the end of the last row. */
TEST(the_verdict_on_the_stream_is_that_of_libpng)
{
    const struct both both = both_new();

    for (size_t piece = 0; piece <= 20; piece += 20) {
        CHECK_INT(changed(&both, NULL, NULL, piece), MXIO_OK);
        CHECK_INT(changed(&both, unknown_filter, NULL, piece), MXIO_EDATA);
        CHECK_INT(changed(&both, one_byte_less, NULL, piece), MXIO_EDATA);
        CHECK_INT(changed(&both, one_row_more, NULL, piece), MXIO_OK);
        CHECK_INT(changed(&both, NULL, byte_behind, piece), MXIO_OK);
        CHECK_INT(changed(&both, NULL, wrong_adler, piece),
                  piece == 0 ? MXIO_EDATA : MXIO_OK);
        CHECK_INT(changed(&both, NULL, no_adler, piece), MXIO_EDATA);
        CHECK_INT(changed(&both, NULL, narrow_window, piece), MXIO_OK);
        CHECK_INT(changed(&both, NULL, wrong_method, piece), MXIO_EDATA);
    }
    both_free(&both);
}

static void
mend(struct bytes *made)
{
    for (size_t at = 8; at + 12 <= made->size;) {
        const size_t size = (size_t)made->at[at] << 24 |
                            (size_t)made->at[at + 1] << 16 |
                            (size_t)made->at[at + 2] << 8 | made->at[at + 3];
        if (size > made->size - at - 12)
            return;
        const uint32_t sum = crc(made->at + at + 4, size + 4);
        for (int i = 0; i < 4; i++)
            made->at[at + 8 + size + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
        at += size + 12;
    }
}

TEST(damaged_at_random_both_read_the_same_or_both_refuse)
{
    static const int types[] = {GRAY, RGB, PALETTE, RGBA};
    const struct both both = both_new();
    uint32_t state = 5;
    int refused = 0, read = 0;

    for (int round = 0; round < 4000; round++) {
        const struct recipe recipe = {.type = types[round % 4],
                                      .width = 1 + any_below(&state, 9),
                                      .height = 1 + any_below(&state, 9),
                                      .filter = -1,
                                      .piece = (size_t)any_below(&state, 60),
                                      .seed = (uint32_t)round};
        struct bytes made = picture(&recipe);
        for (int i = any_below(&state, 3); i >= 0; i--)
            made.at[8 + any_below(&state, (int)made.size - 8)] ^=
                (uint8_t)(1 << any_below(&state, 8));
        if (round % 8 == 0)
            made.size -= (size_t)any_below(&state, (int)made.size - 8);
        if (round % 8 > 1)
            mend(&made);
        uint8_t *copy = exact_copy(made.at, made.size);
        const enum mxio_status status =
            both_read(&both, copy, made.size, 3, false, (struct mxio_rect){0, 0, 1, 1});
        CHECK(status == MXIO_OK || status == MXIO_EDATA);
        refused += status == MXIO_EDATA;
        read += status == MXIO_OK;
        free(copy);
        free(made.at);
    }
    CHECK(refused > 500 && read > 500);
    both_free(&both);
}

TEST(a_picture_too_large_to_keep_whole_is_left_to_libpng)
{
    struct bytes made =
        picture(&(struct recipe){.type = GRAY, .width = 1, .height = 1});

    made.at[16 + 1] = 0x10; /* 2^20 + 1 wide: beyond the side; mended below */
    mend(&made);
    CHECK(!is_plain(made.at, made.size));
    made.at[16 + 1] = 0;
    made.at[16 + 2] = made.at[20 + 2] = 0x20; /* 8193 x 8193 */
    mend(&made);
    CHECK(!is_plain(made.at, made.size));
    made.at[20 + 2] = 0x1F; /* 8193 x 7937 fits in 64 MiB */
    mend(&made);
    CHECK(is_plain(made.at, made.size));
    free(made.at);
}

int
main(void)
{
    RUN(every_kind_and_filter_gives_the_pixels_of_libpng);
    RUN(chunks_that_change_nothing_leave_a_picture_plain);
    RUN(chunks_that_may_matter_are_left_to_libpng);
    RUN(palettes_out_of_place_are_left_to_libpng);
    RUN(the_verdict_on_the_stream_is_that_of_libpng);
    RUN(damaged_at_random_both_read_the_same_or_both_refuse);
    RUN(a_picture_too_large_to_keep_whole_is_left_to_libpng);
    return check_result();
}
