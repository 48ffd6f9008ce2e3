#include "pool.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults.h"

/* True when the pool counts so many blocks. */
static bool
counts(struct mxio_pool *pool, size_t used, size_t idle)
{
    size_t got_used, got_idle;

    mxio_pool_count(pool, &got_used, &got_idle);
    return got_used == used && got_idle == idle;
}

TEST(a_block_has_the_size_of_the_pool)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_pool *pool;
    struct mxio_block *block;
    CHECK_OK(mxio_pool_new(&pool, 1000, 1, &err), err);

    CHECK_OK(mxio_pool_get(pool, &block, &err), err);

    CHECK(block->size >= 1000);
    memset(block->bytes, 1, 1000);
    mxio_block_release(block);
    mxio_pool_close(pool);
}

TEST(sections_of_a_block_begin_at_cache_lines)
{
    CHECK_INT(mxio_section(0), 0);
    CHECK_INT(mxio_section(1), 64);
    CHECK_INT(mxio_section(64), 64);
    CHECK_INT(mxio_section(65), 128);
}

TEST(a_released_block_is_given_again)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_pool *pool;
    struct mxio_block *block, *other;
    CHECK_OK(mxio_pool_new(&pool, 64, 2, &err), err);
    CHECK_OK(mxio_pool_get(pool, &block, &err), err);
    const uint8_t *bytes = block->bytes;

    mxio_block_release(block);
    CHECK_OK(mxio_pool_get(pool, &other, &err), err);

    CHECK(other->bytes == bytes);
    mxio_block_release(other);
    mxio_pool_close(pool);
}

TEST(blocks_in_use_are_all_different)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_pool *pool;
    struct mxio_block *blocks[5];
    CHECK_OK(mxio_pool_new(&pool, 64, 2, &err), err);

    for (int i = 0; i < 5; i++) {
        CHECK_OK(mxio_pool_get(pool, &blocks[i], &err), err);
        memset(blocks[i]->bytes, i, 64);
    }

    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 64; k++)
            CHECK_INT(blocks[i]->bytes[k], i);
    for (int i = 0; i < 5; i++)
        mxio_block_release(blocks[i]);
    mxio_pool_close(pool);
}

TEST(no_more_idle_blocks_are_held_than_asked_for)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_pool *pool;
    struct mxio_block *blocks[5];
    CHECK_OK(mxio_pool_new(&pool, 64, 2, &err), err);
    CHECK(counts(pool, 0, 0));

    for (int i = 0; i < 5; i++)
        CHECK_OK(mxio_pool_get(pool, &blocks[i], &err), err);
    CHECK(counts(pool, 5, 0));
    for (int i = 0; i < 5; i++)
        mxio_block_release(blocks[i]);

    CHECK(counts(pool, 0, 2));
    CHECK_OK(mxio_pool_get(pool, &blocks[0], &err), err);
    CHECK(counts(pool, 1, 1));
    mxio_block_release(blocks[0]);
    mxio_pool_close(pool);
}

TEST(a_pool_that_keeps_nothing_keeps_nothing)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_pool *pool;
    struct mxio_block *block;
    CHECK_OK(mxio_pool_new(&pool, 64, 0, &err), err);

    CHECK_OK(mxio_pool_get(pool, &block, &err), err);
    mxio_block_release(block);

    CHECK(counts(pool, 0, 0));
    mxio_pool_close(pool);
}

TEST(blocks_outlive_the_close_of_their_pool)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_pool *pool;
    struct mxio_block *blocks[3];
    CHECK_OK(mxio_pool_new(&pool, 64, 2, &err), err);
    for (int i = 0; i < 3; i++)
        CHECK_OK(mxio_pool_get(pool, &blocks[i], &err), err);
    mxio_block_release(blocks[0]);

    mxio_pool_close(pool);

    memset(blocks[1]->bytes, 1, 64);
    memset(blocks[2]->bytes, 1, 64);
    mxio_block_release(blocks[1]);
    mxio_block_release(blocks[2]);
}

TEST(lent_memory_is_used_and_left_to_its_lender)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_pool *pool;
    struct mxio_block *blocks[2], *third;
    uint8_t memory[2][64];
    CHECK_OK(mxio_pool_new(&pool, 64, 0, &err), err);
    for (int i = 0; i < 2; i++)
        CHECK_OK(mxio_pool_lend(pool, memory[i], &err), err);
    CHECK(counts(pool, 0, 2));

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 2; i++)
            CHECK_OK(mxio_pool_get(pool, &blocks[i], &err), err);
        CHECK(blocks[0]->bytes != blocks[1]->bytes);
        CHECK(blocks[0]->bytes == memory[0] || blocks[0]->bytes == memory[1]);
        CHECK(blocks[1]->bytes == memory[0] || blocks[1]->bytes == memory[1]);
        CHECK_INT(mxio_pool_get(pool, &third, &err), MXIO_ESTATE);
        CHECK_SAYS(err.message, "all blocks of 64 bytes that were lent are in use");
        CHECK(counts(pool, 2, 0));
        for (int i = 0; i < 2; i++)
            mxio_block_release(blocks[i]);
        CHECK(counts(pool, 0, 2)); /* though it keeps none of its own */
    }

    CHECK_OK(mxio_pool_get(pool, &blocks[0], &err), err);
    mxio_pool_close(pool);
    memset(blocks[0]->bytes, 1, 64);
    mxio_block_release(blocks[0]);
    memset(memory, 2, sizeof memory);
}

TEST(a_block_may_be_on_its_own)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_block *block;

    CHECK_OK(mxio_block_new(&block, 10, &err), err);

    CHECK(block->size >= 10);
    memset(block->bytes, 1, 10);
    mxio_block_release(block);
}

TEST(nothing_is_released_and_closed_in_peace)
{
    mxio_block_release(NULL);
    mxio_pool_close(NULL);
}

static enum mxio_status
use_pool(void *context, struct mxio_error *err)
{
    struct mxio_pool *pool;
    struct mxio_block *blocks[2] = {NULL, NULL};
    (void)context;

    enum mxio_status status = mxio_pool_new(&pool, 64, 1, err);
    if (status != MXIO_OK)
        return status;
    for (int i = 0; i < 2 && status == MXIO_OK; i++)
        status = mxio_pool_get(pool, &blocks[i], err);
    const size_t out = status == MXIO_OK ? 2 : blocks[0] != NULL;
    const bool counted = counts(pool, out, 0);
    mxio_block_release(blocks[0]);
    mxio_block_release(blocks[1]);
    mxio_pool_close(pool);
    return counted ? status : MXIO_ESTATE;
}

static enum mxio_status
make_block(void *context, struct mxio_error *err)
{
    struct mxio_block *block = NULL;
    const enum mxio_status status = mxio_block_new(&block, 64, err);

    (void)context;
    if ((block != NULL) != (status == MXIO_OK))
        return MXIO_ESTATE;
    mxio_block_release(block);
    return status;
}

static enum mxio_status
lend_memory(void *context, struct mxio_error *err)
{
    struct mxio_pool *pool;
    uint8_t memory[64];
    (void)context;

    enum mxio_status status = mxio_pool_new(&pool, 64, 1, err);
    if (status != MXIO_OK)
        return status;
    status = mxio_pool_lend(pool, memory, err);
    const bool counted = counts(pool, 0, status == MXIO_OK);
    mxio_pool_close(pool);
    return counted ? status : MXIO_ESTATE;
}

TEST(every_failing_allocation_is_survived_and_not_counted)
{
    CHECK_INT(faults_met(lend_memory, NULL), 2);
    CHECK_INT(faults_met(use_pool, NULL), 5);
    CHECK_INT(faults_met(make_block, NULL), 2);
}

#define ROUNDS 2000

/* Take, mark, look again, release. */
static void *
take_and_release(void *arg)
{
    struct mxio_pool *pool = arg;
    void *damage = NULL;

    for (int i = 0; i < ROUNDS; i++) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_block *block;
        if (mxio_pool_get(pool, &block, &err) != MXIO_OK)
            return pool;
        memset(block->bytes, i & 0xFF, 64);
        for (int k = 0; k < 64; k++)
            if (block->bytes[k] != (i & 0xFF))
                damage = pool;
        mxio_block_release(block);
    }
    return damage;
}

TEST(threads_never_share_a_block)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_pool *pool;
    pthread_t threads[4];
    CHECK_OK(mxio_pool_new(&pool, 64, 3, &err), err);

    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, take_and_release, pool);
    void *damage = NULL;
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        damage = result != NULL ? result : damage;
    }

    CHECK(damage == NULL);
    size_t used, idle;
    mxio_pool_count(pool, &used, &idle);
    CHECK_INT(used, 0);
    CHECK(idle <= 3);
    mxio_pool_close(pool);
}

static void *
release_later(void *arg)
{
    usleep(1000);
    mxio_block_release(arg);
    return NULL;
}

TEST(the_pool_may_be_closed_while_others_release)
{
    for (int round = 0; round < 20; round++) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_pool *pool;
        struct mxio_block *blocks[3];
        pthread_t threads[3];
        CHECK_OK(mxio_pool_new(&pool, 64, 2, &err), err);
        for (int i = 0; i < 3; i++)
            CHECK_OK(mxio_pool_get(pool, &blocks[i], &err), err);

        for (int i = 0; i < 3; i++)
            pthread_create(&threads[i], NULL, release_later, blocks[i]);
        mxio_pool_close(pool);

        for (int i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
    }
}

TEST(a_forked_child_releases_nothing)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_pool *pool;
    struct mxio_block *block;
    int result = 1;
    CHECK_OK(mxio_pool_new(&pool, 64, 1, &err), err);
    CHECK_OK(mxio_pool_get(pool, &block, &err), err);

    const pid_t child = fork();
    if (child == 0) {
        mxio_block_release(block);
        memset(block->bytes, 1, 64);
        _exit(counts(pool, 1, 0) ? 0 : 1);
    }
    waitpid(child, &result, 0);

    CHECK_INT(result, 0);
    mxio_block_release(block);
    CHECK(counts(pool, 0, 1));
    mxio_pool_close(pool);
}

int
main(void)
{
    RUN(a_block_has_the_size_of_the_pool);
    RUN(sections_of_a_block_begin_at_cache_lines);
    RUN(a_released_block_is_given_again);
    RUN(blocks_in_use_are_all_different);
    RUN(no_more_idle_blocks_are_held_than_asked_for);
    RUN(a_pool_that_keeps_nothing_keeps_nothing);
    RUN(blocks_outlive_the_close_of_their_pool);
    RUN(lent_memory_is_used_and_left_to_its_lender);
    RUN(a_block_may_be_on_its_own);
    RUN(nothing_is_released_and_closed_in_peace);
    RUN(every_failing_allocation_is_survived_and_not_counted);
    RUN(threads_never_share_a_block);
    RUN(the_pool_may_be_closed_while_others_release);
    RUN(a_forked_child_releases_nothing);
    return check_result();
}
