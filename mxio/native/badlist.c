#include "badlist.h"

#include <string.h>

void
mxio_badlist_free(struct mxio_badlist *list)
{
    mxio_free(list->items);
    *list = (struct mxio_badlist){.items = NULL};
}

/* The place of a record in the list, or where it would be. */
static size_t
place_of(const struct mxio_badlist *list, int64_t record)
{
    size_t low = 0, high = list->count;

    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (list->items[middle].err.record < record)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool
is_at(const struct mxio_badlist *list, size_t place, int64_t record)
{
    return place < list->count && list->items[place].err.record == record;
}

static bool
is_bad_in(const struct mxio_bad *bad, uint64_t epoch)
{
    return !bad->err.by_plan || bad->epochs[0] == epoch || bad->epochs[1] == epoch;
}

bool
mxio_badlist_has(const struct mxio_badlist *list, uint64_t record, uint64_t epoch)
{
    const size_t place = place_of(list, (int64_t)record);

    return is_at(list, place, (int64_t)record) && is_bad_in(&list->items[place], epoch);
}

bool
mxio_badlist_has_all(const struct mxio_badlist *list, uint64_t count, uint64_t epoch)
{
    uint64_t found = 0;

    if (list->count < count)
        return false;
    for (size_t i = 0; i < list->count; i++)
        found += is_bad_in(&list->items[i], epoch);
    return found >= count;
}

enum mxio_status
mxio_badlist_fail(const struct mxio_badlist *list, const char *problem,
                  struct mxio_error *err)
{
    if (list->count == 0)
        return mxio_fail(err, MXIO_EDATA, "%s", problem);
    const struct mxio_error *last = &list->items[list->count - 1].err;
    *err = *last;
    return mxio_fail(err, MXIO_EDATA, "%s; the last: %.360s", problem, last->message);
}

/* The same record again, in this epoch or another one. */
static void
note_again(struct mxio_bad *bad, const struct mxio_error *err)
{
    bad->err.by_plan = bad->err.by_plan && err->by_plan;
    if (is_bad_in(bad, err->epoch))
        return;
    bad->epochs[1] = bad->epochs[0];
    bad->epochs[0] = err->epoch;
}

enum mxio_status
mxio_badlist_note(struct mxio_badlist *list, size_t most, struct mxio_error *err)
{
    const size_t place = place_of(list, err->record);

    if (is_at(list, place, err->record)) {
        note_again(&list->items[place], err);
        return MXIO_OK;
    }
    if (list->count >= most) {
        char last[sizeof err->message];
        memcpy(last, err->message, sizeof last);
        return mxio_fail(err, err->status,
                         "more than max_errors=%zu bad records; the last: %.400s", most,
                         last);
    }
    if (list->count == list->room) {
        const size_t room = list->room == 0 ? 16 : list->room * 2;
        struct mxio_bad *items = mxio_realloc(list->items, room * sizeof *list->items);
        if (items == NULL)
            return mxio_fail(err, MXIO_ENOMEM, "no memory for the list of bad records");
        list->items = items;
        list->room = room;
    }
    memmove(list->items + place + 1, list->items + place,
            (list->count - place) * sizeof *list->items);
    list->items[place] =
        (struct mxio_bad){.err = *err, .epochs = {err->epoch, err->epoch}};
    list->count++;
    return MXIO_OK;
}

enum mxio_status
mxio_badlist_copy(const struct mxio_badlist *list, struct mxio_error **out,
                  struct mxio_error *err)
{
    const size_t size = list->count * sizeof **out;

    *out = mxio_alloc(size);
    if (*out == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for the list of bad records");
    for (size_t i = 0; i < list->count; i++)
        (*out)[i] = list->items[i].err;
    return MXIO_OK;
}
