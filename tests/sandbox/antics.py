"""What a worker may be asked to survive; imported by the worker's own process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any


def make(*arguments: Any) -> Callable[[Any], Any]:
    """`["name", value]` calls the function of that name."""
    seen: list[Any] = []

    def answer(request: Any) -> Any:
        seen.append(request)
        name, value = request
        ours = {"echo": lambda it: it, "count": lambda _: len(seen), "arguments": lambda _: list(arguments)}
        return (globals() | ours)[name](value)

    return answer


def never(*arguments: Any) -> None:
    time.sleep(60)


def exits() -> None:
    sys.exit("no licence found")


def pid(_: Any) -> int:
    return os.getpid()


def sleep(seconds: float) -> str:
    time.sleep(seconds)
    return "awake"


def hold_the_lock(_: Any) -> int:
    """Minutes inside one operation of C that lets no other thread of the interpreter run."""
    return len(str(3 ** (3**16)))


def say(megabytes: int) -> str:
    for _ in range(megabytes):
        sys.stdout.write("x" * 2**20)
    sys.stdout.write("the last words")
    sys.stdout.flush()
    return "said"


def allocate(_: Any) -> int:
    kept: list[bytes] = []
    while True:
        kept.append(bytes(2**20))


def leave(code: int) -> None:
    sys.stdout.write("goodbye\n")
    sys.stdout.flush()
    os._exit(code)


def crash(_: Any) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def raise_exit(_: Any) -> None:
    raise SystemExit(3)


def raise_mute(_: Any) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    raise Mute


def strange(_: Any) -> object:
    return object()


def long(megabytes: int) -> str:
    return "x" * (megabytes * 2**20)


def deep(_: Any) -> list[Any]:
    found: list[Any] = []
    for _level in range(100_000):
        found = [found]
    return found


def fork_and_return(_: Any) -> str:
    """Two processes come back from this call; only one may answer."""
    return "parent" if os.fork() else "child"


def fork_and_leave(seconds: float) -> list[int]:
    """Children in the group and out of it, holding all descriptors that they were given."""
    inside, outside = os.fork(), os.fork()
    if not outside:
        os.setsid()
    if not (inside and outside):
        time.sleep(seconds)
        os._exit(0)
    started = subprocess.Popen(["sleep", str(seconds)], start_new_session=True, close_fds=False)
    return [inside, outside, started.pid]


def fork_and_die(seconds: float) -> None:
    if os.fork():
        os._exit(0)
    os.setsid()
    time.sleep(seconds)


def chatter(_: Any) -> str:
    """A thread that prints for ever, also between the requests."""

    def talk() -> None:
        while True:
            sys.stdout.write("and another thing\n")

    threading.Thread(target=talk, daemon=True).start()
    return "started"
