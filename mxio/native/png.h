/*
 * PNG, the only place that knows libpng: header, decode, encode.
 *
 * Owner:   a decoder keeps its memory from one picture to the next; the view of a
 *          decoded window is borrowed from it until the next open. The bytes given to
 *          open must live until then.
 * Threads: one decoder per thread.
 * Errors:  MXIO_EDATA when the picture is damaged; libpng's longjmp never leaves
 *          the file.
 */
#ifndef MXIO_PNG_H
#define MXIO_PNG_H

#include "base.h"

struct mxio_png;

bool
mxio_png_sniff(const uint8_t *bytes, size_t size);

MXIO_MUST_USE enum mxio_status
mxio_png_new(struct mxio_png **out, struct mxio_error *err);

/* Accepts NULL. */
void
mxio_png_free(struct mxio_png *png);

MXIO_MUST_USE enum mxio_status
mxio_png_open(struct mxio_png *png, const uint8_t *bytes, size_t size,
              int64_t max_pixels, struct mxio_picture *out, struct mxio_error *err);

/*
 * Decode the window to 1 (gray), 3 or 4 channels of 8 bits, blue first with `bgr`.
 * Alpha is dropped for 1 and 3, and must be there for 4. 16 bits are cut to their
 * high 8. Once per open.
 */
MXIO_MUST_USE enum mxio_status
mxio_png_read(struct mxio_png *png, int channels, bool bgr, struct mxio_rect window,
              struct mxio_view *out, struct mxio_error *err);

/* 1, 3 or 4 channels, level 0 to 9. *out is freed with mxio_free. */
MXIO_MUST_USE enum mxio_status
mxio_png_encode(const uint8_t *pixels, int width, int height, int channels, bool bgr,
                int level, uint8_t **out, size_t *out_size, struct mxio_error *err);

/* "libpng 1.6.39" */
const char *
mxio_png_version(void);

#endif
