#include "chunks.h"

#include "check.h"

#define MEGABYTE ((uint64_t)1 << 20)
#define MOST 1000

static struct mxio_params
params_of(int64_t megabytes, bool shuffle)
{
    struct mxio_params params;

    memset(&params, 0, sizeof params);
    params.shuffle_chunk_size = megabytes;
    params.shuffle = shuffle;
    return params;
}

/* Heads of `count` records of `size` bytes each, behind `start` bytes. */
static void
fill_offsets(uint64_t *offsets, uint64_t count, uint64_t size, uint64_t start)
{
    for (uint64_t i = 0; i < count; i++)
        offsets[i] = start + i * size;
}

/* Every place of an epoch once. */
static bool
is_permutation(struct mxio_chunks *chunks, uint64_t epoch, uint64_t count)
{
    bool seen[MOST] = {false};

    for (uint64_t position = 0; position < count; position++) {
        const uint64_t at = mxio_chunks_at(chunks, epoch, position);
        if (at >= count || seen[at])
            return false;
        seen[at] = true;
    }
    return true;
}

/* Runs of places that rise by one. */
static int
run_count(struct mxio_chunks *chunks, uint64_t epoch, uint64_t count)
{
    int runs = 1;

    for (uint64_t position = 1; position < count; position++)
        runs += mxio_chunks_at(chunks, epoch, position) !=
                mxio_chunks_at(chunks, epoch, position - 1) + 1;
    return runs;
}

TEST(no_size_makes_no_chunks)
{
    const struct mxio_params params = params_of(0, true);
    const uint64_t offsets[] = {0, 8};
    struct mxio_chunks chunks;
    struct mxio_error err = MXIO_NO_ERROR;

    CHECK_OK(mxio_chunks_make(&chunks, &params, offsets, 2, 16, &err), err);

    CHECK_INT(chunks.count, 0);
    mxio_chunks_free(&chunks);
}

TEST(there_are_as_many_chunks_as_in_mxnet)
{
    /* ceil(bytes * 1.1 / chunk), but no more than records */
    static const struct {
        uint64_t count, size;
        int64_t megabytes;
        uint64_t expected;
    } cases[] = {
        {1000, MEGABYTE / 10, 10, 11},
        {1000, MEGABYTE / 10, 100, 2},
        {1000, MEGABYTE / 10, 200, 1},
        {3, 5 * MEGABYTE, 1, 3},
        {1, 100, 4096, 1},
    };
    static uint64_t offsets[MOST];
    struct mxio_error err = MXIO_NO_ERROR;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct mxio_params params = params_of(cases[i].megabytes, false);
        struct mxio_chunks chunks;
        fill_offsets(offsets, cases[i].count, cases[i].size, 12);
        CHECK_OK(mxio_chunks_make(&chunks, &params, offsets, cases[i].count,
                                  cases[i].count * cases[i].size, &err),
                 err);
        CHECK_INT(chunks.count, cases[i].expected);
        mxio_chunks_free(&chunks);
    }
}

TEST(every_record_comes_once_in_every_epoch)
{
    static uint64_t offsets[MOST];
    struct mxio_error err = MXIO_NO_ERROR;

    for (int shuffle = 0; shuffle < 2; shuffle++) {
        const struct mxio_params params = params_of(4, shuffle);
        struct mxio_chunks chunks;
        fill_offsets(offsets, MOST, 40000, 0);
        CHECK_OK(mxio_chunks_make(&chunks, &params, offsets, MOST, MOST * 40000, &err),
                 err);
        for (uint64_t epoch = 0; epoch < 5; epoch++) {
            CHECK(is_permutation(&chunks, epoch, MOST));
            /* Two chunks that follow each other by chance make one run. */
            const int runs = run_count(&chunks, epoch, MOST);
            CHECK(shuffle ? runs > 900 : runs <= (int)chunks.count && runs > 3);
        }
        mxio_chunks_free(&chunks);
    }
}

TEST(chunks_without_a_record_are_passed_over)
{
    /* One record of 90 MB among small ones: most ranges of bytes begin inside of it. */
    uint64_t offsets[20];
    struct mxio_chunks chunks;
    struct mxio_error err = MXIO_NO_ERROR;
    const struct mxio_params params = params_of(8, false);
    for (uint64_t i = 0; i < 20; i++)
        offsets[i] = i < 10 ? i * 1000 : 90 * MEGABYTE + i * 1000;

    CHECK_OK(mxio_chunks_make(&chunks, &params, offsets, 20, 90 * MEGABYTE + 20000,
                              &err),
             err);

    CHECK_INT(chunks.count, 13);
    for (uint64_t epoch = 0; epoch < 20; epoch++)
        CHECK(is_permutation(&chunks, epoch, 20));
    mxio_chunks_free(&chunks);
}

TEST(an_epoch_may_be_asked_for_again_after_another)
{
    static uint64_t offsets[MOST];
    uint64_t first[MOST];
    struct mxio_chunks chunks;
    struct mxio_error err = MXIO_NO_ERROR;
    const struct mxio_params params = params_of(4, true);
    fill_offsets(offsets, MOST, 40000, 0);
    CHECK_OK(mxio_chunks_make(&chunks, &params, offsets, MOST, MOST * 40000, &err),
             err);
    for (uint64_t i = 0; i < MOST; i++)
        first[i] = mxio_chunks_at(&chunks, 7, i);

    int same = 0;
    for (uint64_t i = 0; i < MOST; i++)
        same += mxio_chunks_at(&chunks, 8, i) == first[i];

    CHECK(same < 50);
    for (uint64_t i = 0; i < MOST; i++)
        CHECK(mxio_chunks_at(&chunks, 7, i) == first[i]);
    mxio_chunks_free(&chunks);
}

TEST(the_ends_of_the_seeds_overflow_nothing)
{
    static uint64_t offsets[MOST];
    static const int64_t seeds[] = {INT64_MAX, INT64_MIN + 1};
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = params_of(4, true);
    fill_offsets(offsets, MOST, 40000, 0);

    for (int i = 0; i < 4; i++) {
        struct mxio_chunks chunks;
        params.seed = seeds[i & 1];
        params.shuffle_chunk_seed = seeds[i >> 1];
        CHECK_OK(mxio_chunks_make(&chunks, &params, offsets, MOST, MOST * 40000, &err),
                 err);
        CHECK(is_permutation(&chunks, 0, MOST));
        mxio_chunks_free(&chunks);
    }
}

TEST(every_failing_allocation_is_survived)
{
    const uint64_t offsets[] = {0, 2 * MEGABYTE};
    const struct mxio_params params = params_of(1, true);

    for (uint64_t nth = 1; nth <= 3; nth++) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_chunks chunks;
        mxio_alloc_fail_at(nth);
        const enum mxio_status status =
            mxio_chunks_make(&chunks, &params, offsets, 2, 4 * MEGABYTE, &err);
        mxio_alloc_fail_at(0);
        CHECK_INT(status, MXIO_ENOMEM);
        CHECK_SAYS(err.message, "no memory for 2 chunks");
        mxio_chunks_free(&chunks);
    }
}

int
main(void)
{
    RUN(no_size_makes_no_chunks);
    RUN(there_are_as_many_chunks_as_in_mxnet);
    RUN(every_record_comes_once_in_every_epoch);
    RUN(chunks_without_a_record_are_passed_over);
    RUN(an_epoch_may_be_asked_for_again_after_another);
    RUN(the_ends_of_the_seeds_overflow_nothing);
    RUN(every_failing_allocation_is_survived);
    return check_result();
}
