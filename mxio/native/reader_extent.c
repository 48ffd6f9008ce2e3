/* Which records a reader is asked for: chosen ones, parts, positions. */
#include "reader_inner.h"

/* How many of the heads known lie below an offset. */
static size_t
known_below(const struct mxio_reader *reader, uint64_t offset)
{
    size_t low = 0, high = reader->known;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (reader->offsets[middle] < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t
mxio_extent_ordinal(const struct mxio_extent *extent, uint64_t position)
{
    return extent->ordinals != NULL ? extent->ordinals[position]
                                    : extent->first + position;
}

enum mxio_status
mxio_reader_select(struct mxio_reader *reader, const struct mxio_selection *selection,
                   struct mxio_error *err)
{
    const uint64_t room = UINT64_MAX - selection->first;
    uint64_t last = UINT64_MAX;

    if (selection->count == 0) {
        reader->selection = *selection;
        return MXIO_OK;
    }
    if (selection->ordinals == NULL && selection->count <= room)
        last = selection->first + selection->count - 1;
    if (selection->ordinals != NULL) {
        last = 0;
        for (uint64_t i = 0; i < selection->count; i++)
            last = selection->ordinals[i] > last ? selection->ordinals[i] : last;
    }
    while (last >= reader->known && !reader->complete) {
        const enum mxio_status status = mxio_reader_extend(reader, err);
        if (status != MXIO_OK)
            return status;
    }
    if (last >= reader->known)
        return mxio_fail(err, MXIO_EPARAM, "record %llu is chosen of %zu records",
                         (unsigned long long)last, reader->known);
    reader->selection = *selection;
    return MXIO_OK;
}

/* Part part_index of `count` records. */
static struct mxio_extent
part_of_records(uint64_t count, uint64_t num_parts, uint64_t part_index)
{
    /* part_index < num_parts <= 10^9 and step <= count: no overflow. */
    const uint64_t step = (count + num_parts - 1) / num_parts;
    const uint64_t start = part_index * step;
    const uint64_t first = start < count ? start : count;
    const uint64_t left = count - first;

    return (struct mxio_extent){.first = first,
                                .most = left < step ? left : step,
                                .end = UINT64_MAX};
}

enum mxio_status
mxio_reader_part(struct mxio_reader *reader, uint64_t num_parts, uint64_t part_index,
                 struct mxio_extent *out, struct mxio_error *err)
{
    const struct mxio_selection *chosen = &reader->selection;

    if (chosen->count > 0) {
        *out = part_of_records(chosen->count, num_parts, part_index);
        if (chosen->ordinals != NULL)
            out->ordinals = chosen->ordinals + out->first;
        out->first += chosen->first;
        return MXIO_OK;
    }
    if (reader->indexed) {
        *out = part_of_records(reader->known, num_parts, part_index);
        return MXIO_OK;
    }
    const uint64_t total = mxio_reader_size(reader);
    uint64_t step = total / num_parts + (total % num_parts != 0);
    step = (step + 3) & ~(uint64_t)3;
    const uint64_t begin = part_index == 0             ? 0
                           : part_index > total / step ? total
                                                       : part_index * step;
    const uint64_t end =
        begin > total || total - begin < step ? UINT64_MAX : begin + step;
    /* Ordinals count from the start of the set, so its heads are hopped over. */
    while (!reader->complete &&
           (reader->known == 0 || reader->offsets[reader->known - 1] < begin)) {
        const enum mxio_status status = mxio_reader_extend(reader, err);
        if (status != MXIO_OK)
            return status;
    }
    const uint64_t first = known_below(reader, begin);
    *out = (struct mxio_extent){.first = first, .most = UINT64_MAX, .end = end};
    return MXIO_OK;
}

bool
mxio_reader_knows(const struct mxio_reader *reader, const struct mxio_extent *extent,
                  uint64_t position)
{
    /* All heads are known where records are chosen, or listed by an index. */
    return extent->most != UINT64_MAX || reader->complete ||
           reader->frontier >= extent->end ||
           (position < reader->known && extent->first + position < reader->known);
}

enum mxio_status
mxio_reader_learn(struct mxio_reader *reader, const struct mxio_extent *extent,
                  uint64_t position, struct mxio_error *err)
{
    enum mxio_status status = MXIO_OK;

    while (status == MXIO_OK && !mxio_reader_knows(reader, extent, position))
        status = mxio_reader_extend(reader, err);
    return status;
}

enum mxio_status
mxio_reader_locate(struct mxio_reader *reader, const struct mxio_extent *extent,
                   uint64_t position, struct mxio_place *out, bool *found,
                   struct mxio_error *err)
{
    *found = false;
    if (position >= extent->most)
        return MXIO_OK;
    const enum mxio_status status = mxio_reader_learn(reader, extent, position, err);
    if (status != MXIO_OK)
        return status;
    const uint64_t ordinal = mxio_extent_ordinal(extent, position);
    if (ordinal >= reader->known || reader->offsets[ordinal] >= extent->end)
        return MXIO_OK;
    const uint64_t offset = reader->offsets[ordinal];
    const uint64_t file_end = reader->starts[mxio_reader_file_of(reader, offset) + 1];
    const uint64_t last_end = reader->indexed ? file_end : reader->frontier;
    const uint64_t next =
        ordinal + 1 < reader->known ? reader->offsets[ordinal + 1] : last_end;
    *out =
        (struct mxio_place){.offset = offset, .end = next < file_end ? next : file_end};
    *found = true;
    return MXIO_OK;
}

enum mxio_status
mxio_reader_count(struct mxio_reader *reader, const struct mxio_extent *extent,
                  uint64_t *out, struct mxio_error *err)
{
    if (reader->selection.count > 0) {
        *out = extent->most;
        return MXIO_OK;
    }
    const enum mxio_status status = mxio_reader_learn(reader, extent, UINT64_MAX, err);
    if (status != MXIO_OK)
        return status;
    const size_t last = known_below(reader, extent->end);
    const uint64_t count = last > extent->first ? last - extent->first : 0;
    *out = count < extent->most ? count : extent->most;
    return MXIO_OK;
}

enum mxio_status
mxio_reader_complete(struct mxio_reader *reader, struct mxio_error *err)
{
    static const struct mxio_extent all = {.most = UINT64_MAX, .end = UINT64_MAX};

    return mxio_reader_learn(reader, &all, UINT64_MAX, err);
}
