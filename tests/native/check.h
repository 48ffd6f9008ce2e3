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
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_failures;

#define TEST(name) static void name(void)
#define RUN(name) check_run(name, #name)

#define CHECK(condition)                                                               \
    CHECK_LEAVES(check_true((condition), #condition, __FILE__, __LINE__))

/* Whole numbers of any type up to 64 bits. */
#define CHECK_INT(actual, expected)                                                    \
    CHECK_LEAVES(check_int((long long)(actual), (long long)(expected), #actual,        \
                           __FILE__, __LINE__))

#define CHECK_NEAR(actual, expected, tolerance)                                        \
    CHECK_LEAVES(                                                                      \
        check_near((actual), (expected), (tolerance), #actual, __FILE__, __LINE__))

#define CHECK_BYTES(actual, expected, size)                                            \
    CHECK_LEAVES(check_bytes((actual), (expected), (size), #actual, __FILE__, __LINE__))

/* The text, for instance an error message, says what it should. */
#define CHECK_SAYS(text, part)                                                         \
    CHECK_LEAVES(check_says((text), (part), __FILE__, __LINE__))

/* The call succeeds; else the message of the struct mxio_error is shown. */
#define CHECK_OK(call, err)                                                            \
    CHECK_LEAVES(check_ok((call) == 0, (err).message, #call, __FILE__, __LINE__))

#define CHECK_LEAVES(holds)                                                            \
    do {                                                                               \
        if (!(holds))                                                                  \
            return;                                                                    \
    } while (0)

static inline void
check_run(void (*test)(void), const char *name)
{
    const int before = check_failures;

    test();
    if (check_failures != before)
        fprintf(stderr, "  in %s\n", name);
}

__attribute__((format(printf, 3, 4))) static inline bool
check_failed(const char *file, int line, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    check_failures++;
    return false;
}

static inline bool
check_true(bool holds, const char *what, const char *file, int line)
{
    if (!holds)
        check_failed(file, line, "%s does not hold", what);
    return holds;
}

static inline bool
check_int(long long got, long long right, const char *what, const char *file, int line)
{
    if (got != right)
        check_failed(file, line, "%s is %lld, expected %lld", what, got, right);
    return got == right;
}

static inline bool
check_near(double got, double right, double tolerance, const char *what,
           const char *file, int line)
{
    return fabs(got - right) <= tolerance ||
           check_failed(file, line, "%s is %.9g, expected %.9g", what, got, right);
}

static inline bool
check_bytes(const void *actual, const void *expected, size_t size, const char *what,
            const char *file, int line)
{
    const unsigned char *got = actual, *right = expected;

    for (size_t at = 0; at < size; at++)
        if (got[at] != right[at])
            return check_failed(file, line, "%s differs at byte %zu: %d, expected %d",
                                what, at, got[at], right[at]);
    return true;
}

static inline bool
check_says(const char *said, const char *part, const char *file, int line)
{
    return strstr(said, part) != NULL ||
           check_failed(file, line, "\"%s\" does not say \"%s\"", said, part);
}

static inline bool
check_ok(bool holds, const char *message, const char *what, const char *file, int line)
{
    if (!holds)
        check_failed(file, line, "%s fails: %s", what, message);
    return holds;
}

/* What main returns. */
static inline int
check_result(void)
{
    return check_failures == 0 ? 0 : 1;
}

#endif
