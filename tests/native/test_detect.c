#include "detect.h"

#include <math.h>

#include "faults.h"
#include "records.h"

static struct mxio_params
params_for(int height, int width)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params;

    MUST(mxio_params_init(&params, &err) == MXIO_OK, "mxio_params_init");
    params.detect = 1;
    params.data_shape = (struct mxio_shape){1, height, width};
    params.dtype = MXIO_UINT8;
    params.layout = MXIO_NHWC;
    return params;
}

static void
set_list(struct mxio_params *params, const char *name, size_t count,
         const double *values)
{
    struct mxio_error err = MXIO_NO_ERROR;

    if (mxio_params_set_list(params, mxio_param_find(name), values, count, &err) !=
        MXIO_OK)
        check_failed(__FILE__, __LINE__, "%s", err.message);
}

#define SET(params, name, ...)                                                         \
    set_list(params, name, sizeof((const double[]){__VA_ARGS__}) / sizeof(double),     \
             (const double[]){__VA_ARGS__})

#define MOST_OBJECTS 8

/* A label in memory of its own; objects are {left, top, right, bottom}, numbered. */
struct scene {
    float numbers[2 + 5 * MOST_OBJECTS];
    struct mxio_detlabel label;
};

static void
set_scene(struct scene *scene, size_t count, const float (*boxes)[4])
{
    scene->numbers[0] = 2;
    scene->numbers[1] = 5;
    scene->label = (struct mxio_detlabel){scene->numbers, 2, 5, count, 0};
    for (size_t i = 0; i < count; i++) {
        scene->numbers[2 + 5 * i] = (float)i;
        memcpy(scene->numbers + 3 + 5 * i, boxes[i], sizeof boxes[i]);
    }
}

static const float three[3][4] = {{.125F, .25F, .375F, .75F},
                                  {.5F, .5F, 1, 1},
                                  {.6F, .1F, .7F, .2F}};

static struct mxio_detection
draw(const struct mxio_params *params, uint64_t record, int width, int height,
     struct scene *scene)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_detection out = {.plan = {.step_count = -1}};

    set_scene(scene, 3, three);
    if (mxio_detect_draw(params, mxio_rng_make(1, 0, record),
                         (struct mxio_size){width, height}, &scene->label, &out,
                         &err) != MXIO_OK)
        check_failed(__FILE__, __LINE__, "%s", err.message);
    return out;
}

static bool
is_step(const struct mxio_plan *plan, int i, enum mxio_step_kind kind, int x, int y,
        int width, int height)
{
    const struct mxio_rect to = plan->steps[i].to;

    return i < plan->step_count && plan->steps[i].kind == kind && to.x == x &&
           to.y == y && to.width == width && to.height == height;
}

static bool
is_box(const float *object, double left, double top, double right, double bottom)
{
    return fabs(object[1] - left) < 1e-5 && fabs(object[2] - top) < 1e-5 &&
           fabs(object[3] - right) < 1e-5 && fabs(object[4] - bottom) < 1e-5;
}

static bool
is_whole(struct mxio_box box)
{
    return box.x == 0 && box.y == 0 && box.width == 1 && box.height == 1;
}

/* ---- fit ---- */

TEST(nothing_asked_for_is_a_resize_to_data_shape)
{
    struct mxio_params params = params_for(20, 30);
    struct scene scene;

    const struct mxio_detection got = draw(&params, 0, 64, 48, &scene);

    CHECK_INT(got.plan.step_count, 1);
    CHECK(is_step(&got.plan, 0, MXIO_STEP_RESIZE, 0, 0, 30, 20));
    CHECK(!got.plan.mirror && !got.plan.color.hls && !got.plan.color.gain);
    CHECK(is_whole(got.pad) && is_whole(got.crop));
    CHECK(got.shown.width == 30 && got.shown.height == 20);
    CHECK_INT(scene.label.count, 3);
    for (size_t i = 0; i < 3; i++)
        CHECK(is_box(mxio_detlabel_object(&scene.label, i), three[i][0], three[i][1],
                     three[i][2], three[i][3]));
    mxio_params_free(&params);
}

/* ratio = min(h / rows, w / cols); fit always, shrink only below 1; int() of the sides. */
TEST(fit_and_shrink_keep_the_aspect_ratio)
{
    static const struct {
        int mode, from[2], shape[2], shown[2]; /* width, height */
    } cases[] = {
        {MXIO_FIT, {100, 50}, {48, 48}, {48, 24}},
        {MXIO_FIT, {50, 100}, {48, 48}, {24, 48}},
        {MXIO_FIT, {10, 5}, {48, 48}, {48, 24}},
        {MXIO_FIT, {7, 3}, {10, 10}, {10, 4}}, /* 3 * 10 / 7 = 4.28 */
        {MXIO_FIT, {1000, 1}, {10, 10}, {10, 1}},
        {MXIO_FIT, {48, 48}, {48, 48}, {48, 48}},
        {MXIO_SHRINK, {100, 50}, {48, 48}, {48, 24}},
        {MXIO_SHRINK, {10, 5}, {48, 48}, {10, 5}},
        {MXIO_SHRINK, {10, 96}, {48, 48}, {5, 48}},
        {MXIO_FORCE, {10, 96}, {48, 40}, {48, 40}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int mirror = 0; mirror < 2; mirror++) {
            const int *shape = cases[i].shape, *shown = cases[i].shown;
            struct mxio_params params = params_for(shape[1], shape[0]);
            struct scene scene;
            params.resize_mode = cases[i].mode;
            params.rand_mirror_prob = mirror;
            const struct mxio_detection got =
                draw(&params, 0, cases[i].from[0], cases[i].from[1], &scene);
            CHECK_INT(got.shown.width, shown[0]);
            CHECK_INT(got.shown.height, shown[1]);
            /* The flip comes last, so the border of a mirrored image is on its left. */
            if (shown[0] != shape[0] || shown[1] != shape[1])
                CHECK(is_step(&got.plan, got.plan.step_count - 1, MXIO_STEP_PAD,
                              mirror ? shown[0] - shape[0] : 0, 0, shape[0], shape[1]));
            mxio_params_free(&params);
        }
}

/* ---- mirror, pad ---- */

TEST(a_mirrored_image_has_mirrored_boxes)
{
    struct mxio_params params = params_for(20, 30);
    struct scene scene;
    params.rand_mirror_prob = 1;

    const struct mxio_detection got = draw(&params, 0, 64, 48, &scene);

    CHECK(got.plan.mirror);
    CHECK(is_box(mxio_detlabel_object(&scene.label, 0), .625, .25, .875, .75));
    CHECK(is_box(mxio_detlabel_object(&scene.label, 1), 0, .5, .5, 1));
    CHECK(is_box(mxio_detlabel_object(&scene.label, 2), .3, .1, .4, .2));
    mxio_params_free(&params);
}

/* Borders int(x0 * cols), ...; boxes (v + x0) / s. */
TEST(a_padded_image_lies_where_its_boxes_say)
{
    enum { COLS = 64, ROWS = 48 };

    for (uint64_t record = 0; record < 400; record++) {
        const bool mirror = record % 2 == 1;
        struct mxio_params params = params_for(20, 30);
        struct scene scene;
        params.rand_pad_prob = 1;
        params.max_pad_scale = 3;
        params.rand_mirror_prob = mirror;
        const struct mxio_detection got = draw(&params, record, COLS, ROWS, &scene);
        const double s = got.pad.width, x = -got.pad.x, y = -got.pad.y;
        if (is_whole(got.pad)) {
            CHECK_INT(got.plan.step_count, 1);
            mxio_params_free(&params);
            continue;
        }
        CHECK(s >= 1.05 - 1e-6 && s <= 3 && got.pad.height == got.pad.width);
        CHECK(x >= 0 && x <= s - 1 + 1e-6 && y >= 0 && y <= s - 1 + 1e-6);
        const struct mxio_rect to = got.plan.steps[0].to;
        const double left = mirror ? to.width - COLS + to.x : -to.x;
        CHECK_INT(got.plan.steps[0].kind, MXIO_STEP_PAD);
        CHECK_NEAR(left, floor(x * COLS), 1e-4);
        CHECK_NEAR(-to.y, floor(y * ROWS), 1e-4);
        CHECK_NEAR(to.width, left + COLS + floor((s - x - 1) * COLS), 1e-4);
        CHECK_NEAR(to.height, -to.y + ROWS + floor((s - y - 1) * ROWS), 1e-4);
        const double first = mirror ? .625 : .125, last = mirror ? .875 : .375;
        CHECK(is_box(mxio_detlabel_object(&scene.label, 0), (first + x) / s,
                     (.25 + y) / s, (last + x) / s, (.75 + y) / s));
        CHECK_INT(scene.label.count, 3);
        mxio_params_free(&params);
    }
}

TEST(a_pad_beyond_max_pixels_is_refused)
{
    struct mxio_params params = params_for(8, 8);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_detection out;
    struct scene scene;
    params.rand_pad_prob = 1;
    params.max_pad_scale = 1000;
    params.max_pixels = 1000;
    set_scene(&scene, 3, three);

    CHECK_INT(mxio_detect_draw(&params, mxio_rng_make(1, 0, 0),
                               (struct mxio_size){30, 30}, &scene.label, &out, &err),
              MXIO_EDATA);
    CHECK_SAYS(err.message, "padding 30 x 30 pixels");
    mxio_params_free(&params);
}

/* ---- crop ---- */

static double
common(struct mxio_box crop, const float box[4])
{
    const double width = fmin((double)crop.x + crop.width, (double)box[2]) -
                         (double)fmaxf(crop.x, box[0]);
    const double height = fmin((double)crop.y + crop.height, (double)box[3]) -
                          (double)fmaxf(crop.y, box[1]);

    return fmax(width, 0) * fmax(height, 0);
}

static double
area(const float box[4])
{
    return ((double)box[2] - box[0]) * ((double)box[3] - box[1]);
}

/* The kept objects are those whose centre is inside, in their order, clipped. */
static bool
keeps_centres(struct mxio_box crop, const struct mxio_detlabel *label)
{
    size_t kept = 0;

    for (int i = 0; i < 3; i++) {
        const float *box = three[i];
        const double x = (box[0] + box[2]) / 2, y = (box[1] + box[3]) / 2;
        if (x < crop.x || x >= crop.x + crop.width || y < crop.y ||
            y >= crop.y + crop.height)
            continue;
        const float *object = mxio_detlabel_object(label, kept++);
        if (kept > label->count || object[0] != (float)i ||
            !is_box(object, fmaxf(0, (box[0] - crop.x) / crop.width),
                    fmaxf(0, (box[1] - crop.y) / crop.height),
                    fminf(1, (box[2] - crop.x) / crop.width),
                    fminf(1, (box[3] - crop.y) / crop.height)))
            return false;
    }
    return kept == label->count && kept > 0;
}

static bool
is_cut_there(const struct mxio_detection *got, int cols, int rows)
{
    const int width = (int)(got->crop.width * (float)cols);
    const int height = (int)(got->crop.height * (float)rows);
    const int x = (int)(got->crop.x * (float)cols);
    const int y = (int)(got->crop.y * (float)rows);

    if (width == cols && height == rows)
        return true;
    return is_step(&got->plan, 0, MXIO_STEP_CROP,
                   got->plan.mirror ? cols - x - width : x, y, width, height);
}

TEST(a_crop_keeps_objects_by_their_centres)
{
    int cropped = 0;

    for (uint64_t record = 0; record < 500; record++) {
        struct mxio_params params = params_for(20, 30);
        struct scene scene;
        params.rand_crop_prob = 1;
        SET(&params, "min_crop_scales", .3);
        SET(&params, "min_crop_aspect_ratios", .5);
        SET(&params, "max_crop_aspect_ratios", 2);
        const struct mxio_detection got = draw(&params, record, 64, 48, &scene);
        CHECK(got.crop.x >= 0 && got.crop.y >= 0);
        CHECK(got.crop.x + got.crop.width <= 1 + 1e-6F);
        CHECK(got.crop.y + got.crop.height <= 1 + 1e-6F);
        if (!is_whole(got.crop)) {
            CHECK(keeps_centres(got.crop, &scene.label));
            CHECK(is_cut_there(&got, 64, 48));
            cropped++;
        }
        mxio_params_free(&params);
    }
    CHECK(cropped > 450);
}

/* w = min(1, scale * r), h = min(1, scale / r); r^2 within the ratios by that of the image
 * where the scale leaves room for it. */
TEST(scale_and_ratio_of_a_crop_are_within_their_ranges)
{
    enum { COLS = 200, ROWS = 100 };

    for (uint64_t record = 0; record < 500; record++) {
        struct mxio_params params = params_for(20, 30);
        struct scene scene;
        params.rand_crop_prob = 1;
        SET(&params, "min_crop_scales", .2);
        SET(&params, "max_crop_scales", .5);
        SET(&params, "min_crop_aspect_ratios", .75);
        SET(&params, "max_crop_aspect_ratios", 1.5);
        SET(&params, "max_crop_trials", 1000);
        const struct mxio_detection got = draw(&params, record, COLS, ROWS, &scene);
        const double width = got.crop.width, height = got.crop.height;
        const double ratio = width * COLS / (height * ROWS);
        CHECK(sqrt(width * height) > .2 - 1e-6 && sqrt(width * height) < .5 + 1e-6);
        CHECK(ratio > .75 - 1e-5 && ratio < 1.5 + 1e-5);
        mxio_params_free(&params);
    }
}

/* At least one object is inside every interval. */
TEST(the_constraints_of_a_sampler_hold_for_its_crop)
{
    static const struct {
        const char *low_name, *high_name;
        double low, high;
        int kind;
    } cases[] = {
        {"min_crop_overlaps", "max_crop_overlaps", .3, .6, 0},
        {"min_crop_sample_coverages", "max_crop_sample_coverages", .4, .8, 1},
        {"min_crop_object_coverages", "max_crop_object_coverages", .5, .9, 2},
    };

    for (size_t c = 0; c < 3; c++) {
        int cropped = 0;
        for (uint64_t record = 0; record < 200; record++) {
            struct mxio_params params = params_for(20, 30);
            struct scene scene;
            bool holds = false;
            params.rand_crop_prob = 1;
            SET(&params, "min_crop_scales", .1);
            SET(&params, "max_crop_trials", 500);
            SET(&params, cases[c].low_name, cases[c].low);
            SET(&params, cases[c].high_name, cases[c].high);
            const struct mxio_detection got = draw(&params, record, 64, 64, &scene);
            const double whole = (double)got.crop.width * got.crop.height;
            for (int i = 0; i < 3; i++) {
                const double shared = common(got.crop, three[i]);
                const double shares[3] = {shared / (whole + area(three[i]) - shared),
                                          shared / whole, shared / area(three[i])};
                holds = holds || (shares[cases[c].kind] >= cases[c].low - 1e-5 &&
                                  shares[cases[c].kind] <= cases[c].high + 1e-5);
            }
            CHECK(holds || is_whole(got.crop));
            cropped += !is_whole(got.crop);
            mxio_params_free(&params);
        }
        CHECK(cropped > 150);
    }
}

TEST(by_overlap_objects_are_kept_that_are_inside_by_more_than_the_threshold)
{
    for (uint64_t record = 0; record < 300; record++) {
        struct mxio_params params = params_for(20, 30);
        struct scene scene;
        size_t kept = 0;
        params.rand_crop_prob = 1;
        params.crop_emit_mode = MXIO_EMIT_OVERLAP;
        params.emit_overlap_thresh = .4;
        SET(&params, "min_crop_scales", .3);
        const struct mxio_detection got = draw(&params, record, 64, 64, &scene);
        for (int i = 0; i < 3; i++)
            kept += common(got.crop, three[i]) / area(three[i]) > .4;
        CHECK_INT(scene.label.count, kept);
        CHECK(kept > 0);
        for (size_t i = 0; i < kept; i++) {
            const float *object = mxio_detlabel_object(&scene.label, i);
            CHECK(object[1] >= 0 && object[2] >= 0 && object[3] <= 1 && object[4] <= 1);
            CHECK(object[1] < object[3] && object[2] < object[4]);
        }
        mxio_params_free(&params);
    }
}

TEST(without_a_good_crop_the_image_stays_whole)
{
    struct mxio_params params = params_for(20, 30);
    struct scene scene;
    params.rand_crop_prob = 1;
    SET(&params, "max_crop_scales", .2);
    SET(&params, "min_crop_overlaps", .99);

    const struct mxio_detection got = draw(&params, 3, 64, 48, &scene);

    CHECK(is_whole(got.crop));
    CHECK_INT(got.plan.step_count, 1);
    CHECK_INT(scene.label.count, 3);
    CHECK(is_box(mxio_detlabel_object(&scene.label, 1), .5, .5, 1, 1));
    mxio_params_free(&params);
}

TEST(an_image_without_objects_takes_the_first_crop_even_of_no_size)
{
    struct mxio_params params = params_for(8, 8);
    struct mxio_error err = MXIO_NO_ERROR;
    params.rand_crop_prob = 1;
    SET(&params, "max_crop_scales", 0);
    SET(&params, "min_crop_aspect_ratios", 0);
    SET(&params, "min_crop_overlaps", .9);

    for (uint64_t record = 0; record < 100; record++) {
        struct mxio_detection got;
        struct scene scene;
        set_scene(&scene, 0, NULL);
        CHECK_OK(mxio_detect_draw(&params, mxio_rng_make(1, 0, record),
                                  (struct mxio_size){40, 30}, &scene.label, &got, &err),
                 err);
        const struct mxio_rect to = got.plan.steps[0].to;
        CHECK_INT(got.plan.steps[0].kind, MXIO_STEP_CROP);
        CHECK(to.width >= 1 && to.height >= 1 && to.x >= 0 && to.y >= 0);
        CHECK(to.x + to.width <= 40 && to.y + to.height <= 30);
    }
    mxio_params_free(&params);
}

/* Sampler 0 makes small crops, sampler 1 large ones, sampler 2 none. */
TEST(samplers_come_in_random_order_and_the_next_helps_out)
{
    int small = 0, large = 0;

    for (uint64_t record = 0; record < 400; record++) {
        struct mxio_params params = params_for(20, 30);
        struct scene scene;
        params.rand_crop_prob = 1;
        params.num_crop_sampler = 3;
        params.crop_emit_mode = MXIO_EMIT_OVERLAP;
        params.emit_overlap_thresh = 0;
        SET(&params, "min_crop_scales", .4, .8, .1);
        SET(&params, "max_crop_scales", .5, .9, .2);
        SET(&params, "min_crop_overlaps", 0, 0, .99);
        const struct mxio_detection got = draw(&params, record, 64, 64, &scene);
        small += got.crop.width < .6F;
        large += got.crop.width > .7F;
        mxio_params_free(&params);
    }
    CHECK_INT(small + large, 400);
    CHECK(small > 150 && large > 150);
}

/* ---- colours ---- */

TEST(each_change_of_colour_comes_with_its_share_and_within_its_range)
{
    enum { COUNT = 4000 };
    int hue = 0, lightness = 0, saturation = 0, gain = 0, most = 0;

    for (uint64_t record = 0; record < COUNT; record++) {
        struct mxio_params params = params_for(20, 30);
        struct scene scene;
        params.resize = 30;
        params.random_hue_prob = .5;
        params.max_random_hue = 18;
        params.random_saturation_prob = .25;
        params.max_random_saturation = 32;
        params.random_illumination_prob = .75;
        params.max_random_illumination = 20;
        params.random_contrast_prob = .1;
        params.max_random_contrast = .5;
        const struct mxio_detection got = draw(&params, record, 64, 48, &scene);
        const struct mxio_color_plan *color = &got.plan.color;
        hue += color->hls_shift[0] != 0;
        lightness += color->hls_shift[1] != 0;
        saturation += color->hls_shift[2] != 0;
        gain += color->gain;
        most = abs(color->hls_shift[0]) > most ? abs(color->hls_shift[0]) : most;
        CHECK(abs(color->hls_shift[1]) < 20 && abs(color->hls_shift[2]) < 32);
        CHECK(color->gain_factor >= .5F && color->gain_factor <= 1.5F);
        CHECK_INT(got.plan.color_at, 1); /* behind the resize, before all else */
        mxio_params_free(&params);
    }
    CHECK_INT(most, 17);
    /* Cut to 0: those below 1 of `max`. */
    CHECK_NEAR(hue, COUNT * .5 * 17 / 18, 150);
    CHECK_NEAR(lightness, COUNT * .75 * 19 / 20, 150);
    CHECK_NEAR(saturation, COUNT * .25 * 31 / 32, 150);
    CHECK_NEAR(gain, COUNT * .1, 100);
}

/* ---- the whole ---- */

TEST(the_plan_is_the_same_for_the_same_key)
{
    struct mxio_params params = params_for(20, 30);
    params.rand_crop_prob = params.rand_pad_prob = params.rand_mirror_prob = .5;
    params.max_pad_scale = 2;

    for (uint64_t record = 0; record < 50; record++) {
        struct scene a = {0}, b = {0};
        const struct mxio_detection one = draw(&params, record, 64, 48, &a);
        const struct mxio_detection two = draw(&params, record, 64, 48, &b);
        CHECK_INT(one.plan.step_count, two.plan.step_count);
        CHECK_BYTES(&one.crop, &two.crop, sizeof one.crop);
        CHECK_BYTES(&one.pad, &two.pad, sizeof one.pad);
        CHECK_BYTES(a.numbers, b.numbers, sizeof a.numbers);
    }
    mxio_params_free(&params);
}

/* How far the sides of the first box are from those of the marked pixels, in pixels of the
 * picture; a side may lose 1 to each rounding: border, crop, resize. */
static double
apart(const struct mxio_params *params, const struct mxio_detection *got,
      const struct mxio_detlabel *label, const uint8_t *pixels)
{
    const int width = (int)params->data_shape.width;
    const float *object = mxio_detlabel_object(label, 0);
    const double scale = got->shown.width / (64.0 * got->pad.width * got->crop.width);
    int left = width, right = -1;

    for (int y = 0; y < got->shown.height; y++)
        for (int x = 0; x < got->shown.width; x++)
            if (pixels[y * width + x] > 200) {
                left = x < left ? x : left;
                right = x > right ? x : right;
            }
    return fmax(fabs((double)object[1] * got->shown.width - left),
                fabs((double)object[3] * got->shown.width - (right + 1))) /
           fmax(scale, 1);
}

TEST(pixels_and_boxes_stay_together)
{
    enum { COLS = 64, ROWS = 48 };
    static const float mark[1][4] = {{.25F, .25F, .5F, .75F}};
    static uint8_t pixels[COLS * ROWS + MXIO_SLACK], out[80 * 80];
    for (int y = 12; y < 36; y++)
        memset(pixels + y * COLS + 16, 255, 16);
    const struct mxio_view view = {pixels, COLS, COLS, ROWS, 1, {0, 0, COLS, ROWS}};

    for (uint64_t record = 0; record < 300; record++) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_params params = params_for(80, 80);
        struct mxio_emitter emitter;
        struct mxio_detection got;
        struct scene scene;
        params.resize_mode = (int64_t)(record % 3);
        params.rand_mirror_prob = .5;
        params.rand_pad_prob = params.rand_crop_prob = .6;
        params.max_pad_scale = 1.6;
        SET(&params, "min_crop_scales", .6);
        SET(&params, "min_crop_object_coverages", 1);
        params.inter_method = 0;
        set_scene(&scene, 1, mark);
        CHECK_OK(mxio_emitter_make(&emitter, &params, NULL, &err), err);
        struct mxio_augmenter augmenter = {.emitter = &emitter};
        CHECK_OK(mxio_detect_draw(&params, mxio_rng_make(1, 0, record),
                                  (struct mxio_size){COLS, ROWS}, &scene.label, &got,
                                  &err),
                 err);
        CHECK_OK(mxio_plan_apply(&augmenter, &got.plan, &view, out, &err), err);
        CHECK_INT(scene.label.count, 1);
        CHECK_NEAR(apart(&params, &got, &scene.label, out), 0, 2.5);
        for (int y = 0; y < 80; y++)
            for (int x = 0; x < 80; x++)
                if (x >= got.shown.width || y >= got.shown.height)
                    CHECK_INT(out[y * 80 + x], 127);
        mxio_augmenter_free(&augmenter);
        mxio_emitter_free(&emitter);
        mxio_params_free(&params);
    }
}

TEST(colours_change_the_image_and_not_its_border)
{
    static uint8_t pixels[6 + MXIO_SLACK] = {10, 20, 30, 40, 50, 60};
    const struct mxio_view view = {pixels, 3, 3, 2, 1, {0, 0, 3, 2}};
    static const uint8_t plain[12] = {10, 20, 30, 9, 40, 50, 60, 9, 9, 9, 9, 9};
    static const uint8_t flipped[12] = {30, 20, 10, 9, 60, 50, 40, 9, 9, 9, 9, 9};

    for (uint64_t record = 0; record < 20; record++) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_params params = params_for(3, 4);
        struct mxio_emitter emitter;
        struct scene scene;
        uint8_t out[12];
        params.resize_mode = MXIO_SHRINK;
        params.det_fill_value = 9;
        params.rand_mirror_prob = .5;
        params.random_contrast_prob = 1;
        params.max_random_contrast = .5;
        CHECK_OK(mxio_emitter_make(&emitter, &params, NULL, &err), err);
        struct mxio_augmenter augmenter = {.emitter = &emitter};
        const struct mxio_detection got = draw(&params, record, 3, 2, &scene);
        const float factor = got.plan.color.gain_factor;
        CHECK_OK(mxio_plan_apply(&augmenter, &got.plan, &view, out, &err), err);
        for (int i = 0; i < 12; i++) {
            const uint8_t from = (got.plan.mirror ? flipped : plain)[i];
            CHECK_NEAR(out[i], from == 9 ? 9 : (float)from * factor, .5001);
        }
        CHECK(fabsf(factor - 1) > 1e-3F);
        mxio_augmenter_free(&augmenter);
        mxio_emitter_free(&emitter);
        mxio_params_free(&params);
    }
}

int
main(void)
{
    RUN(nothing_asked_for_is_a_resize_to_data_shape);
    RUN(fit_and_shrink_keep_the_aspect_ratio);
    RUN(a_mirrored_image_has_mirrored_boxes);
    RUN(a_padded_image_lies_where_its_boxes_say);
    RUN(a_pad_beyond_max_pixels_is_refused);
    RUN(a_crop_keeps_objects_by_their_centres);
    RUN(scale_and_ratio_of_a_crop_are_within_their_ranges);
    RUN(the_constraints_of_a_sampler_hold_for_its_crop);
    RUN(by_overlap_objects_are_kept_that_are_inside_by_more_than_the_threshold);
    RUN(without_a_good_crop_the_image_stays_whole);
    RUN(an_image_without_objects_takes_the_first_crop_even_of_no_size);
    RUN(samplers_come_in_random_order_and_the_next_helps_out);
    RUN(each_change_of_colour_comes_with_its_share_and_within_its_range);
    RUN(the_plan_is_the_same_for_the_same_key);
    RUN(pixels_and_boxes_stay_together);
    RUN(colours_change_the_image_and_not_its_border);
    return check_result();
}
