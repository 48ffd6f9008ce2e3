#include "pool.h"

#include <pthread.h>
#include <unistd.h>

#define SECTION ((size_t)64)

struct mxio_pool {
    pid_t process;
    size_t block_size, keep;
    pthread_mutex_t lock; /* guards every field below */
    struct mxio_block *idle;
    size_t idle_count, used_count;
    bool closed;
    bool borrows; /* all new blocks are lent */
};

enum mxio_status
mxio_block_adopt(struct mxio_block **out, uint8_t *bytes, size_t size,
                 struct mxio_error *err)
{
    struct mxio_block *block = mxio_alloc(sizeof *block);

    if (block == NULL) {
        mxio_free(bytes);
        return mxio_fail(err, MXIO_ENOMEM, "no memory for a block of %zu bytes", size);
    }
    *block = (struct mxio_block){.bytes = bytes, .size = size};
    *out = block;
    return MXIO_OK;
}

enum mxio_status
mxio_block_new(struct mxio_block **out, size_t size, struct mxio_error *err)
{
    uint8_t *bytes = mxio_alloc_pages(size);

    if (bytes == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for a block of %zu bytes", size);
    return mxio_block_adopt(out, bytes, size, err);
}

static void
block_free(struct mxio_block *block)
{
    if (!block->lent)
        mxio_free(block->bytes);
    mxio_free(block);
}

enum mxio_status
mxio_pool_new(struct mxio_pool **out, size_t block_size, size_t keep,
              struct mxio_error *err)
{
    struct mxio_pool *pool = mxio_alloc(sizeof *pool);

    if (pool == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for a pool");
    pool->process = getpid();
    pool->block_size = block_size;
    pool->keep = keep;
    pthread_mutex_init(&pool->lock, NULL);
    *out = pool;
    return MXIO_OK;
}

static void
pool_free(struct mxio_pool *pool)
{
    pthread_mutex_destroy(&pool->lock);
    mxio_free(pool);
}

void
mxio_pool_close(struct mxio_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    struct mxio_block *idle = pool->idle;
    const bool last = pool->used_count == 0;
    pool->idle = NULL;
    pool->idle_count = 0;
    pool->closed = true;
    pthread_mutex_unlock(&pool->lock);

    while (idle != NULL) {
        struct mxio_block *next = idle->next;
        block_free(idle);
        idle = next;
    }
    if (last)
        pool_free(pool);
}

enum mxio_status
mxio_pool_lend(struct mxio_pool *pool, uint8_t *bytes, struct mxio_error *err)
{
    struct mxio_block *block = mxio_alloc(sizeof *block);

    if (block == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for a block");
    *block =
        (struct mxio_block){.bytes = bytes, .size = pool->block_size, .lent = true};
    pthread_mutex_lock(&pool->lock);
    block->next = pool->idle;
    pool->idle = block;
    pool->idle_count++;
    pool->borrows = true;
    pthread_mutex_unlock(&pool->lock);
    return MXIO_OK;
}

/* A block beyond those that are idle. */
static enum mxio_status
make_block(const struct mxio_pool *pool, bool borrows, struct mxio_block **out,
           struct mxio_error *err)
{
    if (borrows)
        return mxio_fail(err, MXIO_ESTATE,
                         "all blocks of %zu bytes that were lent are in use",
                         pool->block_size);
    return mxio_block_new(out, pool->block_size, err);
}

enum mxio_status
mxio_pool_get(struct mxio_pool *pool, struct mxio_block **out, struct mxio_error *err)
{
    pthread_mutex_lock(&pool->lock);
    struct mxio_block *block = pool->idle;
    if (block != NULL) {
        pool->idle = block->next;
        pool->idle_count--;
    }
    pool->used_count++;
    const bool borrows = pool->borrows;
    pthread_mutex_unlock(&pool->lock);

    if (block == NULL) {
        const enum mxio_status status = make_block(pool, borrows, &block, err);
        if (block == NULL) {
            pthread_mutex_lock(&pool->lock);
            pool->used_count--;
            pthread_mutex_unlock(&pool->lock);
            return status;
        }
    }
    block->pool = pool;
    block->next = NULL;
    *out = block;
    return MXIO_OK;
}

void
mxio_block_release(struct mxio_block *block)
{
    struct mxio_pool *pool = block == NULL ? NULL : block->pool;

    if (block == NULL)
        return;
    if (pool == NULL) {
        block_free(block);
        return;
    }
    if (pool->process != getpid())
        return;
    pthread_mutex_lock(&pool->lock);
    pool->used_count--;
    const bool kept = !pool->closed && (block->lent || pool->idle_count < pool->keep);
    const bool last = pool->closed && pool->used_count == 0;
    if (kept) {
        block->next = pool->idle;
        pool->idle = block;
        pool->idle_count++;
    }
    pthread_mutex_unlock(&pool->lock);

    if (!kept)
        block_free(block);
    if (last)
        pool_free(pool);
}

void
mxio_pool_count(struct mxio_pool *pool, size_t *used, size_t *idle)
{
    pthread_mutex_lock(&pool->lock);
    *used = pool->used_count;
    *idle = pool->idle_count;
    pthread_mutex_unlock(&pool->lock);
}

size_t
mxio_section(size_t size)
{
    return (size + SECTION - 1) / SECTION * SECTION;
}
