#include "inflate.h"

#include "faults.h"
#include "records.h"

/* Written by zlib 1.3: 1000 times "a", window 32768; and 700 zeros, window 512. */
static const uint8_t repeated[] = {0x78, 0xDA, 0x4B, 0x4C, 0x1C, 0x05, 0xA3, 0x60, 0x14,
                                   0x0C, 0x77, 0x00, 0x00, 0xF9, 0xD8, 0x7A, 0xF8};
static const uint8_t narrow[] = {0x18, 0xD3, 0x63, 0x60, 0x18, 0x05, 0xA3, 0x60,
                                 0x68, 0x02, 0x00, 0x02, 0xBC, 0x00, 0x01};
/* By hand: a stored block. */
static const uint8_t stored[] = {0x78, 0x01, 0x01, 0x05, 0x00, 0xFA, 0xFF, 'h',
                                 'e',  'l',  'l',  'o',  0x06, 0x2C, 0x02, 0x15};

static struct mxio_inflater *
inflater_new(void)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_inflater *inflater = NULL;

    MUST(mxio_inflater_new(&inflater, &err) == MXIO_OK, "mxio_inflater_new");
    return inflater;
}

/* From a copy of just that size, to room of just that size. */
static bool
inflates(struct mxio_inflater *inflater, const uint8_t *in, size_t in_size,
         size_t out_size)
{
    uint8_t *copy = exact_copy(in, in_size);
    uint8_t *out = malloc(out_size + (out_size == 0));

    MUST(out != NULL, "malloc");
    const bool whole = mxio_inflate(inflater, copy, in_size, out, out_size);
    free(copy);
    free(out);
    return whole;
}

TEST(whole_streams_come_out_as_they_went_in)
{
    struct mxio_inflater *inflater = inflater_new();
    uint8_t out[1000];

    CHECK(mxio_inflate(inflater, stored, sizeof stored, out, 5));
    CHECK_BYTES(out, "hello", 5);
    CHECK(mxio_inflate(inflater, repeated, sizeof repeated, out, 1000));
    for (int i = 0; i < 1000; i++)
        CHECK_INT(out[i], 'a');
    mxio_inflater_free(inflater);
    mxio_inflater_free(NULL);
}

TEST(anything_less_than_a_whole_stream_of_that_size_is_refused)
{
    struct mxio_inflater *inflater = inflater_new();

    for (size_t size = 0; size < sizeof repeated; size++)
        CHECK(!inflates(inflater, repeated, size, 1000));
    CHECK(!inflates(inflater, repeated, sizeof repeated, 999));
    CHECK(!inflates(inflater, repeated, sizeof repeated, 1001));
    CHECK(!inflates(inflater, repeated, sizeof repeated, 0));
    CHECK(inflates(inflater, repeated, sizeof repeated, 1000));
    mxio_inflater_free(inflater);
}

TEST(bytes_behind_the_stream_are_refused)
{
    struct mxio_inflater *inflater = inflater_new();
    uint8_t longer[sizeof stored + 1] = {0};

    memcpy(longer, stored, sizeof stored);
    CHECK(!inflates(inflater, longer, sizeof longer, 5));
    CHECK(inflates(inflater, longer, sizeof stored, 5));
    mxio_inflater_free(inflater);
}

TEST(any_changed_bit_is_noticed)
{
    struct mxio_inflater *inflater = inflater_new();

    for (size_t bit = 0; bit < 8 * sizeof stored; bit++) {
        uint8_t changed[sizeof stored];
        memcpy(changed, stored, sizeof stored);
        changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        /* The three bits of the block's header are followed by five that mean nothing. */
        CHECK_INT(inflates(inflater, changed, sizeof changed, 5),
                  bit >= 2 * 8 + 3 && bit < 3 * 8);
    }
    mxio_inflater_free(inflater);
}

TEST(a_window_that_may_be_too_small_is_refused)
{
    struct mxio_inflater *inflater = inflater_new();
    uint8_t wider[sizeof narrow];

    CHECK(!inflates(inflater, narrow, sizeof narrow, 700));
    memcpy(wider, narrow, sizeof narrow);
    wider[0] = 0x28; /* a window of 1024, and the header's checksum: a multiple of 31 */
    wider[1] = 0x15;
    CHECK(inflates(inflater, wider, sizeof wider, 700));
    mxio_inflater_free(inflater);
}

/* 'a', then a copy of it by one of the two codes for lengths that deflate does not use.
 * zlib refuses it; libdeflate takes it for the longest length. Found by fuzzing. */
TEST(an_unused_code_is_refused_or_makes_what_the_checksum_says)
{
    static const uint8_t stream[] = {0x78, 0x01, 0x4b, 0x1c, 0x03,
                                     0x00, 0xd9, 0xa8, 0x62, 0x24};
    uint8_t out[259] = {0};
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_inflater *inflater = NULL;

    CHECK_OK(mxio_inflater_new(&inflater, &err), err);
    const bool taken = mxio_inflate(inflater, stream, sizeof stream, out, sizeof out);
    for (size_t i = 0; taken && i < sizeof out; i++)
        CHECK_INT(out[i], 'a');
    mxio_inflater_free(inflater);
#if !defined MXIO_LIBDEFLATE
    CHECK(!taken);
#endif
}

TEST(checksums_are_those_of_the_standard)
{
    CHECK_INT(mxio_crc32((const uint8_t *)"123456789", 9), 0xCBF43926);
    CHECK_INT(mxio_crc32((const uint8_t *)"IEND", 4), 0xAE426082);
    CHECK_INT(mxio_crc32(stored, 0), 0);
}

TEST(the_library_is_named)
{
#if defined MXIO_LIBDEFLATE
    CHECK_SAYS(mxio_inflate_version(), "libdeflate 1.");
#else
    CHECK_SAYS(mxio_inflate_version(), "zlib 1.");
#endif
}

static enum mxio_status
make_one(void *context, struct mxio_error *err)
{
    struct mxio_inflater *inflater = NULL;
    const enum mxio_status status = mxio_inflater_new(&inflater, err);

    (void)context;
    mxio_inflater_free(inflater);
    return status;
}

TEST(a_failing_allocation_is_survived)
{
    CHECK_INT(faults_met(make_one, NULL), 1);
}

int
main(void)
{
    RUN(whole_streams_come_out_as_they_went_in);
    RUN(anything_less_than_a_whole_stream_of_that_size_is_refused);
    RUN(bytes_behind_the_stream_are_refused);
    RUN(any_changed_bit_is_noticed);
    RUN(a_window_that_may_be_too_small_is_refused);
    RUN(an_unused_code_is_refused_or_makes_what_the_checksum_says);
    RUN(checksums_are_those_of_the_standard);
    RUN(the_library_is_named);
    RUN(a_failing_allocation_is_survived);
    return check_result();
}
