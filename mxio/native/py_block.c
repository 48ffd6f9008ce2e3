/* Block: the core's memory through the buffer protocol. */
#include "py_core.h"

struct py_block {
    PyObject_HEAD struct mxio_block *block;
    PyObject *kept; /* what the block needs, or NULL */
};

PyObject *
py_block_wrap(const struct py_state *state, struct mxio_block *block)
{
    struct py_block *self = PyObject_New(struct py_block, state->block_type);

    if (self == NULL)
        mxio_block_release(block);
    else {
        self->block = block;
        self->kept = NULL;
    }
    return (PyObject *)self;
}

void
py_block_keep(PyObject *block, PyObject *kept)
{
    ((struct py_block *)block)->kept = Py_NewRef(kept);
}

static void
block_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);

    mxio_block_release(((struct py_block *)object)->block);
    Py_XDECREF(((struct py_block *)object)->kept);
    PyObject_Free(object);
    Py_DECREF(type);
}

static int
block_getbuffer(PyObject *object, Py_buffer *view, int flags)
{
    const struct mxio_block *block = ((struct py_block *)object)->block;

    return PyBuffer_FillInfo(view, object, block->bytes, (Py_ssize_t)block->size, 0,
                             flags);
}

static Py_ssize_t
block_length(PyObject *object)
{
    return (Py_ssize_t)((struct py_block *)object)->block->size;
}

static PyType_Slot block_slots[] = {
    {Py_tp_doc,
     "Memory of the core, writable; it returns to its pool when the last view dies."},
    {Py_tp_dealloc, block_dealloc},
    {Py_bf_getbuffer, block_getbuffer},
    {Py_sq_length, block_length},
    {0, NULL},
};

PyType_Spec py_block_spec = {
    .name = "mxio._core.Block",
    .basicsize = sizeof(struct py_block),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = block_slots,
};
