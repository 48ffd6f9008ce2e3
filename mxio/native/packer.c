#include "packer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct slot {
    struct mxio_pack_job job;
    uint8_t *text; /* the job's path and head */
    struct mxio_block *record;
    struct mxio_error err;
    bool made;
};

struct worker {
    struct mxio_packer *packer;
    struct mxio_repacker *repacker; /* the thread's own while it runs */
    pthread_t thread;
};

struct mxio_packer {
    pid_t process;
    struct mxio_recipe recipe;
    struct worker *workers;
    size_t threads, depth;
    pthread_mutex_t lock;    /* guards every field below */
    pthread_cond_t can_make; /* a job was added, or stopping */
    pthread_cond_t can_give; /* the oldest job was made, or closed */
    struct slot *slots; /* a ring: `count` jobs from `first` on, `taken` by threads */
    size_t first, count, taken;
    size_t running; /* threads to join */
    bool stopping;
};

static struct slot *
slot_locked(struct mxio_packer *packer, size_t place)
{
    return &packer->slots[(packer->first + place) % packer->depth];
}

/* ---- threads ---- */

/* Wait for a job; NULL when it is time to stop. */
static struct slot *
take_job(struct mxio_packer *packer)
{
    struct slot *slot = NULL;

    pthread_mutex_lock(&packer->lock);
    while (!packer->stopping && packer->taken == packer->count)
        pthread_cond_wait(&packer->can_make, &packer->lock);
    if (!packer->stopping)
        slot = slot_locked(packer, packer->taken++);
    pthread_mutex_unlock(&packer->lock);
    return slot;
}

static void
return_job(struct mxio_packer *packer, struct slot *slot)
{
    pthread_mutex_lock(&packer->lock);
    slot->made = true;
    if (slot == slot_locked(packer, 0))
        pthread_cond_signal(&packer->can_give);
    pthread_mutex_unlock(&packer->lock);
}

static void *
worker_main(void *context)
{
    struct worker *self = context;
    struct mxio_packer *packer = self->packer;
    struct slot *slot;

    while ((slot = take_job(packer)) !=
           NULL) { /* nobody else looks at a slot not made */
        slot->err.status = mxio_repack(self->repacker, &packer->recipe, &slot->job,
                                       &slot->record, &slot->err);
        return_job(packer, slot);
    }
    return NULL;
}

/* Signals are the main thread's: Ctrl-C must not interrupt these. With the lock. */
static enum mxio_status
run_locked(struct mxio_packer *packer, struct mxio_error *err)
{
    sigset_t all, before;
    int os_error = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (packer->running < packer->threads && os_error == 0) {
        struct worker *worker = &packer->workers[packer->running];
        os_error = pthread_create(&worker->thread, NULL, worker_main, worker);
        packer->running += os_error == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (packer->running == 0) /* fewer threads than asked for do the same work */
        return mxio_fail_os(err, os_error, "cannot start a packing thread");
    return MXIO_OK;
}

/* ---- life ---- */

static enum mxio_status
check_process(const struct mxio_packer *packer, struct mxio_error *err)
{
    if (packer->process != getpid())
        return mxio_fail(
            err, MXIO_ESTATE,
            "this packer was made in process %ld and cannot be used in its "
            "forked child %ld",
            (long)packer->process, (long)getpid());
    return MXIO_OK;
}

static void
free_parts(struct mxio_packer *packer)
{
    for (size_t i = 0; packer->workers != NULL && i < packer->threads; i++)
        mxio_repacker_free(packer->workers[i].repacker);
    mxio_free(packer->workers);
    mxio_free(packer->slots);
    mxio_free(packer);
}

static enum mxio_status
make_parts(struct mxio_packer *packer, struct mxio_error *err)
{
    enum mxio_status status = MXIO_OK;

    packer->slots = mxio_alloc(packer->depth * sizeof *packer->slots);
    packer->workers = mxio_alloc(packer->threads * sizeof *packer->workers);
    if (packer->slots == NULL || packer->workers == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for %zu packing threads",
                         packer->threads);
    for (size_t i = 0; i < packer->threads && status == MXIO_OK; i++) {
        packer->workers[i].packer = packer;
        status = mxio_repacker_new(&packer->workers[i].repacker, err);
    }
    return status;
}

enum mxio_status
mxio_packer_new(struct mxio_packer **out, const struct mxio_recipe *recipe,
                size_t threads, size_t depth, struct mxio_error *err)
{
    struct mxio_packer *packer = mxio_alloc(sizeof *packer);
    pthread_condattr_t monotonic;

    if (packer == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for a packer");
    packer->process = getpid();
    packer->recipe = *recipe;
    packer->threads = threads;
    packer->depth = depth;
    const enum mxio_status status = make_parts(packer, err);
    if (status != MXIO_OK) {
        free_parts(packer);
        return status;
    }
    pthread_mutex_init(&packer->lock, NULL);
    pthread_cond_init(&packer->can_make, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&packer->can_give, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = packer;
    return MXIO_OK;
}

void
mxio_packer_close(struct mxio_packer *packer)
{
    if (packer->process != getpid())
        return;
    pthread_mutex_lock(&packer->lock);
    const size_t running = packer->running;
    packer->running = 0;
    packer->stopping = true;
    pthread_cond_broadcast(&packer->can_make);
    pthread_cond_broadcast(&packer->can_give);
    pthread_mutex_unlock(&packer->lock);
    for (size_t i = 0; i < running; i++)
        pthread_join(packer->workers[i].thread, NULL);
}

static void
slot_clear(struct slot *slot)
{
    mxio_free(slot->text);
    mxio_block_release(slot->record);
    *slot = (struct slot){.text = NULL};
}

void
mxio_packer_free(struct mxio_packer *packer)
{
    if (packer == NULL || packer->process != getpid())
        return;
    mxio_packer_close(packer);
    for (size_t i = 0; i < packer->depth; i++)
        slot_clear(&packer->slots[i]);
    pthread_cond_destroy(&packer->can_give);
    pthread_cond_destroy(&packer->can_make);
    pthread_mutex_destroy(&packer->lock);
    free_parts(packer);
}

/* ---- the caller ---- */

static enum mxio_status
copy_job(struct slot *slot, const struct mxio_pack_job *job, struct mxio_error *err)
{
    const size_t path_size = strlen(job->path) + 1;
    uint8_t *text = mxio_alloc(path_size + job->head_size);

    if (text == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for the name of a picture");
    memcpy(text, job->path, path_size);
    memcpy(text + path_size, job->head, job->head_size);
    *slot = (struct slot){.job = {.path = (const char *)text,
                                  .head = text + path_size,
                                  .head_size = job->head_size,
                                  .inter = job->inter},
                          .text = text,
                          .err = MXIO_NO_ERROR};
    return MXIO_OK;
}

enum mxio_status
mxio_packer_add(struct mxio_packer *packer, const struct mxio_pack_job *job,
                struct mxio_error *err)
{
    enum mxio_status status = check_process(packer, err);

    if (status != MXIO_OK)
        return status;
    pthread_mutex_lock(&packer->lock);
    if (packer->stopping)
        status = mxio_fail(err, MXIO_ESTATE, "the packer is closed");
    else if (packer->count == packer->depth)
        status = mxio_fail(err, MXIO_ESTATE,
                           "%zu jobs are inside, the most there may be", packer->depth);
    else if (packer->running == 0)
        status = run_locked(packer, err);
    if (status == MXIO_OK)
        status = copy_job(slot_locked(packer, packer->count), job, err);
    if (status == MXIO_OK) {
        packer->count++;
        pthread_cond_signal(&packer->can_make);
    }
    pthread_mutex_unlock(&packer->lock);
    return status;
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

/* Wait until the oldest job is made, or the time is over. */
static enum mxio_status
wait_locked(struct mxio_packer *packer, int milliseconds, struct mxio_error *err)
{
    const struct timespec until = in_milliseconds(milliseconds);

    while (!packer->stopping && packer->count > 0 && !slot_locked(packer, 0)->made)
        if (pthread_cond_timedwait(&packer->can_give, &packer->lock, &until) ==
            ETIMEDOUT)
            break;
    if (packer->stopping)
        return mxio_fail(err, MXIO_ESTATE, "the packer is closed");
    if (packer->count == 0)
        return mxio_fail(err, MXIO_ESTATE, "no job is inside");
    return MXIO_OK;
}

enum mxio_status
mxio_packer_next(struct mxio_packer *packer, int milliseconds, bool *ready,
                 struct mxio_block **out, struct mxio_error *err)
{
    enum mxio_status status = check_process(packer, err);

    if (status != MXIO_OK)
        return status;
    pthread_mutex_lock(&packer->lock);
    status = wait_locked(packer, milliseconds, err);
    *ready = status == MXIO_OK && slot_locked(packer, 0)->made;
    if (*ready) {
        struct slot *slot = slot_locked(packer, 0);
        status = slot->err.status;
        if (status == MXIO_OK)
            *out = slot->record;
        else
            *err = slot->err;
        slot->record = NULL;
        slot_clear(slot);
        packer->first = (packer->first + 1) % packer->depth;
        packer->count--;
        packer->taken--;
    }
    pthread_mutex_unlock(&packer->lock);
    return status;
}
