#include "jpeg.h"
#include "jpeg_codec.h"

#define FIRST_SIZE 65536

enum mxio_status
mxio_jpeg_compress(const struct mxio_jpeg_recipe *recipe, const uint8_t *pixels,
                   uint8_t **out, size_t *out_size, struct mxio_error *err)
{
    struct jpeg_compress_struct codec;
    struct mxio_jpeg_fence fence = {.err = err};
    struct mxio_jpeg_sink sink;

    const enum mxio_status status = mxio_jpeg_sink_init(&sink, FIRST_SIZE, err);
    if (status != MXIO_OK)
        return status;
    mxio_jpeg_fence_init(&fence);
    codec.err = &fence.manager;
    if (setjmp(fence.back)) {
        jpeg_destroy_compress(&codec);
        mxio_free(sink.bytes);
        return err->status;
    }
    jpeg_create_compress(&codec);
    codec.dest = &sink.manager;
    codec.image_width = (JDIMENSION)recipe->width;
    codec.image_height = (JDIMENSION)recipe->height;
    codec.input_components = recipe->channels;
    codec.in_color_space = recipe->channels == 1 ? JCS_GRAYSCALE
                           : recipe->bgr         ? JCS_EXT_BGR
                                                 : JCS_EXT_RGB;
    jpeg_set_defaults(&codec);
    jpeg_set_quality(&codec, recipe->quality, TRUE);
    codec.restart_interval = recipe->restart_interval;
    jpeg_start_compress(&codec, TRUE);
    const size_t stride = (size_t)recipe->width * (size_t)recipe->channels;
    while (codec.next_scanline < codec.image_height) {
        JSAMPROW row = (JSAMPROW)(pixels + (size_t)codec.next_scanline * stride);
        jpeg_write_scanlines(&codec, &row, 1);
    }
    jpeg_finish_compress(&codec);
    *out_size = mxio_jpeg_sink_used(&sink);
    *out = sink.bytes;
    jpeg_destroy_compress(&codec);
    return MXIO_OK;
}

enum mxio_status
mxio_jpeg_encode(const uint8_t *pixels, int width, int height, int channels, bool bgr,
                 int quality, uint8_t **out, size_t *out_size, struct mxio_error *err)
{
    const struct mxio_jpeg_recipe recipe = {.width = width,
                                            .height = height,
                                            .channels = channels,
                                            .bgr = bgr,
                                            .quality = quality};

    if (width < 1 || height < 1 || width > JPEG_MAX_DIMENSION ||
        height > JPEG_MAX_DIMENSION)
        return mxio_fail(err, MXIO_EPARAM,
                         "JPEG holds 1 to %ld pixels a side, got %d x %d",
                         JPEG_MAX_DIMENSION, width, height);
    return mxio_jpeg_compress(&recipe, pixels, out, out_size, err);
}
