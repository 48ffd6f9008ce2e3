#include "file_lookout.h"

#include <string.h>

static _Thread_local struct mxio_lookout *watching;

void
mxio_lookout_init(struct mxio_lookout *lookout)
{
    *lookout = (struct mxio_lookout){.sight.descriptor = -1};
    pthread_mutex_init(&lookout->lock, NULL);
}

void
mxio_lookout_destroy(struct mxio_lookout *lookout)
{
    pthread_mutex_destroy(&lookout->lock);
}

void
mxio_lookout_watch(struct mxio_lookout *lookout)
{
    watching = lookout;
}

struct mxio_lookout *
mxio_lookout_offer(struct mxio_lookout *lookout)
{
    struct mxio_lookout *before = watching;

    if (watching == NULL)
        watching = lookout;
    return before;
}

/* What is told while nobody watches is dropped. */
static bool
tell(const char *path, int descriptor, uint64_t offset)
{
    if (watching == NULL)
        return true;
    pthread_mutex_lock(&watching->lock);
    struct mxio_sight *sight = &watching->sight;
    const size_t length = strnlen(path, sizeof sight->path - 1);
    memcpy(sight->path, path, length);
    sight->path[length] = '\0';
    sight->descriptor = descriptor;
    sight->offset = offset;
    sight->calls++;
    const bool go_on = !watching->stopped;
    pthread_mutex_unlock(&watching->lock);
    return go_on;
}

bool
mxio_lookout_opens(const char *path)
{
    return tell(path, -1, 0);
}

bool
mxio_lookout_reads(int descriptor, uint64_t offset)
{
    return tell("", descriptor, offset);
}

void
mxio_lookout_back(void)
{
    (void)tell("", -1, 0);
}

void
mxio_lookout_see(struct mxio_lookout *lookout, struct mxio_sight *out)
{
    pthread_mutex_lock(&lookout->lock);
    *out = lookout->sight;
    pthread_mutex_unlock(&lookout->lock);
}

void
mxio_lookout_stop(struct mxio_lookout *lookout)
{
    pthread_mutex_lock(&lookout->lock);
    lookout->stopped = true;
    pthread_mutex_unlock(&lookout->lock);
}
