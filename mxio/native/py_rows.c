/* RowFeed: batches that a feed makes ahead, for Python; those of text are made here. */
#include "py_core.h"

#include "feed.h"
#include "rows.h"

struct py_rows {
    PyObject_HEAD struct mxio_feed *feed;
    char **paths;   /* of the data files, then of the labels; NULL at the end */
    double timeout; /* seconds; 0: none */
    bool busy;      /* a consumer is inside, without the GIL */
};

static PyObject *
raise_here(struct py_rows *self, const struct mxio_error *err)
{
    const bool nowhere = err->file < 0 && err->status == MXIO_EDATA;

    return py_raise(py_state_of_type(Py_TYPE((PyObject *)self)), err, self->paths,
                    nowhere ? self->paths[0] : NULL);
}

static enum mxio_status
make_feed(struct py_rows *self, const struct mxio_rows_inputs *inputs, size_t depth,
          struct mxio_error *err)
{
    const struct mxio_opening opening = mxio_rows_opening(inputs);
    const enum mxio_status status =
        mxio_feed_new(&self->feed, &opening, depth, self->timeout, err);

    return status == MXIO_OK ? mxio_feed_open(self->feed, err) : status;
}

/* Every number is positive but part_index, which is at least 0; the caller checked. */
static int
fill_rows(struct py_rows *self, PyObject *args)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_rows_inputs inputs = {.keep = 0};
    PyObject *data, *label;
    Py_ssize_t batch_size, num_parts, part_index, depth, data_width, label_width;
    int sparse, round_batch, type;
    size_t count = 0;
    enum mxio_status status;

    if (!PyArg_ParseTuple(args, "pinpnnnOnOnd:RowFeed", &sparse, &type, &batch_size,
                          &round_batch, &num_parts, &part_index, &depth, &data,
                          &data_width, &label, &label_width, &self->timeout) ||
        py_paths_append(&self->paths, &count, data) < 0)
        return -1;
    const size_t data_count = count;
    if (py_paths_append(&self->paths, &count, label) < 0)
        return -1;
    if (data_count == 0 || batch_size < 1 || num_parts < 1 || part_index < 0 ||
        depth < 1 || data_width < 1 || label_width < 1 || type < MXIO_ROW_FLOAT32 ||
        type > MXIO_ROW_INT64) {
        PyErr_SetString(PyExc_ValueError, "RowFeed: a number is out of its range");
        return -1;
    }
    const char *const *paths = (const char *const *)self->paths;
    inputs = (struct mxio_rows_inputs){.sparse = sparse != 0,
                                       .type = (enum mxio_row_type)type,
                                       .batch_size = (size_t)batch_size,
                                       .round_batch = round_batch != 0,
                                       .num_parts = (size_t)num_parts,
                                       .part_index = (size_t)part_index,
                                       .keep = (size_t)depth,
                                       .data = {paths, data_count, (size_t)data_width},
                                       .label = {paths + data_count, count - data_count,
                                                 (size_t)label_width}};
    Py_BEGIN_ALLOW_THREADS status = make_feed(self, &inputs, (size_t)depth, &err);
    Py_END_ALLOW_THREADS if (status == MXIO_OK) return 0;
    raise_here(self, &err);
    return -1;
}

static PyObject *
rows_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    if (kwargs != NULL && PyDict_Size(kwargs) > 0) {
        PyErr_SetString(PyExc_TypeError, "RowFeed takes no keyword arguments");
        return NULL;
    }
    struct py_rows *self = (struct py_rows *)PyType_GenericAlloc(type, 0);
    if (self == NULL)
        return NULL;
    if (fill_rows(self, args) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

void
py_rows_free(struct mxio_feed *feed, char **paths)
{
    if (mxio_feed_free(feed))
        py_paths_free(paths);
}

PyObject *
py_rows_wrap(const struct py_state *state, struct mxio_feed *feed, double timeout,
             char **paths)
{
    struct py_rows *self = (struct py_rows *)PyType_GenericAlloc(state->rows_type, 0);

    if (self == NULL) {
        Py_BEGIN_ALLOW_THREADS py_rows_free(feed, paths);
        Py_END_ALLOW_THREADS return NULL;
    }
    self->feed = feed;
    self->paths = paths;
    self->timeout = timeout;
    return (PyObject *)self;
}

static void
rows_dealloc(PyObject *object)
{
    struct py_rows *self = (struct py_rows *)object;
    PyTypeObject *type = Py_TYPE(object);

    Py_BEGIN_ALLOW_THREADS /* the thread comes to a stop first */
        py_rows_free(self->feed, self->paths);
    Py_END_ALLOW_THREADS PyObject_Free(object);
    Py_DECREF(type);
}

/* One consumer at a time; 0, or -1 with an exception. */
static int
enter(struct py_rows *self)
{
    struct mxio_error err = MXIO_NO_ERROR;

    if (!self->busy) {
        self->busy = true;
        return 0;
    }
    mxio_fail(&err, MXIO_ESTATE, "the iterator is in use by another thread");
    raise_here(self, &err);
    return -1;
}

static PyObject *
rows_start(PyObject *object, PyObject *argument)
{
    struct py_rows *self = (struct py_rows *)object;
    struct mxio_error err = MXIO_NO_ERROR;
    const unsigned long long carry = PyLong_AsUnsignedLongLong(argument);
    enum mxio_status status;

    if (PyErr_Occurred() || enter(self) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS status = mxio_feed_start(self->feed, carry, &err);
    Py_END_ALLOW_THREADS self->busy = false;
    if (status != MXIO_OK)
        return raise_here(self, &err);
    Py_RETURN_NONE;
}

/* Wait for a batch, looking for signals now and then. 0, or -1 with an exception. */
static int
wait_for_batch(struct py_rows *self, struct mxio_row_batch *out)
{
    struct mxio_error err = MXIO_NO_ERROR;
    bool ready = false;
    double waited = 0;

    while (!ready) {
        enum mxio_status status;
        Py_BEGIN_ALLOW_THREADS status =
            mxio_feed_next(self->feed, PY_SLICE_MS, &ready, out, &err);
        if (status == MXIO_OK && !ready) {
            waited += PY_SLICE_MS * 1e-3;
            if (self->timeout > 0 && waited >= self->timeout)
                status = mxio_feed_stuck(self->feed, &err);
        }
        Py_END_ALLOW_THREADS if (status != MXIO_OK)
        {
            raise_here(self, &err);
            return -1;
        }
        if (!ready && PyErr_CheckSignals() < 0)
            return -1;
    }
    return 0;
}

static PyObject *
rows_next(PyObject *object, PyObject *ignored)
{
    struct py_rows *self = (struct py_rows *)object;
    struct mxio_row_batch batch;

    (void)ignored;
    if (enter(self) < 0)
        return NULL;
    const int failed = wait_for_batch(self, &batch);
    self->busy = false;
    if (failed)
        return NULL;
    if (batch.block == NULL)
        Py_RETURN_NONE;
    PyObject *block = py_block_wrap(py_state_of_type(Py_TYPE(object)), batch.block);
    if (block == NULL)
        return NULL;
    return Py_BuildValue("NnKn(nnn)(nnn)", block, (Py_ssize_t)batch.pad,
                         (unsigned long long)batch.carry, (Py_ssize_t)batch.ids,
                         (Py_ssize_t)batch.data.values, (Py_ssize_t)batch.data.indices,
                         (Py_ssize_t)batch.data.starts, (Py_ssize_t)batch.label.values,
                         (Py_ssize_t)batch.label.indices,
                         (Py_ssize_t)batch.label.starts);
}

static PyObject *
rows_close(PyObject *object, PyObject *ignored)
{
    struct py_rows *self = (struct py_rows *)object;

    (void)ignored;
    Py_BEGIN_ALLOW_THREADS mxio_feed_close(self->feed);
    Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

static PyMethodDef rows_methods[] = {
    {"start", rows_start, METH_O, "Begin an epoch behind so many rows."},
    {"next", rows_next, METH_NOARGS,
     "(block, pad, carry, place of ids, places of data, places of label), or None at "
     "the end."},
    {"close", rows_close, METH_NOARGS, "Stop and join the thread; idempotent."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot rows_slots[] = {
    {Py_tp_doc,
     "Batches of rows of text files, or of MNIST, made ahead by one thread."},
    {Py_tp_new, rows_new},
    {Py_tp_dealloc, rows_dealloc},
    {Py_tp_methods, rows_methods},
    {0, NULL},
};

PyType_Spec py_rows_spec = {
    .name = "mxio._core.RowFeed",
    .basicsize = sizeof(struct py_rows),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = rows_slots,
};
