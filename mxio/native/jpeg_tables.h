/*
 * Huffman tables kept from picture to picture: most pictures of a set have the same ones.
 *
 * Owner:   a cache owns its tables; they move only when others are asked for.
 * Threads: one cache per thread.
 * Errors:  none. NULL means: not by these means.
 */
#ifndef MXIO_JPEG_TABLES_H
#define MXIO_JPEG_TABLES_H

#include "jpeg_huffman.h"

/* A picture can use as many: two for each component. */
#define MXIO_HUFFMAN_CACHED (2 * MXIO_HUFFMAN_COMPONENTS)

struct mxio_huffman_cached {
    uint64_t used; /* number of the last picture that asked for it, 0: none */
    bool built;
    bool dc;
    uint8_t counts[16], values[256]; /* what it is made from */
    struct mxio_huffman_table table;
};

struct mxio_huffman_cache {
    uint64_t picture; /* counted from 1 */
    bool small;
    struct mxio_huffman_cached tables[MXIO_HUFFMAN_CACHED];
};

/* A picture begins, with so many bytes in its scan. A small one does not have a table made
 * at first sight: that would take longer than it saves. */
void
mxio_huffman_cache_begin(struct mxio_huffman_cache *cache, size_t size);

/*
 * The table that a DHT segment holds (mxio_huffman_build), valid until the next picture
 * begins; NULL when it is none, or not made yet. A picture asks for all of its tables, so
 * that the next small one finds them seen.
 */
const struct mxio_huffman_table *
mxio_huffman_cache_get(struct mxio_huffman_cache *cache, const uint8_t counts[16],
                       const uint8_t *values, bool dc);

#endif
