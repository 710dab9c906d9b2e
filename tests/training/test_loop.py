"""The one loop: it records every update, obeys the sentinel, and ends at a state that can be gone on from."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass, field

import micro
import pytest
import torch

from mrclassic.training import loop, supervised
from mrclassic.training.aside import looking
from mrclassic.training.report import StepReport
from mrclassic.training.rows import row
from mrclassic.training.sentinel import CONTINUE, REINFORCED, SUPERVISED, History, Look, Sentinel, Verdict
from mrclassic.training.state import Snapshot, State
from mrclassic.training.suites import recall
from mrclassic.training.trainee import Schedule, Trainee

ROWS = [row(micro.policy().tokenizer, entry.messages, 96) for entry in micro.ENTRIES]
RATE = Schedule(1e-2, 1000, 2)


@dataclass
class Notes:
    """A recorder that keeps everything."""

    steps: list[int] = field(default_factory=list)
    alarms: list[tuple[int, str]] = field(default_factory=list)
    saved: list[Snapshot] = field(default_factory=list)

    def step(self, report: StepReport) -> None:
        self.steps.append(report.step)

    def alarm(self, step: int, verdict: Verdict) -> None:
        self.alarms.append((step, verdict.action))

    def save(self, state: State) -> None:
        self.saved.append(state.snapshot())


def fresh() -> State:
    return State(Trainee(micro.policy(), torch.float32), 0)


def train(state: State) -> StepReport:
    return supervised.update(state, ROWS, RATE)


def weights(steps: int) -> str:
    state = fresh()
    for _ in range(steps):
        train(state)
    return micro.digest(state.trainee.full_policy())


def says(action: str, at: int) -> Sentinel:
    def rule(history: History) -> Verdict:
        return Verdict(action, "told", "because") if len(history) == at else CONTINUE  # type: ignore[arg-type]

    return Sentinel((rule,))


def test_it_runs_to_the_count_and_not_beyond() -> None:
    state, notes = fresh(), Notes()
    ended = loop.run(state, train, steps=4, recorder=notes, sentinel=Sentinel(SUPERVISED))
    assert (ended.ended, ended.steps, ended.verdict) == ("done", 4, None)
    assert notes.steps == [1, 2, 3, 4]
    assert micro.digest(state.trainee.full_policy()) == weights(4)
    again = loop.run(state, train, steps=4, recorder=notes, sentinel=Sentinel(SUPERVISED))
    assert (again.ended, again.steps, len(notes.steps)) == ("done", 4, 4)


def test_a_pause_ends_it_where_it_stands_well() -> None:
    state, notes = fresh(), Notes()
    ended = loop.run(state, train, steps=9, recorder=notes, sentinel=says("pause", 3), good_every=2)
    assert (ended.ended, ended.steps) == ("paused", 3)
    assert ended.verdict is not None
    assert ended.verdict.message == "because"
    assert notes.alarms == [(3, "pause")]
    assert micro.digest(state.trainee.full_policy()) == weights(3)


@pytest.mark.parametrize(("at", "good"), [(2, 0), (3, 0), (5, 3)])
def test_a_roll_back_ends_it_at_the_last_good_state(at: int, good: int) -> None:
    state, notes = fresh(), Notes()
    ended = loop.run(state, train, steps=9, recorder=notes, sentinel=says("roll back", at), good_every=3)
    assert (ended.ended, ended.steps, state.step) == ("rolled back", good, good)
    assert notes.alarms == [(at, "roll back")]
    assert micro.digest(state.trainee.full_policy()) == weights(good)


def test_a_warning_is_recorded_and_nothing_ends() -> None:
    state, notes = fresh(), Notes()
    ended = loop.run(state, train, steps=4, recorder=notes, sentinel=says("warn", 2))
    assert (ended.ended, ended.steps) == ("done", 4)
    assert notes.alarms == [(2, "warn")]


def test_updates_that_are_discarded_again_and_again_end_it_at_the_last_good_state() -> None:
    state, notes = fresh(), Notes()

    def breaks(state: State) -> StepReport:
        if state.step >= 4:
            with torch.no_grad():
                state.trainee.policy.decoder.norm.fill_(float("nan"))
        return train(state)

    ended = loop.run(state, breaks, steps=50, recorder=notes, sentinel=Sentinel(SUPERVISED), good_every=2)
    assert ended.ended == "rolled back"
    assert state.facts["skipped"] == [[5, 7], [8, 10], [11, 13]]  # three of them each time
    assert (notes.steps[-1], state.step) == (16, 13)
    assert micro.digest(state.trainee.full_policy()) == micro.digest(state.trainee.policy) == weights(4)


def test_no_state_of_a_bad_moment_is_called_good() -> None:
    """A discarded update falls on the very step at which a state would be kept."""
    state, notes = fresh(), Notes()

    def breaks(state: State) -> StepReport:
        if state.step in (3, 4, 5):
            with torch.no_grad():
                state.trainee.policy.decoder.norm.fill_(float("nan"))
        return train(state)

    loop.run(state, breaks, steps=6, recorder=notes, sentinel=Sentinel(SUPERVISED), good_every=2)
    assert state.facts["skipped"] == [[3, 6]]
    assert micro.digest(state.trainee.full_policy()) == weights(2)


@dataclass
class Book:
    """A look aside at a book whose recall is told beforehand, look by look; remembers the updates it was asked at."""

    known: list[int]
    asked: list[int] = field(default_factory=list)

    def __call__(self, state: State) -> Look:
        self.asked.append(state.step)
        return Look(book=(self.known[len(self.asked) - 1], 100))


def test_it_looks_aside_at_the_start_and_wherever_a_state_may_be_kept() -> None:
    book, sentinel = Book([100] * 4), Sentinel(SUPERVISED)
    state, notes = fresh(), Notes()
    loop.run(state, train, steps=7, recorder=notes, sentinel=sentinel, good_every=3, aside=book)
    assert book.asked == [0, 3, 6]
    assert [look.step for look in sentinel.history.looks] == [0, 3, 6]
    # What was seen goes along with the state: a run that goes on does not look at its beginning again.
    state.ended = None
    more, again = Book([100] * 4), Sentinel(SUPERVISED)
    loop.run(state, train, steps=9, recorder=notes, sentinel=again, good_every=3, aside=more)
    assert more.asked == [9]
    assert [look.step for look in again.history.looks] == [0, 3, 6, 9]
    assert len(again.history) == 9


def test_a_book_that_is_forgotten_takes_the_run_back_to_the_last_look_that_was_good() -> None:
    state, notes = fresh(), Notes()
    book = Book([100, 99, 60, 99])
    ended = loop.run(state, train, steps=99, recorder=notes, sentinel=Sentinel(SUPERVISED), good_every=3, aside=book)
    assert (ended.ended, ended.steps) == ("rolled back", 3)
    assert ended.verdict is not None
    assert ended.verdict.rule == "forgetting"
    assert notes.alarms == [(6, "roll back")]
    assert micro.digest(state.trainee.full_policy()) == weights(3)
    assert [row["step"] for row in state.seen[1:]] == [1, 2, 3]  # its memory is that of the state it stands at


def test_a_last_good_state_that_turns_out_to_be_damaged_stops_the_run() -> None:
    state, notes = fresh(), Notes()
    book = Book([100, 99, 60, 70])
    ended = loop.run(state, train, steps=99, recorder=notes, sentinel=Sentinel(SUPERVISED), good_every=3, aside=book)
    assert (ended.ended, state.step) == ("stopped", 3)
    assert ended.verdict is not None
    assert ended.verdict.action == "stop"
    assert "nothing is kept" in ended.verdict.message
    assert notes.alarms == [(6, "roll back"), (6, "stop")]


def test_a_verdict_of_stop_ends_it() -> None:
    state, notes = fresh(), Notes()
    ended = loop.run(state, train, steps=9, recorder=notes, sentinel=says("stop", 3), good_every=2)
    assert (ended.ended, state.step) == ("stopped", 2)
    assert notes.alarms == [(3, "stop")]


def test_a_real_look_measures_the_book_and_changes_nothing() -> None:
    state, notes = fresh(), Notes()
    aside = looking([], recall(micro.ENTRIES), 4)
    ended = loop.run(state, train, steps=60, recorder=notes, sentinel=Sentinel(SUPERVISED), good_every=30, aside=aside)
    assert ended.ended == "done"
    found = aside(state)
    assert (found.held_out, found.book[1]) == ((0, 0), 4)
    assert aside(state) == found
    assert micro.digest(state.trainee.full_policy()) == weights(60)


def test_stopping_saves() -> None:
    state, notes = fresh(), Notes()
    ended = loop.run(
        state, train, steps=9, recorder=notes, sentinel=Sentinel(REINFORCED), stopping=lambda: len(notes.steps) == 3
    )
    assert (ended.ended, ended.steps) == ("interrupted", 3)
    assert [saved.step for saved in notes.saved] == [3]


def test_it_saves_by_time() -> None:
    notes = Notes()
    loop.run(fresh(), train, steps=3, recorder=notes, sentinel=Sentinel(SUPERVISED), save_seconds=0.0)
    assert [saved.step for saved in notes.saved] == [1, 2, 3]


def torn(presses: int, state: State) -> StepReport:
    """An update in which Ctrl-C is pressed when the weights have moved and the count has not."""
    state.trainee.cross_entropy(ROWS)
    state.trainee.update(RATE.rate(state.step))
    if state.step == 2:
        for _ in range(presses):
            signal.raise_signal(signal.SIGINT)
    state.step += 1
    return StepReport(state.step, {})


def test_ctrl_c_waits_for_the_update_to_be_whole() -> None:
    before = signal.getsignal(signal.SIGINT)
    state, notes = fresh(), Notes()
    with pytest.raises(KeyboardInterrupt):
        loop.run(state, lambda s: torn(1, s), steps=9, recorder=notes, sentinel=Sentinel(()))
    assert [saved.step for saved in notes.saved] == [3]
    assert micro.digest(state.trainee.full_policy()) == weights(3)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_does_not_wait_and_saves_nothing_torn() -> None:
    before = signal.getsignal(signal.SIGINT)
    state, notes = fresh(), Notes()
    with pytest.raises(KeyboardInterrupt):
        loop.run(state, lambda s: torn(2, s), steps=9, recorder=notes, sentinel=Sentinel(()))
    assert notes.saved == []
    assert signal.getsignal(signal.SIGINT) is before


def test_a_handler_of_the_callers_own_is_left_alone() -> None:
    """The night ends on a signal by its own handler and `stopping`."""
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        state, notes = fresh(), Notes()
        ended = loop.run(
            state, lambda s: torn(1, s), steps=9, recorder=notes, sentinel=Sentinel(()), stopping=lambda: bool(heard)
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert (ended.ended, ended.steps) == ("interrupted", 3)
    assert [saved.step for saved in notes.saved] == [3]


def test_it_runs_in_a_thread_too() -> None:
    ended: list[loop.Outcome] = []
    state = fresh()
    work = threading.Thread(
        target=lambda: ended.append(loop.run(state, train, steps=2, recorder=Notes(), sentinel=Sentinel(())))
    )
    work.start()
    work.join()
    assert ended[0].ended == "done"


def test_an_error_in_a_step_is_passed_on_and_ctrl_c_works_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)

    def fails(state: State) -> StepReport:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        loop.run(fresh(), fails, steps=2, recorder=Notes(), sentinel=Sentinel(()))
    assert signal.getsignal(signal.SIGINT) is before
