/*
 * Files of MNIST's format, put together by hand.
 */
#ifndef MXIO_TEST_IDXS_H
#define MXIO_TEST_IDXS_H

#include "records.h"

static inline void
bytes_big_u32(struct bytes *to, uint32_t value)
{
    const uint8_t raw[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
                            (uint8_t)(value >> 8), (uint8_t)value};

    bytes_add(to, raw, sizeof raw);
}

/* Images of rows x columns; the pixels of image i are 10 i, 10 i + 1, ... */
static inline struct bytes
idx_images(uint32_t count, uint32_t rows, uint32_t columns)
{
    struct bytes out = {.at = NULL};

    bytes_big_u32(&out, 2051);
    bytes_big_u32(&out, count);
    bytes_big_u32(&out, rows);
    bytes_big_u32(&out, columns);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < rows * columns; k++) {
            const uint8_t byte = (uint8_t)(10 * i + k);
            bytes_add(&out, &byte, 1);
        }
    return out;
}

/* The label of image i is i. */
static inline struct bytes
idx_labels(uint32_t count)
{
    struct bytes out = {.at = NULL};

    bytes_big_u32(&out, 2049);
    bytes_big_u32(&out, count);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t byte = (uint8_t)i;
        bytes_add(&out, &byte, 1);
    }
    return out;
}

#endif
