#include "loader.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "order.h"
#include "recordio.h"

enum slot_state { SLOT_FREE, SLOT_FILLING, SLOT_READY };

struct row {
    struct mxio_ask ask;
    uint64_t position; /* of the ask, in its epoch */
    bool foreign;
};

/* A batch being made. */
struct slot {
    enum slot_state state;
    uint64_t number;           /* of the batch, since start */
    struct mxio_cursor before; /* the cursor at its first row */
    struct mxio_block *block;
    struct row *rows;          /* batch_size */
    size_t given, done;        /* tickets */
    size_t pad;
    uint64_t wrapped;          /* positions of the next epoch used when it was complete */
    bool closed;               /* no more tickets */
    struct mxio_error err;     /* the failure of the lowest row */
    size_t err_row;
};

struct mxio_loader {
    pid_t process;
    bool running;
    struct mxio_params params;
    struct mxio_reader *reader;
    struct mxio_labels *labels;
    struct mxio_emitter emitter;
    struct mxio_source source;
    struct mxio_order order;
    struct mxio_extent extent;
    struct mxio_pool *pool;
    size_t label_offset, id_offset;
    struct mxio_sampler *own; /* the consumer's */
    struct slot taken;        /* the batch delivered last */
    pthread_t *threads;
    struct worker *workers;
    size_t thread_count, threads_started;

    pthread_mutex_t lock;    /* guards every field below, and what reader_locate changes */
    pthread_cond_t can_take; /* a slot became FREE, a redo is over, or stopping */
    pthread_cond_t can_give; /* a slot became READY, the epoch ended, or no ticket is out */
    struct slot *slots;
    size_t depth;
    struct mxio_cursor cursor;
    uint64_t count;          /* records of the part, or MXIO_UNKNOWN */
    uint64_t next_fill, next_give;
    uint64_t redo;           /* lowest batch to make again once no ticket is out, or NO_REDO */
    size_t out;              /* tickets */
    bool ended;              /* there is no batch next_fill */
    bool holding;            /* the consumer waits for all tickets: no new ones, no redo */
    bool stopping;
    struct mxio_error *bad;  /* records left out or replaced, by ordinal */
    size_t bad_count, bad_room;
};

#define NO_REDO UINT64_MAX

struct ticket {
    struct slot *slot;
    size_t row;
    struct row what;
};

struct worker {
    struct mxio_loader *loader;
    struct mxio_sampler *sampler;
};

/* ---- bad records ---- */

/* The place of a record in the list of bad ones, or where it would be. */
static size_t
bad_place(const struct mxio_loader *loader, int64_t record)
{
    size_t low = 0, high = loader->bad_count;

    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (loader->bad[middle].record < record)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool
is_bad_locked(const struct mxio_loader *loader, uint64_t record)
{
    const size_t place = bad_place(loader, (int64_t)record);

    return place < loader->bad_count && loader->bad[place].record == (int64_t)record;
}

/* Write the record down; a failure when there are too many. */
static enum mxio_status
note_bad_locked(struct mxio_loader *loader, struct mxio_error *err)
{
    const size_t place = bad_place(loader, err->record);

    if (place < loader->bad_count && loader->bad[place].record == err->record)
        return MXIO_OK;
    if (loader->bad_count >= (size_t)loader->params.max_errors) {
        char last[sizeof err->message];
        memcpy(last, err->message, sizeof last);
        return mxio_fail(err, err->status, "more than max_errors=%lld bad records; the last: %.400s",
                         (long long)loader->params.max_errors, last);
    }
    if (loader->bad_count == loader->bad_room) {
        const size_t room = loader->bad_room == 0 ? 16 : loader->bad_room * 2;
        struct mxio_error *bad = mxio_realloc(loader->bad, room * sizeof *bad);
        if (bad == NULL)
            return mxio_fail(err, MXIO_ENOMEM, "no memory for the list of bad records");
        loader->bad = bad;
        loader->bad_room = room;
    }
    memmove(loader->bad + place + 1, loader->bad + place,
            (loader->bad_count - place) * sizeof *loader->bad);
    loader->bad[place] = *err;
    loader->bad_count++;
    return MXIO_OK;
}

/* ---- tickets ---- */

static struct mxio_sample
sample_at(const struct mxio_loader *loader, const struct mxio_block *block, size_t row)
{
    const struct mxio_params *params = &loader->params;
    const size_t data_size = mxio_params_sample_values(params) * mxio_params_value_size(params);
    const size_t label_size = (size_t)params->label_width * mxio_label_size(params);

    return (struct mxio_sample){
        .data = block->bytes + row * data_size,
        .label = block->bytes + loader->label_offset + row * label_size,
        .id = (uint64_t *)(void *)(block->bytes + loader->id_offset) + row};
}

/* The record at a position of an epoch; learns the count when the position is behind the last. */
static enum mxio_status
find_record_locked(struct mxio_loader *loader, uint64_t epoch, uint64_t position, struct row *out,
                   bool *found, struct mxio_error *err)
{
    const uint64_t at = mxio_order_at(&loader->order, epoch, loader->count, position);
    struct mxio_place place;

    const enum mxio_status status =
        mxio_reader_locate(loader->reader, &loader->extent, at, &place, found, err);
    if (status != MXIO_OK)
        return status;
    if (!*found) {
        loader->count = position;
        return MXIO_OK;
    }
    *out = (struct row){.ask = {.epoch = epoch, .record = loader->extent.first + at, .place = place},
                        .position = position};
    return MXIO_OK;
}

/* Deal the next row of the batch that is being filled: a ticket, or word that there is none. */
static enum mxio_status
deal_row_locked(struct mxio_loader *loader, struct row *out, enum mxio_turn *turn,
                struct mxio_error *err)
{
    uint64_t left_out = 0;

    for (;;) {
        uint64_t epoch, position;
        bool found;
        *turn = mxio_cursor_look(&loader->cursor, &loader->order, loader->count, &epoch, &position);
        if (*turn == MXIO_TURN_TOO_BIG)
            return mxio_fail(err, MXIO_EPARAM, "batch_size=%lld needs more than the %llu records of two epochs: a batch may run on into one further epoch only",
                             (long long)loader->params.batch_size, (unsigned long long)loader->count);
        if (*turn != MXIO_TURN_RECORD && *turn != MXIO_TURN_EXTRA)
            return MXIO_OK;
        const enum mxio_status status =
            find_record_locked(loader, epoch, position, out, &found, err);
        if (status != MXIO_OK)
            return status;
        if (!found)
            continue;
        if (loader->params.on_error != MXIO_SKIP || !is_bad_locked(loader, out->ask.record)) {
            mxio_cursor_take(&loader->cursor, *turn);
            return MXIO_OK;
        }
        mxio_cursor_skip(&loader->cursor, *turn);
        if (loader->count != MXIO_UNKNOWN && ++left_out > loader->count)
            return mxio_fail(err, MXIO_EDATA, "all %llu records are bad", (unsigned long long)loader->count);
    }
}

static void
fail_row_locked(struct slot *slot, size_t row, const struct mxio_error *err)
{
    if (slot->err.status != MXIO_OK && slot->err_row <= row)
        return;
    slot->err = *err;
    slot->err_row = row;
}

/* All of its tickets are back: the batch can be given. */
static void
complete_slot_locked(struct mxio_loader *loader, struct slot *slot)
{
    if (!slot->closed || slot->done < slot->given || slot->state != SLOT_FILLING)
        return;
    slot->state = SLOT_READY;
    pthread_cond_broadcast(&loader->can_give);
}

static void
close_slot_locked(struct mxio_loader *loader, struct slot *slot)
{
    slot->closed = true;
    slot->wrapped = loader->cursor.wrapped;
    mxio_cursor_next_batch(&loader->cursor);
    loader->next_fill++;
    complete_slot_locked(loader, slot);
}

static void
end_epoch_locked(struct mxio_loader *loader, struct slot *slot)
{
    if (slot->given == 0)
        slot->state = SLOT_FREE;
    loader->ended = true;
    pthread_cond_broadcast(&loader->can_give);
}

/* Begin batch next_fill in its slot, if the slot is free. */
static struct slot *
slot_to_fill_locked(struct mxio_loader *loader)
{
    struct slot *slot = &loader->slots[loader->next_fill % loader->depth];

    if (slot->state == SLOT_FREE) {
        slot->state = SLOT_FILLING;
        slot->number = loader->next_fill;
        slot->before = loader->cursor;
        slot->given = slot->done = slot->pad = 0;
        slot->closed = false;
        slot->err = MXIO_NO_ERROR;
    }
    return slot->state == SLOT_FILLING && slot->number == loader->next_fill ? slot : NULL;
}

/* One step towards a ticket: true when there is one. */
static bool
try_ticket_locked(struct mxio_loader *loader, struct slot *slot, struct ticket *out)
{
    const size_t batch_size = (size_t)loader->params.batch_size;
    struct mxio_error err = MXIO_NO_ERROR;
    struct row what;
    enum mxio_turn turn;

    if (deal_row_locked(loader, &what, &turn, &err) != MXIO_OK) {
        fail_row_locked(slot, slot->given, &err);
        close_slot_locked(loader, slot);
        loader->ended = true; /* nothing can follow: the order is broken here */
        return false;
    }
    /* Records left out can make a batch short that was to be dropped then. */
    if (turn == MXIO_TURN_END ||
        (turn == MXIO_TURN_SHORT && loader->order.ending == MXIO_END_DROP)) {
        end_epoch_locked(loader, slot);
        return false;
    }
    if (turn == MXIO_TURN_SHORT) {
        slot->pad = batch_size - slot->given;
        close_slot_locked(loader, slot);
        return false;
    }
    slot->pad += turn == MXIO_TURN_EXTRA;
    *out = (struct ticket){.slot = slot, .row = slot->given, .what = what};
    slot->rows[slot->given++] = what;
    loader->out++;
    if (slot->given == batch_size)
        close_slot_locked(loader, slot);
    return true;
}

/* Wait for a ticket; false when the worker shall go. */
static bool
take_ticket(struct mxio_loader *loader, struct ticket *out)
{
    bool taken = false;

    pthread_mutex_lock(&loader->lock);
    while (!taken && !loader->stopping) {
        struct slot *slot =
            loader->ended || loader->holding || loader->redo != NO_REDO
                                ? NULL
                                : slot_to_fill_locked(loader);
        if (slot != NULL)
            taken = try_ticket_locked(loader, slot, out);
        else
            pthread_cond_wait(&loader->can_take, &loader->lock);
    }
    pthread_mutex_unlock(&loader->lock);
    return taken;
}

/* No ticket is out: forget the batches from `redo` on, and make them again without the bad records. */
static void
redo_locked(struct mxio_loader *loader, const struct mxio_cursor *before)
{
    loader->cursor = *before;
    loader->next_fill = loader->redo;
    for (size_t i = 0; i < loader->depth; i++)
        if (loader->slots[i].state != SLOT_FREE && loader->slots[i].number >= loader->redo)
            loader->slots[i].state = SLOT_FREE;
    loader->redo = NO_REDO;
    loader->ended = false;
    pthread_cond_broadcast(&loader->can_take);
}

static void
return_ticket(struct mxio_loader *loader, const struct ticket *ticket, struct mxio_error *err)
{
    struct slot *slot = ticket->slot;

    pthread_mutex_lock(&loader->lock);
    loader->out--;
    slot->done++;
    slot->rows[ticket->row] = ticket->what;
    if (err->status != MXIO_OK && err->status != MXIO_EFOREIGN) {
        const bool skip = loader->params.on_error == MXIO_SKIP && err->status != MXIO_ENOMEM;
        if (skip && note_bad_locked(loader, err) == MXIO_OK)
            loader->redo = slot->number < loader->redo ? slot->number : loader->redo;
        else
            fail_row_locked(slot, ticket->row, err);
    }
    if (loader->redo != NO_REDO && loader->out == 0 && !loader->holding) {
        const struct mxio_cursor before = loader->slots[loader->redo % loader->depth].before;
        redo_locked(loader, &before);
    }
    complete_slot_locked(loader, slot);
    if (loader->out == 0)
        pthread_cond_broadcast(&loader->can_give);
    pthread_mutex_unlock(&loader->lock);
}

/* on_error="replace": the next record in the order that is not known to be bad. */
static enum mxio_status
next_candidate_locked(struct mxio_loader *loader, struct row *row, struct mxio_error *err)
{
    const struct mxio_error first = *err;
    const uint64_t epoch = row->ask.epoch;
    uint64_t position = row->position;

    enum mxio_status status = note_bad_locked(loader, err);
    for (uint64_t tried = 0; status == MXIO_OK; tried++) {
        bool found;
        if (loader->count != MXIO_UNKNOWN && tried >= loader->count) {
            *err = first;
            return mxio_fail(err, MXIO_EDATA, "no good record to take its place: %.400s", first.message);
        }
        position = loader->count != MXIO_UNKNOWN && position + 1 >= loader->count ? 0 : position + 1;
        status = find_record_locked(loader, epoch, position, row, &found, err);
        if (status == MXIO_OK && found && !is_bad_locked(loader, row->ask.record)) {
            *err = MXIO_NO_ERROR;
            return MXIO_OK;
        }
    }
    return status;
}

static enum mxio_status
next_candidate(struct mxio_loader *loader, struct row *row, struct mxio_error *err)
{
    pthread_mutex_lock(&loader->lock);
    const enum mxio_status status = next_candidate_locked(loader, row, err);
    pthread_mutex_unlock(&loader->lock);
    return status;
}

static bool
is_replaced(const struct mxio_loader *loader, enum mxio_status status)
{
    return loader->params.on_error == MXIO_REPLACE &&
           (status == MXIO_EDATA || status == MXIO_EIO);
}

static void
make_sample(struct worker *self, struct ticket *ticket, struct mxio_error *err)
{
    struct mxio_loader *loader = self->loader;
    const struct mxio_sample out = sample_at(loader, ticket->slot->block, ticket->row);
    enum mxio_status status = mxio_sampler_make(self->sampler, &ticket->what.ask, &out, err);

    while (is_replaced(loader, status)) {
        status = next_candidate(loader, &ticket->what, err);
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
    struct ticket ticket;

    while (take_ticket(self->loader, &ticket)) {
        struct mxio_error err = MXIO_NO_ERROR;
        make_sample(self, &ticket, &err);
        return_ticket(self->loader, &ticket, &err);
    }
    return NULL;
}

/* ---- life ---- */

static enum mxio_status
check_process(const struct mxio_loader *loader, struct mxio_error *err)
{
    if (loader->process != getpid())
        return mxio_fail(err, MXIO_ESTATE, "this loader was made in process %ld and cannot be used in its forked child %ld: make it in the child",
                         (long)loader->process, (long)getpid());
    return MXIO_OK;
}

void
mxio_loader_close(struct mxio_loader *loader)
{
    if (loader->process != getpid())
        return;
    pthread_mutex_lock(&loader->lock);
    loader->stopping = true;
    pthread_cond_broadcast(&loader->can_take);
    pthread_cond_broadcast(&loader->can_give);
    const size_t started = loader->threads_started;
    loader->threads_started = 0;
    pthread_mutex_unlock(&loader->lock);

    for (size_t i = 0; i < started; i++)
        pthread_join(loader->threads[i], NULL);
}

void
mxio_loader_free(struct mxio_loader *loader)
{
    if (loader == NULL || loader->process != getpid())
        return;
    mxio_loader_close(loader);
    for (size_t i = 0; loader->slots != NULL && i < loader->depth; i++) {
        mxio_block_release(loader->slots[i].block);
        mxio_free(loader->slots[i].rows);
    }
    mxio_free(loader->slots);
    mxio_free(loader->taken.rows);
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
    mxio_free(loader->bad);
    pthread_mutex_destroy(&loader->lock);
    pthread_cond_destroy(&loader->can_take);
    pthread_cond_destroy(&loader->can_give);
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
            ? mxio_fail(err, MXIO_ENOMEM, "no memory for an index of %zu bytes", inputs->index_size)
            : mxio_recordio_parse_index(inputs->index_text, inputs->index_size, keys, offsets, &count, err);

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

    return (struct mxio_order){
        .seed = params->seed,
        .shuffle = params->shuffle != 0,
        .ending = !running              ? endings[params->last_batch]
                  : params->round_batch ? MXIO_END_WRAP
                                        : MXIO_END_SHORT,
        .batch_size = (uint64_t)params->batch_size,
        .world = params->world_size == MXIO_NONE ? 1 : (uint64_t)params->world_size,
        .rank = params->rank == MXIO_NONE ? 0 : (uint64_t)params->rank};
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
        status = mxio_labels_parse(&loader->labels, inputs->list_text, inputs->list_size,
                                   (size_t)params->label_width, err);
    }
    if (status != MXIO_OK)
        return status;
    *about = MXIO_INPUT_DATA;
    status = mxio_reader_part(loader->reader, (uint64_t)params->num_parts,
                              (uint64_t)params->part_index, &loader->extent, err);
    loader->count = MXIO_UNKNOWN;
    /* Reading straight through, an empty part is found by looking for one record; else all are counted. */
    bool any = false;
    struct mxio_place place;
    if (status == MXIO_OK)
        status = mxio_reader_locate(loader->reader, &loader->extent, 0, &place, &any, err);
    if (status == MXIO_OK && !any)
        return mxio_fail(err, MXIO_EDATA, "part %lld of %lld holds no record", (long long)params->part_index,
                         (long long)params->num_parts);
    if (status == MXIO_OK && (!inputs->running || loader->order.shuffle))
        status = mxio_reader_count(loader->reader, &loader->extent, &loader->count, err);
    return status;
}

static enum mxio_status
make_room(struct mxio_loader *loader, struct mxio_error *err)
{
    const struct mxio_params *params = &loader->params;
    const size_t batch_size = (size_t)params->batch_size;
    const size_t data_size =
        mxio_params_sample_values(params) * mxio_params_value_size(params) * batch_size;
    const size_t label_size = (size_t)params->label_width * mxio_label_size(params) * batch_size;

    loader->label_offset = (data_size + 63) & ~(size_t)63;
    loader->id_offset = (loader->label_offset + label_size + 63) & ~(size_t)63;
    loader->depth = (size_t)params->prefetch_buffer;
    /* Idle blocks: what a consumer drops while it holds a batch or two. */
    enum mxio_status status = mxio_pool_new(
        &loader->pool, loader->id_offset + batch_size * sizeof(uint64_t), 2, err);
    if (status != MXIO_OK)
        return status;
    loader->slots = mxio_alloc(loader->depth * sizeof *loader->slots);
    loader->taken.rows = mxio_alloc(batch_size * sizeof *loader->taken.rows);
    if (loader->slots == NULL || loader->taken.rows == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for %zu batches", loader->depth);
    for (size_t i = 0; i < loader->depth && status == MXIO_OK; i++) {
        loader->slots[i].rows = mxio_alloc(batch_size * sizeof *loader->slots[i].rows);
        if (loader->slots[i].rows == NULL)
            return mxio_fail(err, MXIO_ENOMEM, "no memory for %zu batches", loader->depth);
    }
    return mxio_sampler_new(&loader->own, &loader->source, err);
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
    loader->running = inputs->running;
    loader->params = *inputs->params;
    loader->thread_count = inputs->thread_count;
    loader->redo = NO_REDO;
    loader->ended = true; /* until start */
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->can_take, NULL);
    pthread_cond_init(&loader->can_give, &monotonic);
    pthread_condattr_destroy(&monotonic);
    loader->order = order_of(&loader->params, inputs->running);

    enum mxio_status status = open_inputs(loader, inputs, about, err);
    if (status == MXIO_OK)
        status = mxio_emitter_make(&loader->emitter, &loader->params, inputs->mean, err);
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

/* Samplers, batch memory and threads come with the first batch, not with the constructor. */
static enum mxio_status
start_threads(struct mxio_loader *loader, struct mxio_error *err)
{
    enum mxio_status status = MXIO_OK;
    sigset_t all, before;

    for (size_t i = 0; i < loader->depth && status == MXIO_OK; i++)
        if (loader->slots[i].block == NULL)
            status = mxio_pool_get(loader->pool, &loader->slots[i].block, err);
    if (status != MXIO_OK)
        return status;
    loader->threads = mxio_alloc(loader->thread_count * sizeof *loader->threads);
    loader->workers = mxio_alloc(loader->thread_count * sizeof *loader->workers);
    if (loader->threads == NULL || loader->workers == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for %zu threads", loader->thread_count);
    for (size_t i = 0; i < loader->thread_count && status == MXIO_OK; i++) {
        loader->workers[i].loader = loader;
        status = mxio_sampler_new(&loader->workers[i].sampler, &loader->source, err);
    }
    /* Signals are the main thread's: a worker must not be the one that Ctrl-C interrupts. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t i = 0; i < loader->thread_count && status == MXIO_OK; i++) {
        const int os_error =
            pthread_create(&loader->threads[i], NULL, worker_main, &loader->workers[i]);
        if (os_error != 0)
            status = mxio_fail_os(err, os_error, "cannot start worker thread %zu of %zu", i + 1, loader->thread_count);
        else
            loader->threads_started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

/* Wait until no ticket is out; the caller ends the holding. */
static void
hold_locked(struct mxio_loader *loader)
{
    loader->holding = true;
    while (loader->out > 0)
        pthread_cond_wait(&loader->can_give, &loader->lock);
}

enum mxio_status
mxio_loader_start(struct mxio_loader *loader, uint64_t epoch, uint64_t carry, uint64_t batch,
                  uint64_t step, struct mxio_error *err)
{
    enum mxio_status status = check_process(loader, err);

    if (status != MXIO_OK)
        return status;
    pthread_mutex_lock(&loader->lock);
    hold_locked(loader);
    for (size_t i = 0; i < loader->depth; i++)
        loader->slots[i].state = SLOT_FREE;
    loader->cursor = mxio_cursor_make(&loader->order, epoch, carry, batch, step);
    loader->next_fill = loader->next_give = 0;
    loader->taken.wrapped = 0;
    loader->redo = NO_REDO;
    loader->ended = loader->holding = false;
    pthread_cond_broadcast(&loader->can_take);
    pthread_mutex_unlock(&loader->lock);
    return MXIO_OK;
}

/* ---- the consumer ---- */

/* Wait until batch next_give is ready, the epoch is over, or the time is up. */
static enum mxio_wait
wait_for_batch_locked(struct mxio_loader *loader, int milliseconds)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(milliseconds % 1000) * 1000000;
    until.tv_sec += milliseconds / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    for (;;) {
        const struct slot *slot = &loader->slots[loader->next_give % loader->depth];
        if (loader->redo == NO_REDO) {
            if (slot->state == SLOT_READY && slot->number == loader->next_give)
                return MXIO_GIVEN;
            if (loader->ended && loader->next_give == loader->next_fill)
                return MXIO_OVER;
        }
        if (loader->stopping)
            return MXIO_OVER;
        if (pthread_cond_timedwait(&loader->can_give, &loader->lock, &until) == ETIMEDOUT)
            return MXIO_NOT_YET;
    }
}

/* Take the batch out of its slot, which gets the empty block instead. */
static void
take_slot_locked(struct mxio_loader *loader, struct mxio_block *empty)
{
    struct slot *slot = &loader->slots[loader->next_give % loader->depth];
    struct row *rows = loader->taken.rows;

    loader->taken = *slot;
    slot->block = empty;
    slot->rows = rows;
    slot->state = SLOT_FREE;
    loader->next_give++;
    pthread_cond_broadcast(&loader->can_take);
}

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
    struct slot *taken = &loader->taken;

    enum mxio_status status = check_process(loader, err);
    if (status != MXIO_OK)
        return status;
    if (loader->threads == NULL) {
        status = start_threads(loader, err);
        if (status != MXIO_OK) {
            mxio_loader_close(loader);
            return status;
        }
    }
    status = mxio_pool_get(loader->pool, &empty, err);
    if (status != MXIO_OK)
        return status;
    pthread_mutex_lock(&loader->lock);
    const bool closed = loader->stopping;
    *wait = closed ? MXIO_OVER : wait_for_batch_locked(loader, milliseconds);
    if (*wait == MXIO_GIVEN)
        take_slot_locked(loader, empty);
    pthread_mutex_unlock(&loader->lock);
    if (*wait != MXIO_GIVEN)
        mxio_block_release(empty);
    if (closed)
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
static struct row *
foreign_row(struct mxio_loader *loader, size_t *number)
{
    for (size_t i = 0; i < loader->taken.given; i++)
        if (loader->taken.rows[i].foreign) {
            *number = i;
            return &loader->taken.rows[i];
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
    const struct row *row = foreign_row(loader, &number);

    if (row == NULL)
        return mxio_fail(err, MXIO_ESTATE, "no row is left to decode");
    return mxio_sampler_picture(loader->own, &row->ask, bytes, size, err);
}

enum mxio_status
mxio_loader_finish(struct mxio_loader *loader, const struct mxio_delivery *delivery,
                   const struct mxio_view *pixels, struct mxio_error *err)
{
    size_t number = 0;
    struct row *row = foreign_row(loader, &number);

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
replace_row(struct mxio_loader *loader, const struct mxio_delivery *delivery, struct row *row,
            size_t number, struct mxio_error *err)
{
    const struct mxio_sample out = sample_at(loader, delivery->block, number);
    enum mxio_status status = err->status;

    while (is_replaced(loader, status)) {
        status = next_candidate(loader, row, err);
        if (status != MXIO_OK)
            return status;
        status = mxio_sampler_make(loader->own, &row->ask, &out, err);
    }
    row->foreign = status == MXIO_EFOREIGN;
    return row->foreign ? MXIO_OK : status;
}

enum mxio_status
mxio_loader_reject(struct mxio_loader *loader, const struct mxio_delivery *delivery, bool *redo,
                   struct mxio_error *err)
{
    size_t number = 0;
    struct row *row = foreign_row(loader, &number);

    *redo = false;
    if (row == NULL)
        return mxio_fail(err, MXIO_ESTATE, "no row is left to decode");
    err->record = (int64_t)row->ask.record;
    mxio_reader_name_place(loader->reader, row->ask.place.offset, err);
    if (is_replaced(loader, err->status))
        return replace_row(loader, delivery, row, number, err);
    if (loader->params.on_error != MXIO_SKIP)
        return err->status;
    pthread_mutex_lock(&loader->lock);
    const enum mxio_status status = note_bad_locked(loader, err);
    if (status == MXIO_OK) {
        hold_locked(loader);
        loader->redo = loader->next_give = loader->taken.number;
        redo_locked(loader, &loader->taken.before);
        loader->holding = false;
        *redo = true;
    }
    pthread_mutex_unlock(&loader->lock);
    return status;
}

uint64_t
mxio_loader_carry(struct mxio_loader *loader)
{
    return loader->taken.wrapped;
}

enum mxio_status
mxio_loader_count(struct mxio_loader *loader, uint64_t *out, struct mxio_error *err)
{
    const enum mxio_status process = check_process(loader, err);

    if (process != MXIO_OK)
        return process;
    pthread_mutex_lock(&loader->lock);
    const enum mxio_status status =
        mxio_reader_count(loader->reader, &loader->extent, out, err);
    if (status == MXIO_OK)
        loader->count = *out;
    pthread_mutex_unlock(&loader->lock);
    return status;
}

uint64_t
mxio_loader_batches(struct mxio_loader *loader, uint64_t count, uint64_t batch, uint64_t step)
{
    return mxio_order_batches(&loader->order, count, batch, step);
}

enum mxio_status
mxio_loader_offsets(struct mxio_loader *loader, struct mxio_block **out, size_t *count,
                    struct mxio_error *err)
{
    uint64_t ignored;
    enum mxio_status status = mxio_loader_count(loader, &ignored, err);

    if (status != MXIO_OK)
        return status;
    pthread_mutex_lock(&loader->lock);
    const uint64_t *offsets = mxio_reader_offsets(loader->reader, count);
    status = mxio_block_new(out, *count * sizeof *offsets, err);
    if (status == MXIO_OK)
        memcpy((*out)->bytes, offsets, *count * sizeof *offsets);
    pthread_mutex_unlock(&loader->lock);
    return status;
}

enum mxio_status
mxio_loader_errors(struct mxio_loader *loader, struct mxio_error **out, size_t *count,
                   struct mxio_error *err)
{
    pthread_mutex_lock(&loader->lock);
    *count = loader->bad_count;
    *out = mxio_alloc(loader->bad_count * sizeof **out);
    if (*out != NULL && loader->bad_count > 0)
        memcpy(*out, loader->bad, loader->bad_count * sizeof **out);
    pthread_mutex_unlock(&loader->lock);
    return *out == NULL ? mxio_fail(err, MXIO_ENOMEM, "no memory for the list of bad records") : MXIO_OK;
}

void
mxio_loader_memory(struct mxio_loader *loader, size_t *used, size_t *idle)
{
    mxio_pool_count(loader->pool, used, idle);
}
