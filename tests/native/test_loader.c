#include "loader.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "faults.h"
#include "loading.h"

#define COUNT 30

/* ---- what is loaded, and how ---- */

struct setting {
    const char *path;
    size_t threads;
    int64_t batch, depth, on_error;
    bool running; /* the order of mx.io */
    bool shuffle, augmented;
    int64_t last_batch, max_errors;     /* max_errors 0: the default */
    int64_t world, rank;                /* world 0: none */
    uint64_t epoch, carry, first, step; /* step 0: 1 */
    bool reject;                        /* foreign pictures, instead of decoding them */
};

static void
fill_params(struct mxio_params *params, const struct setting *setting)
{
    params->prefetch_buffer = setting->depth > 0 ? setting->depth : 2;
    params->on_error = setting->on_error;
    params->shuffle = setting->shuffle;
    params->last_batch = setting->last_batch;
    params->rand_crop = params->rand_mirror = setting->augmented;
    params->seed = 3;
    if (setting->max_errors > 0)
        params->max_errors = setting->max_errors;
    if (setting->world > 0) {
        params->world_size = setting->world;
        params->rank = setting->rank;
    }
}

static struct mxio_params
params_of(const struct setting *setting)
{
    struct mxio_params params = params_for_loading(setting->batch);

    fill_params(&params, setting);
    return params;
}

static struct mxio_loader_inputs
inputs_of(const struct setting *setting, struct mxio_params *params)
{
    return (struct mxio_loader_inputs){.params = params,
                                       .paths = &setting->path,
                                       .path_count = 1,
                                       .thread_count =
                                           setting->threads > 0 ? setting->threads : 1,
                                       .running = setting->running};
}

static struct mxio_loader *
loader_of(const struct setting *setting)
{
    struct mxio_params params = params_of(setting);
    const struct mxio_loader_inputs inputs = inputs_of(setting, &params);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_loader *loader = NULL;
    enum mxio_input about;

    MUST(mxio_loader_new(&loader, &inputs, &about, &err) == MXIO_OK, err.message);
    return loader;
}

static enum mxio_status
start(struct mxio_loader *loader, const struct setting *setting, struct mxio_error *err)
{
    return mxio_loader_start(loader, setting->epoch, setting->carry, setting->first,
                             setting->step > 0 ? setting->step : 1, err);
}

/* The next batch, however long it takes. */
static enum mxio_status
next(struct mxio_loader *loader, enum mxio_wait *wait, struct mxio_delivery *out,
     struct mxio_error *err)
{
    enum mxio_status status;

    *err = MXIO_NO_ERROR;
    do
        status = mxio_loader_next(loader, 100, wait, out, err);
    while (status == MXIO_OK && *wait == MXIO_NOT_YET);
    return status;
}

/* ---- an epoch as the receiver sees it ---- */

#define MOST 64

struct batch {
    size_t rows, pad;
    uint64_t ids[MOST];
    float labels[MOST];
    uint8_t data[MOST * 8 * 8 * 3];
    enum mxio_status status; /* else why there is no batch */
    int64_t record;          /* where it failed */
    char message[200];
};

struct epoch {
    struct batch batches[MOST];
    size_t count;
    uint64_t carry;
    int64_t bad[MOST]; /* errors, by record */
    size_t bad_count;
};

/* Decode a foreign row as its number says, or reject it. */
static enum mxio_status
answer_foreign(struct mxio_loader *loader, const struct setting *setting,
               const struct mxio_delivery *delivery, bool *redo, struct mxio_error *err)
{
    const uint8_t *bytes;
    size_t size;

    *redo = false;
    enum mxio_status status = mxio_loader_foreign(loader, &bytes, &size, err);
    if (status != MXIO_OK)
        return status;
    if (size != 3 || memcmp(bytes, "BM", 2) != 0)
        return mxio_fail(err, MXIO_ESTATE, "not the picture of the row");
    if (setting->reject) {
        mxio_fail(err, MXIO_EDATA, "cannot be decoded");
        return mxio_loader_reject(loader, delivery, redo, err);
    }
    struct bytes jpeg = picture_of(bytes[2], 12, 10);
    struct decoded pixels = decode_fully(&jpeg, 3);
    const struct mxio_view view = {.bytes = pixels.pixels,
                                   .stride = 36,
                                   .width = 12,
                                   .height = 10,
                                   .channels = 3,
                                   .held = {0, 0, 12, 10}};
    status = mxio_loader_finish(loader, delivery, &view, err);
    free(pixels.pixels);
    free(jpeg.at);
    return status;
}

static void
keep_batch(struct batch *out, const struct mxio_delivery *from, int64_t batch_size)
{
    const uint8_t *bytes = from->block->bytes;
    const size_t rows = (size_t)batch_size;

    out->rows = from->rows;
    out->pad = from->pad;
    memcpy(out->data, bytes, rows * 8 * 8 * 3);
    memcpy(out->labels, bytes + from->label_offset, rows * sizeof(float));
    memcpy(out->ids, bytes + from->id_offset, rows * sizeof(uint64_t));
}

static void
keep_failure(struct batch *out, const struct mxio_error *err)
{
    out->status = err->status;
    out->record = err->record;
    snprintf(out->message, sizeof out->message, "%.199s", err->message);
}

/* One batch with all its foreign rows; false at the end. */
static bool
load_batch(struct mxio_loader *loader, const struct setting *setting, struct batch *out)
{
    struct mxio_delivery delivery;
    struct mxio_error err = MXIO_NO_ERROR;
    enum mxio_wait wait;
    bool redo = false;

    do {
        enum mxio_status status = next(loader, &wait, &delivery, &err);
        if (status != MXIO_OK) {
            keep_failure(out, &err);
            return true;
        }
        if (wait != MXIO_GIVEN)
            return false;
        for (redo = false;
             status == MXIO_OK && !redo && mxio_loader_has_foreign(loader);)
            status = answer_foreign(loader, setting, &delivery, &redo, &err);
        if (status != MXIO_OK)
            keep_failure(out, &err);
        else if (!redo)
            keep_batch(out, &delivery, setting->batch);
        mxio_block_release(delivery.block);
    } while (redo);
    return true;
}

static uint64_t
carry_of(const struct mxio_loader *loader)
{
    uint64_t used, carry;

    mxio_loader_progress(loader, &used, &carry);
    return carry;
}

static struct epoch *
load_on(struct mxio_loader *loader, const struct setting *setting)
{
    struct epoch *out = calloc(1, sizeof *out);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_error *bad = NULL;
    MUST(out != NULL, "calloc");

    MUST(start(loader, setting, &err) == MXIO_OK, err.message);
    while (out->count < MOST - 1 &&
           load_batch(loader, setting, &out->batches[out->count]))
        out->count++;
    out->carry = carry_of(loader);
    MUST(mxio_loader_errors(loader, &bad, &out->bad_count, &err) == MXIO_OK,
         err.message);
    for (size_t i = 0; i < out->bad_count && i < MOST; i++)
        out->bad[i] = bad[i].record;
    mxio_free(bad);
    return out;
}

static struct epoch *
load(const struct setting *setting)
{
    struct mxio_loader *loader = loader_of(setting);
    struct epoch *out = load_on(loader, setting);

    mxio_loader_free(loader);
    return out;
}

/* All their bytes: they are made of zeros, so the gaps are equal, too. */
static bool
same_bytes(const void *one, const void *other, size_t size)
{
    return memcmp(one, other, size) == 0;
}

static bool
same_epoch(const struct epoch *one, const struct epoch *other)
{
    return same_bytes(one, other, sizeof *one);
}

/* True when the rows of the epoch are these records, batch by batch, without errors. */
static bool
has_records(const struct epoch *epoch, const struct setting *setting,
            const uint64_t *records, size_t count)
{
    const size_t size = (size_t)setting->batch;
    bool right = epoch->count == (count + size - 1) / size;

    for (size_t i = 0; i < count && right; i++) {
        const struct batch *batch = &epoch->batches[i / size];
        right = batch->status == MXIO_OK && i % size < batch->rows &&
                batch->ids[i % size] == id_of(records[i]) &&
                batch->labels[i % size] == label_of(records[i]);
    }
    return right;
}

static const char *
file_with(const enum fate *fates, uint64_t count)
{
    struct bytes file = records_with(count, fates);

    return temp_file_of(&file);
}

/* ---- what comes out ---- */

TEST(rows_are_the_records_in_order_cut_in_the_middle)
{
    const struct setting setting = {.path = file_with(NULL, COUNT),
                                    .threads = 2,
                                    .batch = 8};
    struct epoch *epoch = load(&setting);
    uint64_t records[COUNT];
    for (uint64_t i = 0; i < COUNT; i++)
        records[i] = i;

    CHECK(has_records(epoch, &setting, records, 24));
    for (uint64_t i = 0; i < 24; i++) {
        struct bytes jpeg = picture_of(i, 12, 10);
        struct decoded right = decode_fully(&jpeg, 3);
        for (int y = 0; y < 8; y++)
            CHECK_BYTES(epoch->batches[i / 8].data + (i % 8 * 64 + (size_t)y * 8) * 3,
                        right.pixels + ((y + 1) * 12 + 2) * 3, 24);
        free(right.pixels);
        free(jpeg.at);
    }
    free(epoch);
}

TEST(round_batch_wraps_and_the_next_epoch_starts_behind)
{
    static const uint64_t first[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1};
    static const uint64_t second[] = {2, 3, 4, 5, 6, 7, 8, 9};
    struct setting setting = {.path = file_with(NULL, 10),
                              .threads = 2,
                              .batch = 4,
                              .running = true};
    struct mxio_loader *loader = loader_of(&setting);

    struct epoch *epoch = load_on(loader, &setting);
    CHECK(has_records(epoch, &setting, first, 12));
    CHECK_INT(epoch->batches[1].pad, 0);
    CHECK_INT(epoch->batches[2].pad, 2);
    CHECK_INT(epoch->carry, 2);
    setting.epoch = 1;
    setting.carry = epoch->carry;
    free(epoch);
    epoch = load_on(loader, &setting);
    CHECK(has_records(epoch, &setting, second, 8));
    CHECK_INT(epoch->batches[1].pad, 0);
    CHECK_INT(epoch->carry, 0);
    free(epoch);
    mxio_loader_free(loader);
}

/* Wrapped rows are augmented under the key of the epoch that they belong to. */
TEST(a_wrapped_row_is_the_row_of_the_next_epoch)
{
    struct setting setting = {.path = file_with(NULL, 10),
                              .batch = 4,
                              .running = true,
                              .shuffle = true,
                              .augmented = true};
    struct epoch *first = load(&setting);
    setting.epoch = 1;
    struct epoch *second = load(&setting);

    CHECK_INT(first->batches[2].pad, 2);
    for (size_t row = 0; row < 2; row++) {
        CHECK_INT(first->batches[2].ids[2 + row], second->batches[0].ids[row]);
        CHECK_BYTES(first->batches[2].data + (2 + row) * 192,
                    second->batches[0].data + row * 192, 192);
    }
    free(first);
    free(second);
}

TEST(rows_without_a_record_are_zeros)
{
    static const uint8_t zeros[2 * 8 * 8 * 3];
    struct setting setting = {.path = file_with(NULL, 10),
                              .batch = 4,
                              .threads = 3,
                              .last_batch = MXIO_LAST_PARTIAL};
    struct mxio_loader *loader = loader_of(&setting);

    for (setting.epoch = 0; setting.epoch < 3;
         setting.epoch++) { /* blocks come again */
        struct epoch *epoch = load_on(loader, &setting);
        const struct batch *last = &epoch->batches[2];
        CHECK_INT(epoch->count, 3);
        CHECK_INT(last->rows, 2);
        CHECK_INT(last->pad, 2);
        CHECK_BYTES(last->data + 2 * 192, zeros, sizeof zeros);
        CHECK_BYTES(last->labels + 2, zeros, 2 * sizeof(float));
        CHECK_BYTES(last->ids + 2, zeros, 2 * sizeof(uint64_t));
        free(epoch);
    }
    mxio_loader_free(loader);
}

TEST(the_last_batch_is_dropped_or_filled_as_asked)
{
    static const uint64_t padded[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1};
    struct setting setting = {.path = file_with(NULL, 10), .batch = 4};

    setting.last_batch = MXIO_LAST_DROP;
    struct epoch *dropped = load(&setting);
    CHECK(has_records(dropped, &setting, padded, 8));
    setting.last_batch = MXIO_LAST_PAD;
    struct epoch *filled = load(&setting);
    CHECK(has_records(filled, &setting, padded, 12));
    CHECK_INT(filled->batches[2].pad, 2);
    free(dropped);
    free(filled);
}

TEST(ranks_share_an_epoch_of_whole_batches)
{
    bool seen[COUNT] = {false};
    struct setting setting = {.path = file_with(NULL, COUNT),
                              .batch = 4,
                              .threads = 2,
                              .world = 2,
                              .shuffle = true,
                              .last_batch = MXIO_LAST_PARTIAL};

    for (setting.rank = 0; setting.rank < 2; setting.rank++) {
        struct epoch *epoch = load(&setting);
        CHECK_INT(epoch->count, 4);
        for (size_t i = 0; i < epoch->count; i++)
            for (size_t row = 0; row < epoch->batches[i].rows; row++) {
                const uint64_t record = (epoch->batches[i].ids[row] - 1000) / 7;
                CHECK(record < COUNT && !seen[record]);
                seen[record] = true;
            }
        free(epoch);
    }
    for (int i = 0; i < COUNT; i++)
        CHECK(seen[i]);
}

/* ---- the same bytes whatever the threads ---- */

static const enum fate *
some_bad(int pattern)
{
    static enum fate fates[4][COUNT];

    for (int i = 0; i < COUNT; i++) {
        fates[0][i] = GOOD;
        fates[1][i] = i % 7 == 3 ? CUT_OFF : GOOD;
        fates[2][i] = i < 3 || i > COUNT - 3 || i == 15 ? NO_PICTURE : GOOD;
        fates[3][i] = i % 3 == 0 ? CUT_OFF : i % 3 == 1 ? FOREIGN : GOOD;
    }
    return fates[pattern];
}

static bool
threads_agree(struct setting setting)
{
    static const size_t threads[] = {1, 2, 7};
    static const int64_t depths[] = {1, 2, 8};
    setting.threads = 1;
    setting.depth = 1;
    struct epoch *expected = load(&setting);
    bool same = expected->count > 0;

    for (int i = 0; i < 9 && same; i++) {
        setting.threads = threads[i % 3];
        setting.depth = depths[i / 3];
        struct epoch *epoch = load(&setting);
        same = same_epoch(epoch, expected);
        free(epoch);
    }
    free(expected);
    return same || check_failed(__FILE__, __LINE__,
                                "threads %zu, depth %lld, on_error %lld, running %d, "
                                "shuffle %d, reject %d",
                                setting.threads, (long long)setting.depth,
                                (long long)setting.on_error, setting.running,
                                setting.shuffle, setting.reject);
}

TEST(threads_and_depth_change_not_a_byte)
{
    for (int pattern = 0; pattern < 4; pattern++) {
        const char *path = file_with(some_bad(pattern), COUNT);
        for (int i = 0; i < 3 * 2 * 2; i++) {
            struct setting setting = {.path = path,
                                      .batch = i % 4 == 0 ? 7 : 4,
                                      .on_error = i % 3,
                                      .running = i / 3 % 2 != 0,
                                      .shuffle = i / 6 != 0,
                                      .augmented = true,
                                      .last_batch = i % 3};
            CHECK(threads_agree(setting));
            setting.reject = true;
            CHECK(pattern < 3 || threads_agree(setting));
        }
    }
}

TEST(a_hundred_runs_with_bad_records_give_the_same)
{
    const char *path = file_with(some_bad(1), COUNT);

    for (int64_t on_error = MXIO_RAISE; on_error <= MXIO_REPLACE; on_error++) {
        const struct setting setting = {.path = path,
                                        .batch = 4,
                                        .threads = 7,
                                        .depth = 3,
                                        .on_error = on_error,
                                        .running = true};
        struct epoch *expected = load(&setting);
        for (int run = 0; run < 100; run++) {
            struct epoch *epoch = load(&setting);
            CHECK(same_epoch(epoch, expected));
            free(epoch);
        }
        free(expected);
    }
}

TEST(seeds_and_epochs_change_the_bytes)
{
    struct setting setting = {.path = file_with(NULL, COUNT),
                              .batch = 5,
                              .threads = 2,
                              .augmented = true};
    struct epoch *first = load(&setting), *again = load(&setting);
    setting.epoch = 1;
    struct epoch *second = load(&setting);

    CHECK(same_epoch(first, again));
    CHECK(!same_epoch(first, second));
    CHECK_BYTES(first->batches[0].ids, second->batches[0].ids, 5 * sizeof(uint64_t));
    free(first);
    free(again);
    free(second);
}

/* ---- bad records ---- */

TEST(raise_names_the_record_and_goes_on)
{
    const struct setting setting = {.path = file_with(some_bad(1), COUNT),
                                    .batch = 5,
                                    .threads = 3,
                                    .on_error = MXIO_RAISE};
    struct epoch *epoch = load(&setting); /* 3, 10, 17, 24 are bad */

    CHECK_INT(epoch->count, 6);
    for (size_t i = 0; i < 6; i++) {
        const bool bad = i == 0 || i == 2 || i == 3 || i == 4;
        CHECK_INT(epoch->batches[i].status, bad ? MXIO_EDATA : MXIO_OK);
        if (!bad)
            CHECK_INT(epoch->batches[i].ids[0], id_of(5 * i));
    }
    CHECK_INT(epoch->batches[0].record, 3);
    CHECK_INT(epoch->batches[2].record, 10);
    CHECK_INT(epoch->bad_count, 0); /* nothing was left out in silence */
    free(epoch);
}

TEST(skip_leaves_out_and_fills_from_what_follows)
{
    static const uint64_t good[] = {0,  1,  2,  4,  5,  6,  7,  8,  9,  11, 12, 13, 14,
                                    15, 16, 18, 19, 20, 21, 22, 23, 25, 26, 27, 28, 29};
    const struct setting setting = {.path = file_with(some_bad(1), COUNT),
                                    .batch = 5,
                                    .threads = 3,
                                    .on_error = MXIO_SKIP,
                                    .last_batch = MXIO_LAST_PARTIAL};
    struct epoch *epoch = load(&setting);

    CHECK(has_records(epoch, &setting, good, 26));
    CHECK_INT(epoch->batches[5].rows, 1);
    CHECK_INT(epoch->batches[5].pad, 4);
    CHECK_INT(epoch->bad_count, 4);
    for (int i = 0; i < 4; i++)
        CHECK_INT(epoch->bad[i], 3 + 7 * i);
    free(epoch);
}

TEST(replace_takes_the_next_good_record)
{
    uint64_t records[COUNT];
    const struct setting setting = {.path = file_with(some_bad(2), COUNT),
                                    .batch = 5,
                                    .threads = 3,
                                    .on_error = MXIO_REPLACE};
    for (uint64_t i = 0; i < COUNT; i++) /* 0, 1, 2, 15, 28, 29 are bad */
        records[i] = i < 3 || i > 27 ? 3 : i == 15 ? 16 : i;

    struct epoch *epoch = load(&setting);

    CHECK(has_records(epoch, &setting, records, COUNT));
    CHECK_INT(epoch->bad_count, 6);
    free(epoch);
}

/* Six records and none of them good, in batches of four. */
static struct epoch *
load_bad_ones(int64_t on_error, bool running)
{
    static const enum fate fates[6] = {CUT_OFF, CUT_OFF, CUT_OFF,
                                       CUT_OFF, CUT_OFF, CUT_OFF};
    const struct setting setting = {.path = file_with(fates, 6),
                                    .batch = 4,
                                    .threads = 3,
                                    .on_error = on_error,
                                    .running = running,
                                    .last_batch = MXIO_LAST_PAD};

    return load(&setting);
}

TEST(every_batch_of_bad_records_is_an_error)
{
    for (int running = 0; running < 2; running++) {
        struct epoch *raised = load_bad_ones(MXIO_RAISE, running != 0);
        struct epoch *replaced = load_bad_ones(MXIO_REPLACE, running != 0);
        CHECK_INT(raised->count, 2);
        CHECK_INT(replaced->count, 2);
        for (int i = 0; i < 2; i++) {
            CHECK_INT(raised->batches[i].status, MXIO_EDATA);
            CHECK_INT(raised->batches[i].record, 4 * i);
            CHECK_SAYS(replaced->batches[i].message,
                       "no good record to take its place");
        }
        free(raised);
        free(replaced);
    }
}

TEST(an_epoch_of_nothing_but_skipped_records_is_an_error)
{
    for (int running = 0; running < 2; running++) {
        struct epoch *epoch = load_bad_ones(MXIO_SKIP, running != 0);
        CHECK_INT(epoch->count, 1);
        CHECK_INT(epoch->batches[0].status, MXIO_EDATA);
        CHECK_SAYS(epoch->batches[0].message, "all 6 records are bad; the last: ");
        CHECK_INT(epoch->batches[0].record, 5);
        CHECK_INT(epoch->bad_count, 6);
        free(epoch);
    }
}

TEST(max_errors_bounds_what_is_put_up_with)
{
    const char *path = file_with(some_bad(1), COUNT); /* four bad ones */

    for (int64_t on_error = MXIO_SKIP; on_error <= MXIO_REPLACE; on_error++)
        for (int64_t most = 3; most <= 4; most++) {
            const struct setting setting = {.path = path,
                                            .batch = 5,
                                            .on_error = on_error,
                                            .max_errors = most};
            struct epoch *epoch = load(&setting);
            size_t failed = 0;
            for (size_t i = 0; i < epoch->count; i++)
                if (epoch->batches[i].status != MXIO_OK) {
                    CHECK_SAYS(epoch->batches[i].message, "more than max_errors=3");
                    failed++;
                }
            CHECK_INT(failed, most == 3);
            CHECK_INT(epoch->bad_count, most);
            free(epoch);
        }
}

/* ---- foreign pictures ---- */

TEST(foreign_pictures_that_the_caller_decodes_are_as_good)
{
    enum fate fates[COUNT];
    for (int i = 0; i < COUNT; i++)
        fates[i] = i % 4 == 1 || i == 0 ? FOREIGN : GOOD;
    struct setting foreign = {.path = file_with(fates, COUNT),
                              .batch = 4,
                              .threads = 3,
                              .augmented = true,
                              .shuffle = true};
    struct setting plain = foreign;
    plain.path = file_with(NULL, COUNT);

    for (foreign.on_error = MXIO_RAISE; foreign.on_error <= MXIO_REPLACE;
         foreign.on_error++) {
        struct epoch *one = load(&foreign), *other = load(&plain);
        CHECK(one->count == 7 && same_epoch(one, other));
        free(one);
        free(other);
    }
}

TEST(foreign_pictures_that_the_caller_rejects_are_bad_records)
{
    enum fate fates[COUNT];
    for (int i = 0; i < COUNT; i++)
        fates[i] = i % 5 == 1 || i == 2 || i == 29 ? FOREIGN : GOOD;
    struct setting rejected = {.path = file_with(fates, COUNT),
                               .batch = 4,
                               .threads = 3,
                               .augmented = true,
                               .last_batch = MXIO_LAST_PARTIAL,
                               .reject = true};
    for (int i = 0; i < COUNT; i++)
        fates[i] = fates[i] == FOREIGN ? NO_PICTURE : GOOD;
    struct setting damaged = rejected;
    damaged.path = file_with(fates, COUNT);

    for (int i = 0; i < 3 * 2; i++) {
        rejected.on_error = damaged.on_error = i % 3;
        rejected.running = damaged.running = i >= 3;
        struct epoch *one = load(&rejected), *other = load(&damaged);
        for (size_t k = 0; k < MOST; k++) {
            memset(one->batches[k].message, 0, sizeof one->batches[k].message);
            memset(other->batches[k].message, 0, sizeof other->batches[k].message);
        }
        CHECK(same_epoch(one, other));
        free(one);
        free(other);
    }
}

/* With on_error="skip" the record was left out. */
TEST(a_foreign_picture_that_memory_does_not_suffice_for_is_no_bad_record)
{
    const enum fate fates[4] = {FOREIGN, GOOD, GOOD, GOOD};
    struct setting setting = {.path = file_with(fates, 4), .batch = 2};

    for (setting.on_error = MXIO_RAISE; setting.on_error <= MXIO_REPLACE;
         setting.on_error++) {
        struct mxio_loader *loader = loader_of(&setting);
        struct mxio_error err = MXIO_NO_ERROR, *bad = NULL;
        struct mxio_delivery delivery;
        enum mxio_wait wait;
        size_t count = 91;
        bool redo;
        CHECK_OK(start(loader, &setting, &err), err);
        CHECK_OK(next(loader, &wait, &delivery, &err), err);

        mxio_fail(&err, MXIO_ENOMEM, "no memory");
        CHECK_INT(mxio_loader_reject(loader, &delivery, &redo, &err), MXIO_ENOMEM);

        CHECK(!redo);
        CHECK_OK(mxio_loader_errors(loader, &bad, &count, &err), err);
        CHECK_INT(count, 0);
        mxio_free(bad);
        mxio_block_release(delivery.block);
        mxio_loader_free(loader);
    }
}

TEST(without_a_foreign_row_there_is_nothing_to_answer)
{
    const struct setting setting = {.path = file_with(NULL, 4), .batch = 2};
    struct mxio_loader *loader = loader_of(&setting);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_delivery delivery;
    enum mxio_wait wait;
    const uint8_t *bytes;
    size_t size;
    bool redo;
    CHECK_OK(start(loader, &setting, &err), err);
    CHECK_OK(next(loader, &wait, &delivery, &err), err);

    CHECK_INT(delivery.foreign_count, 0);
    CHECK(!mxio_loader_has_foreign(loader));
    CHECK_INT(mxio_loader_foreign(loader, &bytes, &size, &err), MXIO_ESTATE);
    CHECK_INT(mxio_loader_finish(loader, &delivery, NULL, &err), MXIO_ESTATE);
    CHECK_INT(mxio_loader_reject(loader, &delivery, &redo, &err), MXIO_ESTATE);
    mxio_block_release(delivery.block);
    mxio_loader_free(loader);
}

/* ---- starting anywhere ---- */

TEST(an_epoch_is_entered_at_any_batch_and_shared_among_workers)
{
    struct setting setting = {.path = file_with(NULL, COUNT),
                              .batch = 4,
                              .threads = 2,
                              .shuffle = true,
                              .augmented = true,
                              .last_batch = MXIO_LAST_PARTIAL};
    struct epoch *whole = load(&setting);
    CHECK_INT(whole->count, 8);

    for (uint64_t step = 1; step < 4; step++)
        for (uint64_t first = 0; first < 9; first += 1 + (step == 1)) {
            setting.step = step;
            setting.first = first;
            struct epoch *part = load(&setting);
            for (size_t i = 0; i < part->count; i++)
                CHECK(same_bytes(&part->batches[i], &whole->batches[first + i * step],
                                 sizeof part->batches[i]));
            CHECK(first + part->count * step >= 8);
            free(part);
        }
    free(whole);
}

TEST(a_new_start_in_mid_epoch_forgets_the_old_one)
{
    struct setting setting = {.path = file_with(some_bad(1), COUNT),
                              .batch = 4,
                              .threads = 3,
                              .on_error = MXIO_SKIP,
                              .augmented = true};
    struct mxio_loader *loader = loader_of(&setting);
    struct epoch *expected = load(&setting);

    for (uint64_t taken = 0; taken < 5; taken++) {
        struct mxio_error err = MXIO_NO_ERROR;
        static struct batch batch;
        CHECK_OK(mxio_loader_start(loader, 9, 0, 0, 1, &err), err);
        for (uint64_t i = 0; i < taken; i++)
            CHECK(load_batch(loader, &setting, &batch));
        struct epoch *epoch = load_on(loader, &setting);
        CHECK(same_epoch(epoch, expected));
        free(epoch);
    }
    mxio_loader_free(loader);
    free(expected);
}

/* ---- questions ---- */

TEST(counts_batches_and_offsets_are_known)
{
    const struct setting setting = {.path = file_with(NULL, 10),
                                    .batch = 4,
                                    .running = true,
                                    .last_batch = MXIO_LAST_PARTIAL};
    struct mxio_loader *loader = loader_of(&setting);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_block *offsets;
    uint64_t count, first;

    CHECK_OK(mxio_loader_count(loader, &count, &err), err);
    CHECK_INT(count, 10);
    CHECK_INT(mxio_loader_batches(loader, count, 0, 1), 3);
    CHECK_INT(mxio_loader_batches(loader, count, 1, 2), 1);
    CHECK_OK(mxio_loader_offsets(loader, &offsets, &err), err);
    CHECK_INT(offsets->size, 80);
    memcpy(&first, offsets->bytes, sizeof first);
    CHECK_INT(first, 0);
    mxio_loader_free(loader);
    mxio_block_release(offsets);
}

/* They were learned while workers read them without a lock. */
TEST(offsets_are_told_before_the_first_batch_only)
{
    const struct setting setting = {.path = file_with(NULL, 10),
                                    .batch = 4,
                                    .last_batch = MXIO_LAST_PARTIAL};
    struct mxio_loader *loader = loader_of(&setting);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_block *offsets;
    static struct batch batch;

    CHECK_OK(start(loader, &setting, &err), err);
    CHECK(load_batch(loader, &setting, &batch));

    CHECK_INT(mxio_loader_offsets(loader, &offsets, &err), MXIO_ESTATE);
    CHECK_SAYS(err.message, "before the first batch");
    mxio_loader_free(loader);
}

TEST(an_index_and_a_list_are_used)
{
    struct bytes file = records_with(3, NULL);
    const char *path = temp_file(file.at, file.size);
    struct setting setting = {.path = path,
                              .batch = 1,
                              .last_batch = MXIO_LAST_PARTIAL};
    struct mxio_params params = params_of(&setting);
    struct mxio_loader_inputs inputs = inputs_of(&setting, &params);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_loader *loader;
    enum mxio_input about;
    char index[100], list[100];
    size_t second = 8 + (file.at[4] | (size_t)file.at[5] << 8);
    second += (4 - second % 4) % 4;
    inputs.index_text = index;
    inputs.index_size = (size_t)snprintf(index, sizeof index, "8\t%zu\n5\t0\n", second);
    inputs.list_text = list;
    inputs.list_size = (size_t)snprintf(list, sizeof list, "%d 7\n%d 8\n",
                                        (int)id_of(0), (int)id_of(1));

    CHECK_OK(mxio_loader_new(&loader, &inputs, &about, &err), err);
    struct epoch *epoch = load_on(loader, &setting);

    CHECK_INT(epoch->count, 2);
    CHECK_INT(epoch->batches[0].ids[0], id_of(0));
    CHECK_NEAR(epoch->batches[0].labels[0], 7, 0);
    CHECK_NEAR(epoch->batches[1].labels[0], 8, 0);
    mxio_loader_free(loader);
    free(epoch);
    free(file.at);
}

TEST(what_is_wrong_with_the_inputs_is_said_of_the_right_one)
{
    static const struct {
        const char *index, *list;
        enum mxio_input about;
    } cases[] = {{"1\t4\n", NULL, MXIO_INPUT_INDEX},
                 {"x", NULL, MXIO_INPUT_INDEX},
                 {NULL, "1\n", MXIO_INPUT_LIST},
                 {"0\t0\n", "x 1\n", MXIO_INPUT_LIST}};
    const char *path = file_with(NULL, 3);

    for (int i = 0; i < 5; i++) {
        const struct setting setting = {.path = i < 4 ? path : temp_file("no", 2),
                                        .batch = 2};
        struct mxio_params params = params_of(&setting);
        struct mxio_loader_inputs inputs = inputs_of(&setting, &params);
        struct mxio_error err = MXIO_NO_ERROR;
        struct mxio_loader *loader = NULL;
        enum mxio_input about = MXIO_INPUT_LIST;
        if (i < 4) {
            inputs.index_text = cases[i].index;
            inputs.index_size = cases[i].index ? strlen(cases[i].index) : 0;
            inputs.list_text = cases[i].list;
            inputs.list_size = cases[i].list ? strlen(cases[i].list) : 0;
        }
        CHECK_INT(mxio_loader_new(&loader, &inputs, &about, &err), MXIO_EDATA);
        CHECK_INT(about, i < 4 ? cases[i].about : MXIO_INPUT_DATA);
        CHECK(loader == NULL);
    }
}

TEST(a_batch_beyond_two_epochs_is_refused)
{
    const struct setting setting = {.path = file_with(NULL, 3),
                                    .batch = 7,
                                    .running = true,
                                    .threads = 2};
    struct epoch *epoch = load(&setting);

    CHECK_INT(epoch->count, 1);
    CHECK_INT(epoch->batches[0].status, MXIO_EPARAM);
    CHECK_SAYS(epoch->batches[0].message, "batch_size=7");
    free(epoch);
}

/* ---- life ---- */

/* Threads of this process and its open files; -1 where the system does not say. */
static int
entries_in(const char *folder)
{
    DIR *list = opendir(folder);
    int count = 0;

    if (list == NULL)
        return -1;
    while (readdir(list) != NULL)
        count++;
    closedir(list);
    return count;
}

/* The threads of this process. The system lists one that was joined for a moment more:
 * wait for the expected number, up to five seconds. */
static int
threads_once(int expected)
{
    int count = entries_in("/proc/self/task");

    for (int i = 0; i < 5000 && count != expected; i++) {
        usleep(1000);
        count = entries_in("/proc/self/task");
    }
    return count;
}

/* Those that stay, as one that was joined goes soon. */
static int
threads_at_rest(void)
{
    int least = entries_in("/proc/self/task");

    for (int i = 0; i < 50; i++) {
        usleep(1000);
        const int count = entries_in("/proc/self/task");
        least = count < least ? count : least;
    }
    return least;
}

TEST(threads_start_with_the_first_batch_and_go_with_the_loader)
{
    const struct setting setting = {.path = file_with(NULL, COUNT),
                                    .batch = 4,
                                    .threads = 3};
    const int before = threads_at_rest();
    struct mxio_loader *loader = loader_of(&setting);
    struct mxio_error err = MXIO_NO_ERROR;
    static struct batch batch;
    CHECK_OK(start(loader, &setting, &err), err);
    CHECK_INT(entries_in("/proc/self/task"), before);

    CHECK(load_batch(loader, &setting, &batch));
    CHECK(before < 0 || entries_in("/proc/self/task") == before + 3);
    mxio_loader_close(loader);

    CHECK_INT(threads_once(before), before);
    mxio_loader_free(loader);
}

TEST(a_closed_loader_says_so_and_closes_again)
{
    const struct setting setting = {.path = file_with(NULL, COUNT),
                                    .batch = 4,
                                    .threads = 3};

    for (int first = 0; first < 2; first++) {
        struct mxio_loader *loader = loader_of(&setting);
        struct mxio_delivery delivery;
        struct mxio_error err = MXIO_NO_ERROR;
        enum mxio_wait wait;
        static struct batch batch;
        CHECK_OK(start(loader, &setting, &err), err);
        if (first == 1)
            CHECK(load_batch(loader, &setting, &batch));
        mxio_loader_close(loader);
        mxio_loader_close(loader);
        CHECK_INT(next(loader, &wait, &delivery, &err), MXIO_ESTATE);
        CHECK_SAYS(err.message, "closed");
        mxio_loader_free(loader);
    }
    mxio_loader_free(NULL);
}

TEST(many_loaders_made_and_dropped_leave_nothing_behind)
{
    const struct setting setting = {.path = file_with(NULL, COUNT),
                                    .batch = 4,
                                    .threads = 4,
                                    .depth = 3};
    const int threads = threads_at_rest();
    const int files = entries_in("/proc/self/fd");

    for (int i = 0; i < 200; i++) {
        struct mxio_loader *loader = loader_of(&setting);
        struct mxio_error err = MXIO_NO_ERROR;
        static struct batch batch;
        if (i % 4 > 0)
            CHECK_OK(start(loader, &setting, &err), err);
        for (int k = 1; k < i % 4; k++)
            CHECK(load_batch(loader, &setting, &batch));
        mxio_loader_free(loader);
    }

    CHECK_INT(threads_once(threads), threads);
    CHECK_INT(entries_in("/proc/self/fd"), files);
}

TEST(a_batch_outlives_its_loader_and_is_never_written_again)
{
    struct setting setting = {.path = file_with(NULL, COUNT),
                              .batch = 4,
                              .threads = 2,
                              .augmented = true};
    struct mxio_loader *loader = loader_of(&setting);
    struct epoch *expected = load(&setting);
    struct mxio_delivery kept[7];
    struct mxio_error err;
    enum mxio_wait wait;
    size_t used, idle;
    CHECK_OK(start(loader, &setting, &err), err);

    for (int i = 0; i < 7; i++)
        CHECK_OK(next(loader, &wait, &kept[i], &err), err);
    mxio_loader_memory(loader, &used, &idle);
    CHECK(used >= 7 && used <= 7 + 2);
    mxio_loader_free(loader);

    for (int i = 0; i < 7; i++) {
        CHECK_BYTES(kept[i].block->bytes, expected->batches[i].data, 4 * 192);
        mxio_block_release(kept[i].block);
    }
    free(expected);
}

TEST(memory_is_used_again)
{
    const struct setting setting = {.path = file_with(NULL, COUNT),
                                    .batch = 4,
                                    .threads = 2,
                                    .depth = 3};
    struct mxio_loader *loader = loader_of(&setting);

    for (int i = 0; i < 5; i++) {
        struct epoch *epoch = load_on(loader, &setting);
        size_t used, idle;
        mxio_loader_memory(loader, &used, &idle);
        CHECK_INT(used, 3); /* those in the slots */
        CHECK(idle <= 2);
        free(epoch);
    }
    mxio_loader_free(loader);
}

TEST(batches_that_are_dropped_together_are_used_again)
{
    const struct setting setting = {.path = file_with(NULL, COUNT),
                                    .batch = 4,
                                    .threads = 2,
                                    .depth = 3};
    struct mxio_loader *loader = loader_of(&setting);
    struct mxio_delivery kept[5];
    struct mxio_error err;
    enum mxio_wait wait;
    size_t used, idle;
    CHECK_OK(start(loader, &setting, &err), err);
    for (int i = 0; i < 5; i++)
        CHECK_OK(next(loader, &wait, &kept[i], &err), err);

    for (int i = 0; i < 5; i++)
        mxio_block_release(kept[i].block);

    mxio_loader_memory(loader, &used, &idle);
    CHECK_INT(used, 3);
    CHECK_INT(idle, 3); /* prefetch_buffer, and no more */
    mxio_loader_free(loader);
}

/* Memory for `count` batches, each with a byte before and behind that must stay. */
struct lent {
    size_t block_size, stride, count;
    uint8_t *bytes;
};

static uint8_t *
lent_block(const struct lent *lent, size_t i)
{
    return lent->bytes + i * lent->stride + 64;
}

/* Lend as long as the loader lacks memory. */
static void
lend_what_lacks(struct mxio_loader *loader, struct lent *lent)
{
    struct mxio_error err = MXIO_NO_ERROR;

    for (size_t size; (size = mxio_loader_lacks(loader)) > 0; lent->count++) {
        if (lent->bytes == NULL) {
            lent->block_size = size;
            lent->stride = (size + 64 + 64) / 64 * 64 + 64;
            lent->bytes = aligned_alloc(64, 16 * lent->stride);
            MUST(lent->bytes != NULL, "aligned_alloc");
            memset(lent->bytes, 0xA5, 16 * lent->stride);
        }
        MUST(lent->count < 16, "it lacks too much");
        MUST(mxio_loader_lend(loader, lent_block(lent, lent->count), size, &err) ==
                 MXIO_OK,
             err.message);
    }
}

/* The number of the block that a batch lies in. */
static size_t
place_of(const struct lent *lent, const struct mxio_delivery *delivery)
{
    size_t i = 0;

    while (i < lent->count && delivery->block->bytes != lent_block(lent, i))
        i++;
    return i;
}

TEST(batches_lie_in_memory_that_was_lent)
{
    struct setting setting = {.path = file_with(NULL, COUNT),
                              .batch = 4,
                              .threads = 3,
                              .depth = 2,
                              .augmented = true};
    struct mxio_loader *loader = loader_of(&setting);
    struct epoch *expected = load(&setting);
    struct mxio_delivery held[7];
    struct mxio_error err = MXIO_NO_ERROR;
    struct lent lent = {.bytes = NULL};
    enum mxio_wait wait;
    CHECK_OK(start(loader, &setting, &err), err);

    for (size_t i = 0; i < 7; i++) {
        lend_what_lacks(loader, &lent);
        CHECK_INT(lent.count,
                  3 + i); /* two slots, the empty one, those that are held */
        CHECK_OK(next(loader, &wait, &held[i], &err), err);
        CHECK(place_of(&lent, &held[i]) < lent.count);
        CHECK(i == 0 || held[i].block->bytes != held[i - 1].block->bytes);
    }
    CHECK_INT(next(loader, &wait, &held[0], &err), MXIO_ESTATE); /* none was lent */
    for (size_t i = 0; i < 7; i++)
        CHECK_BYTES(held[i].block->bytes, expected->batches[i].data, 4 * 192);

    for (size_t i = 0; i < 6; i++)
        mxio_block_release(held[i].block);
    CHECK_INT(mxio_loader_lacks(loader), 0);
    mxio_loader_free(loader);
    CHECK_BYTES(held[6].block->bytes, expected->batches[6].data, 4 * 192);
    mxio_block_release(held[6].block);
    for (size_t i = 0; i < lent.count; i++) {
        CHECK_INT(lent_block(&lent, i)[-1], 0xA5);
        CHECK_INT(lent_block(&lent, i)[lent.block_size], 0xA5);
    }
    free(lent.bytes);
    free(expected);
}

TEST(memory_that_does_not_fit_is_not_taken)
{
    const struct setting setting = {.path = file_with(NULL, COUNT), .batch = 4};
    struct mxio_loader *loader = loader_of(&setting);
    struct mxio_error err = MXIO_NO_ERROR;
    const size_t size = mxio_loader_lacks(loader);
    uint8_t *bytes = aligned_alloc(64, size / 64 * 64 + 128);
    MUST(bytes != NULL, "aligned_alloc");

    CHECK_INT(mxio_loader_lend(loader, bytes, size - 1, &err), MXIO_EPARAM);
    CHECK_SAYS(err.message, "memory for a batch must have");
    CHECK_INT(mxio_loader_lend(loader, bytes + 4, size, &err), MXIO_EPARAM);
    CHECK_SAYS(err.message, "must begin at a multiple of 16 bytes");

    CHECK_INT(mxio_loader_lacks(loader), size);
    mxio_loader_free(loader);
    free(bytes);
}

static void *
close_soon(void *arg)
{
    usleep(3000);
    mxio_loader_close(arg);
    return NULL;
}

/* Pictures large enough that workers are in the middle of one. */
static const char *
large_pictures(void)
{
    struct bytes file = {.at = NULL};

    for (uint64_t i = 0; i < 8; i++)
        add_record(&file, i, GOOD, 900, 700);
    return temp_file_of(&file);
}

TEST(closing_from_elsewhere_wakes_the_consumer_while_workers_are_busy)
{
    const char *path = large_pictures();

    for (int round = 0; round < 10; round++) {
        const struct setting setting = {.path = path,
                                        .batch = 8,
                                        .threads = 3,
                                        .last_batch = MXIO_LAST_PARTIAL};
        struct mxio_loader *loader = loader_of(&setting);
        struct mxio_error err = MXIO_NO_ERROR;
        pthread_t closer;
        enum mxio_status status;
        CHECK_OK(start(loader, &setting, &err), err);
        pthread_create(&closer, NULL, close_soon, loader);
        do { /* batches until the closing is noticed; there is no end to epochs */
            struct mxio_delivery delivery;
            enum mxio_wait wait;
            status = next(loader, &wait, &delivery, &err);
            if (status == MXIO_OK && wait == MXIO_GIVEN)
                mxio_block_release(delivery.block);
            else if (status == MXIO_OK)
                CHECK_OK(start(loader, &setting, &err), err);
        } while (status == MXIO_OK);
        pthread_join(closer, NULL);
        CHECK_INT(status, MXIO_ESTATE);
        mxio_loader_free(loader);
    }
}

TEST(freeing_does_not_wait_for_the_epoch)
{
    const struct setting setting = {.path = large_pictures(),
                                    .batch = 400,
                                    .threads = 2,
                                    .depth = 8,
                                    .last_batch = MXIO_LAST_PAD};
    struct mxio_loader *loader = loader_of(&setting);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_delivery delivery;
    struct timespec before, after;
    enum mxio_wait wait;
    CHECK_OK(start(loader, &setting, &err), err);
    CHECK_OK(mxio_loader_next(loader, 5, &wait, &delivery, &err), err);
    CHECK_INT(wait, MXIO_NOT_YET);

    clock_gettime(CLOCK_MONOTONIC, &before);
    mxio_loader_free(loader);
    clock_gettime(CLOCK_MONOTONIC, &after);

    CHECK(after.tv_sec - before.tv_sec <= 1);
}

TEST(a_forked_child_is_refused_and_may_free)
{
    const struct setting setting = {.path = file_with(NULL, COUNT),
                                    .batch = 4,
                                    .threads = 3};
    struct mxio_loader *loader = loader_of(&setting);
    struct mxio_error err = MXIO_NO_ERROR;
    static struct batch batch;
    int result = 1;
    CHECK_OK(start(loader, &setting, &err), err);
    CHECK(load_batch(loader, &setting, &batch));

    const pid_t child = fork();
    if (child == 0) {
        struct mxio_delivery delivery;
        struct mxio_error *bad;
        enum mxio_wait wait;
        uint64_t count;
        size_t bad_count;
        const bool refused =
            mxio_loader_next(loader, 100, &wait, &delivery, &err) == MXIO_ESTATE &&
            strstr(err.message, "forked child") != NULL &&
            mxio_loader_start(loader, 0, 0, 0, 1, &err) == MXIO_ESTATE &&
            mxio_loader_count(loader, &count, &err) == MXIO_ESTATE &&
            mxio_loader_errors(loader, &bad, &bad_count, &err) == MXIO_ESTATE;
        mxio_loader_close(loader);
        mxio_loader_free(loader);
        _exit(refused ? 0 : 1);
    }
    waitpid(child, &result, 0);

    CHECK_INT(result, 0);
    CHECK(load_batch(loader, &setting, &batch));
    CHECK_INT(batch.ids[0], id_of(4));
    mxio_loader_free(loader);
}

/* ---- memory that fails ---- */

/* Make, load an epoch, drop; parameters, index and list included. */
static enum mxio_status
whole_life(void *context, struct mxio_error *err)
{
    const struct setting *setting = context;
    struct mxio_params params;
    struct mxio_loader_inputs inputs = inputs_of(setting, &params);
    struct mxio_loader *loader = NULL;
    struct mxio_delivery delivery;
    enum mxio_wait wait = MXIO_GIVEN;
    enum mxio_input about;

    enum mxio_status status = try_params_for_loading(&params, setting->batch, err);
    if (status != MXIO_OK)
        return status;
    fill_params(&params, setting);
    inputs.index_text = "0\t0\n";
    inputs.index_size = 4;
    inputs.list_text = "1000 5\n";
    inputs.list_size = 7;
    status = mxio_loader_new(&loader, &inputs, &about, err);
    if (status == MXIO_OK)
        status = start(loader, setting, err);
    while (status == MXIO_OK && wait != MXIO_OVER) {
        status = mxio_loader_next(loader, 1000, &wait, &delivery, err);
        if (status == MXIO_OK && wait == MXIO_GIVEN)
            mxio_block_release(delivery.block);
    }
    mxio_loader_free(loader);
    return status;
}

TEST(every_failing_allocation_of_a_life_is_survived)
{
    const char *path = file_with(NULL, 1);

    for (int64_t on_error = MXIO_RAISE; on_error <= MXIO_REPLACE; on_error++) {
        struct setting setting = {.path = path,
                                  .batch = 2,
                                  .threads = 2,
                                  .on_error = on_error,
                                  .last_batch = MXIO_LAST_PAD};
        CHECK(faults_met(whole_life, &setting) >= 30);
    }
}

TEST(after_a_failed_allocation_next_gives_the_same_batch)
{
    const struct setting setting = {.path = file_with(NULL, COUNT),
                                    .batch = 4,
                                    .threads = 2};
    struct mxio_loader *loader = loader_of(&setting);
    struct mxio_error err = MXIO_NO_ERROR;
    struct mxio_delivery first, second;
    static struct batch batch;
    enum mxio_wait wait;
    CHECK_OK(start(loader, &setting, &err), err);
    CHECK_OK(next(loader, &wait, &first, &err), err);
    CHECK_OK(next(loader, &wait, &second, &err), err);
    usleep(100000); /* the workers have nothing left to ask memory for */

    mxio_alloc_fail_at(1);
    CHECK_INT(mxio_loader_next(loader, 100, &wait, &first, &err), MXIO_ENOMEM);

    CHECK(load_batch(loader, &setting, &batch));
    CHECK_INT(batch.ids[0], id_of(8));
    mxio_block_release(first.block);
    mxio_block_release(second.block);
    mxio_loader_free(loader);
}

int
main(void)
{
    RUN(rows_are_the_records_in_order_cut_in_the_middle);
    RUN(round_batch_wraps_and_the_next_epoch_starts_behind);
    RUN(a_wrapped_row_is_the_row_of_the_next_epoch);
    RUN(rows_without_a_record_are_zeros);
    RUN(the_last_batch_is_dropped_or_filled_as_asked);
    RUN(ranks_share_an_epoch_of_whole_batches);
    RUN(threads_and_depth_change_not_a_byte);
    RUN(a_hundred_runs_with_bad_records_give_the_same);
    RUN(seeds_and_epochs_change_the_bytes);
    RUN(raise_names_the_record_and_goes_on);
    RUN(skip_leaves_out_and_fills_from_what_follows);
    RUN(replace_takes_the_next_good_record);
    RUN(every_batch_of_bad_records_is_an_error);
    RUN(an_epoch_of_nothing_but_skipped_records_is_an_error);
    RUN(max_errors_bounds_what_is_put_up_with);
    RUN(foreign_pictures_that_the_caller_decodes_are_as_good);
    RUN(foreign_pictures_that_the_caller_rejects_are_bad_records);
    RUN(a_foreign_picture_that_memory_does_not_suffice_for_is_no_bad_record);
    RUN(without_a_foreign_row_there_is_nothing_to_answer);
    RUN(an_epoch_is_entered_at_any_batch_and_shared_among_workers);
    RUN(a_new_start_in_mid_epoch_forgets_the_old_one);
    RUN(counts_batches_and_offsets_are_known);
    RUN(offsets_are_told_before_the_first_batch_only);
    RUN(an_index_and_a_list_are_used);
    RUN(what_is_wrong_with_the_inputs_is_said_of_the_right_one);
    RUN(a_batch_beyond_two_epochs_is_refused);
    RUN(threads_start_with_the_first_batch_and_go_with_the_loader);
    RUN(a_closed_loader_says_so_and_closes_again);
    RUN(many_loaders_made_and_dropped_leave_nothing_behind);
    RUN(a_batch_outlives_its_loader_and_is_never_written_again);
    RUN(memory_is_used_again);
    RUN(batches_that_are_dropped_together_are_used_again);
    RUN(batches_lie_in_memory_that_was_lent);
    RUN(memory_that_does_not_fit_is_not_taken);
    RUN(closing_from_elsewhere_wakes_the_consumer_while_workers_are_busy);
    RUN(freeing_does_not_wait_for_the_epoch);
    if (!UNDER_TSAN)
        RUN(a_forked_child_is_refused_and_may_free);
    RUN(every_failing_allocation_of_a_life_is_survived);
    RUN(after_a_failed_allocation_next_gives_the_same_batch);
    return check_result();
}
