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
    double *values;
    size_t *ends; /* of each row's values; NULL when there are width in every row */
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
    mxio_free(labels->ends);
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

/* The width labels of the line [line, end), behind its id. */
static enum mxio_status
parse_width(struct mxio_labels *labels, const char *line, const char *end,
            size_t number, struct mxio_error *err)
{
    double *values = labels->values + labels->count * labels->width;
    const char *word;
    size_t size;

    for (size_t i = 0; i < labels->width; i++) {
        if (!next_word(&line, end, &word, &size))
            return mxio_fail(err, MXIO_EDATA,
                             "line %zu: %zu labels, label_width is %zu", number, i,
                             labels->width);
        if (!parse_label(word, size, &values[i]))
            return mxio_fail(err, MXIO_EDATA,
                             "line %zu: label %zu of %zu is not a number: '%.*s'",
                             number, i + 1, labels->width, (int)(size < 40 ? size : 40),
                             word);
    }
    return MXIO_OK;
}

/* All labels of the line [line, end), behind its id and before its last word. */
static enum mxio_status
parse_all(struct mxio_labels *labels, const char *line, const char *end, size_t number,
          struct mxio_error *err)
{
    const size_t first = labels->count > 0 ? labels->ends[labels->count - 1] : 0;
    const char *word, *next;
    size_t at = first, size, next_size;

    if (!next_word(&line, end, &word, &size))
        return mxio_fail(err, MXIO_EDATA, "line %zu: nothing behind the id", number);
    for (; next_word(&line, end, &next, &next_size); word = next, size = next_size)
        if (!parse_label(word, size, &labels->values[at++]))
            return mxio_fail(err, MXIO_EDATA,
                             "line %zu: label %zu is not a number: '%.*s'", number,
                             at - first, (int)(size < 40 ? size : 40), word);
    labels->ends[labels->count] = at;
    return MXIO_OK;
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
    const enum mxio_status status = labels->width == MXIO_LABELS_ALL
                                        ? parse_all(labels, line, end, number, err)
                                        : parse_width(labels, line, end, number, err);
    if (status != MXIO_OK)
        return status;
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

static size_t
count_words(const char *text, size_t size)
{
    bool inside = false;
    size_t count = 0;

    for (size_t i = 0; i < size; i++) {
        const bool word = !is_blank(text[i]) && text[i] != '\n';
        count += word && !inside;
        inside = word;
    }
    return count;
}

/* Room for every line of the text. */
static enum mxio_status
make_room(struct mxio_labels *labels, const char *text, size_t size,
          struct mxio_error *err)
{
    const bool all = labels->width == MXIO_LABELS_ALL;
    size_t lines = 1, count, bytes;

    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    /* A line that counts has an id and width labels of one character, so this is
     * bounded by the text. */
    const size_t most = size / (2 * labels->width + 1) + 1;
    if (lines > most)
        lines = most;
    if (all)
        count = count_words(text, size);
    else if (!mxio_multiply(lines, labels->width, &count))
        count = SIZE_MAX;
    if (mxio_multiply(count, sizeof *labels->values, &bytes)) {
        labels->entries = mxio_alloc(lines * sizeof *labels->entries);
        labels->values = mxio_alloc(bytes);
        labels->ends = all ? mxio_alloc(lines * sizeof *labels->ends) : NULL;
    }
    if (labels->entries == NULL || labels->values == NULL ||
        (all && labels->ends == NULL))
        return mxio_fail(err, MXIO_ENOMEM, "no memory for the labels of %zu lines",
                         lines);
    return MXIO_OK;
}

enum mxio_status
mxio_labels_parse(struct mxio_labels **out, const char *text, size_t size, size_t width,
                  struct mxio_error *err)
{
    struct mxio_labels *labels = mxio_alloc(sizeof *labels);

    if (labels == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for the labels");
    labels->width = width;
    enum mxio_status status = make_room(labels, text, size, err);
    /* The decimal point of strtod is the locale's: this thread borrows the plain one. */
    const locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (status == MXIO_OK && plain == (locale_t)0)
        status = mxio_fail(err, MXIO_ENOMEM, "no memory for a locale");
    if (status == MXIO_OK) {
        const locale_t own = uselocale(plain);
        status = parse_lines(labels, text, size, err);
        uselocale(own);
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
mxio_labels_find_all(const struct mxio_labels *labels, uint64_t id, size_t *count)
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
    const size_t row = labels->entries[low - 1].row;
    size_t first = row * labels->width;
    *count = labels->width;
    if (labels->ends != NULL) {
        first = row > 0 ? labels->ends[row - 1] : 0;
        *count = labels->ends[row] - first;
    }
    return labels->values + first;
}

const double *
mxio_labels_find(const struct mxio_labels *labels, uint64_t id)
{
    size_t count;

    return mxio_labels_find_all(labels, id, &count);
}

size_t
mxio_labels_widest(const struct mxio_labels *labels)
{
    size_t widest = labels->width, first = 0;

    for (size_t row = 0; labels->ends != NULL && row < labels->count; row++) {
        const size_t width = labels->ends[row] - first;
        widest = width > widest ? width : widest;
        first = labels->ends[row];
    }
    return widest;
}
