#include "lines.h"

#include <string.h>

#include "file.h"

/* Bytes read at once: enough to hide the call, few enough to stay in the cache and to
 * stop soon when asked to. */
#define BLOCK ((size_t)256 << 10)

#define UNKNOWN SIZE_MAX

struct mxio_lines {
    char **paths;
    uint64_t *starts; /* of the files among the bytes of all, and the end of the last */
    size_t path_count;
    uint64_t begin, end; /* the part, among the bytes of all */
    bool begins_after_carriage;
    char comment;
    struct mxio_watch watch;

    size_t current;        /* the file that is read; path_count behind the last */
    struct mxio_file file; /* closed until its first read */
    char *block;           /* bytes of the file; [at, have) are still to be read */
    size_t room, at, have;
    uint64_t offset;          /* of the block, in the file */
    size_t newline, carriage; /* where the next of each is, `have` for none */
    bool after_carriage;      /* a \n that follows belongs to the line before */
    uint64_t number;          /* lines read of this file */
};

static void
close_file(struct mxio_lines *lines)
{
    mxio_file_close(&lines->file);
    lines->file.descriptor = -1;
}

void
mxio_lines_free(struct mxio_lines *lines)
{
    if (lines == NULL)
        return;
    close_file(lines);
    for (size_t i = 0; lines->paths != NULL && i < lines->path_count; i++)
        mxio_free(lines->paths[i]);
    mxio_free(lines->paths);
    mxio_free(lines->starts);
    mxio_free(lines->block);
    mxio_free(lines);
}

/* Go to a byte of the set; a file without bytes is none. */
static void
seek(struct mxio_lines *lines, uint64_t place)
{
    size_t current = 0;

    while (current < lines->path_count && place >= lines->starts[current + 1])
        current++;
    if (current != lines->current)
        close_file(lines);
    lines->current = current;
    lines->offset =
        current < lines->path_count ? place - lines->starts[current] : UINT64_C(0);
    lines->at = lines->have = 0;
    lines->newline = lines->carriage = UNKNOWN;
    lines->after_carriage = false;
    lines->number = 0;
}

/* Bytes of the current file that belong to the part, counted from its start. */
static uint64_t
file_end(const struct mxio_lines *lines)
{
    const uint64_t end = lines->starts[lines->current + 1] < lines->end
                             ? lines->starts[lines->current + 1]
                             : lines->end;

    return end - lines->starts[lines->current];
}

static uint64_t
place_now(const struct mxio_lines *lines)
{
    return lines->current == lines->path_count
               ? lines->starts[lines->path_count]
               : lines->starts[lines->current] + lines->offset + lines->at;
}

/* Make room behind the bytes that are still to be read. */
static enum mxio_status
make_room(struct mxio_lines *lines, struct mxio_error *err)
{
    const size_t left = lines->have - lines->at;

    if (left == lines->room) {
        const size_t room = lines->room == 0 ? BLOCK : 2 * lines->room;
        if (room > MXIO_LINE_LIMIT)
            return mxio_fail(err, MXIO_EDATA,
                             "a line of more than %zu bytes: is this a text file?",
                             MXIO_LINE_LIMIT);
        char *block = mxio_realloc(lines->block, room);
        if (block == NULL)
            return mxio_fail(err, MXIO_ENOMEM, "no memory for a line of %zu bytes",
                             room);
        lines->block = block;
        lines->room = room;
    }
    if (lines->at > 0)
        memmove(lines->block, lines->block + lines->at, left);
    lines->offset += lines->at;
    lines->at = 0;
    lines->have = left;
    lines->newline = lines->carriage = UNKNOWN;
    return MXIO_OK;
}

/* Read more of the current file; *more is false at its end, or that of the part. */
static enum mxio_status
refill(struct mxio_lines *lines, bool *more, struct mxio_error *err)
{
    enum mxio_status status = MXIO_OK;
    const uint64_t left = file_end(lines) - (lines->offset + lines->have);

    *more = left > 0;
    if (!*more)
        return MXIO_OK;
    status = mxio_watch_ask(&lines->watch, (int)lines->current,
                            lines->offset + lines->have, err);
    if (status != MXIO_OK)
        return status;
    if (lines->file.descriptor < 0)
        status = mxio_file_open(&lines->file, lines->paths[lines->current], err);
    if (status == MXIO_OK)
        status = make_room(lines, err);
    if (status == MXIO_OK) {
        const size_t room = lines->room - lines->have;
        const size_t size = left < room ? (size_t)left : room;
        status = mxio_file_read(&lines->file, lines->offset + lines->have,
                                lines->block + lines->have, size, err);
        if (status == MXIO_OK)
            lines->have += size;
    }
    if (status != MXIO_OK) {
        err->file = (int)lines->current;
        err->offset = (int64_t)(lines->offset + lines->at);
    }
    return status;
}

/* Where the next `c` is; looked for only once. */
static size_t
find(const struct mxio_lines *lines, size_t *known, char c)
{
    if (*known == UNKNOWN || *known < lines->at) {
        const char *from = lines->block + lines->at;
        const char *found = memchr(from, c, lines->have - lines->at);
        *known = found == NULL ? lines->have : (size_t)(found - lines->block);
    }
    return *known;
}

/* The next line of the current file, empty ones too; *got is false at its end. */
static enum mxio_status
next_line(struct mxio_lines *lines, struct mxio_line *out, bool *got,
          struct mxio_error *err)
{
    bool more = true;

    for (;;) {
        if (lines->after_carriage && lines->at < lines->have) {
            lines->at += lines->block[lines->at] == '\n';
            lines->after_carriage = false;
        }
        size_t stop = lines->have;
        if (lines->at < lines->have) {
            const size_t newline = find(lines, &lines->newline, '\n');
            const size_t carriage = find(lines, &lines->carriage, '\r');
            stop = newline < carriage ? newline : carriage;
        }
        if (stop < lines->have || !more) {
            *got = lines->at < lines->have;
            *out = (struct mxio_line){.text = lines->block + lines->at,
                                      .size = stop - lines->at,
                                      .file = (int)lines->current,
                                      .offset = lines->offset + lines->at,
                                      .number = lines->number};
            if (!*got)
                return MXIO_OK;
            lines->after_carriage = stop < lines->have && lines->block[stop] == '\r';
            lines->at = stop < lines->have ? stop + 1 : stop;
            lines->number++;
            return MXIO_OK;
        }
        const enum mxio_status status = refill(lines, &more, err);
        if (status != MXIO_OK)
            return status;
    }
}

static bool
is_blank(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\v' && text[i] != '\f')
            return false;
    return true;
}

/* Some programs mark a file as UTF-8 by its first three bytes. */
static void
leave_out_mark(struct mxio_line *line)
{
    if (line->offset == 0 && line->size >= 3 &&
        memcmp(line->text, "\xEF\xBB\xBF", 3) == 0) {
        line->text += 3;
        line->size -= 3;
        line->offset = 3;
    }
}

enum mxio_status
mxio_lines_next(struct mxio_lines *lines, struct mxio_line *out, bool *got,
                struct mxio_error *err)
{
    *got = false;
    while (lines->current < lines->path_count && place_now(lines) < lines->end) {
        const enum mxio_status status = next_line(lines, out, got, err);
        if (status != MXIO_OK)
            return status;
        if (!*got) {
            seek(lines, lines->starts[lines->current + 1]);
            continue;
        }
        leave_out_mark(out);
        if (lines->comment != '\0') {
            const char *comment = memchr(out->text, lines->comment, out->size);
            if (comment != NULL)
                out->size = (size_t)(comment - out->text);
        }
        if (!is_blank(out->text, out->size))
            return MXIO_OK;
        *got = false;
    }
    return MXIO_OK;
}

void
mxio_lines_rewind(struct mxio_lines *lines)
{
    seek(lines, lines->begin);
    lines->after_carriage = lines->begins_after_carriage && lines->offset > 0;
}

/* ---- parts ---- */

/* Move a boundary inside a file behind the next end of a line, and what follows of such
 * ends. */
static enum mxio_status
move_boundary(struct mxio_lines *lines, uint64_t *boundary, struct mxio_error *err)
{
    bool ended = false, more = true;

    lines->end = lines->starts[lines->path_count];
    seek(lines, *boundary);
    if (lines->current == lines->path_count || lines->offset == 0)
        return MXIO_OK;
    while (more) {
        for (; lines->at < lines->have; lines->at++) {
            const char c = lines->block[lines->at];
            if (ended && c != '\n' && c != '\r') {
                *boundary = place_now(lines);
                return MXIO_OK;
            }
            ended |= c == '\n' || c == '\r';
        }
        const enum mxio_status status = refill(lines, &more, err);
        if (status != MXIO_OK)
            return status;
    }
    *boundary = lines->starts[lines->current + 1];
    return MXIO_OK;
}

static enum mxio_status
cut_part(struct mxio_lines *lines, size_t num_parts, size_t part_index,
         struct mxio_error *err)
{
    const uint64_t total = lines->starts[lines->path_count];
    const uint64_t step = total / num_parts + (total % num_parts != 0);
    uint64_t begin = total, end = total;

    /* begin = min(part_index * step, total), end one step further */
    if (step > 0 && part_index <= total / step)
        begin = part_index * step;
    if (total - begin > step)
        end = begin + step;
    enum mxio_status status = move_boundary(lines, &begin, err);
    if (status == MXIO_OK)
        status = move_boundary(lines, &end, err);
    if (status != MXIO_OK)
        return status;
    lines->begin = begin;
    lines->end = end;
    if (total == 0)
        return mxio_fail(err, MXIO_EDATA, "there is no line: nothing but empty files");
    if (begin >= end)
        return mxio_fail(err, MXIO_EDATA,
                         "part %zu of %zu holds no line: the files have %llu bytes",
                         part_index, num_parts, (unsigned long long)total);
    return MXIO_OK;
}

static enum mxio_status
measure(struct mxio_lines *lines, const char *const *paths, struct mxio_error *err)
{
    lines->paths = mxio_alloc(lines->path_count * sizeof *lines->paths);
    lines->starts = mxio_alloc((lines->path_count + 1) * sizeof *lines->starts);
    if (lines->paths == NULL || lines->starts == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for %zu paths",
                         lines->path_count);
    for (size_t i = 0; i < lines->path_count; i++) {
        struct mxio_file file;
        const size_t size = strlen(paths[i]) + 1;
        lines->paths[i] = mxio_alloc(size);
        if (lines->paths[i] == NULL)
            return mxio_fail(err, MXIO_ENOMEM, "no memory for a path");
        memcpy(lines->paths[i], paths[i], size);
        enum mxio_status status = mxio_watch_ask(&lines->watch, (int)i, 0, err);
        if (status == MXIO_OK)
            status = mxio_file_open(&file, paths[i], err);
        if (status != MXIO_OK) {
            err->file = (int)i;
            return status;
        }
        lines->starts[i + 1] = lines->starts[i] + file.size;
        mxio_file_close(&file);
    }
    return MXIO_OK;
}

enum mxio_status
mxio_lines_new(struct mxio_lines **out, const char *const *paths, size_t path_count,
               size_t num_parts, size_t part_index, char comment,
               const struct mxio_watch *watch, struct mxio_error *err)
{
    struct mxio_lines *lines;

    if (part_index >= num_parts)
        return mxio_fail(
            err, MXIO_EPARAM,
            "part_index must be in [0, num_parts - 1] = [0, %lld], got %zu",
            (long long)num_parts - 1, part_index);
    lines = mxio_alloc(sizeof *lines);
    if (lines == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for lines");
    lines->file.descriptor = -1;
    lines->path_count = path_count;
    lines->comment = comment;
    lines->watch = *watch;
    enum mxio_status status = measure(lines, paths, err);
    if (status == MXIO_OK)
        status = cut_part(lines, num_parts, part_index, err);
    if (status != MXIO_OK) {
        mxio_lines_free(lines);
        return status;
    }
    close_file(lines);
    mxio_lines_rewind(lines);
    *out = lines;
    return MXIO_OK;
}

enum mxio_status
mxio_lines_before(struct mxio_lines *lines, uint64_t *out, struct mxio_error *err)
{
    const uint64_t begin = lines->begin, end = lines->end;
    enum mxio_status status = MXIO_OK;
    struct mxio_line line;
    uint64_t count = 0;
    bool got = begin > 0;

    lines->begin = 0;
    lines->end = begin;
    mxio_lines_rewind(lines);
    while (got) {
        status = mxio_lines_next(lines, &line, &got, err);
        got = got && status == MXIO_OK;
        count += got;
    }
    lines->begin = begin;
    lines->end = end;
    mxio_lines_rewind(lines);
    if (status == MXIO_OK)
        *out = count;
    return status;
}

void
mxio_lines_begin_here(struct mxio_lines *lines)
{
    lines->begin = place_now(lines);
    lines->begins_after_carriage = lines->after_carriage;
}

/* ---- where a line is ---- */

/* Ends of lines among the first bytes of a file. */
static enum mxio_status
count_ends(const struct mxio_lines *lines, int file, uint64_t size, uint64_t *out,
           struct mxio_error *err)
{
    struct mxio_file open_file;
    uint64_t count = 0;
    char *block = mxio_alloc(BLOCK);
    char before = '\0';

    if (block == NULL)
        return mxio_fail(err, MXIO_ENOMEM, "no memory for a block");
    enum mxio_status status = mxio_file_open(&open_file, lines->paths[file], err);
    if (status != MXIO_OK) {
        mxio_free(block);
        return status;
    }
    for (uint64_t at = 0; at < size && status == MXIO_OK;) {
        const size_t piece = size - at < BLOCK ? (size_t)(size - at) : BLOCK;
        status = mxio_watch_ask(&lines->watch, file, at, err);
        if (status == MXIO_OK)
            status = mxio_file_read(&open_file, at, block, piece, err);
        for (size_t i = 0; i < piece && status == MXIO_OK; i++) {
            count += block[i] == '\r' || (block[i] == '\n' && before != '\r');
            before = block[i];
        }
        at += piece;
    }
    mxio_file_close(&open_file);
    mxio_free(block);
    *out = count;
    return status;
}

uint64_t
mxio_lines_place(struct mxio_lines *lines, const struct mxio_line *line, size_t column,
                 struct mxio_error *err)
{
    const uint64_t start = lines->starts[line->file];
    uint64_t before = 0;

    err->file = line->file;
    err->offset = (int64_t)(line->offset + column);
    if (start < lines->begin) { /* counting began in the middle of the file */
        struct mxio_error ignored = MXIO_NO_ERROR;
        if (count_ends(lines, line->file, lines->begin - start, &before, &ignored) !=
            MXIO_OK)
            return 0;
    }
    return before + line->number + 1;
}
