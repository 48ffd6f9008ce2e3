#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_lookout.h"

/* So much is read in one call: whoever waits sees that it gets on. */
#define READ_MOST ((size_t)1 << 24)

static enum mxio_status
fail_stopped(struct mxio_error *err)
{
    return mxio_fail(err, MXIO_ESTATE, "nobody waits for what is read here");
}

static enum mxio_status
open_plain(struct mxio_file *out, const char *path, struct mxio_error *err)
{
    struct stat facts;
    /* O_NONBLOCK: a named pipe is to be refused, not waited for. */
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (descriptor < 0)
        return mxio_fail_os(err, errno, "cannot open");
    if (fstat(descriptor, &facts) != 0) {
        const int os_error = errno;
        close(descriptor);
        return mxio_fail_os(err, os_error, "cannot examine");
    }
    if (!S_ISREG(facts.st_mode)) {
        close(descriptor);
        return mxio_fail_os(err, S_ISDIR(facts.st_mode) ? EISDIR : EINVAL,
                            "not a plain file");
    }
    *out =
        (struct mxio_file){.descriptor = descriptor, .size = (uint64_t)facts.st_size};
    return MXIO_OK;
}

enum mxio_status
mxio_file_open(struct mxio_file *out, const char *path, struct mxio_error *err)
{
    if (!mxio_lookout_opens(path))
        return fail_stopped(err);
    const enum mxio_status status = open_plain(out, path, err);
    mxio_lookout_back();
    return status;
}

static enum mxio_status
read_all(const struct mxio_file *file, uint64_t offset, uint8_t *bytes, size_t out_size,
         struct mxio_error *err)
{
    size_t done = 0;

    while (done < out_size) {
        if (!mxio_lookout_reads(file->descriptor, offset + done))
            return fail_stopped(err);
        const size_t left = out_size - done;
        const ssize_t got =
            pread(file->descriptor, bytes + done, left < READ_MOST ? left : READ_MOST,
                  (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return mxio_fail_os(err, errno, "cannot read %zu bytes at byte %llu", left,
                                (unsigned long long)(offset + done));
        if (got == 0)
            return mxio_fail(err, MXIO_EDATA,
                             "the file ends at byte %llu, %zu more wanted",
                             (unsigned long long)(offset + done), left);
        done += (size_t)got;
    }
    return MXIO_OK;
}

enum mxio_status
mxio_file_read(const struct mxio_file *file, uint64_t offset, void *out,
               size_t out_size, struct mxio_error *err)
{
    if (file->descriptor < 0)
        return mxio_fail(err, MXIO_ESTATE, "the file is closed");
    const enum mxio_status status = read_all(file, offset, out, out_size, err);
    mxio_lookout_back();
    return status;
}

void
mxio_file_will_read(const struct mxio_file *file, uint64_t offset, uint64_t size)
{
    (void)posix_fadvise(file->descriptor, (off_t)offset, (off_t)size,
                        POSIX_FADV_WILLNEED);
}

void
mxio_file_close(struct mxio_file *file)
{
    if (file->descriptor >= 0)
        close(file->descriptor);
    file->descriptor = -1;
}
