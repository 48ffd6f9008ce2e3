/*
 * Where a thread reads, for one that waits for it.
 *
 * A thread turns to a lookout; from then on file.c tells it what the thread opens and
 * reads, and asks whether that is still wanted.
 *
 * Owner:   the caller's; it outlives the thread, or the thread turns away from it before.
 * Threads: watch, opens, reads and back are the reading thread's; see and stop come from
 *          any. One mutex, for a few moves, never held with another.
 * Errors:  none.
 */
#ifndef MXIO_FILE_LOOKOUT_H
#define MXIO_FILE_LOOKOUT_H

#include <pthread.h>

#include "base.h"

struct mxio_sight {
    char path[1024]; /* of the file being opened, perhaps cut short; "" for none */
    int descriptor;  /* of the file being read; -1 for none */
    uint64_t offset; /* in that file */
    uint64_t calls;  /* so far: whoever waits sees that the thread gets on */
};

struct mxio_lookout {
    pthread_mutex_t lock;
    struct mxio_sight sight;
    bool stopped;
};

void
mxio_lookout_init(struct mxio_lookout *lookout);

void
mxio_lookout_destroy(struct mxio_lookout *lookout);

/* Tell this one what the calling thread does; NULL for nobody. */
void
mxio_lookout_watch(struct mxio_lookout *lookout);

/* Tell this one, unless another is told already; who was before. */
MXIO_MUST_USE struct mxio_lookout *
mxio_lookout_offer(struct mxio_lookout *lookout);

/* The calling thread is about to open a file, or to read; false when it shall not. */
MXIO_MUST_USE bool
mxio_lookout_opens(const char *path);

MXIO_MUST_USE bool
mxio_lookout_reads(int descriptor, uint64_t offset);

/* The system has answered. */
void
mxio_lookout_back(void);

void
mxio_lookout_see(struct mxio_lookout *lookout, struct mxio_sight *out);

/* The thread shall open and read nothing more. */
void
mxio_lookout_stop(struct mxio_lookout *lookout);

#endif
