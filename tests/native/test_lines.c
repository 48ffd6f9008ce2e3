#include "lines.h"

#include "faults.h"
#include "records.h"

#define MOST_FILES 8

/* Files with these texts; a set of at most MOST_FILES. */
struct set {
    const char *paths[MOST_FILES];
    size_t count;
};

static struct set
files_of(const char *const *texts, size_t count)
{
    struct set set = {.count = count};

    for (size_t i = 0; i < count; i++)
        set.paths[i] = temp_file(texts[i], strlen(texts[i]));
    return set;
}

static struct set
file_of(const char *text)
{
    return files_of(&text, 1);
}

/* The lines of a part, each followed by '|'. */
static enum mxio_status
read_part(const struct set *set, size_t num_parts, size_t part_index, char comment,
          char *out, size_t out_size, struct mxio_error *err)
{
    struct mxio_lines *lines = NULL;
    struct mxio_line line;
    size_t used = 0;
    bool got = true;
    enum mxio_status status = mxio_lines_new(&lines, set->paths, set->count, num_parts,
                                             part_index, comment, MXIO_NO_WATCH, err);

    out[0] = '\0';
    if (status != MXIO_OK)
        return status;
    while (got && status == MXIO_OK) {
        status = mxio_lines_next(lines, &line, &got, err);
        if (got && status == MXIO_OK)
            used += (size_t)snprintf(out + used, out_size - used, "%.*s|",
                                     (int)line.size, line.text);
    }
    mxio_lines_free(lines);
    return status;
}

static enum mxio_status
read_all(const struct set *set, char *out, size_t out_size, struct mxio_error *err)
{
    return read_part(set, 1, 0, '\0', out, out_size, err);
}

TEST(lines_end_with_each_of_the_three_ends_or_the_file)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const struct set set = file_of("a\nb\r\nc\rd\n\r\r\n e \n\t \n\nf");
    char text[128];

    CHECK_OK(read_all(&set, text, sizeof text, &err), err);

    CHECK(strcmp(text, "a|b|c|d| e |f|") == 0);
}

TEST(several_files_are_one_text_but_no_line_goes_over_a_border)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const char *const texts[] = {"",  "a\nb", "", "", "c\n", "\xEF\xBB\xBF\x64\re",
                                 "\n"};
    const struct set set = files_of(texts, 7);
    char text[128];

    CHECK_OK(read_all(&set, text, sizeof text, &err), err);

    CHECK(strcmp(text, "a|b|c|d|e|") == 0);
}

TEST(a_comment_ends_its_line)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const struct set set = file_of("1 #one\n# nothing\n  #\n2#\n");
    char text[128];

    CHECK_OK(read_part(&set, 1, 0, '#', text, sizeof text, &err), err);

    CHECK(strcmp(text, "1 |2|") == 0);
}

/* MXNet's rule in a few words: a line is of the part in whose bytes the
 * first end of a line before it lies; the first line of a file, of the part that its
 * start lies in. */
TEST(every_line_is_in_exactly_one_part_and_in_the_right_one)
{
    const char *const texts[] = {"a\nbbbb\ncc\r\n\r\nddd\n", "ee", "\n\nffff\ng\n"};
    const struct set set = files_of(texts, 3);
    const size_t total = strlen(texts[0]) + strlen(texts[1]) + strlen(texts[2]);

    for (size_t parts = 1; parts <= total + 2; parts++) {
        char all[128] = "", one[128];
        size_t used = 0;
        for (size_t part = 0; part < parts; part++) {
            struct mxio_error err = MXIO_NO_ERROR;
            const enum mxio_status status =
                read_part(&set, parts, part, '\0', one, sizeof one, &err);
            if (status == MXIO_OK)
                used += (size_t)snprintf(all + used, sizeof all - used, "%s", one);
            else
                CHECK_SAYS(err.message, "holds no line");
        }
        CHECK(strcmp(all, "a|bbbb|cc|ddd|ee|ffff|g|") == 0);
    }
}

TEST(the_ends_of_a_part_move_forward_to_a_line)
{
    struct mxio_error err = MXIO_NO_ERROR;
    /* 12 bytes, steps of 4: [0, 4), [4, 8), [8, 12); byte 4 lies in "bbb", byte 8 is
     * the start of "dd" and so moves behind it. */
    const struct set set = file_of("aa\nbbb\nc\ndd\n");
    static const char *const expected[] = {"aa|bbb|", "c|", "dd|"};
    char text[64];

    for (size_t part = 0; part < 3; part++) {
        CHECK_OK(read_part(&set, 3, part, '\0', text, sizeof text, &err), err);
        CHECK(strcmp(text, expected[part]) == 0);
    }
}

TEST(a_part_that_there_is_not_and_an_empty_one_are_errors)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const struct set set = file_of("one line\n"), nothing = file_of("");
    char text[64];

    CHECK_INT(read_part(&set, 2, 2, '\0', text, sizeof text, &err), MXIO_EPARAM);
    CHECK_SAYS(err.message, "[0, 1], got 2");
    CHECK_INT(read_part(&set, 3, 1, '\0', text, sizeof text, &err), MXIO_EDATA);
    CHECK_SAYS(err.message, "part 1 of 3 holds no line");
    CHECK_INT(read_part(&nothing, 1, 0, '\0', text, sizeof text, &err), MXIO_EDATA);
    CHECK_SAYS(err.message, "empty files");
}

TEST(a_line_knows_its_file_its_byte_and_its_number)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const char *const texts[] = {"a\r\n\nb\rc\n", "d\n"};
    const struct set set = files_of(texts, 2);
    static const int files[] = {0, 0, 0, 1}, numbers[] = {1, 3, 4, 1};
    static const int offsets[] = {0, 4, 6, 0};
    struct mxio_lines *lines = NULL;
    struct mxio_line line = {.size = 0};
    bool got = false;

    CHECK_OK(mxio_lines_new(&lines, set.paths, 2, 1, 0, '\0', MXIO_NO_WATCH, &err),
             err);
    for (int i = 0; i < 4; i++) {
        CHECK_OK(mxio_lines_next(lines, &line, &got, &err), err);
        CHECK(got);
        CHECK_INT(mxio_lines_place(lines, &line, 0, &err), numbers[i]);
        CHECK_INT(err.file, files[i]);
        CHECK_INT(err.offset, offsets[i]);
    }
    mxio_lines_free(lines);
}

TEST(a_part_counts_the_lines_of_its_file_from_the_start)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const struct set set = file_of("1\r\n2\r3\n\n5\n6 is here\n7\n");
    struct mxio_lines *lines = NULL;
    struct mxio_line line = {.size = 0};
    uint64_t before = 0;
    bool got = false;

    /* 23 bytes: the second half begins in line 6 */
    CHECK_OK(mxio_lines_new(&lines, set.paths, 1, 2, 1, '\0', MXIO_NO_WATCH, &err),
             err);
    CHECK_OK(mxio_lines_before(lines, &before, &err), err);
    CHECK_OK(mxio_lines_next(lines, &line, &got, &err), err);

    CHECK_INT(before, 5); /* the empty one is none */
    CHECK(line.text[0] == '7');
    CHECK_INT(mxio_lines_place(lines, &line, 0, &err), 7);
    mxio_lines_free(lines);
}

TEST(reading_can_begin_where_it_was)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const char *const texts[] = {"1\r\n2\r\n3\r\n", "4\n"};
    const struct set set = files_of(texts, 2);
    static const char *const expected = "234";
    struct mxio_lines *lines = NULL;
    struct mxio_line line = {.size = 0};
    bool got = false;

    CHECK_OK(mxio_lines_new(&lines, set.paths, 2, 1, 0, '\0', MXIO_NO_WATCH, &err),
             err);
    CHECK_OK(mxio_lines_next(lines, &line, &got, &err), err);
    mxio_lines_begin_here(lines);
    for (int round = 0; round < 2; round++) {
        mxio_lines_rewind(lines);
        for (int i = 0; i < 3; i++) {
            CHECK_OK(mxio_lines_next(lines, &line, &got, &err), err);
            CHECK(got && line.size == 1 && line.text[0] == expected[i]);
            CHECK_INT(mxio_lines_place(lines, &line, 0, &err), i < 2 ? i + 2 : 1);
        }
        CHECK_OK(mxio_lines_next(lines, &line, &got, &err), err);
        CHECK(!got);
    }
    mxio_lines_free(lines);
}

TEST(lines_longer_than_a_block_and_ends_on_its_border_are_whole)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct bytes text = {.at = NULL};
    struct mxio_lines *lines = NULL;
    struct mxio_line line = {.size = 0};
    static char row[700001];
    bool got = false;

    memset(row, 'x', sizeof row);
    /* \r is the last byte of the first block of 2^18, \n the first of the second */
    bytes_add(&text, row, (1 << 18) - 1);
    bytes_add(&text, "\r\n", 2);
    bytes_add(&text, row, sizeof row);
    bytes_add(&text, "\nend", 4);
    const char *path = temp_file_of(&text);
    static const size_t sizes[] = {(1 << 18) - 1, sizeof row, 3};
    CHECK_OK(mxio_lines_new(&lines, &path, 1, 1, 0, '\0', MXIO_NO_WATCH, &err), err);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(mxio_lines_next(lines, &line, &got, &err), err);
        CHECK(got);
        CHECK_INT(line.size, sizes[i]);
        CHECK_INT(mxio_lines_place(lines, &line, 0, &err), i + 1);
    }
    mxio_lines_free(lines);
}

TEST(a_missing_file_is_named)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const struct set set = {.paths = {temp_file("1\n", 2), "/no/such/file"},
                            .count = 2};
    struct mxio_lines *lines;

    CHECK_INT(mxio_lines_new(&lines, set.paths, 2, 1, 0, '\0', MXIO_NO_WATCH, &err),
              MXIO_EIO);

    CHECK_INT(err.file, 1);
}

TEST(a_file_that_became_shorter_is_an_error)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const struct set set = file_of("1\n2\n3\n");
    struct mxio_lines *lines = NULL;
    struct mxio_line line = {.size = 0};
    bool got = false;

    CHECK_OK(mxio_lines_new(&lines, set.paths, 1, 1, 0, '\0', MXIO_NO_WATCH, &err),
             err);
    CHECK_INT(truncate(set.paths[0], 3), 0);

    CHECK_INT(mxio_lines_next(lines, &line, &got, &err), MXIO_EDATA);
    CHECK_INT(err.file, 0);
    mxio_lines_free(lines);
}

struct told {
    bool stops;
    int file;
    uint64_t offset;
};

static bool
tell(void *context, int file, uint64_t offset)
{
    struct told *told = context;

    told->file = file;
    told->offset = offset;
    return told->stops;
}

TEST(reading_stops_when_told_to)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const struct set set = file_of("1\n");
    struct mxio_lines *lines = NULL;
    struct mxio_line line = {.size = 0};
    struct told told = {.stops = false};
    const struct mxio_watch watch = {tell, &told, 7};
    bool got;

    CHECK_OK(mxio_lines_new(&lines, set.paths, 1, 1, 0, '\0', &watch, &err), err);
    told.stops = true;

    CHECK_INT(mxio_lines_next(lines, &line, &got, &err), MXIO_ESTATE);
    CHECK_INT(told.file, 7);
    CHECK_INT((int)told.offset, 0);
    mxio_lines_free(lines);
}

static enum mxio_status
attempt(void *context, struct mxio_error *err)
{
    char text[64];

    return read_part(context, 2, 1, '\0', text, sizeof text, err);
}

TEST(each_failing_allocation_is_reported)
{
    struct set set = file_of("1\n2\n3\n");

    CHECK(faults_met(attempt, &set) > 3);
}

int
main(void)
{
    RUN(lines_end_with_each_of_the_three_ends_or_the_file);
    RUN(several_files_are_one_text_but_no_line_goes_over_a_border);
    RUN(a_comment_ends_its_line);
    RUN(every_line_is_in_exactly_one_part_and_in_the_right_one);
    RUN(the_ends_of_a_part_move_forward_to_a_line);
    RUN(a_part_that_there_is_not_and_an_empty_one_are_errors);
    RUN(a_line_knows_its_file_its_byte_and_its_number);
    RUN(a_part_counts_the_lines_of_its_file_from_the_start);
    RUN(reading_can_begin_where_it_was);
    RUN(lines_longer_than_a_block_and_ends_on_its_border_are_whole);
    RUN(a_missing_file_is_named);
    RUN(a_file_that_became_shorter_is_an_error);
    RUN(reading_stops_when_told_to);
    RUN(each_failing_allocation_is_reported);
    return check_result();
}
