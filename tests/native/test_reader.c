#include "reader.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "faults.h"
#include "records.h"

/* A file with the offsets of its heads and the payloads, as they were put in. */
struct script {
    struct bytes file;
    uint64_t heads[6000];
    struct {
        size_t start, size; /* in `texts` */
    } payloads[6000];
    struct bytes texts;
    size_t count;
};

static struct script *
script_new(void)
{
    struct script *script = calloc(1, sizeof *script);

    MUST(script != NULL, "calloc");
    return script;
}

static void
script_free(struct script *script)
{
    free(script->file.at);
    free(script->texts.at);
    free(script);
}

static void
script_payload(struct script *script, const void *payload, size_t size)
{
    script->payloads[script->count].start = script->texts.size;
    script->payloads[script->count++].size = size;
    bytes_add(&script->texts, payload, size);
}

/* A whole record of `size` bytes without any magic. */
static void
script_whole(struct script *script, size_t size, uint8_t fill)
{
    uint8_t *payload = malloc(size + 1);

    memset(payload, fill, size);
    script->heads[script->count] = script->file.size;
    bytes_part(&script->file, 0, payload, size);
    script_payload(script, payload, size);
    free(payload);
}

/* A record in three parts: "abcd" magic "" magic "xyz". */
static void
script_split(struct script *script)
{
    static const char joined[] = "abcd\x0A\x23\xD7\xCE\x0A\x23\xD7\xCExyz";

    script->heads[script->count] = script->file.size;
    bytes_part(&script->file, 1, "abcd", 4);
    bytes_part(&script->file, 2, "", 0);
    bytes_part(&script->file, 3, "xyz", 3);
    script_payload(script, joined, sizeof joined - 1);
}

/* Small records, split ones, an empty one, large ones. */
static struct script *
mixed_script(void)
{
    static const size_t sizes[] = {5, 0, 100000, 1, 9000, 8000, 3, 2000000, 4, 2};
    struct script *script = script_new();

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        script_whole(script, sizes[i], (uint8_t)i);
        if (i % 3 == 0)
            script_split(script);
    }
    return script;
}

static struct script *
small_script(void)
{
    static const size_t sizes[] = {5, 0, 12, 7, 1};
    struct script *script = script_new();

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        script_whole(script, sizes[i], (uint8_t)(i + 1));
        if (i == 2)
            script_split(script);
    }
    return script;
}

static struct mxio_reader *
open_paths(const char *const *paths, size_t count)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_reader *reader = NULL;

    if (mxio_reader_open(&reader, paths, count, &err) != MXIO_OK)
        check_failed(__FILE__, __LINE__, "open: %s", err.message);
    return reader;
}

static struct mxio_reader *
open_bytes(const void *content, size_t size)
{
    const char *path = temp_file(content, size);
    struct mxio_reader *reader = open_paths(&path, 1);

    unlink(path);
    temp_count--;
    return reader;
}

/* All of the set; a reader without a part has this one. */
static const struct mxio_extent everything = {.most = UINT64_MAX, .end = UINT64_MAX};

/* Read the record at a position: its status, and whether the payload is as expected. */
static enum mxio_status
read_at(struct mxio_reader *reader, uint64_t position, const void *expected,
        size_t expected_size, bool *same, struct mxio_error *err)
{
    struct mxio_buffer buffer = {.bytes = NULL};
    struct mxio_place place;
    const uint8_t *payload;
    size_t size;
    bool found;

    *same = false;
    enum mxio_status status =
        mxio_reader_locate(reader, &everything, position, &place, &found, err);
    if (status != MXIO_OK || !found)
        return status;
    status = mxio_reader_read(reader, place, &buffer, &payload, &size, err);
    *same = status == MXIO_OK && size == expected_size &&
            memcmp(payload, expected, size) == 0;
    mxio_buffer_free(&buffer);
    return status;
}

/* True when record `position` of the reader is record `i` of the script. */
static bool
holds(struct mxio_reader *reader, uint64_t position, const struct script *script,
      size_t i)
{
    struct mxio_error err = MXIO_NO_ERROR;
    bool same;

    return read_at(reader, position, script->texts.at + script->payloads[i].start,
                   script->payloads[i].size, &same, &err) == MXIO_OK &&
           same;
}

/* True when reading that record fails at this place. */
static bool
fails(struct mxio_reader *reader, uint64_t position, int file, int64_t offset)
{
    struct mxio_error err = MXIO_NO_ERROR;
    bool same;

    return read_at(reader, position, "", 0, &same, &err) == MXIO_EDATA &&
           err.status == MXIO_EDATA && err.file == file && err.offset == offset;
}

static uint64_t
count_of(struct mxio_reader *reader, const struct mxio_extent *extent)
{
    struct mxio_error err = MXIO_NO_ERROR;
    uint64_t count;

    return mxio_reader_count(reader, extent, &count, &err) == MXIO_OK ? count
                                                                      : UINT64_MAX;
}

TEST(heads_are_found_and_records_read_in_order)
{
    struct script *script = mixed_script();
    struct mxio_reader *reader = open_bytes(script->file.at, script->file.size);
    size_t known;

    for (size_t i = 0; i < script->count; i++)
        CHECK(holds(reader, i, script, i));

    CHECK_INT(count_of(reader, &everything), script->count);
    const uint64_t *offsets = mxio_reader_offsets(reader, &known);
    CHECK_INT(known, script->count);
    CHECK_BYTES(offsets, script->heads, known * sizeof *offsets);
    mxio_reader_free(reader);
    script_free(script);
}

TEST(records_can_be_read_in_any_order)
{
    struct script *script = mixed_script();
    struct mxio_reader *reader = open_bytes(script->file.at, script->file.size);

    for (size_t i = script->count; i-- > 0;)
        CHECK(holds(reader, i, script, i));

    mxio_reader_free(reader);
    script_free(script);
}

/* The places of records `first` to `last`, as one. */
static struct mxio_place
place_of_all(struct mxio_reader *reader, uint64_t first, uint64_t last)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_place from = {0, 0}, to = {0, 0};
    bool found;

    if (mxio_reader_locate(reader, &everything, first, &from, &found, &err) !=
            MXIO_OK ||
        mxio_reader_locate(reader, &everything, last, &to, &found, &err) != MXIO_OK)
        check_failed(__FILE__, __LINE__, "locate: %s", err.message);
    return (struct mxio_place){from.offset, to.end};
}

/* True when the run gives record i of the script. */
static bool
run_holds(struct mxio_reader *reader, struct mxio_run *run, const struct script *script,
          size_t i)
{
    struct mxio_error err = MXIO_NO_ERROR;
    const uint8_t *payload = NULL;
    enum mxio_status status = MXIO_OK;
    size_t size = 0;

    return mxio_reader_take(reader, place_of_all(reader, i, i), run, &payload, &size,
                            &status, &err) &&
           status == MXIO_OK && size == script->payloads[i].size &&
           memcmp(payload, script->texts.at + script->payloads[i].start, size) == 0;
}

TEST(a_run_gives_its_records_once_each_in_order)
{
    struct script *script = small_script();
    struct mxio_reader *reader = open_bytes(script->file.at, script->file.size);
    struct mxio_run run = {.end = 0};

    CHECK(!run_holds(reader, &run, script, 0));
    mxio_reader_run(reader, place_of_all(reader, 1, 4), &run);
    CHECK(!run_holds(reader, &run, script, 0));
    CHECK(run_holds(reader, &run, script, 1));
    CHECK(!run_holds(reader, &run, script, 1));
    CHECK(
        run_holds(reader, &run, script, 3)); /* in parts; one before it was left out */
    CHECK(!run_holds(reader, &run, script, 2));
    CHECK(run_holds(reader, &run, script, 4));
    CHECK(!run_holds(reader, &run, script, 5));
    mxio_buffer_free(&run.buffer);
    mxio_reader_free(reader);
    script_free(script);
}

TEST(a_run_that_is_long_or_leads_into_another_file_is_empty)
{
    struct script *script = small_script(), *large = script_new();
    const char *path = temp_file(script->file.at, script->file.size);
    const char *const paths[] = {path, path};
    script_whole(large, 200000, 1);
    script_whole(large, 200000, 2);
    struct mxio_reader *two = open_paths(paths, 2);
    struct mxio_reader *one = open_bytes(large->file.at, large->file.size);
    struct mxio_run run = {.end = 0};

    mxio_reader_run(two, place_of_all(two, 0, script->count), &run);
    CHECK(!run_holds(two, &run, script, 0));
    mxio_reader_run(two, place_of_all(two, 0, script->count - 1), &run);
    CHECK(run_holds(two, &run, script, 0));
    mxio_reader_run(one, place_of_all(one, 0, 1), &run);
    CHECK(!run_holds(one, &run, large, 0));
    mxio_buffer_free(&run.buffer);
    mxio_reader_free(one);
    mxio_reader_free(two);
    script_free(large);
    script_free(script);
}

TEST(damage_in_a_run_is_named_by_its_place)
{
    struct script *script = small_script();
    script->file.at[script->heads[2]] ^= 1;
    struct mxio_reader *reader = open_bytes(script->file.at, script->file.size);
    struct mxio_run run = {.end = 0};
    struct mxio_error err = MXIO_NO_ERROR;
    const uint8_t *payload;
    enum mxio_status status = MXIO_OK;
    size_t size;

    mxio_reader_run(reader, place_of_all(reader, 0, 3), &run);
    CHECK(mxio_reader_take(reader, place_of_all(reader, 2, 2), &run, &payload, &size,
                           &status, &err));
    CHECK_INT(status, MXIO_EDATA);
    CHECK_INT(err.file, 0);
    CHECK_INT(err.offset, (int64_t)script->heads[2]);
    CHECK(run_holds(reader, &run, script, 3));
    mxio_buffer_free(&run.buffer);
    mxio_reader_free(reader);
    script_free(script);
}

TEST(thousands_of_small_records_are_found)
{
    struct script *script = script_new();
    uint32_t state = 7;
    for (int i = 0; i < 6000; i++)
        script_whole(script, (size_t)any_below(&state, 90), (uint8_t)i);
    struct mxio_reader *reader = open_bytes(script->file.at, script->file.size);

    CHECK_INT(count_of(reader, &everything), 6000);
    size_t known;
    const uint64_t *offsets = mxio_reader_offsets(reader, &known);
    CHECK_BYTES(offsets, script->heads, known * sizeof *offsets);
    for (size_t i = 0; i < 6000; i += 7)
        CHECK(holds(reader, i, script, i));
    mxio_reader_free(reader);
    script_free(script);
}

TEST(heads_are_looked_for_only_as_far_as_asked)
{
    struct script *script = small_script();
    struct mxio_reader *reader = open_bytes(script->file.at, script->file.size);
    size_t known;

    CHECK(holds(reader, 1, script, 1));
    mxio_reader_offsets(reader, &known);

    CHECK(known >= 2 && known < script->count);
    mxio_reader_free(reader);
    script_free(script);
}

TEST(a_place_ends_where_the_next_record_starts)
{
    struct script *script = small_script();
    struct mxio_reader *reader = open_bytes(script->file.at, script->file.size);

    for (size_t i = 0; i < script->count; i++) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_place place;
        bool found;
        CHECK_OK(mxio_reader_locate(reader, &everything, i, &place, &found, &err), err);
        CHECK(found);
        CHECK_INT(place.offset, script->heads[i]);
        CHECK_INT(place.end,
                  i + 1 < script->count ? script->heads[i + 1] : script->file.size);
    }
    mxio_reader_free(reader);
    script_free(script);
}

TEST(behind_the_last_record_there_is_none)
{
    struct script *script = small_script();
    struct mxio_reader *reader = open_bytes(script->file.at, script->file.size);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_place place = {.offset = 91};

    for (uint64_t position = script->count; position < script->count + 3; position++) {
        bool found = true;
        CHECK_OK(mxio_reader_locate(reader, &everything, position, &place, &found,
                                    &err),
                 err);
        CHECK(!found);
        CHECK_INT(place.offset, 91);
    }
    mxio_reader_free(reader);
    script_free(script);
}

TEST(files_follow_each_other_and_empty_ones_do_not_count)
{
    struct script *script = small_script();
    const char *whole = temp_file(script->file.at, script->file.size);
    const char *empty = temp_file("", 0);
    const char *const paths[] = {empty, whole, empty, empty, whole, empty};
    struct mxio_reader *reader = open_paths(paths, 6);

    CHECK_INT(count_of(reader, &everything), 2 * script->count);
    for (size_t i = 0; i < 2 * script->count; i++)
        CHECK(holds(reader, i, script, i % script->count));
    struct mxio_error err = MXIO_NO_ERROR;
    mxio_reader_name_place(reader, script->file.size + 8, &err);
    CHECK_INT(err.file, 4);
    CHECK_INT(err.offset, 8);
    mxio_reader_name_place(reader, 0, &err);
    CHECK_INT(err.file, 1);
    mxio_reader_free(reader);
    script_free(script);
}

/* ---- parts ---- */

/* MXNet's rule: the bytes of a part, a multiple of 4. */
static uint64_t
bytes_of_a_part(uint64_t total, uint64_t num_parts)
{
    const uint64_t share = (total + num_parts - 1) / num_parts;

    MUST(share > 0, "an empty set");
    return (share + 3) / 4 * 4;
}

/* True when the part has just the records whose first byte lies in its bytes. */
static bool
part_is_right(struct mxio_reader *reader, const uint64_t *heads, size_t head_count,
              uint64_t total, uint64_t num_parts, uint64_t part)
{
    const uint64_t step = bytes_of_a_part(total, num_parts);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_extent extent;
    uint64_t position = 0;

    if (mxio_reader_part(reader, num_parts, part, &extent, &err) != MXIO_OK)
        return false;
    for (size_t i = 0; i < head_count; i++) {
        struct mxio_place place;
        bool found;
        if (heads[i] / step != part)
            continue;
        if (mxio_reader_locate(reader, &extent, position, &place, &found, &err) !=
                MXIO_OK ||
            !found || place.offset != heads[i] || extent.first + position != i)
            return false;
        position++;
    }
    struct mxio_place place;
    bool found;
    return mxio_reader_locate(reader, &extent, position, &place, &found, &err) ==
               MXIO_OK &&
           !found && count_of(reader, &extent) == position;
}

TEST(every_record_lies_in_one_part_by_bytes)
{
    struct script *script = mixed_script();
    const uint64_t total = script->file.size;

    for (uint64_t parts = 1; parts < 25; parts++)
        for (uint64_t part = 0; part < parts; part++) {
            struct mxio_reader *reader = open_bytes(script->file.at, total);
            CHECK(part_is_right(reader, script->heads, script->count, total, parts,
                                part));
            mxio_reader_free(reader);
        }
    script_free(script);
}

TEST(parts_by_bytes_go_through_all_files)
{
    struct script *script = small_script();
    const char *path = temp_file(script->file.at, script->file.size);
    const char *const paths[] = {path, path, path};
    const uint64_t total = 3 * script->file.size;
    uint64_t heads[64];
    for (size_t i = 0; i < 3 * script->count; i++)
        heads[i] =
            script->heads[i % script->count] + i / script->count * script->file.size;
    struct mxio_reader *reader = open_paths(paths, 3);

    for (uint64_t parts = 1; parts <= total; parts++)
        for (uint64_t part = 0; part < parts; part += 1 + parts / 20)
            CHECK(part_is_right(reader, heads, 3 * script->count, total, parts, part));

    CHECK(part_is_right(reader, heads, 3 * script->count, total, 1000000000, 0));
    CHECK(
        part_is_right(reader, heads, 3 * script->count, total, 1000000000, 999999999));
    mxio_reader_free(reader);
    script_free(script);
}

/* MXNet's rule: step = ceil(n / parts); part k is [k step, (k + 1) step). */
TEST(every_record_lies_in_one_part_by_index)
{
    struct script *script = mixed_script();
    const uint64_t count = script->count;
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_reader *reader = open_bytes(script->file.at, script->file.size);
    CHECK_OK(mxio_reader_use_index(reader, script->heads, count, &err), err);

    for (uint64_t parts = 1; parts < 2 * count; parts++) {
        const uint64_t step = (count + parts - 1) / parts;
        for (uint64_t part = 0; part < parts; part++) {
            const uint64_t first = part * step < count ? part * step : count;
            const uint64_t end = first + step < count ? first + step : count;
            struct mxio_extent extent;
            CHECK_OK(mxio_reader_part(reader, parts, part, &extent, &err), err);
            CHECK_INT(count_of(reader, &extent), end - first);
            for (uint64_t i = 0; i <= end - first; i++) {
                struct mxio_place place;
                bool found;
                CHECK_OK(mxio_reader_locate(reader, &extent, i, &place, &found, &err),
                         err);
                CHECK_INT(found, i < end - first);
                CHECK(!found || place.offset == script->heads[first + i]);
            }
        }
    }
    mxio_reader_free(reader);
    script_free(script);
}

/* ---- index ---- */

TEST(an_index_in_any_order_gives_records_by_offset)
{
    struct script *script = mixed_script();
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_reader *reader = open_bytes(script->file.at, script->file.size);
    uint64_t shuffled[64];
    for (size_t i = 0; i < script->count; i++)
        shuffled[i] = script->heads[(i * 5 + 3) % script->count]; /* 14 and 5 */

    CHECK_OK(mxio_reader_use_index(reader, shuffled, script->count, &err), err);

    for (size_t i = 0; i < script->count; i++)
        CHECK(holds(reader, i, script, i));
    CHECK_INT(count_of(reader, &everything), script->count);
    mxio_reader_free(reader);
    script_free(script);
}

TEST(an_index_may_leave_records_out)
{
    struct script *script = mixed_script();
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_reader *reader = open_bytes(script->file.at, script->file.size);
    /* Behind the second lie 2 MB that are not its. */
    const size_t kept[] = {0, 2, script->count - 1};
    uint64_t offsets[3];
    for (int i = 0; i < 3; i++)
        offsets[i] = script->heads[kept[i]];

    CHECK_OK(mxio_reader_use_index(reader, offsets, 3, &err), err);

    for (size_t i = 0; i < 3; i++)
        CHECK(holds(reader, i, script, kept[i]));
    CHECK_INT(count_of(reader, &everything), 3);
    mxio_reader_free(reader);
    script_free(script);
}

static bool
refuses_index(const struct script *script, const uint64_t *offsets, size_t count,
              const char *says)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_reader *reader = open_bytes(script->file.at, script->file.size);
    const enum mxio_status status = mxio_reader_use_index(reader, offsets, count, &err);

    mxio_reader_free(reader);
    return status == MXIO_EDATA && err.status == MXIO_EDATA &&
           check_says(err.message, says, __FILE__, __LINE__);
}

TEST(offsets_of_another_reader_are_used_where_they_are)
{
    struct script *script = mixed_script();
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_reader *first = open_bytes(script->file.at, script->file.size);
    struct mxio_reader *second = open_bytes(script->file.at, script->file.size);
    size_t known, again;
    CHECK_OK(mxio_reader_complete(first, &err), err);
    const uint64_t *offsets = mxio_reader_offsets(first, &known);

    CHECK_OK(mxio_reader_borrow_offsets(second, offsets, known, false, &err), err);

    CHECK(mxio_reader_offsets(second, &again) == offsets);
    CHECK_INT(again, script->count);
    CHECK_INT(count_of(second, &everything), script->count);
    for (size_t i = 0; i < script->count; i++) {
        struct mxio_place own, lent;
        bool found;
        CHECK(holds(second, i, script, i));
        CHECK_OK(mxio_reader_locate(first, &everything, i, &own, &found, &err), err);
        CHECK_OK(mxio_reader_locate(second, &everything, i, &lent, &found, &err), err);
        CHECK_INT(lent.end, own.end);
    }
    mxio_reader_free(second);
    mxio_reader_free(first); /* frees them, once */
    script_free(script);
}

TEST(lent_offsets_that_do_not_rise_or_lie_outside_are_refused)
{
    struct script *script = mixed_script();
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_reader *reader = open_bytes(script->file.at, script->file.size);
    const uint64_t falling[] = {0, script->heads[2], script->heads[1]};
    const uint64_t outside[] = {0, UINT64_MAX};

    CHECK_INT(mxio_reader_borrow_offsets(reader, falling, 3, false, &err), MXIO_EDATA);
    CHECK_SAYS(err.message, "do not rise");
    CHECK_INT(mxio_reader_borrow_offsets(reader, outside, 2, false, &err), MXIO_EDATA);
    CHECK_INT(mxio_reader_borrow_offsets(reader, outside, 0, false, &err), MXIO_EDATA);

    CHECK_INT(count_of(reader, &everything), script->count);
    mxio_reader_free(reader);
    script_free(script);
}

TEST(an_index_that_does_not_fit_is_refused)
{
    struct script *script = small_script();
    const uint64_t total = script->file.size;
    const uint64_t *heads = script->heads;

    CHECK(refuses_index(script, heads, 0, "empty"));
    CHECK(refuses_index(script, (uint64_t[]){0, total}, 2, "entry 1 points to byte"));
    CHECK(refuses_index(script, (uint64_t[]){UINT64_MAX, 0}, 2, "entry 0 points"));
    CHECK(refuses_index(script, (uint64_t[]){0, heads[1], 0}, 3, "listed twice"));
    CHECK(refuses_index(script, (uint64_t[]){4, heads[1]}, 2, "no record starts at"));
    CHECK(refuses_index(script, (uint64_t[]){0, total - 4}, 2, "no record starts at"));
    CHECK(refuses_index(script, (uint64_t[]){0, heads[3] + 12}, 2, /* a middle part */
                        "no record starts at"));
    script_free(script);
}

TEST(a_wrong_entry_amid_an_index_is_one_record_that_fails)
{
    struct script *script = small_script();
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_reader *reader = open_bytes(script->file.at, script->file.size);
    const uint64_t offsets[] = {script->heads[0], script->heads[1] + 4,
                                script->heads[2]};

    CHECK_OK(mxio_reader_use_index(reader, offsets, 3, &err), err);

    CHECK(holds(reader, 0, script, 0));
    CHECK(fails(reader, 1, 0, (int64_t)offsets[1]));
    CHECK(holds(reader, 2, script, 2));
    mxio_reader_free(reader);
    script_free(script);
}

/* ---- open ---- */

static bool
refuses_to_open(const char *const *paths, size_t count, enum mxio_status expected,
                int file)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_reader *reader = (struct mxio_reader *)&err; /* not to be written */
    const int before = dup(STDERR_FILENO);
    close(before);

    const enum mxio_status status = mxio_reader_open(&reader, paths, count, &err);

    const int after = dup(STDERR_FILENO);
    close(after);
    return status == expected && err.status == expected && err.file == file &&
           reader == (struct mxio_reader *)&err && before == after;
}

TEST(what_is_no_record_file_is_refused_by_its_place_in_the_list)
{
    struct script *script = small_script();
    const char *right = temp_file(script->file.at, script->file.size);
    const char *empty = temp_file("", 0);
    const char *text = temp_file("Lorem ipsum", 11);
    const char *middle = temp_file(script->file.at + script->heads[3] + 12, 20);
    const char *wrong[] = {"no/such/file", text, temp_file(script->file.at, 7), middle,
                           "."};
    static const enum mxio_status expected[] = {MXIO_EIO, MXIO_EDATA, MXIO_EDATA,
                                                MXIO_EDATA, MXIO_EIO};

    for (int i = 0; i < 5; i++) {
        CHECK(refuses_to_open((const char *[]){wrong[i]}, 1, expected[i], 0));
        CHECK(refuses_to_open((const char *[]){right, empty, wrong[i], right}, 4,
                              expected[i], 2));
    }
    CHECK(refuses_to_open(&empty, 1, MXIO_EDATA, -1));
    CHECK(refuses_to_open((const char *[]){empty, empty}, 2, MXIO_EDATA, -1));
    mxio_reader_free(NULL);
    script_free(script);
}

/* ---- damage ---- */

TEST(a_damaged_head_is_one_record_that_fails)
{
    struct script *script = small_script();

    for (size_t bad = 1; bad < script->count; bad++)
        for (int byte = 0; byte < 4; byte++) {
            struct bytes copy = bytes_copy(&script->file);
            copy.at[script->heads[bad] + (size_t)byte] ^= 0x10;
            struct mxio_reader *reader = open_bytes(copy.at, copy.size);

            CHECK_INT(count_of(reader, &everything), script->count);
            for (size_t i = 0; i < script->count; i++)
                CHECK(i == bad ? fails(reader, i, 0, (int64_t)script->heads[i])
                               : holds(reader, i, script, i));
            mxio_reader_free(reader);
            free(copy.at);
        }
    script_free(script);
}

TEST(a_length_beyond_the_file_is_one_record_that_fails)
{
    struct script *script = small_script();

    for (size_t bad = 0; bad < script->count; bad++) {
        struct bytes copy = bytes_copy(&script->file);
        copy.at[script->heads[bad] + 6] |= 0x80;
        struct mxio_reader *reader = open_bytes(copy.at, copy.size);

        CHECK_INT(count_of(reader, &everything), script->count);
        for (size_t i = 0; i < script->count; i++)
            CHECK(i == bad ? fails(reader, i, 0, (int64_t)script->heads[i])
                           : holds(reader, i, script, i));
        mxio_reader_free(reader);
        free(copy.at);
    }
    script_free(script);
}

TEST(a_length_that_leads_astray_is_followed_by_one_record_that_fails)
{
    struct script *script = small_script();
    struct bytes copy = bytes_copy(&script->file);
    copy.at[script->heads[2] + 4] = 4; /* of 12 */
    struct mxio_reader *reader = open_bytes(copy.at, copy.size);

    CHECK_INT(count_of(reader, &everything), script->count + 1);
    CHECK(holds(reader, 1, script, 1));
    CHECK(fails(reader, 3, 0, (int64_t)script->heads[2] + 12));
    for (size_t i = 3; i < script->count; i++)
        CHECK(holds(reader, i + 1, script, i));
    mxio_reader_free(reader);
    free(copy.at);
    script_free(script);
}

TEST(a_split_record_with_a_damaged_part_fails_once)
{
    struct script *script = small_script();
    static const size_t parts[] = {12, 20};

    for (int i = 0; i < 2; i++) {
        struct bytes copy = bytes_copy(&script->file);
        copy.at[script->heads[3] + parts[i]] ^= 1;
        struct mxio_reader *reader = open_bytes(copy.at, copy.size);

        CHECK_INT(count_of(reader, &everything), script->count);
        CHECK(holds(reader, 2, script, 2));
        CHECK(fails(reader, 3, 0, (int64_t)script->heads[3]));
        CHECK(holds(reader, 4, script, 4));
        mxio_reader_free(reader);
        free(copy.at);
    }
    script_free(script);
}

TEST(parts_without_a_first_one_fail_once)
{
    struct script *script = small_script();
    struct bytes copy = bytes_copy(&script->file);
    copy.at[script->heads[3] + 7] = 2 << 5; /* first becomes middle */
    struct mxio_reader *reader = open_bytes(copy.at, copy.size);

    CHECK_INT(count_of(reader, &everything), script->count);
    CHECK(fails(reader, 3, 0, (int64_t)script->heads[3]));
    CHECK(holds(reader, 4, script, 4));
    mxio_reader_free(reader);
    free(copy.at);
    script_free(script);
}

/* Where the last byte of a record's payload ends. */
static uint64_t
payload_end(const struct script *script, size_t i)
{
    const size_t size = script->payloads[i].size;
    const uint64_t next =
        i + 1 < script->count ? script->heads[i + 1] : script->file.size;

    return next - (4 - size % 4) % 4;
}

TEST(a_file_cut_off_anywhere_fails_at_its_last_record_only)
{
    struct script *script = small_script();

    for (size_t cut = 8; cut <= script->file.size; cut++) {
        struct mxio_reader *reader = open_bytes(script->file.at, cut);
        size_t expected = 0;
        while (expected < script->count && script->heads[expected] < cut)
            expected++;
        CHECK_INT(count_of(reader, &everything), expected);
        for (size_t i = 0; i < expected; i++)
            CHECK(payload_end(script, i) <= cut
                      ? holds(reader, i, script, i)
                      : fails(reader, i, 0, (int64_t)script->heads[i]));
        mxio_reader_free(reader);
    }
    script_free(script);
}

TEST(damage_at_the_end_of_a_file_does_not_reach_the_next)
{
    struct script *script = small_script();
    const size_t last = script->count - 1;
    const char *whole = temp_file(script->file.at, script->file.size);

    for (size_t cut = script->heads[last] + 1; cut < script->file.size - 3; cut++) {
        const char *part = temp_file(script->file.at, cut);
        struct mxio_reader *reader = open_paths((const char *[]){part, whole, part}, 3);
        unlink(part);
        temp_count--;
        CHECK_INT(count_of(reader, &everything), 3 * script->count);
        CHECK(fails(reader, last, 0, (int64_t)script->heads[last]));
        for (size_t i = 0; i < script->count; i++)
            CHECK(holds(reader, script->count + i, script, i));
        CHECK(fails(reader, 2 * script->count + last, 2, (int64_t)script->heads[last]));
        mxio_reader_free(reader);
    }
    script_free(script);
}

TEST(stray_bytes_at_the_end_are_one_record_that_fails)
{
    static const uint8_t zeros[1000];
    struct script *script = small_script();
    const size_t size = script->file.size;

    for (size_t more = 1; more < sizeof zeros; more += 111) {
        struct bytes copy = {.at = NULL};
        bytes_add(&copy, script->file.at, size);
        bytes_add(&copy, zeros, more);
        struct mxio_reader *reader = open_bytes(copy.at, copy.size);
        CHECK_INT(count_of(reader, &everything), script->count + 1);
        CHECK(holds(reader, script->count - 1, script, script->count - 1));
        CHECK(fails(reader, script->count, 0, (int64_t)size));
        mxio_reader_free(reader);
        free(copy.at);
    }
    script_free(script);
}

TEST(damage_far_from_the_next_head_is_passed_over)
{
    static const uint8_t zeros[200000];
    struct script *script = small_script();
    struct bytes file = {.at = NULL};
    bytes_add(&file, script->file.at, script->file.size);
    bytes_add(&file, zeros, sizeof zeros);
    bytes_add(&file, script->file.at, script->file.size);
    struct mxio_reader *reader = open_bytes(file.at, file.size);

    CHECK_INT(count_of(reader, &everything), 2 * script->count + 1);
    for (size_t i = 0; i < script->count; i++)
        CHECK(holds(reader, script->count + 1 + i, script, i));
    mxio_reader_free(reader);
    free(file.at);
    script_free(script);
}

TEST(parts_of_a_damaged_file_still_hold_every_record_once)
{
    struct script *script = small_script();
    struct bytes copy = bytes_copy(&script->file);
    copy.at[script->heads[1]] ^= 1;
    copy.at[script->heads[4]] ^= 1;

    for (uint64_t parts = 1; parts < 20; parts++)
        for (uint64_t part = 0; part < parts; part++) {
            struct mxio_reader *reader = open_bytes(copy.at, copy.size);
            CHECK(part_is_right(reader, script->heads, script->count, copy.size, parts,
                                part));
            mxio_reader_free(reader);
        }
    free(copy.at);
    script_free(script);
}

TEST(a_file_that_shrank_after_open_is_an_error_with_its_place)
{
    struct script *script = mixed_script();
    const char *path = temp_file(script->file.at, script->file.size);
    struct mxio_reader *reader = open_paths(&path, 1);
    struct mxio_error err = MXIO_NO_ERROR;
    uint64_t count;

    MUST(truncate(path, (off_t)script->heads[5]) == 0, "truncate");

    CHECK_INT(mxio_reader_count(reader, &everything, &count, &err), MXIO_EDATA);
    CHECK_INT(err.file, 0);
    CHECK(err.offset >= 0 && (uint64_t)err.offset <= script->heads[5]);
    CHECK(holds(reader, 0, script, 0));
    mxio_reader_free(reader);
    script_free(script);
}

/* ---- threads and faults ---- */

struct reading {
    const struct mxio_reader *reader;
    const struct script *script;
    const struct mxio_place *places;
    bool right;
};

static void *
read_all_over(void *arg)
{
    struct reading *reading = arg;
    const struct script *script = reading->script;
    struct mxio_buffer buffer = {.bytes = NULL};

    reading->right = true;
    for (size_t round = 0; round < 5 * script->count; round++) {
        struct mxio_error err = MXIO_NO_ERROR;
        const size_t i = round * 5 % script->count;
        const uint8_t *payload;
        size_t size;
        reading->right =
            reading->right &&
            mxio_reader_read(reading->reader, reading->places[i], &buffer, &payload,
                             &size, &err) == MXIO_OK &&
            size == script->payloads[i].size &&
            memcmp(payload, script->texts.at + script->payloads[i].start, size) == 0;
    }
    mxio_buffer_free(&buffer);
    return NULL;
}

TEST(any_number_of_threads_read_at_once)
{
    struct script *script = mixed_script();
    struct mxio_reader *reader = open_bytes(script->file.at, script->file.size);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_place places[64];
    struct reading readings[4];
    pthread_t threads[4];
    for (size_t i = 0; i < script->count; i++) {
        bool found;
        CHECK_OK(mxio_reader_locate(reader, &everything, i, &places[i], &found, &err),
                 err);
    }

    for (int i = 0; i < 4; i++) {
        readings[i] =
            (struct reading){.reader = reader, .script = script, .places = places};
        pthread_create(&threads[i], NULL, read_all_over, &readings[i]);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);

    for (int i = 0; i < 4; i++)
        CHECK(readings[i].right);
    mxio_reader_free(reader);
    script_free(script);
}

struct whole_use {
    const char *path;
    const struct script *script;
    bool indexed;
};

static enum mxio_status
open_count_and_read(void *context, struct mxio_error *err)
{
    const struct whole_use *use = context;
    const size_t last = use->script->count - 1;
    struct mxio_reader *reader = NULL;
    struct mxio_extent extent = everything;
    uint64_t count = 0;
    bool same = false;

    enum mxio_status status = mxio_reader_open(&reader, &use->path, 1, err);
    if (status != MXIO_OK)
        return reader == NULL ? status : MXIO_ESTATE;
    if (use->indexed)
        status =
            mxio_reader_use_index(reader, use->script->heads, use->script->count, err);
    if (status == MXIO_OK)
        status = mxio_reader_part(reader, 2, 1, &extent, err);
    if (status == MXIO_OK)
        status = mxio_reader_count(reader, &extent, &count, err);
    if (status == MXIO_OK)
        status = read_at(reader, last,
                         use->script->texts.at + use->script->payloads[last].start,
                         use->script->payloads[last].size, &same, err);
    mxio_reader_free(reader);
    return status == MXIO_OK && !same ? MXIO_ESTATE : status;
}

TEST(every_failing_allocation_is_survived)
{
    struct script *script = small_script();
    struct whole_use use = {.path = temp_file(script->file.at, script->file.size),
                            .script = script};

    CHECK(faults_met(open_count_and_read, &use) >= 5);
    use.indexed = true;
    CHECK(faults_met(open_count_and_read, &use) >= 5);
    script_free(script);
}

TEST(after_a_failed_allocation_the_walk_goes_on_where_it_was)
{
    struct script *script = small_script();
    struct mxio_reader *reader = open_bytes(script->file.at, script->file.size);

    for (uint64_t nth = 1; nth <= 2; nth++) {
        struct mxio_error err = MXIO_NO_ERROR;
        uint64_t count;
        mxio_alloc_fail_at(nth);
        CHECK_INT(mxio_reader_count(reader, &everything, &count, &err), MXIO_ENOMEM);
    }

    CHECK_INT(count_of(reader, &everything), script->count);
    for (size_t i = 0; i < script->count; i++)
        CHECK(holds(reader, i, script, i));
    mxio_reader_free(reader);
    script_free(script);
}

/* The ordinals of a part of the chosen records, by what reading them gives. */
static bool
part_is(struct mxio_reader *reader, uint64_t num_parts, uint64_t part_index,
        const struct script *script, const uint64_t *expected, uint64_t count)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_extent part;

    if (mxio_reader_part(reader, num_parts, part_index, &part, &err) != MXIO_OK ||
        count_of(reader, &part) != count)
        return false;
    for (uint64_t i = 0; i <= count; i++) {
        struct mxio_place place;
        bool found;
        if (mxio_reader_locate(reader, &part, i, &place, &found, &err) != MXIO_OK ||
            found != (i < count))
            return false;
        if (found && (place.offset != script->heads[expected[i]] ||
                      mxio_extent_ordinal(&part, i) != expected[i]))
            return false;
    }
    return true;
}

TEST(chosen_records_are_a_set_of_their_own_cut_into_parts_by_records)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct script *script = small_script(); /* 6 records */
    struct mxio_reader *reader = open_bytes(script->file.at, script->file.size);
    static const uint64_t chosen[] = {4, 0, 5, 2};
    const struct mxio_selection some = {.ordinals = chosen, .count = 4};
    const struct mxio_selection range = {.first = 2, .count = 3};
    static const uint64_t ranged[] = {2, 3, 4};

    CHECK_INT(script->count, 6);
    CHECK_OK(mxio_reader_select(reader, &some, &err), err);
    CHECK(part_is(reader, 1, 0, script, chosen, 4));
    CHECK(part_is(reader, 3, 0, script, chosen, 2));
    CHECK(part_is(reader, 3, 1, script, chosen + 2, 2));
    CHECK(part_is(reader, 3, 2, script, chosen, 0));
    CHECK_OK(mxio_reader_select(reader, &range, &err), err);
    CHECK(part_is(reader, 1, 0, script, ranged, 3));
    CHECK(part_is(reader, 2, 1, script, ranged + 2, 1));
    mxio_reader_free(reader);
    script_free(script);
}

TEST(chosen_records_are_hopped_to_and_no_further)
{
    struct mxio_error err = MXIO_NO_ERROR;
    struct script *script = small_script();
    struct mxio_reader *reader = open_bytes(script->file.at, script->file.size);
    const struct mxio_selection range = {.first = 1, .count = 1};
    struct mxio_extent part;
    size_t known;

    CHECK_OK(mxio_reader_select(reader, &range, &err), err);
    CHECK_OK(mxio_reader_part(reader, 1, 0, &part, &err), err);
    CHECK_INT(count_of(reader, &part), 1);
    mxio_reader_offsets(reader, &known);
    CHECK(known < script->count);
    CHECK_OK(mxio_reader_complete(reader, &err), err);
    mxio_reader_offsets(reader, &known);
    CHECK_INT(known, script->count);
    mxio_reader_free(reader);
    script_free(script);
}

TEST(a_chosen_record_that_there_is_not_is_refused)
{
    struct script *script = small_script();
    static const uint64_t behind[] = {0, 6};
    static const struct mxio_selection wrong[] = {{.ordinals = behind, .count = 2},
                                                  {.first = 6, .count = 1},
                                                  {.first = 5, .count = 2},
                                                  {.first = 5, .count = UINT64_MAX},
                                                  {.first = UINT64_MAX, .count = 3}};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_reader *reader = open_bytes(script->file.at, script->file.size);
        CHECK_INT(mxio_reader_select(reader, &wrong[i], &err), MXIO_EPARAM);
        CHECK_SAYS(err.message, "of 6 records");
        mxio_reader_free(reader);
    }
    script_free(script);
}

int
main(void)
{
    RUN(heads_are_found_and_records_read_in_order);
    RUN(records_can_be_read_in_any_order);
    RUN(a_run_gives_its_records_once_each_in_order);
    RUN(a_run_that_is_long_or_leads_into_another_file_is_empty);
    RUN(damage_in_a_run_is_named_by_its_place);
    RUN(thousands_of_small_records_are_found);
    RUN(heads_are_looked_for_only_as_far_as_asked);
    RUN(a_place_ends_where_the_next_record_starts);
    RUN(behind_the_last_record_there_is_none);
    RUN(files_follow_each_other_and_empty_ones_do_not_count);
    RUN(every_record_lies_in_one_part_by_bytes);
    RUN(parts_by_bytes_go_through_all_files);
    RUN(every_record_lies_in_one_part_by_index);
    RUN(an_index_in_any_order_gives_records_by_offset);
    RUN(an_index_may_leave_records_out);
    RUN(offsets_of_another_reader_are_used_where_they_are);
    RUN(lent_offsets_that_do_not_rise_or_lie_outside_are_refused);
    RUN(an_index_that_does_not_fit_is_refused);
    RUN(a_wrong_entry_amid_an_index_is_one_record_that_fails);
    RUN(what_is_no_record_file_is_refused_by_its_place_in_the_list);
    RUN(a_damaged_head_is_one_record_that_fails);
    RUN(a_length_beyond_the_file_is_one_record_that_fails);
    RUN(a_length_that_leads_astray_is_followed_by_one_record_that_fails);
    RUN(a_split_record_with_a_damaged_part_fails_once);
    RUN(parts_without_a_first_one_fail_once);
    RUN(a_file_cut_off_anywhere_fails_at_its_last_record_only);
    RUN(damage_at_the_end_of_a_file_does_not_reach_the_next);
    RUN(stray_bytes_at_the_end_are_one_record_that_fails);
    RUN(damage_far_from_the_next_head_is_passed_over);
    RUN(parts_of_a_damaged_file_still_hold_every_record_once);
    RUN(a_file_that_shrank_after_open_is_an_error_with_its_place);
    RUN(any_number_of_threads_read_at_once);
    RUN(every_failing_allocation_is_survived);
    RUN(after_a_failed_allocation_the_walk_goes_on_where_it_was);
    RUN(chosen_records_are_a_set_of_their_own_cut_into_parts_by_records);
    RUN(chosen_records_are_hopped_to_and_no_further);
    RUN(a_chosen_record_that_there_is_not_is_refused);
    return check_result();
}
