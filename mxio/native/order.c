#include "order.h"

struct mxio_order
mxio_order_of(const struct mxio_params *params, bool running)
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

struct mxio_cursor
mxio_cursor_make(const struct mxio_order *order, uint64_t epoch, uint64_t base,
                 uint64_t batch, uint64_t step)
{
    return (struct mxio_cursor){.epoch = epoch,
                                .base = base,
                                .batch = batch,
                                .step = step,
                                .position = base + batch * order->batch_size};
}

static bool
is_running(const struct mxio_cursor *cursor, const struct mxio_order *order)
{
    return order->world == 1 && cursor->step == 1;
}

/* The position that a dealt row has, and its batch's first over all ranks. */
static uint64_t
dealt_position(const struct mxio_cursor *cursor, const struct mxio_order *order,
               uint64_t *first)
{
    *first = cursor->base + cursor->batch * order->world * order->batch_size;
    return *first + order->rank * order->batch_size + cursor->row;
}

/* The batch's first position of all, to see whether there is such a batch; count is
 * known. */
static bool
has_batch(const struct mxio_order *order, uint64_t first, uint64_t count)
{
    const uint64_t whole = order->world * order->batch_size;

    if (order->ending == MXIO_END_DROP)
        return count >= whole && first <= count - whole;
    return first < count;
}

enum mxio_turn
mxio_cursor_look(const struct mxio_cursor *cursor, const struct mxio_order *order,
                 uint64_t count, uint64_t *epoch, uint64_t *position)
{
    const bool running = is_running(cursor, order);
    uint64_t first = cursor->position;
    const uint64_t at =
        running ? cursor->position : dealt_position(cursor, order, &first);

    *epoch = cursor->epoch;
    *position = at;
    if (count == MXIO_UNKNOWN)
        return MXIO_TURN_RECORD;
    if (cursor->row == 0 && !has_batch(order, first, count))
        return MXIO_TURN_END;
    if (at < count)
        return MXIO_TURN_RECORD;
    switch (order->ending) {
    case MXIO_END_WRAP:
        *epoch = cursor->epoch + 1;
        *position = cursor->wrapped;
        return cursor->wrapped < count ? MXIO_TURN_EXTRA : MXIO_TURN_TOO_BIG;
    case MXIO_END_REPEAT:
        *position = at % count;
        return MXIO_TURN_EXTRA;
    default: /* a rank of a dealt order may get no row of the last step */
        return cursor->row == 0 ? MXIO_TURN_END : MXIO_TURN_SHORT;
    }
}

void
mxio_cursor_skip(struct mxio_cursor *cursor, enum mxio_turn turn)
{
    if (turn == MXIO_TURN_EXTRA)
        cursor->wrapped++;
    cursor->position++;
}

void
mxio_cursor_take(struct mxio_cursor *cursor, enum mxio_turn turn)
{
    mxio_cursor_skip(cursor, turn);
    cursor->row++;
}

uint64_t
mxio_cursor_done(const struct mxio_cursor *cursor, const struct mxio_order *order,
                 uint64_t count)
{
    uint64_t done = cursor->position;

    if (!is_running(cursor, order))
        done = cursor->base + (cursor->batch + 1) * order->world * order->batch_size;
    return done < count ? done : count;
}

void
mxio_cursor_next_batch(struct mxio_cursor *cursor)
{
    cursor->batch += cursor->step;
    cursor->row = 0;
}

uint64_t
mxio_order_batches(const struct mxio_order *order, uint64_t count, uint64_t batch,
                   uint64_t step)
{
    const uint64_t whole = order->world * order->batch_size;
    const uint64_t rest = count % whole;
    uint64_t steps = count / whole;

    if (order->ending == MXIO_END_SHORT)
        steps += rest > order->rank * order->batch_size;
    else if (order->ending != MXIO_END_DROP)
        steps += rest > 0;
    return steps > batch ? (steps - batch + step - 1) / step : 0;
}

uint64_t
mxio_order_at(const struct mxio_order *order, uint64_t epoch, uint64_t count,
              uint64_t position)
{
    if (!order->shuffle)
        return position;
    const struct mxio_permutation permutation =
        mxio_permutation_make(order->seed, epoch, count);
    return mxio_permutation_at(&permutation, position);
}
