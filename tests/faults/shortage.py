"""A process that the system gives too little memory, or that is killed at a named place."""

from __future__ import annotations

import os
import resource
import signal
from dataclasses import dataclass
from pathlib import Path

from mrclassic import failpoints

TRAINING = "runs/*/book.txt"  # of a home: the first thing that a training keeps


@dataclass(frozen=True)
class Shortage:
    """Done first in a process that trains in `home`: it may hold `spare` bytes more than now, or than when the files
    `after` are there. Where it comes to the failpoint `dies` it is killed."""

    home: Path
    spare: int
    after: str = ""
    dies: str = ""

    def __call__(self) -> None:
        failpoints.watch(self._reached)
        self._limit()

    def _reached(self, name: str) -> None:
        if name == self.dies:
            os.kill(os.getpid(), signal.SIGKILL)
        self._limit()

    def _limit(self) -> None:
        limit, most = resource.getrlimit(resource.RLIMIT_DATA)
        if limit == resource.RLIM_INFINITY and (not self.after or any(self.home.glob(self.after))):
            resource.setrlimit(resource.RLIMIT_DATA, (_held() + self.spare, most))


@dataclass(frozen=True)
class Killed:
    """Done first in a process that is to be killed where it comes to the failpoint `at`."""

    at: str

    def __call__(self) -> None:
        failpoints.watch(lambda name: os.kill(os.getpid(), signal.SIGKILL) if name == self.at else None)


def _held() -> int:
    """Bytes of data that this process has mapped."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData"))
