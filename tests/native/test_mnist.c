#include "mnist.h"

#include "faults.h"
#include "idxs.h"

#define COUNT 25

static struct mxio_mnist_inputs
inputs_of(uint32_t rows, uint32_t columns, size_t batch_size)
{
    struct bytes images = idx_images(COUNT, rows, columns), labels = idx_labels(COUNT);
    const struct mxio_mnist_inputs inputs = {.image = temp_file(images.at, images.size),
                                             .label = temp_file(labels.at, labels.size),
                                             .batch_size = batch_size,
                                             .num_parts = 1};

    free(images.at);
    free(labels.at);
    return inputs;
}

/* An epoch; writes the ids, and proves that pixels and labels belong to them. */
static void
read_epoch(struct mxio_source source, size_t batch_size, size_t image_size,
           uint64_t *ids, size_t *count)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_row_batch batch;
    bool last = false;

    *count = 0;
    source.calls->start(source.self, 0);
    for (;;) {
        CHECK_OK(source.calls->next(source.self, &batch, &last, &err), err);
        if (batch.block == NULL)
            break;
        const uint8_t *bytes = batch.block->bytes;
        const float *data = (const void *)(bytes + batch.data.values);
        const float *labels = (const void *)(bytes + batch.label.values);
        CHECK(!last && batch.pad == 0 && batch.carry == 0);
        memcpy(ids + *count, bytes + batch.ids, batch_size * sizeof *ids);
        for (size_t i = 0; i < batch_size; i++) {
            const uint64_t id = ids[*count + i];
            CHECK_NEAR(labels[i], (double)id, 0);
            for (size_t k = 0; k < image_size; k++)
                CHECK_NEAR(data[i * image_size + k], (double)(10 * id + k) / 256, 0);
        }
        *count += batch_size;
        mxio_block_release(batch.block);
    }
    CHECK(last);
}

TEST(an_epoch_has_all_whole_batches_in_the_order_of_the_file)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const struct mxio_mnist_inputs inputs = inputs_of(2, 2, 4);
    struct mxio_mnist *mnist = NULL;
    uint32_t rows = 0, columns = 0;
    uint64_t ids[COUNT];
    size_t count;

    CHECK_OK(mxio_mnist_new(&mnist, &inputs, &err), err);
    mxio_mnist_shape(mnist, &rows, &columns);
    CHECK(rows == 2 && columns == 2);
    const struct mxio_source source = mxio_mnist_source(mnist);
    for (int epoch = 0; epoch < 2; epoch++) {
        read_epoch(source, 4, 4, ids, &count);
        CHECK_INT(count, 24);
        for (uint64_t i = 0; i < 24; i++)
            CHECK_INT(ids[i], i);
    }
    source.calls->free(source.self);
}

TEST(a_shuffled_epoch_has_every_image_once_and_again_the_same)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_mnist_inputs inputs = inputs_of(1, 3, 5);
    struct mxio_mnist *mnist = NULL;
    uint64_t ids[2][COUNT];
    int seen[COUNT] = {0};
    size_t count, moved = 0;

    inputs.shuffle = true;
    inputs.seed = 5;
    CHECK_OK(mxio_mnist_new(&mnist, &inputs, &err), err);
    const struct mxio_source source = mxio_mnist_source(mnist);
    for (int epoch = 0; epoch < 2; epoch++) {
        read_epoch(source, 5, 3, ids[epoch], &count);
        CHECK_INT(count, COUNT);
    }

    CHECK_BYTES(ids[1], ids[0], sizeof ids[0]);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK(ids[0][i] < COUNT);
        seen[ids[0][i]]++;
        moved += ids[0][i] != i;
    }
    for (size_t i = 0; i < COUNT; i++)
        CHECK_INT(seen[i], 1);
    CHECK(moved > COUNT / 2);
    source.calls->free(source.self);
}

TEST(parts_are_those_of_mxnet)
{
    /* int(25 / 3 * k): 0, 8, 16, 25. */
    static const size_t begins[] = {0, 8, 16, 25};

    for (size_t part = 0; part < 3; part++) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_mnist_inputs inputs = inputs_of(1, 1, 1);
        struct mxio_mnist *mnist = NULL;
        uint64_t ids[COUNT];
        size_t count;
        inputs.num_parts = 3;
        inputs.part_index = part;
        CHECK_OK(mxio_mnist_new(&mnist, &inputs, &err), err);
        read_epoch(mxio_mnist_source(mnist), 1, 1, ids, &count);
        CHECK_INT(count, begins[part + 1] - begins[part]);
        for (size_t i = 0; i < count; i++)
            CHECK_INT(ids[i], begins[part] + i);
        mxio_mnist_free(mnist);
    }
}

TEST(a_batch_larger_than_the_part_is_refused)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_mnist_inputs inputs = inputs_of(1, 1, 9);
    struct mxio_mnist *mnist = NULL;

    inputs.num_parts = 3;

    CHECK_INT(mxio_mnist_new(&mnist, &inputs, &err), MXIO_EPARAM);

    CHECK_SAYS(err.message,
               "batch_size must be at most 8, the images of part 0 of 3, got 9");
}

TEST(what_is_wrong_is_said_of_its_file)
{
    struct bytes labels = idx_labels(COUNT - 1);
    struct mxio_mnist *mnist = NULL;

    for (int file = 0; file < 2; file++) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_mnist_inputs inputs = inputs_of(1, 1, 1);
        *(file == 0 ? &inputs.image : &inputs.label) = "/no/such/file";
        CHECK_INT(mxio_mnist_new(&mnist, &inputs, &err), MXIO_EIO);
        CHECK_INT(err.file, file);
    }
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_mnist_inputs inputs = inputs_of(1, 1, 1);
    inputs.label = temp_file(labels.at, labels.size);
    CHECK_INT(mxio_mnist_new(&mnist, &inputs, &err), MXIO_EDATA);
    CHECK_SAYS(err.message, "24 labels for 25 images");
    CHECK(err.file == 1 && err.offset == 4);
    free(labels.at);
}

static bool
at_work(void *context, int file, uint64_t offset)
{
    (void)offset;
    *(int *)context += file < 0;
    return file < 0;
}

TEST(a_source_that_is_told_to_stop_stops)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_mnist_inputs inputs = inputs_of(1, 1, 5);
    struct mxio_mnist *mnist = NULL;
    struct mxio_row_batch batch;
    bool last = false;
    int asked = 0;

    inputs.watch = (struct mxio_watch){at_work, &asked, 0};
    CHECK_OK(mxio_mnist_new(&mnist, &inputs, &err), err);
    const struct mxio_source source = mxio_mnist_source(mnist);
    source.calls->start(source.self, 0);

    CHECK_INT(source.calls->next(source.self, &batch, &last, &err), MXIO_ESTATE);

    CHECK(last && batch.block == NULL && asked == 1);
    source.calls->free(source.self);
}

static enum mxio_status
attempt(void *context, struct mxio_error *err)
{
    struct mxio_mnist *mnist = NULL;
    struct mxio_row_batch batch;
    bool last = false;

    enum mxio_status status = mxio_mnist_new(&mnist, context, err);
    if (status != MXIO_OK)
        return status;
    const struct mxio_source source = mxio_mnist_source(mnist);
    source.calls->start(source.self, 0);
    while (!last && status == MXIO_OK) {
        status = source.calls->next(source.self, &batch, &last, err);
        mxio_block_release(batch.block);
    }
    source.calls->free(source.self);
    return status;
}

TEST(each_failing_allocation_is_reported)
{
    struct mxio_mnist_inputs inputs = inputs_of(2, 2, 4);

    inputs.shuffle = true;

    CHECK(faults_met(attempt, &inputs) > 10);
}

int
main(void)
{
    RUN(an_epoch_has_all_whole_batches_in_the_order_of_the_file);
    RUN(a_shuffled_epoch_has_every_image_once_and_again_the_same);
    RUN(parts_are_those_of_mxnet);
    RUN(a_batch_larger_than_the_part_is_refused);
    RUN(what_is_wrong_is_said_of_its_file);
    RUN(a_source_that_is_told_to_stop_stops);
    RUN(each_failing_allocation_is_reported);
    return check_result();
}
