#include "emit.h"

#include "faults.h"
#include "records.h"

#define HEIGHT 3
#define WIDEST 40

/* One way of emitting: everything that the values depend on. */
struct setting {
    int channels, width, dtype, layout;
    bool image; /* a mean image takes the place of mean_r, g, b, a */
    bool mirrored;
    struct mxio_tone tone;
};

/* All of them floats, exactly. */
static const double means[4] = {123.625, 116.25, -3.5, 40.25};
static const double stds[4] = {58.5, 0.5, 57.375, 2};
static const double scale = 0.75;

static struct mxio_params
params_of(const struct setting *setting)
{
    const bool normalised = setting->dtype != MXIO_UINT8;
    const bool factors = normalised && setting->dtype != MXIO_INT8;
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params;

    MUST(mxio_params_init(&params, &err) == MXIO_OK, "mxio_params_init");
    params.data_shape = (struct mxio_shape){setting->channels, HEIGHT, setting->width};
    params.dtype = setting->dtype;
    params.layout = setting->layout;
    if (normalised) {
        params.mean_r = means[0];
        params.mean_g = means[1];
        params.mean_b = means[2];
        params.mean_a = means[3];
    }
    if (factors) {
        params.std_r = stds[0];
        params.std_g = stds[1];
        params.std_b = stds[2];
        params.std_a = stds[3];
        params.scale = scale;
    }
    return params;
}

static uint8_t
pixel_at(int x, int y, int c)
{
    return (uint8_t)(x * 37 + y * 101 + c * 59);
}

static float
image_at(const struct setting *setting, int x, int y, int c)
{
    return (float)((c * HEIGHT + y) * setting->width + x) * 1.375F - 20;
}

static double
mean_at(const struct setting *setting, int x, int y, int c)
{
    return setting->image ? image_at(setting, x, y, c) : means[c];
}

/* The value of an upright pixel; MXNet's formula. */
static double
true_value(const struct setting *setting, int x, int y, int c)
{
    const double pixel = pixel_at(x, y, c);
    const double mean = mean_at(setting, x, y, c);

    if (setting->dtype == MXIO_UINT8)
        return pixel;
    if (setting->dtype == MXIO_INT8)
        return fmax(-128, fmin(127, pixel - round(mean)));
    return (pixel - mean) * (setting->tone.contrast * scale / stds[c]) +
           setting->tone.illumination * scale / stds[c];
}

/* The number in a half. */
static double
value_of_half(uint16_t half)
{
    const int exponent = half >> 10 & 31, fraction = half & 1023;
    const double size =
        exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);

    return half & 0x8000 ? -size : size;
}

static double
value_in(const struct setting *setting, const uint8_t *sample, size_t place)
{
    float single;
    uint16_t half;
    uint32_t bits;

    switch (setting->dtype) {
    case MXIO_FLOAT32:
        memcpy(&single, sample + 4 * place, 4);
        return single;
    case MXIO_FLOAT16:
        memcpy(&half, sample + 2 * place, 2);
        return value_of_half(half);
    case MXIO_BFLOAT16: /* the upper half of a float */
        memcpy(&half, sample + 2 * place, 2);
        bits = (uint32_t)half << 16;
        memcpy(&single, &bits, 4);
        return single;
    case MXIO_INT8:
        return (int8_t)sample[place];
    default:
        return sample[place];
    }
}

/* Where the value of column x (as emitted), row y, channel c lies in a sample. */
static size_t
place_of(const struct setting *setting, int x, int y, int c)
{
    return (size_t)(setting->layout == MXIO_NCHW
                        ? (c * HEIGHT + y) * setting->width + x
                        : (y * setting->width + x) * setting->channels + c);
}

/* Emit all rows of one sample; NULL when memory fails. */
static enum mxio_status
emit(const struct setting *setting, const float *mean, uint8_t *sample,
     struct mxio_error *err)
{
    struct mxio_params params = params_of(setting);
    struct mxio_emission emission = {.factor = NULL};
    struct mxio_emitter emitter = {.kernels = NULL};
    enum mxio_status status = mxio_emitter_make(&emitter, &params, mean, err);

    if (status == MXIO_OK)
        status = mxio_emission_start(&emission, &emitter, setting->tone, err);
    for (int y = HEIGHT - 1; y >= 0 && status == MXIO_OK; y--) {
        uint8_t row[WIDEST * 4 + MXIO_SLACK] = {0};
        const bool comes_so = setting->mirrored && y % 2 == 0;
        for (int i = 0; i < setting->width * setting->channels; i++) {
            const int x = i / setting->channels;
            row[i] = pixel_at(comes_so ? setting->width - 1 - x : x, y,
                              i % setting->channels);
        }
        mxio_emit_row(&emission, &emitter, row, y,
                      !setting->mirrored ? MXIO_UPRIGHT
                      : comes_so         ? MXIO_MIRRORED
                                         : MXIO_TO_MIRROR,
                      sample);
    }
    mxio_emission_free(&emission);
    mxio_emitter_free(&emitter);
    mxio_params_free(&params);
    return status;
}

static bool
is_near(const struct setting *setting, double got, double right)
{
    static const double spacings[] =
        {[MXIO_FLOAT32] = 1e-6, [MXIO_FLOAT16] = 5.1e-4, [MXIO_BFLOAT16] = 4.1e-3};
    const double spacing = spacings[setting->dtype];

    /* Illumination may cancel what it is added to. */
    return fabs(got - right) <= spacing * (fabs(right) + 10);
}

static bool
setting_is_right(const struct setting *setting)
{
    const int values = setting->channels * HEIGHT * setting->width;
    static const size_t sizes[] = {[MXIO_FLOAT32] = 4,
                                   [MXIO_FLOAT16] = 2,
                                   [MXIO_UINT8] = 1,
                                   [MXIO_INT8] = 1,
                                   [MXIO_BFLOAT16] = 2};
    const size_t size = (size_t)values * sizes[setting->dtype];
    struct mxio_error err = MXIO_NO_ERROR;
    uint8_t *sample = malloc(size);
    float *mean = malloc((size_t)values * sizeof *mean);
    MUST(sample != NULL && mean != NULL, "malloc");
    for (int c = 0; c < setting->channels; c++)
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < setting->width; x++)
                mean[(c * HEIGHT + y) * setting->width + x] =
                    image_at(setting, x, y, c);

    bool right = emit(setting, setting->image ? mean : NULL, sample, &err) == MXIO_OK;
    for (int c = 0; c < setting->channels; c++)
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < setting->width; x++) {
                const int to = setting->mirrored ? setting->width - 1 - x : x;
                right = right &&
                        is_near(setting,
                                value_in(setting, sample, place_of(setting, to, y, c)),
                                true_value(setting, x, y, c));
            }
    free(sample);
    free(mean);
    return right || check_failed(__FILE__, __LINE__,
                                 "channels %d, width %d, dtype %d, layout %d, image "
                                 "%d, mirrored %d, contrast %g",
                                 setting->channels, setting->width, setting->dtype,
                                 setting->layout, setting->image, setting->mirrored,
                                 (double)setting->tone.contrast);
}

static bool
every_setting_is_right(struct mxio_tone tone, const int *dtypes, int dtype_count)
{
    bool right = true;

    for (int i = 0; i < dtype_count * 8; i++)
        for (int channels = 1; channels <= 4; channels += 1 + (channels == 1))
            for (int width = 1; width <= WIDEST; width += 1 + width / 9) {
                const struct setting setting = {.channels = channels,
                                                .width = width,
                                                .dtype = dtypes[i / 8],
                                                .layout = i & 1,
                                                .image = (i & 2) != 0,
                                                .mirrored = (i & 4) != 0,
                                                .tone = tone};
                right = right && setting_is_right(&setting);
            }
    return right;
}

static const struct mxio_tone plain = {.contrast = 1};

TEST(floats_are_centred_and_scaled_in_every_layout)
{
    CHECK(
        every_setting_is_right(plain,
                               (const int[]){MXIO_FLOAT32, MXIO_FLOAT16, MXIO_BFLOAT16},
                               3));
}

TEST(contrast_and_illumination_change_the_tone)
{
    CHECK(every_setting_is_right((struct mxio_tone){1.25F, 0},
                                 (const int[]){MXIO_FLOAT32, MXIO_FLOAT16}, 2));
    CHECK(every_setting_is_right((struct mxio_tone){0.5F, -30},
                                 (const int[]){MXIO_FLOAT32}, 1));
    CHECK(every_setting_is_right((struct mxio_tone){1, 12}, (const int[]){MXIO_FLOAT32},
                                 1));
}

TEST(int8_is_centred_and_clamped)
{
    CHECK(every_setting_is_right(plain, (const int[]){MXIO_INT8}, 1));
}

TEST(uint8_is_as_it_is)
{
    for (int layout = 0; layout < 2; layout++)
        for (int channels = 1; channels <= 4; channels += 1 + (channels == 1)) {
            const struct setting setting = {.channels = channels,
                                            .width = 37,
                                            .dtype = MXIO_UINT8,
                                            .layout = layout,
                                            .tone = plain};
            CHECK(setting_is_right(&setting));
        }
}

TEST(one_emission_serves_tones_in_turn)
{
    static const struct mxio_tone tones[] = {{1, 0}, {2, 5}, {1, 0}, {0.5F, 0}};
    struct setting setting = {.channels = 1, .width = 1, .dtype = MXIO_FLOAT32};
    struct mxio_params params = params_of(&setting);
    struct mxio_emission emission = {.factor = NULL};
    struct mxio_emitter emitter;
    struct mxio_error err = MXIO_NO_ERROR;
    CHECK_OK(mxio_emitter_make(&emitter, &params, NULL, &err), err);

    for (int i = 0; i < 4; i++) {
        const uint8_t row[1 + MXIO_SLACK] = {pixel_at(0, 0, 0)};
        float out[HEIGHT];
        setting.tone = tones[i];
        CHECK_OK(mxio_emission_start(&emission, &emitter, tones[i], &err), err);
        mxio_emit_row(&emission, &emitter, row, 0, MXIO_UPRIGHT, out);
        CHECK_NEAR(out[0], true_value(&setting, 0, 0, 0), 1e-5);
    }
    mxio_emission_free(&emission);
    mxio_emission_free(&emission);
    mxio_emitter_free(&emitter);
    mxio_emitter_free(&emitter);
    mxio_params_free(&params);
}

static enum mxio_status
emit_once(void *context, struct mxio_error *err)
{
    struct mxio_params *params = context;
    struct mxio_emission emission = {.factor = NULL};
    struct mxio_emitter emitter = {.kernels = NULL};
    enum mxio_status status = mxio_emitter_make(&emitter, params, NULL, err);

    if (status == MXIO_OK)
        status =
            mxio_emission_start(&emission, &emitter, (struct mxio_tone){2, 2}, err);
    mxio_emission_free(&emission);
    mxio_emitter_free(&emitter);
    return status;
}

TEST(every_failing_allocation_is_survived)
{
    const struct setting setting = {.channels = 3, .width = 9};
    struct mxio_params params = params_of(&setting);
    const int met = faults_met(emit_once, &params);

    mxio_params_free(&params);
    CHECK(met >= 5);
}

int
main(void)
{
    RUN(floats_are_centred_and_scaled_in_every_layout);
    RUN(contrast_and_illumination_change_the_tone);
    RUN(int8_is_centred_and_clamped);
    RUN(uint8_is_as_it_is);
    RUN(one_emission_serves_tones_in_turn);
    RUN(every_failing_allocation_is_survived);
    return check_result();
}
