"""A worker: a process of its own for code that may hang, crash, print or allocate without end.

It is for code that the owner trusts but cannot vouch for (computer algebra, plugins); what a model wrote goes to the
judge. Requests and answers are JSON lines on a private socket, so whatever is printed is only noise: the last of it is
kept, the rest dropped. A worker that does not answer in time is killed with all it started, and a new one takes its
place at the next request.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import secrets
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from mrclassic import shipped
from mrclassic.sandbox.worker_main import LONGEST

FaultKind = Literal["timeout", "memory", "died", "raised", "start"]
_KEPT = 64 * 2**10  # bytes of what is printed
_CHUNK = 2**16
_LONGEST_WAIT = 10_000.0  # seconds that one system call may be told to wait; who allows more is waited for again
_MARK = "MRCLASSIC_WORKER"
# A thread pool in each worker would multiply its memory (every thread maps its own arena) and fight for the cores.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

# Linux ties a child's death signal to the thread that started it, so one thread that lives to the end starts them all.
_starter = ThreadPoolExecutor(1, thread_name_prefix="worker-starter")


class WorkerFault(Exception):  # noqa: N818 - it is an outcome that callers keep, as often as it is raised
    """A request that got no answer: its `kind`, and one sentence about it."""

    def __init__(self, kind: FaultKind, words: str) -> None:
        super().__init__(words)
        self.kind: FaultKind = kind


class Worker:
    """Answers requests with the function that `target`, "package.module:factory", returns when called on `arguments`.

    `memory` limits the address space in bytes; `start_seconds` is for importing and building. With `same_hashes` what
    is drawn from a set of words is the same in every process. The process starts at the first request. Threads may
    share a worker: it does one request at a time.
    """

    def __init__(
        self,
        target: str,
        *,
        memory: int = 512 * 2**20,
        start_seconds: float = 20.0,
        arguments: Sequence[Any] = (),
        same_hashes: bool = False,
    ) -> None:
        self._target, self._memory, self._start_seconds = target, memory, start_seconds
        self._same_hashes = same_hashes
        self._arguments = json.dumps(list(arguments))
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._printed = bytearray()
        self.printed_bytes = 0
        """How much was printed in all, by every process of this worker."""

    @property
    def printed(self) -> str:
        """The last of what was printed."""
        return self._printed.decode("utf-8", "replace")

    def ask(self, request: Any, seconds: float) -> Any:
        """The answer to `request`; raises WorkerFault. The start of a new process does not count in `seconds`."""
        line = json.dumps({"request": request}).encode() + b"\n"
        with self._lock:
            try:
                child = self._child or self._start()
                end = time.monotonic() + seconds
                reply = self._exchange(child, line, end)
            except TimeoutError:
                raise self._fault("timeout", f"It gave no answer within {seconds:g} seconds.") from None
            except BaseException:  # an interrupt, too: an answer that nobody waited for must not answer the next one
                self._kill()
                raise
            if "answer" in reply:
                return reply["answer"]
            if reply.get("fault") == "memory":
                raise self._fault("memory", f"It wanted more than its {self._memory >> 20} MiB of memory.")
            raise WorkerFault("raised", f"It raised {reply.get('why', 'something unknown')}.")

    def close(self) -> None:
        """End the process; a later request starts another."""
        with self._lock:
            self._kill()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> _Child:
        self._child = child = _starter.submit(
            _Child, self, self._target, self._memory, self._arguments, self._same_hashes
        ).result()
        try:
            reply = self._receive(child, time.monotonic() + self._start_seconds)
        except TimeoutError:
            raise WorkerFault("start", f"It did not start within {self._start_seconds:g} seconds.") from None
        except WorkerFault as fault:
            raise WorkerFault("start", f"It could not start: {fault}") from None
        if "ready" not in reply:
            raise WorkerFault("start", f"It could not start: {reply.get('why', 'nobody knows why')}.")
        return child

    def _exchange(self, child: _Child, line: bytes, end: float) -> dict[str, Any]:
        child.channel.settimeout(min(max(end - time.monotonic(), 0.001), _LONGEST_WAIT))
        try:
            child.channel.sendall(line)
        except TimeoutError:
            raise
        except OSError:
            pass  # it has gone; reading says how
        return self._receive(child, end)

    def _receive(self, child: _Child, end: float) -> dict[str, Any]:
        """The next line; raises TimeoutError at `end`, WorkerFault where there is none."""
        parts: list[bytes] = []
        length = 0
        while not parts or not parts[-1].endswith(b"\n"):
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            events = dict(child.poll.poll(min(left, _LONGEST_WAIT) * 1000))
            if child.output in events:
                self._keep(child)
            if child.channel.fileno() in events:
                with contextlib.suppress(ConnectionResetError):
                    part = child.channel.recv(_CHUNK)
                    parts.append(part)
                    length += len(part)
                if not parts or not parts[-1]:
                    raise self._death(child)
                if length > LONGEST + _CHUNK:
                    raise WorkerFault("died", f"It was ended: its answer is longer than {LONGEST >> 20} MiB.")
        try:
            reply = json.loads(b"".join(parts))
        except (ValueError, RecursionError):
            raise WorkerFault("died", "It was ended: its answer cannot be read as JSON.") from None
        return reply if isinstance(reply, dict) else {}

    def _keep(self, child: _Child) -> None:
        """Take what was printed; keep the last of it."""
        data = os.read(child.output, _CHUNK)
        if not data:
            child.poll.unregister(child.output)
        self.printed_bytes += len(data)
        self._printed += data
        del self._printed[:-_KEPT]

    def _death(self, child: _Child) -> WorkerFault:
        """Say how a process ended that closed its channel."""
        while child.output in dict(child.poll.poll(0)):
            before = self.printed_bytes
            self._keep(child)
            if self.printed_bytes == before:
                break
        code = child.exit_code()
        how = "it was ended" if code is None else f"signal {-code}" if code < 0 else f"exit code {code}"
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                how = signal.Signals(-code).name
        lines = self.printed.strip().splitlines()
        last = f": {lines[-1][-200:]}" if lines else ""
        return WorkerFault("died", f"It ended without an answer ({how}{last}).")

    def _fault(self, kind: FaultKind, words: str) -> WorkerFault:
        self._kill()
        return WorkerFault(kind, words)

    def _kill(self) -> None:
        if self._child is not None:
            child, self._child = self._child, None
            child.end()


class _Child:
    """One process, with the two descriptors through which it is heard."""

    def __init__(self, owner: Worker, target: str, memory: int, arguments: str, same_hashes: bool) -> None:
        self.channel, theirs = socket.socketpair()
        mark = secrets.token_hex(8)
        with theirs:
            command = ("-m", "mrclassic.sandbox.worker_main", str(theirs.fileno()), str(os.getpid()), str(memory))
            self.process = subprocess.Popen(
                shipped.python(*command, target, arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env=shipped.environment(
                    **_ONE_THREAD, **({"PYTHONHASHSEED": "0"} if same_hashes else {}), **{_MARK: mark}
                ),
            )
        assert self.process.stdout is not None
        self.output = self.process.stdout.fileno()
        self.poll = select.poll()
        for descriptor in (self.channel.fileno(), self.output):
            self.poll.register(descriptor, select.POLLIN)
        # Also when the worker is forgotten, and when the interpreter exits.
        self.end = weakref.finalize(owner, _end, os.getpid(), self.process, self.channel, mark)

    def exit_code(self) -> int | None:
        """How it ended, None where it lives on without its channel. It is not reaped: its group keeps its number."""
        end = time.monotonic() + 1
        while time.monotonic() < end:
            found = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
            if found is not None:
                return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
            time.sleep(0.005)
        return None


def _end(starter: int, process: subprocess.Popen[bytes], channel: socket.socket, mark: str) -> None:
    """Kill the process and all that it started."""
    if os.getpid() != starter:
        return  # a fork of ours ends; the worker is not its own
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for pid in _marked(mark):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    channel.close()
    if process.stdout is not None:
        process.stdout.close()
    with contextlib.suppress(subprocess.TimeoutExpired):  # one that sits in the kernel is left to it
        process.wait(5)


def _marked(mark: str) -> list[int]:
    """Processes that left the group (setsid) but still carry the environment they were born with; Linux only."""
    if sys.platform != "linux":
        return []
    word, found = f"{_MARK}={mark}".encode(), []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if word in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
    return found


class Pool:
    """`size` workers of one kind, started as they are needed; the options are those of `Worker`."""

    def __init__(self, target: str, size: int, **options: Any) -> None:
        self._workers = [Worker(target, **options) for _ in range(size)]
        # The one used last is used next: a small load keeps few processes.
        self._idle: queue.LifoQueue[Worker] = queue.LifoQueue()
        for worker in reversed(self._workers):
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="worker-pool")

    def map(self, requests: Sequence[Any], seconds: float) -> list[Any]:
        """The answer to each request, or the WorkerFault in its place; `seconds` are for each."""
        return list(self._threads.map(lambda request: self._ask(request, seconds), requests))

    def _ask(self, request: Any, seconds: float) -> Any:
        worker = self._idle.get()
        try:
            return worker.ask(request, seconds)
        except WorkerFault as fault:
            return fault
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """End all processes; the pool is of no more use."""
        self._threads.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.close()

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
