#include <stdbool.h>

#include "jpegs.h"

#include "faults.h"
#include "jpeg.h"

#define ENOUGH ((int64_t)1 << 40)

static struct mxio_jpeg *
decoder(void)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_jpeg *jpeg = NULL;

    MUST(mxio_jpeg_new(&jpeg, &err) == MXIO_OK, "mxio_jpeg_new");
    return jpeg;
}

/* ---- windows ---- */

/* What a decoder must give: upright pixels, red first. */
struct truth {
    const struct bytes *jpeg;
    struct decoded upright;
};

static bool
window_is_right(struct mxio_jpeg *jpeg, const struct truth *truth,
                struct mxio_rect window)
{
    const struct decoded *full = &truth->upright;
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_picture picture;
    struct mxio_view view;

    if (mxio_jpeg_open(jpeg, truth->jpeg->at, truth->jpeg->size, true, ENOUGH, &picture,
                       &err) != MXIO_OK ||
        mxio_jpeg_read(jpeg, full->channels, false, window, &view, &err) != MXIO_OK)
        return check_failed(__FILE__, __LINE__, "%s", err.message);
    if (picture.width != full->width || picture.height != full->height ||
        view.width != full->width || view.height != full->height ||
        view.channels != full->channels ||
        memcmp(&view.held, &window, sizeof window) != 0)
        return check_failed(__FILE__, __LINE__, "wrong sizes");
    const size_t pixel = (size_t)full->channels;
    for (int y = 0; y < window.height; y++)
        if (memcmp(view.bytes + (size_t)y * view.stride,
                   full->pixels + ((size_t)(window.y + y) * (size_t)full->width +
                                   (size_t)window.x) *
                                      pixel,
                   (size_t)window.width * pixel) != 0)
            return check_failed(__FILE__, __LINE__,
                                "row %d of (%d, %d, %d, %d) of %dx%d", y, window.x,
                                window.y, window.width, window.height, full->width,
                                full->height);
    const size_t used =
        (size_t)(window.height - 1) * view.stride + (size_t)window.width * pixel;
    uint8_t slack[MXIO_SLACK]; /* a sanitizer sees what is not there */
    memcpy(slack, view.bytes + used, sizeof slack);
    return true;
}

/* Corners, edges, block borders, the whole, and a few anywhere. */
static bool
windows_are_right(struct mxio_jpeg *jpeg, const struct truth *truth, int more)
{
    static const int borders[] = {1, 7, 8, 15, 16, 17, 31, 32, 33};
    const int width = truth->upright.width, height = truth->upright.height;
    const struct mxio_rect fixed[] = {{0, 0, width, height},
                                      {0, 0, 1, 1},
                                      {width - 1, 0, 1, 1},
                                      {0, height - 1, 1, 1},
                                      {width - 1, height - 1, 1, 1},
                                      {width - 1, 0, 1, height},
                                      {0, height - 1, width, 1},
                                      {width / 2, 0, width - width / 2, height},
                                      {0, height / 2, width, height - height / 2}};
    uint32_t state = (uint32_t)(width * 1000 + height + 1);
    bool right = true;

    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        right = right && window_is_right(jpeg, truth, fixed[i]);
    for (size_t i = 0; i < sizeof borders / sizeof borders[0]; i++) {
        const int at = borders[i];
        if (at < width)
            right =
                right &&
                window_is_right(jpeg, truth, (struct mxio_rect){at, 0, 1, height}) &&
                window_is_right(jpeg, truth, (struct mxio_rect){0, 0, at, height});
        if (at < height)
            right = right &&
                    window_is_right(jpeg, truth, (struct mxio_rect){0, at, width, 1}) &&
                    window_is_right(jpeg, truth, (struct mxio_rect){0, 0, width, at});
    }
    for (int i = 0; i < more; i++) {
        const int x = any_below(&state, width), y = any_below(&state, height);
        const struct mxio_rect any = {x, y, 1 + any_below(&state, width - x),
                                      1 + any_below(&state, height - y)};
        right = right && window_is_right(jpeg, truth, any);
    }
    return right;
}

/* Pictures of several sizes made after one recipe, as gray and as colour. */
static bool
recipe_is_right(struct recipe recipe)
{
    static const int sizes[][2] = {{1, 1},   {3, 5},   {8, 8},    {16, 16}, {17, 33},
                                   {40, 24}, {65, 47}, {127, 97}, {3, 70},  {90, 2}};
    struct mxio_jpeg *jpeg = decoder();
    bool right = true;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        recipe.width = sizes[i][0];
        recipe.height = sizes[i][1];
        recipe.seed = (uint32_t)i;
        struct bytes made = make_jpeg(&recipe);
        for (int channels = 1; channels <= 3; channels += 2) {
            struct truth truth = {.jpeg = &made,
                                  .upright = decode_fully(&made, channels)};
            right = right && windows_are_right(jpeg, &truth, 12);
            free(truth.upright.pixels);
        }
        free(made.at);
    }
    mxio_jpeg_free(jpeg);
    return right;
}

TEST(windows_of_every_sampling_are_those_of_a_full_decode)
{
    static const int samplings[][2] = {{1, 1}, {2, 1}, {2, 2}, {1, 2},
                                       {4, 1}, {4, 2}, {1, 4}, {2, 4}};

    for (int i = 0; i < 8; i++)
        CHECK(recipe_is_right((struct recipe){.stored = JCS_YCbCr,
                                              .across = samplings[i][0],
                                              .down = samplings[i][1]}));
}

TEST(windows_of_gray_and_of_plain_rgb_are_those_of_a_full_decode)
{
    CHECK(recipe_is_right((struct recipe){.stored = JCS_GRAYSCALE}));
    CHECK(recipe_is_right((struct recipe){.stored = JCS_RGB}));
}

TEST(windows_of_progressive_pictures_are_those_of_a_full_decode)
{
    CHECK(recipe_is_right((struct recipe){.stored = JCS_YCbCr,
                                          .across = 2,
                                          .down = 2,
                                          .progressive = true}));
    CHECK(recipe_is_right((struct recipe){.stored = JCS_YCbCr,
                                          .across = 2,
                                          .down = 1,
                                          .progressive = true}));
    CHECK(
        recipe_is_right((struct recipe){.stored = JCS_GRAYSCALE, .progressive = true}));
}

TEST(windows_behind_restart_markers_are_those_of_a_full_decode)
{
    for (int restart = 1; restart <= 7; restart += 3)
        CHECK(recipe_is_right((struct recipe){.stored = JCS_YCbCr,
                                              .across = 2,
                                              .down = 2,
                                              .restart = restart}));
    CHECK(recipe_is_right((struct recipe){.stored = JCS_YCbCr,
                                          .across = 2,
                                          .progressive = true,
                                          .restart = 2}));
}

TEST(windows_of_other_entropy_coders_are_those_of_a_full_decode)
{
    CHECK(recipe_is_right(
        (struct recipe){.stored = JCS_YCbCr, .across = 2, .optimised = true}));
#if defined C_ARITH_CODING_SUPPORTED && defined D_ARITH_CODING_SUPPORTED
    CHECK(recipe_is_right((struct recipe){.stored = JCS_YCbCr,
                                          .across = 2,
                                          .down = 2,
                                          .arithmetic = true}));
#endif
}

TEST(windows_of_a_large_picture_are_those_of_a_full_decode)
{
    static const int samplings[][2] = {{2, 2}, {2, 1}, {1, 1}};
    struct mxio_jpeg *jpeg = decoder();

    for (int i = 0; i < 3; i++) {
        const struct recipe recipe = {.width = 500,
                                      .height = 333,
                                      .stored = JCS_YCbCr,
                                      .across = samplings[i][0],
                                      .down = samplings[i][1]};
        struct bytes made = make_jpeg(&recipe);
        struct truth truth = {.jpeg = &made, .upright = decode_fully(&made, 3)};
        CHECK(windows_are_right(jpeg, &truth, 60));
        free(truth.upright.pixels);
        free(made.at);
    }
    mxio_jpeg_free(jpeg);
}

/* The last columns and rows, alone and with one before them. */
static bool
ends_are_right(struct mxio_jpeg *jpeg, const struct truth *truth)
{
    const int width = truth->upright.width, height = truth->upright.height;
    bool right = true;

    for (int more = 0; more < 6; more++) {
        const int x = width - 1 - more, y = height - 1 - more;
        if (x >= 0)
            right = right &&
                    window_is_right(jpeg, truth, (struct mxio_rect){x, 0, 1, height}) &&
                    window_is_right(jpeg, truth,
                                    (struct mxio_rect){x, 0, width - x, height});
        if (y >= 0)
            right = right &&
                    window_is_right(jpeg, truth, (struct mxio_rect){0, y, width, 1}) &&
                    window_is_right(jpeg, truth,
                                    (struct mxio_rect){0, y, width, height - y});
    }
    return right;
}

/* Once: in the last column of a picture 50 wide, chroma was not interpolated. */
TEST(last_columns_and_rows_are_right_whatever_the_size)
{
    static const int samplings[][2] = {{1, 1}, {2, 1}, {2, 2}, {1, 2}, {4, 1}};
    struct mxio_jpeg *jpeg = decoder();
    bool right = true;

    for (int i = 0; i < 5; i++)
        for (int size = 1; size < 70; size++) {
            const struct recipe recipe = {.width = size,
                                          .height = 71 - size,
                                          .stored = JCS_YCbCr,
                                          .across = samplings[i][0],
                                          .down = samplings[i][1]};
            struct bytes made = make_jpeg(&recipe);
            struct truth truth = {.jpeg = &made, .upright = decode_fully(&made, 3)};
            right = ends_are_right(jpeg, &truth) && right;
            free(truth.upright.pixels);
            free(made.at);
        }
    mxio_jpeg_free(jpeg);
    CHECK(right);
}

/* ---- colours ---- */

/* OpenCV's reading of Adobe's inverted CMYK. */
static void
rgb_of_cmyk(const uint8_t *cmyk, uint8_t *rgb)
{
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)(cmyk[3] - ((255 - cmyk[c]) * cmyk[3] >> 8));
}

TEST(cmyk_and_ycck_become_colour_and_gray)
{
    static const J_COLOR_SPACE spaces[] = {JCS_CMYK, JCS_YCCK, JCS_YCCK};
    static const int samplings[][2] = {{1, 1}, {1, 1}, {2, 2}};
    struct mxio_jpeg *jpeg = decoder();

    for (int i = 0; i < 3; i++) {
        const struct recipe recipe = {.width = 70,
                                      .height = 37,
                                      .stored = spaces[i],
                                      .across = samplings[i][0],
                                      .down = samplings[i][1]};
        struct bytes made = make_jpeg(&recipe);
        struct decoded cmyk = decode_fully(&made, 4);
        struct truth rgb = {.jpeg = &made, .upright = decode_fully(&made, 4)};
        struct truth gray = {.jpeg = &made, .upright = decode_fully(&made, 4)};
        rgb.upright.channels = 3;
        gray.upright.channels = 1;
        for (int pixel = 0; pixel < 70 * 37; pixel++) {
            uint8_t *to = rgb.upright.pixels + 3 * pixel;
            rgb_of_cmyk(cmyk.pixels + 4 * pixel, to);
            gray.upright.pixels[pixel] = (uint8_t)lrint(
                (to[0] * 4899.0 + to[1] * 9617.0 + to[2] * 1868.0) / 16384);
        }
        CHECK(windows_are_right(jpeg, &rgb, 20));
        CHECK(windows_are_right(jpeg, &gray, 20));
        free(cmyk.pixels);
        free(rgb.upright.pixels);
        free(gray.upright.pixels);
        free(made.at);
    }
    mxio_jpeg_free(jpeg);
}

TEST(blue_comes_first_when_asked_for)
{
    static const J_COLOR_SPACE spaces[] = {JCS_YCbCr, JCS_GRAYSCALE, JCS_RGB, JCS_CMYK};
    struct mxio_jpeg *jpeg = decoder();

    for (int i = 0; i < 4; i++) {
        const struct recipe recipe = {.width = 33, .height = 9, .stored = spaces[i]};
        const struct mxio_rect whole = {0, 0, 33, 9};
        struct bytes made = make_jpeg(&recipe);
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_picture picture;
        struct mxio_view view;
        uint8_t rgb[33 * 9 * 3];
        CHECK_OK(mxio_jpeg_open(jpeg, made.at, made.size, true, ENOUGH, &picture, &err),
                 err);
        CHECK_OK(mxio_jpeg_read(jpeg, 3, false, whole, &view, &err), err);
        for (int y = 0; y < 9; y++)
            memcpy(rgb + y * 99, view.bytes + (size_t)y * view.stride, 99);
        CHECK_OK(mxio_jpeg_open(jpeg, made.at, made.size, true, ENOUGH, &picture, &err),
                 err);
        CHECK_OK(mxio_jpeg_read(jpeg, 3, true, whole, &view, &err), err);
        for (int y = 0; y < 9; y++)
            for (int at = 0; at < 99; at++)
                CHECK_INT(view.bytes[(size_t)y * view.stride + (size_t)at],
                          rgb[y * 99 + at / 3 * 3 + 2 - at % 3]);
        free(made.at);
    }
    mxio_jpeg_free(jpeg);
}

TEST(the_header_says_what_is_stored)
{
    static const J_COLOR_SPACE spaces[] = {JCS_YCbCr, JCS_GRAYSCALE, JCS_CMYK};
    static const int channels[] = {3, 1, 3};
    struct mxio_jpeg *jpeg = decoder();

    for (int i = 0; i < 3; i++) {
        const struct recipe recipe = {.width = 33, .height = 9, .stored = spaces[i]};
        struct bytes made = make_jpeg(&recipe);
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_picture picture;
        CHECK_OK(mxio_jpeg_open(jpeg, made.at, made.size, true, ENOUGH, &picture, &err),
                 err);
        CHECK_INT(picture.width, 33);
        CHECK_INT(picture.height, 9);
        CHECK_INT(picture.channels, channels[i]);
        CHECK_INT(picture.bits, 8);
        CHECK_INT(picture.orientation, 1);
        free(made.at);
    }
    mxio_jpeg_free(jpeg);
}

/* ---- orientation ---- */

/* EXIF 2.3, tag 0x0112: where the first row and column of the stored picture lie. */
static void
stored_place(int orientation, int width, int height, int x, int y, int *from_x,
             int *from_y)
{
    const int right = width - 1, bottom = height - 1;
    const int places[9][2] = {[1] = {x, y},
                              [2] = {right - x, y},
                              [3] = {right - x, bottom - y},
                              [4] = {x, bottom - y},
                              [5] = {y, x},
                              [6] = {y, bottom - x},
                              [7] = {right - y, bottom - x},
                              [8] = {right - y, x}};

    *from_x = places[orientation][0];
    *from_y = places[orientation][1];
}

static struct decoded
turned_upright(const struct decoded *stored, int orientation)
{
    const bool swapped = orientation >= 5;
    struct decoded out = {.width = swapped ? stored->height : stored->width,
                          .height = swapped ? stored->width : stored->height,
                          .channels = stored->channels};
    const size_t pixel = (size_t)out.channels;
    out.pixels = malloc((size_t)out.width * (size_t)out.height * pixel);
    MUST(out.pixels != NULL, "malloc");

    for (int y = 0; y < out.height; y++)
        for (int x = 0; x < out.width; x++) {
            int from_x, from_y;
            stored_place(orientation, stored->width, stored->height, x, y, &from_x,
                         &from_y);
            memcpy(out.pixels + (size_t)(y * out.width + x) * pixel,
                   stored->pixels + (size_t)(from_y * stored->width + from_x) * pixel,
                   pixel);
        }
    return out;
}

TEST(every_orientation_is_turned_upright)
{
    struct mxio_jpeg *jpeg = decoder();

    for (int orientation = 1; orientation <= 8; orientation++)
        for (int channels = 1; channels <= 3; channels += 2) {
            struct bytes exif = exif_orientation(orientation, orientation % 2 == 0);
            const struct recipe recipe = {.width = 61,
                                          .height = 35,
                                          .stored = JCS_YCbCr,
                                          .across = 2,
                                          .down = 2,
                                          .app = &exif};
            struct bytes made = make_jpeg(&recipe);
            struct decoded stored = decode_fully(&made, channels);
            struct truth truth = {.jpeg = &made,
                                  .upright = turned_upright(&stored, orientation)};
            CHECK(windows_are_right(jpeg, &truth, 40));
            free(truth.upright.pixels);
            free(stored.pixels);
            free(made.at);
            free(exif.at);
        }
    mxio_jpeg_free(jpeg);
}

/* The orientation that open finds; 0 when it fails. */
static int
orientation_of(const struct bytes *made, bool orient)
{
    struct mxio_jpeg *jpeg = decoder();
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_picture picture = {.orientation = 0};
    uint8_t *copy = exact_copy(made->at, made->size);

    const enum mxio_status status =
        mxio_jpeg_open(jpeg, copy, made->size, orient, ENOUGH, &picture, &err);

    mxio_jpeg_free(jpeg);
    free(copy);
    return status == MXIO_OK ? picture.orientation : 0;
}

static int
orientation_with(const struct bytes *app, bool orient)
{
    const struct recipe recipe = {.width = 8,
                                  .height = 8,
                                  .stored = JCS_GRAYSCALE,
                                  .app = app};
    struct bytes made = make_jpeg(&recipe);
    const int orientation = orientation_of(&made, orient);

    free(made.at);
    return orientation;
}

TEST(orientation_is_left_alone_unless_asked_for)
{
    struct bytes exif = exif_orientation(6, false);

    CHECK_INT(orientation_with(&exif, false), 1);
    CHECK_INT(orientation_with(&exif, true), 6);
    free(exif.at);
}

TEST(an_orientation_that_does_not_exist_is_upright)
{
    static const int wrong[] = {0, 9, 255};

    for (int i = 0; i < 3; i++)
        for (int big = 0; big < 2; big++) {
            struct bytes exif = exif_orientation(wrong[i], big != 0);
            CHECK_INT(orientation_with(&exif, true), 1);
            free(exif.at);
        }
}

TEST(a_broken_exif_block_is_upright)
{
    struct bytes exif = exif_orientation(6, false);

    for (size_t size = 0; size < 36; size++) { /* the value is at 36 */
        const struct bytes cut = {.at = exif.at, .size = size};
        CHECK_INT(orientation_with(&cut, true), 1);
    }
    exif.at[11] = 0x7F; /* the directory is somewhere else entirely */
    exif.at[12] = exif.at[13] = 0xFF;
    CHECK_INT(orientation_with(&exif, true), 1);
    free(exif.at);
}

/* Put bytes into a JPEG behind its SOI. */
static struct bytes
inserted(const struct bytes *made, const void *more, size_t size)
{
    struct bytes out = {.at = NULL};

    bytes_add(&out, made->at, 2);
    bytes_add(&out, more, size);
    bytes_add(&out, made->at + 2, made->size - 2);
    return out;
}

TEST(exif_is_found_behind_other_segments_and_fill_bytes)
{
    struct bytes exif = exif_orientation(8, true);
    const struct recipe recipe = {.width = 8,
                                  .height = 8,
                                  .stored = JCS_GRAYSCALE,
                                  .app = &exif};
    struct bytes made = make_jpeg(&recipe);
    struct bytes other = inserted(&made, "\xFF\xE1\0\x14http://ns.adobe.co", 22);
    struct bytes filled = inserted(&made, "\xFF\xFF\xFF", 3);

    CHECK_INT(orientation_of(&other, true), 8);
    CHECK_INT(orientation_of(&filled, true), 8);
    free(other.at);
    free(filled.at);
    free(made.at);
    free(exif.at);
}

/* ---- one decoder, many pictures ---- */

/* The same picture without its Huffman tables, as Motion JPEG has it. */
static struct bytes
without_tables(const struct bytes *made)
{
    struct bytes out = {.at = NULL};
    size_t at = 2;

    bytes_add(&out, made->at, 2);
    while (made->at[at + 1] != 0xDA) {
        const size_t size = 2 + ((size_t)made->at[at + 2] << 8 | made->at[at + 3]);
        if (made->at[at + 1] != 0xC4)
            bytes_add(&out, made->at + at, size);
        at += size;
    }
    bytes_add(&out, made->at + at, made->size - at);
    return out;
}

TEST(tables_of_one_picture_do_not_serve_the_next)
{
    struct recipe recipe = {.width = 64,
                            .height = 40,
                            .stored = JCS_YCbCr,
                            .across = 2,
                            .down = 2};
    struct bytes plain = make_jpeg(&recipe);
    struct bytes bare = without_tables(&plain);
    recipe.optimised = true;
    recipe.seed = 9;
    struct bytes optimised = make_jpeg(&recipe);
    struct truth first = {.jpeg = &optimised, .upright = decode_fully(&optimised, 3)};
    struct truth second = {.jpeg = &bare, .upright = decode_fully(&plain, 3)};
    struct mxio_jpeg *jpeg = decoder(), *fresh = decoder();

    CHECK(bare.size < plain.size);
    CHECK(windows_are_right(fresh, &second, 1));
    CHECK(windows_are_right(jpeg, &first, 1));
    CHECK(windows_are_right(jpeg, &second, 1));
    mxio_jpeg_free(jpeg);
    mxio_jpeg_free(fresh);
    free(first.upright.pixels);
    free(second.upright.pixels);
    free(plain.at);
    free(bare.at);
    free(optimised.at);
}

TEST(after_a_damaged_picture_the_next_is_as_on_a_fresh_decoder)
{
    struct recipe recipe = {.width = 100,
                            .height = 80,
                            .stored = JCS_YCbCr,
                            .across = 2,
                            .down = 2};
    struct mxio_jpeg *jpeg = decoder();
    struct bytes made = make_jpeg(&recipe);
    struct truth truth = {.jpeg = &made, .upright = decode_fully(&made, 3)};
    recipe.progressive = true;
    struct bytes other = make_jpeg(&recipe);

    for (size_t size = 0; size < other.size; size += 97) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_picture picture;
        struct mxio_view view;
        if (mxio_jpeg_open(jpeg, other.at, size, true, ENOUGH, &picture, &err) ==
            MXIO_OK)
            CHECK_INT(mxio_jpeg_read(jpeg, 3, false, (struct mxio_rect){0, 0, 100, 80},
                                     &view, &err),
                      MXIO_EDATA);
        CHECK(window_is_right(jpeg, &truth, (struct mxio_rect){20, 10, 50, 60}));
    }
    mxio_jpeg_free(jpeg);
    free(truth.upright.pixels);
    free(made.at);
    free(other.at);
}

TEST(a_picture_may_be_opened_and_never_read)
{
    const struct recipe recipe = {.width = 30, .height = 30, .stored = JCS_GRAYSCALE};
    struct bytes made = make_jpeg(&recipe);
    struct mxio_jpeg *jpeg = decoder();

    for (int i = 0; i < 3; i++) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_picture picture;
        CHECK_OK(mxio_jpeg_open(jpeg, made.at, made.size, true, ENOUGH, &picture, &err),
                 err);
    }
    mxio_jpeg_free(jpeg);
    mxio_jpeg_free(NULL);
    free(made.at);
}

/* ---- damage and limits ---- */

/* What reading a window of the first `size` bytes gives; those bytes and no more. */
static enum mxio_status
read_cut(const struct bytes *made, size_t size, struct mxio_rect window)
{
    struct mxio_jpeg *jpeg = decoder();
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_picture picture = {.width = 91};
    struct mxio_view view = {.stride = 92};
    uint8_t *copy = exact_copy(made->at, size);

    enum mxio_status status =
        mxio_jpeg_open(jpeg, copy, size, true, ENOUGH, &picture, &err);
    if (status != MXIO_OK && picture.width != 91)
        status = MXIO_ESTATE;
    if (status == MXIO_OK)
        status = mxio_jpeg_read(jpeg, 3, false, window, &view, &err);
    if (status != MXIO_OK && (view.stride != 92 || err.status != status))
        status = MXIO_ESTATE;
    mxio_jpeg_free(jpeg);
    free(copy);
    return status;
}

TEST(a_picture_cut_off_anywhere_is_damaged)
{
    for (int progressive = 0; progressive < 2; progressive++) {
        const struct recipe recipe = {.width = 40,
                                      .height = 40,
                                      .stored = JCS_YCbCr,
                                      .across = 2,
                                      .down = 2,
                                      .progressive = progressive != 0};
        struct bytes made = make_jpeg(&recipe);
        for (size_t size = 0; size < made.size - 2; size++)
            CHECK_INT(read_cut(&made, size, (struct mxio_rect){0, 0, 40, 40}),
                      MXIO_EDATA);
        CHECK_INT(read_cut(&made, made.size, (struct mxio_rect){0, 0, 40, 40}),
                  MXIO_OK);
        free(made.at);
    }
}

TEST(damage_behind_the_window_does_not_matter)
{
    const struct recipe recipe = {.width = 200,
                                  .height = 200,
                                  .stored = JCS_YCbCr,
                                  .across = 2,
                                  .down = 2};
    struct bytes made = make_jpeg(&recipe);
    struct bytes zeroed = bytes_copy(&made);
    memset(zeroed.at + zeroed.size * 3 / 4, 0, 100);
    memcpy(zeroed.at + zeroed.size * 3 / 4, "\xFF\xD9", 2);

    CHECK_INT(read_cut(&made, made.size * 3 / 4, (struct mxio_rect){9, 0, 50, 64}),
              MXIO_OK);
    CHECK_INT(read_cut(&made, made.size * 3 / 4, (struct mxio_rect){9, 180, 50, 20}),
              MXIO_EDATA);
    CHECK_INT(read_cut(&made, made.size * 3 / 4, (struct mxio_rect){0, 199, 1, 1}),
              MXIO_EDATA);
    CHECK_INT(read_cut(&zeroed, made.size, (struct mxio_rect){9, 0, 50, 64}), MXIO_OK);
    CHECK_INT(read_cut(&zeroed, made.size, (struct mxio_rect){9, 180, 50, 20}),
              MXIO_EDATA);
    free(made.at);
    free(zeroed.at);
}

TEST(a_missing_restart_marker_is_damage)
{
    const struct recipe recipe = {.width = 64,
                                  .height = 64,
                                  .stored = JCS_YCbCr,
                                  .restart = 8};
    struct bytes made = make_jpeg(&recipe);
    int found = 0;

    for (size_t at = made.size - 3; at > made.size / 2; at--)
        if (made.at[at] == 0xFF && made.at[at + 1] >= 0xD0 && made.at[at + 1] < 0xD8) {
            struct bytes copy = bytes_copy(&made);
            copy.at[at + 1] = (uint8_t)(0xD0 + (copy.at[at + 1] - 0xD0 + 4) % 8);
            CHECK_INT(read_cut(&copy, copy.size, (struct mxio_rect){0, 0, 64, 64}),
                      MXIO_EDATA);
            CHECK_INT(read_cut(&copy, copy.size, (struct mxio_rect){0, 0, 64, 8}),
                      MXIO_OK);
            free(copy.at);
            found++;
        }

    CHECK(found > 0);
    free(made.at);
}

TEST(stray_bytes_between_segments_are_no_damage)
{
    const struct recipe recipe = {.width = 24, .height = 24, .stored = JCS_YCbCr};
    struct bytes made = make_jpeg(&recipe);
    struct bytes behind = {.at = NULL};
    bytes_add(&behind, made.at, 20); /* SOI and APP0 */
    bytes_add(&behind, "stray", 5);
    bytes_add(&behind, made.at + 20, made.size - 20);

    CHECK_INT(read_cut(&behind, behind.size, (struct mxio_rect){0, 0, 24, 24}),
              MXIO_OK);
    free(behind.at);
    free(made.at);
}

TEST(noise_instead_of_a_picture_never_passes_a_bound)
{
    const struct recipe recipe = {.width = 60,
                                  .height = 45,
                                  .stored = JCS_YCbCr,
                                  .across = 2,
                                  .down = 2};
    struct bytes made = make_jpeg(&recipe);
    uint32_t state = 3;

    for (int round = 0; round < 400; round++) {
        struct bytes copy = bytes_copy(&made);
        for (int i = 0; i < 5; i++)
            copy.at[2 + any_below(&state, (int)made.size - 2)] =
                (uint8_t)any_u32(&state);
        const enum mxio_status status =
            read_cut(&copy, copy.size, (struct mxio_rect){0, 0, 1, 1});
        CHECK(status == MXIO_OK || status == MXIO_EDATA);
        free(copy.at);
    }
    free(made.at);
}

TEST(pictures_beyond_max_pixels_are_refused)
{
    const struct recipe recipe = {.width = 30, .height = 20, .stored = JCS_YCbCr};
    struct bytes made = make_jpeg(&recipe);
    struct mxio_jpeg *jpeg = decoder();
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_picture picture = {.width = 91};

    CHECK_INT(mxio_jpeg_open(jpeg, made.at, made.size, true, 599, &picture, &err),
              MXIO_EDATA);
    CHECK_SAYS(err.message, "30 x 20 pixels are more than max_pixels=599");
    CHECK_INT(picture.width, 91);
    CHECK_OK(mxio_jpeg_open(jpeg, made.at, made.size, true, 600, &picture, &err), err);
    mxio_jpeg_free(jpeg);
    free(made.at);
}

/* Every coefficient on its own, `bits` times refined, for each component. */
static struct bytes
in_many_scans(const struct recipe *recipe, int components, int bits)
{
    jpeg_scan_info scans[1000] = {
        {.comps_in_scan = components, .component_index = {0, 1, 2}}};
    int count = 1;

    for (int c = 0; c < components; c++)
        for (int k = 1; k < 64; k++)
            for (int bit = bits - 1; bit >= 0; bit--)
                scans[count++] = (jpeg_scan_info){.comps_in_scan = 1,
                                                  .component_index = {c},
                                                  .Ss = k,
                                                  .Se = k,
                                                  .Ah = bit == bits - 1 ? 0 : bit + 1,
                                                  .Al = bit};
    return make_jpeg_in_scans(recipe, scans, count);
}

TEST(more_than_500_scans_are_refused)
{
    const struct recipe gray = {.width = 16, .height = 16, .stored = JCS_GRAYSCALE};
    const struct recipe colour = {.width = 16, .height = 16, .stored = JCS_YCbCr};
    struct bytes few = in_many_scans(&gray, 1, 3);     /* 190 */
    struct bytes many = in_many_scans(&colour, 3, 3);  /* 568 */
    struct bytes under = in_many_scans(&colour, 3, 2); /* 379 */
    struct mxio_jpeg *jpeg = decoder();
    struct truth truth = {.jpeg = &few, .upright = decode_fully(&few, 3)};

    CHECK(windows_are_right(jpeg, &truth, 2));
    CHECK_INT(read_cut(&under, under.size, (struct mxio_rect){0, 0, 16, 16}), MXIO_OK);
    CHECK_INT(read_cut(&many, many.size, (struct mxio_rect){0, 0, 1, 1}), MXIO_EDATA);
    mxio_jpeg_free(jpeg);
    free(truth.upright.pixels);
    free(few.at);
    free(many.at);
    free(under.at);
}

TEST(a_jpeg_is_known_by_its_first_three_bytes)
{
    CHECK(mxio_jpeg_sniff((const uint8_t *)"\xFF\xD8\xFF", 3));
    CHECK(!mxio_jpeg_sniff((const uint8_t *)"\xFF\xD8", 2));
    CHECK(!mxio_jpeg_sniff((const uint8_t *)"\xFF\xD9\xFF", 3));
    CHECK(!mxio_jpeg_sniff((const uint8_t *)"\x89PNG\r\n\x1A\n", 8));
    CHECK(!mxio_jpeg_sniff(NULL, 0));
    CHECK_INT(read_cut(&(struct bytes){.at = (uint8_t *)"BM......"}, 8,
                       (struct mxio_rect){0, 0, 1, 1}),
              MXIO_EDATA);
    CHECK_SAYS(mxio_jpeg_version(), "libjpeg-turbo ");
}

/* ---- memory ---- */

TEST(a_whole_picture_can_be_taken_with_its_memory)
{
    const struct recipe recipe = {.width = 50, .height = 30, .stored = JCS_YCbCr};
    struct bytes made = make_jpeg(&recipe);
    struct truth truth = {.jpeg = &made, .upright = decode_fully(&made, 3)};
    struct mxio_jpeg *jpeg = decoder();
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_picture picture;
    struct mxio_view view;
    CHECK_OK(mxio_jpeg_open(jpeg, made.at, made.size, true, ENOUGH, &picture, &err),
             err);
    CHECK_OK(mxio_jpeg_read(jpeg, 3, false, (struct mxio_rect){0, 0, 50, 30}, &view,
                            &err),
             err);

    uint8_t *taken = mxio_jpeg_take(jpeg, &view);

    CHECK(taken != NULL);
    CHECK(windows_are_right(jpeg, &truth, 2)); /* in memory of its own again */
    CHECK_BYTES(taken, truth.upright.pixels, 50 * 30 * 3);
    mxio_jpeg_free(jpeg);
    CHECK_BYTES(taken, truth.upright.pixels, 50 * 30 * 3);
    mxio_free(taken);
    free(truth.upright.pixels);
    free(made.at);
}

TEST(what_is_not_a_plain_whole_picture_is_not_given_away)
{
    struct bytes exif = exif_orientation(3, false);
    const struct recipe recipes[] =
        {{.width = 50, .height = 30, .stored = JCS_YCbCr},
         {.width = 50, .height = 30, .stored = JCS_YCbCr, .app = &exif},
         {.width = 50, .height = 30, .stored = JCS_CMYK}};
    static const struct mxio_rect windows[] = {{1, 0, 49, 30},
                                               {0, 0, 50, 30},
                                               {0, 0, 50, 30}};
    struct mxio_jpeg *jpeg = decoder();

    for (int i = 0; i < 3; i++) {
        struct bytes made = make_jpeg(&recipes[i]);
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_picture picture;
        struct mxio_view view;
        CHECK_OK(mxio_jpeg_open(jpeg, made.at, made.size, true, ENOUGH, &picture, &err),
                 err);
        CHECK_OK(mxio_jpeg_read(jpeg, 3, false, windows[i], &view, &err), err);
        CHECK(mxio_jpeg_take(jpeg, &view) == NULL);
        free(made.at);
    }
    mxio_jpeg_free(jpeg);
    free(exif.at);
}

static enum mxio_status
decode_once(void *context, struct mxio_error *err)
{
    const struct bytes *made = context;
    struct mxio_jpeg *jpeg = NULL;
    struct mxio_picture picture;
    struct mxio_view view;

    enum mxio_status status = mxio_jpeg_new(&jpeg, err);
    if (status == MXIO_OK)
        status =
            mxio_jpeg_open(jpeg, made->at, made->size, true, ENOUGH, &picture, err);
    if (status == MXIO_OK)
        status =
            mxio_jpeg_read(jpeg, 3, false, (struct mxio_rect){1, 1, 9, 9}, &view, err);
    mxio_jpeg_free(jpeg);
    return status;
}

TEST(every_failing_allocation_of_decoding_is_survived)
{
    struct bytes exif = exif_orientation(6, false);
    const struct recipe recipe = {.width = 20,
                                  .height = 20,
                                  .stored = JCS_YCbCr,
                                  .app = &exif};
    struct bytes made = make_jpeg(&recipe);

    CHECK_INT(faults_met(decode_once, &made), 6);
    free(made.at);
    free(exif.at);
}

/* ---- encoding ---- */

/* Mean absolute difference between pixels and what a JPEG of them decodes to. */
static double
distance(const uint8_t *pixels, const struct bytes *made, int channels, bool bgr)
{
    struct decoded decoded = decode_fully(made, channels);
    const int count = decoded.width * decoded.height * channels;
    double sum = 0;

    for (int i = 0; i < count; i++) {
        const int from = bgr ? i / 3 * 3 + 2 - i % 3 : i;
        sum += abs(pixels[from] - decoded.pixels[i]);
    }
    free(decoded.pixels);
    return sum / count;
}

static struct bytes
encode(const uint8_t *pixels, int width, int height, int channels, bool bgr,
       int quality)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct bytes out = {.at = NULL};
    uint8_t *bytes = NULL;
    size_t size = 0;

    if (mxio_jpeg_encode(pixels, width, height, channels, bgr, quality, &bytes, &size,
                         &err) != MXIO_OK)
        check_failed(__FILE__, __LINE__, "%s", err.message);
    bytes_add(&out, bytes, size);
    mxio_free(bytes);
    return out;
}

/* Colours that change slowly, so that 4:2:0 loses little. */
static uint8_t *
slopes(int width, int height, int channels)
{
    uint8_t *pixels = malloc((size_t)(width * height * channels));

    MUST(pixels != NULL, "malloc");
    for (int i = 0; i < width * height * channels; i++) {
        const int x = i / channels % width, y = i / channels / width;
        pixels[i] =
            (uint8_t)(30 + 80 * x / width + 60 * y / height + 30 * (i % channels));
    }
    return pixels;
}

TEST(an_encoded_picture_decodes_to_nearly_the_same)
{
    for (int channels = 1; channels <= 3; channels += 2)
        for (int bgr = 0; bgr <= (channels == 3); bgr++) {
            uint8_t *pixels = slopes(67, 41, channels);
            struct bytes good = encode(pixels, 67, 41, channels, bgr != 0, 95);
            struct bytes bad = encode(pixels, 67, 41, channels, bgr != 0, 5);
            CHECK(distance(pixels, &good, channels, bgr != 0) < 1.5);
            CHECK(bad.size < good.size);
            CHECK(distance(pixels, &bad, channels, bgr != 0) >
                  distance(pixels, &good, channels, bgr != 0));
            free(pixels);
            free(good.at);
            free(bad.at);
        }
}

TEST(an_encoded_picture_is_baseline_with_halved_chroma)
{
    uint8_t *pixels = slopes(32, 32, 3);
    struct bytes made = encode(pixels, 32, 32, 3, false, 90);
    struct jpeg_decompress_struct codec;
    struct jpeg_error_mgr manager;

    codec.err = jpeg_std_error(&manager);
    jpeg_create_decompress(&codec);
    jpeg_mem_src(&codec, made.at, made.size);
    jpeg_read_header(&codec, TRUE);
    const bool progressive = codec.progressive_mode;
    const int across = codec.comp_info[0].h_samp_factor;
    const int down = codec.comp_info[0].v_samp_factor;
    const int chroma = codec.comp_info[1].h_samp_factor;
    jpeg_destroy_decompress(&codec);

    CHECK(!progressive);
    CHECK_INT(across, 2);
    CHECK_INT(down, 2);
    CHECK_INT(chroma, 1);
    free(pixels);
    free(made.at);
}

TEST(pictures_of_one_pixel_and_of_many_bytes_are_encoded)
{
    uint8_t *pixels = texture(400, 300, 3, 1);
    struct bytes one = encode(pixels, 1, 1, 3, false, 90);
    struct bytes many = encode(pixels, 400, 300, 3, false, 100);

    CHECK(distance(pixels, &one, 3, false) < 3);
    CHECK(many.size > 65536); /* where the buffer has to grow */
    CHECK(distance(pixels, &many, 3, false) < 40);
    free(pixels);
    free(one.at);
    free(many.at);
}

TEST(sides_that_jpeg_cannot_hold_are_refused)
{
    static const int wrong[][2] = {{0, 1}, {1, 0}, {-1, 5}, {65536, 1}, {1, 65501}};
    const uint8_t pixel[3] = {0};

    for (int i = 0; i < 5; i++) {
        struct mxio_error err = MXIO_NO_ERROR;
        uint8_t *out = NULL;
        size_t size = 91;
        CHECK_INT(mxio_jpeg_encode(pixel, wrong[i][0], wrong[i][1], 1, false, 90, &out,
                                   &size, &err),
                  MXIO_EPARAM);
        CHECK(out == NULL && size == 91);
        CHECK_SAYS(err.message, "65500");
    }
}

static enum mxio_status
encode_once(void *context, struct mxio_error *err)
{
    uint8_t *bytes = NULL;
    size_t size = 91;
    const enum mxio_status status =
        mxio_jpeg_encode(context, 400, 300, 3, false, 100, &bytes, &size, err);

    if (status != MXIO_OK && (bytes != NULL || size != 91))
        return MXIO_ESTATE;
    mxio_free(bytes);
    return status;
}

TEST(every_failing_allocation_of_encoding_is_survived)
{
    uint8_t *pixels = texture(400, 300, 3, 1);
    const int met = faults_met(encode_once, pixels);

    free(pixels);
    CHECK(met >= 2); /* the first memory, and its growth */
}

int
main(void)
{
    RUN(windows_of_every_sampling_are_those_of_a_full_decode);
    RUN(windows_of_gray_and_of_plain_rgb_are_those_of_a_full_decode);
    RUN(windows_of_progressive_pictures_are_those_of_a_full_decode);
    RUN(windows_behind_restart_markers_are_those_of_a_full_decode);
    RUN(windows_of_other_entropy_coders_are_those_of_a_full_decode);
    RUN(windows_of_a_large_picture_are_those_of_a_full_decode);
    RUN(last_columns_and_rows_are_right_whatever_the_size);
    RUN(cmyk_and_ycck_become_colour_and_gray);
    RUN(blue_comes_first_when_asked_for);
    RUN(the_header_says_what_is_stored);
    RUN(every_orientation_is_turned_upright);
    RUN(orientation_is_left_alone_unless_asked_for);
    RUN(an_orientation_that_does_not_exist_is_upright);
    RUN(a_broken_exif_block_is_upright);
    RUN(exif_is_found_behind_other_segments_and_fill_bytes);
    RUN(tables_of_one_picture_do_not_serve_the_next);
    RUN(after_a_damaged_picture_the_next_is_as_on_a_fresh_decoder);
    RUN(a_picture_may_be_opened_and_never_read);
    RUN(a_picture_cut_off_anywhere_is_damaged);
    RUN(damage_behind_the_window_does_not_matter);
    RUN(a_missing_restart_marker_is_damage);
    RUN(stray_bytes_between_segments_are_no_damage);
    RUN(noise_instead_of_a_picture_never_passes_a_bound);
    RUN(pictures_beyond_max_pixels_are_refused);
    RUN(more_than_500_scans_are_refused);
    RUN(a_jpeg_is_known_by_its_first_three_bytes);
    RUN(a_whole_picture_can_be_taken_with_its_memory);
    RUN(what_is_not_a_plain_whole_picture_is_not_given_away);
    RUN(every_failing_allocation_of_decoding_is_survived);
    RUN(an_encoded_picture_decodes_to_nearly_the_same);
    RUN(an_encoded_picture_is_baseline_with_halved_chroma);
    RUN(pictures_of_one_pixel_and_of_many_bytes_are_encoded);
    RUN(sides_that_jpeg_cannot_hold_are_refused);
    RUN(every_failing_allocation_of_encoding_is_survived);
    return check_result();
}
