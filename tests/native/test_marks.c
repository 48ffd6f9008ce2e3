#include "marks.h"

#include "check.h"

#include "records.h"

static const uint8_t MAGIC[4] = {0x0A, 0x23, 0xD7, 0xCE};

TEST(every_place_in_and_across_chunks_is_found)
{
    uint8_t bytes[300];
    uint32_t found[4];

    for (size_t size = 0; size < sizeof bytes; size += 37)
        for (size_t at = 0; at + 4 <= size; at++) {
            memset(bytes, 0x0A, sizeof bytes);
            memcpy(bytes + at, MAGIC, 4);
            CHECK_INT(mxio_marks_find(bytes, size, 0, found, 4), 1);
            CHECK_INT(found[0], at);
            CHECK_INT(mxio_marks_find(bytes, size, at, found, 4), 1);
            CHECK_INT(mxio_marks_find(bytes, size, at + 1, found, 4), 0);
        }
}

TEST(a_magic_that_is_cut_off_does_not_count)
{
    uint8_t bytes[256];
    uint32_t found[4];

    for (size_t at = 0; at < 128; at++)
        for (size_t had = 1; had < 4; had++) {
            memset(bytes, 0, sizeof bytes);
            memcpy(bytes + at, MAGIC, 4);
            CHECK_INT(mxio_marks_find(bytes, at + had, 0, found, 4), 0);
        }
}

TEST(neighbours_are_all_found_and_room_is_kept)
{
    uint8_t bytes[400];
    uint32_t found[101] = {0};

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = MAGIC[i % 4];
    CHECK_INT(mxio_marks_find(bytes, sizeof bytes, 0, found, 101), 100);
    for (uint32_t i = 0; i < 100; i++)
        CHECK_INT(found[i], i * 4);
    found[7] = 99;
    CHECK_INT(mxio_marks_find(bytes, sizeof bytes, 5, found, 7), 7);
    CHECK_INT(found[0], 8);
    CHECK_INT(found[6], 32);
    CHECK_INT(found[7], 99);
}

TEST(a_start_behind_the_end_finds_nothing)
{
    uint32_t found[1];

    CHECK_INT(mxio_marks_find(MAGIC, 4, 4, found, 1), 0);
    CHECK_INT(mxio_marks_find(MAGIC, 4, 9, found, 1), 0);
}

int
main(void)
{
    RUN(every_place_in_and_across_chunks_is_found);
    RUN(a_magic_that_is_cut_off_does_not_count);
    RUN(neighbours_are_all_found_and_room_is_kept);
    RUN(a_start_behind_the_end_finds_nothing);
    return check_result();
}
