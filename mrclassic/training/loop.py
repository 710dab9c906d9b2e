"""The one loop that runs every method: step, record, look aside, ask the sentinel, keep a state to go on from, stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from types import FrameType
from typing import Literal, Protocol

from mrclassic.training.report import StepReport
from mrclassic.training.sentinel import Look, Sentinel, Verdict
from mrclassic.training.sentinel.looks import lost
from mrclassic.training.sentinel.optimum import NAN
from mrclassic.training.state import SKIPPED, State

Ended = Literal["done", "paused", "rolled back", "stopped", "interrupted"]
Aside = Callable[[State], Look]
SAVING = 0.02  # the largest share of the time that may go into saving
SKIPS = 3  # times that a run goes on past batches which gave no finite updates; then something else is wrong


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
    """How a run ended. `steps` is where its state stands; `verdict` the sentinel's word where that ended the run.

    `stopped`: not even the state that it was rolled back to is worth keeping; make no checkpoint of it.
    """

    ended: Ended
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
    aside: Aside | None = None,
    stopping: Callable[[], bool] = lambda: False,
    enough: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Run `step` until `state.step` reaches `steps`, the sentinel ends it, or `stopping()` says so; `enough()` says
    that these updates have to do, and the run is done. One that had ended already ends the same way, at once.

    A state to roll back to is kept in memory every `good_every` updates while the sentinel is content; with `aside`
    (see `training.aside`), which the sentinel hears before it decides. Saving to disk goes by time, so that it costs a
    fixed small share. Ctrl-C waits for the update to be whole and saves before it is passed on; a second one does not
    wait, and the run then goes on from what was saved before.
    """
    begun = saved = time.monotonic()
    took = 0.0  # the last saving
    if state.ended is not None:
        return _as_before(state)
    sentinel.recall(state.seen)
    if aside is not None and not sentinel.history.looks:
        sentinel.history.look(aside(state), state.step)
    state.seen = sentinel.memory()
    if state.good is None:
        state.good = state.snapshot()
    ended: Ended = "done"
    last: Verdict | None = None
    with _interrupts_held() as asked:
        while state.step < steps:
            if asked() or stopping():
                ended = "interrupted"
                break
            if enough():
                break
            report = step(state)
            due = state.step % good_every == 0
            look = aside(state) if aside is not None and due else None
            seen = sentinel.history.looks[0] if look is None and aside is not None and state.step == 1 else look
            recorder.step(report if seen is None else _with(report, seen))
            verdict = sentinel.judge(report, look)
            if skips := verdict.rule == NAN and len(state.facts.get(SKIPPED, [])) < SKIPS:
                verdict = _skip(state, sentinel, verdict)
            if verdict.action != "continue":
                recorder.alarm(report.step, verdict)
            if verdict.action in ("pause", "roll back", "stop") and not skips:
                if verdict.action != "pause" or not sentinel.healthy():
                    state.roll_back(state.good)
                    sentinel.recall(state.seen)
                ended, last = _ending(verdict, state, sentinel, aside)
                if last is not verdict:
                    recorder.alarm(report.step, last)
                break
            if due and sentinel.healthy():
                state.seen = sentinel.memory()
                state.good = state.snapshot(state.good)
            wait = max(save_seconds, took / SAVING) if save_seconds else 0.0  # 0: after every update
            if time.monotonic() - saved >= wait:
                saving = time.monotonic()
                _save(state, sentinel, recorder)
                saved = time.monotonic()
                took = saved - saving
        state.seen = sentinel.memory()
        if ended != "interrupted":
            state.ended, state.good = {"ended": ended, "verdict": asdict(last) if last else None}, None
        if ended == "interrupted" or asked():
            recorder.save(state)
        if asked():
            raise KeyboardInterrupt
    return Outcome(ended, state.step, time.monotonic() - begun, last)


def _skip(state: State, sentinel: Sentinel, verdict: Verdict) -> Verdict:
    """Go back to the last good weights and on with the next batches: those between are left out. (Larger models are
    brought past their spikes like that: PaLM, arXiv 2204.02311, section 5.1.)"""
    assert state.good is not None
    first = state.good.step + 1
    state.skip_back(state.good)
    sentinel.recall(state.seen)
    state.good = state.snapshot(state.good)
    return replace(verdict, message=f"{verdict.message} The batches of updates {first} to {state.step} are skipped.")


def _as_before(state: State) -> Outcome:
    """The outcome of a run that was saved when it had ended."""
    assert state.ended is not None
    verdict = state.ended["verdict"]
    return Outcome(state.ended["ended"], state.step, 0.0, Verdict(**verdict) if verdict else None)


def _ending(verdict: Verdict, state: State, sentinel: Sentinel, aside: Aside | None) -> tuple[Ended, Verdict]:
    """How a run ends by `verdict`. Where what it was rolled back to has lost the book too, nothing of it is kept: the
    rules saw the damage later than it was done."""
    if verdict.action == "stop":
        return "stopped", verdict
    if verdict.action == "pause":
        return "paused", verdict
    first = sentinel.history.looks[0] if sentinel.history.looks else None
    if aside is not None and first is not None and state.step > first.step and lost(first, aside(state)):
        words = f"{verdict.message} The last good state (update {state.step}) is damaged too, so nothing is kept."
        return "stopped", Verdict("stop", verdict.rule, words)
    return "rolled back", verdict


def _with(report: StepReport, look: Look) -> StepReport:
    """The report with what was found by looking aside, for the curves: by the first update, before it."""
    found = {"look/held_out": look.held_out, "look/book": look.book}
    return replace(report, metrics={**report.metrics, **{key: right / n for key, (right, n) in found.items() if n}})


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
