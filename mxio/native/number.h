/*
 * Numbers in text, read the same whatever the locale.
 *
 * A number begins at `at` and goes as far as it can, not beyond `end`; each function
 * returns where it stops, NULL when no number of the kind begins there. What may stand
 * behind it is the caller's to say; no blanks are skipped.
 *
 * Owner:   nothing is kept; the text need not end with a zero.
 * Threads: pure functions.
 * Errors:  NULL; *out is then left alone.
 */
#ifndef MXIO_NUMBER_H
#define MXIO_NUMBER_H

#include "base.h"

/*
 * The double nearest to a decimal number such as -1, .5, 2.50e-3; inf, infinity and nan
 * in any case, with a sign or without. What is too large becomes infinite.
 */
MXIO_MUST_USE const char *
mxio_number_double(const char *at, const char *end, double *out);

/* The same for the nearest float, rounded once. */
MXIO_MUST_USE const char *
mxio_number_float(const char *at, const char *end, float *out);

/* A whole number in [low, high], perhaps with a sign. */
MXIO_MUST_USE const char *
mxio_number_whole(const char *at, const char *end, int64_t low, int64_t high,
                  int64_t *out);

#endif
