/* Packer: pictures to records in threads, for Python. */
#include "py_core.h"

#include "maths.h"
#include "packer.h"

struct py_packer {
    PyObject_HEAD struct mxio_packer *packer;
    bool busy; /* a caller is inside, without the GIL */
};

static PyObject *
raise_here(struct py_packer *self, const struct mxio_error *err)
{
    return py_raise(py_state_of_type(Py_TYPE((PyObject *)self)), err, NULL, NULL);
}

static bool
is_right(const struct mxio_recipe *recipe, Py_ssize_t threads, Py_ssize_t depth)
{
    return (recipe->channels == 0 || recipe->channels == 1 || recipe->channels == 3) &&
           recipe->resize >= 0 && recipe->quality >= (recipe->png ? 0 : 1) &&
           recipe->quality <= (recipe->png ? 9 : 100) && threads >= 1 && depth >= 1;
}

/* The caller has checked the numbers, with better words. */
static int
make_packer(struct py_packer *self, PyObject *args)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_recipe recipe;
    Py_ssize_t threads, depth;
    long long max_pixels;
    int unchanged, transcode, center_crop, scaled_decode, png;
    enum mxio_status status;

    if (!PyArg_ParseTuple(args, "ppipippiLnn:Packer", &unchanged, &transcode,
                          &recipe.channels, &center_crop, &recipe.resize,
                          &scaled_decode, &png, &recipe.quality, &max_pixels, &threads,
                          &depth))
        return -1;
    recipe.unchanged = unchanged != 0;
    recipe.transcode = transcode != 0;
    recipe.center_crop = center_crop != 0;
    recipe.scaled_decode = scaled_decode != 0;
    recipe.png = png != 0;
    recipe.max_pixels = max_pixels;
    if (!is_right(&recipe, threads, depth)) {
        PyErr_SetString(PyExc_ValueError, "Packer: a number is out of its range");
        return -1;
    }
    Py_BEGIN_ALLOW_THREADS status =
        mxio_packer_new(&self->packer, &recipe, (size_t)threads, (size_t)depth, &err);
    Py_END_ALLOW_THREADS if (status == MXIO_OK) return 0;
    raise_here(self, &err);
    return -1;
}

static PyObject *
packer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    if (kwargs != NULL && PyDict_Size(kwargs) > 0) {
        PyErr_SetString(PyExc_TypeError, "Packer takes no keyword arguments");
        return NULL;
    }
    struct py_packer *self = (struct py_packer *)PyType_GenericAlloc(type, 0);
    if (self == NULL)
        return NULL;
    if (make_packer(self, args) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void
packer_dealloc(PyObject *object)
{
    struct py_packer *self = (struct py_packer *)object;
    PyTypeObject *type = Py_TYPE(object);

    Py_BEGIN_ALLOW_THREADS /* the threads come to a stop first */
        mxio_packer_free(self->packer);
    Py_END_ALLOW_THREADS PyObject_Free(object);
    Py_DECREF(type);
}

/* One caller at a time; 0, or -1 with an exception. */
static int
enter(struct py_packer *self)
{
    struct mxio_error err = MXIO_NO_ERROR;

    if (!self->busy) {
        self->busy = true;
        return 0;
    }
    mxio_fail(&err, MXIO_ESTATE, "the packer is in use by another thread");
    raise_here(self, &err);
    return -1;
}

static PyObject *
packer_add(PyObject *object, PyObject *args)
{
    struct py_packer *self = (struct py_packer *)object;
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_pack_job job;
    PyObject *path = NULL;
    Py_buffer head;
    enum mxio_status status;

    if (!PyArg_ParseTuple(args, "O&y*i:add", PyUnicode_FSConverter, &path, &head,
                          &job.inter))
        return NULL;
    const bool known =
        (job.inter >= MXIO_INTER_NEAREST && job.inter <= MXIO_INTER_LANCZOS) ||
        job.inter == MXIO_INTER_FITTING;
    if (!known)
        PyErr_Format(PyExc_ValueError, "inter must be 0 to 4 or 9, got %d", job.inter);
    if (known && enter(self) == 0) {
        job.path = PyBytes_AsString(path);
        job.head = head.buf;
        job.head_size = (size_t)head.len;
        Py_BEGIN_ALLOW_THREADS status = mxio_packer_add(self->packer, &job, &err);
        Py_END_ALLOW_THREADS self->busy = false;
        if (status != MXIO_OK)
            raise_here(self, &err);
    }
    PyBuffer_Release(&head);
    Py_DECREF(path);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
packer_next(PyObject *object, PyObject *ignored)
{
    struct py_packer *self = (struct py_packer *)object;
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_block *record = NULL;
    enum mxio_status status = MXIO_OK;
    bool ready = false, interrupted = false;

    (void)ignored;
    if (enter(self) < 0)
        return NULL;
    while (!ready && status == MXIO_OK && !interrupted) {
        Py_BEGIN_ALLOW_THREADS status =
            mxio_packer_next(self->packer, PY_SLICE_MS, &ready, &record, &err);
        Py_END_ALLOW_THREADS interrupted =
            !ready && status == MXIO_OK && PyErr_CheckSignals() < 0;
    }
    self->busy = false;
    if (interrupted)
        return NULL;
    if (status == MXIO_EFOREIGN)
        Py_RETURN_NONE;
    if (status != MXIO_OK)
        return raise_here(self, &err);
    return py_block_wrap(py_state_of_type(Py_TYPE(object)), record);
}

static PyObject *
packer_close(PyObject *object, PyObject *ignored)
{
    struct py_packer *self = (struct py_packer *)object;

    (void)ignored;
    Py_BEGIN_ALLOW_THREADS mxio_packer_close(self->packer);
    Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

static PyMethodDef packer_methods[] = {
    {"add", packer_add, METH_VARARGS, "Begin with a picture: path, head, inter."},
    {"next", packer_next, METH_NOARGS,
     "The record of the oldest picture, or None when the core cannot decode it."},
    {"close", packer_close, METH_NOARGS, "Stop and join the threads; idempotent."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot packer_slots[] = {
    {Py_tp_doc, "Picture files to records of a .rec file, by several threads."},
    {Py_tp_new, packer_new},
    {Py_tp_dealloc, packer_dealloc},
    {Py_tp_methods, packer_methods},
    {0, NULL},
};

PyType_Spec py_packer_spec = {
    .name = "mxio._core.Packer",
    .basicsize = sizeof(struct py_packer),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = packer_slots,
};
