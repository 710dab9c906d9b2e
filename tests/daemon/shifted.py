"""A wall clock that a test can set, for real processes: a small library, loaded before libc, that adds an offset.

Only the wall clock is shifted, not the steady one. For a process that is just what a suspend looks like too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset(void) {
    char text[32] = {0};
    const char *path = getenv("SHIFTED_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return 0;
    long size = read(file, text, sizeof text - 1);
    close(file);
    return size > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int done = syscall(SYS_clock_gettime, id, now);
    if (done == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += offset();
    return done;
}

time_t time(time_t *where) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where) *where = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
"""

COMPILER = shutil.which("cc")
POSSIBLE = sys.platform == "linux" and COMPILER is not None


@dataclass
class Clock:
    """The offset of the processes that run with `environment`."""

    folder: Path

    def __post_init__(self) -> None:
        assert COMPILER is not None
        (self.folder / "clock.c").write_text(SOURCE)
        command = [COMPILER, "-shared", "-fPIC", "-O1", "-o", str(self._library), str(self.folder / "clock.c")]
        subprocess.run(command, check=True, timeout=60)
        self.set(0)

    @property
    def _library(self) -> Path:
        return self.folder / "clock.so"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "LD_PRELOAD": str(self._library), "SHIFTED_CLOCK": str(self.folder / "offset")}

    def set(self, seconds: float) -> None:
        """So far ahead of (or, negative, behind) the true time, from now on."""
        part = self.folder / "offset.part"
        part.write_text(str(round(seconds)))
        part.replace(self.folder / "offset")
