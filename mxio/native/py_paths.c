/* Lists of paths, from Python to C. */
#include "py_core.h"

#include <string.h>

void
py_paths_free(char **paths)
{
    for (size_t i = 0; paths != NULL && paths[i] != NULL; i++)
        mxio_free(paths[i]);
    mxio_free(paths);
}

/* A copy in the file system's encoding; NULL with an exception. */
static char *
copy_path(PyObject *item)
{
    PyObject *bytes = NULL;

    if (item == NULL || !PyUnicode_FSConverter(item, &bytes))
        return NULL;
    const size_t size = (size_t)PyBytes_Size(bytes) + 1;
    char *path = mxio_alloc(size);
    if (path != NULL)
        memcpy(path, PyBytes_AsString(bytes), size);
    else
        PyErr_NoMemory();
    Py_DECREF(bytes);
    return path;
}

int
py_paths_append(char ***paths, size_t *count, PyObject *sequence)
{
    const Py_ssize_t more = PySequence_Size(sequence);

    if (more < 0)
        return -1;
    char **grown = mxio_realloc(*paths, (*count + (size_t)more + 1) * sizeof *grown);
    if (grown == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *paths = grown;
    grown[*count] = NULL;
    for (Py_ssize_t i = 0; i < more; i++) {
        PyObject *item = PySequence_GetItem(sequence, i);
        grown[*count] = copy_path(item);
        Py_XDECREF(item);
        if (grown[*count] == NULL)
            return -1;
        grown[++*count] = NULL;
    }
    return 0;
}

int
py_optional_path(PyObject *path, void *out)
{
    if (path != Py_None)
        return PyUnicode_FSConverter(path, out);
    *(PyObject **)out = NULL;
    return 1;
}
