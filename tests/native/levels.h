/* What the tests of kernels share: every level, rows of noise, outputs with a guard. */
#ifndef MXIO_TEST_LEVELS_H
#define MXIO_TEST_LEVELS_H

#include "kernels.h"
#include "records.h"

#define WIDEST 200
static const int channel_counts[] = {1, 3, 4};

/* The levels that the build and the processor have, the best first, the truth last. */
#define FOR_EACH_LEVEL(kernels)                                                        \
    for (size_t number_ = 0; mxio_kernels_name(number_) != NULL; number_++)            \
        for (const struct mxio_kernels *kernels =                                      \
                 mxio_kernels_named(mxio_kernels_name(number_));                       \
             kernels != NULL; kernels = NULL)

/* A row of noise with the promised slack and not a byte more. */
static inline uint8_t *
noise(size_t size, uint32_t seed)
{
    uint8_t *out = malloc(size + MXIO_SLACK);
    uint32_t state = seed + 1;

    MUST(out != NULL, "malloc");
    for (size_t i = 0; i < size + MXIO_SLACK; i++)
        out[i] = (uint8_t)any_u32(&state);
    return out;
}

#define GUARD 64

/* Room for an output, and behind it bytes that must stay as they are. */
static inline void *
guarded(size_t size)
{
    uint8_t *out = malloc(size + GUARD);

    MUST(out != NULL, "malloc");
    memset(out, 0xEE, size + GUARD);
    return out;
}

static inline bool
guard_is_whole(const void *out, size_t size)
{
    const uint8_t *guard = (const uint8_t *)out + size;

    for (int i = 0; i < GUARD; i++)
        if (guard[i] != 0xEE)
            return false;
    return true;
}

static inline uint32_t
bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

#endif
