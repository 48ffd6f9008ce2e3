/*
 * Files of MNIST, plain and packed: the input as labels and as images. Rows read one by
 * one are those read together; a file is accepted or refused the same way by both.
 */
#include "fuzz.h"
#include "idx.h"

/* Larger files only cost time. */
#define MOST_BYTES ((size_t)1 << 22)

/* A hash of the rows, `step` at a time; *ok: to the end, and nothing behind. */
static uint32_t
read_rows(const char *path, int size_count, bool one_by_one, bool *ok)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_idx idx;
    uint32_t hash = 0;

    *ok = false;
    if (mxio_idx_open(&idx, path, size_count, MXIO_NO_WATCH, &err) != MXIO_OK) {
        MUST(err.status == MXIO_EDATA && err.offset >= 0);
        return 0;
    }
    const size_t count = idx.sizes[0], size = count * idx.row_size;
    MUST(count > 0 && idx.row_size > 0 && size / count == idx.row_size);
    if (size <= MOST_BYTES) {
        uint8_t *bytes = calloc(1, size);
        const size_t step = one_by_one ? 1 : count;
        enum mxio_status status = MXIO_OK;
        MUST(bytes != NULL);
        for (size_t i = 0; i < count && status == MXIO_OK; i += step)
            status = mxio_idx_read(&idx, bytes + i * idx.row_size, step, &err);
        if (status == MXIO_OK)
            status = mxio_idx_end(&idx, &err);
        *ok = status == MXIO_OK;
        MUST(*ok || (status == MXIO_EDATA && err.offset >= 0));
        if (*ok)
            hash = fuzz_hash(bytes, size);
        free(bytes);
    }
    mxio_idx_close(&idx);
    return hash;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *path = fuzz_file(bytes, size);

    for (int size_count = 1; size_count <= MXIO_IDX_SIZES; size_count += 2) {
        bool one_ok, all_ok;
        const uint32_t one = read_rows(path, size_count, true, &one_ok);
        const uint32_t all = read_rows(path, size_count, false, &all_ok);
        MUST(one == all && one_ok == all_ok);
    }
    return 0;
}
