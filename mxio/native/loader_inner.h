/*
 * What the files of the loader share: life and batches (loader.c), rows that the caller
 * decodes (loader_foreign.c), questions (loader_look.c).
 *
 * Owner, threads, errors: as loader.h.
 */
#ifndef MXIO_LOADER_INNER_H
#define MXIO_LOADER_INNER_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "loader.h"

struct worker {
    struct mxio_loader *loader;
    struct mxio_sampler *sampler;
    struct mxio_ticket
        ticket; /* the one it holds; guarded by the lock of the tickets */
    struct mxio_row made[MXIO_RUN]; /* its rows as they become */
    atomic_size_t at;               /* the row being made; any thread may look */
};

struct mxio_loader {
    pid_t process;
    bool abandoned; /* a thread did not come back: nothing is freed */
    struct mxio_params params;
    struct mxio_reader *reader;
    struct mxio_labels *labels;
    struct mxio_emitter emitter;
    struct mxio_source source;
    struct mxio_pool *pool;
    size_t label_offset, id_offset, block_size; /* in and of a block */
    struct mxio_sampler *own;                   /* the consumer's */
    struct mxio_tickets tickets;
    pthread_t *threads;
    struct worker *workers;
    size_t thread_count, threads_started;
};

/* A row of a block. */
struct mxio_sample
mxio_loader_sample_at(const struct mxio_loader *loader, const struct mxio_block *block,
                      size_t row);

/* A failure in a forked child. */
MXIO_MUST_USE enum mxio_status
mxio_loader_check_process(const struct mxio_loader *loader, struct mxio_error *err);

/* How long to wait for a worker. */
int
mxio_loader_patience(const struct mxio_loader *loader);

#endif
