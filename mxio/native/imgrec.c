#include "imgrec.h"

#include <string.h>

static float
load_f32(const uint8_t *bytes)
{
    const uint32_t word = mxio_load_u32(bytes);
    float value;

    memcpy(&value, &word, sizeof value);
    return value;
}

enum mxio_status
mxio_imgrec_parse(const uint8_t *payload, size_t size, struct mxio_imgrec *out,
                  struct mxio_error *err)
{
    if (size < MXIO_IMGREC_HEADER_SIZE)
        return mxio_fail(
            err, MXIO_EDATA,
            "an image record has a header of 24 bytes, this one has %zu in all", size);
    const uint32_t flag = mxio_load_u32(payload);
    if ((size - MXIO_IMGREC_HEADER_SIZE) / 4 < flag)
        return mxio_fail(err, MXIO_EDATA,
                         "the header claims %u labels, there is room for %zu", flag,
                         (size - MXIO_IMGREC_HEADER_SIZE) / 4);
    const size_t start = MXIO_IMGREC_HEADER_SIZE + (size_t)flag * 4;
    *out = (struct mxio_imgrec){.flag = flag,
                                .label = load_f32(payload + 4),
                                .id = mxio_load_u64(payload + 8),
                                .labels = payload + MXIO_IMGREC_HEADER_SIZE,
                                .picture = payload + start,
                                .picture_size = size - start};
    return MXIO_OK;
}

float
mxio_imgrec_label(const struct mxio_imgrec *record, size_t i)
{
    return load_f32(record->labels + i * 4);
}
