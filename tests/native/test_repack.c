#include "repack.h"

#include <sys/stat.h>

#include "faults.h"
#include "imgrec.h"
#include "jpegs.h"
#include "png.h"
#include "recordio.h"

/* Header of an image record: flag 0, label 1.5, id 7. */
static const uint8_t head[24] = {[6] = 0xC0, [7] = 0x3F, [8] = 7};

static const struct mxio_recipe as_png = {.channels = 3,
                                          .png = true,
                                          .quality = 1,
                                          .max_pixels = 1 << 20};

static struct mxio_pack_job
job_of(const char *path)
{
    return (struct mxio_pack_job){.path = path, .head = head, .head_size = sizeof head};
}

/* Pack one file with a repacker of its own. */
static enum mxio_status
repack(const char *path, const struct mxio_recipe *recipe, struct mxio_block **out,
       struct mxio_error *err)
{
    const struct mxio_pack_job job = job_of(path);
    struct mxio_repacker *repacker;

    enum mxio_status status = mxio_repacker_new(&repacker, err);
    if (status != MXIO_OK)
        return status;
    status = mxio_repack(repacker, recipe, &job, out, err);
    mxio_repacker_free(repacker);
    return status;
}

/* The PNG in a record must be these pixels. */
static bool
holds_picture(struct mxio_block *record, const struct decoded *expected)
{
    const struct mxio_rect all = {0, 0, expected->width, expected->height};
    const size_t row = (size_t)(expected->width * expected->channels);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_png *png = NULL;
    struct mxio_picture picture = {.width = 0};
    struct mxio_view view;
    bool same = true;

    MUST(mxio_png_new(&png, &err) == MXIO_OK, "png");
    MUST(mxio_png_open(png, record->bytes + 8 + sizeof head,
                       record->size - 8 - sizeof head, 1 << 20, &picture,
                       &err) == MXIO_OK,
         err.message);
    same = picture.width == expected->width && picture.height == expected->height &&
           picture.channels == expected->channels;
    if (same)
        MUST(mxio_png_read(png, expected->channels, false, all, &view, &err) == MXIO_OK,
             err.message);
    for (int y = 0; y < expected->height && same; y++)
        same = memcmp(view.bytes + (size_t)y * view.stride,
                      expected->pixels + (size_t)y * row, row) == 0;
    mxio_png_free(png);
    return same;
}

TEST(an_unchanged_file_becomes_the_bytes_of_the_format)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const struct mxio_recipe recipe = {.unchanged = true};

    for (size_t size = 1; size < 10; size++) {
        struct bytes payload = {.at = NULL}, expected = {.at = NULL};
        struct mxio_block *record = NULL;
        bytes_add(&payload, head, sizeof head);
        bytes_add(&payload, "any bytes!", size);
        bytes_part(&expected, 0, payload.at, payload.size);
        free(payload.at);

        CHECK_OK(repack(temp_file("any bytes!", size), &recipe, &record, &err), err);

        CHECK_INT(record->size, expected.size);
        CHECK_BYTES(record->bytes, expected.at, expected.size);
        mxio_block_release(record);
        free(expected.at);
    }
}

TEST(the_magic_number_in_a_picture_is_cut_out)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const struct mxio_recipe recipe = {.unchanged = true};
    struct bytes picture = {.at = NULL}, first = {.at = NULL}, expected = {.at = NULL};
    struct mxio_block *record = NULL;
    bytes_add(&picture, "four", 4);
    bytes_u32(&picture, UINT32_C(0xCED7230A));
    bytes_add(&picture, "rest", 4);
    bytes_add(&first, head, sizeof head);
    bytes_add(&first, "four", 4);
    bytes_part(&expected, 1, first.at, first.size);
    free(first.at);
    bytes_part(&expected, 3, "rest", 4);

    CHECK_OK(repack(temp_file_of(&picture), &recipe, &record, &err), err);

    CHECK_INT(record->size, expected.size);
    CHECK_BYTES(record->bytes, expected.at, expected.size);
    mxio_block_release(record);
    free(expected.at);
}

TEST(a_picture_is_decoded_and_encoded_again)
{
    const struct recipe made = {.width = 37,
                                .height = 21,
                                .stored = JCS_YCbCr,
                                .across = 2};
    struct bytes jpeg = make_jpeg(&made);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_block *record = NULL;

    for (int channels = 1; channels <= 3; channels += 2) {
        const struct decoded expected = decode_fully(&jpeg, channels);
        struct mxio_recipe recipe = as_png;
        recipe.channels = channels;
        CHECK_OK(repack(temp_file(jpeg.at, jpeg.size), &recipe, &record, &err), err);
        CHECK(holds_picture(record, &expected));
        mxio_block_release(record);
        free(expected.pixels);
    }
    free(jpeg.at);
}

TEST(scaled_decoding_gives_the_pixels_of_libjpegs_smaller_transforms)
{
    static const struct {
        int resize;
        unsigned by;
    } cases[] = {{24, 8}, {48, 4}, {96, 2}};
    const struct recipe made = {.width = 256,
                                .height = 192,
                                .stored = JCS_YCbCr,
                                .across = 2,
                                .down = 2};
    struct bytes jpeg = make_jpeg(&made);

    for (int i = 0; i < 3; i++) {
        const struct decoded expected = decode_shrunk(&jpeg, 3, cases[i].by);
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_block *record = NULL;
        struct mxio_recipe recipe = as_png;
        recipe.scaled_decode = true;
        recipe.resize = cases[i].resize;
        CHECK_OK(repack(temp_file(jpeg.at, jpeg.size), &recipe, &record, &err), err);
        CHECK(holds_picture(record, &expected)); /* no resize is left to do */
        mxio_block_release(record);
        free(expected.pixels);
    }
    free(jpeg.at);
}

TEST(a_turned_picture_may_be_decoded_smaller_too)
{
    struct bytes app = exif_orientation(6, false);
    const struct recipe made = {.width = 64,
                                .height = 32,
                                .stored = JCS_YCbCr,
                                .app = &app};
    struct bytes jpeg = make_jpeg(&made);
    const struct decoded stored = decode_shrunk(&jpeg, 3, 2);
    struct decoded expected = {.width = 16, .height = 32, .channels = 3};
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_block *record = NULL;
    struct mxio_recipe recipe = as_png;

    expected.pixels = calloc(16 * 3, 32);
    for (int y = 0; y < 16; y++) /* a quarter turn clockwise */
        for (int x = 0; x < 32; x++)
            memcpy(expected.pixels + (x * 16 + 15 - y) * 3,
                   stored.pixels + (y * 32 + x) * 3, 3);
    recipe.scaled_decode = true;
    recipe.resize = 16;

    CHECK_OK(repack(temp_file(jpeg.at, jpeg.size), &recipe, &record, &err), err);

    CHECK(holds_picture(record, &expected));
    mxio_block_release(record);
    free(expected.pixels);
    free(stored.pixels);
    free(jpeg.at);
    free(app.at);
}

TEST(the_square_in_the_middle_is_cut_out)
{
    const struct recipe made = {.width = 40, .height = 23, .stored = JCS_YCbCr};
    struct bytes jpeg = make_jpeg(&made);
    const struct decoded whole = decode_fully(&jpeg, 3);
    struct decoded expected = {.width = 23, .height = 23, .channels = 3};
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_block *record = NULL;
    struct mxio_recipe recipe = as_png;

    expected.pixels = calloc(23 * 3, 23);
    for (int y = 0; y < 23; y++)
        memcpy(expected.pixels + y * 69, whole.pixels + (y * 40 + 8) * 3, 69);
    recipe.center_crop = true;

    CHECK_OK(repack(temp_file(jpeg.at, jpeg.size), &recipe, &record, &err), err);

    CHECK(holds_picture(record, &expected));
    mxio_block_release(record);
    free(expected.pixels);
    free(whole.pixels);
    free(jpeg.at);
}

TEST(what_cannot_be_packed_is_said)
{
    const struct recipe thin = {.width = 3, .height = 1200, .stored = JCS_YCbCr};
    struct bytes jpeg = make_jpeg(&thin);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_block *record = NULL;
    struct mxio_recipe recipe = as_png;

    CHECK_INT(repack("/none/such", &as_png, &record, &err), MXIO_EIO);
    CHECK_SAYS(err.message, "cannot open");
    CHECK_INT(repack(P_tmpdir, &as_png, &record, &err), MXIO_EIO);
    CHECK_SAYS(err.message, "not a plain file");
    CHECK_INT(repack(temp_file("", 0), &as_png, &record, &err), MXIO_EDATA);
    CHECK_SAYS(err.message, "the file is empty");
    CHECK_INT(repack(temp_file("RIFF", 4), &as_png, &record, &err), MXIO_EFOREIGN);
    CHECK_INT(repack(temp_file(jpeg.at, jpeg.size / 2), &as_png, &record, &err),
              MXIO_EDATA);
    recipe.resize = 100;
    CHECK_INT(repack(temp_file(jpeg.at, jpeg.size), &recipe, &record, &err),
              MXIO_EDATA);
    CHECK_SAYS(err.message, "resized to 100 x 40000");
    free(jpeg.at);
}

TEST(a_file_too_large_for_a_record_is_not_read)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_block *record = NULL;
    const char *path = temp_file("", 0);
    const struct mxio_recipe recipe = {.unchanged = true};

    MUST(truncate(path, 1 << 29) == 0, "truncate");
    CHECK_INT(repack(path, &recipe, &record, &err), MXIO_EDATA);
    CHECK_SAYS(err.message, "fewer than 2**29");
    MUST(truncate(path, (1 << 29) - (long)sizeof head) == 0, "truncate");
    CHECK_INT(repack(path, &recipe, &record, &err), MXIO_EDATA);
    CHECK_SAYS(err.message, "a record must have fewer than 2**29");
}

static enum mxio_status
attempt(void *context, struct mxio_error *err)
{
    struct mxio_recipe recipe = as_png;
    struct mxio_block *record = NULL;

    recipe.resize = 10;
    recipe.png = false;
    recipe.quality = 90;
    const enum mxio_status status = repack(context, &recipe, &record, err);
    mxio_block_release(record);
    return status;
}

TEST(each_failing_allocation_is_reported)
{
    const struct recipe made = {.width = 40, .height = 23, .stored = JCS_YCbCr};
    struct bytes jpeg = make_jpeg(&made);
    char path[64];

    snprintf(path, sizeof path, "%s", temp_file_of(&jpeg));
    CHECK(faults_met(attempt, path) > 5);
}

int
main(void)
{
    RUN(an_unchanged_file_becomes_the_bytes_of_the_format);
    RUN(the_magic_number_in_a_picture_is_cut_out);
    RUN(a_picture_is_decoded_and_encoded_again);
    RUN(scaled_decoding_gives_the_pixels_of_libjpegs_smaller_transforms);
    RUN(a_turned_picture_may_be_decoded_smaller_too);
    RUN(the_square_in_the_middle_is_cut_out);
    RUN(what_cannot_be_packed_is_said);
    RUN(a_file_too_large_for_a_record_is_not_read);
    RUN(each_failing_allocation_is_reported);
    return check_result();
}
