#include "order.h"

#include "check.h"
#include "records.h"

#define MOST 4096

/* An epoch as one consumer gets it: positions row after row, batches by their ends. */
struct epoch {
    uint64_t epochs[MOST], positions[MOST];
    enum mxio_turn turns[MOST];
    size_t rows;
    size_t ends[MOST]; /* rows up to the end of each batch */
    size_t batches;
    uint64_t wrapped;
    enum mxio_turn last; /* the turn that ended it */
};

/* Deal one epoch as the header says: look, take, next_batch. */
static struct epoch *
deal(const struct mxio_order *order, uint64_t count, struct mxio_cursor cursor)
{
    struct epoch *out = calloc(1, sizeof *out);
    MUST(out != NULL, "calloc");

    while (out->rows < MOST && out->batches < MOST) {
        enum mxio_turn turn = MXIO_TURN_RECORD;
        uint64_t row = 0;
        for (; row < order->batch_size && out->rows < MOST; row++) {
            turn = mxio_cursor_look(&cursor, order, count, &out->epochs[out->rows],
                                    &out->positions[out->rows]);
            if (turn != MXIO_TURN_RECORD && turn != MXIO_TURN_EXTRA)
                break;
            mxio_cursor_take(&cursor, turn);
            out->turns[out->rows++] = turn;
        }
        out->last = turn;
        if (turn == MXIO_TURN_END || turn == MXIO_TURN_TOO_BIG)
            break;
        out->ends[out->batches++] = out->rows;
        out->wrapped = cursor.wrapped;
        mxio_cursor_next_batch(&cursor);
    }
    return out;
}

static struct epoch *
deal_all(const struct mxio_order *order, uint64_t count, uint64_t carry)
{
    return deal(order, count, mxio_cursor_make(order, 0, carry, 0, 1));
}

static struct mxio_order
running(uint64_t batch_size, enum mxio_ending ending)
{
    return (struct mxio_order){.batch_size = batch_size,
                               .ending = ending,
                               .world = 1,
                               .sequential = true};
}

/* MXNet's rule: with 10 records and batch 4: 0-3, 4-7, 8 9 0 1 (pad 2). */
TEST(round_batch_completes_the_last_batch_from_the_next_epoch)
{
    static const uint64_t positions[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1};
    const struct mxio_order order = running(4, MXIO_END_WRAP);

    struct epoch *epoch = deal_all(&order, 10, 0);

    CHECK_INT(epoch->rows, 12);
    CHECK_INT(epoch->batches, 3);
    CHECK_BYTES(epoch->positions, positions, sizeof positions);
    for (int i = 0; i < 12; i++) {
        CHECK_INT(epoch->turns[i], i < 10 ? MXIO_TURN_RECORD : MXIO_TURN_EXTRA);
        CHECK_INT(epoch->epochs[i], i < 10 ? 0 : 1);
    }
    CHECK_INT(epoch->wrapped, 2);
    free(epoch);
}

/* The same place: epoch 2 is 2-5, 6-9, without pad; epoch 3 is as epoch 1. */
TEST(the_next_epoch_starts_behind_what_was_taken)
{
    static const uint64_t positions[] = {2, 3, 4, 5, 6, 7, 8, 9};
    const struct mxio_order order = running(4, MXIO_END_WRAP);

    struct epoch *epoch = deal_all(&order, 10, 2);

    CHECK_INT(epoch->rows, 8);
    CHECK_INT(epoch->batches, 2);
    CHECK_BYTES(epoch->positions, positions, sizeof positions);
    CHECK_INT(epoch->wrapped, 0);
    free(epoch);
}

/* Every record comes once in an epoch, whichever batch it is in. */
TEST(carry_goes_on_for_ever_without_loss)
{
    for (uint64_t count = 1; count <= 20; count++)
        for (uint64_t batch = 1; batch <= count; batch++) {
            const struct mxio_order order = running(batch, MXIO_END_WRAP);
            uint64_t carry = 0;
            for (int number = 0; number < 12; number++) {
                struct epoch *epoch = deal_all(&order, count, carry);
                CHECK_INT(epoch->last, MXIO_TURN_END);
                CHECK_INT(epoch->batches, (count - carry + batch - 1) / batch);
                for (size_t i = 0; i < epoch->rows; i++)
                    CHECK_INT(epoch->positions[i], (carry + i) % count);
                CHECK_INT(epoch->rows, epoch->batches * batch);
                CHECK_INT(epoch->wrapped, epoch->rows - (count - carry));
                carry = epoch->wrapped;
                free(epoch);
            }
        }
}

/* An epoch that begins anywhere deals out exactly what is left, and says how far it is.
 */
TEST(any_world_goes_on_where_another_stopped)
{
    for (uint64_t count = 1; count <= 24; count++)
        for (uint64_t base = 0; base <= count; base++)
            for (uint64_t world = 1; world <= 3; world++) {
                int seen[24] = {0};
                for (uint64_t rank = 0; rank < world; rank++) {
                    const struct mxio_order order = {.batch_size = 3,
                                                     .ending = MXIO_END_SHORT,
                                                     .world = world,
                                                     .rank = rank};
                    struct mxio_cursor cursor = mxio_cursor_make(&order, 0, base, 0, 1);
                    struct epoch *epoch = deal(&order, count, cursor);
                    for (size_t i = 0; i < epoch->rows; i++)
                        seen[epoch->positions[i]]++;
                    CHECK_INT(epoch->batches,
                              mxio_order_batches(&order, count - base, 0, 1));
                    free(epoch);
                    if (world == 1)
                        continue;
                    const uint64_t whole = base + world * 3;
                    CHECK_INT(mxio_cursor_done(&cursor, &order, count),
                              whole < count ? whole : count);
                }
                for (uint64_t i = 0; i < count; i++)
                    CHECK_INT(seen[i], i >= base);
            }
}

/* MXNet's rule: 10 records, batch 16: pad 6; a second wrap is refused. */
TEST(a_batch_may_wrap_once)
{
    static const struct {
        uint64_t batch, carry;
        size_t batches;
        enum mxio_turn last;
    } cases[] = {{16, 0, 1, MXIO_TURN_END},
                 {20, 0, 1, MXIO_TURN_END},
                 {21, 0, 0, MXIO_TURN_TOO_BIG},
                 {16, 6, 0, MXIO_TURN_TOO_BIG},
                 {14, 6, 1, MXIO_TURN_END}};

    for (int i = 0; i < 5; i++) {
        const struct mxio_order order = running(cases[i].batch, MXIO_END_WRAP);
        struct epoch *epoch = deal_all(&order, 10, cases[i].carry);
        CHECK_INT(epoch->batches, cases[i].batches);
        CHECK_INT(epoch->last, cases[i].last);
        CHECK(cases[i].batches == 0 ||
              epoch->wrapped == cases[i].batch + cases[i].carry - 10);
        free(epoch);
    }
}

TEST(the_other_endings_are_short_dropped_or_repeated)
{
    static const struct {
        enum mxio_ending ending;
        size_t batches, rows;
    } cases[] = {{MXIO_END_SHORT, 3, 10},
                 {MXIO_END_DROP, 2, 8},
                 {MXIO_END_REPEAT, 3, 12}};

    for (int i = 0; i < 3; i++) {
        const struct mxio_order order = running(4, cases[i].ending);
        struct epoch *epoch = deal_all(&order, 10, 0);
        CHECK_INT(epoch->batches, cases[i].batches);
        CHECK_INT(epoch->rows, cases[i].rows);
        for (size_t row = 0; row < epoch->rows; row++) {
            CHECK_INT(epoch->positions[row], row % 10);
            CHECK_INT(epoch->epochs[row], 0);
            CHECK_INT(epoch->turns[row], row < 10 ? MXIO_TURN_RECORD : MXIO_TURN_EXTRA);
        }
        CHECK_INT(epoch->wrapped, cases[i].ending == MXIO_END_REPEAT ? 2 : 0);
        free(epoch);
    }
}

TEST(a_batch_larger_than_the_epoch_repeats_it_as_often_as_needed)
{
    const struct mxio_order order = running(11, MXIO_END_REPEAT);

    struct epoch *epoch = deal_all(&order, 3, 0);

    CHECK_INT(epoch->batches, 1);
    for (size_t row = 0; row < 11; row++)
        CHECK_INT(epoch->positions[row], row % 3);
    free(epoch);
}

TEST(while_the_count_is_unknown_there_is_always_a_record)
{
    static const enum mxio_ending endings[] = {MXIO_END_WRAP, MXIO_END_SHORT};

    for (int i = 0; i < 2; i++) {
        const struct mxio_order order = running(100, endings[i]);
        struct epoch *epoch = deal_all(&order, MXIO_UNKNOWN, 3);
        CHECK_INT(epoch->rows, MOST);
        for (size_t row = 0; row < MOST; row++) {
            CHECK_INT(epoch->turns[row], MXIO_TURN_RECORD);
            CHECK_INT(epoch->positions[row], row + 3);
        }
        free(epoch);
    }
}

TEST(looking_does_not_move_the_cursor)
{
    const struct mxio_order order = running(4, MXIO_END_WRAP);
    const struct mxio_cursor cursor = mxio_cursor_make(&order, 3, 1, 0, 1);
    uint64_t epoch, position;

    for (int i = 0; i < 3; i++) {
        CHECK_INT(mxio_cursor_look(&cursor, &order, 10, &epoch, &position),
                  MXIO_TURN_RECORD);
        CHECK_INT(epoch, 3);
        CHECK_INT(position, 1);
    }
}

TEST(a_record_left_out_takes_no_row)
{
    static const uint64_t expected[] = {0, 2, 3, 5, 1, 2}; /* 1, 4 and then 0 are bad */
    const struct mxio_order order = running(3, MXIO_END_WRAP);
    struct mxio_cursor cursor = mxio_cursor_make(&order, 0, 0, 0, 1);
    uint64_t got[6];

    for (int row = 0; row < 6;) {
        uint64_t epoch, position;
        const enum mxio_turn turn =
            mxio_cursor_look(&cursor, &order, 6, &epoch, &position);
        const bool bad = epoch == 0 ? position == 1 || position == 4 : position == 0;
        CHECK(turn == MXIO_TURN_RECORD || turn == MXIO_TURN_EXTRA);
        if (bad) {
            mxio_cursor_skip(&cursor, turn);
            continue;
        }
        got[row] = position;
        mxio_cursor_take(&cursor, turn);
        if (++row % 3 == 0 && row < 6)
            mxio_cursor_next_batch(&cursor);
    }

    CHECK_BYTES(got, expected, sizeof expected);
    CHECK_INT(cursor.wrapped, 3); /* positions used, the bad one too */
}

/* ---- dealt over ranks and workers ---- */

struct world {
    uint64_t count, world, batch, workers;
    enum mxio_ending ending;
};

/* The position of a row of a batch of a rank; the header's formula. */
static uint64_t
place_of(const struct world *world, uint64_t step, uint64_t rank, uint64_t row)
{
    return step * world->world * world->batch + rank * world->batch + row;
}

/* True when this worker's epoch is what the formula says, row by row. */
static bool
worker_is_right(const struct world *world, uint64_t rank, uint64_t worker,
                const struct mxio_order *order, int *seen)
{
    struct epoch *epoch = deal(order, world->count,
                               mxio_cursor_make(order, 0, 0, worker, world->workers));
    bool right = epoch->batches ==
                 mxio_order_batches(order, world->count, worker, world->workers);

    for (size_t k = 0, row = 0; k < epoch->batches; k++)
        for (uint64_t i = 0; row < epoch->ends[k]; i++, row++) {
            const uint64_t place =
                place_of(world, worker + k * world->workers, rank, i);
            right = right && epoch->positions[row] == place % world->count &&
                    epoch->epochs[row] == 0 &&
                    epoch->turns[row] ==
                        (place < world->count ? MXIO_TURN_RECORD : MXIO_TURN_EXTRA);
            seen[place < world->count ? place : world->count]++;
        }
    free(epoch);
    return right;
}

static bool
world_is_right(const struct world *world)
{
    const uint64_t whole = world->world * world->batch;
    const uint64_t full = world->count / whole * whole;
    const uint64_t records = world->ending == MXIO_END_DROP ? full : world->count;
    const uint64_t extra = world->ending == MXIO_END_REPEAT && world->count > full
                               ? full + whole - world->count
                               : 0;
    int seen[MOST] = {0};
    bool right = true;

    for (uint64_t rank = 0; rank < world->world; rank++) {
        const struct mxio_order order = {.ending = world->ending,
                                         .batch_size = world->batch,
                                         .world = world->world,
                                         .rank = rank};
        for (uint64_t worker = 0; worker < world->workers; worker++)
            right = right && worker_is_right(world, rank, worker, &order, seen);
    }
    for (uint64_t i = 0; i < world->count; i++)
        right = right && seen[i] == (i < records);
    return right && (uint64_t)seen[world->count] == extra;
}

TEST(every_position_is_dealt_once_over_ranks_and_workers)
{
    static const enum mxio_ending endings[] = {MXIO_END_SHORT, MXIO_END_DROP,
                                               MXIO_END_REPEAT};
    uint32_t state = 5;

    for (int round = 0; round < 2000; round++) {
        const struct world world = {.count = 1 + (uint64_t)any_below(&state, 300),
                                    .world = 1 + (uint64_t)any_below(&state, 5),
                                    .batch = 1 + (uint64_t)any_below(&state, 40),
                                    .workers = 1 + (uint64_t)any_below(&state, 4),
                                    .ending = endings[any_below(&state, 3)]};
        if (!world_is_right(&world)) {
            check_failed(__FILE__, __LINE__,
                         "count %d, world %d, batch %d, workers %d, ending %d",
                         (int)world.count, (int)world.world, (int)world.batch,
                         (int)world.workers, (int)world.ending);
            return;
        }
    }
}

TEST(ranks_get_equal_numbers_of_batches_unless_short)
{
    for (uint64_t count = 1; count < 60; count++)
        for (uint64_t rank = 1; rank < 4; rank++) {
            struct mxio_order first = {.batch_size = 3, .world = 4}, other;
            other = first;
            other.rank = rank;
            first.ending = other.ending = MXIO_END_DROP;
            CHECK_INT(mxio_order_batches(&other, count, 0, 1),
                      mxio_order_batches(&first, count, 0, 1));
            first.ending = other.ending = MXIO_END_REPEAT;
            CHECK_INT(mxio_order_batches(&other, count, 0, 1),
                      mxio_order_batches(&first, count, 0, 1));
        }
}

TEST(an_epoch_can_be_entered_at_any_batch)
{
    static const enum mxio_ending endings[] = {MXIO_END_WRAP, MXIO_END_SHORT,
                                               MXIO_END_DROP, MXIO_END_REPEAT};

    for (int i = 0; i < 4; i++) {
        const struct mxio_order order = running(4, endings[i]);
        struct epoch *whole = deal_all(&order, 30, 0);
        for (uint64_t batch = 1; batch <= whole->batches; batch++) {
            struct epoch *rest =
                deal(&order, 30, mxio_cursor_make(&order, 0, 0, batch, 1));
            const size_t before = whole->ends[batch - 1];
            CHECK_INT(rest->batches, whole->batches - batch);
            CHECK_INT(rest->rows, whole->rows - before);
            CHECK_BYTES(rest->positions, whole->positions + before,
                        rest->rows * sizeof rest->positions[0]);
            CHECK(rest->batches == 0 || rest->wrapped == whole->wrapped);
            free(rest);
        }
        free(whole);
    }
}

/* ---- records ---- */

TEST(without_shuffle_positions_are_records)
{
    const struct mxio_order order = running(4, MXIO_END_SHORT);

    for (uint64_t position = 0; position < 10; position++)
        CHECK_INT(mxio_order_at(&order, 3, 10, position), position);
    CHECK_INT(mxio_order_at(&order, 3, MXIO_UNKNOWN, 12345), 12345);
}

TEST(with_shuffle_every_record_has_one_position)
{
    struct mxio_order order = running(4, MXIO_END_SHORT);
    order.shuffle = true;

    for (uint64_t count = 1; count < 130; count += 4)
        for (uint64_t epoch = 0; epoch < 3; epoch++) {
            bool seen[130] = {false};
            for (uint64_t position = 0; position < count; position++) {
                const uint64_t record = mxio_order_at(&order, epoch, count, position);
                CHECK(record < count && !seen[record]);
                seen[record] = true;
            }
        }
}

TEST(another_seed_or_epoch_is_another_order)
{
    struct mxio_order order = running(4, MXIO_END_SHORT), other = order;
    int same_epoch = 0, same_seed = 0;
    order.shuffle = other.shuffle = true;
    other.seed = 1;

    for (uint64_t position = 0; position < 1000; position++) {
        const uint64_t record = mxio_order_at(&order, 0, 1000, position);
        same_epoch += record == mxio_order_at(&order, 1, 1000, position);
        same_seed += record == mxio_order_at(&other, 0, 1000, position);
    }

    CHECK(same_epoch < 12);
    CHECK(same_seed < 12);
}

int
main(void)
{
    RUN(round_batch_completes_the_last_batch_from_the_next_epoch);
    RUN(the_next_epoch_starts_behind_what_was_taken);
    RUN(carry_goes_on_for_ever_without_loss);
    RUN(any_world_goes_on_where_another_stopped);
    RUN(a_batch_may_wrap_once);
    RUN(the_other_endings_are_short_dropped_or_repeated);
    RUN(a_batch_larger_than_the_epoch_repeats_it_as_often_as_needed);
    RUN(while_the_count_is_unknown_there_is_always_a_record);
    RUN(looking_does_not_move_the_cursor);
    RUN(a_record_left_out_takes_no_row);
    RUN(every_position_is_dealt_once_over_ranks_and_workers);
    RUN(ranks_get_equal_numbers_of_batches_unless_short);
    RUN(an_epoch_can_be_entered_at_any_batch);
    RUN(without_shuffle_positions_are_records);
    RUN(with_shuffle_every_record_has_one_position);
    RUN(another_seed_or_epoch_is_another_order);
    return check_result();
}
