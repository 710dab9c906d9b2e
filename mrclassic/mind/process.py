"""Starting and ending the mind's process: one for each home, started by whoever needs it first.

The process holds a lock on `run/mind.lock` (with its pid inside) as long as it lives, and listens on `run/mind.sock`
once its model is loaded. So "the lock is held" means that it exists, "the socket answers" that it is ready.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from mrclassic import shipped
from mrclassic.home import Home
from mrclassic.mind.protocol import MindError
from mrclassic.mind.sockets import listening

START_SECONDS = 120.0
"""How long a start may take: importing torch from a cold disk and reading the largest model."""

_LOG_BYTES = 1024 * 1024


def lock_path(home: Home) -> Path:
    """The file whose lock the mind holds."""
    return home.run / "mind.lock"


def log_path(home: Home) -> Path:
    """Where the mind writes what happens to it (never what is said to it)."""
    return home.logs / "mind.log"


def bring_up(
    home: Home, device: str | None = None, seconds: float = START_SECONDS, abandoned: threading.Event | None = None
) -> None:
    """Return when the mind of `home` answers, starting it if nobody has. Raises `MindError` when it cannot start.

    Returns early, with the mind still on its way, when `abandoned` is set from another thread.
    """
    home.ensure()
    end = time.monotonic() + seconds
    child: _Child | None = None
    while not listening(home.socket) and not (abandoned and abandoned.is_set()):
        # A child that ends with 0 found another mind in its place, or was told to stop: look again, start again.
        if child is None or child.ended == 0:
            child = _Child(home, device)
        elif child.ended is not None:
            raise MindError(child.last_words())
        if time.monotonic() > end:
            raise MindError(f"The model did not start within {seconds:.0f} seconds; see {log_path(home)}.")
        time.sleep(0.02)


@contextlib.contextmanager
def hold(home: Home) -> Iterator[bool]:
    """The home's lock, for as long as the block runs; False when another process had it first.

    That one is waited for: until it answers, or is gone. Then it is for the clients to say whether they still want a
    mind; a starter that has waited in line must not come to life after somebody has ended the one before it.
    """
    descriptor = os.open(lock_path(home), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        ours = _grasp(descriptor)
        end = time.monotonic() + START_SECONDS
        while not ours and not listening(home.socket) and not _grasp(descriptor):
            if time.monotonic() > end:
                words = f"Process {holder(home)} holds {lock_path(home)} but does not answer; end it, and ask again."
                raise MindError(words)
            time.sleep(0.05)
        if ours:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield ours
    finally:
        os.close(descriptor)


def _grasp(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def holder(home: Home) -> int | None:
    """The pid of the mind's process, or None when there is none."""
    try:
        descriptor = os.open(lock_path(home), os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        written = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        return int(written) if written.isdigit() else None
    finally:
        os.close(descriptor)
    return None


def stop(home: Home, seconds: float = 5.0) -> bool:
    """End the mind of `home` and wait until its memory is back. True if there was one."""
    pid = holder(home)
    if pid is None:
        return False
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            return True
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if holder(home) != pid:
                return True
            time.sleep(0.02)
    raise MindError(f"The model's process {pid} cannot be ended; end it by hand with `kill -9 {pid}`.")


class _Child:
    """A mind that this process started; it outlives us, but should it die first we bury it and know why."""

    def __init__(self, home: Home, device: str | None) -> None:
        self._log = log_path(home)
        if self._log.exists() and self._log.stat().st_size > _LOG_BYTES:
            self._log.replace(self._log.with_suffix(".log.1"))
        command = shipped.python("-m", "mrclassic.mind", "--home", str(home.root))
        if device is not None:
            command += ["--device", device]
        with self._log.open("ab") as log:
            self._begins = log.tell()
            # A session of its own, so that neither Ctrl-C nor a closed terminal reaches it.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=shipped.environment(),
            )
        threading.Thread(target=self._process.wait, name="mind-reaper", daemon=True).start()

    @property
    def ended(self) -> int | None:
        """Its exit code, or None while it lives."""
        return self._process.returncode

    def last_words(self) -> str:
        """One sentence about why it died."""
        with self._log.open("rb") as log:
            log.seek(self._begins)
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
        last = lines[-1] if lines else ""
        if last.startswith("mrclassic: "):
            return last.removeprefix("mrclassic: ")
        code = self._process.returncode
        if code < 0:
            return (
                f"The model's process was killed while starting (signal {-code}), as happens when memory runs out; "
                f"see {self._log}."
            )
        return f"The model's process failed while starting: {last or f'exit code {code}'}; see {self._log}."
