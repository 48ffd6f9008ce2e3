#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Linux moves at most this much in one call. */
#define READ_MOST ((size_t)0x7ffff000)

enum mxio_status
mxio_file_open(struct mxio_file *out, const char *path, struct mxio_error *err)
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
mxio_file_read(const struct mxio_file *file, uint64_t offset, void *out,
               size_t out_size, struct mxio_error *err)
{
    uint8_t *bytes = out;
    size_t done = 0;

    if (file->descriptor < 0)
        return mxio_fail(err, MXIO_ESTATE, "the file is closed");
    while (done < out_size) {
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
