/* MNIST's images as a RowFeed. */
#include "py_core.h"

#include "feed.h"
#include "mnist.h"

static enum mxio_status
make_feed(struct mxio_feed **out, const struct mxio_mnist_inputs *inputs, size_t depth,
          uint32_t shape[2], struct mxio_error *err)
{
    struct mxio_mnist *mnist;
    const enum mxio_status status = mxio_mnist_new(&mnist, inputs, err);

    if (status != MXIO_OK)
        return status;
    mxio_mnist_shape(mnist, &shape[0], &shape[1]);
    return mxio_feed_new(out, mxio_mnist_source(mnist), depth, err);
}

/* Takes the paths, of images and labels, over. */
static PyObject *
open_feed(const struct py_state *state, struct mxio_mnist_inputs *inputs, size_t depth,
          char **paths)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_feed *feed;
    uint32_t shape[2];
    enum mxio_status status;

    inputs->image = paths[0];
    inputs->label = paths[1];
    Py_BEGIN_ALLOW_THREADS status = make_feed(&feed, inputs, depth, shape, &err);
    Py_END_ALLOW_THREADS if (status != MXIO_OK)
    {
        py_raise(state, &err, paths, NULL);
        py_paths_free(paths);
        return NULL;
    }
    PyObject *rows = py_rows_wrap(state, feed, paths);
    if (rows == NULL)
        return NULL;
    return Py_BuildValue("NII", rows, (unsigned)shape[0], (unsigned)shape[1]);
}

/* Every number is positive but part_index, which is below num_parts; the caller
 * checked. */
static PyObject *
open_mnist(PyObject *module, PyObject *args)
{
    PyObject *paths;
    char **copies = NULL;
    size_t count = 0;
    Py_ssize_t batch_size, num_parts, part_index, depth;
    int shuffle;
    long long seed;

    if (!PyArg_ParseTuple(args, "OnnnpLn:open_mnist", &paths, &batch_size, &num_parts,
                          &part_index, &shuffle, &seed, &depth))
        return NULL;
    if (py_paths_append(&copies, &count, paths) < 0) {
        py_paths_free(copies);
        return NULL;
    }
    if (count != 2 || batch_size < 1 || part_index < 0 || part_index >= num_parts ||
        depth < 1) {
        py_paths_free(copies);
        PyErr_SetString(PyExc_ValueError, "open_mnist: a number is out of its range");
        return NULL;
    }
    struct mxio_mnist_inputs inputs = {.batch_size = (size_t)batch_size,
                                       .num_parts = (size_t)num_parts,
                                       .part_index = (size_t)part_index,
                                       .keep = (size_t)depth,
                                       .shuffle = shuffle != 0,
                                       .seed = seed};
    return open_feed(PyModule_GetState(module), &inputs, (size_t)depth, copies);
}

PyMethodDef py_mnist_methods[] = {
    {"open_mnist", open_mnist, METH_VARARGS,
     "(RowFeed, rows, columns) of MNIST's files."},
    {NULL, NULL, 0, NULL},
};
