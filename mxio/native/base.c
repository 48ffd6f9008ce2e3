#include "base.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* Blocks from this size on are aligned to it, so that the kernel can use huge pages. */
#define HUGE_PAGE ((size_t)2 << 20)

static _Atomic uint64_t allocations_until_failure; /* a test's switch, not a lock */

static void
set_message(struct mxio_error *err, const char *format, va_list values)
{
    /* The old message may be among the values. */
    char text[sizeof err->message];

    vsnprintf(text, sizeof text, format, values);
    memcpy(err->message, text, sizeof text);
}

enum mxio_status
mxio_fail(struct mxio_error *err, enum mxio_status status, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    set_message(err, format, values);
    va_end(values);
    err->status = status;
    return status;
}

enum mxio_status
mxio_fail_os(struct mxio_error *err, int os_error, const char *format, ...)
{
    va_list values;
    char reason[128];

    va_start(values, format);
    set_message(err, format, values);
    va_end(values);
    if (strerror_r(os_error, reason, sizeof reason) != 0)
        snprintf(reason, sizeof reason, "error %d", os_error);
    const size_t used = strlen(err->message);
    snprintf(err->message + used, sizeof err->message - used, ": %s", reason);
    err->os_error = os_error;
    err->status = MXIO_EIO;
    return MXIO_EIO;
}

enum mxio_status
mxio_watch_ask(const struct mxio_watch *watch, int file, uint64_t offset,
               struct mxio_error *err)
{
    const int place = file < 0 ? -1 : watch->first_file + file;

    if (watch->stopped != NULL && watch->stopped(watch->context, place, offset))
        return mxio_fail(err, MXIO_ESTATE, "told to stop");
    return MXIO_OK;
}

bool
mxio_multiply(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static bool
fails_now(void)
{
    uint64_t left =
        atomic_load_explicit(&allocations_until_failure, memory_order_relaxed);

    if (left == 0)
        return false;
    return atomic_fetch_sub(&allocations_until_failure, 1) == 1;
}

void
mxio_alloc_fail_at(uint64_t nth)
{
    atomic_store(&allocations_until_failure, nth);
}

void *
mxio_alloc(size_t size)
{
    return fails_now() ? NULL : calloc(1, size == 0 ? 1 : size);
}

void *
mxio_realloc(void *block, size_t size)
{
    return fails_now() ? NULL : realloc(block, size == 0 ? 1 : size);
}

void
mxio_free(void *block)
{
    free(block);
}

void *
mxio_alloc_pages(size_t size)
{
    const size_t alignment = size >= HUGE_PAGE ? HUGE_PAGE : 64;
    size_t rounded;
    void *block;

    if (fails_now() || __builtin_add_overflow(size, alignment - 1, &rounded))
        return NULL;
    rounded -= rounded % alignment;
    if (posix_memalign(&block, alignment, rounded == 0 ? alignment : rounded) != 0)
        return NULL;
#ifdef MADV_HUGEPAGE
    if (size >= HUGE_PAGE)
        (void)madvise(block, rounded,
                      MADV_HUGEPAGE); /* a wish: refusal costs only speed */
#endif
    return block;
}

enum mxio_status
mxio_buffer_need(struct mxio_buffer *buffer, size_t size, struct mxio_error *err)
{
    if (size <= buffer->size)
        return MXIO_OK;
    uint8_t *bytes = mxio_alloc_pages(size);
    if (bytes == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for %zu bytes", size);
    mxio_free(buffer->bytes);
    *buffer = (struct mxio_buffer){.bytes = bytes, .size = size};
    return MXIO_OK;
}

void
mxio_buffer_free(struct mxio_buffer *buffer)
{
    mxio_free(buffer->bytes);
    *buffer = (struct mxio_buffer){.bytes = NULL};
}

uint32_t
mxio_load_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

uint64_t
mxio_load_u64(const uint8_t *bytes)
{
    return mxio_load_u32(bytes) | (uint64_t)mxio_load_u32(bytes + 4) << 32;
}

void
mxio_store_u32(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

uint64_t
mxio_clock(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}
