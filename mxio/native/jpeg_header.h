/*
 * The segments of a usual JPEG up to its scan: baseline, gray or YCbCr, all components in
 * one scan, chroma as fine as luma, or half as fine across, or both ways. Everything else
 * is left to libjpeg, damage included: what is accepted here, libjpeg reads in the same way.
 *
 * Owner:   a header points into the bytes it was read from.
 * Threads: pure but for *header.
 * Errors:  none. False means: not by these means.
 */
#ifndef MXIO_JPEG_HEADER_H
#define MXIO_JPEG_HEADER_H

#include "base.h"

#define MXIO_JPEG_COMPONENTS 3

/* The content of a DHT segment from a table's counts on. */
struct mxio_jpeg_table {
    const uint8_t *counts, *values; /* NULL: there is none */
};

struct mxio_jpeg_component {
    int steps;  /* number of its quantisation table */
    int dc, ac; /* of its Huffman tables */
};

struct mxio_jpeg_header {
    int width, height;
    int component_count; /* 1 or 3 */
    int across, down;    /* luma samples for each of chroma: 1 or 2 */
    struct mxio_jpeg_component components[MXIO_JPEG_COMPONENTS];
    const uint8_t *steps[4]; /* 64 each, in the order of the scan; NULL: none */
    struct mxio_jpeg_table dc[4], ac[4];
    uint32_t restart_interval; /* MCUs, 0: none */
    const uint8_t *data;       /* behind the SOS segment */
    size_t data_size;
};

/* From the SOI marker on, which is there. */
MXIO_MUST_USE bool
mxio_jpeg_header_read(struct mxio_jpeg_header *header, const uint8_t *bytes,
                      size_t size);

#endif
