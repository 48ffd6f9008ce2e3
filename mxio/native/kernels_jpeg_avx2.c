/* From coefficients to pixels in AVX2: the same bytes as kernels_jpeg.c. */
#include "kernels_jpeg.h"

#if defined __x86_64__

#include <immintrin.h>

#include "kernels_jpeg_inner.h"

#define AVX2 __attribute__((target("avx2")))

/* ---- transform: a block in each half ---- */

AVX2 static inline __m256i
load_both(const void *low, const void *high)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(
                                       _mm_loadu_si128((const __m128i *)low)),
                                   _mm_loadu_si128((const __m128i *)high), 1);
}

/* Two factors for pairs of words. */
AVX2 static inline __m256i
factors(int first, int second)
{
    return _mm256_set1_epi32(
        (int)((uint32_t)(uint16_t)first | (uint32_t)(uint16_t)second << 16));
}

/* 32 bits for each of 8 words of both halves. */
struct wide {
    __m256i low, high;
};

AVX2 static inline struct wide
weighed(__m256i x, __m256i y, __m256i by, struct wide more)
{
    const __m256i low = _mm256_madd_epi16(_mm256_unpacklo_epi16(x, y), by);
    const __m256i high = _mm256_madd_epi16(_mm256_unpackhi_epi16(x, y), by);

    return (struct wide){_mm256_add_epi32(low, more.low),
                         _mm256_add_epi32(high, more.high)};
}

AVX2 static inline struct wide
scaled(__m256i x)
{
    const __m256i zero = _mm256_setzero_si256();

    return (
        struct wide){_mm256_srai_epi32(_mm256_unpacklo_epi16(zero, x), 16 - DCT_BITS),
                     _mm256_srai_epi32(_mm256_unpackhi_epi16(zero, x), 16 - DCT_BITS)};
}

AVX2 static inline struct wide
minus(struct wide a, struct wide b)
{
    return (struct wide){_mm256_sub_epi32(a.low, b.low),
                         _mm256_sub_epi32(a.high, b.high)};
}

AVX2 static inline struct wide
plus(struct wide a, struct wide b)
{
    return (struct wide){_mm256_add_epi32(a.low, b.low),
                         _mm256_add_epi32(a.high, b.high)};
}

AVX2 static inline __attribute__((always_inline)) __m256i
descaled(struct wide x, const int shift)
{
    const __m256i half = _mm256_set1_epi32(1 << (shift - 1));

    return _mm256_packs_epi32(_mm256_srai_epi32(_mm256_add_epi32(x.low, half), shift),
                              _mm256_srai_epi32(_mm256_add_epi32(x.high, half), shift));
}

AVX2 static inline __attribute__((always_inline)) void
transform_lines(__m256i v[8], const int shift)
{
    const __m256i zero = _mm256_setzero_si256();
    const struct wide none = {zero, zero};
    const struct wide sum = scaled(_mm256_add_epi16(v[0], v[4]));
    const struct wide rest = scaled(_mm256_sub_epi16(v[0], v[4]));
    const struct wide low =
        weighed(v[2], v[6], factors(DCT_2_TO_LOW, DCT_CROSS_26), none);
    const struct wide high =
        weighed(v[2], v[6], factors(DCT_CROSS_26, DCT_6_TO_HIGH), none);
    const struct wide even[4] = {plus(sum, low), plus(rest, high), minus(rest, high),
                                 minus(sum, low)};
    const __m256i sum_73 = _mm256_add_epi16(v[7], v[3]);
    const __m256i sum_51 = _mm256_add_epi16(v[5], v[1]);
    const struct wide to_73 =
        weighed(sum_73, sum_51, factors(DCT_73_TO_73, DCT_CROSS_SUMS), none);
    const struct wide to_51 =
        weighed(sum_73, sum_51, factors(DCT_CROSS_SUMS, DCT_51_TO_51), none);
    const struct wide odd[4] =
        {weighed(v[7], v[1], factors(DCT_CROSS_71, DCT_1_TO_1), to_51),
         weighed(v[5], v[3], factors(DCT_CROSS_53, DCT_3_TO_3), to_73),
         weighed(v[5], v[3], factors(DCT_5_TO_5, DCT_CROSS_53), to_51),
         weighed(v[7], v[1], factors(DCT_7_TO_7, DCT_CROSS_71), to_73)};
    for (int i = 0; i < 4; i++) {
        v[i] = descaled(plus(even[i], odd[i]), shift);
        v[7 - i] = descaled(minus(even[i], odd[i]), shift);
    }
}

/* In each half, rows become columns. */
AVX2 static inline void
transpose(__m256i v[8])
{
    __m256i a[8], b[8];

    for (int i = 0; i < 4; i++) {
        a[2 * i] = _mm256_unpacklo_epi16(v[2 * i], v[2 * i + 1]);
        a[2 * i + 1] = _mm256_unpackhi_epi16(v[2 * i], v[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            b[4 * i + 2 * j] = _mm256_unpacklo_epi32(a[4 * i + j], a[4 * i + 2 + j]);
            b[4 * i + 2 * j + 1] =
                _mm256_unpackhi_epi32(a[4 * i + j], a[4 * i + 2 + j]);
        }
    for (int i = 0; i < 4; i++) {
        v[2 * i] = _mm256_unpacklo_epi64(b[i], b[4 + i]);
        v[2 * i + 1] = _mm256_unpackhi_epi64(b[i], b[4 + i]);
    }
}

/* Samples of one block: two rows in each vector. */
AVX2 static inline void
store_block(const struct mxio_jpeg_block *block, const __m128i rows[4])
{
    for (size_t i = 0; i < 4; i++) {
        uint8_t *out = block->out + 2 * i * block->stride;
        _mm_storel_epi64((__m128i *)out, rows[i]);
        _mm_storel_epi64((__m128i *)(out + block->stride),
                         _mm_unpackhi_epi64(rows[i], rows[i]));
    }
}

AVX2 static inline bool
is_zero(__m128i x)
{
    return _mm_testz_si128(x, x) != 0;
}

/* The first pass of blocks of which one at least has nothing but its first row. */
AVX2 static inline void
transform_flat(__m256i v[8], __m256i below, bool both)
{
    const __m256i first = _mm256_slli_epi16(v[0], DCT_EXTRA);

    if (both) {
        for (int i = 0; i < 8; i++)
            v[i] = first;
        return;
    }
    const int low = is_zero(_mm256_castsi256_si128(below)) ? -1 : 0;
    const int high = is_zero(_mm256_extracti128_si256(below, 1)) ? -1 : 0;
    const __m256i flat = _mm256_setr_epi32(low, low, low, low, high, high, high, high);
    transform_lines(v, DCT_COLUMNS_SHIFT);
    for (int i = 0; i < 8; i++)
        v[i] = _mm256_blendv_epi8(v[i], first, flat);
}

AVX2 static void
transform(const struct mxio_jpeg_block blocks[2])
{
    const __m256i middle = _mm256_set1_epi8((char)0x80);
    __m256i v[8], below = _mm256_setzero_si256();

    for (size_t i = 0; i < 8; i++) {
        const __m256i coefficients =
            load_both(blocks[0].coefficients + 8 * i, blocks[1].coefficients + 8 * i);
        if (i > 0)
            below = _mm256_or_si256(below, coefficients);
        v[i] = _mm256_mullo_epi16(coefficients, load_both(blocks[0].steps + 8 * i,
                                                          blocks[1].steps + 8 * i));
    }
    const bool both = _mm256_testz_si256(below, below) != 0;
    if (both || is_zero(_mm256_castsi256_si128(below)) ||
        is_zero(_mm256_extracti128_si256(below, 1)))
        transform_flat(v, below, both);
    else
        transform_lines(v, DCT_COLUMNS_SHIFT);
    transpose(v);
    transform_lines(v, DCT_ROWS_SHIFT);
    transpose(v);
    __m128i low[4], high[4];
    for (int i = 0; i < 4; i++) {
        const __m256i rows =
            _mm256_xor_si256(_mm256_packs_epi16(v[2 * i], v[2 * i + 1]), middle);
        low[i] = _mm256_castsi256_si128(rows);
        high[i] = _mm256_extracti128_si256(rows, 1);
    }
    store_block(&blocks[0], low);
    store_block(&blocks[1], high);
}

/* ---- upsampling ---- */

AVX2 static inline __m256i
load_words(const uint8_t *bytes)
{
    return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)bytes));
}

AVX2 static inline __m256i
triple(__m256i x)
{
    return _mm256_add_epi16(x, _mm256_slli_epi16(x, 1));
}

/* Even and odd bytes of the output from words. */
AVX2 static inline void
store_pairs(uint8_t *out, __m256i even, __m256i odd)
{
    _mm256_storeu_si256((__m256i *)out,
                        _mm256_or_si256(even, _mm256_slli_epi16(odd, 8)));
}

AVX2 static void
widen(uint8_t *out, const uint8_t *row, size_t count)
{
    const __m256i one = _mm256_set1_epi16(1), two = _mm256_set1_epi16(2);

    for (size_t i = 0; i < count; i += 16) {
        const __m256i here = triple(load_words(row + i));
        const __m256i before = _mm256_add_epi16(load_words(row + i - 1), one);
        const __m256i next = _mm256_add_epi16(load_words(row + i + 1), two);
        store_pairs(out + 2 * i, _mm256_srli_epi16(_mm256_add_epi16(here, before), 2),
                    _mm256_srli_epi16(_mm256_add_epi16(here, next), 2));
    }
}

AVX2 static inline __m256i
between(const uint8_t *row, const uint8_t *neighbour)
{
    return _mm256_add_epi16(triple(load_words(row)), load_words(neighbour));
}

AVX2 static void
widen_between(uint8_t *out, const uint8_t *row, const uint8_t *neighbour, size_t count)
{
    const __m256i seven = _mm256_set1_epi16(7), eight = _mm256_set1_epi16(8);

    for (size_t i = 0; i < count; i += 16) {
        const __m256i here = triple(between(row + i, neighbour + i));
        const __m256i before =
            _mm256_add_epi16(between(row + i - 1, neighbour + i - 1), eight);
        const __m256i next =
            _mm256_add_epi16(between(row + i + 1, neighbour + i + 1), seven);
        store_pairs(out + 2 * i, _mm256_srli_epi16(_mm256_add_epi16(here, before), 4),
                    _mm256_srli_epi16(_mm256_add_epi16(here, next), 4));
    }
}

/* ---- colours ---- */

/* (x * factor + half) >> 16, for whole numbers x of -128 to 127. */
AVX2 static inline __m256i
rounded_share(__m256i x, int factor)
{
    const __m256i twice =
        _mm256_mulhi_epi16(_mm256_add_epi16(x, x), _mm256_set1_epi16((int16_t)factor));

    return _mm256_srai_epi16(_mm256_add_epi16(twice, _mm256_set1_epi16(1)), 1);
}

AVX2 static inline __m256i
green_share(__m256i blue, __m256i red)
{
    const __m256i by = factors(GREEN_OF_BLUE, GREEN_OF_RED);
    const __m256i half = _mm256_set1_epi32(1 << 15);
    const __m256i low = _mm256_madd_epi16(_mm256_unpacklo_epi16(blue, red), by);
    const __m256i high = _mm256_madd_epi16(_mm256_unpackhi_epi16(blue, red), by);

    return _mm256_packs_epi32(_mm256_srai_epi32(_mm256_add_epi32(low, half), 16),
                              _mm256_srai_epi32(_mm256_add_epi32(high, half), 16));
}

/* 16 words to bytes in order. */
AVX2 static inline __m128i
to_bytes(__m256i x)
{
    return _mm_packus_epi16(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
}

/* Where the bytes of 16 pixels go: vector i of three, of channel c. */
static const int8_t places[3][3][16] = {
    {{0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, 5},
     {-1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1},
     {-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1}},
    {{-1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10, -1},
     {5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10},
     {-1, 5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1}},
    {{-1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1, -1},
     {-1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1},
     {10, -1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15}},
};

AVX2 static inline void
store_pixels(uint8_t *out, const __m128i channels[3])
{
    for (int i = 0; i < 3; i++) {
        __m128i all = _mm_setzero_si128();
        for (int c = 0; c < 3; c++)
            all =
                _mm_or_si128(all, _mm_shuffle_epi8(channels[c],
                                                   _mm_loadu_si128(
                                                       (const __m128i *)places[i][c])));
        _mm_storeu_si128((__m128i *)(out + 16 * i), all);
    }
}

AVX2 static void
to_rgb(uint8_t *out, const uint8_t *luma, const uint8_t *blue, const uint8_t *red,
       size_t width, bool bgr)
{
    const __m256i middle = _mm256_set1_epi16(128);

    for (size_t i = 0; i < width; i += 16) {
        const __m256i y = load_words(luma + i);
        const __m256i cb = _mm256_sub_epi16(load_words(blue + i), middle);
        const __m256i cr = _mm256_sub_epi16(load_words(red + i), middle);
        const __m128i r = to_bytes(
            _mm256_add_epi16(_mm256_add_epi16(y, cr), rounded_share(cr, RED_OF_RED)));
        const __m128i g =
            to_bytes(_mm256_add_epi16(_mm256_sub_epi16(y, cr), green_share(cb, cr)));
        const __m128i b =
            to_bytes(_mm256_add_epi16(_mm256_add_epi16(y, _mm256_add_epi16(cb, cb)),
                                      rounded_share(cb, BLUE_OF_BLUE)));
        const __m128i channels[3] = {bgr ? b : r, g, bgr ? r : b};
        store_pixels(out + 3 * i, channels);
    }
}

const struct mxio_jpeg_kernels mxio_jpeg_kernels_avx2 = {
    .pays = true,
    .transform = transform,
    .widen = widen,
    .widen_between = widen_between,
    .to_rgb = to_rgb,
};

#else

typedef int mxio_kernels_jpeg_avx2_is_for_x86; /* an empty file is no C */

#endif
