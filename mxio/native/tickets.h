/*
 * Who makes which sample: tickets out, tickets back, batches in order.
 *
 * Batch k lies in slot k % depth, which goes FREE -> FILLING -> READY -> FREE. A worker
 * takes a ticket (slot, row, record), makes the sample, and returns the ticket; the
 * consumer takes batch after batch. What a batch holds depends on the order alone,
 * never on timing:
 *   - a failure, that of the lowest row, lies in its slot until the batch is taken;
 *   - on_error="skip": a bad record is written down, and once no ticket is out, its
 *     batch and those behind it are dealt again without it;
 *   - on_error="replace": the worker makes the next candidate instead.
 * One thing does depend on timing: which batch fails when there are more bad records
 * than max_errors, as workers meet them in any order.
 *
 * Owner:   the tickets own slots and rows; blocks in slots belong to whoever put them
 *          there. Params and reader are borrowed.
 * Threads: take, locate, fail, give_back, next_candidate, leave for workers; the rest for one consumer;
 *          stop, errors for anyone. One mutex, held for a few microseconds and never
 *          while a file is read; it also guards the reader's table.
 * Errors:  what the order or the reader says, inside the batch.
 */
#ifndef MXIO_TICKETS_H
#define MXIO_TICKETS_H

#include <pthread.h>

#include "badlist.h"
#include "base.h"
#include "file_lookout.h"
#include "order.h"
#include "params.h"
#include "pool.h"
#include "reader.h"
#include "sample.h"
#include "share.h"

/* A row of a batch: its record, and where that stands in the order of its epoch. */
struct mxio_row {
    struct mxio_ask ask;
    uint64_t position;
    bool located; /* ask.record and ask.place are known */
    bool foreign; /* the consumer must decode it */
};

/* Rows of one batch that a worker makes in one go: many when they are small, so that
 * the lock is taken seldom. */
#define MXIO_RUN 32

enum mxio_slot_state { MXIO_SLOT_FREE, MXIO_SLOT_FILLING, MXIO_SLOT_READY };

/* A batch being made. */
struct mxio_slot {
    enum mxio_slot_state state;
    uint64_t number;           /* of the batch, since start */
    struct mxio_cursor before; /* the cursor at its first row */
    struct mxio_block *block;
    struct mxio_row *rows; /* batch_size */
    size_t given, done;    /* tickets */
    size_t pad;
    uint64_t wrapped;      /* positions of the next epoch used when it was complete */
    uint64_t used;         /* positions of this epoch used by all ranks, likewise */
    bool closed;           /* no more tickets */
    struct mxio_error err; /* the failure of the lowest row */
    size_t err_row;
};

/* A record that is asked for by its place in the order of the files, and the epoch of
 * its augmentation. */
struct mxio_wish {
    uint64_t at, epoch;
};

struct mxio_tickets {
    const struct mxio_params *params;
    struct mxio_reader *reader;
    size_t depth;
    struct mxio_slot taken;      /* the batch taken last, the consumer's */
    struct mxio_lookout lookout; /* of who learns, unless another has it in view */

    pthread_mutex_t lock;     /* guards every field below, and what the reader learns */
    pthread_cond_t can_learn; /* a learning or a dealing is over, or stopping */
    pthread_cond_t can_take;  /* a slot became FREE, a redo is over, or stopping */
    pthread_cond_t can_give;  /* the next batch is READY or the epoch ended, a redo is
                                over, no ticket is out while holding, or stopping */
    struct mxio_slot *slots;
    struct mxio_cursor cursor;
    struct mxio_share share;
    struct mxio_wish *wishes; /* dealt in place of an epoch; NULL: there are none */
    size_t wish_count;
    uint64_t next_fill, next_give;
    uint64_t redo; /* lowest batch to deal again once no ticket is out */
    size_t out;    /* tickets, one that is being dealt among them */
    bool dealing;  /* a worker fills a ticket, perhaps without the lock: */
    bool learning; /* it belongs, with what the reader learns, to a thread without it */
    bool ended;    /* there is no batch next_fill */
    bool holding;  /* the consumer waits for all tickets: no new ones, no redo */
    bool stopping;
    size_t workers; /* that have not left; whoever starts them counts them */
    size_t waiting; /* of them, for a slot */
    uint64_t pace;  /* nanoseconds that a row has taken lately, 0 at first */
    struct mxio_spent spent;
    uint64_t idle;           /* nanoseconds that workers waited for a free slot */
    uint64_t waited;         /* nanoseconds that the consumer waited for a batch */
    uint64_t runs;           /* tickets taken */
    struct mxio_badlist bad; /* records left out or replaced */
};

struct mxio_ticket {
    struct mxio_slot *slot;         /* NULL: nobody holds it */
    size_t first, count;            /* rows of the slot */
    struct mxio_row rows[MXIO_RUN]; /* as they were dealt */
    struct mxio_spent spent;        /* on the samples */
};

/* Nothing is dealt before start. */
MXIO_MUST_USE enum mxio_status
mxio_tickets_init(struct mxio_tickets *out, const struct mxio_params *params,
                  struct mxio_reader *reader, const struct mxio_order *order,
                  struct mxio_error *err);

/* No worker and no consumer may be left. */
void
mxio_tickets_destroy(struct mxio_tickets *tickets);

/*
 * Waits are bounded by about `milliseconds`, since a worker may be stuck in a read that
 * never ends, with a ticket out.
 */

/* Deal an epoch from a cursor on, once all tickets are back; false when they do not
 * come back, and nothing has changed. */
MXIO_MUST_USE bool
mxio_tickets_start(struct mxio_tickets *tickets, const struct mxio_cursor *from,
                   int milliseconds);

/* Deal these records, in this order, instead of an epoch, likewise. The order must be
 * plain: all records as they come, one reader, a short last batch. The array, of
 * mxio_alloc, is the tickets' from then on; it stays the caller's when false. */
MXIO_MUST_USE bool
mxio_tickets_wish(struct mxio_tickets *tickets, struct mxio_wish *wishes, size_t count,
                  int milliseconds);

/* Wake everybody; takes say no from now on. True once all workers have left. */
MXIO_MUST_USE bool
mxio_tickets_stop(struct mxio_tickets *tickets, int milliseconds);

/* Wait for a ticket; false when the worker shall leave. */
bool
mxio_tickets_take(struct mxio_tickets *tickets, struct mxio_ticket *out);

/* A worker's last call: it touches nothing of the loader after that. */
void
mxio_tickets_leave(struct mxio_tickets *tickets);

/* Find the row's record, unless it is located. */
MXIO_MUST_USE enum mxio_status
mxio_tickets_locate(struct mxio_tickets *tickets, struct mxio_row *row,
                    struct mxio_error *err);

/* Row `row` of the ticket failed, as *err says. */
void
mxio_tickets_fail(struct mxio_tickets *tickets, const struct mxio_ticket *ticket,
                  size_t row, struct mxio_error *err);

/* The samples are made, or were reported. `made` has a row for each of the ticket's, as
 * it is now. The ticket's slot is NULL then. */
void
mxio_tickets_give_back(struct mxio_tickets *tickets, struct mxio_ticket *ticket,
                       const struct mxio_row *made);

/* True for a failure that on_error="replace" answers with another record. */
bool
mxio_tickets_replaces(const struct mxio_tickets *tickets, enum mxio_status status);

/* Write the bad record down and put the next in the order into *row that is not known
 * to be bad. */
MXIO_MUST_USE enum mxio_status
mxio_tickets_next_candidate(struct mxio_tickets *tickets, struct mxio_row *row,
                            struct mxio_error *err);

enum mxio_wait { MXIO_GIVEN, MXIO_OVER, MXIO_NOT_YET, MXIO_STOPPED };

/* Wait about `milliseconds` for the next batch; when given it is in `taken`, and its
 * slot has `empty`. */
enum mxio_wait
mxio_tickets_next(struct mxio_tickets *tickets, int milliseconds,
                  struct mxio_block *empty);

/* on_error="skip", for the batch taken last: leave the record out and deal from that
 * batch on again. MXIO_OVER: *err says why not. */
MXIO_MUST_USE enum mxio_wait
mxio_tickets_redo(struct mxio_tickets *tickets, int milliseconds,
                  struct mxio_error *err);

/* Records of the extent; hops to its end. */
MXIO_MUST_USE enum mxio_status
mxio_tickets_count(struct mxio_tickets *tickets, uint64_t *out, struct mxio_error *err);

/* Copies of the offsets of all heads; free with mxio_block_release. */
MXIO_MUST_USE enum mxio_status
mxio_tickets_offsets(struct mxio_tickets *tickets, struct mxio_block **out,
                     struct mxio_error *err);

/* Copies of the bad records, by ordinal; free with mxio_free. */
MXIO_MUST_USE enum mxio_status
mxio_tickets_errors(struct mxio_tickets *tickets, struct mxio_error **out,
                    size_t *count, struct mxio_error *err);

#endif
