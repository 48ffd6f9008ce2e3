#include "scan.h"

#include <math.h>
#include <string.h>

#include "imgrec.h"
#include "recordio.h"

void
mxio_scan_free(struct mxio_scan *scan)
{
    mxio_buffer_free(&scan->record);
    mxio_buffer_free(&scan->block);
}

/* A small record that follows the last one comes from the block: *out is where it is
 * there; NULL for any other. */
static enum mxio_status
find_in_block(struct mxio_scan *scan, struct mxio_place place, const uint8_t **out,
              struct mxio_error *err)
{
    *out = NULL;
    if (place.offset != scan->next || place.end - place.offset >= MXIO_SMALL_RECORD)
        return MXIO_OK;
    if (place.offset < scan->block_start ||
        place.end > scan->block_start + scan->block_size) {
        scan->block_size = 0;
        enum mxio_status status = mxio_buffer_need(&scan->block, MXIO_READ_BLOCK, err);
        if (status == MXIO_OK)
            status = mxio_reader_bytes(scan->reader, place.offset, scan->block.bytes,
                                       MXIO_READ_BLOCK, &scan->block_size, err);
        if (status != MXIO_OK)
            return status;
        scan->block_start = place.offset;
    }
    *out = scan->block.bytes + (place.offset - scan->block_start);
    return MXIO_OK;
}

/* As mxio_reader_peek, from the block where that holds the record in one part. */
static enum mxio_status
peek(struct mxio_scan *scan, struct mxio_place place, size_t size,
     const uint8_t **payload, size_t *payload_size, struct mxio_error *err)
{
    const uint64_t held = place.end - place.offset;
    const uint8_t *bytes;
    struct mxio_head head;

    const enum mxio_status status = find_in_block(scan, place, &bytes, err);
    if (status != MXIO_OK)
        return status;
    scan->next = place.end;
    if (bytes == NULL || held < MXIO_HEAD_SIZE || !mxio_recordio_head(bytes, &head) ||
        head.part != MXIO_WHOLE || head.length > held - MXIO_HEAD_SIZE)
        return mxio_reader_peek(scan->reader, place, size, &scan->record, payload,
                                payload_size, err);
    *payload = bytes + MXIO_HEAD_SIZE;
    *payload_size = head.length;
    return MXIO_OK;
}

static enum mxio_status
read_one(struct mxio_scan *scan, struct mxio_place place,
         const struct mxio_scan_heads *out, size_t row, struct mxio_error *err)
{
    const uint8_t *payload;
    size_t size;
    struct mxio_imgrec record;

    enum mxio_status status =
        peek(scan, place, MXIO_IMGREC_HEADER_SIZE + 4 * out->width, &payload, &size,
             err);
    if (status != MXIO_OK)
        return status;
    status = mxio_imgrec_parse(payload, size, &record, err);
    if (status != MXIO_OK) {
        mxio_reader_name_place(scan->reader, place.offset, err);
        return status;
    }
    float *labels = out->labels + row * out->width;
    for (size_t i = 0; i < out->width; i++)
        labels[i] = record.flag == 0 && i == 0 ? record.label
                    : i < record.flag          ? mxio_imgrec_label(&record, i)
                                               : NAN;
    out->ids[row] = record.id;
    out->flags[row] = record.flag;
    out->sizes[row] = record.picture_size;
    out->offsets[row] = place.offset;
    return MXIO_OK;
}

enum mxio_status
mxio_scan_read(struct mxio_scan *scan, const uint64_t *ordinals, uint64_t first,
               size_t count, const struct mxio_scan_heads *out, size_t *done,
               struct mxio_error *err)
{
    const struct mxio_extent all = {.first = 0, .most = UINT64_MAX, .end = UINT64_MAX};

    for (size_t row = 0; row < count; row++) {
        const uint64_t ordinal = ordinals != NULL ? ordinals[row] : first + row;
        struct mxio_place place;
        bool found;
        enum mxio_status status =
            mxio_reader_locate(scan->reader, &all, ordinal, &place, &found, err);
        if (status == MXIO_OK && !found) {
            *done = row;
            return MXIO_OK;
        }
        if (status == MXIO_OK)
            status = read_one(scan, place, out, row, err);
        if (status != MXIO_OK) {
            err->record = (int64_t)ordinal;
            return status;
        }
    }
    *done = count;
    return MXIO_OK;
}
