"""The C shim between a process and the system's writing calls: built where there is a C compiler, then preloaded."""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("shim.c")
KINDS = ("write", "pwrite", "fsync", "fdatasync", "rename", "truncate", "create", "link", "unlink", "mkdir")
_ACKNOWLEDGED = "acknowledged"
_HEAD = struct.Struct("6q")


def missing() -> str:
    """Why the shim cannot be used on this machine; "" where it can."""
    if not sys.platform.startswith("linux"):
        return "the shim is for Linux"
    return "" if shutil.which("cc") else "there is no C compiler (cc)"


def preloaded(words: Sequence[str]) -> Any:
    """The shim of this process. A process without one becomes `python -m tests.campaigns WORDS` with it."""
    here = ctypes.CDLL(None)
    if hasattr(here, "shim_arm"):
        here.shim_count.restype = ctypes.c_long
        return here
    if why := missing():
        raise SystemExit(f"This campaign cannot run here: {why}.")
    built = Path(tempfile.mkdtemp()) / "shim.so"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", built, SOURCE, "-ldl"], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(built)}
    os.execve(sys.executable, [sys.executable, "-m", "tests.campaigns", *words], environment)


def arm(
    shim: Any, folder: Path, kind: str = "", nth: int = 0, error: int = 0, *, cut: bool = False, ever: bool = False
) -> None:
    """From now on the `nth` call of that kind below `folder` fails with `error`, or half of it is done (`cut`), and if
    `ever` all those after it; without a kind they are only counted."""
    place = KINDS.index(kind) if kind else -1
    shim.shim_arm(os.fsencode(folder), place, ctypes.c_long(nth), error, int(cut), int(ever), -1)


def record(shim: Any, folder: Path, log: int) -> None:
    """From now on every call below `folder` that succeeded is written to the descriptor `log`."""
    shim.shim_arm(os.fsencode(folder), -1, ctypes.c_long(0), 0, 0, 0, log)


def counts(shim: Any) -> dict[str, int]:
    """How many calls there were of each kind since it was armed."""
    return {kind: found for place, kind in enumerate(KINDS) if (found := int(shim.shim_count(place)))}


@dataclass(frozen=True)
class Call:
    """One call that was recorded, or a line that was acknowledged at that moment (its `path`)."""

    kind: str
    inode: int
    offset: int
    path: str
    other: str
    data: bytes

    @property
    def acknowledged(self) -> bool:
        return self.kind == _ACKNOWLEDGED


def calls(log: bytes) -> Iterator[Call]:
    """What `record` wrote."""
    at = 0
    while at < len(log):
        kind, inode, offset, *sizes = _HEAD.unpack_from(log, at)
        at += _HEAD.size
        parts = []
        for size in sizes:
            parts.append(log[at : at + size])
            at += size
        yield Call((*KINDS, _ACKNOWLEDGED)[kind], inode, offset, os.fsdecode(parts[0]), os.fsdecode(parts[1]), parts[2])
