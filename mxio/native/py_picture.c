/* Functions on single pictures: decode, encode, resize; and plans, for tests. */
#include "py_core.h"

#include <string.h>

#include "augment.h"
#include "jpeg.h"
#include "jpeg_transcode.h"
#include "png.h"
#include "resize.h"

enum format { FORMAT_JPEG, FORMAT_PNG, FORMAT_UNKNOWN };

static enum format
format_of(const Py_buffer *data)
{
    if (mxio_jpeg_sniff(data->buf, (size_t)data->len))
        return FORMAT_JPEG;
    return mxio_png_sniff(data->buf, (size_t)data->len) ? FORMAT_PNG : FORMAT_UNKNOWN;
}

/* The codecs of one call. */
struct codecs {
    struct mxio_jpeg *jpeg;
    struct mxio_png *png;
};

static enum mxio_status
open_picture(struct codecs *codecs, const Py_buffer *data, bool orient,
             int64_t max_pixels, struct mxio_picture *out, struct mxio_error *err)
{
    const size_t size = (size_t)data->len;
    enum mxio_status status;

    if (format_of(data) == FORMAT_JPEG) {
        status = mxio_jpeg_new(&codecs->jpeg, err);
        return status != MXIO_OK ? status
                                 : mxio_jpeg_open(codecs->jpeg, data->buf, size, orient,
                                                  max_pixels, out, err);
    }
    status = mxio_png_new(&codecs->png, err);
    return status != MXIO_OK
               ? status
               : mxio_png_open(codecs->png, data->buf, size, max_pixels, out, err);
}

/* A whole picture into a block of its own. */
static enum mxio_status
decode_picture(struct codecs *codecs, const Py_buffer *data, int channels, bool bgr,
               bool orient, int64_t max_pixels, struct mxio_view *view,
               struct mxio_block **out, struct mxio_error *err)
{
    struct mxio_picture picture;

    enum mxio_status status =
        open_picture(codecs, data, orient, max_pixels, &picture, err);
    if (status != MXIO_OK)
        return status;
    const struct mxio_rect all = {0, 0, picture.width, picture.height};
    const int wanted = channels == 0 ? picture.channels : channels;
    if (codecs->jpeg != NULL && wanted == 4)
        return mxio_fail(err, MXIO_EDATA, "JPEG: expected 4 channels, got %d",
                         picture.channels);
    status = codecs->jpeg != NULL
                 ? mxio_jpeg_read(codecs->jpeg, wanted, bgr, all, view, err)
                 : mxio_png_read(codecs->png, wanted, bgr, all, view, err);
    if (status != MXIO_OK)
        return status;
    const size_t row = (size_t)picture.width * (size_t)wanted;
    const size_t size = row * (size_t)picture.height;
    uint8_t *taken = codecs->jpeg != NULL ? mxio_jpeg_take(codecs->jpeg, view) : NULL;
    if (taken != NULL)
        return mxio_block_adopt(out, taken, size, err);
    status = mxio_block_new(out, size, err);
    for (int y = 0; y < picture.height && status == MXIO_OK; y++)
        memcpy((*out)->bytes + (size_t)y * row, view->bytes + (size_t)y * view->stride,
               row);
    return status;
}

static PyObject *
decode(PyObject *module, PyObject *args)
{
    const struct py_state *state = PyModule_GetState(module);
    struct mxio_error err = MXIO_NO_ERROR;
    struct codecs codecs = {NULL, NULL};
    struct mxio_block *block = NULL;
    struct mxio_view view = {.bytes = NULL};
    Py_buffer data;
    long long max_pixels;
    int channels, bgr, orient;
    enum mxio_status status;

    if (!PyArg_ParseTuple(args, "y*ippL:decode", &data, &channels, &bgr, &orient,
                          &max_pixels))
        return NULL;
    if (format_of(&data) == FORMAT_UNKNOWN ||
        (channels != 0 && channels != 1 && channels != 3 && channels != 4)) {
        const bool unknown = format_of(&data) == FORMAT_UNKNOWN;
        PyBuffer_Release(&data);
        if (unknown)
            Py_RETURN_NONE;
        return PyErr_Format(PyExc_ValueError, "channels must be 0, 1, 3 or 4, got %d",
                            channels);
    }
    Py_BEGIN_ALLOW_THREADS status =
        decode_picture(&codecs, &data, channels, bgr != 0, orient != 0, max_pixels,
                       &view, &block, &err);
    mxio_jpeg_free(codecs.jpeg);
    mxio_png_free(codecs.png);
    Py_END_ALLOW_THREADS PyBuffer_Release(&data);
    if (status != MXIO_OK)
        return py_raise(state, &err, NULL, NULL);
    return Py_BuildValue("Niii", py_block_wrap(state, block), view.height, view.width,
                         view.channels);
}

static PyObject *
probe(PyObject *module, PyObject *argument)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct codecs codecs = {NULL, NULL};
    struct mxio_picture picture;
    Py_buffer data;
    enum mxio_status status;

    if (PyObject_GetBuffer(argument, &data, PyBUF_SIMPLE) < 0)
        return NULL;
    const enum format format = format_of(&data);
    if (format == FORMAT_UNKNOWN) {
        PyBuffer_Release(&data);
        Py_RETURN_NONE;
    }
    Py_BEGIN_ALLOW_THREADS status =
        open_picture(&codecs, &data, false, INT64_MAX, &picture, &err);
    mxio_jpeg_free(codecs.jpeg);
    mxio_png_free(codecs.png);
    Py_END_ALLOW_THREADS PyBuffer_Release(&data);
    if (status != MXIO_OK)
        return py_raise(PyModule_GetState(module), &err, NULL, NULL);
    return Py_BuildValue("siiii", format == FORMAT_JPEG ? "jpeg" : "png",
                         picture.height, picture.width, picture.channels, picture.bits);
}

struct pixels {
    Py_buffer view;
    int height, width, channels;
};

/* Check sides and channels, then borrow the buffer; 0, or -1 with an exception. */
static int
borrow_pixels(PyObject *object, struct pixels *out, bool alpha)
{
    const bool right =
        out->channels == 1 || out->channels == 3 || (alpha && out->channels == 4);

    if (!right || out->height < 1 || out->width < 1) {
        PyErr_Format(
            PyExc_ValueError,
            "pixels must be (height, width, channels) with 1%s channels, got (%d, %d, %d)",
            alpha ? ", 3 or 4" : " or 3", out->height, out->width, out->channels);
        return -1;
    }
    const size_t size =
        (size_t)out->height * (size_t)out->width * (size_t)out->channels;
    return py_buffer_of_size(object, &out->view, size, "pixels");
}

static PyObject *
encode(PyObject *module, PyObject *args, bool jpeg)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct pixels pixels;
    PyObject *object;
    uint8_t *encoded = NULL;
    size_t size = 0;
    int bgr, knob;
    enum mxio_status status;

    if (!PyArg_ParseTuple(args, "Oiiiip:encode", &object, &pixels.height, &pixels.width,
                          &pixels.channels, &knob, &bgr))
        return NULL;
    if (jpeg ? knob < 1 || knob > 100 : knob < 0 || knob > 9)
        return PyErr_Format(PyExc_ValueError, "%s, got %d",
                            jpeg ? "quality must be in [1, 100]"
                                 : "level must be in [0, 9]",
                            knob);
    if (borrow_pixels(object, &pixels, !jpeg) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS status =
        jpeg ? mxio_jpeg_encode(pixels.view.buf, pixels.width, pixels.height,
                                pixels.channels, bgr != 0, knob, &encoded, &size, &err)
             : mxio_png_encode(pixels.view.buf, pixels.width, pixels.height,
                               pixels.channels, bgr != 0, knob, &encoded, &size, &err);
    Py_END_ALLOW_THREADS PyBuffer_Release(&pixels.view);
    if (status != MXIO_OK)
        return py_raise(PyModule_GetState(module), &err, NULL, NULL);
    PyObject *out = PyBytes_FromStringAndSize((const char *)encoded, (Py_ssize_t)size);
    mxio_free(encoded);
    return out;
}

static PyObject *
encode_jpeg(PyObject *module, PyObject *args)
{
    return encode(module, args, true);
}

static PyObject *
encode_png(PyObject *module, PyObject *args)
{
    return encode(module, args, false);
}

static enum mxio_status
resize_pixels(const struct pixels *pixels, struct mxio_size to, struct mxio_block **out,
              struct mxio_error *err)
{
    const size_t row = (size_t)pixels->width * (size_t)pixels->channels;
    const size_t out_row = (size_t)to.width * (size_t)pixels->channels;
    const struct mxio_rect window = {0, 0, to.width, to.height};
    struct mxio_resizer resizer = {.kernels = NULL};
    struct mxio_buffer copy = {
        .bytes = NULL}; /* the kernels may look past the end of a row */

    enum mxio_status status =
        mxio_buffer_need(&copy, row * (size_t)pixels->height + MXIO_SLACK, err);
    if (status == MXIO_OK)
        status = mxio_block_new(out, out_row * (size_t)to.height, err);
    if (status == MXIO_OK) {
        const struct mxio_view view = {.bytes = memcpy(copy.bytes, pixels->view.buf,
                                                       row * (size_t)pixels->height),
                                       .stride = row,
                                       .width = pixels->width,
                                       .height = pixels->height,
                                       .channels = pixels->channels,
                                       .held = {0, 0, pixels->width, pixels->height}};
        status = mxio_resizer_start(&resizer, &view, to, MXIO_INTER_LINEAR, window,
                                    false, err);
        for (int y = 0; y < to.height && status == MXIO_OK; y++)
            memcpy((*out)->bytes + (size_t)y * out_row, mxio_resizer_row(&resizer, y),
                   out_row);
    }
    mxio_resizer_free(&resizer);
    mxio_buffer_free(&copy);
    return status;
}

static PyObject *
resize(PyObject *module, PyObject *args)
{
    const struct py_state *state = PyModule_GetState(module);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_block *block = NULL;
    struct mxio_size to;
    struct pixels pixels;
    PyObject *object;
    enum mxio_status status;

    if (!PyArg_ParseTuple(args, "Oiiiii:resize", &object, &pixels.height, &pixels.width,
                          &pixels.channels, &to.height, &to.width))
        return NULL;
    if (to.height < 1 || to.width < 1)
        return PyErr_Format(PyExc_ValueError,
                            "the new size must be at least 1 x 1, got %d x %d",
                            to.height, to.width);
    if (borrow_pixels(object, &pixels, true) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS status = resize_pixels(&pixels, to, &block, &err);
    Py_END_ALLOW_THREADS PyBuffer_Release(&pixels.view);
    if (status == MXIO_OK)
        return py_block_wrap(state, block);
    mxio_block_release(block);
    return py_raise(state, &err, NULL, NULL);
}

static PyObject *
steps_as_list(const struct mxio_plan *plan)
{
    static const char *const kinds[] = {[MXIO_STEP_RESIZE] = "resize",
                                        [MXIO_STEP_WARP] = "warp",
                                        [MXIO_STEP_PAD] = "pad",
                                        [MXIO_STEP_CROP] = "crop",
                                        [MXIO_STEP_BLUR] = "blur"};
    PyObject *steps = PyList_New(0);

    for (int i = 0; steps != NULL && i < plan->step_count; i++) {
        const struct mxio_step *step = &plan->steps[i];
        PyObject *entry =
            Py_BuildValue("(siiiii)", kinds[step->kind], step->to.x, step->to.y,
                          step->to.width, step->to.height,
                          step->kind == MXIO_STEP_BLUR ? step->radius
                                                       : (int)step->inter);
        if (entry == NULL || PyList_Append(steps, entry) < 0)
            Py_CLEAR(steps);
        Py_XDECREF(entry);
    }
    return steps;
}

static PyObject *
plan_as_dict(const struct mxio_plan *plan)
{
    const struct mxio_color_plan *color = &plan->color;
    const float *m = plan->matrix, *alpha = color->alpha, *noise = color->noise_shift;
    const int *hls = color->hls_shift;
    PyObject *steps = steps_as_list(plan);

    if (steps == NULL)
        return NULL;
    return Py_BuildValue("{sNsNs(ffffff)s(iii)s(fff)s(iii)s(fff)s(ff)sNsNs(dd)}",
                         "steps", steps, "mirror", PyBool_FromLong(plan->mirror),
                         "matrix", m[0], m[1], m[2], m[3], m[4], m[5], "order",
                         (int)color->order[0], (int)color->order[1],
                         (int)color->order[2], "alpha", alpha[0], alpha[1], alpha[2],
                         "hls", hls[0], hls[1], hls[2], "noise", noise[0], noise[1],
                         noise[2], "tone", plan->tone.contrast, plan->tone.illumination,
                         "turned", PyBool_FromLong(color->turn), "gray",
                         PyBool_FromLong(color->gray), "turn", color->hue_turn,
                         color->saturation_gain);
}

static PyObject *
draw_plans(PyObject *module, PyObject *args)
{
    const struct py_state *state = PyModule_GetState(module);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params;
    struct mxio_size size;
    PyObject *options;
    unsigned long long epoch, first, count;

    if (!PyArg_ParseTuple(args, "OKKKii:draw_plans", &options, &epoch, &first, &count,
                          &size.width, &size.height) ||
        py_params_fill(state, &params, options) < 0)
        return NULL;
    PyObject *out = PyList_New(0);
    const int64_t seed = params.seed_aug != MXIO_NONE ? params.seed_aug : params.seed;
    for (unsigned long long i = 0; out != NULL && i < count; i++) {
        struct mxio_plan plan;
        if (mxio_plan_draw(&params, mxio_rng_make(seed, epoch, first + i), size, &plan,
                           &err) != MXIO_OK) {
            py_raise(state, &err, NULL, NULL);
            Py_CLEAR(out);
            break;
        }
        PyObject *entry = plan_as_dict(&plan);
        if (entry == NULL || PyList_Append(out, entry) < 0)
            Py_CLEAR(out);
        Py_XDECREF(entry);
    }
    mxio_params_free(&params);
    return out;
}

static PyObject *
transcode_jpeg(PyObject *module, PyObject *args)
{
    struct mxio_error err = MXIO_NO_ERROR;
    Py_buffer data;
    uint8_t *bytes = NULL;
    size_t size = 0;
    int restart;
    long long max_pixels;
    enum mxio_status status;

    if (!PyArg_ParseTuple(args, "y*iL:transcode_jpeg", &data, &restart, &max_pixels))
        return NULL;
    if (restart < 0 || restart > MXIO_JPEG_MAX_RESTART) {
        PyBuffer_Release(&data);
        return PyErr_Format(PyExc_ValueError, "restart must be in [0, %d], got %d",
                            MXIO_JPEG_MAX_RESTART, restart);
    }
    Py_BEGIN_ALLOW_THREADS status =
        mxio_jpeg_transcode(data.buf, (size_t)data.len, (unsigned)restart, max_pixels,
                            &bytes, &size, &err);
    Py_END_ALLOW_THREADS PyBuffer_Release(&data);
    if (status == MXIO_EFOREIGN)
        return PyUnicode_FromString(err.message);
    if (status != MXIO_OK)
        return py_raise(PyModule_GetState(module), &err, NULL, NULL);
    PyObject *out = PyBytes_FromStringAndSize((const char *)bytes, (Py_ssize_t)size);
    mxio_free(bytes);
    return out;
}

PyMethodDef py_picture_methods[] = {
    {"decode", decode, METH_VARARGS, "Pixels of a JPEG or PNG."},
    {"probe", probe, METH_O, "What the header of a JPEG or PNG says."},
    {"encode_jpeg", encode_jpeg, METH_VARARGS, "A baseline JPEG of pixels."},
    {"encode_png", encode_png, METH_VARARGS, "A PNG of pixels."},
    {"transcode_jpeg", transcode_jpeg, METH_VARARGS, "A JPEG for fast reading."},
    {"resize", resize, METH_VARARGS, "Bilinear resize of pixels."},
    {"draw_plans", draw_plans, METH_VARARGS, "The plans that records would get."},
    {NULL, NULL, 0, NULL},
};
