"""Forks of a process that has imported everything already, so that a life and its death take milliseconds."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

LONGEST = 120.0  # seconds; what takes longer hangs


@dataclass(frozen=True)
class Life:
    """How a fork ended: its exit code (negative: a signal), what it acknowledged, what it printed."""

    code: int
    acknowledged: list[str]
    printed: str

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


def adopt() -> None:
    """From now on, what a dead fork leaves running becomes a child of this process."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def orphans(patience: float = 10.0) -> list[str]:
    """The commands of children that still live after a while; there should be none."""
    end = time.monotonic() + patience
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return []
        if time.monotonic() > end:
            break
        time.sleep(0.05)
    found = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in found]


class Fork:
    """`work(acknowledge)` in a child process. Lines acknowledged before its death are heard, however it dies."""

    def __init__(self, work: Callable[[Callable[[str], None]], object]) -> None:
        self._heard, said = os.pipe()
        os.set_blocking(self._heard, False)
        self._printed: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the end
        self._lines = bytearray()
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._heard)
            os._exit(self._live(work, said))
        os.close(said)

    def _live(self, work: Callable[[Callable[[str], None]], object], said: int) -> int:
        os.dup2(self._printed.fileno(), 1)
        os.dup2(self._printed.fileno(), 2)
        try:
            work(lambda line: os.write(said, f"{line}\n".encode()) and None)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:  # noqa: BLE001 - the child's end, whatever it is
            traceback.print_exc()
            code = 70
        else:
            code = 0
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        return code

    def kill(self, after: float = 0.0) -> None:
        """SIGKILL in `after` seconds, unless it ends before that."""
        end = time.monotonic() + after
        while (left := end - time.monotonic()) > 0:
            # The pipe's end is the child's: readable at once when it dies.
            if select.select([self._heard], [], [], left)[0] and not self._listen():
                return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)

    def end(self, longest: float = LONGEST) -> Life:
        """Wait for its end; one that hangs is killed and its exit code is 124."""
        deadline, hung = time.monotonic() + longest, False
        while self._listen() or not self._closed:
            left = deadline - time.monotonic()
            if left <= 0:
                hung = True
                os.kill(self._pid, signal.SIGKILL)
                break
            select.select([self._heard], [], [], left)
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        self._listen()
        os.close(self._heard)
        self._printed.seek(0)
        printed = self._printed.read().decode("utf-8", "replace")
        self._printed.close()
        lines = self._lines.decode("utf-8", "replace").split("\n")[:-1]  # a line counts when it is whole
        return Life(124 if hung else code, lines, printed)

    _closed = False

    def _listen(self) -> bool:
        """Take what was said; whether there may be more."""
        try:
            data = os.read(self._heard, 1 << 16)
        except BlockingIOError:
            return False
        self._closed = not data
        self._lines += data
        return bool(data)
