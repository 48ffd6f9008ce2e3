#include "idx.h"

#include "stream.h"

/* The type of the values is bytes. */
#define MAGIC UINT32_C(0x800)

static enum mxio_status
fail_at(uint64_t offset, struct mxio_error *err, const char *problem)
{
    err->offset = (int64_t)offset;
    return mxio_fail(err, MXIO_EDATA, "%s", problem);
}

/* `count` numbers of four bytes. */
static enum mxio_status
read_numbers(struct mxio_idx *idx, uint32_t *out, int count, const char *what,
             struct mxio_error *err)
{
    uint8_t bytes[4 * MXIO_IDX_SIZES];
    const size_t size = (size_t)count * 4;
    const uint64_t start = mxio_stream_offset(idx->stream);
    uint64_t got;

    const enum mxio_status status =
        mxio_stream_read(idx->stream, bytes, size, &got, err);
    if (status != MXIO_OK)
        return status;
    if (got < size) {
        err->offset = (int64_t)start;
        return mxio_fail(err, MXIO_EDATA, "%s needs %zu bytes, %zu left", what, size,
                         (size_t)got);
    }
    for (int i = 0; i < count; i++) {
        const uint8_t *at = bytes + (size_t)i * 4;
        out[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
                 at[3];
    }
    return MXIO_OK;
}

/* Bytes of all rows; false when no file has so many. */
static bool
data_size(const struct mxio_idx *idx, size_t *out)
{
    return mxio_multiply(idx->row_size, idx->sizes[0], out) && *out < SIZE_MAX / 2;
}

/* A header may claim any number: see that the file can have it before it is asked for.
 */
static enum mxio_status
check_size(const struct mxio_idx *idx, struct mxio_error *err)
{
    const uint64_t start = mxio_stream_offset(idx->stream);
    bool exact;
    const uint64_t left = mxio_stream_limit(idx->stream, &exact) - start;
    size_t size;
    const bool known = data_size(idx, &size);

    if (!known || size > left) {
        err->offset = (int64_t)start;
        if (!known)
            return mxio_fail(err, MXIO_EDATA,
                             "the data needs more than 2^63 bytes, %s%llu left",
                             exact ? "" : "at most ", (unsigned long long)left);
        return mxio_fail(err, MXIO_EDATA, "the data needs %zu bytes, %s%llu left", size,
                         exact ? "" : "at most ", (unsigned long long)left);
    }
    if (exact && size < left)
        return fail_at(start + size, err, "bytes behind those that the header says");
    return MXIO_OK;
}

static enum mxio_status
read_header(struct mxio_idx *idx, int size_count, struct mxio_error *err)
{
    const uint32_t right = MAGIC + (uint32_t)size_count;
    uint32_t magic = 0;

    enum mxio_status status = read_numbers(idx, &magic, 1, "the magic number", err);
    if (status != MXIO_OK)
        return status;
    if (magic != right) {
        err->offset = 0;
        return mxio_fail(err, MXIO_EDATA, "magic number %lu, MNIST's %s have %lu",
                         (unsigned long)magic, size_count == 1 ? "labels" : "images",
                         (unsigned long)right);
    }
    idx->size_count = size_count;
    status = read_numbers(idx, idx->sizes, size_count, "the header", err);
    if (status != MXIO_OK)
        return status;
    idx->row_size = 1;
    for (int i = 0; i < size_count; i++) {
        if (idx->sizes[i] == 0)
            return fail_at(4, err, "a size in the header is 0: nothing is in it");
        if (i > 0)
            idx->row_size *= idx->sizes[i]; /* two of 32 bits */
    }
    return check_size(idx, err);
}

enum mxio_status
mxio_idx_open(struct mxio_idx *out, const char *path, int size_count,
              const struct mxio_watch *watch, struct mxio_error *err)
{
    *out = (struct mxio_idx){.stream = NULL};
    enum mxio_status status = mxio_stream_open(&out->stream, path, watch, err);
    if (status == MXIO_OK)
        status = read_header(out, size_count, err);
    if (status != MXIO_OK)
        mxio_idx_close(out);
    return status;
}

void
mxio_idx_close(struct mxio_idx *idx)
{
    mxio_stream_close(idx->stream);
    idx->stream = NULL;
}

enum mxio_status
mxio_idx_read(struct mxio_idx *idx, uint8_t *out, size_t count, struct mxio_error *err)
{
    const size_t size = count * idx->row_size; /* no more than the file has */
    size_t all;
    uint64_t got;

    const enum mxio_status status = mxio_stream_read(idx->stream, out, size, &got, err);
    if (status != MXIO_OK || got == size)
        return status;
    err->offset = (int64_t)mxio_stream_offset(idx->stream);
    return mxio_fail(err, MXIO_EDATA,
                     "the data needs %zu bytes from byte %d on, the file ends",
                     data_size(idx, &all) ? all : 0, 4 + 4 * idx->size_count);
}

enum mxio_status
mxio_idx_end(struct mxio_idx *idx, struct mxio_error *err)
{
    const uint64_t offset = mxio_stream_offset(idx->stream);
    uint8_t more;
    uint64_t got;

    const enum mxio_status status = mxio_stream_read(idx->stream, &more, 1, &got, err);
    if (status != MXIO_OK || got == 0)
        return status;
    return fail_at(offset, err, "bytes behind those that the header says");
}
