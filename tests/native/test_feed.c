#include "feed.h"

#include <errno.h>
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
    char line[16];

    for (int i = 0; i < count; i++) {
        const int size = snprintf(line, sizeof line, i == bad ? "bad\n" : "%d\n", i);
        bytes_add(&text, line, (size_t)size);
    }
    static const char *path; /* outlives the feed */
    path = temp_file_of(&text);
    const struct mxio_rows_inputs inputs = {.batch_size = batch_size,
                                            .round_batch = true,
                                            .num_parts = 1,
                                            .keep = depth,
                                            .data = {&path, 1, 1},
                                            .label = {NULL, 0, 1}};
    const struct mxio_opening opening = mxio_rows_opening(&inputs);
    const enum mxio_status status = mxio_feed_new(out, &opening, depth, 0, err);
    return status == MXIO_OK ? mxio_feed_open(*out, err) : status;
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
        CHECK(mxio_feed_free(feed));
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
    CHECK(mxio_feed_free(feed));
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
    CHECK(mxio_feed_free(feed));
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
    CHECK(mxio_feed_free(feed));
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
    CHECK(mxio_feed_free(feed));
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
    CHECK(mxio_feed_free(feed));
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
        _exit(refused && mxio_feed_free(feed) ? 0 : 1);
    }
    CHECK_INT(waitpid(child, &outcome, 0), child);

    CHECK_INT(outcome, 0);
    CHECK_OK(next_value(feed, &value, &err), err);
    CHECK_INT(value, 1);
    CHECK(mxio_feed_free(feed));
}

/* A source whose reads hang for as long as its gate is shut. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool open;
    bool opens; /* the source is opened whatever the gate */
    int passed; /* reads that came back */
};

static void
read_through(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    while (!gate->open)
        pthread_cond_wait(&gate->opened, &gate->lock);
    gate->passed++;
    pthread_cond_broadcast(&gate->opened);
    pthread_mutex_unlock(&gate->lock);
}

static void
set_gate(struct gate *gate, bool open)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = open;
    pthread_cond_broadcast(&gate->opened);
    pthread_mutex_unlock(&gate->lock);
}

static void
wait_for_reads(struct gate *gate, int count)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->passed < count)
        pthread_cond_wait(&gate->opened, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

struct gated {
    struct gate *gate;
    struct mxio_watch watch;
};

static void
free_gated(void *self)
{
    free(self);
}

static void
start_gated(void *self, uint64_t carry)
{
    (void)self;
    (void)carry;
}

/* Batch after batch without a row, each read at byte 123 of file 1. */
static enum mxio_status
next_gated(void *self, struct mxio_row_batch *out, bool *last, struct mxio_error *err)
{
    const struct gated *gated = self;

    *out = (struct mxio_row_batch){.block = NULL};
    *last = false;
    const enum mxio_status status = mxio_watch_ask(&gated->watch, 1, 123, err);
    if (status == MXIO_OK)
        read_through(gated->gate);
    return status != MXIO_OK ? status : mxio_block_new(&out->block, 64, err);
}

static enum mxio_status
open_gated(struct mxio_source *out, const void *inputs, const struct mxio_watch *watch,
           struct mxio_error *err)
{
    static const struct mxio_source_calls calls = {free_gated, start_gated, next_gated};
    struct gate *gate = *(struct gate *const *)inputs;

    enum mxio_status status = mxio_watch_ask(watch, 0, 7, err);
    if (status == MXIO_OK && !gate->opens)
        read_through(gate);
    struct gated *gated = status == MXIO_OK ? malloc(sizeof *gated) : NULL;
    if (gated == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory");
    *gated = (struct gated){.gate = gate, .watch = *watch};
    *out = (struct mxio_source){gated, &calls};
    return MXIO_OK;
}

#define TIMEOUT 0.05

static enum mxio_status
make_gated(struct mxio_feed **out, struct gate *gate, struct mxio_error *err)
{
    const struct mxio_opening opening = {open_gated, &gate, sizeof(struct gate *)};

    return mxio_feed_new(out, &opening, 2, TIMEOUT, err);
}

#define SHUT                                                                           \
    {                                                                                  \
        .lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER          \
    }

TEST(a_read_that_hangs_is_named_and_the_epoch_goes_on_when_it_comes_back)
{
    struct gate gate = SHUT;
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_feed *feed = NULL;
    struct mxio_row_batch batch;
    bool ready = true;
    int value = 0;

    gate.opens = true;
    CHECK_OK(make_gated(&feed, &gate, &err), err);
    CHECK_OK(mxio_feed_open(feed, &err), err);
    CHECK_OK(mxio_feed_start(feed, 0, &err), err);
    CHECK_OK(mxio_feed_next(feed, 20, &ready, &batch, &err), err);
    CHECK(!ready);

    CHECK_INT(mxio_feed_stuck(feed, &err), MXIO_EIO);
    CHECK_SAYS(err.message,
               "no batch within timeout=0.05 s: a worker is stuck reading");
    CHECK_INT(err.os_error, ETIMEDOUT);
    CHECK_INT(err.file, 1);
    CHECK_INT(err.offset, 123);
    CHECK_INT(mxio_feed_start(feed, 0, &err), MXIO_EIO);
    CHECK_SAYS(err.message, "no new start within timeout=0.05 s");
    CHECK_INT(next_value(feed, &value, &err), MXIO_ESTATE);
    CHECK_SAYS(err.message, "no epoch has begun");
    set_gate(&gate, true);
    wait_for_reads(&gate, 1);
    CHECK_OK(mxio_feed_start(feed, 0, &err), err);
    CHECK_OK(next_value(feed, &value, &err), err);
    CHECK(mxio_feed_free(feed));
}

TEST(a_thread_that_does_not_come_back_is_left_alone)
{
    static struct gate gate = SHUT; /* for good: the thread may still use it */
    static struct mxio_feed *feed;  /* nobody frees it */
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_row_batch batch;
    bool ready = true;
    int value = 0;

    gate.opens = true;
    CHECK_OK(make_gated(&feed, &gate, &err), err);
    CHECK_OK(mxio_feed_open(feed, &err), err);
    CHECK_OK(mxio_feed_start(feed, 0, &err), err);
    CHECK_OK(mxio_feed_next(feed, 20, &ready, &batch, &err), err);
    mxio_feed_close(feed);

    CHECK_INT(next_value(feed, &value, &err), MXIO_ESTATE);
    CHECK_SAYS(err.message, "closed");
    CHECK(!mxio_feed_free(feed));
    set_gate(&gate, true);
    wait_for_reads(&gate, 1);
}

TEST(an_opening_that_hangs_is_named_and_left_alone)
{
    static struct gate gate = SHUT;
    static struct mxio_feed *feed;
    struct mxio_error err = MXIO_NO_ERROR;

    CHECK_OK(make_gated(&feed, &gate, &err), err);

    CHECK_INT(mxio_feed_open(feed, &err), MXIO_EIO);
    CHECK_SAYS(err.message,
               "not opened within timeout=0.05 s: a worker is stuck reading");
    CHECK_INT(err.file, 0);
    CHECK_INT(err.offset, 7);
    CHECK(!mxio_feed_free(feed));
    set_gate(&gate, true);
    wait_for_reads(&gate, 1);
}

static enum mxio_status
attempt(void *context, struct mxio_error *err)
{
    const struct mxio_rows_inputs *inputs = context;
    const struct mxio_opening opening = mxio_rows_opening(inputs);
    struct mxio_feed *feed = NULL;
    int value = 0;

    enum mxio_status status = mxio_feed_new(&feed, &opening, 2, 0, err);
    if (status == MXIO_OK)
        status = mxio_feed_open(feed, err);
    if (status == MXIO_OK)
        status = mxio_feed_start(feed, 0, err);
    for (int i = 0; i < 3 && status == MXIO_OK; i++)
        status = next_value(feed, &value, err);
    return mxio_feed_free(feed) ? status : MXIO_ESTATE;
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
    RUN(a_read_that_hangs_is_named_and_the_epoch_goes_on_when_it_comes_back);
    RUN(a_thread_that_does_not_come_back_is_left_alone);
    RUN(an_opening_that_hangs_is_named_and_left_alone);
    RUN(each_failing_allocation_is_reported);
    return check_result();
}
