/* The consumer's half of tickets.h. */
#include <errno.h>
#include <time.h>

#include "tickets_inner.h"

static struct timespec
after(int milliseconds)
{
    const uint64_t until = mxio_clock() + (uint64_t)milliseconds * 1000000;

    return (struct timespec){.tv_sec = (time_t)(until / 1000000000),
                             .tv_nsec = (long)(until % 1000000000)};
}

/* Wait until batch next_give is ready, the epoch is over, or the time is up. */
static enum mxio_wait
wait_for_batch_locked(struct mxio_tickets *tickets, const struct timespec *until)
{
    for (;;) {
        const struct mxio_slot *slot =
            &tickets->slots[tickets->next_give % tickets->depth];
        if (tickets->redo == NO_REDO) {
            if (slot->state == MXIO_SLOT_READY && slot->number == tickets->next_give)
                return MXIO_GIVEN;
            if (tickets->ended && tickets->next_give == tickets->next_fill)
                return MXIO_OVER;
        }
        if (tickets->stopping)
            return MXIO_STOPPED;
        if (pthread_cond_timedwait(&tickets->can_give, &tickets->lock, until) ==
            ETIMEDOUT)
            return MXIO_NOT_YET;
    }
}

/* A slot is free: wake as many workers as it has tickets, not the herd. */
static void
wake_for_slot_locked(struct mxio_tickets *tickets)
{
    const size_t rows = (size_t)tickets->params->batch_size;
    const size_t run = mxio_tickets_run_length_locked(tickets);
    const size_t wanted = (rows + run - 1) / run;

    if (wanted >= tickets->waiting)
        pthread_cond_broadcast(&tickets->can_take);
    else
        for (size_t i = 0; i < wanted; i++)
            pthread_cond_signal(&tickets->can_take);
}

/* Take the batch out of its slot, which gets the empty block instead. */
static void
take_slot_locked(struct mxio_tickets *tickets, struct mxio_block *empty)
{
    struct mxio_slot *slot = &tickets->slots[tickets->next_give % tickets->depth];
    struct mxio_row *rows = tickets->taken.rows;

    tickets->taken = *slot;
    slot->block = empty;
    slot->rows = rows;
    slot->state = MXIO_SLOT_FREE;
    tickets->next_give++;
    wake_for_slot_locked(tickets);
}

enum mxio_wait
mxio_tickets_next(struct mxio_tickets *tickets, int milliseconds,
                  struct mxio_block *empty)
{
    const uint64_t from = mxio_clock();
    const struct timespec until = after(milliseconds);

    pthread_mutex_lock(&tickets->lock);
    const enum mxio_wait wait =
        tickets->stopping ? MXIO_STOPPED : wait_for_batch_locked(tickets, &until);
    tickets->waited += mxio_clock() - from;
    if (wait == MXIO_GIVEN)
        take_slot_locked(tickets, empty);
    pthread_mutex_unlock(&tickets->lock);
    return wait;
}

/* Wait until no ticket is out; true: the caller ends the holding. False when the time
 * is up. */
static bool
hold_locked(struct mxio_tickets *tickets, const struct timespec *until)
{
    tickets->holding = true;
    while (tickets->out > 0)
        if (pthread_cond_timedwait(&tickets->can_give, &tickets->lock, until) ==
                ETIMEDOUT &&
            tickets->out > 0) {
            tickets->holding = false;
            pthread_cond_broadcast(&tickets->can_take);
            return false;
        }
    return true;
}

static void
start_locked(struct mxio_tickets *tickets, const struct mxio_cursor *from,
             struct mxio_wish *wishes, size_t wish_count)
{
    mxio_free(tickets->wishes);
    tickets->wishes = wishes;
    tickets->wish_count = wish_count;
    for (size_t i = 0; i < tickets->depth; i++)
        tickets->slots[i].state = MXIO_SLOT_FREE;
    tickets->cursor = *from;
    tickets->next_fill = tickets->next_give = 0;
    tickets->taken.wrapped = 0;
    tickets->taken.used = from->base;
    tickets->redo = NO_REDO;
    tickets->ended = tickets->holding = false;
    pthread_cond_broadcast(&tickets->can_take);
}

static bool
start(struct mxio_tickets *tickets, const struct mxio_cursor *from,
      struct mxio_wish *wishes, size_t wish_count, int milliseconds)
{
    const struct timespec until = after(milliseconds);

    pthread_mutex_lock(&tickets->lock);
    const bool held = hold_locked(tickets, &until);
    if (held)
        start_locked(tickets, from, wishes, wish_count);
    pthread_mutex_unlock(&tickets->lock);
    return held;
}

bool
mxio_tickets_start(struct mxio_tickets *tickets, const struct mxio_cursor *from,
                   int milliseconds)
{
    return start(tickets, from, NULL, 0, milliseconds);
}

bool
mxio_tickets_wish(struct mxio_tickets *tickets, struct mxio_wish *wishes, size_t count,
                  int milliseconds)
{
    const struct mxio_cursor from = mxio_cursor_make(&tickets->share.order, 0, 0, 0, 1);

    return start(tickets, &from, wishes, count, milliseconds);
}

enum mxio_wait
mxio_tickets_redo(struct mxio_tickets *tickets, int milliseconds,
                  struct mxio_error *err)
{
    const struct timespec until = after(milliseconds);

    pthread_mutex_lock(&tickets->lock);
    enum mxio_wait wait =
        mxio_tickets_note_bad_locked(tickets, err) == MXIO_OK ? MXIO_GIVEN : MXIO_OVER;
    if (wait == MXIO_GIVEN && !hold_locked(tickets, &until))
        wait = MXIO_NOT_YET;
    if (wait == MXIO_GIVEN) {
        tickets->redo = tickets->next_give = tickets->taken.number;
        mxio_tickets_redo_locked(tickets, &tickets->taken.before);
        tickets->holding = false;
    }
    pthread_mutex_unlock(&tickets->lock);
    return wait;
}

bool
mxio_tickets_stop(struct mxio_tickets *tickets, int milliseconds)
{
    const struct timespec until = after(milliseconds);

    pthread_mutex_lock(&tickets->lock);
    tickets->stopping = true;
    pthread_cond_broadcast(&tickets->can_learn);
    pthread_cond_broadcast(&tickets->can_take);
    pthread_cond_broadcast(&tickets->can_give);
    while (tickets->workers > 0)
        if (pthread_cond_timedwait(&tickets->can_give, &tickets->lock, &until) ==
            ETIMEDOUT)
            break;
    const bool gone = tickets->workers == 0;
    pthread_mutex_unlock(&tickets->lock);
    return gone;
}
