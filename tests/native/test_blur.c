#include "blur.h"

#include "faults.h"
#include "records.h"

static struct mxio_view
view_of(const uint8_t *pixels, int width, int height, int channels)
{
    return (struct mxio_view){.bytes = pixels,
                              .stride = (size_t)width * (size_t)channels,
                              .width = width,
                              .height = height,
                              .channels = channels,
                              .held = {0, 0, width, height}};
}

/* The blurred picture in floats, taps and mirrored border written out. */
static double
expected_at(const uint8_t *pixels, int width, int height, int channels, int radius,
            const int at[3])
{
    const double s = 0.3 * (radius - 1) + 0.8;
    double sum = 0, total = 0;

    for (int dy = -radius; dy <= radius; dy++)
        for (int dx = -radius; dx <= radius; dx++) {
            int x = at[0] + dx, y = at[1] + dy;
            while (width > 1 && (x < 0 || x >= width))
                x = x < 0 ? -x : 2 * width - 2 - x;
            while (height > 1 && (y < 0 || y >= height))
                y = y < 0 ? -y : 2 * height - 2 - y;
            x = width == 1 ? 0 : x;
            y = height == 1 ? 0 : y;
            const double weight = exp(-(dx * dx + dy * dy) / (2 * s * s));
            sum += weight * pixels[(y * width + x) * channels + at[2]];
            total += weight;
        }
    return sum / total;
}

/* Largest distance from the blur in floats, of all pixels of the window. */
static double
distance(int width, int height, int channels, int radius, struct mxio_rect window)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_blurrer blurrer = {.sums = {.bytes = NULL}};
    const size_t size = (size_t)(width * height * channels);
    const size_t out_size = (size_t)(window.width * window.height * channels);
    uint8_t *pixels = calloc(1, size), *out = calloc(1, out_size);
    uint32_t state = 77;
    double most = 0;

    MUST(pixels != NULL && out != NULL, "calloc");
    for (size_t i = 0; i < size; i++)
        pixels[i] = (uint8_t)(any_below(&state, 3) * 127);
    const struct mxio_view view = view_of(pixels, width, height, channels);
    if (mxio_blur(&blurrer, &view, radius, window, out, &err) != MXIO_OK)
        most = 999;
    for (int y = 0; y < window.height; y++)
        for (int x = 0; x < window.width; x++)
            for (int c = 0; c < channels; c++) {
                const double right =
                    expected_at(pixels, width, height, channels, radius,
                                (int[]){window.x + x, window.y + y, c});
                const double made = out[(y * window.width + x) * channels + c];
                most = fmax(most, fabs(made - right));
            }
    mxio_blurrer_free(&blurrer);
    free(pixels);
    free(out);
    return most;
}

TEST(a_blur_is_gaussian_for_every_radius_and_number_of_channels)
{
    for (int radius = 1; radius <= MXIO_MAX_BLUR_RADIUS; radius++)
        for (int channels = 1; channels <= 4; channels++)
            CHECK_NEAR(distance(13, 9, channels, radius,
                                (struct mxio_rect){0, 0, 13, 9}),
                       0, 0.75);
}

TEST(pictures_narrower_than_the_kernel_are_mirrored_more_than_once)
{
    for (int side = 1; side <= 4; side++) {
        CHECK_NEAR(distance(side, 6, 3, 4, (struct mxio_rect){0, 0, side, 6}), 0, 0.75);
        CHECK_NEAR(distance(6, side, 3, 4, (struct mxio_rect){0, 0, 6, side}), 0, 0.75);
    }
    CHECK_NEAR(distance(1, 1, 3, 2, (struct mxio_rect){0, 0, 1, 1}), 0, 0.5);
}

TEST(a_window_is_that_part_of_the_whole)
{
    CHECK_NEAR(distance(20, 16, 3, 3, (struct mxio_rect){5, 4, 9, 7}), 0, 0.75);
    CHECK_NEAR(distance(20, 16, 3, 3, (struct mxio_rect){19, 15, 1, 1}), 0, 0.75);
}

TEST(one_colour_stays_what_it_is_at_both_ends)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_blurrer blurrer = {.sums = {.bytes = NULL}};
    uint8_t pixels[5 * 5], out[5 * 5];
    const struct mxio_view view = view_of(pixels, 5, 5, 1);

    for (int radius = 1; radius <= MXIO_MAX_BLUR_RADIUS; radius++)
        for (int value = 0; value < 256; value += 51) {
            memset(pixels, value, sizeof pixels);
            CHECK_OK(mxio_blur(&blurrer, &view, radius, view.held, out, &err), err);
            CHECK_BYTES(out, pixels, sizeof pixels);
        }
    mxio_blurrer_free(&blurrer);
}

static enum mxio_status
attempt(void *context, struct mxio_error *err)
{
    struct mxio_blurrer blurrer = {.sums = {.bytes = NULL}};
    uint8_t pixels[4] = {1, 2, 3, 4}, out[4];
    const struct mxio_view view = view_of(pixels, 2, 2, 1);

    (void)context;
    const enum mxio_status status = mxio_blur(&blurrer, &view, 1, view.held, out, err);
    mxio_blurrer_free(&blurrer);
    return status;
}

TEST(a_failing_allocation_is_reported)
{
    CHECK_INT(faults_met(attempt, NULL), 1);
}

int
main(void)
{
    RUN(a_blur_is_gaussian_for_every_radius_and_number_of_channels);
    RUN(pictures_narrower_than_the_kernel_are_mirrored_more_than_once);
    RUN(a_window_is_that_part_of_the_whole);
    RUN(one_colour_stays_what_it_is_at_both_ends);
    RUN(a_failing_allocation_is_reported);
    return check_result();
}
