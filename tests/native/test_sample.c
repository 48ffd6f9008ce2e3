#include "sample.h"

#include "faults.h"
#include "jpeg.h"
#include "loading.h"
#include "png.h"

/* A file of records, and a sampler over it. */
struct stand {
    struct mxio_params params;
    struct mxio_reader *reader;
    struct mxio_labels *labels;
    struct mxio_emitter emitter;
    struct mxio_source source;
    struct mxio_sampler *sampler;
    uint8_t data[3 * 64 * 64];
    double label[4];
    uint64_t id;
};

/* Takes the file's bytes and the params over. */
static struct stand *
stand_new(struct bytes file, struct mxio_params params, const char *list)
{
    struct stand *stand = calloc(1, sizeof *stand);
    struct mxio_error err = MXIO_NO_ERROR;
    MUST(stand != NULL, "calloc");
    const char *path = temp_file_of(&file);

    stand->params = params;
    enum mxio_status status = mxio_reader_open(&stand->reader, &path, 1, &err);
    if (status == MXIO_OK && list != NULL)
        status = mxio_labels_parse(&stand->labels, list, strlen(list),
                                   (size_t)params.label_width, &err);
    if (status == MXIO_OK)
        status = mxio_emitter_make(&stand->emitter, &stand->params, NULL, &err);
    stand->source = (struct mxio_source){.params = &stand->params,
                                         .reader = stand->reader,
                                         .labels = stand->labels,
                                         .emitter = &stand->emitter};
    if (status == MXIO_OK)
        status = mxio_sampler_new(&stand->sampler, &stand->source, &err);
    MUST(status == MXIO_OK, err.message);
    memset(stand->data, 0xEE, sizeof stand->data);
    memset(stand->label, 0xEE, sizeof stand->label);
    stand->id = 91;
    return stand;
}

static void
stand_free(struct stand *stand)
{
    mxio_sampler_free(stand->sampler);
    mxio_emitter_free(&stand->emitter);
    mxio_labels_free(stand->labels);
    mxio_reader_free(stand->reader);
    mxio_params_free(&stand->params);
    free(stand);
}

static struct mxio_ask
ask_for(struct stand *stand, uint64_t epoch, uint64_t record)
{
    static const struct mxio_extent all = {.most = UINT64_MAX, .end = UINT64_MAX};
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_ask ask = {.epoch = epoch, .record = record};
    bool found = false;

    MUST(mxio_reader_locate(stand->reader, &all, record, &ask.place, &found, &err) ==
                 MXIO_OK &&
             found,
         "locate");
    return ask;
}

static enum mxio_status
make(struct stand *stand, uint64_t epoch, uint64_t record, struct mxio_error *err)
{
    const struct mxio_ask ask = ask_for(stand, epoch, record);
    const struct mxio_sample out = {stand->data, stand->label, &stand->id};

    *err = MXIO_NO_ERROR;
    return mxio_sampler_make(stand->sampler, &ask, &out, err);
}

/* Parameters for pictures of 12 x 10 as they are. */
static struct mxio_params
as_they_are(int channels)
{
    struct mxio_params params = params_for_loading(1);

    params.data_shape = (struct mxio_shape){channels, 10, 12};
    return params;
}

TEST(a_record_becomes_pixels_label_and_id)
{
    struct stand *stand = stand_new(records_with(5, NULL), as_they_are(3), NULL);

    for (uint64_t i = 0; i < 5; i++) {
        struct mxio_error err;
        struct bytes jpeg = picture_of(i, 12, 10);
        struct decoded right = decode_fully(&jpeg, 3);
        float label;
        CHECK_OK(make(stand, 0, i, &err), err);
        CHECK_BYTES(stand->data, right.pixels, 10 * 12 * 3);
        memcpy(&label, stand->label, sizeof label);
        CHECK_NEAR(label, label_of(i), 0);
        CHECK_INT(stand->id, id_of(i));
        free(right.pixels);
        free(jpeg.at);
    }
    stand_free(stand);
}

TEST(gray_samples_come_from_colour_pictures)
{
    struct stand *stand = stand_new(records_with(1, NULL), as_they_are(1), NULL);
    struct bytes jpeg = picture_of(0, 12, 10);
    struct decoded right = decode_fully(&jpeg, 1);
    struct mxio_error err;

    CHECK_OK(make(stand, 0, 0, &err), err);

    CHECK_BYTES(stand->data, right.pixels, 10 * 12);
    free(right.pixels);
    free(jpeg.at);
    stand_free(stand);
}

/* One record with a PNG of so many channels, 12 x 10. */
static struct bytes
png_record(const uint8_t *pixels, int channels)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct bytes file = {.at = NULL};
    uint8_t *png = NULL;
    size_t size = 0;

    MUST(mxio_png_encode(pixels, 12, 10, channels, false, 6, &png, &size, &err) ==
             MXIO_OK,
         "png");
    bytes_image(&file, 0, 0, png, size);
    mxio_free(png);
    return file;
}

TEST(png_records_keep_their_pixels_and_alpha)
{
    for (int channels = 1; channels <= 4; channels += 1 + (channels == 1)) {
        uint8_t *pixels = texture(12, 10, channels, 4);
        struct stand *stand =
            stand_new(png_record(pixels, channels), as_they_are(channels), NULL);
        struct mxio_error err;
        CHECK_OK(make(stand, 0, 0, &err), err);
        CHECK_BYTES(stand->data, pixels, (size_t)(10 * 12 * channels));
        stand_free(stand);
        free(pixels);
    }
}

TEST(the_exif_orientation_is_applied)
{
    struct bytes exif = exif_orientation(6, false), file = {.at = NULL};
    const struct recipe recipe = {.width = 10,
                                  .height = 12,
                                  .stored = JCS_YCbCr,
                                  .app = &exif};
    struct bytes jpeg = make_jpeg(&recipe);
    struct decoded stored = decode_fully(&jpeg, 3);
    bytes_image(&file, 0, 0, jpeg.at, jpeg.size);
    struct stand *stand = stand_new(file, as_they_are(3), NULL);
    struct mxio_error err;

    CHECK_OK(make(stand, 0, 0, &err), err);

    for (int y = 0; y < 10; y++)
        for (int x = 0; x < 12; x++) /* turned a quarter clockwise */
            CHECK_BYTES(stand->data + (y * 12 + x) * 3,
                        stored.pixels + ((11 - x) * 10 + y) * 3, 3);
    free(stored.pixels);
    free(jpeg.at);
    free(exif.at);
    stand_free(stand);
}

/* ---- labels ---- */

/* One record with these packed labels (or header label 5, without) and a picture. */
static struct bytes
labelled(const float *labels, uint32_t count)
{
    struct bytes payload = {.at = NULL}, file = {.at = NULL};
    struct bytes jpeg = picture_of(0, 12, 10);

    bytes_u32(&payload, count);
    bytes_f32(&payload, count == 0 ? 5 : 0);
    bytes_u64(&payload, 77);
    bytes_u64(&payload, 0);
    for (uint32_t i = 0; i < count; i++)
        bytes_f32(&payload, labels[i]);
    bytes_add(&payload, jpeg.at, jpeg.size);
    bytes_part(&file, 0, payload.at, payload.size);
    free(payload.at);
    free(jpeg.at);
    return file;
}

static struct stand *
stand_with(const float *labels, uint32_t count, int64_t width, int64_t dtype,
           const char *list)
{
    struct mxio_params params = as_they_are(3);

    params.label_width = width;
    params.label_dtype = dtype;
    return stand_new(labelled(labels, count), params, list);
}

TEST(labels_come_in_the_type_asked_for)
{
    static const float packed[] = {1, -2, 16777216};
    static const float floats[] = {1, -2, 16777216};
    static const double doubles[] = {1, -2, 16777216};
    static const int32_t shorts[] = {1, -2, 16777216};
    static const int64_t longs[] = {1, -2, 16777216};
    const void *const expected[] = {floats, doubles, shorts, longs};
    static const size_t sizes[] = {4, 8, 4, 8};

    for (int dtype = 0; dtype < 4; dtype++) {
        struct stand *stand = stand_with(packed, 3, 3, dtype, NULL);
        struct mxio_error err;
        CHECK_INT(mxio_label_size(&stand->params), sizes[dtype]);
        CHECK_OK(make(stand, 0, 0, &err), err);
        CHECK_BYTES(stand->label, expected[dtype], 3 * sizes[dtype]);
        stand_free(stand);
    }
}

TEST(a_list_takes_the_place_of_the_labels_in_the_record)
{
    struct stand *stand =
        stand_with(NULL, 0, 2, MXIO_LABEL_INT64, "77 9007199254740993 -4 a.jpg\n");
    struct mxio_error err;
    int64_t labels[2];

    CHECK_OK(make(stand, 0, 0, &err), err);

    memcpy(labels, stand->label, sizeof labels);
    CHECK_INT(labels[0], INT64_C(9007199254740992)); /* a double's nearest */
    CHECK_INT(labels[1], -4);
    stand_free(stand);
}

static bool
label_fails(struct stand *stand, const char *says)
{
    struct mxio_error err;
    const enum mxio_status status = make(stand, 0, 0, &err);
    const bool untouched = stand->id == 91;

    stand_free(stand);
    return status == MXIO_EDATA && err.has_id && err.id == 77 && err.record == 0 &&
           untouched && check_says(err.message, says, __FILE__, __LINE__);
}

TEST(labels_that_do_not_fit_are_errors)
{
    static const float two[] = {1, 2}, half[] = {0.5F}, large[] = {3e9F},
                       huge[] = {9.3e18F}, nothing[] = {NAN};

    CHECK(label_fails(stand_with(two, 2, 3, 0, NULL),
                      "holds 2 labels, label_width is 3"));
    CHECK(label_fails(stand_with(two, 2, 1, 0, NULL),
                      "holds 2 labels, label_width is 1"));
    CHECK(label_fails(stand_with(NULL, 0, 4, 0, NULL), "holds one label"));
    CHECK(label_fails(stand_with(NULL, 0, 1, 0, "78 1\n"), "no line with id 77"));
    CHECK(label_fails(stand_with(half, 1, 1, MXIO_LABEL_INT64, NULL),
                      "0.5 is not a whole number"));
    CHECK(label_fails(stand_with(large, 1, 1, MXIO_LABEL_INT32, NULL), "32 bits"));
    CHECK(label_fails(stand_with(huge, 1, 1, MXIO_LABEL_INT64, NULL), "64 bits"));
    CHECK(label_fails(stand_with(nothing, 1, 1, MXIO_LABEL_INT32, NULL), "nan"));
}

TEST(one_packed_label_is_a_label_of_width_1)
{
    static const float one[] = {2.5F};
    struct stand *stand = stand_with(one, 1, 1, MXIO_LABEL_FLOAT64, NULL);
    struct mxio_error err;

    CHECK_OK(make(stand, 0, 0, &err), err);
    CHECK_NEAR(stand->label[0], 2.5, 0);
    stand_free(stand);
}

/* ---- failures ---- */

TEST(a_failure_names_file_record_id_and_offset)
{
    static const enum fate fates[] = {GOOD, GOOD, CUT_OFF, NO_PICTURE, FOREIGN};
    static const enum mxio_status statuses[] = {MXIO_OK, MXIO_OK, MXIO_EDATA,
                                                MXIO_EDATA, MXIO_EFOREIGN};
    struct stand *stand = stand_new(records_with(5, fates), as_they_are(3), NULL);

    for (uint64_t i = 2; i < 5; i++) {
        struct mxio_error err;
        const struct mxio_ask ask = ask_for(stand, 0, i);
        CHECK_INT(make(stand, 0, i, &err), statuses[i]);
        CHECK_INT(err.status, statuses[i]);
        CHECK_INT(err.file, 0);
        CHECK_INT(err.record, i);
        CHECK_INT(err.offset, ask.place.offset);
        CHECK(err.has_id);
        CHECK_INT(err.id, id_of(i));
        CHECK_INT(stand->id, 91);
    }
    struct mxio_error err;
    CHECK_OK(make(stand, 0, 1, &err), err);
    stand_free(stand);
}

TEST(a_record_too_short_for_its_header_has_no_id)
{
    struct bytes file = {.at = NULL};
    bytes_part(&file, 0, "short", 5);
    struct stand *stand = stand_new(file, as_they_are(3), NULL);
    struct mxio_error err;

    CHECK_INT(make(stand, 0, 0, &err), MXIO_EDATA);
    CHECK(!err.has_id);
    CHECK_INT(err.record, 0);
    CHECK_INT(err.offset, 0);
    stand_free(stand);
}

TEST(pictures_that_cannot_be_had_are_refused)
{
    struct mxio_params alpha = as_they_are(4), small = as_they_are(3);
    small.max_pixels = 119;
    struct stand *first = stand_new(records_with(1, NULL), alpha, NULL);
    struct stand *second = stand_new(records_with(1, NULL), small, NULL);
    struct mxio_error err;

    CHECK_INT(make(first, 0, 0, &err), MXIO_EDATA);
    CHECK_SAYS(err.message, "4 channels");
    CHECK_INT(make(second, 0, 0, &err), MXIO_EDATA);
    CHECK_SAYS(err.message, "max_pixels=119");
    stand_free(first);
    stand_free(second);
}

/* ---- foreign pictures ---- */

TEST(a_foreign_picture_is_decoded_by_the_caller_and_finished_here)
{
    static const enum fate fates[] = {GOOD, FOREIGN};
    struct mxio_params params = params_for_loading(1);
    params.rand_crop = params.rand_mirror = 1;
    struct stand *stand = stand_new(records_with(2, fates), params, NULL);
    const struct mxio_ask ask = ask_for(stand, 3, 1);
    const struct mxio_sample out = {stand->data, stand->label, &stand->id};
    struct bytes jpeg = picture_of(1, 12, 10);
    struct decoded decoded = decode_fully(&jpeg, 3);
    struct mxio_error err = MXIO_NO_ERROR;
    const uint8_t *bytes;
    size_t size;

    CHECK_OK(mxio_sampler_picture(stand->sampler, &ask, &bytes, &size, &err), err);
    CHECK_INT(size, 3);
    CHECK_BYTES(bytes, "BM\x01", 3);
    const struct mxio_view pixels = {.bytes = decoded.pixels,
                                     .stride = 36,
                                     .width = 12,
                                     .height = 10,
                                     .channels = 3,
                                     .held = {0, 0, 12, 10}};
    CHECK_OK(mxio_sampler_finish(stand->sampler, &ask, &pixels, &out, &err), err);
    CHECK_INT(stand->id, id_of(1));

    /* The same picture as a JPEG gets the same crop, under the same key. */
    struct mxio_params again = params_for_loading(1);
    again.rand_crop = again.rand_mirror = 1;
    struct stand *other = stand_new(records_with(2, NULL), again, NULL);
    CHECK_OK(make(other, 3, 1, &err), err);
    CHECK_BYTES(stand->data, other->data, 8 * 8 * 3);
    CHECK_BYTES(stand->label, other->label, 4);
    free(decoded.pixels);
    free(jpeg.at);
    stand_free(stand);
    stand_free(other);
}

TEST(pixels_beyond_max_pixels_are_not_finished)
{
    static const enum fate fates[] = {FOREIGN};
    struct mxio_params params = params_for_loading(1);
    params.max_pixels = 119;
    struct stand *stand = stand_new(records_with(1, fates), params, NULL);
    const struct mxio_ask ask = ask_for(stand, 0, 0);
    const struct mxio_sample out = {stand->data, stand->label, &stand->id};
    uint8_t *pixels = texture(12, 10, 3, 1);
    const struct mxio_view view = {.bytes = pixels,
                                   .stride = 36,
                                   .width = 12,
                                   .height = 10,
                                   .channels = 3,
                                   .held = {0, 0, 12, 10}};
    struct mxio_error err = MXIO_NO_ERROR;

    CHECK_INT(mxio_sampler_finish(stand->sampler, &ask, &view, &out, &err), MXIO_EDATA);
    CHECK_SAYS(err.message, "max_pixels=119");
    CHECK_INT(err.record, 0);
    CHECK_INT(stand->id, 91);
    free(pixels);
    stand_free(stand);
}

/* ---- keys ---- */

/* The sample of record `record` in an epoch, by these seeds. */
static void
sample_by(int64_t seed, int64_t seed_aug, uint64_t epoch, uint64_t record,
          uint8_t out[8 * 8 * 3])
{
    struct mxio_params params = params_for_loading(1);
    struct bytes file = {.at = NULL};
    struct mxio_error err;

    for (int i = 0; i < 3; i++) /* the same picture three times */
        add_record(&file, 0, GOOD, 100, 100);
    params.rand_crop = params.rand_mirror = 1;
    params.seed = seed;
    params.seed_aug = seed_aug;
    struct stand *stand = stand_new(file, params, NULL);
    MUST(make(stand, epoch, record, &err) == MXIO_OK, "make");
    memcpy(out, stand->data, 8 * 8 * 3);
    stand_free(stand);
}

TEST(the_key_is_seed_epoch_and_record)
{
    uint8_t first[8 * 8 * 3], other[8 * 8 * 3];
    static const struct {
        int64_t seed, seed_aug;
        uint64_t epoch, record;
        bool same;
    } cases[] = {{5, MXIO_NONE, 2, 1, true},  {6, MXIO_NONE, 2, 1, false},
                 {5, MXIO_NONE, 3, 1, false}, {5, MXIO_NONE, 2, 2, false},
                 {6, 5, 2, 1, true},          {5, 6, 2, 1, false}};
    sample_by(5, MXIO_NONE, 2, 1, first);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sample_by(cases[i].seed, cases[i].seed_aug, cases[i].epoch, cases[i].record,
                  other);
        CHECK_INT(memcmp(first, other, sizeof first) == 0, cases[i].same);
    }
}

static enum mxio_status
sample_once(void *context, struct mxio_error *err)
{
    struct stand *stand = context;
    const struct mxio_ask ask = ask_for(stand, 0, 0);
    const struct mxio_sample out = {stand->data, stand->label, &stand->id};
    struct mxio_sampler *sampler = NULL;

    enum mxio_status status = mxio_sampler_new(&sampler, &stand->source, err);
    if (status == MXIO_OK)
        status = mxio_sampler_make(sampler, &ask, &out, err);
    mxio_sampler_free(sampler);
    return status;
}

TEST(every_failing_allocation_is_survived)
{
    struct bytes exif = exif_orientation(3, false), file = {.at = NULL};
    const struct recipe recipe = {.width = 30,
                                  .height = 30,
                                  .stored = JCS_YCbCr,
                                  .app = &exif};
    struct bytes jpeg = make_jpeg(&recipe);
    bytes_image(&file, 0, 0, jpeg.at, jpeg.size);
    struct mxio_params params = params_for_loading(1);
    params.resize = 20;
    struct stand *stand = stand_new(file, params, NULL);
    (void)ask_for(stand, 0, 0); /* the reader's own memory is not the question */

    CHECK(faults_met(sample_once, stand) >= 8);
    free(jpeg.at);
    free(exif.at);
    stand_free(stand);
}

int
main(void)
{
    RUN(a_record_becomes_pixels_label_and_id);
    RUN(gray_samples_come_from_colour_pictures);
    RUN(png_records_keep_their_pixels_and_alpha);
    RUN(the_exif_orientation_is_applied);
    RUN(labels_come_in_the_type_asked_for);
    RUN(a_list_takes_the_place_of_the_labels_in_the_record);
    RUN(labels_that_do_not_fit_are_errors);
    RUN(one_packed_label_is_a_label_of_width_1);
    RUN(a_failure_names_file_record_id_and_offset);
    RUN(a_record_too_short_for_its_header_has_no_id);
    RUN(pictures_that_cannot_be_had_are_refused);
    RUN(a_foreign_picture_is_decoded_by_the_caller_and_finished_here);
    RUN(pixels_beyond_max_pixels_are_not_finished);
    RUN(the_key_is_seed_epoch_and_record);
    RUN(every_failing_allocation_is_survived);
    return check_result();
}
