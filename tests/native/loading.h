/*
 * Small data sets for the tests of samples, tickets and loaders: records that are good,
 * bad or foreign, and parameters to load them with.
 */
#ifndef MXIO_TEST_LOADING_H
#define MXIO_TEST_LOADING_H

#include <stdbool.h>

#include "jpegs.h"
#include "params.h"

enum fate { GOOD, CUT_OFF, FOREIGN, NO_PICTURE };

/* A picture of its own for every number. */
static inline struct bytes
picture_of(uint64_t number, int width, int height)
{
    const struct recipe recipe = {.width = width,
                                  .height = height,
                                  .stored = JCS_YCbCr,
                                  .across = 2,
                                  .down = 2,
                                  .seed = (uint32_t)number};

    return make_jpeg(&recipe);
}

/* Id and label of record i: easy to tell, and not i itself. */
static inline uint64_t
id_of(uint64_t i)
{
    return 1000 + 7 * i;
}

static inline float
label_of(uint64_t i)
{
    return (float)i / 4;
}

static inline void
add_record(struct bytes *file, uint64_t i, enum fate fate, int width, int height)
{
    struct bytes picture = picture_of(i, width, height);

    switch (fate) {
    case GOOD:
        bytes_image(file, label_of(i), id_of(i), picture.at, picture.size);
        break;
    case CUT_OFF:
        bytes_image(file, label_of(i), id_of(i), picture.at, picture.size / 2);
        break;
    case FOREIGN: /* the start of a BMP, and its number */
        bytes_image(file, label_of(i), id_of(i), (const char[]){'B', 'M', (char)i}, 3);
        break;
    case NO_PICTURE:
        bytes_image(file, label_of(i), id_of(i), "", 0);
        break;
    }
    free(picture.at);
}

/* Records 0 to count - 1 of 12 x 10 pixels; fates[i], all GOOD without. */
static inline struct bytes
records_with(uint64_t count, const enum fate *fates)
{
    struct bytes file = {.at = NULL};

    for (uint64_t i = 0; i < count; i++)
        add_record(&file, i, fates != NULL ? fates[i] : GOOD, 12, 10);
    return file;
}

/* Parameters for samples of 3 x 8 x 8 bytes; for tests that let memory fail. */
static inline enum mxio_status
try_params_for_loading(struct mxio_params *out, int64_t batch_size,
                       struct mxio_error *err)
{
    const enum mxio_status status = mxio_params_init(out, err);

    if (status != MXIO_OK)
        return status;
    out->data_shape = (struct mxio_shape){3, 8, 8};
    out->batch_size = batch_size;
    out->dtype = MXIO_UINT8;
    out->layout = MXIO_NHWC;
    return MXIO_OK;
}

static inline struct mxio_params
params_for_loading(int64_t batch_size)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_params params;

    MUST(try_params_for_loading(&params, batch_size, &err) == MXIO_OK, "parameters");
    return params;
}

#endif
