/*
 * Assertions of the C tests: what was expected, what came, and where.
 *
 *   TEST(a_sentence_about_one_behaviour) { arrange; act; CHECK_INT(actual, expected); }
 *   int main(void) { RUN(a_sentence_about_one_behaviour); return check_result(); }
 *
 * A failed check is printed and counted, and leaves its test function.
 */
#ifndef MXIO_TEST_CHECK_H
#define MXIO_TEST_CHECK_H

#include <math.h>
#include <stdio.h>
#include <string.h>

static int check_failures;

#define TEST(name) static void name(void)

#define RUN(name)                                                                      \
    do {                                                                               \
        const int before = check_failures;                                             \
        name();                                                                        \
        if (check_failures != before)                                                  \
            fprintf(stderr, "  in %s\n", #name);                                       \
    } while (0)

#define CHECK_FAILED(...)                                                              \
    do {                                                                               \
        fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                \
        fprintf(stderr, __VA_ARGS__);                                                  \
        fputc('\n', stderr);                                                           \
        check_failures++;                                                              \
        return;                                                                        \
    } while (0)

#define CHECK(condition)                                                               \
    do {                                                                               \
        if (!(condition))                                                              \
            CHECK_FAILED("%s does not hold", #condition);                              \
    } while (0)

/* Whole numbers of any type up to 64 bits. */
#define CHECK_INT(actual, expected)                                                    \
    do {                                                                               \
        const long long check_got = (long long)(actual),                               \
                        check_right = (long long)(expected);                           \
        if (check_got != check_right)                                                  \
            CHECK_FAILED("%s is %lld, expected %lld", #actual, check_got,              \
                         check_right);                                                 \
    } while (0)

#define CHECK_NEAR(actual, expected, tolerance)                                        \
    do {                                                                               \
        const double check_got = (actual), check_right = (expected);                   \
        if (!(fabs(check_got - check_right) <= (tolerance)))                           \
            CHECK_FAILED("%s is %.9g, expected %.9g", #actual, check_got,              \
                         check_right);                                                 \
    } while (0)

#define CHECK_BYTES(actual, expected, size)                                            \
    do {                                                                               \
        const unsigned char *check_got = (const void *)(actual);                       \
        const unsigned char *check_right = (const void *)(expected);                   \
        for (size_t at = 0; at < (size_t)(size); at++)                                 \
            if (check_got[at] != check_right[at])                                      \
                CHECK_FAILED("%s differs at byte %zu: %d, expected %d", #actual, at,   \
                             check_got[at], check_right[at]);                          \
    } while (0)

/* The text, for instance an error message, says what it should. */
#define CHECK_SAYS(text, part)                                                         \
    do {                                                                               \
        const char *said = (text);                                                     \
        if (strstr(said, (part)) == NULL)                                              \
            CHECK_FAILED("\"%s\" does not say \"%s\"", said, (part));                  \
    } while (0)

/* What main returns. */
static inline int
check_result(void)
{
    return check_failures == 0 ? 0 : 1;
}

#endif
