#include "params.h"

#include "faults.h"

/* Parameters that pass the check. */
static struct mxio_params
usable(void)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params;

    if (mxio_params_init(&params, &err) != MXIO_OK ||
        mxio_params_set_text(&params, mxio_param_find("path_imgrec"), "a.rec", &err) !=
            MXIO_OK)
        abort();
    params.data_shape = (struct mxio_shape){3, 28, 28};
    params.batch_size = 100;
    return params;
}

TEST(a_parameter_is_found_by_its_name)
{
    for (size_t i = 0; i < mxio_param_count; i++) {
        CHECK(mxio_param_find(mxio_param_table[i].name) == &mxio_param_table[i]);
        const size_t doc_size = strlen(mxio_param_table[i].doc);
        CHECK(doc_size > 10 && mxio_param_table[i].doc[doc_size - 1] == '.');
    }
    CHECK(mxio_param_find("random_crop") == NULL);
    CHECK(mxio_param_find("") == NULL);
}

TEST(rows_lead_to_the_fields_of_their_names)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = usable();

    CHECK_OK(mxio_params_set_int(&params, mxio_param_find("seed"), -5, &err), err);
    CHECK_OK(mxio_params_set_int(&params, mxio_param_find("layout"), 1, &err), err);
    CHECK_OK(mxio_params_set_real(&params, mxio_param_find("std_b"), 0.25, &err), err);
    CHECK_OK(mxio_params_set_shape(&params, mxio_param_find("data_shape"),
                                   (struct mxio_shape){4, 5, 6}, &err),
             err);
    CHECK_OK(mxio_params_set_text(&params, mxio_param_find("mean_img"), "m.bin", &err),
             err);

    CHECK_INT(params.seed, -5);
    CHECK_INT(params.layout, MXIO_NHWC);
    CHECK_NEAR(params.std_b, 0.25, 0);
    CHECK_INT(params.data_shape.channels, 4);
    CHECK_INT(params.data_shape.height, 5);
    CHECK_INT(params.data_shape.width, 6);
    CHECK(strcmp(params.mean_img, "m.bin") == 0);
    mxio_params_free(&params);
}

/* The value of an INT row. */
static int64_t
int_of(const struct mxio_params *params, const struct mxio_param *row)
{
    int64_t value;

    memcpy(&value, (const char *)params + row->offset, sizeof value);
    return value;
}

/* Defaults of MXNet's documentation and of mxio's decisions. */
TEST(defaults_are_the_documented_ones)
{
    static const struct {
        const char *name;
        int64_t value;
    } numbers[] = {
        {"label_width", 1},
        {"num_parts", 1},
        {"part_index", 0},
        {"round_batch", 1},
        {"shuffle", 0},
        {"seed", 0},
        {"resize", -1},
        {"prefetch_buffer", 4},
        {"preprocess_threads", 0},
        {"dtype", 0},
        {"layout", 0},
        {"on_error", MXIO_RAISE},
        {"rand_crop", 0},
        {"random_resized_crop", 0},
        {"max_pixels", 178956970},
        {"seed_aug", MXIO_NONE},
        {"rank", MXIO_NONE},
        {"world_size", MXIO_NONE},
        {"last_batch", MXIO_LAST_PARTIAL},
    };
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params;
    CHECK_OK(mxio_params_init(&params, &err), err);

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        CHECK_INT(int_of(&params, mxio_param_find(numbers[i].name)), numbers[i].value);
    CHECK_NEAR(params.max_random_area, 1, 0);
    CHECK_NEAR(params.min_random_area, 1, 0);
    CHECK_NEAR(params.scale, 1, 0);
    CHECK_NEAR(params.max_aspect_ratio, 0, 0);
    CHECK_NEAR(params.min_aspect_ratio, (double)MXIO_NONE, 0);
    CHECK_INT(params.data_shape.channels, 0);
    CHECK(strcmp(params.path_imgrec, "") == 0);
    CHECK(strcmp(params.data_name, "data") == 0);
    CHECK(strcmp(params.label_name, "softmax_label") == 0);
    mxio_params_free(&params);
}

static bool
refuses_int(struct mxio_params *params, const struct mxio_param *row, int64_t value)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const int64_t before = int_of(params, row);
    char text[32];
    snprintf(text, sizeof text, "got %lld", (long long)value);

    return mxio_params_set_int(params, row, value, &err) == MXIO_EPARAM &&
           err.status == MXIO_EPARAM &&
           strstr(err.message, mxio_param_shown(row)) != NULL &&
           strstr(err.message, text) != NULL && int_of(params, row) == before;
}

TEST(whole_numbers_are_kept_within_their_range)
{
    struct mxio_params params = usable();

    for (size_t i = 0; i < mxio_param_count; i++) {
        const struct mxio_param *row = &mxio_param_table[i];
        struct mxio_error err = MXIO_NO_ERROR;
        if (row->kind != MXIO_INT && row->kind != MXIO_FLAG)
            continue;
        CHECK_OK(mxio_params_set_int(&params, row, row->int_low, &err), err);
        CHECK_INT(int_of(&params, row), row->int_low);
        CHECK_OK(mxio_params_set_int(&params, row, row->int_high, &err), err);
        CHECK_INT(int_of(&params, row), row->int_high);
        CHECK(row->int_high == INT64_MAX ||
              refuses_int(&params, row, row->int_high + 1));
        CHECK(refuses_int(&params, row, row->int_low - 1));
    }
    mxio_params_free(&params);
}

TEST(none_is_taken_where_it_is_the_default_and_nowhere_else)
{
    struct mxio_params params = usable();

    for (size_t i = 0; i < mxio_param_count; i++) {
        const struct mxio_param *row = &mxio_param_table[i];
        const bool none_int = row->kind == MXIO_INT && row->initial == MXIO_NONE;
        const bool none_real =
            row->kind == MXIO_REAL && row->initial_real == (double)MXIO_NONE;
        struct mxio_error err = MXIO_NO_ERROR;
        if (none_int || none_real) {
            CHECK_OK(mxio_params_set_none(&params, row, &err), err);
            continue;
        }
        CHECK_INT(mxio_params_set_none(&params, row, &err), MXIO_EPARAM);
        CHECK_SAYS(err.message, mxio_param_shown(row));
    }
    CHECK(params.rank == MXIO_NONE);
    CHECK_NEAR(params.min_aspect_ratio, (double)MXIO_NONE, 0);
    mxio_params_free(&params);
}

/* "None" is no number: its stand-in is out of every range. */
TEST(the_number_behind_none_is_out_of_range)
{
    struct mxio_params params = usable();

    for (size_t i = 0; i < mxio_param_count; i++) {
        const struct mxio_param *row = &mxio_param_table[i];
        struct mxio_error err = MXIO_NO_ERROR;
        if (row->kind == MXIO_INT || row->kind == MXIO_FLAG)
            CHECK(refuses_int(&params, row, MXIO_NONE));
        if (row->kind == MXIO_REAL)
            CHECK_INT(mxio_params_set_real(&params, row, (double)MXIO_NONE, &err),
                      MXIO_EPARAM);
    }
    mxio_params_free(&params);
}

static bool
refuses_real(struct mxio_params *params, const struct mxio_param *row, double value)
{
    struct mxio_error err = MXIO_NO_ERROR;

    return mxio_params_set_real(params, row, value, &err) == MXIO_EPARAM &&
           err.status == MXIO_EPARAM &&
           strstr(err.message, mxio_param_shown(row)) != NULL;
}

TEST(real_numbers_are_kept_within_their_range)
{
    struct mxio_params params = usable();

    for (size_t i = 0; i < mxio_param_count; i++) {
        const struct mxio_param *row = &mxio_param_table[i];
        struct mxio_error err = MXIO_NO_ERROR;
        if (row->kind != MXIO_REAL)
            continue;
        CHECK_OK(mxio_params_set_real(&params, row, row->low, &err), err);
        CHECK_OK(mxio_params_set_real(&params, row, row->high, &err), err);
        CHECK(refuses_real(&params, row, nextafter(row->low, -INFINITY)));
        CHECK(refuses_real(&params, row, nextafter(row->high, INFINITY)));
        CHECK(refuses_real(&params, row, NAN));
        CHECK(refuses_real(&params, row, INFINITY));
        CHECK(refuses_real(&params, row, -INFINITY));
    }
    mxio_params_free(&params);
}

TEST(a_choice_is_a_place_in_its_list)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = usable();
    const struct mxio_param *dtype = mxio_param_find("dtype");
    const struct mxio_param *only = mxio_param_find("aug_seq");

    CHECK_OK(mxio_params_set_int(&params, dtype, 3, &err), err);
    CHECK_INT(params.dtype, MXIO_INT8);
    CHECK(refuses_int(&params, dtype, 5));
    CHECK(refuses_int(&params, dtype, -1));
    CHECK(refuses_int(&params, only, 1));
    mxio_params_free(&params);
}

TEST(a_shape_has_1_3_or_4_channels_and_sides_of_16_bits)
{
    static const struct mxio_shape right[] = {{1, 1, 1}, {3, 65535, 1}, {4, 1, 65535}};
    static const struct mxio_shape wrong[] =
        {{2, 8, 8},     {0, 8, 8},     {5, 8, 8},
         {-3, 8, 8},    {3, 0, 8},     {3, 8, 0},
         {3, 65536, 8}, {3, 8, 65536}, {3, 8, INT64_C(1) << 32},
         {3, -1, 8}};
    const struct mxio_param *row = mxio_param_find("data_shape");
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = usable();

    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++)
        CHECK_OK(mxio_params_set_shape(&params, row, right[i], &err), err);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK_INT(mxio_params_set_shape(&params, row, wrong[i], &err), MXIO_EPARAM);
        CHECK_SAYS(err.message, "data_shape");
    }
    CHECK_INT(params.data_shape.width, 65535);
    mxio_params_free(&params);
}

TEST(texts_are_copied_and_replaced)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = usable();
    const struct mxio_param *row = mxio_param_find("path_imgrec");
    char name[] = "first.rec";

    CHECK_OK(mxio_params_set_text(&params, row, name, &err), err);
    name[0] = 'X';
    CHECK(strcmp(params.path_imgrec, "first.rec") == 0);
    CHECK_OK(mxio_params_set_text(&params, row, params.path_imgrec, &err), err);
    CHECK(strcmp(params.path_imgrec, "first.rec") == 0);

    mxio_params_free(&params);
    mxio_params_free(&params);
}

TEST(a_text_that_cannot_be_copied_leaves_the_old_one)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = usable();

    mxio_alloc_fail_at(1);
    const enum mxio_status status =
        mxio_params_set_text(&params, mxio_param_find("path_imgrec"), "b.rec", &err);

    CHECK_INT(status, MXIO_ENOMEM);
    CHECK_SAYS(err.message, "path_imgrec");
    CHECK(strcmp(params.path_imgrec, "a.rec") == 0);
    mxio_params_free(&params);
}

static enum mxio_status
init_once(void *context, struct mxio_error *err)
{
    struct mxio_params params;
    const enum mxio_status status = mxio_params_init(&params, err);

    (void)context;
    if (status == MXIO_OK)
        mxio_params_free(&params);
    return status;
}

TEST(every_failing_allocation_of_init_is_survived)
{
    CHECK(faults_met(init_once, NULL) >= 6); /* one for each text */
}

/* Checks parameters as `change` leaves them; the message, "" when they pass. */
static const char *
verdict(void (*change)(struct mxio_params *params))
{
    static struct mxio_error err;
    struct mxio_params params = usable();

    err = MXIO_NO_ERROR;
    change(&params);
    const enum mxio_status status = mxio_params_check(&params, &err);
    mxio_params_free(&params);
    if (status != MXIO_OK && (status != MXIO_EPARAM || err.status != MXIO_EPARAM))
        return "another status than MXIO_EPARAM";
    return err.message;
}

static void
leave_alone(struct mxio_params *params)
{
    (void)params;
}

static void
take_path_away(struct mxio_params *params)
{
    params->path_imgrec[0] = '\0';
}

static void
take_shape_away(struct mxio_params *params)
{
    params->data_shape = (struct mxio_shape){0, 0, 0};
}

static void
take_batch_size_away(struct mxio_params *params)
{
    params->batch_size = 0;
}

static void
make_batch_huge(struct mxio_params *params)
{
    params->data_shape = (struct mxio_shape){4, 65535, 65535};
    params->batch_size = 1048576;
}

TEST(what_is_required_must_be_given)
{
    CHECK(strcmp(verdict(leave_alone), "") == 0);
    CHECK_SAYS(verdict(take_path_away), "path_imgrec");
    CHECK_SAYS(verdict(take_shape_away), "data_shape");
    CHECK_SAYS(verdict(take_batch_size_away), "batch_size");
    CHECK_SAYS(verdict(make_batch_huge), "2^40");
}

static void
ask_for_part_behind_the_last(struct mxio_params *params)
{
    params->num_parts = 4;
    params->part_index = 4;
}

static void
ask_for_the_last_part(struct mxio_params *params)
{
    params->num_parts = 4;
    params->part_index = 3;
}

static void
ask_for_rank_behind_the_last(struct mxio_params *params)
{
    params->world_size = 2;
    params->rank = 2;
}

static void
ask_for_a_rank_without_world(struct mxio_params *params)
{
    params->rank = 1;
}

static void
skip_with_two_ranks(struct mxio_params *params)
{
    params->world_size = 2;
    params->on_error = MXIO_SKIP;
}

static void
replace_with_two_ranks(struct mxio_params *params)
{
    params->world_size = 2;
    params->rank = 1;
    params->on_error = MXIO_REPLACE;
}

TEST(parts_and_ranks_lie_below_their_numbers)
{
    CHECK_SAYS(verdict(ask_for_part_behind_the_last), "[0, num_parts - 1] = [0, 3]");
    CHECK(strcmp(verdict(ask_for_the_last_part), "") == 0);
    CHECK_SAYS(verdict(ask_for_rank_behind_the_last), "[0, 1], got 2");
    CHECK_SAYS(verdict(ask_for_a_rank_without_world), "[0, 0], got 1");
    CHECK_SAYS(verdict(skip_with_two_ranks), "on_error='skip'");
    CHECK(strcmp(verdict(replace_with_two_ranks), "") == 0);
}

static void
give_area_alone(struct mxio_params *params)
{
    params->min_random_area = 0.5;
}

static void
crop_the_usual_way(struct mxio_params *params)
{
    params->random_resized_crop = 1;
    params->min_random_area = 0.08;
    params->min_aspect_ratio = 3.0 / 4;
    params->max_aspect_ratio = 4.0 / 3;
}

static void
crop_both_ways(struct mxio_params *params)
{
    crop_the_usual_way(params);
    params->rand_crop = 1;
}

static void
crop_and_scale(struct mxio_params *params)
{
    crop_the_usual_way(params);
    params->max_random_scale = 2;
}

static void
turn_areas_round(struct mxio_params *params)
{
    crop_the_usual_way(params);
    params->max_random_area = 0.01;
}

static void
take_no_area(struct mxio_params *params)
{
    crop_the_usual_way(params);
    params->min_random_area = params->max_random_area = 0;
}

static void
turn_ratios_round(struct mxio_params *params)
{
    crop_the_usual_way(params);
    params->min_aspect_ratio = 2;
}

static void
reach_ratio_0(struct mxio_params *params)
{
    params->random_resized_crop = 1;
    params->max_aspect_ratio = 1;
}

TEST(a_random_resized_crop_has_sensible_ranges)
{
    CHECK_SAYS(verdict(give_area_alone), "need random_resized_crop");
    CHECK(strcmp(verdict(crop_the_usual_way), "") == 0);
    CHECK_SAYS(verdict(crop_both_ways), "rand_crop");
    CHECK_SAYS(verdict(crop_and_scale), "max_random_scale");
    CHECK_SAYS(verdict(turn_areas_round), "min_random_area=0.08");
    CHECK_SAYS(verdict(take_no_area), "max_random_area must be above 0");
    CHECK_SAYS(verdict(turn_ratios_round), "min_aspect_ratio=2");
    CHECK_SAYS(verdict(reach_ratio_0), "above 0, got 0");
}

static void
give_one_square(struct mxio_params *params)
{
    params->max_crop_size = 20;
}

static void
turn_squares_round(struct mxio_params *params)
{
    params->min_crop_size = 21;
    params->max_crop_size = 20;
}

static void
give_squares(struct mxio_params *params)
{
    params->min_crop_size = params->max_crop_size = 20;
}

static void
turn_scales_round(struct mxio_params *params)
{
    params->min_random_scale = 2;
}

static void
turn_canvas_round(struct mxio_params *params)
{
    params->min_img_size = 100;
    params->max_img_size = 50;
}

static void
ask_for_no_method(struct mxio_params *params)
{
    params->inter_method = 5;
}

static void
rotate_by_nearest(struct mxio_params *params)
{
    params->inter_method = 0;
    params->rotate = 30;
}

TEST(sizes_scales_and_methods_fit_together)
{
    CHECK_SAYS(verdict(give_one_square), "min_crop_size");
    CHECK_SAYS(verdict(turn_squares_round), "got 21 and 20");
    CHECK(strcmp(verdict(give_squares), "") == 0);
    CHECK_SAYS(verdict(turn_scales_round), "min_random_scale=2");
    CHECK_SAYS(verdict(turn_canvas_round), "min_img_size=100");
    CHECK_SAYS(verdict(ask_for_no_method), "inter_method");
    CHECK_SAYS(verdict(rotate_by_nearest), "inter_method=0");
}

/* What is said of this rotate_list. */
static const char *
verdict_on_angles(const char *angles)
{
    static struct mxio_error err;
    struct mxio_params params = usable();

    err = MXIO_NO_ERROR;
    if (mxio_params_set_text(&params, mxio_param_find("rotate_list"), angles, &err) !=
            MXIO_OK ||
        mxio_params_check(&params, &err) == MXIO_OK)
        err.message[0] = '\0';
    mxio_params_free(&params);
    return err.message;
}

TEST(angles_are_whole_degrees_between_commas)
{
    static const char *const wrong[] = {"x",      "10,",  ",10",
                                        "10,,20", "1.5",  "10;20",
                                        "361",    "-361", "99999999999999999999"};
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = usable();

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_SAYS(verdict_on_angles(wrong[i]), "rotate_list");
    CHECK(strcmp(verdict_on_angles("10"), "") == 0);
    CHECK(strcmp(verdict_on_angles("-360,0,360"), "") == 0);
    CHECK_INT(mxio_params_rotations(&params), 0);
    CHECK_OK(mxio_params_set_text(&params, mxio_param_find("rotate_list"), "10,-20,30",
                                  &err),
             err);
    CHECK_INT(mxio_params_rotations(&params), 3);
    CHECK_INT(mxio_params_rotation(&params, 0), 10);
    CHECK_INT(mxio_params_rotation(&params, 1), -20);
    CHECK_INT(mxio_params_rotation(&params, 2), 30);
    mxio_params_free(&params);
}

/* MXNet's rule: what makes the affine step run. */
TEST(each_parameter_of_the_affine_step_asks_for_it)
{
    static const char *const numbers[] = {"max_rotate_angle", "rotate"};
    static const char *const reals[] = {"max_shear_ratio",  "max_random_scale",
                                        "min_random_scale", "max_aspect_ratio",
                                        "max_img_size",     "min_img_size"};
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = usable();
    CHECK(!mxio_params_is_affine(&params));

    for (int i = 0; i < 8; i++) {
        struct mxio_params changed = usable();
        if (i < 2)
            CHECK_OK(mxio_params_set_int(&changed, mxio_param_find(numbers[i]), 5,
                                         &err),
                     err);
        else
            CHECK_OK(mxio_params_set_real(&changed, mxio_param_find(reals[i - 2]), 50,
                                          &err),
                     err);
        CHECK(mxio_params_is_affine(&changed));
        mxio_params_free(&changed);
    }
    /* The ratio is random_resized_crop's then. */
    params.random_resized_crop = 1;
    params.max_aspect_ratio = 0.5;
    CHECK(!mxio_params_is_affine(&params));
    mxio_params_free(&params);
}

static void
saturate_gray(struct mxio_params *params)
{
    params->data_shape.channels = 1;
    params->saturation = 0.5;
}

static void
turn_hue_of_gray(struct mxio_params *params)
{
    params->data_shape.channels = 1;
    params->random_h = 5;
}

static void
brighten_gray(struct mxio_params *params)
{
    params->data_shape.channels = 1;
    params->brightness = params->contrast = 0.5;
    params->random_l = 5;
}

TEST(colours_need_channels)
{
    CHECK_SAYS(verdict(saturate_gray), "need 3 or 4 channels");
    CHECK_SAYS(verdict(turn_hue_of_gray), "need 3 or 4 channels");
    CHECK(strcmp(verdict(brighten_gray), "") == 0);
}

static void
scale_bytes(struct mxio_params *params)
{
    params->dtype = MXIO_UINT8;
    params->scale = 0.5;
}

static void
centre_bytes(struct mxio_params *params)
{
    params->dtype = MXIO_UINT8;
    params->mean_a = 1;
}

static void
centre_int8(struct mxio_params *params)
{
    params->dtype = MXIO_INT8;
    params->mean_r = 128;
}

static void
divide_int8(struct mxio_params *params)
{
    params->dtype = MXIO_INT8;
    params->std_g = 2;
}

static void
contrast_bytes(struct mxio_params *params)
{
    params->dtype = MXIO_UINT8;
    params->max_random_contrast = 0.5;
}

static void
illuminate_int8(struct mxio_params *params)
{
    params->dtype = MXIO_INT8;
    params->max_random_illumination = 5;
}

static void
normalise_half(struct mxio_params *params)
{
    params->dtype = MXIO_FLOAT16;
    params->mean_r = 1;
    params->std_a = 2;
    params->scale = 3;
}

TEST(bytes_take_no_normalisation_that_would_be_ignored)
{
    CHECK_SAYS(verdict(scale_bytes), "dtype='uint8'");
    CHECK_SAYS(verdict(centre_bytes), "dtype='uint8'");
    CHECK(strcmp(verdict(centre_int8), "") == 0);
    CHECK_SAYS(verdict(divide_int8), "dtype='int8'");
    CHECK(strcmp(verdict(normalise_half), "") == 0);
    CHECK_SAYS(verdict(contrast_bytes), "max_random_contrast");
    CHECK_SAYS(verdict(illuminate_int8), "max_random_illumination");
}

TEST(sizes_follow_shape_and_dtype)
{
    static const size_t value_sizes[] = {[MXIO_FLOAT32] = 4,
                                         [MXIO_FLOAT16] = 2,
                                         [MXIO_UINT8] = 1,
                                         [MXIO_INT8] = 1,
                                         [MXIO_BFLOAT16] = 2};
    struct mxio_params params = usable();

    CHECK_INT(mxio_params_sample_values(&params), 2352);
    for (int dtype = 0; dtype < 5; dtype++) {
        params.dtype = dtype;
        CHECK_INT(mxio_params_value_size(&params), value_sizes[dtype]);
    }
    mxio_params_free(&params);
}

/* MXNet's rule: given, or 1 -+ max_aspect_ratio. */
TEST(the_aspect_range_is_given_or_lies_around_1)
{
    struct mxio_params params = usable();
    double low, high;

    params.max_aspect_ratio = 0.25;
    mxio_params_aspect(&params, &low, &high);
    CHECK_NEAR(low, 0.75, 0);
    CHECK_NEAR(high, 1.25, 0);
    params.min_aspect_ratio = 0.2;
    mxio_params_aspect(&params, &low, &high);
    CHECK_NEAR(low, 0.2, 0);
    CHECK_NEAR(high, 0.25, 0);
    mxio_params_free(&params);
}

int
main(void)
{
    RUN(a_parameter_is_found_by_its_name);
    RUN(rows_lead_to_the_fields_of_their_names);
    RUN(defaults_are_the_documented_ones);
    RUN(whole_numbers_are_kept_within_their_range);
    RUN(none_is_taken_where_it_is_the_default_and_nowhere_else);
    RUN(the_number_behind_none_is_out_of_range);
    RUN(real_numbers_are_kept_within_their_range);
    RUN(a_choice_is_a_place_in_its_list);
    RUN(a_shape_has_1_3_or_4_channels_and_sides_of_16_bits);
    RUN(texts_are_copied_and_replaced);
    RUN(a_text_that_cannot_be_copied_leaves_the_old_one);
    RUN(every_failing_allocation_of_init_is_survived);
    RUN(what_is_required_must_be_given);
    RUN(parts_and_ranks_lie_below_their_numbers);
    RUN(a_random_resized_crop_has_sensible_ranges);
    RUN(sizes_scales_and_methods_fit_together);
    RUN(angles_are_whole_degrees_between_commas);
    RUN(each_parameter_of_the_affine_step_asks_for_it);
    RUN(colours_need_channels);
    RUN(bytes_take_no_normalisation_that_would_be_ignored);
    RUN(sizes_follow_shape_and_dtype);
    RUN(the_aspect_range_is_given_or_lies_around_1);
    return check_result();
}
