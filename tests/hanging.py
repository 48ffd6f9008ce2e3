"""Reads of a file that never return, or late, in a program with these variables."""

import os
import subprocess
from pathlib import Path

SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>
static long long place(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? atoll(text) : -1;
}
ssize_t pread64(int file, void *into, size_t size, off64_t offset)
{
    static ssize_t (*real)(int, void *, size_t, off64_t);
    const long long within = place("STUCK_WITHIN");
    if (real == NULL)
        real = dlsym(RTLD_NEXT, "pread64");
    if (place("SLOW") > 0)
        usleep((useconds_t)place("SLOW") * 1000);
    while (offset == place("STUCK_AT"))
        pause();
    if (offset <= within && within < offset + (off64_t)size)
        dprintf(2, "%lld\\n", (long long)offset);
    while (offset <= within && within < offset + (off64_t)size)
        pause();
    return real(file, into, size, offset);
}
ssize_t pread(int file, void *into, size_t size, off_t offset)
{
    return pread64(file, into, size, offset);
}
static int stuck_open(const char *name, const char *path, int flags, int mode)
{
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, name);
    const char *stuck = getenv("STUCK_OPEN");
    while (stuck != NULL && strcmp(stuck, path) == 0)
        pause();
    return real(path, flags, mode);
}
#define OPEN(name)                                     \
    int name(const char *path, int flags, ...)         \
    {                                                  \
        va_list more;                                  \
        va_start(more, flags);                         \
        const int mode = va_arg(more, int);            \
        va_end(more);                                  \
        return stuck_open(#name, path, flags, mode);   \
    }
OPEN(open)
OPEN(open64)
"""


def read_at(folder: Path, place: int) -> dict[str, str]:
    """Those that begin at a byte."""
    return {"LD_PRELOAD": _preload(folder), "STUCK_AT": str(place)}


def open_of(folder: Path, path: Path) -> dict[str, str]:
    """Opening this file hangs."""
    return {"LD_PRELOAD": _preload(folder), "STUCK_OPEN": str(path)}


def slow(folder: Path, milliseconds: int) -> dict[str, str]:
    """Every read takes so long, and ends."""
    return {"LD_PRELOAD": _preload(folder), "SLOW": str(milliseconds)}


def read_of(folder: Path, place: int) -> dict[str, str]:
    """Those with a byte in them; where they begin is said on standard error."""
    return {"LD_PRELOAD": _preload(folder), "STUCK_WITHIN": str(place)}


def _preload(folder: Path) -> str:
    """Behind those there are: a sanitizer wants to be the first."""
    source, library = folder / "stuck.c", folder / "stuck.so"
    source.write_text(SOURCE)
    words = ["-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    subprocess.run(["gcc", *words], check=True)
    return f"{os.environ.get('LD_PRELOAD', '')} {library}".strip()
