/*
 * The bad records that a loader met: each once, by ordinal.
 *
 * Owner:   the list owns its memory; zeroed it is empty.
 * Threads: needs the caller's lock.
 * Errors:  MXIO_ENOMEM; the record's own failure when there are more than allowed.
 */
#ifndef MXIO_BADLIST_H
#define MXIO_BADLIST_H

#include "base.h"

struct mxio_badlist {
    struct mxio_error *items; /* by record */
    size_t count, room;
};

void
mxio_badlist_free(struct mxio_badlist *list);

bool
mxio_badlist_has(const struct mxio_badlist *list, uint64_t record);

/* Write *err down, unless its record is there; a failure, in *err, when there would be
 * more than `most`. */
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
