#include "number.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

__extension__ typedef unsigned __int128 wide;

/* So many digits always fit into 64 bits. */
#define WORD_DIGITS 19

/* 10^22 is the last power of ten, 2^53 the last run of whole numbers, that doubles hold
 * exactly: one operation on two of these is rounded once. */
#define SHORT 15 /* digits of a number below 2^53 */
#define EXACT_POWER 22
#define EXACT_WHOLE (UINT64_C(1) << 53)

/* 5^27 is the last power of five below 2^63. */
#define FIVES 27

/* No double, and no point half way between two, has more digits than 767. */
#define MOST_DIGITS 800

/* Exponents beyond this are all the same; the sums below cannot overflow. */
#define FAR_EXPONENT INT64_C(1000000000000)

/* A decimal number taken apart: digits * 10^exponent, the digits with a point among
 * them. */
struct decimal {
    const char *digits, *digits_end; /* without leading zeros */
    uint64_t value;                  /* of the digits, when there are few */
    size_t count;                    /* of the digits */
    int64_t exponent;
};

static bool
is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* Add digits to *value, which may overflow; returns their end. */
static const char *
take_digits(const char *at, const char *end, uint64_t *value)
{
    uint64_t sum = *value;

    for (; at < end && is_digit(*at); at++)
        sum = sum * 10 + (uint64_t)(*at - '0');
    *value = sum;
    return at;
}

/* The exponent behind the digits; `at` itself when there is none. */
static const char *
take_exponent(const char *at, const char *end, int64_t *exponent)
{
    const char *p = at;
    int64_t value = 0;

    if (p == end || (*p != 'e' && *p != 'E'))
        return at;
    p++;
    const bool negative = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    if (p == end || !is_digit(*p))
        return at;
    for (; p < end && is_digit(*p); p++)
        if (value < FAR_EXPONENT)
            value = value * 10 + (*p - '0');
    *exponent += negative ? -value : value;
    return p;
}

/* A number without its sign; returns its end, or NULL. */
static const char *
take_decimal(const char *at, const char *end, struct decimal *out)
{
    const char *start = at;
    bool any = false;

    for (; start < end && *start == '0'; start++)
        any = true;
    out->value = 0;
    out->digits = start;
    const char *p = take_digits(start, end, &out->value);
    out->count = (size_t)(p - start);
    out->exponent = 0;
    if (p < end && *p == '.') {
        const char *fraction = ++p;
        if (out->count == 0) { /* zeros behind the point are leading ones, too */
            for (; p < end && *p == '0'; p++)
                any = true;
            out->digits = p;
        }
        const char *first = p;
        p = take_digits(p, end, &out->value);
        out->count += (size_t)(p - first);
        out->exponent = fraction - p;
    }
    out->digits_end = p;
    if (!any && out->count == 0)
        return NULL;
    return take_exponent(p, end, &out->exponent);
}

/* value * 2^exponent, both in the range of normal doubles. */
static double
scaled(uint64_t value, int exponent)
{
    const uint64_t bits = (uint64_t)(DBL_MAX_EXP - 1 + exponent) << (DBL_MANT_DIG - 1);
    double power;

    memcpy(&power, &bits, sizeof power);
    return (double)value * power;
}

static const uint64_t powers_of_five[FIVES + 1] = {
    UINT64_C(1),
    UINT64_C(5),
    UINT64_C(25),
    UINT64_C(125),
    UINT64_C(625),
    UINT64_C(3125),
    UINT64_C(15625),
    UINT64_C(78125),
    UINT64_C(390625),
    UINT64_C(1953125),
    UINT64_C(9765625),
    UINT64_C(48828125),
    UINT64_C(244140625),
    UINT64_C(1220703125),
    UINT64_C(6103515625),
    UINT64_C(30517578125),
    UINT64_C(152587890625),
    UINT64_C(762939453125),
    UINT64_C(3814697265625),
    UINT64_C(19073486328125),
    UINT64_C(95367431640625),
    UINT64_C(476837158203125),
    UINT64_C(2384185791015625),
    UINT64_C(11920928955078125),
    UINT64_C(59604644775390625),
    UINT64_C(298023223876953125),
    UINT64_C(1490116119384765625),
    UINT64_C(7450580596923828125),
};

/*
 * value / 10^power, rounded once: a quotient of 63 or 64 bits, whose last bit also says
 * whether anything is left, is rounded to 53 as the exact one would be.
 */
static double
divided(uint64_t value, int power)
{
    const int up = __builtin_clzll(value);
    const uint64_t divisor = powers_of_five[power];
    const int divisor_up = __builtin_clzll(divisor);
    const wide numerator = (wide)(value << up) << 63;
    const uint64_t by = divisor << divisor_up;
    const uint64_t quotient = (uint64_t)(numerator / by);

    return scaled(quotient | ((wide)quotient * by != numerator),
                  divisor_up - up - 63 - power);
}

/* value * 10^power, rounded once, in the same way. */
static double
multiplied(uint64_t value, int power)
{
    const wide product = (wide)value * powers_of_five[power];
    const uint64_t high = (uint64_t)(product >> 64);

    if (high == 0)
        return scaled((uint64_t)product, power);
    const int up = __builtin_clzll(high);
    const wide top = product << up;
    return scaled((uint64_t)(top >> 64) | ((uint64_t)top != 0), 64 - up + power);
}

/* The digits without their point, so that the locale's does not matter, and the
 * exponent. */
static void
write_plainly(const struct decimal *number, char *out, size_t out_size)
{
    size_t count = 0;
    bool more = false;

    for (const char *p = number->digits; p < number->digits_end; p++) {
        if (*p == '.')
            continue;
        if (count < MOST_DIGITS)
            out[count++] = *p;
        else
            more |= *p != '0';
    }
    const int64_t left_out = (int64_t)(number->count - count);
    int64_t exponent = number->exponent + left_out;
    if (more) { /* stands for all that follows */
        out[count++] = '1';
        exponent--;
    }
    snprintf(out + count, out_size - count, "e%lld", (long long)exponent);
}

#define PLAIN_SIZE (MOST_DIGITS + 32)

static const double powers_of_ten[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,
                                                      1e5,  1e6,  1e7,  1e8,  1e9,
                                                      1e10, 1e11, 1e12, 1e13, 1e14,
                                                      1e15, 1e16, 1e17, 1e18, 1e19,
                                                      1e20, 1e21, 1e22};

static double
to_double(const struct decimal *number)
{
    char text[PLAIN_SIZE];

    if (number->count == 0)
        return 0.0;
    if (number->count <= WORD_DIGITS && number->exponent >= -FIVES &&
        number->exponent <= FIVES) {
        const int power = (int)number->exponent;
        if (power == 0)
            return (double)number->value;
        return power < 0 ? divided(number->value, -power)
                         : multiplied(number->value, power);
    }
    write_plainly(number, text, sizeof text);
    return strtod(text, NULL);
}

/* The common case, in a few instructions; false when it is not one. */
static bool
to_double_at_once(const struct decimal *number, double *out)
{
    if (FLT_EVAL_METHOD != 0 || number->count > WORD_DIGITS ||
        number->value > EXACT_WHOLE || number->exponent < -EXACT_POWER ||
        number->exponent > EXACT_POWER)
        return false;
    const double whole = (double)number->value;
    *out = number->exponent < 0 ? whole / powers_of_ten[-number->exponent]
                                : whole * powers_of_ten[number->exponent];
    return true;
}

/* A short number without sign and exponent, such as most are; NULL for others. */
static const char *
take_short(const char *at, const char *end, double *out)
{
    uint64_t value = 0;
    const char *p = take_digits(at, end, &value);
    ptrdiff_t count = p - at, fraction = 0;

    if (p < end && *p == '.') {
        const char *first = ++p;
        p = take_digits(first, end, &value);
        fraction = p - first;
        count += fraction;
    }
    if (FLT_EVAL_METHOD != 0 || count == 0 || count > SHORT ||
        (p < end && (*p == 'e' || *p == 'E')))
        return NULL;
    *out = fraction == 0 ? (double)value : (double)value / powers_of_ten[fraction];
    return p;
}

/* inf, infinity or nan without a sign; NULL for anything else. */
static const char *
take_word(const char *at, const char *end, double *out)
{
    static const struct {
        const char *name;
        size_t size;
        double value;
    } words[] = {{"infinity", 8, INFINITY}, {"inf", 3, INFINITY}, {"nan", 3, NAN}};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if ((size_t)(end - at) >= words[i].size &&
            strncasecmp(at, words[i].name, words[i].size) == 0) {
            *out = words[i].value;
            return at + words[i].size;
        }
    return NULL;
}

static const char *
take_sign(const char *at, const char *end, bool *negative)
{
    *negative = at < end && *at == '-';
    return at + (at < end && (*at == '-' || *at == '+'));
}

/* Any number without its sign. */
static const char *
take_long(const char *at, const char *end, double *out)
{
    struct decimal number;
    const char *stop = take_decimal(at, end, &number);

    if (stop == NULL)
        return take_word(at, end, out);
    if (!to_double_at_once(&number, out))
        *out = to_double(&number);
    return stop;
}

const char *
mxio_number_double(const char *at, const char *end, double *out)
{
    double value;
    bool negative;

    at = take_sign(at, end, &negative);
    const char *stop = take_short(at, end, &value);
    if (stop == NULL)
        stop = take_long(at, end, &value);
    if (stop != NULL)
        *out = negative ? -value : value;
    return stop;
}

/* Whether rounding the double again could go to the wrong float: it lies half way
 * between two, or where floats lie closer to zero than their kind. */
static bool
rounds_twice(double value)
{
    const uint64_t beyond = (UINT64_C(1) << (DBL_MANT_DIG - FLT_MANT_DIG)) - 1;
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return (bits & beyond) == (beyond + 1) / 2 || fabs(value) < (double)FLT_MIN;
}

/* The float nearest to a decimal number that has been read before. */
static float
round_once(const char *at, const char *end)
{
    struct decimal number;
    char text[PLAIN_SIZE];

    (void)take_decimal(at, end, &number);
    write_plainly(&number, text, sizeof text);
    return strtof(text, NULL);
}

const char *
mxio_number_float(const char *at, const char *end, float *out)
{
    double value;
    bool negative;

    at = take_sign(at, end, &negative);
    const char *stop = take_short(at, end, &value);
    if (stop == NULL)
        stop = take_long(at, end, &value);
    if (stop == NULL)
        return NULL;
    const float rounded =
        value != 0 && rounds_twice(value) ? round_once(at, end) : (float)value;
    *out = negative ? -rounded : rounded;
    return stop;
}

const char *
mxio_number_whole(const char *at, const char *end, int64_t low, int64_t high,
                  int64_t *out)
{
    int64_t value = 0;
    bool negative;

    at = take_sign(at, end, &negative);
    if (at == end || !is_digit(*at))
        return NULL;
    for (; at < end && is_digit(*at); at++) {
        const int64_t digit = negative ? '0' - *at : *at - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return NULL;
    }
    if (value < low || value > high)
        return NULL;
    *out = value;
    return at;
}
