/* The memory of a loader: how much there is, and what the caller lends. */
#include "py_loader.h"

PyObject *
py_loader_lacks(PyObject *object, PyObject *ignored)
{
    struct py_loader *self = (struct py_loader *)object;

    (void)ignored;
    /* Of a loader that is in use by another thread, next says so. */
    return PyLong_FromSize_t(self->busy ? 0 : mxio_loader_lacks(self->loader));
}

/* 0 when the memory is none of that which the views show; or -1 with an exception. */
static int
check_apart(PyObject *views, const Py_buffer *memory)
{
    const uintptr_t start = (uintptr_t)memory->buf;

    for (Py_ssize_t i = 0; i < PyList_Size(views); i++) {
        Py_buffer other;
        if (PyObject_GetBuffer(PyList_GetItem(views, i), &other, PyBUF_SIMPLE) < 0)
            return -1;
        const uintptr_t taken = (uintptr_t)other.buf;
        const bool apart = start >= taken + (uintptr_t)other.len ||
                           taken >= start + (uintptr_t)memory->len;
        PyBuffer_Release(&other);
        if (!apart) {
            PyErr_SetString(PyExc_ValueError,
                            "memory for a batch is under another batch already");
            return -1;
        }
    }
    return 0;
}

/* Keep the view, and lend what it shows; 0, or -1 with an exception. */
static int
lend(struct py_loader *self, PyObject *view, const Py_buffer *memory)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const Py_ssize_t count = PyList_Size(self->lent);

    if (check_apart(self->lent, memory) < 0 || PyList_Append(self->lent, view) < 0)
        return -1;
    if (mxio_loader_lend(self->loader, memory->buf, (size_t)memory->len, &err) ==
        MXIO_OK)
        return 0;
    if (PyList_SetSlice(self->lent, count, count + 1, NULL) == 0)
        py_loader_raise(self, &err);
    return -1;
}

/* The loader writes into what the view shows, so the view stays, and is not shown to the
 * garbage collector, which might take it away. */
PyObject *
py_loader_lend(PyObject *object, PyObject *memory)
{
    struct py_loader *self = (struct py_loader *)object;
    Py_buffer buffer;

    if (self->lent == NULL && (self->lent = PyList_New(0)) == NULL)
        return NULL;
    PyObject *view = PyMemoryView_FromObject(memory);
    if (view == NULL || PyObject_GetBuffer(view, &buffer, PyBUF_WRITABLE) < 0) {
        Py_XDECREF(view);
        return NULL;
    }
    const int failed = lend(self, view, &buffer);
    PyBuffer_Release(&buffer);
    Py_DECREF(view);
    return failed ? NULL : Py_NewRef(Py_None);
}

PyObject *
py_loader_memory(PyObject *object, PyObject *ignored)
{
    size_t used, idle;

    (void)ignored;
    mxio_loader_memory(((struct py_loader *)object)->loader, &used, &idle);
    return Py_BuildValue("nn", (Py_ssize_t)used, (Py_ssize_t)idle);
}
