#include "jpeg_exif.h"

#include <string.h>

/* A TIFF header as EXIF embeds it; all offsets count from its first byte. */
struct tiff {
    const uint8_t *bytes;
    size_t size;
    bool big_endian;
};

static uint32_t
tiff_number(const struct tiff *tiff, size_t at, size_t width)
{
    uint32_t value = 0;

    for (size_t i = 0; i < width; i++)
        value = value << 8 | tiff->bytes[at + (tiff->big_endian ? i : width - 1 - i)];
    return value;
}

/* The orientation tag (0x0112) of the first directory, or 1. */
static int
tiff_orientation(const struct tiff *tiff)
{
    const size_t entry_size = 12;

    if (tiff->size < 8)
        return 1;
    const size_t directory = tiff_number(tiff, 4, 4);
    if (directory > tiff->size - 2)
        return 1;
    const size_t count = tiff_number(tiff, directory, 2);
    for (size_t i = 0; i < count; i++) {
        const size_t entry = directory + 2 + i * entry_size;
        if (entry > tiff->size || tiff->size - entry < entry_size)
            return 1;
        if (tiff_number(tiff, entry, 2) != 0x0112)
            continue;
        const uint32_t value = tiff_number(tiff, entry + 8, 2);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

/* Walk the segments up to the first scan for the EXIF block in APP1. */
int
mxio_jpeg_orientation(const uint8_t *bytes, size_t size)
{
    static const uint8_t signature[6] = "Exif\0";
    size_t at = 2;

    while (size - at >= 4 && bytes[at] == 0xFF) {
        const uint8_t marker = bytes[at + 1];
        if (marker == 0xFF) { /* fill byte */
            at++;
            continue;
        }
        if (marker == 0xDA || marker == 0xD9)
            return 1;
        const size_t length = (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        if (length < 2 || length > size - at - 2)
            return 1;
        const uint8_t *body = bytes + at + 4;
        const size_t body_size = length - 2;
        if (marker == 0xE1 && body_size > sizeof signature + 8 &&
            memcmp(body, signature, sizeof signature) == 0) {
            const uint8_t *start = body + sizeof signature;
            return tiff_orientation(&(struct tiff){.bytes = start,
                                                   .size = body_size - sizeof signature,
                                                   .big_endian = start[0] == 'M'});
        }
        at += 2 + length;
    }
    return 1;
}
