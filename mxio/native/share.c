#include "share.h"

/* In order the system reads ahead by itself; small records are not worth a call. */
#define AHEAD_SIZE ((uint64_t)16384)
#define AHEAD ((uint64_t)16)

void
mxio_share_free(struct mxio_share *share)
{
    mxio_chunks_free(&share->chunks);
}

/* The order of chunks is a table of one epoch: finding changes it. */
static void
learn_count(struct mxio_share *share, uint64_t count)
{
    share->count = count;
    share->settled = share->chunks.count == 0;
}

enum mxio_status
mxio_share_count(struct mxio_share *share, uint64_t *out, struct mxio_error *err)
{
    const enum mxio_status status =
        mxio_reader_count(share->reader, &share->extent, out, err);

    if (status == MXIO_OK && share->count == MXIO_UNKNOWN)
        learn_count(share, *out);
    return status;
}

/* An empty part is an error; the end is looked for now only where the order depends on
 * it. */
static enum mxio_status
look_at_extent(struct mxio_share *share, const struct mxio_params *params,
               struct mxio_error *err)
{
    const bool chunked = params->shuffle_chunk_size > 0;
    struct mxio_place place;
    uint64_t ignored;
    bool any = false;

    enum mxio_status status =
        mxio_reader_locate(share->reader, &share->extent, 0, &place, &any, err);
    if (status == MXIO_OK && !any)
        return mxio_fail(err, MXIO_EDATA,
                         "part_index=%lld of num_parts=%lld holds no record: ask for "
                         "fewer parts",
                         (long long)params->part_index, (long long)params->num_parts);
    if (status == MXIO_OK &&
        (share->order.shuffle || chunked || !share->order.sequential))
        status = mxio_share_count(share, &ignored, err);
    return status;
}

static enum mxio_status
make_chunks(struct mxio_share *share, const struct mxio_params *params,
            struct mxio_error *err)
{
    uint64_t bytes = 0;

    if (params->shuffle_chunk_size == 0)
        return MXIO_OK;
    /* Where the records of the part lie when they are put one behind the other. */
    uint64_t *starts = mxio_alloc((size_t)share->count * sizeof *starts);
    if (starts == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for the chunks of %llu records",
                         (unsigned long long)share->count);
    enum mxio_status status = MXIO_OK;
    for (uint64_t i = 0; i < share->count && status == MXIO_OK; i++) {
        struct mxio_place place = {0, 0};
        bool found;
        status =
            mxio_reader_locate(share->reader, &share->extent, i, &place, &found, err);
        starts[i] = bytes;
        bytes += place.end - place.offset;
    }
    if (status == MXIO_OK)
        status =
            mxio_chunks_make(&share->chunks, params, starts, share->count, bytes, err);
    share->settled = false;
    mxio_free(starts);
    return status;
}

enum mxio_status
mxio_share_init(struct mxio_share *out, const struct mxio_params *params,
                struct mxio_reader *reader, const struct mxio_order *order,
                struct mxio_error *err)
{
    *out =
        (struct mxio_share){.reader = reader, .order = *order, .count = MXIO_UNKNOWN};
    enum mxio_status status =
        mxio_reader_part(reader, (uint64_t)params->num_parts,
                         (uint64_t)params->part_index, &out->extent, err);
    if (status == MXIO_OK)
        status = look_at_extent(out, params, err);
    if (status == MXIO_OK)
        status = make_chunks(out, params, err);
    return status;
}

bool
mxio_share_knows(const struct mxio_share *share, uint64_t position)
{
    return mxio_reader_knows(share->reader, &share->extent, position);
}

enum mxio_status
mxio_share_learn(struct mxio_share *share, uint64_t position, uint64_t ahead,
                 struct mxio_error *err)
{
    struct mxio_error later = MXIO_NO_ERROR;

    const enum mxio_status status =
        mxio_reader_learn(share->reader, &share->extent, position, err);
    if (status != MXIO_OK || position == MXIO_UNKNOWN)
        return status;
    later.status =
        mxio_reader_learn(share->reader, &share->extent, position + ahead, &later);
    return MXIO_OK; /* a later failure comes back when its turn comes */
}

enum mxio_status
mxio_share_find(struct mxio_share *share, uint64_t epoch, uint64_t position,
                struct mxio_entry *out, bool *found, struct mxio_error *err)
{
    const uint64_t at =
        share->chunks.count > 0
            ? mxio_chunks_at(&share->chunks, epoch, position)
            : mxio_order_at(&share->order, epoch, share->count, position);
    struct mxio_place place;

    const enum mxio_status status =
        mxio_reader_locate(share->reader, &share->extent, at, &place, found, err);
    if (status != MXIO_OK)
        return status;
    if (!*found)
        learn_count(share, position);
    else
        *out = (struct mxio_entry){.record = mxio_extent_ordinal(&share->extent, at),
                                   .place = place};
    return MXIO_OK;
}

void
mxio_share_look_ahead(struct mxio_share *share, uint64_t epoch, uint64_t position,
                      struct mxio_place here)
{
    struct mxio_error ignored = MXIO_NO_ERROR;
    struct mxio_entry entry;
    bool found;

    if (!share->order.shuffle || !share->settled ||
        here.end - here.offset < AHEAD_SIZE || position + AHEAD >= share->count)
        return;
    if (mxio_share_find(share, epoch, position + AHEAD, &entry, &found, &ignored) ==
            MXIO_OK &&
        found)
        mxio_reader_will_read(share->reader, entry.place);
}

enum mxio_status
mxio_share_deal(struct mxio_share *share, struct mxio_cursor *cursor,
                struct mxio_entry *rows, size_t *given, size_t *pad,
                struct mxio_error *err)
{
    const size_t batch_size = (size_t)share->order.batch_size;

    *given = *pad = 0;
    while (*given < batch_size) {
        uint64_t epoch, position;
        bool found;
        const enum mxio_turn turn =
            mxio_cursor_look(cursor, &share->order, share->count, &epoch, &position);
        if (turn == MXIO_TURN_TOO_BIG)
            return mxio_fail(err, MXIO_EPARAM,
                             "a batch of %zu needs more records than two epochs have",
                             batch_size);
        if (turn != MXIO_TURN_RECORD && turn != MXIO_TURN_EXTRA)
            break;
        const enum mxio_status status =
            mxio_share_find(share, epoch, position, &rows[*given], &found, err);
        if (status != MXIO_OK)
            return status;
        if (!found)
            continue;
        mxio_cursor_take(cursor, turn);
        *given += 1;
        *pad += turn == MXIO_TURN_EXTRA;
    }
    *pad += batch_size - *given;
    return MXIO_OK;
}
