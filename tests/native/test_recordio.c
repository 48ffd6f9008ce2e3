#include "recordio.h"

#include <sys/mman.h>

#include "faults.h"
#include "records.h"

#define MAGIC "\x0A\x23\xD7\xCE"

TEST(a_head_is_magic_then_kind_and_length)
{
    static const uint8_t raw[4][8] = {{MAGIC "\x05\x00\x00\x00"},
                                      {MAGIC "\x00\x00\x00\x20"},
                                      {MAGIC "\xFF\xFF\xFF\x5F"},
                                      {MAGIC "\x04\x03\x02\x61"}};
    static const uint32_t lengths[4] = {5, 0, 0x1FFFFFFF, 0x01020304};

    for (int kind = 0; kind < 4; kind++) {
        struct mxio_head head;
        CHECK(mxio_recordio_head(raw[kind], &head));
        CHECK_INT(head.part, kind);
        CHECK_INT(head.length, lengths[kind]);
    }
}

TEST(other_bytes_are_no_head_and_leave_out_alone)
{
    struct mxio_head head = {.part = MXIO_LAST, .length = 77};

    for (uint32_t kind = 4; kind < 8; kind++) {
        uint8_t raw[8] = {MAGIC};
        raw[7] = (uint8_t)(kind << 5);
        CHECK(!mxio_recordio_head(raw, &head));
    }
    for (int byte = 0; byte < 4; byte++) {
        uint8_t raw[8] = {MAGIC};
        raw[byte] ^= 1;
        CHECK(!mxio_recordio_head(raw, &head));
    }
    CHECK_INT(head.part, MXIO_LAST);
    CHECK_INT(head.length, 77);
}

TEST(records_start_whole_or_first_and_go_on_middle_or_last)
{
    static const bool starts[4] = {true, true, false, false};
    static const bool continues[4][4] = {[MXIO_FIRST] = {false, false, true, true},
                                         [MXIO_MIDDLE] = {false, false, true, true}};

    for (int last = 0; last < 4; last++) {
        const struct mxio_head one = {.part = (enum mxio_part)last};
        CHECK_INT(mxio_recordio_starts(&one), starts[last]);
        for (int next = 0; next < 4; next++) {
            const struct mxio_head other = {.part = (enum mxio_part)next};
            CHECK_INT(mxio_recordio_continues(&one, &other), continues[last][next]);
        }
    }
}

TEST(a_part_takes_its_head_its_payload_and_padding)
{
    static const uint32_t lengths[] = {0, 1, 3, 4, 5, 0x1FFFFFFF};
    static const size_t sizes[] = {8, 12, 12, 12, 16, 0x20000008};

    for (int i = 0; i < 6; i++) {
        const struct mxio_head head = {.length = lengths[i]};
        CHECK_INT(mxio_recordio_part_size(&head), sizes[i]);
    }
}

/* True when the payload is encoded as expected, and nothing is written behind it. */
static bool
encodes_as(const void *payload, size_t size, const struct bytes *expected)
{
    uint8_t out[256];
    memset(out, 0xEE, sizeof out);
    const size_t encoded = mxio_recordio_encoded_size(payload, size);

    if (encoded != expected->size || encoded > sizeof out - 8)
        return false;
    mxio_recordio_encode(payload, size, out);
    for (size_t i = encoded; i < sizeof out; i++)
        if (out[i] != 0xEE)
            return false;
    return memcmp(out, expected->at, encoded) == 0;
}

TEST(a_plain_payload_is_one_part_padded_with_zeros)
{
    for (size_t size = 0; size <= 9; size++) {
        struct bytes expected = {.at = NULL};
        bytes_part(&expected, 0, "ABCDEFGHI", size);
        CHECK(encodes_as("ABCDEFGHI", size, &expected));
        free(expected.at);
    }
}

TEST(a_payload_is_cut_at_every_aligned_magic)
{
    static const struct {
        const char *payload;
        size_t size;
        struct {
            uint32_t kind;
            size_t start, size;
        } parts[4];
        int count;
    } cases[] = {
        {MAGIC, 4, {{1, 0, 0}, {3, 4, 0}}, 2},
        {MAGIC MAGIC, 8, {{1, 0, 0}, {2, 4, 0}, {3, 8, 0}}, 3},
        {"abcd" MAGIC, 8, {{1, 0, 4}, {3, 8, 0}}, 2},
        {"abcd" MAGIC "xy", 10, {{1, 0, 4}, {3, 8, 2}}, 2},
        {MAGIC "x", 5, {{1, 0, 0}, {3, 4, 1}}, 2},
        {"ab" MAGIC "cd", 8, {{0, 0, 8}}, 1},
        {"abcd\x0A\x23\xD7", 7, {{0, 0, 7}}, 1},
        {"abcdefgh" MAGIC "ijkl" MAGIC "m", 21, {{1, 0, 8}, {2, 12, 4}, {3, 20, 1}}, 3},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes expected = {.at = NULL};
        for (int part = 0; part < cases[i].count; part++)
            bytes_part(&expected, cases[i].parts[part].kind,
                       cases[i].payload + cases[i].parts[part].start,
                       cases[i].parts[part].size);
        CHECK(encodes_as(cases[i].payload, cases[i].size, &expected));
        free(expected.at);
    }
}

TEST(parts_are_joined_with_the_magic_between_them)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct bytes file = {.at = NULL};
    size_t payload, size, consumed;
    bytes_part(&file, 1, "abcd", 4);
    bytes_part(&file, 2, "", 0);
    bytes_part(&file, 2, "efghijkl", 8);
    bytes_part(&file, 3, "mno", 3);
    const size_t end = file.size;
    bytes_part(&file, 0, "next", 4);

    CHECK_OK(mxio_recordio_join(file.at, file.size, &payload, &size, &consumed, &err),
             err);

    CHECK_INT(size, 27);
    CHECK_BYTES(file.at + payload, "abcd" MAGIC MAGIC "efghijkl" MAGIC "mno", 27);
    CHECK_INT(consumed, end);
    CHECK_BYTES(file.at + end, MAGIC "\x04\0\0\0next", 12);
    free(file.at);
}

TEST(an_empty_record_is_a_record)
{
    struct mxio_error err = MXIO_NO_ERROR;
    uint8_t raw[8] = {MAGIC};
    size_t payload, size = 99, consumed;

    CHECK_OK(mxio_recordio_join(raw, sizeof raw, &payload, &size, &consumed, &err),
             err);
    CHECK_INT(size, 0);
    CHECK_INT(consumed, 8);
}

TEST(the_padding_of_the_very_last_record_may_be_missing)
{
    struct mxio_error err = MXIO_NO_ERROR;
    uint8_t raw[9] = MAGIC "\x01\0\0\0A";
    size_t payload, size, consumed;

    CHECK_OK(mxio_recordio_join(raw, 9, &payload, &size, &consumed, &err), err);
    CHECK_INT(size, 1);
    CHECK_INT(raw[payload], 'A');
    CHECK_INT(consumed, 9);
}

/* True when joining these bytes is MXIO_EDATA. */
static bool
refuses_to_join(const struct bytes *file, size_t size)
{
    struct mxio_error err = MXIO_NO_ERROR;
    uint8_t *copy = exact_copy(file->at, size);
    size_t payload = 91, payload_size = 92, consumed = 93;

    const enum mxio_status status =
        mxio_recordio_join(copy, size, &payload, &payload_size, &consumed, &err);

    free(copy);
    return status == MXIO_EDATA && err.status == MXIO_EDATA && payload == 91 &&
           payload_size == 92 && consumed == 93;
}

TEST(a_record_cut_off_anywhere_is_damaged_and_out_untouched)
{
    struct bytes file = {.at = NULL};
    bytes_part(&file, 1, "abcdefgh", 8);
    bytes_part(&file, 2, "", 0);
    bytes_part(&file, 3, "ijk", 3);

    for (size_t size = 0; size < file.size - 1; size++)
        CHECK(refuses_to_join(&file, size));
    free(file.at);
}

TEST(parts_in_a_wrong_order_are_damaged)
{
    static const struct {
        uint32_t first, second;
    } wrong[] = {{2, 3}, {3, 3}, {1, 0}, {1, 1}};

    for (int i = 0; i < 4; i++) {
        struct bytes file = {.at = NULL};
        bytes_part(&file, wrong[i].first, "abcd", 4);
        bytes_part(&file, wrong[i].second, "efgh", 4);
        bytes_part(&file, 3, "ijkl", 4);
        CHECK(refuses_to_join(&file, file.size));
        free(file.at);
    }
}

TEST(a_length_beyond_the_bytes_is_not_trusted)
{
    static const uint32_t lengths[] = {5, 6, 0x1FFFFFFF};

    for (int i = 0; i < 3; i++)
        for (uint32_t kind = 0; kind < 2; kind++) {
            struct bytes file = {.at = NULL};
            bytes_u32(&file, 0xCED7230A);
            bytes_u32(&file, kind << 29 | lengths[i]);
            bytes_add(&file, "abcd", 4);
            CHECK(refuses_to_join(&file, file.size));
            free(file.at);
        }
}

TEST(what_joining_says_names_what_was_found)
{
    struct mxio_error err = MXIO_NO_ERROR;
    uint8_t stray[8] = "ABCDEFGH";
    size_t payload, size, consumed;

    CHECK_INT(mxio_recordio_join(stray, 8, &payload, &size, &consumed, &err),
              MXIO_EDATA);
    CHECK_SAYS(err.message, "44434241 48474645");
    CHECK_SAYS(err.message, "ced7230a");
}

/* Untouched pages of a mapping are free, so this costs address space only. */
TEST(a_record_of_2_to_29_bytes_is_refused)
{
    const size_t first = ((size_t)1 << 29) - 8, room = first + 32;
    struct mxio_error err = MXIO_NO_ERROR;
    struct bytes head = {.at = NULL}, tail = {.at = NULL};
    size_t payload, size, consumed;
    uint8_t *file = mmap(NULL, room, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    MUST(file != MAP_FAILED, "mmap");
    bytes_u32(&head, 0xCED7230A);
    bytes_u32(&head, UINT32_C(1) << 29 | (uint32_t)first);
    bytes_part(&tail, 3, "abcd", 4);
    memcpy(file, head.at, head.size);
    memcpy(file + 8 + first, tail.at, tail.size);

    const enum mxio_status status =
        mxio_recordio_join(file, room, &payload, &size, &consumed, &err);

    munmap(file, room);
    free(head.at);
    free(tail.at);
    CHECK_INT(status, MXIO_EDATA);
    CHECK_SAYS(err.message, "2^29");
}

/* Words that are the magic, or nearly so, at all alignments. */
static void
fill_with_magics(uint8_t *payload, size_t size, uint32_t *state)
{
    static const uint8_t magic[4] = {0x0A, 0x23, 0xD7, 0xCE};

    for (size_t i = 0; i < size; i++)
        payload[i] = magic[any_below(state, 4)];
    for (size_t i = 0; i + 4 <= size; i += 1 + (size_t)any_below(state, 6))
        memcpy(payload + i, magic, sizeof magic);
}

/* A search in blocks finds what lies at their ends, and nothing between two words. */
TEST(a_magic_is_found_at_every_place_of_a_long_payload)
{
    static const uint8_t magic[4] = {0x0A, 0x23, 0xD7, 0xCE};

    for (size_t length = 508; length <= 1030; length += 87)
        for (size_t at = 0; at + 4 <= length; at++) {
            uint8_t payload[1030] = {0};
            memcpy(payload + at, magic, sizeof magic);
            const size_t uncut = 8 + (length + 3) / 4 * 4;
            CHECK_INT(mxio_recordio_encoded_size(payload, length),
                      at % 4 == 0 ? uncut + 4 : uncut);
        }
}

TEST(every_payload_comes_back_and_holds_no_aligned_magic_in_between)
{
    uint32_t state = 1;

    for (int round = 0; round < 3000; round++) {
        uint8_t payload[64], file[512];
        struct mxio_error err = MXIO_NO_ERROR;
        size_t start, size, consumed, heads = 0;
        const size_t length = (size_t)any_below(&state, 65);
        fill_with_magics(payload, length, &state);

        const size_t encoded = mxio_recordio_encoded_size(payload, length);
        CHECK(encoded <= sizeof file);
        mxio_recordio_encode(payload, length, file);
        for (size_t i = 0; i < encoded; i += 4)
            heads += memcmp(file + i, MAGIC, 4) == 0;
        /* Every aligned magic in the file is a head: each cut adds 4 bytes and one. */
        CHECK_INT(encoded, 8 + (heads - 1) * 4 + (length + 3) / 4 * 4);
        CHECK_OK(mxio_recordio_join(file, encoded, &start, &size, &consumed, &err),
                 err);
        CHECK_INT(size, length);
        CHECK_INT(consumed, encoded);
        CHECK_BYTES(file + start, payload, length);
    }
}

static enum mxio_status
parse(const char *text, int64_t *keys, uint64_t *offsets, size_t *count,
      struct mxio_error *err)
{
    const size_t size = strlen(text); /* without the closing zero */
    char *copy = exact_copy(text, size);

    const enum mxio_status status =
        mxio_recordio_parse_index(copy, size, keys, offsets, count, err);

    free(copy);
    return status;
}

TEST(an_index_is_pairs_of_numbers_between_white_space)
{
    const char *text = "0\t0\n -7  124\r\n\n9223372036854775807\t"
                       "18446744073709551615 3\v4";
    struct mxio_error err = MXIO_NO_ERROR;
    int64_t keys[4];
    uint64_t offsets[4];
    size_t count = 0;

    CHECK_OK(parse(text, NULL, NULL, &count, &err), err);
    CHECK_INT(count, 4);
    CHECK_OK(parse(text, keys, offsets, &count, &err), err);
    CHECK_INT(count, 4);
    CHECK_INT(keys[0], 0);
    CHECK_INT(offsets[0], 0);
    CHECK_INT(keys[1], -7);
    CHECK_INT(offsets[1], 124);
    CHECK_INT(keys[2], INT64_MAX);
    CHECK(offsets[2] == UINT64_MAX);
    CHECK_INT(keys[3], 3);
    CHECK_INT(offsets[3], 4);
}

TEST(an_empty_index_has_no_pairs)
{
    struct mxio_error err = MXIO_NO_ERROR;
    size_t count = 9;

    CHECK_OK(parse(" \n\t\n", NULL, NULL, &count, &err), err);
    CHECK_INT(count, 0);
}

TEST(a_fault_in_an_index_names_its_line_and_leaves_the_count)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"1\t0\nx\t8\n", "line 2: the key is not"},
        {"1\t0\n\n2\t8x\n", "line 3: the offset is not"},
        {"1\t-8\n", "line 1: the offset is not"},
        {"1.5\t8\n", "line 1: the key"},
        {"+1\t8\n", "line 1: the key"},
        {"-\t8\n", "line 1: the key"},
        {"9223372036854775808\t8\n", "line 1: the key"},
        {"1\t18446744073709551616\n", "line 1: the offset"},
        {"1\t99999999999999999999999\n", "line 1: the offset"},
        {"1\t0\n2", "line 2: a key without an offset"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mxio_error err = MXIO_NO_ERROR;
        size_t count = 91;
        CHECK_INT(parse(cases[i].text, NULL, NULL, &count, &err), MXIO_EDATA);
        CHECK_SAYS(err.message, cases[i].says);
        CHECK_INT(count, 91);
    }
}

int
main(void)
{
    RUN(a_head_is_magic_then_kind_and_length);
    RUN(other_bytes_are_no_head_and_leave_out_alone);
    RUN(records_start_whole_or_first_and_go_on_middle_or_last);
    RUN(a_part_takes_its_head_its_payload_and_padding);
    RUN(a_plain_payload_is_one_part_padded_with_zeros);
    RUN(a_payload_is_cut_at_every_aligned_magic);
    RUN(parts_are_joined_with_the_magic_between_them);
    RUN(an_empty_record_is_a_record);
    RUN(the_padding_of_the_very_last_record_may_be_missing);
    RUN(a_record_cut_off_anywhere_is_damaged_and_out_untouched);
    RUN(parts_in_a_wrong_order_are_damaged);
    RUN(a_length_beyond_the_bytes_is_not_trusted);
    RUN(what_joining_says_names_what_was_found);
    if (!UNDER_ASAN && !UNDER_TSAN) /* their shadow would be real memory */
        RUN(a_record_of_2_to_29_bytes_is_refused);
    RUN(a_magic_is_found_at_every_place_of_a_long_payload);
    RUN(every_payload_comes_back_and_holds_no_aligned_magic_in_between);
    RUN(an_index_is_pairs_of_numbers_between_white_space);
    RUN(an_empty_index_has_no_pairs);
    RUN(a_fault_in_an_index_names_its_line_and_leaves_the_count);
    return check_result();
}
