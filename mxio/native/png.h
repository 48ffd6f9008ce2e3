/*
 * PNG: header, decode, encode. png.c is the only place that knows libpng.
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

#define MXIO_PNG_MAX_SIDE 1000000 /* libpng's own default */
/* Chunks that libpng keeps whole (texts, profiles) stay below this. */
#define MXIO_PNG_MAX_TEXT (8 * 1024 * 1024)

bool
mxio_png_sniff(const uint8_t *bytes, size_t size);

MXIO_MUST_USE enum mxio_status
mxio_png_new(struct mxio_png **out, struct mxio_error *err);

/* Accepts NULL. */
void
mxio_png_free(struct mxio_png *png);

/*
 * Plain pictures (png_plain.h) are decoded here, the others by libpng, and on damage its
 * word holds: wrong are a checksum of header, palette or pixels, a missing chunk or row;
 * put up with are damage in other chunks (texts, profiles), which are left out, and data
 * behind the last row.
 */
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

/* True when the picture opened last is decoded without libpng. */
bool
mxio_png_was_plain(const struct mxio_png *png);

/* For tests: leave plain pictures to libpng, too. */
void
mxio_png_only_libpng(struct mxio_png *png);

/* 1, 3 or 4 channels, level 0 to 9. *out is freed with mxio_free. */
MXIO_MUST_USE enum mxio_status
mxio_png_encode(const uint8_t *pixels, int width, int height, int channels, bool bgr,
                int level, uint8_t **out, size_t *out_size, struct mxio_error *err);

/* "libpng 1.6.39" */
const char *
mxio_png_version(void);

#endif
