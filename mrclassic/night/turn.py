"""When a night may begin: it is the only one of its home, nothing else learns there, and the device is free.

    nightly.lock    held by a night for as long as its process lives, be it that it only waits
    night.lock      held by who trains the model of this home: a lesson, a training, a night once it has the device

A night that waits for the device leaves the second lock alone, so that lessons go on meanwhile.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mrclassic import heartbeat
from mrclassic.errors import Refused
from mrclassic.home import Home
from mrclassic.lease import Lease
from mrclassic.night.workplace import Say, alone

_LOOK = 0.5  # seconds between looks at whether it may begin

_RUNS = "A night is running in this home already, or waits to begin; `mrclassic daemon status` shows it."
_LEARNS = "Something else is being learned in this home; the night begins after it."


@contextmanager
def turn(home: Home, device: str, idle_minutes: float, say: Say, beats: Path, *, patient: bool) -> Iterator[Lease]:
    """Within the block this home and its device are a night's alone; it waits for the device (which whoever has it
    gives up when nobody has asked anything for `idle_minutes`). What else may be in the way is waited for where the
    night is `patient`, otherwise Refused is raised. Its heart beats in `beats` from when it is the only one. The lease
    is let go by the caller, or with the process."""
    lease = Lease(home, device)
    with ExitStack() as held:
        waits = held.enter_context(ExitStack())
        if patient:  # so that the service neither takes it for silent nor counts this as its work
            waits.enter_context(lease.waiting())
        _first(lambda: held.enter_context(alone(home, "nightly", _RUNS, "night")), say if patient else None)
        heartbeat.begin(beats)
        _first(lambda: _glance(home), say if patient else None)
        with _taken(home, lease) or _awaited(home, lease, idle_minutes, say):
            waits.close()
            yield lease


def _first(take: Callable[[], None], say: Say | None) -> None:
    """Take a lock; where another has it wait for that, saying so once, or, with nobody to `say` it to, be refused."""
    told = False
    while True:
        try:
            take()
        except Refused as refused:
            if say is None:
                raise
            if not told:
                say(f"The night waits. {refused}")
                told = True
            heartbeat.beat("waiting for what else is learned")
            time.sleep(_LOOK)
        else:
            return


def _glance(home: Home) -> None:
    with alone(home, "night", _LEARNS):
        return


def _taken(home: Home, lease: Lease) -> ExitStack | None:
    """Both the lock and the device, or neither. The lock comes first: a lesson has it before it shares the device."""
    with ExitStack() as both, contextlib.suppress(Refused):
        both.enter_context(alone(home, "night", _LEARNS))
        if lease.own("night", tries=1):
            return both.pop_all()
    return None


def _awaited(home: Home, lease: Lease, idle_minutes: float, say: Say) -> ExitStack:
    say(
        "The model is awake, or a training is running; the night begins when that is over, or nobody has asked the "
        f"model anything for {idle_minutes:g} minutes. Lessons go on meanwhile."
    )
    with lease.waiting():
        while (both := _taken(home, lease)) is None:
            heartbeat.beat("waiting for the device")
            time.sleep(_LOOK)
    return both
