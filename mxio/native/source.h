/*
 * Where a feed gets its batches: tables of numbers (rows), images of MNIST (mnist).
 *
 * Owner:   a feed owns its source; a batch's block belongs to the receiver. What the
 *          inputs of an opening point to outlives it.
 * Threads: one at a time.
 * Errors:  those of the source.
 */
#ifndef MXIO_SOURCE_H
#define MXIO_SOURCE_H

#include "base.h"
#include "pool.h"

/* Places in a block. A dense array has only values; one of CSR also the indices of its
 * columns and the starts of its rows, int64, starts[batch_size] being the count. */
struct mxio_row_array {
    size_t values, indices, starts;
};

struct mxio_row_batch {
    struct mxio_block *block;
    size_t pad;     /* rows at the end that are no new ones */
    uint64_t carry; /* rows of the next epoch that this epoch has taken */
    size_t ids;     /* place of the numbers of the rows, uint64 */
    struct mxio_row_array data, label;
};

/* What may be asked of every source; the first argument is its `self`. */
struct mxio_source_calls {
    void (*free)(void *self);

    /* Begin an epoch, behind `carry` rows. */
    void (*start)(void *self, uint64_t carry);

    /*
     * The next batch; block NULL at the end of the epoch. A failure uses up its batch:
     * the next call gives the one behind it, unless *last says that nothing follows:
     * after the end, or a failure that only a new start can mend.
     */
    enum mxio_status (*next)(void *self, struct mxio_row_batch *out, bool *last,
                             struct mxio_error *err);
};

struct mxio_source {
    void *self;
    const struct mxio_source_calls *calls;
};

/* How a source is opened, which reads. The watch is asked then, and as long as it lives.
 */
struct mxio_opening {
    enum mxio_status (*open)(struct mxio_source *out, const void *inputs,
                             const struct mxio_watch *watch, struct mxio_error *err);
    const void *inputs;
    size_t inputs_size;
};

#endif
