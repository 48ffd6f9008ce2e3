#include "augment.h"

#include "faults.h"
#include "records.h"

static struct mxio_params
params_for(int channels, int height, int width)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params;

    MUST(mxio_params_init(&params, &err) == MXIO_OK, "mxio_params_init");
    params.data_shape = (struct mxio_shape){channels, height, width};
    params.dtype = MXIO_UINT8;
    params.layout = MXIO_NHWC;
    return params;
}

static struct mxio_plan
draw(const struct mxio_params *params, uint64_t record, int width, int height)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_plan plan = {.step_count = -1};

    if (mxio_plan_draw(params, mxio_rng_make(1, 0, record),
                       (struct mxio_size){width, height}, &plan, &err) != MXIO_OK)
        check_failed(__FILE__, __LINE__, "%s", err.message);
    return plan;
}

/* True when step number i is of the kind and gives that rectangle. */
static bool
is_step(const struct mxio_plan *plan, int i, enum mxio_step_kind kind, int x, int y,
        int width, int height)
{
    const struct mxio_rect to = plan->steps[i].to;

    return i < plan->step_count && plan->steps[i].kind == kind && to.x == x &&
           to.y == y && to.width == width && to.height == height;
}

/* ---- deciding ---- */

/* MXNet's rule: if rows > cols (size, size * rows / cols), else the other way round. */
TEST(the_shorter_edge_gets_its_length)
{
    static const int cases[][5] = {/* width, height, resize, new width, new height */
                                   {640, 480, 256, 341, 256},
                                   {480, 640, 256, 256, 341},
                                   {100, 100, 256, 256, 256},
                                   {3, 1000, 2, 2, 666},
                                   {1000, 3, 1, 333, 1},
                                   {500, 333, 400, 600, 400}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const int *c = cases[i];
        struct mxio_params params = params_for(3, 1, 1);
        params.resize = c[2];
        const struct mxio_plan plan = draw(&params, 0, c[0], c[1]);
        CHECK(is_step(&plan, 0, MXIO_STEP_RESIZE, 0, 0, c[3], c[4]));
        CHECK_INT(plan.steps[0].inter, MXIO_INTER_LINEAR);
        mxio_params_free(&params);
    }
}

TEST(what_fits_already_is_left_alone)
{
    struct mxio_params params = params_for(3, 28, 32);
    params.resize = 28;

    const struct mxio_plan plan = draw(&params, 0, 32, 28);

    CHECK_INT(plan.step_count, 0);
    CHECK(!plan.mirror);
    const struct mxio_rect window = mxio_plan_window(&plan);
    CHECK_INT(window.width, 32);
    CHECK_INT(window.height, 28);
    mxio_params_free(&params);
}

/* MXNet's rule: the middle by whole numbers, rounded down. */
TEST(a_plain_crop_is_in_the_middle)
{
    struct mxio_params params = params_for(3, 24, 21);

    const struct mxio_plan plan = draw(&params, 0, 32, 31);

    CHECK_INT(plan.step_count, 1);
    CHECK(is_step(&plan, 0, MXIO_STEP_CROP, 5, 3, 21, 24));
    const struct mxio_rect window = mxio_plan_window(&plan);
    CHECK_INT(window.x, 5);
    CHECK_INT(window.y, 3);
    mxio_params_free(&params);
}

TEST(a_random_crop_reaches_every_place_evenly)
{
    struct mxio_params params = params_for(3, 29, 30);
    int seen[3][4] = {{0}};
    params.rand_crop = 1;

    for (uint64_t record = 0; record < 12000; record++) {
        const struct mxio_plan plan = draw(&params, record, 32, 32);
        CHECK_INT(plan.step_count, 1);
        const struct mxio_rect to = plan.steps[0].to;
        CHECK(to.x >= 0 && to.x <= 2 && to.y >= 0 && to.y <= 3);
        CHECK(to.width == 30 && to.height == 29);
        seen[to.x][to.y]++;
    }
    for (int x = 0; x < 3; x++)
        for (int y = 0; y < 4; y++) /* 1000 each; five standard deviations */
            CHECK_NEAR(seen[x][y], 1000, 155);
    mxio_params_free(&params);
}

/* MXNet's rule: rows < h: (int(h / rows * cols), h); then cols < w: (w, int(w / cols *
 * rows)); then the crop. */
TEST(what_is_too_small_is_enlarged_rows_first)
{
    struct mxio_params params = params_for(3, 40, 60);

    const struct mxio_plan low = draw(&params, 0, 100, 20);
    CHECK(is_step(&low, 0, MXIO_STEP_RESIZE, 0, 0, 200, 40));
    CHECK(is_step(&low, 1, MXIO_STEP_CROP, 70, 0, 60, 40));
    const struct mxio_plan narrow = draw(&params, 0, 15, 100);
    CHECK(is_step(&narrow, 0, MXIO_STEP_RESIZE, 0, 0, 60, 400));
    CHECK(is_step(&narrow, 1, MXIO_STEP_CROP, 0, 180, 60, 40));
    const struct mxio_plan both = draw(&params, 0, 10, 20);
    CHECK(is_step(&both, 0, MXIO_STEP_RESIZE, 0, 0, 20, 40));
    CHECK(is_step(&both, 1, MXIO_STEP_RESIZE, 0, 0, 60, 120));
    CHECK(is_step(&both, 2, MXIO_STEP_CROP, 0, 40, 60, 40));
    mxio_params_free(&params);
}

/* MXNet's rule, word by word, with the draws of rng.h. */
static bool
expected_box(const struct mxio_params *params, struct mxio_rng rng, int cols, int rows,
             double low, double high, struct mxio_rect *out)
{
    for (uint32_t i = 0; i < 10; i++) {
        const uint32_t t = i * MXIO_DRAW_TRY;
        const double area_share =
            params->min_random_area +
            mxio_rng_unit(rng, t + MXIO_DRAW_AREA) *
                (params->max_random_area - params->min_random_area);
        const double area = area_share * rows * cols;
        const double r = low + mxio_rng_unit(rng, t + MXIO_DRAW_RATIO) * (high - low);
        int h = (int)round(sqrt(area / r)), w = (int)round(sqrt(area * r));
        if (mxio_rng_integer(rng, t + MXIO_DRAW_SWAP, 0, 1) == 1) {
            const int swap = h;
            h = w;
            w = swap;
        }
        if (w > cols || h > rows || w < 1 || h < 1)
            continue;
        *out = (struct mxio_rect){(int)mxio_rng_integer(rng, t + MXIO_DRAW_CROP_X, 0,
                                                        cols - w),
                                  (int)mxio_rng_integer(rng, t + MXIO_DRAW_CROP_Y, 0,
                                                        rows - h),
                                  w, h};
        return true;
    }
    return false;
}

TEST(a_random_resized_crop_follows_the_formula)
{
    struct mxio_params params = params_for(3, 32, 32);
    int fallen_back = 0;
    params.random_resized_crop = 1;
    params.min_random_area = 0.08;
    params.min_aspect_ratio = 3.0 / 4;
    params.max_aspect_ratio = 4.0 / 3;

    for (uint64_t record = 0; record < 3000; record++) {
        const int width = record % 5 == 0 ? 400 : 90, height = 70;
        const struct mxio_plan plan = draw(&params, record, width, height);
        struct mxio_rect box;
        if (!expected_box(&params, mxio_rng_make(1, 0, record), width, height, 3.0 / 4,
                          4.0 / 3, &box)) {
            CHECK(is_step(&plan, 0, MXIO_STEP_CROP, (width - 32) / 2, 19, 32, 32));
            fallen_back++;
            continue;
        }
        const bool all = box.width == width && box.height == height;
        CHECK(all ||
              is_step(&plan, 0, MXIO_STEP_CROP, box.x, box.y, box.width, box.height));
        CHECK((box.width == 32 && box.height == 32) ||
              is_step(&plan, all ? 0 : 1, MXIO_STEP_RESIZE, 0, 0, 32, 32));
        const struct mxio_rect window = mxio_plan_window(&plan);
        CHECK(window.x >= box.x && window.y >= box.y);
        CHECK(window.x + window.width <= box.x + box.width);
        CHECK(window.y + window.height <= box.y + box.height);
    }
    CHECK(fallen_back > 0 && fallen_back < 600);
    mxio_params_free(&params);
}

TEST(trivial_ranges_are_a_plain_crop)
{
    struct mxio_params params = params_for(3, 20, 20);
    params.random_resized_crop = 1;

    const struct mxio_plan plan = draw(&params, 0, 40, 30);

    CHECK_INT(plan.step_count, 1);
    CHECK(is_step(&plan, 0, MXIO_STEP_CROP, 10, 5, 20, 20));
    mxio_params_free(&params);
}

TEST(mirror_flips_all_and_rand_mirror_half)
{
    struct mxio_params params = params_for(3, 8, 8);
    int flipped = 0;

    params.rand_mirror = 1;
    for (uint64_t record = 0; record < 4000; record++)
        flipped += draw(&params, record, 8, 8).mirror;
    CHECK_NEAR(flipped, 2000, 160); /* five standard deviations */
    params.mirror = 1;
    for (uint64_t record = 0; record < 50; record++)
        CHECK(draw(&params, record, 8, 8).mirror);
    mxio_params_free(&params);
}

TEST(a_square_of_random_side_is_cropped_and_resized)
{
    struct mxio_params params = params_for(3, 8, 8);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_plan plan = {.step_count = 77};
    bool seen[4] = {false};
    params.min_crop_size = 10;
    params.max_crop_size = 13;
    params.rand_crop = 1;

    for (uint64_t record = 0; record < 200; record++) {
        const struct mxio_plan square = draw(&params, record, 30, 13);
        const struct mxio_rect to = square.steps[0].to;
        CHECK_INT(square.steps[0].kind, MXIO_STEP_CROP);
        CHECK(to.width == to.height && to.width >= 10 && to.width <= 13);
        CHECK(to.x >= 0 && to.x + to.width <= 30 && to.y >= 0 &&
              to.y + to.height <= 13);
        CHECK(is_step(&square, 1, MXIO_STEP_RESIZE, 0, 0, 8, 8));
        seen[to.width - 10] = true;
    }
    CHECK(seen[0] && seen[1] && seen[2] && seen[3]);
    CHECK_INT(mxio_plan_draw(&params, mxio_rng_make(0, 0, 0),
                             (struct mxio_size){30, 12}, &plan, &err),
              MXIO_EDATA);
    CHECK_SAYS(err.message, "max_crop_size=13");
    CHECK_INT(plan.step_count, 77);
    mxio_params_free(&params);
}

TEST(a_border_is_put_around_before_the_crop)
{
    struct mxio_params params = params_for(3, 10, 12);
    params.pad = 4;
    params.fill_value = 9;

    const struct mxio_plan plan = draw(&params, 0, 12, 10);

    CHECK(is_step(&plan, 0, MXIO_STEP_PAD, -4, -4, 20, 18));
    CHECK(is_step(&plan, 1, MXIO_STEP_CROP, 4, 4, 12, 10));
    CHECK_BYTES(plan.border, ((const uint8_t[]){9, 9, 9, 0}), 4);
    mxio_params_free(&params);
}

/* As MXNet does for a fixed angle: hs = ws = 1. */
TEST(a_rotation_is_the_matrix_of_mxnet)
{
    struct mxio_params params = params_for(3, 30, 40);
    const double a = cos(30 * 0.017453292519943295), b = 0.5;
    params.rotate = 30;

    const struct mxio_plan plan = draw(&params, 0, 40, 30);

    CHECK(is_step(&plan, 0, MXIO_STEP_WARP, 0, 0, 40, 30));
    CHECK_NEAR(plan.matrix[0], a, 1e-6);
    CHECK_NEAR(plan.matrix[1], b, 1e-6);
    CHECK_NEAR(plan.matrix[2], (40 - (a * 40 + b * 30)) / 2, 1e-5);
    CHECK_NEAR(plan.matrix[3], -b, 1e-6);
    CHECK_NEAR(plan.matrix[4], a, 1e-6);
    CHECK_NEAR(plan.matrix[5], (30 - (-b * 40 + a * 30)) / 2, 1e-5);
    mxio_params_free(&params);
}

/* MXNet's rule: canvas max(min_img_size, min(max_img_size, scale * side)). */
TEST(scale_changes_the_canvas_within_its_bounds)
{
    struct mxio_params params = params_for(3, 8, 8);
    params.min_random_scale = params.max_random_scale = 2;

    const struct mxio_plan larger = draw(&params, 0, 40, 30);
    CHECK(is_step(&larger, 0, MXIO_STEP_WARP, 0, 0, 80, 60));
    CHECK_NEAR(larger.matrix[0], 2, 1e-6);
    params.max_img_size = 70;
    params.min_img_size = 65;
    const struct mxio_plan bounded = draw(&params, 0, 40, 30);
    CHECK(is_step(&bounded, 0, MXIO_STEP_WARP, 0, 0, 70, 65));
    CHECK_NEAR(bounded.matrix[0], 2, 1e-6);
    CHECK_NEAR(bounded.matrix[2], -5, 1e-5);
    mxio_params_free(&params);
}

TEST(angles_are_drawn_from_the_list_or_the_range)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = params_for(3, 8, 8);
    bool seen[3] = {false};
    CHECK_OK(mxio_params_set_text(&params, mxio_param_find("rotate_list"), "0,90,-90",
                                  &err),
             err);

    for (uint64_t record = 0; record < 60; record++) {
        const struct mxio_plan plan = draw(&params, record, 20, 20);
        const float sine = plan.matrix[1];
        CHECK(fabsf(sine) < 1e-6F || fabsf(fabsf(sine) - 1) < 1e-6F);
        seen[(int)lrintf(sine) + 1] = true;
    }
    CHECK(seen[0] && seen[1] && seen[2]);
    mxio_params_free(&params);
}

TEST(colours_and_tones_stay_within_their_ranges)
{
    struct mxio_params params = params_for(3, 8, 8);
    bool orders[3][3] = {{false}};
    params.brightness = 0.25;
    params.saturation = 0.5;
    params.random_h = 20;
    params.max_random_contrast = 0.5;
    params.max_random_illumination = 10;

    for (uint64_t record = 0; record < 500; record++) {
        const struct mxio_plan plan = draw(&params, record, 8, 8);
        CHECK(plan.color.jitter && plan.color.hls && !plan.color.noise);
        CHECK(fabsf(plan.color.alpha[MXIO_BRIGHTNESS] - 1) <= 0.25F);
        CHECK_NEAR(plan.color.alpha[MXIO_CONTRAST], 1, 0);
        CHECK(fabsf(plan.color.alpha[MXIO_SATURATION] - 1) <= 0.5F);
        CHECK(abs(plan.color.hls_shift[0]) <= 20);
        CHECK_INT(plan.color.hls_shift[1], 0);
        CHECK_INT(plan.color.hls_shift[2], 0);
        CHECK(fabsf(plan.tone.contrast - 1) <= 0.5F);
        CHECK(fabsf(plan.tone.illumination) <= 10);
        CHECK_INT((int)plan.color.order[0] + (int)plan.color.order[1] +
                      (int)plan.color.order[2],
                  3);
        for (int i = 0; i < 3; i++)
            orders[i][plan.color.order[i]] = true;
    }
    for (int i = 0; i < 9; i++)
        CHECK(orders[i / 3][i % 3]);
    mxio_params_free(&params);
}

TEST(without_parameters_colours_and_tone_are_plain)
{
    struct mxio_params params = params_for(3, 8, 8);

    for (uint64_t record = 0; record < 20; record++) {
        const struct mxio_plan plan = draw(&params, record, 20, 20);
        CHECK(!plan.color.jitter && !plan.color.hls && !plan.color.noise);
        CHECK_NEAR(plan.tone.contrast, 1, 0);
        CHECK_NEAR(plan.tone.illumination, 0, 0);
    }
    mxio_params_free(&params);
}

TEST(absurd_sizes_are_refused)
{
    struct mxio_params params = params_for(3, 256, 256);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_plan plan = {.step_count = 77};

    params.resize = 65535;
    CHECK_INT(mxio_plan_draw(&params, mxio_rng_make(0, 0, 0),
                             (struct mxio_size){65500, 1}, &plan, &err),
              MXIO_EDATA);
    CHECK_SAYS(err.message, "max_pixels=178956970");
    params.resize = -1;
    params.max_pixels = 256 * 65536;
    CHECK_INT(mxio_plan_draw(&params, mxio_rng_make(0, 0, 0),
                             (struct mxio_size){1, 65500}, &plan, &err),
              MXIO_EDATA); /* enlarging the columns */
    CHECK_INT(mxio_plan_draw(&params, mxio_rng_make(0, 0, 0),
                             (struct mxio_size){65500, 1}, &plan, &err),
              MXIO_EDATA); /* enlarging the rows */
    CHECK_INT(plan.step_count, 77);
    mxio_params_free(&params);
}

/* ---- doing ---- */

/* Parameters that may ask for anything. */
static struct mxio_params
any_params(uint32_t *state)
{
    struct mxio_params params =
        params_for((const int[]){1, 3, 4}[any_below(state, 3)],
                   1 + any_below(state, 30), 1 + any_below(state, 30));
    const bool colour = params.data_shape.channels != 1;

    params.resize = any_below(state, 2) ? -1 : 1 + any_below(state, 40);
    params.rand_mirror = any_below(state, 2);
    params.pad = any_below(state, 3) ? 0 : any_below(state, 9);
    params.rotate = any_below(state, 4) ? -1 : any_below(state, 361);
    params.inter_method = (const int[]){1, 1, 2, 3, 4, 9, 10}[any_below(state, 7)];
    params.fill_value = any_below(state, 256);
    if (any_below(state, 3) == 0) {
        params.random_resized_crop = 1;
        params.min_random_area = 0.1;
        params.min_aspect_ratio = 0.5;
        params.max_aspect_ratio = 2;
    } else {
        params.rand_crop = any_below(state, 2);
    }
    if (any_below(state, 4) == 0) {
        params.brightness = params.contrast = 0.4;
        params.saturation = colour ? 0.4 : 0;
        params.random_l = colour ? 20 : 0;
        params.pca_noise = colour ? 0.1 : 0;
    }
    return params;
}

/* A step starts where the last one ended, and the last gives data_shape. */
static bool
chain_is_whole(const struct mxio_plan *plan, const struct mxio_params *params)
{
    struct mxio_size size = plan->from;

    for (int i = 0; i < plan->step_count; i++) {
        const struct mxio_step *step = &plan->steps[i];
        if (step->from.width != size.width || step->from.height != size.height)
            return false;
        if (step->kind == MXIO_STEP_CROP &&
            (step->to.x < 0 || step->to.y < 0 ||
             step->to.x + step->to.width > size.width ||
             step->to.y + step->to.height > size.height))
            return false;
        size = (struct mxio_size){step->to.width, step->to.height};
    }
    return plan->step_count <= MXIO_MAX_STEPS &&
           size.width == params->data_shape.width &&
           size.height == params->data_shape.height;
}

/* The plan carried out on just this part of a picture without gaps. */
static enum mxio_status
apply(struct mxio_augmenter *augmenter, const struct mxio_plan *plan,
      const uint8_t *pixels, int channels, struct mxio_rect held, uint8_t *out,
      struct mxio_error *err)
{
    const size_t row = (size_t)(held.width * channels);
    uint8_t *part = malloc(row * (size_t)held.height + MXIO_SLACK);
    MUST(part != NULL, "malloc");
    memset(part, 0x55, row * (size_t)held.height + MXIO_SLACK);
    for (int y = 0; y < held.height; y++)
        memcpy(part + (size_t)y * row,
               pixels + ((held.y + y) * plan->from.width + held.x) * channels, row);
    const struct mxio_view view = {.bytes = part,
                                   .stride = row,
                                   .width = plan->from.width,
                                   .height = plan->from.height,
                                   .channels = channels,
                                   .held = held};

    const enum mxio_status status = mxio_plan_apply(augmenter, plan, &view, out, err);

    free(part);
    return status;
}

static uint8_t *
noise(int count, uint32_t seed)
{
    uint8_t *out = malloc((size_t)count);
    uint32_t state = seed + 1;

    MUST(out != NULL, "malloc");
    for (int i = 0; i < count; i++)
        out[i] = (uint8_t)any_u32(&state);
    return out;
}

/* The window is inside, and as good as the whole picture. */
static bool
window_is_enough(const struct mxio_params *params, const struct mxio_plan *plan)
{
    const int channels = (int)params->data_shape.channels;
    const size_t size = mxio_params_sample_values(params);
    const struct mxio_rect all = {0, 0, plan->from.width, plan->from.height};
    const struct mxio_rect window = mxio_plan_window(plan);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_emitter emitter;
    MUST(mxio_emitter_make(&emitter, params, NULL, &err) == MXIO_OK, "emitter");
    struct mxio_augmenter augmenter = {.emitter = &emitter};
    uint8_t *pixels = noise(all.width * all.height * channels, 5);
    uint8_t *whole = malloc(size), *part = malloc(size);

    const bool enough =
        window.x >= 0 && window.y >= 0 && window.width >= 1 && window.height >= 1 &&
        window.x + window.width <= all.width &&
        window.y + window.height <= all.height &&
        apply(&augmenter, plan, pixels, channels, all, whole, &err) == MXIO_OK &&
        apply(&augmenter, plan, pixels, channels, window, part, &err) == MXIO_OK &&
        memcmp(whole, part, size) == 0;
    mxio_augmenter_free(&augmenter);
    mxio_emitter_free(&emitter);
    free(pixels);
    free(whole);
    free(part);
    return enough;
}

TEST(whatever_is_asked_for_the_window_of_the_plan_is_enough)
{
    uint32_t state = 21;

    for (int round = 0; round < 3000; round++) {
        struct mxio_params params = any_params(&state);
        const struct mxio_plan plan =
            draw(&params, (uint64_t)round, 1 + any_below(&state, 40),
                 1 + any_below(&state, 40));
        CHECK(plan.step_count >= 0);
        CHECK(chain_is_whole(&plan, &params));
        if (!window_is_enough(&params, &plan)) {
            check_failed(__FILE__, __LINE__, "round %d, %dx%d, %d steps, inter %lld",
                         round, plan.from.width, plan.from.height, plan.step_count,
                         (long long)params.inter_method);
            return;
        }
        mxio_params_free(&params);
    }
}

/* The sample that a plan makes of noise; one byte a value. */
static uint8_t *
sample_of(const struct mxio_params *params, const struct mxio_plan *plan,
          const uint8_t *pixels)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_emitter emitter;
    MUST(mxio_emitter_make(&emitter, params, NULL, &err) == MXIO_OK, "emitter");
    struct mxio_augmenter augmenter = {.emitter = &emitter};
    uint8_t *out = malloc(mxio_params_sample_values(params));

    if (apply(&augmenter, plan, pixels, (int)params->data_shape.channels,
              (struct mxio_rect){0, 0, plan->from.width, plan->from.height}, out,
              &err) != MXIO_OK)
        check_failed(__FILE__, __LINE__, "%s", err.message);
    mxio_augmenter_free(&augmenter);
    mxio_emitter_free(&emitter);
    return out;
}

TEST(a_crop_and_a_mirror_only_move_pixels)
{
    uint8_t *pixels = noise(40 * 30 * 3, 1);

    for (int mirror = 0; mirror < 2; mirror++) {
        struct mxio_params params = params_for(3, 20, 23);
        params.mirror = mirror;
        params.rand_crop = 1;
        for (uint64_t record = 0; record < 20; record++) {
            const struct mxio_plan plan = draw(&params, record, 40, 30);
            const struct mxio_rect box = plan.steps[0].to;
            uint8_t *out = sample_of(&params, &plan, pixels);
            for (int y = 0; y < 20; y++)
                for (int x = 0; x < 23; x++) {
                    const int from = box.x + (mirror ? 22 - x : x);
                    CHECK_BYTES(out + (y * 23 + x) * 3,
                                pixels + ((box.y + y) * 40 + from) * 3, 3);
                }
            free(out);
        }
        mxio_params_free(&params);
    }
    free(pixels);
}

TEST(a_border_has_the_fill_value_and_no_alpha)
{
    struct mxio_params params = params_for(4, 12, 14);
    uint8_t *pixels = noise(10 * 8 * 4, 1);
    params.pad = 2;
    params.fill_value = 77;

    const struct mxio_plan plan = draw(&params, 0, 10, 8);
    uint8_t *out = sample_of(&params, &plan, pixels);

    for (int y = 0; y < 12; y++)
        for (int x = 0; x < 14; x++) {
            const bool inside = x >= 2 && x < 12 && y >= 2 && y < 10;
            CHECK_BYTES(out + (y * 14 + x) * 4,
                        inside ? pixels + ((y - 2) * 10 + x - 2) * 4
                               : (const uint8_t *)"MMM\0",
                        4);
        }
    free(out);
    free(pixels);
    mxio_params_free(&params);
}

/* A whole picture resized. */
static uint8_t *
resized(const uint8_t *pixels, struct mxio_size from, struct mxio_size to, int channels)
{
    const size_t row = (size_t)(to.width * channels);
    const size_t from_size = (size_t)(from.width * from.height * channels);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_resizer resizer = {.kernels = NULL};
    uint8_t *slack = calloc(1, from_size + MXIO_SLACK);
    uint8_t *out = malloc(row * (size_t)to.height);
    MUST(slack != NULL && out != NULL, "malloc");
    memcpy(slack, pixels, from_size);
    const struct mxio_view view = {.bytes = slack,
                                   .stride = (size_t)(from.width * channels),
                                   .width = from.width,
                                   .height = from.height,
                                   .channels = channels,
                                   .held = {0, 0, from.width, from.height}};

    MUST(mxio_resizer_start(&resizer, &view, to, MXIO_INTER_LINEAR,
                            (struct mxio_rect){0, 0, to.width, to.height}, false,
                            &err) == MXIO_OK,
         "resize");
    for (int y = 0; y < to.height; y++)
        memcpy(out + (size_t)y * row, mxio_resizer_row(&resizer, y), row);
    mxio_resizer_free(&resizer);
    free(slack);
    return out;
}

TEST(several_resizes_and_a_crop_are_carried_out_in_turn)
{
    struct mxio_params params = params_for(3, 40, 60);
    uint8_t *pixels = noise(10 * 20 * 3, 1);
    params.mirror = 1;

    const struct mxio_plan plan = draw(&params, 0, 10, 20); /* 20x40, 60x120, crop */
    uint8_t *out = sample_of(&params, &plan, pixels);
    uint8_t *once =
        resized(pixels, (struct mxio_size){10, 20}, (struct mxio_size){20, 40}, 3);
    uint8_t *twice =
        resized(once, (struct mxio_size){20, 40}, (struct mxio_size){60, 120}, 3);

    for (int y = 0; y < 40; y++)
        for (int x = 0; x < 60; x++)
            CHECK_BYTES(out + (y * 60 + x) * 3, twice + ((40 + y) * 60 + 59 - x) * 3,
                        3);
    free(out);
    free(once);
    free(twice);
    free(pixels);
    mxio_params_free(&params);
}

TEST(a_resized_box_does_not_see_what_is_around_it)
{
    struct mxio_params params = params_for(1, 16, 16);
    params.random_resized_crop = 1;
    params.min_random_area = 0.2;
    params.max_random_area = 0.3;

    for (uint64_t record = 0; record < 30; record++) {
        uint8_t *pixels = noise(50 * 40, 1);
        params.min_aspect_ratio = params.max_aspect_ratio = 1.5;
        const struct mxio_plan plan = draw(&params, record, 50, 40);
        const struct mxio_rect box = plan.steps[0].to;
        uint8_t *inner = malloc((size_t)(box.width * box.height));
        for (int y = 0; y < box.height; y++)
            memcpy(inner + y * box.width, pixels + (box.y + y) * 50 + box.x,
                   (size_t)box.width);
        uint8_t *right = resized(inner, (struct mxio_size){box.width, box.height},
                                 (struct mxio_size){16, 16}, 1);
        uint8_t *out = sample_of(&params, &plan, pixels);
        CHECK_BYTES(out, right, 16 * 16);
        free(pixels);
        free(inner);
        free(right);
        free(out);
    }
    mxio_params_free(&params);
}

struct use {
    struct mxio_params params;
    struct mxio_emitter emitter;
    struct mxio_plan plan;
    uint8_t *pixels;
};

static enum mxio_status
apply_once(void *context, struct mxio_error *err)
{
    struct use *use = context;
    struct mxio_augmenter augmenter = {.emitter = &use->emitter};
    uint8_t out[16 * 16 * 3];
    const enum mxio_status status = apply(&augmenter, &use->plan, use->pixels, 3,
                                          (struct mxio_rect){0, 0, 30, 20}, out, err);

    mxio_augmenter_free(&augmenter);
    return status;
}

TEST(every_failing_allocation_is_survived)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct use use = {.params = params_for(3, 16, 16), .pixels = noise(30 * 20 * 3, 1)};
    use.params.resize = 24;
    use.params.rotate = 20;
    use.params.pad = 1;
    use.params.brightness = 0.5;
    use.params.mirror = 1;
    CHECK_OK(mxio_emitter_make(&use.emitter, &use.params, NULL, &err), err);
    use.plan = draw(&use.params, 0, 30, 20);

    const int met = faults_met(apply_once, &use);

    mxio_emitter_free(&use.emitter);
    mxio_params_free(&use.params);
    free(use.pixels);
    CHECK(met >= 8);
}

int
main(void)
{
    RUN(the_shorter_edge_gets_its_length);
    RUN(what_fits_already_is_left_alone);
    RUN(a_plain_crop_is_in_the_middle);
    RUN(a_random_crop_reaches_every_place_evenly);
    RUN(what_is_too_small_is_enlarged_rows_first);
    RUN(a_random_resized_crop_follows_the_formula);
    RUN(trivial_ranges_are_a_plain_crop);
    RUN(mirror_flips_all_and_rand_mirror_half);
    RUN(a_square_of_random_side_is_cropped_and_resized);
    RUN(a_border_is_put_around_before_the_crop);
    RUN(a_rotation_is_the_matrix_of_mxnet);
    RUN(scale_changes_the_canvas_within_its_bounds);
    RUN(angles_are_drawn_from_the_list_or_the_range);
    RUN(colours_and_tones_stay_within_their_ranges);
    RUN(without_parameters_colours_and_tone_are_plain);
    RUN(absurd_sizes_are_refused);
    RUN(whatever_is_asked_for_the_window_of_the_plan_is_enough);
    RUN(a_crop_and_a_mirror_only_move_pixels);
    RUN(a_border_has_the_fill_value_and_no_alpha);
    RUN(several_resizes_and_a_crop_are_carried_out_in_turn);
    RUN(a_resized_box_does_not_see_what_is_around_it);
    RUN(every_failing_allocation_is_survived);
    return check_result();
}
