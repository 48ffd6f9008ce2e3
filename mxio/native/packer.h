/*
 * Pictures packed by several threads, records given out in the order of the jobs.
 *
 * Owner:   a packer owns its threads and what waits in it; a record given out belongs to the
 *          receiver. Jobs are copied.
 * Threads: one caller at a time adds jobs and takes records; close may come from any thread.
 *          One mutex. Threads begin with the first job. After fork the child may only free.
 * Errors:  those of repack.h come out of next, in the order of the jobs, and use up their
 *          job. MXIO_ESTATE when closed, or in another process.
 */
#ifndef MXIO_PACKER_H
#define MXIO_PACKER_H

#include "base.h"
#include "pool.h"
#include "repack.h"

struct mxio_packer;

/* `threads` and `depth` are 1 or more; at most `depth` jobs are inside at once. */
MXIO_MUST_USE enum mxio_status
mxio_packer_new(struct mxio_packer **out, const struct mxio_recipe *recipe,
                size_t threads, size_t depth, struct mxio_error *err);

/* Close, and give everything back. In a forked child it joins and frees nothing.
 * Accepts NULL. */
void
mxio_packer_free(struct mxio_packer *packer);

/* Stop and join the threads; idempotent. */
void
mxio_packer_close(struct mxio_packer *packer);

/* MXIO_ESTATE when `depth` jobs are inside. */
MXIO_MUST_USE enum mxio_status
mxio_packer_add(struct mxio_packer *packer, const struct mxio_pack_job *job,
                struct mxio_error *err);

/*
 * The record of the oldest job inside; MXIO_ESTATE when there is none. *ready is false
 * when it was not made within about `milliseconds`.
 */
MXIO_MUST_USE enum mxio_status
mxio_packer_next(struct mxio_packer *packer, int milliseconds, bool *ready,
                 struct mxio_block **out, struct mxio_error *err);

#endif
