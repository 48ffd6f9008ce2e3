/* RecordFeed: payloads of records, in the order and the shares of an image loader. */
#include "py_core.h"

#include "share.h"

struct py_feed {
    PyObject_HEAD struct mxio_reader *reader;
    struct mxio_params params;
    struct mxio_share share;
    struct mxio_cursor cursor;
    struct mxio_entry *rows; /* of a batch */
    struct mxio_buffer buffer;
    Py_buffer ordinals; /* of the chosen records, which the reader borrows */
    char **paths;
    uint64_t used; /* positions done by all ranks once the batches so far are */
    bool busy;     /* a call is inside, without the GIL */
};

static PyObject *
raise_here(struct py_feed *self, const struct mxio_error *err)
{
    return py_raise(py_state_of_type(Py_TYPE((PyObject *)self)), err, self->paths,
                    NULL);
}

/* One call at a time; 0, or -1 with an exception. */
static int
enter(struct py_feed *self)
{
    struct mxio_error err = MXIO_NO_ERROR;

    if (!self->busy) {
        self->busy = true;
        return 0;
    }
    mxio_fail(&err, MXIO_ESTATE, "the records are in use by another thread");
    raise_here(self, &err);
    return -1;
}

static enum mxio_status
open_share(struct py_feed *self, size_t path_count, const Py_buffer *offsets,
           const struct mxio_selection *chosen, bool *index, struct mxio_error *err)
{
    const struct mxio_order order = mxio_order_of(&self->params, false);
    const size_t batch_size = (size_t)self->params.batch_size;

    enum mxio_status status =
        mxio_reader_open(&self->reader, (const char *const *)self->paths, path_count,
                         err);
    if (status == MXIO_OK && offsets->obj != NULL) {
        *index = true;
        status = mxio_reader_use_index(self->reader, offsets->buf,
                                       (size_t)offsets->len / sizeof(uint64_t), err);
        *index = status != MXIO_OK;
    }
    if (status == MXIO_OK)
        status = mxio_reader_select(self->reader, chosen, err);
    if (status == MXIO_OK)
        status =
            mxio_share_init(&self->share, &self->params, self->reader, &order, err);
    if (status != MXIO_OK)
        return status;
    self->cursor = mxio_cursor_make(&self->share.order, 0, 0, 0, 1);
    self->rows = mxio_alloc(batch_size * sizeof *self->rows);
    return self->rows != NULL ? MXIO_OK
                              : mxio_fail(err, MXIO_ENOMEM,
                                          "no memory for a batch of %zu", batch_size);
}

/* 0, or -1 with an exception; the caller releases the view. */
static int
open_all(struct py_feed *self, PyObject *options, PyObject *files, PyObject *offsets,
         PyObject *index_path, PyObject *records, Py_buffer *view)
{
    struct py_state *state = py_state_of_type(Py_TYPE((PyObject *)self));
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_selection chosen = {.count = 0};
    size_t count = 0;
    bool index = false;
    enum mxio_status status;

    if (py_paths_append(&self->paths, &count, files) < 0 ||
        py_borrow_selection(records, &self->ordinals, &chosen) < 0 ||
        (offsets != Py_None && PyObject_GetBuffer(offsets, view, PyBUF_SIMPLE) < 0) ||
        py_params_fill(state, &self->params, options) < 0)
        return -1;
    Py_BEGIN_ALLOW_THREADS status =
        open_share(self, count, view, &chosen, &index, &err);
    Py_END_ALLOW_THREADS if (status == MXIO_OK) return 0;
    const char *path = NULL;
    if (index && index_path != NULL)
        path = PyBytes_AsString(index_path);
    else if (!index && err.status == MXIO_EDATA && count > 0)
        path = self->paths[0];
    py_raise(state, &err, self->paths, path);
    return -1;
}

static PyObject *
feed_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *options, *files, *offsets, *records, *index_path = NULL;
    Py_buffer view = {.obj = NULL};

    if (kwargs != NULL && PyDict_Size(kwargs) > 0) {
        PyErr_SetString(PyExc_TypeError, "RecordFeed takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "OOOO&O:RecordFeed", &options, &files, &offsets,
                          py_optional_path, &index_path, &records))
        return NULL;
    struct py_feed *self = (struct py_feed *)PyType_GenericAlloc(type, 0);
    if (self != NULL &&
        open_all(self, options, files, offsets, index_path, records, &view) < 0)
        Py_CLEAR(self);
    PyBuffer_Release(&view);
    Py_XDECREF(index_path);
    return (PyObject *)self;
}

static void
feed_dealloc(PyObject *object)
{
    struct py_feed *self = (struct py_feed *)object;
    PyTypeObject *type = Py_TYPE(object);

    mxio_share_free(&self->share);
    mxio_reader_free(self->reader);
    mxio_params_free(&self->params);
    mxio_buffer_free(&self->buffer);
    mxio_free(self->rows);
    py_paths_free(self->paths);
    PyBuffer_Release(&self->ordinals);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyObject *
feed_start(PyObject *object, PyObject *args)
{
    struct py_feed *self = (struct py_feed *)object;
    unsigned long long epoch, base, batch, step;

    if (!PyArg_ParseTuple(args, "KKKK:start", &epoch, &base, &batch, &step) ||
        enter(self) < 0)
        return NULL;
    self->cursor = mxio_cursor_make(&self->share.order, epoch, base, batch, step);
    self->used = base;
    self->busy = false;
    Py_RETURN_NONE;
}

/* Payload of a record as bytes; NULL with an exception. */
static PyObject *
read_bytes(struct py_feed *self, const struct mxio_entry *row)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const uint8_t *payload = NULL;
    size_t size = 0;
    enum mxio_status status;

    Py_BEGIN_ALLOW_THREADS status =
        mxio_reader_read(self->reader, row->place, &self->buffer, &payload, &size,
                         &err);
    Py_END_ALLOW_THREADS if (status == MXIO_OK) return PyBytes_FromStringAndSize(
        (const char *)payload, (Py_ssize_t)size);
    err.record = (int64_t)row->record;
    return raise_here(self, &err);
}

/* Payloads and ordinals of the rows dealt; NULL with an exception. */
static PyObject *
read_rows(struct py_feed *self, size_t given, size_t pad)
{
    PyObject *payloads = PyList_New(0);
    PyObject *ordinals = PyList_New(0);

    for (size_t i = 0; i < given; i++) {
        PyObject *bytes = payloads != NULL && ordinals != NULL
                              ? read_bytes(self, &self->rows[i])
                              : NULL;
        PyObject *ordinal =
            bytes != NULL ? PyLong_FromUnsignedLongLong(self->rows[i].record) : NULL;
        const bool added = ordinal != NULL && PyList_Append(payloads, bytes) == 0 &&
                           PyList_Append(ordinals, ordinal) == 0;
        Py_XDECREF(bytes);
        Py_XDECREF(ordinal);
        if (!added) {
            Py_XDECREF(payloads);
            Py_XDECREF(ordinals);
            return NULL;
        }
    }
    return Py_BuildValue("NNn", payloads, ordinals, (Py_ssize_t)pad);
}

static PyObject *
feed_next(PyObject *object, PyObject *ignored)
{
    struct py_feed *self = (struct py_feed *)object;
    struct mxio_error err = MXIO_NO_ERROR;
    size_t given = 0, pad = 0;
    enum mxio_status status;
    PyObject *out;

    (void)ignored;
    if (enter(self) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS status =
        mxio_share_deal(&self->share, &self->cursor, self->rows, &given, &pad, &err);
    Py_END_ALLOW_THREADS if (status != MXIO_OK) out = raise_here(self, &err);
    else if (given == 0) out = Py_NewRef(Py_None);
    else
    {
        self->used =
            mxio_cursor_done(&self->cursor, &self->share.order, self->share.count);
        mxio_cursor_next_batch(&self->cursor);
        out = read_rows(self, given, pad);
    }
    self->busy = false;
    return out;
}

static PyObject *
feed_count(PyObject *object, PyObject *ignored)
{
    (void)ignored;
    return PyLong_FromUnsignedLongLong(((struct py_feed *)object)->share.count);
}

static PyObject *
feed_batches(PyObject *object, PyObject *args)
{
    const struct mxio_share *share = &((struct py_feed *)object)->share;
    unsigned long long base, batch, step;

    if (!PyArg_ParseTuple(args, "KKK:batches", &base, &batch, &step))
        return NULL;
    const uint64_t left = base < share->count ? share->count - base : 0;
    return PyLong_FromUnsignedLongLong(
        mxio_order_batches(&share->order, left, batch, step));
}

static PyObject *
feed_progress(PyObject *object, PyObject *ignored)
{
    (void)ignored;
    return PyLong_FromUnsignedLongLong(((struct py_feed *)object)->used);
}

static PyMethodDef feed_methods[] = {
    {"start", feed_start, METH_VARARGS,
     "Begin an epoch: epoch, positions done, first batch, step."},
    {"next", feed_next, METH_NOARGS,
     "(payloads, ordinals, pad), or None at the end of the epoch."},
    {"count", feed_count, METH_NOARGS, "Records of this part."},
    {"batches", feed_batches, METH_VARARGS,
     "Batches of an epoch behind so many positions, from a first batch on in steps."},
    {"progress", feed_progress, METH_NOARGS, "Positions done by all ranks."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot feed_slots[] = {
    {Py_tp_doc, "Payloads of records, in the order and the shares of a loader."},
    {Py_tp_new, feed_new},
    {Py_tp_dealloc, feed_dealloc},
    {Py_tp_methods, feed_methods},
    {0, NULL},
};

PyType_Spec py_feed_spec = {
    .name = "mxio._core.RecordFeed",
    .basicsize = sizeof(struct py_feed),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = feed_slots,
};
