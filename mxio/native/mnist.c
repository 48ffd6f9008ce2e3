#include "mnist.h"

#include <string.h>

#include "idx.h"
#include "kernels.h"
#include "rng.h"

enum { IMAGE, LABEL };

/* Images scaled between two looks at the watch. */
#define STRIDE ((size_t)1024)

struct mxio_mnist {
    size_t batch_size, count; /* images of the part */
    uint32_t rows, columns;
    size_t image_size;
    uint8_t *images, *labels; /* in the order of the batches */
    uint64_t *ids;
    struct mxio_pool *pool;
    struct mxio_row_batch layout; /* places in a block */
    size_t at;                    /* the first image of the next batch */
    struct mxio_watch watch;
};

/* ---- reading ---- */

struct files {
    struct mxio_idx images, labels;
    size_t begin, end; /* the part */
};

void
mxio_mnist_free(struct mxio_mnist *mnist)
{
    if (mnist == NULL)
        return;
    mxio_free(mnist->images);
    mxio_free(mnist->labels);
    mxio_free(mnist->ids);
    mxio_pool_close(mnist->pool);
    mxio_free(mnist);
}

static enum mxio_status
in_file(int file, enum mxio_status status, struct mxio_error *err)
{
    if (status != MXIO_OK)
        err->file = file;
    return status;
}

static enum mxio_status
open_files(struct files *files, const struct mxio_mnist_inputs *inputs,
           struct mxio_error *err)
{
    struct mxio_watch watch = inputs->watch;
    enum mxio_status status = in_file(IMAGE,
                                      mxio_idx_open(&files->images, inputs->image,
                                                    MXIO_IDX_SIZES, &watch, err),
                                      err);

    watch.first_file = LABEL;
    if (status == MXIO_OK)
        status =
            in_file(LABEL, mxio_idx_open(&files->labels, inputs->label, 1, &watch, err),
                    err);
    if (status != MXIO_OK)
        return status;
    const uint32_t count = files->images.sizes[0];
    if (files->labels.sizes[0] != count) {
        err->file = LABEL;
        err->offset = 4;
        return mxio_fail(err, MXIO_EDATA, "%lu labels for %lu images",
                         (unsigned long)files->labels.sizes[0], (unsigned long)count);
    }
    /* MXNet's part, in double. */
    const double share = (double)count / (double)inputs->num_parts;
    const bool last = inputs->part_index + 1 == inputs->num_parts;
    files->begin = (size_t)(share * (double)inputs->part_index);
    files->end = last ? count : (size_t)(share * (double)(inputs->part_index + 1));
    return MXIO_OK;
}

/* Where image `i` of the part goes. */
static size_t *
places_of(const struct mxio_mnist *mnist, const struct mxio_mnist_inputs *inputs)
{
    const struct mxio_permutation order =
        mxio_permutation_make(inputs->seed, 0, mnist->count);
    size_t *places = mxio_alloc(mnist->count * sizeof *places);

    for (size_t i = 0; places != NULL && i < mnist->count; i++)
        places[inputs->shuffle ? mxio_permutation_at(&order, i) : i] = i;
    return places;
}

/* The rows of the part to their places; the rest of the file is looked at, too. */
static enum mxio_status
read_part(struct mxio_idx *idx, const struct files *files, const size_t *places,
          uint8_t *out, struct mxio_error *err)
{
    enum mxio_status status = mxio_idx_read(idx, NULL, files->begin, err);

    for (size_t i = files->begin; i < files->end && status == MXIO_OK; i++)
        status =
            mxio_idx_read(idx, out + places[i - files->begin] * idx->row_size, 1, err);
    if (status == MXIO_OK)
        status = mxio_idx_read(idx, NULL, idx->sizes[0] - files->end, err);
    return status == MXIO_OK ? mxio_idx_end(idx, err) : status;
}

static enum mxio_status
read_files(struct mxio_mnist *mnist, struct files *files, const size_t *places,
           struct mxio_error *err)
{
    enum mxio_status status =
        in_file(IMAGE, read_part(&files->images, files, places, mnist->images, err),
                err);

    if (status == MXIO_OK)
        status =
            in_file(LABEL, read_part(&files->labels, files, places, mnist->labels, err),
                    err);
    for (size_t i = 0; i < mnist->count; i++)
        mnist->ids[places[i]] = files->begin + i;
    return status;
}

/* Places of the arrays in a block; *out is its size, false when there is none so large.
 */
static bool
lay_out(struct mxio_mnist *mnist, size_t *out)
{
    const size_t batch_size = mnist->batch_size;
    struct mxio_row_batch *layout = &mnist->layout;
    size_t data_size;

    if (!mxio_multiply(batch_size * sizeof(float), mnist->image_size, &data_size) ||
        data_size > SIZE_MAX / 2)
        return false;
    layout->label.values = mxio_section(data_size);
    layout->ids = layout->label.values + mxio_section(batch_size * sizeof(float));
    *out = layout->ids + batch_size * sizeof *mnist->ids;
    return true;
}

static enum mxio_status
make_mnist(struct mxio_mnist *mnist, const struct mxio_mnist_inputs *inputs,
           struct files *files, struct mxio_error *err)
{
    const size_t count = files->end - files->begin;
    size_t block_size = 0;

    if (count < inputs->batch_size)
        return mxio_fail(
            err, MXIO_EPARAM,
            "batch_size must be at most %zu, the images of part %zu of %zu, got %zu",
            count, inputs->part_index, inputs->num_parts, inputs->batch_size);
    mnist->watch = inputs->watch;
    mnist->count = count;
    mnist->batch_size = inputs->batch_size;
    mnist->rows = files->images.sizes[1];
    mnist->columns = files->images.sizes[2];
    mnist->image_size = files->images.row_size;
    mnist->images = mxio_alloc(count * mnist->image_size);
    mnist->labels = mxio_alloc(count);
    mnist->ids = mxio_alloc(count * sizeof *mnist->ids);
    size_t *places = places_of(mnist, inputs);
    enum mxio_status status = MXIO_OK;
    if (mnist->images == NULL || mnist->labels == NULL || mnist->ids == NULL ||
        places == NULL || !lay_out(mnist, &block_size)) {
        mxio_fail(err, MXIO_ENOMEM, "no memory for %zu images of %zu bytes", count,
                  mnist->image_size);
        status = MXIO_ENOMEM;
    }
    if (status == MXIO_OK)
        status = read_files(mnist, files, places, err);
    mxio_free(places);
    return status == MXIO_OK
               ? mxio_pool_new(&mnist->pool, block_size, inputs->keep, err)
               : status;
}

enum mxio_status
mxio_mnist_new(struct mxio_mnist **out, const struct mxio_mnist_inputs *inputs,
               struct mxio_error *err)
{
    struct files files = {.begin = 0};
    struct mxio_mnist *mnist = mxio_alloc(sizeof *mnist);

    if (mnist == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for images");
    enum mxio_status status = open_files(&files, inputs, err);
    if (status == MXIO_OK)
        status = make_mnist(mnist, inputs, &files, err);
    mxio_idx_close(&files.images);
    mxio_idx_close(&files.labels);
    if (status == MXIO_OK)
        *out = mnist;
    else
        mxio_mnist_free(mnist);
    return status;
}

void
mxio_mnist_shape(const struct mxio_mnist *mnist, uint32_t *rows, uint32_t *columns)
{
    *rows = mnist->rows;
    *columns = mnist->columns;
}

/* ---- as a source ---- */

static void
free_source(void *self)
{
    mxio_mnist_free(self);
}

static void
start(void *self, uint64_t carry)
{
    struct mxio_mnist *mnist = self;

    (void)carry; /* no batch runs on into the next epoch */
    mnist->at = 0;
}

/* count bytes times `factor`. */
static void
scale(float *out, const uint8_t *in, size_t count, float factor)
{
    static const float zero = 0;
    const struct mxio_affine by = {.mean = &zero, .factor = &factor, .bias = &zero};

    mxio_kernels_best()->values->to_float32(out, in, count, &by);
}

static enum mxio_status
fill(const struct mxio_mnist *mnist, uint8_t *bytes, struct mxio_error *err)
{
    const size_t size = mnist->image_size;
    float *data = (void *)(bytes + mnist->layout.data.values);

    for (size_t row = 0; row < mnist->batch_size; row += STRIDE) {
        const size_t left = mnist->batch_size - row;
        const enum mxio_status status = mxio_watch_ask(&mnist->watch, -1, 0, err);
        if (status != MXIO_OK)
            return status;
        scale(data + row * size, mnist->images + (mnist->at + row) * size,
              (left < STRIDE ? left : STRIDE) * size, 1.0F / 256);
    }
    scale((void *)(bytes + mnist->layout.label.values), mnist->labels + mnist->at,
          mnist->batch_size, 1);
    memcpy(bytes + mnist->layout.ids, mnist->ids + mnist->at,
           mnist->batch_size * sizeof *mnist->ids);
    return MXIO_OK;
}

static enum mxio_status
next(void *self, struct mxio_row_batch *out, bool *last, struct mxio_error *err)
{
    struct mxio_mnist *mnist = self;

    *out = mnist->layout;
    *last = mnist->count - mnist->at < mnist->batch_size;
    if (*last)
        return MXIO_OK;
    struct mxio_block *block = NULL;
    enum mxio_status status = mxio_pool_get(mnist->pool, &block, err);
    if (status == MXIO_OK)
        status = fill(mnist, block->bytes, err);
    if (status != MXIO_OK) {
        mxio_block_release(block);
        *last = true;
        return status;
    }
    mnist->at += mnist->batch_size;
    out->block = block;
    return MXIO_OK;
}

struct mxio_source
mxio_mnist_source(struct mxio_mnist *mnist)
{
    static const struct mxio_source_calls calls = {free_source, start, next};

    return (struct mxio_source){mnist, &calls};
}

static enum mxio_status
open_source(struct mxio_source *out, const void *given, const struct mxio_watch *watch,
            struct mxio_error *err)
{
    struct mxio_mnist_inputs inputs = *(const struct mxio_mnist_inputs *)given;
    struct mxio_mnist *mnist = NULL;

    inputs.watch = *watch;
    const enum mxio_status status = mxio_mnist_new(&mnist, &inputs, err);
    if (status == MXIO_OK)
        *out = mxio_mnist_source(mnist);
    return status;
}

struct mxio_opening
mxio_mnist_opening(const struct mxio_mnist_inputs *inputs)
{
    return (struct mxio_opening){open_source, inputs, sizeof *inputs};
}
