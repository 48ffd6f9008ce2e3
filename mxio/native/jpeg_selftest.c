/* Does our decoding give what the libjpeg at hand gives? */
#include "jpeg.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "jpeg_codec.h"
#include "kernels.h"

#define WIDTH 84
#define HEIGHT 52

static struct {
    pthread_mutex_t lock; /* guards what follows */
    bool known;
    struct mxio_jpeg_ways ways;
    struct mxio_jpeg_words words;
} verdict = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A picture with edges and noise, 4:2:0, so that all symbols have a chance. */
static enum mxio_status
make_picture(unsigned restart_interval, uint8_t **out, size_t *out_size,
             struct mxio_error *err)
{
    const struct mxio_jpeg_recipe recipe = {.width = WIDTH,
                                            .height = HEIGHT,
                                            .channels = 3,
                                            .quality = 92,
                                            .restart_interval = restart_interval};
    uint8_t pixels[HEIGHT][WIDTH][3];
    uint32_t state = 1;

    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (int c = 0; c < 3; c++) {
                const int edge = (x / 19 + y / 13 + c) % 2 * 150;
                state = state * UINT32_C(1664525) + UINT32_C(1013904223);
                pixels[y][x][c] = (uint8_t)(edge + (int)(state >> 24) * x / 250);
            }
    return mxio_jpeg_compress(&recipe, pixels[0][0], out, out_size, err);
}

struct decoders {
    struct mxio_jpeg *own, *stock;
    const uint8_t *bytes;
    size_t size;
};

/* Decode a window by both; *right becomes false when they differ. */
static enum mxio_status
compare(struct decoders *with, struct mxio_rect window, bool *right,
        struct mxio_error *err)
{
    struct mxio_jpeg *const both[2] = {with->own, with->stock};
    struct mxio_view views[2];

    for (int i = 0; i < 2; i++) {
        struct mxio_picture picture;
        enum mxio_status status = mxio_jpeg_open(both[i], with->bytes, with->size,
                                                 false, WIDTH * HEIGHT, &picture, err);
        if (status == MXIO_OK)
            status = mxio_jpeg_read(both[i], 3, false, window, &views[i], err);
        if (status != MXIO_OK)
            return status;
    }
    for (int y = 0; y < window.height; y++)
        if (memcmp(views[0].bytes + (size_t)y * views[0].stride,
                   views[1].bytes + (size_t)y * views[1].stride,
                   (size_t)window.width * 3) != 0)
            *right = false;
    return MXIO_OK;
}

/* *right when decoding in these ways ran, and gave what libjpeg's gives. */
static enum mxio_status
test_with(struct mxio_jpeg_ways ways, struct decoders *with, bool *right,
          struct mxio_error *err)
{
    /* Tables of a small picture are made when they are met again. */
    static const struct mxio_rect windows[] = {{0, 0, WIDTH, HEIGHT},
                                               {0, 0, WIDTH, HEIGHT},
                                               {35, 18, 30, 20},
                                               {0, 0, 1, HEIGHT}};
    const struct mxio_jpeg_ways none = {.plain = false};
    enum mxio_status status = mxio_jpeg_new_with(ways, &with->own, err);

    if (status == MXIO_OK)
        status = mxio_jpeg_new_with(none, &with->stock, err);
    for (unsigned restart = 0; restart <= 4 && status == MXIO_OK; restart += 4) {
        uint8_t *made = NULL;
        status = make_picture(restart, &made, &with->size, err);
        with->bytes = made;
        for (int i = 0; i < 4 && status == MXIO_OK; i++) {
            status = compare(with, windows[i], right, err);
            const struct mxio_jpeg_ways used = mxio_jpeg_used(with->own);
            *right = *right && (i == 0 || (used.plain == ways.plain && used.entropy));
        }
        mxio_free(made);
    }
    return status;
}

/* All but a lack of memory is an answer. */
static enum mxio_status
find_out(struct mxio_jpeg_ways ways, bool *works, struct mxio_error *err)
{
    struct decoders with = {.own = NULL};
    struct mxio_error reason = MXIO_NO_ERROR;

    *works = true;
    const enum mxio_status status = test_with(ways, &with, works, &reason);
    mxio_jpeg_free(with.own);
    mxio_jpeg_free(with.stock);
    if (status == MXIO_ENOMEM)
        return mxio_fail(err, MXIO_ENOMEM, "%s", reason.message);
    *works = *works && status == MXIO_OK;
    return MXIO_OK;
}

static enum mxio_status
find_out_all(struct mxio_jpeg_ways *ways, struct mxio_jpeg_words *words,
             struct mxio_error *err)
{
    const char *wish = getenv("MXIO_ENTROPY"), *failed = "stock (the self-test failed)";

    *ways = (struct mxio_jpeg_ways){.plain = false};
    words->plain = words->entropy = "stock (MXIO_ENTROPY=stock)";
    if (wish != NULL && strcmp(wish, "stock") == 0)
        return MXIO_OK;
    enum mxio_status status =
        find_out((struct mxio_jpeg_ways){.entropy = true}, &ways->entropy, err);
    words->entropy = ways->entropy ? "own" : failed;
    if (status != MXIO_OK)
        return status;
    bool works;
    status = find_out((struct mxio_jpeg_ways){.plain = true}, &works, err);
    const bool pays = mxio_kernels_best()->jpeg->pays;
    ways->plain = works && pays;
    ways->second = works && !pays;
    words->plain = !works ? failed
                   : pays ? "own"
                          : "stock (no vector code for this processor)";
    return status;
}

enum mxio_status
mxio_jpeg_test_ways(struct mxio_jpeg_ways *out, struct mxio_error *err)
{
    enum mxio_status status = MXIO_OK;

    pthread_mutex_lock(&verdict.lock);
    if (!verdict.known) {
        status = find_out_all(&verdict.ways, &verdict.words, err);
        verdict.known = status == MXIO_OK;
    }
    *out = verdict.ways;
    pthread_mutex_unlock(&verdict.lock);
    return status;
}

struct mxio_jpeg_words
mxio_jpeg_ways_told(void)
{
    const char *unknown = "stock (no memory for the self-test)";
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_jpeg_ways ways;

    if (mxio_jpeg_test_ways(&ways, &err) != MXIO_OK)
        return (struct mxio_jpeg_words){unknown, unknown};
    return verdict.words; /* they do not change once they are known */
}
