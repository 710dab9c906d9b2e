"""The one loop that runs every method: step, record, ask the sentinel, keep a state to go on from, stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Literal, Protocol

from mrclassic.training.report import StepReport
from mrclassic.training.sentinel import Sentinel, Verdict
from mrclassic.training.state import State


class Recorder(Protocol):
    """Where a run's numbers go; training itself knows no database and no screen."""

    def step(self, report: StepReport) -> None:
        """After every update."""
        ...

    def alarm(self, step: int, verdict: Verdict) -> None:
        """When the sentinel says anything but continue."""
        ...

    def save(self, state: State) -> None:
        """When the state should be made safe (by time, and on interruption)."""
        ...


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `steps` is where its state stands; `verdict` the sentinel's word where that ended the run."""

    ended: Literal["done", "paused", "rolled back", "interrupted"]
    steps: int
    seconds: float
    verdict: Verdict | None = None


def run(
    state: State,
    step: Callable[[State], StepReport],
    *,
    steps: int,
    recorder: Recorder,
    sentinel: Sentinel,
    save_seconds: float = 60.0,
    good_every: int = 25,
    stopping: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Run `step` until `state.step` reaches `steps`, the sentinel ends it, or `stopping()` says so.

    A state to roll back to is kept in memory every `good_every` updates while the sentinel is content; saving to disk
    goes by time, so that it costs a fixed small share. Ctrl-C waits for the update to be whole and saves before it is
    passed on; a second one does not wait, and the run then goes on from what was saved before.
    """
    begun = saved = time.monotonic()
    sentinel.recall(state.seen)
    good = state.snapshot()
    ended: Literal["done", "paused", "rolled back", "interrupted"] = "done"
    last: Verdict | None = None
    with _interrupts_held() as asked:
        while state.step < steps:
            if asked() or stopping():
                ended = "interrupted"
                break
            report = step(state)
            recorder.step(report)
            verdict = sentinel.judge(report)
            if verdict.action != "continue":
                recorder.alarm(report.step, verdict)
            if verdict.action in ("pause", "roll back"):
                if verdict.action == "roll back" or not sentinel.healthy():
                    state.roll_back(good)
                ended, last = ("paused" if verdict.action == "pause" else "rolled back"), verdict
                break
            if state.step % good_every == 0 and sentinel.healthy():
                good = state.snapshot()
            if time.monotonic() - saved >= save_seconds:
                _save(state, sentinel, recorder)
                saved = time.monotonic()
        if ended == "interrupted" or asked():
            _save(state, sentinel, recorder)
        if asked():
            raise KeyboardInterrupt
    return Outcome(ended, state.step, time.monotonic() - begun, last)


def _save(state: State, sentinel: Sentinel, recorder: Recorder) -> None:
    """Save what going on needs: the sentinel's memory too, or a resumed run would be judged as if it began there."""
    state.seen = sentinel.memory()
    recorder.save(state)


@contextmanager
def _interrupts_held() -> Iterator[Callable[[], bool]]:
    """Ctrl-C becomes a question that the loop asks between updates: raised in the middle of one, it would leave the
    weights of one step with the moments or the count of another, and no exact continuation."""
    held = False

    def hold(number: int, frame: FrameType | None) -> None:
        nonlocal held
        held = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: False  # whoever has set a handler of their own decides
        return
    signal.signal(signal.SIGINT, hold)
    try:
        yield lambda: held
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
