/*
 * The engine: worker threads that make samples, batches handed out in order.
 *
 * tickets.h says who makes what; here are the threads that do, and the memory it goes
 * into. What comes out depends on (parameters, epoch) alone, never on timing.
 *
 * Owner:   a loader owns its files, threads and slots; a delivered block belongs to the
 *          receiver.
 * Threads: one consumer at a time calls start, next, finish, reject; close and errors
 *          may come from any thread. One mutex. After fork the child may only free.
 * Errors:  a sample's failure travels inside its batch and comes out of next.
 */
#ifndef MXIO_LOADER_H
#define MXIO_LOADER_H

#include "base.h"
#include "params.h"
#include "pool.h"
#include "reader.h"
#include "sample.h"
#include "tickets.h"

struct mxio_loader;

struct mxio_loader_inputs {
    struct mxio_params
        *params; /* checked; the loader takes it over, also when new fails */
    const char *const *paths;
    size_t path_count;
    const char *index_text; /* of path_imgidx, NULL when there is none */
    size_t index_size;
    const uint64_t *offsets; /* of all heads, in place of hopping or index_text; NULL
                                when not known; they outlive the loader */
    size_t offset_count;
    const char *list_text; /* of path_imglist, NULL when there is none */
    size_t list_size;
    const float *mean;               /* mean image, NULL when there is none */
    struct mxio_selection selection; /* its ordinals outlive the loader */
    size_t thread_count;
    bool running; /* the order of mx.io: round_batch decides the end */
};

/* Which input a failure of new is about; -1: a data file (error.file) or a parameter.
 */
enum mxio_input { MXIO_INPUT_DATA, MXIO_INPUT_INDEX, MXIO_INPUT_LIST };

MXIO_MUST_USE enum mxio_status
mxio_loader_new(struct mxio_loader **out, const struct mxio_loader_inputs *inputs,
                enum mxio_input *about, struct mxio_error *err);

/* Close, and give everything back. In a forked child, and behind a thread that was left
 * alone, it frees nothing. False: there is such a thread, and what the loader borrowed
 * must stay. Accepts NULL. */
bool
mxio_loader_free(struct mxio_loader *loader);

/* Stop and join the threads; idempotent. A thread that does not come back within
 * params.timeout is left alone, and with it all that it may use. */
void
mxio_loader_close(struct mxio_loader *loader);

/* Begin an epoch behind `base` positions: batches batch, batch + step, ... are made. */
MXIO_MUST_USE enum mxio_status
mxio_loader_start(struct mxio_loader *loader, uint64_t epoch, uint64_t base,
                  uint64_t batch, uint64_t step, struct mxio_error *err);

/*
 * Let the next calls of next give these records, in this order, instead of an epoch:
 * `at` are places in the order of the files (or of the chosen records), `epochs` those
 * of the augmentation. For a loader in plain order: not shuffled, one rank, short last
 * batches, nothing skipped.
 */
MXIO_MUST_USE enum mxio_status
mxio_loader_fetch(struct mxio_loader *loader, const uint64_t *at,
                  const uint64_t *epochs, size_t count, struct mxio_error *err);

/* Bytes of a block that the next call of next lacks; 0: it lacks none. */
size_t
mxio_loader_lacks(struct mxio_loader *loader);

/* Let batches lie in this memory, which stays the caller's and must outlive loader and
 * blocks. Where memory is lent, all is: lend as long as the loader lacks some.
 * MXIO_EPARAM when it is too small, or not aligned for any number. */
MXIO_MUST_USE enum mxio_status
mxio_loader_lend(struct mxio_loader *loader, uint8_t *bytes, size_t size,
                 struct mxio_error *err);

/* A batch as it leaves the loader. */
struct mxio_delivery {
    struct mxio_block *block; /* the receiver's; data first */
    size_t label_offset, id_offset;
    size_t rows; /* with a record */
    size_t pad;  /* rows beyond the epoch, or without a record */
    size_t
        foreign_count; /* rows that the caller must decode before the batch is whole */
};

/*
 * The next batch; MXIO_NOT_YET after about `milliseconds`, MXIO_OVER at the end of the
 * epoch. A failure uses up its batch: the next call gives the one behind it.
 */
MXIO_MUST_USE enum mxio_status
mxio_loader_next(struct mxio_loader *loader, int milliseconds, enum mxio_wait *wait,
                 struct mxio_delivery *out, struct mxio_error *err);

/* There was no batch for params.timeout: *err says what a worker is stuck at. */
MXIO_MUST_USE enum mxio_status
mxio_loader_stuck(struct mxio_loader *loader, struct mxio_error *err);

/*
 * A batch with foreign rows is whole only after each of them, in turn, was finished
 * from pixels that the caller decoded, or rejected. These speak of the first row that
 * is left.
 */

bool
mxio_loader_has_foreign(struct mxio_loader *loader);

/* Its encoded picture, borrowed until the next call. */
MXIO_MUST_USE enum mxio_status
mxio_loader_foreign(struct mxio_loader *loader, const uint8_t **bytes, size_t *size,
                    struct mxio_error *err);

MXIO_MUST_USE enum mxio_status
mxio_loader_finish(struct mxio_loader *loader, const struct mxio_delivery *delivery,
                   const struct mxio_view *pixels, struct mxio_error *err);

/*
 * It could not be decoded, as *err says: on_error decides. Another record takes the row
 * (it may be foreign again); or *redo: release the block and ask for the batch again;
 * or *err is returned.
 */
MXIO_MUST_USE enum mxio_status
mxio_loader_reject(struct mxio_loader *loader, const struct mxio_delivery *delivery,
                   bool *redo, struct mxio_error *err);

/* Values in the label of a sample. */
size_t
mxio_loader_label_width(const struct mxio_loader *loader);

/* Positions that are done once all ranks have their share of the batches delivered so
 * far: `used` of this epoch, `carry` of the next. */
void
mxio_loader_progress(const struct mxio_loader *loader, uint64_t *used, uint64_t *carry);

/* What all threads have done since the loader was made. */
struct mxio_work {
    struct mxio_spent spent;
    uint64_t idle;   /* nanoseconds that workers waited, as the consumer was slower */
    uint64_t waited; /* nanoseconds that the consumer waited */
    uint64_t runs;   /* tickets taken: each takes the mutex twice */
};

MXIO_MUST_USE enum mxio_status
mxio_loader_work(struct mxio_loader *loader, struct mxio_work *out,
                 struct mxio_error *err);

/* Records of this loader's part; walks to the end of the file when there is no index.
 */
MXIO_MUST_USE enum mxio_status
mxio_loader_count(struct mxio_loader *loader, uint64_t *out, struct mxio_error *err);

/* Batches that deal out `count` positions. */
uint64_t
mxio_loader_batches(struct mxio_loader *loader, uint64_t count, uint64_t batch,
                    uint64_t step);

/* A copy of the offsets of all record heads, before the first batch (else MXIO_ESTATE);
 * free with mxio_block_release. */
MXIO_MUST_USE enum mxio_status
mxio_loader_offsets(struct mxio_loader *loader, struct mxio_block **out,
                    struct mxio_error *err);

/* Copies of the bad records met so far, by record; the caller frees the array with
 * mxio_free. */
MXIO_MUST_USE enum mxio_status
mxio_loader_errors(struct mxio_loader *loader, struct mxio_error **out, size_t *count,
                   struct mxio_error *err);

/* Batches in memory: handed out or in slots, and idle. */
void
mxio_loader_memory(struct mxio_loader *loader, size_t *used, size_t *idle);

#endif
