#include "stream.h"

#include <string.h>
#include <zlib.h>

#include "file.h"

#define PIECE ((size_t)1 << 17)

/* Deflate makes at most 1032 bytes of one: a code of two bits for 258 bytes. */
#define MOST_UNPACKED 1032

/* zlib: the largest window, in gzip's wrapping. */
#define GZIP_WINDOW (15 + 16)

struct mxio_stream {
    struct mxio_watch watch;
    struct mxio_file file;
    uint64_t read; /* bytes of the file */
    uint64_t offset;
    bool packed;
    bool inside;        /* of a gzip member; there may be several in a row */
    z_stream unpacking; /* when packed */
    uint8_t *from;      /* bytes of the file, when packed */
    uint8_t *bytes;     /* unpacked ones, of which [at, end) are not read yet */
    size_t at, end;
};

/* ---- life ---- */

void
mxio_stream_close(struct mxio_stream *stream)
{
    if (stream == NULL)
        return;
    mxio_file_close(&stream->file);
    if (stream->packed)
        inflateEnd(&stream->unpacking);
    mxio_free(stream->from);
    mxio_free(stream->bytes);
    mxio_free(stream);
}

static void *
allocate(void *ignored, unsigned count, unsigned size)
{
    (void)ignored;
    return mxio_alloc((size_t)count * size);
}

static void
give_back(void *ignored, void *memory)
{
    (void)ignored;
    mxio_free(memory);
}

static enum mxio_status
no_memory(struct mxio_error *err)
{
    return mxio_fail(err, MXIO_ENOMEM, "no memory to read a file");
}

static enum mxio_status
look_for_gzip(struct mxio_stream *stream, struct mxio_error *err)
{
    static const uint8_t gzip[2] = {0x1f, 0x8b};
    uint8_t head[sizeof gzip];

    if (stream->file.size < sizeof head)
        return MXIO_OK;
    const enum mxio_status status =
        mxio_file_read(&stream->file, 0, head, sizeof head, err);
    if (status != MXIO_OK || memcmp(head, gzip, sizeof gzip) != 0)
        return status;
    stream->unpacking.zalloc = allocate;
    stream->unpacking.zfree = give_back;
    stream->from = mxio_alloc(PIECE);
    if (stream->from == NULL || inflateInit2(&stream->unpacking, GZIP_WINDOW) != Z_OK)
        return no_memory(err);
    stream->packed = stream->inside = true;
    return MXIO_OK;
}

enum mxio_status
mxio_stream_open(struct mxio_stream **out, const char *path,
                 const struct mxio_watch *watch, struct mxio_error *err)
{
    struct mxio_stream *stream = mxio_alloc(sizeof *stream);

    if (stream == NULL)
        return no_memory(err);
    stream->file.descriptor = -1;
    stream->watch = *watch;
    stream->bytes = mxio_alloc(PIECE);
    enum mxio_status status =
        stream->bytes == NULL ? no_memory(err) : mxio_watch_ask(watch, 0, 0, err);
    if (status == MXIO_OK)
        status = mxio_file_open(&stream->file, path, err);
    if (status == MXIO_OK)
        status = look_for_gzip(stream, err);
    if (status != MXIO_OK) {
        mxio_stream_close(stream);
        return status;
    }
    *out = stream;
    return MXIO_OK;
}

/* ---- bytes ---- */

uint64_t
mxio_stream_offset(const struct mxio_stream *stream)
{
    return stream->offset;
}

uint64_t
mxio_stream_limit(const struct mxio_stream *stream, bool *exact)
{
    const uint64_t size = stream->file.size;

    *exact = !stream->packed;
    if (*exact)
        return size;
    return size > UINT64_MAX / MOST_UNPACKED ? UINT64_MAX : size * MOST_UNPACKED;
}

/* Up to PIECE bytes of the file; 0 at its end. */
static enum mxio_status
read_piece(struct mxio_stream *stream, uint8_t *out, size_t *got,
           struct mxio_error *err)
{
    const uint64_t left = stream->file.size - stream->read;

    *got = left < PIECE ? (size_t)left : PIECE;
    if (*got == 0)
        return MXIO_OK;
    enum mxio_status status = mxio_watch_ask(&stream->watch, 0, stream->read, err);
    if (status == MXIO_OK)
        status = mxio_file_read(&stream->file, stream->read, out, *got, err);
    if (status == MXIO_OK)
        stream->read += *got;
    return status;
}

static enum mxio_status
damaged(const struct mxio_stream *stream, const char *problem, struct mxio_error *err)
{
    err->offset = (int64_t)(stream->offset + stream->end);
    return mxio_fail(err, MXIO_EDATA, "damaged gzip data: %s", problem);
}

/* Behind a member: zeros fill up a last block, other bytes must be a member. */
static void
begin_member(struct mxio_stream *stream)
{
    z_stream *unpacking = &stream->unpacking;

    while (unpacking->avail_in > 0 && *unpacking->next_in == 0) {
        unpacking->next_in++;
        unpacking->avail_in--;
    }
    if (unpacking->avail_in > 0) {
        inflateReset(unpacking);
        stream->inside = true;
    }
}

/* One step of inflate, into the bytes behind `end`. */
static enum mxio_status
unpack_some(struct mxio_stream *stream, struct mxio_error *err)
{
    z_stream *unpacking = &stream->unpacking;

    unpacking->next_out = stream->bytes + stream->end;
    unpacking->avail_out = (unsigned)(PIECE - stream->end);
    const int answer = inflate(unpacking, Z_NO_FLUSH);
    stream->end = PIECE - unpacking->avail_out;
    if (answer == Z_STREAM_END)
        stream->inside = false;
    else if (answer == Z_MEM_ERROR)
        return no_memory(err);
    else if (answer != Z_OK && answer != Z_BUF_ERROR) /* the latter: more input */
        return damaged(stream, unpacking->msg ? unpacking->msg : "no gzip data", err);
    return MXIO_OK;
}

/* The next bytes, behind the old ones, which were all read; none at the end. */
static enum mxio_status
unpack(struct mxio_stream *stream, struct mxio_error *err)
{
    z_stream *unpacking = &stream->unpacking;
    enum mxio_status status = MXIO_OK;

    while (stream->end == 0 && status == MXIO_OK) {
        if (unpacking->avail_in == 0) {
            size_t got;
            status = read_piece(stream, stream->from, &got, err);
            if (status != MXIO_OK)
                return status;
            if (got == 0)
                return stream->inside ? damaged(stream, "it breaks off", err) : MXIO_OK;
            unpacking->next_in = stream->from;
            unpacking->avail_in = (unsigned)got;
        }
        if (!stream->inside)
            begin_member(stream);
        if (stream->inside)
            status = unpack_some(stream, err);
    }
    return status;
}

static enum mxio_status
fill(struct mxio_stream *stream, struct mxio_error *err)
{
    stream->at = stream->end = 0;
    return stream->packed ? unpack(stream, err)
                          : read_piece(stream, stream->bytes, &stream->end, err);
}

enum mxio_status
mxio_stream_read(struct mxio_stream *stream, void *out, uint64_t out_size,
                 uint64_t *got, struct mxio_error *err)
{
    uint8_t *to = out;

    for (*got = 0; *got < out_size;) {
        if (stream->at == stream->end) {
            const enum mxio_status status = fill(stream, err);
            if (status != MXIO_OK)
                return status;
            if (stream->end == 0)
                break;
        }
        const uint64_t wanted = out_size - *got;
        const size_t here = stream->end - stream->at;
        const size_t size = wanted < here ? (size_t)wanted : here;
        if (to != NULL)
            memcpy(to + *got, stream->bytes + stream->at, size);
        stream->at += size;
        stream->offset += size;
        *got += size;
    }
    return MXIO_OK;
}
