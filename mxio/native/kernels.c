#include "kernels.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined __x86_64__
#include <cpuid.h>
#endif

static void
stretch_row(int16_t *out, const uint8_t *row, const int32_t *first,
            const struct mxio_weights *weights, size_t width, int channels)
{
    for (size_t x = 0; x < width; x++) {
        const uint8_t *in = row + first[x];
        const int16_t *weight = weights[x].pair[0];
        for (int c = 0; c < channels; c++)
            *out++ = (int16_t)((in[c] * weight[0] + in[c + channels] * weight[1]) >> 4);
    }
}

static void
blend_rows(uint8_t *out, const int16_t *top, const int16_t *bottom,
           const int16_t weight[2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const int sum = (top[i] * weight[0] >> 16) + (bottom[i] * weight[1] >> 16);
        out[i] = (uint8_t)((sum + 2) >> 2);
    }
}

static void
stretch_taps(float *out, const uint8_t *row, const struct mxio_tap *taps,
             const size_t *end, size_t width, int channels)
{
    size_t tap = 0;

    for (size_t x = 0; x < width; x++) {
        float sum[4] = {0};
        for (; tap < end[x]; tap++) {
            const uint8_t *in = row + taps[tap].from;
            for (int c = 0; c < channels; c++)
                sum[c] += (float)in[c] * taps[tap].weight;
        }
        for (int c = 0; c < channels; c++)
            *out++ = sum[c];
    }
}

static void
stretch_fours(float *out, const uint8_t *row, const struct mxio_fours *fours,
              size_t width, int channels)
{
    for (size_t x = 0; x < width; x++) {
        const uint8_t *in = row + fours[x].first;
        const int16_t *weights = fours[x].weights;
        for (int c = 0; c < channels; c++, in++) {
            const int sum = in[0] * weights[0] + in[channels] * weights[1] +
                            in[2 * channels] * weights[2] +
                            in[3 * channels] * weights[3];
            *out++ = (float)sum * (1.0f / (1 << MXIO_WEIGHT_BITS));
        }
    }
}

static uint8_t
rounded(float value)
{
    const float low = value < 0 ? 0 : value;

    return (uint8_t)((low > 255 ? 255 : low) + 0.5f);
}

static void
blend_fours(uint8_t *out, const float *const rows[4], const float weights[4],
            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float sum = rows[0][i] * weights[0];
        for (int k = 1; k < 4; k++)
            sum += rows[k][i] * weights[k];
        out[i] = rounded(sum);
    }
}

static void
add_row(float *sum, const float *row, float weight, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sum[i] += row[i] * weight;
}

static void
round_row(uint8_t *out, const float *in, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = rounded(in[i]);
}

static void
split_row(uint8_t *const *planes, const uint8_t *row, size_t width, int channels)
{
    for (int c = 0; c < channels; c++)
        for (size_t x = 0; x < width; x++)
            planes[c][x] = row[x * (size_t)channels + (size_t)c];
}

static void
warp_row(uint8_t *out, const uint8_t *from, size_t stride,
         const struct mxio_warp_point *points, size_t count, int channels)
{
    const int one = MXIO_WARP_STEPS, mask = one - 1;

    for (size_t i = 0; i < count; i++) {
        const int x = points[i].x & mask, y = points[i].y & mask;
        const uint8_t *top = from + (size_t)(points[i].y >> 5) * stride +
                             (size_t)(points[i].x >> 5) * (size_t)channels;
        const uint8_t *bottom = top + stride;
        for (int c = 0; c < channels; c++) {
            const int upper = top[c] * (one - x) + top[c + channels] * x;
            const int lower = bottom[c] * (one - x) + bottom[c + channels] * x;
            *out++ = (uint8_t)((upper * (one - y) + lower * y + 512) >> 10);
        }
    }
}

/* One pixel; `in` is the first of its taps. */
static void
sum_taps(uint8_t *out, const uint8_t *in, size_t stride, const int16_t *weights,
         int taps, int channels)
{
    const int one = 1 << MXIO_WARP_WEIGHT_BITS;
    int sum[4] = {0};

    for (int y = 0; y < taps; y++, in += stride)
        for (int x = 0; x < taps; x++, weights++)
            for (int c = 0; c < channels; c++)
                sum[c] += in[x * channels + c] * *weights;
    for (int c = 0; c < channels; c++) {
        const int value = (sum[c] + one / 2) >> MXIO_WARP_WEIGHT_BITS;
        out[c] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
}

static void
warp_taps(uint8_t *out, const uint8_t *from, size_t stride,
          const struct mxio_warp_point *points, size_t count, int channels,
          const int16_t *weights, int taps)
{
    const int mask = MXIO_WARP_STEPS - 1, reach = taps / 2 - 1;

    for (size_t i = 0; i < count; i++) {
        const int fraction =
            (points[i].y & mask) * MXIO_WARP_STEPS + (points[i].x & mask);
        const uint8_t *in = from + (size_t)((points[i].y >> 5) - reach) * stride +
                            (size_t)((points[i].x >> 5) - reach) * (size_t)channels;
        sum_taps(out + i * (size_t)channels, in, stride,
                 weights + fraction * taps * taps, taps, channels);
    }
}

static void
flip_row(uint8_t *out, const uint8_t *row, size_t width, int channels)
{
    const size_t pixel = (size_t)channels;

    for (size_t x = 0; x < width; x++)
        for (size_t c = 0; c < pixel; c++)
            out[x * pixel + c] = row[(width - 1 - x) * pixel + c];
}

const struct mxio_kernels mxio_kernels_scalar = {
    .name = "scalar",
    .color = &mxio_color_kernels_scalar,
    .jpeg = &mxio_jpeg_kernels_scalar,
    .values = &mxio_value_kernels_scalar,
    .unfilter_row = mxio_unfilter_row_scalar,
    .stretch_row = stretch_row,
    .blend_rows = blend_rows,
    .stretch_taps = stretch_taps,
    .stretch_fours = stretch_fours,
    .blend_fours = blend_fours,
    .add_row = add_row,
    .round_row = round_row,
    .split_row = split_row,
    .warp_row = warp_row,
    .warp_taps = warp_taps,
    .flip_row = flip_row,
};

#if defined __x86_64__
/* __builtin_cpu_supports knows "f16c" in gcc, but not in every clang. */
static bool
has_f16c(void)
{
    unsigned int a, b, c, d;

    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}
#endif

/* Is it there? */
static const struct mxio_kernels *
avx2(void)
{
#if defined __x86_64__
    if (__builtin_cpu_supports("avx2") && has_f16c())
        return &mxio_kernels_avx2;
#endif
    return NULL;
}

/* Every 64-bit Arm has it. */
static const struct mxio_kernels *
neon(void)
{
#if defined __AARCH64EL__
    return &mxio_kernels_neon;
#else
    return NULL;
#endif
}

static const struct mxio_kernels *
scalar(void)
{
    return &mxio_kernels_scalar;
}

/* Best first. */
static const struct level {
    const char *name;
    const struct mxio_kernels *(*get)(void);
} levels[] = {{"avx2", avx2}, {"neon", neon}, {"off", scalar}};

#define LEVELS (sizeof levels / sizeof levels[0])

const struct mxio_kernels *
mxio_kernels_named(const char *name)
{
    for (size_t i = 0; i < LEVELS; i++)
        if (strcmp(name, levels[i].name) == 0)
            return levels[i].get();
    return NULL;
}

const char *
mxio_kernels_name(size_t number)
{
    return number < LEVELS ? levels[number].name : NULL;
}

static const struct mxio_kernels *best;

static void
choose(void)
{
    const char *wish = getenv("MXIO_SIMD");

    best = wish != NULL ? mxio_kernels_named(wish) : NULL;
    for (size_t i = 0; i < LEVELS && best == NULL; i++)
        best = levels[i].get();
}

const struct mxio_kernels *
mxio_kernels_best(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, choose);
    return best;
}
