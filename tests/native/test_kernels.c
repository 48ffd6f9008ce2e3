#include "kernels.h"

#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "levels.h"

TEST(stretching_weighs_two_neighbouring_pixels)
{
    FOR_EACH_LEVEL(kernels)
    for (int channels = 1; channels <= 4; channels += 1 + (channels == 1))
        for (int width = 0; width <= WIDEST; width++) {
            uint8_t *row = noise((size_t)((WIDEST + 2) * channels), 1);
            int16_t *out = guarded((size_t)(width * channels) * 2 + MXIO_SLACK);
            int32_t first[WIDEST];
            struct mxio_weights weights[WIDEST];
            uint32_t state = (uint32_t)width + 1;
            for (int x = 0; x < width; x++) {
                const int upper = any_below(&state, 5) == 0
                                      ? 2048 * any_below(&state, 2)
                                      : any_below(&state, 2049);
                first[x] = any_below(&state, WIDEST) * channels;
                for (int c = 0; c < 4; c++) {
                    weights[x].pair[c][0] = (int16_t)(2048 - upper);
                    weights[x].pair[c][1] = (int16_t)upper;
                }
            }
            kernels->stretch_row(out, row, first, weights, (size_t)width, channels);
            for (int i = 0; i < width * channels; i++) {
                const uint8_t *in = row + first[i / channels] + i % channels;
                const int16_t *weight = weights[i / channels].pair[0];
                CHECK_INT(out[i], (in[0] * weight[0] + in[channels] * weight[1]) / 16);
            }
            CHECK(guard_is_whole(out, (size_t)(width * channels) * 2 + MXIO_SLACK));
            free(row);
            free(out);
        }
}

TEST(blending_weighs_two_rows_and_rounds)
{
    FOR_EACH_LEVEL(kernels)
    for (int count = 0; count <= WIDEST; count++) {
        int16_t *top = guarded((size_t)count * 2 + MXIO_SLACK);
        int16_t *bottom = guarded((size_t)count * 2 + MXIO_SLACK);
        uint8_t *out = guarded((size_t)count);
        uint32_t state = (uint32_t)count + 1;
        const int upper = count % 7 == 0 ? 2048 * (count % 2) : any_below(&state, 2049);
        const int16_t weight[2] = {(int16_t)(2048 - upper), (int16_t)upper};
        for (int i = 0; i < count; i++) { /* 255 * 2048 / 16 is the most */
            top[i] = (int16_t)(i % 9 == 0 ? 32640 : any_below(&state, 32641));
            bottom[i] = (int16_t)(i % 6 == 0 ? 32640 : any_below(&state, 32641));
        }
        kernels->blend_rows(out, top, bottom, weight, (size_t)count);
        for (int i = 0; i < count; i++)
            CHECK_INT(out[i],
                      (top[i] * weight[0] / 65536 + bottom[i] * weight[1] / 65536 + 2) /
                          4);
        CHECK(guard_is_whole(out, (size_t)count));
        free(top);
        free(bottom);
        free(out);
    }
}

TEST(splitting_gives_each_channel_its_plane)
{
    FOR_EACH_LEVEL(kernels)
    for (int channels = 3; channels <= 4; channels++)
        for (int width = 0; width <= WIDEST; width++) {
            uint8_t *row = noise((size_t)(width * channels), (uint32_t)width);
            uint8_t *planes[4];
            for (int c = 0; c < channels; c++)
                planes[c] = guarded((size_t)width);
            kernels->split_row(planes, row, (size_t)width, channels);
            for (int c = 0; c < channels; c++) {
                for (int x = 0; x < width; x++)
                    CHECK_INT(planes[c][x], row[x * channels + c]);
                CHECK(guard_is_whole(planes[c], (size_t)width));
                free(planes[c]);
            }
            free(row);
        }
}

TEST(flipping_turns_pixels_and_not_their_channels)
{
    FOR_EACH_LEVEL(kernels)
    for (int k = 0; k < 3; k++)
        for (int width = 0; width <= WIDEST; width++) {
            const int channels = channel_counts[k];
            uint8_t *row = noise((size_t)(width * channels), (uint32_t)width);
            uint8_t *out = guarded((size_t)(width * channels));
            kernels->flip_row(out, row, (size_t)width, channels);
            for (int i = 0; i < width * channels; i++)
                CHECK_INT(out[i],
                          row[(width - 1 - i / channels) * channels + i % channels]);
            CHECK(guard_is_whole(out, (size_t)(width * channels)));
            free(row);
            free(out);
        }
}

TEST(warping_weighs_four_neighbours_and_rounds_half_up)
{
    enum { SIDE = 20 };
    FOR_EACH_LEVEL(kernels)
    for (int k = 0; k < 3; k++)
        for (int count = 0; count <= WIDEST; count++) {
            const int channels = channel_counts[k], stride = SIDE * channels + 5;
            uint8_t *from = noise((size_t)(stride * SIDE), (uint32_t)count);
            uint8_t *out = guarded((size_t)(count * channels));
            struct mxio_warp_point points[WIDEST];
            uint32_t state = (uint32_t)count + 1;
            for (int i = 0; i < count; i++)
                points[i] =
                    (struct mxio_warp_point){any_below(&state, (SIDE - 1) * 32),
                                             any_below(&state, (SIDE - 1) * 32)};
            kernels->warp_row(out, from, (size_t)stride, points, (size_t)count,
                              channels);
            for (int i = 0; i < count * channels; i++) {
                const struct mxio_warp_point at = points[i / channels];
                const int c = i % channels, x = at.x % 32, y = at.y % 32;
                const uint8_t *in =
                    from + at.y / 32 * stride + at.x / 32 * channels + c;
                const int sum =
                    in[0] * (32 - x) * (32 - y) + in[channels] * x * (32 - y) +
                    in[stride] * (32 - x) * y + in[stride + channels] * x * y;
                CHECK_INT(out[i], (sum + 512) / 1024);
            }
            CHECK(guard_is_whole(out, (size_t)(count * channels)));
            free(from);
            free(out);
        }
}

/* PNG's predictors as its specification has them, section 9. */
static int
predictor(int filter, int left, int above, int corner)
{
    const int sum = left + above - corner;
    const int by_left = abs(sum - left), by_above = abs(sum - above);
    const int by_corner = abs(sum - corner);
    const int nearest = by_left <= by_above && by_left <= by_corner ? left
                        : by_above <= by_corner                     ? above
                                                                    : corner;
    const int all[MXIO_PNG_FILTERS] = {0, left, above, (left + above) / 2, nearest};

    return all[filter];
}

TEST(the_filters_of_png_are_undone)
{
    FOR_EACH_LEVEL(kernels)
    for (int k = 0; k < 3 * MXIO_PNG_FILTERS; k++)
        for (int width = 1; width <= WIDEST; width++) {
            const int channels = channel_counts[k / MXIO_PNG_FILTERS];
            const int filter = k % MXIO_PNG_FILTERS, size = width * channels;
            uint8_t *above = noise((size_t)size, 1), *was = noise((size_t)size, 2);
            uint8_t *row = malloc((size_t)size + MXIO_SLACK);
            MUST(row != NULL, "malloc");
            memcpy(row, was, (size_t)size + MXIO_SLACK);
            kernels->unfilter_row(row, above, (size_t)size, (size_t)channels,
                                  (enum mxio_png_filter)filter);
            for (int i = 0; i < size; i++) {
                const int back = i - channels;
                const int left = back < 0 ? 0 : row[back];
                const int corner = back < 0 ? 0 : above[back];
                CHECK_INT(row[i],
                          (was[i] + predictor(filter, left, above[i], corner)) % 256);
            }
            CHECK_BYTES(row + size, was + size, MXIO_SLACK);
            free(above);
            free(was);
            free(row);
        }
}

/* A float as the core computes it: each operation rounded on its own. */
static float
plus_product(float sum, float a, float b)
{
    const volatile float product = a * b;

    return sum + product;
}

TEST(stretching_by_taps_adds_them_in_their_order)
{
    enum { TAPS = 9 };
    FOR_EACH_LEVEL(kernels)
    for (int k = 0; k < 3; k++)
        for (int width = 1; width <= WIDEST; width += 1 + width / 20) {
            const int channels = channel_counts[k];
            const size_t size = (size_t)(width * channels) * 4 + MXIO_SLACK;
            uint8_t *row = noise((size_t)(WIDEST * channels), (uint32_t)width);
            float *out = guarded(size);
            struct mxio_tap *taps = malloc(WIDEST * TAPS * sizeof *taps);
            size_t end[WIDEST], count = 0;
            uint32_t state = (uint32_t)width + 1;
            MUST(taps != NULL, "malloc");
            for (int x = 0; x < width; x++) {
                for (int i = any_below(&state, TAPS); i >= 0; i--)
                    taps[count++] =
                        (struct mxio_tap){any_below(&state, WIDEST) * channels,
                                          (float)(any_below(&state, 2000) - 500) / 777};
                end[x] = count;
            }
            kernels->stretch_taps(out, row, taps, end, (size_t)width, channels);
            for (int i = 0; i < width * channels; i++) {
                const int x = i / channels, c = i % channels;
                float sum = 0;
                for (size_t tap = x == 0 ? 0 : end[x - 1]; tap < end[x]; tap++)
                    sum = plus_product(sum, row[taps[tap].from + c], taps[tap].weight);
                CHECK_INT(bits_of(out[i]), bits_of(sum));
            }
            CHECK(guard_is_whole(out, size));
            free(row);
            free(out);
            free(taps);
        }
}

TEST(stretching_by_fours_weighs_four_neighbours)
{
    FOR_EACH_LEVEL(kernels)
    for (int k = 0; k < 3; k++)
        for (int width = 0; width <= WIDEST; width += 1 + width / 20) {
            const int channels = channel_counts[k];
            const size_t size = (size_t)(width * channels) * 4 + MXIO_SLACK;
            uint8_t *row = noise((size_t)((WIDEST + 3) * channels), (uint32_t)width);
            float *out = guarded(size);
            struct mxio_fours fours[WIDEST];
            uint32_t state = (uint32_t)width + 1;
            for (int x = 0; x < width; x++) {
                fours[x].first = any_below(&state, WIDEST) * channels;
                for (int i = 0; i < 4; i++)
                    fours[x].weights[i] = (int16_t)(any_below(&state, 4097) - 1500);
            }
            kernels->stretch_fours(out, row, fours, (size_t)width, channels);
            for (int i = 0; i < width * channels; i++) {
                const struct mxio_fours *by = &fours[i / channels];
                const uint8_t *in = row + by->first + i % channels;
                double sum = 0;
                for (int n = 0; n < 4; n++)
                    sum += in[n * channels] * by->weights[n] / 2048.0;
                CHECK_INT(bits_of(out[i]), bits_of((float)sum));
            }
            CHECK(guard_is_whole(out, size));
            free(row);
            free(out);
        }
}

TEST(blending_by_fours_adds_in_order_and_rounds)
{
    FOR_EACH_LEVEL(kernels)
    for (int count = 0; count <= WIDEST; count++) {
        float *rows[4];
        const float weights[4] = {-0.07F, 0.61F, 0.53F, -0.072F};
        uint8_t *out = guarded((size_t)count);
        uint32_t state = (uint32_t)count + 1;
        for (int k = 0; k < 4; k++) {
            rows[k] = guarded((size_t)count * 4);
            for (int i = 0; i < count; i++)
                rows[k][i] = (float)(any_below(&state, 7000) - 500) / 19;
        }
        kernels->blend_fours(out, (const float *const *)rows, weights, (size_t)count);
        for (int i = 0; i < count; i++) {
            float sum = 0;
            for (int k = 0; k < 4; k++)
                sum = plus_product(sum, rows[k][i], weights[k]);
            CHECK_INT(out[i], floorf(fmaxf(0, fminf(255, sum)) + 0.5F));
        }
        CHECK(guard_is_whole(out, (size_t)count));
        for (int k = 0; k < 4; k++)
            free(rows[k]);
        free(out);
    }
}

TEST(rows_are_added_up_and_rounded)
{
    FOR_EACH_LEVEL(kernels)
    for (int count = 0; count <= WIDEST; count++) {
        const size_t size = (size_t)count * 4 + MXIO_SLACK;
        float *sum = guarded(size), *row = guarded(size), before[WIDEST];
        uint8_t *out = guarded((size_t)count);
        uint32_t state = (uint32_t)count + 1;
        for (int i = 0; i < count; i++) {
            before[i] = sum[i] = (float)(any_below(&state, 6000) - 500) / 16;
            row[i] = (float)(any_below(&state, 6000) - 500) / 19;
        }
        kernels->round_row(out, sum, (size_t)count);
        for (int i = 0; i < count; i++)
            CHECK_INT(out[i], floor(fmax(0, fmin(255, (double)before[i])) + 0.5));
        kernels->add_row(sum, row, -0.3F, (size_t)count);
        for (int i = 0; i < count; i++)
            CHECK_INT(bits_of(sum[i]), bits_of(plus_product(before[i], row[i], -0.3F)));
        CHECK(guard_is_whole(out, (size_t)count));
        CHECK(guard_is_whole(sum, size));
        free(sum);
        free(row);
        free(out);
    }
}

/* Weights for each fraction, of both signs, that sum to about one. */
static int16_t *
some_weights(int taps)
{
    const int count = 32 * 32 * taps * taps;
    int16_t *out = malloc((size_t)count * sizeof *out);
    uint32_t state = 3;

    MUST(out != NULL, "malloc");
    for (int i = 0; i < count; i++)
        out[i] = (int16_t)((any_below(&state, 4001) - 1000) * 16 / (taps * taps));
    return out;
}

TEST(warping_by_taps_weighs_all_neighbours_and_clamps)
{
    enum { SIDE = 24 };
    FOR_EACH_LEVEL(kernels)
    for (int k = 0; k < 6; k++) {
        const int channels = channel_counts[k / 2], taps = k % 2 ? 8 : 4;
        const int stride = SIDE * channels + 5, reach = taps / 2 - 1;
        uint8_t *from = noise((size_t)(stride * SIDE), (uint32_t)k);
        int16_t *weights = some_weights(taps);
        for (int count = 0; count <= WIDEST; count += 1 + count / 9) {
            uint8_t *out = guarded((size_t)(count * channels));
            struct mxio_warp_point points[WIDEST];
            uint32_t state = (uint32_t)count + 1;
            for (int i = 0; i < count; i++)
                points[i] = (struct mxio_warp_point){
                    reach * 32 + any_below(&state, (SIDE - taps + 1) * 32),
                    reach * 32 + any_below(&state, (SIDE - taps + 1) * 32)};
            kernels->warp_taps(out, from, (size_t)stride, points, (size_t)count,
                               channels, weights, taps);
            for (int i = 0; i < count * channels; i++) {
                const struct mxio_warp_point at = points[i / channels];
                const int16_t *weight =
                    weights + (at.y % 32 * 32 + at.x % 32) * taps * taps;
                int sum = 0;
                for (int n = 0; n < taps * taps; n++)
                    sum +=
                        weight[n] *
                        from[(at.y / 32 - reach + n / taps) * stride +
                             (at.x / 32 - reach + n % taps) * channels + i % channels];
                CHECK_INT(out[i], fmax(0, fmin(255, floor((sum + 8192) / 16384.0))));
            }
            CHECK(guard_is_whole(out, (size_t)(count * channels)));
            free(out);
        }
        free(from);
        free(weights);
    }
}

/* ---- choice ---- */

TEST(levels_have_names)
{
    size_t count = 0;

    for (; mxio_kernels_name(count) != NULL; count++) {
        const char *name = mxio_kernels_name(count);
        const struct mxio_kernels *kernels = mxio_kernels_named(name);
        CHECK(kernels == NULL || kernels == &mxio_kernels_scalar ||
              strcmp(kernels->name, name) == 0);
    }
    CHECK(count > 1);
    CHECK(strcmp(mxio_kernels_name(count - 1), "off") == 0);
    CHECK(mxio_kernels_named("off") == &mxio_kernels_scalar);
    CHECK(mxio_kernels_named("mmx") == NULL);
    CHECK(mxio_kernels_best() != NULL);
#if defined __AARCH64EL__
    CHECK(mxio_kernels_best() == &mxio_kernels_neon);
#endif
}

/* The name of the level that a process with that wish gets. */
static bool
wish_gives(const char *wish, const char *name)
{
    int result = 1;
    const pid_t child = fork();

    if (child == 0) {
        setenv("MXIO_SIMD", wish, 1);
        _exit(strcmp(mxio_kernels_best()->name, name) == 0 ? 0 : 1);
    }
    waitpid(child, &result, 0);
    return result == 0;
}

TEST(the_environment_may_ask_for_a_level)
{
    const char *best = "";

    FOR_EACH_LEVEL(kernels)
    {
        best = *best == '\0' ? kernels->name : best;
        CHECK(wish_gives(mxio_kernels_name(number_), kernels->name));
    }
    CHECK(wish_gives("nonsense", best));
    CHECK(wish_gives("", best));
}

int
main(void)
{
    RUN(the_environment_may_ask_for_a_level); /* before the choice is made */
    RUN(levels_have_names);
    RUN(stretching_weighs_two_neighbouring_pixels);
    RUN(blending_weighs_two_rows_and_rounds);
    RUN(splitting_gives_each_channel_its_plane);
    RUN(flipping_turns_pixels_and_not_their_channels);
    RUN(warping_weighs_four_neighbours_and_rounds_half_up);
    RUN(the_filters_of_png_are_undone);
    RUN(stretching_by_taps_adds_them_in_their_order);
    RUN(stretching_by_fours_weighs_four_neighbours);
    RUN(blending_by_fours_adds_in_order_and_rounds);
    RUN(rows_are_added_up_and_rounded);
    RUN(warping_by_taps_weighs_all_neighbours_and_clamps);
    return check_result();
}
