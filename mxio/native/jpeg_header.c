#include "jpeg_header.h"

#include <string.h>

/* As libjpeg. */
#define MAX_SIDE 65500

enum marker {
    SOF0 = 0xC0, /* baseline */
    SOF1 = 0xC1, /* as baseline, with more tables */
    DHT = 0xC4,
    SOS = 0xDA,
    DQT = 0xDB,
    DRI = 0xDD,
    APP0 = 0xE0,
    APP14 = 0xEE,
    APP15 = 0xEF,
    COM = 0xFE,
};

/* What is known while segments are read. */
struct walk {
    struct mxio_jpeg_header *header;
    uint8_t ids[MXIO_JPEG_COMPONENTS];
    bool framed, jfif, adobe;
    int transform; /* Adobe's number for the colours */
};

static int
big_u16(const uint8_t *bytes)
{
    return bytes[0] << 8 | bytes[1];
}

/* Of a single component, factors mean nothing. */
static bool
take_factors(struct mxio_jpeg_header *header, const uint8_t *body)
{
    const int first = body[7];
    const int across = first >> 4, down = first & 15;

    header->across = header->down = 1;
    if (header->component_count == 1)
        return across >= 1 && across <= 4 && down >= 1 && down <= 4;
    header->across = across;
    header->down = down;
    return (first == 0x11 || first == 0x21 || first == 0x22) && body[10] == 0x11 &&
           body[13] == 0x11;
}

static bool
take_frame(struct walk *walk, const uint8_t *body, size_t size)
{
    struct mxio_jpeg_header *header = walk->header;

    if (walk->framed || size < 6 || body[0] != 8 || (body[5] != 1 && body[5] != 3) ||
        size != 6 + 3 * (size_t)body[5])
        return false;
    header->height = big_u16(body + 1);
    header->width = big_u16(body + 3);
    header->component_count = body[5];
    for (int i = 0; i < header->component_count; i++) {
        walk->ids[i] = body[6 + 3 * i];
        header->components[i].steps = body[8 + 3 * i];
        if (body[8 + 3 * i] > 3)
            return false;
    }
    walk->framed = true;
    return header->width > 0 && header->height > 0 && header->width <= MAX_SIDE &&
           header->height <= MAX_SIDE && take_factors(header, body);
}

static bool
take_steps(struct walk *walk, const uint8_t *body, size_t size)
{
    for (; size > 0; body += 65, size -= 65) {
        if (size < 65 || body[0] > 3) /* or of 16 bits */
            return false;
        walk->header->steps[body[0]] = body + 1;
    }
    return true;
}

static bool
take_tables(struct walk *walk, const uint8_t *body, size_t size)
{
    while (size > 0) {
        size_t count = 0;
        if (size <= 16 || (body[0] & 0xEF) > 3)
            return false;
        for (int i = 1; i <= 16; i++)
            count += body[i];
        if (count > 256 || count > size - 17)
            return false;
        struct mxio_jpeg_table *tables =
            body[0] < 16 ? walk->header->dc : walk->header->ac;
        tables[body[0] & 3] = (struct mxio_jpeg_table){body + 1, body + 17};
        body += 17 + count;
        size -= 17 + count;
    }
    return true;
}

static void
take_application(struct walk *walk, int marker, const uint8_t *body, size_t size)
{
    if (marker == APP0 && size >= 14 && memcmp(body, "JFIF", 5) == 0)
        walk->jfif = true;
    if (marker == APP14 && size >= 12 && memcmp(body, "Adobe", 5) == 0) {
        walk->adobe = true;
        walk->transform = body[11];
    }
}

/* As libjpeg decides it, where that is no guess. */
static bool
is_ycc(const struct walk *walk)
{
    if (walk->jfif)
        return true;
    if (walk->adobe)
        return walk->transform == 1;
    return walk->ids[0] == 1 && walk->ids[1] == 2 && walk->ids[2] == 3;
}

static bool
take_scan(struct walk *walk, const uint8_t *body, size_t size)
{
    struct mxio_jpeg_header *header = walk->header;
    const int count = header->component_count;

    if (!walk->framed || size != 4 + 2 * (size_t)count || body[0] != count)
        return false;
    for (int i = 0; i < count; i++) {
        struct mxio_jpeg_component *component = &header->components[i];
        component->dc = body[2 + 2 * i] >> 4;
        component->ac = body[2 + 2 * i] & 15;
        if (body[1 + 2 * i] != walk->ids[i] || component->dc > 3 || component->ac > 3 ||
            header->steps[component->steps] == NULL ||
            header->dc[component->dc].counts == NULL ||
            header->ac[component->ac].counts == NULL)
            return false;
        for (int j = 0; j < i; j++)
            if (walk->ids[j] == walk->ids[i])
                return false;
    }
    const uint8_t *end = body + 1 + 2 * count;
    return end[0] == 0 && end[1] == 63 && end[2] == 0 && (count == 1 || is_ycc(walk));
}

static bool
take_segment(struct walk *walk, int marker, const uint8_t *body, size_t size)
{
    switch (marker) {
    case SOF0:
    case SOF1:
        return take_frame(walk, body, size);
    case DQT:
        return take_steps(walk, body, size);
    case DHT:
        return take_tables(walk, body, size);
    case DRI:
        if (size == 2)
            walk->header->restart_interval = (uint32_t)big_u16(body);
        return size == 2;
    case SOS:
        return take_scan(walk, body, size);
    default:
        take_application(walk, marker, body, size);
        return marker == COM || (marker >= APP0 && marker <= APP15);
    }
}

bool
mxio_jpeg_header_read(struct mxio_jpeg_header *header, const uint8_t *bytes,
                      size_t size)
{
    struct walk walk = {.header = header};
    size_t at = 2;

    *header = (struct mxio_jpeg_header){.width = 0};
    while (size - at >= 4 && bytes[at] == 0xFF) {
        const int marker = bytes[at + 1];
        const size_t length = (size_t)big_u16(bytes + at + 2);
        if (length < 2 || length > size - at - 2 ||
            !take_segment(&walk, marker, bytes + at + 4, length - 2))
            return false;
        at += 2 + length;
        if (marker == SOS) {
            header->data = bytes + at;
            header->data_size = size - at;
            return true;
        }
    }
    return false;
}
