/* Loader: the engine for Python. */
#include "py_loader.h"

#include <stdlib.h>
#include <string.h>

static struct py_state *
state_of(struct py_loader *self)
{
    return py_state_of_type(Py_TYPE((PyObject *)self));
}

PyObject *
py_loader_raise(struct py_loader *self, const struct mxio_error *err)
{
    return py_raise(state_of(self), err, self->paths, NULL);
}

/* The optional buffers of a loader. */
enum { INDEX, LABELS, MEAN, VIEW_COUNT };

/* Borrow those that are not None; 0, or -1 with an exception. */
static int
borrow_views(PyObject *const *objects, Py_buffer *views)
{
    for (int i = 0; i < VIEW_COUNT; i++) {
        if (objects[i] == Py_None)
            continue;
        if (PyObject_GetBuffer(objects[i], &views[i], PyBUF_SIMPLE) < 0)
            return -1;
    }
    return 0;
}

/* The offsets of all records, when they are known; 0, or -1 with an exception. */
static int
borrow_offsets(struct py_loader *self, PyObject *known,
               struct mxio_loader_inputs *inputs)
{
    if (known == Py_None)
        return 0;
    if (PyObject_GetBuffer(known, &self->offsets, PyBUF_SIMPLE) < 0)
        return -1;
    inputs->offsets = self->offsets.buf;
    inputs->offset_count = (size_t)self->offsets.len / sizeof(uint64_t);
    return 0;
}

static void
raise_failed_new(struct py_loader *self, struct py_state *state, struct mxio_error *err,
                 const char *path)
{
    if (path != NULL)
        err->file = -1;
    else if (err->file < 0 && err->status == MXIO_EDATA)
        path = self->paths[0];
    py_raise(state, err, self->paths, path);
}

/* Fills self->loader; 0, or -1 with an exception. The params move into the loader. */
static int
make_loader(struct py_loader *self, struct py_state *state, struct mxio_params *params,
            struct mxio_loader_inputs *inputs)
{
    struct mxio_error err = MXIO_NO_ERROR;
    enum mxio_input about = MXIO_INPUT_DATA;
    enum mxio_status status = MXIO_ENOMEM;
    /* For messages: the params are gone when one is written. */
    char *paths[] = {[MXIO_INPUT_DATA] = NULL,
                     [MXIO_INPUT_INDEX] = strdup(params->path_imgidx),
                     [MXIO_INPUT_LIST] = strdup(params->path_imglist)};

    self->channels = (int)params->data_shape.channels;
    self->timeout = params->timeout;
    inputs->params = params;
    inputs->paths = (const char *const *)self->paths;
    inputs->thread_count =
        params->preprocess_threads > 0 ? (size_t)params->preprocess_threads : 1;
    if (paths[MXIO_INPUT_INDEX] != NULL && paths[MXIO_INPUT_LIST] != NULL) {
        Py_BEGIN_ALLOW_THREADS status =
            mxio_loader_new(&self->loader, inputs, &about, &err);
        Py_END_ALLOW_THREADS
    } else {
        mxio_params_free(params);
        mxio_fail(&err, status, "no memory for a loader");
    }
    inputs->params = NULL; /* the caller's struct is empty now */
    if (status != MXIO_OK)
        raise_failed_new(self, state, &err, paths[about]);
    free(paths[MXIO_INPUT_INDEX]);
    free(paths[MXIO_INPUT_LIST]);
    return status == MXIO_OK ? 0 : -1;
}

static int
make_from_views(struct py_loader *self, struct py_state *state, PyObject *options,
                struct mxio_loader_inputs *inputs, const Py_buffer *views)
{
    struct mxio_params params;

    if (py_params_fill(state, &params, options) < 0)
        return -1;
    const size_t mean_size = mxio_params_sample_values(&params) * sizeof(float);
    if (views[MEAN].buf != NULL && (size_t)views[MEAN].len != mean_size) {
        PyErr_Format(PyExc_ValueError, "the mean image must have %zu bytes, got %zd",
                     mean_size, views[MEAN].len);
        mxio_params_free(&params);
        return -1;
    }
    inputs->index_text = views[INDEX].buf;
    inputs->index_size = (size_t)views[INDEX].len;
    inputs->list_text = views[LABELS].buf;
    inputs->list_size = (size_t)views[LABELS].len;
    inputs->mean = views[MEAN].buf;
    return make_loader(self, state, &params, inputs);
}

static PyObject *
loader_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *options, *files, *decoder, *chosen, *known, *objects[VIEW_COUNT];
    Py_buffer views[VIEW_COUNT] = {{.obj = NULL}};
    int running;

    if (kwargs != NULL && PyDict_Size(kwargs) > 0) {
        PyErr_SetString(PyExc_TypeError, "Loader takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "OOpOOOOOO:Loader", &options, &files, &running,
                          &decoder, &objects[INDEX], &objects[LABELS], &objects[MEAN],
                          &chosen, &known))
        return NULL;
    struct py_loader *self = (struct py_loader *)PyType_GenericAlloc(type, 0);
    if (self == NULL)
        return NULL;
    struct mxio_loader_inputs inputs = {.running = running != 0};
    self->decoder = Py_NewRef(decoder);
    const bool made =
        py_paths_append(&self->paths, &inputs.path_count, files) == 0 &&
        borrow_views(objects, views) == 0 &&
        py_borrow_selection(chosen, &self->ordinals, &inputs.selection) == 0 &&
        borrow_offsets(self, known, &inputs) == 0 &&
        make_from_views(self, py_state_of_type(type), options, &inputs, views) == 0;
    for (int i = 0; i < VIEW_COUNT; i++)
        PyBuffer_Release(&views[i]); /* nothing for one that was not borrowed */
    if (made)
        return (PyObject *)self;
    Py_DECREF(self);
    return NULL;
}

static int
loader_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(((struct py_loader *)object)->decoder);
    Py_VISIT(Py_TYPE(object));
    return 0;
}

static int
loader_clear(PyObject *object)
{
    Py_CLEAR(((struct py_loader *)object)->decoder);
    return 0;
}

static void
loader_dealloc(PyObject *object)
{
    struct py_loader *self = (struct py_loader *)object;
    PyTypeObject *type = Py_TYPE(object);
    bool freed;

    PyObject_GC_UnTrack(object);
    Py_BEGIN_ALLOW_THREADS /* the workers finish their samples first */
        freed = mxio_loader_free(self->loader);
    Py_END_ALLOW_THREADS py_paths_free(self->paths);
    if (freed) { /* else a thread that was left alone may still look at them */
        PyBuffer_Release(&self->ordinals);
        PyBuffer_Release(&self->offsets);
        Py_XDECREF(self->lent);
    }
    Py_CLEAR(self->decoder);
    PyObject_GC_Del(object);
    Py_DECREF(type);
}

/* One consumer at a time; 0, or -1 with an exception. */
static int
enter(struct py_loader *self)
{
    struct mxio_error err = MXIO_NO_ERROR;

    if (!self->busy) {
        self->busy = true;
        return 0;
    }
    mxio_fail(&err, MXIO_ESTATE, "the loader is in use by another thread");
    py_loader_raise(self, &err);
    return -1;
}

static PyObject *
loader_start(PyObject *object, PyObject *args)
{
    struct py_loader *self = (struct py_loader *)object;
    struct mxio_error err = MXIO_NO_ERROR;
    unsigned long long epoch, base, batch, step;
    enum mxio_status status;

    if (!PyArg_ParseTuple(args, "KKKK:start", &epoch, &base, &batch, &step) ||
        enter(self) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS status =
        mxio_loader_start(self->loader, epoch, base, batch, step, &err);
    Py_END_ALLOW_THREADS self->busy = false;
    if (status != MXIO_OK)
        return py_loader_raise(self, &err);
    Py_RETURN_NONE;
}

static PyObject *
loader_fetch(PyObject *object, PyObject *args)
{
    struct py_loader *self = (struct py_loader *)object;
    struct mxio_error err = MXIO_NO_ERROR;
    enum mxio_status status = MXIO_OK;
    PyObject *places, *epochs;
    Py_buffer at, of;

    if (!PyArg_ParseTuple(args, "OO:fetch", &places, &epochs) ||
        PyObject_GetBuffer(places, &at, PyBUF_SIMPLE) < 0)
        return NULL;
    if (py_buffer_of_size(epochs, &of, (size_t)at.len, "epochs") < 0) {
        PyBuffer_Release(&at);
        return NULL;
    }
    const bool entered = enter(self) == 0;
    if (entered) {
        Py_BEGIN_ALLOW_THREADS status =
            mxio_loader_fetch(self->loader, at.buf, of.buf,
                              (size_t)at.len / sizeof(uint64_t), &err);
        Py_END_ALLOW_THREADS self->busy = false;
    }
    PyBuffer_Release(&at);
    PyBuffer_Release(&of);
    if (!entered)
        return NULL;
    if (status != MXIO_OK)
        return py_loader_raise(self, &err);
    Py_RETURN_NONE;
}

/* Pixels that the decoder gave, as a view; 0, or -1 with an exception. */
static int
view_of_pixels(struct py_loader *self, PyObject *pixels, Py_buffer *buffer,
               struct mxio_view *out)
{
    PyObject *shape = PyObject_GetAttrString(pixels, "shape");
    int height, width, channels;

    if (shape == NULL || !PyArg_ParseTuple(shape, "iii", &height, &width, &channels)) {
        Py_XDECREF(shape);
        return -1;
    }
    Py_DECREF(shape);
    if (channels != self->channels || height < 1 || width < 1) {
        PyErr_Format(PyExc_ValueError,
                     "the decoder gave (%d, %d, %d), channels must be %d", height,
                     width, channels, self->channels);
        return -1;
    }
    const size_t row = (size_t)width * (size_t)channels;
    if (py_buffer_of_size(pixels, buffer, row * (size_t)height, "decoded pixels") < 0)
        return -1;
    *out = (struct mxio_view){.bytes = buffer->buf,
                              .stride = row,
                              .width = width,
                              .height = height,
                              .channels = channels,
                              .held = {0, 0, width, height}};
    return 0;
}

/* The exception that is set, as a failure of the record; anything but an Exception
 * stays set. */
static enum mxio_status
failure_from_exception(struct mxio_error *err)
{
    PyObject *kind, *value, *trace;

    if (!PyErr_ExceptionMatches(PyExc_Exception) ||
        PyErr_ExceptionMatches(PyExc_MemoryError) ||
        PyErr_ExceptionMatches(PyExc_ImportError))
        return MXIO_OK;
    PyErr_Fetch(&kind, &value, &trace);
    PyObject *text = value != NULL ? PyObject_Str(value) : NULL;
    const char *words = text != NULL ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
    mxio_fail(err, MXIO_EDATA, "%s", words != NULL ? words : "undecodable");
    Py_XDECREF(text);
    Py_XDECREF(kind);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    PyErr_Clear();
    return MXIO_EDATA;
}

/* Decode one foreign row on this thread. *failed: *err says why. 0, or -1 with an
 * exception. */
static int
decode_row(struct py_loader *self, const struct mxio_delivery *delivery, bool *failed,
           struct mxio_error *err)
{
    const uint8_t *bytes;
    size_t size;
    enum mxio_status status;

    Py_BEGIN_ALLOW_THREADS status =
        mxio_loader_foreign(self->loader, &bytes, &size, err);
    Py_END_ALLOW_THREADS *failed = status != MXIO_OK;
    if (*failed)
        return 0;
    PyObject *pixels = PyObject_CallFunction(self->decoder, "y#i", (const char *)bytes,
                                             (Py_ssize_t)size, self->channels);
    Py_buffer buffer;
    struct mxio_view view;
    if (pixels == NULL || view_of_pixels(self, pixels, &buffer, &view) < 0) {
        Py_XDECREF(pixels);
        *failed = failure_from_exception(err) != MXIO_OK;
        return *failed ? 0 : -1;
    }
    Py_BEGIN_ALLOW_THREADS status =
        mxio_loader_finish(self->loader, delivery, &view, err);
    Py_END_ALLOW_THREADS PyBuffer_Release(&buffer);
    Py_DECREF(pixels);
    *failed = status != MXIO_OK;
    return 0;
}

/* Make the batch whole. *redo: ask for it again. 0, or -1 with an exception. */
static int
decode_foreign(struct py_loader *self, const struct mxio_delivery *delivery, bool *redo)
{
    bool left = delivery->foreign_count > 0;

    *redo = false;
    while (left && !*redo) {
        struct mxio_error err = MXIO_NO_ERROR;
        enum mxio_status status = MXIO_OK;
        bool failed;
        if (decode_row(self, delivery, &failed, &err) < 0)
            return -1;
        Py_BEGIN_ALLOW_THREADS if (failed) status =
            mxio_loader_reject(self->loader, delivery, redo, &err);
        left = mxio_loader_has_foreign(self->loader);
        Py_END_ALLOW_THREADS if (status != MXIO_OK)
        {
            py_loader_raise(self, &err);
            return -1;
        }
    }
    return 0;
}

/* Wait for a batch, looking for signals now and then. 0, or -1 with an exception. */
static int
wait_for_batch(struct py_loader *self, enum mxio_wait *wait, struct mxio_delivery *out)
{
    struct mxio_error err = MXIO_NO_ERROR;
    enum mxio_status status;
    double waited = 0;

    do {
        Py_BEGIN_ALLOW_THREADS status =
            mxio_loader_next(self->loader, PY_SLICE_MS, wait, out, &err);
        if (status == MXIO_OK && *wait == MXIO_NOT_YET) {
            waited += PY_SLICE_MS * 1e-3;
            if (self->timeout > 0 && waited >= self->timeout)
                status = mxio_loader_stuck(self->loader, &err);
        }
        Py_END_ALLOW_THREADS if (status != MXIO_OK)
        {
            py_loader_raise(self, &err);
            return -1;
        }
        /* With a batch in hand, the interpreter looks for signals soon enough. */
        if (*wait == MXIO_NOT_YET && PyErr_CheckSignals() < 0)
            return -1;
    } while (*wait == MXIO_NOT_YET);
    return 0;
}

static PyObject *
next_batch(struct py_loader *self)
{
    struct mxio_delivery batch;
    enum mxio_wait wait;
    bool redo;

    do {
        if (wait_for_batch(self, &wait, &batch) < 0)
            return NULL;
        if (wait == MXIO_OVER)
            Py_RETURN_NONE;
        const int failed = decode_foreign(self, &batch, &redo);
        if (failed || redo)
            mxio_block_release(batch.block);
        if (failed)
            return NULL;
    } while (redo);
    PyObject *block = py_block_wrap(state_of(self), batch.block);
    if (block == NULL)
        return NULL;
    if (self->lent != NULL)
        py_block_keep(block, self->lent);
    return Py_BuildValue("Nnnnn", block, (Py_ssize_t)batch.rows, (Py_ssize_t)batch.pad,
                         (Py_ssize_t)batch.label_offset, (Py_ssize_t)batch.id_offset);
}

static PyObject *
loader_next(PyObject *object, PyObject *ignored)
{
    struct py_loader *self = (struct py_loader *)object;

    (void)ignored;
    if (enter(self) < 0)
        return NULL;
    PyObject *out = next_batch(self);
    self->busy = false;
    return out;
}

static PyObject *
loader_close(PyObject *object, PyObject *ignored)
{
    struct py_loader *self = (struct py_loader *)object;

    (void)ignored;
    Py_BEGIN_ALLOW_THREADS mxio_loader_close(self->loader);
    Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

static PyMethodDef loader_methods[] = {
    {"start", loader_start, METH_VARARGS,
     "Begin an epoch: epoch, positions done, first batch, step."},
    {"fetch", loader_fetch, METH_VARARGS,
     "Make these records instead of an epoch: uint64 places, uint64 epochs."},
    {"next", loader_next, METH_NOARGS,
     "(block, rows, pad, label offset, id offset), or None at the end."},
    {"lacks", py_loader_lacks, METH_NOARGS,
     "Bytes of memory that must be lent before next, or 0."},
    {"lend", py_loader_lend, METH_O, "Let batches lie in this memory."},
    {"count", py_loader_count, METH_NOARGS, "Records of this part."},
    {"batches", py_loader_batches, METH_VARARGS,
     "Batches of an epoch: positions done, first batch, step."},
    {"label_width", py_loader_label_width, METH_NOARGS,
     "Values in the label of a sample."},
    {"progress", py_loader_progress, METH_NOARGS,
     "Positions used of this epoch and of the next."},
    {"work", py_loader_work, METH_NOARGS, "What the threads have done so far."},
    {"offsets", py_loader_offsets, METH_NOARGS, "Offsets of all record heads, uint64."},
    {"errors", py_loader_errors, METH_NOARGS,
     "Bad records met so far: (path, record, id, offset, sentence)."},
    {"memory", py_loader_memory, METH_NOARGS, "Batches in use and idle."},
    {"close", loader_close, METH_NOARGS, "Stop and join the threads; idempotent."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot loader_slots[] = {
    {Py_tp_doc, "The engine: batches in a fixed order, made by worker threads."},
    {Py_tp_new, loader_new},
    {Py_tp_dealloc, loader_dealloc},
    {Py_tp_traverse, loader_traverse},
    {Py_tp_clear, loader_clear},
    {Py_tp_methods, loader_methods},
    {0, NULL},
};

PyType_Spec py_loader_spec = {
    .name = "mxio._core.Loader",
    .basicsize = sizeof(struct py_loader),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = loader_slots,
};
