/* The colour kernels in AVX2, eight pixels at a time: the same bytes as
 * kernels_color.c. No FMA: it rounds once less. */
#include "kernels_color.h"

#if defined __x86_64__

#include <float.h>
#include <immintrin.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2")))
#define EIGHT 8
/* Pixels whose grays fit a 32-bit sum in each of eight places. */
#define BLOCK ((size_t)1 << 23)

/* Pixels of 3 channels spread to 4 bytes, and back. */
static const int8_t spread[16] = {0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1};
static const int8_t gather[16] = {0,  1,  2,  4,  5,  6,  8,  9,
                                  10, 12, 13, 14, -1, -1, -1, -1};

/* Eight pixels, 4 bytes each. */
AVX2 static inline __m256i
load(const uint8_t *pixels, int channels)
{
    const size_t four = 4 * (size_t)channels;
    const __m128i low = _mm_loadu_si128((const __m128i *)pixels);
    const __m128i high = _mm_loadu_si128((const __m128i *)(pixels + four));
    const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    const __m128i order = _mm_loadu_si128((const __m128i *)spread);

    return channels == 4
               ? both
               : _mm256_shuffle_epi8(both, _mm256_broadcastsi128_si256(order));
}

/* Nothing is written behind the eight: the pixels there are not changed yet. */
AVX2 static inline void
store(uint8_t *pixels, int channels, __m256i values)
{
    if (channels == 4) {
        _mm256_storeu_si256((__m256i *)pixels, values);
        return;
    }
    const __m128i order = _mm_loadu_si128((const __m128i *)gather);
    const __m128i low = _mm_shuffle_epi8(_mm256_castsi256_si128(values), order);
    const __m128i high = _mm_shuffle_epi8(_mm256_extracti128_si256(values, 1), order);
    const int32_t end = _mm_extract_epi32(high, 2);

    _mm_storeu_si128((__m128i *)pixels, low);
    _mm_storel_epi64((__m128i *)(pixels + 12), high);
    memcpy(pixels + 20, &end, sizeof end);
}

AVX2 static inline __m256i
channel(__m256i pixels, int c)
{
    return _mm256_and_si256(_mm256_srli_epi32(pixels, 8 * c), _mm256_set1_epi32(255));
}

/* Three channels of levels 0..255 beside the alpha of `old`. */
AVX2 static inline __m256i
join(__m256i old, __m256i r, __m256i g, __m256i b)
{
    const __m256i alpha = _mm256_and_si256(old, _mm256_set1_epi32((int32_t)0xFF000000));
    const __m256i rg = _mm256_or_si256(r, _mm256_slli_epi32(g, 8));

    return _mm256_or_si256(_mm256_or_si256(rg, _mm256_slli_epi32(b, 16)), alpha);
}

AVX2 static inline __m256i
clamp(__m256i x, int most)
{
    return _mm256_min_epi32(_mm256_max_epi32(x, _mm256_setzero_si256()),
                            _mm256_set1_epi32(most));
}

AVX2 static inline __m256i
gray_of(__m256i r, __m256i g, __m256i b)
{
    const __m256i rg = _mm256_or_si256(r, _mm256_slli_epi32(g, 16));
    const __m256i sum =
        _mm256_add_epi32(_mm256_madd_epi16(rg, _mm256_set1_epi32(9617 << 16 | 1868)),
                         _mm256_madd_epi16(b, _mm256_set1_epi32(4899)));

    return _mm256_srli_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(8192)), 14);
}

AVX2 static uint64_t
gray_sum(const uint8_t *pixels, size_t count, int channels)
{
    const size_t step = (size_t)channels;
    uint64_t sum = 0;
    size_t i = 0;

    while (i + EIGHT <= count) {
        const size_t end = count - i > BLOCK ? i + BLOCK : count;
        __m256i sums = _mm256_setzero_si256();
        uint32_t lanes[EIGHT];
        for (; i + EIGHT <= end; i += EIGHT) {
            const __m256i in = load(pixels + i * step, channels);
            sums = _mm256_add_epi32(sums, gray_of(channel(in, 0), channel(in, 1),
                                                  channel(in, 2)));
        }
        _mm256_storeu_si256((__m256i *)lanes, sums);
        for (int k = 0; k < EIGHT; k++)
            sum += lanes[k];
    }
    return sum +
           mxio_color_kernels_scalar.gray_sum(pixels + i * step, count - i, channels);
}

/* Eight values at `pixels` by numbers of their own. */
AVX2 static inline __m128i
linear_eight(const uint8_t *pixels, __m256 factor, __m256 bias, bool cut)
{
    const __m256i in = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)pixels));
    const __m256 value =
        _mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(in), factor), bias);
    const __m256 inside =
        _mm256_min_ps(_mm256_max_ps(value, _mm256_setzero_ps()), _mm256_set1_ps(255));
    const __m256i out = cut ? _mm256_cvttps_epi32(inside) : _mm256_cvtps_epi32(inside);

    return _mm_packus_epi32(_mm256_castsi256_si128(out),
                            _mm256_extracti128_si256(out, 1));
}

/* Blocks of 24 values: eight pixels of 3 channels, or whole ones of 1 and 4. */
AVX2 static void
linear(uint8_t *pixels, size_t count, int channels, const float factor[4],
       const float bias[4], bool cut)
{
    const size_t step = (size_t)channels, block = (size_t)3 * EIGHT;
    float factors[3 * EIGHT], biases[3 * EIGHT];
    __m256 by[3], plus[3];
    size_t at = 0;

    for (size_t i = 0; i < block; i++) {
        factors[i] = factor[i % step];
        biases[i] = bias[i % step];
    }
    for (int k = 0; k < 3; k++) {
        by[k] = _mm256_loadu_ps(factors + k * EIGHT);
        plus[k] = _mm256_loadu_ps(biases + k * EIGHT);
    }
    for (; at + block <= count * step; at += block) {
        uint8_t *here = pixels + at;
        const __m128i first = linear_eight(here, by[0], plus[0], cut);
        const __m128i second = linear_eight(here + EIGHT, by[1], plus[1], cut);
        const __m128i third = linear_eight(here + 2 * EIGHT, by[2], plus[2], cut);
        _mm_storeu_si128((__m128i *)here, _mm_packus_epi16(first, second));
        _mm_storel_epi64((__m128i *)(here + 2 * EIGHT), _mm_packus_epi16(third, third));
    }
    mxio_color_kernels_scalar.linear(pixels + at, count - at / step, channels, factor,
                                     bias, cut);
}

AVX2 static inline __m256i
mixed(__m256i value, __m256 alpha, __m256 gray)
{
    const __m256 by = _mm256_mul_ps(_mm256_cvtepi32_ps(value), alpha);

    return clamp(_mm256_cvtps_epi32(_mm256_add_ps(by, gray)), 255);
}

AVX2 static void
saturate(uint8_t *pixels, size_t count, int channels, float alpha)
{
    const __m256 factor = _mm256_set1_ps(alpha), rest = _mm256_set1_ps(1 - alpha);
    const size_t step = (size_t)channels;
    size_t i = 0;

    for (; i + EIGHT <= count; i += EIGHT) {
        const __m256i in = load(pixels + i * step, channels);
        const __m256i r = channel(in, 0), g = channel(in, 1), b = channel(in, 2);
        const __m256 gray = _mm256_mul_ps(_mm256_cvtepi32_ps(gray_of(r, g, b)), rest);
        store(pixels + i * step, channels,
              join(in, mixed(r, factor, gray), mixed(g, factor, gray),
                   mixed(b, factor, gray)));
    }
    mxio_color_kernels_scalar.saturate(pixels + i * step, count - i, channels, alpha);
}

struct levels {
    __m256i hue, lightness, saturation;
};

AVX2 static inline __m256
hue_of(__m256 r, __m256 g, __m256 b, __m256 most, __m256 range)
{
    const __m256 by = _mm256_div_ps(_mm256_set1_ps(60), range);
    const __m256 of_r = _mm256_mul_ps(_mm256_sub_ps(g, b), by);
    const __m256 of_g =
        _mm256_add_ps(_mm256_mul_ps(_mm256_sub_ps(b, r), by), _mm256_set1_ps(120));
    const __m256 of_b =
        _mm256_add_ps(_mm256_mul_ps(_mm256_sub_ps(r, g), by), _mm256_set1_ps(240));
    const __m256 of_gb =
        _mm256_blendv_ps(of_b, of_g, _mm256_cmp_ps(most, g, _CMP_EQ_OQ));
    const __m256 hue =
        _mm256_blendv_ps(of_gb, of_r, _mm256_cmp_ps(most, r, _CMP_EQ_OQ));

    return _mm256_blendv_ps(hue, _mm256_add_ps(hue, _mm256_set1_ps(360)),
                            _mm256_cmp_ps(hue, _mm256_setzero_ps(), _CMP_LT_OQ));
}

AVX2 static inline struct levels
levels_of(__m256i pixels)
{
    const __m256 unit = _mm256_set1_ps(1.0f / 255), full = _mm256_set1_ps(255);
    const __m256 half = _mm256_set1_ps(0.5f);
    const __m256 r = _mm256_mul_ps(_mm256_cvtepi32_ps(channel(pixels, 0)), unit);
    const __m256 g = _mm256_mul_ps(_mm256_cvtepi32_ps(channel(pixels, 1)), unit);
    const __m256 b = _mm256_mul_ps(_mm256_cvtepi32_ps(channel(pixels, 2)), unit);
    const __m256 most = _mm256_max_ps(_mm256_max_ps(r, g), b);
    const __m256 least = _mm256_min_ps(_mm256_min_ps(r, g), b);
    const __m256 range = _mm256_sub_ps(most, least), sum = _mm256_add_ps(most, least);
    const __m256 lightness = _mm256_mul_ps(sum, half);
    const __m256 colourful =
        _mm256_cmp_ps(range, _mm256_set1_ps(FLT_EPSILON), _CMP_GT_OQ);
    const __m256 hue = _mm256_mul_ps(hue_of(r, g, b, most, range), half);
    const __m256 bright = _mm256_sub_ps(_mm256_sub_ps(_mm256_set1_ps(2), most), least);
    const __m256 below =
        _mm256_blendv_ps(bright, sum, _mm256_cmp_ps(lightness, half, _CMP_LT_OQ));
    const __m256 saturation = _mm256_mul_ps(_mm256_div_ps(range, below), full);

    return (struct levels){
        _mm256_cvtps_epi32(_mm256_and_ps(hue, colourful)),
        _mm256_cvtps_epi32(_mm256_mul_ps(lightness, full)),
        _mm256_cvtps_epi32(_mm256_and_ps(saturation, colourful)),
    };
}

AVX2 static inline __m256i
channel_of(__m256 low, __m256 span, __m256 share)
{
    const __m256 inside =
        _mm256_min_ps(_mm256_max_ps(share, _mm256_setzero_ps()), _mm256_set1_ps(1));
    const __m256 value = _mm256_add_ps(low, _mm256_mul_ps(span, inside));

    return clamp(_mm256_cvtps_epi32(_mm256_mul_ps(value, _mm256_set1_ps(255))), 255);
}

AVX2 static inline __m256
distance(__m256 a, float b)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), _mm256_sub_ps(a, _mm256_set1_ps(b)));
}

AVX2 static inline __m256i
pixels_of(__m256i old, struct levels levels)
{
    const __m256 unit = _mm256_set1_ps(1.0f / 255), one = _mm256_set1_ps(1);
    const __m256 two = _mm256_set1_ps(2);
    const __m256 hue =
        _mm256_mul_ps(_mm256_cvtepi32_ps(levels.hue), _mm256_set1_ps(6.0f / 180));
    const __m256 light = _mm256_mul_ps(_mm256_cvtepi32_ps(levels.lightness), unit);
    const __m256 much = _mm256_mul_ps(_mm256_cvtepi32_ps(levels.saturation), unit);
    const __m256 dark_high = _mm256_mul_ps(light, _mm256_add_ps(one, much));
    const __m256 light_high =
        _mm256_sub_ps(_mm256_add_ps(light, much), _mm256_mul_ps(light, much));
    const __m256 high =
        _mm256_blendv_ps(light_high, dark_high,
                         _mm256_cmp_ps(light, _mm256_set1_ps(0.5f), _CMP_LE_OQ));
    const __m256 low = _mm256_sub_ps(_mm256_mul_ps(two, light), high);
    const __m256 span = _mm256_sub_ps(high, low);

    return join(old, channel_of(low, span, _mm256_sub_ps(distance(hue, 3), one)),
                channel_of(low, span, _mm256_sub_ps(two, distance(hue, 2))),
                channel_of(low, span, _mm256_sub_ps(two, distance(hue, 4))));
}

AVX2 static inline __m256i
moved(__m256i level, int shift, int most)
{
    return clamp(_mm256_add_epi32(level, _mm256_set1_epi32(shift)), most);
}

AVX2 static void
shift_hls(uint8_t *pixels, size_t count, int channels, const int shift[3])
{
    const size_t step = (size_t)channels;
    size_t i = 0;

    for (; i + EIGHT <= count; i += EIGHT) {
        const __m256i in = load(pixels + i * step, channels);
        struct levels levels = levels_of(in);
        levels.hue = moved(levels.hue, shift[0], 180);
        levels.lightness = moved(levels.lightness, shift[1], 255);
        levels.saturation = moved(levels.saturation, shift[2], 255);
        store(pixels + i * step, channels, pixels_of(in, levels));
    }
    mxio_color_kernels_scalar.shift_hls(pixels + i * step, count - i, channels, shift);
}

const struct mxio_color_kernels mxio_color_kernels_avx2 = {
    .linear = linear,
    .gray_sum = gray_sum,
    .saturate = saturate,
    .shift_hls = shift_hls,
};

#else

typedef int mxio_color_kernels_avx2_is_for_x86; /* an empty file is no C */

#endif
