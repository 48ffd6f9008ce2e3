/*
 * A JPEG written anew for fast reading, without loss: the same coefficients and tables
 * as one baseline scan, with Huffman codes made for the picture and a restart marker
 * every few MCUs. All APPn and COM segments stay, in their order, as they are; bytes
 * behind the end of the picture do not.
 *
 * Owner:   *out belongs to the caller, freed with mxio_free.
 * Threads: any.
 * Errors:  MXIO_EDATA when the picture is damaged anywhere, MXIO_EFOREIGN when it is
 *          to be kept as it is: what it holds cannot be said in baseline. Nothing is
 *          given out that was not read again and found to hold the same.
 */
#ifndef MXIO_JPEG_TRANSCODE_H
#define MXIO_JPEG_TRANSCODE_H

#include "base.h"

#define MXIO_JPEG_MAX_RESTART 65535 /* MCUs; DRI has 16 bits */
/* The interval that loads fastest: shorter ones make larger files, longer ones leave
 * more to be read beside a crop (docs/performance.md). */
#define MXIO_JPEG_FAST_RESTART 4

/* restart_interval: MCUs, 0 for no markers. More than max_pixels pixels are refused. */
MXIO_MUST_USE enum mxio_status
mxio_jpeg_transcode(const uint8_t *bytes, size_t size, unsigned restart_interval,
                    int64_t max_pixels, uint8_t **out, size_t *out_size,
                    struct mxio_error *err);

#endif
