#include "feed.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

struct slot {
    struct mxio_row_batch batch;
    struct mxio_error err;
    bool last; /* stays: nothing comes behind it */
};

struct mxio_feed {
    pid_t process;
    struct mxio_source source; /* the thread's while it runs */
    size_t depth;
    pthread_t thread;
    pthread_mutex_t lock;    /* guards every field below */
    pthread_cond_t can_make; /* a slot became free, or stopping */
    pthread_cond_t can_give; /* a slot became full, or closed */
    struct slot *slots;      /* a ring: `count` full ones from `first` on */
    size_t first, count;
    bool running; /* there is a thread to join */
    bool stopping, closed;
};

static bool
is_stopping(void *context)
{
    struct mxio_feed *feed = context;

    pthread_mutex_lock(&feed->lock);
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

static void *
feed_main(void *context)
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
        pthread_cond_signal(&feed->can_give);
        pthread_mutex_unlock(&feed->lock);
    }
    return NULL;
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

/* Stop and join the thread. */
static void
stop(struct mxio_feed *feed, bool closing)
{
    pthread_mutex_lock(&feed->lock);
    const bool running = feed->running;
    feed->running = false;
    feed->stopping = true;
    feed->closed |= closing;
    pthread_cond_signal(&feed->can_make);
    pthread_cond_signal(&feed->can_give);
    pthread_mutex_unlock(&feed->lock);
    if (running)
        pthread_join(feed->thread, NULL);
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

void
mxio_feed_free(struct mxio_feed *feed)
{
    if (feed == NULL || feed->process != getpid())
        return;
    stop(feed, true);
    drop_all(feed);
    pthread_cond_destroy(&feed->can_give);
    pthread_cond_destroy(&feed->can_make);
    pthread_mutex_destroy(&feed->lock);
    feed->source.calls->free(feed->source.self);
    mxio_free(feed->slots);
    mxio_free(feed);
}

enum mxio_status
mxio_feed_new(struct mxio_feed **out, struct mxio_source source, size_t depth,
              struct mxio_error *err)
{
    struct mxio_feed *feed = mxio_alloc(sizeof *feed);
    struct slot *slots = mxio_alloc(depth * sizeof *slots);
    pthread_condattr_t monotonic;

    if (feed == NULL || slots == NULL) {
        mxio_free(slots);
        mxio_free(feed);
        source.calls->free(source.self);
        return mxio_fail(err, MXIO_ENOMEM, "no memory for %zu batches in waiting",
                         depth);
    }
    feed->process = getpid();
    feed->source = source;
    feed->depth = depth;
    feed->slots = slots;
    pthread_mutex_init(&feed->lock, NULL);
    pthread_cond_init(&feed->can_make, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&feed->can_give, &monotonic);
    pthread_condattr_destroy(&monotonic);
    source.calls->watch(source.self, is_stopping, feed);
    *out = feed;
    return MXIO_OK;
}

enum mxio_status
mxio_feed_start(struct mxio_feed *feed, uint64_t carry, struct mxio_error *err)
{
    enum mxio_status status = check_process(feed, err);

    if (status != MXIO_OK)
        return status;
    stop(feed, false);
    pthread_mutex_lock(&feed->lock);
    if (feed->closed) {
        status = fail_closed(err);
    } else {
        drop_all(feed);
        feed->source.calls->start(feed->source.self, carry);
        feed->stopping = false;
    }
    pthread_mutex_unlock(&feed->lock);
    return status;
}

/* ---- the consumer ---- */

/* Signals are the main thread's: Ctrl-C must not interrupt this one. */
static enum mxio_status
run_locked(struct mxio_feed *feed, struct mxio_error *err)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int os_error = pthread_create(&feed->thread, NULL, feed_main, feed);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (os_error != 0)
        return mxio_fail_os(err, os_error, "cannot start the thread that reads ahead");
    feed->running = true;
    return MXIO_OK;
}

static struct timespec
in_milliseconds(int milliseconds)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += milliseconds / 1000;
    until.tv_nsec += milliseconds % 1000 * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return until;
}

/* The thread runs, or has come to the end of its work. */
static enum mxio_status
wait_locked(struct mxio_feed *feed, int milliseconds, struct mxio_error *err)
{
    const struct timespec until = in_milliseconds(milliseconds);
    enum mxio_status status = MXIO_OK;

    if (!feed->running && !feed->closed)
        status = run_locked(feed, err);
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
