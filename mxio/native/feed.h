/*
 * Batches of a source, made ahead of the consumer, by one thread.
 *
 * Owner:   a feed owns its source and the batches in waiting; a delivered block belongs to
 *          the receiver.
 * Threads: one consumer at a time calls start and next; close may come from any thread.
 *          One mutex. The thread begins with the first next. After fork the child may
 *          only free.
 * Errors:  those of the source come out of next, in the order of the batches. MXIO_ESTATE
 *          when closed, or in another process.
 */
#ifndef MXIO_FEED_H
#define MXIO_FEED_H

#include "base.h"
#include "source.h"

struct mxio_feed;

/* Takes the source over, also when it fails. `depth` batches wait at most, 1 or more. */
MXIO_MUST_USE enum mxio_status
mxio_feed_new(struct mxio_feed **out, struct mxio_source source, size_t depth,
              struct mxio_error *err);

/* Close, and give everything back. In a forked child it joins and frees nothing.
 * Accepts NULL. */
void
mxio_feed_free(struct mxio_feed *feed);

/* Stop and join the thread; idempotent. */
void
mxio_feed_close(struct mxio_feed *feed);

/* Begin an epoch, behind `carry` rows. Batches in waiting are dropped. */
MXIO_MUST_USE enum mxio_status
mxio_feed_start(struct mxio_feed *feed, uint64_t carry, struct mxio_error *err);

/*
 * The next batch, its block NULL at the end of the epoch; *ready is false when there
 * was none after about `milliseconds`. The end, and a failure that only a new start can
 * mend, come again at each call; any other failure uses up its batch.
 */
MXIO_MUST_USE enum mxio_status
mxio_feed_next(struct mxio_feed *feed, int milliseconds, bool *ready,
               struct mxio_row_batch *out, struct mxio_error *err);

#endif
