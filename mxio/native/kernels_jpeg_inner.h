/* Numbers that all levels of kernels_jpeg.h share. */
#ifndef MXIO_KERNELS_JPEG_INNER_H
#define MXIO_KERNELS_JPEG_INNER_H

#include <stdbool.h>

/* What is too large for the 16 bits between the two passes of the transform wraps in
 * libjpeg-turbo's NEON code; its code for x86 clamps it. */
#if defined __AARCH64EL__
enum { DCT_WRAPS = true };
#else
enum { DCT_WRAPS = false };
#endif

enum {
    /* Factors of the transform are multiples of 2 ** -DCT_BITS; between its two passes
     * values have DCT_EXTRA bits behind the point, and 3 more come from its scale. */
    DCT_BITS = 13,
    DCT_EXTRA = 2,
    DCT_COLUMNS_SHIFT = DCT_BITS - DCT_EXTRA,
    DCT_ROWS_SHIFT = DCT_BITS + DCT_EXTRA + 3,

    /* Of inputs 2 and 6: a rotation. */
    DCT_2_TO_LOW = 10703,   /*  1.306562965 */
    DCT_CROSS_26 = 4433,    /*  0.541196100 */
    DCT_6_TO_HIGH = -10704, /* -1.306562965 */
    /* Of the sums 7 + 3 and 5 + 1. */
    DCT_73_TO_73 = -6436,  /* -0.785694958 */
    DCT_CROSS_SUMS = 9633, /*  1.175875602 */
    DCT_51_TO_51 = 6437,   /*  0.785694958 */
    /* Of the odd inputs themselves. */
    DCT_7_TO_7 = -4927,    /* -0.601344887 */
    DCT_CROSS_71 = -7373,  /* -0.899976223 */
    DCT_1_TO_1 = 4926,     /*  0.601344887 */
    DCT_5_TO_5 = -4176,    /* -0.509795579 */
    DCT_CROSS_53 = -20995, /* -2.562915447 */
    DCT_3_TO_3 = 4177,     /*  0.509795579 */

    /* JFIF's YCbCr, in 2 ** -16, what is above a whole number or the next one. */
    RED_OF_RED = 26345,     /*  1.402 - 1 */
    BLUE_OF_BLUE = -14942,  /*  1.772 - 2 */
    GREEN_OF_BLUE = -22554, /* -0.344136286 */
    GREEN_OF_RED = 18734,   /* -0.714136286 + 1 */
};

#endif
