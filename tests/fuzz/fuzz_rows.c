/*
 * Text: the input as a number, as the lines of a file in parts, as rows of CSV and of
 * LibSVM. Numbers are those of strtod; parts together have the lines of the whole; what
 * is accepted has its promised form.
 */
#include "fuzz.h"
#include "lines.h"
#include "number.h"
#include "rows.h"

#include <math.h>

/* strtod reads more: blanks in front, hexadecimal numbers, nan(...). */
static void
read_number(const char *text, size_t size)
{
    char copy[512];
    char *end;
    double value;
    float narrow;
    int64_t whole;

    const char *stop = mxio_number_double(text, text + size, &value);
    MUST(stop == mxio_number_float(text, text + size, &narrow));
    if (mxio_number_whole(text, text + size, INT64_MIN, INT64_MAX, &whole) != NULL)
        MUST(stop != NULL);
    if (stop == NULL || (size_t)(stop - text) >= sizeof copy)
        return;
    MUST(stop > text && stop <= text + size);
    memcpy(copy, text, (size_t)(stop - text));
    copy[stop - text] = '\0';
    const double right = strtod(copy, &end);
    MUST(*end == '\0');
    MUST(value == right || (isnan(value) && isnan(right)));
    MUST(isnan(value) || signbit(value) == signbit(right));
    const float right_narrow = strtof(copy, NULL);
    MUST(narrow == right_narrow || isnan(value));
}

/* Lines of a part, and a sum of their bytes and places. */
static uint64_t
read_lines(const char *path, size_t num_parts, size_t part_index, uint64_t *sum)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_lines *lines;
    struct mxio_line line;
    uint64_t count = 0;
    bool got = true;

    if (mxio_lines_new(&lines, &path, 1, num_parts, part_index, '#', MXIO_NO_WATCH,
                       &err) != MXIO_OK) {
        MUST(err.status == MXIO_EDATA);
        return 0;
    }
    for (;;) {
        MUST(mxio_lines_next(lines, &line, &got, &err) == MXIO_OK);
        if (!got)
            break;
        MUST(line.size > 0);
        *sum += fuzz_hash((const uint8_t *)line.text, line.size) * (line.offset + 1);
        *sum += mxio_lines_place(lines, &line, 0, &err);
        MUST(err.offset == (int64_t)line.offset);
        count++;
    }
    mxio_lines_free(lines);
    return count;
}

static void
read_parts(const char *path, size_t num_parts)
{
    uint64_t whole_sum = 0, sum = 0, count = 0;
    const uint64_t whole = read_lines(path, 1, 0, &whole_sum);

    for (size_t part = 0; part < num_parts; part++)
        count += read_lines(path, num_parts, part, &sum);
    MUST(count == whole && sum == whole_sum);
}

static void
check_sparse(const struct mxio_row_batch *batch, size_t batch_size, size_t width)
{
    const uint8_t *bytes = batch->block->bytes;
    const int64_t *starts = (const int64_t *)(const void *)(bytes + batch->data.starts);
    const int64_t *at = (const int64_t *)(const void *)(bytes + batch->data.indices);

    MUST(starts[0] == 0);
    for (size_t row = 0; row < batch_size; row++) {
        MUST(starts[row] <= starts[row + 1]);
        for (int64_t i = starts[row]; i < starts[row + 1]; i++) {
            MUST(at[i] >= 0 && (size_t)at[i] < width);
            MUST(i == starts[row] || at[i - 1] < at[i]);
        }
    }
}

static void
read_rows(const struct mxio_rows_inputs *inputs)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_rows *rows;
    struct mxio_row_batch batch;
    bool last = false;

    if (mxio_rows_new(&rows, inputs, &err) != MXIO_OK)
        return;
    mxio_rows_start(rows, 0);
    while (!last) {
        const enum mxio_status status = mxio_rows_next(rows, &batch, &last, &err);
        MUST((batch.block != NULL) == (status == MXIO_OK && !last));
        if (batch.block == NULL)
            continue;
        MUST(batch.pad < inputs->batch_size);
        if (inputs->sparse)
            check_sparse(&batch, inputs->batch_size, inputs->data.width);
        mxio_block_release(batch.block);
    }
    mxio_rows_free(rows);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    uint32_t state = fuzz_hash(bytes, size);
    const char *path = fuzz_file(bytes, size);
    struct mxio_rows_inputs inputs = {.num_parts = 1, .label = {&path, 0, 1}};

    read_number((const char *)bytes, size);
    read_parts(path, 1 + (size_t)fuzz_below(&state, 6));
    inputs.batch_size = 1 + (size_t)fuzz_below(&state, 4);
    inputs.round_batch = fuzz_below(&state, 2) == 1;
    inputs.type = (enum mxio_row_type)fuzz_below(&state, 3);
    inputs.label.path_count = (size_t)fuzz_below(&state, 2);
    for (size_t width = 1; width <= 3; width++) {
        inputs.data = (struct mxio_row_files){&path, 1, width};
        inputs.label.width = inputs.label.path_count == 0 ? 1 : width;
        inputs.sparse = false;
        read_rows(&inputs);
        inputs.sparse = true;
        read_rows(&inputs);
    }
    return 0;
}
