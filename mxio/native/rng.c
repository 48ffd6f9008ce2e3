#include "rng.h"

#define ODD                                                                            \
    UINT64_C(0x9E3779B97F4A7C15) /* 2^64 / golden ratio: splitmix64's increment */
#define ROUNDS 8
#define ORDER_DOMAIN                                                                   \
    UINT64_C(0x6f72646572) /* keeps the order apart from the augmentation */

static uint64_t
mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

struct mxio_rng
mxio_rng_make(int64_t seed, uint64_t epoch, uint64_t record)
{
    const uint64_t by_seed = mix((uint64_t)seed + ODD);
    const uint64_t by_epoch = mix((by_seed ^ epoch) + ODD);

    return (struct mxio_rng){.key = mix((by_epoch ^ record) + ODD)};
}

uint64_t
mxio_rng_bits(struct mxio_rng rng, uint32_t draw)
{
    return mix(rng.key + draw * ODD);
}

double
mxio_rng_unit(struct mxio_rng rng, uint32_t draw)
{
    return (double)(mxio_rng_bits(rng, draw) >> 11) * 0x1p-53;
}

bool
mxio_rng_happens(struct mxio_rng rng, uint32_t draw, double share)
{
    return mxio_rng_unit(rng, draw) < share;
}

double
mxio_rng_between(struct mxio_rng rng, uint32_t draw, double low, double high)
{
    return low + (high - low) * mxio_rng_unit(rng, draw);
}

int64_t
mxio_rng_integer(struct mxio_rng rng, uint32_t draw, int64_t low, int64_t high)
{
    /* Multiply-shift: the bias is below count / 2^64. */
    const uint64_t count = (uint64_t)high - (uint64_t)low + 1;
    const uint64_t bits = mxio_rng_bits(rng, draw);

    if (count == 0)
        return (int64_t)bits;
    return (int64_t)((uint64_t)low +
                     (uint64_t)(((unsigned __int128)bits * count) >> 64));
}

struct mxio_permutation
mxio_permutation_make(int64_t seed, uint64_t epoch, uint64_t count)
{
    struct mxio_permutation out = {.count = count};
    const struct mxio_rng rng = mxio_rng_make(seed, epoch, ORDER_DOMAIN);
    uint32_t bits = 2;

    while (bits < 64 && ((uint64_t)1 << bits) < count)
        bits++;
    out.left_bits = bits / 2;
    out.right_bits = bits - bits / 2;
    for (uint32_t i = 0; i < ROUNDS; i++)
        out.keys[i] = mxio_rng_bits(rng, i);
    return out;
}

static uint64_t
low_bits(uint64_t x, uint32_t bits)
{
    return x & (((uint64_t)1 << bits) - 1);
}

/* One pass over the 2^bits numbers; rounds change the halves in turn, so each is
 * invertible. */
static uint64_t
feistel(const struct mxio_permutation *p, uint64_t x)
{
    uint64_t left = x >> p->right_bits;
    uint64_t right = low_bits(x, p->right_bits);

    for (int i = 0; i < ROUNDS; i += 2) {
        left ^= low_bits(mix(p->keys[i] + right * ODD) >> 32, p->left_bits);
        right ^= low_bits(mix(p->keys[i + 1] + left * ODD) >> 32, p->right_bits);
    }
    return left << p->right_bits | right;
}

uint64_t
mxio_permutation_at(const struct mxio_permutation *permutation, uint64_t position)
{
    uint64_t x = position;

    /* At most half of the numbers lie outside; the walk stays on the cycle of a
     * permutation and ends. */
    do {
        x = feistel(permutation, x);
    } while (x >= permutation->count);
    return x;
}
