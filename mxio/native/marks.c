#include "marks.h"

#include "recordio.h"

/* Compilers turn the loop over a chunk into vector instructions. */
#define CHUNK ((size_t)64)

#define MAGIC_BYTE(i) ((uint8_t)(MXIO_RECORD_MAGIC >> (8 * (i))))

/* Whether a magic number starts in the chunk, which CHUNK + 3 bytes are readable of. */
static bool
holds_any(const uint8_t *bytes)
{
    uint8_t any = 0;

    for (size_t i = 0; i < CHUNK; i++)
        any |= (uint8_t)((bytes[i] == MAGIC_BYTE(0)) & (bytes[i + 1] == MAGIC_BYTE(1)) &
                         (bytes[i + 2] == MAGIC_BYTE(2)) &
                         (bytes[i + 3] == MAGIC_BYTE(3)));
    return any != 0;
}

size_t
mxio_marks_find(const uint8_t *bytes, size_t size, size_t from, uint32_t *out,
                size_t room)
{
    size_t count = 0;
    size_t at = from;

    while (count < room && at < size && size - at >= 4) {
        if (size - at >= CHUNK + 3 && !holds_any(bytes + at)) {
            at += CHUNK;
            continue;
        }
        const size_t left = size - at - 3;
        const size_t end = at + (left < CHUNK ? left : CHUNK);
        for (; at < end && count < room; at++)
            if (mxio_load_u32(bytes + at) == MXIO_RECORD_MAGIC)
                out[count++] = (uint32_t)at;
    }
    return count;
}
