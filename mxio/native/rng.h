/*
 * Random numbers without state: (seed, epoch, record, draw) -> number.
 *
 * Every purpose has its own draw number, so that a new augmentation never changes the
 * numbers of the others. Numbers are never reassigned. The mixer is the finaliser of
 * splitmix64 (Steele, Lea, Flood 2014), as in counter-based generators (Salmon et al.
 * 2011): results do not depend on threads, order, or the processor.
 *
 * Threads: pure functions.
 */
#ifndef MXIO_RNG_H
#define MXIO_RNG_H

#include "base.h"

/* Purposes; a draw in a try t of several uses the number purpose + t * MXIO_DRAW_TRY.
 */
enum mxio_draw {
    MXIO_DRAW_AREA = 1,
    MXIO_DRAW_RATIO = 2,
    MXIO_DRAW_SWAP = 3,
    MXIO_DRAW_CROP_X = 4,
    MXIO_DRAW_CROP_Y = 5,
    MXIO_DRAW_MIRROR = 6,
    MXIO_DRAW_SHEAR = 7,
    MXIO_DRAW_ANGLE = 8,
    MXIO_DRAW_SCALE = 9,
    MXIO_DRAW_STRETCH = 10,
    MXIO_DRAW_INTER_RESIZE = 11,
    MXIO_DRAW_INTER_WARP = 12,
    MXIO_DRAW_INTER_CROP = 13,
    MXIO_DRAW_CROP_SIZE = 14,
    MXIO_DRAW_BRIGHTNESS = 15,
    MXIO_DRAW_CONTRAST = 16,
    MXIO_DRAW_SATURATION = 17,
    MXIO_DRAW_JITTER_ORDER = 18,
    MXIO_DRAW_HLS = 19, /* two for each of h, l, s: 19 to 24 */
    MXIO_DRAW_PCA = 25, /* one for each axis: 25 to 27 */
    MXIO_DRAW_TONE_CONTRAST = 28,
    MXIO_DRAW_TONE_ILLUMINATION = 29,
    MXIO_DRAW_DOWNSCALE = 31, /* whether */
    MXIO_DRAW_DOWNSCALE_RATIO = 32,
    MXIO_DRAW_BLUR = 33, /* whether */
    MXIO_DRAW_BLUR_RADIUS = 34,
    MXIO_DRAW_HSV = 35, /* whether */
    MXIO_DRAW_HSV_HUE = 36,
    MXIO_DRAW_HSV_SATURATION = 37,
    MXIO_DRAW_GRAY = 38, /* whether */
    MXIO_DRAW_TRY = 64,

    /* Of ImageDetRecordIter. Its crops take many tries, so no other purpose above may
     * leave the same remainder by MXIO_DRAW_TRY. */
    MXIO_DRAW_DET_HUE = 1024,
    MXIO_DRAW_DET_SATURATION = 1025,
    MXIO_DRAW_DET_LIGHTNESS = 1026,
    MXIO_DRAW_DET_CONTRAST = 1027,
    MXIO_DRAW_DET_COLOR_COIN = 1028, /* one for each of the four: 1028 to 1031 */
    MXIO_DRAW_DET_MIRROR = 1032,
    MXIO_DRAW_DET_PAD = 1033,
    MXIO_DRAW_DET_PAD_SCALE = 1034,
    MXIO_DRAW_DET_PAD_X = 1035,
    MXIO_DRAW_DET_PAD_Y = 1036,
    MXIO_DRAW_DET_CROP = 1037,
    MXIO_DRAW_DET_SAMPLER = 1038,
    MXIO_DRAW_DET_CROP_SCALE = 1039,
    MXIO_DRAW_DET_CROP_RATIO = 1040,
    MXIO_DRAW_DET_CROP_X = 1041,
    MXIO_DRAW_DET_CROP_Y = 1042,
    MXIO_DRAW_DET_INTER = 1043,
};

struct mxio_rng {
    uint64_t key;
};

struct mxio_rng
mxio_rng_make(int64_t seed, uint64_t epoch, uint64_t record);

uint64_t
mxio_rng_bits(struct mxio_rng rng, uint32_t draw);

/* Uniform in [0, 1), a multiple of 2^-53. */
double
mxio_rng_unit(struct mxio_rng rng, uint32_t draw);

/* True for that share of all records. */
bool
mxio_rng_happens(struct mxio_rng rng, uint32_t draw, double share);

/* low + (high - low) * unit. */
double
mxio_rng_between(struct mxio_rng rng, uint32_t draw, double low, double high);

/* Uniform in [low, high]; low <= high. */
int64_t
mxio_rng_integer(struct mxio_rng rng, uint32_t draw, int64_t low, int64_t high);

/* A permutation of 0..count-1 with random access: a keyed Feistel network with cycle
 * walking. */
struct mxio_permutation {
    uint64_t count;
    uint64_t keys[8];
    uint32_t left_bits, right_bits;
};

struct mxio_permutation
mxio_permutation_make(int64_t seed, uint64_t epoch, uint64_t count);

/* position < count. */
uint64_t
mxio_permutation_at(const struct mxio_permutation *permutation, uint64_t position);

#endif
