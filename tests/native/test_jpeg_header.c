/*
 * Headers put together by hand: what is usual is read, what is not is left to libjpeg. That
 * both then see the same picture, test_jpeg_entropy.c shows.
 */
#include "jpeg_header.h"

#include "check.h"
#include "records.h"

enum {
    SOF0 = 0xC0,
    SOF1 = 0xC1,
    SOF2 = 0xC2,
    DHT = 0xC4,
    DAC = 0xCC,
    RST0 = 0xD0,
    SOS = 0xDA,
    DQT = 0xDB,
    DNL = 0xDC,
    DRI = 0xDD,
    APP0 = 0xE0,
    APP14 = 0xEE,
    COM = 0xFE
};

/* A header; zeros are a picture of 48 x 40 pixels, 4:2:0, JFIF. */
struct recipe {
    int width, height;
    bool gray, no_jfif;
    int factors[3];    /* 0: 0x22, 0x11, 0x11 */
    int ids[3];        /* 0: 1, 2, 3 */
    int adobe;         /* APP14 with this transform less one; 0: none */
    int frame;         /* marker of the frame; 0: SOF0 */
    int precision;     /* 0: 8 */
    int extra;         /* marker of one more segment, before the frame; 0: none */
    size_t extra_size; /* of its content, zeros */
    int steps_number;  /* that the first component uses */
    int scan_table;    /* byte of the first component in the scan; 0: tables 0, 0 */
    int spectral_end;  /* 0: 63 */
    bool frame_twice, no_steps, no_tables;
};

static void
add_segment(struct bytes *to, int marker, const void *content, size_t size)
{
    const uint8_t head[4] = {0xFF, (uint8_t)marker, (uint8_t)((size + 2) >> 8),
                             (uint8_t)(size + 2)};

    bytes_add(to, head, 4);
    bytes_add(to, content, size);
}

static int
or_else(int value, int otherwise)
{
    return value != 0 ? value : otherwise;
}

static void
add_frame(struct bytes *to, const struct recipe *recipe)
{
    static const int factors[3] = {0x22, 0x11, 0x11};
    const int count = recipe->gray ? 1 : 3;
    const int width = or_else(recipe->width, 48), height = or_else(recipe->height, 40);
    uint8_t body[15] = {(uint8_t)or_else(recipe->precision, 8),
                        (uint8_t)(height >> 8),
                        (uint8_t)height,
                        (uint8_t)(width >> 8),
                        (uint8_t)width,
                        (uint8_t)count};

    for (int i = 0; i < count; i++) {
        body[6 + 3 * i] = (uint8_t)or_else(recipe->ids[i], i + 1);
        body[7 + 3 * i] = (uint8_t)or_else(recipe->factors[i], factors[i]);
        body[8 + 3 * i] = (uint8_t)(i == 0 ? recipe->steps_number : 0);
    }
    add_segment(to, or_else(recipe->frame, SOF0), body, 6 + 3 * (size_t)count);
}

static void
add_scan(struct bytes *to, const struct recipe *recipe)
{
    const int count = recipe->gray ? 1 : 3;
    uint8_t body[10] = {(uint8_t)count};

    for (int i = 0; i < count; i++) {
        body[1 + 2 * i] = (uint8_t)or_else(recipe->ids[i], i + 1);
        body[2 + 2 * i] = (uint8_t)(i == 0 ? recipe->scan_table : 0);
    }
    body[2 + 2 * count] = (uint8_t)or_else(recipe->spectral_end, 63);
    add_segment(to, SOS, body, 4 + 2 * (size_t)count);
}

static struct bytes
make_header(const struct recipe *recipe)
{
    static const uint8_t jfif[14] = "JFIF\0\1\1", zeros[300];
    uint8_t adobe[12] = "Adobe", steps[65] = {0}, table[18] = {0};
    struct bytes out = {.at = NULL};

    adobe[11] = (uint8_t)(recipe->adobe - 1);
    memset(steps + 1, 16, 64);
    bytes_add(&out, "\xFF\xD8", 2);
    if (!recipe->no_jfif)
        add_segment(&out, APP0, jfif, sizeof jfif);
    if (recipe->adobe != 0)
        add_segment(&out, APP14, adobe, sizeof adobe);
    if (!recipe->no_steps)
        add_segment(&out, DQT, steps, sizeof steps);
    if (recipe->extra != 0)
        add_segment(&out, recipe->extra, zeros, recipe->extra_size);
    for (int i = 0; i <= recipe->frame_twice; i++)
        add_frame(&out, recipe);
    table[1] = 1; /* one code, of one bit */
    if (!recipe->no_tables)
        add_segment(&out, DHT, table, sizeof table);
    table[0] = 0x10;
    add_segment(&out, DHT, table, sizeof table);
    add_scan(&out, recipe);
    bytes_add(&out, "data", 4);
    return out;
}

static bool
is_read(const struct recipe *recipe, struct mxio_jpeg_header *out)
{
    struct bytes made = make_header(recipe);
    struct bytes exact = {.at = exact_copy(made.at, made.size), .size = made.size};
    const bool read = mxio_jpeg_header_read(out, exact.at, exact.size);

    if (read)
        out->data = NULL; /* it would dangle */
    free(made.at);
    free(exact.at);
    return read;
}

TEST(usual_headers_are_read)
{
    static const struct {
        struct recipe recipe;
        int across, down;
    } usual[] = {
        {{.width = 0}, 2, 2},
        {{.factors = {0x21}}, 2, 1},
        {{.factors = {0x11}}, 1, 1},
        {{.gray = true}, 1, 1},
        {{.gray = true, .factors = {0x41}}, 1, 1},
        {{.gray = true, .no_jfif = true, .ids = {77}}, 1, 1},
        {{.frame = SOF1}, 2, 2},
        {{.no_jfif = true}, 2, 2},
        {{.no_jfif = true, .adobe = 1 + 1, .ids = {5, 6, 7}}, 2, 2},
        {{.adobe = 1 + 0}, 2, 2}, /* JFIF counts for more */
        {{.ids = {9, 8, 7}}, 2, 2},
        {{.extra = COM, .extra_size = 300}, 2, 2},
        {{.extra = 0xE5}, 2, 2},
        {{.extra = DRI, .extra_size = 2}, 2, 2},
        {{.width = 65500, .height = 65500}, 2, 2},
    };

    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        struct mxio_jpeg_header header;
        CHECK(is_read(&usual[i].recipe, &header));
        CHECK_INT(header.width, or_else(usual[i].recipe.width, 48));
        CHECK_INT(header.height, or_else(usual[i].recipe.height, 40));
        CHECK_INT(header.component_count, usual[i].recipe.gray ? 1 : 3);
        CHECK_INT(header.across, usual[i].across);
        CHECK_INT(header.down, usual[i].down);
        CHECK_INT(header.data_size, 4);
    }
}

TEST(all_else_is_left_to_libjpeg)
{
    static const struct recipe unusual[] = {
        {.frame = SOF2},
        {.frame_twice = true},
        {.precision = 12},
        {.width = 65501},
        {.height = 65501},
        {.factors = {0x12}},
        {.factors = {0x41}},
        {.factors = {0x11, 0x22}},
        {.factors = {0x22, 0x21}},
        {.factors = {0x22, 0x22, 0x22}},
        {.gray = true, .factors = {0x51}},
        {.ids = {1, 1, 1}},
        {.no_jfif = true, .ids = {'R', 'G', 'B'}},
        {.no_jfif = true, .ids = {4, 5, 6}},
        {.no_jfif = true, .adobe = 1 + 0},
        {.no_jfif = true, .adobe = 1 + 2},
        {.steps_number = 1}, /* which there is not */
        {.steps_number = 4},
        {.no_steps = true},
        {.no_tables = true},
        {.scan_table = 0x10},
        {.scan_table = 0x01},
        {.scan_table = 0x40},
        {.scan_table = 0x04},
        {.spectral_end = 62},
        {.extra = DNL, .extra_size = 2},
        {.extra = DAC, .extra_size = 2},
        {.extra = RST0, .extra_size = 2},
        {.extra = DRI, .extra_size = 3},
        {.extra = DQT, .extra_size = 64},
        {.extra = DHT, .extra_size = 16},
        {.extra = DHT, .extra_size = 18}, /* a table of no codes, and a byte */
    };

    for (size_t i = 0; i < sizeof unusual / sizeof unusual[0]; i++) {
        struct mxio_jpeg_header header;
        CHECK(!is_read(&unusual[i], &header));
    }
}

TEST(a_header_cut_off_anywhere_is_refused)
{
    const struct recipe recipe = {.extra = COM, .extra_size = 20};
    struct bytes made = make_header(&recipe);
    struct mxio_jpeg_header header;

    for (size_t size = 2; size < made.size - 4; size++) {
        uint8_t *cut = exact_copy(made.at, size);
        CHECK(!mxio_jpeg_header_read(&header, cut, size));
        free(cut);
    }
    CHECK(mxio_jpeg_header_read(&header, made.at, made.size));
    CHECK(memcmp(header.data, "data", 4) == 0);
    free(made.at);
}

TEST(the_last_of_several_tables_counts)
{
    const struct recipe recipe = {.extra = DHT, .extra_size = 17};
    struct bytes made = make_header(&recipe);
    struct mxio_jpeg_header header;

    CHECK(mxio_jpeg_header_read(&header, made.at, made.size));
    CHECK_INT(header.dc[0].counts[0], 1); /* the first one has no codes */
    free(made.at);
}

int
main(void)
{
    RUN(usual_headers_are_read);
    RUN(all_else_is_left_to_libjpeg);
    RUN(a_header_cut_off_anywhere_is_refused);
    RUN(the_last_of_several_tables_counts);
    return check_result();
}
