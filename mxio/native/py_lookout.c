/* Lookout: where a thread reads, for one that waits for it. */
#include "py_core.h"

#include "file_lookout.h"

struct py_lookout {
    PyObject_HEAD struct mxio_lookout lookout;
};

static PyObject *
lookout_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    if (PyTuple_Size(args) > 0 || (kwargs != NULL && PyDict_Size(kwargs) > 0)) {
        PyErr_SetString(PyExc_TypeError, "Lookout takes no arguments");
        return NULL;
    }
    struct py_lookout *self = (struct py_lookout *)PyType_GenericAlloc(type, 0);
    if (self != NULL)
        mxio_lookout_init(&self->lookout);
    return (PyObject *)self;
}

static void
lookout_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);

    mxio_lookout_destroy(&((struct py_lookout *)object)->lookout);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyObject *
lookout_call(PyObject *object, PyObject *work)
{
    mxio_lookout_watch(&((struct py_lookout *)object)->lookout);
    PyObject *out = PyObject_CallObject(work, NULL);
    mxio_lookout_watch(NULL);
    return out;
}

static PyObject *
lookout_see(PyObject *object, PyObject *ignored)
{
    struct mxio_sight sight;

    (void)ignored;
    mxio_lookout_see(&((struct py_lookout *)object)->lookout, &sight);
    PyObject *path = Py_NewRef(Py_None);
    if (sight.path[0] != '\0') {
        Py_DECREF(path);
        path = PyUnicode_DecodeFSDefault(sight.path);
    }
    return Py_BuildValue("NiKK", path, sight.descriptor,
                         (unsigned long long)sight.offset,
                         (unsigned long long)sight.calls);
}

static PyObject *
lookout_stop(PyObject *object, PyObject *ignored)
{
    (void)ignored;
    mxio_lookout_stop(&((struct py_lookout *)object)->lookout);
    Py_RETURN_NONE;
}

static PyMethodDef lookout_methods[] = {
    {"call", lookout_call, METH_O,
     "What the function returns; what it opens and reads is seen."},
    {"see", lookout_see, METH_NOARGS,
     "(path being opened or None, descriptor being read or -1, offset, calls so far)."},
    {"stop", lookout_stop, METH_NOARGS, "Let the call open and read nothing more."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot lookout_slots[] = {
    {Py_tp_doc, "Where a thread reads, for one that waits for it."},
    {Py_tp_new, lookout_new},
    {Py_tp_dealloc, lookout_dealloc},
    {Py_tp_methods, lookout_methods},
    {0, NULL},
};

PyType_Spec py_lookout_spec = {
    .name = "mxio._core.Lookout",
    .basicsize = sizeof(struct py_lookout),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = lookout_slots,
};
