/*
 * Our entropy decoding in the place of libjpeg's, which goes on with its own inverse
 * transform, upsampling and colours. libjpeg calls its entropy decoder through a
 * pointer in a private struct; see docs/decisions/0009-entropy-decoder.md.
 *
 * Owner:   an mxio_entropy keeps its tables from one picture to the next; it borrows
 *          the codec and the codec's bytes until the picture is done.
 * Threads: one per thread.
 * Errors:  none of its own. When it gives a picture up, it jumps over the fence with
 *          `irregular` set and no error; libjpeg must then decode all of it anew.
 */
#ifndef MXIO_JPEG_ENTROPY_H
#define MXIO_JPEG_ENTROPY_H

#include "jpeg_codec.h"

struct mxio_entropy;

MXIO_MUST_USE enum mxio_status
mxio_entropy_new(struct mxio_entropy **out, struct mxio_error *err);

/* Accepts NULL. */
void
mxio_entropy_free(struct mxio_entropy *entropy);

/* True when the picture is one of those that we can decode: 8 bits, baseline, all
 * components in one scan. After jpeg_start_decompress. */
bool
mxio_entropy_knows(const struct jpeg_decompress_struct *codec);

/*
 * Take over a picture that is known, after jpeg_start_decompress and
 * jpeg_crop_scanline and before the first row. `left` is where the output begins.
 * A small picture with tables never seen before is left to libjpeg.
 */
void
mxio_entropy_take(struct mxio_entropy *entropy, struct jpeg_decompress_struct *codec,
                  JDIMENSION left);

/* True when we have decoded some of the picture last taken. */
bool
mxio_entropy_was_used(const struct mxio_entropy *entropy);

#endif
