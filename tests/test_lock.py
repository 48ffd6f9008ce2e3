"""The one mutex of a loader, counted from outside: who takes it how often, and who is
woken for nothing. Counts, no clocks.
"""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DataSet, picture, write_set

pytestmark = [
    pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler"),
    pytest.mark.skipif(
        sys.platform != "linux" or "asan" in os.environ.get("LD_PRELOAD", ""),
        reason="needs Linux and a build without sanitizer",
    ),
]

# Counts what passes on its way to the C library. Workers are all threads but the first;
# Python's own locks are taken there.
COUNTING = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

atomic_long locks, contended, worker_waits, consumer_waits;

/* dlsym alone may give the old kind of condition, of before 2.3.2. */
static void *original(const char *name)
{
    void *found = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
    return found ? found : dlsym(RTLD_NEXT, name);
}
int pthread_mutex_lock(pthread_mutex_t *lock)
{
    static int (*wait)(pthread_mutex_t *);
    if (!wait)
        wait = dlsym(RTLD_NEXT, "pthread_mutex_lock");
    if (gettid() == getpid())
        return wait(lock);
    locks++;
    if (pthread_mutex_trylock(lock) == 0)
        return 0;
    contended++;
    return wait(lock);
}
int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock)
{
    static int (*real)(pthread_cond_t *, pthread_mutex_t *);
    if (!real)
        real = original("pthread_cond_wait");
    worker_waits += gettid() != getpid();
    return real(condition, lock);
}
int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock,
                           const struct timespec *until)
{
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (!real)
        real = original("pthread_cond_timedwait");
    consumer_waits += gettid() == getpid();
    return real(condition, lock, until);
}
"""

# One epoch to learn how long a record takes, and one that is counted. `idle` makes the
# consumer slower than the workers: they wait for it, all of them, before each batch.
PROGRAM = """
    import ctypes, json, os, time
    from mxio.adapters.numpy import ImageRecordLoader

    counting = ctypes.CDLL(os.environ["LD_PRELOAD"])
    names = "locks", "contended", "worker_waits", "consumer_waits"
    counters = [ctypes.c_long.in_dll(counting, name) for name in names]
    loader = ImageRecordLoader({options})
    for _ in range(2):
        before = [counter.value for counter in counters]
        tickets = loader.stats().tickets
        batches = 0
        for batch in loader:
            batches += 1
            time.sleep({idle})
    counted = (after.value - first for after, first in zip(counters, before))
    print(json.dumps(dict(zip(names, counted)) | {{
        "tickets": loader.stats().tickets - tickets,
        "batches": batches,
    }}))
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """4096 JPEGs of 32 x 32."""
    kinds = [picture(seed, 32, 32) for seed in range(16)]
    return write_set(tmp_path_factory.mktemp("small"), kinds * 256, ".jpg")


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that counts."""
    folder = tmp_path_factory.mktemp("counting")
    source, library = folder / "counting.c", folder / "counting.so"
    source.write_text(COUNTING)
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True
    )
    return library


def count(
    counting: Path, data: DataSet, idle: float = 0, **options: Any
) -> dict[str, int]:
    """What the second epoch counts."""
    given = {
        "path_imgrec": str(data.rec),
        "data_shape": (3, 32, 32),
        "dtype": "uint8",
        "shuffle": True,
        "last_batch": "drop",
    }
    words = ", ".join(f"{name}={value!r}" for name, value in (given | options).items())
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(PROGRAM).format(options=words, idle=idle),
        ],
        env=os.environ | {"LD_PRELOAD": str(counting)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    counts: dict[str, int] = json.loads(done.stdout)
    return counts


def test_64_threads_take_the_mutex_seldom(counting: Path, small: DataSet) -> None:
    counts = count(counting, small, preprocess_threads=64, batch_size=512)

    # Twice for a ticket: to take it and to give it back. A thread may be in between.
    assert abs(counts["locks"] - 2 * counts["tickets"]) <= 64
    # 64 workers share 4 batches of 512 rows in two tickets each: 15 rows a ticket, or
    # 0.14 locks a record. Where other programs slow some rows down, a few fewer.
    assert counts["locks"] < 4096 / 2
    assert counts["contended"] < 4096 / 10


def test_a_free_slot_does_not_wake_the_herd(counting: Path, small: DataSet) -> None:
    counts = count(counting, small, idle=0.005, preprocess_threads=64, batch_size=128)

    # A batch of these is a few tickets. All 64 were woken for each of them before.
    assert counts["batches"] == 32
    assert counts["worker_waits"] < 32 * counts["batches"]


def test_the_consumer_is_woken_for_its_batch_only(
    counting: Path, tmp_path: Path
) -> None:
    large = write_set(tmp_path, [picture(1, 400, 400)] * 64, ".jpg")

    counts = count(
        counting, large, preprocess_threads=1, batch_size=32, data_shape=(3, 400, 400)
    )

    # A wait also ends every 100 ms. There was one for each row before.
    assert counts["batches"] == 2
    assert counts["consumer_waits"] < 16 * counts["batches"]
