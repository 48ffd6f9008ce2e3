/*
 * Magic numbers at any place: those found are those that a plain search finds, however
 * little room there is at a time.
 */
#include "fuzz.h"
#include "marks.h"
#include "recordio.h"

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    uint32_t state = fuzz_hash(bytes, size);
    uint32_t found[8];
    size_t from = 0, place = 0;

    for (;;) {
        const size_t room = 1 + (size_t)fuzz_below(&state, 8);
        const size_t count = mxio_marks_find(bytes, size, from, found, room);
        MUST(count <= room);
        for (size_t i = 0; i < count; i++, place++) {
            while (place < found[i])
                MUST(mxio_load_u32(bytes + place++) != MXIO_RECORD_MAGIC);
            MUST(mxio_load_u32(bytes + place) == MXIO_RECORD_MAGIC);
        }
        if (count < room)
            break;
        from = place;
    }
    for (; place + 4 <= size; place++)
        MUST(mxio_load_u32(bytes + place) != MXIO_RECORD_MAGIC);
    return 0;
}
