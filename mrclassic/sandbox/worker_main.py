"""The child's side of a worker: builds the function it was named, then answers requests, one JSON line each.

Started by `worker.py` only: `python -m mrclassic.sandbox.worker_main FD PARENT MEMORY TARGET ARGUMENTS`.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

LONGEST = 64 * 2**20  # bytes of an answer
_WORDS = 500  # characters of an error's message that travel back
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Run until the parent goes away."""
    descriptor, parent, memory = (int(word) for word in sys.argv[1:4])
    target, arguments = sys.argv[4], json.loads(sys.argv[5])
    channel = socket.socket(fileno=descriptor)
    _die_with(parent, channel)
    _limit(memory)
    # A process that the function starts must neither answer in our place nor keep the channel open.
    os.set_inheritable(descriptor, False)
    os.register_at_fork(after_in_child=lambda: os.dup2(os.open(os.devnull, os.O_RDONLY), descriptor, False))
    us = os.getpid()
    with channel.makefile("rb") as requests:
        try:
            function = _build(target, arguments)
        except BaseException as error:  # noqa: BLE001 - SystemExit too: whatever stops the start is told
            _send(channel, _fault("start", _words(error)))
            os._exit(1)
        _send(channel, b'{"ready": true}')
        for line in requests:
            reply = _answer(function, line)
            if os.getpid() != us:
                os._exit(0)
            _send(channel, reply)
    os._exit(0)  # not an ordinary end: threads or exit handlers of the function could hold it up


def _build(target: str, arguments: list[Any]) -> Callable[[Any], Any]:
    module, _, factory = target.partition(":")
    function: Callable[[Any], Any] = getattr(importlib.import_module(module), factory)(*arguments)
    return function


def _answer(function: Callable[[Any], Any], line: bytes) -> bytes:
    try:
        reply = json.dumps({"answer": function(json.loads(line)["request"])}).encode()
    except MemoryError:
        return _MEMORY  # made before: what filled the memory is still there
    except BaseException as error:  # noqa: BLE001 - SystemExit is no reason to leave either
        return _fault("raised", _words(error))
    if len(reply) > LONGEST:
        return _fault("raised", f"OverflowError: the answer is longer than {LONGEST >> 20} MiB")
    return reply


def _fault(kind: str, why: str) -> bytes:
    return json.dumps({"fault": kind, "why": why}).encode()


_MEMORY = _fault("memory", "")


def _send(channel: socket.socket, reply: bytes) -> None:
    channel.sendall(reply + b"\n")


def _words(error: BaseException) -> str:
    """Kind, message and place of an error, in one line."""
    try:
        message = " ".join(str(error).split())
    except Exception as worse:  # noqa: BLE001 - a foreign exception may fail to describe itself
        message = f"(its message raised {type(worse).__name__})"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name} line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {message[:_WORDS]}{place}" if message else f"{type(error).__name__}{place}"


def _limit(memory: int) -> None:
    """Address space on Linux; macOS knows no such limit but for data, and may refuse that one."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kind = resource.RLIMIT_AS if sys.platform == "linux" else resource.RLIMIT_DATA
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (memory, memory))
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # if the machine runs out all the same, this process goes first
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _die_with(parent: int, channel: socket.socket) -> None:
    """End, with everything in our process group, when the parent does."""
    if sys.platform == "linux":
        # Works even while something holds the interpreter's lock, which would keep the thread below from running.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    def watch() -> None:
        hung_up = select.poll()
        hung_up.register(channel.fileno(), 0)
        hung_up.poll()
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


if __name__ == "__main__":
    main()
