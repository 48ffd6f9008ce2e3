#include "chunks.h"

#define NO_EPOCH UINT64_MAX
#define MEGABYTE 1048576.0

void
mxio_chunks_free(struct mxio_chunks *chunks)
{
    mxio_free(chunks->start);
    mxio_free(chunks->visited);
    mxio_free(chunks->first);
    *chunks = (struct mxio_chunks){.count = 0};
}

/* The first of the rising offsets that is not below `offset`. */
static uint64_t
lower_bound(const uint64_t *offsets, uint64_t count, uint64_t offset)
{
    uint64_t low = 0, high = count;

    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        if (offsets[middle] < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum mxio_status
mxio_chunks_make(struct mxio_chunks *out, const struct mxio_params *params,
                 const uint64_t *offsets, uint64_t count, uint64_t bytes,
                 struct mxio_error *err)
{
    const double chunk = (double)params->shuffle_chunk_size * MEGABYTE;
    /* In unsigned numbers, where nothing overflows. */
    const uint64_t seed =
        (uint64_t)params->seed ^ (uint64_t)params->shuffle_chunk_seed * 3;
    struct mxio_chunks made = {.seed = (int64_t)seed,
                               .shuffle = params->shuffle != 0,
                               .epoch = NO_EPOCH};

    *out = made;
    if (params->shuffle_chunk_size == 0 || count == 0)
        return MXIO_OK;
    const double wanted = (double)bytes * 1.1 / chunk;
    made.count = wanted > (double)count ? count : (uint64_t)wanted + 1;
    const size_t size = (size_t)(made.count + 1) * sizeof(uint64_t);
    made.start = mxio_alloc(size);
    made.visited = mxio_alloc(size);
    made.first = mxio_alloc(size);
    if (made.start == NULL || made.visited == NULL || made.first == NULL) {
        const enum mxio_status status =
            mxio_fail(err, MXIO_ENOMEM, "no memory for %llu chunks",
                      (unsigned long long)made.count);
        mxio_chunks_free(&made);
        return status;
    }
    for (uint64_t i = 0; i < made.count; i++) {
        const double share = (double)i / (double)made.count;
        made.start[i] =
            lower_bound(offsets, count, offsets[0] + (uint64_t)(share * (double)bytes));
    }
    made.start[made.count] = count;
    *out = made;
    return MXIO_OK;
}

static void
order_chunks(struct mxio_chunks *chunks, uint64_t epoch)
{
    const struct mxio_permutation permutation =
        mxio_permutation_make(chunks->seed, epoch, chunks->count);
    uint64_t position = 0;

    for (uint64_t i = 0; i < chunks->count; i++) {
        const uint64_t chunk = mxio_permutation_at(&permutation, i);
        chunks->visited[i] = chunk;
        chunks->first[i] = position;
        position += chunks->start[chunk + 1] - chunks->start[chunk];
    }
    chunks->first[chunks->count] = position;
    chunks->epoch = epoch;
}

uint64_t
mxio_chunks_at(struct mxio_chunks *chunks, uint64_t epoch, uint64_t position)
{
    if (chunks->epoch != epoch)
        order_chunks(chunks, epoch);
    /* The last chunk that starts at or before the position: empty ones come before it. */
    const uint64_t turn = lower_bound(chunks->first, chunks->count, position + 1) - 1;
    const uint64_t chunk = chunks->visited[turn];
    const uint64_t start = chunks->start[chunk];
    uint64_t inside = position - chunks->first[turn];

    if (chunks->shuffle) {
        const struct mxio_permutation permutation =
            mxio_permutation_make((int64_t)((uint64_t)chunks->seed + chunk + 1), epoch,
                                  chunks->start[chunk + 1] - start);
        inside = mxio_permutation_at(&permutation, inside);
    }
    return start + inside;
}
