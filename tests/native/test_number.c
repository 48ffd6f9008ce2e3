#include "number.h"

#include <locale.h>

#include "check.h"
#include "records.h"

/* The whole text is one number; a copy without a closing zero, so that nothing behind
 * it may be read. */
static bool
reads_double(const char *text, double *out)
{
    struct bytes copy = {.at = NULL};

    bytes_add(&copy, text, strlen(text));
    const char *start = (const char *)copy.at, *end = start + copy.size;
    const bool whole = mxio_number_double(start, end, out) == end;
    free(copy.at);
    return whole;
}

static bool
reads_float(const char *text, float *out)
{
    return mxio_number_float(text, text + strlen(text), out) == text + strlen(text);
}

TEST(decimal_numbers_are_the_nearest_doubles)
{
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"0", 0},
        {"-1", -1},
        {"+2.5", 2.5},
        {".5", 0x1p-1},
        {"5.", 5},
        {"0001.50", 1.5},
        {"0.1", 0x1.999999999999ap-4},
        {"-18.75", -18.75},
        {"9007199254740993", 0x1p53}, /* a tie goes to the even neighbour */
        {"9007199254740993.0000001", 0x1.0000000000001p53},
        {"1.7976931348623157e308", 0x1.fffffffffffffp1023},
        {"1.7976931348623159e308", INFINITY},
        {"2.2250738585072014e-308", 0x1p-1022},
        {"4.9e-324", 0x1p-1074},
        {"2.4703282292062327e-324", 0},
        {"2.4703282292062328e-324", 0x1p-1074},
        {"1e400", INFINITY},
        {"-1E-400", 0},
        {"1e23", 0x1.52d02c7e14af6p+76}, /* between 1e23's neighbours, to even */
        {"6.631236846766476E-316", 6.631236846766476e-316},
        {"1.844674407370955161e19", 0x1p64},
        {"123456789012345678e-20", 0.00123456789012345678},
        {"1e27", 0x1.9d971e4fe8402p+89},
        {"7450580596923828125e-27", 0x1p-27},
        {"0.00000000000000000000000000000000000001", 1e-38},
        {"10000000000000000000000000000000000e-34", 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value = -7;
        CHECK(reads_double(cases[i].text, &value));
        CHECK(value == cases[i].value);
    }
}

TEST(any_number_of_digits_is_read_and_the_last_may_decide)
{
    char text[2048];
    double value;

    memset(text, '0', sizeof text);
    text[1] = '.';
    text[1500] = '1';
    memcpy(text + 1501, "e1499", 6); /* 0.000...1e1499 */
    CHECK(reads_double(text, &value));
    CHECK(value == 1);

    memset(text, '0', sizeof text);
    memcpy(text, "9007199254740993.", 17); /* 2^53 + 1, and a little more far behind */
    text[1500] = '1';
    text[1501] = '\0';
    CHECK(reads_double(text, &value));
    CHECK(value == 0x1.0000000000001p53);
}

TEST(the_words_for_what_is_no_number_are_read_in_any_case)
{
    static const char *const infinite[] = {"inf", "Infinity", "+INF"};
    double value;

    for (int i = 0; i < 3; i++) {
        CHECK(reads_double(infinite[i], &value));
        CHECK(value == INFINITY);
    }
    CHECK(reads_double("-inf", &value));
    CHECK(value == -INFINITY);
    CHECK(reads_double("NaN", &value));
    CHECK(isnan(value));
}

TEST(minus_zero_keeps_its_sign)
{
    double value = 1;

    CHECK(reads_double("-0.0", &value));

    CHECK(value == 0 && signbit(value));
}

TEST(what_does_not_begin_with_a_number_is_refused_and_out_left_alone)
{
    static const char *const texts[] = {"",  "-",  "+",   ".",  "-.", "e5",
                                        "x", " 1", "--1", ",1", "in", "n"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *end = texts[i] + strlen(texts[i]);
        double value = -7;
        float narrow = -7;
        CHECK(mxio_number_double(texts[i], end, &value) == NULL);
        CHECK(mxio_number_float(texts[i], end, &narrow) == NULL);
        CHECK(value == -7 && narrow == -7);
    }
}

TEST(a_number_goes_as_far_as_it_can)
{
    static const struct {
        const char *text;
        int size;
    } cases[] = {{"1,2", 1},    {"1e", 1},   {"1e+", 1},    {"1.5.2", 3}, {"1e5e5", 3},
                 {"0x10", 1},   {"1_0", 1},  {"12 ", 2},    {"1-2", 1},   {"info", 3},
                 {"1e-5,3", 4}, {"nanx", 3}, {"2.e3:1", 4}, {"-1:2", 2}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = cases[i].text;
        double value;
        CHECK_INT(mxio_number_double(text, text + strlen(text), &value) - text,
                  cases[i].size);
    }
}

TEST(a_float_is_rounded_once)
{
    /* The first lies above the middle of two floats by less than a double can say:
     * rounded to a double and then to a float it went down. */
    static const struct {
        const char *text;
        float value;
    } cases[] = {
        {"1.00000005960464477539062500000000001", 0x1.000002p0F},
        {"1.000000059604644775390625", 1.0F},
        {"-1.00000005960464477539062500000000001", -0x1.000002p0F},
        {"1.000000178813934326171874999999999999", 0x1.000002p0F},
        {"1e-45", 0x1p-149F},
        {"7.00649232162408535461864791644958065640130970938257885878534141944895541342930300743319094181060791015626e-46",
         0x1p-149F},
        {"7.00649232162408535461864791644958065640130970938257885878534141944895541342930300743319094181060791015625e-46",
         0.0F},
        {"16777217", 0x1p24F},
        {"16777219", 0x1.000004p24F},
        {"3.4028235677973367e38", INFINITY},
        {"3.4028235677973366e38", 0x1.fffffep127F}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float value = -7;
        CHECK(reads_float(cases[i].text, &value));
        CHECK(value == cases[i].value);
    }
}

TEST(whole_numbers_must_fit_their_range)
{
    static const struct {
        const char *text;
        int64_t low, high, value;
    } cases[] = {{"16777217", INT32_MIN, INT32_MAX, 16777217},
                 {"-2147483648", INT32_MIN, INT32_MAX, INT32_MIN},
                 {"+9223372036854775807", INT64_MIN, INT64_MAX, INT64_MAX},
                 {"-9223372036854775808", INT64_MIN, INT64_MAX, INT64_MIN},
                 {"000000000000000000000000012", 0, 100, 12}};
    static const char *const bad[] = {"2147483648",
                                      "-2147483649",
                                      "9223372036854775808",
                                      "99999999999999999999",
                                      "",
                                      "-",
                                      "x",
                                      ".5"};
    int64_t value = -7;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *end = cases[i].text + strlen(cases[i].text);
        CHECK(mxio_number_whole(cases[i].text, end, cases[i].low, cases[i].high,
                                &value) == end);
        CHECK_INT(value, cases[i].value);
    }
    value = -7;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *end = bad[i] + strlen(bad[i]);
        CHECK(mxio_number_whole(bad[i], end, INT32_MIN, INT32_MAX, &value) == NULL);
        CHECK_INT(value, -7);
    }
}

TEST(numbers_are_the_same_in_a_locale_with_a_decimal_comma)
{
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR"};
    const char *found = NULL;
    double value = 0;
    float narrow = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0] && found == NULL; i++)
        found = setlocale(LC_NUMERIC, names[i]);
    const bool read = reads_double("1.25e-300", &value) &&
                      reads_float("1.000000059604644775390625", &narrow);
    setlocale(LC_NUMERIC, "C");

    CHECK(read);
    CHECK(value == 1.25e-300);
    CHECK(narrow == 1.0F);
}

/* printf writes a double with 17 digits so that it can be told from all others. */
TEST(doubles_of_any_bits_survive_the_way_through_text)
{
    uint64_t state = UINT64_C(88172645463325252);

    for (int i = 0; i < 200000; i++) {
        char text[40];
        double value, again = 0;
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(&value, &state, sizeof value);
        if (!isfinite(value))
            continue;
        snprintf(text, sizeof text, i % 2 ? "%.17g" : "%.18e", value);
        CHECK(reads_double(text, &again));
        CHECK(again == value);
    }
}

int
main(void)
{
    RUN(decimal_numbers_are_the_nearest_doubles);
    RUN(any_number_of_digits_is_read_and_the_last_may_decide);
    RUN(the_words_for_what_is_no_number_are_read_in_any_case);
    RUN(minus_zero_keeps_its_sign);
    RUN(what_does_not_begin_with_a_number_is_refused_and_out_left_alone);
    RUN(a_number_goes_as_far_as_it_can);
    RUN(a_float_is_rounded_once);
    RUN(whole_numbers_must_fit_their_range);
    RUN(numbers_are_the_same_in_a_locale_with_a_decimal_comma);
    RUN(doubles_of_any_bits_survive_the_way_through_text);
    return check_result();
}
