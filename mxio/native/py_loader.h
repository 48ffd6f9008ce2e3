/*
 * The Loader of Python: life and batches (py_loader.c), questions (py_loader_look.c),
 * memory (py_loader_memory.c).
 *
 * Owner:   a Loader owns its engine and what that borrows.
 * Threads: the GIL; it is released where threads of the core are waited for.
 * Errors:  NULL, with an exception.
 */
#ifndef MXIO_PY_LOADER_H
#define MXIO_PY_LOADER_H

#include "loader.h"
#include "py_core.h"

struct py_loader {
    PyObject_HEAD struct mxio_loader *loader;
    PyObject *decoder;  /* decoder of last resort: (bytes, channels) -> pixels */
    char **paths;       /* of the data files, NULL at the end */
    Py_buffer ordinals; /* of the chosen records, which the loader borrows */
    Py_buffer offsets;  /* of all records, likewise */
    PyObject *lent;     /* list of memoryviews: the memory of batches; NULL: our own */
    int channels;
    double timeout; /* seconds; 0: none */
    bool busy;      /* a consumer is inside, without the GIL */
};

/* Raise what *err says; NULL. */
PyObject *
py_loader_raise(struct py_loader *self, const struct mxio_error *err);

/* Methods, as _core.pyi describes them. */

PyObject *
py_loader_count(PyObject *object, PyObject *ignored);

PyObject *
py_loader_batches(PyObject *object, PyObject *args);

PyObject *
py_loader_label_width(PyObject *object, PyObject *ignored);

PyObject *
py_loader_progress(PyObject *object, PyObject *ignored);

PyObject *
py_loader_work(PyObject *object, PyObject *ignored);

PyObject *
py_loader_offsets(PyObject *object, PyObject *ignored);

PyObject *
py_loader_errors(PyObject *object, PyObject *ignored);

PyObject *
py_loader_lacks(PyObject *object, PyObject *ignored);

PyObject *
py_loader_lend(PyObject *object, PyObject *memory);

PyObject *
py_loader_memory(PyObject *object, PyObject *ignored);

#endif
