#include "blur.h"

#include <string.h>

/* Weights are multiples of 2^-12, so that two passes over 255 fit 32 bits. */
#define BITS 12

/* By distance from the middle; exp(-d^2 / (2 s^2)) scaled and rounded, the middle made
 * to complete the sum 2^12. */
static const uint32_t weights_of[MXIO_MAX_BLUR_RADIUS + 1][MXIO_MAX_BLUR_RADIUS + 1] =
    {{1 << BITS},
     {2138, 979},
     {1514, 1001, 290},
     {1180, 914, 425, 119},
     {968, 814, 485, 204, 61}};

void
mxio_blurrer_free(struct mxio_blurrer *blurrer)
{
    mxio_buffer_free(&blurrer->sums);
}

/* A place beside the picture is mirrored into it; a narrow picture more than once. */
static int
mirrored(int at, int size)
{
    if (size == 1)
        return 0;
    while (at < 0 || at >= size)
        at = at < 0 ? -at : 2 * (size - 1) - at;
    return at;
}

/* Weighted sums of the columns around a row, for all columns of the picture, and as many
 * mirrored ones on both sides as the kernel reaches. */
static void
sum_columns(const struct mxio_view *from, int y, int radius, uint32_t *sums)
{
    const uint32_t *weights = weights_of[radius];
    const size_t channels = (size_t)from->channels;
    const size_t count = (size_t)from->width * channels;
    uint32_t *inside = sums + (size_t)radius * channels;

    for (int d = -radius; d <= radius; d++) {
        const uint8_t *row =
            from->bytes + (size_t)mirrored(y + d, from->height) * from->stride;
        const uint32_t weight = weights[d < 0 ? -d : d];
        for (size_t i = 0; i < count; i++)
            inside[i] = (d == -radius ? 0 : inside[i]) + weight * row[i];
    }
    for (int d = 1; d <= radius; d++) {
        uint32_t *left = inside - (size_t)d * channels;
        uint32_t *right = inside + (size_t)(from->width - 1 + d) * channels;
        memcpy(left, inside + (size_t)mirrored(-d, from->width) * channels,
               channels * sizeof *sums);
        memcpy(right,
               inside + (size_t)mirrored(from->width - 1 + d, from->width) * channels,
               channels * sizeof *sums);
    }
}

/* Weighted sums along a row; sums + 0 is `radius` columns left of the first of them. */
static void
sum_row(const uint32_t *sums, size_t channels, int radius, size_t count, uint8_t *out)
{
    const uint32_t *weights = weights_of[radius];
    const uint32_t *middle = sums + (size_t)radius * channels;

    for (size_t i = 0; i < count; i++) {
        uint32_t sum = ((uint32_t)1 << (2 * BITS - 1)) + weights[0] * middle[i];
        for (size_t d = 1; d <= (size_t)radius; d++)
            sum += weights[d] * (middle[i + d * channels] +
                                 sums[i + ((size_t)radius - d) * channels]);
        out[i] = (uint8_t)(sum >> (2 * BITS));
    }
}

enum mxio_status
mxio_blur(struct mxio_blurrer *blurrer, const struct mxio_view *from, int radius,
          struct mxio_rect window, uint8_t *out, struct mxio_error *err)
{
    const size_t channels = (size_t)from->channels;
    const size_t row_size = (size_t)window.width * channels;
    const size_t columns = (size_t)from->width + 2 * (size_t)radius;
    const enum mxio_status status =
        mxio_buffer_need(&blurrer->sums, columns * channels * sizeof(uint32_t), err);

    if (status != MXIO_OK)
        return status;
    uint32_t *sums = (uint32_t *)(void *)blurrer->sums.bytes;
    for (int y = 0; y < window.height; y++) {
        sum_columns(from, window.y + y, radius, sums);
        sum_row(sums + (size_t)window.x * channels, channels, radius, row_size,
                out + (size_t)y * row_size);
    }
    return MXIO_OK;
}
