/*
 * The orientation that a JPEG's EXIF block asks for.
 *
 * Owner:   the bytes are borrowed.
 * Threads: any.
 * Errors:  none; what is broken counts as upright.
 */
#ifndef MXIO_JPEG_EXIF_H
#define MXIO_JPEG_EXIF_H

#include "base.h"

/* 1 to 8; 1 is upright. The bytes begin with SOI. */
int
mxio_jpeg_orientation(const uint8_t *bytes, size_t size);

#endif
