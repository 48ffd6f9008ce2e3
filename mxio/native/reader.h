/*
 * Records of a set of RecordIO files, by ordinal.
 *
 * The files are one string of bytes, in the order given. Offsets of record heads come
 * from an index or are found by hopping from head to head, only as far as asked for.
 * Where a head is damaged, the hop counts one record there, whose reading fails, and
 * goes on at the next head: nothing is skipped in silence.
 *
 * Owner:   open gives the caller a reader, to free after its last read.
 * Threads: read, will_read, peek, bytes and file_open_as may run anywhere at once;
 *          everything else needs the caller's lock.
 * Errors:  MXIO_EDATA and MXIO_EIO with the file and the byte in it.
 */
#ifndef MXIO_READER_H
#define MXIO_READER_H

#include "base.h"

/* Small records in a row are looked up in blocks of this size, large ones one by one. */
#define MXIO_READ_BLOCK ((size_t)65536)
#define MXIO_SMALL_RECORD ((uint64_t)8192)

struct mxio_reader;

/* Bytes [offset, end) of the whole set; a record and what follows it up to the next. */
struct mxio_place {
    uint64_t offset, end;
};

/* Chosen records, in this order: ordinals[0 .. count), or first, first + 1, ... when
 * ordinals is NULL; count 0 chooses all. */
struct mxio_selection {
    const uint64_t *ordinals;
    uint64_t first, count;
};

/* The records of a part: ordinals from first on, up to the byte `end`, at most `most`
 * of them; or those of an array, when there is one. */
struct mxio_extent {
    const uint64_t *ordinals;
    uint64_t first, most, end;
};

/* The ordinal of the record at a position of the extent. */
uint64_t
mxio_extent_ordinal(const struct mxio_extent *extent, uint64_t position);

MXIO_MUST_USE enum mxio_status
mxio_reader_open(struct mxio_reader **out, const char *const *paths, size_t path_count,
                 struct mxio_error *err);

/* Accepts NULL. */
void
mxio_reader_free(struct mxio_reader *reader);

/* Take the offsets of an index instead of hopping; sorted here, each must lie in a
 * file, and in each file with content at least one. */
MXIO_MUST_USE enum mxio_status
mxio_reader_use_index(struct mxio_reader *reader, const uint64_t *offsets, size_t count,
                      struct mxio_error *err);

/* Take all offsets that a reader of the same files knows, which it had from an index or
 * not, instead of hopping; rising, borrowed for as long as this reader lives. */
MXIO_MUST_USE enum mxio_status
mxio_reader_borrow_offsets(struct mxio_reader *reader, const uint64_t *offsets,
                           size_t count, bool indexed, struct mxio_error *err);

/* Let parts be those of the chosen records, which must exist; none may come twice. The
 * ordinals are borrowed for as long as the reader lives. */
MXIO_MUST_USE enum mxio_status
mxio_reader_select(struct mxio_reader *reader, const struct mxio_selection *selection,
                   struct mxio_error *err);

/*
 * Part part_index of num_parts: by records when they are chosen, or when there is an
 * index, else by bytes, a record belonging to the part in which its first byte lies
 * (MXNet's rule).
 */
MXIO_MUST_USE enum mxio_status
mxio_reader_part(struct mxio_reader *reader, uint64_t num_parts, uint64_t part_index,
                 struct mxio_extent *out, struct mxio_error *err);

/* Where record `position` of the extent lies; *found is false behind its last record.
 */
MXIO_MUST_USE enum mxio_status
mxio_reader_locate(struct mxio_reader *reader, const struct mxio_extent *extent,
                   uint64_t position, struct mxio_place *out, bool *found,
                   struct mxio_error *err);

/* Whether it is known where record `position` of the extent lies, or that there is none;
 * with UINT64_MAX, where all of them do. */
bool
mxio_reader_knows(const struct mxio_reader *reader, const struct mxio_extent *extent,
                  uint64_t position);

/* Hop until that is known. */
MXIO_MUST_USE enum mxio_status
mxio_reader_learn(struct mxio_reader *reader, const struct mxio_extent *extent,
                  uint64_t position, struct mxio_error *err);

/* Records of the extent; hops to its end. */
MXIO_MUST_USE enum mxio_status
mxio_reader_count(struct mxio_reader *reader, const struct mxio_extent *extent,
                  uint64_t *out, struct mxio_error *err);

/* Bytes of all files. */
uint64_t
mxio_reader_size(const struct mxio_reader *reader);

/* Learn all heads, of chosen records and others. */
MXIO_MUST_USE enum mxio_status
mxio_reader_complete(struct mxio_reader *reader, struct mxio_error *err);

/* The offsets known so far; borrowed until the next call. */
const uint64_t *
mxio_reader_offsets(const struct mxio_reader *reader, size_t *count);

/* Say in *err which file a byte of the set is in, and where there. */
void
mxio_reader_name_place(const struct mxio_reader *reader, uint64_t offset,
                       struct mxio_error *err);

/* The file that was opened under this descriptor; -1 for none. */
int
mxio_reader_file_open_as(const struct mxio_reader *reader, int descriptor);

/* Bytes of several records, read at once; zeros are none. Free the buffer. */
struct mxio_run {
    struct mxio_buffer buffer;
    uint64_t origin;     /* where in the set the buffer begins */
    uint64_t start, end; /* what is there for the next record */
};

/* Read a run, unless it is long or leads into another file: then it is empty, and so it is
 * when it cannot be read, which is said when its records are read one by one. */
void
mxio_reader_run(const struct mxio_reader *reader, struct mxio_place place,
                struct mxio_run *run);

/* As mxio_reader_read, from a run; false when that does not hold the place. Joining changes
 * the bytes, so of a run records are taken once, in order. */
MXIO_MUST_USE bool
mxio_reader_take(const struct mxio_reader *reader, struct mxio_place place,
                 struct mxio_run *run, const uint8_t **payload, size_t *payload_size,
                 enum mxio_status *status, struct mxio_error *err);

/* Read the record at a place into the buffer and join its parts; the payload is
 * borrowed from the buffer. */
MXIO_MUST_USE enum mxio_status
mxio_reader_read(const struct mxio_reader *reader, struct mxio_place place,
                 struct mxio_buffer *buffer, const uint8_t **payload,
                 size_t *payload_size, struct mxio_error *err);

/* Let the system fetch the record at a place, which will be read soon. */
void
mxio_reader_will_read(const struct mxio_reader *reader, struct mxio_place place);

/* As read, but only the first `size` bytes of the payload, or all of a shorter one, are
 * there for sure; *payload_size is that of the whole. */
MXIO_MUST_USE enum mxio_status
mxio_reader_peek(const struct mxio_reader *reader, struct mxio_place place, size_t size,
                 struct mxio_buffer *buffer, const uint8_t **payload,
                 size_t *payload_size, struct mxio_error *err);

/* The bytes from an offset of the set on, as they are: `size` of them, or as many as
 * their file has. */
MXIO_MUST_USE enum mxio_status
mxio_reader_bytes(const struct mxio_reader *reader, uint64_t offset, void *out,
                  size_t size, size_t *got, struct mxio_error *err);

#endif
