/* RecordSet: the records of a file set by ordinal, and what their headers say. */
#include "py_core.h"

#include <math.h>

#include "labels.h"
#include "reader.h"
#include "rng.h"
#include "scan.h"

/* Rows of one call: what bounds its memory. */
#define MOST_ROWS ((Py_ssize_t)1 << 20)
#define MOST_LABELS 65536

struct py_set {
    PyObject_HEAD struct mxio_reader *reader;
    struct mxio_scan scan;
    struct mxio_buffer buffer; /* of read */
    char **paths;
    bool busy; /* a call is inside, without the GIL */
};

static PyObject *
raise_here(struct py_set *self, const struct mxio_error *err)
{
    return py_raise(py_state_of_type(Py_TYPE((PyObject *)self)), err, self->paths,
                    NULL);
}

/* One call at a time; 0, or -1 with an exception. */
static int
enter(struct py_set *self)
{
    struct mxio_error err = MXIO_NO_ERROR;

    if (!self->busy) {
        self->busy = true;
        return 0;
    }
    mxio_fail(&err, MXIO_ESTATE, "the record set is in use by another thread");
    raise_here(self, &err);
    return -1;
}

static enum mxio_status
open_set(struct py_set *self, size_t path_count, const Py_buffer *offsets, bool *index,
         struct mxio_error *err)
{
    enum mxio_status status =
        mxio_reader_open(&self->reader, (const char *const *)self->paths, path_count,
                         err);

    *index = status == MXIO_OK && offsets->obj != NULL;
    if (*index)
        status = mxio_reader_use_index(self->reader, offsets->buf,
                                       (size_t)offsets->len / sizeof(uint64_t), err);
    self->scan.reader = self->reader;
    return status;
}

static PyObject *
set_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    struct mxio_error err = MXIO_NO_ERROR;
    PyObject *files, *offsets, *index_path = NULL;
    Py_buffer view = {.obj = NULL};
    size_t count = 0;
    enum mxio_status status;
    bool index;

    if (kwargs != NULL && PyDict_Size(kwargs) > 0) {
        PyErr_SetString(PyExc_TypeError, "RecordSet takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "OOO&:RecordSet", &files, &offsets, py_optional_path,
                          &index_path))
        return NULL;
    struct py_set *self = (struct py_set *)PyType_GenericAlloc(type, 0);
    if (self == NULL) {
        Py_XDECREF(index_path);
        return NULL;
    }
    if (py_paths_append(&self->paths, &count, files) < 0 ||
        (offsets != Py_None && PyObject_GetBuffer(offsets, &view, PyBUF_SIMPLE) < 0)) {
        Py_XDECREF(index_path);
        Py_DECREF(self);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS status = open_set(self, count, &view, &index, &err);
    Py_END_ALLOW_THREADS PyBuffer_Release(&view);
    if (status != MXIO_OK) {
        const char *path = NULL;
        if (index && index_path != NULL)
            path = PyBytes_AsString(index_path);
        else if (!index && err.status == MXIO_EDATA && count > 0)
            path = self->paths[0];
        py_raise(py_state_of_type(type), &err, self->paths, path);
        Py_CLEAR(self);
    }
    Py_XDECREF(index_path);
    return (PyObject *)self;
}

static void
set_dealloc(PyObject *object)
{
    struct py_set *self = (struct py_set *)object;
    PyTypeObject *type = Py_TYPE(object);

    mxio_scan_free(&self->scan);
    mxio_buffer_free(&self->buffer);
    mxio_reader_free(self->reader);
    py_paths_free(self->paths);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyObject *
set_count(PyObject *object, PyObject *ignored)
{
    static const struct mxio_extent all = {.most = UINT64_MAX, .end = UINT64_MAX};
    struct py_set *self = (struct py_set *)object;
    struct mxio_error err = MXIO_NO_ERROR;
    uint64_t count = 0;
    enum mxio_status status;

    (void)ignored;
    if (enter(self) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS status = mxio_reader_count(self->reader, &all, &count, &err);
    Py_END_ALLOW_THREADS self->busy = false;
    return status == MXIO_OK ? PyLong_FromUnsignedLongLong(count)
                             : raise_here(self, &err);
}

/* The columns of a scan, in the order in which Python gets them. */
enum { IDS, FLAGS, LABELS, SIZES, OFFSETS, COLUMNS };

static enum mxio_status
make_columns(struct mxio_block **columns, size_t rows, size_t width,
             struct mxio_error *err)
{
    const size_t sizes[COLUMNS] = {[IDS] = sizeof(uint64_t),
                                   [FLAGS] = sizeof(uint32_t),
                                   [LABELS] = width * sizeof(float),
                                   [SIZES] = sizeof(uint64_t),
                                   [OFFSETS] = sizeof(uint64_t)};
    enum mxio_status status = MXIO_OK;

    for (size_t i = 0; i < COLUMNS && status == MXIO_OK; i++)
        status = mxio_block_new(&columns[i], rows * sizes[i], err);
    return status;
}

/* (rows, blocks ...); the blocks move. */
static PyObject *
wrap_columns(struct py_set *self, struct mxio_block **columns, size_t rows)
{
    const struct py_state *state = py_state_of_type(Py_TYPE((PyObject *)self));
    PyObject *out = PyTuple_New(1 + COLUMNS);
    PyObject *number = PyLong_FromSize_t(rows);
    bool whole = out != NULL && number != NULL;

    for (size_t i = 0; i < COLUMNS; i++) {
        PyObject *block = py_block_wrap(state, columns[i]);
        if (out == NULL || block == NULL) {
            Py_XDECREF(block);
            whole = false;
        } else {
            whole = PyTuple_SetItem(out, (Py_ssize_t)i + 1, block) == 0 && whole;
        }
    }
    if (whole && PyTuple_SetItem(out, 0, number) == 0)
        return out;
    if (!whole)
        Py_XDECREF(number);
    Py_XDECREF(out);
    return NULL;
}

static PyObject *
read_heads(struct py_set *self, const uint64_t *ordinals, uint64_t first,
           Py_ssize_t rows, int width)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_block *columns[COLUMNS] = {NULL};
    size_t done = 0;
    enum mxio_status status;

    if (rows < 0 || rows > MOST_ROWS || width < 1 || width > MOST_LABELS) {
        PyErr_Format(PyExc_ValueError,
                     "rows must be in [0, %zd] and width in [1, %d], got %zd and %d",
                     MOST_ROWS, MOST_LABELS, rows, width);
        return NULL;
    }
    if (enter(self) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS status =
        make_columns(columns, (size_t)rows, (size_t)width, &err);
    if (status == MXIO_OK) {
        const struct mxio_scan_heads out =
            {.ids = (uint64_t *)(void *)columns[IDS]->bytes,
             .flags = (uint32_t *)(void *)columns[FLAGS]->bytes,
             .labels = (float *)(void *)columns[LABELS]->bytes,
             .sizes = (uint64_t *)(void *)columns[SIZES]->bytes,
             .offsets = (uint64_t *)(void *)columns[OFFSETS]->bytes,
             .width = (size_t)width};
        status = mxio_scan_read(&self->scan, ordinals, first, (size_t)rows, &out, &done,
                                &err);
    }
    Py_END_ALLOW_THREADS self->busy = false;
    if (status == MXIO_OK)
        return wrap_columns(self, columns, done);
    for (size_t i = 0; i < COLUMNS; i++)
        mxio_block_release(columns[i]);
    return raise_here(self, &err);
}

static PyObject *
set_heads(PyObject *object, PyObject *args)
{
    unsigned long long first;
    Py_ssize_t rows;
    int width;

    if (!PyArg_ParseTuple(args, "Kni:heads", &first, &rows, &width))
        return NULL;
    return read_heads((struct py_set *)object, NULL, first, rows, width);
}

static PyObject *
set_heads_of(PyObject *object, PyObject *args)
{
    Py_buffer ordinals;
    int width;

    if (!PyArg_ParseTuple(args, "y*i:heads_of", &ordinals, &width))
        return NULL;
    PyObject *out = read_heads((struct py_set *)object, ordinals.buf, 0,
                               ordinals.len / (Py_ssize_t)sizeof(uint64_t), width);
    PyBuffer_Release(&ordinals);
    return out;
}

/* The payload of a record in self->buffer. */
static enum mxio_status
read_payload(struct py_set *self, uint64_t ordinal, const uint8_t **payload,
             size_t *size, struct mxio_error *err)
{
    static const struct mxio_extent all = {.most = UINT64_MAX, .end = UINT64_MAX};
    struct mxio_place place;
    bool found = false;

    enum mxio_status status =
        mxio_reader_locate(self->reader, &all, ordinal, &place, &found, err);
    if (status == MXIO_OK && !found)
        status = mxio_fail(err, MXIO_EDATA, "there is no such record");
    else if (status == MXIO_OK)
        status =
            mxio_reader_read(self->reader, place, &self->buffer, payload, size, err);
    if (status != MXIO_OK)
        err->record = (int64_t)ordinal;
    return status;
}

static PyObject *
set_read(PyObject *object, PyObject *argument)
{
    struct py_set *self = (struct py_set *)object;
    struct mxio_error err = MXIO_NO_ERROR;
    const uint8_t *payload = NULL;
    size_t size = 0;
    enum mxio_status status;

    const unsigned long long ordinal = PyLong_AsUnsignedLongLong(argument);
    if (PyErr_Occurred() || enter(self) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS status = read_payload(self, ordinal, &payload, &size, &err);
    Py_END_ALLOW_THREADS PyObject *out =
        status == MXIO_OK
            ? PyBytes_FromStringAndSize((const char *)payload, (Py_ssize_t)size)
            : raise_here(self, &err);
    self->busy = false;
    return out;
}

static PyMethodDef set_methods[] = {
    {"count", set_count, METH_NOARGS, "Records; hops over their heads to the end."},
    {"heads", set_heads, METH_VARARGS,
     "Headers of records in a row: first, rows, labels of each."},
    {"heads_of", set_heads_of, METH_VARARGS,
     "Headers of the records in an array of uint64 ordinals."},
    {"read", set_read, METH_O, "The payload of a record."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot set_slots[] = {
    {Py_tp_doc, "The records of a set of RecordIO files, by ordinal."},
    {Py_tp_new, set_new},
    {Py_tp_dealloc, set_dealloc},
    {Py_tp_methods, set_methods},
    {0, NULL},
};

PyType_Spec py_set_spec = {
    .name = "mxio._core.RecordSet",
    .basicsize = sizeof(struct py_set),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = set_slots,
};

int
py_borrow_selection(PyObject *chosen, Py_buffer *ordinals, struct mxio_selection *out)
{
    unsigned long long first, count;

    if (chosen == Py_None)
        return 0;
    if (PyTuple_Check(chosen)) {
        if (!PyArg_ParseTuple(chosen, "KK:records", &first, &count))
            return -1;
        *out = (struct mxio_selection){.first = first, .count = count};
        return 0;
    }
    if (PyObject_GetBuffer(chosen, ordinals, PyBUF_SIMPLE) < 0)
        return -1;
    *out = (struct mxio_selection){.ordinals = ordinals->buf,
                                   .count = (size_t)ordinals->len / sizeof(uint64_t)};
    return 0;
}

/* ---- labels of a list file ---- */

/* Labels of each id, (count, width) float64, NaN for an id without a line. */
static enum mxio_status
look_up(const Py_buffer *text, const Py_buffer *ids, size_t width,
        struct mxio_block **out, struct mxio_error *err)
{
    const size_t count = (size_t)ids->len / sizeof(uint64_t);
    const uint64_t *wanted = ids->buf;
    struct mxio_labels *labels = NULL;

    enum mxio_status status =
        mxio_labels_parse(&labels, text->buf, (size_t)text->len, width, err);
    if (status == MXIO_OK)
        status = mxio_block_new(out, count * width * sizeof(double), err);
    for (size_t row = 0; row < count && status == MXIO_OK; row++) {
        double *to = (double *)(void *)(*out)->bytes + row * width;
        const double *found = mxio_labels_find(labels, wanted[row]);
        for (size_t i = 0; i < width; i++)
            to[i] = found != NULL ? found[i] : NAN;
    }
    mxio_labels_free(labels);
    return status;
}

static PyObject *
list_labels(PyObject *module, PyObject *args)
{
    const struct py_state *state = PyModule_GetState(module);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_block *labels = NULL;
    Py_buffer text, ids;
    PyObject *path = NULL;
    int width;
    enum mxio_status status;

    if (!PyArg_ParseTuple(args, "y*O&y*i:list_labels", &text, PyUnicode_FSConverter,
                          &path, &ids, &width))
        return NULL;
    if (width < 1 || width > MOST_LABELS) {
        PyErr_Format(PyExc_ValueError, "width must be in [1, %d], got %d", MOST_LABELS,
                     width);
        status = MXIO_EPARAM;
    } else {
        Py_BEGIN_ALLOW_THREADS status =
            look_up(&text, &ids, (size_t)width, &labels, &err);
        Py_END_ALLOW_THREADS if (status != MXIO_OK)
            py_raise(state, &err, NULL, PyBytes_AsString(path));
    }
    Py_DECREF(path);
    PyBuffer_Release(&text);
    PyBuffer_Release(&ids);
    return status == MXIO_OK ? py_block_wrap(state, labels) : NULL;
}

/* Positions first, first + 1, ... of a permutation of 0 .. count - 1; behind the last
 * comes the first again. */
static PyObject *
permutation(PyObject *module, PyObject *args)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_block *block = NULL;
    unsigned long long epoch, count, first;
    long long seed;
    Py_ssize_t rows;

    if (!PyArg_ParseTuple(args, "LKKKn:permutation", &seed, &epoch, &count, &first,
                          &rows))
        return NULL;
    if (count == 0 || rows < 0) {
        PyErr_Format(PyExc_ValueError,
                     "count must be above 0 and rows not below, got %llu and %zd",
                     count, rows);
        return NULL;
    }
    if (mxio_block_new(&block, (size_t)rows * sizeof(uint64_t), &err) != MXIO_OK)
        return py_raise(PyModule_GetState(module), &err, NULL, NULL);
    const struct mxio_permutation order = mxio_permutation_make(seed, epoch, count);
    uint64_t *out = (uint64_t *)(void *)block->bytes;
    Py_BEGIN_ALLOW_THREADS for (Py_ssize_t i = 0; i < rows; i++) out[i] =
        mxio_permutation_at(&order, (first + (uint64_t)i) % count);
    Py_END_ALLOW_THREADS return py_block_wrap(PyModule_GetState(module), block);
}

PyMethodDef py_scan_methods[] = {
    {"permutation", permutation, METH_VARARGS,
     "Part of a permutation: seed, epoch, count, first, rows."},
    {"list_labels", list_labels, METH_VARARGS,
     "Labels of a list file for an array of ids."},
    {NULL, NULL, 0, NULL},
};
