/*
 * Batches of MNIST's images, which stay in memory as bytes.
 *
 * Data are float32, byte / 256, one image behind the other; labels float32. Images are
 * shuffled once, by seed; every epoch has the same order, and leaves an incomplete last
 * batch out. ids are the places of the images in the file.
 *
 * Owner:   new reads both files whole, and closes them; a batch's block belongs to the
 *          receiver.
 * Threads: one at a time.
 * Errors:  all but MXIO_ENOMEM, and MXIO_ESTATE when told to stop, come from new: those of idx.h with err->file, 0 for the
 *          images, 1 for the labels; MXIO_EPARAM when a batch is larger than the part.
 */
#ifndef MXIO_MNIST_H
#define MXIO_MNIST_H

#include "source.h"

struct mxio_mnist_inputs {
    const char *image, *label; /* paths */
    size_t batch_size;
    size_t num_parts, part_index;
    size_t keep; /* idle batches held back for reuse */
    bool shuffle;
    int64_t seed;
    struct mxio_watch watch;
};

struct mxio_mnist;

MXIO_MUST_USE enum mxio_status
mxio_mnist_new(struct mxio_mnist **out, const struct mxio_mnist_inputs *inputs,
               struct mxio_error *err);

/* Accepts NULL. */
void
mxio_mnist_free(struct mxio_mnist *mnist);

/* Rows and columns of an image. */
void
mxio_mnist_shape(const struct mxio_mnist *mnist, uint32_t *rows, uint32_t *columns);

/* The images as a source, which owns them and has them as its `self`. */
struct mxio_source
mxio_mnist_source(struct mxio_mnist *mnist);

/* Opens them as a source. */
struct mxio_opening
mxio_mnist_opening(const struct mxio_mnist_inputs *inputs);

#endif
