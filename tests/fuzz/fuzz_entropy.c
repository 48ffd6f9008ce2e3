/*
 * Entropy decoding, and decoding without libjpeg: of any bytes, our own and libjpeg's give
 * the same verdict in the same words, and the same pixels. Only beside a window ours may
 * pass over damage.
 */
#include "fuzz.h"
#include "jpeg.h"

struct answer {
    enum mxio_status status;
    struct mxio_picture picture;
    struct mxio_view view;
    struct mxio_error err;
};

/* A window without width is the whole picture. */
static struct answer
read_window(struct mxio_jpeg *jpeg, const uint8_t *bytes, size_t size, int channels,
            struct mxio_rect window)
{
    struct answer out = {.err = MXIO_NO_ERROR};

    out.status = mxio_jpeg_open(jpeg, bytes, size, false, FUZZ_MAX_PIXELS, &out.picture,
                                &out.err);
    if (out.status != MXIO_OK)
        return out;
    if (window.width == 0)
        window = (struct mxio_rect){0, 0, out.picture.width, out.picture.height};
    out.status = mxio_jpeg_read(jpeg, channels, false, window, &out.view, &out.err);
    return out;
}

/* Ours beside the truth. */
static void
compare(struct mxio_jpeg *own, struct mxio_jpeg *stock, const uint8_t *bytes,
        size_t size)
{
    uint32_t state = fuzz_hash(bytes, size);
    const int channels = fuzz_below(&state, 4) == 0 ? 1 : 3;
    const struct mxio_rect whole = {0, 0, 0, 0};

    const struct answer right = read_window(stock, bytes, size, channels, whole);
    /* Tables of small pictures are only made when they are met again. */
    for (int time = 0; time < 2; time++) {
        const struct answer ours = read_window(own, bytes, size, channels, whole);
        MUST(ours.status == right.status);
        MUST(strcmp(ours.err.message, right.err.message) == 0);
        if (right.status == MXIO_OK)
            fuzz_same_pixels(&ours.view, &right.view, right.view.held);
    }
    if (right.picture.width == 0)
        return;
    const struct mxio_rect window = fuzz_window(&state, &right.picture);
    const struct answer part = read_window(stock, bytes, size, channels, window);
    const struct answer ours = read_window(own, bytes, size, channels, window);
    if (part.status == MXIO_OK) {
        MUST(ours.status == MXIO_OK);
        fuzz_same_pixels(&ours.view, &part.view, window);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct mxio_jpeg_ways ways[] = {{.entropy = true},
                                                 {.plain = true, .entropy = true},
                                                 {.plain = false}};
    static struct mxio_jpeg *jpegs[3];
    struct mxio_error err = MXIO_NO_ERROR;

    for (int i = 0; i < 3 && jpegs[i] == NULL; i++)
        MUST(mxio_jpeg_new_with(ways[i], &jpegs[i], &err) == MXIO_OK);
    compare(jpegs[0], jpegs[2], bytes, size);
    compare(jpegs[1], jpegs[2], bytes, size);
    return 0;
}
