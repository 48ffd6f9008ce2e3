#include <stdio.h>
#include <string.h>

#include "tickets_inner.h"

#define RUN_NS ((uint64_t)200000) /* of work in a ticket of small samples */
/* A ticket that took longer was interrupted, or its rows are much larger than before:
 * both count as this. */
#define LONG_NS (4 * RUN_NS)

enum mxio_status
mxio_tickets_note_bad_locked(struct mxio_tickets *tickets, struct mxio_error *err)
{
    return mxio_badlist_note(&tickets->bad, (size_t)tickets->params->max_errors, err);
}

/* ---- dealing ---- */

/* A batch would run on into more than one further epoch. */
static enum mxio_status
too_few_locked(const struct mxio_tickets *tickets, struct mxio_error *err)
{
    const long long batch_size = (long long)tickets->params->batch_size;

    if (tickets->params->on_error == MXIO_SKIP && tickets->bad.count > 0) {
        char problem[128];
        snprintf(problem, sizeof problem,
                 "%zu of %llu records are bad: too few are left for batch_size=%lld",
                 tickets->bad.count, (unsigned long long)tickets->share.count,
                 batch_size);
        return mxio_badlist_fail(&tickets->bad, problem, err);
    }
    return mxio_fail(err, MXIO_EPARAM,
                     "batch_size=%lld needs more than two epochs of %llu records: "
                     "a batch may run on into one further epoch only",
                     batch_size, (unsigned long long)tickets->share.count);
}

static enum mxio_status
all_bad_locked(const struct mxio_tickets *tickets, struct mxio_error *err)
{
    char problem[64];

    snprintf(problem, sizeof problem, "all %llu records are bad",
             (unsigned long long)tickets->share.count);
    return mxio_badlist_fail(&tickets->bad, problem, err);
}

/* Deal the next row of the batch that is being filled: a ticket, or word that there is
 * none. */
static enum mxio_status
deal_row_locked(struct mxio_tickets *tickets, struct mxio_row *out,
                enum mxio_turn *turn, struct mxio_error *err)
{
    const bool skip = tickets->params->on_error == MXIO_SKIP;
    const struct mxio_wish *wishes = tickets->wishes;

    for (;;) {
        uint64_t epoch, position;
        bool found;
        *turn = mxio_cursor_look(&tickets->cursor, &tickets->share.order,
                                 wishes != NULL ? tickets->wish_count
                                                : tickets->share.count,
                                 &epoch, &position);
        if (skip && tickets->share.count != MXIO_UNKNOWN &&
            mxio_badlist_has_all(&tickets->bad, tickets->share.count, epoch))
            return all_bad_locked(tickets, err);
        if (*turn == MXIO_TURN_TOO_BIG)
            return too_few_locked(tickets, err);
        if (*turn != MXIO_TURN_RECORD && *turn != MXIO_TURN_EXTRA)
            return MXIO_OK;
        if (wishes != NULL) {
            epoch = wishes[position].epoch;
            position = wishes[position].at;
        }
        if (tickets->share.settled && !(skip && tickets->bad.count > 0)) {
            *out = (struct mxio_row){.ask.epoch = epoch, .position = position};
            mxio_cursor_take(&tickets->cursor, *turn);
            return MXIO_OK;
        }
        const enum mxio_status status =
            mxio_tickets_find_locked(tickets, epoch, position, out, &found, err);
        if (status != MXIO_OK)
            return status;
        if (!found)
            continue;
        if (!skip || !mxio_badlist_has(&tickets->bad, out->ask.record, epoch)) {
            mxio_cursor_take(&tickets->cursor, *turn);
            return MXIO_OK;
        }
        mxio_cursor_skip(&tickets->cursor, *turn);
    }
}

static void
fail_row_locked(struct mxio_slot *slot, size_t row, const struct mxio_error *err)
{
    if (slot->err.status != MXIO_OK && slot->err_row <= row)
        return;
    slot->err = *err;
    slot->err_row = row;
}

/* All of its tickets are back: the batch can be given. */
static void
complete_slot_locked(struct mxio_tickets *tickets, struct mxio_slot *slot)
{
    if (!slot->closed || slot->done < slot->given || slot->state != MXIO_SLOT_FILLING)
        return;
    slot->state = MXIO_SLOT_READY;
    if (slot->number == tickets->next_give)
        pthread_cond_broadcast(&tickets->can_give);
}

static void
close_slot_locked(struct mxio_tickets *tickets, struct mxio_slot *slot)
{
    slot->closed = true;
    slot->wrapped = tickets->cursor.wrapped;
    slot->used =
        mxio_cursor_done(&tickets->cursor, &tickets->share.order, tickets->share.count);
    mxio_cursor_next_batch(&tickets->cursor);
    tickets->next_fill++;
    complete_slot_locked(tickets, slot);
}

static void
end_epoch_locked(struct mxio_tickets *tickets, struct mxio_slot *slot)
{
    if (slot->given == 0)
        slot->state = MXIO_SLOT_FREE;
    tickets->ended = true;
    pthread_cond_broadcast(&tickets->can_give);
}

/* Begin batch next_fill in its slot, if the slot is free. */
static struct mxio_slot *
slot_to_fill_locked(struct mxio_tickets *tickets)
{
    struct mxio_slot *slot = &tickets->slots[tickets->next_fill % tickets->depth];

    if (slot->state == MXIO_SLOT_FREE) {
        slot->state = MXIO_SLOT_FILLING;
        slot->number = tickets->next_fill;
        slot->before = tickets->cursor;
        slot->given = slot->done = slot->pad = 0;
        slot->closed = false;
        slot->err = MXIO_NO_ERROR;
    }
    return slot->state == MXIO_SLOT_FILLING && slot->number == tickets->next_fill
               ? slot
               : NULL;
}

/* One row more for the ticket; false: there is none, and what follows from that is
 * done. */
static bool
add_row_locked(struct mxio_tickets *tickets, struct mxio_slot *slot,
               struct mxio_ticket *out)
{
    const size_t batch_size = (size_t)tickets->params->batch_size;
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_row *row = &out->rows[out->count];
    enum mxio_turn turn = MXIO_TURN_END;

    if (deal_row_locked(tickets, row, &turn, &err) != MXIO_OK) {
        fail_row_locked(slot, slot->given, &err);
        close_slot_locked(tickets, slot);
        tickets->ended = true; /* nothing can follow: the order is broken here */
        return false;
    }
    /* Records left out can make a batch short that was to be dropped then. */
    if (turn == MXIO_TURN_END ||
        (turn == MXIO_TURN_SHORT && tickets->share.order.ending == MXIO_END_DROP)) {
        end_epoch_locked(tickets, slot);
        return false;
    }
    if (turn == MXIO_TURN_SHORT) {
        slot->pad = batch_size - slot->given;
        close_slot_locked(tickets, slot);
        return false;
    }
    slot->pad += turn == MXIO_TURN_EXTRA;
    slot->rows[slot->given++] = *row;
    out->count++;
    if (slot->given == batch_size)
        close_slot_locked(tickets, slot);
    return true;
}

/* Workers that wait need no share: were they needed, they would not wait. Twice as many
 * tickets as there are busy workers keep more of them busy, as long as that helps. */
size_t
mxio_tickets_run_length_locked(const struct mxio_tickets *tickets)
{
    const uint64_t rows = (uint64_t)tickets->params->batch_size * tickets->depth;
    const size_t busy =
        tickets->workers > tickets->waiting ? tickets->workers - tickets->waiting : 0;
    const uint64_t fair = rows / (2 * (busy + 1));
    const uint64_t most = fair < MXIO_RUN ? fair : MXIO_RUN;

    if (tickets->pace == 0 || most < 1)
        return 1;
    const uint64_t length = RUN_NS / tickets->pace;
    return (size_t)(length < 1 ? 1 : length < most ? length : most);
}

/* Learn from a ticket how long a row takes; rounded, so that it never becomes 0. */
static void
note_pace_locked(struct mxio_tickets *tickets, const struct mxio_ticket *ticket)
{
    uint64_t took = 0;

    for (int i = 0; i < MXIO_STAGE_COUNT; i++)
        took += ticket->spent.stage[i];
    const uint64_t row = (took < LONG_NS ? took : LONG_NS) / ticket->count;
    tickets->pace = tickets->pace == 0 ? row : (7 * tickets->pace + row + 4) / 8;
}

void
mxio_tickets_redo_locked(struct mxio_tickets *tickets, const struct mxio_cursor *before)
{
    tickets->cursor = *before;
    tickets->next_fill = tickets->redo;
    for (size_t i = 0; i < tickets->depth; i++)
        if (tickets->slots[i].state != MXIO_SLOT_FREE &&
            tickets->slots[i].number >= tickets->redo)
            tickets->slots[i].state = MXIO_SLOT_FREE;
    tickets->redo = NO_REDO;
    tickets->ended = false;
    pthread_cond_broadcast(&tickets->can_take);
    pthread_cond_broadcast(&tickets->can_give);
}

/* A ticket came back, or there was none to take. */
static void
one_less_out_locked(struct mxio_tickets *tickets)
{
    if (--tickets->out > 0)
        return;
    if (tickets->holding) {
        pthread_cond_broadcast(&tickets->can_give);
    } else if (tickets->redo != NO_REDO) {
        const struct mxio_cursor before =
            tickets->slots[tickets->redo % tickets->depth].before;
        mxio_tickets_redo_locked(tickets, &before);
    }
}

/* True when there is a ticket. */
static bool
try_ticket_locked(struct mxio_tickets *tickets, struct mxio_slot *slot,
                  struct mxio_ticket *out)
{
    const size_t most = mxio_tickets_run_length_locked(tickets);

    out->first = slot->given;
    out->count = 0;
    tickets->dealing = true;
    tickets->out++;
    while (out->count < most && !slot->closed && !tickets->ended)
        if (!add_row_locked(tickets, slot, out))
            break;
    tickets->dealing = false;
    pthread_cond_broadcast(&tickets->can_learn);
    if (out->count == 0) {
        one_less_out_locked(tickets);
        return false;
    }
    out->slot = slot;
    tickets->runs++;
    return true;
}

static void
wait_for_slot_locked(struct mxio_tickets *tickets)
{
    const uint64_t from = mxio_clock();

    tickets->waiting++;
    pthread_cond_wait(&tickets->can_take, &tickets->lock);
    tickets->waiting--;
    tickets->idle += mxio_clock() - from;
}

bool
mxio_tickets_take(struct mxio_tickets *tickets, struct mxio_ticket *out)
{
    bool taken = false;

    pthread_mutex_lock(&tickets->lock);
    while (!taken && !tickets->stopping) {
        if (tickets->dealing) { /* not for the consumer's sake: this is no idling */
            pthread_cond_wait(&tickets->can_learn, &tickets->lock);
            continue;
        }
        struct mxio_slot *slot =
            tickets->ended || tickets->holding || tickets->redo != NO_REDO
                ? NULL
                : slot_to_fill_locked(tickets);
        if (slot != NULL)
            taken = try_ticket_locked(tickets, slot, out);
        else
            wait_for_slot_locked(tickets);
    }
    pthread_mutex_unlock(&tickets->lock);
    return taken;
}

void
mxio_tickets_leave(struct mxio_tickets *tickets)
{
    pthread_mutex_lock(&tickets->lock);
    tickets->workers--;
    pthread_cond_broadcast(&tickets->can_give);
    pthread_mutex_unlock(&tickets->lock);
}

void
mxio_tickets_fail(struct mxio_tickets *tickets, const struct mxio_ticket *ticket,
                  size_t row, struct mxio_error *err)
{
    struct mxio_slot *slot = ticket->slot;
    const bool skip =
        tickets->params->on_error == MXIO_SKIP && err->status != MXIO_ENOMEM;

    pthread_mutex_lock(&tickets->lock);
    if (skip && mxio_tickets_note_bad_locked(tickets, err) == MXIO_OK)
        tickets->redo = slot->number < tickets->redo ? slot->number : tickets->redo;
    else
        fail_row_locked(slot, ticket->first + row, err);
    pthread_mutex_unlock(&tickets->lock);
}

void
mxio_tickets_give_back(struct mxio_tickets *tickets, struct mxio_ticket *ticket,
                       const struct mxio_row *made)
{
    struct mxio_slot *slot = ticket->slot;

    pthread_mutex_lock(&tickets->lock);
    slot->done += ticket->count;
    memcpy(slot->rows + ticket->first, made, ticket->count * sizeof *made);
    ticket->slot = NULL;
    mxio_spent_add(&tickets->spent, &ticket->spent);
    note_pace_locked(tickets, ticket);
    one_less_out_locked(tickets);
    complete_slot_locked(tickets, slot);
    pthread_mutex_unlock(&tickets->lock);
}

static enum mxio_status
next_candidate_locked(struct mxio_tickets *tickets, struct mxio_row *row,
                      struct mxio_error *err)
{
    const struct mxio_error first = *err;
    const uint64_t epoch = row->ask.epoch;
    uint64_t position = row->position;

    enum mxio_status status = mxio_tickets_note_bad_locked(tickets, err);
    for (uint64_t tried = 0; status == MXIO_OK; tried++) {
        bool found;
        if (tickets->share.count != MXIO_UNKNOWN && tried >= tickets->share.count) {
            *err = first;
            return mxio_fail(err, MXIO_EDATA,
                             "no good record to take its place: %.400s", first.message);
        }
        position =
            tickets->share.count != MXIO_UNKNOWN && position + 1 >= tickets->share.count
                ? 0
                : position + 1;
        status = mxio_tickets_find_locked(tickets, epoch, position, row, &found, err);
        if (status == MXIO_OK && found &&
            !mxio_badlist_has(&tickets->bad, row->ask.record, epoch)) {
            *err = MXIO_NO_ERROR;
            return MXIO_OK;
        }
    }
    return status;
}

enum mxio_status
mxio_tickets_next_candidate(struct mxio_tickets *tickets, struct mxio_row *row,
                            struct mxio_error *err)
{
    pthread_mutex_lock(&tickets->lock);
    const enum mxio_status status = next_candidate_locked(tickets, row, err);
    pthread_mutex_unlock(&tickets->lock);
    return status;
}

bool
mxio_tickets_replaces(const struct mxio_tickets *tickets, enum mxio_status status)
{
    return tickets->params->on_error == MXIO_REPLACE &&
           (status == MXIO_EDATA || status == MXIO_EIO);
}

/* ---- life ---- */

void
mxio_tickets_destroy(struct mxio_tickets *tickets)
{
    if (tickets->params == NULL)
        return;
    for (size_t i = 0; tickets->slots != NULL && i < tickets->depth; i++) {
        mxio_block_release(tickets->slots[i].block);
        mxio_free(tickets->slots[i].rows);
    }
    mxio_free(tickets->slots);
    mxio_free(tickets->taken.rows);
    mxio_free(tickets->wishes);
    mxio_badlist_free(&tickets->bad);
    mxio_share_free(&tickets->share);
    pthread_mutex_destroy(&tickets->lock);
    mxio_lookout_destroy(&tickets->lookout);
    pthread_cond_destroy(&tickets->can_learn);
    pthread_cond_destroy(&tickets->can_take);
    pthread_cond_destroy(&tickets->can_give);
}

static void
make_locks(struct mxio_tickets *tickets)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&tickets->lock, NULL);
    mxio_lookout_init(&tickets->lookout);
    pthread_cond_init(&tickets->can_learn, NULL);
    pthread_cond_init(&tickets->can_take, NULL);
    pthread_cond_init(&tickets->can_give, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

enum mxio_status
mxio_tickets_init(struct mxio_tickets *out, const struct mxio_params *params,
                  struct mxio_reader *reader, const struct mxio_order *order,
                  struct mxio_error *err)
{
    const size_t batch_size = (size_t)params->batch_size;

    *out = (struct mxio_tickets){.params = params,
                                 .reader = reader,
                                 .depth = (size_t)params->prefetch_buffer,
                                 .redo = NO_REDO,
                                 .ended = true};
    make_locks(out);
    const enum mxio_status status =
        mxio_share_init(&out->share, params, reader, order, err);
    if (status != MXIO_OK)
        return status;
    out->slots = mxio_alloc(out->depth * sizeof *out->slots);
    out->taken.rows = mxio_alloc(batch_size * sizeof *out->taken.rows);
    bool enough = out->slots != NULL && out->taken.rows != NULL;
    for (size_t i = 0; i < out->depth && enough; i++) {
        out->slots[i].rows = mxio_alloc(batch_size * sizeof *out->slots[i].rows);
        enough = out->slots[i].rows != NULL;
    }
    return enough
               ? MXIO_OK
               : mxio_fail(err, MXIO_ENOMEM, "no memory for %zu batches", out->depth);
}
