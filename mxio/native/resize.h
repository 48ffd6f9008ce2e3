/*
 * Bilinear resize of 8-bit pixels, one output row at a time, for any window of the
 * output.
 *
 * Pixel centres and fixed-point weights are OpenCV's (INTER_LINEAR): no result is
 * further than one level from it. A window of the output is exactly that part of the
 * whole output.
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

struct mxio_size {
    int width, height;
};

/* The pixels of the source that a window of the output is made of. */
struct mxio_rect
mxio_resize_source(struct mxio_size from, struct mxio_size to, struct mxio_rect window);

/* For each output pixel: where its two source pixels are, and what each counts. */
struct mxio_axis {
    int32_t
        *first; /* columns: byte offset of the left pixel; rows: number of the upper */
    struct mxio_weights *weights;
    size_t room;
};

struct mxio_resizer {
    const struct mxio_kernels *kernels;
    struct mxio_axis x, y;
    struct mxio_buffer stretched[2]; /* the two source rows last used, stretched to the
                                        output's width */
    int held_row[2];
    struct mxio_buffer out;
    const struct mxio_view *from;
    struct mxio_rect window;
};

void
mxio_resizer_free(struct mxio_resizer *resizer);

/* The view holds at least mxio_resize_source of the window. With `flip`, rows come
 * right to left. */
MXIO_MUST_USE enum mxio_status
mxio_resizer_start(struct mxio_resizer *resizer, const struct mxio_view *from,
                   struct mxio_size to, struct mxio_rect window, bool flip,
                   struct mxio_error *err);

/* Row y of the window; rows are asked for in rising order. */
const uint8_t *
mxio_resizer_row(struct mxio_resizer *resizer, int y);

#endif
