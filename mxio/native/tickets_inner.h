/*
 * What the parts of the tickets share: that of the workers (tickets.c), that of the
 * consumer (tickets_consumer.c), and the finding of records (tickets_records.c).
 *
 * Owner, threads, errors: as tickets.h; the caller holds the lock.
 */
#ifndef MXIO_TICKETS_INNER_H
#define MXIO_TICKETS_INNER_H

#include "tickets.h"

#define NO_REDO UINT64_MAX

/* Write the bad record down; a failure when there are too many. */
MXIO_MUST_USE enum mxio_status
mxio_tickets_note_bad_locked(struct mxio_tickets *tickets, struct mxio_error *err);

/* The record at a position of an epoch; learns the count when the position is behind the
 * last. As long as heads are unknown it lets go of the lock while they are looked for. */
MXIO_MUST_USE enum mxio_status
mxio_tickets_find_locked(struct mxio_tickets *tickets, uint64_t epoch,
                         uint64_t position, struct mxio_row *out, bool *found,
                         struct mxio_error *err);

/* Rows of the next ticket: about 200 microseconds of work, and enough tickets for all
 * workers that are busy. */
size_t
mxio_tickets_run_length_locked(const struct mxio_tickets *tickets);

/* No ticket is out: forget the batches from `redo` on, and make them again without the
 * bad records. */
void
mxio_tickets_redo_locked(struct mxio_tickets *tickets,
                         const struct mxio_cursor *before);

#endif
