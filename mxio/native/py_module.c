/* Init, state, errors, and the functions on records. */
#include "py_core.h"

#include <string.h>

#include "inflate.h"
#include "jpeg.h"
#include "jpeg_transcode.h"
#include "kernels.h"
#include "marks.h"
#include "png.h"
#include "recordio.h"

struct py_state *
py_state_of_type(PyTypeObject *type)
{
    return PyType_GetModuleState(type);
}

PyObject *
py_describe(const struct mxio_error *err, const char *path)
{
    char place[128] = "";
    size_t used = 0;

    if (err->record >= 0)
        used += (size_t)PyOS_snprintf(place, sizeof place, "record %lld",
                                      (long long)err->record);
    if (err->has_id)
        used += (size_t)PyOS_snprintf(place + used, sizeof place - used, " (id %llu)",
                                      (unsigned long long)err->id);
    if (err->offset >= 0)
        PyOS_snprintf(place + used, sizeof place - used, "%sbyte %lld",
                      used > 0 ? " at " : "", (long long)err->offset);
    if (path == NULL)
        return PyUnicode_FromFormat("%s%s%s", place, place[0] != '\0' ? ": " : "",
                                    err->message);
    PyObject *name = PyUnicode_DecodeFSDefault(path);
    if (name == NULL)
        return NULL;
    PyObject *text = PyUnicode_FromFormat("%U: %s%s%s", name, place,
                                          place[0] != '\0' ? ": " : "", err->message);
    Py_DECREF(name);
    return text;
}

static PyObject *
optional_number(bool known, int64_t value)
{
    if (known)
        return PyLong_FromLongLong(value);
    Py_RETURN_NONE;
}

static PyObject *
make_data_error(PyObject *kind, const struct mxio_error *err, PyObject *text,
                const char *path)
{
    PyObject *name =
        path != NULL ? PyUnicode_DecodeFSDefault(path) : Py_NewRef(Py_None);
    PyObject *record = optional_number(err->record >= 0, err->record);
    PyObject *id =
        err->has_id ? PyLong_FromUnsignedLongLong(err->id) : Py_NewRef(Py_None);
    PyObject *offset = optional_number(err->offset >= 0, err->offset);
    PyObject *made = NULL;

    if (name != NULL && record != NULL && id != NULL && offset != NULL)
        made = PyObject_CallFunctionObjArgs(kind, text, name, record, id, offset, NULL);
    Py_XDECREF(name);
    Py_XDECREF(record);
    Py_XDECREF(id);
    Py_XDECREF(offset);
    return made;
}

static PyObject *
make_exception(const struct py_state *state, const struct mxio_error *err,
               PyObject *text, const char *path)
{
    static const char *const names[] = {[MXIO_EPARAM] = "ParameterError",
                                        [MXIO_EDATA] = "DataError",
                                        [MXIO_EFOREIGN] = "DataError",
                                        [MXIO_ESTATE] = "MxioError"};

    if (err->status == MXIO_ENOMEM)
        return PyObject_CallFunctionObjArgs(PyExc_MemoryError, text, NULL);
    if (err->status == MXIO_EIO && path == NULL)
        return PyObject_CallMethod(state->errors, "system_error", "iO", err->os_error,
                                   text);
    if (err->status == MXIO_EIO)
        return PyObject_CallMethod(state->errors, "system_error", "iON", err->os_error,
                                   text, PyUnicode_DecodeFSDefault(path));
    PyObject *kind = PyObject_GetAttrString(state->errors, names[err->status]);
    if (kind == NULL)
        return NULL;
    PyObject *made = err->status == MXIO_EDATA || err->status == MXIO_EFOREIGN
                         ? make_data_error(kind, err, text, path)
                         : PyObject_CallFunctionObjArgs(kind, text, NULL);
    Py_DECREF(kind);
    return made;
}

PyObject *
py_raise(const struct py_state *state, const struct mxio_error *err, char *const *paths,
         const char *path)
{
    if (paths != NULL && err->file >= 0)
        path = paths[err->file];
    /* An OSError shows its file name by itself. */
    PyObject *text = py_describe(err, err->status == MXIO_EIO ? NULL : path);
    PyObject *made = text == NULL ? NULL : make_exception(state, err, text, path);

    Py_XDECREF(text);
    if (made != NULL)
        PyErr_SetObject((PyObject *)Py_TYPE(made), made);
    Py_XDECREF(made);
    return NULL;
}

int
py_buffer_of_size(PyObject *object, Py_buffer *view, size_t size, const char *what)
{
    if (PyObject_GetBuffer(object, view, PyBUF_SIMPLE) < 0)
        return -1;
    if ((size_t)view->len == size)
        return 0;
    PyErr_Format(PyExc_ValueError, "%s must have %zu bytes, got %zd", what, size,
                 view->len);
    PyBuffer_Release(view);
    return -1;
}

static PyObject *
encode_record(PyObject *module, PyObject *payload)
{
    Py_buffer view;

    (void)module;
    if (PyObject_GetBuffer(payload, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    const size_t size = (size_t)view.len;
    if (size >= MXIO_RECORD_LIMIT) {
        PyErr_Format(PyExc_ValueError,
                     "a record must have fewer than 2**29 = %zu bytes, got %zu",
                     MXIO_RECORD_LIMIT, size);
        PyBuffer_Release(&view);
        return NULL;
    }
    const size_t encoded = mxio_recordio_encoded_size(view.buf, size);
    PyObject *out = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)encoded);
    if (out != NULL) {
        uint8_t *bytes = (uint8_t *)PyBytes_AsString(out);
        Py_BEGIN_ALLOW_THREADS mxio_recordio_encode(view.buf, size, bytes);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&view);
    return out;
}

static PyObject *
parse_index(PyObject *module, PyObject *args)
{
    struct py_state *state = PyModule_GetState(module);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_block *keys = NULL, *offsets = NULL;
    PyObject *path = NULL;
    Py_buffer text;
    size_t count;

    if (!PyArg_ParseTuple(args, "y*O&:parse_index", &text, PyUnicode_FSConverter,
                          &path))
        return NULL;
    enum mxio_status status;
    Py_BEGIN_ALLOW_THREADS status =
        mxio_recordio_parse_index(text.buf, (size_t)text.len, NULL, NULL, &count, &err);
    if (status == MXIO_OK)
        status = mxio_block_new(&keys, count * sizeof(int64_t), &err);
    if (status == MXIO_OK)
        status = mxio_block_new(&offsets, count * sizeof(uint64_t), &err);
    if (status == MXIO_OK)
        status =
            mxio_recordio_parse_index(text.buf, (size_t)text.len,
                                      (int64_t *)(void *)keys->bytes,
                                      (uint64_t *)(void *)offsets->bytes, &count, &err);
    Py_END_ALLOW_THREADS PyBuffer_Release(&text);
    if (status != MXIO_OK) {
        mxio_block_release(keys);
        mxio_block_release(offsets);
        py_raise(state, &err, NULL, PyBytes_AsString(path));
        Py_DECREF(path);
        return NULL;
    }
    Py_DECREF(path);
    PyObject *first = py_block_wrap(state, keys);
    PyObject *second = py_block_wrap(state, offsets);
    PyObject *out =
        first != NULL && second != NULL ? PyTuple_Pack(2, first, second) : NULL;
    Py_XDECREF(first);
    Py_XDECREF(second);
    return out;
}

/* Magic numbers in one answer of find_magics. */
#define MARKS_MOST ((size_t)65536)

static PyObject *
find_magics(PyObject *module, PyObject *args)
{
    Py_buffer view;
    unsigned long from;

    (void)module;
    if (!PyArg_ParseTuple(args, "y*k:find_magics", &view, &from))
        return NULL;
    uint32_t *places = NULL;
    size_t count = 0;
    if ((size_t)view.len > UINT32_MAX)
        PyErr_Format(PyExc_ValueError, "at most 2**32 - 1 bytes at a time, got %zd",
                     view.len);
    else if ((places = mxio_alloc(MARKS_MOST * sizeof *places)) == NULL)
        PyErr_NoMemory();
    PyObject *out = NULL;
    if (places != NULL) {
        Py_BEGIN_ALLOW_THREADS count =
            mxio_marks_find(view.buf, (size_t)view.len, from, places, MARKS_MOST);
        Py_END_ALLOW_THREADS out =
            PyBytes_FromStringAndSize((const char *)places,
                                      (Py_ssize_t)(count * sizeof *places));
    }
    mxio_free(places);
    PyBuffer_Release(&view);
    return out;
}

static PyObject *
features(PyObject *module, PyObject *ignored)
{
    (void)module;
    (void)ignored;
    PyObject *png =
        PyUnicode_FromFormat("%s, %s", mxio_png_version(), mxio_inflate_version());
    const struct mxio_jpeg_words ways = mxio_jpeg_ways_told();

    return png == NULL ? NULL
                       : Py_BuildValue("{sssssssNss}", "jpeg", mxio_jpeg_version(),
                                       "entropy", ways.entropy, "pixels", ways.plain,
                                       "png", png, "simd", mxio_kernels_best()->name);
}

static PyMethodDef methods[] = {
    {"encode_record", encode_record, METH_O, "The bytes of one record in a file."},
    {"parse_index", parse_index, METH_VARARGS, "Keys and offsets of a text index."},
    {"find_magics", find_magics, METH_VARARGS, "Places of magic numbers in bytes."},
    {"features", features, METH_NOARGS, "Versions and code paths."},
    {NULL, NULL, 0, NULL},
};

static int
add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **place)
{
    *place = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *place == NULL ? -1 : PyModule_AddType(module, *place);
}

static int
add_errors(PyObject *module, struct py_state *state)
{
    static const char *const names[] = {"MxioError", "ParameterError", "DataError"};

    state->errors = PyImport_ImportModule("mxio.errors");
    if (state->errors == NULL)
        return -1;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        PyObject *kind = PyObject_GetAttrString(state->errors, names[i]);
        const int failed = PyModule_AddObjectRef(module, names[i], kind);
        Py_XDECREF(kind);
        if (failed)
            return -1;
    }
    return 0;
}

static int
module_exec(PyObject *module)
{
    struct py_state *state = PyModule_GetState(module);
    PyObject *table = py_params_table();
    const int failed = PyModule_AddObjectRef(module, "PARAMS", table);

    Py_XDECREF(table);
    if (failed || add_errors(module, state) < 0 ||
        PyModule_AddFunctions(module, py_picture_methods) < 0 ||
        PyModule_AddFunctions(module, py_mnist_methods) < 0 ||
        PyModule_AddFunctions(module, py_scan_methods) < 0 ||
        PyModule_AddIntConstant(module, "FAST_RESTART", MXIO_JPEG_FAST_RESTART) < 0 ||
        PyModule_AddIntConstant(module, "MAX_RESTART", MXIO_JPEG_MAX_RESTART) < 0 ||
        PyModule_AddIntConstant(module, "FACE_MX", MXIO_FACE_MX) < 0 ||
        PyModule_AddIntConstant(module, "FACE_NUMPY", MXIO_FACE_NUMPY) < 0 ||
        PyModule_AddIntConstant(module, "FACE_TORCH", MXIO_FACE_TORCH) < 0 ||
        PyModule_AddIntConstant(module, "FACE_DET", MXIO_FACE_DET) < 0 ||
        PyModule_AddIntConstant(module, "FACE_RAW", MXIO_FACE_RAW) < 0 ||
        add_type(module, &py_block_spec, &state->block_type) < 0 ||
        add_type(module, &py_loader_spec, &state->loader_type) < 0 ||
        add_type(module, &py_file_spec, &state->file_type) < 0 ||
        add_type(module, &py_rows_spec, &state->rows_type) < 0 ||
        add_type(module, &py_set_spec, &state->set_type) < 0 ||
        add_type(module, &py_packer_spec, &state->packer_type) < 0 ||
        add_type(module, &py_feed_spec, &state->records_type) < 0 ||
        add_type(module, &py_lookout_spec, &state->lookout_type) < 0)
        return -1;
    return 0;
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    struct py_state *state = PyModule_GetState(module);

    Py_VISIT(state->errors);
    Py_VISIT(state->block_type);
    Py_VISIT(state->loader_type);
    Py_VISIT(state->file_type);
    Py_VISIT(state->rows_type);
    Py_VISIT(state->set_type);
    Py_VISIT(state->packer_type);
    Py_VISIT(state->records_type);
    Py_VISIT(state->lookout_type);
    return 0;
}

static int
module_clear(PyObject *module)
{
    struct py_state *state = PyModule_GetState(module);

    Py_CLEAR(state->errors);
    Py_CLEAR(state->block_type);
    Py_CLEAR(state->loader_type);
    Py_CLEAR(state->file_type);
    Py_CLEAR(state->rows_type);
    Py_CLEAR(state->set_type);
    Py_CLEAR(state->packer_type);
    Py_CLEAR(state->records_type);
    Py_CLEAR(state->lookout_type);
    return 0;
}

static void
module_free(void *module)
{
    (void)module_clear(module);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

struct PyModuleDef py_module_definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "mxio._core",
    .m_doc = "The native core: records, pictures, and the loader.",
    .m_size = sizeof(struct py_state),
    .m_methods = methods,
    .m_slots = slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&py_module_definition);
}
