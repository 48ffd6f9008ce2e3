#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "detlabel.h"
#include "loader_inner.h"
#include "order.h"
#include "recordio.h"

struct mxio_sample
mxio_loader_sample_at(const struct mxio_loader *loader, const struct mxio_block *block,
                      size_t row)
{
    const struct mxio_params *params = &loader->params;
    const size_t data_size =
        mxio_params_sample_values(params) * mxio_params_value_size(params);
    const size_t label_size = (size_t)params->label_width * mxio_label_size(params);

    return (struct mxio_sample){.data = block->bytes + row * data_size,
                                .label = block->bytes + loader->label_offset +
                                         row * label_size,
                                .id = (uint64_t *)(void *)(block->bytes +
                                                           loader->id_offset) +
                                      row};
}

/* Make row i of the worker's ticket, in made[i]. */
static enum mxio_status
make_row(struct worker *self, size_t i, struct mxio_error *err)
{
    struct mxio_loader *loader = self->loader;
    struct mxio_tickets *tickets = &loader->tickets;
    struct mxio_row *row = &self->made[i];
    const struct mxio_sample out =
        mxio_loader_sample_at(loader, self->ticket.slot->block, self->ticket.first + i);

    *row = self->ticket.rows[i];
    atomic_store_explicit(&self->at, i, memory_order_relaxed);
    enum mxio_status status = mxio_tickets_locate(tickets, row, err);
    if (status != MXIO_OK)
        return status;
    status = mxio_sampler_make(self->sampler, &row->ask, &out, err);
    while (mxio_tickets_replaces(tickets, status)) {
        status = mxio_tickets_next_candidate(tickets, row, err);
        if (status != MXIO_OK)
            return status;
        status = mxio_sampler_make(self->sampler, &row->ask, &out, err);
    }
    row->foreign = status == MXIO_EFOREIGN;
    return row->foreign ? MXIO_OK : status;
}

/* Rows that lie one behind the other are read at once. */
static void
read_ahead(struct worker *self)
{
    const struct mxio_ticket *ticket = &self->ticket;
    struct mxio_row first = ticket->rows[0], last = ticket->rows[ticket->count - 1];
    struct mxio_error ignored = MXIO_NO_ERROR; /* of a row, when it is made */

    /* Should the reading hang, it is said to be of the first row. */
    atomic_store_explicit(&self->at, 0, memory_order_relaxed);
    if (ticket->count < 2 ||
        mxio_tickets_locate(&self->loader->tickets, &first, &ignored) != MXIO_OK ||
        mxio_tickets_locate(&self->loader->tickets, &last, &ignored) != MXIO_OK ||
        last.ask.record - first.ask.record != ticket->count - 1)
        return;
    mxio_sampler_expect(self->sampler, (struct mxio_place){first.ask.place.offset,
                                                           last.ask.place.end});
}

static void *
worker_main(void *arg)
{
    struct worker *self = arg;
    struct mxio_tickets *tickets = &self->loader->tickets;

    while (mxio_tickets_take(tickets, &self->ticket)) {
        read_ahead(self);
        for (size_t i = 0; i < self->ticket.count; i++) {
            struct mxio_error err = MXIO_NO_ERROR;
            if (make_row(self, i, &err) != MXIO_OK)
                mxio_tickets_fail(tickets, &self->ticket, i, &err);
        }
        self->ticket.spent = mxio_sampler_spent(self->sampler);
        mxio_tickets_give_back(tickets, &self->ticket, self->made);
    }
    mxio_tickets_leave(tickets);
    return NULL;
}

/* ---- life ---- */

enum mxio_status
mxio_loader_check_process(const struct mxio_loader *loader, struct mxio_error *err)
{
    if (loader->process != getpid())
        return mxio_fail(
            err, MXIO_ESTATE,
            "this loader was made in process %ld and cannot be used in its forked child %ld: make it in the child",
            (long)loader->process, (long)getpid());
    return MXIO_OK;
}

int
mxio_loader_patience(const struct mxio_loader *loader)
{
    const double milliseconds = loader->params.timeout * 1000;

    return milliseconds > 0 && milliseconds < INT_MAX ? (int)milliseconds + 1 : INT_MAX;
}

/* Threads that came back, or never were: true. */
static bool
join_threads(struct mxio_loader *loader)
{
    if (!mxio_tickets_stop(&loader->tickets, mxio_loader_patience(loader)))
        return false;
    pthread_mutex_lock(&loader->tickets.lock); /* another may be closing */
    const size_t started = loader->threads_started;
    loader->threads_started = 0;
    pthread_mutex_unlock(&loader->tickets.lock);
    for (size_t i = 0; i < started; i++)
        pthread_join(loader->threads[i], NULL);
    return true;
}

void
mxio_loader_close(struct mxio_loader *loader)
{
    if (loader->process != getpid() || loader->abandoned || join_threads(loader))
        return;
    loader->abandoned = true;
    for (size_t i = 0; i < loader->threads_started; i++)
        pthread_detach(loader->threads[i]);
}

bool
mxio_loader_free(struct mxio_loader *loader)
{
    if (loader == NULL || loader->process != getpid())
        return true;
    if (loader->threads_started > 0)
        mxio_loader_close(loader);
    if (loader->abandoned)
        return false;
    mxio_tickets_destroy(&loader->tickets);
    for (size_t i = 0; loader->workers != NULL && i < loader->thread_count; i++)
        mxio_sampler_free(loader->workers[i].sampler);
    mxio_free(loader->workers);
    mxio_free(loader->threads);
    mxio_sampler_free(loader->own);
    mxio_pool_close(loader->pool);
    mxio_emitter_free(&loader->emitter);
    mxio_labels_free(loader->labels);
    mxio_reader_free(loader->reader);
    mxio_params_free(&loader->params);
    mxio_free(loader);
    return true;
}

static enum mxio_status
use_index(struct mxio_loader *loader, const struct mxio_loader_inputs *inputs,
          struct mxio_error *err)
{
    size_t count = inputs->index_size / 4 + 1; /* "0\t0\n" is the shortest line */
    int64_t *keys = mxio_alloc(count * sizeof *keys);
    uint64_t *offsets = mxio_alloc(count * sizeof *offsets);
    enum mxio_status status =
        keys == NULL || offsets == NULL
            ? mxio_fail(err, MXIO_ENOMEM, "no memory for an index of %zu bytes",
                        inputs->index_size)
            : mxio_recordio_parse_index(inputs->index_text, inputs->index_size, keys,
                                        offsets, &count, err);

    if (status == MXIO_OK)
        status = mxio_reader_use_index(loader->reader, offsets, count, err);
    mxio_free(keys);
    mxio_free(offsets);
    return status;
}

static enum mxio_status
open_inputs(struct mxio_loader *loader, const struct mxio_loader_inputs *inputs,
            enum mxio_input *about, struct mxio_error *err)
{
    const struct mxio_params *params = &loader->params;

    *about = MXIO_INPUT_DATA;
    enum mxio_status status =
        mxio_reader_open(&loader->reader, inputs->paths, inputs->path_count, err);
    if (status == MXIO_OK && inputs->offsets != NULL)
        status = mxio_reader_borrow_offsets(loader->reader, inputs->offsets,
                                            inputs->offset_count,
                                            params->path_imgidx[0] != '\0', err);
    else if (status == MXIO_OK && inputs->index_text != NULL) {
        *about = MXIO_INPUT_INDEX;
        status = use_index(loader, inputs, err);
    }
    if (status == MXIO_OK)
        status = mxio_reader_select(loader->reader, &inputs->selection, err);
    if (status == MXIO_OK && inputs->list_text != NULL) {
        *about = MXIO_INPUT_LIST;
        status = mxio_labels_parse(&loader->labels, inputs->list_text,
                                   inputs->list_size, mxio_params_listed(params), err);
    }
    if (status == MXIO_OK)
        *about = MXIO_INPUT_DATA;
    return status;
}

static enum mxio_status
make_room(struct mxio_loader *loader, struct mxio_error *err)
{
    const struct mxio_params *params = &loader->params;
    const size_t batch_size = (size_t)params->batch_size;
    const size_t data_size =
        mxio_params_sample_values(params) * mxio_params_value_size(params) * batch_size;
    const size_t label_size =
        (size_t)params->label_width * mxio_label_size(params) * batch_size;

    loader->label_offset = (data_size + 63) & ~(size_t)63;
    loader->id_offset = (loader->label_offset + label_size + 63) & ~(size_t)63;
    /* Idle blocks: what a consumer drops that holds some batches and drops all at once.
     */
    const size_t keep = loader->tickets.depth > 2 ? loader->tickets.depth : 2;
    loader->block_size = loader->id_offset + batch_size * sizeof(uint64_t);
    const enum mxio_status status =
        mxio_pool_new(&loader->pool, loader->block_size, keep, err);
    return status != MXIO_OK ? status
                             : mxio_sampler_new(&loader->own, &loader->source, err);
}

enum mxio_status
mxio_loader_new(struct mxio_loader **out, const struct mxio_loader_inputs *inputs,
                enum mxio_input *about, struct mxio_error *err)
{
    struct mxio_loader *loader = mxio_alloc(sizeof *loader);

    *about = MXIO_INPUT_DATA;
    if (loader == NULL) {
        mxio_params_free(inputs->params);
        return mxio_fail(err, MXIO_ENOMEM, "no memory for a loader");
    }
    loader->process = getpid();
    loader->params = *inputs->params;
    loader->thread_count = inputs->thread_count;
    const struct mxio_order order = mxio_order_of(&loader->params, inputs->running);

    enum mxio_status status = open_inputs(loader, inputs, about, err);
    if (status == MXIO_OK)
        status = mxio_tickets_init(&loader->tickets, &loader->params, loader->reader,
                                   &order, err);
    if (status == MXIO_OK && loader->params.detect)
        status =
            mxio_detlabel_settle(&loader->params, loader->reader,
                                 &loader->tickets.share.extent, loader->labels, err);
    if (status == MXIO_OK)
        status =
            mxio_emitter_make(&loader->emitter, &loader->params, inputs->mean, err);
    loader->source = (struct mxio_source){.params = &loader->params,
                                          .reader = loader->reader,
                                          .labels = loader->labels,
                                          .emitter = &loader->emitter};
    if (status == MXIO_OK)
        status = make_room(loader, err);
    if (status != MXIO_OK) {
        mxio_loader_free(loader);
        return status;
    }
    *out = loader;
    return MXIO_OK;
}

/* Batch memory and samplers come with the first batch, not with the constructor. */
static enum mxio_status
make_workers(struct mxio_loader *loader, struct mxio_error *err)
{
    struct mxio_slot *slots = loader->tickets.slots;
    enum mxio_status status = MXIO_OK;

    for (size_t i = 0; i < loader->tickets.depth && status == MXIO_OK; i++)
        if (slots[i].block == NULL)
            status = mxio_pool_get(loader->pool, &slots[i].block, err);
    if (status != MXIO_OK)
        return status;
    loader->threads = mxio_alloc(loader->thread_count * sizeof *loader->threads);
    loader->workers = mxio_alloc(loader->thread_count * sizeof *loader->workers);
    if (loader->threads == NULL || loader->workers == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for %zu threads",
                         loader->thread_count);
    for (size_t i = 0; i < loader->thread_count && status == MXIO_OK; i++) {
        loader->workers[i].loader = loader;
        status = mxio_sampler_new(&loader->workers[i].sampler, &loader->source, err);
    }
    return status;
}

/* Signals are the main thread's: a worker must not be the one that Ctrl-C interrupts. */
static enum mxio_status
start_threads_locked(struct mxio_loader *loader, struct mxio_error *err)
{
    int os_error = 0;
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t i = 0; i < loader->thread_count && os_error == 0; i++) {
        os_error =
            pthread_create(&loader->threads[i], NULL, worker_main, &loader->workers[i]);
        loader->threads_started += os_error == 0;
        loader->tickets.workers += os_error == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (os_error != 0)
        return mxio_fail_os(err, os_error, "cannot start worker thread %zu of %zu",
                            loader->threads_started + 1, loader->thread_count);
    return MXIO_OK;
}

static enum mxio_status
start_workers(struct mxio_loader *loader, struct mxio_error *err)
{
    enum mxio_status status = make_workers(loader, err);

    if (status != MXIO_OK)
        return status;
    pthread_mutex_lock(&loader->tickets.lock); /* a close may be under way */
    if (!loader->tickets.stopping)
        status = start_threads_locked(loader, err);
    pthread_mutex_unlock(&loader->tickets.lock);
    return status;
}

enum mxio_status
mxio_loader_start(struct mxio_loader *loader, uint64_t epoch, uint64_t base,
                  uint64_t batch, uint64_t step, struct mxio_error *err)
{
    const enum mxio_status status = mxio_loader_check_process(loader, err);
    const struct mxio_cursor from =
        mxio_cursor_make(&loader->tickets.share.order, epoch, base, batch, step);

    if (status != MXIO_OK ||
        mxio_tickets_start(&loader->tickets, &from, mxio_loader_patience(loader)))
        return status;
    return mxio_loader_stuck(loader, err);
}

static bool
is_plain(const struct mxio_tickets *tickets)
{
    const struct mxio_order *order = &tickets->share.order;

    return !order->shuffle && order->world == 1 && order->ending == MXIO_END_SHORT &&
           !order->sequential && tickets->share.settled &&
           tickets->params->on_error != MXIO_SKIP;
}

enum mxio_status
mxio_loader_fetch(struct mxio_loader *loader, const uint64_t *at,
                  const uint64_t *epochs, size_t count, struct mxio_error *err)
{
    struct mxio_tickets *tickets = &loader->tickets;
    const enum mxio_status process = mxio_loader_check_process(loader, err);

    if (process != MXIO_OK)
        return process;
    if (!is_plain(tickets))
        return mxio_fail(err, MXIO_ESTATE,
                         "records are fetched by their places in plain order only");
    for (size_t i = 0; i < count; i++)
        if (at[i] >= tickets->share.count)
            return mxio_fail(err, MXIO_EPARAM,
                             "there is no record %llu, they are 0 to %llu",
                             (unsigned long long)at[i],
                             (unsigned long long)tickets->share.count - 1);
    struct mxio_wish *wishes = mxio_alloc((count + 1) * sizeof *wishes);
    if (wishes == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory to ask for %zu records", count);
    for (size_t i = 0; i < count; i++)
        wishes[i] = (struct mxio_wish){.at = at[i], .epoch = epochs[i]};
    if (mxio_tickets_wish(tickets, wishes, count, mxio_loader_patience(loader)))
        return MXIO_OK;
    mxio_free(wishes);
    return mxio_loader_stuck(loader, err);
}

/* ---- the consumer ---- */

size_t
mxio_loader_lacks(struct mxio_loader *loader)
{
    const struct mxio_tickets *tickets = &loader->tickets;
    size_t used, idle, needed = 1; /* in the place of the one that is given */

    if (loader->process != getpid())
        return 0; /* next says why; the pool's lock may be held by nobody */
    for (size_t i = 0; i < tickets->depth && loader->threads == NULL; i++)
        needed += tickets->slots[i].block == NULL;
    mxio_pool_count(loader->pool, &used, &idle);
    return idle < needed ? loader->block_size : 0;
}

enum mxio_status
mxio_loader_lend(struct mxio_loader *loader, uint8_t *bytes, size_t size,
                 struct mxio_error *err)
{
    const size_t alignment = _Alignof(max_align_t);
    const enum mxio_status process = mxio_loader_check_process(loader, err);

    if (process != MXIO_OK)
        return process;
    if (size < loader->block_size)
        return mxio_fail(err, MXIO_EPARAM,
                         "memory for a batch must have %zu bytes, got %zu",
                         loader->block_size, size);
    if ((uintptr_t)bytes % alignment != 0)
        return mxio_fail(err, MXIO_EPARAM,
                         "memory for a batch must begin at a multiple of %zu bytes",
                         alignment);
    return mxio_pool_lend(loader->pool, bytes, err);
}

/* Rows without a record are zeros. */
static void
clear_rows(const struct mxio_loader *loader, struct mxio_block *block, size_t rows)
{
    const size_t batch_size = (size_t)loader->params.batch_size;
    const struct mxio_sample first = mxio_loader_sample_at(loader, block, rows);
    const struct mxio_sample end = mxio_loader_sample_at(loader, block, batch_size);

    memset(first.data, 0, (size_t)((uint8_t *)end.data - (uint8_t *)first.data));
    memset(first.label, 0, (size_t)((uint8_t *)end.label - (uint8_t *)first.label));
    memset(first.id, 0, (batch_size - rows) * sizeof *first.id);
}

enum mxio_status
mxio_loader_next(struct mxio_loader *loader, int milliseconds, enum mxio_wait *wait,
                 struct mxio_delivery *out, struct mxio_error *err)
{
    struct mxio_block *empty;
    struct mxio_slot *taken = &loader->tickets.taken;

    enum mxio_status status = mxio_loader_check_process(loader, err);
    if (status != MXIO_OK)
        return status;
    if (loader->threads == NULL) {
        status = start_workers(loader, err);
        if (status != MXIO_OK) {
            mxio_loader_close(loader);
            return status;
        }
    }
    status = mxio_pool_get(loader->pool, &empty, err);
    if (status != MXIO_OK)
        return status;
    *wait = mxio_tickets_next(&loader->tickets, milliseconds, empty);
    if (*wait != MXIO_GIVEN)
        mxio_block_release(empty);
    if (*wait == MXIO_STOPPED)
        return mxio_fail(err, MXIO_ESTATE, "the loader is closed");
    if (*wait != MXIO_GIVEN)
        return MXIO_OK;
    if (taken->err.status != MXIO_OK) {
        mxio_block_release(taken->block);
        *err = taken->err;
        return err->status;
    }
    *out = (struct mxio_delivery){.block = taken->block,
                                  .label_offset = loader->label_offset,
                                  .id_offset = loader->id_offset,
                                  .rows = taken->given,
                                  .pad = taken->pad};
    for (size_t i = 0; i < taken->given; i++)
        out->foreign_count += taken->rows[i].foreign;
    clear_rows(loader, taken->block, taken->given);
    return MXIO_OK;
}
