#include "idx.h"

#include "check.h"
#include "gzips.h"
#include "idxs.h"

/* Open, read all rows one by one, look for the end. */
static enum mxio_status
read_file(const struct bytes *file, int size_count, struct mxio_error *err)
{
    struct mxio_idx idx;
    uint8_t row[64];
    enum mxio_status status = mxio_idx_open(&idx, temp_file(file->at, file->size),
                                            size_count, MXIO_NO_WATCH, err);

    for (uint32_t i = 0; status == MXIO_OK && i < idx.sizes[0]; i++)
        status = mxio_idx_read(&idx, row, 1, err);
    if (status == MXIO_OK)
        status = mxio_idx_end(&idx, err);
    mxio_idx_close(&idx);
    temp_remove_all();
    temp_count = 0;
    return status;
}

TEST(the_header_gives_the_sizes_and_rows_come_in_order)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct bytes file = idx_images(4, 2, 3);
    struct mxio_idx idx;
    static const uint8_t first[6] = {0, 1, 2, 3, 4, 5};
    static const uint8_t last[12] = {20, 21, 22, 23, 24, 25, 30, 31, 32, 33, 34, 35};
    uint8_t rows[12];

    CHECK_OK(mxio_idx_open(&idx, temp_file(file.at, file.size), 3, MXIO_NO_WATCH, &err),
             err);
    CHECK_INT(idx.sizes[0], 4);
    CHECK_INT(idx.sizes[1], 2);
    CHECK_INT(idx.sizes[2], 3);
    CHECK_INT(idx.row_size, 6);

    CHECK_OK(mxio_idx_read(&idx, rows, 1, &err), err);
    CHECK_BYTES(rows, first, sizeof first);
    CHECK_OK(mxio_idx_read(&idx, NULL, 1, &err), err);
    CHECK_OK(mxio_idx_read(&idx, rows, 2, &err), err);
    CHECK_BYTES(rows, last, sizeof last);
    CHECK_OK(mxio_idx_end(&idx, &err), err);
    mxio_idx_close(&idx);
    mxio_idx_close(&idx);
    free(file.at);
}

TEST(labels_have_one_size_and_rows_of_one_byte)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct bytes plain = idx_labels(5), file = {.at = NULL};
    struct mxio_idx idx;
    uint8_t rows[5];

    bytes_gzip(&file, plain.at, plain.size);
    CHECK_OK(mxio_idx_open(&idx, temp_file(file.at, file.size), 1, MXIO_NO_WATCH, &err),
             err);

    CHECK_INT(idx.row_size, 1);
    CHECK_OK(mxio_idx_read(&idx, rows, 5, &err), err);
    CHECK_BYTES(rows, plain.at + 8, 5);
    CHECK_OK(mxio_idx_end(&idx, &err), err);
    mxio_idx_close(&idx);
    free(plain.at);
    free(file.at);
}

/* A change of one number in the header, and what is said of it. */
struct lie {
    size_t at;
    uint32_t value;
    int offset;
    bool packed;
    const char *words;
};

TEST(a_header_that_the_file_cannot_keep_is_refused_before_any_memory_is_asked_for)
{
    static const struct lie lies[] = {
        {0, 2049, 0, false, "magic number 2049, MNIST's images have 2051"},
        {4, 0, 4, false, "nothing is in it"},
        {12, 0, 4, true, "nothing is in it"},
        {4, 5, 16, false, "the data needs 30 bytes, 24 left"},
        {4, 3, 34, false, "bytes behind those that the header says"},
        {8, 0xffffffff, 16, false, "the data needs 51539607540 bytes, 24 left"},
        {8, 0xffffffff, 16, true, "the data needs 51539607540 bytes, at most "},
        {4, 5, 40, true, "the data needs 30 bytes from byte 16 on, the file ends"},
        {4, 3, 34, true, "bytes behind those that the header says"},
    };

    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct bytes file = idx_images(4, 2, 3), changed = {.at = NULL};
        struct bytes gzip = {.at = NULL};
        bytes_add(&changed, file.at, lies[i].at);
        bytes_big_u32(&changed, lies[i].value);
        bytes_add(&changed, file.at + lies[i].at + 4, file.size - lies[i].at - 4);
        bytes_gzip(&gzip, changed.at, changed.size);
        CHECK_INT(read_file(lies[i].packed ? &gzip : &changed, 3, &err), MXIO_EDATA);
        CHECK_SAYS(err.message, lies[i].words);
        CHECK_INT(err.offset, lies[i].offset);
        free(file.at);
        free(changed.at);
        free(gzip.at);
    }
}

TEST(sizes_whose_product_no_number_holds_are_refused)
{
    for (int packed = 0; packed < 2; packed++) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct bytes file = {.at = NULL}, gzip = {.at = NULL};
        bytes_big_u32(&file, 2051);
        for (int i = 0; i < 3; i++)
            bytes_big_u32(&file, 0xffffffff);
        bytes_gzip(&gzip, file.at, file.size);
        CHECK_INT(read_file(packed ? &gzip : &file, 3, &err), MXIO_EDATA);
        CHECK_SAYS(err.message, "the data needs more than 2^63 bytes");
        free(file.at);
        free(gzip.at);
    }
}

TEST(a_file_that_ends_in_its_header_says_how_much_is_left)
{
    struct bytes file = idx_images(1, 1, 1);

    for (file.size = 15;; file.size--) {
        struct mxio_error err = MXIO_NO_ERROR;
        char words[64];
        const bool magic = file.size < 4;
        snprintf(words, sizeof words, "%s bytes, %zu left",
                 magic ? "the magic number needs 4" : "the header needs 12",
                 magic ? file.size : file.size - 4);
        CHECK_INT(read_file(&file, 3, &err), MXIO_EDATA);
        CHECK_SAYS(err.message, words);
        CHECK_INT(err.offset, magic ? 0 : 4);
        if (file.size == 0)
            break;
    }
    free(file.at);
}

int
main(void)
{
    RUN(the_header_gives_the_sizes_and_rows_come_in_order);
    RUN(labels_have_one_size_and_rows_of_one_byte);
    RUN(a_header_that_the_file_cannot_keep_is_refused_before_any_memory_is_asked_for);
    RUN(sizes_whose_product_no_number_holds_are_refused);
    RUN(a_file_that_ends_in_its_header_says_how_much_is_left);
    return check_result();
}
