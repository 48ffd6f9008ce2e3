/* MNIST's images as a RowFeed. */
#include "py_core.h"

#include "feed.h"
#include "mnist.h"

static enum mxio_status
make_feed(struct mxio_feed **out, const struct mxio_mnist_inputs *inputs, size_t depth,
          double timeout, struct mxio_error *err)
{
    const struct mxio_opening opening = mxio_mnist_opening(inputs);
    const enum mxio_status status = mxio_feed_new(out, &opening, depth, timeout, err);

    return status == MXIO_OK ? mxio_feed_open(*out, err) : status;
}

/* Takes the paths, of images and labels, over. */
static PyObject *
open_feed(const struct py_state *state, struct mxio_mnist_inputs *inputs, size_t depth,
          double timeout, char **paths)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_feed *feed = NULL;
    uint32_t shape[2];
    enum mxio_status status;

    inputs->image = paths[0];
    inputs->label = paths[1];
    Py_BEGIN_ALLOW_THREADS status = make_feed(&feed, inputs, depth, timeout, &err);
    Py_END_ALLOW_THREADS if (status != MXIO_OK)
    {
        py_raise(state, &err, paths, NULL);
        Py_BEGIN_ALLOW_THREADS py_rows_free(feed, paths);
        Py_END_ALLOW_THREADS return NULL;
    }
    mxio_mnist_shape(mxio_feed_source(feed), &shape[0], &shape[1]);
    PyObject *rows = py_rows_wrap(state, feed, timeout, paths);
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
    double timeout;

    if (!PyArg_ParseTuple(args, "OnnnpLnd:open_mnist", &paths, &batch_size, &num_parts,
                          &part_index, &shuffle, &seed, &depth, &timeout))
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
    return open_feed(PyModule_GetState(module), &inputs, (size_t)depth, timeout,
                     copies);
}

PyMethodDef py_mnist_methods[] = {
    {"open_mnist", open_mnist, METH_VARARGS,
     "(RowFeed, rows, columns) of MNIST's files."},
    {NULL, NULL, 0, NULL},
};
