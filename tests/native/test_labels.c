#include "labels.h"

#include <locale.h>

#include "faults.h"
#include "records.h"

/* Without the closing zero. */
static enum mxio_status
parse(struct mxio_labels **out, const char *text, size_t width, struct mxio_error *err)
{
    const size_t size = strlen(text);
    char *copy = exact_copy(text, size);

    const enum mxio_status status = mxio_labels_parse(out, copy, size, width, err);

    free(copy);
    return status;
}

TEST(labels_are_found_by_the_id_of_their_line)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_labels *labels;

    CHECK_OK(parse(&labels, "7\t1.500000\tb/7.jpg\n3\t-2\ta/3.jpg\n", 1, &err), err);

    CHECK_NEAR(mxio_labels_find(labels, 7)[0], 1.5, 0);
    CHECK_NEAR(mxio_labels_find(labels, 3)[0], -2, 0);
    CHECK(mxio_labels_find(labels, 5) == NULL);
    CHECK(mxio_labels_find(labels, 0) == NULL);
    CHECK(mxio_labels_find(labels, UINT64_MAX) == NULL);
    mxio_labels_free(labels);
}

TEST(words_are_parted_by_blanks_or_tabs_and_more_may_follow)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_labels *labels;

    CHECK_OK(parse(&labels, "  1 10 20\t30 my path/x y.jpg\r\n\n\t\n2\t40  50 60", 3,
                   &err),
             err);

    for (int i = 0; i < 3; i++) {
        CHECK_NEAR(mxio_labels_find(labels, 1)[i], 10 * (i + 1), 0);
        CHECK_NEAR(mxio_labels_find(labels, 2)[i], 10 * (i + 4), 0);
    }
    mxio_labels_free(labels);
}

TEST(of_two_lines_with_one_id_the_later_counts)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_labels *labels;

    CHECK_OK(parse(&labels, "5 1\n4 2\n5 3\n6 4\n5 9\n", 1, &err), err);

    CHECK_NEAR(mxio_labels_find(labels, 5)[0], 9, 0);
    CHECK_NEAR(mxio_labels_find(labels, 4)[0], 2, 0);
    CHECK_NEAR(mxio_labels_find(labels, 6)[0], 4, 0);
    mxio_labels_free(labels);
}

TEST(ids_have_64_bits_and_labels_those_of_a_double)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_labels *labels;

    CHECK_OK(parse(&labels,
                   "18446744073709551615 16777217\n9223372036854775808 1e300\n0 .5\n",
                   1, &err),
             err);

    CHECK_NEAR(mxio_labels_find(labels, UINT64_MAX)[0], 16777217, 0);
    CHECK_NEAR(mxio_labels_find(labels, UINT64_C(1) << 63)[0], 1e300, 0);
    CHECK_NEAR(mxio_labels_find(labels, 0)[0], 0.5, 0);
    mxio_labels_free(labels);
}

TEST(a_list_without_lines_knows_nobody)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_labels *labels;

    CHECK_OK(parse(&labels, "", 1, &err), err);
    CHECK(mxio_labels_find(labels, 0) == NULL);
    mxio_labels_free(labels);
    CHECK_OK(parse(&labels, "\n \n", 4, &err), err);
    CHECK(mxio_labels_find(labels, 0) == NULL);
    mxio_labels_free(labels);
    mxio_labels_free(NULL);
}

TEST(many_lines_are_all_found)
{
    enum { LINES = 5000 };
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_labels *labels;
    char *text = malloc(LINES * 20), *end = text;
    for (int i = 0; i < LINES; i++) /* 7919 is prime: every id once, in no order */
        end += snprintf(end, 20, "%d %d\n", i * 7919 % LINES, i);

    CHECK_OK(mxio_labels_parse(&labels, text, (size_t)(end - text), 1, &err), err);

    for (int i = 0; i < LINES; i++)
        CHECK_NEAR(mxio_labels_find(labels, (uint64_t)(i * 7919 % LINES))[0], i, 0);
    mxio_labels_free(labels);
    free(text);
}

TEST(lines_as_short_as_can_be_fit_their_table)
{
    static const char *const shortest[] = {"1 1\n", "1 1 1\n", "1 1 1 1\n"};

    for (size_t width = 1; width <= 3; width++)
        for (int lines = 1; lines <= 40; lines++) {
            struct mxio_error err = MXIO_NO_ERROR;
            struct mxio_labels *labels;
            struct bytes text = {.at = NULL};
            for (int i = 0; i < lines; i++)
                bytes_add(&text, shortest[width - 1], 2 * width + 2);
            uint8_t *copy = exact_copy(text.at, text.size);
            CHECK_OK(mxio_labels_parse(&labels, (const char *)copy, text.size, width,
                                       &err),
                     err);
            mxio_labels_free(labels);
            free(copy);
            bytes_add(&text, "2", 1); /* one line too short behind them */
            copy = exact_copy(text.at, text.size);
            CHECK_INT(mxio_labels_parse(&labels, (const char *)copy, text.size, width,
                                        &err),
                      MXIO_EDATA);
            free(copy);
            free(text.at);
        }
}

TEST(a_fault_names_its_line_and_leaves_out_alone)
{
    static const struct {
        size_t width;
        const char *text, *says;
    } cases[] = {
        {1, "1 2\nx 2\n", "line 2: the id is not a whole number: 'x'"},
        {1, "1 2\n\n-1 2\n", "line 3: the id"},
        {1, "1.0 2\n", "line 1: the id"},
        {1, "18446744073709551616 2\n", "line 1: the id"},
        {1, "7", "line 1: 0 labels, label_width is 1"},
        {4, "7 1 2 3 4\n8 1 2 3\n", "line 2: 3 labels, label_width is 4"},
        {2, "7 1 a/b.jpg\n", "line 1: label 2 of 2 is not a number: 'a/b.jpg'"},
        {1, "7 1,5\n", "'1,5'"},
        {1, "7 1x\n", "'1x'"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_labels *labels = NULL;
        CHECK_INT(parse(&labels, cases[i].text, cases[i].width, &err), MXIO_EDATA);
        CHECK_INT(err.status, MXIO_EDATA);
        CHECK_SAYS(err.message, cases[i].says);
        CHECK(labels == NULL);
    }
}

TEST(a_number_of_absurd_length_is_refused_and_quoted_in_part)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_labels *labels;
    char text[1000] = "1 ";
    memset(text + 2, '1', 900);

    CHECK_INT(parse(&labels, text, 1, &err), MXIO_EDATA);
    CHECK_SAYS(err.message, "line 1");
    CHECK(strlen(err.message) < 200);
}

TEST(the_decimal_point_is_a_point_in_every_locale)
{
    static const char *const commas[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE"};
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_labels *labels;
    for (int i = 0; i < 3; i++)
        if (setlocale(LC_ALL, commas[i]) != NULL)
            break;

    const enum mxio_status status = parse(&labels, "1 2.5\n", 1, &err);
    const char point = localeconv()->decimal_point[0];
    char text[8];
    snprintf(text, sizeof text, "%.1f", 1.5);
    setlocale(LC_ALL, "C");

    CHECK_OK(status, err);
    CHECK_NEAR(mxio_labels_find(labels, 1)[0], 2.5, 0);
    CHECK_INT(text[1], point); /* the caller's locale is as it was */
    mxio_labels_free(labels);
}

static enum mxio_status
parse_once(void *context, struct mxio_error *err)
{
    struct mxio_labels *labels = NULL;
    const enum mxio_status status = parse(&labels, context, 2, err);

    if ((labels != NULL) != (status == MXIO_OK))
        return MXIO_ESTATE;
    mxio_labels_free(labels);
    return status;
}

TEST(every_failing_allocation_is_survived)
{
    char text[] = "1 2 3\n4 5 6\n";

    CHECK_INT(faults_met(parse_once, text), 3);
}

int
main(void)
{
    RUN(labels_are_found_by_the_id_of_their_line);
    RUN(words_are_parted_by_blanks_or_tabs_and_more_may_follow);
    RUN(of_two_lines_with_one_id_the_later_counts);
    RUN(ids_have_64_bits_and_labels_those_of_a_double);
    RUN(a_list_without_lines_knows_nobody);
    RUN(many_lines_are_all_found);
    RUN(lines_as_short_as_can_be_fit_their_table);
    RUN(a_fault_names_its_line_and_leaves_out_alone);
    RUN(a_number_of_absurd_length_is_refused_and_quoted_in_part);
    RUN(the_decimal_point_is_a_point_in_every_locale);
    RUN(every_failing_allocation_is_survived);
    return check_result();
}
