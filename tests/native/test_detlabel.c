#include "detlabel.h"

#include <math.h>

#include "faults.h"
#include "records.h"

static struct mxio_params
params_for(int64_t batch_size)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params;

    MUST(mxio_params_init(&params, &err) == MXIO_OK, "mxio_params_init");
    params.data_shape = (struct mxio_shape){3, 8, 8};
    params.batch_size = batch_size;
    params.detect = 1;
    return params;
}

/* The payload of a record with these labels and no picture. */
static struct bytes
payload_of(uint64_t id, const float *numbers, size_t count)
{
    struct bytes out = {.at = NULL};

    bytes_u32(&out, (uint32_t)count);
    bytes_f32(&out, 0);
    bytes_u64(&out, id);
    bytes_u64(&out, 0);
    for (size_t i = 0; i < count; i++)
        bytes_f32(&out, numbers[i]);
    return out;
}

static enum mxio_status
read_numbers(struct mxio_detlabel *label, const struct mxio_params *params,
             const struct mxio_labels *list, const float *numbers, size_t count,
             struct mxio_error *err)
{
    struct bytes payload = payload_of(9, numbers, count);
    struct mxio_imgrec record;

    MUST(mxio_imgrec_parse(payload.at, payload.size, &record, err) == MXIO_OK, "parse");
    const enum mxio_status status =
        mxio_detlabel_read(label, params, list, &record, err);
    free(payload.at);
    return status;
}

#define READ(label, params, err, ...)                                                  \
    CHECK_OK(read_numbers(label, params, NULL, (const float[]){__VA_ARGS__},           \
                          sizeof((const float[]){__VA_ARGS__}) / sizeof(float),        \
                          &(err)),                                                     \
             err)

static bool
object_is(const struct mxio_detlabel *label, size_t i, const float expected[5])
{
    const float *object = mxio_detlabel_object(label, i);
    bool same = i < label->count;

    for (int k = 0; k < 5; k++)
        same = same && fabsf(object[k] - expected[k]) < 1e-6F;
    return same;
}

TEST(a_label_is_a_header_and_objects)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = params_for(1);
    struct mxio_detlabel label = {.numbers = NULL};

    /* A = 3, B = 6; two objects of 6 numbers. */
    READ(&label, &params, err, 3, 6, 77, 1, .1F, .2F, .3F, .4F, 50, 2, 0, 0, 1, 1, 51);

    CHECK_INT(label.header, 3);
    CHECK_INT(label.object, 6);
    CHECK_INT(label.count, 2);
    CHECK_NEAR(label.numbers[2], 77, 0);
    CHECK(object_is(&label, 0, (const float[]){1, .1F, .2F, .3F, .4F}));
    CHECK(object_is(&label, 1, (const float[]){2, 0, 0, 1, 1}));
    CHECK_NEAR(mxio_detlabel_object(&label, 1)[5], 51, 0);

    READ(&label, &params, err, 7, 5, 1, 2, 3, 4, 5); /* a header alone */
    CHECK_INT(label.count, 0);
    mxio_detlabel_free(&label);
    mxio_params_free(&params);
}

TEST(objects_without_area_are_left_out)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = params_for(1);
    struct mxio_detlabel label = {.numbers = NULL};

    READ(&label, &params, err, 2, 5, 0, .5F, .1F, .5F, .9F, 1, .1F, .1F, .2F, .2F, 2,
         .1F, .7F, .2F, .6F, 3, NAN, .1F, .2F, .3F, 4, .3F, .3F, .4F, .4F);

    CHECK_INT(label.count, 2);
    CHECK(object_is(&label, 0, (const float[]){1, .1F, .1F, .2F, .2F}));
    CHECK(object_is(&label, 1, (const float[]){4, .3F, .3F, .4F, .4F}));
    mxio_detlabel_free(&label);
    mxio_params_free(&params);
}

TEST(a_mirrored_box_keeps_its_width)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = params_for(1);
    struct mxio_detlabel label = {.numbers = NULL};
    READ(&label, &params, err, 2, 5, 1, .125F, .25F, .5F, .75F);

    mxio_detlabel_mirror(&label);

    CHECK(object_is(&label, 0, (const float[]){1, .5F, .25F, .875F, .75F}));
    mxio_detlabel_free(&label);
    mxio_params_free(&params);
}

TEST(boxes_move_into_another_frame_and_are_clipped)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = params_for(1);
    struct mxio_detlabel label = {.numbers = NULL};
    READ(&label, &params, err, 2, 5, 1, .25F, .25F, .75F, .75F, 2, 0, 0, .25F, .25F, 3,
         .5F, .5F, 1, 1);

    /* A border: the image becomes the part [1/4, 3/4] x [1/8, 5/8] of one twice as large. */
    mxio_detlabel_project(&label, (struct mxio_box){-.5F, -.25F, 2, 2});

    CHECK_INT(label.count, 3);
    CHECK(object_is(&label, 0, (const float[]){1, .375F, .25F, .625F, .5F}));
    CHECK(object_is(&label, 1, (const float[]){2, .25F, .125F, .375F, .25F}));
    CHECK(object_is(&label, 2, (const float[]){3, .5F, .375F, .75F, .625F}));

    /* A crop of its right half: object 2 is outside, the first is cut. */
    mxio_detlabel_project(&label, (struct mxio_box){.5F, 0, .5F, 1});

    CHECK_INT(label.count, 2);
    CHECK(object_is(&label, 0, (const float[]){1, 0, .25F, .25F, .5F}));
    CHECK(object_is(&label, 1, (const float[]){3, 0, .375F, .5F, .625F}));
    mxio_detlabel_free(&label);
    mxio_params_free(&params);
}

TEST(a_row_has_sizes_count_label_and_padding)
{
    static const float expected[14] = {3,    5,   4,    7, 2,  5,  1,
                                       .25F, .5F, .75F, 1, -2, -2, -2};
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = params_for(1);
    struct mxio_detlabel label = {.numbers = NULL};
    float row[15];
    row[14] = 99;
    params.label_width = 14;
    params.label_pad_value = -2;
    READ(&label, &params, err, 2, 5, 1, .25F, .5F, .75F, 1);

    CHECK_OK(mxio_detlabel_write(&label, &params, (struct mxio_size){4, 5}, row, &err),
             err);

    for (int i = 0; i < 14; i++)
        CHECK_NEAR(row[i], expected[i], 0);
    CHECK_NEAR(row[14], 99, 0);
    mxio_detlabel_free(&label);
    mxio_params_free(&params);
}

/* A file that was changed under the loader had the memory behind the row overwritten. */
TEST(a_label_wider_than_any_before_is_refused)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = params_for(1);
    struct mxio_detlabel label = {.numbers = NULL};
    float row[1] = {99};
    params.label_width = 10;
    READ(&label, &params, err, 2, 5, 1, .25F, .5F, .75F, 1);

    CHECK_INT(mxio_detlabel_write(&label, &params, (struct mxio_size){4, 5}, row, &err),
              MXIO_EDATA);

    CHECK_SAYS(err.message, "has 7 numbers, none had more than 6 when");
    CHECK_NEAR(row[0], 99, 0);
    mxio_detlabel_free(&label);
    mxio_params_free(&params);
}

/* As a float, its count was as large as the width of its header: it crashed. */
TEST(a_header_wider_than_a_very_wide_label_is_refused)
{
    const uint32_t total = (1U << 24) + 3;
    const float header = 0x1p24F + 4, object = 5;
    const size_t size = 24 + (size_t)total * sizeof(float);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = params_for(1);
    struct mxio_detlabel label = {.numbers = NULL};
    struct mxio_imgrec record;
    uint8_t *payload = calloc(1, size);
    MUST(payload != NULL, "calloc");
    mxio_store_u32(payload, total);
    memcpy(payload + 24, &header, sizeof header);
    memcpy(payload + 28, &object, sizeof object);
    CHECK_OK(mxio_imgrec_parse(payload, size, &record, &err), err);

    CHECK_INT(mxio_detlabel_read(&label, &params, NULL, &record, &err), MXIO_EDATA);

    CHECK_SAYS(err.message, "width of its header, must be in [2, 16777219]");
    free(payload);
    mxio_detlabel_free(&label);
    mxio_params_free(&params);
}

TEST(a_label_that_is_none_is_refused_with_its_numbers)
{
    static const struct {
        int64_t label_width;
        size_t count;
        float a, b;
        const char *says;
    } cases[] = {
        {-1, 0, 0, 0, "not enough label for detection: 0 numbers"},
        {-1, 6, 2, 5, "not enough label for detection: 6 numbers"},
        {-1, 7, 1, 5, "width of its header, must be in [2, 7], got 1"},
        {-1, 7, 8, 5, "must be in [2, 7], got 8"},
        {-1, 7, 2.5F, 5, "got 2.5"},
        {-1, 7, NAN, 5, "width of its header"},
        {-1, 7, -3e9F, 5, "width of its header"},
        {-1, 7, 2, 4, "width of an object, must be in [5, 7], got 4"},
        {-1, 7, 2, 1e30F, "width of an object"},
        {-1, 8, 2, 5,
         "8 numbers of a label, without a header of 2, are no objects of 5"},
        {12, 7, 2, 5, "the label has 7 numbers, label_width is 12"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_params params = params_for(1);
        struct mxio_detlabel label = {.numbers = NULL};
        float numbers[8] = {cases[i].a, cases[i].b};
        params.det_label_width = cases[i].label_width;
        CHECK_INT(read_numbers(&label, &params, NULL, numbers, cases[i].count, &err),
                  MXIO_EDATA);
        CHECK_SAYS(err.message, cases[i].says);
        mxio_detlabel_free(&label);
        mxio_params_free(&params);
    }
}

/* ---- a list ---- */

static struct mxio_labels *
list_of(const char *text)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_labels *labels = NULL;

    if (mxio_labels_parse(&labels, text, strlen(text), MXIO_LABELS_ALL, &err) !=
        MXIO_OK)
        check_failed(__FILE__, __LINE__, "%s", err.message);
    return labels;
}

TEST(a_list_takes_the_place_of_packed_labels_whatever_its_lines_hold)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = params_for(1);
    struct mxio_detlabel label = {.numbers = NULL};
    struct mxio_labels *list = list_of("7\tlabel.jpg\n"
                                       "9\t2\t5\t1\t.5\t.5\t1\t1\ta.jpg\n"
                                       "8 2 5 1 0 0 1 1 2 0 0 .5 .5 b/c.jpg\n"
                                       "9 2 5 3 .25 .5 1 1 5 0 0 1 1 later.jpg");

    CHECK_OK(read_numbers(&label, &params, list, NULL, 0, &err), err);

    CHECK_INT(label.count, 2); /* of two lines with one id the later counts */
    CHECK(object_is(&label, 0, (const float[]){3, .25F, .5F, 1, 1}));
    CHECK(object_is(&label, 1, (const float[]){5, 0, 0, 1, 1}));
    CHECK_INT(mxio_labels_widest(list), 12);
    mxio_labels_free(list);

    list = list_of("1 2 5 1 0 0 1 1 a.jpg\n");
    CHECK_INT(read_numbers(&label, &params, list, NULL, 0, &err), MXIO_EDATA);
    CHECK_SAYS(err.message, "path_imglist has no line with id 9");
    mxio_labels_free(list);
    mxio_detlabel_free(&label);
    mxio_params_free(&params);
}

TEST(a_line_of_a_list_that_cannot_be_read_is_named)
{
    static const struct {
        const char *text, *says;
    } cases[] = {{"1 2 a.jpg\n2\n", "line 2: nothing behind the id"},
                 {"1 2 5 x 0 0 1 1 a.jpg", "line 1: label 3 is not a number: 'x'"},
                 {"x 2 5 a.jpg", "line 1: the id is not a whole number"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_labels *labels = NULL;
        CHECK_INT(mxio_labels_parse(&labels, cases[i].text, strlen(cases[i].text),
                                    MXIO_LABELS_ALL, &err),
                  MXIO_EDATA);
        CHECK_SAYS(err.message, cases[i].says);
        CHECK(labels == NULL);
    }
}

/* ---- the width of a row ---- */

/* A record with `objects` objects; its id may hold the magic, which splits it. */
static void
add_record(struct bytes *file, uint64_t id, size_t objects)
{
    float numbers[2 + 5 * 16] = {2, 5};
    struct bytes payload;

    for (size_t i = 0; i < objects; i++)
        numbers[2 + 5 * i + 3] = numbers[2 + 5 * i + 4] = 1;
    payload = payload_of(id, numbers, 2 + 5 * objects);
    if ((id & UINT32_MAX) == 0xCED7230A) {
        bytes_part(file, 1, payload.at, 8);
        bytes_part(file, 3, payload.at + 12, payload.size - 12);
    } else {
        bytes_part(file, 0, payload.at, payload.size);
    }
    free(payload.at);
}

/* settle over the whole file. */
static enum mxio_status
settle(struct mxio_params *params, struct bytes *file, struct mxio_error *err)
{
    const char *path = temp_file_of(file);
    struct mxio_reader *reader;
    struct mxio_extent extent;

    enum mxio_status status = mxio_reader_open(&reader, &path, 1, err);
    if (status != MXIO_OK)
        return status;
    status = mxio_reader_part(reader, (uint64_t)params->num_parts,
                              (uint64_t)params->part_index, &extent, err);
    if (status == MXIO_OK)
        status = mxio_detlabel_settle(params, reader, &extent, NULL, err);
    mxio_reader_free(reader);
    return status;
}

TEST(a_row_is_as_wide_as_the_widest_label_of_the_part)
{
    static const struct {
        int64_t parts, part, expected;
    } cases[] = {{1, 0, 4 + 22}, {2, 0, 4 + 22}, {2, 1, 4 + 12}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_params params = params_for(1);
        struct bytes file = {.at = NULL};
        params.num_parts = cases[i].parts;
        params.part_index = cases[i].part;
        add_record(&file, 1, 1);
        add_record(&file, 2, 4);
        add_record(&file, 3, 2);
        add_record(&file, 4, 1);
        CHECK_OK(settle(&params, &file, &err), err);
        CHECK_INT(params.label_width, cases[i].expected);
        mxio_params_free(&params);
    }
}

TEST(a_record_in_several_parts_is_measured_like_any_other)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = params_for(1);
    struct bytes file = {.at = NULL};
    add_record(&file, 1, 1);
    add_record(&file, 0xCED7230A, 3);

    CHECK_OK(settle(&params, &file, &err), err);

    CHECK_INT(params.label_width, 4 + 17);
    mxio_params_free(&params);
}

TEST(label_pad_width_may_be_wider_and_not_narrower)
{
    static const struct {
        int64_t asked, expected;
    } cases[] = {{40, 44}, {12, 16}, {11, 0}, {1, 0}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_params params = params_for(1);
        struct bytes file = {.at = NULL};
        params.label_pad_width = cases[i].asked;
        add_record(&file, 1, 2);
        const enum mxio_status status = settle(&params, &file, &err);
        CHECK_INT(status, cases[i].expected > 0 ? MXIO_OK : MXIO_EPARAM);
        if (status == MXIO_OK)
            CHECK_INT(params.label_width, cases[i].expected);
        else
            CHECK_SAYS(err.message, "smaller than the widest label, 12 numbers");
        mxio_params_free(&params);
    }
}

TEST(rows_that_no_batch_could_hold_are_refused)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = params_for(1048576);
    struct bytes file = {.at = NULL}, payload = {.at = NULL};
    float numbers[7] = {2, 5, 0, 0, 0, 1, 1};
    const uint32_t count = 262147; /* 2 + 5 * 52429 */
    payload = payload_of(1, numbers, 7);
    payload.at[0] = (uint8_t)count;
    payload.at[1] = (uint8_t)(count >> 8);
    payload.at[2] = (uint8_t)(count >> 16);
    for (uint32_t i = 7; i < count; i++)
        bytes_f32(&payload, 0);
    bytes_part(&file, 0, payload.at, payload.size);
    free(payload.at);

    CHECK_INT(settle(&params, &file, &err), MXIO_EPARAM);
    CHECK_SAYS(err.message, "batch_size=1048576 of labels of 262151 numbers");
    mxio_params_free(&params);
}

TEST(a_bad_label_is_an_error_at_once_only_when_errors_are_raised)
{
    for (int on_error = MXIO_RAISE; on_error <= MXIO_REPLACE; on_error++) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_params params = params_for(1);
        struct bytes file = {.at = NULL};
        params.on_error = on_error;
        add_record(&file, 1, 1);
        const size_t second = file.size;
        add_record(&file, 70, 0);
        add_record(&file, 3, 2);
        const enum mxio_status status = settle(&params, &file, &err);
        CHECK_INT(status, on_error == MXIO_RAISE ? MXIO_EDATA : MXIO_OK);
        if (status == MXIO_OK) {
            CHECK_INT(params.label_width, 4 + 12);
        } else {
            CHECK_SAYS(err.message, "not enough label for detection: 2 numbers");
            CHECK_INT(err.record, 1);
            CHECK_INT(err.offset, second);
            CHECK(err.has_id && err.id == 70);
        }
        mxio_params_free(&params);
    }
}

TEST(when_no_label_is_good_the_first_is_the_error)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = params_for(1);
    struct bytes file = {.at = NULL};
    params.on_error = MXIO_SKIP;
    bytes_image(&file, 1, 5, "x", 1);
    bytes_part(&file, 0, "short", 5);

    CHECK_INT(settle(&params, &file, &err), MXIO_EDATA);

    CHECK_SAYS(err.message, "not enough label for detection: 0 numbers");
    CHECK_INT(err.record, 0);
    mxio_params_free(&params);
}

TEST(a_label_that_claims_more_than_its_record_has_is_not_believed)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = params_for(1);
    struct bytes file = {.at = NULL}, payload;
    const float numbers[7] = {2, 5};
    payload = payload_of(1, numbers, 7);
    payload.at[3] = 0x7F; /* flag */
    bytes_part(&file, 0, payload.at, payload.size);
    free(payload.at);

    CHECK_INT(settle(&params, &file, &err), MXIO_EDATA);
    CHECK_SAYS(err.message, "there is room for 7");
    mxio_params_free(&params);
}

static enum mxio_status
settle_once(void *context, struct mxio_error *err)
{
    struct mxio_params params = *(struct mxio_params *)context;
    struct bytes file = {.at = NULL};
    struct mxio_detlabel label = {.numbers = NULL};
    add_record(&file, 1, 3);

    enum mxio_status status = settle(&params, &file, err);
    if (status == MXIO_OK)
        status = read_numbers(&label, &params, NULL,
                              (const float[]){2, 5, 1, 0, 0, 1, 1}, 7, err);
    mxio_detlabel_free(&label);
    return status;
}

TEST(every_failing_allocation_is_survived)
{
    struct mxio_params params = params_for(1);

    CHECK(faults_met(settle_once, &params) >= 5);
    mxio_params_free(&params);
}

int
main(void)
{
    RUN(a_label_is_a_header_and_objects);
    RUN(objects_without_area_are_left_out);
    RUN(a_mirrored_box_keeps_its_width);
    RUN(boxes_move_into_another_frame_and_are_clipped);
    RUN(a_row_has_sizes_count_label_and_padding);
    RUN(a_label_wider_than_any_before_is_refused);
    RUN(a_header_wider_than_a_very_wide_label_is_refused);
    RUN(a_label_that_is_none_is_refused_with_its_numbers);
    RUN(a_list_takes_the_place_of_packed_labels_whatever_its_lines_hold);
    RUN(a_line_of_a_list_that_cannot_be_read_is_named);
    RUN(a_row_is_as_wide_as_the_widest_label_of_the_part);
    RUN(a_record_in_several_parts_is_measured_like_any_other);
    RUN(label_pad_width_may_be_wider_and_not_narrower);
    RUN(rows_that_no_batch_could_hold_are_refused);
    RUN(a_bad_label_is_an_error_at_once_only_when_errors_are_raised);
    RUN(when_no_label_is_good_the_first_is_the_error);
    RUN(a_label_that_claims_more_than_its_record_has_is_not_believed);
    RUN(every_failing_allocation_is_survived);
    return check_result();
}
