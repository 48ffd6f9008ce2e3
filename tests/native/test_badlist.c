#include "badlist.h"

#include "check.h"

static enum mxio_status
note(struct mxio_badlist *list, int64_t record, size_t most, struct mxio_error *err)
{
    *err = MXIO_NO_ERROR;
    err->record = record;
    mxio_fail(err, MXIO_EDATA, "record %lld is torn", (long long)record);
    return mxio_badlist_note(list, most, err);
}

TEST(records_are_kept_once_and_in_order)
{
    static const int64_t noted[] = {7, 2, 9, 2, 0, 7};
    static const int64_t kept[] = {0, 2, 7, 9};
    struct mxio_badlist list = {.items = NULL};
    struct mxio_error *copy, err;

    for (int i = 0; i < 6; i++)
        CHECK_OK(note(&list, noted[i], 4, &err), err);

    CHECK_INT(list.count, 4);
    CHECK_OK(mxio_badlist_copy(&list, &copy, &err), err);
    for (int i = 0; i < 4; i++) {
        CHECK_INT(copy[i].record, kept[i]);
        CHECK(mxio_badlist_has(&list, (uint64_t)kept[i], 5));
    }
    CHECK_SAYS(copy[2].message, "record 7 is torn");
    CHECK(!mxio_badlist_has(&list, 1, 5) && !mxio_badlist_has(&list, 10, 5));
    mxio_free(copy);
    mxio_badlist_free(&list);
    CHECK_INT(list.count, 0);
}

TEST(more_than_allowed_is_the_last_one_s_failure)
{
    struct mxio_badlist list = {.items = NULL};
    struct mxio_error err;
    CHECK_OK(note(&list, 4, 1, &err), err);

    CHECK_INT(note(&list, 3, 1, &err), MXIO_EDATA);

    CHECK_SAYS(err.message, "more than max_errors=1 bad records; the last: record 3");
    CHECK_INT(err.record, 3);
    CHECK_OK(note(&list, 4, 1, &err), err); /* it is known */
    CHECK_INT(note(&list, 5, 0, &err), MXIO_EDATA);
    mxio_badlist_free(&list);
}

static enum mxio_status
note_in_epoch(struct mxio_badlist *list, int64_t record, uint64_t epoch)
{
    struct mxio_error err = {.record = record, .by_plan = true, .epoch = epoch};

    return mxio_badlist_note(list, 9, &err);
}

TEST(what_is_bad_by_its_plan_is_so_in_that_epoch)
{
    struct mxio_badlist list = {.items = NULL};
    struct mxio_error err;

    CHECK_INT(note_in_epoch(&list, 4, 6), MXIO_OK);
    CHECK(mxio_badlist_has(&list, 4, 6));
    CHECK(!mxio_badlist_has(&list, 4, 0) && !mxio_badlist_has(&list, 4, 7));
    CHECK_INT(note_in_epoch(&list, 4, 7), MXIO_OK);
    CHECK_INT(note_in_epoch(&list, 4, 6), MXIO_OK); /* both are under way */
    CHECK(mxio_badlist_has(&list, 4, 6) && mxio_badlist_has(&list, 4, 7));
    CHECK_INT(note_in_epoch(&list, 4, 8), MXIO_OK);
    CHECK(mxio_badlist_has(&list, 4, 8) && !mxio_badlist_has(&list, 4, 6));
    CHECK_OK(note(&list, 5, 9, &err), err);
    CHECK(mxio_badlist_has_all(&list, 2, 8) && !mxio_badlist_has_all(&list, 2, 9));
    CHECK(mxio_badlist_has_all(&list, 1, 9) && !mxio_badlist_has_all(&list, 3, 8));

    CHECK_OK(note(&list, 4, 9, &err), err); /* without a plan */

    CHECK_INT(list.count, 2);
    CHECK(mxio_badlist_has(&list, 4, 0) && mxio_badlist_has_all(&list, 2, 9));
    mxio_badlist_free(&list);
}

TEST(the_list_grows_by_itself)
{
    struct mxio_badlist list = {.items = NULL};
    struct mxio_error err;

    for (int64_t i = 0; i < 100; i++)
        CHECK_OK(note(&list, (i * 37) % 100, 100, &err), err);

    for (int64_t i = 0; i < 100; i++)
        CHECK_INT(list.items[i].err.record, i);
    mxio_badlist_free(&list);
}

TEST(what_comes_of_bad_records_names_the_last)
{
    struct mxio_badlist list = {.items = NULL};
    struct mxio_error err = MXIO_NO_ERROR;

    CHECK_INT(mxio_badlist_fail(&list, "all 0 are bad", &err), MXIO_EDATA);
    CHECK(strcmp(err.message, "all 0 are bad") == 0);
    CHECK_OK(note(&list, 7, 9, &err), err);
    CHECK_OK(note(&list, 3, 9, &err), err);

    CHECK_INT(mxio_badlist_fail(&list, "all 2 are bad", &err), MXIO_EDATA);

    CHECK_SAYS(err.message, "all 2 are bad; the last: ");
    CHECK_SAYS(err.message, list.items[1].err.message);
    CHECK_INT(err.record, 7);
    mxio_badlist_free(&list);
}

TEST(without_memory_the_list_stays_as_it_was)
{
    struct mxio_badlist list = {.items = NULL};
    struct mxio_error *copy, err;
    CHECK_OK(note(&list, 1, 9, &err), err);

    mxio_alloc_fail_at(1);
    CHECK_INT(mxio_badlist_copy(&list, &copy, &err), MXIO_ENOMEM);
    for (int64_t i = 2; i < 17; i++)
        CHECK_OK(note(&list, i, 99, &err), err);
    mxio_alloc_fail_at(1);
    CHECK_INT(note(&list, 17, 99, &err), MXIO_ENOMEM);
    mxio_alloc_fail_at(0);

    CHECK_INT(list.count, 16);
    CHECK(!mxio_badlist_has(&list, 17, 5));
    mxio_badlist_free(&list);
}

int
main(void)
{
    RUN(records_are_kept_once_and_in_order);
    RUN(more_than_allowed_is_the_last_one_s_failure);
    RUN(what_is_bad_by_its_plan_is_so_in_that_epoch);
    RUN(the_list_grows_by_itself);
    RUN(what_comes_of_bad_records_names_the_last);
    RUN(without_memory_the_list_stays_as_it_was);
    return check_result();
}
