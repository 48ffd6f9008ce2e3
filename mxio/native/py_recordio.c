/* RecordFile: records of one file at any offset. */
#include "py_core.h"

#include <string.h>

#include "file.h"
#include "recordio.h"

struct py_file {
    PyObject_HEAD struct mxio_file file;
    char *path;
    int reading;  /* reads under way without the GIL */
    bool closing; /* the last of them closes the file */
};

static PyObject *
file_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    struct mxio_error err = MXIO_NO_ERROR;
    PyObject *path = NULL;

    if (kwargs != NULL && PyDict_Size(kwargs) > 0) {
        PyErr_SetString(PyExc_TypeError, "RecordFile takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "O&:RecordFile", PyUnicode_FSConverter, &path))
        return NULL;
    struct py_file *self = (struct py_file *)PyType_GenericAlloc(type, 0);
    if (self == NULL) {
        Py_DECREF(path);
        return NULL;
    }
    self->file.descriptor = -1;
    const char *bytes = PyBytes_AsString(path);
    enum mxio_status status;
    Py_BEGIN_ALLOW_THREADS status = mxio_file_open(&self->file, bytes, &err);
    Py_END_ALLOW_THREADS if (status == MXIO_OK)
    {
        const size_t size = (size_t)PyBytes_Size(path) + 1;
        self->path = mxio_alloc(size);
        if (self->path == NULL)
            PyErr_NoMemory();
        else
            memcpy(self->path, bytes, size);
    }
    else
    {
        py_raise(py_state_of_type(type), &err, NULL, bytes);
    }
    Py_DECREF(path);
    if (PyErr_Occurred()) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void
file_dealloc(PyObject *object)
{
    struct py_file *self = (struct py_file *)object;
    PyTypeObject *type = Py_TYPE(object);

    mxio_file_close(&self->file);
    mxio_free(self->path);
    PyObject_Free(object);
    Py_DECREF(type);
}

static int
check_open(const struct py_file *self)
{
    if (self->file.descriptor >= 0 && !self->closing)
        return 0;
    PyErr_Format(PyExc_ValueError, "%s is closed", self->path);
    return -1;
}

/* Whole records are read in one go when they fit into this many bytes. */
#define FIRST_READ ((uint64_t)16384)

/*
 * The bytes of the record at `offset`, and perhaps more behind it, in *buffer. Reads as
 * much as the heads ask for, and stops where a head is damaged: the join says what is
 * wrong.
 */
static enum mxio_status
read_parts(const struct mxio_file *file, uint64_t offset, struct mxio_buffer *buffer,
           size_t *have, struct mxio_error *err)
{
    const uint64_t left = file->size - offset;
    uint64_t need = left < FIRST_READ ? left : FIRST_READ;
    uint64_t place = 0;
    struct mxio_head head;

    *have = 0;
    for (;;) {
        if (need > *have) {
            uint8_t *bytes = mxio_realloc(buffer->bytes, (size_t)need);
            if (bytes == NULL)
                return mxio_fail(err, MXIO_ENOMEM,
                                 "no memory for a record of %llu bytes",
                                 (unsigned long long)need);
            *buffer = (struct mxio_buffer){.bytes = bytes, .size = (size_t)need};
            const enum mxio_status status =
                mxio_file_read(file, offset + *have, bytes + *have,
                               (size_t)(need - *have), err);
            if (status != MXIO_OK)
                return status;
            *have = (size_t)need;
        }
        if (*have - place < MXIO_HEAD_SIZE ||
            !mxio_recordio_head(buffer->bytes + place, &head))
            return MXIO_OK;
        place += mxio_recordio_part_size(&head);
        if (place >= left) {
            need = left;
            place = left;
        } else if (head.part == MXIO_WHOLE || head.part == MXIO_LAST) {
            need = place;
        } else {
            need = left - place < MXIO_HEAD_SIZE ? left : place + MXIO_HEAD_SIZE;
        }
        if (need <= *have &&
            (place >= left || head.part == MXIO_WHOLE || head.part == MXIO_LAST))
            return MXIO_OK;
        if (place > 2 * (uint64_t)MXIO_RECORD_LIMIT)
            return MXIO_OK;
    }
}

static PyObject *
file_read(PyObject *object, PyObject *argument)
{
    struct py_file *self = (struct py_file *)object;
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_buffer buffer = {.bytes = NULL};
    size_t have = 0, payload = 0, size = 0, consumed = 0;
    enum mxio_status status;

    const unsigned long long offset = PyLong_AsUnsignedLongLong(argument);
    if (PyErr_Occurred() || check_open(self) < 0)
        return NULL;
    if (offset == self->file.size)
        Py_RETURN_NONE;
    if (offset > self->file.size) {
        mxio_fail(&err, MXIO_EDATA, "the file has %llu bytes",
                  (unsigned long long)self->file.size);
        err.offset = (int64_t)offset;
        return py_raise(py_state_of_type(Py_TYPE(object)), &err, NULL, self->path);
    }
    self->reading++;
    Py_BEGIN_ALLOW_THREADS status =
        read_parts(&self->file, offset, &buffer, &have, &err);
    if (status == MXIO_OK)
        status =
            mxio_recordio_join(buffer.bytes, have, &payload, &size, &consumed, &err);
    Py_END_ALLOW_THREADS if (--self->reading == 0 && self->closing)
        mxio_file_close(&self->file);
    PyObject *out = NULL;
    if (status == MXIO_OK) {
        out = Py_BuildValue("y#K", (const char *)buffer.bytes + payload,
                            (Py_ssize_t)size, offset + consumed);
    } else {
        err.offset = (int64_t)offset;
        py_raise(py_state_of_type(Py_TYPE(object)), &err, NULL, self->path);
    }
    mxio_buffer_free(&buffer);
    return out;
}

static PyObject *
file_size(PyObject *object, PyObject *ignored)
{
    (void)ignored;
    return PyLong_FromUnsignedLongLong(((struct py_file *)object)->file.size);
}

static PyObject *
file_close(PyObject *object, PyObject *ignored)
{
    struct py_file *self = (struct py_file *)object;

    (void)ignored;
    self->closing = true;
    if (self->reading == 0)
        mxio_file_close(&self->file);
    Py_RETURN_NONE;
}

static PyMethodDef file_methods[] = {
    {"read", file_read, METH_O,
     "The record at an offset, and the offset behind it; None at the end."},
    {"size", file_size, METH_NOARGS, "Bytes of the file."},
    {"close", file_close, METH_NOARGS, "Close the file; idempotent."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot file_slots[] = {
    {Py_tp_doc, "A RecordIO file open for reading at any offset."},
    {Py_tp_new, file_new},
    {Py_tp_dealloc, file_dealloc},
    {Py_tp_methods, file_methods},
    {0, NULL},
};

PyType_Spec py_file_spec = {
    .name = "mxio._core.RecordFile",
    .basicsize = sizeof(struct py_file),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = file_slots,
};
