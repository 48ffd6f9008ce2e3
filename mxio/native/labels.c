#include "labels.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    uint64_t id;
    size_t row; /* of the values: the line's number in the list */
};

struct mxio_labels {
    struct entry *entries; /* by id, then row */
    double *values;        /* width for each row */
    size_t count, width;
};

#define LONGEST_NUMBER 128

void
mxio_labels_free(struct mxio_labels *labels)
{
    if (labels == NULL)
        return;
    mxio_free(labels->entries);
    mxio_free(labels->values);
    mxio_free(labels);
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* The next word of the line [*at, end); false at its end. */
static bool
next_word(const char **at, const char *end, const char **word, size_t *size)
{
    const char *p = *at;

    while (p < end && is_blank(*p))
        p++;
    *word = p;
    while (p < end && !is_blank(*p))
        p++;
    *size = (size_t)(p - *word);
    *at = p;
    return *size > 0;
}

static bool
parse_id(const char *word, size_t size, uint64_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        if (word[i] < '0' || word[i] > '9' ||
            __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(word[i] - '0'), &value))
            return false;
    *out = value;
    return true;
}

static bool
parse_label(const char *word, size_t size, double *out)
{
    char text[LONGEST_NUMBER];
    char *end;

    if (size >= sizeof text)
        return false;
    memcpy(text, word, size);
    text[size] = '\0';
    *out = strtod(text, &end);
    return end == text + size;
}

static int
compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->id != y->id)
        return (x->id > y->id) - (x->id < y->id);
    return (x->row > y->row) - (x->row < y->row);
}

static enum mxio_status
parse_line(struct mxio_labels *labels, const char *line, const char *end, size_t number,
           struct mxio_error *err)
{
    const size_t row = labels->count;
    const char *word;
    size_t size;

    if (!next_word(&line, end, &word, &size))
        return MXIO_OK;
    if (!parse_id(word, size, &labels->entries[row].id))
        return mxio_fail(err, MXIO_EDATA,
                         "line %zu: the id is not a whole number: '%.*s'", number,
                         (int)(size < 40 ? size : 40), word);
    for (size_t i = 0; i < labels->width; i++) {
        if (!next_word(&line, end, &word, &size))
            return mxio_fail(err, MXIO_EDATA,
                             "line %zu: %zu labels, label_width is %zu", number, i,
                             labels->width);
        if (!parse_label(word, size, &labels->values[row * labels->width + i]))
            return mxio_fail(err, MXIO_EDATA,
                             "line %zu: label %zu of %zu is not a number: '%.*s'",
                             number, i + 1, labels->width, (int)(size < 40 ? size : 40),
                             word);
    }
    labels->entries[row].row = row;
    labels->count++;
    return MXIO_OK;
}

static enum mxio_status
parse_lines(struct mxio_labels *labels, const char *text, size_t size,
            struct mxio_error *err)
{
    const char *end = text + size;
    size_t number = 1;

    for (const char *line = text; line < end; number++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (stop == NULL)
            stop = end;
        const enum mxio_status status = parse_line(labels, line, stop, number, err);
        if (status != MXIO_OK)
            return status;
        line = stop < end ? stop + 1 : end;
    }
    return MXIO_OK;
}

enum mxio_status
mxio_labels_parse(struct mxio_labels **out, const char *text, size_t size, size_t width,
                  struct mxio_error *err)
{
    struct mxio_labels *labels = mxio_alloc(sizeof *labels);
    size_t lines = 1, values;

    if (labels == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for the labels");
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    /* A line that counts has an id and width labels of one character, so this is
     * bounded by the text. */
    const size_t most = size / (2 * width + 1) + 1;
    if (lines > most)
        lines = most;
    labels->width = width;
    if (mxio_multiply(lines, width * sizeof *labels->values, &values)) {
        labels->entries = mxio_alloc(lines * sizeof *labels->entries);
        labels->values = mxio_alloc(values);
    }
    /* The decimal point of strtod is the locale's: this thread borrows the plain one.
     */
    const locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    enum mxio_status status = MXIO_ENOMEM;
    if (labels->entries != NULL && labels->values != NULL && plain != (locale_t)0) {
        const locale_t own = uselocale(plain);
        status = parse_lines(labels, text, size, err);
        uselocale(own);
    } else {
        mxio_fail(err, status, "no memory for the labels of %zu lines", lines);
    }
    if (plain != (locale_t)0)
        freelocale(plain);
    if (status != MXIO_OK) {
        mxio_labels_free(labels);
        return status;
    }
    qsort(labels->entries, labels->count, sizeof *labels->entries, compare_entries);
    *out = labels;
    return MXIO_OK;
}

const double *
mxio_labels_find(const struct mxio_labels *labels, uint64_t id)
{
    size_t low = 0,
           high = labels->count; /* the first entry with a greater id ends up at low */

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (labels->entries[middle].id <= id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || labels->entries[low - 1].id != id)
        return NULL;
    return labels->values + labels->entries[low - 1].row * labels->width;
}
