#include "check.h"
#include "records.h"

#include "jpeg_huffman.h"

static uint32_t
any_number(uint32_t *state)
{
    *state = *state * UINT32_C(1664525) + UINT32_C(1013904223);
    return *state >> 8;
}

/* ---- what the standard says (ITU T.81, annexes C and F), bit by bit ---- */

struct code {
    uint8_t counts[16], values[256];
    int size;            /* symbols */
    unsigned codes[256]; /* by place in values */
    unsigned lengths[256];
};

/* Codes of rising length and value, as C.2 generates them. */
static void
number_codes(struct code *code)
{
    unsigned next = 0;

    code->size = 0;
    for (unsigned length = 1; length <= 16; length++, next <<= 1)
        for (int i = 0; i < code->counts[length - 1]; i++) {
            code->codes[code->size] = next++;
            code->lengths[code->size++] = length;
        }
}

/* So many codes of each length, for the given symbols. */
static struct code
make_code(const uint8_t counts[16], const uint8_t *values)
{
    struct code code = {.size = 0};

    memcpy(code.counts, counts, 16);
    number_codes(&code);
    memcpy(code.values, values, (size_t)code.size);
    return code;
}

struct writer {
    struct bytes out;
    unsigned bits, count;
};

/* With 0xFF stuffed, as F.1.2.3 asks. */
static void
put(struct writer *to, unsigned value, unsigned length)
{
    for (unsigned i = length; i-- > 0;) {
        to->bits = to->bits << 1 | (value >> i & 1);
        if (++to->count % 8 != 0)
            continue;
        const uint8_t byte = (uint8_t)to->bits;
        bytes_add(&to->out, &byte, 1);
        if (byte == 0xFF)
            bytes_add(&to->out, "", 1);
    }
}

/* Fill the last byte, and put a marker behind it. */
static void
put_marker(struct writer *to, uint8_t marker)
{
    const uint8_t both[2] = {0xFF, marker};

    while (to->count % 8 != 0)
        put(to, 1, 1);
    bytes_add(&to->out, both, 2);
}

static void
put_symbol(struct writer *to, const struct code *code, unsigned symbol)
{
    for (int i = 0; i < code->size; i++)
        if (code->values[i] == symbol) {
            put(to, code->codes[i], code->lengths[i]);
            return;
        }
    MUST(false, "a symbol without a code");
}

static unsigned
bits_of(int value)
{
    unsigned size = 0;

    for (unsigned rest = (unsigned)abs(value); rest != 0; rest >>= 1)
        size++;
    return size;
}

static void
put_extra(struct writer *to, int value)
{
    const unsigned size = bits_of(value);

    put(to, (unsigned)(value < 0 ? value - 1 : value) & ((1U << size) - 1), size);
}

/* One block, coefficients in zigzag order, as F.1.2 does it. */
static void
put_block(struct writer *to, const struct code *dc, const struct code *ac,
          const int *zigzag, int predicted)
{
    unsigned run = 0;

    put_symbol(to, dc, bits_of(zigzag[0] - predicted));
    put_extra(to, zigzag[0] - predicted);
    for (int k = 1; k < 64; k++) {
        if (zigzag[k] == 0) {
            run++;
            continue;
        }
        for (; run > 15; run -= 16)
            put_symbol(to, ac, 0xF0);
        put_symbol(to, ac, run << 4 | bits_of(zigzag[k]));
        put_extra(to, zigzag[k]);
        run = 0;
    }
    if (run > 0)
        put_symbol(to, ac, 0);
}

/* Figure A.6, walked instead of copied. */
static void
natural_order(int out[64])
{
    int k = 0;

    for (int diagonal = 0; diagonal < 15; diagonal++)
        for (int i = 0; i <= diagonal; i++) {
            const int row = diagonal % 2 != 0 ? i : diagonal - i;
            if (row < 8 && diagonal - row < 8)
                out[k++] = row * 8 + diagonal - row;
        }
}

/* ---- scans of gray MCUs with tables of our choice ---- */

struct tables {
    struct mxio_huffman_table dc, ac;
};

static void
build(struct tables *out, const struct code *dc, const struct code *ac)
{
    MUST(mxio_huffman_build(&out->dc, dc->counts, dc->values, true), "build");
    MUST(mxio_huffman_build(&out->ac, ac->counts, ac->values, false), "build");
}

static struct mxio_huffman_layout
gray_layout(const struct tables *tables, uint32_t restart_interval)
{
    return (struct mxio_huffman_layout){.blocks[0] = {.dc = &tables->dc,
                                                      .ac = &tables->ac,
                                                      .wanted = true},
                                        .block_count = 1,
                                        .restart_interval = restart_interval};
}

static bool
read_gray(struct mxio_huffman_scan *scan, uint32_t mcu, int16_t block[64])
{
    int16_t(*const blocks[1])[64] = {(int16_t(*)[64])block};

    memset(block, 0, 64 * sizeof *block);
    return mxio_huffman_read(scan, mcu, blocks);
}

/* The block as it should come out of the decoder. */
static bool
is_block(const int16_t block[64], const int *zigzag, int at)
{
    int order[64];

    natural_order(order);
    for (int k = 0; k < 64; k++)
        if (block[order[k]] != (int16_t)zigzag[k])
            return check_failed(__FILE__, __LINE__,
                                "block %d, coefficient %d is %d, expected %d", at, k,
                                block[order[k]], zigzag[k]);
    return true;
}

/* DC sizes 0 to 11 by 4 bits. AC: 01 is 0, end 100, then longer and longer, and the
 * last ones of 16 bits. */
static struct code
dc_code(void)
{
    static const uint8_t counts[16] = {0, 0, 0, 12};
    static const uint8_t values[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

    return make_code(counts, values);
}

static struct code
ac_code(void)
{
    static const uint8_t counts[16] = {0, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3};
    static const uint8_t values[18] = {0x01, 0x00, 0x02, 0x11, 0xF0, 0x03,
                                       0xF1, 0x04, 0x2A, 0x05, 0x06, 0x0F,
                                       0x07, 0x08, 0xE1, 0x09, 0x0A, 0xFA};

    return make_code(counts, values);
}

static const unsigned ac_symbols[] = {0x01, 0x02, 0x11, 0x03, 0xF1, 0x04, 0x2A, 0x05,
                                      0x06, 0x0F, 0x07, 0x08, 0xE1, 0x09, 0x0A, 0xFA};

/* A block of symbols that the code has. Few lead far, so that many coefficients come. */
static void
any_block(uint32_t *state, int *zigzag)
{
    const int few = any_number(state) % 3 == 0;

    memset(zigzag, 0, 64 * sizeof *zigzag);
    zigzag[0] = (int)(any_number(state) % 2047) - 1023;
    for (unsigned k = 1; few ? any_number(state) % 8 != 0 : k < 64;) {
        const unsigned kind = any_number(state) % 48;
        const unsigned symbol = ac_symbols[kind < 16 ? kind : kind % 2];
        k += symbol >> 4;
        if (k > 63)
            break;
        const unsigned low = 1U << ((symbol & 15) - 1);
        const int value = (int)(low + any_number(state) % low);
        zigzag[k++] = any_number(state) % 2 != 0 ? value : -value;
    }
}

#define BLOCKS 900

struct gray {
    struct code dc, ac;
    struct tables tables;
    int zigzag[BLOCKS][64];
    struct bytes bytes;
};

static struct gray *
make_gray(uint32_t seed, int restart_interval)
{
    struct gray *gray = calloc(1, sizeof *gray);
    struct writer writer = {.count = 0};
    int predicted = 0;

    MUST(gray != NULL, "calloc");
    gray->dc = dc_code();
    gray->ac = ac_code();
    build(&gray->tables, &gray->dc, &gray->ac);
    for (int i = 0; i < BLOCKS; i++) {
        if (restart_interval > 0 && i > 0 && i % restart_interval == 0) {
            put_marker(&writer, (uint8_t)(0xD0 + (i / restart_interval - 1) % 8));
            predicted = 0;
        }
        any_block(&seed, gray->zigzag[i]);
        put_block(&writer, &gray->dc, &gray->ac, gray->zigzag[i], predicted);
        predicted = gray->zigzag[i][0];
    }
    put_marker(&writer, 0xD9);
    gray->bytes = writer.out;
    return gray;
}

static void
free_gray(struct gray *gray)
{
    free(gray->bytes.at);
    free(gray);
}

static bool
reads_right(const struct gray *gray, int restart_interval, int first, int step)
{
    const struct mxio_huffman_layout layout =
        gray_layout(&gray->tables, (uint32_t)restart_interval);
    uint8_t *exact = exact_copy(gray->bytes.at, gray->bytes.size);
    struct mxio_huffman_scan scan;
    int16_t block[64];
    bool right = true;

    mxio_huffman_start(&scan, &layout, exact, gray->bytes.size);
    for (int i = first; i < BLOCKS && right; i += step)
        right = (read_gray(&scan, (uint32_t)i, block) ||
                 check_failed(__FILE__, __LINE__, "block %d is given up", i)) &&
                is_block(block, gray->zigzag[i], i);
    free(exact);
    return right;
}

TEST(blocks_come_out_as_they_were_coded)
{
    for (uint32_t seed = 1; seed <= 8; seed++) {
        struct gray *gray = make_gray(seed, 0);
        CHECK(gray->bytes.size > 2 * MXIO_HUFFMAN_CHUNK);
        CHECK(reads_right(gray, 0, 0, 1));
        free_gray(gray);
    }
}

TEST(blocks_behind_others_that_are_passed_over_come_out)
{
    struct gray *gray = make_gray(9, 0);

    CHECK(reads_right(gray, 0, 1, 2));
    CHECK(reads_right(gray, 0, 5, 97));
    CHECK(reads_right(gray, 0, BLOCKS - 1, 1));
    free_gray(gray);
}

TEST(blocks_behind_restart_markers_come_out)
{
    static const int intervals[] = {1, 2, 3, 4, 7, 8, 50, 900, 5000};

    for (size_t i = 0; i < sizeof intervals / sizeof intervals[0]; i++) {
        struct gray *gray = make_gray(20 + (uint32_t)i, intervals[i]);
        CHECK(reads_right(gray, intervals[i], 0, 1));
        CHECK(reads_right(gray, intervals[i], 3, 5));
        CHECK(reads_right(gray, intervals[i], 11, 76));
        CHECK(reads_right(gray, intervals[i], BLOCKS - 1, 1));
        free_gray(gray);
    }
}

/* Never a block that is not there: given up, or right. */
TEST(a_scan_cut_off_anywhere_is_given_up)
{
    struct gray *gray = make_gray(40, 0);
    const struct mxio_huffman_layout layout = gray_layout(&gray->tables, 0);

    for (size_t size = 0; size < gray->bytes.size; size += 1 + size / 61) {
        uint8_t *exact = exact_copy(gray->bytes.at, size);
        struct mxio_huffman_scan scan;
        int16_t block[64];
        int i = 0;
        mxio_huffman_start(&scan, &layout, exact, size);
        while (i < BLOCKS && read_gray(&scan, (uint32_t)i, block)) {
            CHECK(is_block(block, gray->zigzag[i], i));
            i++;
        }
        CHECK(i < BLOCKS);
        CHECK_INT(read_gray(&scan, (uint32_t)i, block), false);
        free(exact);
    }
    free_gray(gray);
}

/* What reading block after block gives, as far as it goes. */
static int
blocks_read(const struct gray *gray, const struct bytes *bytes, uint32_t interval)
{
    const struct mxio_huffman_layout layout = gray_layout(&gray->tables, interval);
    struct mxio_huffman_scan scan;
    int16_t block[64];
    int i = 0;

    mxio_huffman_start(&scan, &layout, bytes->at, bytes->size);
    while (i < BLOCKS && read_gray(&scan, (uint32_t)i, block) &&
           is_block(block, gray->zigzag[i], i))
        i++;
    return i;
}

static size_t
find_marker(const struct bytes *bytes, int nth)
{
    for (size_t at = 0; at + 1 < bytes->size; at++)
        if (bytes->at[at] == 0xFF && bytes->at[at + 1] != 0 && nth-- == 0)
            return at;
    MUST(false, "no such marker");
    return 0;
}

/* The bytes with others put in, or `left_out` of them gone. */
static struct bytes
spliced(const struct bytes *from, size_t at, const void *more, size_t size,
        size_t left_out)
{
    struct bytes out = {.at = NULL};

    bytes_add(&out, from->at, at);
    bytes_add(&out, more, size);
    bytes_add(&out, from->at + at + left_out, from->size - at - left_out);
    return out;
}

TEST(an_interval_that_does_not_end_where_it_should_is_given_up)
{
    static const struct {
        const char *put;
        size_t size, before, left_out;
    } cases[] = {{"\x55", 1, 0, 0},     /* a byte too many */
                 {"\xFF\0", 2, 0, 0},   /* or a stuffed one */
                 {"", 0, 0, 2},         /* the marker is missing */
                 {"\xFF", 1, 0, 0},     /* a fill byte: rare, and libjpeg knows it */
                 {"\xFF\xD5", 2, 0, 2}, /* another number */
                 {"\xFF\xD9", 2, 0, 2}, /* the end of the picture */
                 {"", 0, 1, 1}};        /* a byte too few */
    struct gray *gray = make_gray(50, 10);

    CHECK_INT(blocks_read(gray, &gray->bytes, 10), BLOCKS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const size_t at = find_marker(&gray->bytes, 1) - cases[i].before;
        struct bytes bad =
            spliced(&gray->bytes, at, cases[i].put, cases[i].size, cases[i].left_out);
        const int read = blocks_read(gray, &bad, 10);
        CHECK(read > 10 && read <= 20);
        free(bad.at);
    }
    free_gray(gray);
}

TEST(markers_out_of_order_are_noticed_from_afar)
{
    struct gray *gray = make_gray(51, 10);
    const struct mxio_huffman_layout layout = gray_layout(&gray->tables, 10);
    struct mxio_huffman_scan scan;
    int16_t block[64];
    gray->bytes.at[find_marker(&gray->bytes, 4) + 1] = 0xD0;

    mxio_huffman_start(&scan, &layout, gray->bytes.at, gray->bytes.size);
    CHECK(read_gray(&scan, 41, block));
    CHECK(is_block(block, gray->zigzag[41], 41));
    mxio_huffman_start(&scan, &layout, gray->bytes.at, gray->bytes.size);
    CHECK(!read_gray(&scan, 70, block));
    free_gray(gray);
}

TEST(bits_that_are_no_code_are_given_up)
{
    struct gray *gray = make_gray(52, 0);
    const struct mxio_huffman_layout layout = gray_layout(&gray->tables, 0);
    struct mxio_huffman_scan scan;
    int16_t block[64];

    /* DC 1111; DC 0, then sixteen ones; both in a block that is passed over */
    mxio_huffman_start(&scan, &layout, (const uint8_t *)"\xF0\0\0\0\xFF\xD9", 6);
    CHECK(!read_gray(&scan, 0, block));
    mxio_huffman_start(&scan, &layout, (const uint8_t *)"\x0F\xFF\0\xF8\0\xFF\xD9", 7);
    CHECK(!read_gray(&scan, 0, block));
    mxio_huffman_start(&scan, &layout, (const uint8_t *)"\x0F\xFF\0\xF8\0\xFF\xD9", 7);
    CHECK(!read_gray(&scan, 1, block));
    free_gray(gray);
}

/* ---- by hand ---- */

/* DC: 0 is size 0, 10 size 3. AC: 00 is (0,1), 01 (0,2), 100 EOB, 101 (15,0), 110 (2,1),
 * 1110 EOB2, which only progressive scans have. */
static void
build_small(struct tables *out)
{
    static const uint8_t dc_counts[16] = {1, 1}, dc_values[] = {0, 3};
    static const uint8_t ac_counts[16] = {0, 2, 3, 1};
    static const uint8_t ac_values[] = {0x01, 0x02, 0x00, 0xF0, 0x21, 0x20};
    const struct code dc = make_code(dc_counts, dc_values);
    const struct code ac = make_code(ac_counts, ac_values);

    build(out, &dc, &ac);
}

static bool
read_bits(const char *bits, uint32_t mcu, int16_t block[64])
{
    struct writer writer = {.count = 0};
    struct tables *tables = calloc(1, sizeof *tables);
    struct mxio_huffman_scan scan;

    MUST(tables != NULL, "calloc");
    build_small(tables);
    for (; *bits != '\0'; bits++)
        if (*bits != ' ')
            put(&writer, *bits == '1', 1);
    put_marker(&writer, 0xD9);
    const struct mxio_huffman_layout layout = gray_layout(tables, 0);
    mxio_huffman_start(&scan, &layout, writer.out.at, writer.out.size);
    const bool read = read_gray(&scan, mcu, block);
    free(writer.out.at);
    free(tables);
    return read;
}

TEST(values_and_runs_are_those_of_the_standard)
{
    int16_t block[64];
    /* DC 5; then 1, -1, 3, -2, two zeros and 1, end */
    CHECK(read_bits("10 101  00 1  00 0  01 11  01 01  110 1  100", 0, block));

    CHECK_INT(block[0], 5);
    CHECK_INT(block[1], 1);
    CHECK_INT(block[8], -1);
    CHECK_INT(block[16], 3);
    CHECK_INT(block[9], -2);
    CHECK_INT(block[2], 0);
    CHECK_INT(block[3], 0);
    CHECK_INT(block[10], 1);
}

TEST(differences_add_up)
{
    int16_t block[64];

    CHECK(read_bits("10 111 100  10 000 100  0 100  10 100 100", 0, block));
    CHECK_INT(block[0], 7);
    CHECK(read_bits("10 111 100  10 000 100  0 100  10 100 100", 2, block));
    CHECK_INT(block[0], 0);
    CHECK(read_bits("10 111 100  10 000 100  0 100  10 100 100", 3, block));
    CHECK_INT(block[0], 4);
}

TEST(a_full_block_has_no_end)
{
    int16_t block[64];
    char bits[1 + 63 * 3 + sizeof "10 110 100"];

    memset(bits, '0', 1 + 63 * 3); /* DC 0, then 63 times -1 */
    memcpy(bits + 1 + 63 * 3, "10 110 100", sizeof "10 110 100");
    CHECK(read_bits(bits, 0, block));
    CHECK_INT(block[0], 0);
    for (int k = 1; k < 64; k++)
        CHECK_INT(block[k], -1);
    CHECK(read_bits(bits, 1, block));
    CHECK_INT(block[0], 6);
    CHECK_INT(block[1], 0);
}

/* libjpeg counts a run that leads out of the block as one to its last coefficient. */
TEST(a_run_out_of_the_block_ends_on_its_last_coefficient)
{
    int16_t block[64];

    CHECK(read_bits("0 101 101 101 101", 0, block)); /* 64 zeros behind DC */
    for (int k = 0; k < 64; k++)
        CHECK_INT(block[k], 0);
    CHECK(read_bits("0 101 101 101 000 000 000 000 000 000 000 000 000 000 000 000 000 "
                    "000 1101  10 101 100",
                    0, block)); /* 48 zeros, 14 times -1, then 2 zeros and 1 */
    CHECK_INT(block[63], 1);
    CHECK_INT(block[62], -1);
    CHECK(read_bits("0 101 101 101 000 000 000 000 000 000 000 000 000 000 000 000 000 "
                    "000 1101  10 101 100",
                    1, block));
    CHECK_INT(block[0], 5);
}

TEST(an_end_of_several_blocks_ends_this_one)
{
    int16_t block[64];

    CHECK(read_bits("0 001 1110  10 111 100", 1, block));
    CHECK_INT(block[0], 7);
    CHECK_INT(block[1], 0);
}

TEST(a_block_that_is_not_wanted_stays_as_it_is)
{
    struct tables *tables = calloc(1, sizeof *tables);
    struct writer writer = {.count = 0};
    struct mxio_huffman_scan scan;
    int16_t first[64] = {0}, second[64] = {0};
    int16_t(*const blocks[2])[64] = {&first, &second};
    MUST(tables != NULL, "calloc");
    build_small(tables);
    /* 10 111 100 | 10 110 001 100: 7; 6 and 1 */
    put(&writer, 0x2F, 6);
    put(&writer, 0x0, 2);
    put(&writer, 0x58C, 11);
    put_marker(&writer, 0xD9);

    for (int wanted = 0; wanted < 2; wanted++) {
        struct mxio_huffman_layout layout = gray_layout(tables, 0);
        layout.block_count = 2;
        layout.blocks[1] = layout.blocks[0];
        layout.blocks[1].component = 1;
        layout.blocks[1].wanted = wanted != 0;
        mxio_huffman_start(&scan, &layout, writer.out.at, writer.out.size);
        CHECK(mxio_huffman_read(&scan, 0, blocks));
        CHECK_INT(first[0], 7);
        CHECK_INT(second[0], wanted != 0 ? 6 : 0);
        CHECK_INT(second[1], wanted != 0 ? 1 : 0);
    }
    free(writer.out.at);
    free(tables);
}

/* ---- tables ---- */

static bool
builds(const uint8_t counts[16], const uint8_t *values, bool dc)
{
    struct mxio_huffman_table *table = calloc(1, sizeof *table);

    MUST(table != NULL, "calloc");
    const bool built = mxio_huffman_build(table, counts, values, dc);
    free(table);
    return built;
}

TEST(what_is_no_prefix_code_is_refused)
{
    static const uint8_t zeros[256] = {0};
    static const uint8_t good[16] = {1, 1, 1}, ones[16] = {2}, over[16] = {1, 3};
    static const uint8_t many[16] = {0, 0, 0, 0, 0, 0, 0, 0, 255, 2};
    static const uint8_t most[16] = {0, 0, 0, 0, 0, 0, 0, 0, 255, 1};
    static const uint8_t long_ones[16] = {1, 1, 1, 1, 1, 1, 1, 1,
                                          1, 1, 1, 1, 1, 1, 1, 2};

    CHECK(builds(good, zeros, false));
    CHECK(builds(most, zeros, false));
    CHECK(!builds(ones, zeros, false));
    CHECK(!builds(over, zeros, false));
    CHECK(!builds(many, zeros, false));
    CHECK(!builds(long_ones, zeros, false));
    CHECK(builds(zeros, zeros, true)); /* no code at all; nothing can be read with it */
}

TEST(a_difference_of_more_than_15_bits_is_refused)
{
    static const uint8_t counts[16] = {0, 1};
    uint8_t values[256] = {15};

    CHECK(builds(counts, values, true));
    values[0] = 16;
    CHECK(!builds(counts, values, true));
    CHECK(builds(counts, values, false));
}

int
main(void)
{
    RUN(blocks_come_out_as_they_were_coded);
    RUN(blocks_behind_others_that_are_passed_over_come_out);
    RUN(blocks_behind_restart_markers_come_out);
    RUN(a_scan_cut_off_anywhere_is_given_up);
    RUN(an_interval_that_does_not_end_where_it_should_is_given_up);
    RUN(markers_out_of_order_are_noticed_from_afar);
    RUN(bits_that_are_no_code_are_given_up);
    RUN(values_and_runs_are_those_of_the_standard);
    RUN(differences_add_up);
    RUN(a_full_block_has_no_end);
    RUN(a_run_out_of_the_block_ends_on_its_last_coefficient);
    RUN(an_end_of_several_blocks_ends_this_one);
    RUN(a_block_that_is_not_wanted_stays_as_it_is);
    RUN(what_is_no_prefix_code_is_refused);
    RUN(a_difference_of_more_than_15_bits_is_refused);
    return check_result();
}
