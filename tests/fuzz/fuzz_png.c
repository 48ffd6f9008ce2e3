/*
 * PNG: a window decoded by a reused decoder holds the same pixels as a full decode by a
 * fresh one that leaves all to libpng, or both refuse in the same words; and what was
 * decoded survives being encoded. The checksums of most inputs are put right first:
 * changes behind them would never be seen.
 */
#include "fuzz.h"
#include "png.h"

static bool
read_window(struct mxio_png *png, const uint8_t *bytes, size_t size, int channels,
            struct mxio_rect window, struct mxio_view *out, struct mxio_error *err)
{
    struct mxio_picture picture;

    *err = MXIO_NO_ERROR;
    if (mxio_png_open(png, bytes, size, FUZZ_MAX_PIXELS, &picture, err) != MXIO_OK)
        return false;
    return mxio_png_read(png, channels, false, window, out, err) == MXIO_OK;
}

/* The pixels of a full view, encoded and decoded again, are the same. */
static void
round_trip(struct mxio_png *png, const struct mxio_view *full)
{
    const size_t row_size = (size_t)full->width * (size_t)full->channels;
    const struct mxio_rect whole = {0, 0, full->width, full->height};
    uint8_t *pixels = malloc(row_size * (size_t)full->height);
    uint8_t *encoded;
    size_t encoded_size;
    struct mxio_view again;
    struct mxio_error err = MXIO_NO_ERROR;

    for (int y = 0; y < full->height; y++)
        memcpy(pixels + (size_t)y * row_size, fuzz_pixel(full, 0, y), row_size);
    MUST(mxio_png_encode(pixels, full->width, full->height, full->channels, false, 1,
                         &encoded, &encoded_size, &err) == MXIO_OK);
    MUST(read_window(png, encoded, encoded_size, full->channels, whole, &again, &err));
    fuzz_same_pixels(full, &again, whole);
    mxio_free(encoded);
    free(pixels);
}

static uint32_t
load_be(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
           (uint32_t)bytes[2] << 8 | bytes[3];
}

/* The CRC-32 of PNG, bit by bit. */
static uint32_t
checksum(const uint8_t *bytes, size_t size)
{
    uint32_t sum = UINT32_MAX;

    for (size_t i = 0; i < size; i++) {
        sum ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            sum = sum >> 1 ^ (UINT32_C(0xEDB88320) & (0 - (sum & 1)));
    }
    return ~sum;
}

/* Chunks: length, kind, content, checksum of kind and content. */
static void
mend_checksums(uint8_t *bytes, size_t size)
{
    size_t at = 8;

    while (at < size && size - at >= 12) {
        const size_t length = load_be(bytes + at);
        if (length > size - at - 12)
            return;
        const uint32_t sum = checksum(bytes + at + 4, length + 4);
        for (int i = 0; i < 4; i++)
            bytes[at + 8 + length + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
        at += 12 + length;
    }
}

static void
compare(const uint8_t *bytes, size_t size, uint32_t state)
{
    static struct mxio_png *reused;
    struct mxio_png *fresh;
    struct mxio_picture picture;
    struct mxio_view full, part;
    struct mxio_error err = MXIO_NO_ERROR, other = MXIO_NO_ERROR;

    (void)mxio_png_sniff(bytes, size);
    if (reused == NULL)
        MUST(mxio_png_new(&reused, &err) == MXIO_OK);
    MUST(mxio_png_new(&fresh, &err) == MXIO_OK);
    mxio_png_only_libpng(fresh);
    if (mxio_png_open(reused, bytes, size, FUZZ_MAX_PIXELS, &picture, &err) !=
        MXIO_OK) {
        MUST(mxio_png_open(fresh, bytes, size, FUZZ_MAX_PIXELS, &picture, &other) ==
             err.status);
        MUST(strcmp(err.message, other.message) == 0);
        mxio_png_free(fresh);
        return;
    }
    MUST(picture.width > 0 && picture.height > 0);
    MUST((int64_t)picture.width * picture.height <= FUZZ_MAX_PIXELS);

    const int choices[] = {1, 3, picture.channels == 4 ? 4 : 3};
    const int channels = choices[fuzz_below(&state, 3)];
    const struct mxio_rect whole = {0, 0, picture.width, picture.height};
    const struct mxio_rect window = fuzz_window(&state, &picture);
    const bool read =
        mxio_png_read(reused, channels, false, window, &part, &err) == MXIO_OK;
    const bool both =
        read_window(fresh, bytes, size, channels, whole, &full, &other) && read;
    /* libdeflate takes codes that zlib refuses, see inflate.h. */
    const bool unused = read && mxio_png_was_plain(reused) &&
                        (strstr(other.message, "invalid literal/length code") != NULL ||
                         strstr(other.message, "invalid distance code") != NULL);
    MUST(both == read || unused);
    MUST(strcmp(err.message, other.message) == 0 || unused);
    if (both) {
        fuzz_same_pixels(&full, &part, window);
        round_trip(reused, &full);
    }
    mxio_png_free(fresh);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size);
    uint32_t state = fuzz_hash(bytes, size);

    memcpy(copy, bytes, size);
    if (fuzz_below(&state, 8) != 0)
        mend_checksums(copy, size);
    compare(copy, size, state);
    free(copy);
    return 0;
}
