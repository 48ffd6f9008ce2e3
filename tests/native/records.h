/*
 * Bytes put together by hand: growing strings, RecordIO parts, image records, files
 * that go when the test program ends. Nothing here calls the core.
 */
#ifndef MXIO_TEST_RECORDS_H
#define MXIO_TEST_RECORDS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bytes {
    uint8_t *at; /* freed with free */
    size_t size, room;
};

/* Tests have no use for a half-made input. A macro, so that analysers see its end. */
#define MUST(holds, what)                                                              \
    do {                                                                               \
        if (!(holds))                                                                  \
            give_up(what);                                                             \
    } while (0)

_Noreturn static inline void
give_up(const char *what)
{
    perror(what);
    abort();
}

static inline void
bytes_add(struct bytes *to, const void *from, size_t size)
{
    if (to->at == NULL || to->size + size > to->room) {
        to->room = 2 * to->room + size + 1;
        to->at = realloc(to->at, to->room);
    }
    MUST(to->at != NULL, "realloc");
    if (size > 0)
        memcpy(to->at + to->size, from, size);
    to->size += size;
}

static inline void
bytes_u32(struct bytes *to, uint32_t value)
{
    const uint8_t raw[4] = {(uint8_t)value, (uint8_t)(value >> 8),
                            (uint8_t)(value >> 16), (uint8_t)(value >> 24)};

    bytes_add(to, raw, sizeof raw);
}

static inline void
bytes_u64(struct bytes *to, uint64_t value)
{
    bytes_u32(to, (uint32_t)value);
    bytes_u32(to, (uint32_t)(value >> 32));
}

static inline void
bytes_f32(struct bytes *to, float value)
{
    uint32_t word;

    memcpy(&word, &value, sizeof word);
    bytes_u32(to, word);
}

/* Kinds of a part: 0 whole, 1 first, 2 middle, 3 last. */
static inline void
bytes_part(struct bytes *to, uint32_t kind, const void *payload, size_t size)
{
    static const uint8_t zeros[3];

    bytes_u32(to, UINT32_C(0xCED7230A));
    bytes_u32(to, kind << 29 | (uint32_t)size);
    bytes_add(to, payload, size);
    bytes_add(to, zeros, (4 - size % 4) % 4);
}

/* A whole image record with one label in its header. */
static inline void
bytes_image(struct bytes *to, float label, uint64_t id, const void *picture,
            size_t size)
{
    struct bytes payload = {.at = NULL};

    bytes_u32(&payload, 0);
    bytes_f32(&payload, label);
    bytes_u64(&payload, id);
    bytes_u64(&payload, 0);
    bytes_add(&payload, picture, size);
    bytes_part(to, 0, payload.at, payload.size);
    free(payload.at);
}

/* The same bytes in a block of just their size: sanitizers see who looks behind it. */
static inline void *
exact_copy(const void *from, size_t size)
{
    uint8_t *copy = calloc(1, size > 0 ? size : 1);

    MUST(copy != NULL, "calloc");
    if (size > 0)
        memcpy(copy, from, size);
    return copy;
}

/* The same, to be changed or extended. */
static inline struct bytes
bytes_copy(const struct bytes *from)
{
    struct bytes out = {.at = exact_copy(from->at, from->size)};

    out.size = out.room = from->size;
    return out;
}

#define TEMP_FILES 64
static char temp_paths[TEMP_FILES][64];
static int temp_count;

static inline void
temp_remove_all(void)
{
    for (int i = 0; i < temp_count; i++)
        unlink(temp_paths[i]);
}

/* The path of a new file with these bytes. */
static inline const char *
temp_file(const void *content, size_t size)
{
    MUST(temp_count < TEMP_FILES, "too many temporary files");
    if (temp_count == 0)
        atexit(temp_remove_all);
    char *path = temp_paths[temp_count++];
    snprintf(path, sizeof temp_paths[0], "%s/mxio-test-XXXXXX", P_tmpdir);
    const int descriptor = mkstemp(path);
    MUST(descriptor >= 0, "mkstemp");
    MUST(size == 0 || write(descriptor, content, size) == (ssize_t)size, "write");
    MUST(close(descriptor) == 0, "close");
    return path;
}

/* The same, and the bytes are given back. */
static inline const char *
temp_file_of(struct bytes *content)
{
    const char *path = temp_file(content->at, content->size);

    free(content->at);
    *content = (struct bytes){.at = NULL};
    return path;
}

/* A small generator of test data, the same on every run. */
static inline uint32_t
any_u32(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static inline int
any_below(uint32_t *state, int limit)
{
    return (int)(any_u32(state) % (uint32_t)limit);
}

#endif
