/* RecordFile: records of one file at any offset. */
#include "py_core.h"

#include <string.h>

#include "file.h"
#include "recordio.h"

struct py_file {
    PyObject_HEAD struct mxio_file file;
    char *path;
    int reading;     /* reads under way without the GIL */
    bool closing;    /* the last of them closes the file */
    uint64_t behind; /* the record read last ends here */
    bool small;      /* and it was one of many in a window */
    uint8_t *window; /* the file from window_offset on; NULL until it is needed */
    uint64_t window_offset;
    size_t window_size;
    bool filling; /* a thread without the GIL writes into the window */
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
    self->small = true; /* until a record is known */
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
    mxio_free(self->window);
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

/* The first read of a record takes so much: small ones are whole then. */
#define FIRST_READ ((size_t)4096)

/* Records read in order come out of a window of the file when they are small. */
#define WINDOW_SIZE ((size_t)65536)
#define SMALL_RECORD ((size_t)16384)

static PyObject *
new_bytes(const void *data, size_t size, struct mxio_error *err)
{
    PyObject *out = PyBytes_FromStringAndSize(data, (Py_ssize_t)size);

    if (out == NULL) {
        PyErr_Clear();
        mxio_fail(err, MXIO_ENOMEM, "no memory for a record of %zu bytes", size);
    }
    return out;
}

/* The payload's length when the bytes start with the head of a record in one part that
 * ends within the file; everything else is left to the join. */
static bool
whole_record(const uint8_t *bytes, size_t have, uint64_t left, size_t *length)
{
    struct mxio_head head;

    if (have < MXIO_HEAD_SIZE || !mxio_recordio_head(bytes, &head) ||
        head.part != MXIO_WHOLE || head.length > left - MXIO_HEAD_SIZE)
        return false;
    *length = head.length;
    return true;
}

/* NULL when the window does not hold the record, or on failure. */
static PyObject *
read_window(const struct py_file *self, uint64_t offset, struct mxio_error *err)
{
    size_t length;

    if (self->filling || offset < self->window_offset ||
        offset - self->window_offset >= self->window_size)
        return NULL;
    const size_t place = (size_t)(offset - self->window_offset);
    const size_t have = self->window_size - place;
    if (!whole_record(self->window + place, have, self->file.size - offset, &length) ||
        length > have - MXIO_HEAD_SIZE)
        return NULL;
    return new_bytes(self->window + place + MXIO_HEAD_SIZE, length, err);
}

/* The window from `offset` on. It stays empty on a failure: that may lie far behind the
 * record wanted, whose own read will tell. */
static void
fill_window(struct py_file *self, uint64_t offset)
{
    struct mxio_error ignored = MXIO_NO_ERROR;
    const uint64_t left = self->file.size - offset;
    const size_t size = left < WINDOW_SIZE ? (size_t)left : WINDOW_SIZE;
    enum mxio_status status;

    if (self->window == NULL)
        self->window = mxio_alloc(WINDOW_SIZE);
    if (self->window == NULL)
        return;
    self->window_size = 0;
    self->filling = true;
    Py_BEGIN_ALLOW_THREADS status =
        mxio_file_read(&self->file, offset, self->window, size, &ignored);
    Py_END_ALLOW_THREADS self->filling = false;
    if (status != MXIO_OK)
        return;
    self->window_offset = offset;
    self->window_size = size;
}

/* Straight into the bytes of Python. NULL when the record is not a whole one, or on
 * failure. */
static PyObject *
read_whole(const struct py_file *self, uint64_t offset, struct mxio_error *err)
{
    uint8_t first[FIRST_READ];
    const uint64_t left = self->file.size - offset;
    const size_t have = left < sizeof first ? (size_t)left : sizeof first;
    enum mxio_status status;
    size_t length;

    Py_BEGIN_ALLOW_THREADS status =
        mxio_file_read(&self->file, offset, first, have, err);
    Py_END_ALLOW_THREADS if (status != MXIO_OK ||
                             !whole_record(first, have, left, &length)) return NULL;
    const size_t there = have - MXIO_HEAD_SIZE;
    if (length <= there)
        return new_bytes(first + MXIO_HEAD_SIZE, length, err);
    PyObject *out = new_bytes(NULL, length, err);
    if (out == NULL)
        return NULL;
    char *bytes = PyBytes_AsString(out);
    memcpy(bytes, first + MXIO_HEAD_SIZE, there);
    Py_BEGIN_ALLOW_THREADS status =
        mxio_file_read(&self->file, offset + have, bytes + there, length - there, err);
    Py_END_ALLOW_THREADS if (status != MXIO_OK)
    {
        Py_DECREF(out);
        return NULL;
    }
    return out;
}

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

/* The payload joined of its parts; NULL with an error when it is damaged. */
static PyObject *
read_joined(const struct py_file *self, uint64_t offset, size_t *consumed,
            struct mxio_error *err)
{
    struct mxio_buffer buffer = {.bytes = NULL};
    size_t have = 0, payload = 0, size = 0;
    PyObject *out = NULL;
    enum mxio_status status;

    Py_BEGIN_ALLOW_THREADS status =
        read_parts(&self->file, offset, &buffer, &have, err);
    if (status == MXIO_OK)
        status = mxio_recordio_join(buffer.bytes, have, &payload, &size, consumed, err);
    Py_END_ALLOW_THREADS if (status == MXIO_OK) out =
        new_bytes(buffer.bytes + payload, size, err);
    mxio_buffer_free(&buffer);
    return out;
}

/* The payload at `offset`, which lies within the file, and where the record ends. */
static PyObject *
read_record(struct py_file *self, uint64_t offset, uint64_t *behind,
            struct mxio_error *err)
{
    size_t consumed = 0;
    PyObject *out = read_window(self, offset, err);

    if (out == NULL && err->status == MXIO_OK && !self->filling && self->small &&
        offset == self->behind) {
        fill_window(self, offset);
        out = read_window(self, offset, err);
    }
    if (out == NULL && err->status == MXIO_OK)
        out = read_whole(self, offset, err);
    if (out != NULL) {
        const struct mxio_head head = {.part = MXIO_WHOLE,
                                       .length = (uint32_t)PyBytes_Size(out)};
        consumed = mxio_recordio_part_size(&head);
    } else if (err->status == MXIO_OK) {
        out = read_joined(self, offset, &consumed, err);
    }
    if (out == NULL)
        return NULL;
    const uint64_t left = self->file.size - offset; /* padding may be missing */
    *behind = offset + (consumed < left ? consumed : left);
    self->behind = *behind;
    self->small = consumed <= SMALL_RECORD;
    return out;
}

static PyObject *
file_read(PyObject *object, PyObject *argument)
{
    struct py_file *self = (struct py_file *)object;
    struct mxio_error err = MXIO_NO_ERROR;
    PyObject *payload = NULL;
    uint64_t behind = 0;

    const unsigned long long offset = PyLong_AsUnsignedLongLong(argument);
    if (PyErr_Occurred() || check_open(self) < 0)
        return NULL;
    if (offset == self->file.size)
        Py_RETURN_NONE;
    if (offset > self->file.size) {
        mxio_fail(&err, MXIO_EDATA, "the file has %llu bytes",
                  (unsigned long long)self->file.size);
    } else {
        self->reading++;
        payload = read_record(self, offset, &behind, &err);
        if (--self->reading == 0 && self->closing)
            mxio_file_close(&self->file);
    }
    if (payload != NULL)
        return Py_BuildValue("NK", payload, (unsigned long long)behind);
    err.offset = (int64_t)offset;
    return py_raise(py_state_of_type(Py_TYPE(object)), &err, NULL, self->path);
}

static PyObject *
file_raw(PyObject *object, PyObject *args)
{
    struct py_file *self = (struct py_file *)object;
    struct mxio_error err = MXIO_NO_ERROR;
    unsigned long long offset, wanted;
    enum mxio_status status;

    if (!PyArg_ParseTuple(args, "KK:raw", &offset, &wanted) || check_open(self) < 0)
        return NULL;
    const uint64_t left = offset < self->file.size ? self->file.size - offset : 0;
    const uint64_t size = wanted < left ? wanted : left;
    PyObject *out = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (out == NULL)
        return NULL;
    char *bytes = PyBytes_AsString(out);
    self->reading++;
    Py_BEGIN_ALLOW_THREADS status =
        mxio_file_read(&self->file, offset, bytes, (size_t)size, &err);
    Py_END_ALLOW_THREADS if (--self->reading == 0 && self->closing)
        mxio_file_close(&self->file);
    if (status == MXIO_OK)
        return out;
    Py_DECREF(out);
    return py_raise(py_state_of_type(Py_TYPE(object)), &err, NULL, self->path);
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
    {"raw", file_raw, METH_VARARGS,
     "Bytes from an offset on, as many as asked for or as there are."},
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
