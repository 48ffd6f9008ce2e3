#include "kernels_png.h"

#include <stdlib.h>

/* The one of left, above and corner that is nearest to left + above - corner. */
static uint8_t
paeth(int left, int above, int corner)
{
    const int by_left = abs(above - corner), by_above = abs(left - corner);
    const int by_corner = abs(left + above - 2 * corner);

    if (by_left <= by_above && by_left <= by_corner)
        return (uint8_t)left;
    return (uint8_t)(by_above <= by_corner ? above : corner);
}

static uint8_t
predicted(enum mxio_png_filter filter, uint8_t left, uint8_t above, uint8_t corner)
{
    switch (filter) {
    case MXIO_PNG_SUB:
        return left;
    case MXIO_PNG_UP:
        return above;
    case MXIO_PNG_AVERAGE:
        return (uint8_t)((left + above) / 2);
    case MXIO_PNG_PAETH:
        return paeth(left, above, corner);
    default:
        return 0;
    }
}

void
mxio_unfilter_row_scalar(uint8_t *row, const uint8_t *above, size_t size, size_t pixel,
                         enum mxio_png_filter filter)
{
    for (size_t i = 0; i < size; i++) {
        const uint8_t left = i < pixel ? 0 : row[i - pixel];
        const uint8_t corner = i < pixel ? 0 : above[i - pixel];
        row[i] = (uint8_t)(row[i] + predicted(filter, left, above[i], corner));
    }
}
