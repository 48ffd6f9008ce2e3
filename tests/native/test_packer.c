#include "packer.h"

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

#include "faults.h"
#include "records.h"

#define WAIT_MS 10000

static const struct mxio_recipe unchanged = {.unchanged = true};

static enum mxio_status
add(struct mxio_packer *packer, const char *path, const char *head,
    struct mxio_error *err)
{
    const struct mxio_pack_job job = {.path = path,
                                      .head = (const uint8_t *)head,
                                      .head_size = strlen(head)};

    return mxio_packer_add(packer, &job, err);
}

/* The payload of the next record, which is short and of one part. */
static enum mxio_status
next_payload(struct mxio_packer *packer, char out[64], struct mxio_error *err)
{
    struct mxio_block *record = NULL;
    bool ready = false;

    const enum mxio_status status =
        mxio_packer_next(packer, WAIT_MS, &ready, &record, err);
    if (status != MXIO_OK)
        return status;
    MUST(ready && record->size < 64, "nothing came");
    const uint32_t size = mxio_load_u32(record->bytes + 4);
    memcpy(out, record->bytes + 8, size);
    out[size] = '\0';
    mxio_block_release(record);
    return MXIO_OK;
}

TEST(records_come_in_the_order_of_the_jobs)
{
    const char *path = temp_file("!", 1);

    for (size_t threads = 1; threads <= 7; threads += 3) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_packer *packer = NULL;
        char head[16], payload[64];
        int taken = 0;
        CHECK_OK(mxio_packer_new(&packer, &unchanged, threads, 9, &err), err);
        for (int i = 0; i < 200 + 9; i++) {
            if (i >= 9) {
                CHECK_OK(next_payload(packer, payload, &err), err);
                snprintf(head, sizeof head, "%d!", taken++);
                CHECK_SAYS(payload, head);
                CHECK_INT(strlen(payload), strlen(head));
            }
            if (i < 200) {
                snprintf(head, sizeof head, "%d", i);
                CHECK_OK(add(packer, path, head, &err), err);
            }
        }
        CHECK_INT(taken, 200);
        mxio_packer_free(packer);
    }
}

TEST(a_bad_picture_comes_in_its_turn_and_the_next_call_goes_on)
{
    const char *path = temp_file("!", 1);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_packer *packer = NULL;
    char payload[64];

    CHECK_OK(mxio_packer_new(&packer, &unchanged, 2, 3, &err), err);
    CHECK_OK(add(packer, path, "a", &err), err);
    CHECK_OK(add(packer, "/none/such", "b", &err), err);
    CHECK_OK(add(packer, path, "c", &err), err);
    CHECK_OK(next_payload(packer, payload, &err), err);
    CHECK_SAYS(payload, "a!");
    CHECK_INT(next_payload(packer, payload, &err), MXIO_EIO);
    CHECK_SAYS(err.message, "cannot open");
    CHECK_OK(next_payload(packer, payload, &err), err);
    CHECK_SAYS(payload, "c!");
    mxio_packer_free(packer);
}

TEST(too_many_jobs_and_none_are_refused)
{
    const char *path = temp_file("!", 1);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_packer *packer = NULL;
    char payload[64];

    CHECK_OK(mxio_packer_new(&packer, &unchanged, 1, 1, &err), err);
    CHECK_INT(next_payload(packer, payload, &err), MXIO_ESTATE);
    CHECK_SAYS(err.message, "no job is inside");
    CHECK_OK(add(packer, path, "a", &err), err);
    CHECK_INT(add(packer, path, "b", &err), MXIO_ESTATE);
    CHECK_SAYS(err.message, "1 jobs are inside");
    CHECK_OK(next_payload(packer, payload, &err), err);
    mxio_packer_free(packer);
}

static void *
close_soon(void *packer)
{
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    mxio_packer_close(packer);
    return NULL;
}

TEST(closing_from_another_thread_ends_the_work)
{
    const char *path = temp_file("!", 1);
    struct mxio_error err = MXIO_NO_ERROR;
    enum mxio_status status = MXIO_OK;
    struct mxio_packer *packer = NULL;
    pthread_t closer;
    char payload[64];

    CHECK_OK(mxio_packer_new(&packer, &unchanged, 2, 4, &err), err);
    MUST(pthread_create(&closer, NULL, close_soon, packer) == 0, "pthread_create");
    while (status == MXIO_OK) {
        status = add(packer, path, "a", &err);
        if (status == MXIO_OK)
            status = next_payload(packer, payload, &err);
    }
    pthread_join(closer, NULL);

    CHECK_INT(status, MXIO_ESTATE);
    CHECK_SAYS(err.message, "the packer is closed");
    CHECK_INT(add(packer, path, "a", &err), MXIO_ESTATE);
    mxio_packer_close(packer);
    mxio_packer_free(packer);
}

TEST(a_forked_child_is_refused_and_may_free)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_packer *packer = NULL;
    int status = 1;

    if (UNDER_TSAN)
        return;
    CHECK_OK(mxio_packer_new(&packer, &unchanged, 2, 2, &err), err);
    CHECK_OK(add(packer, temp_file("!", 1), "a", &err), err);
    const pid_t child = fork();
    if (child == 0) {
        const bool refused = add(packer, "b", "b", &err) == MXIO_ESTATE;
        mxio_packer_close(packer);
        mxio_packer_free(packer);
        _exit(refused ? 0 : 1);
    }
    MUST(child > 0 && waitpid(child, &status, 0) == child, "fork");
    CHECK_INT(status, 0);
    mxio_packer_free(packer);
}

static enum mxio_status
attempt(void *context, struct mxio_error *err)
{
    struct mxio_packer *packer = NULL;
    char payload[64];

    enum mxio_status status = mxio_packer_new(&packer, &unchanged, 1, 2, err);
    if (status != MXIO_OK)
        return status;
    status = add(packer, context, "a", err);
    if (status == MXIO_OK)
        status = next_payload(packer, payload, err);
    mxio_packer_free(packer);
    return status;
}

TEST(each_failing_allocation_is_reported)
{
    char path[64];

    snprintf(path, sizeof path, "%s", temp_file("!", 1));
    CHECK(faults_met(attempt, path) > 5);
}

int
main(void)
{
    RUN(records_come_in_the_order_of_the_jobs);
    RUN(a_bad_picture_comes_in_its_turn_and_the_next_call_goes_on);
    RUN(too_many_jobs_and_none_are_refused);
    RUN(closing_from_another_thread_ends_the_work);
    RUN(a_forked_child_is_refused_and_may_free);
    RUN(each_failing_allocation_is_reported);
    return check_result();
}
