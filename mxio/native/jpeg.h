/*
 * JPEG: header, window decode, encode. Only files of this family know libjpeg-turbo.
 *
 * Owner:   a decoder keeps its memory from one picture to the next; the view of a
 *          decoded window is borrowed from it until the next open. The bytes given to
 *          open must live until then.
 * Threads: one decoder per thread.
 * Errors:  MXIO_EDATA when the bytes needed are damaged; libjpeg's longjmp never leaves
 *          the file.
 */
#ifndef MXIO_JPEG_H
#define MXIO_JPEG_H

#include "base.h"

struct mxio_jpeg;

/* True when the bytes start as a JPEG does. */
bool
mxio_jpeg_sniff(const uint8_t *bytes, size_t size);

MXIO_MUST_USE enum mxio_status
mxio_jpeg_new(struct mxio_jpeg **out, struct mxio_error *err);

/* What of the decoding is ours, where we can, and not libjpeg's. */
struct mxio_jpeg_ways {
    bool plain;   /* all of it, of usual pictures */
    bool entropy; /* Huffman codes to coefficients */
    bool second;  /* as plain, but only where libjpeg finds damage */
};

/* The same in these ways, whatever the self-test finds. For tests: all pixels and
 * verdicts are equal. */
MXIO_MUST_USE enum mxio_status
mxio_jpeg_new_with(struct mxio_jpeg_ways ways, struct mxio_jpeg **out,
                   struct mxio_error *err);

/* Accepts NULL. */
void
mxio_jpeg_free(struct mxio_jpeg *jpeg);

/*
 * Read the header. With `orient`, the picture is turned upright as its EXIF orientation
 * says, and all coordinates are those of the upright picture. More than max_pixels
 * pixels are refused.
 */
MXIO_MUST_USE enum mxio_status
mxio_jpeg_open(struct mxio_jpeg *jpeg, const uint8_t *bytes, size_t size, bool orient,
               int64_t max_pixels, struct mxio_picture *out, struct mxio_error *err);

/*
 * Between open and read, which is then of the whole picture: decode at 1/2, 1/4 or 1/8 of
 * the size, by smaller transforms of its blocks. *out becomes the size that comes, sides
 * rounded up.
 */
MXIO_MUST_USE enum mxio_status
mxio_jpeg_shrink(struct mxio_jpeg *jpeg, int by, struct mxio_picture *out,
                 struct mxio_error *err);

/*
 * Decode the window to 1 (gray) or 3 channels (blue first with `bgr`). Pixels are
 * exactly those of a full decode. Damage beside the window may be met or not; which, is
 * the same for all decoders of mxio_jpeg_new. Once per open.
 */
MXIO_MUST_USE enum mxio_status
mxio_jpeg_read(struct mxio_jpeg *jpeg, int channels, bool bgr, struct mxio_rect window,
               struct mxio_view *out, struct mxio_error *err);

/* In which ways the window just read was decoded. */
struct mxio_jpeg_ways
mxio_jpeg_used(const struct mxio_jpeg *jpeg);

/*
 * Give away the memory behind the view just read, when it holds those rows and nothing
 * between them: a whole picture that needed no turning. Else NULL. Freed with mxio_free.
 */
uint8_t *
mxio_jpeg_take(struct mxio_jpeg *jpeg, const struct mxio_view *view);

/*
 * A baseline JPEG, 4:2:0, of 1 or 3 channels, quality 1 to 100. *out is freed with
 * mxio_free.
 */
MXIO_MUST_USE enum mxio_status
mxio_jpeg_encode(const uint8_t *pixels, int width, int height, int channels, bool bgr,
                 int quality, uint8_t **out, size_t *out_size, struct mxio_error *err);

/* In which ways the decoders of mxio_jpeg_new work. The first call runs the self-test;
 * MXIO_ENOMEM leaves it to the next. */
MXIO_MUST_USE enum mxio_status
mxio_jpeg_test_ways(struct mxio_jpeg_ways *out, struct mxio_error *err);

/* The same in words, of each way: "own", or "stock (why)". */
struct mxio_jpeg_words {
    const char *plain, *entropy;
};

struct mxio_jpeg_words
mxio_jpeg_ways_told(void);

/* "libjpeg-turbo 2.1.5" */
const char *
mxio_jpeg_version(void);

#endif
