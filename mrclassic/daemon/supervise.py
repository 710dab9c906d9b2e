"""The night as a child process: started in its own session, watched, ended by SIGTERM and, after a limit, SIGKILL.

A job cannot be ended from inside a scheduler's thread and would keep its memory there; a process can, and does not.
Its own session keeps a Ctrl-C at the service's terminal from reaching it first, and makes it the head of a process
group, so that what it started (sandboxes, workers) goes with it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mrclassic import shipped
from mrclassic.daemon.again import GAVE_WAY
from mrclassic.errors import MrClassicError, Refused
from mrclassic.home import Home
from mrclassic.store import Night

# How long a night may take to write its checkpoint. A unit's TimeoutStopSec must be longer.
GRACE_SECONDS = 30.0
LOGS_KEPT = 30
_COMPLAINT = "mrclassic: "


def night_command(home: Home, minutes: float, device: str = "auto") -> tuple[str, ...]:
    """What is started each night; one that goes on after a break gets `RESUME` behind it."""
    chosen = () if device == "auto" else ("--device", device)
    return (
        *shipped.python("-m", "mrclassic", "--home", str(home.root), *chosen),
        *("night", "--now", "--minutes", f"{minutes:g}", "--json", "--unattended"),
    )


RESUME = "--resume"


@dataclass(frozen=True)
class Ended:
    """How a night ended: its exit code (negative: the signal), when, and where it wrote."""

    code: int
    started: str
    finished: str
    log: str

    def sentence(self, night: Night | None) -> str:
        """For the log and the status; `night` is its row, None where it ended before it entered one."""
        if self.code == 0:
            if night is None:
                return "The night was ended before it began."
            return "The night is over." if night.status == "done" else f"The night was cut short; {kept(night)}."
        if self.code == GAVE_WAY:
            return self.complaint or "The night gave way; what it has done so far is saved."
        if self.code < 0:
            return f"The night was ended by {signal.Signals(-self.code).name}; see {self.log}."
        return f"The night ended with exit code {self.code}; see {self.log}. {self.complaint}".rstrip()

    @property
    def complaint(self) -> str:
        """The sentence that it ended with, where it could not do its work."""
        try:
            lines = Path(self.log).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            return ""
        last = lines[-1] if lines else ""
        return last.removeprefix(_COMPLAINT) if last.startswith(_COMPLAINT) else ""


def kept(night: Night | None) -> str:
    """What is left of a night that was cut short."""
    if night is None or night.checkpoint is None:
        return "nothing of it is kept"
    return f"what it had trained is kept as the candidate {night.checkpoint}, not judged"


class Child:
    """One running night."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self.pid = process.pid
        self.log = log
        self.started = _now()
        self._ended: Ended | None = None

    def poll(self) -> Ended | None:
        """How it ended, or None while it runs. What it left behind in its process group is ended with it."""
        if self._ended is None and (code := self._process.poll()) is not None:
            self._signal(signal.SIGKILL)
            self._ended = Ended(code, self.started, _now(), str(self.log))
        return self._ended

    def ask(self) -> None:
        """Ask it to save and end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once; nothing that it trained is kept."""
        self._signal(signal.SIGKILL)

    def wait(self, seconds: float) -> Ended | None:
        """Wait so long for its end."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self.poll()

    def stop(self, grace: float = GRACE_SECONDS) -> Ended:
        """SIGTERM, up to `grace` seconds, then SIGKILL; returns when it is gone."""
        self.ask()
        end = self.wait(grace)
        while end is None:
            self.kill()
            end = self.wait(1.0)
        return end

    def _signal(self, number: signal.Signals) -> None:
        _signal_group(self.pid, number)


def start(home: Home, command: Sequence[str]) -> Child:
    """Start `command` in its own session, writing to a log of its own under the home."""
    log = home.logs / f"night-{datetime.now(UTC):%Y%m%d-%H%M%S}.log"
    count = 1
    while log.exists():
        count += 1
        log = log.with_name(f"{log.stem.rsplit('_', 1)[0]}_{count}.log")
    for old in sorted(home.logs.glob("night-*.log"))[: 1 - LOGS_KEPT]:
        old.unlink(missing_ok=True)
    try:
        # The child inherits the lock and we let go of it, so it tells whether a night lives even if we are killed.
        with log.open("xb") as output, _lock_file(home).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock.fileno(),),
                env=shipped.environment(PYTHONUNBUFFERED="1"),
            )
    except BlockingIOError as error:
        log.unlink(missing_ok=True)
        raise Refused("The night was not started: one that an earlier service started is still running.") from error
    except OSError as error:
        raise MrClassicError(
            f"The night could not be started: {error.strerror or error} ({error.filename})."
        ) from error
    return Child(process, log)


def alive(home: Home) -> bool:
    """Whether a night that a service started is running, be that service still there or not."""
    return _held(_lock_file(home))


def any_alive(home: Home) -> bool:
    """Whether any night is running in this home, one in a shell too."""
    return _held(home.run / "nightly.lock")


def _held(path: Path) -> bool:
    with path.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def end_orphan(home: Home, pid: int, grace: float = GRACE_SECONDS) -> bool:
    """End the night `pid` of a service that was killed, if it still runs; return whether it did.

    The lock that it inherited is the proof that the process of that id is still the night.
    """
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + seconds
        if not alive(home):
            return number is signal.SIGKILL
        _signal_group(pid, number)
        while alive(home) and time.monotonic() < deadline:
            time.sleep(0.05)
    return True


def _lock_file(home: Home) -> Path:
    return home.run / "night-child.lock"


def _signal_group(pid: int, number: signal.Signals) -> None:
    # No such group: everything in it is gone already. macOS says "not permitted" of a group of zombies.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
