#include "feed.h"

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

#include "faults.h"
#include "records.h"
#include "rows.h"

#define WAIT_MS 10000

/* A feed of rows "0", "1", ..., `bad` among them being no number. */
static enum mxio_status
make_feed(struct mxio_feed **out, int count, int bad, size_t batch_size, size_t depth,
          struct mxio_error *err)
{
    struct bytes text = {.at = NULL};
    struct mxio_rows *rows = NULL;
    char line[16];

    for (int i = 0; i < count; i++) {
        const int size = snprintf(line, sizeof line, i == bad ? "bad\n" : "%d\n", i);
        bytes_add(&text, line, (size_t)size);
    }
    const char *path = temp_file_of(&text);
    const struct mxio_rows_inputs inputs = {.batch_size = batch_size,
                                            .round_batch = true,
                                            .num_parts = 1,
                                            .keep = depth,
                                            .data = {&path, 1, 1},
                                            .label = {NULL, 0, 1}};
    const enum mxio_status status = mxio_rows_new(&rows, &inputs, err);
    return status == MXIO_OK ? mxio_feed_new(out, mxio_rows_source(rows), depth, err)
                             : status;
}

/* The first value of the next batch; -1 at the end. */
static enum mxio_status
next_value(struct mxio_feed *feed, int *value, struct mxio_error *err)
{
    struct mxio_row_batch batch = {.block = NULL};
    bool ready = false;
    float first = -1;

    const enum mxio_status status = mxio_feed_next(feed, WAIT_MS, &ready, &batch, err);
    if (status != MXIO_OK)
        return status;
    if (!ready)
        return mxio_fail(err, MXIO_ESTATE, "nothing came");
    if (batch.block != NULL)
        memcpy(&first, batch.block->bytes + batch.data.values, sizeof first);
    mxio_block_release(batch.block);
    *value = (int)first;
    return MXIO_OK;
}

TEST(batches_come_in_order_and_the_end_comes_again)
{
    for (size_t depth = 1; depth <= 5; depth += 2) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_feed *feed = NULL;
        int value = 0;
        CHECK_OK(make_feed(&feed, 100, -1, 2, depth, &err), err);
        CHECK_OK(mxio_feed_start(feed, 0, &err), err);
        for (int i = 0; i < 50; i++) {
            CHECK_OK(next_value(feed, &value, &err), err);
            CHECK_INT(value, 2 * i);
        }
        for (int i = 0; i < 3; i++) {
            CHECK_OK(next_value(feed, &value, &err), err);
            CHECK_INT(value, -1);
        }
        mxio_feed_free(feed);
    }
}

TEST(a_start_drops_what_waits_and_begins_behind_the_carry)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_feed *feed = NULL;
    int value = 0;

    CHECK_OK(make_feed(&feed, 100, -1, 4, 3, &err), err);
    for (int round = 0; round < 20; round++) {
        CHECK_OK(mxio_feed_start(feed, (uint64_t)round, &err), err);
        for (int i = 0; i < round % 4; i++) {
            CHECK_OK(next_value(feed, &value, &err), err);
            CHECK_INT(value, round + 4 * i);
        }
    }
    mxio_feed_free(feed);
}

TEST(a_bad_row_comes_in_its_turn_and_the_next_call_goes_on)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_feed *feed = NULL;
    int value = 0;

    CHECK_OK(make_feed(&feed, 6, 3, 2, 4, &err), err);
    CHECK_OK(mxio_feed_start(feed, 0, &err), err);

    CHECK_OK(next_value(feed, &value, &err), err);
    CHECK_INT(value, 0);
    CHECK_INT(next_value(feed, &value, &err), MXIO_EDATA);
    CHECK_SAYS(err.message, "line 4: value 1 of 1 is not a number: 'bad'");
    CHECK_OK(next_value(feed, &value, &err), err);
    CHECK_INT(value, 4);
    mxio_feed_free(feed);
}

TEST(a_failure_that_ends_the_epoch_comes_again_until_a_start)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_feed *feed = NULL;
    int value = 0;

    CHECK_OK(make_feed(&feed, 2, -1, 5, 2, &err), err);
    for (int round = 0; round < 2; round++) {
        CHECK_OK(mxio_feed_start(feed, 0, &err), err);
        for (int i = 0; i < 3; i++)
            CHECK_INT(next_value(feed, &value, &err), MXIO_EPARAM);
    }
    mxio_feed_free(feed);
}

TEST(a_closed_feed_says_so_and_gave_its_thread_back)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_feed *feed = NULL;
    int value = 0;

    CHECK_OK(make_feed(&feed, 1000, -1, 1, 2, &err), err);
    CHECK_OK(mxio_feed_start(feed, 0, &err), err);
    CHECK_OK(next_value(feed, &value, &err), err);
    mxio_feed_close(feed);
    mxio_feed_close(feed);

    CHECK_INT(next_value(feed, &value, &err), MXIO_ESTATE);
    CHECK_SAYS(err.message, "closed");
    CHECK_INT(mxio_feed_start(feed, 0, &err), MXIO_ESTATE);
    mxio_feed_free(feed);
}

static void *
close_soon(void *feed)
{
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    mxio_feed_close(feed);
    return NULL;
}

TEST(closing_from_another_thread_ends_the_reading)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_feed *feed = NULL;
    pthread_t closer;
    int value = 0;

    CHECK_OK(make_feed(&feed, 1000, -1, 1, 4, &err), err);
    CHECK_OK(mxio_feed_start(feed, 0, &err), err);
    CHECK_INT(pthread_create(&closer, NULL, close_soon, feed), 0);
    enum mxio_status status = MXIO_OK;
    while (status == MXIO_OK) {
        status = next_value(feed, &value, &err);
        if (status == MXIO_OK && value < 0)
            status = mxio_feed_start(feed, 0, &err);
    }
    pthread_join(closer, NULL);

    CHECK_INT(status, MXIO_ESTATE);
    CHECK_SAYS(err.message, "closed");
    mxio_feed_free(feed);
}

TEST(a_forked_child_is_refused_and_may_free)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_feed *feed = NULL;
    int value = 0, outcome = -1;

    if (UNDER_TSAN)
        return;
    CHECK_OK(make_feed(&feed, 1000, -1, 1, 2, &err), err);
    CHECK_OK(mxio_feed_start(feed, 0, &err), err);
    CHECK_OK(next_value(feed, &value, &err), err);
    const pid_t child = fork();
    if (child == 0) {
        const bool refused = next_value(feed, &value, &err) == MXIO_ESTATE &&
                             strstr(err.message, "forked child") != NULL &&
                             mxio_feed_start(feed, 0, &err) == MXIO_ESTATE;
        mxio_feed_close(feed);
        mxio_feed_free(feed);
        _exit(refused ? 0 : 1);
    }
    CHECK_INT(waitpid(child, &outcome, 0), child);

    CHECK_INT(outcome, 0);
    CHECK_OK(next_value(feed, &value, &err), err);
    CHECK_INT(value, 1);
    mxio_feed_free(feed);
}

static enum mxio_status
attempt(void *context, struct mxio_error *err)
{
    const struct mxio_rows_inputs *inputs = context;
    struct mxio_rows *rows = NULL;
    struct mxio_feed *feed = NULL;
    int value = 0;

    enum mxio_status status = mxio_rows_new(&rows, inputs, err);
    if (status == MXIO_OK)
        status = mxio_feed_new(&feed, mxio_rows_source(rows), 2, err);
    if (status != MXIO_OK)
        return status;
    status = mxio_feed_start(feed, 0, err);
    for (int i = 0; i < 3 && status == MXIO_OK; i++)
        status = next_value(feed, &value, err);
    mxio_feed_free(feed);
    return status;
}

TEST(each_failing_allocation_is_reported)
{
    const char *path = temp_file("1\n2\n3\n4\n", 8);
    struct mxio_rows_inputs inputs = {.batch_size = 2,
                                      .num_parts = 1,
                                      .data = {&path, 1, 1},
                                      .label = {NULL, 0, 1}};

    CHECK(faults_met(attempt, &inputs) > 5);
}

int
main(void)
{
    RUN(batches_come_in_order_and_the_end_comes_again);
    RUN(a_start_drops_what_waits_and_begins_behind_the_carry);
    RUN(a_bad_row_comes_in_its_turn_and_the_next_call_goes_on);
    RUN(a_failure_that_ends_the_epoch_comes_again_until_a_start);
    RUN(a_closed_feed_says_so_and_gave_its_thread_back);
    RUN(closing_from_another_thread_ends_the_reading);
    RUN(a_forked_child_is_refused_and_may_free);
    RUN(each_failing_allocation_is_reported);
    return check_result();
}
