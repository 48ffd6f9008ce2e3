/*
 * The bad records that a loader met: each once, by ordinal. Of those that are bad by the
 * plan of an epoch (mxio_error), the last two such epochs are known; no more are under way.
 *
 * Owner:   the list owns its memory; zeroed it is empty.
 * Threads: needs the caller's lock.
 * Errors:  MXIO_ENOMEM; the record's own failure when there are more than allowed.
 */
#ifndef MXIO_BADLIST_H
#define MXIO_BADLIST_H

#include "base.h"

struct mxio_bad {
    struct mxio_error err; /* the first one; by_plan as long as all were */
    uint64_t epochs[2];    /* with by_plan; the last one first */
};

struct mxio_badlist {
    struct mxio_bad *items; /* by record */
    size_t count, room;
};

void
mxio_badlist_free(struct mxio_badlist *list);

/* True when the record is bad in that epoch. */
bool
mxio_badlist_has(const struct mxio_badlist *list, uint64_t record, uint64_t epoch);

/* True when so many are. */
bool
mxio_badlist_has_all(const struct mxio_badlist *list, uint64_t count, uint64_t epoch);

/* Write *err down; a failure, in *err, when there would be more than `most` records. */
MXIO_MUST_USE enum mxio_status
mxio_badlist_note(struct mxio_badlist *list, size_t most, struct mxio_error *err);

/* A failure that comes of the bad records: `problem`, then place and reason of the last
 * of them by ordinal, if there is one. */
enum mxio_status
mxio_badlist_fail(const struct mxio_badlist *list, const char *problem,
                  struct mxio_error *err);

/* A copy of the items, to free with mxio_free. */
MXIO_MUST_USE enum mxio_status
mxio_badlist_copy(const struct mxio_badlist *list, struct mxio_error **out,
                  struct mxio_error *err);

#endif
