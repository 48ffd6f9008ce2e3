#include "warp.h"

#include "faults.h"
#include "records.h"

#define WIDTH 23
#define HEIGHT 17

static const uint8_t border[4] = {9, 19, 29, 0};

struct picture {
    uint8_t *bytes; /* noise, with the promised slack and not a byte more */
    struct mxio_view view;
};

static struct picture
noise(int channels)
{
    const size_t size = (size_t)(WIDTH * HEIGHT * channels) + MXIO_SLACK;
    struct picture out = {.bytes = malloc(size)};
    uint32_t state = 3;

    MUST(out.bytes != NULL, "malloc");
    for (size_t i = 0; i < size; i++)
        out.bytes[i] = (uint8_t)any_u32(&state);
    out.view = (struct mxio_view){.bytes = out.bytes,
                                  .stride = (size_t)(WIDTH * channels),
                                  .width = WIDTH,
                                  .height = HEIGHT,
                                  .channels = channels,
                                  .held = {0, 0, WIDTH, HEIGHT}};
    return out;
}

static uint8_t *
warp_window(const struct mxio_view *view, const float matrix[6],
            struct mxio_rect window, enum mxio_inter inter)
{
    struct mxio_warper warper = {.points = {.bytes = NULL}};
    struct mxio_error err = MXIO_NO_ERROR;
    uint8_t *out =
        malloc((size_t)(window.width * window.height * view->channels) + MXIO_SLACK);
    MUST(out != NULL, "malloc");

    MUST(mxio_warp(&warper, view, matrix, window, inter, border, out, &err) == MXIO_OK,
         "warp");
    mxio_warper_free(&warper);
    return out;
}

static uint8_t *
warp(const struct mxio_view *view, const float matrix[6], struct mxio_size to,
     enum mxio_inter inter)
{
    return warp_window(view, matrix, (struct mxio_rect){0, 0, to.width, to.height},
                       inter);
}

/* The value at a place of the source; the border where there is none. */
static double
value_at(const struct mxio_view *view, int x, int y, int c)
{
    if (x < 0 || y < 0 || x >= view->width || y >= view->height)
        return border[c];
    return view->bytes[(size_t)y * view->stride + (size_t)(x * view->channels + c)];
}

static double
bilinear(const struct mxio_view *view, double x, double y, int c)
{
    const int left = (int)floor(x), top = (int)floor(y);
    const double u = x - left, v = y - top;

    return (1 - v) * ((1 - u) * value_at(view, left, top, c) +
                      u * value_at(view, left + 1, top, c)) +
           v * ((1 - u) * value_at(view, left, top + 1, c) +
                u * value_at(view, left + 1, top + 1, c));
}

static const enum mxio_inter methods[] = {MXIO_INTER_LINEAR, MXIO_INTER_CUBIC,
                                          MXIO_INTER_LANCZOS, MXIO_INTER_AREA};

TEST(whole_steps_move_pixels_and_leave_the_border)
{
    static const int moves[][2] = {{0, 0}, {3, -2}, {-4, 5}, {30, 0}, {0, -17}};

    for (int i = 0; i < 5 * 4 * 3; i++) {
        const int channels = (const int[]){1, 3, 4}[i % 3];
        const int *by = moves[i / 12];
        const float matrix[6] = {1, 0, (float)by[0], 0, 1, (float)by[1]};
        struct picture picture = noise(channels);
        uint8_t *out =
            warp(&picture.view, matrix, (struct mxio_size){WIDTH + 4, HEIGHT + 3},
                 methods[i / 3 % 4]);
        for (int y = 0; y < HEIGHT + 3; y++)
            for (int x = 0; x < WIDTH + 4; x++)
                for (int c = 0; c < channels; c++)
                    CHECK_INT(out[(y * (WIDTH + 4) + x) * channels + c],
                              value_at(&picture.view, x - by[0], y - by[1], c));
        free(out);
        free(picture.bytes);
    }
}

TEST(a_quarter_turn_is_exact)
{
    /* (x, y) of the source goes to (HEIGHT - 1 - y, x). */
    const float matrix[6] = {0, -1, HEIGHT - 1, 1, 0, 0};
    struct picture picture = noise(3);

    uint8_t *out = warp(&picture.view, matrix, (struct mxio_size){HEIGHT, WIDTH},
                        MXIO_INTER_LINEAR);

    for (int y = 0; y < WIDTH; y++)
        for (int x = 0; x < HEIGHT; x++)
            for (int c = 0; c < 3; c++)
                CHECK_INT(out[(y * HEIGHT + x) * 3 + c],
                          value_at(&picture.view, y, HEIGHT - 1 - x, c));
    free(out);
    free(picture.bytes);
}

/* OpenCV rounds each of the two sums to 1 / 1024, and their total to 1 / 32. */
static double
coordinate(double a, double b, double c, int x, int y)
{
    return floor((nearbyint((b * y + c) * 1024) + nearbyint(a * x * 1024) + 16) / 32) /
           32;
}

static bool
is_bilinear(const struct mxio_view *view, const float m[6], struct mxio_size to)
{
    const double det = (double)m[0] * m[4] - (double)m[1] * m[3];
    const double a = m[4] / det, b = -m[1] / det, d = -m[3] / det, e = m[0] / det;
    const double c = -a * m[2] - b * m[5], f = -d * m[2] - e * m[5];
    uint8_t *out = warp(view, m, to, MXIO_INTER_LINEAR);
    bool right = true;

    for (int i = 0; i < to.width * to.height * view->channels; i++) {
        const int x = i / view->channels % to.width;
        const int y = i / view->channels / to.width;
        const double value = bilinear(view, coordinate(a, b, c, x, y),
                                      coordinate(d, e, f, x, y), i % view->channels);
        right = right && fabs(out[i] - value) <= 0.501;
    }
    free(out);
    return right;
}

TEST(any_transform_is_bilinear_between_the_pixels)
{
    uint32_t state = 7;

    for (int round = 0; round < 300; round++) {
        struct picture picture = noise((const int[]){1, 3, 4}[round % 3]);
        float matrix[6];
        for (int i = 0; i < 6; i++)
            matrix[i] =
                (float)(any_below(&state, 2001) - 1000) / (i % 3 == 2 ? 50.0F : 500.0F);
        const struct mxio_size to = {1 + any_below(&state, 40),
                                     1 + any_below(&state, 40)};
        const float det = matrix[0] * matrix[4] - matrix[1] * matrix[3];
        if (fabsf(det) > 0.01F)
            CHECK(is_bilinear(&picture.view, matrix, to));
        free(picture.bytes);
    }
}

TEST(edges_fade_into_the_border)
{
    const float matrix[6] = {1, 0, 0.5F, 0, 1, 0};
    struct picture picture = noise(1);

    uint8_t *out = warp(&picture.view, matrix, (struct mxio_size){WIDTH + 1, 1},
                        MXIO_INTER_LINEAR);

    CHECK_NEAR(out[0], (border[0] + value_at(&picture.view, 0, 0, 0)) / 2, 0.5);
    CHECK_NEAR(out[WIDTH], (border[0] + value_at(&picture.view, WIDTH - 1, 0, 0)) / 2,
               0.5);
    free(out);
    free(picture.bytes);
}

TEST(a_window_is_that_part_of_the_whole)
{
    uint32_t state = 9;

    for (int round = 0; round < 200; round++) {
        const int channels = (const int[]){1, 3, 4}[round % 3];
        struct picture picture = noise(channels);
        const float turn = (float)round / 30;
        const float matrix[6] = {cosf(turn),  sinf(turn), 5.3F,
                                 -sinf(turn), cosf(turn), 4.1F};
        const int x = any_below(&state, 30), y = any_below(&state, 20);
        const struct mxio_rect window = {x, y, 1 + any_below(&state, 30 - x),
                                         1 + any_below(&state, 20 - y)};
        uint8_t *whole =
            warp(&picture.view, matrix, (struct mxio_size){30, 20}, methods[round % 4]);
        uint8_t *part = warp_window(&picture.view, matrix, window, methods[round % 4]);
        for (int row = 0; row < window.height; row++)
            CHECK_BYTES(part + row * window.width * channels,
                        whole + ((y + row) * 30 + x) * channels,
                        (size_t)(window.width * channels));
        free(whole);
        free(part);
        free(picture.bytes);
    }
}

/* Scales that are almost 0, matrices without an inverse, places far away. */
TEST(absurd_matrices_stay_within_their_memory)
{
    static const float numbers[] = {0, 1e-38F, 1e-20F, 1e-6F, -1e-6F, 1e-3F,
                                    1, -1e4F,  1e6F,   -1e9F, 1e20F,  1e38F};
    uint32_t state = 8;

    for (int round = 0; round < 4000; round++) {
        struct picture picture = noise(1 + 2 * (round & 1));
        float matrix[6];
        for (int i = 0; i < 6; i++)
            matrix[i] = numbers[any_below(&state, 12)];
        uint8_t *out = warp(&picture.view, matrix,
                            (struct mxio_size){1 + any_below(&state, 30),
                                               1 + any_below(&state, 30)},
                            methods[round % 4]);
        free(out);
        free(picture.bytes);
    }
}

static enum mxio_status
warp_once(void *context, struct mxio_error *err)
{
    const float matrix[6] = {1, 0, 0, 0, 1, 0};
    struct mxio_warper warper = {.points = {.bytes = NULL}};
    uint8_t out[5 * 5 * 3 + MXIO_SLACK];
    const enum mxio_status status =
        mxio_warp(&warper, context, matrix, (struct mxio_rect){0, 0, 5, 5},
                  MXIO_INTER_LINEAR, border, out, err);

    mxio_warper_free(&warper);
    mxio_warper_free(&warper);
    return status;
}

TEST(every_failing_allocation_is_survived)
{
    struct picture picture = noise(3);
    const int met = faults_met(warp_once, &picture.view);

    free(picture.bytes);
    CHECK(met >= 1);
}

int
main(void)
{
    RUN(whole_steps_move_pixels_and_leave_the_border);
    RUN(a_quarter_turn_is_exact);
    RUN(any_transform_is_bilinear_between_the_pixels);
    RUN(edges_fade_into_the_border);
    RUN(a_window_is_that_part_of_the_whole);
    RUN(absurd_matrices_stay_within_their_memory);
    RUN(every_failing_allocation_is_survived);
    return check_result();
}
