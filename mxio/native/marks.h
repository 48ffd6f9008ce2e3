/*
 * Where record heads may be: every magic number in a stretch of bytes, at any
 * alignment. Damaged files are read by them.
 *
 * Owner:   everything works on the caller's memory.
 * Threads: pure functions.
 * Errors:  none.
 */
#ifndef MXIO_MARKS_H
#define MXIO_MARKS_H

#include "base.h"

/* The places, rising, of at most `room` magic numbers that lie whole in [from, size);
 * size <= UINT32_MAX. Returns how many there are; fewer than room means all. */
size_t
mxio_marks_find(const uint8_t *bytes, size_t size, size_t from, uint32_t *out,
                size_t room);

#endif
