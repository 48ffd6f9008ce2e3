/*
 * What the fuzz targets share: an invariant that ends the run, choices that follow from
 * the input (so that seeds are plain files), the input as a file, and the comparison of
 * two windows.
 */
#ifndef MXIO_FUZZ_H
#define MXIO_FUZZ_H

#include "base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Larger pictures are refused: they cost time and show nothing new. */
#define FUZZ_MAX_PIXELS (1 << 18)

/* libFuzzer's entry; standalone.c calls the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define MUST(condition)                                                                \
    do {                                                                               \
        if (!(condition)) {                                                            \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__,           \
                    #condition);                                                       \
            abort();                                                                   \
        }                                                                              \
    } while (0)

/* FNV-1a of the input: what fuzz_below starts from. */
static inline uint32_t
fuzz_hash(const uint8_t *bytes, size_t size)
{
    uint32_t hash = UINT32_C(2166136261);

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * UINT32_C(16777619);
    return hash;
}

/* A number in [0, limit), another one at each call. */
static inline int
fuzz_below(uint32_t *state, int limit)
{
    *state = *state * UINT32_C(1664525) + UINT32_C(1013904223);
    return (int)((*state >> 8) % (uint32_t)limit);
}

/* Where fuzz_file writes; removed at the end. */
static char fuzz_path[] = "/tmp/mxio-fuzz-XXXXXX";

static inline void
fuzz_remove_file(void)
{
    unlink(fuzz_path);
}

/* The input in a file, written anew each time. */
static inline const char *
fuzz_file(const uint8_t *bytes, size_t size)
{
    static int descriptor = -1;

    if (descriptor < 0) {
        descriptor = mkstemp(fuzz_path);
        atexit(fuzz_remove_file);
    }
    MUST(descriptor >= 0);
    MUST(ftruncate(descriptor, 0) == 0);
    MUST(pwrite(descriptor, bytes, size, 0) == (ssize_t)size);
    return fuzz_path;
}

/* A window somewhere in the picture, at least one pixel large. */
static inline struct mxio_rect
fuzz_window(uint32_t *state, const struct mxio_picture *picture)
{
    struct mxio_rect window;

    window.x = fuzz_below(state, picture->width);
    window.y = fuzz_below(state, picture->height);
    window.width = 1 + fuzz_below(state, picture->width - window.x);
    window.height = 1 + fuzz_below(state, picture->height - window.y);
    return window;
}

static inline const uint8_t *
fuzz_pixel(const struct mxio_view *view, int x, int y)
{
    return view->bytes + (size_t)(y - view->held.y) * view->stride +
           (size_t)(x - view->held.x) * (size_t)view->channels;
}

/* Both views hold the window, and the same pixels in it. */
static inline void
fuzz_same_pixels(const struct mxio_view *one, const struct mxio_view *other,
                 struct mxio_rect window)
{
    MUST(one->channels == other->channels);
    const size_t row_size = (size_t)window.width * (size_t)one->channels;
    for (int y = window.y; y < window.y + window.height; y++)
        MUST(memcmp(fuzz_pixel(one, window.x, y), fuzz_pixel(other, window.x, y),
                    row_size) == 0);
}

#endif
