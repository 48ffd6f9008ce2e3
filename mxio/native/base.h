/*
 * Ground: status, error message, checked sizes, and the one door to memory.
 *
 * Owner:   what mxio_alloc gives belongs to the caller until mxio_free.
 * Threads: everything here may be called from any thread.
 * Errors:  a status for the machine, a sentence for the human; both set where the fault
 *          is known.
 */
#ifndef MXIO_BASE_H
#define MXIO_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MXIO_MUST_USE __attribute__((warn_unused_result))

enum mxio_status {
    MXIO_OK,
    MXIO_EPARAM,   /* a parameter is wrong; nothing was started */
    MXIO_EDATA,    /* the input is damaged, or not what it should be */
    MXIO_EIO,      /* the system refused; os_error says why */
    MXIO_ENOMEM,   /* no memory */
    MXIO_ESTATE,   /* not now: closed, or in another process */
    MXIO_EFOREIGN, /* a picture format that the core does not know */
};

/* What went wrong and where. record, offset and file are -1, has_id false, when
 * unknown. */
struct mxio_error {
    enum mxio_status status;
    int os_error; /* errno, with MXIO_EIO */
    int file;     /* place in the list of files */
    bool has_id;
    bool by_plan;   /* in another epoch than `epoch` the record may be good */
    int64_t record; /* ordinal of the record in the file set */
    int64_t offset; /* byte in the file */
    uint64_t id;    /* id in the record's header */
    uint64_t epoch; /* with by_plan */
    char message[512];
};

#define MXIO_NO_ERROR                                                                  \
    ((struct mxio_error){.status = MXIO_OK, .file = -1, .record = -1, .offset = -1})

/* Set the status and the message, keep what is known of the place; returns the status.
 */
enum mxio_status
mxio_fail(struct mxio_error *err, enum mxio_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* MXIO_EIO with errno and its sentence appended to the message. */
enum mxio_status
mxio_fail_os(struct mxio_error *err, int os_error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Who waits for a thread that reads: it is told where that is going to read, and says
 * when to stop. */
struct mxio_watch {
    bool (*stopped)(void *context, int file, uint64_t offset); /* NULL: nobody */
    void *context;
    int first_file; /* files are counted from here */
};

#define MXIO_NO_WATCH (&(struct mxio_watch){.stopped = NULL})

/* Before each read; MXIO_ESTATE when it is time to stop. `file` -1: nothing is read. */
MXIO_MUST_USE enum mxio_status
mxio_watch_ask(const struct mxio_watch *watch, int file, uint64_t offset,
               struct mxio_error *err);

/* a * b in *out; false when it does not fit. */
MXIO_MUST_USE bool
mxio_multiply(size_t a, size_t b, size_t *out);

/* Zeroed memory, or NULL. Never more than asked; size 0 gives one byte. */
MXIO_MUST_USE void *
mxio_alloc(size_t size);

/* As realloc: the old block lives on when the answer is NULL. */
MXIO_MUST_USE void *
mxio_realloc(void *block, size_t size);

void
mxio_free(void *block);

/* Memory for a batch: cache-line aligned, in huge pages when large and the system
 * agrees. Free with mxio_free. */
MXIO_MUST_USE void *
mxio_alloc_pages(size_t size);

/* For tests: the nth next allocation fails (1 is the next); 0 switches it off. */
void
mxio_alloc_fail_at(uint64_t nth);

/* Nanoseconds of a clock that never steps back. */
uint64_t
mxio_clock(void);

struct mxio_size {
    int width, height;
};

/* A rectangle of pixels: columns [x, x + width), rows [y, y + height). */
struct mxio_rect {
    int x, y, width, height;
};

/*
 * A window of 8-bit pixels, channels interleaved, red first. The bytes hold the
 * rectangle `held` of an image of width x height; they are borrowed, and readable for
 * MXIO_SLACK bytes past the last row.
 */
struct mxio_view {
    const uint8_t *bytes; /* pixel (held.x, held.y) */
    size_t stride;        /* bytes from one row to the next */
    int width, height, channels;
    struct mxio_rect held;
};

#define MXIO_SLACK ((size_t)64)

/* What a picture's header says; width and height are those after the EXIF orientation.
 */
struct mxio_picture {
    int width, height;
    int channels;    /* as stored: 1, 3, or 4 with alpha */
    int bits;        /* in a channel */
    int orientation; /* EXIF, 1 to 8; 1 is upright */
};

/* A buffer that grows and is kept from one use to the next. */
struct mxio_buffer {
    uint8_t *bytes;
    size_t size; /* allocated */
};

/* At least `size` bytes; the content is not kept. */
MXIO_MUST_USE enum mxio_status
mxio_buffer_need(struct mxio_buffer *buffer, size_t size, struct mxio_error *err);

void
mxio_buffer_free(struct mxio_buffer *buffer);

/* Little-endian numbers in bytes of any alignment. */
uint32_t
mxio_load_u32(const uint8_t *bytes);

uint64_t
mxio_load_u64(const uint8_t *bytes);

void
mxio_store_u32(uint8_t *bytes, uint32_t value);

#endif
