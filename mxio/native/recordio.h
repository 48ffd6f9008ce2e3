/*
 * The RecordIO format: bytes in memory to records and back, and the text index.
 *
 *   u32 magic, u32 kind << 29 | length, payload, 0..3 zero bytes (parts start at
 *   multiples of 4)
 *
 * A payload that holds the magic at a multiple of 4 is cut there: the magic is left
 * out, and put back by the reader. Source: dmlc-core recordio; docs/format.md has it
 * byte by byte.
 *
 * Owner:   everything works on the caller's memory.
 * Threads: pure functions.
 * Errors:  MXIO_EDATA; no length is trusted before it is compared with what is there.
 */
#ifndef MXIO_RECORDIO_H
#define MXIO_RECORDIO_H

#include "base.h"

#define MXIO_RECORD_MAGIC UINT32_C(0xCED7230A)
#define MXIO_RECORD_LIMIT                                                              \
    ((size_t)1 << 29) /* payloads are smaller: a length has 29 bits */
#define MXIO_HEAD_SIZE ((size_t)8)

enum mxio_part { MXIO_WHOLE, MXIO_FIRST, MXIO_MIDDLE, MXIO_LAST };

struct mxio_head {
    enum mxio_part part;
    uint32_t length;
};

/* False when the 8 bytes are not the head of a part. */
MXIO_MUST_USE bool
mxio_recordio_head(const uint8_t *bytes, struct mxio_head *out);

/* True for the head of a part that a record can start with. */
bool
mxio_recordio_starts(const struct mxio_head *head);

/* True when a part with head `next` may follow one with head `last` inside a record. */
bool
mxio_recordio_continues(const struct mxio_head *last, const struct mxio_head *next);

/* Bytes of a part in the file: head, payload, padding. */
size_t
mxio_recordio_part_size(const struct mxio_head *head);

/*
 * Join the parts of the record that starts at `bytes`, in place. *payload is where the
 * payload starts, *consumed where the next record does (an offset from bytes).
 */
MXIO_MUST_USE enum mxio_status
mxio_recordio_join(uint8_t *bytes, size_t size, size_t *payload, size_t *payload_size,
                   size_t *consumed, struct mxio_error *err);

/* Bytes that mxio_recordio_encode writes; payload_size < MXIO_RECORD_LIMIT. */
size_t
mxio_recordio_encoded_size(const uint8_t *payload, size_t payload_size);

void
mxio_recordio_encode(const uint8_t *payload, size_t payload_size, uint8_t *out);

/*
 * Pairs of whole numbers, key and offset, separated by white space. Counts into *count
 * when keys is NULL; else fills both arrays, which must have room for that count. A
 * fault names its line.
 */
MXIO_MUST_USE enum mxio_status
mxio_recordio_parse_index(const char *text, size_t size, int64_t *keys,
                          uint64_t *offsets, size_t *count, struct mxio_error *err);

#endif
