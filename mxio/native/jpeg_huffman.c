#include "jpeg_huffman.h"

#include <string.h>

/*
 * An entry of the lookup describes the one or two symbols that the next bits begin
 * with. The last symbol's code lies within the lookup, its extra bits may go on behind;
 * all of the first of two lies within, so its value is known.
 *
 *   0- 5 bits of all, with extra bits    24-31 bits of the first
 *   6    BAD                             32-47 value of the first of two; of a single
 *   7    ESCAPE                                symbol, the bits of its code
 *   8-15 advance by the first            48-63 mask of the last one's extra bits
 *  16-23 advance by all
 *
 * Advance counts coefficients. With one symbol the first is the last, so that both may
 * be stored, the last one later, without asking. ESCAPE: the code is longer than the
 * lookup. BAD is no entry's, but resolve's answer when no code begins like that.
 */
#define LOOKUP MXIO_HUFFMAN_LOOKUP
#define BAD 0x40U
#define ESCAPE 0x80U
#define BLOCK_END 128 /* an advance that ends any block */
/* 15 extra bits behind a code in the lookup, then a symbol that was looked up elsewhere:
 * a refill is enough for both. */
_Static_assert(LOOKUP + 15 + 31 <= 56, "a refill is not enough for two symbols");

/* Most that an MCU can take: 16 bits of code and 15 more for each coefficient. */
#define MCU_MAX_SIZE (MXIO_HUFFMAN_BLOCKS * 64 * 31 / 8)
/* libjpeg loads up to 8 bytes ahead, twice that with stuffing, and warns when they are
 * not there; whether an end without a marker is damage is for it to say. */
#define OPEN_END_SIZE 16

/* Where the coefficient before number k belongs. Runs that lead out of a block end on
 * its last place, as in libjpeg. */
static const uint8_t place_before[63 + 16 + BLOCK_END + 1] = {
    [1] = 0, 1,  8,  16, 9,
    2,       3,  10, 17, 24,
    32,      25, 18, 11, 4,
    5,       12, 19, 26, 33,
    40,      48, 41, 34, 27,
    20,      13, 6,  7,  14,
    21,      28, 35, 42, 49,
    56,      57, 50, 43, 36,
    29,      22, 15, 23, 30,
    37,      44, 51, 58, 59,
    52,      45, 38, 31, 39,
    46,      53, 60, 61, 54,
    47,      55, 62, 63, [65 ... 63 + 16 + BLOCK_END] = 63,
};

unsigned
mxio_huffman_place(unsigned k)
{
    return place_before[k + 1];
}

static inline uint64_t
load_big_u64(const uint8_t *bytes)
{
    uint64_t value;

    memcpy(&value, bytes, sizeof value);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

/* ---- tables ---- */

/* The number that extra bits stand for, given a mask as wide as they are. Its sign is
 * as good as random: a branch on it would be foretold wrongly every other time. */
static inline int32_t
extend(uint32_t extra, uint32_t mask)
{
    const int32_t negative = (int32_t)(extra + ~(mask >> 1)) >> 31; /* all bits */

    return (int32_t)(extra - (mask & (uint32_t)negative));
}

static inline uint64_t
make_entry(unsigned code_length, unsigned size, unsigned advance)
{
    const unsigned length = code_length + size;

    return length | advance << 8 | advance << 16 | (uint64_t)length << 24 |
           (uint64_t)code_length << 32 | ((UINT64_C(1) << size) - 1) << 48;
}

/* A symbol is a run of zeros and the size of the value behind it, or the end. */
static inline unsigned
advance_of(unsigned symbol)
{
    return (symbol & 15) == 0 && symbol != 0xF0 ? BLOCK_END : (symbol >> 4) + 1;
}

/* Add to each entry the symbol behind its first, when the lookup holds enough. */
static void
pair_entries(uint64_t *lookup)
{
    uint64_t single[1 << LOOKUP];

    memcpy(single, lookup, sizeof single);
    for (uint32_t i = 0; i < 1U << LOOKUP; i++) {
        const uint64_t first = single[i];
        const unsigned length = first >> 24 & 0xFF, advance = first >> 8 & 0xFF;
        if ((first & ESCAPE) != 0 || length >= LOOKUP || advance == BLOCK_END)
            continue;
        const uint64_t second = single[(i << length) % (1U << LOOKUP)];
        const unsigned both = length + (second >> 24 & 0xFF);
        const unsigned code_end = length + (second >> 32 & 0xFFFF);
        if ((second & ESCAPE) != 0 || code_end > LOOKUP)
            continue;
        const uint32_t own_mask = (uint32_t)(first >> 48);
        const int32_t value = extend(i >> (LOOKUP - length) & own_mask, own_mask);
        lookup[i] = both | (first & 0xFF00FF00) |
                    (uint64_t)(advance + (second >> 8 & 0xFF)) << 16 |
                    (uint64_t)(uint16_t)value << 32 | second >> 48 << 48;
    }
}

bool
mxio_huffman_build(struct mxio_huffman_table *out, const uint8_t counts[16],
                   const uint8_t values[256], bool dc)
{
    uint32_t code = 0, place = 0;

    memcpy(out->values, values, sizeof out->values);
    for (uint32_t i = 0; i < 1U << LOOKUP; i++)
        out->lookup[i] = ESCAPE;
    for (unsigned length = 1; length <= 16; length++) {
        const uint32_t count = counts[length - 1];
        if (place + count > 256 || code + count >= 1U << length)
            return false;
        out->offsets[length] = (int32_t)place - (int32_t)code;
        for (uint32_t i = 0; i < count; i++, code++, place++) {
            const unsigned symbol = values[place];
            if (dc && symbol > 15)
                return false;
            if (length > LOOKUP)
                continue;
            const uint64_t entry = make_entry(length, symbol & 15, advance_of(symbol));
            for (uint32_t j = 0; j < 1U << (LOOKUP - length); j++)
                out->lookup[(code << (LOOKUP - length)) + j] = entry;
        }
        out->limits[length] = code << (16 - length);
        code <<= 1;
    }
    if (!dc)
        pair_entries(out->lookup);
    return true;
}

/* The entry of a symbol whose code is longer than the lookup; 16 bits are loaded. */
static __attribute__((noinline)) uint64_t
resolve(const struct mxio_huffman_table *table, uint64_t bits)
{
    const uint32_t code = (uint32_t)(bits >> 48);

    for (unsigned length = LOOKUP + 1; length <= 16; length++) {
        if (code >= table->limits[length])
            continue;
        const unsigned symbol =
            table->values[(int32_t)(code >> (16 - length)) + table->offsets[length]];
        return make_entry(length, symbol & 15, advance_of(symbol));
    }
    return make_entry(0, 0, BLOCK_END) | BAD;
}

/* ---- blocks ---- */

static inline void
refill(struct mxio_bit_reader *reader)
{
    reader->bits |= load_big_u64(reader->at) >> reader->count;
    reader->at += (63 - reader->count) >> 3;
    reader->count |= 56;
}

static inline void
consume(struct mxio_bit_reader *reader, unsigned length)
{
    reader->bits <<= length;
    reader->count -= length;
}

/* Put the reader `back` bits back, which it has consumed. */
static void
step_back(struct mxio_bit_reader *reader, unsigned back)
{
    const unsigned count = reader->count + back;

    reader->at -= (count + 7) >> 3;
    reader->bits = 0;
    reader->count = 0;
    refill(reader);
    consume(reader, -count & 7);
}

static inline uint64_t
next_entry(const struct mxio_huffman_table *table, struct mxio_bit_reader *reader)
{
    const uint64_t entry = table->lookup[reader->bits >> (64 - LOOKUP)];

    if (__builtin_expect((entry & ESCAPE) == 0, 1))
        return entry;
    refill(reader);
    return resolve(table, reader->bits);
}

/* The value of an entry's last symbol, whose extra bits are the last to be consumed. */
static inline int32_t
last_value(const struct mxio_bit_reader *reader, uint64_t entry)
{
    const unsigned length = entry & 63;
    const uint64_t turned = reader->bits << length | reader->bits >> (-length & 63);
    const uint32_t mask = (uint32_t)(entry >> 48);

    return extend((uint32_t)turned & mask, mask);
}

/* Where a block is being read. */
struct block_reader {
    const struct mxio_huffman_table *table;
    uint64_t entry; /* the last one */
    unsigned after; /* number of the coefficient behind its first symbol */
    unsigned k;     /* and behind all of it */
};

/* One or two symbols; false when they are the block's last. */
static inline __attribute__((always_inline)) bool
read_symbols(struct block_reader *at, struct mxio_bit_reader *reader, bool stored,
             int16_t *block)
{
    const uint64_t entry = next_entry(at->table, reader);

    at->entry = entry;
    at->after = at->k + (entry >> 8 & 0xFF);
    at->k += entry >> 16 & 0xFF;
    if (stored) {
        block[place_before[at->after]] = (int16_t)(entry >> 32);
        block[place_before[at->k]] = (int16_t)last_value(reader, entry);
    }
    consume(reader, entry & 63);
    return at->k < 64;
}

/* Read one block into `block`, if there is one. BAD among the bits of the answer when a
 * code was. */
static inline __attribute__((always_inline)) unsigned
read_block(const struct mxio_huffman_block *plan, struct mxio_bit_reader *outer,
           uint32_t *predictions, bool stored, int16_t *block)
{
    struct mxio_bit_reader reader = *outer;
    struct block_reader at = {.table = plan->ac, .k = 1};

    refill(&reader);
    const uint64_t dc = next_entry(plan->dc, &reader);
    predictions[plan->component] += (uint32_t)last_value(&reader, dc);
    if (stored)
        block[0] = (int16_t)predictions[plan->component];
    consume(&reader, dc & 63);
    while (read_symbols(&at, &reader, stored, block)) {
        refill(&reader);
        if (!read_symbols(&at, &reader, stored, block))
            break;
    }
    if (__builtin_expect(at.after >= 64 && at.after != at.k, 0)) {
        /* The first of two was the block's last. */
        if (stored)
            block[63] = (int16_t)(at.entry >> 32);
        step_back(&reader, (at.entry & 63) - (at.entry >> 24 & 63));
    }
    *outer = reader;
    return (unsigned)(dc | at.entry);
}

/* ---- intervals ---- */

/* Move bytes into the buffer, without stuffing, until it is full or they end. */
static void
fill(struct mxio_huffman_scan *scan)
{
    const uint8_t *from = scan->raw;
    uint8_t *to = scan->buffer + scan->filled;

    while (from < scan->end && to < scan->buffer + MXIO_HUFFMAN_CHUNK) {
        const size_t room = (size_t)(scan->buffer + MXIO_HUFFMAN_CHUNK - to);
        const size_t ahead = (size_t)(scan->end - from);
        const uint8_t *mark = memchr(from, 0xFF, ahead < room ? ahead : room);
        const size_t plain = mark != NULL   ? (size_t)(mark - from)
                             : ahead < room ? ahead
                                            : room;
        memcpy(to, from, plain);
        to += plain;
        from += plain;
        if (mark == NULL)
            continue;
        scan->whole = ahead - plain < 2 || from[1] != 0;
        if (scan->whole)
            break;
        *to++ = 0xFF;
        from += 2;
    }
    scan->whole = scan->whole || from == scan->end;
    scan->raw = from;
    scan->filled = (size_t)(to - scan->buffer);
}

/* True when the bytes of the interval end at a marker. */
static bool
ends_well(const struct mxio_huffman_scan *scan)
{
    return scan->end - scan->raw >= 2 && scan->raw[1] != 0xFF;
}

/* Fill the buffer, and say how far the reader may go without asking. */
static void
load(struct mxio_huffman_scan *scan)
{
    size_t safe;

    fill(scan);
    if (scan->whole) {
        const size_t open = ends_well(scan) ? 0 : OPEN_END_SIZE;
        memset(scan->buffer + scan->filled, 0xFF, MXIO_HUFFMAN_PAD);
        safe = scan->filled > open ? scan->filled - open : 0;
    } else {
        safe = scan->filled - MCU_MAX_SIZE - sizeof scan->reader.bits;
    }
    scan->stop = scan->buffer + safe;
}

/* Begin an interval with the bytes not yet in the buffer. */
static void
start_interval(struct mxio_huffman_scan *scan)
{
    scan->filled = 0;
    scan->whole = false;
    load(scan);
    scan->reader = (struct mxio_bit_reader){.at = scan->buffer};
    memset(scan->predictions, 0, sizeof scan->predictions);
    scan->left =
        scan->layout.restart_interval != 0 ? scan->layout.restart_interval : UINT32_MAX;
}

static size_t
bits_used(const struct mxio_huffman_scan *scan)
{
    return (size_t)(scan->reader.at - scan->buffer) * 8 - scan->reader.count;
}

/* The reader is beyond `stop`: give it more. False when it has read what is not there. */
static bool
feed(struct mxio_huffman_scan *scan)
{
    if (!scan->whole) {
        const size_t used = bits_used(scan) / 8;
        scan->filled -= used;
        memmove(scan->buffer, scan->buffer + used, scan->filled);
        scan->reader.at -= used;
        load(scan);
        step_back(&scan->reader, 0);
    }
    return bits_used(scan) <= (size_t)(scan->stop - scan->buffer) * 8;
}

/* True when the interval's bytes are used up, but for the bits that pad the last. */
static bool
finished(const struct mxio_huffman_scan *scan)
{
    return scan->whole && scan->filled * 8 - bits_used(scan) < 8;
}

/* Go on behind the marker that ends the interval. False when it is not the one due. */
static bool
pass_marker(struct mxio_huffman_scan *scan)
{
    while (!scan->whole) {
        const uint8_t *mark = memchr(scan->raw, 0xFF, (size_t)(scan->end - scan->raw));
        if (mark == NULL || scan->end - mark < 2)
            return false;
        scan->whole = mark[1] != 0;
        scan->raw = scan->whole ? mark : mark + 2;
    }
    if (scan->end - scan->raw < 2 || scan->raw[1] != 0xD0 + scan->restarts % 8)
        return false;
    scan->raw += 2;
    scan->restarts++;
    scan->whole = false;
    return true;
}

/* Go to the interval of an MCU that lies `ahead` MCUs away, not in this one. */
static bool
seek(struct mxio_huffman_scan *scan, uint32_t ahead)
{
    const uint32_t interval = scan->layout.restart_interval;
    const uint32_t between = (ahead - scan->left) / interval;

    if (scan->left == 0 && !finished(scan))
        return false;
    for (uint32_t i = 0; i <= between; i++)
        if (!pass_marker(scan))
            return false;
    scan->next += scan->left + between * interval;
    start_interval(scan);
    return true;
}

void
mxio_huffman_start(struct mxio_huffman_scan *scan,
                   const struct mxio_huffman_layout *layout, const uint8_t *bytes,
                   size_t size)
{
    scan->layout = *layout;
    scan->raw = bytes;
    scan->end = bytes + size;
    scan->next = 0;
    scan->restarts = 0;
    start_interval(scan);
}

bool
mxio_huffman_read(struct mxio_huffman_scan *scan, uint32_t mcu,
                  int16_t (*const *blocks)[64])
{
    if (mcu - scan->next >= scan->left && !seek(scan, mcu - scan->next))
        return false;
    scan->left -= mcu - scan->next + 1;
    struct mxio_bit_reader reader = scan->reader;
    for (; scan->next <= mcu; scan->next++) {
        const bool stored = scan->next == mcu;
        unsigned flaws = 0;
        for (int i = 0; i < scan->layout.block_count; i++) {
            const struct mxio_huffman_block *plan = &scan->layout.blocks[i];
            flaws |=
                stored && plan->wanted
                    ? read_block(plan, &reader, scan->predictions, true, *blocks[i])
                    : read_block(plan, &reader, scan->predictions, false, NULL);
        }
        if ((flaws & BAD) != 0)
            return false;
        if (reader.at > scan->stop) {
            scan->reader = reader;
            if (!feed(scan))
                return false;
            reader = scan->reader;
        }
    }
    scan->reader = reader;
    return true;
}
