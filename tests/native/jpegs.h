/*
 * JPEGs made and decoded by libjpeg itself: what the core is compared with.
 */
#ifndef MXIO_TEST_JPEGS_H
#define MXIO_TEST_JPEGS_H

#include "records.h"

#include <stdbool.h>

#include <jpeglib.h>

struct recipe {
    int width, height;
    J_COLOR_SPACE stored;    /* JCS_YCbCr, JCS_GRAYSCALE, JCS_RGB, JCS_CMYK, JCS_YCCK */
    int across, down;        /* luma samples for one of chroma; 0: 1 */
    const int (*factors)[2]; /* or so many samples of each component, across and down */
    bool progressive, optimised, arithmetic;
    int restart;             /* MCUs between restart markers, 0: none */
    int quality;             /* 0: 90 */
    const struct bytes *app; /* body of an APP1 segment */
    uint32_t seed;
};

/* A texture with slopes, edges and noise; `channels` bytes a pixel. */
static inline uint8_t *
texture(int width, int height, int channels, uint32_t seed)
{
    uint8_t *pixels = malloc((size_t)width * (size_t)height * (size_t)channels + 1);
    uint32_t state = seed * 2654435761U + 1;
    size_t at = 0;

    MUST(pixels != NULL, "malloc");
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++) {
                const int slope = (c + 1) * x + (4 - c) * y;
                const int edge = ((x / 5 + y / 7 + c) % 3) * 60;
                pixels[at++] = (uint8_t)(slope + edge + any_below(&state, 40));
            }
    return pixels;
}

static inline void
choose_sampling(struct jpeg_compress_struct *codec, const struct recipe *recipe)
{
    const bool luma_and_chroma =
        recipe->stored == JCS_YCbCr || recipe->stored == JCS_YCCK;

    for (int i = 0; i < codec->num_components; i++) {
        const bool luma = luma_and_chroma && (i == 0 || i == 3);
        codec->comp_info[i].h_samp_factor = luma && recipe->across ? recipe->across : 1;
        codec->comp_info[i].v_samp_factor = luma && recipe->down ? recipe->down : 1;
        if (recipe->factors != NULL) {
            codec->comp_info[i].h_samp_factor = recipe->factors[i][0];
            codec->comp_info[i].v_samp_factor = recipe->factors[i][1];
        }
    }
}

/* Scans in the caller's order instead of libjpeg's own. */
static inline struct bytes
make_jpeg_in_scans(const struct recipe *recipe, const jpeg_scan_info *scans,
                   int scan_count)
{
    const bool gray = recipe->stored == JCS_GRAYSCALE;
    const bool four = recipe->stored == JCS_CMYK || recipe->stored == JCS_YCCK;
    const int channels = gray ? 1 : four ? 4 : 3;
    uint8_t *pixels = texture(recipe->width, recipe->height, channels, recipe->seed);
    struct jpeg_compress_struct codec;
    struct jpeg_error_mgr manager;
    struct bytes out = {.at = NULL};
    unsigned long size = 0;

    codec.err = jpeg_std_error(&manager);
    jpeg_create_compress(&codec);
    jpeg_mem_dest(&codec, &out.at, &size);
    codec.image_width = (JDIMENSION)recipe->width;
    codec.image_height = (JDIMENSION)recipe->height;
    codec.input_components = channels;
    codec.in_color_space = gray ? JCS_GRAYSCALE : four ? JCS_CMYK : JCS_RGB;
    jpeg_set_defaults(&codec);
    jpeg_set_colorspace(&codec, recipe->stored);
    choose_sampling(&codec, recipe);
    jpeg_set_quality(&codec, recipe->quality ? recipe->quality : 90, TRUE);
    codec.optimize_coding = recipe->optimised;
    codec.arith_code = recipe->arithmetic;
    codec.restart_interval = (unsigned)recipe->restart;
    if (recipe->progressive)
        jpeg_simple_progression(&codec);
    if (scans != NULL) {
        codec.scan_info = scans;
        codec.num_scans = scan_count;
    }
    jpeg_start_compress(&codec, TRUE);
    if (recipe->app != NULL)
        jpeg_write_marker(&codec, JPEG_APP0 + 1, recipe->app->at,
                          (unsigned)recipe->app->size);
    while (codec.next_scanline < codec.image_height) {
        JSAMPROW row =
            pixels + (size_t)codec.next_scanline * (size_t)(recipe->width * channels);
        jpeg_write_scanlines(&codec, &row, 1);
    }
    jpeg_finish_compress(&codec);
    jpeg_destroy_compress(&codec);
    free(pixels);
    out.size = out.room = size;
    return out;
}

static inline struct bytes
make_jpeg(const struct recipe *recipe)
{
    return make_jpeg_in_scans(recipe, NULL, 0);
}

struct decoded {
    uint8_t *pixels; /* freed with free */
    int width, height, channels;
};

static inline void
stay_silent(j_common_ptr codec)
{
    (void)codec;
}

/* The whole picture at 1/by of its size, by libjpeg alone; channels 4 gives CMYK as it is
 * stored. */
static inline struct decoded
decode_shrunk(const struct bytes *jpeg, int channels, unsigned by)
{
    struct jpeg_decompress_struct codec;
    struct jpeg_error_mgr manager;
    struct decoded out = {.channels = channels};

    codec.err = jpeg_std_error(&manager);
    manager.output_message = stay_silent;
    jpeg_create_decompress(&codec);
    jpeg_mem_src(&codec, jpeg->at, jpeg->size);
    jpeg_read_header(&codec, TRUE);
    codec.out_color_space = channels == 1   ? JCS_GRAYSCALE
                            : channels == 3 ? JCS_RGB
                                            : JCS_CMYK;
    codec.scale_denom = by;
    jpeg_start_decompress(&codec);
    out.width = (int)codec.output_width;
    out.height = (int)codec.output_height;
    const size_t stride = (size_t)(out.width * channels);
    out.pixels = calloc(stride, (size_t)out.height);
    MUST(out.pixels != NULL, "calloc");
    while (codec.output_scanline < codec.output_height) {
        JSAMPROW row = out.pixels + codec.output_scanline * stride;
        jpeg_read_scanlines(&codec, &row, 1);
    }
    jpeg_finish_decompress(&codec);
    jpeg_destroy_decompress(&codec);
    return out;
}

static inline struct decoded
decode_fully(const struct bytes *jpeg, int channels)
{
    return decode_shrunk(jpeg, channels, 1);
}

/* The body of an APP1 segment with an EXIF orientation. */
static inline struct bytes
exif_orientation(int value, bool big_endian)
{
    static const uint8_t little[] = "Exif\0\0II\x2A\0\x08\0\0\0\x02\0"
                                    "\x0F\x01\x02\0\x04\0\0\0MXIO"
                                    "\x12\x01\x03\0\x01\0\0\0?\0\0\0\0\0\0";
    static const uint8_t big[] = "Exif\0\0MM\0\x2A\0\0\0\x08\0\x02"
                                 "\x01\x0F\0\x02\0\0\0\x04MXIO"
                                 "\x01\x12\0\x03\0\0\0\x01\0?\0\0\0\0\0";
    struct bytes out = {.at = NULL};

    bytes_add(&out, big_endian ? big : little, sizeof little);
    out.at[big_endian ? 37 : 36] = (uint8_t)value;
    return out;
}

#endif
