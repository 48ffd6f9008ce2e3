#include "recordio.h"

#include <string.h>

#define LENGTH_BITS 29
#define LENGTH_MASK (((uint32_t)1 << LENGTH_BITS) - 1)
#define SEARCH_BLOCK ((size_t)256)
#define SHOWN_MAX 40 /* bytes of a wrong word that a message shows */

static size_t
padded(size_t length)
{
    return (length + 3) & ~(size_t)3;
}

bool
mxio_recordio_head(const uint8_t *bytes, struct mxio_head *out)
{
    const uint32_t word = mxio_load_u32(bytes + 4);

    if (mxio_load_u32(bytes) != MXIO_RECORD_MAGIC || word >> LENGTH_BITS > MXIO_LAST)
        return false;
    *out = (struct mxio_head){.part = (enum mxio_part)(word >> LENGTH_BITS),
                              .length = word & LENGTH_MASK};
    return true;
}

bool
mxio_recordio_starts(const struct mxio_head *head)
{
    return head->part == MXIO_WHOLE || head->part == MXIO_FIRST;
}

bool
mxio_recordio_continues(const struct mxio_head *last, const struct mxio_head *next)
{
    return (last->part == MXIO_FIRST || last->part == MXIO_MIDDLE) &&
           (next->part == MXIO_MIDDLE || next->part == MXIO_LAST);
}

size_t
mxio_recordio_part_size(const struct mxio_head *head)
{
    return MXIO_HEAD_SIZE + padded(head->length);
}

enum mxio_status
mxio_recordio_join(uint8_t *bytes, size_t size, size_t *payload, size_t *payload_size,
                   size_t *consumed, struct mxio_error *err)
{
    struct mxio_head head;
    size_t place = 0;            /* of the part's head */
    size_t end = MXIO_HEAD_SIZE; /* of the payload joined so far */

    for (struct mxio_head last = {.part = MXIO_LAST};; last = head) {
        const bool inside = place != 0;
        const size_t left = size - place;
        if (left < MXIO_HEAD_SIZE)
            return mxio_fail(err, MXIO_EDATA,
                             "the record breaks off: %zu bytes left for a head of 8",
                             left);
        if (!mxio_recordio_head(bytes + place, &head))
            return mxio_fail(
                err, MXIO_EDATA,
                "%s: found %08x %08x, a head starts with the magic number %08x",
                inside ? "a part of the record is missing" : "not a record head",
                mxio_load_u32(bytes + place), mxio_load_u32(bytes + place + 4),
                MXIO_RECORD_MAGIC);
        if (inside ? !mxio_recordio_continues(&last, &head)
                   : !mxio_recordio_starts(&head))
            return mxio_fail(err, MXIO_EDATA, "part of kind %d where a record %s",
                             (int)head.part, inside ? "should go on" : "should start");
        /* The padding of the very last part may be missing: other writers forget it. */
        if (left - MXIO_HEAD_SIZE < head.length)
            return mxio_fail(err, MXIO_EDATA,
                             "the record claims %u bytes, %zu are left", head.length,
                             left - MXIO_HEAD_SIZE);
        if (inside) {
            mxio_store_u32(bytes + end, MXIO_RECORD_MAGIC);
            end += 4;
        }
        if (end - MXIO_HEAD_SIZE + head.length >= MXIO_RECORD_LIMIT)
            return mxio_fail(err, MXIO_EDATA, "the record has 2^29 bytes or more");
        memmove(bytes + end, bytes + place + MXIO_HEAD_SIZE, head.length);
        end += head.length;
        const size_t part = mxio_recordio_part_size(&head);
        place = part < left ? place + part : size;
        if (head.part == MXIO_WHOLE || head.part == MXIO_LAST)
            break;
    }
    *payload = MXIO_HEAD_SIZE;
    *payload_size = end - MXIO_HEAD_SIZE;
    *consumed = place;
    return MXIO_OK;
}

/* Whether one of the words of a block is the magic; without a branch or a call in the
 * loop, compilers look at several at once. */
static bool
block_has_magic(const uint8_t *block)
{
    uint8_t bytes[4];
    uint32_t magic, word, found = 0;

    mxio_store_u32(bytes, MXIO_RECORD_MAGIC);
    memcpy(&magic, bytes, sizeof magic); /* as this processor reads it */
    for (size_t i = 0; i < SEARCH_BLOCK; i += sizeof word) {
        memcpy(&word, block + i, sizeof word);
        found |= word == magic;
    }
    return found != 0;
}

/* Offset of the next aligned magic from `from` on, or `size` when there is none. */
static size_t
next_cut(const uint8_t *payload, size_t size, size_t from)
{
    while (from + SEARCH_BLOCK <= size && !block_has_magic(payload + from))
        from += SEARCH_BLOCK;
    for (size_t i = from; i + 4 <= size; i += 4)
        if (mxio_load_u32(payload + i) == MXIO_RECORD_MAGIC)
            return i;
    return size;
}

size_t
mxio_recordio_encoded_size(const uint8_t *payload, size_t payload_size)
{
    size_t cuts = 0;

    for (size_t i = next_cut(payload, payload_size, 0); i < payload_size;
         i = next_cut(payload, payload_size, i + 4))
        cuts++;
    /* Every cut leaves out 4 bytes and adds a head; the parts before it need no
     * padding. */
    return MXIO_HEAD_SIZE + cuts * (MXIO_HEAD_SIZE - 4) + padded(payload_size);
}

static uint8_t *
put_part(uint8_t *out, enum mxio_part part, const uint8_t *payload, size_t size)
{
    mxio_store_u32(out, MXIO_RECORD_MAGIC);
    mxio_store_u32(out + 4, (uint32_t)part << LENGTH_BITS | (uint32_t)size);
    if (size > 0)
        memcpy(out + MXIO_HEAD_SIZE, payload, size);
    memset(out + MXIO_HEAD_SIZE + size, 0, padded(size) - size);
    return out + MXIO_HEAD_SIZE + padded(size);
}

void
mxio_recordio_encode(const uint8_t *payload, size_t payload_size, uint8_t *out)
{
    size_t start = 0;

    for (size_t cut = next_cut(payload, payload_size, 0); cut < payload_size;
         cut = next_cut(payload, payload_size, start)) {
        out = put_part(out, start == 0 ? MXIO_FIRST : MXIO_MIDDLE, payload + start,
                       cut - start);
        start = cut + 4;
    }
    put_part(out, start == 0 ? MXIO_WHOLE : MXIO_LAST, payload + start,
             payload_size - start);
}

static bool
is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A whole number with an optional sign, as magnitude and sign; false when there is none
 * or it is too large. */
static bool
parse_number(const char **at, const char *end, uint64_t *magnitude, bool *negative)
{
    const char *p = *at;
    uint64_t value = 0;

    *negative = p < end && *p == '-';
    if (*negative)
        p++;
    const char *first = p;
    for (; p < end && *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
            return false;
    if (p == first || (p < end && !is_blank(*p)))
        return false;
    *at = p;
    *magnitude = value;
    return true;
}

/* Bytes of the word that begins at `at`, as many as a message shows. */
static int
word_size(const char *at, const char *end)
{
    int size = 0;

    while (size < SHOWN_MAX && at + size < end && !is_blank(at[size]))
        size++;
    return size;
}

enum mxio_status
mxio_recordio_parse_index(const char *text, size_t size, int64_t *keys,
                          uint64_t *offsets, size_t *count, struct mxio_error *err)
{
    const char *end = text + size;
    size_t line = 1, key_line = 1;
    size_t numbers = 0;

    for (const char *p = text; p < end;) {
        uint64_t value;
        bool negative;
        if (is_blank(*p)) {
            line += *p++ == '\n';
            continue;
        }
        const bool is_key = numbers % 2 == 0;
        if (is_key)
            key_line = line;
        const char *word = p;
        if (!parse_number(&p, end, &value, &negative) ||
            (is_key ? value > (uint64_t)INT64_MAX : negative))
            return mxio_fail(err, MXIO_EDATA,
                             "line %zu: the %s is not a whole number%s: '%.*s'", line,
                             is_key ? "key" : "offset", is_key ? "" : " >= 0",
                             word_size(word, end), word);
        if (keys != NULL && is_key)
            keys[numbers / 2] = negative ? -(int64_t)value : (int64_t)value;
        if (keys != NULL && !is_key)
            offsets[numbers / 2] = value;
        numbers++;
    }
    if (numbers % 2 != 0)
        return mxio_fail(err, MXIO_EDATA, "line %zu: a key without an offset",
                         key_line);
    *count = numbers / 2;
    return MXIO_OK;
}
