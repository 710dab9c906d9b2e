"""The night's heartbeat: a small file written as it works, so that the service can tell work from a silent hang.

    begin(home.run / "night.beat")
    beat("grpo: update 12 of 300")

A process has one heart; where none was begun a beat does nothing, so what is used by nights and others just beats.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

_BYTES = 120  # always as many, padded: a full disk has the room already
_SECONDS = 0.5  # between two writes; more beats say nothing new

_heart: int | None = None
_last = 0.0


def begin(path: Path) -> None:
    """Write the beats of this process to `path` from now on."""
    global _heart, _last
    if _heart is not None:
        os.close(_heart)
    _heart = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    _last = 0.0
    beat()


def beat(words: str = "") -> None:
    """Say that the work goes on, and where it is."""
    global _last
    if _heart is None or (now := time.monotonic()) - _last < _SECONDS:
        return
    _last = now
    line = " ".join(words.split()).encode()[: _BYTES - 1].ljust(_BYTES - 1) + b"\n"
    try:
        os.pwrite(_heart, line, 0)
        os.utime(_heart)
    except OSError:
        return  # a disk that fails now may not later; till then the service may end us, and would be right to


def pulse(path: Path) -> tuple[int, str]:
    """When it last beat (in nanoseconds by the file's clock, 0 for never) and the words of it.

    Compare the first number with the one that you saw before rather than with the time: clocks are set anew.
    """
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_mtime_ns, file.read(_BYTES).decode("utf-8", "replace").strip()
    except OSError:
        return 0, ""
