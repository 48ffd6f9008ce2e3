/* The kernels in AVX2: the same bytes as kernels.c. No FMA: it rounds once less. */
#include "kernels.h"

#if defined __x86_64__

#include <immintrin.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2")))

/* Two neighbouring pixels of 3 or 4 channels to pairs of 16 bits: r0 r1 g0 g1 b0 b1 a0 a1. */
static const int8_t pairs_3[16] = {0, -1, 3, -1, 1,  -1, 4,  -1,
                                   2, -1, 5, -1, -1, -1, -1, -1};
static const int8_t pairs_4[16] = {0, -1, 4, -1, 1, -1, 5, -1,
                                   2, -1, 6, -1, 3, -1, 7, -1};

AVX2 static inline __m256i
load_both(const uint8_t *low, const uint8_t *high)
{
    const __m128i first = _mm_loadu_si128((const __m128i *)low);

    return _mm256_inserti128_si256(_mm256_castsi128_si256(first),
                                   _mm_loadu_si128((const __m128i *)high), 1);
}

/* Two output pixels, as four 32-bit values in each half. */
AVX2 static inline __m256i
stretch_two(const uint8_t *row, const int32_t *first,
            const struct mxio_weights *weights, __m256i pairs)
{
    const __m256i pixels = load_both(row + first[0], row + first[1]);
    const __m256i by = _mm256_loadu_si256((const __m256i *)weights);

    return _mm256_srai_epi32(_mm256_madd_epi16(_mm256_shuffle_epi8(pixels, pairs), by),
                             4);
}

/* Two pixels of 4 words to two of 3. */
static const int8_t close_up[16] = {0,  1,  2,  3,  4,  5,  8,  9,
                                    10, 11, 12, 13, -1, -1, -1, -1};

/* Four pixels at once. Of an output of 3 channels, each store covers the end of the last. */
AVX2 static void
stretch_row(int16_t *out, const uint8_t *row, const int32_t *first,
            const struct mxio_weights *weights, size_t width, int channels)
{
    const size_t step = (size_t)channels;
    size_t x = 0;

    if (channels != 1) {
        const int8_t *order = channels == 3 ? pairs_3 : pairs_4;
        const __m256i pairs =
            _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)order));
        const __m256i close =
            _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)close_up));
        for (; x + 4 <= width; x += 4) {
            const __m256i low = stretch_two(row, first + x, weights + x, pairs);
            const __m256i high =
                stretch_two(row, first + x + 2, weights + x + 2, pairs);
            const __m256i all =
                _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xD8);
            int16_t *to = out + x * step;
            if (channels == 4) {
                _mm256_storeu_si256((__m256i *)to, all);
                continue;
            }
            const __m256i closed = _mm256_shuffle_epi8(all, close);
            _mm_storeu_si128((__m128i *)to, _mm256_castsi256_si128(closed));
            _mm_storeu_si128((__m128i *)(to + 6), _mm256_extracti128_si256(closed, 1));
        }
    }
    mxio_kernels_scalar.stretch_row(out + x * step, row, first + x, weights + x,
                                    width - x, channels);
}

AVX2 static void
blend_rows(uint8_t *out, const int16_t *top, const int16_t *bottom,
           const int16_t weight[2], size_t count)
{
    const __m256i top_weight = _mm256_set1_epi16(weight[0]);
    const __m256i bottom_weight = _mm256_set1_epi16(weight[1]);
    const __m256i two = _mm256_set1_epi16(2);
    size_t i = 0;

    for (; i + 32 <= count; i += 32) {
        __m256i sum[2];
        for (int k = 0; k < 2; k++) {
            const __m256i t = _mm256_loadu_si256((const __m256i *)(top + i) + k);
            const __m256i b = _mm256_loadu_si256((const __m256i *)(bottom + i) + k);
            sum[k] = _mm256_add_epi16(_mm256_mulhi_epi16(t, top_weight),
                                      _mm256_mulhi_epi16(b, bottom_weight));
            sum[k] = _mm256_srai_epi16(_mm256_add_epi16(sum[k], two), 2);
        }
        const __m256i packed = _mm256_packus_epi16(sum[0], sum[1]);
        _mm256_storeu_si256((__m256i *)(out + i),
                            _mm256_permute4x64_epi64(packed, 0xD8));
    }
    mxio_kernels_scalar.blend_rows(out + i, top + i, bottom + i, weight, count - i);
}

/* A pixel's channels side by side; of 3 channels, each store covers the end of the last. */
AVX2 static void
stretch_taps(float *out, const uint8_t *row, const struct mxio_tap *taps,
             const size_t *end, size_t width, int channels)
{
    size_t tap = 0;

    if (channels == 1) {
        mxio_kernels_scalar.stretch_taps(out, row, taps, end, width, channels);
        return;
    }
    for (size_t x = 0; x < width; x++) {
        __m128 sum = _mm_setzero_ps();
        for (; tap < end[x]; tap++) {
            int32_t bytes;
            memcpy(&bytes, row + taps[tap].from, sizeof bytes);
            const __m128i pixel = _mm_cvtepu8_epi32(_mm_cvtsi32_si128(bytes));
            sum = _mm_add_ps(sum, _mm_mul_ps(_mm_cvtepi32_ps(pixel),
                                             _mm_set1_ps(taps[tap].weight)));
        }
        _mm_storeu_ps(out + x * (size_t)channels, sum);
    }
}

AVX2 static void
add_row(float *sum, const float *row, float weight, size_t count)
{
    const __m256 by = _mm256_set1_ps(weight);
    size_t i = 0;

    for (; i + 8 <= count; i += 8)
        _mm256_storeu_ps(sum + i,
                         _mm256_add_ps(_mm256_loadu_ps(sum + i),
                                       _mm256_mul_ps(_mm256_loadu_ps(row + i), by)));
    mxio_kernels_scalar.add_row(sum + i, row + i, weight, count - i);
}

/* Eight values, rounded half up and none above 255, in 32 bits each; what is negative
 * becomes 0 when it is stored. */
AVX2 static inline __m256i
rounded(__m256 values)
{
    const __m256 inside = _mm256_min_ps(values, _mm256_set1_ps(255));

    return _mm256_cvttps_epi32(_mm256_add_ps(inside, _mm256_set1_ps(0.5f)));
}

/* Sixteen of them to bytes. */
AVX2 static inline void
store_bytes(uint8_t *out, __m256i low, __m256i high)
{
    const __m256i words =
        _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), 0xD8);

    _mm_storeu_si128((__m128i *)out,
                     _mm_packus_epi16(_mm256_castsi256_si128(words),
                                      _mm256_extracti128_si256(words, 1)));
}

AVX2 static void
round_row(uint8_t *out, const float *in, size_t count)
{
    size_t i = 0;

    for (; i + 16 <= count; i += 16)
        store_bytes(out + i, rounded(_mm256_loadu_ps(in + i)),
                    rounded(_mm256_loadu_ps(in + i + 8)));
    mxio_kernels_scalar.round_row(out + i, in + i, count - i);
}

/* Four neighbours of 3 or 4 channels to pairs: the first two in the low half, the others
 * in the high one. */
static const int8_t fours_3[32] = {0,  -1, 3,  -1, 1,  -1, 4,  -1, 2,  -1, 5,
                                   -1, -1, -1, -1, -1, 6,  -1, 9,  -1, 7,  -1,
                                   10, -1, 8,  -1, 11, -1, -1, -1, -1, -1};
static const int8_t fours_4[32] = {0,  -1, 4,  -1, 1,  -1, 5,  -1, 2,  -1, 6,
                                   -1, 3,  -1, 7,  -1, 8,  -1, 12, -1, 9,  -1,
                                   13, -1, 10, -1, 14, -1, 11, -1, 15, -1};

/* Four neighbours in a row, weighted: two sums for each channel. */
AVX2 static inline __m256i
four_taps(const uint8_t *in, const int16_t *weights, __m256i fours)
{
    const __m256i pixels =
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)in));
    const __m256i pairs =
        _mm256_castsi128_si256(_mm_loadl_epi64((const __m128i *)weights));
    const __m256i by =
        _mm256_permutevar8x32_epi32(pairs, _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1));

    return _mm256_madd_epi16(_mm256_shuffle_epi8(pixels, fours), by);
}

/* The weights of two pixels, one in each half. */
AVX2 static inline __m256i
both_weights(const struct mxio_fours *fours)
{
    const __m128i low = _mm_loadl_epi64((const __m128i *)fours[0].weights);

    return _mm256_inserti128_si256(_mm256_castsi128_si256(low),
                                   _mm_loadl_epi64((const __m128i *)fours[1].weights),
                                   1);
}

/* Two pixels at once, the last two be one of them done before. Of 3 channels each store
 * covers the end of the last. */
AVX2 static void
stretch_fours(float *out, const uint8_t *row, const struct mxio_fours *fours,
              size_t width, int channels)
{
    const __m128i *order = (const void *)(channels == 3 ? fours_3 : fours_4);
    const __m256i first = _mm256_broadcastsi128_si256(_mm_loadu_si128(order));
    const __m256i others = _mm256_broadcastsi128_si256(_mm_loadu_si128(order + 1));
    const __m256 unit = _mm256_set1_ps(1.0f / (1 << MXIO_WEIGHT_BITS));

    if (channels == 1 || width < 2) {
        mxio_kernels_scalar.stretch_fours(out, row, fours, width, channels);
        return;
    }
    for (size_t done = 0; done < width; done += 2) {
        const size_t x = done + 2 <= width ? done : width - 2;
        const __m256i pixels =
            load_both(row + fours[x].first, row + fours[x + 1].first);
        const __m256i by = both_weights(fours + x);
        const __m256i sums =
            _mm256_add_epi32(_mm256_madd_epi16(_mm256_shuffle_epi8(pixels, first),
                                               _mm256_shuffle_epi32(by, 0x00)),
                             _mm256_madd_epi16(_mm256_shuffle_epi8(pixels, others),
                                               _mm256_shuffle_epi32(by, 0x55)));
        const __m256 values = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), unit);
        float *to = out + x * (size_t)channels;
        _mm_storeu_ps(to, _mm256_castps256_ps128(values));
        _mm_storeu_ps(to + channels, _mm256_extractf128_ps(values, 1));
    }
}

/* Eight values of the four rows, summed in their order. */
AVX2 static inline __m256
sum_fours(const float *const rows[4], const float weights[4], size_t i)
{
    __m256 sum =
        _mm256_mul_ps(_mm256_loadu_ps(rows[0] + i), _mm256_set1_ps(weights[0]));

    for (int k = 1; k < 4; k++)
        sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_loadu_ps(rows[k] + i),
                                               _mm256_set1_ps(weights[k])));
    return sum;
}

AVX2 static void
blend_fours(uint8_t *out, const float *const rows[4], const float weights[4],
            size_t count)
{
    size_t i = 0;

    for (; i + 16 <= count; i += 16)
        store_bytes(out + i, rounded(sum_fours(rows, weights, i)),
                    rounded(sum_fours(rows, weights, i + 8)));
    const float *const rest[4] = {rows[0] + i, rows[1] + i, rows[2] + i, rows[3] + i};
    mxio_kernels_scalar.blend_fours(out + i, rest, weights, count - i);
}

/* Where byte k of channel c of 16 RGB pixels lies in the 48 bytes; one mask per 16
 * bytes read. */
static const int8_t split_3[3][3][16] = {
    {{0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
     {-1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14, -1, -1, -1, -1, -1},
     {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1, 4, 7, 10, 13}},
    {{1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
     {-1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1},
     {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14}},
    {{2, 5, 8, 11, 14, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
     {-1, -1, -1, -1, -1, 1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1},
     {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15}},
};

/* The last 16 pixels are done whole, be some of them done before. */
AVX2 static void
split_row(uint8_t *const *planes, const uint8_t *row, size_t width, int channels)
{
    if (channels != 3 || width < 16) {
        mxio_kernels_scalar.split_row(planes, row, width, channels);
        return;
    }
    for (size_t done = 0; done < width; done += 16) {
        const size_t x = done + 16 <= width ? done : width - 16;
        for (int c = 0; c < 3; c++) {
            __m128i plane = _mm_setzero_si128();
            for (int k = 0; k < 3; k++) {
                const __m128i in = _mm_loadu_si128((const __m128i *)(row + 3 * x) + k);
                const __m128i mask = _mm_loadu_si128((const __m128i *)split_3[c][k]);
                plane = _mm_or_si128(plane, _mm_shuffle_epi8(in, mask));
            }
            _mm_storeu_si128((__m128i *)(planes[c] + x), plane);
        }
    }
}

/* The two rows of one point in the two halves: weighted by column here, by row after. */
AVX2 static inline __m128i
warp_one(const uint8_t *from, size_t stride, struct mxio_warp_point point,
         size_t channels, __m256i pairs)
{
    const int x = point.x & 31, y = point.y & 31;
    const uint8_t *top =
        from + (size_t)(point.y >> 5) * stride + (size_t)(point.x >> 5) * channels;
    const __m256i pixels = _mm256_shuffle_epi8(load_both(top, top + stride), pairs);
    const __m256i by =
        _mm256_inserti128_si256(_mm256_set1_epi32((32 - x) * (32 - y) | x * (32 - y)
                                                                            << 16),
                                _mm_set1_epi32((32 - x) * y | (x * y) << 16), 1);
    const __m256i sums = _mm256_madd_epi16(pixels, by);

    return _mm_add_epi32(_mm256_castsi256_si128(sums),
                         _mm256_extracti128_si256(sums, 1));
}

/* Two pixels at once; those of 3 channels are stored with a byte more, stored over next. */
AVX2 static void
warp_row(uint8_t *out, const uint8_t *from, size_t stride,
         const struct mxio_warp_point *points, size_t count, int channels)
{
    const size_t step = (size_t)channels;
    size_t i = 0;

    if (channels != 1) {
        const int8_t *order = channels == 3 ? pairs_3 : pairs_4;
        const __m256i pairs =
            _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)order));
        const __m128i half = _mm_set1_epi32(512);
        for (; i + 3 <= count; i += 2) {
            const __m128i first = warp_one(from, stride, points[i], step, pairs);
            const __m128i second = warp_one(from, stride, points[i + 1], step, pairs);
            const __m128i words =
                _mm_packs_epi32(_mm_srai_epi32(_mm_add_epi32(first, half), 10),
                                _mm_srai_epi32(_mm_add_epi32(second, half), 10));
            const __m128i bytes = _mm_packus_epi16(words, words);
            const uint32_t low = (uint32_t)_mm_cvtsi128_si32(bytes);
            const uint32_t high = (uint32_t)_mm_extract_epi32(bytes, 1);
            memcpy(out + i * step, &low, sizeof low);
            memcpy(out + (i + 1) * step, &high, sizeof high);
        }
    }
    mxio_kernels_scalar.warp_row(out + i * step, from, stride, points + i, count - i,
                                 channels);
}

/* One pixel, in the low 4 bytes. */
AVX2 static inline uint32_t
sum_taps(const uint8_t *in, size_t stride, const int16_t *weights, int taps,
         size_t channels, __m256i fours)
{
    __m256i sums = _mm256_setzero_si256();

    for (int y = 0; y < taps; y++, in += stride)
        for (int x = 0; x < taps; x += 4, weights += 4)
            sums = _mm256_add_epi32(sums, four_taps(in + (size_t)x * channels, weights,
                                                    fours));
    const __m128i sum =
        _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    const __m128i half = _mm_set1_epi32(1 << (MXIO_WARP_WEIGHT_BITS - 1));
    const __m128i value =
        _mm_srai_epi32(_mm_add_epi32(sum, half), MXIO_WARP_WEIGHT_BITS);
    const __m128i words = _mm_packs_epi32(value, value);

    return (uint32_t)_mm_cvtsi128_si32(_mm_packus_epi16(words, words));
}

/* As warp_row: a byte more is stored of 3 channels, and the last pixel is left out. */
AVX2 static void
warp_taps(uint8_t *out, const uint8_t *from, size_t stride,
          const struct mxio_warp_point *points, size_t count, int channels,
          const int16_t *weights, int taps)
{
    const size_t step = (size_t)channels;
    const int reach = taps / 2 - 1;
    size_t i = 0;

    if (channels != 1) {
        const int8_t *order = channels == 3 ? fours_3 : fours_4;
        const __m256i fours = _mm256_loadu_si256((const __m256i *)order);
        for (; i + 1 < count; i++) {
            const struct mxio_warp_point at = points[i];
            const int fraction = (at.y & 31) * 32 + (at.x & 31);
            const uint8_t *in = from + (size_t)((at.y >> 5) - reach) * stride +
                                (size_t)((at.x >> 5) - reach) * step;
            const int16_t *by = weights + fraction * taps * taps;
            const uint32_t pixel = taps == 4 ? sum_taps(in, stride, by, 4, step, fours)
                                             : sum_taps(in, stride, by, 8, step, fours);
            memcpy(out + i * step, &pixel, sizeof pixel);
        }
    }
    mxio_kernels_scalar.warp_taps(out + i * step, from, stride, points + i, count - i,
                                  channels, weights, taps);
}

/* Five RGB pixels at a time: 15 of 16 bytes loaded and stored, the 16th is stored over
 * or not ours. */
AVX2 static void
flip_row(uint8_t *out, const uint8_t *row, size_t width, int channels)
{
    const __m128i backward =
        _mm_setr_epi8(12, 13, 14, 9, 10, 11, 6, 7, 8, 3, 4, 5, 0, 1, 2, -1);
    size_t x = 0;

    /* The last five pixels of the output are left to the plain loop: nothing may be
     * written behind them. */
    for (; channels == 3 && x + 6 <= width; x += 5) {
        const __m128i in =
            _mm_loadu_si128((const __m128i *)(row + 3 * (width - 5 - x)));
        _mm_storeu_si128((__m128i *)(out + 3 * x), _mm_shuffle_epi8(in, backward));
    }
    mxio_kernels_scalar.flip_row(out + x * (size_t)channels, row, width - x, channels);
}

const struct mxio_kernels mxio_kernels_avx2 = {
    .name = "avx2",
    .color = &mxio_color_kernels_avx2,
    .jpeg = &mxio_jpeg_kernels_avx2,
    .values = &mxio_value_kernels_avx2,
    .unfilter_row = mxio_unfilter_row_avx2,
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

#else

typedef int mxio_kernels_avx2_is_for_x86; /* an empty file is no C */

#endif
