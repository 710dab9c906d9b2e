"""A fork server in its sandbox, seen from outside: start it, have it fork a process for a check, end that process."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mrclassic.sandbox.inside.values import ENDED

_START_SECONDS = 30.0  # imports on a machine that does much else
_STOP_SECONDS = 10.0  # to kill one process; one that writes out much memory takes its time to die


class SandboxFault(Exception):  # noqa: N818 - an outcome, like a worker's
    """The sandbox could not be started, or no longer answers: one sentence."""


@dataclass(frozen=True)
class Launch:
    """How a backend starts the fork server: its command and the whole of its environment."""

    command: Sequence[str]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class End:
    """How a forked process ended: by itself or killed, with what wait status, after how much processor time."""

    by_itself: bool
    status: int
    cpu: float

    @property
    def clean(self) -> bool:
        """Whether it left on its own account, by no signal."""
        return self.by_itself and os.WIFEXITED(self.status)

    @property
    def signal(self) -> int:
        """What ended it unasked, or 0."""
        return os.WTERMSIG(self.status) if self.by_itself and os.WIFSIGNALED(self.status) else 0


class Confined:
    """One fork server, started at first use and again after `kill`.

    For one thread, which has to outlive it: the kernel ends a sandbox together with the thread that started it.
    """

    def __init__(self, launch: Callable[[], Launch]) -> None:
        self._launch = launch
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def begin(self, work: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        """Fork a process for `work` that owns copies of `descriptors`; raises SandboxFault."""
        control = self._control or self._start()
        body = json.dumps(work).encode()
        try:
            socket.send_fds(control, [len(body).to_bytes(4, "little")], list(descriptors))
            control.sendall(body)
        except OSError as error:
            raise SandboxFault(f"The sandbox ended: {error.strerror or error}.") from error

    def end(self) -> End:
        """Kill that process and say how it ended; raises SandboxFault."""
        control = self._control
        if control is None:
            raise SandboxFault("The sandbox has not been started.")
        try:
            control.sendall(b"-")
            data = control.recv(ENDED.size, socket.MSG_WAITALL)
        except OSError as error:
            raise SandboxFault(f"The sandbox no longer answers ({error}).") from error
        if len(data) < ENDED.size:
            raise SandboxFault("The sandbox ended.")
        return End(*ENDED.unpack(data))

    def interrupt(self) -> None:
        """Kill it from another thread; its own then meets a SandboxFault, and clears up."""
        process = self._process
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """End the sandbox with everything in it."""
        process, self._process = self._process, None
        control, self._control = self._control, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stderr is not None:
                process.stderr.close()
        if control is not None:
            with control, contextlib.suppress(OSError):
                control.settimeout(_STOP_SECONDS)
                while control.recv(4096):  # bubblewrap ends before what it holds, which has the other end
                    pass

    def _start(self) -> socket.socket:
        launch = self._launch()
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                list(launch.command),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=dict(launch.environment),
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise SandboxFault(f"Cannot start {launch.command[0]}: {error.strerror or error}.") from error
        finally:
            theirs.close()
        self._control = ours
        ours.settimeout(_START_SECONDS)
        try:
            ready = ours.recv(1) == b"+"
        except OSError:
            ready = False
        if not ready:
            why = self._last_words()
            self.kill()
            raise SandboxFault(f"The sandbox did not start: {why or 'no answer'}.")
        ours.settimeout(_STOP_SECONDS)
        return ours

    def _last_words(self) -> str:
        """The last line that a sandbox which failed to start has written."""
        assert self._process is not None
        assert self._process.stderr is not None
        stream, data = self._process.stderr, b""
        deadline = time.monotonic() + 1
        while (left := deadline - time.monotonic()) > 0 and select.select([stream], [], [], left)[0]:
            part = os.read(stream.fileno(), 4096)
            if not part:
                break
            data = (data + part)[-4096:]
        lines = data.decode(errors="replace").strip().splitlines()
        return lines[-1].rstrip(".") if lines else ""
