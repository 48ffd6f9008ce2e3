/* Questions to a Loader, as loader_look.c answers them. */
#include "py_loader.h"

PyObject *
py_loader_count(PyObject *object, PyObject *ignored)
{
    struct py_loader *self = (struct py_loader *)object;
    struct mxio_error err = MXIO_NO_ERROR;
    uint64_t count = 0;
    enum mxio_status status;

    (void)ignored;
    Py_BEGIN_ALLOW_THREADS status = mxio_loader_count(self->loader, &count, &err);
    Py_END_ALLOW_THREADS return status == MXIO_OK ? PyLong_FromUnsignedLongLong(count)
                                                  : py_loader_raise(self, &err);
}

PyObject *
py_loader_batches(PyObject *object, PyObject *args)
{
    struct py_loader *self = (struct py_loader *)object;
    unsigned long long base, batch, step;

    if (!PyArg_ParseTuple(args, "KKK:batches", &base, &batch, &step))
        return NULL;
    PyObject *number = py_loader_count(object, NULL);
    if (number == NULL)
        return NULL;
    const uint64_t count = PyLong_AsUnsignedLongLong(number);
    const uint64_t left = count > base ? count - base : 0;
    Py_DECREF(number);
    return PyLong_FromUnsignedLongLong(
        mxio_loader_batches(self->loader, left, batch, step));
}

PyObject *
py_loader_label_width(PyObject *object, PyObject *ignored)
{
    (void)ignored;
    return PyLong_FromSize_t(
        mxio_loader_label_width(((struct py_loader *)object)->loader));
}

PyObject *
py_loader_progress(PyObject *object, PyObject *ignored)
{
    uint64_t used, carry;

    (void)ignored;
    mxio_loader_progress(((struct py_loader *)object)->loader, &used, &carry);
    return Py_BuildValue("KK", (unsigned long long)used, (unsigned long long)carry);
}

static double
seconds(uint64_t nanoseconds)
{
    return (double)nanoseconds * 1e-9;
}

PyObject *
py_loader_work(PyObject *object, PyObject *ignored)
{
    struct py_loader *self = (struct py_loader *)object;
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_work work;
    enum mxio_status status;

    (void)ignored;
    Py_BEGIN_ALLOW_THREADS status = mxio_loader_work(self->loader, &work, &err);
    Py_END_ALLOW_THREADS if (status != MXIO_OK) return py_loader_raise(self, &err);
    const struct mxio_spent *spent = &work.spent;
    return Py_BuildValue(
        "{sKsKsKsdsdsdsdsdsKsKsKsKsKsK}", "samples", (unsigned long long)spent->samples,
        "bytes", (unsigned long long)spent->bytes, "tickets",
        (unsigned long long)work.runs, "read", seconds(spent->stage[MXIO_STAGE_READ]),
        "decode", seconds(spent->stage[MXIO_STAGE_DECODE]), "transform",
        seconds(spent->stage[MXIO_STAGE_TRANSFORM]), "idle", seconds(work.idle),
        "waited", seconds(work.waited), "jpeg_plain",
        (unsigned long long)spent->paths[MXIO_PATH_JPEG_PLAIN], "jpeg_own",
        (unsigned long long)spent->paths[MXIO_PATH_JPEG_OWN], "jpeg_stock",
        (unsigned long long)spent->paths[MXIO_PATH_JPEG_STOCK], "png_plain",
        (unsigned long long)spent->paths[MXIO_PATH_PNG_PLAIN], "png_libpng",
        (unsigned long long)spent->paths[MXIO_PATH_PNG_LIBPNG], "foreign",
        (unsigned long long)spent->paths[MXIO_PATH_FOREIGN]);
}

PyObject *
py_loader_offsets(PyObject *object, PyObject *ignored)
{
    struct py_loader *self = (struct py_loader *)object;
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_block *block;
    enum mxio_status status;

    (void)ignored;
    Py_BEGIN_ALLOW_THREADS status = mxio_loader_offsets(self->loader, &block, &err);
    Py_END_ALLOW_THREADS return status == MXIO_OK
        ? py_block_wrap(py_state_of_type(Py_TYPE((PyObject *)self)), block)
        : py_loader_raise(self, &err);
}

PyObject *
py_loader_errors(PyObject *object, PyObject *ignored)
{
    struct py_loader *self = (struct py_loader *)object;
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_error *bad;
    size_t count;

    (void)ignored;
    if (mxio_loader_errors(self->loader, &bad, &count, &err) != MXIO_OK)
        return py_loader_raise(self, &err);
    PyObject *out = PyList_New(0);
    for (size_t i = 0; out != NULL && i < count; i++) {
        const char *path = bad[i].file >= 0 ? self->paths[bad[i].file] : "";
        PyObject *text = py_describe(&bad[i], path);
        PyObject *id =
            bad[i].has_id ? PyLong_FromUnsignedLongLong(bad[i].id) : Py_NewRef(Py_None);
        PyObject *entry = text == NULL || id == NULL
                              ? NULL
                              : Py_BuildValue("NLOLO", PyUnicode_DecodeFSDefault(path),
                                              (long long)bad[i].record, id,
                                              (long long)bad[i].offset, text);
        Py_XDECREF(text);
        Py_XDECREF(id);
        if (entry == NULL || PyList_Append(out, entry) < 0)
            Py_CLEAR(out);
        Py_XDECREF(entry);
    }
    mxio_free(bad);
    return out;
}
