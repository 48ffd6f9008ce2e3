#include "kernels_values.h"

#include <float.h>

#include "check.h"
#include "levels.h"

struct numbers {
    float mean[WIDEST], factor[WIDEST], bias[WIDEST];
};

static struct numbers *
some_numbers(uint32_t seed)
{
    struct numbers *out = malloc(sizeof *out);
    uint32_t state = seed + 1;

    MUST(out != NULL, "malloc");
    for (int i = 0; i < WIDEST; i++) {
        out->mean[i] = (float)any_below(&state, 60000) / 173.0F - 80;
        out->factor[i] = (float)any_below(&state, 1000) / 321.0F;
        out->bias[i] = (float)any_below(&state, 1000) / 99.0F - 5;
    }
    return out;
}

/* Each operation rounded to a float, in the header's order. */
static float
affine(uint8_t value, const struct numbers *numbers, int i)
{
    const volatile float centred = (float)value - numbers->mean[i];
    const volatile float scaled = centred * numbers->factor[i];

    return scaled + numbers->bias[i];
}

/* The half nearest to x, ties to even, by its definition: a multiple of the spacing. */
static uint16_t
nearest_half(float x)
{
    const uint16_t sign = signbit(x) ? 0x8000 : 0;
    const double size = fabs((double)x);
    int exponent;

    if (isnan(x))
        return 0x7E00;
    if (size == 0)
        return sign;
    if (size >= 65520)
        return sign | 0x7C00;
    frexp(size, &exponent);
    if (exponent < -13) /* subnormal: multiples of 2^-24 */
        return (uint16_t)(sign | (int)nearbyint(ldexp(size, 24)));
    const int kept = (int)nearbyint(ldexp(size, 11 - exponent)); /* 1024 to 2048 */
    return (uint16_t)(sign | (((exponent + 14) << 10) + kept - 1024));
}

/* The bfloat16 nearest to x by its definition: 8 bits behind the leading one's place. */
static uint16_t
nearest_bfloat16(float x)
{
    const double size = fabs((double)x);
    int exponent;

    if (isnan(x))
        return 0x7FC0;
    frexp(size, &exponent);
    const int spacing =
        exponent < -125 ? -133 : exponent - 8; /* subnormals share one */
    const double kept = ldexp(nearbyint(ldexp(size, -spacing)), spacing);
    const uint16_t bits = isinf(x) || kept > (double)FLT_MAX
                              ? 0x7F80
                              : (uint16_t)(bits_of((float)kept) >> 16);
    return (uint16_t)((signbit(x) ? 0x8000 : 0) | bits);
}

static const size_t sizes[] = {[MXIO_VALUE_FLOAT32] = 4,
                               [MXIO_VALUE_FLOAT16] = 2,
                               [MXIO_VALUE_BFLOAT16] = 2,
                               [MXIO_VALUE_INT8] = 1};
#define TYPES 4

/* Value i of an output is what pixel `in` becomes by the numbers at k. */
static bool
value_is_right(const void *out, size_t i, enum mxio_value_type type, uint8_t in,
               const struct numbers *numbers, size_t k)
{
    const float expected = affine(in, numbers, (int)k);
    const double whole = in - round((double)numbers->mean[k]);

    switch (type) {
    case MXIO_VALUE_FLOAT32:
        return bits_of(((const float *)out)[i]) == bits_of(expected);
    case MXIO_VALUE_FLOAT16:
        return ((const uint16_t *)out)[i] == nearest_half(expected);
    case MXIO_VALUE_BFLOAT16:
        return ((const uint16_t *)out)[i] == nearest_bfloat16(expected);
    default:
        return ((const int8_t *)out)[i] == (int8_t)fmax(-128, fmin(127, whole));
    }
}

static void
convert(const struct mxio_kernels *kernels, enum mxio_value_type type, void *out,
        const uint8_t *in, size_t count, const struct mxio_affine *by)
{
    if (type == MXIO_VALUE_FLOAT32)
        kernels->values->to_float32(out, in, count, by);
    else if (type == MXIO_VALUE_FLOAT16)
        kernels->values->to_float16(out, in, count, by);
    else if (type == MXIO_VALUE_BFLOAT16)
        kernels->values->to_bfloat16(out, in, count, by);
    else
        kernels->values->to_int8(out, in, count, by);
}

/* The conversion of that many values by these numbers. */
static bool
converts(const struct mxio_kernels *kernels, enum mxio_value_type type,
         const struct numbers *numbers, size_t count, size_t step)
{
    const struct mxio_affine by = {numbers->mean, numbers->factor, numbers->bias, step};
    uint8_t *in = noise(count, (uint32_t)count);
    void *out = guarded(count * sizes[type]);
    bool right = true;

    convert(kernels, type, out, in, count, &by);
    for (size_t i = 0; i < count; i++)
        right = right && value_is_right(out, i, type, in[i], numbers, i * step);
    right = right && guard_is_whole(out, count * sizes[type]);
    free(in);
    free(out);
    return right;
}

TEST(values_are_centred_scaled_and_shifted)
{
    FOR_EACH_LEVEL(kernels)
    for (int i = 0; i <= WIDEST * TYPES * 2; i++) {
        struct numbers *numbers = some_numbers((uint32_t)i);
        CHECK(converts(kernels, (enum mxio_value_type)(i % TYPES), numbers,
                       (size_t)(i / 2 / TYPES), (size_t)(i / TYPES % 2)));
        free(numbers);
    }
}

/* A row of pixels to planes, each by numbers of its own. */
static bool
spreads(const struct mxio_kernels *kernels, enum mxio_value_type type, size_t width,
        size_t channels, bool flip, size_t step)
{
    const size_t size = width * sizes[type];
    uint8_t *row = noise(width * channels, (uint32_t)width);
    const struct mxio_pixels from = {row, width, (int)channels, flip};
    struct numbers *numbers[4];
    struct mxio_affine by[4];
    void *planes[4];
    bool right = true;

    for (size_t c = 0; c < channels; c++) {
        numbers[c] = some_numbers((uint32_t)(width + c));
        by[c] = (struct mxio_affine){numbers[c]->mean, numbers[c]->factor,
                                     numbers[c]->bias, step};
        planes[c] = guarded(size);
    }
    kernels->values->to_planes(planes, &from, by, type);
    for (size_t c = 0; c < channels; c++) {
        for (size_t x = 0; x < width; x++) {
            const size_t at = flip ? width - 1 - x : x;
            right = right && value_is_right(planes[c], x, type, row[at * channels + c],
                                            numbers[c], x * step);
        }
        right = right && guard_is_whole(planes[c], size);
        free(planes[c]);
        free(numbers[c]);
    }
    free(row);
    return right;
}

TEST(pixels_go_to_planes_upright_and_flipped)
{
    FOR_EACH_LEVEL(kernels)
    for (size_t width = 0; width <= WIDEST; width += 1 + width / 40)
        for (size_t i = 0; i < (size_t)TYPES * 8; i++)
            CHECK(spreads(kernels, (enum mxio_value_type)(i / 8), width, 3 + i % 2,
                          i / 2 % 2 != 0, i / 4 % 2));
}

/* The plain code cuts long rows into blocks. */
TEST(rows_longer_than_a_block_go_to_planes)
{
    enum { LONG = 1000 };
    FOR_EACH_LEVEL(kernels)
    {
        static const float zero, one = 1;
        const struct mxio_affine by = {&zero, &one, &zero, 0};
        const struct mxio_affine each[3] = {by, by, by};
        uint8_t *row = noise((size_t)LONG * 3, 1);
        float *out = guarded((size_t)LONG * 3 * 4);
        void *planes[3] = {out, out + LONG, out + 2 * LONG};
        kernels->values->to_planes(planes, &(struct mxio_pixels){row, LONG, 3, true},
                                   each, MXIO_VALUE_FLOAT32);
        for (int i = 0; i < LONG * 3; i++)
            CHECK_INT(out[i], row[(LONG - 1 - i % LONG) * 3 + i / LONG]);
        CHECK(guard_is_whole(out, (size_t)LONG * 3 * 4));
        free(row);
        free(out);
    }
}

TEST(a_mean_halfway_rounds_away_from_zero_in_int8)
{
    enum { COUNT = 8 }; /* what vector code does at once */
    FOR_EACH_LEVEL(kernels)
    {
        const float mean[COUNT] = {127.5F, 128.5F,      -0.5F,  -1.5F,
                                   0.5F,   0.49999997F, 254.5F, -254.5F};
        const float one[COUNT] = {1, 1, 1, 1, 1, 1, 1, 1};
        const uint8_t in[COUNT + MXIO_SLACK] = {0, 255, 0, 10, 100, 100, 255, 0};
        static const int8_t expected[] = {-128, 126, 1, 12, 99, 100, 0, 127};
        int8_t out[COUNT];
        kernels->values->to_int8(out, in, COUNT,
                                 &(struct mxio_affine){mean, one, one, 1});
        CHECK_BYTES(out, expected, COUNT);
    }
}

#define CHUNK 4096

/* Any floats to 16 bits: (0 - 0) * -0 + bias leaves the bias as it is, bit by bit. */
static void
narrow(const struct mxio_kernels *kernels, enum mxio_value_type type,
       const uint32_t *bits, size_t count, uint16_t *out)
{
    static const uint8_t in[CHUNK + MXIO_SLACK];
    static const float mean[CHUNK];
    static float factor[CHUNK], bias[CHUNK];

    for (int i = 0; i < CHUNK; i++)
        factor[i] = -0.0F;
    memcpy(bias, bits, count * sizeof *bits);
    convert(kernels, type, out, in, count,
            &(struct mxio_affine){mean, factor, bias, 1});
}

/* A NaN becomes a quiet one: that of a half keeps its sign and the top of its payload. */
static uint16_t
narrowed(enum mxio_value_type type, uint32_t bits)
{
    float x;

    memcpy(&x, &bits, sizeof x);
    if (type == MXIO_VALUE_BFLOAT16)
        return nearest_bfloat16(x);
    return isnan(x) ? (uint16_t)((bits >> 16 & 0x8000) | 0x7E00 | (bits >> 13 & 0x3FF))
                    : nearest_half(x);
}

static bool
narrows(enum mxio_value_type type, const uint32_t *bits, size_t count)
{
    uint16_t out[CHUNK];

    FOR_EACH_LEVEL(kernels)
    {
        narrow(kernels, type, bits, count, out);
        for (size_t i = 0; i < count; i++)
            if (out[i] != narrowed(type, bits[i]))
                return check_failed(__FILE__, __LINE__,
                                    "%s, type %d: %08x is %04x, expected %04x",
                                    kernels->name, type, bits[i], out[i],
                                    narrowed(type, bits[i]));
    }
    return true;
}

TEST(floats_of_all_magnitudes_become_the_nearest_of_16_bits)
{
    uint32_t bits[CHUNK], next = 0;

    for (int chunk = 0; chunk < 700; chunk++) { /* 2^32 in strides of 1499 */
        for (int i = 0; i < CHUNK; i++, next += 1499)
            bits[i] = next;
        CHECK(narrows(MXIO_VALUE_FLOAT16, bits, CHUNK));
        CHECK(narrows(MXIO_VALUE_BFLOAT16, bits, CHUNK));
    }
}

/* The value of a finite half; 0x7C00 stands for 65536. */
static float
value_of_half(uint16_t half)
{
    const int exponent = half >> 10 & 31, fraction = half & 1023;

    return (float)(exponent == 0 ? ldexp(fraction, -24)
                                 : ldexp(1024 + fraction, exponent - 25));
}

TEST(every_half_and_every_middle_between_two_rounds_right)
{
    uint32_t bits[CHUNK];
    size_t count = 0;

    for (uint16_t half = 0; half < 0x7C00; half++) {
        const float here = value_of_half(half), next = value_of_half(half + 1);
        const float middle = here + (next - here) / 2;
        uint32_t around[2];
        memcpy(&around[0], &here, 4);
        memcpy(&around[1], &middle, 4);
        for (int i = 0; i < 2; i++)
            for (int by = -1; by <= 1; by++)
                for (uint32_t sign = 0; sign < 2; sign++)
                    if (around[i] != 0 || by >= 0)
                        bits[count++] = (around[i] + (uint32_t)by) | sign << 31;
        if (count > CHUNK - 12 || half == 0x7BFF) {
            CHECK(narrows(MXIO_VALUE_FLOAT16, bits, count));
            count = 0;
        }
    }
}

TEST(every_bfloat16_and_every_middle_between_two_rounds_right)
{
    uint32_t bits[CHUNK];
    size_t count = 0;

    for (uint32_t upper = 0; upper < 0x10000; upper++) {
        for (uint32_t lower = 0x7FFF; lower <= 0x8001; lower++)
            bits[count++] = upper << 16 | lower;
        bits[count++] = upper << 16;
        if (count == CHUNK) {
            CHECK(narrows(MXIO_VALUE_BFLOAT16, bits, count));
            count = 0;
        }
    }
    CHECK_INT(count, 0);
}

int
main(void)
{
    RUN(values_are_centred_scaled_and_shifted);
    RUN(pixels_go_to_planes_upright_and_flipped);
    RUN(rows_longer_than_a_block_go_to_planes);
    RUN(a_mean_halfway_rounds_away_from_zero_in_int8);
    RUN(floats_of_all_magnitudes_become_the_nearest_of_16_bits);
    RUN(every_half_and_every_middle_between_two_rounds_right);
    RUN(every_bfloat16_and_every_middle_between_two_rounds_right);
    return check_result();
}
