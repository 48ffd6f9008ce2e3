/*
 * Batches of a source, made ahead of the consumer, by one thread.
 *
 * Owner:   a feed owns its source and the batches in waiting; a delivered block belongs to
 *          the receiver.
 * Threads: one consumer at a time calls open, once, then start and next; close may come
 *          from any thread. One mutex. A thread opens the source, and ends; the one that
 *          makes batches begins with the first next. After fork the child may only free.
 * Errors:  those of the source come out of open, and of next, in the order of the
 *          batches. MXIO_EIO with ETIMEDOUT, and with the file and the byte that are read,
 *          for what takes longer than the timeout. MXIO_ESTATE when closed, or in another
 *          process.
 */
#ifndef MXIO_FEED_H
#define MXIO_FEED_H

#include "base.h"
#include "source.h"

struct mxio_feed;

/* Copies the inputs of the opening. `depth` batches wait at most, 1 or more; `timeout` is
 * in seconds, 0 for none. */
MXIO_MUST_USE enum mxio_status
mxio_feed_new(struct mxio_feed **out, const struct mxio_opening *opening, size_t depth,
              double timeout, struct mxio_error *err);

/* Open the source. */
MXIO_MUST_USE enum mxio_status
mxio_feed_open(struct mxio_feed *feed, struct mxio_error *err);

/* The `self` of the source, once it is open. */
void *
mxio_feed_source(const struct mxio_feed *feed);

/* Close, and give everything back; false when the thread was left alone, and with it all
 * that it may use: what the inputs point to, too. In a forked child it joins and frees
 * nothing. Accepts NULL. */
MXIO_MUST_USE bool
mxio_feed_free(struct mxio_feed *feed);

/* Stop and join the thread; idempotent. One that does not come back within the timeout is
 * left alone. */
void
mxio_feed_close(struct mxio_feed *feed);

/* Begin an epoch, behind `carry` rows. Batches in waiting are dropped. When it fails,
 * next does, too, until another start. */
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

/* There was no batch for the timeout: *err says what the thread is stuck at. */
enum mxio_status
mxio_feed_stuck(struct mxio_feed *feed, struct mxio_error *err);

#endif
