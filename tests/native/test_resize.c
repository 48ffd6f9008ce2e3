#include "resize.h"

#include "faults.h"
#include "records.h"

#define LONGEST 64

/* ---- the truth: weights of all source pixels, in double ---- */

/* Keys's kernel with OpenCV's a = -0.75. */
static double
cubic(double t)
{
    const double a = -0.75, x = fabs(t);

    if (x <= 1)
        return (a + 2) * x * x * x - (a + 3) * x * x + 1;
    return x < 2 ? a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a : 0;
}

static double
lanczos(double t)
{
    const double pi = 3.14159265358979323846;

    if (fabs(t) < 1e-7)
        return 1;
    return fabs(t) < 4 ? 4 * sin(pi * t) * sin(pi * t / 4) / (pi * pi * t * t) : 0;
}

static int
clamp(int x, int size)
{
    return x < 0 ? 0 : x >= size ? size - 1 : x;
}

/* What two neighbours from `first` on count when the upper one counts `upper`. */
static void
weigh_pair(int from, int first, double upper, double *weights)
{
    weights[clamp(first, from)] += 1 - upper;
    weights[clamp(first + 1, from)] += upper;
}

/* How much of [start, end) each pixel covers. */
static void
weigh_area(int from, double start, double end, double *weights)
{
    for (int x = 0; x < from; x++) {
        const double covered = fmin(end, x + 1) - fmax(start, x);
        weights[x] = covered > 0 ? covered / (end - start) : 0;
    }
}

/* Weights of the source pixels in output pixel i of one axis; OpenCV's definitions. */
static void
weigh(enum mxio_inter inter, bool enlarges, int from, int to, int i, double *weights)
{
    const double step = (double)from / to;
    const double place = (i + 0.5) * step - 0.5;
    const int first = (int)floor(place);
    double sum = 0;

    memset(weights, 0, LONGEST * sizeof *weights);
    if (inter == MXIO_INTER_NEAREST) {
        /* The last bit of the step decides where a product is whole; it is OpenCV's. */
        weights[clamp((int)floor(i * (1 / ((double)to / from))), from)] = 1;
    } else if (inter == MXIO_INTER_LINEAR) {
        weigh_pair(from, first, place - first, weights);
    } else if (inter == MXIO_INTER_AREA && !enlarges) {
        weigh_area(from, i * step, (i + 1) * step, weights);
    } else if (inter == MXIO_INTER_AREA) {
        const int lower = (int)floor(i * step);
        const double upper = (i + 1) - (lower + 1) / step;
        weigh_pair(from, lower, upper <= 0 ? 0 : upper - floor(upper), weights);
    } else {
        const bool four = inter == MXIO_INTER_CUBIC;
        for (int x = first - 4; x <= first + 5; x++)
            sum += four ? cubic(place - x) : lanczos(place - x);
        for (int x = first - 4; x <= first + 5; x++)
            weights[clamp(x, from)] +=
                (four ? cubic(place - x) : lanczos(place - x)) / sum;
    }
}

struct task {
    struct mxio_size from, to;
    int channels;
    enum mxio_inter inter;
    const uint8_t *pixels; /* of the whole source, without gaps */
    double across[LONGEST][LONGEST], down[LONGEST][LONGEST];
};

static void
task_fill(struct task *task, struct mxio_size from, struct mxio_size to, int channels,
          enum mxio_inter inter, const uint8_t *pixels)
{
    const bool enlarges = to.width > from.width || to.height > from.height;

    task->from = from;
    task->to = to;
    task->channels = channels;
    task->inter = inter;
    task->pixels = pixels;
    for (int x = 0; x < to.width; x++)
        weigh(inter, enlarges, from.width, to.width, x, task->across[x]);
    for (int y = 0; y < to.height; y++)
        weigh(inter, enlarges, from.height, to.height, y, task->down[y]);
}

static double
true_value(const struct task *task, int x, int y, int c)
{
    double sum = 0;

    for (int v = 0; v < task->from.height; v++)
        for (int u = 0; u < task->from.width && task->down[y][v] != 0; u++)
            if (task->across[x][u] != 0)
                sum += task->across[x][u] * task->down[y][v] *
                       task->pixels[(v * task->from.width + u) * task->channels + c];
    return fmax(0, fmin(255, sum));
}

/* ---- what the resizer makes ---- */

/* Just the promised part of the source, with slack behind it and no more. */
static uint8_t *
cut_out(const struct task *task, struct mxio_rect held)
{
    const size_t row = (size_t)(held.width * task->channels);
    uint8_t *bytes = malloc(row * (size_t)held.height + MXIO_SLACK);

    MUST(bytes != NULL, "malloc");
    memset(bytes, 0x55, row * (size_t)held.height + MXIO_SLACK);
    for (int y = 0; y < held.height; y++)
        memcpy(bytes + (size_t)y * row,
               task->pixels +
                   ((held.y + y) * task->from.width + held.x) * task->channels,
               row);
    return bytes;
}

/* The window of the output, without gaps; NULL on an error. */
static uint8_t *
resize(struct mxio_resizer *resizer, const struct task *task, struct mxio_rect window,
       bool flip)
{
    const struct mxio_rect held =
        mxio_resize_source(task->from, task->to, task->inter, window);
    const size_t row = (size_t)(window.width * task->channels);
    struct mxio_error err = MXIO_NO_ERROR;
    uint8_t *out = NULL;

    if (held.x < 0 || held.y < 0 || held.width < 1 || held.height < 1 ||
        held.x + held.width > task->from.width ||
        held.y + held.height > task->from.height)
        return NULL;
    uint8_t *bytes = cut_out(task, held);
    const struct mxio_view view = {.bytes = bytes,
                                   .stride = (size_t)(held.width * task->channels),
                                   .width = task->from.width,
                                   .height = task->from.height,
                                   .channels = task->channels,
                                   .held = held};
    if (mxio_resizer_start(resizer, &view, task->to, task->inter, window, flip, &err) ==
        MXIO_OK) {
        out = malloc(row * (size_t)window.height);
        MUST(out != NULL, "malloc");
        for (int y = 0; y < window.height; y++)
            memcpy(out + (size_t)y * row, mxio_resizer_row(resizer, y), row);
    }
    free(bytes);
    return out;
}

static const enum mxio_inter methods[] = {MXIO_INTER_NEAREST, MXIO_INTER_LINEAR,
                                          MXIO_INTER_CUBIC, MXIO_INTER_AREA,
                                          MXIO_INTER_LANCZOS};

/* How far a value may be from the truth: fixed point by a level, floats by their
 * rounding, the coarse weights of cubic and Lanczos by a little more. */
static double
tolerance_of(const struct task *task)
{
    static const double tolerances[] = {0, 1, 1, 0.501, 1.2};
    const bool enlarges =
        task->to.width > task->from.width || task->to.height > task->from.height;

    return task->inter == MXIO_INTER_AREA && enlarges ? 1 : tolerances[task->inter];
}

static bool
whole_is_near(const struct task *task, const uint8_t *out, double tolerance)
{
    for (int y = 0; y < task->to.height; y++)
        for (int x = 0; x < task->to.width; x++)
            for (int c = 0; c < task->channels; c++) {
                const double right = true_value(task, x, y, c);
                const int got = out[(y * task->to.width + x) * task->channels + c];
                if (!(fabs(got - right) <= tolerance))
                    return check_failed(
                        __FILE__, __LINE__,
                        "method %d, %dx%d to %dx%d, %d channels: (%d, %d, %d) is %d, "
                        "expected %g",
                        (int)task->inter, task->from.width, task->from.height,
                        task->to.width, task->to.height, task->channels, x, y, c, got,
                        right);
            }
    return true;
}

/* A window is that part of the whole, upright and flipped. */
static bool
window_is_part(struct mxio_resizer *resizer, const struct task *task,
               const uint8_t *whole, struct mxio_rect window)
{
    const size_t pixel = (size_t)task->channels;
    uint8_t *part = resize(resizer, task, window, false);
    uint8_t *flipped = resize(resizer, task, window, true);
    bool same = part != NULL && flipped != NULL;

    for (int y = 0; y < window.height && same; y++)
        for (int x = 0; x < window.width && same; x++) {
            const uint8_t *right =
                whole +
                (size_t)((window.y + y) * task->to.width + window.x + x) * pixel;
            const size_t place = (size_t)(y * window.width + x);
            const size_t mirrored = (size_t)(y * window.width + window.width - 1 - x);
            same = memcmp(part + place * pixel, right, pixel) == 0 &&
                   memcmp(flipped + mirrored * pixel, right, pixel) == 0;
        }
    free(part);
    free(flipped);
    return same || check_failed(__FILE__, __LINE__,
                                "method %d, %dx%d to %dx%d: window (%d, %d, %d, %d)",
                                (int)task->inter, task->from.width, task->from.height,
                                task->to.width, task->to.height, window.x, window.y,
                                window.width, window.height);
}

static bool
task_is_right(struct mxio_resizer *resizer, const struct task *task, uint32_t *state)
{
    const struct mxio_rect all = {0, 0, task->to.width, task->to.height};
    uint8_t *whole = resize(resizer, task, all, false);
    bool right = whole != NULL && whole_is_near(task, whole, tolerance_of(task)) &&
                 window_is_part(resizer, task, whole, all);

    for (int i = 0; i < 4 && right; i++) {
        const int x = any_below(state, task->to.width);
        const int y = any_below(state, task->to.height);
        right =
            window_is_part(resizer, task, whole,
                           (struct mxio_rect){x, y,
                                              1 + any_below(state, task->to.width - x),
                                              1 + any_below(state,
                                                            task->to.height - y)});
    }
    free(whole);
    return right;
}

TEST(every_method_is_its_formula_and_windows_are_parts_of_the_whole)
{
    static struct task task;
    static uint8_t pixels[LONGEST * LONGEST * 4];
    struct mxio_resizer resizer = {.kernels = NULL};
    uint32_t state = 11;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)any_u32(&state);

    for (int round = 0; round < 400; round++) {
        const int channels = (const int[]){1, 3, 4}[any_below(&state, 3)];
        const struct mxio_size from = {1 + any_below(&state, 40),
                                       1 + any_below(&state, 40)};
        const struct mxio_size to = {1 + any_below(&state, 50),
                                     1 + any_below(&state, 50)};
        task_fill(&task, from, to, channels, methods[round % 5], pixels);
        CHECK(task_is_right(&resizer, &task, &state));
    }
    mxio_resizer_free(&resizer);
}

/* `mirrored` is what the task makes of the picture from right to left, and windows of it
 * are parts of it. */
static bool
mirrored_is_right(struct mxio_resizer *resizer, const struct task *task,
                  enum mxio_inter mirrored, uint32_t *state)
{
    static struct task back, other;
    static uint8_t pixels[LONGEST * LONGEST * 4];
    const size_t pixel = (size_t)task->channels;
    const struct mxio_rect all = {0, 0, task->to.width, task->to.height};

    for (int y = 0; y < task->from.height; y++)
        for (int x = 0; x < task->from.width; x++)
            memcpy(pixels + (size_t)(y * task->from.width + x) * pixel,
                   task->pixels + (size_t)((y + 1) * task->from.width - 1 - x) * pixel,
                   pixel);
    back = other = *task;
    back.pixels = pixels;
    other.inter = mirrored;
    uint8_t *expected = resize(resizer, &back, all, true);
    uint8_t *actual = resize(resizer, &other, all, false);
    const int x = any_below(state, task->to.width);
    const bool right =
        expected != NULL && actual != NULL &&
        memcmp(actual, expected, (size_t)(task->to.width * task->to.height) * pixel) ==
            0 &&
        window_is_part(resizer, &other, actual,
                       (struct mxio_rect){x, 0,
                                          1 + any_below(state, task->to.width - x),
                                          task->to.height});

    free(expected);
    free(actual);
    return right;
}

TEST(mirrored_methods_are_those_of_a_mirrored_picture)
{
    static struct task task;
    static uint8_t pixels[LONGEST * LONGEST * 4];
    struct mxio_resizer resizer = {.kernels = NULL};
    uint32_t state = 13;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)any_u32(&state);

    for (int round = 0; round < 400; round++) {
        const bool nearest = round % 2 == 0;
        const struct mxio_size from = {1 + any_below(&state, 40),
                                       1 + any_below(&state, 40)};
        /* Where no side grows, area is a sum of floats: the order of terms shows. */
        const struct mxio_size to = {1 + any_below(&state, 50),
                                     nearest ? 1 + any_below(&state, 50)
                                             : from.height + 1};
        task_fill(&task, from, to, 3, nearest ? MXIO_INTER_NEAREST : MXIO_INTER_AREA,
                  pixels);
        CHECK(mirrored_is_right(&resizer, &task,
                                nearest ? MXIO_INTER_NEAREST_MIRRORED
                                        : MXIO_INTER_AREA_MIRRORED,
                                &state));
    }
    mxio_resizer_free(&resizer);
}

TEST(odd_ratios_and_single_pixels_are_resized)
{
    static const int sizes[][4] = {{1, 1, 1, 1},     {1, 1, 9, 7},     {9, 7, 1, 1},
                                   {2, 2, 64, 1},    {64, 2, 2, 2},    {64, 64, 32, 16},
                                   {3, 50, 50, 3},   {60, 60, 7, 7},   {7, 7, 60, 60},
                                   {30, 30, 30, 30}, {30, 20, 30, 10}, {2, 2, 4, 4}};
    static struct task task;
    static uint8_t pixels[LONGEST * LONGEST * 4];
    struct mxio_resizer resizer = {.kernels = NULL};
    uint32_t state = 12;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)any_u32(&state);

    for (size_t i = 0; i < 5 * sizeof sizes / sizeof sizes[0]; i++) {
        const int *size = sizes[i / 5];
        task_fill(&task, (struct mxio_size){size[0], size[1]},
                  (struct mxio_size){size[2], size[3]}, 3, methods[i % 5], pixels);
        CHECK(task_is_right(&resizer, &task, &state));
    }
    mxio_resizer_free(&resizer);
}

TEST(white_stays_white_and_black_black)
{
    static struct task task;
    static uint8_t pixels[LONGEST * LONGEST];
    struct mxio_resizer resizer = {.kernels = NULL};

    for (int i = 0; i < 2 * 5; i++) {
        const int level = i % 2 == 0 ? 0 : 255;
        memset(pixels, level, sizeof pixels);
        task_fill(&task, (struct mxio_size){37, 23}, (struct mxio_size){50, 11}, 1,
                  methods[i / 2], pixels);
        uint8_t *out = resize(&resizer, &task, (struct mxio_rect){0, 0, 50, 11}, false);
        CHECK(out != NULL);
        for (int k = 0; k < 50 * 11; k++)
            CHECK_INT(out[k], level);
        free(out);
    }
    mxio_resizer_free(&resizer);
}

static enum mxio_status
resize_once(void *context, struct mxio_error *err)
{
    static const uint8_t pixels[20 * 20 * 3 + MXIO_SLACK];
    const struct mxio_view view = {.bytes = pixels,
                                   .stride = 60,
                                   .width = 20,
                                   .height = 20,
                                   .channels = 3,
                                   .held = {0, 0, 20, 20}};
    struct mxio_resizer resizer = {.kernels = NULL};
    const enum mxio_status status =
        mxio_resizer_start(&resizer, &view, (struct mxio_size){30, 30},
                           *(const enum mxio_inter *)context,
                           (struct mxio_rect){0, 0, 30, 30}, false, err);

    if (status == MXIO_OK)
        (void)mxio_resizer_row(&resizer, 29);
    mxio_resizer_free(&resizer);
    return status;
}

/* A resizer that ran out of memory is used again. */
static enum mxio_status
resize_on(void *context, struct mxio_error *err)
{
    static const uint8_t pixels[20 * 20 + MXIO_SLACK];
    const struct mxio_view view = {.bytes = pixels,
                                   .stride = 20,
                                   .width = 20,
                                   .height = 20,
                                   .channels = 1,
                                   .held = {0, 0, 20, 20}};
    static int next;
    const int size = 30 + next++; /* never the room of last time */
    const enum mxio_status status =
        mxio_resizer_start(context, &view, (struct mxio_size){size, size},
                           methods[next % 5], (struct mxio_rect){0, 0, size, size},
                           false, err);

    if (status == MXIO_OK)
        (void)mxio_resizer_row(context, size - 1);
    return status;
}

TEST(every_failing_allocation_is_survived)
{
    struct mxio_resizer resizer = {.kernels = NULL};

    for (int i = 0; i < 5; i++) {
        enum mxio_inter inter = methods[i];
        CHECK(faults_met(resize_once, &inter) >= 6);
    }
    CHECK(faults_met(resize_on, &resizer) >= 0);
    mxio_resizer_free(&resizer);
    mxio_resizer_free(&resizer);
}

int
main(void)
{
    RUN(every_method_is_its_formula_and_windows_are_parts_of_the_whole);
    RUN(mirrored_methods_are_those_of_a_mirrored_picture);
    RUN(odd_ratios_and_single_pixels_are_resized);
    RUN(white_stays_white_and_black_black);
    RUN(every_failing_allocation_is_survived);
    return check_result();
}
