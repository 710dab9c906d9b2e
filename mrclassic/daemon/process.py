"""What the service's process needs around its loop: to be the only one of its home, and signals as words."""

from __future__ import annotations

import fcntl
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from mrclassic.daemon.status import last_words, lock_file
from mrclassic.errors import Refused
from mrclassic.home import Home

# A closed terminal (SIGHUP) ends a service that was started in it by hand, and the night must not outlive it unseen.
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def alone(home: Home) -> Iterator[None]:
    """Hold the lock that makes this the home's only service."""
    path = lock_file(home)
    with path.open("ab") as lock:
        for attempt in range(10):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # Somebody who only looks holds it for an instant; a service holds it for good.
                if attempt == 9:
                    pid = last_words(home).pid
                    process = f" (process {pid})" if pid else ""
                    raise Refused(
                        f"A service is already running for {home.root}{process}; `mrclassic daemon status` shows it."
                    ) from None
                time.sleep(0.03)
        yield


@contextmanager
def signals(tell: Callable[[], None]) -> Iterator[None]:
    """Within the block SIGTERM, SIGINT and SIGHUP call `tell` and nothing else."""

    def handler(number: int, frame: FrameType | None) -> None:
        tell()

    # `nohup` means it. (An ignored SIGINT only says that some shell put us into the background.)
    kept = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else set()
    wanted = [number for number in _SIGNALS if number not in kept]
    before = {number: signal.signal(number, handler) for number in wanted}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
