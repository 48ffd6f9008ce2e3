#include "detlabel.h"

#include <math.h>
#include <string.h>

enum { CLASS, LEFT, TOP, RIGHT, BOTTOM, LEAST_OBJECT };

#define LEAST_HEADER 2
/* Of a record: its header, A and B. */
#define HEAD_SIZE 32
/* A batch of rows, with room for the data beside it. */
#define MAX_ROWS_BYTES ((size_t)1 << 40)

void
mxio_detlabel_free(struct mxio_detlabel *label)
{
    mxio_free(label->numbers);
    *label = (struct mxio_detlabel){.numbers = NULL};
}

static enum mxio_status
make_room(struct mxio_detlabel *label, size_t total, struct mxio_error *err)
{
    if (total <= label->room)
        return MXIO_OK;
    float *numbers = mxio_realloc(label->numbers, total * sizeof *numbers);
    if (numbers == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for a label of %zu numbers",
                         total);
    label->numbers = numbers;
    label->room = total;
    return MXIO_OK;
}

static bool
is_whole_in(float number, size_t low, size_t high)
{
    /* As double: a float does not hold every number above 2^24. */
    return (double)number >= (double)low && (double)number <= (double)high &&
           number == floorf(number);
}

/* A label of `total` numbers that begins with A and B; those are 0 when it is shorter. */
static enum mxio_status
check_layout(const struct mxio_params *params, size_t total, float a, float b,
             struct mxio_error *err)
{
    if (total < MXIO_LEAST_BOXES)
        return mxio_fail(
            err, MXIO_EDATA,
            "not enough label for detection: %zu numbers, at least %d are needed (A, B, and an object)",
            total, MXIO_LEAST_BOXES);
    if (params->det_label_width != -1 && total != (size_t)params->det_label_width)
        return mxio_fail(err, MXIO_EDATA,
                         "the label has %zu numbers, label_width is %lld", total,
                         (long long)params->det_label_width);
    if (!is_whole_in(a, LEAST_HEADER, total))
        return mxio_fail(
            err, MXIO_EDATA,
            "the label's first number, the width of its header, must be in [%d, %zu], got %g",
            LEAST_HEADER, total, (double)a);
    if (!is_whole_in(b, LEAST_OBJECT, total))
        return mxio_fail(
            err, MXIO_EDATA,
            "the label's second number, the width of an object, must be in [%d, %zu], got %g",
            LEAST_OBJECT, total, (double)b);
    if ((total - (size_t)a) % (size_t)b != 0)
        return mxio_fail(
            err, MXIO_EDATA,
            "%zu numbers of a label, without a header of %zu, are no objects of %zu",
            total, (size_t)a, (size_t)b);
    return MXIO_OK;
}

static bool
has_area(const float *object, const void *context)
{
    (void)context;
    return object[RIGHT] > object[LEFT] && object[BOTTOM] > object[TOP];
}

enum mxio_status
mxio_detlabel_read(struct mxio_detlabel *label, const struct mxio_params *params,
                   const struct mxio_labels *labels, const struct mxio_imgrec *record,
                   struct mxio_error *err)
{
    const double *listed = NULL;
    size_t total = record->flag;

    if (labels != NULL) {
        listed = mxio_labels_find_all(labels, record->id, &total);
        if (listed == NULL)
            return mxio_fail(err, MXIO_EDATA, "path_imglist has no line with id %llu",
                             (unsigned long long)record->id);
    }
    enum mxio_status status = make_room(label, total, err);
    if (status != MXIO_OK)
        return status;
    for (size_t i = 0; i < total; i++)
        label->numbers[i] =
            listed != NULL ? (float)listed[i] : mxio_imgrec_label(record, i);
    const bool begins = total >= LEAST_HEADER;
    status = check_layout(params, total, begins ? label->numbers[0] : 0,
                          begins ? label->numbers[1] : 0, err);
    if (status != MXIO_OK)
        return status;
    label->header = (size_t)label->numbers[0];
    label->object = (size_t)label->numbers[1];
    label->count = (total - label->header) / label->object;
    mxio_detlabel_keep(label, has_area, NULL);
    return MXIO_OK;
}

float *
mxio_detlabel_object(const struct mxio_detlabel *label, size_t i)
{
    return label->numbers + label->header + i * label->object;
}

void
mxio_detlabel_mirror(struct mxio_detlabel *label)
{
    for (size_t i = 0; i < label->count; i++) {
        float *object = mxio_detlabel_object(label, i);
        const float left = object[LEFT];
        object[LEFT] = 1 - object[RIGHT];
        object[RIGHT] = 1 - left;
    }
}

void
mxio_detlabel_keep(struct mxio_detlabel *label,
                   bool (*keep)(const float *object, const void *context),
                   const void *context)
{
    size_t kept = 0;

    for (size_t i = 0; i < label->count; i++) {
        const float *object = mxio_detlabel_object(label, i);
        if (keep(object, context))
            memmove(mxio_detlabel_object(label, kept++), object,
                    label->object * sizeof *object);
    }
    label->count = kept;
}

static float
project(float at, float origin, float length)
{
    const float share = (at - origin) / length;

    return share < 0 ? 0 : share > 1 ? 1 : share;
}

void
mxio_detlabel_project(struct mxio_detlabel *label, struct mxio_box box)
{
    for (size_t i = 0; i < label->count; i++) {
        float *object = mxio_detlabel_object(label, i);
        object[LEFT] = project(object[LEFT], box.x, box.width);
        object[TOP] = project(object[TOP], box.y, box.height);
        object[RIGHT] = project(object[RIGHT], box.x, box.width);
        object[BOTTOM] = project(object[BOTTOM], box.y, box.height);
    }
    mxio_detlabel_keep(label, has_area, NULL);
}

enum mxio_status
mxio_detlabel_write(const struct mxio_detlabel *label, const struct mxio_params *params,
                    struct mxio_size size, float *out, struct mxio_error *err)
{
    const size_t count = label->header + label->count * label->object;
    const size_t width = (size_t)params->label_width;

    if (count > width - MXIO_ROW_LEAD)
        return mxio_fail(
            err, MXIO_EDATA,
            "the label has %zu numbers, none had more than %zu when the loader was made",
            count, width - MXIO_ROW_LEAD);
    out[0] = (float)params->data_shape.channels;
    out[1] = (float)size.height;
    out[2] = (float)size.width;
    out[3] = (float)count;
    memcpy(out + MXIO_ROW_LEAD, label->numbers, count * sizeof *out);
    for (size_t i = MXIO_ROW_LEAD + count; i < width; i++)
        out[i] = (float)params->label_pad_value;
    return MXIO_OK;
}

/* ---- the width of a row ---- */

/* Numbers in the label of the record at a place. */
static enum mxio_status
measure_record(const struct mxio_params *params, const struct mxio_reader *reader,
               struct mxio_place place, struct mxio_buffer *buffer, size_t *out,
               struct mxio_error *err)
{
    const uint8_t *payload;
    struct mxio_imgrec record;
    size_t size;

    enum mxio_status status =
        mxio_reader_peek(reader, place, HEAD_SIZE, buffer, &payload, &size, err);
    if (status == MXIO_OK)
        status = mxio_imgrec_parse(payload, size, &record, err);
    if (status != MXIO_OK)
        return status;
    err->has_id = true; /* for whatever goes wrong from here on */
    err->id = record.id;
    *out = record.flag;
    const bool begins = record.flag >= LEAST_HEADER;
    return check_layout(params, record.flag, begins ? mxio_imgrec_label(&record, 0) : 0,
                        begins ? mxio_imgrec_label(&record, 1) : 0, err);
}

/* The widest label of the part; 0 without records. */
static enum mxio_status
measure_part(const struct mxio_params *params, struct mxio_reader *reader,
             const struct mxio_extent *extent, size_t *widest, struct mxio_error *err)
{
    struct mxio_buffer buffer = {.bytes = NULL};
    struct mxio_error first = MXIO_NO_ERROR;
    enum mxio_status status = MXIO_OK;

    *widest = 0;
    for (uint64_t i = 0; status == MXIO_OK; i++) {
        struct mxio_place place;
        struct mxio_error bad = MXIO_NO_ERROR;
        size_t width;
        bool found;
        status = mxio_reader_locate(reader, extent, i, &place, &found, err);
        if (status != MXIO_OK || !found)
            break;
        if (measure_record(params, reader, place, &buffer, &width, &bad) == MXIO_OK) {
            *widest = width > *widest ? width : *widest;
            continue;
        }
        mxio_reader_name_place(reader, place.offset, &bad);
        bad.record = (int64_t)(extent->first + i);
        if (first.status == MXIO_OK)
            first = bad;
        if (bad.status != MXIO_EDATA || params->on_error == MXIO_RAISE) {
            *err = bad;
            status = bad.status;
        }
    }
    mxio_buffer_free(&buffer);
    if (status == MXIO_OK && *widest == 0 && first.status != MXIO_OK) {
        *err = first;
        status = first.status;
    }
    return status;
}

enum mxio_status
mxio_detlabel_settle(struct mxio_params *params, struct mxio_reader *reader,
                     const struct mxio_extent *extent, const struct mxio_labels *labels,
                     struct mxio_error *err)
{
    const size_t asked = (size_t)params->label_pad_width;
    enum mxio_status status = MXIO_OK;
    size_t widest, bytes;

    if (labels != NULL)
        widest = mxio_labels_widest(labels);
    else
        status = measure_part(params, reader, extent, &widest, err);
    if (status != MXIO_OK)
        return status;
    if (asked > 0 && asked < widest)
        return mxio_fail(
            err, MXIO_EPARAM,
            "label_pad_width=%zu is smaller than the widest label, %zu numbers", asked,
            widest);
    widest = widest > MXIO_LEAST_BOXES ? widest : MXIO_LEAST_BOXES;
    const size_t width = MXIO_ROW_LEAD + (asked > widest ? asked : widest);
    if (!mxio_multiply(width * sizeof(float), (size_t)params->batch_size, &bytes) ||
        bytes > MAX_ROWS_BYTES)
        return mxio_fail(
            err, MXIO_EPARAM,
            "batch_size=%lld of labels of %zu numbers is more than 2^40 bytes",
            (long long)params->batch_size, width);
    params->label_width = (int64_t)width;
    return MXIO_OK;
}
