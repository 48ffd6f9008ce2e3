/*
 * Labels by record id, from a list file: "id label [label ...] [path]" a line.
 *
 * Owner:   parse gives the caller a table, to free.
 * Threads: read-only once made.
 * Errors:  MXIO_EDATA with the line.
 */
#ifndef MXIO_LABELS_H
#define MXIO_LABELS_H

#include "base.h"

struct mxio_labels;

/* As width: all words between the id and the last one, the path; lines may differ. */
#define MXIO_LABELS_ALL 0

/*
 * `width` numbers are read after the id; more words may follow, fewer are an error.
 * Words are separated by blanks or tabs; empty lines are passed over. Of two lines with
 * one id the later counts.
 */
MXIO_MUST_USE enum mxio_status
mxio_labels_parse(struct mxio_labels **out, const char *text, size_t size, size_t width,
                  struct mxio_error *err);

/* Accepts NULL. */
void
mxio_labels_free(struct mxio_labels *labels);

/* The labels of a record, or NULL. */
const double *
mxio_labels_find(const struct mxio_labels *labels, uint64_t id);

/* The same, and how many they are. */
const double *
mxio_labels_find_all(const struct mxio_labels *labels, uint64_t id, size_t *count);

/* Labels in the line that has most. */
size_t
mxio_labels_widest(const struct mxio_labels *labels);

#endif
