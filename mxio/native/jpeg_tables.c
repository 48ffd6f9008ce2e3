#include "jpeg_tables.h"

#include <string.h>

/* Below this, building tables takes longer than they save. */
#define SMALL_SIZE 8192

void
mxio_huffman_cache_begin(struct mxio_huffman_cache *cache, size_t size)
{
    cache->picture++;
    cache->small = size < SMALL_SIZE;
}

static size_t
value_count(const uint8_t counts[16])
{
    size_t sum = 0;

    for (int i = 0; i < 16; i++)
        sum += counts[i];
    return sum;
}

/* The entry of that table, or the one to put it in, unused. */
static struct mxio_huffman_cached *
find(struct mxio_huffman_cache *cache, const uint8_t counts[16], const uint8_t *values,
     size_t count, bool dc)
{
    struct mxio_huffman_cached *oldest = &cache->tables[0];

    for (int i = 0; i < MXIO_HUFFMAN_CACHED; i++) {
        struct mxio_huffman_cached *entry = &cache->tables[i];
        if (entry->used != 0 && entry->dc == dc &&
            memcmp(entry->counts, counts, sizeof entry->counts) == 0 &&
            memcmp(entry->values, values, count) == 0)
            return entry;
        if (entry->used < oldest->used)
            oldest = entry;
    }
    oldest->used = 0;
    return oldest;
}

const struct mxio_huffman_table *
mxio_huffman_cache_get(struct mxio_huffman_cache *cache, const uint8_t counts[16],
                       const uint8_t *values, bool dc)
{
    const size_t count = value_count(counts);

    if (count > sizeof cache->tables[0].values)
        return NULL;
    struct mxio_huffman_cached *entry = find(cache, counts, values, count, dc);
    const bool seen = entry->used != 0;
    if (!seen) {
        memcpy(entry->counts, counts, sizeof entry->counts);
        memcpy(entry->values, values, count);
        memset(entry->values + count, 0, sizeof entry->values - count);
        entry->dc = dc;
        entry->built = false;
    }
    entry->used = cache->picture;
    if (!entry->built && (seen || !cache->small))
        entry->built =
            mxio_huffman_build(&entry->table, entry->counts, entry->values, dc);
    return entry->built ? &entry->table : NULL;
}
