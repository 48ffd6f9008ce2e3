/*
 * Blocks of memory of one size, used again: a fresh batch costs more in page faults
 * than its resize.
 *
 * Owner:   get gives the caller a block, to release once; it may outlive the pool's
 *          close. Memory that is lent stays its lender's, who keeps it until the pool is
 *          closed and all of its blocks are released.
 * Threads: all functions, from any thread; the pool has its own lock, never held with
 *          another. In a forked child a release does nothing: the lock may be held by a
 *          thread that is not there.
 * Errors:  MXIO_ENOMEM; MXIO_ESTATE when all that was lent is in use.
 */
#ifndef MXIO_POOL_H
#define MXIO_POOL_H

#include "base.h"

struct mxio_pool;

struct mxio_block {
    uint8_t *bytes;
    size_t size;
    struct mxio_pool *pool;
    struct mxio_block *next; /* in the pool's list */
    bool lent;               /* the bytes are not the pool's to free */
};

/* At most `keep` idle blocks are held back for reuse. */
MXIO_MUST_USE enum mxio_status
mxio_pool_new(struct mxio_pool **out, size_t block_size, size_t keep,
              struct mxio_error *err);

/* No more gets. The pool goes when its last block does. Accepts NULL. */
void
mxio_pool_close(struct mxio_pool *pool);

/* Take memory of block_size bytes in as an idle block, which is always held for reuse.
 * From then on the pool makes no block of its own. */
MXIO_MUST_USE enum mxio_status
mxio_pool_lend(struct mxio_pool *pool, uint8_t *bytes, struct mxio_error *err);

MXIO_MUST_USE enum mxio_status
mxio_pool_get(struct mxio_pool *pool, struct mxio_block **out, struct mxio_error *err);

/* Accepts NULL. */
void
mxio_block_release(struct mxio_block *block);

/* Blocks in use and blocks idle. */
void
mxio_pool_count(struct mxio_pool *pool, size_t *used, size_t *idle);

/* The size of one of several arrays in a block, so that the next begins at a cache line.
 */
size_t
mxio_section(size_t size);

/* A block of its own, outside any pool. */
MXIO_MUST_USE enum mxio_status
mxio_block_new(struct mxio_block **out, size_t size, struct mxio_error *err);

/* A block around memory of mxio_alloc_pages, which is freed also on failure. */
MXIO_MUST_USE enum mxio_status
mxio_block_adopt(struct mxio_block **out, uint8_t *bytes, size_t size,
                 struct mxio_error *err);

#endif
