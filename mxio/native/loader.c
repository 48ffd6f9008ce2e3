#include "loader.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "detlabel.h"
#include "order.h"
#include "recordio.h"

struct worker {
    struct mxio_loader *loader;
    struct mxio_sampler *sampler;
};

struct mxio_loader {
    pid_t process;
    struct mxio_params params;
    struct mxio_reader *reader;
    struct mxio_labels *labels;
    struct mxio_emitter emitter;
    struct mxio_source source;
    struct mxio_pool *pool;
    size_t label_offset, id_offset; /* in a block */
    struct mxio_sampler *own;       /* the consumer's */
    struct mxio_tickets tickets;
    pthread_t *threads;
    struct worker *workers;
    size_t thread_count, threads_started;
};

static struct mxio_sample
sample_at(const struct mxio_loader *loader, const struct mxio_block *block, size_t row)
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

static void
make_sample(struct worker *self, struct mxio_ticket *ticket, struct mxio_error *err)
{
    struct mxio_loader *loader = self->loader;
    const struct mxio_sample out = sample_at(loader, ticket->slot->block, ticket->row);
    enum mxio_status status =
        mxio_sampler_make(self->sampler, &ticket->what.ask, &out, err);

    while (mxio_tickets_replaces(&loader->tickets, status)) {
        status = mxio_tickets_next_candidate(&loader->tickets, &ticket->what, err);
        if (status != MXIO_OK)
            return;
        status = mxio_sampler_make(self->sampler, &ticket->what.ask, &out, err);
    }
    ticket->what.foreign = status == MXIO_EFOREIGN;
}

static void *
worker_main(void *arg)
{
    struct worker *self = arg;
    struct mxio_ticket ticket;

    while (mxio_tickets_take(&self->loader->tickets, &ticket)) {
        struct mxio_error err = MXIO_NO_ERROR;
        make_sample(self, &ticket, &err);
        mxio_tickets_give_back(&self->loader->tickets, &ticket, &err);
    }
    return NULL;
}

/* ---- life ---- */

static enum mxio_status
check_process(const struct mxio_loader *loader, struct mxio_error *err)
{
    if (loader->process != getpid())
        return mxio_fail(
            err, MXIO_ESTATE,
            "this loader was made in process %ld and cannot be used in its forked child %ld: make it in the child",
            (long)loader->process, (long)getpid());
    return MXIO_OK;
}

void
mxio_loader_close(struct mxio_loader *loader)
{
    if (loader->process != getpid())
        return;
    mxio_tickets_stop(&loader->tickets);
    pthread_mutex_lock(&loader->tickets.lock); /* another may be closing, or starting */
    const size_t started = loader->threads_started;
    loader->threads_started = 0;
    pthread_mutex_unlock(&loader->tickets.lock);
    for (size_t i = 0; i < started; i++)
        pthread_join(loader->threads[i], NULL);
}

void
mxio_loader_free(struct mxio_loader *loader)
{
    if (loader == NULL || loader->process != getpid())
        return;
    if (loader->threads_started > 0)
        mxio_loader_close(loader);
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

static struct mxio_order
order_of(const struct mxio_params *params, bool running)
{
    static const enum mxio_ending endings[] = {[MXIO_LAST_DROP] = MXIO_END_DROP,
                                               [MXIO_LAST_PAD] = MXIO_END_REPEAT,
                                               [MXIO_LAST_PARTIAL] = MXIO_END_SHORT};

    return (struct mxio_order){.seed = params->seed,
                               .shuffle = params->shuffle != 0,
                               .ending = !running ? endings[params->last_batch]
                                         : params->round_batch ? MXIO_END_WRAP
                                                               : MXIO_END_SHORT,
                               .batch_size = (uint64_t)params->batch_size,
                               .world = params->world_size == MXIO_NONE
                                            ? 1
                                            : (uint64_t)params->world_size,
                               .rank = params->rank == MXIO_NONE
                                           ? 0
                                           : (uint64_t)params->rank,
                               .sequential = running};
}

static enum mxio_status
open_inputs(struct mxio_loader *loader, const struct mxio_loader_inputs *inputs,
            enum mxio_input *about, struct mxio_error *err)
{
    const struct mxio_params *params = &loader->params;

    *about = MXIO_INPUT_DATA;
    enum mxio_status status =
        mxio_reader_open(&loader->reader, inputs->paths, inputs->path_count, err);
    if (status == MXIO_OK && inputs->index_text != NULL) {
        *about = MXIO_INPUT_INDEX;
        status = use_index(loader, inputs, err);
    }
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
    /* Idle blocks: what a consumer drops while it holds a batch or two. */
    const enum mxio_status status =
        mxio_pool_new(&loader->pool, loader->id_offset + batch_size * sizeof(uint64_t),
                      2, err);
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
    const struct mxio_order order = order_of(&loader->params, inputs->running);

    enum mxio_status status = open_inputs(loader, inputs, about, err);
    if (status == MXIO_OK)
        status = mxio_tickets_init(&loader->tickets, &loader->params, loader->reader,
                                   &order, err);
    if (status == MXIO_OK && loader->params.detect)
        status = mxio_detlabel_settle(&loader->params, loader->reader,
                                      &loader->tickets.extent, loader->labels, err);
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
mxio_loader_start(struct mxio_loader *loader, uint64_t epoch, uint64_t carry,
                  uint64_t batch, uint64_t step, struct mxio_error *err)
{
    const enum mxio_status status = check_process(loader, err);
    const struct mxio_cursor from =
        mxio_cursor_make(&loader->tickets.order, epoch, carry, batch, step);

    if (status == MXIO_OK)
        mxio_tickets_start(&loader->tickets, &from);
    return status;
}

/* ---- the consumer ---- */

/* Rows without a record are zeros. */
static void
clear_rows(const struct mxio_loader *loader, struct mxio_block *block, size_t rows)
{
    const size_t batch_size = (size_t)loader->params.batch_size;
    const struct mxio_sample first = sample_at(loader, block, rows);
    const struct mxio_sample end = sample_at(loader, block, batch_size);

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

    enum mxio_status status = check_process(loader, err);
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

/* The first row that still waits for the caller; those before it are done. */
static struct mxio_row *
foreign_row(struct mxio_loader *loader, size_t *number)
{
    const struct mxio_slot *taken = &loader->tickets.taken;

    for (size_t i = 0; i < taken->given; i++)
        if (taken->rows[i].foreign) {
            *number = i;
            return &taken->rows[i];
        }
    return NULL;
}

bool
mxio_loader_has_foreign(struct mxio_loader *loader)
{
    size_t number;

    return foreign_row(loader, &number) != NULL;
}

enum mxio_status
mxio_loader_foreign(struct mxio_loader *loader, const uint8_t **bytes, size_t *size,
                    struct mxio_error *err)
{
    size_t number;
    const struct mxio_row *row = foreign_row(loader, &number);

    if (row == NULL)
        return mxio_fail(err, MXIO_ESTATE, "no row is left to decode");
    return mxio_sampler_picture(loader->own, &row->ask, bytes, size, err);
}

enum mxio_status
mxio_loader_finish(struct mxio_loader *loader, const struct mxio_delivery *delivery,
                   const struct mxio_view *pixels, struct mxio_error *err)
{
    size_t number = 0;
    struct mxio_row *row = foreign_row(loader, &number);

    if (row == NULL)
        return mxio_fail(err, MXIO_ESTATE, "no row is left to decode");
    const struct mxio_sample out = sample_at(loader, delivery->block, number);
    const enum mxio_status status =
        mxio_sampler_finish(loader->own, &row->ask, pixels, &out, err);
    row->foreign = status != MXIO_OK;
    return status;
}

/* Another record for the row; it may be foreign, too. */
static enum mxio_status
replace_row(struct mxio_loader *loader, const struct mxio_delivery *delivery,
            struct mxio_row *row, size_t number, struct mxio_error *err)
{
    const struct mxio_sample out = sample_at(loader, delivery->block, number);
    enum mxio_status status = err->status;

    while (mxio_tickets_replaces(&loader->tickets, status)) {
        status = mxio_tickets_next_candidate(&loader->tickets, row, err);
        if (status != MXIO_OK)
            return status;
        status = mxio_sampler_make(loader->own, &row->ask, &out, err);
    }
    row->foreign = status == MXIO_EFOREIGN;
    return row->foreign ? MXIO_OK : status;
}

enum mxio_status
mxio_loader_reject(struct mxio_loader *loader, const struct mxio_delivery *delivery,
                   bool *redo, struct mxio_error *err)
{
    size_t number = 0;
    struct mxio_row *row = foreign_row(loader, &number);

    *redo = false;
    if (row == NULL)
        return mxio_fail(err, MXIO_ESTATE, "no row is left to decode");
    err->record = (int64_t)row->ask.record;
    mxio_reader_name_place(loader->reader, row->ask.place.offset, err);
    if (mxio_tickets_replaces(&loader->tickets, err->status))
        return replace_row(loader, delivery, row, number, err);
    if (loader->params.on_error != MXIO_SKIP)
        return err->status;
    const enum mxio_status status = mxio_tickets_redo(&loader->tickets, err);
    *redo = status == MXIO_OK;
    return status;
}

size_t
mxio_loader_label_width(const struct mxio_loader *loader)
{
    return (size_t)loader->params.label_width;
}

uint64_t
mxio_loader_carry(struct mxio_loader *loader)
{
    return loader->tickets.taken.wrapped;
}

enum mxio_status
mxio_loader_count(struct mxio_loader *loader, uint64_t *out, struct mxio_error *err)
{
    const enum mxio_status process = check_process(loader, err);

    return process != MXIO_OK ? process
                              : mxio_tickets_count(&loader->tickets, out, err);
}

uint64_t
mxio_loader_batches(struct mxio_loader *loader, uint64_t count, uint64_t batch,
                    uint64_t step)
{
    return mxio_order_batches(&loader->tickets.order, count, batch, step);
}

enum mxio_status
mxio_loader_offsets(struct mxio_loader *loader, struct mxio_block **out,
                    struct mxio_error *err)
{
    uint64_t ignored;
    const enum mxio_status status = mxio_loader_count(loader, &ignored, err);

    return status != MXIO_OK ? status
                             : mxio_tickets_offsets(&loader->tickets, out, err);
}

enum mxio_status
mxio_loader_errors(struct mxio_loader *loader, struct mxio_error **out, size_t *count,
                   struct mxio_error *err)
{
    const enum mxio_status status = check_process(loader, err);

    return status != MXIO_OK ? status
                             : mxio_tickets_errors(&loader->tickets, out, count, err);
}

void
mxio_loader_memory(struct mxio_loader *loader, size_t *used, size_t *idle)
{
    mxio_pool_count(loader->pool, used, idle);
}
