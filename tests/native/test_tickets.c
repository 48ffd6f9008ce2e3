#include "tickets.h"

#include <unistd.h>

#include "faults.h"
#include "loading.h"

/*
 * Tickets over records that nobody reads: ten bytes each. The tests take and return
 * tickets themselves, on one thread, so that every order of events can be tried.
 */
struct desk {
    struct mxio_params params;
    struct mxio_reader *reader;
    struct mxio_tickets tickets;
};

static struct mxio_reader *
plain_records(uint64_t count)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_reader *reader = NULL;
    struct bytes file = {.at = NULL};

    for (uint64_t i = 0; i < count; i++)
        bytes_part(&file, 0, "ten bytes.", 10);
    const char *path = temp_file_of(&file);
    MUST(mxio_reader_open(&reader, &path, 1, &err) == MXIO_OK, err.message);
    return reader;
}

/* depth batches of batch_size; ending as the adapters have it. */
static struct desk *
desk_new(uint64_t count, int64_t batch_size, int64_t depth, enum mxio_ending ending,
         int64_t on_error)
{
    struct desk *desk = calloc(1, sizeof *desk);
    struct mxio_error err = MXIO_NO_ERROR;
    MUST(desk != NULL, "calloc");

    desk->params = params_for_loading(batch_size);
    desk->params.prefetch_buffer = depth;
    desk->params.on_error = on_error;
    desk->reader = plain_records(count);
    const struct mxio_order order = {.ending = ending,
                                     .batch_size = (uint64_t)batch_size,
                                     .world = 1,
                                     .sequential = ending == MXIO_END_WRAP};
    MUST(mxio_tickets_init(&desk->tickets, &desk->params, desk->reader, &order, &err) ==
             MXIO_OK,
         err.message);
    return desk;
}

static void
desk_start(struct desk *desk, uint64_t batch)
{
    const struct mxio_cursor from =
        mxio_cursor_make(&desk->tickets.share.order, 0, 0, batch, 1);

    MUST(mxio_tickets_start(&desk->tickets, &from, 5000), "tickets are out");
}

static void
desk_free(struct desk *desk)
{
    MUST(mxio_tickets_stop(&desk->tickets, 5000), "a worker did not leave");
    mxio_tickets_destroy(&desk->tickets);
    mxio_reader_free(desk->reader);
    mxio_params_free(&desk->params);
    free(desk);
}

static struct mxio_ticket
take(struct desk *desk)
{
    struct mxio_ticket ticket = {.slot = NULL};
    struct mxio_error err = MXIO_NO_ERROR;

    if (!mxio_tickets_take(&desk->tickets, &ticket))
        check_failed(__FILE__, __LINE__, "no ticket");
    else if (mxio_tickets_locate(&desk->tickets, ticket.rows, &err) != MXIO_OK)
        check_failed(__FILE__, __LINE__, err.message);
    return ticket;
}

static void
give_good(struct desk *desk, struct mxio_ticket *ticket)
{
    mxio_tickets_give_back(&desk->tickets, ticket, ticket->rows);
}

static void
give_bad(struct desk *desk, struct mxio_ticket *ticket)
{
    struct mxio_error err = MXIO_NO_ERROR;

    err.record = (int64_t)ticket->rows[0].ask.record;
    mxio_fail(&err, MXIO_EDATA, "record %d is bad", (int)err.record);
    mxio_tickets_fail(&desk->tickets, ticket, 0, &err);
    mxio_tickets_give_back(&desk->tickets, ticket, ticket->rows);
}

static enum mxio_wait
next(struct desk *desk)
{
    return mxio_tickets_next(&desk->tickets, 0, NULL);
}

/* True when the batch just given holds these records. */
static bool
holds(const struct desk *desk, uint64_t first, size_t count)
{
    const struct mxio_slot *taken = &desk->tickets.taken;
    bool same = taken->given == count;

    for (size_t i = 0; i < count && same; i++)
        same = taken->rows[i].ask.record == first + i;
    return same;
}

TEST(tickets_are_dealt_row_by_row_in_order)
{
    struct desk *desk = desk_new(10, 3, 2, MXIO_END_SHORT, MXIO_RAISE);
    desk_start(desk, 0);

    for (uint64_t i = 0; i < 6; i++) {
        struct mxio_ticket ticket = take(desk);
        CHECK_INT(ticket.rows[0].ask.record, i);
        CHECK_INT(ticket.rows[0].ask.epoch, 0);
        CHECK_INT(ticket.rows[0].ask.place.offset, 20 * i);
        CHECK_INT(ticket.first, i % 3);
        CHECK(ticket.slot == &desk->tickets.slots[i / 3]);
        CHECK_INT(next(desk), MXIO_NOT_YET);
        give_good(desk, &ticket);
        if (i % 3 == 2)
            CHECK_INT(next(desk), MXIO_GIVEN);
    }
    desk_free(desk);
}

TEST(batches_come_in_order_whatever_the_order_of_return)
{
    struct desk *desk = desk_new(9, 3, 3, MXIO_END_SHORT, MXIO_RAISE);
    struct mxio_ticket tickets[9];
    desk_start(desk, 0);
    for (int i = 0; i < 9; i++)
        tickets[i] = take(desk);

    for (int i = 8; i > 0; i--) {
        give_good(desk, &tickets[i]);
        CHECK_INT(next(desk), MXIO_NOT_YET);
    }
    give_good(desk, &tickets[0]);

    for (uint64_t batch = 0; batch < 3; batch++) {
        CHECK_INT(next(desk), MXIO_GIVEN);
        CHECK(holds(desk, 3 * batch, 3));
        CHECK_INT(desk->tickets.taken.pad, 0);
    }
    desk_free(desk);
}

static void *
take_in_a_thread(void *arg)
{
    struct mxio_ticket ticket;

    return mxio_tickets_take(arg, &ticket) ? arg : NULL;
}

TEST(behind_the_last_batch_there_is_none)
{
    struct desk *desk = desk_new(4, 3, 2, MXIO_END_SHORT, MXIO_RAISE);
    pthread_t thread;
    void *taken;
    desk_start(desk, 0);
    for (int i = 0; i < 4; i++) {
        struct mxio_ticket ticket = take(desk);
        give_good(desk, &ticket);
    }
    CHECK_INT(next(desk), MXIO_GIVEN);
    CHECK_INT(next(desk), MXIO_NOT_YET); /* nobody has looked for its third row */
    pthread_create(&thread, NULL, take_in_a_thread, &desk->tickets);

    CHECK_INT(mxio_tickets_next(&desk->tickets, 5000, NULL), MXIO_GIVEN);
    CHECK(holds(desk, 3, 1));
    CHECK_INT(desk->tickets.taken.pad, 2);
    CHECK_INT(mxio_tickets_next(&desk->tickets, 5000, NULL), MXIO_OVER);
    CHECK_INT(next(desk), MXIO_OVER);

    CHECK(mxio_tickets_stop(&desk->tickets, 5000));
    pthread_join(thread, &taken);
    CHECK(taken == NULL);
    CHECK_INT(next(desk), MXIO_STOPPED);
    desk_free(desk);
}

TEST(no_more_than_depth_batches_are_dealt_ahead)
{
    struct desk *desk = desk_new(20, 2, 3, MXIO_END_SHORT, MXIO_RAISE);
    pthread_t thread;
    void *taken;
    desk_start(desk, 0);
    for (int i = 0; i < 6; i++) {
        struct mxio_ticket ticket = take(desk);
        give_good(desk, &ticket);
    }

    pthread_create(&thread, NULL, take_in_a_thread, &desk->tickets);
    usleep(20000);
    pthread_mutex_lock(&desk->tickets.lock);
    const size_t out = desk->tickets.out;
    pthread_mutex_unlock(&desk->tickets.lock);
    CHECK_INT(out, 0);
    CHECK_INT(next(desk), MXIO_GIVEN);
    pthread_join(thread, &taken);

    CHECK(taken != NULL);
    desk_free(desk);
}

TEST(a_given_batch_leaves_an_empty_block_in_its_slot)
{
    struct desk *desk = desk_new(4, 2, 1, MXIO_END_SHORT, MXIO_RAISE);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_block *full, *empty;
    CHECK_OK(mxio_block_new(&full, 10, &err), err);
    CHECK_OK(mxio_block_new(&empty, 10, &err), err);
    desk->tickets.slots[0].block = full;
    desk_start(desk, 0);
    for (int i = 0; i < 2; i++) {
        struct mxio_ticket ticket = take(desk);
        give_good(desk, &ticket);
    }

    CHECK_INT(mxio_tickets_next(&desk->tickets, 0, empty), MXIO_GIVEN);

    CHECK(desk->tickets.taken.block == full);
    CHECK(desk->tickets.slots[0].block == empty);
    mxio_block_release(full);
    desk_free(desk); /* releases the slot's */
}

TEST(waiting_takes_about_the_time_it_was_given)
{
    struct desk *desk = desk_new(4, 2, 1, MXIO_END_SHORT, MXIO_RAISE);
    struct timespec before, after;
    desk_start(desk, 0);

    clock_gettime(CLOCK_MONOTONIC, &before);
    CHECK_INT(mxio_tickets_next(&desk->tickets, 1050, NULL), MXIO_NOT_YET);
    clock_gettime(CLOCK_MONOTONIC, &after);

    const double seconds = (double)(after.tv_sec - before.tv_sec) +
                           (double)(after.tv_nsec - before.tv_nsec) / 1e9;
    CHECK(seconds > 1.04 && seconds < 5);
    desk_free(desk);
}

/* ---- wishes ---- */

static void
wish(struct desk *desk, const struct mxio_wish *wanted, size_t count)
{
    struct mxio_wish *wishes = mxio_alloc((count + 1) * sizeof *wishes);
    MUST(wishes != NULL, "mxio_alloc");

    for (size_t i = 0; i < count; i++)
        wishes[i] = wanted[i];
    MUST(mxio_tickets_wish(&desk->tickets, wishes, count, 5000), "tickets are out");
}

TEST(wishes_are_dealt_as_they_come_with_their_epochs)
{
    static const struct mxio_wish wanted[] = {{7, 3}, {2, 3}, {7, 4}};
    struct desk *desk = desk_new(10, 2, 2, MXIO_END_SHORT, MXIO_RAISE);
    struct mxio_ticket ticket;
    wish(desk, wanted, 3);

    for (int i = 0; i < 3; i++) {
        ticket = take(desk);
        CHECK_INT(ticket.rows[0].ask.record, wanted[i].at);
        CHECK_INT(ticket.rows[0].ask.place.offset, 20 * wanted[i].at);
        CHECK_INT(ticket.rows[0].ask.epoch, wanted[i].epoch);
        give_good(desk, &ticket);
    }

    CHECK_INT(next(desk), MXIO_GIVEN);
    CHECK_INT(desk->tickets.taken.given, 2);
    desk_free(desk);
}

TEST(an_epoch_follows_wishes_and_wishes_follow_an_epoch)
{
    struct desk *desk = desk_new(4, 2, 2, MXIO_END_SHORT, MXIO_RAISE);
    struct mxio_ticket ticket;
    wish(desk, NULL, 0);

    desk_start(desk, 0);
    for (uint64_t i = 0; i < 2; i++) {
        ticket = take(desk);
        CHECK_INT(ticket.rows[0].ask.record, i);
        give_good(desk, &ticket);
    }
    wish(desk, &(struct mxio_wish){3, 9}, 1);
    ticket = take(desk);

    CHECK_INT(ticket.rows[0].ask.record, 3);
    CHECK_INT(ticket.rows[0].ask.epoch, 9);
    give_good(desk, &ticket);
    desk_free(desk);
}

TEST(the_record_behind_a_bad_wish_takes_its_place)
{
    struct desk *desk = desk_new(4, 2, 2, MXIO_END_SHORT, MXIO_REPLACE);
    struct mxio_error err = MXIO_NO_ERROR;
    wish(desk, &(struct mxio_wish){3, 9}, 1);
    struct mxio_ticket ticket = take(desk);

    err.record = 3;
    mxio_fail(&err, MXIO_EDATA, "record 3 is bad");
    CHECK_OK(mxio_tickets_next_candidate(&desk->tickets, ticket.rows, &err), err);

    CHECK_INT(ticket.rows[0].ask.record, 0);
    CHECK_INT(ticket.rows[0].ask.epoch, 9);
    give_good(desk, &ticket);
    desk_free(desk);
}

/* ---- failures ---- */

TEST(the_failure_of_the_lowest_row_lies_in_the_batch)
{
    static const int orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}};

    for (int i = 0; i < 3; i++) {
        struct desk *desk = desk_new(8, 4, 2, MXIO_END_SHORT, MXIO_RAISE);
        struct mxio_ticket tickets[8];
        desk_start(desk, 0);
        for (int k = 0; k < 8; k++)
            tickets[k] = take(desk);
        for (int k = 0; k < 4; k++) {
            const int row = orders[i][k];
            if (row == 1 || row == 3)
                give_bad(desk, &tickets[row]);
            else
                give_good(desk, &tickets[row]);
        }
        CHECK_INT(next(desk), MXIO_GIVEN);
        CHECK_INT(desk->tickets.taken.err.status, MXIO_EDATA);
        CHECK_SAYS(desk->tickets.taken.err.message, "record 1 is bad");
        for (int k = 4; k < 8; k++)
            give_good(desk, &tickets[k]);
        CHECK_INT(next(desk), MXIO_GIVEN);
        CHECK_INT(desk->tickets.taken.err.status, MXIO_OK);
        desk_free(desk);
    }
}

TEST(a_foreign_row_is_no_failure)
{
    struct desk *desk = desk_new(2, 2, 1, MXIO_END_SHORT, MXIO_SKIP);
    desk_start(desk, 0);
    struct mxio_ticket first = take(desk), second = take(desk);

    give_good(desk, &first);
    second.rows[0].foreign = true;
    mxio_tickets_give_back(&desk->tickets, &second, second.rows);

    CHECK_INT(next(desk), MXIO_GIVEN);
    CHECK_INT(desk->tickets.taken.err.status, MXIO_OK);
    CHECK(!desk->tickets.taken.rows[0].foreign);
    CHECK(desk->tickets.taken.rows[1].foreign);
    desk_free(desk);
}

TEST(only_damage_and_refusal_are_answered_by_replacement)
{
    for (int64_t on_error = MXIO_RAISE; on_error <= MXIO_REPLACE; on_error++) {
        struct desk *desk = desk_new(2, 2, 1, MXIO_END_SHORT, on_error);
        for (int status = MXIO_OK; status <= MXIO_EFOREIGN; status++)
            CHECK_INT(mxio_tickets_replaces(&desk->tickets, (enum mxio_status)status),
                      on_error == MXIO_REPLACE &&
                          (status == MXIO_EDATA || status == MXIO_EIO));
        desk_free(desk);
    }
}

/* True when just these records are listed as bad, by ordinal. */
static bool
lists(struct desk *desk, const int64_t *records, size_t count)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_error *bad = NULL;
    size_t bad_count = 99;
    bool same =
        mxio_tickets_errors(&desk->tickets, &bad, &bad_count, &err) == MXIO_OK &&
        bad_count == count;

    for (size_t i = 0; i < count && same; i++)
        same = bad[i].record == records[i] && bad[i].status == MXIO_EDATA;
    mxio_free(bad);
    return same;
}

TEST(a_skipped_record_is_dealt_around_once_all_tickets_are_back)
{
    struct desk *desk = desk_new(9, 3, 2, MXIO_END_SHORT, MXIO_SKIP);
    struct mxio_ticket tickets[6];
    desk_start(desk, 0);
    for (int i = 0; i < 6; i++)
        tickets[i] = take(desk);

    give_bad(desk, &tickets[4]);
    for (int i = 0; i < 6; i++)
        if (i != 4 && i != 1)
            give_good(desk, &tickets[i]);
    CHECK_INT(next(desk), MXIO_NOT_YET);
    give_good(desk, &tickets[1]);

    CHECK_INT(next(desk), MXIO_GIVEN);
    CHECK(holds(desk, 0, 3));
    static const uint64_t rest[] = {3, 5, 6};
    for (int i = 0; i < 3; i++) {
        struct mxio_ticket ticket = take(desk);
        CHECK_INT(ticket.rows[0].ask.record, rest[i]);
        give_good(desk, &ticket);
    }
    CHECK_INT(next(desk), MXIO_GIVEN);
    CHECK_INT(desk->tickets.taken.err.status, MXIO_OK);
    CHECK(lists(desk, (const int64_t[]){4}, 1));
    desk_free(desk);
}

TEST(records_skipped_together_are_left_out_together)
{
    struct desk *desk = desk_new(9, 3, 3, MXIO_END_SHORT, MXIO_SKIP);
    struct mxio_ticket tickets[9];
    desk_start(desk, 0);
    for (int i = 0; i < 9; i++)
        tickets[i] = take(desk);

    give_bad(desk, &tickets[7]);
    give_bad(desk, &tickets[2]);
    give_bad(desk, &tickets[0]);
    for (int i = 0; i < 9; i++)
        if (i != 0 && i != 2 && i != 7)
            give_good(desk, &tickets[i]);

    static const uint64_t rest[] = {1, 3, 4, 5, 6, 8};
    for (int i = 0; i < 6; i++) {
        struct mxio_ticket ticket = take(desk);
        CHECK_INT(ticket.rows[0].ask.record, rest[i]);
        give_good(desk, &ticket);
    }
    CHECK(lists(desk, (const int64_t[]){0, 2, 7}, 3));
    /* Known now, they are never dealt again. */
    desk_start(desk, 0);
    struct mxio_ticket first = take(desk), second = take(desk);
    CHECK_INT(first.rows[0].ask.record, 1);
    CHECK_INT(second.rows[0].ask.record, 3);
    give_good(desk, &first);
    give_good(desk, &second);
    desk_free(desk);
}

TEST(a_batch_that_was_given_can_be_dealt_again)
{
    struct desk *desk = desk_new(6, 2, 2, MXIO_END_SHORT, MXIO_SKIP);
    struct mxio_error err = MXIO_NO_ERROR;
    desk_start(desk, 0);
    for (int i = 0; i < 4; i++) {
        struct mxio_ticket ticket = take(desk);
        give_good(desk, &ticket);
    }
    CHECK_INT(next(desk), MXIO_GIVEN);

    err.record = 1;
    mxio_fail(&err, MXIO_EDATA, "the consumer could not decode it");
    CHECK_INT(mxio_tickets_redo(&desk->tickets, 5000, &err), MXIO_GIVEN);

    static const uint64_t again[] = {0, 2, 3, 4};
    for (int i = 0; i < 4; i++) {
        struct mxio_ticket ticket = take(desk);
        CHECK_INT(ticket.rows[0].ask.record, again[i]);
        give_good(desk, &ticket);
    }
    CHECK_INT(next(desk), MXIO_GIVEN);
    CHECK_INT(desk->tickets.taken.rows[1].ask.record, 2);
    desk_free(desk);
}

/* What next_candidate makes of a row that holds a bad record. */
static enum mxio_status
candidate(struct desk *desk, struct mxio_row *row, struct mxio_error *err)
{
    *err = MXIO_NO_ERROR;
    err->record = (int64_t)row->ask.record;
    mxio_fail(err, MXIO_EDATA, "record %d is bad", (int)err->record);
    return mxio_tickets_next_candidate(&desk->tickets, row, err);
}

TEST(the_next_record_that_is_not_known_to_be_bad_takes_the_row)
{
    struct desk *desk = desk_new(5, 5, 1, MXIO_END_SHORT, MXIO_REPLACE);
    struct mxio_ticket tickets[5];
    struct mxio_error err;
    desk_start(desk, 0);
    for (int i = 0; i < 5; i++)
        tickets[i] = take(desk);

    CHECK_OK(candidate(desk, &tickets[1].rows[0], &err), err);
    CHECK_INT(tickets[1].rows[0].ask.record, 2);
    CHECK_INT(err.status, MXIO_OK);
    CHECK_OK(candidate(desk, &tickets[1].rows[0], &err), err);
    CHECK_INT(tickets[1].rows[0].ask.record, 3);
    CHECK_OK(candidate(desk, &tickets[4].rows[0], &err), err);
    CHECK_INT(tickets[4].rows[0].ask.record, 0); /* behind the last comes the first */
    CHECK_OK(candidate(desk, &tickets[4].rows[0], &err), err);
    CHECK_INT(tickets[4].rows[0].ask.record, 3); /* 1 and 2 are known */
    CHECK(lists(desk, (const int64_t[]){0, 1, 2, 4}, 4));
    CHECK_INT(candidate(desk, &tickets[4].rows[0], &err), MXIO_EDATA);
    CHECK_SAYS(err.message, "no good record to take its place: record 3 is bad");
    for (int i = 0; i < 5; i++)
        give_good(desk, &tickets[i]);
    desk_free(desk);
}

TEST(a_replacement_is_found_before_the_end_was_seen)
{
    struct desk *desk = desk_new(4, 4, 1, MXIO_END_WRAP, MXIO_REPLACE);
    struct mxio_ticket tickets[4];
    struct mxio_error err;
    desk_start(desk, 0);
    for (int i = 0; i < 4; i++)
        tickets[i] = take(desk);

    CHECK_OK(candidate(desk, &tickets[3].rows[0], &err), err);
    CHECK_INT(tickets[3].rows[0].ask.record, 0);
    CHECK_OK(candidate(desk, &tickets[3].rows[0], &err), err);
    CHECK_INT(tickets[3].rows[0].ask.record, 1);
    for (int i = 0; i < 4; i++)
        give_good(desk, &tickets[i]);
    desk_free(desk);
}

TEST(max_errors_bounds_the_list)
{
    struct desk *desk = desk_new(9, 9, 1, MXIO_END_SHORT, MXIO_REPLACE);
    struct mxio_ticket tickets[9];
    struct mxio_error err;
    desk->params.max_errors = 2;
    desk_start(desk, 0);
    for (int i = 0; i < 9; i++)
        tickets[i] = take(desk);

    CHECK_OK(candidate(desk, &tickets[3].rows[0], &err), err);
    CHECK_OK(candidate(desk, &tickets[5].rows[0], &err), err);
    CHECK_INT(candidate(desk, &tickets[7].rows[0], &err), MXIO_EDATA);
    CHECK_SAYS(err.message, "more than max_errors=2 bad records; the last: record 7");
    CHECK(lists(desk, (const int64_t[]){3, 5}, 2));
    /* One that is listed already does not count again. */
    tickets[3].rows[0].ask.record = 3;
    tickets[3].rows[0].position = 3;
    CHECK_OK(candidate(desk, &tickets[3].rows[0], &err), err);
    for (int i = 0; i < 9; i++)
        give_good(desk, &tickets[i]);
    desk_free(desk);
}

TEST(skipping_beyond_max_errors_is_a_failure_of_its_batch)
{
    struct desk *desk = desk_new(4, 2, 2, MXIO_END_SHORT, MXIO_SKIP);
    struct mxio_ticket tickets[2];
    desk->params.max_errors = 0;
    desk_start(desk, 0);
    for (int i = 0; i < 2; i++)
        tickets[i] = take(desk);

    give_good(desk, &tickets[1]);
    give_bad(desk, &tickets[0]);

    CHECK_INT(next(desk), MXIO_GIVEN);
    CHECK_SAYS(desk->tickets.taken.err.message, "more than max_errors=0");
    CHECK(lists(desk, NULL, 0));
    desk_free(desk);
}

/* Which batch it is depends on who comes first: the header's one exception. */
TEST(one_bad_record_too_many_fails_one_batch)
{
    for (int late = 0; late < 2; late++) {
        struct desk *desk = desk_new(8, 4, 2, MXIO_END_SHORT, MXIO_REPLACE);
        struct mxio_ticket tickets[8];
        struct mxio_error err;
        desk->params.max_errors = 1;
        desk_start(desk, 0);
        for (int i = 0; i < 8; i++)
            tickets[i] = take(desk);
        for (int k = 0; k < 2; k++) { /* records 1 and 5, in either order */
            struct mxio_ticket *bad = &tickets[k == late ? 1 : 5];
            CHECK_INT(candidate(desk, &bad->rows[0], &err),
                      k == 0 ? MXIO_OK : MXIO_EDATA);
            mxio_tickets_fail(&desk->tickets, bad, 0, &err);
            mxio_tickets_give_back(&desk->tickets, bad, bad->rows);
        }
        for (int i = 0; i < 8; i++)
            if (i != 1 && i != 5)
                give_good(desk, &tickets[i]);

        for (int batch = 0; batch < 2; batch++) {
            CHECK_INT(next(desk), MXIO_GIVEN);
            CHECK_INT(desk->tickets.taken.err.status,
                      batch == late ? MXIO_OK : MXIO_EDATA);
        }
        CHECK(lists(desk, (const int64_t[]){late == 0 ? 1 : 5}, 1));
        desk_free(desk);
    }
}

/* ---- epochs ---- */

TEST(an_epoch_can_be_started_anywhere_and_again)
{
    struct desk *desk = desk_new(9, 3, 1, MXIO_END_SHORT, MXIO_RAISE);

    for (uint64_t batch = 0; batch < 3; batch++) {
        desk_start(desk, batch);
        for (uint64_t i = 0; i < 3; i++) {
            struct mxio_ticket ticket = take(desk);
            CHECK_INT(ticket.rows[0].ask.record, 3 * batch + i);
            give_good(desk, &ticket);
        }
        CHECK_INT(next(desk), MXIO_GIVEN);
    }
    desk_free(desk);
}

struct restart {
    struct desk *desk;
    bool done; /* guarded by the tickets' lock */
};

static void *
start_in_a_thread(void *arg)
{
    struct restart *restart = arg;

    desk_start(restart->desk, 0);
    pthread_mutex_lock(&restart->desk->tickets.lock);
    restart->done = true;
    pthread_mutex_unlock(&restart->desk->tickets.lock);
    return NULL;
}

TEST(starting_waits_for_the_tickets_that_are_out)
{
    struct desk *desk = desk_new(9, 3, 2, MXIO_END_SHORT, MXIO_RAISE);
    struct restart restart = {.desk = desk};
    pthread_t thread;
    desk_start(desk, 1);
    struct mxio_ticket ticket = take(desk);

    pthread_create(&thread, NULL, start_in_a_thread, &restart);
    usleep(20000);
    pthread_mutex_lock(&desk->tickets.lock);
    const bool early = restart.done;
    pthread_mutex_unlock(&desk->tickets.lock);
    give_good(desk, &ticket);
    pthread_join(thread, NULL);

    CHECK(!early);
    struct mxio_ticket first = take(desk);
    CHECK_INT(first.rows[0].ask.record, 0);
    CHECK_INT(first.first, 0);
    give_good(desk, &first);
    desk_free(desk);
}

/* Samples of a microsecond each were met before: a ticket holds many of them. */
static void
make_small(struct desk *desk)
{
    desk->tickets.pace = 1000;
}

TEST(small_samples_are_dealt_in_runs)
{
    struct desk *desk = desk_new(250, 100, 4, MXIO_END_SHORT, MXIO_RAISE);
    static const size_t counts[] = {32, 32, 32, 4, 32, 32, 32, 4, 32, 18};
    make_small(desk);
    desk_start(desk, 0);

    uint64_t record = 0;
    for (int i = 0; i < 10; i++) {
        struct mxio_ticket ticket = take(desk);
        CHECK_INT(ticket.count, counts[i]);
        for (size_t k = 0; k < ticket.count; k++)
            CHECK_INT(ticket.rows[k].position, record++);
        give_good(desk, &ticket);
    }

    CHECK_INT(desk->tickets.runs, 10); /* not 250 */
    for (int i = 0; i < 3; i++)
        CHECK_INT(next(desk), MXIO_GIVEN);
    CHECK_INT(desk->tickets.taken.given, 50);
    desk_free(desk);
}

TEST(many_workers_share_a_batch)
{
    struct desk *desk = desk_new(250, 100, 2, MXIO_END_SHORT, MXIO_RAISE);
    make_small(desk);
    desk->tickets.workers = 9;
    desk_start(desk, 0);

    struct mxio_ticket ticket = take(desk);

    CHECK_INT(ticket.count, 10); /* two batches, two tickets for each and a new one */
    give_good(desk, &ticket);
    desk->tickets.workers = 0;
    desk_free(desk);
}

TEST(workers_that_wait_need_no_share)
{
    struct desk *desk = desk_new(250, 100, 2, MXIO_END_SHORT, MXIO_RAISE);
    make_small(desk);
    desk->tickets.workers = 9;
    desk->tickets.waiting = 8;
    desk_start(desk, 0);

    struct mxio_ticket ticket = take(desk);

    CHECK_INT(ticket.count, 32);
    give_good(desk, &ticket);
    desk->tickets.workers = desk->tickets.waiting = 0;
    desk_free(desk);
}

/* Rows of the ticket behind `count` others, whose rows took so many microseconds. */
static size_t
rows_after(int count, uint64_t microseconds)
{
    struct desk *desk = desk_new(10000, 1000, 4, MXIO_END_SHORT, MXIO_RAISE);
    struct mxio_ticket ticket;
    desk_start(desk, 0);

    for (int i = 0; i < count; i++) {
        ticket = take(desk);
        ticket.spent.stage[MXIO_STAGE_DECODE] = microseconds * 1000 * ticket.count;
        give_good(desk, &ticket);
    }
    ticket = take(desk);
    const size_t rows = ticket.count;
    give_good(desk, &ticket);
    desk_free(desk);
    return rows;
}

TEST(a_ticket_is_about_200_microseconds_of_rows)
{
    CHECK_INT(rows_after(0, 0), 1);
    CHECK_INT(rows_after(1, 600), 1);
    CHECK_INT(rows_after(1, 50), 4);
    CHECK_INT(rows_after(1, 10), 20);
    CHECK_INT(rows_after(1, 1), 32);
    CHECK_INT(rows_after(30, 10), 20);
}

TEST(an_interrupted_ticket_makes_the_next_little_shorter)
{
    struct desk *desk = desk_new(10000, 1000, 4, MXIO_END_SHORT, MXIO_RAISE);
    desk->tickets.pace = 10000;
    desk_start(desk, 0);
    struct mxio_ticket ticket = take(desk);
    CHECK_INT(ticket.count, 20);

    ticket.spent.stage[MXIO_STAGE_DECODE] = 90000000; /* others had the processor */
    give_good(desk, &ticket);

    ticket = take(desk);
    CHECK(ticket.count >= 14);
    give_good(desk, &ticket);
    desk_free(desk);
}

TEST(rows_that_become_large_become_tickets_of_their_own)
{
    struct desk *desk = desk_new(10000, 1000, 4, MXIO_END_SHORT, MXIO_RAISE);
    struct mxio_ticket ticket;
    make_small(desk);
    desk_start(desk, 0);

    for (int i = 0; i < 50; i++) {
        ticket = take(desk);
        CHECK(i > 0 || ticket.count == 32);
        ticket.spent.stage[MXIO_STAGE_DECODE] = 2000000 * ticket.count;
        give_good(desk, &ticket);
    }

    ticket = take(desk);
    CHECK_INT(ticket.count, 1);
    give_good(desk, &ticket);
    desk_free(desk);
}

/* Wait until so many threads wait and so many tickets are out, five seconds at most. */
static void
look_until(struct desk *desk, size_t waiting_wanted, size_t out_wanted, size_t *waiting,
           size_t *out)
{
    for (int i = 0; i < 5000; i++) {
        pthread_mutex_lock(&desk->tickets.lock);
        *waiting = desk->tickets.waiting;
        *out = desk->tickets.out;
        pthread_mutex_unlock(&desk->tickets.lock);
        if (*waiting == waiting_wanted && *out == out_wanted)
            return;
        usleep(1000);
    }
}

TEST(a_free_slot_wakes_as_many_as_it_has_tickets)
{
    struct desk *desk = desk_new(20, 2, 1, MXIO_END_SHORT, MXIO_RAISE);
    pthread_t threads[5];
    void *taken;
    size_t waiting = 0, out = 0;
    desk_start(desk, 0);
    for (int i = 0; i < 2; i++) {
        struct mxio_ticket ticket = take(desk);
        give_good(desk, &ticket);
    }
    for (int i = 0; i < 5; i++)
        pthread_create(&threads[i], NULL, take_in_a_thread, &desk->tickets);
    look_until(desk, 5, 0, &waiting, &out);
    CHECK_INT(waiting, 5);

    CHECK_INT(next(desk), MXIO_GIVEN);

    look_until(desk, 3, 2, &waiting, &out);
    CHECK_INT(waiting, 3);
    CHECK_INT(out, 2); /* a row each */
    CHECK(mxio_tickets_stop(&desk->tickets, 5000));
    for (int i = 0; i < 5; i++)
        pthread_join(threads[i], &taken);
    desk_free(desk);
}

TEST(bad_rows_of_a_run_are_known_each)
{
    struct desk *desk = desk_new(20, 10, 2, MXIO_END_SHORT, MXIO_RAISE);
    struct mxio_error err;
    make_small(desk);
    desk_start(desk, 0);
    struct mxio_ticket ticket = take(desk);
    CHECK_INT(ticket.count, 10);

    static const size_t bad[] = {7, 3, 5};
    for (int i = 0; i < 3; i++) {
        err = MXIO_NO_ERROR;
        mxio_fail(&err, MXIO_EDATA, "row %zu is bad", bad[i]);
        mxio_tickets_fail(&desk->tickets, &ticket, bad[i], &err);
    }
    give_good(desk, &ticket);

    CHECK_INT(next(desk), MXIO_GIVEN);
    CHECK_SAYS(desk->tickets.taken.err.message, "row 3 is bad");
    desk_free(desk);
}

TEST(wrapped_positions_belong_to_the_next_epoch)
{
    struct desk *desk = desk_new(5, 3, 2, MXIO_END_WRAP, MXIO_RAISE);
    desk_start(desk, 0);
    static const uint64_t records[] = {0, 1, 2, 3, 4, 0};

    for (int i = 0; i < 6; i++) {
        struct mxio_ticket ticket = take(desk);
        CHECK_INT(ticket.rows[0].ask.record, records[i]);
        CHECK_INT(ticket.rows[0].ask.epoch, i == 5);
        give_good(desk, &ticket);
    }

    CHECK_INT(next(desk), MXIO_GIVEN);
    CHECK_INT(desk->tickets.taken.wrapped, 0);
    CHECK_INT(next(desk), MXIO_GIVEN);
    CHECK_INT(desk->tickets.taken.wrapped, 1);
    CHECK_INT(desk->tickets.taken.pad, 1);
    desk_start(desk, 0);
    CHECK_INT(desk->tickets.taken.wrapped, 0);
    desk_free(desk);
}

TEST(the_count_and_the_offsets_are_those_of_the_records)
{
    struct desk *desk = desk_new(6, 2, 1, MXIO_END_WRAP, MXIO_RAISE);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_block *block;
    uint64_t count, offsets[6];

    CHECK_OK(mxio_tickets_count(&desk->tickets, &count, &err), err);
    CHECK_INT(count, 6);
    CHECK_OK(mxio_tickets_offsets(&desk->tickets, &block, &err), err);
    CHECK_INT(block->size, sizeof offsets);
    memcpy(offsets, block->bytes, sizeof offsets);
    for (uint64_t i = 0; i < 6; i++)
        CHECK_INT(offsets[i], 20 * i);
    mxio_block_release(block);
    desk_free(desk);
}

TEST(a_part_without_records_is_an_error)
{
    struct mxio_params params = params_for_loading(2);
    struct mxio_reader *reader = plain_records(2);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_tickets tickets;
    const struct mxio_order order = {.batch_size = 2, .world = 1};
    params.num_parts = 5;
    params.part_index = 4;

    CHECK_INT(mxio_tickets_init(&tickets, &params, reader, &order, &err), MXIO_EDATA);
    CHECK_SAYS(err.message, "part_index=4 of num_parts=5 holds no record");
    mxio_tickets_destroy(&tickets);
    mxio_reader_free(reader);
    mxio_params_free(&params);
}

static enum mxio_status
init_once(void *context, struct mxio_error *err)
{
    const struct desk *desk = context;
    const struct mxio_order order = {.batch_size = 2, .world = 1};
    struct mxio_error *bad = NULL;
    struct mxio_tickets tickets;
    size_t count;

    enum mxio_status status =
        mxio_tickets_init(&tickets, &desk->params, desk->reader, &order, err);
    if (status == MXIO_OK)
        status = mxio_tickets_errors(&tickets, &bad, &count, err);
    mxio_free(bad);
    mxio_tickets_destroy(&tickets);
    return status;
}

TEST(every_failing_allocation_is_survived)
{
    struct desk *desk = desk_new(3, 2, 4, MXIO_END_SHORT, MXIO_RAISE);

    CHECK(faults_met(init_once, desk) >= 6);
    desk_free(desk);
}

int
main(void)
{
    RUN(tickets_are_dealt_row_by_row_in_order);
    RUN(batches_come_in_order_whatever_the_order_of_return);
    RUN(behind_the_last_batch_there_is_none);
    RUN(no_more_than_depth_batches_are_dealt_ahead);
    RUN(a_given_batch_leaves_an_empty_block_in_its_slot);
    RUN(waiting_takes_about_the_time_it_was_given);
    RUN(wishes_are_dealt_as_they_come_with_their_epochs);
    RUN(an_epoch_follows_wishes_and_wishes_follow_an_epoch);
    RUN(the_record_behind_a_bad_wish_takes_its_place);
    RUN(the_failure_of_the_lowest_row_lies_in_the_batch);
    RUN(a_foreign_row_is_no_failure);
    RUN(only_damage_and_refusal_are_answered_by_replacement);
    RUN(a_skipped_record_is_dealt_around_once_all_tickets_are_back);
    RUN(records_skipped_together_are_left_out_together);
    RUN(a_batch_that_was_given_can_be_dealt_again);
    RUN(the_next_record_that_is_not_known_to_be_bad_takes_the_row);
    RUN(a_replacement_is_found_before_the_end_was_seen);
    RUN(max_errors_bounds_the_list);
    RUN(skipping_beyond_max_errors_is_a_failure_of_its_batch);
    RUN(one_bad_record_too_many_fails_one_batch);
    RUN(an_epoch_can_be_started_anywhere_and_again);
    RUN(starting_waits_for_the_tickets_that_are_out);
    RUN(small_samples_are_dealt_in_runs);
    RUN(many_workers_share_a_batch);
    RUN(workers_that_wait_need_no_share);
    RUN(a_ticket_is_about_200_microseconds_of_rows);
    RUN(an_interrupted_ticket_makes_the_next_little_shorter);
    RUN(rows_that_become_large_become_tickets_of_their_own);
    RUN(a_free_slot_wakes_as_many_as_it_has_tickets);
    RUN(bad_rows_of_a_run_are_known_each);
    RUN(wrapped_positions_belong_to_the_next_epoch);
    RUN(the_count_and_the_offsets_are_those_of_the_records);
    RUN(a_part_without_records_is_an_error);
    RUN(every_failing_allocation_is_survived);
    return check_result();
}
