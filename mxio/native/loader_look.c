/* Questions to a loader. */
#include <errno.h>

#include "loader_inner.h"

size_t
mxio_loader_label_width(const struct mxio_loader *loader)
{
    return (size_t)loader->params.label_width;
}

void
mxio_loader_progress(const struct mxio_loader *loader, uint64_t *used, uint64_t *carry)
{
    *used = loader->tickets.taken.used;
    *carry = loader->tickets.taken.wrapped;
}

enum mxio_status
mxio_loader_work(struct mxio_loader *loader, struct mxio_work *out,
                 struct mxio_error *err)
{
    struct mxio_tickets *tickets = &loader->tickets;
    const enum mxio_status status = mxio_loader_check_process(loader, err);

    if (status != MXIO_OK)
        return status;
    pthread_mutex_lock(&tickets->lock);
    *out = (struct mxio_work){.spent = tickets->spent,
                              .idle = tickets->idle,
                              .waited = tickets->waited,
                              .runs = tickets->runs};
    pthread_mutex_unlock(&tickets->lock);
    return MXIO_OK;
}

/* The worker that the next batch waits for most: NULL when all are idle. */
static const struct worker *
slowest_locked(const struct mxio_loader *loader)
{
    const struct worker *found = NULL;

    for (size_t i = 0; i < loader->threads_started; i++) {
        const struct worker *worker = &loader->workers[i];
        if (worker->ticket.slot != NULL &&
            (found == NULL || worker->ticket.slot->number < found->ticket.slot->number))
            found = worker;
    }
    return found;
}

/* Say where heads are looked for. */
static void
name_reading(struct mxio_loader *loader, struct mxio_error *err)
{
    struct mxio_sight sight;

    mxio_lookout_see(&loader->tickets.lookout, &sight);
    err->file = mxio_reader_file_open_as(loader->reader, sight.descriptor);
    if (err->file >= 0)
        err->offset = (int64_t)sight.offset;
}

enum mxio_status
mxio_loader_stuck(struct mxio_loader *loader, struct mxio_error *err)
{
    static const char *const doing[] = {[MXIO_STAGE_READ] = "reading",
                                        [MXIO_STAGE_DECODE] = "decoding",
                                        [MXIO_STAGE_TRANSFORM] = "transforming"};
    struct mxio_tickets *tickets = &loader->tickets;
    const double timeout = loader->params.timeout;

    err->os_error = ETIMEDOUT;
    pthread_mutex_lock(&tickets->lock);
    const struct worker *worker = slowest_locked(loader);
    if (worker == NULL && tickets->learning) {
        name_reading(loader, err);
        mxio_fail(
            err, MXIO_EIO,
            "no batch within timeout=%g s: a worker is stuck looking for the next "
            "record head",
            timeout);
    } else if (worker == NULL) {
        mxio_fail(err, MXIO_EIO, "no batch within timeout=%g s: all workers are idle",
                  timeout);
    } else {
        const size_t at = atomic_load_explicit(&worker->at, memory_order_relaxed);
        const size_t last = worker->ticket.count - 1;
        struct mxio_row row = worker->ticket.rows[at < last ? at : last];
        if (mxio_tickets_locate(tickets, &row, err) == MXIO_OK) {
            err->record = (int64_t)row.ask.record;
            mxio_reader_name_place(loader->reader, row.ask.place.offset, err);
        }
        mxio_fail(err, MXIO_EIO, "no batch within timeout=%g s: a worker is stuck %s",
                  timeout, doing[mxio_sampler_stage(worker->sampler)]);
    }
    pthread_mutex_unlock(&tickets->lock);
    return MXIO_EIO;
}

enum mxio_status
mxio_loader_count(struct mxio_loader *loader, uint64_t *out, struct mxio_error *err)
{
    const enum mxio_status process = mxio_loader_check_process(loader, err);

    return process != MXIO_OK ? process
                              : mxio_tickets_count(&loader->tickets, out, err);
}

uint64_t
mxio_loader_batches(struct mxio_loader *loader, uint64_t count, uint64_t batch,
                    uint64_t step)
{
    return mxio_order_batches(&loader->tickets.share.order, count, batch, step);
}

enum mxio_status
mxio_loader_offsets(struct mxio_loader *loader, struct mxio_block **out,
                    struct mxio_error *err)
{
    const enum mxio_status status = mxio_loader_check_process(loader, err);

    if (status != MXIO_OK)
        return status;
    /* Workers that read chosen records look at the offsets known without a lock. */
    if (loader->threads != NULL)
        return mxio_fail(err, MXIO_ESTATE,
                         "offsets are told before the first batch only");
    return mxio_tickets_offsets(&loader->tickets, out, err);
}

enum mxio_status
mxio_loader_errors(struct mxio_loader *loader, struct mxio_error **out, size_t *count,
                   struct mxio_error *err)
{
    const enum mxio_status status = mxio_loader_check_process(loader, err);

    return status != MXIO_OK ? status
                             : mxio_tickets_errors(&loader->tickets, out, count, err);
}

void
mxio_loader_memory(struct mxio_loader *loader, size_t *used, size_t *idle)
{
    mxio_pool_count(loader->pool, used, idle);
}
