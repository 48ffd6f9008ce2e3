/* Which record a row is for: positions of the order become places in the files. */
#include <string.h>

#include "tickets_inner.h"

/* Heads that are not needed yet, but lie near those that are. */
#define HEADS_AHEAD 32

/*
 * The lock is let go of while heads are read: the file system may be slow, or never answer.
 * Until that is over nobody else looks at what the reader learns.
 */
static struct mxio_lookout *
let_go(struct mxio_tickets *tickets)
{
    tickets->learning = true;
    pthread_mutex_unlock(&tickets->lock);
    return mxio_lookout_offer(&tickets->lookout);
}

static void
take_back(struct mxio_tickets *tickets, struct mxio_lookout *before)
{
    mxio_lookout_watch(before);
    pthread_mutex_lock(&tickets->lock);
    tickets->learning = false;
    pthread_cond_broadcast(&tickets->can_learn);
}

static void
wait_for_learning_locked(struct mxio_tickets *tickets)
{
    while (tickets->learning)
        pthread_cond_wait(&tickets->can_learn, &tickets->lock);
}

/* Let the reader learn where the record at a position lies, or with MXIO_UNKNOWN where
 * all do. */
static enum mxio_status
learn_locked(struct mxio_tickets *tickets, uint64_t position, struct mxio_error *err)
{
    wait_for_learning_locked(tickets);
    if (tickets->share.count != MXIO_UNKNOWN ||
        mxio_share_knows(&tickets->share, position))
        return MXIO_OK;
    struct mxio_lookout *before = let_go(tickets);
    const enum mxio_status status =
        mxio_share_learn(&tickets->share, position, HEADS_AHEAD, err);
    take_back(tickets, before);
    return status;
}

static enum mxio_status
find(struct mxio_tickets *tickets, uint64_t epoch, uint64_t position,
     struct mxio_row *out, bool *found, struct mxio_error *err)
{
    struct mxio_entry entry;

    const enum mxio_status status =
        mxio_share_find(&tickets->share, epoch, position, &entry, found, err);
    if (status == MXIO_OK && *found)
        *out = (struct mxio_row){.ask = {.epoch = epoch,
                                         .record = entry.record,
                                         .place = entry.place},
                                 .position = position,
                                 .located = true};
    return status;
}

enum mxio_status
mxio_tickets_find_locked(struct mxio_tickets *tickets, uint64_t epoch,
                         uint64_t position, struct mxio_row *out, bool *found,
                         struct mxio_error *err)
{
    const enum mxio_status status = learn_locked(tickets, position, err);

    return status != MXIO_OK ? status : find(tickets, epoch, position, out, found, err);
}

enum mxio_status
mxio_tickets_locate(struct mxio_tickets *tickets, struct mxio_row *row,
                    struct mxio_error *err)
{
    bool found = false;

    if (row->located)
        return MXIO_OK;
    /* It was dealt when the tickets were settled: nothing is left to learn. */
    const enum mxio_status status =
        find(tickets, row->ask.epoch, row->position, row, &found, err);
    if (status == MXIO_OK && found && tickets->wishes == NULL)
        mxio_share_look_ahead(&tickets->share, row->ask.epoch, row->position,
                              row->ask.place);
    return status;
}

/* ---- questions ---- */

enum mxio_status
mxio_tickets_count(struct mxio_tickets *tickets, uint64_t *out, struct mxio_error *err)
{
    pthread_mutex_lock(&tickets->lock);
    enum mxio_status status = learn_locked(tickets, MXIO_UNKNOWN, err);
    if (status == MXIO_OK)
        status = mxio_share_count(&tickets->share, out, err);
    pthread_mutex_unlock(&tickets->lock);
    return status;
}

enum mxio_status
mxio_tickets_offsets(struct mxio_tickets *tickets, struct mxio_block **out,
                     struct mxio_error *err)
{
    size_t count;

    pthread_mutex_lock(&tickets->lock);
    wait_for_learning_locked(tickets);
    struct mxio_lookout *before = let_go(tickets);
    enum mxio_status status = mxio_reader_complete(tickets->share.reader, err);
    take_back(tickets, before);
    const uint64_t *offsets = mxio_reader_offsets(tickets->share.reader, &count);
    if (status == MXIO_OK)
        status = mxio_block_new(out, count * sizeof *offsets, err);
    if (status == MXIO_OK)
        memcpy((*out)->bytes, offsets, count * sizeof *offsets);
    pthread_mutex_unlock(&tickets->lock);
    return status;
}

enum mxio_status
mxio_tickets_errors(struct mxio_tickets *tickets, struct mxio_error **out,
                    size_t *count, struct mxio_error *err)
{
    pthread_mutex_lock(&tickets->lock);
    *count = tickets->bad.count;
    const enum mxio_status status = mxio_badlist_copy(&tickets->bad, out, err);
    pthread_mutex_unlock(&tickets->lock);
    return status;
}
