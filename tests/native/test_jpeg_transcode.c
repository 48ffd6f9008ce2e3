#include "jpegs.h"

#include "faults.h"
#include "jpeg_transcode.h"

#define ENOUGH ((int64_t)1 << 40)

struct outcome {
    enum mxio_status status;
    struct bytes bytes;
    struct mxio_error err;
};

static struct outcome
transcode(const struct bytes *made, unsigned restart)
{
    struct outcome out = {.err = MXIO_NO_ERROR};
    uint8_t *copy = exact_copy(made->at, made->size), *bytes = NULL;
    size_t size = 91;

    out.status =
        mxio_jpeg_transcode(copy, made->size, restart, ENOUGH, &bytes, &size, &out.err);
    if (out.status == MXIO_OK)
        out.bytes = (struct bytes){.at = exact_copy(bytes, size), .size = size};
    else if (bytes != NULL || size != 91 || out.err.status != out.status)
        out.status = MXIO_ESTATE;
    mxio_free(bytes);
    free(copy);
    return out;
}

/* Markers with these second bytes; those behind 0xFF00 do not count. */
static int
count_markers(const struct bytes *made, uint8_t low, uint8_t high)
{
    int count = 0;

    for (size_t at = 0; at + 1 < made->size; at++)
        count +=
            made->at[at] == 0xFF && made->at[at + 1] >= low && made->at[at + 1] <= high;
    return count;
}

/* libjpeg alone decodes both to the same pixels. */
static bool
same_picture(const struct bytes *one, const struct bytes *other, int channels)
{
    struct decoded a = decode_fully(one, channels), b = decode_fully(other, channels);
    const bool same =
        a.width == b.width && a.height == b.height &&
        memcmp(a.pixels, b.pixels, (size_t)(a.width * a.height * channels)) == 0;

    free(a.pixels);
    free(b.pixels);
    return same;
}

/* One of the recipe's pictures: the same, baseline, with so many markers. */
static bool
recipe_is_kept(const struct recipe *recipe, unsigned restart, int mcu_width,
               int mcu_height)
{
    const bool four = recipe->stored == JCS_CMYK || recipe->stored == JCS_YCCK;
    struct bytes made = make_jpeg(recipe);
    struct outcome out = transcode(&made, restart);
    const int mcus = ((recipe->width + mcu_width - 1) / mcu_width) *
                     ((recipe->height + mcu_height - 1) / mcu_height);
    bool right = out.status == MXIO_OK ||
                 check_failed(__FILE__, __LINE__, "%s", out.err.message);

    right = right &&
            check_true(same_picture(&made, &out.bytes, four ? 4 : 3), "the same",
                       __FILE__, __LINE__) &&
            check_int(count_markers(&out.bytes, 0xC0, 0xC0), 1, "SOF0", __FILE__,
                      __LINE__) &&
            check_int(count_markers(&out.bytes, 0xDA, 0xDA), 1, "SOS", __FILE__,
                      __LINE__) &&
            check_int(count_markers(&out.bytes, 0xD0, 0xD7),
                      restart == 0 ? 0 : (mcus - 1) / (int)restart, "RST", __FILE__,
                      __LINE__);
    free(made.at);
    free(out.bytes.at);
    return right;
}

TEST(pictures_of_every_kind_stay_the_same)
{
    static const struct {
        J_COLOR_SPACE stored;
        int across, down;
    } kinds[] = {{JCS_YCbCr, 1, 1}, {JCS_YCbCr, 2, 1}, {JCS_YCbCr, 2, 2},
                 {JCS_YCbCr, 1, 2}, {JCS_YCbCr, 4, 1}, {JCS_GRAYSCALE, 1, 1},
                 {JCS_RGB, 1, 1},   {JCS_CMYK, 1, 1},  {JCS_YCCK, 2, 2}};
    static const int sizes[][2] = {{1, 1}, {16, 16}, {67, 41}, {130, 90}};
    static const unsigned restarts[] = {0, 1, 4, 7};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        for (int j = 0; j < 4; j++)
            for (int progressive = 0; progressive < 2; progressive++) {
                const struct recipe recipe = {.width = sizes[j][0],
                                              .height = sizes[j][1],
                                              .stored = kinds[i].stored,
                                              .across = kinds[i].across,
                                              .down = kinds[i].down,
                                              .progressive = progressive != 0,
                                              .restart = progressive != 0 ? 0 : j,
                                              .seed = (uint32_t)i};
                CHECK(recipe_is_kept(&recipe, restarts[(i + (size_t)j) % 4],
                                     8 * kinds[i].across, 8 * kinds[i].down));
            }
}

TEST(a_photograph_gets_smaller)
{
    const struct recipe recipe = {.width = 400,
                                  .height = 300,
                                  .stored = JCS_YCbCr,
                                  .across = 2,
                                  .down = 2};
    struct bytes made = make_jpeg(&recipe);
    struct outcome out = transcode(&made, 4);

    CHECK_OK(out.status, out.err);
    CHECK(out.bytes.size < made.size);
    free(made.at);
    free(out.bytes.at);
}

/* ---- segments ---- */

/* All bytes between SOI and the first segment that is neither APPn nor COM. */
static struct bytes
segments(const struct bytes *made)
{
    struct bytes out = {.at = NULL};
    size_t at = 2;

    while ((made->at[at + 1] >= 0xE0 && made->at[at + 1] <= 0xEF) ||
           made->at[at + 1] == 0xFE)
        at += 2 + ((size_t)made->at[at + 2] << 8 | made->at[at + 3]);
    bytes_add(&out, made->at + 2, at - 2);
    return out;
}

TEST(all_segments_stay_as_they_are)
{
    struct bytes exif = exif_orientation(6, true);
    static const J_COLOR_SPACE spaces[] = {JCS_YCbCr, JCS_CMYK};

    for (int i = 0; i < 2; i++) {
        const struct recipe recipe = {.width = 60,
                                      .height = 40,
                                      .stored = spaces[i],
                                      .app = &exif};
        struct bytes plain = make_jpeg(&recipe), made = {.at = NULL};
        uint8_t large[2 + 65535] = {0xFF, 0xE2, 0xFF, 0xFF, 'I', 'C', 'C'};
        bytes_add(&made, plain.at, 2);
        bytes_add(&made, "\xFF\xFE\0\7words", 9);
        bytes_add(&made, large, sizeof large);
        bytes_add(&made, "\xFF\xED\0\2", 4);
        bytes_add(&made, plain.at + 2, plain.size - 2);
        struct outcome out = transcode(&made, 4);
        CHECK_OK(out.status, out.err);
        struct bytes before = segments(&made), after = segments(&out.bytes);
        CHECK(before.size > 65600);
        CHECK_INT(after.size, before.size);
        CHECK_BYTES(after.at, before.at, before.size);
        free(before.at);
        free(after.at);
        free(plain.at);
        free(made.at);
        free(out.bytes.at);
    }
    free(exif.at);
}

TEST(no_segment_is_added)
{
    const struct recipe recipe = {.width = 30, .height = 30, .stored = JCS_YCbCr};
    struct bytes made = make_jpeg(&recipe), bare = {.at = NULL};
    bytes_add(&bare, made.at, 2);
    bytes_add(&bare, made.at + 20, made.size - 20); /* without APP0 */
    struct outcome out = transcode(&bare, 4);

    CHECK_OK(out.status, out.err);
    CHECK_INT(count_markers(&out.bytes, 0xE0, 0xEF), 0);
    CHECK(same_picture(&bare, &out.bytes, 3));
    free(made.at);
    free(bare.at);
    free(out.bytes.at);
}

/* ---- what stays as it is, and damage ---- */

static bool
is_refused(const struct bytes *made, enum mxio_status status, const char *says)
{
    struct outcome out = transcode(made, 4);
    const bool right =
        check_int(out.status, status, "the status", __FILE__, __LINE__) &&
        check_says(out.err.message, says, __FILE__, __LINE__);

    free(out.bytes.at);
    return right;
}

TEST(what_baseline_cannot_hold_is_to_be_kept)
{
    struct recipe recipe = {.width = 40, .height = 40, .stored = JCS_YCbCr};
    struct bytes deep = make_jpeg(&recipe), lossless = make_jpeg(&recipe);
    size_t at = 2;
    while (deep.at[at + 1] != 0xC0)
        at += 2 + ((size_t)deep.at[at + 2] << 8 | deep.at[at + 3]);
    deep.at[at + 1] = 0xC1;
    deep.at[at + 4] = 12;
    lossless.at[at + 1] = 0xC3;

    CHECK(is_refused(&deep, MXIO_EFOREIGN, "12"));
    CHECK(is_refused(&lossless, MXIO_EFOREIGN, "JPEG: "));
    CHECK(is_refused(&(struct bytes){.at = (uint8_t *)"GIF89a", .size = 6},
                     MXIO_EFOREIGN, "not a JPEG"));
#if defined C_ARITH_CODING_SUPPORTED && defined D_ARITH_CODING_SUPPORTED
    recipe.arithmetic = true;
    struct bytes arithmetic = make_jpeg(&recipe);
    CHECK(is_refused(&arithmetic, MXIO_EFOREIGN, "arithmetic"));
    free(arithmetic.at);
#endif
    free(deep.at);
    free(lossless.at);
}

/* Readers smooth what later scans would have refined. */
TEST(a_progressive_picture_without_its_last_scans_is_to_be_kept)
{
    static const jpeg_scan_info scans[] =
        {{.comps_in_scan = 1, .component_index = {0}, .Ss = 0, .Se = 0, .Al = 1},
         {.comps_in_scan = 1, .component_index = {0}, .Ss = 1, .Se = 63, .Al = 0}};
    const struct recipe recipe = {.width = 40, .height = 40, .stored = JCS_GRAYSCALE};
    struct bytes made = make_jpeg_in_scans(&recipe, scans, 2);

    CHECK(is_refused(&made, MXIO_EFOREIGN, "scans missing"));
    free(made.at);
}

TEST(damage_anywhere_is_an_error)
{
    for (int progressive = 0; progressive < 2; progressive++) {
        const struct recipe recipe = {.width = 60,
                                      .height = 50,
                                      .stored = JCS_YCbCr,
                                      .across = 2,
                                      .down = 2,
                                      .progressive = progressive != 0};
        struct bytes made = make_jpeg(&recipe);
        for (size_t size = 3; size < made.size; size += 3) {
            const struct bytes cut = {.at = made.at, .size = size};
            CHECK(is_refused(&cut, MXIO_EDATA, "JPEG: "));
        }
        free(made.at);
    }
}

TEST(noise_gives_the_same_picture_or_none)
{
    const struct recipe recipe = {.width = 50,
                                  .height = 45,
                                  .stored = JCS_YCbCr,
                                  .across = 2,
                                  .down = 2,
                                  .restart = 3};
    struct bytes made = make_jpeg(&recipe);
    uint32_t state = 11;
    int good = 0, bad = 0;

    for (int round = 0; round < 600; round++) {
        struct bytes copy = bytes_copy(&made);
        for (int i = 0; i < 6; i++)
            copy.at[600 + any_below(&state, (int)made.size - 602)] =
                (uint8_t)any_u32(&state);
        struct outcome out = transcode(&copy, 4);
        good += out.status == MXIO_OK;
        bad += out.status == MXIO_EDATA;
        if (out.status == MXIO_OK)
            CHECK(same_picture(&copy, &out.bytes, 3));
        free(out.bytes.at);
        free(copy.at);
    }
    free(made.at);
    CHECK(good > 20);
    CHECK(bad > 20);
}

TEST(too_many_pixels_and_too_long_intervals_are_refused)
{
    const struct recipe recipe = {.width = 30, .height = 20, .stored = JCS_YCbCr};
    struct bytes made = make_jpeg(&recipe);
    struct mxio_error err = MXIO_NO_ERROR;
    uint8_t *out = NULL;
    size_t size;

    CHECK_INT(mxio_jpeg_transcode(made.at, made.size, 4, 599, &out, &size, &err),
              MXIO_EDATA);
    CHECK_SAYS(err.message, "30 x 20 pixels are more than max_pixels=599");
    CHECK_INT(mxio_jpeg_transcode(made.at, made.size, 65536, 600, &out, &size, &err),
              MXIO_EPARAM);
    CHECK_SAYS(err.message, "restart must be in [0, 65535], got 65536");
    CHECK(out == NULL);
    CHECK_OK(mxio_jpeg_transcode(made.at, made.size, 65535, 600, &out, &size, &err),
             err);
    mxio_free(out);
    free(made.at);
}

static enum mxio_status
transcode_once(void *context, struct mxio_error *err)
{
    const struct bytes *made = context;
    uint8_t *out = NULL;
    size_t size;
    const enum mxio_status status =
        mxio_jpeg_transcode(made->at, made->size, 1, ENOUGH, &out, &size, err);

    mxio_free(out);
    return status;
}

/* A marker behind every MCU, and no way to shorten the codes: the memory has to grow. */
TEST(every_failing_allocation_is_survived)
{
    const struct recipe recipe = {.width = 16000,
                                  .height = 8,
                                  .stored = JCS_GRAYSCALE,
                                  .optimised = true,
                                  .quality = 1};
    struct bytes made = make_jpeg(&recipe);

    CHECK_INT(faults_met(transcode_once, &made), 2);
    free(made.at);
}

int
main(void)
{
    RUN(pictures_of_every_kind_stay_the_same);
    RUN(a_photograph_gets_smaller);
    RUN(all_segments_stay_as_they_are);
    RUN(no_segment_is_added);
    RUN(what_baseline_cannot_hold_is_to_be_kept);
    RUN(a_progressive_picture_without_its_last_scans_is_to_be_kept);
    RUN(damage_anywhere_is_an_error);
    RUN(noise_gives_the_same_picture_or_none);
    RUN(too_many_pixels_and_too_long_intervals_are_refused);
    RUN(every_failing_allocation_is_survived);
    return check_result();
}
