"""Who computes on a device: a lock for each device of a home, so that a night never runs beside what its owner wants.

What the owner asked for (the mind that answers, a training typed by hand) shares a device, as slow as that may be: who
wants both shall have both. A night takes a device alone; it waits for it, and gives it back when it is asked to.

    device-cpu.lock    held while it computes: shared by the owner's processes, or by a night alone (which writes
                       into it who it is)
    device-cpu.queue   held while one waits for the other
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mrclassic.errors import MrClassicError, Refused
from mrclassic.home import Home

GRACE_SECONDS = 2.0
"""What a night that is asked to go may take to save; what it trained since it saved last is then computed again."""
_LOOK = 0.02
_DEAD_SECONDS = 10.0


@dataclass(frozen=True)
class Holder:
    """A process that has a device to itself."""

    who: str
    pid: int


class Lease:
    """A device of a home, to be held by this process."""

    def __init__(self, home: Home, device: str) -> None:
        name = "cuda:0" if device == "cuda" else device
        self.device = device
        self.path = home.run / f"device-{name.replace(':', '-')}.lock"
        self._queue = self.path.with_suffix(".queue")
        self._descriptor: int | None = None

    def share(self) -> bool:
        """Hold it beside others that share it; False, and nothing is held, while one has it alone."""
        return self._hold(fcntl.LOCK_SH)

    def own(self, who: str, tries: int = 3) -> bool:
        """Hold it alone; False, and nothing is held, while anybody else does."""
        for left in reversed(range(tries)):
            if self._hold(fcntl.LOCK_EX):
                break
            if not left:
                return False
            time.sleep(_LOOK)  # who only looks holds it for an instant
        assert self._descriptor is not None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps({"who": who, "pid": os.getpid()}).encode(), 0)
        return True

    def release(self) -> None:
        """Let it go, where it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def demand(self, grace: float = GRACE_SECONDS) -> None:
        """Share it; a night that has it is asked to go, and ended where that takes it longer than `grace` seconds."""
        if self.share():
            return
        asked: Holder | None = None
        seen, end, began = None, 0.0, time.monotonic()
        with self.waiting():
            while not self.share():
                found = holder(self.path)
                # Twice the same: for an instant after a night has taken it, the file still names the one before.
                if found is not None and found == seen and found != asked:
                    asked, end = found, time.monotonic() + grace
                    # To the process alone: what it has started is still to serve the update that it is at.
                    _signal(found.pid, signal.SIGTERM)
                elif asked is not None and time.monotonic() > end:
                    _signal_all(asked.pid, signal.SIGKILL)
                if time.monotonic() - began > grace + _DEAD_SECONDS:
                    who = f"process {found.pid}" if found else "a process"
                    raise MrClassicError(f"A night ({who}) does not let go of {self.device}; end it by hand.")
                seen = found
                time.sleep(_LOOK)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Within the block others see that somebody waits for this device."""
        with self._queue.open("ab") as queue:
            fcntl.flock(queue, fcntl.LOCK_SH)
            yield

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for it."""
        return _locked(self._queue, fcntl.LOCK_EX)

    def _hold(self, how: int) -> bool:
        assert self._descriptor is None, "held already"
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True


@contextlib.contextmanager
def shared(home: Home, device: str) -> Iterator[None]:
    """The device for a training that its owner asks for; refused in one sentence while a night has it."""
    lease = Lease(home, device)
    if not lease.share():
        found = holder(lease.path)
        who = f" (process {found.pid})" if found else ""
        raise Refused(
            f"A night{who} is practising on {device}; wait for its end, or end it with `mrclassic daemon pause` or "
            "Ctrl-C where it was typed."
        )
    try:
        yield
    finally:
        lease.release()


def ahead(home: Home, wanted: str) -> Lease | None:
    """The device that `wanted` (of the settings) stands for, where a night has it; None where none has, or where only
    torch could tell whether "auto" is that device. It takes seconds to load, and the night has to go in two."""
    names = [wanted]
    if wanted == "auto":
        gpu = sys.platform == "darwin" or any(Path(path).exists() for path in _GPUS)
        names = ["cuda:0", "mps"] if gpu else ["cpu"]
    found = (Lease(home, name) for name in names)
    return next((lease for lease in found if _locked(lease.path, fcntl.LOCK_SH)), None)


_GPUS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # of NVIDIA's driver, AMD's, and Windows' subsystem


def night(home: Home) -> Holder | None:
    """The night that has a device of this home now, if any."""
    for path in home.run.glob("device-*.lock"):
        if _locked(path, fcntl.LOCK_SH):
            return holder(path) or Holder("night", 0)
    return None


def begun(home: Home) -> Holder | None:
    """Who is at work on the model of this home: a lesson, or else a night, be it that it still waits."""
    found = None
    for path in (home.run / "nightly.lock", home.run / "night.lock"):
        if _locked(path, fcntl.LOCK_SH):
            here = holder(path) or Holder("night", 0)
            found = here if here.who in ("night", "lesson") else found
    return found


def taken(home: Home) -> bool:
    """Whether anybody holds a device of this home."""
    return any(_locked(path, fcntl.LOCK_EX) for path in home.run.glob("device-*.lock"))


def awaited(home: Home) -> bool:
    """Whether anybody waits for a device of this home."""
    return any(_locked(path, fcntl.LOCK_EX) for path in home.run.glob("device-*.queue"))


def holder(path: Path) -> Holder | None:
    """Who wrote last that it has the device of this lock alone."""
    try:
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _locked(path: Path, how: int) -> bool:
    """Whether somebody holds a lock that `how` does not go with."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _signal_all(pid: int, number: signal.Signals) -> None:
    """To the process, and to all of its group where it is the head of one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
