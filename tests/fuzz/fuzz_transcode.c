/*
 * Transcoding: what comes out decodes to the same pixels as what went in, and going
 * through once more changes nothing but, at most, the size.
 */
#include "fuzz.h"
#include "jpeg.h"
#include "jpeg_transcode.h"

static bool
read_all(struct mxio_jpeg *jpeg, const uint8_t *bytes, size_t size,
         struct mxio_view *out)
{
    struct mxio_picture picture;
    struct mxio_error err = MXIO_NO_ERROR;

    if (mxio_jpeg_open(jpeg, bytes, size, false, FUZZ_MAX_PIXELS, &picture, &err) !=
        MXIO_OK)
        return false;
    return mxio_jpeg_read(jpeg, 3, false,
                          (struct mxio_rect){0, 0, picture.width, picture.height}, out,
                          &err) == MXIO_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct mxio_jpeg *before, *after;
    struct mxio_error err = MXIO_NO_ERROR;
    uint32_t state = fuzz_hash(bytes, size);
    uint8_t *once = NULL, *twice = NULL;
    size_t once_size = 0, twice_size = 0;
    struct mxio_view one, other;

    if (before == NULL) {
        const struct mxio_jpeg_ways none = {.plain = false};
        MUST(mxio_jpeg_new_with(none, &before, &err) == MXIO_OK);
        MUST(mxio_jpeg_new(&after, &err) == MXIO_OK);
    }
    const unsigned restart = (unsigned)fuzz_below(&state, 9);
    if (mxio_jpeg_transcode(bytes, size, restart, FUZZ_MAX_PIXELS, &once, &once_size,
                            &err) != MXIO_OK)
        return 0;
    /* Some samplings are read, but not turned to pixels. */
    const bool readable = read_all(before, bytes, size, &one);
    MUST(read_all(after, once, once_size, &other) == readable);
    if (readable)
        fuzz_same_pixels(&one, &other, one.held);
    /* Another interval may need differences of DC that no encoder can write. */
    MUST(mxio_jpeg_transcode(once, once_size, restart, FUZZ_MAX_PIXELS, &twice,
                             &twice_size, &err) == MXIO_OK);
    mxio_free(once);
    mxio_free(twice);
    return 0;
}
