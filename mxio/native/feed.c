#include "feed.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Seconds to wait when there is no timeout: some thirty years. */
#define FOR_EVER 1e9

struct slot {
    struct mxio_row_batch batch;
    struct mxio_error err;
    bool last; /* stays: nothing comes behind it */
};

struct mxio_feed {
    pid_t process;
    struct mxio_opening opening; /* with inputs of its own */
    struct mxio_source source;   /* the thread's while it runs */
    size_t depth;
    double timeout;
    pthread_t thread;
    pthread_mutex_t lock;    /* guards every field below */
    pthread_cond_t can_make; /* a slot became free, or stopping */
    pthread_cond_t can_give; /* a slot became full, the thread is over, or closed */
    struct slot *slots;      /* a ring: `count` full ones from `first` on */
    size_t first, count;
    struct mxio_error opened;
    int file; /* that is read, from `offset` on; -1 for none */
    uint64_t offset;
    bool running; /* there is a thread to join, */
    bool alive;   /* and it is not over */
    bool stopping, closed;
    bool abandoned; /* the thread did not come back: nothing is freed */
};

static bool
is_stopping(void *context, int file, uint64_t offset)
{
    struct mxio_feed *feed = context;

    pthread_mutex_lock(&feed->lock);
    feed->file = file;
    feed->offset = offset;
    const bool stopping = feed->stopping;
    pthread_mutex_unlock(&feed->lock);
    return stopping;
}

/* Wait for a free slot; false when it is time to stop. */
static bool
wait_for_room(struct mxio_feed *feed)
{
    pthread_mutex_lock(&feed->lock);
    while (!feed->stopping && feed->count == feed->depth)
        pthread_cond_wait(&feed->can_make, &feed->lock);
    const bool go_on = !feed->stopping;
    pthread_mutex_unlock(&feed->lock);
    return go_on;
}

/* The last that the thread does with a feed. */
static void
leave(struct mxio_feed *feed)
{
    pthread_mutex_lock(&feed->lock);
    feed->alive = false;
    pthread_cond_broadcast(&feed->can_give);
    pthread_mutex_unlock(&feed->lock);
}

static void *
open_main(void *context)
{
    struct mxio_feed *feed = context;
    const struct mxio_watch watch = {is_stopping, feed, 0};
    struct mxio_error err = MXIO_NO_ERROR;

    err.status = feed->opening.open(&feed->source, feed->opening.inputs, &watch, &err);
    pthread_mutex_lock(&feed->lock);
    feed->opened = err;
    pthread_mutex_unlock(&feed->lock);
    leave(feed);
    return NULL;
}

static void *
make_main(void *context)
{
    struct mxio_feed *feed = context;
    bool last = false;

    while (!last && wait_for_room(feed)) {
        struct slot made = {.err = MXIO_NO_ERROR};
        made.err.status = feed->source.calls->next(feed->source.self, &made.batch,
                                                   &made.last, &made.err);
        last = made.last;
        pthread_mutex_lock(&feed->lock);
        feed->slots[(feed->first + feed->count) % feed->depth] = made;
        feed->count++;
        pthread_cond_broadcast(&feed->can_give);
        pthread_mutex_unlock(&feed->lock);
    }
    leave(feed);
    return NULL;
}

/* ---- waiting ---- */

static struct timespec
in_seconds(double seconds)
{
    const time_t whole = (time_t)seconds;
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += whole;
    until.tv_nsec += (long)((seconds - (double)whole) * 1e9);
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return until;
}

/* Wait until the thread is over, if there is one; false when it takes too long. */
static bool
wait_for_thread_locked(struct mxio_feed *feed)
{
    const struct timespec until =
        in_seconds(feed->timeout > 0 ? feed->timeout : FOR_EVER);

    while (feed->alive && !feed->abandoned)
        if (pthread_cond_timedwait(&feed->can_give, &feed->lock, &until) == ETIMEDOUT)
            break;
    return !feed->alive;
}

static void
abandon_locked(struct mxio_feed *feed)
{
    feed->abandoned = feed->stopping = feed->closed = true;
    feed->running = false;
    pthread_detach(feed->thread);
}

static enum mxio_status
fail_stuck_locked(const struct mxio_feed *feed, const char *lacking,
                  struct mxio_error *err)
{
    err->os_error = ETIMEDOUT;
    err->file = feed->file;
    if (feed->file >= 0)
        err->offset = (int64_t)feed->offset;
    return mxio_fail(err, MXIO_EIO, "%s within timeout=%g s: a worker is %s", lacking,
                     feed->timeout,
                     feed->file < 0 ? "slow to make it" : "stuck reading");
}

enum mxio_status
mxio_feed_stuck(struct mxio_feed *feed, struct mxio_error *err)
{
    pthread_mutex_lock(&feed->lock);
    const enum mxio_status status = fail_stuck_locked(feed, "no batch", err);
    pthread_mutex_unlock(&feed->lock);
    return status;
}

/* ---- life ---- */

static enum mxio_status
check_process(const struct mxio_feed *feed, struct mxio_error *err)
{
    if (feed->process != getpid())
        return mxio_fail(
            err, MXIO_ESTATE,
            "this iterator was made in process %ld and cannot be used in its forked child %ld: make it in the child",
            (long)feed->process, (long)getpid());
    return MXIO_OK;
}

static enum mxio_status
fail_closed(struct mxio_error *err)
{
    return mxio_fail(err, MXIO_ESTATE, "the iterator is closed");
}

/* Stop and join the thread; false when it does not come back, which closing takes for
 * good. */
static bool
stop(struct mxio_feed *feed, bool closing)
{
    pthread_mutex_lock(&feed->lock);
    feed->stopping = true;
    feed->closed |= closing;
    pthread_cond_signal(&feed->can_make);
    pthread_cond_broadcast(&feed->can_give);
    const bool over = wait_for_thread_locked(feed);
    const bool running = feed->running;
    if (over)
        feed->running = false;
    else if (closing && !feed->abandoned)
        abandon_locked(feed);
    pthread_mutex_unlock(&feed->lock);
    if (over && running)
        pthread_join(feed->thread, NULL);
    return over;
}

/* Only while no thread runs. */
static void
drop_all(struct mxio_feed *feed)
{
    for (; feed->count > 0; feed->count--) {
        mxio_block_release(feed->slots[feed->first].batch.block);
        feed->first = (feed->first + 1) % feed->depth;
    }
}

void
mxio_feed_close(struct mxio_feed *feed)
{
    if (feed->process == getpid())
        stop(feed, true);
}

bool
mxio_feed_free(struct mxio_feed *feed)
{
    if (feed == NULL || feed->process != getpid())
        return true;
    stop(feed, true);
    if (feed->abandoned)
        return false;
    drop_all(feed);
    pthread_cond_destroy(&feed->can_give);
    pthread_cond_destroy(&feed->can_make);
    pthread_mutex_destroy(&feed->lock);
    if (feed->source.self != NULL)
        feed->source.calls->free(feed->source.self);
    mxio_free((void *)feed->opening.inputs);
    mxio_free(feed->slots);
    mxio_free(feed);
    return true;
}

enum mxio_status
mxio_feed_new(struct mxio_feed **out, const struct mxio_opening *opening, size_t depth,
              double timeout, struct mxio_error *err)
{
    struct mxio_feed *feed = mxio_alloc(sizeof *feed);
    struct slot *slots = mxio_alloc(depth * sizeof *slots);
    void *inputs = mxio_alloc(opening->inputs_size);
    pthread_condattr_t monotonic;

    if (feed == NULL || slots == NULL || inputs == NULL) {
        mxio_free(inputs);
        mxio_free(slots);
        mxio_free(feed);
        return mxio_fail(err, MXIO_ENOMEM, "no memory for %zu batches in waiting",
                         depth);
    }
    feed->process = getpid();
    memcpy(inputs, opening->inputs, opening->inputs_size);
    feed->opening = *opening;
    feed->opening.inputs = inputs;
    feed->depth = depth;
    feed->timeout = timeout;
    feed->file = -1;
    feed->slots = slots;
    pthread_mutex_init(&feed->lock, NULL);
    pthread_cond_init(&feed->can_make, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&feed->can_give, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = feed;
    return MXIO_OK;
}

/* Signals are the main thread's: Ctrl-C must not interrupt this one. */
static enum mxio_status
run_locked(struct mxio_feed *feed, void *(*work)(void *), struct mxio_error *err)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int os_error = pthread_create(&feed->thread, NULL, work, feed);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (os_error != 0)
        return mxio_fail_os(err, os_error, "cannot start the thread that reads");
    feed->running = feed->alive = true;
    return MXIO_OK;
}

enum mxio_status
mxio_feed_open(struct mxio_feed *feed, struct mxio_error *err)
{
    pthread_mutex_lock(&feed->lock);
    enum mxio_status status = run_locked(feed, open_main, err);
    if (status == MXIO_OK && !wait_for_thread_locked(feed)) {
        status = fail_stuck_locked(feed, "not opened", err);
        abandon_locked(feed);
    }
    pthread_mutex_unlock(&feed->lock);
    if (status != MXIO_OK)
        return status;
    stop(feed, false);
    *err = feed->opened;
    return err->status;
}

void *
mxio_feed_source(const struct mxio_feed *feed)
{
    return feed->source.self;
}

enum mxio_status
mxio_feed_start(struct mxio_feed *feed, uint64_t carry, struct mxio_error *err)
{
    enum mxio_status status = check_process(feed, err);

    if (status != MXIO_OK)
        return status;
    const bool over = stop(feed, false);
    pthread_mutex_lock(&feed->lock);
    if (feed->closed) {
        status = fail_closed(err);
    } else if (!over) {
        status = fail_stuck_locked(feed, "no new start", err);
    } else {
        drop_all(feed);
        feed->source.calls->start(feed->source.self, carry);
        feed->stopping = false;
    }
    pthread_mutex_unlock(&feed->lock);
    return status;
}

/* ---- the consumer ---- */

/* The thread runs, or has come to the end of its work. */
static enum mxio_status
wait_locked(struct mxio_feed *feed, int milliseconds, struct mxio_error *err)
{
    const struct timespec until = in_seconds(milliseconds / 1e3);
    enum mxio_status status = MXIO_OK;

    if (feed->stopping && !feed->closed)
        return mxio_fail(err, MXIO_ESTATE, "no epoch has begun: start it first");
    if (!feed->running && !feed->closed)
        status = run_locked(feed, make_main, err);
    while (status == MXIO_OK && feed->count == 0 && !feed->closed)
        if (pthread_cond_timedwait(&feed->can_give, &feed->lock, &until) == ETIMEDOUT)
            break;
    if (status == MXIO_OK && feed->closed)
        status = fail_closed(err);
    return status;
}

enum mxio_status
mxio_feed_next(struct mxio_feed *feed, int milliseconds, bool *ready,
               struct mxio_row_batch *out, struct mxio_error *err)
{
    enum mxio_status status = check_process(feed, err);

    if (status != MXIO_OK)
        return status;
    *ready = false;
    pthread_mutex_lock(&feed->lock);
    status = wait_locked(feed, milliseconds, err);
    if (status == MXIO_OK && feed->count > 0) {
        const struct slot *slot = &feed->slots[feed->first];
        *ready = true;
        *out = slot->batch;
        status = slot->err.status;
        if (status != MXIO_OK)
            *err = slot->err;
        if (!slot->last) {
            feed->first = (feed->first + 1) % feed->depth;
            feed->count--;
            pthread_cond_signal(&feed->can_make);
        }
    }
    pthread_mutex_unlock(&feed->lock);
    return status;
}
