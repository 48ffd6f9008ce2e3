#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "faults.h"
#include "records.h"

/* The lowest free descriptor: the same before and after means that none was lost. */
static int
next_descriptor(void)
{
    const int descriptor = dup(STDERR_FILENO);

    close(descriptor);
    return descriptor;
}

TEST(any_stretch_of_a_file_can_be_read)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_file file;
    char out[8] = "........";

    CHECK_OK(mxio_file_open(&file, temp_file("0123456789", 10), &err), err);
    CHECK_INT(file.size, 10);
    CHECK_OK(mxio_file_read(&file, 3, out, 4, &err), err);
    CHECK_BYTES(out, "3456....", 8);
    CHECK_OK(mxio_file_read(&file, 8, out, 2, &err), err);
    CHECK_BYTES(out, "8956....", 8);
    CHECK_OK(mxio_file_read(&file, 10, out, 0, &err), err);
    mxio_file_close(&file);
}

TEST(reading_past_the_end_says_where_the_end_is)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_file file;
    char out[8];
    CHECK_OK(mxio_file_open(&file, temp_file("0123456789", 10), &err), err);

    CHECK_INT(mxio_file_read(&file, 8, out, 5, &err), MXIO_EDATA);
    CHECK_INT(err.status, MXIO_EDATA);
    CHECK_SAYS(err.message, "ends at byte 10, 3 more");
    CHECK_INT(mxio_file_read(&file, 1000, out, 1, &err), MXIO_EDATA);

    mxio_file_close(&file);
}

TEST(a_file_that_shrank_after_open_is_damaged)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_file file;
    char out[8];
    const char *path = temp_file("0123456789", 10);
    CHECK_OK(mxio_file_open(&file, path, &err), err);

    MUST(truncate(path, 5) == 0, "truncate");

    CHECK_INT(mxio_file_read(&file, 2, out, 8, &err), MXIO_EDATA);
    mxio_file_close(&file);
}

TEST(offsets_beyond_32_bits_are_read)
{
    const uint64_t far = UINT64_C(5) << 30;
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_file file;
    char out[4];
    const char *path = temp_file("", 0);
    const int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    MUST(pwrite(descriptor, "far", 3, (off_t)far) == 3, "pwrite");
    close(descriptor);

    CHECK_OK(mxio_file_open(&file, path, &err), err);
    CHECK_INT(file.size, far + 3);
    CHECK_OK(mxio_file_read(&file, far, out, 3, &err), err);
    CHECK_BYTES(out, "far", 3);
    mxio_file_close(&file);
}

/* Whether the last page of the file is in the page cache. */
static bool
is_cached(const char *path, size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    unsigned char resident = 0;
    void *bytes =
        mmap(NULL, page, PROT_READ, MAP_SHARED, descriptor, (off_t)(size - page));

    MUST(bytes != MAP_FAILED && mincore(bytes, page, &resident) == 0, "mincore");
    munmap(bytes, page);
    close(descriptor);
    return resident & 1;
}

/* Nothing to see where the file system keeps files in memory only. */
TEST(bytes_that_will_be_read_come_into_the_page_cache)
{
    static char bytes[1 << 20];
    const struct timespec pause = {.tv_nsec = 10000000};
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_file file;
    const char *path = temp_file(bytes, sizeof bytes);
    CHECK_OK(mxio_file_open(&file, path, &err), err);
    fsync(file.descriptor);
    MUST(posix_fadvise(file.descriptor, 0, 0, POSIX_FADV_DONTNEED) == 0, "fadvise");

    if (!is_cached(path, sizeof bytes)) {
        mxio_file_will_read(&file, sizeof bytes - 65536, 65536);
        for (int i = 0; i < 1000 && !is_cached(path, sizeof bytes); i++)
            nanosleep(&pause, NULL);
        CHECK(is_cached(path, sizeof bytes));
    }

    mxio_file_close(&file);
    mxio_file_will_read(&file, 0, 1);
}

static bool
refuses_to_open(const char *path, int os_error)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_file file = {.descriptor = -77, .size = 77};
    const int before = next_descriptor();

    return mxio_file_open(&file, path, &err) == MXIO_EIO && err.status == MXIO_EIO &&
           err.os_error == os_error && file.descriptor == -77 && file.size == 77 &&
           next_descriptor() == before;
}

TEST(what_is_no_plain_file_is_refused_and_out_untouched)
{
    CHECK(refuses_to_open("no/such/file", ENOENT));
    CHECK(refuses_to_open(".", EISDIR));
    CHECK(refuses_to_open("/dev/null", EINVAL));
}

static void
ignore_signal(int number)
{
    (void)number;
}

/* Opening a pipe for reading waits for its writer unless one asks not to. */
TEST(a_named_pipe_is_refused_and_not_waited_for)
{
    const struct sigaction wake = {.sa_handler = ignore_signal};
    char path[80];
    snprintf(path, sizeof path, "%s.pipe", temp_file("", 0));
    MUST(mkfifo(path, 0600) == 0, "mkfifo");
    sigaction(SIGALRM, &wake, NULL);

    alarm(1);
    const bool refused = refuses_to_open(path, EINVAL);
    alarm(0);

    unlink(path);
    CHECK(refused);
}

TEST(a_closed_file_refuses_to_read_and_closes_twice)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_file file;
    char out;
    const int before = next_descriptor();
    CHECK_OK(mxio_file_open(&file, temp_file("0", 1), &err), err);

    mxio_file_close(&file);
    mxio_file_close(&file);

    CHECK_INT(file.descriptor, -1);
    CHECK_INT(next_descriptor(), before);
    CHECK_INT(mxio_file_read(&file, 0, &out, 1, &err), MXIO_ESTATE);
}

TEST(a_descriptor_that_cannot_be_read_is_an_io_error)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const struct mxio_file file = {.descriptor = 9999, .size = 10};
    char out;

    CHECK_INT(mxio_file_read(&file, 0, &out, 1, &err), MXIO_EIO);
    CHECK_INT(err.os_error, EBADF);
}

struct reads {
    const struct mxio_file *file;
    bool right;
};

/* Each number of the file, in an order of this thread's own. */
static void *
read_all_over(void *arg)
{
    struct reads *reads = arg;
    uint32_t state = (uint32_t)(uintptr_t)arg | 1;

    reads->right = true;
    for (int i = 0; i < 2000; i++) {
        struct mxio_error err = MXIO_NO_ERROR;
        const uint32_t place = any_u32(&state) % 1000;
        uint32_t number;
        reads->right =
            reads->right &&
            mxio_file_read(reads->file, place * 4, &number, 4, &err) == MXIO_OK &&
            number == place;
    }
    return NULL;
}

TEST(any_number_of_threads_read_at_once)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_file file;
    struct reads reads[4];
    pthread_t threads[4];
    uint32_t numbers[1000];
    for (uint32_t i = 0; i < 1000; i++)
        numbers[i] = i;
    CHECK_OK(mxio_file_open(&file, temp_file(numbers, sizeof numbers), &err), err);

    for (int i = 0; i < 4; i++) {
        reads[i] = (struct reads){.file = &file};
        pthread_create(&threads[i], NULL, read_all_over, &reads[i]);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);

    for (int i = 0; i < 4; i++)
        CHECK(reads[i].right);
    mxio_file_close(&file);
}

TEST(a_forked_child_reads_without_moving_the_parent)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_file file;
    char out[2];
    int result = 1;
    CHECK_OK(mxio_file_open(&file, temp_file("0123456789", 10), &err), err);

    const pid_t child = fork();
    if (child == 0)
        _exit(mxio_file_read(&file, 5, out, 2, &err) == MXIO_OK &&
                      memcmp(out, "56", 2) == 0
                  ? 0
                  : 1);
    waitpid(child, &result, 0);

    CHECK_INT(result, 0);
    CHECK_OK(mxio_file_read(&file, 1, out, 2, &err), err);
    CHECK_BYTES(out, "12", 2);
    mxio_file_close(&file);
}

int
main(void)
{
    RUN(any_stretch_of_a_file_can_be_read);
    RUN(reading_past_the_end_says_where_the_end_is);
    RUN(a_file_that_shrank_after_open_is_damaged);
    RUN(offsets_beyond_32_bits_are_read);
    RUN(bytes_that_will_be_read_come_into_the_page_cache);
    RUN(what_is_no_plain_file_is_refused_and_out_untouched);
    RUN(a_named_pipe_is_refused_and_not_waited_for);
    RUN(a_closed_file_refuses_to_read_and_closes_twice);
    RUN(a_descriptor_that_cannot_be_read_is_an_io_error);
    RUN(any_number_of_threads_read_at_once);
    RUN(a_forked_child_reads_without_moving_the_parent);
    return check_result();
}
