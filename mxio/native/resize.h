/*
 * Resize of 8-bit pixels, one output row at a time, for any window of the output.
 *
 * Methods, pixel centres and weights are OpenCV's; bilinear in its fixed point, the others
 * in floats, so that no result of bilinear is further than one level from it. A window of
 * the output is exactly that part of the whole output.
 *
 * Owner:   a resizer keeps its memory from one picture to the next; a row is borrowed
 *          until the next call. The view must live until the last row.
 * Threads: one resizer per thread.
 * Errors:  MXIO_ENOMEM.
 */
#ifndef MXIO_RESIZE_H
#define MXIO_RESIZE_H

#include "base.h"
#include "kernels.h"
#include "maths.h"

/* The pixels of the source that a window of the output is made of. */
struct mxio_rect
mxio_resize_source(struct mxio_size from, struct mxio_size to, enum mxio_inter inter,
                   struct mxio_rect window);

/* Bilinear: for each output pixel, where its two source pixels are and what they count. */
struct mxio_axis {
    int32_t
        *first; /* columns: byte offset of the left pixel; rows: number of the upper */
    struct mxio_weights *weights;
    size_t room;
};

/* Any method: for each output pixel a run of taps in one list. */
struct mxio_taps {
    struct mxio_tap *taps;
    size_t *end; /* of each output pixel's run */
    size_t tap_room, end_room;
};

/* Rows of the source that are kept stretched; Lanczos looks at eight. */
#define MXIO_KEPT_ROWS 8

struct mxio_resizer {
    const struct mxio_kernels *kernels;
    bool bilinear, by_fours; /* else by taps */
    struct mxio_axis x, y;
    struct mxio_buffer fours; /* of the columns */
    struct mxio_taps columns, rows;
    struct mxio_buffer stretched[MXIO_KEPT_ROWS];
    int held_row[MXIO_KEPT_ROWS];
    struct mxio_buffer sum, out;
    const struct mxio_view *from;
    struct mxio_rect window;
};

void
mxio_resizer_free(struct mxio_resizer *resizer);

/*
 * The view holds at least mxio_resize_source of the window. With `flip`, rows come right
 * to left.
 */
MXIO_MUST_USE enum mxio_status
mxio_resizer_start(struct mxio_resizer *resizer, const struct mxio_view *from,
                   struct mxio_size to, enum mxio_inter inter, struct mxio_rect window,
                   bool flip, struct mxio_error *err);

/* Row y of the window; rows are asked for in rising order. */
const uint8_t *
mxio_resizer_row(struct mxio_resizer *resizer, int y);

#endif
