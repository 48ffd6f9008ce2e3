/*
 * The entropy-coded bytes of a baseline scan, turned into coefficients: Huffman tables,
 * a bit reader, restart intervals. It knows nothing of libjpeg, and leaves damage to
 * it: at anything irregular reading gives up, and where it does not, the coefficients
 * are those that libjpeg finds without a warning.
 *
 * Owner:   a scan borrows its tables and bytes until the last read.
 * Threads: a table may be read by any number of threads; one scan per thread.
 * Errors:  none. False means: not by these means.
 */
#ifndef MXIO_JPEG_HUFFMAN_H
#define MXIO_JPEG_HUFFMAN_H

#include "base.h"

/* Bits looked up at once: more find two symbols more often, fewer stay in the cache. */
#define MXIO_HUFFMAN_LOOKUP 10

struct mxio_huffman_table {
    uint64_t lookup[1 << MXIO_HUFFMAN_LOOKUP];
    uint32_t limits[17]; /* [length]: codes of that length lie below, 16 bits wide */
    int32_t offsets[17]; /* [length]: from a code to its place in values */
    uint8_t values[256];
};

/*
 * Build a table from what a DHT segment holds: how many codes have 1 to 16 bits, and
 * their symbols in order. False when that is no prefix code, has a code of only ones,
 * or, for DC differences, a symbol above 15.
 */
MXIO_MUST_USE bool
mxio_huffman_build(struct mxio_huffman_table *out, const uint8_t counts[16],
                   const uint8_t values[256], bool dc);

/* Where coefficient number k, 0 to 63, of a scan belongs in a block. */
unsigned
mxio_huffman_place(unsigned k);

#define MXIO_HUFFMAN_BLOCKS 10    /* in an MCU, at most: the standard says so */
#define MXIO_HUFFMAN_COMPONENTS 4 /* likewise */

struct mxio_huffman_block {
    const struct mxio_huffman_table *dc, *ac;
    int component; /* whose differences it continues */
    bool wanted;   /* else it is read and forgotten */
};

struct mxio_huffman_layout {
    struct mxio_huffman_block blocks[MXIO_HUFFMAN_BLOCKS];
    int block_count;
    uint32_t restart_interval; /* MCUs, 0: none */
};

/* Bytes without stuffing, a stretch of the scan; as much as stays in the first cache. */
#define MXIO_HUFFMAN_CHUNK 8192
/* Behind them lie ones, which are no code: a reader does not get beyond 12 of them. */
#define MXIO_HUFFMAN_PAD 64

struct mxio_bit_reader {
    const uint8_t *at; /* next byte to load */
    uint64_t bits;     /* from the top */
    unsigned count;    /* how many of them are loaded, at least */
};

/* All fields are the scan's own. */
struct mxio_huffman_scan {
    struct mxio_huffman_layout layout;
    const uint8_t *raw, *end; /* bytes not yet in the buffer */
    struct mxio_bit_reader reader;
    const uint8_t *stop; /* a reader beyond needs more, or has come to the end */
    size_t filled;       /* bytes in the buffer */
    bool whole;          /* they reach to the end of the interval */
    uint32_t next;       /* MCU that the reader stands before */
    uint32_t left;       /* MCUs from there to the end of the interval */
    uint32_t restarts;   /* markers passed */
    uint32_t predictions[MXIO_HUFFMAN_COMPONENTS];
    uint8_t buffer[MXIO_HUFFMAN_CHUNK + MXIO_HUFFMAN_PAD];
};

/* Begin at the first byte behind the SOS segment. */
void
mxio_huffman_start(struct mxio_huffman_scan *scan,
                   const struct mxio_huffman_layout *layout, const uint8_t *bytes,
                   size_t size);

/*
 * Read MCU number `mcu`, counted from 0 in the order of the scan, behind the one read
 * last. Nonzero coefficients go to the wanted blocks, which come zeroed, in natural
 * order. MCUs between are passed over; whole restart intervals without being read.
 */
MXIO_MUST_USE bool
mxio_huffman_read(struct mxio_huffman_scan *scan, uint32_t mcu,
                  int16_t (*const *blocks)[64]);

#endif
