#include "share.h"

#include <unistd.h>

#include "faults.h"
#include "loading.h"

#define MOST 64

/* `count` records of ten bytes, of which nothing is read. */
static struct mxio_reader *
plain_records(uint64_t count)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_reader *reader = NULL;
    struct bytes file = {.at = NULL};

    for (uint64_t i = 0; i < count; i++)
        bytes_part(&file, 0, "ten bytes.", 10);
    const char *path = temp_file_of(&file);
    MUST(mxio_reader_open(&reader, &path, 1, &err) == MXIO_OK, err.message);
    unlink(path);
    temp_count--;
    return reader;
}

/* What an epoch deals out: ordinals, each batch ended by -1 and its padding; -2 at the
 * end. */
static bool
deals(struct mxio_share *share, struct mxio_cursor cursor, const int *expected)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_entry rows[MOST];

    for (;;) {
        size_t given, pad;
        if (mxio_share_deal(share, &cursor, rows, &given, &pad, &err) != MXIO_OK)
            return false;
        for (size_t i = 0; i < given; i++)
            if ((int)rows[i].record != *expected++)
                return false;
        if (given == 0)
            return *expected == -2;
        if (*expected++ != -1 || (int)pad != *expected++)
            return false;
        mxio_cursor_next_batch(&cursor);
    }
}

static struct mxio_order
order_for(enum mxio_ending ending, uint64_t batch_size, uint64_t world, uint64_t rank)
{
    return (struct mxio_order){.ending = ending,
                               .batch_size = batch_size,
                               .world = world,
                               .rank = rank};
}

/* True when seven records, in batches of three, come like this. */
static bool
seven_deal(enum mxio_ending ending, uint64_t world, uint64_t rank, uint64_t base,
           const int *expected)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = params_for_loading(3);
    struct mxio_reader *reader = plain_records(7);
    const struct mxio_order order = order_for(ending, 3, world, rank);
    struct mxio_share share;

    const bool same =
        mxio_share_init(&share, &params, reader, &order, &err) == MXIO_OK &&
        share.count == 7 &&
        deals(&share, mxio_cursor_make(&share.order, 0, base, 0, 1), expected);
    mxio_share_free(&share);
    mxio_reader_free(reader);
    mxio_params_free(&params);
    return same;
}

TEST(batches_of_one_rank_are_dealt_to_the_end_asked_for)
{
    CHECK(seven_deal(MXIO_END_SHORT, 1, 0, 0,
                     (int[]){0, 1, 2, -1, 0, 3, 4, 5, -1, 0, 6, -1, 2, -2}));
    CHECK(seven_deal(MXIO_END_DROP, 1, 0, 0,
                     (int[]){0, 1, 2, -1, 0, 3, 4, 5, -1, 0, -2}));
    CHECK(seven_deal(MXIO_END_REPEAT, 1, 0, 0,
                     (int[]){0, 1, 2, -1, 0, 3, 4, 5, -1, 0, 6, 0, 1, -1, 2, -2}));
    CHECK(seven_deal(MXIO_END_SHORT, 1, 0, 5, (int[]){5, 6, -1, 1, -2}));
}

TEST(ranks_take_slices_of_each_step)
{
    CHECK(seven_deal(MXIO_END_SHORT, 2, 0, 0, (int[]){0, 1, 2, -1, 0, 6, -1, 2, -2}));
    CHECK(seven_deal(MXIO_END_SHORT, 2, 1, 0, (int[]){3, 4, 5, -1, 0, -2}));
    CHECK(seven_deal(MXIO_END_DROP, 2, 1, 0, (int[]){3, 4, 5, -1, 0, -2}));
    CHECK(seven_deal(MXIO_END_REPEAT, 2, 1, 0,
                     (int[]){3, 4, 5, -1, 0, 2, 3, 4, -1, 3, -2}));
}

TEST(a_batch_that_needs_more_than_two_epochs_is_refused)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = params_for_loading(9);
    struct mxio_reader *reader = plain_records(4);
    const struct mxio_order order = order_for(MXIO_END_WRAP, 9, 1, 0);
    struct mxio_entry rows[MOST];
    struct mxio_share share;
    size_t given, pad;

    CHECK_OK(mxio_share_init(&share, &params, reader, &order, &err), err);
    struct mxio_cursor cursor = mxio_cursor_make(&share.order, 0, 0, 0, 1);
    CHECK_INT(mxio_share_deal(&share, &cursor, rows, &given, &pad, &err), MXIO_EPARAM);
    CHECK_SAYS(err.message, "a batch of 9");
    mxio_share_free(&share);
    mxio_reader_free(reader);
    mxio_params_free(&params);
}

TEST(a_part_without_a_record_is_an_error)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = params_for_loading(3);
    struct mxio_reader *reader = plain_records(2);
    const struct mxio_order order = order_for(MXIO_END_SHORT, 3, 1, 0);
    struct mxio_share share;

    params.num_parts = 5;
    params.part_index = 4;
    CHECK_INT(mxio_share_init(&share, &params, reader, &order, &err), MXIO_EDATA);
    CHECK_SAYS(err.message, "part_index=4 of num_parts=5");
    mxio_share_free(&share);
    mxio_reader_free(reader);
    mxio_params_free(&params);
}

/* The places of an epoch, found one by one; each ordinal must come once. */
static bool
epoch_is_whole(struct mxio_share *share, const uint64_t *chosen, uint64_t count,
               bool *in_order)
{
    struct mxio_error err = MXIO_NO_ERROR;
    bool seen[MOST] = {false};
    bool found;
    struct mxio_entry entry;

    *in_order = true;
    for (uint64_t i = 0; i < count; i++) {
        if (mxio_share_find(share, 3, i, &entry, &found, &err) != MXIO_OK || !found ||
            entry.place.offset != entry.record * 20 || seen[entry.record])
            return false;
        seen[entry.record] = true;
        *in_order = *in_order && entry.record == chosen[i];
    }
    for (uint64_t i = 0; i < count; i++)
        if (!seen[chosen[i]])
            return false;
    return true;
}

TEST(chosen_records_come_shuffled_and_in_chunks_too)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_reader *reader = plain_records(40);
    uint64_t chosen[20];
    const struct mxio_selection selection = {.ordinals = chosen, .count = 20};
    bool in_order;

    for (uint64_t i = 0; i < 20; i++)
        chosen[i] = 39 - 2 * i;
    CHECK_OK(mxio_reader_select(reader, &selection, &err), err);
    for (int chunked = 0; chunked < 2; chunked++)
        for (int shuffle = 0; shuffle < 2; shuffle++) {
            struct mxio_params params = params_for_loading(3);
            struct mxio_order order = order_for(MXIO_END_SHORT, 3, 1, 0);
            struct mxio_share share;
            params.shuffle = shuffle;
            order.shuffle = shuffle == 1;
            params.shuffle_chunk_size = chunked;
            CHECK_OK(mxio_share_init(&share, &params, reader, &order, &err), err);
            CHECK_INT(share.count, 20);
            CHECK(epoch_is_whole(&share, chosen, 20, &in_order));
            CHECK_INT(in_order, !shuffle); /* one chunk of a megabyte holds all */
            mxio_share_free(&share);
            mxio_params_free(&params);
        }
    mxio_reader_free(reader);
}

struct trial {
    struct mxio_params params;
    char path[64];
};

static enum mxio_status
attempt(void *context, struct mxio_error *err)
{
    struct trial *trial = context;
    const char *path = trial->path;
    struct mxio_reader *reader = NULL;
    const struct mxio_order order = order_for(MXIO_END_SHORT, 3, 1, 0);
    struct mxio_share share = {.count = 0};

    enum mxio_status status = mxio_reader_open(&reader, &path, 1, err);
    if (status == MXIO_OK)
        status = mxio_share_init(&share, &trial->params, reader, &order, err);
    mxio_share_free(&share);
    mxio_reader_free(reader);
    return status;
}

TEST(every_failing_allocation_is_reported)
{
    struct bytes file = {.at = NULL};
    struct trial trial = {.params = params_for_loading(3)};

    trial.params.shuffle_chunk_size = 1;
    bytes_part(&file, 0, "ten bytes.", 10);
    snprintf(trial.path, sizeof trial.path, "%s", temp_file_of(&file));

    CHECK(faults_met(attempt, &trial) >= 4);
    mxio_params_free(&trial.params);
}

TEST(heads_are_learnt_as_far_as_asked_for_and_some_more)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = params_for_loading(3);
    struct mxio_reader *reader = plain_records(30);
    struct mxio_order order = order_for(MXIO_END_SHORT, 3, 1, 0);
    struct mxio_share share;
    size_t known;
    uint64_t count;

    order.sequential = true;
    CHECK_OK(mxio_share_init(&share, &params, reader, &order, &err), err);
    CHECK(mxio_share_knows(&share, 0) && !mxio_share_knows(&share, 4));
    CHECK_OK(mxio_share_learn(&share, 4, 6, &err), err);
    mxio_reader_offsets(reader, &known);
    CHECK_INT(known, 11);
    CHECK(mxio_share_knows(&share, 10) && !mxio_share_knows(&share, 11));
    CHECK(!mxio_share_knows(&share, MXIO_UNKNOWN));

    CHECK_OK(mxio_share_learn(&share, MXIO_UNKNOWN, 6, &err), err);
    CHECK(mxio_share_knows(&share, MXIO_UNKNOWN) && mxio_share_knows(&share, 99));
    CHECK_INT(share.count, MXIO_UNKNOWN);
    CHECK_OK(mxio_share_count(&share, &count, &err), err);
    CHECK_INT(count, 30);
    mxio_share_free(&share);
    mxio_reader_free(reader);
    mxio_params_free(&params);
}

TEST(a_part_and_chosen_records_need_no_heads_behind_them)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params = params_for_loading(3);
    const struct mxio_selection chosen = {.first = 2, .count = 5};
    struct mxio_order order = order_for(MXIO_END_SHORT, 3, 1, 0);
    struct mxio_reader *reader = plain_records(30);
    struct mxio_share share;
    size_t known;

    order.sequential = true;
    params.num_parts = 3;
    CHECK_OK(mxio_share_init(&share, &params, reader, &order, &err), err);
    CHECK_OK(mxio_share_learn(&share, 1, 1000, &err), err);
    mxio_reader_offsets(reader, &known);
    CHECK(known >= 10 && known < 13);
    CHECK(mxio_share_knows(&share, MXIO_UNKNOWN));
    mxio_share_free(&share);
    mxio_reader_free(reader);

    params.num_parts = 1;
    reader = plain_records(30);
    CHECK_OK(mxio_reader_select(reader, &chosen, &err), err);
    CHECK_OK(mxio_share_init(&share, &params, reader, &order, &err), err);
    CHECK(mxio_share_knows(&share, 4) && mxio_share_knows(&share, MXIO_UNKNOWN));
    mxio_share_free(&share);
    mxio_reader_free(reader);
    mxio_params_free(&params);
}

int
main(void)
{
    RUN(heads_are_learnt_as_far_as_asked_for_and_some_more);
    RUN(a_part_and_chosen_records_need_no_heads_behind_them);
    RUN(batches_of_one_rank_are_dealt_to_the_end_asked_for);
    RUN(ranks_take_slices_of_each_step);
    RUN(a_batch_that_needs_more_than_two_epochs_is_refused);
    RUN(a_part_without_a_record_is_an_error);
    RUN(chosen_records_come_shuffled_and_in_chunks_too);
    RUN(every_failing_allocation_is_reported);
    return check_result();
}
