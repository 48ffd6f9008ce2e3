#include "file_lookout.h"

#include <string.h>

#include "check.h"
#include "file.h"
#include "records.h"

TEST(a_lookout_sees_what_the_thread_reads)
{
    struct mxio_lookout lookout;
    struct mxio_sight sight;

    mxio_lookout_init(&lookout);
    mxio_lookout_watch(&lookout);
    CHECK(mxio_lookout_opens("some/file"));
    mxio_lookout_see(&lookout, &sight);
    CHECK(strcmp(sight.path, "some/file") == 0);
    CHECK_INT(sight.descriptor, -1);
    CHECK_INT(sight.calls, 1);

    CHECK(mxio_lookout_reads(7, 1234));
    mxio_lookout_see(&lookout, &sight);
    CHECK(strcmp(sight.path, "") == 0);
    CHECK_INT(sight.descriptor, 7);
    CHECK_INT(sight.offset, 1234);

    mxio_lookout_back();
    mxio_lookout_see(&lookout, &sight);
    CHECK_INT(sight.descriptor, -1);
    CHECK_INT(sight.calls, 3);

    mxio_lookout_watch(NULL);
    CHECK(mxio_lookout_reads(7, 0));
    mxio_lookout_see(&lookout, &sight);
    CHECK_INT(sight.calls, 3);
    mxio_lookout_destroy(&lookout);
}

TEST(who_is_told_already_stays)
{
    struct mxio_lookout first, other;
    struct mxio_sight sight;

    mxio_lookout_init(&first);
    mxio_lookout_init(&other);
    CHECK(mxio_lookout_offer(&first) == NULL);
    CHECK(mxio_lookout_offer(&other) == &first);
    CHECK(mxio_lookout_reads(7, 0));
    mxio_lookout_watch(NULL);

    mxio_lookout_see(&first, &sight);
    CHECK_INT(sight.calls, 1);
    mxio_lookout_see(&other, &sight);
    CHECK_INT(sight.calls, 0);
    mxio_lookout_destroy(&first);
    mxio_lookout_destroy(&other);
}

TEST(a_long_path_is_cut_short)
{
    struct mxio_lookout lookout;
    struct mxio_sight sight;
    char path[3000];

    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    mxio_lookout_init(&lookout);
    mxio_lookout_watch(&lookout);
    CHECK(mxio_lookout_opens(path));
    mxio_lookout_watch(NULL);

    mxio_lookout_see(&lookout, &sight);
    CHECK_INT(strlen(sight.path), sizeof sight.path - 1);
    mxio_lookout_destroy(&lookout);
}

TEST(who_is_stopped_opens_and_reads_nothing_more)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_lookout lookout;
    struct mxio_file file, other;
    const char *path = temp_file("0123456789", 10);
    char out[4];

    mxio_lookout_init(&lookout);
    mxio_lookout_watch(&lookout);
    CHECK_OK(mxio_file_open(&file, path, &err), err);
    CHECK_OK(mxio_file_read(&file, 2, out, 4, &err), err);
    mxio_lookout_stop(&lookout);
    CHECK_INT(mxio_file_read(&file, 2, out, 4, &err), MXIO_ESTATE);
    CHECK_SAYS(err.message, "nobody waits");
    CHECK_INT(mxio_file_open(&other, path, &err), MXIO_ESTATE);

    mxio_lookout_watch(NULL);
    CHECK_OK(mxio_file_read(&file, 2, out, 4, &err), err);
    CHECK_BYTES(out, "2345", 4);
    mxio_file_close(&file);
    mxio_lookout_destroy(&lookout);
}

int
main(void)
{
    RUN(a_lookout_sees_what_the_thread_reads);
    RUN(who_is_told_already_stays);
    RUN(a_long_path_is_cut_short);
    RUN(who_is_stopped_opens_and_reads_nothing_more);
    return check_result();
}
