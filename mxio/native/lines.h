/*
 * The lines of one part of a set of text files, in order, a block of bytes at a time.
 *
 * A line ends with \n, \r or \r\n, or with its file. Lines of blanks are passed over. A
 * part is a range of the bytes of all files together; ends inside a file are moved
 * forward behind the next end of a line, so that every line is in exactly one part.
 *
 * Owner:   new copies the paths; at most one file is open at a time. A line is borrowed
 *          until the next call.
 * Threads: one at a time.
 * Errors:  MXIO_EIO and MXIO_EDATA with err->file, MXIO_ENOMEM, MXIO_ESTATE when told
 *          to stop.
 */
#ifndef MXIO_LINES_H
#define MXIO_LINES_H

#include "base.h"

/* A line has fewer bytes than this: a bound on the memory for one. */
#define MXIO_LINE_LIMIT ((size_t)1 << 29)

struct mxio_lines;

struct mxio_line {
    const char *text; /* without its end */
    size_t size;
    int file;
    uint64_t offset; /* in the file */
    uint64_t number; /* lines of the file, or of its part, before this one */
};

/* `comment`, when not 0, begins a comment that goes on to the end of a line. The watch
 * is asked before each read, here and later.
 * MXIO_EPARAM for a part that there is not, MXIO_EDATA for one without a line. */
MXIO_MUST_USE enum mxio_status
mxio_lines_new(struct mxio_lines **out, const char *const *paths, size_t path_count,
               size_t num_parts, size_t part_index, char comment,
               const struct mxio_watch *watch, struct mxio_error *err);

/* Accepts NULL. */
void
mxio_lines_free(struct mxio_lines *lines);

/* Back to the first line of the part. */
void
mxio_lines_rewind(struct mxio_lines *lines);

/* *got is false at the end of the part. */
MXIO_MUST_USE enum mxio_status
mxio_lines_next(struct mxio_lines *lines, struct mxio_line *out, bool *got,
                struct mxio_error *err);

/* Lines of the set in front of the part. Rewinds. */
MXIO_MUST_USE enum mxio_status
mxio_lines_before(struct mxio_lines *lines, uint64_t *out, struct mxio_error *err);

/* From now on the part begins behind the line that was read last. */
void
mxio_lines_begin_here(struct mxio_lines *lines);

/* Say in *err in which file and at which byte a line is, `column` bytes from its start.
 * Returns its number in the file, from 1 on; 0 when that could not be found out. */
uint64_t
mxio_lines_place(struct mxio_lines *lines, const struct mxio_line *line, size_t column,
                 struct mxio_error *err);

#endif
