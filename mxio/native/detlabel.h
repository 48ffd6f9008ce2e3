/*
 * Labels of detection, as MXNet stores and gives them.
 *
 *   stored:  A, B, A - 2 more numbers of a header, then objects of B numbers each:
 *            class, left, top, right, bottom, ...; coordinates are shares of the image
 *   a row:   channels, rows, columns, n, then the n numbers of the label, then padding
 *
 * Owner:   a label keeps its memory from one record to the next.
 * Threads: one label per thread; settle needs the reader for itself.
 * Errors:  MXIO_EDATA for a label that is none, MXIO_EPARAM when label_pad_width is too
 *          small, MXIO_ENOMEM.
 */
#ifndef MXIO_DETLABEL_H
#define MXIO_DETLABEL_H

#include "base.h"
#include "imgrec.h"
#include "labels.h"
#include "params.h"
#include "reader.h"

/* Numbers of a row before the label. */
#define MXIO_ROW_LEAD 4

struct mxio_detlabel {
    float *numbers; /* header + count * object of them */
    size_t header, object, count;
    size_t room;
};

/* A rectangle in shares of an image: 0, 0, 1, 1 is all of it. */
struct mxio_box {
    float x, y, width, height;
};

void
mxio_detlabel_free(struct mxio_detlabel *label);

/*
 * The label of a record: that of the list if there is one, else the one packed in it.
 * Objects without area (right <= left or bottom <= top) are left out.
 */
MXIO_MUST_USE enum mxio_status
mxio_detlabel_read(struct mxio_detlabel *label, const struct mxio_params *params,
                   const struct mxio_labels *labels, const struct mxio_imgrec *record,
                   struct mxio_error *err);

/* The numbers of object i: class, left, top, right, bottom, ... */
float *
mxio_detlabel_object(const struct mxio_detlabel *label, size_t i);

/* Left to right. */
void
mxio_detlabel_mirror(struct mxio_detlabel *label);

/* Keep the objects for which `keep` holds. */
void
mxio_detlabel_keep(struct mxio_detlabel *label,
                   bool (*keep)(const float *object, const void *context),
                   const void *context);

/* Coordinates in the box instead of the image, clipped to [0, 1]; what has no area then
 * is left out. */
void
mxio_detlabel_project(struct mxio_detlabel *label, struct mxio_box box);

/* A row of params->label_width numbers, as settle left it, for an image of that size.
 * MXIO_EDATA when the label is wider: the file was changed since. */
MXIO_MUST_USE enum mxio_status
mxio_detlabel_write(const struct mxio_detlabel *label, const struct mxio_params *params,
                    struct mxio_size size, float *out, struct mxio_error *err);

/*
 * Set params->label_width to that of a row: label_pad_width, or the widest label of the
 * list or of the part. The heads of the part's records are read, not the pictures. With
 * on_error="raise" the first label that is none is the error; else only when all are.
 */
MXIO_MUST_USE enum mxio_status
mxio_detlabel_settle(struct mxio_params *params, struct mxio_reader *reader,
                     const struct mxio_extent *extent, const struct mxio_labels *labels,
                     struct mxio_error *err);

#endif
