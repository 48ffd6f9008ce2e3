/*
 * The chunked order of shuffle_chunk_size: neighbours stay together, for disks that seek
 * slowly. The records of a part are cut into chunks of about equal bytes; every epoch
 * visits the chunks in a new order, and with shuffle=True the records inside of one, too.
 *
 * Owner:   a chunks struct owns its tables.
 * Threads: one at a time: it remembers the order of the epoch asked for last.
 * Errors:  MXIO_ENOMEM.
 */
#ifndef MXIO_CHUNKS_H
#define MXIO_CHUNKS_H

#include "base.h"
#include "params.h"
#include "rng.h"

struct mxio_chunks {
    uint64_t count;  /* 0: no chunks */
    uint64_t *start; /* positions in the part, one more for the end */
    int64_t seed;
    bool shuffle;      /* inside of a chunk, too */
    uint64_t epoch;    /* of the two tables below */
    uint64_t *visited; /* which chunk comes when */
    uint64_t *first;   /* position of its first record then, one more for the end */
};

/* `offsets` of the part's `count` records; MXNet's number of chunks. */
MXIO_MUST_USE enum mxio_status
mxio_chunks_make(struct mxio_chunks *out, const struct mxio_params *params,
                 const uint64_t *offsets, uint64_t count, uint64_t bytes,
                 struct mxio_error *err);

void
mxio_chunks_free(struct mxio_chunks *chunks);

/* The place in the part of the record at a position of an epoch. */
uint64_t
mxio_chunks_at(struct mxio_chunks *chunks, uint64_t epoch, uint64_t position);

#endif
