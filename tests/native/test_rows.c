#include "rows.h"

#include "faults.h"
#include "records.h"

/* Data and labels from two texts; labels may be NULL. */
static struct mxio_rows_inputs
inputs_of(const char *const *paths, size_t batch_size, size_t width, size_t label_width)
{
    return (struct mxio_rows_inputs){.batch_size = batch_size,
                                     .round_batch = true,
                                     .num_parts = 1,
                                     .data = {paths, 1, width},
                                     .label = {paths + 1, paths[1] == NULL ? 0 : 1,
                                               label_width}};
}

static const char *
text_file(const char *text)
{
    return text == NULL ? NULL : temp_file(text, strlen(text));
}

static const float *
floats(const struct mxio_row_batch *batch, size_t place)
{
    return (const float *)(const void *)(batch->block->bytes + place);
}

static bool
are(const float *actual, const float *expected, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (actual[i] != expected[i])
            return false;
    return true;
}

static const int64_t *
wholes(const struct mxio_row_batch *batch, size_t place)
{
    return (const int64_t *)(const void *)(batch->block->bytes + place);
}

static bool
are_wholes(const int64_t *actual, const int64_t *expected, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (actual[i] != expected[i])
            return false;
    return true;
}

/* An epoch as text: the numbers of a batch's rows, '|', its pad, ';'; '.' at the end.
 * The first value of a row must be its number. */
static enum mxio_status
read_epoch(struct mxio_rows *rows, size_t batch_size, size_t width, char *out,
           uint64_t *carry, struct mxio_error *err)
{
    struct mxio_row_batch batch = {.block = NULL};
    bool last = false;

    for (;;) {
        const enum mxio_status status = mxio_rows_next(rows, &batch, &last, err);
        if (status != MXIO_OK)
            return status;
        if (batch.block == NULL) {
            memcpy(out, ".", 2);
            return MXIO_OK;
        }
        for (size_t i = 0; i < batch_size; i++) {
            const int64_t id = wholes(&batch, batch.ids)[i];
            const float first = floats(&batch, batch.data.values)[i * width];
            check_near(first, (double)id, 0, "first value", __FILE__, __LINE__);
            out += sprintf(out, "%lld", (long long)id);
        }
        out += sprintf(out, "|%zu;", batch.pad);
        *carry = batch.carry;
        mxio_block_release(batch.block);
    }
}

#define TEN "0,9\n1,9\n2,9\n3,9\n4,9\n\n5,9\n6,9\n7,9\n8,9\n9,9"

TEST(an_epoch_carries_rows_of_the_next_one)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const char *paths[2] = {text_file(TEN), NULL};
    const struct mxio_rows_inputs inputs = inputs_of(paths, 4, 2, 1);
    static const char *const epochs[] = {"0123|0;4567|0;8901|2;.", "2345|0;6789|0;.",
                                         "0123|0;4567|0;8901|2;."};
    struct mxio_rows *rows = NULL;
    uint64_t carry = 0;
    char text[128];

    CHECK_OK(mxio_rows_new(&rows, &inputs, &err), err);
    for (int epoch = 0; epoch < 3; epoch++) {
        mxio_rows_start(rows, carry);
        CHECK_OK(read_epoch(rows, 4, 2, text, &carry, &err), err);
        CHECK(strcmp(text, epochs[epoch]) == 0);
        CHECK_INT(carry, epoch == 1 ? 0 : 2);
    }
    mxio_rows_free(rows);
}

TEST(without_round_batch_missing_rows_are_zeros)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const char *paths[2] = {text_file("1,2\n3,4\n5,6\n"), text_file("7\n8\n9\n")};
    struct mxio_rows_inputs inputs = inputs_of(paths, 2, 2, 1);
    static const float data[4] = {5, 6, 0, 0}, label[2] = {9, 0};
    struct mxio_rows *rows = NULL;
    struct mxio_row_batch batch = {.block = NULL};
    bool last = false;

    inputs.round_batch = false;
    CHECK_OK(mxio_rows_new(&rows, &inputs, &err), err);
    mxio_rows_start(rows, 0);
    CHECK_OK(mxio_rows_next(rows, &batch, &last, &err), err);
    mxio_block_release(batch.block);
    CHECK_OK(mxio_rows_next(rows, &batch, &last, &err), err);

    CHECK_INT(batch.pad, 1);
    CHECK_INT(batch.carry, 0);
    CHECK(are(floats(&batch, batch.data.values), data, sizeof data / sizeof *data));
    CHECK(are(floats(&batch, batch.label.values), label, sizeof label / sizeof *label));
    CHECK_INT(wholes(&batch, batch.ids)[0], 2);
    CHECK_INT(wholes(&batch, batch.ids)[1], 0);
    mxio_block_release(batch.block);
    CHECK_OK(mxio_rows_next(rows, &batch, &last, &err), err);
    CHECK(batch.block == NULL && last);
    mxio_rows_free(rows);
}

TEST(a_batch_may_run_on_into_one_further_epoch_only)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const char *paths[2] = {text_file(TEN), NULL};
    const struct mxio_rows_inputs inputs = inputs_of(paths, 16, 2, 1);
    struct mxio_rows *rows = NULL;
    uint64_t carry = 0;
    char text[128];

    CHECK_OK(mxio_rows_new(&rows, &inputs, &err), err);
    mxio_rows_start(rows, 0);
    CHECK_OK(read_epoch(rows, 16, 2, text, &carry, &err), err);
    CHECK(strcmp(text, "0123456789012345|6;.") == 0);
    mxio_rows_start(rows, carry);

    CHECK_INT(read_epoch(rows, 16, 2, text, &carry, &err), MXIO_EPARAM);
    CHECK_SAYS(err.message,
               "batch_size=16 needs more than the 4 rows left of this epoch and the 10 "
               "of the next");
    mxio_rows_free(rows);
}

TEST(an_epoch_that_the_carry_has_used_up_is_empty)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const char *paths[2] = {text_file("0\n1\n"), NULL};
    const struct mxio_rows_inputs inputs = inputs_of(paths, 4, 1, 1);
    struct mxio_rows *rows = NULL;
    uint64_t carry = 0;
    char text[128];

    CHECK_OK(mxio_rows_new(&rows, &inputs, &err), err);
    mxio_rows_start(rows, 0);
    CHECK_OK(read_epoch(rows, 4, 1, text, &carry, &err), err);
    CHECK(strcmp(text, "0101|2;.") == 0);
    mxio_rows_start(rows, carry);
    CHECK_OK(read_epoch(rows, 4, 1, text, &carry, &err), err);

    CHECK(strcmp(text, ".") == 0);
    mxio_rows_free(rows);
}

TEST(whole_numbers_are_exact_and_blanks_do_not_matter)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const char *paths[2] = {text_file(" 16777217 ,\t-9223372036854775808\n"), NULL};
    struct mxio_rows_inputs inputs = inputs_of(paths, 1, 2, 3);
    static const int64_t data[2] = {16777217, INT64_MIN}, label[3] = {0, 0, 0};
    struct mxio_rows *rows = NULL;
    struct mxio_row_batch batch = {.block = NULL};
    bool last = false;

    inputs.type = MXIO_ROW_INT64;
    CHECK_OK(mxio_rows_new(&rows, &inputs, &err), err);
    mxio_rows_start(rows, 0);
    CHECK_OK(mxio_rows_next(rows, &batch, &last, &err), err);

    CHECK(are_wholes(wholes(&batch, batch.data.values), data,
                     sizeof data / sizeof *data));
    CHECK(are_wholes(wholes(&batch, batch.label.values), label,
                     sizeof label / sizeof *label));
    mxio_block_release(batch.block);
    mxio_rows_free(rows);
}

TEST(sparse_rows_are_values_indices_and_starts)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const char *paths[2] = {text_file("1.5 0:0.5 2:1.25 # x\n-2\n\n3 qid:7 1:-4\n"),
                            NULL};
    struct mxio_rows_inputs inputs = inputs_of(paths, 3, 3, 1);
    static const float values[3] = {0.5F, 1.25F, -4}, label[3] = {1.5F, -2, 3};
    static const int64_t indices[3] = {0, 2, 1}, starts[4] = {0, 2, 2, 3};
    struct mxio_rows *rows = NULL;
    struct mxio_row_batch batch = {.block = NULL};
    bool last = false;

    inputs.sparse = true;
    CHECK_OK(mxio_rows_new(&rows, &inputs, &err), err);
    mxio_rows_start(rows, 0);
    CHECK_OK(mxio_rows_next(rows, &batch, &last, &err), err);

    CHECK(
        are(floats(&batch, batch.data.values), values, sizeof values / sizeof *values));
    CHECK(are_wholes(wholes(&batch, batch.data.indices), indices,
                     sizeof indices / sizeof *indices));
    CHECK(are_wholes(wholes(&batch, batch.data.starts), starts,
                     sizeof starts / sizeof *starts));
    CHECK(are(floats(&batch, batch.label.values), label, sizeof label / sizeof *label));
    mxio_block_release(batch.block);
    mxio_rows_free(rows);
}

TEST(labels_of_a_part_are_those_of_its_rows)
{
    struct mxio_error err = MXIO_NO_ERROR;
    /* 24 bytes: the second half begins in row 2 and so at row 3; bytes of the label
     * file would begin elsewhere */
    const char *paths[2] = {text_file("0 0:1\n0 0:2\n0 0:3\n0 0:4\n"),
                            text_file("0 0:1\n0 0:2.0000000000000\n0 0:3\n0 0:4\n")};
    struct mxio_rows_inputs inputs = inputs_of(paths, 1, 1, 2);
    struct mxio_rows *rows = NULL;

    inputs.sparse = true;
    inputs.num_parts = 2;
    inputs.part_index = 1;
    CHECK_OK(mxio_rows_new(&rows, &inputs, &err), err);
    for (int epoch = 0; epoch < 2; epoch++) {
        struct mxio_row_batch batch = {.block = NULL};
        bool last = false;
        mxio_rows_start(rows, 0);
        CHECK_OK(mxio_rows_next(rows, &batch, &last, &err), err);
        CHECK_NEAR(floats(&batch, batch.data.values)[0], 4, 0);
        CHECK_NEAR(floats(&batch, batch.label.values)[0], 4, 0);
        mxio_block_release(batch.block);
    }
    mxio_rows_free(rows);
}

/* One bad row, and what is said of it. */
struct bad {
    const char *data, *label;
    size_t width, label_width;
    enum mxio_row_type type;
    int file, offset;
    bool sparse;
    const char *words;
};

TEST(a_bad_row_is_said_with_file_line_and_byte)
{
    static const struct bad cases[] = {
        {"1,2\n3,4,5\n", NULL, 2, 1, 0, 0, 4, false,
         "line 2: a row of 3 values, data_shape holds 2"},
        {"1,2\n\n3\n", NULL, 2, 1, 0, 0, 5, false, "line 3: a row of 1 values"},
        {"1,2,\n", NULL, 2, 1, 0, 0, 0, false, "line 1: a row of 3 values"},
        {"1,x y,3\n", NULL, 3, 1, 0, 0, 2, false,
         "line 1: value 2 of 3 is not a number: 'x y'"},
        {"1,,3\n", NULL, 3, 1, 0, 0, 2, false, "value 2 of 3 is not a number: ''"},
        {"1,\"2\"\n", NULL, 2, 1, 0, 0, 2, false, "not a number: '\"2\"'"},
        {"1,2 3\n", NULL, 2, 1, 0, 0, 2, false, "value 2 of 2 is not a number: '2 3'"},
        {"1,0x10\n", NULL, 2, 1, 0, 0, 2, false, "not a number: '0x10'"},
        {"1.5\n", NULL, 1, 1, 1, 0, 0, false,
         "value 1 of 1 is not a whole number (int32): '1.5'"},
        {"2147483648\n", NULL, 1, 1, 1, 0, 0, false, "(int32): '2147483648'"},
        {"9223372036854775808\n", NULL, 1, 1, 2, 0, 0, false, "(int64): '9223"},
        {"1\n2\n", "1,2\n3\n", 1, 2, 0, 1, 4, false,
         "line 2: a row of 1 values, label_shape holds 2"},
        {"1\n2\n", "1\n", 1, 1, 0, 1, -1, false, "only 1 rows of labels"},
        {"1 0:1 3:2\n", NULL, 3, 1, 0, 0, 6, true,
         "line 1: index 3 is outside data_shape (3,), indices count from 0: '3:2'"},
        {"1 -1:1\n", NULL, 3, 1, 0, 0, 2, true, "line 1: a negative index: '-1:1'"},
        {"1 1:1 1:2\n", NULL, 3, 1, 0, 0, 6, true,
         "index 1 behind 1, indices must ascend"},
        {"1 2:1 1:2\n", NULL, 3, 1, 0, 0, 6, true, "index 1 behind 2"},
        {"1 2\n", NULL, 3, 1, 0, 0, 2, true, "not index:value: '2'"},
        {"1 2:\n", NULL, 3, 1, 0, 0, 2, true, "the value is not a number: '2:'"},
        {"1 2:1x 1:1\n", NULL, 3, 1, 0, 0, 2, true, "not a number: '2:1x'"},
        {"0:1 1:1\n", NULL, 3, 1, 0, 0, 0, true, "the label is not a number: '0:1'"},
        {"1 qid:x 1:1\n", NULL, 3, 1, 0, 0, 2, true, "qid is not a whole number"},
        {"1 99999999999999999999:1\n", NULL, 3, 1, 0, 0, 2, true, "not index:value"},
        {"1 1:1\n", "1 2:1\n", 3, 2, 0, 1, 2, true, "outside label_shape (2,)"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct bad *bad = &cases[i];
        struct mxio_error err = MXIO_NO_ERROR;
        const char *paths[2] = {text_file(bad->data), text_file(bad->label)};
        struct mxio_rows_inputs inputs =
            inputs_of(paths, 2, bad->width, bad->label_width);
        struct mxio_rows *rows = NULL;
        struct mxio_row_batch batch = {.block = NULL};
        bool last = false;
        inputs.sparse = bad->sparse;
        inputs.type = bad->type;
        CHECK_OK(mxio_rows_new(&rows, &inputs, &err), err);
        mxio_rows_start(rows, 0);
        CHECK_INT(mxio_rows_next(rows, &batch, &last, &err), MXIO_EDATA);
        CHECK(batch.block == NULL);
        CHECK_SAYS(err.message, bad->words);
        CHECK_INT(err.file, bad->file);
        CHECK_INT(err.offset, bad->offset);
        mxio_rows_free(rows);
        temp_remove_all();
        temp_count = 0;
    }
}

TEST(a_bad_row_uses_up_its_batch_and_no_more)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const char *paths[2] = {text_file("0\nx\n2\n3\n4\n"), NULL};
    const struct mxio_rows_inputs inputs = inputs_of(paths, 2, 1, 1);
    struct mxio_rows *rows = NULL;
    struct mxio_row_batch batch = {.block = NULL};
    uint64_t carry = 7;
    bool last = false;
    char text[64];

    CHECK_OK(mxio_rows_new(&rows, &inputs, &err), err);
    mxio_rows_start(rows, 0);
    CHECK_INT(mxio_rows_next(rows, &batch, &last, &err), MXIO_EDATA);
    CHECK(!last);

    CHECK_OK(mxio_rows_next(rows, &batch, &last, &err), err);
    CHECK_INT(wholes(&batch, batch.ids)[0], 2);
    mxio_block_release(batch.block);
    CHECK_OK(read_epoch(rows, 2, 1, text, &carry, &err), err);
    CHECK(strcmp(text, "40|1;.") == 0);
    mxio_rows_free(rows);
}

TEST(a_set_without_a_row_is_an_error_not_the_end)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const char *paths[2] = {text_file("\n \n"), NULL};
    const struct mxio_rows_inputs inputs = inputs_of(paths, 2, 1, 1);
    struct mxio_rows *rows = NULL;
    struct mxio_row_batch batch = {.block = NULL};
    bool last = false;

    CHECK_OK(mxio_rows_new(&rows, &inputs, &err), err);
    mxio_rows_start(rows, 0);

    CHECK_INT(mxio_rows_next(rows, &batch, &last, &err), MXIO_EDATA);
    CHECK(last);
    CHECK_SAYS(err.message, "there is no row");
    mxio_rows_free(rows);
}

TEST(a_batch_larger_than_any_memory_is_refused)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const char *paths[2] = {text_file("1\n"), NULL};
    const struct mxio_rows_inputs inputs =
        inputs_of(paths, (size_t)1 << 20, (size_t)1 << 31, 1);
    struct mxio_rows *rows = NULL;

    CHECK_INT(mxio_rows_new(&rows, &inputs, &err), MXIO_EPARAM);

    CHECK_SAYS(err.message, "batch_size=1048576 of this data_shape");
}

static enum mxio_status
attempt(void *context, struct mxio_error *err)
{
    const struct mxio_rows_inputs *inputs = context;
    struct mxio_rows *rows = NULL;
    struct mxio_row_batch batch = {.block = NULL};
    bool last = false;

    enum mxio_status status = mxio_rows_new(&rows, inputs, err);
    if (status != MXIO_OK)
        return status;
    mxio_rows_start(rows, 1);
    while (!last && status == MXIO_OK) {
        status = mxio_rows_next(rows, &batch, &last, err);
        mxio_block_release(batch.block);
    }
    mxio_rows_free(rows);
    return status;
}

TEST(each_failing_allocation_is_reported)
{
    const char *sparse_paths[2] = {text_file("1 0:1\n2 1:1\n3 0:1 1:2\n4\n"),
                                   text_file("1 0:1\n2 1:1\n3 0:1 1:2\n4\n")};
    const char *paths[2] = {text_file("1,2\n3,4\n5,6\n"), text_file("1\n2\n3\n")};
    struct mxio_rows_inputs sparse = inputs_of(sparse_paths, 2, 2, 2);
    struct mxio_rows_inputs dense = inputs_of(paths, 2, 2, 1);

    sparse.sparse = true;
    sparse.num_parts = 2;
    sparse.part_index = 1;
    CHECK(faults_met(attempt, &dense) > 10);
    CHECK(faults_met(attempt, &sparse) > 10);
}

int
main(void)
{
    RUN(an_epoch_carries_rows_of_the_next_one);
    RUN(without_round_batch_missing_rows_are_zeros);
    RUN(a_batch_may_run_on_into_one_further_epoch_only);
    RUN(an_epoch_that_the_carry_has_used_up_is_empty);
    RUN(whole_numbers_are_exact_and_blanks_do_not_matter);
    RUN(sparse_rows_are_values_indices_and_starts);
    RUN(labels_of_a_part_are_those_of_its_rows);
    RUN(a_bad_row_is_said_with_file_line_and_byte);
    RUN(a_bad_row_uses_up_its_batch_and_no_more);
    RUN(a_set_without_a_row_is_an_error_not_the_end);
    RUN(a_batch_larger_than_any_memory_is_refused);
    RUN(each_failing_allocation_is_reported);
    return check_result();
}
