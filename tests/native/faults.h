/*
 * Failing allocations, and what the sanitizers cannot stand.
 *
 * An attempt is a whole operation: it makes what it needs, gives all of it back, and
 * returns the status of the operation.
 */
#ifndef MXIO_TEST_FAULTS_H
#define MXIO_TEST_FAULTS_H

#include "base.h"
#include "check.h"

#if defined __has_feature
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN true
#elif __has_feature(address_sanitizer)
#define UNDER_ASAN true
#endif
#endif
#if defined __SANITIZE_THREAD__
#define UNDER_TSAN true
#endif
#if defined __SANITIZE_ADDRESS__
#define UNDER_ASAN true
#endif
#if !defined UNDER_TSAN
#define UNDER_TSAN false /* it does not follow a fork of a process with threads */
#endif
#if !defined UNDER_ASAN
#define UNDER_ASAN false
#endif

typedef enum mxio_status
fault_attempt(void *context, struct mxio_error *err);

/* True when the failure that was asked for is still to come. */
static inline bool
fault_is_pending(int nth)
{
    bool pending = false;

    for (int i = 0; i < nth && !pending; i++) {
        void *block = mxio_alloc(1);
        pending = block == NULL;
        mxio_free(block);
    }
    mxio_alloc_fail_at(0);
    return pending;
}

/*
 * Let the 1st, 2nd, 3rd ... allocation fail until the attempt succeeds. How many
 * failures were met; -1, said on stderr, when one of them was not reported as
 * MXIO_ENOMEM.
 */
static inline int
faults_met(fault_attempt *attempt, void *context)
{
    for (int nth = 1;; nth++) {
        struct mxio_error err = MXIO_NO_ERROR;
        mxio_alloc_fail_at((uint64_t)nth);
        const enum mxio_status status = attempt(context, &err);
        if (status == MXIO_OK) {
            if (fault_is_pending(nth))
                return nth - 1;
            fprintf(stderr, "failure %d was not noticed\n", nth);
            return -1;
        }
        mxio_alloc_fail_at(0);
        if (status != MXIO_ENOMEM || err.status != MXIO_ENOMEM) {
            fprintf(stderr, "failure %d gave status %d, in err %d: %s\n", nth,
                    (int)status, (int)err.status, err.message);
            return -1;
        }
    }
}

#endif
