/*
 * JPEG: a window decoded by a reused decoder holds the same pixels as a full decode by
 * a fresh one, upright and stored, gray and in colour.
 */
#include "fuzz.h"
#include "jpeg.h"

struct request {
    int channels;
    bool bgr, orient;
};

static bool
read_window(struct mxio_jpeg *jpeg, const uint8_t *bytes, size_t size,
            struct request request, struct mxio_rect window, struct mxio_view *out)
{
    struct mxio_picture picture;
    struct mxio_error err = MXIO_NO_ERROR;

    if (mxio_jpeg_open(jpeg, bytes, size, request.orient, FUZZ_MAX_PIXELS, &picture,
                       &err) != MXIO_OK)
        return false;
    return mxio_jpeg_read(jpeg, request.channels, request.bgr, window, out, &err) ==
           MXIO_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct mxio_jpeg *reused;
    struct mxio_jpeg *fresh;
    struct mxio_picture picture;
    struct mxio_view full, part;
    struct mxio_error err = MXIO_NO_ERROR;
    uint32_t state = fuzz_hash(bytes, size);
    const struct request request = {
        .channels = fuzz_below(&state, 2) == 0 ? 1 : 3,
        .bgr = fuzz_below(&state, 2) == 0,
        .orient = fuzz_below(&state, 2) == 0,
    };

    (void)mxio_jpeg_sniff(bytes, size);
    if (reused == NULL)
        MUST(mxio_jpeg_new(&reused, &err) == MXIO_OK);
    if (mxio_jpeg_open(reused, bytes, size, request.orient, FUZZ_MAX_PIXELS, &picture,
                       &err) != MXIO_OK)
        return 0;
    MUST(picture.width > 0 && picture.height > 0);
    MUST((int64_t)picture.width * picture.height <= FUZZ_MAX_PIXELS);

    const struct mxio_rect whole = {0, 0, picture.width, picture.height};
    const struct mxio_rect window = fuzz_window(&state, &picture);
    MUST(mxio_jpeg_new(&fresh, &err) == MXIO_OK);
    if (read_window(fresh, bytes, size, request, whole, &full)) {
        MUST(read_window(reused, bytes, size, request, window, &part));
        fuzz_same_pixels(&full, &part, window);
    } else {
        (void)read_window(reused, bytes, size, request, window, &part);
    }
    mxio_jpeg_free(fresh);
    return 0;
}
