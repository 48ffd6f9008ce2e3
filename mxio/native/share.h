/*
 * What a loader reads of an epoch: its part of the records, how many they are, and the
 * order in which they come.
 *
 * Owner:   a share owns its table of chunks and borrows the reader.
 * Threads: one at a time until it is settled: it learns what the reader learns.
 * Errors:  MXIO_EDATA for a part without a record, and what the reader says; MXIO_ENOMEM.
 */
#ifndef MXIO_SHARE_H
#define MXIO_SHARE_H

#include "base.h"
#include "chunks.h"
#include "order.h"
#include "params.h"
#include "reader.h"

struct mxio_share {
    struct mxio_reader *reader;
    struct mxio_extent extent;
    struct mxio_order order;
    struct mxio_chunks chunks; /* of shuffle_chunk_size */
    uint64_t count;            /* records of the part, or MXIO_UNKNOWN */
    bool settled; /* nothing is left to learn: any number of threads may find */
};

/* The count is looked for now only where the order depends on it. */
MXIO_MUST_USE enum mxio_status
mxio_share_init(struct mxio_share *out, const struct mxio_params *params,
                struct mxio_reader *reader, const struct mxio_order *order,
                struct mxio_error *err);

void
mxio_share_free(struct mxio_share *share);

/* As long as the count is unknown: whether the reader has learnt where the record at a
 * position lies, or that there is none; with MXIO_UNKNOWN, of all records. */
bool
mxio_share_knows(const struct mxio_share *share, uint64_t position);

/* Let the reader learn that, and of up to `ahead` records more: the only thing that reads
 * files here. It changes the reader alone. */
MXIO_MUST_USE enum mxio_status
mxio_share_learn(struct mxio_share *share, uint64_t position, uint64_t ahead,
                 struct mxio_error *err);

/* A record of an epoch. */
struct mxio_entry {
    uint64_t record; /* ordinal */
    struct mxio_place place;
};

/* The record at a position of an epoch. *found is false behind the last, and the count
 * is known then. */
MXIO_MUST_USE enum mxio_status
mxio_share_find(struct mxio_share *share, uint64_t epoch, uint64_t position,
                struct mxio_entry *out, bool *found, struct mxio_error *err);

/* A record of a shuffled share is about to be read, from `here`: let the system fetch
 * one that comes some positions later, when they are large. Any thread may call this
 * once the share is settled; it does nothing before. */
void
mxio_share_look_ahead(struct mxio_share *share, uint64_t epoch, uint64_t position,
                      struct mxio_place here);

/*
 * The rows of the batch at the cursor, which is then behind its last row; room for
 * batch_size of them. *given is how many there are, 0 at the end of the epoch; *pad how
 * many of a whole batch are missing or repeats.
 */
MXIO_MUST_USE enum mxio_status
mxio_share_deal(struct mxio_share *share, struct mxio_cursor *cursor,
                struct mxio_entry *rows, size_t *given, size_t *pad,
                struct mxio_error *err);

/* Records of the part; hops to its end. */
MXIO_MUST_USE enum mxio_status
mxio_share_count(struct mxio_share *share, uint64_t *out, struct mxio_error *err);

#endif
