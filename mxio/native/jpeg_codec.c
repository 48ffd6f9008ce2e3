#include "jpeg_codec.h"

#include <jerror.h> /* after jpeglib.h: its settings decide the numbers of the messages */

/* A progressive file may repeat scans without end; real ones have about ten. */
#define MAX_SCANS 500

static void
on_error(j_common_ptr codec)
{
    struct mxio_jpeg_fence *fence = (struct mxio_jpeg_fence *)codec->err;
    char reason[JMSG_LENGTH_MAX];

    codec->err->format_message(codec, reason);
    const bool no_memory = codec->err->msg_code == JERR_OUT_OF_MEMORY;
    mxio_fail(fence->err, no_memory ? MXIO_ENOMEM : MXIO_EDATA, "JPEG: %s", reason);
    longjmp(fence->back, 1);
}

/* libjpeg calls damage a warning and goes on with gray; a loader must not. */
static void
on_message(j_common_ptr codec, int level)
{
    if (level >= 0)
        return;
    switch (codec->err->msg_code) {
    case JWRN_HIT_MARKER:
    case JWRN_JPEG_EOF:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_NOT_SEQUENTIAL:
    case JWRN_TOO_MUCH_DATA:
    case JWRN_BOGUS_PROGRESSION:
        on_error(codec);
        return;
    default: /* stray bytes between segments, a newer JFIF version */
        return;
    }
}

static void
ignore_output(j_common_ptr codec)
{
    (void)codec;
}

static void
on_progress(j_common_ptr codec)
{
    struct jpeg_decompress_struct *decompress = (struct jpeg_decompress_struct *)codec;
    struct mxio_jpeg_fence *fence = (struct mxio_jpeg_fence *)codec->err;

    if (decompress->input_scan_number <= MAX_SCANS)
        return;
    mxio_fail(fence->err, MXIO_EDATA, "JPEG: more than %d scans", MAX_SCANS);
    longjmp(fence->back, 1);
}

void
mxio_jpeg_fence_init(struct mxio_jpeg_fence *fence)
{
    jpeg_std_error(&fence->manager);
    fence->manager.error_exit = on_error;
    fence->manager.emit_message = on_message;
    fence->manager.output_message = ignore_output;
    fence->progress.progress_monitor = on_progress;
}

void
mxio_jpeg_begin(struct jpeg_decompress_struct *codec, struct mxio_jpeg_fence *fence,
                const uint8_t *bytes, size_t size)
{
    /* Made anew: the tables of the last picture must not serve one that lacks its own.
     */
    jpeg_destroy_decompress(codec);
    codec->err = &fence->manager;
    jpeg_create_decompress(codec);
    codec->progress = &fence->progress;
    jpeg_mem_src(codec, bytes, size);
}

/* ---- sink ---- */

static void
sink_start(j_compress_ptr codec)
{
    struct mxio_jpeg_sink *to = (struct mxio_jpeg_sink *)codec->dest;

    to->manager.next_output_byte = to->bytes;
    to->manager.free_in_buffer = to->size;
}

static boolean
sink_grow(j_compress_ptr codec)
{
    struct mxio_jpeg_sink *to = (struct mxio_jpeg_sink *)codec->dest;
    uint8_t *bytes = mxio_realloc(to->bytes, to->size * 2);

    if (bytes == NULL)
        ERREXIT1(codec, JERR_OUT_OF_MEMORY, 0);
    to->bytes = bytes;
    to->manager.next_output_byte = bytes + to->size;
    to->manager.free_in_buffer = to->size;
    to->size *= 2;
    return TRUE;
}

static void
sink_end(j_compress_ptr codec)
{
    (void)codec;
}

enum mxio_status
mxio_jpeg_sink_init(struct mxio_jpeg_sink *sink, size_t size, struct mxio_error *err)
{
    *sink = (struct mxio_jpeg_sink){.manager = {.init_destination = sink_start,
                                                .empty_output_buffer = sink_grow,
                                                .term_destination = sink_end},
                                    .bytes = mxio_alloc(size),
                                    .size = size};
    return sink->bytes != NULL
               ? MXIO_OK
               : mxio_fail(err, MXIO_ENOMEM, "no memory to encode a JPEG");
}

size_t
mxio_jpeg_sink_used(const struct mxio_jpeg_sink *sink)
{
    return sink->size - sink->manager.free_in_buffer;
}
