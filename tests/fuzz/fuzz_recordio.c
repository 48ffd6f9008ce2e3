/*
 * RecordIO: the input as a payload, as a file of records, and as a text index.
 * What is encoded is read back equal, and what was read survives a round trip.
 */
#include "fuzz.h"
#include "imgrec.h"
#include "recordio.h"

#include <inttypes.h>

static void
round_trip(const uint8_t *payload, size_t size)
{
    const size_t encoded_size = mxio_recordio_encoded_size(payload, size);
    uint8_t *encoded = malloc(encoded_size);
    size_t start, joined_size, consumed;
    struct mxio_error err = MXIO_NO_ERROR;

    mxio_recordio_encode(payload, size, encoded);
    MUST(mxio_recordio_join(encoded, encoded_size, &start, &joined_size, &consumed,
                            &err) == MXIO_OK);
    MUST(consumed == encoded_size && joined_size == size);
    MUST(memcmp(encoded + start, payload, size) == 0);
    free(encoded);
}

static void
read_image_record(const uint8_t *payload, size_t size)
{
    struct mxio_imgrec record;
    struct mxio_error err = MXIO_NO_ERROR;

    if (mxio_imgrec_parse(payload, size, &record, &err) != MXIO_OK)
        return;
    MUST(record.picture + record.picture_size == payload + size);
    for (size_t i = 0; i < record.flag; i++)
        (void)mxio_imgrec_label(&record, i);
}

/* Read records as long as there are whole ones. */
static void
walk(const uint8_t *bytes, size_t size)
{
    size_t offset = 0, start, payload_size, consumed;
    struct mxio_error err = MXIO_NO_ERROR;

    while (offset < size) {
        const size_t left = size - offset;
        uint8_t *copy = malloc(left); /* joining works in place */
        memcpy(copy, bytes + offset, left);
        if (mxio_recordio_join(copy, left, &start, &payload_size, &consumed, &err) !=
            MXIO_OK) {
            free(copy);
            return;
        }
        MUST(consumed > 0 && consumed <= left);
        MUST(start + payload_size <= consumed);
        round_trip(copy + start, payload_size);
        read_image_record(copy + start, payload_size);
        free(copy);
        offset += consumed;
    }
}

/* Pairs written as text and read again are the same. */
static void
index_round_trip(const int64_t *keys, const uint64_t *offsets, size_t count)
{
    const size_t line = sizeof "-9223372036854775808\t18446744073709551615\n";
    char *text = malloc(count * line + 1);
    int64_t *keys_again = malloc((count + 1) * sizeof *keys);
    uint64_t *offsets_again = malloc((count + 1) * sizeof *offsets);
    size_t size = 0, count_again = count;
    struct mxio_error err = MXIO_NO_ERROR;

    for (size_t i = 0; i < count; i++)
        size += (size_t)snprintf(text + size, line, "%" PRId64 "\t%" PRIu64 "\n",
                                 keys[i], offsets[i]);
    MUST(mxio_recordio_parse_index(text, size, keys_again, offsets_again, &count_again,
                                   &err) == MXIO_OK);
    MUST(count_again == count);
    MUST(memcmp(keys, keys_again, count * sizeof *keys) == 0);
    MUST(memcmp(offsets, offsets_again, count * sizeof *offsets) == 0);
    free(text);
    free(keys_again);
    free(offsets_again);
}

static void
read_index(const char *text, size_t size)
{
    size_t count, filled;
    struct mxio_error err = MXIO_NO_ERROR;

    if (mxio_recordio_parse_index(text, size, NULL, NULL, &count, &err) != MXIO_OK)
        return;
    MUST(count <= size);
    int64_t *keys = malloc((count + 1) * sizeof *keys);
    uint64_t *offsets = malloc((count + 1) * sizeof *offsets);
    filled = count;
    MUST(mxio_recordio_parse_index(text, size, keys, offsets, &filled, &err) ==
         MXIO_OK);
    MUST(filled == count);
    index_round_trip(keys, offsets, count);
    free(keys);
    free(offsets);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    round_trip(bytes, size);
    walk(bytes, size);
    read_index((const char *)bytes, size);
    return 0;
}
