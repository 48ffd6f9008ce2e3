#include "scan.h"

#include "faults.h"
#include "records.h"

static const struct mxio_extent everything = {.most = UINT64_MAX, .end = UINT64_MAX};

#define WIDTH 3
#define ROOM 3000

struct rows {
    uint64_t ids[ROOM], offsets[ROOM], sizes[ROOM];
    uint32_t flags[ROOM];
    float labels[ROOM * WIDTH];
};

static struct mxio_scan_heads
heads_of(struct rows *rows)
{
    return (struct mxio_scan_heads){.ids = rows->ids,
                                    .offsets = rows->offsets,
                                    .sizes = rows->sizes,
                                    .flags = rows->flags,
                                    .labels = rows->labels,
                                    .width = WIDTH};
}

/* An image record with packed labels 0.5, 1.5, ... */
static void
add_packed(struct bytes *file, uint32_t flag, uint64_t id, size_t picture_size)
{
    struct bytes payload = {.at = NULL};
    uint8_t *picture = calloc(1, picture_size + 1);

    MUST(picture != NULL, "calloc");
    bytes_u32(&payload, flag);
    bytes_f32(&payload, 0);
    bytes_u64(&payload, id);
    bytes_u64(&payload, 0);
    for (uint32_t i = 0; i < flag; i++)
        bytes_f32(&payload, (float)i + 0.5F);
    bytes_add(&payload, picture, picture_size);
    bytes_part(file, 0, payload.at, payload.size);
    free(picture);
    free(payload.at);
}

static struct mxio_reader *
open_bytes(struct bytes *file)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_reader *reader = NULL;
    const char *path = temp_file_of(file);

    if (mxio_reader_open(&reader, &path, 1, &err) != MXIO_OK)
        check_failed(__FILE__, __LINE__, "open: %s", err.message);
    unlink(path);
    temp_count--;
    return reader;
}

TEST(a_scan_tells_id_flag_labels_size_and_offset_of_every_record)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct bytes file = {.at = NULL};
    struct rows *rows = calloc(1, sizeof *rows);
    /* A part has 8 bytes of head, and its payload is filled up to a multiple of 4. */
    static const uint64_t offsets[] = {0, 40, 80, 20132};
    static const uint64_t flags[] = {0, 2, 5, 0}, sizes[] = {7, 0, 20000, 0};
    size_t done;

    bytes_image(&file, 7.25F, 11, "picture", 7);
    add_packed(&file, 2, 12, 0);
    add_packed(&file, 5, 13, 20000);
    bytes_image(&file, -1, 14, "", 0);
    struct mxio_reader *reader = open_bytes(&file);
    struct mxio_scan scan = {.reader = reader};
    const struct mxio_scan_heads out = heads_of(rows);

    CHECK_OK(mxio_scan_read(&scan, NULL, 0, ROOM, &out, &done, &err), err);

    CHECK_INT(done, 4);
    for (size_t i = 0; i < 4; i++) {
        CHECK_INT(rows->offsets[i], offsets[i]);
        CHECK_INT(rows->ids[i], 11 + i);
        CHECK_INT(rows->flags[i], flags[i]);
        CHECK_INT(rows->sizes[i], sizes[i]);
    }
    CHECK_NEAR(rows->labels[0], 7.25, 0);
    CHECK(isnan(rows->labels[1]) && isnan(rows->labels[2]));
    CHECK_NEAR(rows->labels[3], 0.5, 0);
    CHECK_NEAR(rows->labels[4], 1.5, 0);
    CHECK(isnan(rows->labels[5]));
    CHECK_NEAR(rows->labels[8], 2.5, 0);
    CHECK_NEAR(rows->labels[9], -1, 0);
    mxio_scan_free(&scan);
    mxio_reader_free(reader);
    free(rows);
}

TEST(chosen_records_are_told_in_the_order_asked_for_and_end_behind_the_last)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct bytes file = {.at = NULL};
    struct rows *rows = calloc(1, sizeof *rows);
    static const uint64_t asked[] = {2400, 0, 1, 2, 2499, 7, 2500, 3};
    size_t done;

    for (uint64_t i = 0; i < 2500; i++) /* much more than a block */
        add_packed(&file, (uint32_t)(i % 3), i + 1000000, 60 + (i % 7) * 10);
    struct mxio_reader *reader = open_bytes(&file);
    struct mxio_scan scan = {.reader = reader};
    const struct mxio_scan_heads out = heads_of(rows);

    CHECK_OK(mxio_scan_read(&scan, asked, 0, 8, &out, &done, &err), err);

    CHECK_INT(done, 6);
    for (size_t i = 0; i < done; i++) {
        CHECK_INT(rows->ids[i], asked[i] + 1000000);
        CHECK_INT(rows->flags[i], asked[i] % 3);
        CHECK_INT(rows->sizes[i], 60 + (asked[i] % 7) * 10);
    }
    CHECK_OK(mxio_scan_read(&scan, NULL, 10, 2490, &out, &done, &err), err);
    CHECK_INT(done, 2490);
    for (size_t i = 0; i < done; i++)
        CHECK_INT(rows->ids[i], i + 1000010);
    mxio_scan_free(&scan);
    mxio_reader_free(reader);
    free(rows);
}

TEST(a_header_that_is_cut_by_the_magic_is_joined_first)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct bytes file = {.at = NULL}, payload = {.at = NULL};
    struct rows *rows = calloc(1, sizeof *rows);
    size_t done;

    /* The id holds the magic, at byte 8 of the payload: a writer cuts it out there. */
    bytes_u32(&payload, 0);
    bytes_f32(&payload, 3);
    bytes_part(&file, 1, payload.at, payload.size);
    payload.size = 0;
    bytes_u32(&payload, 5);
    bytes_u64(&payload, 0);
    bytes_add(&payload, "xyz", 3);
    bytes_part(&file, 3, payload.at, payload.size);
    free(payload.at);
    struct mxio_reader *reader = open_bytes(&file);
    struct mxio_scan scan = {.reader = reader};
    const struct mxio_scan_heads out = heads_of(rows);

    CHECK_OK(mxio_scan_read(&scan, NULL, 0, 2, &out, &done, &err), err);

    CHECK_INT(done, 1);
    CHECK_INT(rows->ids[0], UINT64_C(5) << 32 | 0xCED7230A);
    CHECK_NEAR(rows->labels[0], 3, 0);
    CHECK_INT(rows->sizes[0], 3);
    mxio_scan_free(&scan);
    mxio_reader_free(reader);
    free(rows);
}

/* True when the scan of the file fails at this record and byte. */
static bool
fails_at(struct bytes *file, int64_t record, int64_t offset, const char *says)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct rows *rows = calloc(1, sizeof *rows);
    struct mxio_reader *reader = open_bytes(file);
    struct mxio_scan scan = {.reader = reader};
    const struct mxio_scan_heads out = heads_of(rows);
    size_t done;

    const enum mxio_status status =
        mxio_scan_read(&scan, NULL, 0, ROOM, &out, &done, &err);

    mxio_scan_free(&scan);
    mxio_reader_free(reader);
    free(rows);
    return status == MXIO_EDATA && err.file == 0 && err.record == record &&
           err.offset == offset && strstr(err.message, says) != NULL;
}

TEST(damage_names_the_record_and_its_byte)
{
    struct bytes shorter = {.at = NULL}, broken = {.at = NULL}, cut = {.at = NULL};

    bytes_image(&shorter, 1, 1, "abc", 3);
    const int64_t second = (int64_t)shorter.size;
    bytes_part(&shorter, 0, "no header", 9);
    CHECK(fails_at(&shorter, 1, second, "24 bytes"));

    for (int i = 0; i < 3; i++)
        bytes_image(&broken, 1, 1, "abc", 3);
    memset(broken.at + second, 0xEE, 8);
    CHECK(fails_at(&broken, 1, second, "head"));

    bytes_image(&cut, 1, 1, "abc", 3);
    add_packed(&cut, 100, 1, 100);
    cut.size -= 300;
    CHECK(fails_at(&cut, 1, second, ""));
}

static enum mxio_status
attempt(void *context, struct mxio_error *err)
{
    const char *path = context;
    struct mxio_reader *reader = NULL;
    struct rows *rows = calloc(1, sizeof *rows);
    const struct mxio_scan_heads out = heads_of(rows);
    size_t done = 0;

    enum mxio_status status = mxio_reader_open(&reader, &path, 1, err);
    struct mxio_scan scan = {.reader = reader};
    if (status == MXIO_OK)
        status = mxio_scan_read(&scan, NULL, 0, ROOM, &out, &done, err);
    mxio_scan_free(&scan);
    mxio_reader_free(reader);
    free(rows);
    return status;
}

TEST(every_failing_allocation_is_reported)
{
    struct bytes file = {.at = NULL};
    char path[64];

    add_packed(&file, 2, 1, 20000);
    bytes_image(&file, 1, 2, "abc", 3);
    snprintf(path, sizeof path, "%s", temp_file_of(&file));

    CHECK(faults_met(attempt, path) >= 4);
}

TEST(a_count_agrees_with_the_scan)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct bytes file = {.at = NULL};
    struct rows *rows = calloc(1, sizeof *rows);
    uint64_t count;
    size_t done;

    for (uint64_t i = 0; i < 1500; i++)
        bytes_image(&file, (float)i, i, "picture", i % 8);
    struct mxio_reader *reader = open_bytes(&file);
    struct mxio_scan scan = {.reader = reader};
    const struct mxio_scan_heads out = heads_of(rows);

    CHECK_OK(mxio_scan_read(&scan, NULL, 0, ROOM, &out, &done, &err), err);
    CHECK_OK(mxio_reader_count(reader, &everything, &count, &err), err);

    CHECK_INT(done, 1500);
    CHECK_INT(count, 1500);
    mxio_scan_free(&scan);
    mxio_reader_free(reader);
    free(rows);
}

int
main(void)
{
    RUN(a_scan_tells_id_flag_labels_size_and_offset_of_every_record);
    RUN(chosen_records_are_told_in_the_order_asked_for_and_end_behind_the_last);
    RUN(a_header_that_is_cut_by_the_magic_is_joined_first);
    RUN(damage_names_the_record_and_its_byte);
    RUN(every_failing_allocation_is_reported);
    RUN(a_count_agrees_with_the_scan);
    return check_result();
}
