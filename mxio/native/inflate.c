#include "inflate.h"

#include <limits.h>

#if defined MXIO_LIBDEFLATE
#include <libdeflate.h>
#else
#include <zlib.h>
#endif

#define MAX_WINDOW 32768

/* Can no distance be larger than the window that the header promises? */
static bool
window_suffices(const uint8_t *in, size_t in_size, size_t out_size)
{
    if (in_size < 2)
        return false;
    const size_t window = (size_t)1 << ((in[0] >> 4) + 8);

    return window == MAX_WINDOW || window >= out_size;
}

#if defined MXIO_LIBDEFLATE

struct mxio_inflater {
    struct libdeflate_decompressor *codec;
};

enum mxio_status
mxio_inflater_new(struct mxio_inflater **out, struct mxio_error *err)
{
    struct mxio_inflater *inflater = mxio_alloc(sizeof *inflater);

    if (inflater != NULL)
        inflater->codec = libdeflate_alloc_decompressor();
    if (inflater == NULL || inflater->codec == NULL) {
        mxio_free(inflater);
        return mxio_fail(err, MXIO_ENOMEM, "no memory to inflate");
    }
    *out = inflater;
    return MXIO_OK;
}

void
mxio_inflater_free(struct mxio_inflater *inflater)
{
    if (inflater == NULL)
        return;
    libdeflate_free_decompressor(inflater->codec);
    mxio_free(inflater);
}

bool
mxio_inflate(struct mxio_inflater *inflater, const uint8_t *in, size_t in_size,
             uint8_t *out, size_t out_size)
{
    size_t used = 0;

    return window_suffices(in, in_size, out_size) &&
           libdeflate_zlib_decompress_ex(inflater->codec, in, in_size, out, out_size,
                                         &used, NULL) == LIBDEFLATE_SUCCESS &&
           used == in_size;
}

uint32_t
mxio_crc32(const uint8_t *bytes, size_t size)
{
    return libdeflate_crc32(0, bytes, size);
}

const char *
mxio_inflate_version(void)
{
    return "libdeflate " LIBDEFLATE_VERSION_STRING;
}

#else

struct mxio_inflater {
    z_stream codec;
};

enum mxio_status
mxio_inflater_new(struct mxio_inflater **out, struct mxio_error *err)
{
    struct mxio_inflater *inflater = mxio_alloc(sizeof *inflater);

    if (inflater == NULL || inflateInit(&inflater->codec) != Z_OK) {
        mxio_free(inflater);
        return mxio_fail(err, MXIO_ENOMEM, "no memory to inflate");
    }
    *out = inflater;
    return MXIO_OK;
}

void
mxio_inflater_free(struct mxio_inflater *inflater)
{
    if (inflater == NULL)
        return;
    inflateEnd(&inflater->codec);
    mxio_free(inflater);
}

bool
mxio_inflate(struct mxio_inflater *inflater, const uint8_t *in, size_t in_size,
             uint8_t *out, size_t out_size)
{
    z_stream *codec = &inflater->codec;

    if (in_size > UINT_MAX || out_size > UINT_MAX ||
        !window_suffices(in, in_size, out_size) || inflateReset(codec) != Z_OK)
        return false;
    codec->next_in = (Bytef *)in;
    codec->avail_in = (uInt)in_size;
    codec->next_out = out;
    codec->avail_out = (uInt)out_size;
    return inflate(codec, Z_FINISH) == Z_STREAM_END && codec->avail_in == 0 &&
           codec->avail_out == 0;
}

uint32_t
mxio_crc32(const uint8_t *bytes, size_t size)
{
    return (uint32_t)crc32_z(0, bytes, size);
}

const char *
mxio_inflate_version(void)
{
    return "zlib " ZLIB_VERSION;
}

#endif
