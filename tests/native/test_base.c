#include "base.h"

#include <errno.h>

#include "check.h"

TEST(a_failure_sets_status_and_sentence_and_keeps_the_place)
{
    struct mxio_error err = MXIO_NO_ERROR;
    err.record = 7;
    err.file = 2;
    err.offset = 99;

    const enum mxio_status status = mxio_fail(&err, MXIO_EDATA, "%d bytes left", 3);

    CHECK_INT(status, MXIO_EDATA);
    CHECK_INT(err.status, MXIO_EDATA);
    CHECK(strcmp(err.message, "3 bytes left") == 0);
    CHECK_INT(err.record, 7);
    CHECK_INT(err.file, 2);
    CHECK_INT(err.offset, 99);
}

TEST(no_error_knows_no_place)
{
    const struct mxio_error err = MXIO_NO_ERROR;

    CHECK_INT(err.status, MXIO_OK);
    CHECK_INT(err.record, -1);
    CHECK_INT(err.file, -1);
    CHECK_INT(err.offset, -1);
    CHECK(!err.has_id);
}

TEST(the_old_message_may_be_part_of_the_new)
{
    struct mxio_error err = MXIO_NO_ERROR;
    mxio_fail(&err, MXIO_EDATA, "inner");

    mxio_fail(&err, MXIO_EDATA, "outer: %s", err.message);

    CHECK(strcmp(err.message, "outer: inner") == 0);
}

TEST(a_long_message_is_cut_and_ends)
{
    struct mxio_error err = MXIO_NO_ERROR;

    mxio_fail(&err, MXIO_EDATA, "%0600d", 0);
    CHECK_INT(strlen(err.message), sizeof err.message - 1);

    mxio_fail_os(&err, ENOENT, "%0600d", 0);
    CHECK_INT(strlen(err.message), sizeof err.message - 1);
    CHECK_INT(err.status, MXIO_EIO);
}

TEST(a_refusal_of_the_system_says_why)
{
    struct mxio_error err = MXIO_NO_ERROR;

    const enum mxio_status status = mxio_fail_os(&err, ENOENT, "cannot open %d", 4);

    CHECK_INT(status, MXIO_EIO);
    CHECK_INT(err.status, MXIO_EIO);
    CHECK_INT(err.os_error, ENOENT);
    CHECK(strcmp(err.message, "cannot open 4: No such file or directory") == 0);
}

TEST(an_unknown_errno_is_named_by_its_number)
{
    struct mxio_error err = MXIO_NO_ERROR;

    mxio_fail_os(&err, 9999, "odd");

    CHECK_SAYS(err.message, "odd: ");
    CHECK_SAYS(err.message, "9999");
}

TEST(a_product_is_given_when_it_fits)
{
    size_t out = 5;

    CHECK(mxio_multiply(6, 7, &out));
    CHECK_INT(out, 42);
    CHECK(mxio_multiply(0, SIZE_MAX, &out));
    CHECK_INT(out, 0);
    CHECK(mxio_multiply(SIZE_MAX / 3, 3, &out));
    CHECK(out == SIZE_MAX - SIZE_MAX % 3);
}

TEST(a_product_that_does_not_fit_is_refused)
{
    size_t out;

    CHECK(!mxio_multiply(SIZE_MAX / 2 + 1, 2, &out));
    CHECK(!mxio_multiply(SIZE_MAX, SIZE_MAX, &out));
}

TEST(allocated_memory_is_zero_and_size_0_gives_a_byte)
{
    static const uint8_t zeros[5000];
    uint8_t *block = mxio_alloc(sizeof zeros);
    uint8_t *byte = mxio_alloc(0);

    CHECK(block != NULL && byte != NULL);
    CHECK_BYTES(block, zeros, sizeof zeros);
    *byte = 1;
    mxio_free(block);
    mxio_free(byte);
    mxio_free(NULL);
}

TEST(a_resized_block_keeps_its_content)
{
    static const uint8_t content[3] = {1, 2, 3};
    uint8_t *block = mxio_alloc(sizeof content);
    CHECK(block != NULL);
    memcpy(block, content, sizeof content);

    uint8_t *larger = mxio_realloc(block, 100000);
    CHECK(larger != NULL);
    CHECK_BYTES(larger, content, sizeof content);
    uint8_t *smallest = mxio_realloc(larger, 0);
    CHECK(smallest != NULL);

    mxio_free(smallest);
    uint8_t *fresh = mxio_realloc(NULL, 1);
    CHECK(fresh != NULL);
    mxio_free(fresh);
}

TEST(pages_are_aligned_to_a_cache_line_and_writable_to_the_end)
{
    static const size_t sizes[] =
        {0, 1, 63, 64, 65, 4096, (2 << 20) - 1, 2 << 20, (5 << 20) + 1};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *block = mxio_alloc_pages(sizes[i]);
        CHECK(block != NULL);
        CHECK_INT((uintptr_t)block % 64, 0);
        memset(block, 1, sizes[i]);
        mxio_free(block);
    }
}

TEST(pages_beyond_the_address_space_are_refused)
{
    CHECK(mxio_alloc_pages(SIZE_MAX) == NULL);
    CHECK(mxio_alloc_pages(SIZE_MAX - 100) == NULL);
}

TEST(the_nth_next_allocation_fails_once)
{
    mxio_alloc_fail_at(3);

    void *first = mxio_alloc(1);
    void *second = mxio_alloc_pages(1);
    void *third = mxio_realloc(first, 50);
    void *fourth = mxio_alloc(1);

    CHECK(first != NULL);
    CHECK(second != NULL);
    CHECK(third == NULL); /* and `first` lives on */
    CHECK(fourth != NULL);
    memset(first, 1, 1);
    mxio_free(first);
    mxio_free(second);
    mxio_free(fourth);
}

TEST(every_kind_of_allocation_can_be_made_to_fail)
{
    mxio_alloc_fail_at(1);
    CHECK(mxio_alloc(1) == NULL);
    mxio_alloc_fail_at(1);
    CHECK(mxio_realloc(NULL, 1) == NULL);
    mxio_alloc_fail_at(1);
    CHECK(mxio_alloc_pages(1) == NULL);
}

TEST(failures_can_be_switched_off)
{
    mxio_alloc_fail_at(1);
    mxio_alloc_fail_at(0);

    void *block = mxio_alloc(1);

    CHECK(block != NULL);
    mxio_free(block);
}

TEST(a_buffer_grows_when_it_must_and_stays_otherwise)
{
    struct mxio_buffer buffer = {.bytes = NULL};
    struct mxio_error err = MXIO_NO_ERROR;

    CHECK_OK(mxio_buffer_need(&buffer, 100, &err), err);
    CHECK(buffer.size >= 100);
    memset(buffer.bytes, 1, 100);
    const uint8_t *first = buffer.bytes;
    CHECK_OK(mxio_buffer_need(&buffer, 10, &err), err);
    CHECK(buffer.bytes == first);
    CHECK_OK(mxio_buffer_need(&buffer, 100, &err), err);
    CHECK(buffer.bytes == first);
    CHECK_OK(mxio_buffer_need(&buffer, 5000, &err), err);
    CHECK(buffer.size >= 5000);
    memset(buffer.bytes, 1, 5000);

    mxio_buffer_free(&buffer);
    CHECK(buffer.bytes == NULL && buffer.size == 0);
    mxio_buffer_free(&buffer);
}

TEST(a_buffer_that_cannot_grow_keeps_what_it_has)
{
    struct mxio_buffer buffer = {.bytes = NULL};
    struct mxio_error err = MXIO_NO_ERROR;
    CHECK_OK(mxio_buffer_need(&buffer, 10, &err), err);
    memcpy(buffer.bytes, "0123456789", 10);

    mxio_alloc_fail_at(1);
    const enum mxio_status status = mxio_buffer_need(&buffer, 5000, &err);

    CHECK_INT(status, MXIO_ENOMEM);
    CHECK_INT(err.status, MXIO_ENOMEM);
    CHECK_SAYS(err.message, "5000");
    CHECK_BYTES(buffer.bytes, "0123456789", 10);
    mxio_buffer_free(&buffer);
}

TEST(numbers_are_little_endian_at_any_address)
{
    const uint8_t raw[9] = {0xFF, 0x0A, 0x23, 0xD7, 0xCE, 0x01, 0x02, 0x03, 0x84};
    uint8_t out[6] = {9, 9, 9, 9, 9, 9};
    const uint8_t stored[6] = {9, 0x0A, 0x23, 0xD7, 0xCE, 9};

    CHECK_INT(mxio_load_u32(raw + 1), 0xCED7230A);
    CHECK(mxio_load_u64(raw + 1) == UINT64_C(0x84030201CED7230A));
    mxio_store_u32(out + 1, 0xCED7230A);
    CHECK_BYTES(out, stored, sizeof out);
}

int
main(void)
{
    RUN(a_failure_sets_status_and_sentence_and_keeps_the_place);
    RUN(no_error_knows_no_place);
    RUN(the_old_message_may_be_part_of_the_new);
    RUN(a_long_message_is_cut_and_ends);
    RUN(a_refusal_of_the_system_says_why);
    RUN(an_unknown_errno_is_named_by_its_number);
    RUN(a_product_is_given_when_it_fits);
    RUN(a_product_that_does_not_fit_is_refused);
    RUN(allocated_memory_is_zero_and_size_0_gives_a_byte);
    RUN(a_resized_block_keeps_its_content);
    RUN(pages_are_aligned_to_a_cache_line_and_writable_to_the_end);
    RUN(pages_beyond_the_address_space_are_refused);
    RUN(the_nth_next_allocation_fails_once);
    RUN(every_kind_of_allocation_can_be_made_to_fail);
    RUN(failures_can_be_switched_off);
    RUN(a_buffer_grows_when_it_must_and_stays_otherwise);
    RUN(a_buffer_that_cannot_grow_keeps_what_it_has);
    RUN(numbers_are_little_endian_at_any_address);
    return check_result();
}
