/*
 * What the binding files share: module state, blocks, errors.
 *
 * A binding borrows its arguments, releases the GIL, calls the core, gives back,
 * translates.
 *
 * Owner:   as Python's API: functions that return PyObject * give a new reference.
 * Threads: with the GIL, unless said otherwise.
 * Errors:  NULL or -1 with a Python exception set.
 */
#ifndef MXIO_PY_CORE_H
#define MXIO_PY_CORE_H

#define PY_SSIZE_T_CLEAN /* lengths in argument formats are Py_ssize_t */
#include <Python.h>

#include "base.h"
#include "params.h"
#include "pool.h"
#include "reader.h"

/* Ctrl-C is looked for this often while waiting. */
#define PY_SLICE_MS 100

struct mxio_feed;

struct py_state {
    PyObject *errors; /* the module mxio.errors */
    PyTypeObject *block_type;
    PyTypeObject *loader_type;
    PyTypeObject *file_type;
    PyTypeObject *rows_type;
    PyTypeObject *set_type;
    PyTypeObject *packer_type;
    PyTypeObject *records_type;
    PyTypeObject *lookout_type;
};

extern struct PyModuleDef py_module_definition;

struct py_state *
py_state_of_type(PyTypeObject *type);

/* Raise what *err says. `paths` names the files by error.file; `path` is used when that
 * is -1. Returns NULL. */
PyObject *
py_raise(const struct py_state *state, const struct mxio_error *err, char *const *paths,
         const char *path);

/* The sentence of an error, with its place: "t.rec: record 3 (id 7) at byte 96: ..." */
PyObject *
py_describe(const struct mxio_error *err, const char *path);

/* A Block that owns the core's block; the block is released also on failure. */
PyObject *
py_block_wrap(const struct py_state *state, struct mxio_block *block);

/* Let a Block keep the object until after its memory was given back. */
void
py_block_keep(PyObject *block, PyObject *kept);

/* A RowFeed that owns the feed, and the paths that its errors name; both are given back
 * also on failure. */
PyObject *
py_rows_wrap(const struct py_state *state, struct mxio_feed *feed, double timeout,
             char **paths);

/* Free a feed, and the paths that it reads unless its thread was left alone. Without the
 * GIL, or before the feed has a thread. */
void
py_rows_free(struct mxio_feed *feed, char **paths);

/* Fill params from a mapping of canonical values; 0, or -1 with an exception. */
int
py_params_fill(const struct py_state *state, struct mxio_params *params,
               PyObject *options);

/* A contiguous borrowed buffer of exactly `size` bytes; 0, or -1 with a ValueError. */
int
py_buffer_of_size(PyObject *object, Py_buffer *view, size_t size, const char *what);

/* Chosen records: (first, count), an array of ordinals, which *ordinals then holds for
 * the life of *out, or None for all; 0, or -1 with an exception. */
int
py_borrow_selection(PyObject *chosen, Py_buffer *ordinals, struct mxio_selection *out);

/* Copy a sequence of str or bytes behind the `*count` paths of a list that ends with
 * NULL; 0, or -1 with an exception. The list may begin as NULL. */
int
py_paths_append(char ***paths, size_t *count, PyObject *sequence);

/* Accepts NULL. */
void
py_paths_free(char **paths);

/* Converter for "O&": `out` gets a new bytes object in the file system's encoding, or
 * NULL for None. */
int
py_optional_path(PyObject *path, void *out);

extern PyType_Spec py_block_spec, py_loader_spec, py_file_spec, py_rows_spec,
    py_set_spec, py_packer_spec, py_feed_spec, py_lookout_spec;

/* Functions of the module, by file. */
extern PyMethodDef py_picture_methods[], py_mnist_methods[], py_scan_methods[];
PyObject *
py_params_table(void);

#endif
