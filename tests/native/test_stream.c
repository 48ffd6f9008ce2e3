#include "stream.h"

#include "faults.h"
#include "gzips.h"

#define SIZE ((size_t)300001) /* more than two pieces, and odd */

/* Bytes that pack to about a half. */
static struct bytes
some_bytes(void)
{
    struct bytes out = {.at = NULL};

    for (uint32_t i = 0, state = 7; i < SIZE; i++) {
        state = state * UINT32_C(1664525) + UINT32_C(1013904223);
        const uint8_t byte = (uint8_t)(state >> 28);
        bytes_add(&out, &byte, 1);
    }
    return out;
}

/* Two members of gzip. */
static struct bytes
packed(const struct bytes *from)
{
    struct bytes out = {.at = NULL};
    const size_t half = from->size / 2;

    bytes_gzip(&out, from->at, half);
    bytes_gzip(&out, from->at + half, from->size - half);
    return out;
}

/* Read a file whole, `step` bytes at a time. */
static enum mxio_status
read_all(const char *path, size_t step, struct bytes *out, struct mxio_error *err)
{
    struct mxio_stream *stream = NULL;
    enum mxio_status status = mxio_stream_open(&stream, path, MXIO_NO_WATCH, err);
    uint8_t *bytes = malloc(step);
    uint64_t got = step;

    MUST(bytes != NULL, "malloc");
    while (status == MXIO_OK && got == step) {
        status = mxio_stream_read(stream, bytes, step, &got, err);
        if (status == MXIO_OK)
            bytes_add(out, bytes, (size_t)got);
    }
    if (status == MXIO_OK)
        check_int((long long)mxio_stream_offset(stream), (long long)out->size,
                  "the offset", __FILE__, __LINE__);
    mxio_stream_close(stream);
    free(bytes);
    return status;
}

TEST(a_file_comes_whole_in_steps_of_any_size_plain_or_packed)
{
    static const size_t steps[] = {1, 3, 784, 131072, 131073, 400000};
    struct bytes plain = some_bytes(), gzip = packed(&plain);
    const char *paths[2] = {temp_file(plain.at, plain.size),
                            temp_file(gzip.at, gzip.size)};

    for (size_t i = 0; i < 2 * sizeof steps / sizeof *steps; i++) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct bytes read = {.at = NULL};
        CHECK_OK(read_all(paths[i % 2], steps[i / 2], &read, &err), err);
        CHECK_INT(read.size, SIZE);
        CHECK_BYTES(read.at, plain.at, SIZE);
        free(read.at);
    }
    free(plain.at);
    free(gzip.at);
}

TEST(bytes_may_be_passed_over)
{
    struct bytes plain = some_bytes(), gzip = packed(&plain);
    const char *paths[2] = {temp_file(plain.at, plain.size),
                            temp_file(gzip.at, gzip.size)};

    for (size_t i = 0; i < 2; i++) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_stream *stream = NULL;
        uint8_t byte = 0;
        uint64_t got = 0;
        CHECK_OK(mxio_stream_open(&stream, paths[i], MXIO_NO_WATCH, &err), err);

        CHECK_OK(mxio_stream_read(stream, NULL, 200000, &got, &err), err);
        CHECK_INT(got, 200000);
        CHECK_OK(mxio_stream_read(stream, &byte, 1, &got, &err), err);
        CHECK_INT(byte, plain.at[200000]);
        CHECK_OK(mxio_stream_read(stream, NULL, UINT64_MAX, &got, &err), err);
        CHECK_INT(got, SIZE - 200001);
        mxio_stream_close(stream);
    }
    free(plain.at);
    free(gzip.at);
}

TEST(the_limit_of_a_plain_file_is_exact_and_that_of_a_packed_one_holds)
{
    static const uint8_t zeros[100000];
    struct bytes plain = some_bytes(), gzip = {.at = NULL};
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_stream *stream = NULL;
    bool exact = false;

    bytes_gzip(&gzip, zeros, sizeof zeros);
    CHECK_OK(mxio_stream_open(&stream, temp_file(plain.at, plain.size), MXIO_NO_WATCH,
                              &err),
             err);
    CHECK_INT(mxio_stream_limit(stream, &exact), SIZE);
    CHECK(exact);
    mxio_stream_close(stream);
    CHECK_OK(mxio_stream_open(&stream, temp_file(gzip.at, gzip.size), MXIO_NO_WATCH,
                              &err),
             err);
    CHECK(mxio_stream_limit(stream, &exact) >= sizeof zeros);
    CHECK(!exact);
    mxio_stream_close(stream);
    free(plain.at);
    free(gzip.at);
}

TEST(zeros_behind_the_last_member_fill_up_a_block)
{
    static const uint8_t zeros[512];
    struct mxio_error err = MXIO_NO_ERROR;
    struct bytes gzip = {.at = NULL}, read = {.at = NULL};

    bytes_gzip(&gzip, "abc", 3);
    bytes_add(&gzip, zeros, sizeof zeros);

    CHECK_OK(read_all(temp_file(gzip.at, gzip.size), 10, &read, &err), err);

    CHECK_INT(read.size, 3);
    CHECK_BYTES(read.at, "abc", 3);
    free(gzip.at);
    free(read.at);
}

static enum mxio_status
read_damaged(const struct bytes *file, struct mxio_error *err)
{
    struct bytes read = {.at = NULL};
    const enum mxio_status status =
        read_all(temp_file(file->at, file->size), 7, &read, err);

    free(read.at);
    temp_remove_all();
    temp_count = 0;
    return status;
}

TEST(a_member_that_breaks_off_anywhere_is_damaged)
{
    struct bytes gzip = {.at = NULL};

    bytes_gzip(&gzip, "hello hello hello", 17);
    for (const size_t whole = gzip.size; gzip.size > 2; gzip.size--) {
        struct mxio_error err = MXIO_NO_ERROR;
        if (gzip.size == whole)
            continue;
        CHECK_INT(read_damaged(&gzip, &err), MXIO_EDATA);
        CHECK_SAYS(err.message, "damaged gzip data: it breaks off");
        CHECK(err.offset >= 0 && err.offset <= 17);
    }
    free(gzip.at);
}

TEST(bytes_that_are_no_gzip_are_damaged)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct bytes gzip = {.at = NULL};

    bytes_gzip(&gzip, "abc", 3);
    gzip.at[gzip.size - 8] = 0xC3; /* the checksum is 352441C2 */
    CHECK_INT(read_damaged(&gzip, &err), MXIO_EDATA);
    CHECK_SAYS(err.message, "damaged gzip data: incorrect data check");
    CHECK_INT(err.offset, 3);

    gzip.at[gzip.size - 8] ^= 1;
    bytes_add(&gzip, "garbage", 7);
    CHECK_INT(read_damaged(&gzip, &err), MXIO_EDATA);
    CHECK_SAYS(err.message, "damaged gzip data: incorrect header check");
    free(gzip.at);
}

static enum mxio_status
attempt(void *context, struct mxio_error *err)
{
    struct bytes read = {.at = NULL};
    const enum mxio_status status = read_all(context, 1000, &read, err);

    free(read.at);
    return status;
}

TEST(each_failing_allocation_is_reported)
{
    struct bytes plain = some_bytes(), gzip = packed(&plain);
    char path[64];

    snprintf(path, sizeof path, "%s", temp_file(gzip.at, gzip.size));

    CHECK(faults_met(attempt, path) > 3);

    free(plain.at);
    free(gzip.at);
}

int
main(void)
{
    RUN(a_file_comes_whole_in_steps_of_any_size_plain_or_packed);
    RUN(bytes_may_be_passed_over);
    RUN(the_limit_of_a_plain_file_is_exact_and_that_of_a_packed_one_holds);
    RUN(zeros_behind_the_last_member_fill_up_a_block);
    RUN(a_member_that_breaks_off_anywhere_is_damaged);
    RUN(bytes_that_are_no_gzip_are_damaged);
    RUN(each_failing_allocation_is_reported);
    return check_result();
}
