/* The values of a batch in AVX2 (with F16C), eight at a time: the same bytes as
 * kernels_values.c. No FMA: it rounds once less. */
#include "kernels_values.h"

#if defined __x86_64__

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,f16c")))
#define EIGHT 8

struct wide_affine {
    __m256 mean, factor, bias;
};

AVX2 static inline struct wide_affine
load_affine(const struct mxio_affine *by, size_t i)
{
    if (by->step == 0)
        return (struct wide_affine){_mm256_set1_ps(by->mean[0]),
                                    _mm256_set1_ps(by->factor[0]),
                                    _mm256_set1_ps(by->bias[0])};
    return (struct wide_affine){_mm256_loadu_ps(by->mean + i),
                                _mm256_loadu_ps(by->factor + i),
                                _mm256_loadu_ps(by->bias + i)};
}

/* As roundf: halves away from zero. */
AVX2 static inline __m256
round_away(__m256 x)
{
    const __m256 sign = _mm256_and_ps(x, _mm256_set1_ps(-0.0f));
    const __m256 whole = _mm256_round_ps(x, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
    const __m256 rest =
        _mm256_andnot_ps(_mm256_set1_ps(-0.0f), _mm256_sub_ps(x, whole));
    const __m256 up = _mm256_cmp_ps(rest, _mm256_set1_ps(0.5f), _CMP_GE_OQ);
    const __m256 one = _mm256_or_ps(_mm256_set1_ps(1), sign);

    return _mm256_add_ps(whole, _mm256_and_ps(up, one));
}

/* The numbers as a type wants them. */
AVX2 static inline struct wide_affine
affine_for(const struct mxio_affine *by, size_t i, enum mxio_value_type type)
{
    if (type != MXIO_VALUE_INT8)
        return load_affine(by, i);
    const __m256 mean =
        by->step == 0 ? _mm256_set1_ps(by->mean[0]) : _mm256_loadu_ps(by->mean + i);
    return (struct wide_affine){.mean = round_away(mean)};
}

AVX2 static inline __m128i
bfloat16_of(__m256 values)
{
    const __m256i bits = _mm256_castps_si256(values);
    const __m256i odd =
        _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i sum =
        _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd);
    const __m256i no_number =
        _mm256_castps_si256(_mm256_cmp_ps(values, values, _CMP_UNORD_Q));
    const __m256i rounded = _mm256_blendv_epi8(_mm256_srli_epi32(sum, 16),
                                               _mm256_set1_epi32(0x7FC0), no_number);

    return _mm_packus_epi32(_mm256_castsi256_si128(rounded),
                            _mm256_extracti128_si256(rounded, 1));
}

AVX2 static inline __m128i
int8_of(__m256 values)
{
    const __m256 inside =
        _mm256_min_ps(_mm256_max_ps(values, _mm256_set1_ps(-128)), _mm256_set1_ps(127));
    const __m256i words = _mm256_cvtps_epi32(inside);
    const __m128i half = _mm_packs_epi32(_mm256_castsi256_si128(words),
                                         _mm256_extracti128_si256(words, 1));

    return _mm_packs_epi16(half, half);
}

/* Eight pixels, in 32 bits each, to eight values at place i. */
AVX2 static inline void
put(void *out, size_t i, __m256i pixels, struct wide_affine by,
    enum mxio_value_type type)
{
    const __m256 centred = _mm256_sub_ps(_mm256_cvtepi32_ps(pixels), by.mean);

    if (type == MXIO_VALUE_INT8) {
        _mm_storel_epi64((__m128i *)((int8_t *)out + i), int8_of(centred));
        return;
    }
    const __m256 values = _mm256_add_ps(_mm256_mul_ps(centred, by.factor), by.bias);
    if (type == MXIO_VALUE_FLOAT32)
        _mm256_storeu_ps((float *)out + i, values);
    else
        _mm_storeu_si128((__m128i *)((uint16_t *)out + i),
                         type == MXIO_VALUE_FLOAT16
                             ? _mm256_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT)
                             : bfloat16_of(values));
}

/* At least eight; the last eight are done whole, be some of them done before. */
AVX2 static inline void
convert(void *out, const uint8_t *in, size_t count, const struct mxio_affine *by,
        enum mxio_value_type type)
{
    struct wide_affine wide = affine_for(by, 0, type);

    for (size_t done = 0; done < count; done += EIGHT) {
        const size_t i = done + EIGHT <= count ? done : count - EIGHT;
        if (by->step != 0)
            wide = affine_for(by, i, type);
        put(out, i, _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(in + i))),
            wide, type);
    }
}

AVX2 static void
to_float32(float *out, const uint8_t *in, size_t count, const struct mxio_affine *by)
{
    if (count < EIGHT)
        mxio_value_kernels_scalar.to_float32(out, in, count, by);
    else
        convert(out, in, count, by, MXIO_VALUE_FLOAT32);
}

AVX2 static void
to_float16(uint16_t *out, const uint8_t *in, size_t count, const struct mxio_affine *by)
{
    if (count < EIGHT)
        mxio_value_kernels_scalar.to_float16(out, in, count, by);
    else
        convert(out, in, count, by, MXIO_VALUE_FLOAT16);
}

AVX2 static void
to_bfloat16(uint16_t *out, const uint8_t *in, size_t count,
            const struct mxio_affine *by)
{
    if (count < EIGHT)
        mxio_value_kernels_scalar.to_bfloat16(out, in, count, by);
    else
        convert(out, in, count, by, MXIO_VALUE_BFLOAT16);
}

AVX2 static void
to_int8(int8_t *out, const uint8_t *in, size_t count, const struct mxio_affine *by)
{
    if (count < EIGHT)
        mxio_value_kernels_scalar.to_int8(out, in, count, by);
    else
        convert(out, in, count, by, MXIO_VALUE_INT8);
}

/* Byte 0 of four pixels of 3 or 4 bytes, each in 32 bits; and the same backwards. Of the
 * other channels a byte more. */
static const int8_t first_byte[2][2][16] = {
    {{0, -1, -1, -1, 3, -1, -1, -1, 6, -1, -1, -1, 9, -1, -1, -1},
     {9, -1, -1, -1, 6, -1, -1, -1, 3, -1, -1, -1, 0, -1, -1, -1}},
    {{0, -1, -1, -1, 4, -1, -1, -1, 8, -1, -1, -1, 12, -1, -1, -1},
     {12, -1, -1, -1, 8, -1, -1, -1, 4, -1, -1, -1, 0, -1, -1, -1}},
};

/* At least eight pixels, the last eight as in convert. */
AVX2 static inline void
spread(void *const *planes, const struct mxio_pixels *from,
       const struct mxio_affine *by, enum mxio_value_type type, size_t channels)
{
    const int8_t *order = first_byte[channels - 3][from->flip ? 1 : 0];
    const __m256i first =
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)order));
    const __m256i next = _mm256_set1_epi32(1); /* of a mask: the byte behind */
    struct wide_affine wide[4];
    __m256i masks[4];

    for (size_t c = 0; c < channels; c++) {
        wide[c] = affine_for(&by[c], 0, type);
        masks[c] = c == 0 ? first : _mm256_add_epi32(masks[c - 1], next);
    }
    for (size_t done = 0; done < from->width; done += EIGHT) {
        const size_t x = done + EIGHT <= from->width ? done : from->width - EIGHT;
        const size_t at = from->flip ? from->width - EIGHT - x : x;
        const uint8_t *in = from->row + at * channels;
        const uint8_t *halves[2] = {in, in + 4 * channels};
        const __m128i low = _mm_loadu_si128((const __m128i *)halves[from->flip]);
        const __m128i high = _mm_loadu_si128((const __m128i *)halves[!from->flip]);
        const __m256i pixels =
            _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
        for (size_t c = 0; c < channels; c++) {
            if (by[c].step != 0)
                wide[c] = affine_for(&by[c], x, type);
            put(planes[c], x, _mm256_shuffle_epi8(pixels, masks[c]), wide[c], type);
        }
    }
}

AVX2 static void
to_planes(void *const *planes, const struct mxio_pixels *from,
          const struct mxio_affine *by, enum mxio_value_type type)
{
    const size_t channels = (size_t)from->channels;

    if (from->width < EIGHT)
        mxio_value_kernels_scalar.to_planes(planes, from, by, type);
    else if (type == MXIO_VALUE_FLOAT32 && channels == 3)
        spread(planes, from, by, MXIO_VALUE_FLOAT32, 3);
    else if (type == MXIO_VALUE_FLOAT32)
        spread(planes, from, by, MXIO_VALUE_FLOAT32, channels);
    else if (type == MXIO_VALUE_FLOAT16)
        spread(planes, from, by, MXIO_VALUE_FLOAT16, channels);
    else if (type == MXIO_VALUE_BFLOAT16)
        spread(planes, from, by, MXIO_VALUE_BFLOAT16, channels);
    else
        spread(planes, from, by, MXIO_VALUE_INT8, channels);
}

const struct mxio_value_kernels mxio_value_kernels_avx2 = {
    .to_float32 = to_float32,
    .to_float16 = to_float16,
    .to_bfloat16 = to_bfloat16,
    .to_int8 = to_int8,
    .to_planes = to_planes,
};

#else

typedef int mxio_kernels_values_avx2_is_for_x86; /* an empty file is no C */

#endif
