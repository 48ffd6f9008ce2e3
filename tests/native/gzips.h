/*
 * Bytes packed by gzip, with zlib.
 */
#ifndef MXIO_TEST_GZIPS_H
#define MXIO_TEST_GZIPS_H

#include <zlib.h>

#include "records.h"

/* Add one member of gzip. */
static inline void
bytes_gzip(struct bytes *to, const void *from, size_t size)
{
    z_stream packing = {.next_in = (Bytef *)from, .avail_in = (uInt)size};

    MUST(deflateInit2(&packing, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK,
         "deflateInit2");
    const size_t room = deflateBound(&packing, (uLong)size);
    uint8_t *out = malloc(room);
    MUST(out != NULL, "malloc");
    packing.next_out = out;
    packing.avail_out = (uInt)room;
    MUST(deflate(&packing, Z_FINISH) == Z_STREAM_END, "deflate");
    bytes_add(to, out, packing.total_out);
    deflateEnd(&packing);
    free(out);
}

#endif
