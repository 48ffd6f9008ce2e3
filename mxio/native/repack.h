/*
 * One picture file in, one record for a .rec file out: read, decode, cut, resize, encode,
 * pack.
 *
 * The whole file is decoded, also where a square is cut out of it: a damaged picture is
 * never packed. EXIF orientation is applied unless channels are "as stored"; CMYK becomes
 * RGB; alpha is dropped for JPEG and for 1 or 3 channels.
 *
 * Owner:   a repacker keeps its decoders and memory from one picture to the next; a record
 *          belongs to the receiver.
 * Threads: one repacker per thread; the recipe is shared and not changed.
 * Errors:  MXIO_EIO when the file cannot be read, MXIO_EDATA for what is in it, MXIO_ENOMEM;
 *          MXIO_EFOREIGN for what the core cannot decode: another format, and as stored also
 *          more than 8 bits a channel.
 */
#ifndef MXIO_REPACK_H
#define MXIO_REPACK_H

#include "base.h"
#include "pool.h"

/* What becomes of every picture. */
struct mxio_recipe {
    bool unchanged;     /* the pixels of the file as they are */
    bool transcode;     /* JPEGs are written anew for fast reading (jpeg_transcode.h) */
    int channels;       /* 1, 3, or 0: as stored */
    bool center_crop;   /* the square in the middle, before resizing */
    int resize;         /* new length of the shorter edge; 0: stays */
    bool scaled_decode; /* JPEGs may be shrunk by 2, 4 or 8 while they are decoded */
    bool png;           /* else JPEG */
    int quality;        /* of JPEG, 1 to 100; level of PNG, 0 to 9 */
    int64_t max_pixels; /* of a picture, before and after */
};

/* Cubic to enlarge, area to shrink, else bilinear; beside the numbers of enum mxio_inter. */
#define MXIO_INTER_FITTING 9

/* One picture; the head is what comes before it in the payload. */
struct mxio_pack_job {
    const char *path;
    const uint8_t *head;
    size_t head_size;
    int inter;
};

struct mxio_repacker;

MXIO_MUST_USE enum mxio_status
mxio_repacker_new(struct mxio_repacker **out, struct mxio_error *err);

/* Accepts NULL. */
void
mxio_repacker_free(struct mxio_repacker *repacker);

/* The bytes of the record, released by the receiver. */
MXIO_MUST_USE enum mxio_status
mxio_repack(struct mxio_repacker *repacker, const struct mxio_recipe *recipe,
            const struct mxio_pack_job *job, struct mxio_block **out,
            struct mxio_error *err);

#endif
