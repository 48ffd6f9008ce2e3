/* The parameter table for Python, and Python values into the struct. */
#include "py_core.h"

#include <string.h>

static const char *const kind_names[] =
    {[MXIO_INT] = "INT",       [MXIO_REAL] = "REAL",   [MXIO_FLAG] = "FLAG",
     [MXIO_CHOICE] = "CHOICE", [MXIO_TEXT] = "TEXT",   [MXIO_SHAPE] = "SHAPE",
     [MXIO_INTS] = "INTS",     [MXIO_REALS] = "REALS", [MXIO_OBJECT] = "OBJECT"};
static const char *const group_names[] = {[MXIO_DATASET] = "DATASET",
                                          [MXIO_BATCH] = "BATCH",
                                          [MXIO_AUGMENTATION] = "AUGMENTATION",
                                          [MXIO_BACKEND] = "BACKEND",
                                          [MXIO_AUXILIARY] = "AUXILIARY"};

/* "a|b|c" to a tuple of texts; an empty one for NULL. */
static PyObject *
choice_names(const char *choices)
{
    if (choices == NULL)
        return PyTuple_New(0);
    PyObject *whole = PyUnicode_FromString(choices);
    PyObject *bar = PyUnicode_FromString("|");
    PyObject *list =
        whole != NULL && bar != NULL ? PyUnicode_Split(whole, bar, -1) : NULL;
    PyObject *out = list != NULL ? PySequence_Tuple(list) : NULL;

    Py_XDECREF(whole);
    Py_XDECREF(bar);
    Py_XDECREF(list);
    return out;
}

static PyObject *
initial_value(const struct mxio_param *row)
{
    switch (row->kind) {
    case MXIO_INT:
        return row->initial == MXIO_NONE ? Py_NewRef(Py_None)
                                         : PyLong_FromLongLong(row->initial);
    case MXIO_REAL:
        return row->initial_real == (double)MXIO_NONE
                   ? Py_NewRef(Py_None)
                   : PyFloat_FromDouble(row->initial_real);
    case MXIO_FLAG:
        return PyBool_FromLong(row->initial != 0);
    case MXIO_CHOICE: {
        PyObject *names = choice_names(row->choices);
        PyObject *out =
            names == NULL ? NULL : PySequence_GetItem(names, (Py_ssize_t)row->initial);
        Py_XDECREF(names);
        return out;
    }
    case MXIO_TEXT:
        return PyUnicode_FromString(row->text);
    case MXIO_INTS:
        return Py_BuildValue("(L)", (long long)row->initial_real);
    case MXIO_REALS:
        return Py_BuildValue("(d)", row->initial_real);
    default:
        Py_RETURN_NONE;
    }
}

static PyObject *
bound(const struct mxio_param *row, int64_t whole, double real)
{
    if (row->kind == MXIO_INT || row->kind == MXIO_FLAG)
        return PyLong_FromLongLong(whole);
    if (row->kind == MXIO_INTS)
        return PyLong_FromLongLong((long long)real);
    if (row->kind == MXIO_REAL || row->kind == MXIO_REALS)
        return PyFloat_FromDouble(real);
    Py_RETURN_NONE;
}

PyObject *
py_params_table(void)
{
    PyObject *table = PyTuple_New((Py_ssize_t)mxio_param_count);

    for (size_t i = 0; table != NULL && i < mxio_param_count; i++) {
        const struct mxio_param *row = &mxio_param_table[i];
        PyObject *entry =
            Py_BuildValue("(sssiNNNNNs)", row->name, kind_names[row->kind],
                          group_names[row->group], row->faces,
                          PyBool_FromLong(row->required), initial_value(row),
                          bound(row, row->int_low, row->low),
                          bound(row, row->int_high, row->high),
                          choice_names(row->choices), row->doc);
        if (entry == NULL || PyTuple_SetItem(table, (Py_ssize_t)i, entry) < 0)
            Py_CLEAR(table);
    }
    return table;
}

static enum mxio_status
set_shape(struct mxio_params *params, const struct mxio_param *row, PyObject *value,
          struct mxio_error *err)
{
    long long sides[3] = {0};

    if (!PyArg_ParseTuple(value, "LLL", &sides[0], &sides[1], &sides[2]))
        return mxio_fail(err, MXIO_EPARAM, "%s must be three whole numbers", row->name);
    return mxio_params_set_shape(params, row,
                                 (struct mxio_shape){sides[0], sides[1], sides[2]},
                                 err);
}

static enum mxio_status
set_list(struct mxio_params *params, const struct mxio_param *row, PyObject *value,
         struct mxio_error *err)
{
    const Py_ssize_t count = PyTuple_Size(value);
    double numbers[MXIO_MAX_LIST];

    for (Py_ssize_t i = 0; i < count && i < MXIO_MAX_LIST; i++)
        numbers[i] = PyFloat_AsDouble(PyTuple_GetItem(value, i));
    if (count < 0 || PyErr_Occurred()) /* it is raised in place of this */
        return mxio_fail(err, MXIO_EPARAM, "%s must be numbers", mxio_param_shown(row));
    return mxio_params_set_list(params, row, numbers, (size_t)count, err);
}

/* Values come from params.py in canonical form: int, float, str, tuple, or None. */
static enum mxio_status
set_value(struct mxio_params *params, const struct mxio_param *row, PyObject *value,
          struct mxio_error *err)
{
    if (value == Py_None)
        return mxio_params_set_none(params, row, err);
    switch (row->kind) {
    case MXIO_REAL:
        return mxio_params_set_real(params, row, PyFloat_AsDouble(value), err);
    case MXIO_TEXT: {
        PyObject *bytes;
        if (!PyUnicode_FSConverter(value, &bytes))
            return mxio_fail(err, MXIO_EPARAM, "%s must be text", row->name);
        const enum mxio_status status =
            mxio_params_set_text(params, row, PyBytes_AsString(bytes), err);
        Py_DECREF(bytes);
        return status;
    }
    case MXIO_SHAPE:
        return set_shape(params, row, value, err);
    case MXIO_INTS:
    case MXIO_REALS:
        return set_list(params, row, value, err);
    case MXIO_OBJECT:
        return mxio_fail(err, MXIO_EPARAM, "%s is not for the core", row->name);
    default:
        return mxio_params_set_int(params, row, PyLong_AsLongLong(value), err);
    }
}

int
py_params_fill(const struct py_state *state, struct mxio_params *params,
               PyObject *options)
{
    struct mxio_error err = MXIO_NO_ERROR;
    PyObject *items = PyMapping_Items(options);

    if (items == NULL)
        return -1;
    enum mxio_status status = mxio_params_init(params, &err);
    const Py_ssize_t count = PyList_Size(items);
    for (Py_ssize_t i = 0; i < count && status == MXIO_OK && !PyErr_Occurred(); i++) {
        PyObject *name, *value;
        const char *text;
        if (!PyArg_ParseTuple(PyList_GetItem(items, i), "OO", &name, &value))
            break;
        text = PyUnicode_AsUTF8AndSize(name, NULL);
        if (text == NULL)
            break;
        const struct mxio_param *row = mxio_param_find(text);
        status = row == NULL
                     ? mxio_fail(&err, MXIO_EPARAM, "there is no parameter %s", text)
                     : set_value(params, row, value, &err);
    }
    Py_DECREF(items);
    if (status == MXIO_OK && !PyErr_Occurred())
        status = mxio_params_check(params, &err);
    if (status == MXIO_OK && !PyErr_Occurred())
        return 0;
    if (!PyErr_Occurred())
        py_raise(state, &err, NULL, NULL);
    mxio_params_free(params);
    return -1;
}
