/* PNG's filters undone: the same bytes as kernels_png.c. */
#include "kernels_png.h"

#if defined __x86_64__

#include <immintrin.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2")))

AVX2 static void
undo_up(uint8_t *row, const uint8_t *above, size_t size)
{
    size_t i = 0;

    for (; i + 32 <= size; i += 32)
        _mm256_storeu_si256((__m256i *)(row + i),
                            _mm256_add_epi8(_mm256_loadu_si256(
                                                (const __m256i *)(row + i)),
                                            _mm256_loadu_si256(
                                                (const __m256i *)(above + i))));
    mxio_unfilter_row_scalar(row + i, above + i, size - i, 1, MXIO_PNG_UP);
}

/* Bytes 12 to 14 of 3-byte pixels, 12 to 15 of 4-byte ones: the last whole pixel, in each
 * place. */
static const int8_t last_3[16] = {12, 13, 14, 12, 13, 14, 12, 13,
                                  14, 12, 13, 14, 12, 13, 14, -1};
static const int8_t last_4[16] = {12, 13, 14, 15, 12, 13, 14, 15,
                                  12, 13, 14, 15, 12, 13, 14, 15};

/* Sums of 1, then 2, then 4 neighbours, and the last pixel of the block before. Of 3-byte
 * pixels five are done at once and the 16th byte is left as it was. */
AVX2 static inline void
undo_sub(uint8_t *row, size_t size, const bool three)
{
    const size_t pixel = three ? 3 : 4, block = three ? 15 : 16;
    const __m128i last = _mm_loadu_si128((const __m128i *)(three ? last_3 : last_4));
    const __m128i keep =
        _mm_setr_epi32(0, 0, 0, three ? (int32_t)0xFF000000 : 0); /* of the old bytes */
    __m128i before = _mm_setzero_si128();
    size_t i = 0;

    for (; i + 16 <= size; i += block) {
        const __m128i old = _mm_loadu_si128((const __m128i *)(row + i));
        __m128i sum = _mm_andnot_si128(keep, old);
        if (three) {
            sum = _mm_add_epi8(sum, _mm_slli_si128(sum, 3));
            sum = _mm_add_epi8(sum, _mm_slli_si128(sum, 6));
            sum = _mm_add_epi8(sum, _mm_slli_si128(sum, 12));
        } else {
            sum = _mm_add_epi8(sum, _mm_slli_si128(sum, 4));
            sum = _mm_add_epi8(sum, _mm_slli_si128(sum, 8));
        }
        sum = _mm_add_epi8(sum, before);
        before = _mm_shuffle_epi8(sum, last);
        _mm_storeu_si128((__m128i *)(row + i), _mm_or_si128(_mm_andnot_si128(keep, sum),
                                                            _mm_and_si128(keep, old)));
    }
    for (i = i < pixel ? pixel : i; i < size; i++)
        row[i] = (uint8_t)(row[i] + row[i - pixel]);
}

AVX2 static inline __m128i
load_pixel(const uint8_t *at)
{
    int32_t bytes;

    memcpy(&bytes, at, sizeof bytes);
    return _mm_cvtsi32_si128(bytes);
}

AVX2 static inline void
store_pixel(uint8_t *at, __m128i bytes, size_t size)
{
    const int32_t low = _mm_cvtsi128_si32(bytes);

    memcpy(at, &low, size);
}

/* (a + b) / 2, rounded down. */
AVX2 static inline __m128i
average(__m128i a, __m128i b)
{
    const __m128i odd = _mm_and_si128(_mm_xor_si128(a, b), _mm_set1_epi8(1));

    return _mm_sub_epi8(_mm_avg_epu8(a, b), odd);
}

/* In each of the next two the pixel behind is loaded before 4 bytes are stored over its
 * first one; the last pixel is stored by its own size. */
AVX2 static inline void
undo_average(uint8_t *row, const uint8_t *above, size_t size, const size_t pixel)
{
    __m128i left = _mm_setzero_si128(), next = load_pixel(row);

    for (size_t i = 0; i < size; i += pixel) {
        const __m128i here = next;
        const bool is_last = i + pixel == size;
        if (!is_last)
            next = load_pixel(row + i + pixel);
        left = _mm_add_epi8(here, average(left, load_pixel(above + i)));
        store_pixel(row + i, left, is_last ? pixel : 4);
    }
}

/* Channels in 16 bits, their high bytes zero. */
AVX2 static inline __m128i
paeth(__m128i left, __m128i above, __m128i corner)
{
    const __m128i rise =
        _mm_sub_epi16(above, corner); /* nothing of it waits for left */
    const __m128i run = _mm_sub_epi16(left, corner);
    const __m128i by_left = _mm_abs_epi16(rise), by_above = _mm_abs_epi16(run);
    const __m128i by_corner = _mm_abs_epi16(_mm_add_epi16(rise, run));
    const __m128i least = _mm_min_epi16(_mm_min_epi16(by_left, by_above), by_corner);
    const __m128i other =
        _mm_blendv_epi8(corner, above, _mm_cmpeq_epi16(by_above, least));

    return _mm_blendv_epi8(other, left, _mm_cmpeq_epi16(by_left, least));
}

AVX2 static inline void
undo_paeth(uint8_t *row, const uint8_t *above, size_t size, const size_t pixel)
{
    const __m128i zero = _mm_setzero_si128();
    __m128i left = zero, corner = zero, next = load_pixel(row);

    for (size_t i = 0; i < size; i += pixel) {
        const __m128i here = next;
        const bool is_last = i + pixel == size;
        const __m128i up = _mm_unpacklo_epi8(load_pixel(above + i), zero);
        if (!is_last)
            next = load_pixel(row + i + pixel);
        const __m128i sum =
            _mm_add_epi8(_mm_unpacklo_epi8(here, zero), paeth(left, up, corner));
        left = sum;
        corner = up;
        store_pixel(row + i, _mm_packus_epi16(sum, sum), is_last ? pixel : 4);
    }
}

AVX2 void
mxio_unfilter_row_avx2(uint8_t *row, const uint8_t *above, size_t size, size_t pixel,
                       enum mxio_png_filter filter)
{
    if (filter == MXIO_PNG_UP)
        undo_up(row, above, size);
    else if (filter == MXIO_PNG_NONE || pixel == 1)
        mxio_unfilter_row_scalar(row, above, size, pixel, filter);
    else if (filter == MXIO_PNG_SUB && pixel == 3)
        undo_sub(row, size, true);
    else if (filter == MXIO_PNG_SUB)
        undo_sub(row, size, false);
    else if (filter == MXIO_PNG_AVERAGE && pixel == 3)
        undo_average(row, above, size, 3);
    else if (filter == MXIO_PNG_AVERAGE)
        undo_average(row, above, size, 4);
    else if (pixel == 3)
        undo_paeth(row, above, size, 3);
    else
        undo_paeth(row, above, size, 4);
}

#else

typedef int mxio_kernels_png_avx2_is_for_x86; /* an empty file is no C */

#endif
