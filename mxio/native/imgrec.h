/*
 * The payload of an image record: a label header, then the encoded picture.
 *
 *   u32 flag, f32 label, u64 id, u64 id2; flag x f32 labels; picture
 *
 * Owner:   the parsed record borrows the payload.
 * Threads: pure functions.
 * Errors:  MXIO_EDATA when the payload is too short for its header.
 */
#ifndef MXIO_IMGREC_H
#define MXIO_IMGREC_H

#include "base.h"

#define MXIO_IMGREC_HEADER_SIZE ((size_t)24)

struct mxio_imgrec {
    uint32_t flag; /* number of packed labels; 0: the label is in the header */
    float label;
    uint64_t id;
    const uint8_t *labels; /* flag x f32, of any alignment */
    const uint8_t *picture;
    size_t picture_size;
};

MXIO_MUST_USE enum mxio_status
mxio_imgrec_parse(const uint8_t *payload, size_t size, struct mxio_imgrec *out,
                  struct mxio_error *err);

/* Packed label i < flag. */
float
mxio_imgrec_label(const struct mxio_imgrec *record, size_t i);

#endif
