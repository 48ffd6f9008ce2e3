/*
 * Decoders with our own entropy decoding, behind libjpeg and without it, beside libjpeg
 * alone: the same pixels, the same verdicts, the same words.
 */
#include "jpegs.h"

#include "faults.h"
#include "jpeg.h"
#include "kernels.h"

#define ENOUGH ((int64_t)1 << 40)

struct pair {
    struct mxio_jpeg *own, *stock;
};

/* Those of the tests under way. */
static struct mxio_jpeg_ways ways;

static struct pair
make_pair(void)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const struct mxio_jpeg_ways none = {.plain = false};
    struct pair pair = {NULL, NULL};

    MUST(mxio_jpeg_new_with(ways, &pair.own, &err) == MXIO_OK, "own");
    MUST(mxio_jpeg_new_with(none, &pair.stock, &err) == MXIO_OK, "stock");
    return pair;
}

static void
free_pair(struct pair *pair)
{
    mxio_jpeg_free(pair->own);
    mxio_jpeg_free(pair->stock);
}

struct answer {
    enum mxio_status status;
    struct mxio_picture picture;
    struct mxio_view view;
    struct mxio_error err;
};

/* An empty window stands for the whole picture. */
static struct answer
read_by(struct mxio_jpeg *jpeg, const struct bytes *made, int channels,
        struct mxio_rect window)
{
    struct answer out = {.err = MXIO_NO_ERROR};

    out.status = mxio_jpeg_open(jpeg, made->at, made->size, false, ENOUGH, &out.picture,
                                &out.err);
    if (out.status != MXIO_OK)
        return out;
    if (window.width == 0)
        window = (struct mxio_rect){0, 0, out.picture.width, out.picture.height};
    out.status = mxio_jpeg_read(jpeg, channels, false, window, &out.view, &out.err);
    return out;
}

static bool
same_pixels(const struct mxio_view *one, const struct mxio_view *other)
{
    const size_t size = (size_t)one->held.width * (size_t)one->channels;

    for (int y = 0; y < one->held.height; y++)
        if (memcmp(one->bytes + (size_t)y * one->stride,
                   other->bytes + (size_t)y * other->stride, size) != 0)
            return check_failed(__FILE__, __LINE__, "row %d of (%d, %d, %d, %d)", y,
                                one->held.x, one->held.y, one->held.width,
                                one->held.height);
    return true;
}

/* Both give the same; `own` asks for it to have been ours. */
static bool
agree(const struct pair *pair, const struct bytes *made, int channels,
      struct mxio_rect window, bool own)
{
    const struct answer ours = read_by(pair->own, made, channels, window);
    const struct answer theirs = read_by(pair->stock, made, channels, window);

    if (ours.status != theirs.status ||
        strcmp(ours.err.message, theirs.err.message) != 0)
        return check_failed(__FILE__, __LINE__, "\"%s\" beside \"%s\"",
                            ours.err.message, theirs.err.message);
    if (own && !(ours.status == MXIO_OK && mxio_jpeg_used(pair->own).entropy))
        return check_failed(__FILE__, __LINE__, "not decoded by our own: %s",
                            ours.err.message);
    return ours.status != MXIO_OK || same_pixels(&ours.view, &theirs.view);
}

static const struct mxio_rect whole = {0, 0, 0, 0};

/* The whole picture and windows of it; the first sight of small tables is left out. */
static bool
windows_agree(const struct pair *pair, const struct bytes *made, int width, int height,
              int count)
{
    uint32_t state = (uint32_t)(width * 131 + height);
    bool right = agree(pair, made, 3, whole, false);

    right =
        right && agree(pair, made, 3, whole, true) && agree(pair, made, 1, whole, true);
    for (int i = 0; i < count && right; i++) {
        const int x = any_below(&state, width), y = any_below(&state, height);
        const struct mxio_rect window = {x, y, 1 + any_below(&state, width - x),
                                         1 + any_below(&state, height - y)};
        right = agree(pair, made, i % 3 == 0 ? 1 : 3, window, true);
    }
    return right;
}

/* Pictures of several sizes made after one recipe. */
static bool
recipe_agrees(struct recipe recipe)
{
    static const int sizes[][2] = {{1, 1},   {8, 8},   {17, 33}, {40, 24},
                                   {65, 47}, {3, 120}, {140, 9}, {200, 131}};
    struct pair pair = make_pair();
    bool right = true;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && right; i++) {
        recipe.width = sizes[i][0];
        recipe.height = sizes[i][1];
        recipe.seed = (uint32_t)i;
        struct bytes made = make_jpeg(&recipe);
        right = windows_agree(&pair, &made, recipe.width, recipe.height, 12);
        free(made.at);
    }
    free_pair(&pair);
    return right;
}

/* The first byte of the scan's data. */
static size_t
scan_start(const struct bytes *made)
{
    size_t at = 2;

    while (made->at[at + 1] != 0xDA)
        at += 2 + ((size_t)made->at[at + 2] << 8 | made->at[at + 3]);
    return at + 2 + ((size_t)made->at[at + 2] << 8 | made->at[at + 3]);
}

/* Before the first restart marker, where they are no damage. */
static struct bytes
with_stray_bytes(const struct bytes *made)
{
    struct bytes out = {.at = NULL};
    size_t at = scan_start(made);

    while (made->at[at] != 0xFF || made->at[at + 1] == 0)
        at++;
    bytes_add(&out, made->at, at);
    bytes_add(&out, "stray", 5);
    bytes_add(&out, made->at + at, made->size - at);
    return out;
}

/* ---- pixels ---- */

TEST(every_sampling_gives_the_same_pixels)
{
    static const int factors[][3][2] =
        {{{1, 1}, {1, 1}, {1, 1}}, {{2, 1}, {1, 1}, {1, 1}}, {{2, 2}, {1, 1}, {1, 1}},
         {{1, 2}, {1, 1}, {1, 1}}, {{4, 1}, {1, 1}, {1, 1}}, {{1, 4}, {1, 1}, {1, 1}},
         {{4, 2}, {1, 1}, {1, 1}}, {{2, 2}, {2, 1}, {1, 2}}, {{2, 2}, {1, 2}, {2, 1}},
         {{1, 1}, {2, 2}, {1, 1}}, {{2, 1}, {2, 1}, {2, 1}}, {{4, 1}, {2, 1}, {1, 1}}};

    for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++)
        for (int restart = 0; restart <= 5; restart += 5)
            CHECK(recipe_agrees((struct recipe){.stored = JCS_YCbCr,
                                                .factors = factors[i],
                                                .restart = restart}));
}

TEST(gray_and_rgb_and_cmyk_give_the_same_pixels)
{
    static const J_COLOR_SPACE spaces[] = {JCS_GRAYSCALE, JCS_RGB, JCS_CMYK, JCS_YCCK};
    static const int doubled[1][2] = {{2, 2}}; /* means nothing with one component */

    for (int i = 0; i < 4; i++)
        CHECK(recipe_agrees((struct recipe){.stored = spaces[i], .restart = 3 * i}));
    CHECK(recipe_agrees((struct recipe){.stored = JCS_GRAYSCALE, .factors = doubled}));
    CHECK(recipe_agrees(
        (struct recipe){.stored = JCS_YCCK, .across = 2, .down = 2, .restart = 4}));
}

TEST(every_restart_interval_gives_the_same_pixels)
{
    static const int intervals[] = {1, 2, 3, 4, 5, 7, 8, 13, 25, 26, 100, 65535};

    for (size_t i = 0; i < sizeof intervals / sizeof intervals[0]; i++)
        CHECK(recipe_agrees((struct recipe){.stored = JCS_YCbCr,
                                            .across = 2,
                                            .down = 2,
                                            .optimised = i % 2 != 0,
                                            .restart = intervals[i]}));
}

TEST(every_quality_gives_the_same_pixels)
{
    static const int qualities[] = {1, 10, 50, 75, 95, 100};

    for (size_t i = 0; i < sizeof qualities / sizeof qualities[0]; i++)
        for (int optimised = 0; optimised < 2; optimised++)
            CHECK(recipe_agrees((struct recipe){.stored = JCS_YCbCr,
                                                .across = 2,
                                                .down = 2,
                                                .optimised = optimised != 0,
                                                .quality = qualities[i]}));
}

static struct answer
read_shrunk(struct mxio_jpeg *jpeg, const struct bytes *made, int by)
{
    struct answer out = {.err = MXIO_NO_ERROR};

    out.status = mxio_jpeg_open(jpeg, made->at, made->size, false, ENOUGH, &out.picture,
                                &out.err);
    if (out.status == MXIO_OK)
        out.status = mxio_jpeg_shrink(jpeg, by, &out.picture, &out.err);
    if (out.status == MXIO_OK)
        out.status = mxio_jpeg_read(jpeg, 3, false,
                                    (struct mxio_rect){0, 0, out.picture.width,
                                                       out.picture.height},
                                    &out.view, &out.err);
    return out;
}

/* Once: of pictures shrunk while they are decoded, the right half was gray. */
TEST(pictures_shrunk_while_they_are_decoded_are_the_same)
{
    const struct recipe recipe = {.width = 203,
                                  .height = 155,
                                  .stored = JCS_YCbCr,
                                  .across = 2,
                                  .down = 2,
                                  .restart = 6};
    struct pair pair = make_pair();
    struct bytes made = make_jpeg(&recipe);
    struct bytes stray = with_stray_bytes(&made);

    for (int by = 1; by <= 8; by *= 2) {
        const struct answer theirs = read_shrunk(pair.stock, &made, by);
        CHECK_OK(theirs.status, theirs.err);
        const struct answer ours = read_shrunk(pair.own, &made, by);
        CHECK_OK(ours.status, ours.err);
        CHECK(mxio_jpeg_used(pair.own).entropy);
        CHECK_INT(ours.view.width, (203 + by - 1) / by);
        CHECK(same_pixels(&ours.view, &theirs.view));
        const struct answer anew = read_shrunk(pair.own, &stray, by);
        CHECK_OK(anew.status, anew.err);
        CHECK(!mxio_jpeg_used(pair.own).entropy);
        CHECK(same_pixels(&anew.view, &theirs.view));
    }
    free(made.at);
    free(stray.at);
    free_pair(&pair);
}

/* ---- which decoder ---- */

TEST(what_is_not_baseline_is_left_to_libjpeg)
{
    struct recipe recipe = {.width = 150,
                            .height = 90,
                            .stored = JCS_YCbCr,
                            .across = 2,
                            .down = 2,
                            .progressive = true};
    static const jpeg_scan_info apart[] =
        {{.comps_in_scan = 1, .component_index = {0}, .Se = 63},
         {.comps_in_scan = 2, .component_index = {1, 2}, .Se = 63}};
    struct pair pair = make_pair();
    struct bytes progressive = make_jpeg(&recipe);
    recipe.progressive = false;
    struct bytes in_scans = make_jpeg_in_scans(&recipe, apart, 2);

    for (int i = 0; i < 2; i++) {
        CHECK(agree(&pair, &progressive, 3, whole, false));
        CHECK(!mxio_jpeg_used(pair.own).entropy);
        CHECK(agree(&pair, &in_scans, 3, whole, false));
        CHECK(!mxio_jpeg_used(pair.own).entropy);
    }
    free(progressive.at);
    free(in_scans.at);
    free_pair(&pair);
}

TEST(usual_pictures_alone_are_decoded_without_libjpeg)
{
    static const struct {
        struct recipe recipe;
        bool plain;
    } cases[] = {
        {{.width = 99, .height = 75, .stored = JCS_GRAYSCALE}, true},
        {{.width = 99, .height = 75, .stored = JCS_YCbCr}, true},
        {{.width = 99, .height = 75, .stored = JCS_YCbCr, .across = 2, .down = 1},
         true},
        {{.width = 99, .height = 75, .stored = JCS_YCbCr, .across = 2, .down = 2},
         true},
        {{.width = 5, .height = 1, .stored = JCS_YCbCr, .across = 2, .down = 2}, true},
        {{.width = 4, .height = 9, .stored = JCS_YCbCr, .across = 2, .down = 2}, false},
        {{.width = 99, .height = 75, .stored = JCS_YCbCr, .across = 1, .down = 2},
         false},
        {{.width = 99, .height = 75, .stored = JCS_YCbCr, .across = 4, .down = 1},
         false},
        {{.width = 99, .height = 75, .stored = JCS_RGB}, false},
        {{.width = 99, .height = 75, .stored = JCS_CMYK}, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pair pair = make_pair();
        struct bytes made = make_jpeg(&cases[i].recipe);
        CHECK(agree(&pair, &made, 3, whole, false));
        CHECK(agree(&pair, &made, 3, whole, true));
        CHECK(mxio_jpeg_used(pair.own).plain == (ways.plain && cases[i].plain));
        CHECK(!mxio_jpeg_used(pair.stock).plain);
        free(made.at);
        free_pair(&pair);
    }
}

TEST(small_pictures_are_ours_once_their_tables_were_seen)
{
    const struct recipe tiny = {.width = 32, .height = 32, .stored = JCS_YCbCr};
    const struct recipe large = {.width = 200, .height = 200, .stored = JCS_YCbCr};
    struct pair pair = make_pair();
    struct bytes small = make_jpeg(&tiny), big = make_jpeg(&large);

    CHECK(agree(&pair, &small, 3, whole, false));
    CHECK(!mxio_jpeg_used(pair.own).entropy);
    CHECK(agree(&pair, &small, 3, whole, true));
    CHECK(!mxio_jpeg_used(pair.stock).entropy);
    free_pair(&pair);
    pair = make_pair();
    CHECK(agree(&pair, &big, 3, whole, true));
    free(small.at);
    free(big.at);
    free_pair(&pair);
}

/* More tables than are kept. */
TEST(tables_of_many_pictures_do_not_mix)
{
    struct bytes made[12];
    struct pair pair = make_pair();

    for (int i = 0; i < 12; i++) {
        const struct recipe recipe = {.width = 120,
                                      .height = 120,
                                      .stored = JCS_YCbCr,
                                      .optimised = true,
                                      .quality = 20 + 7 * i,
                                      .seed = (uint32_t)i};
        made[i] = make_jpeg(&recipe);
    }
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 12; i++)
            CHECK(agree(&pair, &made[i * 5 % 12], 3, whole, false));
    for (int i = 0; i < 12; i++)
        free(made[i].at);
    free_pair(&pair);
}

/* Put tables of two codes, 00 for 0 and 01 for 1, into the places of some: differences
 * have 0x00 and 0x01, coefficients 0x10 and 0x11. The data becomes 9000 bytes of 5. */
static struct bytes
with_tables(const struct bytes *made, int first_place, const char *five)
{
    struct bytes out = {.at = NULL};
    size_t at = 2;

    bytes_add(&out, made->at, 2);
    while (at < scan_start(made)) {
        const size_t size = 2 + ((size_t)made->at[at + 2] << 8 | made->at[at + 3]);
        const uint8_t place = made->at[at + 4];
        uint8_t table[23] = {0xFF, 0xC4, 0, 21, place, 0, 2};
        table[22] = 1;
        if (made->at[at + 1] == 0xC4 && place >= first_place)
            bytes_add(&out, table, sizeof table);
        else
            bytes_add(&out, made->at + at, size);
        at += size;
    }
    for (int i = 0; i < 9000; i += 5)
        bytes_add(&out, five, 5);
    bytes_add(&out, "\xFF\xD9", 2);
    return out;
}

TEST(a_table_for_coefficients_is_none_for_differences)
{
    const struct recipe recipe = {.width = 60, .height = 60, .stored = JCS_YCbCr};
    struct bytes made = make_jpeg(&recipe);
    /* No differences and no coefficients; 01 1 00: differences of 1 */
    struct bytes coefficients = with_tables(&made, 0x10, "\0\0\0\0\0");
    struct bytes both = with_tables(&made, 0, "\x63\x18\xC6\x31\x8C");
    struct pair pair = make_pair();

    CHECK(agree(&pair, &coefficients, 3, whole, true));
    CHECK(agree(&pair, &both, 3, whole, true));
    free(made.at);
    free(coefficients.at);
    free(both.at);
    free_pair(&pair);
}

TEST(the_self_test_finds_our_own_working)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_jpeg_ways found = {.plain = false};
    const bool pays = mxio_kernels_best()->jpeg->pays;

    CHECK_OK(mxio_jpeg_test_ways(&found, &err), err);
    CHECK(found.entropy);
    CHECK(found.plain == pays);
    CHECK(strcmp(mxio_jpeg_ways_told().entropy, "own") == 0);
    CHECK_SAYS(mxio_jpeg_ways_told().plain, pays ? "own" : "stock (no vector code");
}

/* ---- damage ---- */

/* Make the tables known, so that even small pictures are ours. */
static void
show(const struct pair *pair, const struct bytes *made)
{
    (void)read_by(pair->own, made, 3, whole);
}

static struct bytes
small_picture(int restart, bool optimised)
{
    return make_jpeg(&(struct recipe){.width = 50,
                                      .height = 41,
                                      .stored = JCS_YCbCr,
                                      .across = 2,
                                      .down = 2,
                                      .optimised = optimised,
                                      .restart = restart});
}

TEST(a_picture_cut_off_anywhere_gets_the_same_verdict)
{
    struct pair pair = make_pair();

    for (int restart = 0; restart <= 3; restart += 3) {
        struct bytes made = small_picture(restart, false);
        show(&pair, &made);
        for (size_t size = 3; size <= made.size; size++) {
            struct bytes cut = {.at = exact_copy(made.at, size), .size = size};
            CHECK(agree(&pair, &cut, 3, whole, false));
            free(cut.at);
        }
        CHECK(agree(&pair, &made, 3, whole, true));
        free(made.at);
    }
    free_pair(&pair);
}

TEST(every_flipped_bit_gets_the_same_verdict_and_pixels)
{
    struct pair pair = make_pair();
    int ours = 0, refused = 0;

    for (int restart = 0; restart <= 4; restart += 4) {
        struct bytes made = small_picture(restart, restart == 4);
        show(&pair, &made);
        for (size_t bit = 24; bit < 8 * made.size; bit += 3) {
            struct bytes bad = {.at = exact_copy(made.at, made.size),
                                .size = made.size};
            bad.at[bit / 8] ^= (uint8_t)(1U << bit % 8);
            CHECK(agree(&pair, &bad, 3, whole, false));
            const struct answer answer = read_by(pair.own, &bad, 3, whole);
            ours += answer.status == MXIO_OK && mxio_jpeg_used(pair.own).entropy;
            refused += answer.status != MXIO_OK;
            free(bad.at);
        }
        free(made.at);
    }
    free_pair(&pair);
    CHECK(ours > 100);
    CHECK(refused > 100);
}

TEST(noise_gets_the_same_verdict_and_pixels)
{
    struct pair pair = make_pair();
    uint32_t state = 5;

    for (int restart = 0; restart <= 4; restart += 2) {
        struct bytes made = small_picture(restart, false);
        show(&pair, &made);
        for (int round = 0; round < 500; round++) {
            const size_t size =
                made.size - (size_t)(round % 3 == 0) * (size_t)any_below(&state, 900);
            struct bytes bad = {.at = exact_copy(made.at, size), .size = size};
            for (int i = any_below(&state, 6); i >= 0; i--)
                bad.at[3 + any_below(&state, (int)size - 3)] = (uint8_t)any_u32(&state);
            CHECK(agree(&pair, &bad, 3, whole, false));
            free(bad.at);
        }
        free(made.at);
    }
    free_pair(&pair);
}

TEST(bytes_put_in_anywhere_get_the_same_verdict_and_pixels)
{
    static const struct {
        const char *at;
        size_t size;
    } pieces[] = {
        {"\xFF\xD0", 2},     {"\xFF\xD1", 2}, {"\xFF\xD7", 2},          {"\xFF\xD9", 2},
        {"\xFF", 1},         {"\xFF\xFF", 2}, {"\xFF\xDC\0\4\0\30", 6}, {"\0", 1},
        {"\x55\x55\x55", 3}, {"\xFF\0", 2},   {"\xFF\xFE\0\4ab", 6}};
    struct pair pair = make_pair();

    for (int restart = 0; restart <= 3; restart += 3) {
        struct bytes made = small_picture(restart, false);
        show(&pair, &made);
        for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
            for (size_t at = scan_start(&made); at <= made.size; at += 2) {
                struct bytes bad = {.at = NULL};
                bytes_add(&bad, made.at, at);
                bytes_add(&bad, pieces[i].at, pieces[i].size);
                bytes_add(&bad, made.at + at, made.size - at);
                CHECK(agree(&pair, &bad, 3, whole, false));
                free(bad.at);
            }
        free(made.at);
    }
    free_pair(&pair);
}

/* Stray bytes before a marker are no damage; only libjpeg tells what to make of them. */
TEST(stray_bytes_before_a_restart_marker_are_no_damage)
{
    struct pair pair = make_pair();
    struct bytes made = small_picture(3, false);
    struct bytes stray = with_stray_bytes(&made);
    show(&pair, &made);

    CHECK(agree(&pair, &stray, 3, whole, false));
    const struct answer answer = read_by(pair.own, &stray, 3, whole);
    CHECK_OK(answer.status, answer.err);
    CHECK(!mxio_jpeg_used(pair.own).entropy);
    const struct answer right = read_by(pair.stock, &made, 3, whole);
    CHECK(same_pixels(&answer.view, &right.view));
    free(made.at);
    free(stray.at);
    free_pair(&pair);
}

/* An interval that the window does not need may hold anything. */
TEST(windows_do_not_mind_damage_beside_them)
{
    struct pair pair = make_pair();
    const struct recipe recipe = {.width = 160,
                                  .height = 96,
                                  .stored = JCS_YCbCr,
                                  .across = 2,
                                  .down = 2,
                                  .restart = 2};
    const struct mxio_rect window = {100, 50, 40, 30};
    struct bytes made = make_jpeg(&recipe);
    struct bytes bad = bytes_copy(&made);
    const size_t at = scan_start(&made);
    for (size_t i = 0; i < 10; i++)
        if (bad.at[at + i] != 0xFF && (i == 0 || bad.at[at + i - 1] != 0xFF))
            bad.at[at + i] = (uint8_t)(bad.at[at + i] ^ 0x15);
    show(&pair, &made);

    const struct answer truth = read_by(pair.stock, &made, 3, window);
    const struct answer answer = read_by(pair.own, &bad, 3, window);

    CHECK_OK(answer.status, answer.err);
    CHECK(mxio_jpeg_used(pair.own).entropy);
    CHECK(same_pixels(&answer.view, &truth.view));
    free(made.at);
    free(bad.at);
    free_pair(&pair);
}

/* Of a window, by a decoder that has met the picture's tables, or not. */
static enum mxio_status
verdict_of(struct mxio_jpeg_ways kind, const struct bytes *met,
           const struct bytes *made, struct mxio_rect window)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_jpeg *jpeg = NULL;

    MUST(mxio_jpeg_new_with(kind, &jpeg, &err) == MXIO_OK, err.message);
    if (met != NULL)
        (void)read_by(jpeg, met, 3, whole);
    const enum mxio_status status = read_by(jpeg, made, 3, window).status;
    mxio_jpeg_free(jpeg);
    return status;
}

/* libjpeg, which had small pictures with new tables and those without vector code, minds
 * damage beside a window: with on_error="skip" batches depended on threads. */
TEST(the_verdict_on_a_window_does_not_depend_on_pictures_before)
{
    static const struct mxio_rect window = {20, 10, 11, 10};
    static const struct mxio_jpeg_ways kinds[] = {{.plain = true, .entropy = true},
                                                  {.entropy = true, .second = true}};
    int good = 0;

    for (int across = 1; across <= 2; across++) { /* 1: not plain */
        const struct recipe recipe = {.width = 50,
                                      .height = 41,
                                      .stored = JCS_YCbCr,
                                      .across = across,
                                      .down = 2};
        struct bytes made = make_jpeg(&recipe);
        for (size_t size = scan_start(&made); size <= made.size; size += 3) {
            const struct bytes cut = {.at = made.at, .size = size};
            const enum mxio_status right = verdict_of(kinds[0], &made, &cut, window);
            good += right == MXIO_OK && size < made.size - 30;
            CHECK_INT(verdict_of(kinds[0], NULL, &cut, window), right);
            CHECK_INT(verdict_of(kinds[1], &made, &cut, window), right);
            CHECK_INT(verdict_of(kinds[1], NULL, &cut, window), right);
        }
        free(made.at);
    }
    CHECK(good > 100);
}

static enum mxio_status
decode_twice(void *context, struct mxio_error *err)
{
    const struct bytes *made = context;
    struct mxio_jpeg *jpeg = NULL;
    struct mxio_picture picture;
    struct mxio_view view;

    enum mxio_status status = mxio_jpeg_new_with(ways, &jpeg, err);
    for (int time = 0; time < 2; time++) { /* tables are made at the second one */
        if (status == MXIO_OK)
            status =
                mxio_jpeg_open(jpeg, made->at, made->size, true, ENOUGH, &picture, err);
        if (status == MXIO_OK)
            status = mxio_jpeg_read(jpeg, 3, false, (struct mxio_rect){1, 1, 9, 9},
                                    &view, err);
    }
    mxio_jpeg_free(jpeg);
    return status;
}

TEST(every_failing_allocation_is_survived)
{
    struct bytes made = small_picture(0, false);

    /* The decoder, entropy decoding, rows; without libjpeg, also that decoder, narrower
     * rows, samples, and chroma twice. */
    CHECK_INT(faults_met(decode_twice, &made), ways.plain ? 8 : 3);
    free(made.at);
}

static void
run_all(void)
{
    RUN(every_sampling_gives_the_same_pixels);
    RUN(gray_and_rgb_and_cmyk_give_the_same_pixels);
    RUN(every_restart_interval_gives_the_same_pixels);
    RUN(every_quality_gives_the_same_pixels);
    RUN(pictures_shrunk_while_they_are_decoded_are_the_same);
    RUN(what_is_not_baseline_is_left_to_libjpeg);
    RUN(usual_pictures_alone_are_decoded_without_libjpeg);
    RUN(small_pictures_are_ours_once_their_tables_were_seen);
    RUN(tables_of_many_pictures_do_not_mix);
    RUN(a_table_for_coefficients_is_none_for_differences);
    RUN(the_self_test_finds_our_own_working);
    RUN(a_picture_cut_off_anywhere_gets_the_same_verdict);
    RUN(every_flipped_bit_gets_the_same_verdict_and_pixels);
    RUN(noise_gets_the_same_verdict_and_pixels);
    RUN(bytes_put_in_anywhere_get_the_same_verdict_and_pixels);
    RUN(stray_bytes_before_a_restart_marker_are_no_damage);
    RUN(windows_do_not_mind_damage_beside_them);
    RUN(the_verdict_on_a_window_does_not_depend_on_pictures_before);
    RUN(every_failing_allocation_is_survived);
}

int
main(void)
{
    ways = (struct mxio_jpeg_ways){.entropy = true};
    run_all();
    ways = (struct mxio_jpeg_ways){.plain = true, .entropy = true};
    run_all();
    return check_result();
}
