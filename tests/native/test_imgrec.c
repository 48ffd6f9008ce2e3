#include "imgrec.h"

#include "check.h"
#include "records.h"

static struct bytes
header(uint32_t flag, float label, uint64_t id, uint64_t id2)
{
    struct bytes out = {.at = NULL};

    bytes_u32(&out, flag);
    bytes_f32(&out, label);
    bytes_u64(&out, id);
    bytes_u64(&out, id2);
    return out;
}

TEST(a_header_without_packed_labels_is_24_bytes)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_imgrec record;
    struct bytes payload = header(0, 3.5F, UINT64_C(0xFEDCBA9876543210), 5);
    bytes_add(&payload, "picture", 7);

    CHECK_OK(mxio_imgrec_parse(payload.at, payload.size, &record, &err), err);

    CHECK_INT(record.flag, 0);
    CHECK_NEAR(record.label, 3.5, 0);
    CHECK(record.id == UINT64_C(0xFEDCBA9876543210));
    CHECK_INT(record.picture_size, 7);
    CHECK(record.picture == payload.at + 24);
    free(payload.at);
}

TEST(packed_labels_come_before_the_picture_at_any_alignment)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_imgrec record;
    struct bytes shifted = {.at = NULL}, payload = header(3, 0, 9, 0);
    bytes_f32(&payload, 1.25F);
    bytes_f32(&payload, -2e10F);
    bytes_f32(&payload, 16777216.0F);
    bytes_add(&payload, "pic", 3);
    bytes_add(&shifted, "?", 1);
    bytes_add(&shifted, payload.at, payload.size);

    CHECK_OK(mxio_imgrec_parse(shifted.at + 1, payload.size, &record, &err), err);

    CHECK_INT(record.flag, 3);
    CHECK_NEAR(mxio_imgrec_label(&record, 0), 1.25, 0);
    CHECK_NEAR(mxio_imgrec_label(&record, 1), -2e10F, 0);
    CHECK_NEAR(mxio_imgrec_label(&record, 2), 16777216.0, 0);
    CHECK_INT(record.picture_size, 3);
    CHECK_BYTES(record.picture, "pic", 3);
    free(payload.at);
    free(shifted.at);
}

TEST(a_record_may_hold_labels_and_no_picture)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_imgrec record;
    struct bytes payload = header(2, 0, 0, 0);
    bytes_f32(&payload, 85743);
    bytes_f32(&payload, 85800);

    CHECK_OK(mxio_imgrec_parse(payload.at, payload.size, &record, &err), err);
    CHECK_INT(record.picture_size, 0);
    CHECK_NEAR(mxio_imgrec_label(&record, 1), 85800, 0);
    free(payload.at);
}

/* True when the first `size` bytes are refused. */
static bool
refuses(const struct bytes *payload, size_t size, const char *says)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_imgrec record = {.flag = 77, .picture_size = 78};
    uint8_t *copy = exact_copy(payload->at, size);

    const enum mxio_status status = mxio_imgrec_parse(copy, size, &record, &err);

    free(copy);
    return status == MXIO_EDATA && err.status == MXIO_EDATA && record.flag == 77 &&
           record.picture_size == 78 && strstr(err.message, says) != NULL;
}

TEST(a_payload_shorter_than_its_header_is_damaged_and_out_untouched)
{
    struct bytes payload = header(0, 0, 0, 0);

    for (size_t size = 0; size < 24; size++)
        CHECK(refuses(&payload, size, "24 bytes"));
    free(payload.at);
}

TEST(labels_that_do_not_fit_are_damaged)
{
    static const uint32_t flags[] = {2, 3, 0x40000000, 0xFFFFFFFF};

    for (int i = 0; i < 4; i++) {
        struct bytes payload = header(flags[i], 0, 0, 0);
        bytes_add(&payload, "1234567", 7);
        CHECK(refuses(&payload, payload.size, "room for 1"));
        free(payload.at);
    }
}

int
main(void)
{
    RUN(a_header_without_packed_labels_is_24_bytes);
    RUN(packed_labels_come_before_the_picture_at_any_alignment);
    RUN(a_record_may_hold_labels_and_no_picture);
    RUN(a_payload_shorter_than_its_header_is_damaged_and_out_untouched);
    RUN(labels_that_do_not_fit_are_damaged);
    return check_result();
}
