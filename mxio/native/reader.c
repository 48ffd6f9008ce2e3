#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "reader_inner.h"
#include "recordio.h"

/* A gap in an index may make a place huge; up to this size it is read in one call. */
#define READ_AHEAD ((uint64_t)1 << 20)
/* As much as stays in the second cache until its last record is decoded. */
#define LONGEST_RUN ((uint64_t)1 << 18)

uint64_t
mxio_reader_size(const struct mxio_reader *reader)
{
    return reader->starts[reader->file_count];
}

size_t
mxio_reader_file_of(const struct mxio_reader *reader, uint64_t offset)
{
    size_t low = 0, high = reader->file_count;

    while (high - low > 1) {
        const size_t middle = (low + high) / 2;
        if (reader->starts[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void
mxio_reader_name_place(const struct mxio_reader *reader, uint64_t offset,
                       struct mxio_error *err)
{
    const size_t file = mxio_reader_file_of(reader, offset);

    err->file = (int)file;
    err->offset = (int64_t)(offset - reader->starts[file]);
}

int
mxio_reader_file_open_as(const struct mxio_reader *reader, int descriptor)
{
    for (size_t i = 0; i < reader->file_count; i++)
        if (reader->files[i].descriptor == descriptor)
            return (int)i;
    return -1;
}

static enum mxio_status
at_place(const struct mxio_reader *reader, uint64_t offset, enum mxio_status status,
         struct mxio_error *err)
{
    mxio_reader_name_place(reader, offset, err);
    return status;
}

void
mxio_reader_free(struct mxio_reader *reader)
{
    if (reader == NULL)
        return;
    for (size_t i = 0; reader->files != NULL && i < reader->file_count; i++)
        mxio_file_close(&reader->files[i]);
    mxio_free(reader->files);
    mxio_free(reader->starts);
    mxio_free(reader->own);
    mxio_buffer_free(&reader->block);
    mxio_free(reader);
}

/* Bytes of one file at an offset of the set, all inside it. */
static enum mxio_status
read_bytes(const struct mxio_reader *reader, uint64_t offset, void *out, size_t size,
           struct mxio_error *err)
{
    const size_t file = mxio_reader_file_of(reader, offset);

    return mxio_file_read(&reader->files[file], offset - reader->starts[file], out,
                          size, err);
}

/* The 8 bytes at offset, which are inside one file. */
static enum mxio_status
peek(struct mxio_reader *reader, uint64_t offset, bool small,
     uint8_t out[MXIO_HEAD_SIZE], struct mxio_error *err)
{
    if (offset >= reader->block_start &&
        offset - reader->block_start + MXIO_HEAD_SIZE <= reader->block_size) {
        memcpy(out, reader->block.bytes + (offset - reader->block_start),
               MXIO_HEAD_SIZE);
        return MXIO_OK;
    }
    if (!small)
        return read_bytes(reader, offset, out, MXIO_HEAD_SIZE, err);
    const uint64_t left =
        reader->starts[mxio_reader_file_of(reader, offset) + 1] - offset;
    const size_t size = left < MXIO_READ_BLOCK ? (size_t)left : MXIO_READ_BLOCK;
    enum mxio_status status = mxio_buffer_need(&reader->block, MXIO_READ_BLOCK, err);
    if (status != MXIO_OK)
        return status;
    reader->block_size = 0;
    status = read_bytes(reader, offset, reader->block.bytes, size, err);
    if (status != MXIO_OK)
        return status;
    reader->block_start = offset;
    reader->block_size = size;
    memcpy(out, reader->block.bytes, MXIO_HEAD_SIZE);
    return MXIO_OK;
}

/* The next place from `from` on, in steps of 4 of its file, where a record can start;
 * the file's end if none. */
static enum mxio_status
resynchronise(struct mxio_reader *reader, uint64_t from, uint64_t file_end,
              uint64_t *out, struct mxio_error *err)
{
    uint8_t bytes[MXIO_HEAD_SIZE];
    struct mxio_head head;

    for (uint64_t at = from; at + MXIO_HEAD_SIZE <= file_end; at += 4) {
        const enum mxio_status status = peek(reader, at, true, bytes, err);
        if (status != MXIO_OK)
            return status;
        if (mxio_recordio_head(bytes, &head) && mxio_recordio_starts(&head)) {
            *out = at;
            return MXIO_OK;
        }
    }
    *out = file_end;
    return MXIO_OK;
}

/* Where the record after the one at `offset` starts. */
static enum mxio_status
hop(struct mxio_reader *reader, uint64_t offset, uint64_t *next, struct mxio_error *err)
{
    const uint64_t file_end = reader->starts[mxio_reader_file_of(reader, offset) + 1];
    const bool small = reader->known > 1 &&
                       offset - reader->offsets[reader->known - 2] < MXIO_SMALL_RECORD;
    struct mxio_head last = {.part = MXIO_LAST};
    uint64_t at = offset;

    for (;;) {
        uint8_t bytes[MXIO_HEAD_SIZE];
        struct mxio_head head;
        if (file_end - at < MXIO_HEAD_SIZE)
            break;
        const enum mxio_status status = peek(reader, at, small, bytes, err);
        if (status != MXIO_OK)
            return status;
        if (!mxio_recordio_head(bytes, &head) ||
            (at == offset ? !mxio_recordio_starts(&head)
                          : !mxio_recordio_continues(&last, &head)) ||
            file_end - at - MXIO_HEAD_SIZE < head.length)
            break;
        const uint64_t size = mxio_recordio_part_size(&head);
        at = file_end - at < size ? file_end : at + size;
        if (head.part == MXIO_WHOLE || head.part == MXIO_LAST) {
            *next = at;
            return MXIO_OK;
        }
        last = head;
    }
    return resynchronise(reader, (at > offset ? at : at + 4), file_end, next, err);
}

enum mxio_status
mxio_reader_extend(struct mxio_reader *reader, struct mxio_error *err)
{
    uint64_t next = 0;

    if (reader->frontier >= mxio_reader_size(reader)) {
        reader->complete = true;
        return MXIO_OK;
    }
    if (reader->known == reader->room) {
        const size_t room = reader->room < 1024 ? 1024 : reader->room * 2;
        uint64_t *offsets = mxio_realloc(reader->own, room * sizeof *offsets);
        if (offsets == NULL)
            return mxio_fail(err, MXIO_ENOMEM,
                             "no memory for the offsets of %zu records", room);
        reader->offsets = reader->own = offsets;
        reader->room = room;
    }
    reader->own[reader->known++] = reader->frontier;
    const enum mxio_status status = hop(reader, reader->frontier, &next, err);
    if (status != MXIO_OK) {
        reader->known--;
        return at_place(reader, reader->frontier, status, err);
    }
    reader->frontier = next;
    return MXIO_OK;
}

enum mxio_status
mxio_reader_open(struct mxio_reader **out, const char *const *paths, size_t path_count,
                 struct mxio_error *err)
{
    struct mxio_reader *reader = mxio_alloc(sizeof *reader);
    enum mxio_status status = MXIO_OK;

    if (reader == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for a reader");
    reader->files = mxio_alloc(path_count * sizeof *reader->files);
    reader->starts = mxio_alloc((path_count + 1) * sizeof *reader->starts);
    if (reader->files == NULL || reader->starts == NULL) {
        mxio_reader_free(reader);
        return mxio_fail(err, MXIO_ENOMEM, "no memory for %zu files", path_count);
    }
    for (size_t i = 0; i < path_count && status == MXIO_OK; i++) {
        status = mxio_file_open(&reader->files[i], paths[i], err);
        if (status != MXIO_OK) {
            err->file = (int)i;
            break;
        }
        reader->file_count = i + 1;
        reader->starts[i + 1] = reader->starts[i] + reader->files[i].size;
    }
    if (status == MXIO_OK && mxio_reader_size(reader) == 0)
        status =
            mxio_fail(err, MXIO_EDATA, "no records: %s",
                      path_count == 1 ? "the file is empty" : "all files are empty");
    for (size_t i = 0; i < reader->file_count && status == MXIO_OK; i++) {
        uint8_t bytes[MXIO_HEAD_SIZE];
        struct mxio_head head;
        if (reader->files[i].size == 0)
            continue;
        if (reader->files[i].size >= MXIO_HEAD_SIZE)
            status = mxio_file_read(&reader->files[i], 0, bytes, sizeof bytes, err);
        if (status == MXIO_OK &&
            (reader->files[i].size < MXIO_HEAD_SIZE ||
             !mxio_recordio_head(bytes, &head) || !mxio_recordio_starts(&head)))
            status = mxio_fail(err, MXIO_EDATA,
                               "not a RecordIO file: no record head at its start");
        if (status != MXIO_OK)
            mxio_reader_name_place(reader, reader->starts[i], err);
    }
    if (status != MXIO_OK) {
        mxio_reader_free(reader);
        return status;
    }
    *out = reader;
    return MXIO_OK;
}

static int
compare_offsets(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Every offset lies in a file; whether each is above the one before. */
static enum mxio_status
check_offsets(const struct mxio_reader *reader, const uint64_t *offsets, size_t count,
              bool *rising, struct mxio_error *err)
{
    *rising = true;
    if (count == 0)
        return mxio_fail(err, MXIO_EDATA, "the index is empty");
    for (size_t i = 0; i < count; i++) {
        if (offsets[i] >= mxio_reader_size(reader))
            return mxio_fail(
                err, MXIO_EDATA,
                "entry %zu points to byte %llu, the data end at %llu: not the index of these files",
                i, (unsigned long long)offsets[i],
                (unsigned long long)mxio_reader_size(reader));
        *rising = *rising && (i == 0 || offsets[i] > offsets[i - 1]);
    }
    return MXIO_OK;
}

enum mxio_status
mxio_reader_borrow_offsets(struct mxio_reader *reader, const uint64_t *offsets,
                           size_t count, bool indexed, struct mxio_error *err)
{
    bool rising;
    const enum mxio_status status = check_offsets(reader, offsets, count, &rising, err);

    if (status != MXIO_OK)
        return status;
    if (!rising)
        return mxio_fail(err, MXIO_EDATA, "lent offsets do not rise");
    reader->offsets = offsets;
    reader->known = count;
    reader->frontier = mxio_reader_size(reader);
    reader->complete = true;
    reader->indexed = indexed;
    return MXIO_OK;
}

/* An index of one file of several would let the others go unread. */
static enum mxio_status
check_every_file_listed(const struct mxio_reader *reader, struct mxio_error *err)
{
    size_t at = 0;

    for (size_t i = 0; i < reader->file_count; i++) {
        if (reader->files[i].size == 0)
            continue;
        while (at < reader->known && reader->offsets[at] < reader->starts[i])
            at++;
        if (at == reader->known || reader->offsets[at] >= reader->starts[i + 1])
            return mxio_fail(
                err, MXIO_EDATA,
                "no entry for file %zu of %zu: offsets count through all files", i + 1,
                reader->file_count);
    }
    return MXIO_OK;
}

enum mxio_status
mxio_reader_use_index(struct mxio_reader *reader, const uint64_t *offsets, size_t count,
                      struct mxio_error *err)
{
    bool sorted;
    const enum mxio_status checked =
        check_offsets(reader, offsets, count, &sorted, err);

    if (checked != MXIO_OK)
        return checked;
    reader->own = mxio_alloc(count * sizeof *offsets);
    if (reader->own == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for the offsets of %zu records",
                         count);
    memcpy(reader->own, offsets, count * sizeof *offsets);
    if (!sorted)
        qsort(reader->own, count, sizeof *offsets, compare_offsets);
    reader->offsets = reader->own;
    reader->known = reader->room = count;
    reader->complete = reader->indexed = true;
    for (size_t i = 1; i < count && !sorted; i++)
        if (reader->offsets[i] == reader->offsets[i - 1])
            return mxio_fail(err, MXIO_EDATA, "byte %llu is listed twice",
                             (unsigned long long)reader->offsets[i]);
    /* The ends are a cheap proof that index and data belong together. */
    for (int last = 0; last < 2; last++) {
        const uint64_t at = reader->offsets[last ? count - 1 : 0];
        uint8_t bytes[MXIO_HEAD_SIZE];
        struct mxio_head head;
        if (reader->starts[mxio_reader_file_of(reader, at) + 1] - at >=
            MXIO_HEAD_SIZE) {
            const enum mxio_status status =
                read_bytes(reader, at, bytes, sizeof bytes, err);
            if (status != MXIO_OK)
                return at_place(reader, at, status, err);
            if (mxio_recordio_head(bytes, &head) && mxio_recordio_starts(&head))
                continue;
        }
        return mxio_fail(err, MXIO_EDATA,
                         "no record starts at byte %llu: not the index of these files",
                         (unsigned long long)at);
    }
    return check_every_file_listed(reader, err);
}

const uint64_t *
mxio_reader_offsets(const struct mxio_reader *reader, size_t *count)
{
    *count = reader->known;
    return reader->offsets;
}

/* Bytes that the record at `offset` takes, part by part; stops where a head is damaged.
 */
static enum mxio_status
record_size(const struct mxio_reader *reader, uint64_t offset, uint64_t left,
            uint64_t *out, struct mxio_error *err)
{
    uint64_t size = 0;

    for (bool more = true; more && left - size >= MXIO_HEAD_SIZE;) {
        uint8_t bytes[MXIO_HEAD_SIZE];
        struct mxio_head head;
        const enum mxio_status status =
            read_bytes(reader, offset + size, bytes, sizeof bytes, err);
        if (status != MXIO_OK)
            return status;
        if (!mxio_recordio_head(bytes, &head)) {
            size += MXIO_HEAD_SIZE; /* the join reports it */
            break;
        }
        const uint64_t part = mxio_recordio_part_size(&head);
        more =
            (head.part == MXIO_FIRST || head.part == MXIO_MIDDLE) && part < left - size;
        size = part < left - size ? size + part : left;
        if (size > 2 * (uint64_t)MXIO_RECORD_LIMIT)
            break; /* the join refuses such a record */
    }
    *out = size;
    return MXIO_OK;
}

void
mxio_reader_will_read(const struct mxio_reader *reader, struct mxio_place place)
{
    const size_t file = mxio_reader_file_of(reader, place.offset);

    mxio_file_will_read(&reader->files[file], place.offset - reader->starts[file],
                        place.end - place.offset);
}

void
mxio_reader_run(const struct mxio_reader *reader, struct mxio_place place,
                struct mxio_run *run)
{
    const uint64_t size = place.end - place.offset;
    struct mxio_error ignored = MXIO_NO_ERROR;

    run->start = run->end = 0;
    if (size > LONGEST_RUN ||
        place.end > reader->starts[mxio_reader_file_of(reader, place.offset) + 1])
        return;
    if (mxio_buffer_need(&run->buffer, (size_t)size + MXIO_SLACK, &ignored) ==
            MXIO_OK &&
        read_bytes(reader, place.offset, run->buffer.bytes, (size_t)size, &ignored) ==
            MXIO_OK) {
        run->origin = run->start = place.offset;
        run->end = place.end;
    }
}

bool
mxio_reader_take(const struct mxio_reader *reader, struct mxio_place place,
                 struct mxio_run *run, const uint8_t **payload, size_t *payload_size,
                 enum mxio_status *status, struct mxio_error *err)
{
    size_t start, consumed;

    if (place.offset < run->start || place.end > run->end)
        return false;
    uint8_t *bytes = run->buffer.bytes + (place.offset - run->origin);
    run->start = place.end;
    *status = mxio_recordio_join(bytes, (size_t)(place.end - place.offset), &start,
                                 payload_size, &consumed, err);
    *payload = bytes + start;
    if (*status != MXIO_OK)
        at_place(reader, place.offset, *status, err);
    return true;
}

enum mxio_status
mxio_reader_read(const struct mxio_reader *reader, struct mxio_place place,
                 struct mxio_buffer *buffer, const uint8_t **payload,
                 size_t *payload_size, struct mxio_error *err)
{
    const uint64_t file_end =
        reader->starts[mxio_reader_file_of(reader, place.offset) + 1];
    uint64_t size = place.end - place.offset;
    enum mxio_status status = MXIO_OK;
    size_t start, consumed;

    if (size > READ_AHEAD)
        status = record_size(reader, place.offset, file_end - place.offset, &size, err);
    if (status == MXIO_OK)
        status = mxio_buffer_need(buffer, (size_t)size + MXIO_SLACK, err);
    if (status == MXIO_OK)
        status = read_bytes(reader, place.offset, buffer->bytes, (size_t)size, err);
    if (status == MXIO_OK)
        status = mxio_recordio_join(buffer->bytes, (size_t)size, &start, payload_size,
                                    &consumed, err);
    if (status != MXIO_OK)
        return at_place(reader, place.offset, status, err);
    *payload = buffer->bytes + start;
    return MXIO_OK;
}

enum mxio_status
mxio_reader_peek(const struct mxio_reader *reader, struct mxio_place place, size_t size,
                 struct mxio_buffer *buffer, const uint8_t **payload,
                 size_t *payload_size, struct mxio_error *err)
{
    const uint64_t held = place.end - place.offset;
    const size_t wanted = MXIO_HEAD_SIZE + size;
    const size_t there = held < wanted ? (size_t)held : wanted;
    struct mxio_head head = {.part = MXIO_LAST};

    enum mxio_status status = mxio_buffer_need(buffer, wanted, err);
    if (status == MXIO_OK)
        status = read_bytes(reader, place.offset, buffer->bytes, there, err);
    if (status != MXIO_OK)
        return at_place(reader, place.offset, status, err);
    /* A record in several parts is rare, a damaged one is reported by the join. */
    if (there < MXIO_HEAD_SIZE || !mxio_recordio_head(buffer->bytes, &head) ||
        head.part != MXIO_WHOLE || head.length > held - MXIO_HEAD_SIZE)
        return mxio_reader_read(reader, place, buffer, payload, payload_size, err);
    *payload = buffer->bytes + MXIO_HEAD_SIZE;
    *payload_size = head.length;
    return MXIO_OK;
}

enum mxio_status
mxio_reader_bytes(const struct mxio_reader *reader, uint64_t offset, void *out,
                  size_t size, size_t *got, struct mxio_error *err)
{
    const uint64_t left =
        reader->starts[mxio_reader_file_of(reader, offset) + 1] - offset;

    *got = left < size ? (size_t)left : size;
    const enum mxio_status status = read_bytes(reader, offset, out, *got, err);
    return status == MXIO_OK ? status : at_place(reader, offset, status, err);
}
