/*
 * The order of an epoch: which record comes at which position, and how positions make
 * batches.
 *
 * A pure function of (seed, epoch, count): no table, random access. Positions are dealt
 * in one of two ways:
 *   running  one reader takes all positions in turn (mx.io, and a world of one);
 *   records may be left out,
 *            and the last batch may run on into the next epoch, which then starts
 *            behind what was taken;
 *   dealt    step s of the world is positions [base + s * world * batch, ...), this
 *            rank's batch a slice of it.
 * Either may begin anywhere: `base` positions of the epoch are done.
 *
 * Owner:   values.
 * Threads: pure functions; a cursor belongs to one holder.
 */
#ifndef MXIO_ORDER_H
#define MXIO_ORDER_H

#include "base.h"
#include "params.h"
#include "rng.h"

#define MXIO_UNKNOWN UINT64_MAX /* of a count: the end has not been seen yet */

enum mxio_ending {
    MXIO_END_WRAP,   /* complete with the next epoch's first records (round_batch) */
    MXIO_END_SHORT,  /* a short last batch */
    MXIO_END_DROP,   /* no incomplete batch */
    MXIO_END_REPEAT, /* complete with this epoch's first records */
};

struct mxio_order {
    int64_t seed;
    bool shuffle;
    enum mxio_ending ending;
    uint64_t batch_size;
    uint64_t world, rank; /* world 1: running */
    bool sequential; /* mx.io: read on until the data end, without counting first */
};

/* What the parameters ask for; running: the order of mx.io, in which round_batch decides
 * the end. */
struct mxio_order
mxio_order_of(const struct mxio_params *params, bool running);

struct mxio_cursor {
    uint64_t epoch;
    uint64_t base;  /* positions of the epoch that were done before it began */
    uint64_t batch; /* of this rank, or of the world when dealt */
    uint64_t step;  /* from one batch to the next, when several workers share a rank */
    uint64_t row;   /* next row of the batch */
    uint64_t position; /* next position, running */
    uint64_t wrapped;  /* positions taken of the next epoch, running */
};

enum mxio_turn {
    MXIO_TURN_RECORD, /* a record of the epoch */
    MXIO_TURN_EXTRA,  /* a record beyond it: wrapped or repeated; counts as pad */
    MXIO_TURN_SHORT,  /* the batch ends here, incomplete */
    MXIO_TURN_END,    /* there is no such batch */
    MXIO_TURN_TOO_BIG /* the batch would need more records than an epoch has */
};

/* Batch 0 is the one behind `base` positions; `batch` and `step` deal batches to
 * workers. */
struct mxio_cursor
mxio_cursor_make(const struct mxio_order *order, uint64_t epoch, uint64_t base,
                 uint64_t batch, uint64_t step);

/* What the next row of the batch is, and its (epoch, position). Does not move the
 * cursor. */
enum mxio_turn
mxio_cursor_look(const struct mxio_cursor *cursor, const struct mxio_order *order,
                 uint64_t count, uint64_t *epoch, uint64_t *position);

/* The row was filled. */
void
mxio_cursor_take(struct mxio_cursor *cursor, enum mxio_turn turn);

/* The position is left out; running orders only. */
void
mxio_cursor_skip(struct mxio_cursor *cursor, enum mxio_turn turn);

/* Positions of the epoch that are done, by all ranks, once the batch at the cursor is.
 */
uint64_t
mxio_cursor_done(const struct mxio_cursor *cursor, const struct mxio_order *order,
                 uint64_t count);

/* On to the next batch. */
void
mxio_cursor_next_batch(struct mxio_cursor *cursor);

/* Batches that deal out `count` positions, for the worker whose first batch is `batch`.
 */
uint64_t
mxio_order_batches(const struct mxio_order *order, uint64_t count, uint64_t batch,
                   uint64_t step);

/* The record at a position of an epoch of `count` records. */
uint64_t
mxio_order_at(const struct mxio_order *order, uint64_t epoch, uint64_t count,
              uint64_t position);

#endif
