"""Which processes a test has started, directly or not: none of a sandbox may outlive its judge."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Have what loses its parent become a child of this process, and so be found by `descendants`."""
    assert ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def descendants(pid: int | None = None) -> dict[int, str]:
    """The command lines of everything below a process (this one), by process id."""
    parents: dict[int, list[int]] = {}
    words: dict[int, str] = {}
    for each, parent in _processes():
        parents.setdefault(parent, []).append(each)
    found, waiting = words, [pid or os.getpid()]
    while waiting:
        for each in parents.get(waiting.pop(), []):
            try:
                found[each] = Path(f"/proc/{each}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            waiting.append(each)
    return found


def left_since(before: set[int], seconds: float = 3.0) -> dict[int, str]:
    """What has come since and stays; a process that was killed takes a moment to be gone."""
    deadline = time.monotonic() + seconds
    while True:
        left = {pid: words for pid, words in descendants().items() if pid not in before}
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.02)


def _processes() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            try:
                fields = (path / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                yield int(path.name), int(fields[1])


def forked() -> list[int]:
    """The processes that fork servers have forked and that are still there."""
    return [
        child
        for pid, words in descendants().items()
        if words.endswith(("main() bubblewrap ", "main() landlock "))
        and not words.startswith(("bwrap", "/usr/bin/bwrap"))
        for child, line in descendants(pid).items()
        if line == words
    ]
