#include "rng.h"

#include "check.h"

/* The published outputs of splitmix64 for the seed 1234567. */
static const uint64_t published[5] = {UINT64_C(6457827717110365317),
                                      UINT64_C(3203168211198807973),
                                      UINT64_C(9817491932198370423),
                                      UINT64_C(4593380528125082431),
                                      UINT64_C(16408922859458223821)};

/* Vigna's splitmix64.c: moves the state and gives a number. */
static uint64_t
splitmix64(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t
first_of(uint64_t seed)
{
    return splitmix64(&seed);
}

TEST(draw_n_is_number_n_of_splitmix64)
{
    const struct mxio_rng rng = {.key = 1234567};

    for (uint32_t draw = 1; draw <= 5; draw++)
        CHECK(mxio_rng_bits(rng, draw) == published[draw - 1]);
}

TEST(the_key_absorbs_seed_epoch_and_record_in_turn)
{
    static const int64_t seeds[] = {0, 1, -1, INT64_MIN + 1, INT64_MAX};

    for (int i = 0; i < 5; i++)
        for (uint64_t epoch = 0; epoch < 3; epoch++)
            for (uint64_t record = 0; record < 3; record++) {
                const uint64_t expected =
                    first_of(first_of(first_of((uint64_t)seeds[i]) ^ epoch) ^ record);
                CHECK(mxio_rng_make(seeds[i], epoch, record).key == expected);
            }
}

TEST(a_unit_is_the_top_53_bits)
{
    const struct mxio_rng rng = {.key = 1234567};

    for (uint32_t draw = 1; draw <= 5; draw++)
        CHECK_NEAR(mxio_rng_unit(rng, draw),
                   (double)(published[draw - 1] >> 11) / 9007199254740992.0, 0);
}

/* Sums over bins of (seen - expected)^2 / expected. */
static double
chi_squared(const int *seen, int bins, double expected)
{
    double sum = 0;

    for (int i = 0; i < bins; i++)
        sum += (seen[i] - expected) * (seen[i] - expected) / expected;
    return sum;
}

TEST(units_fill_their_range_evenly)
{
    int seen[100] = {0};

    for (uint64_t record = 0; record < 100000; record++) {
        const double unit =
            mxio_rng_unit(mxio_rng_make(3, record % 7, record), MXIO_DRAW_AREA);
        CHECK(unit >= 0 && unit < 1);
        seen[(int)(unit * 100)]++;
    }

    CHECK(chi_squared(seen, 100, 1000) < 160); /* of 99 degrees: p < 0.0001 */
}

TEST(integers_reach_both_ends_evenly)
{
    int seen[7] = {0};

    for (uint64_t record = 0; record < 70000; record++) {
        const int64_t value =
            mxio_rng_integer(mxio_rng_make(5, 0, record), MXIO_DRAW_CROP_X, -3, 3);
        CHECK(value >= -3 && value <= 3);
        seen[value + 3]++;
    }

    CHECK(chi_squared(seen, 7, 10000) < 30); /* of 6 degrees: p < 0.0001 */
}

TEST(integers_of_one_value_and_of_all_values_are_drawn)
{
    const struct mxio_rng rng = {.key = 1234567};

    CHECK_INT(mxio_rng_integer(rng, 1, 42, 42), 42);
    CHECK_INT(mxio_rng_integer(rng, 1, INT64_MAX, INT64_MAX), INT64_MAX);
    CHECK_INT(mxio_rng_integer(rng, 1, INT64_MIN, INT64_MAX), (int64_t)published[0]);
    CHECK(mxio_rng_integer(rng, 5, INT64_MIN, INT64_MAX - 1) < INT64_MAX);
    CHECK(mxio_rng_integer(rng, 5, INT64_MIN, -1) < 0);
}

TEST(purposes_draw_apart_from_each_other)
{
    static const uint32_t draws[] = {MXIO_DRAW_AREA,   MXIO_DRAW_RATIO,
                                     MXIO_DRAW_SWAP,   MXIO_DRAW_CROP_X,
                                     MXIO_DRAW_CROP_Y, MXIO_DRAW_MIRROR};
    const struct mxio_rng rng = mxio_rng_make(0, 0, 0);

    for (int i = 0; i < 6 * 10; i++)
        for (int j = 0; j < i; j++)
            CHECK(
                mxio_rng_bits(rng, draws[i % 6] + (uint32_t)(i / 6) * MXIO_DRAW_TRY) !=
                mxio_rng_bits(rng, draws[j % 6] + (uint32_t)(j / 6) * MXIO_DRAW_TRY));
}

/* Every number below count comes once. */
static bool
is_bijection(const struct mxio_permutation *permutation, uint64_t count)
{
    bool *seen = calloc(count, sizeof *seen);
    bool once = true;

    for (uint64_t i = 0; i < count && once; i++) {
        const uint64_t to = mxio_permutation_at(permutation, i);
        once = to < count && !seen[to];
        if (once)
            seen[to] = true;
    }
    free(seen);
    return once;
}

TEST(a_permutation_takes_every_number_once)
{
    for (uint64_t count = 1; count <= 200; count++)
        for (int64_t seed = -1; seed <= 2; seed++) {
            const struct mxio_permutation permutation =
                mxio_permutation_make(seed, (uint64_t)(seed + 1), count);
            CHECK(is_bijection(&permutation, count));
        }
}

TEST(a_large_permutation_takes_every_number_once)
{
    static const uint64_t counts[] = {4095, 4096, 4097, 65536, 100003, 262145};

    for (int i = 0; i < 6; i++) {
        const struct mxio_permutation permutation =
            mxio_permutation_make(8, 1, counts[i]);
        CHECK(is_bijection(&permutation, counts[i]));
    }
}

TEST(a_permutation_of_huge_counts_stays_inside)
{
    static const uint64_t counts[] = {UINT64_C(1) << 32, (UINT64_C(1) << 40) + 1,
                                      UINT64_C(1) << 63, (UINT64_C(1) << 63) + 1,
                                      UINT64_MAX};

    for (int i = 0; i < 5; i++) {
        const struct mxio_permutation permutation =
            mxio_permutation_make(8, 1, counts[i]);
        uint64_t before = UINT64_MAX;
        for (uint64_t position = 0; position < 1000; position++) {
            const uint64_t to =
                mxio_permutation_at(&permutation, position * (counts[i] / 1000));
            CHECK(to < counts[i]);
            CHECK(to != before);
            before = to;
        }
    }
}

static int
fixed_points(int64_t seed, uint64_t epoch, int64_t other_seed, uint64_t other_epoch)
{
    const struct mxio_permutation one = mxio_permutation_make(seed, epoch, 1000);
    const struct mxio_permutation other =
        mxio_permutation_make(other_seed, other_epoch, 1000);
    int same = 0;

    for (uint64_t i = 0; i < 1000; i++)
        same += mxio_permutation_at(&one, i) == mxio_permutation_at(&other, i);
    return same;
}

TEST(seeds_and_epochs_have_permutations_of_their_own)
{
    CHECK_INT(fixed_points(1, 0, 1, 0), 1000);
    /* Of two random permutations one place agrees on average; 12 are absurd. */
    for (uint64_t i = 1; i < 20; i++) {
        CHECK(fixed_points(1, 0, 1, i) < 12);
        CHECK(fixed_points(1, 0, 1 + (int64_t)i, 0) < 12);
        CHECK(fixed_points(1, i, 1 + (int64_t)i, 0) < 12);
    }
}

TEST(every_number_is_as_likely_at_every_place)
{
    for (int count = 2; count <= 17; count += 5) {
        int seen[17 * 17] = {0};
        for (int64_t seed = 0; seed < 4000; seed++) {
            const struct mxio_permutation permutation =
                mxio_permutation_make(seed, 0, (uint64_t)count);
            for (int i = 0; i < count; i++)
                seen[i * count + (int)mxio_permutation_at(&permutation, (uint64_t)i)]++;
        }
        /* (count - 1)^2 degrees; six standard deviations above. */
        const double degrees = (count - 1) * (count - 1);
        CHECK(chi_squared(seen, count * count, 4000.0 / count) <
              degrees + 6 * sqrt(2 * degrees) + 10);
    }
}

int
main(void)
{
    RUN(draw_n_is_number_n_of_splitmix64);
    RUN(the_key_absorbs_seed_epoch_and_record_in_turn);
    RUN(a_unit_is_the_top_53_bits);
    RUN(units_fill_their_range_evenly);
    RUN(integers_reach_both_ends_evenly);
    RUN(integers_of_one_value_and_of_all_values_are_drawn);
    RUN(purposes_draw_apart_from_each_other);
    RUN(a_permutation_takes_every_number_once);
    RUN(a_large_permutation_takes_every_number_once);
    RUN(a_permutation_of_huge_counts_stays_inside);
    RUN(seeds_and_epochs_have_permutations_of_their_own);
    RUN(every_number_is_as_likely_at_every_place);
    return check_result();
}
