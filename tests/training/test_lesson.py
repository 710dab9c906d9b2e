"""A lesson on a micro model: what is new becomes known, what is old stays, and single examples do worse."""

from __future__ import annotations

from collections import Counter
from functools import cache

import micro
import pupils
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.book import Entry, Turn
from mrclassic.model.decoder import Decoder
from mrclassic.night.blending import blend
from mrclassic.training import forced, lesson, supervised
from mrclassic.training.forced import Known
from mrclassic.training.lesson import COPIES, Lesson, Settings
from mrclassic.training.rows import Row, row
from mrclassic.training.state import State
from mrclassic.training.suites import recall
from mrclassic.training.trainee import Schedule

SURE = [Known(True, 1.0)] * len(pupils.OLD)
OWN = Settings(batch=32, learning_rate=1e-2, seed=3)


@cache
def taught(own: Settings = OWN) -> tuple[Lesson, State]:
    one = Lesson(pupils.NEW, pupils.OLD, (), own, SURE)
    state = lesson.start(pupils.scholar(), own, torch.float32)
    while state.step < own.most and not one.over():
        one.step(state)
        if state.step % lesson.LOOK_EVERY == 0:
            one.look(state)
    return one, state


def test_what_is_new_becomes_known_and_what_is_old_stays() -> None:
    one, state = taught()
    assert one.over()
    assert state.step <= OWN.most
    found = forced.measure(state.trainee.full_policy(), [recall(pupils.OLD), recall(pupils.NEW, "new")])
    assert found["new"].score == 1.0
    assert found["book_recall"].score == 1.0


def test_a_lesson_is_a_function_of_its_seed() -> None:
    first, again = taught()[1], taught.__wrapped__()[1]
    assert micro.digest(first.trainee.full_policy()) == micro.digest(again.trainee.full_policy())
    other = taught(Settings(batch=32, learning_rate=1e-2, seed=4))[1]
    assert micro.digest(first.trainee.full_policy()) != micro.digest(other.trainee.full_policy())


def test_keeping_pulls_nowhere_while_nothing_has_moved() -> None:
    state = lesson.start(pupils.scholar(), OWN, torch.float32)
    rows = [row(state.trainee.policy.tokenizer, entry.messages, 192) for entry in pupils.OLD]
    assert lesson.keep(state, rows, 4.0) == pytest.approx(0.0, abs=1e-6)
    assert all(float(weight.grad.abs().max()) < 1e-4 for weight in state.trainee.learned.values())


def test_keeping_is_what_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, the same updates on the new entries alone lose old ones."""

    def lost(state: State) -> int:
        found = forced.measure(state.trainee.full_policy(), [recall(pupils.OLD)])["book_recall"]
        return found.scores.count(0.0)

    one = Lesson(pupils.NEW, pupils.OLD, (), OWN, SURE)
    state = lesson.start(pupils.scholar(), OWN, torch.float32)
    for _ in range(8):
        taught_alone = one.draw(state)[0][: COPIES * len(pupils.NEW)]
        supervised.update(state, taught_alone, Schedule(OWN.learning_rate, OWN.most, OWN.warmup))
    assert lost(state) > 0
    assert lost(taught()[1]) == 0


@given(new=st.integers(1, 40), old=st.integers(0, 40), skills=st.integers(0, 5), batch=st.sampled_from([32, 64, 256]))
@settings(max_examples=40, deadline=None)
def test_a_batch_is_full_and_no_entry_fills_it(new: int, old: int, skills: int, batch: int) -> None:
    entries = [Entry((Turn(f"q{at}", f"a{at}"),)) for at in range(new + old)]
    worked = [Row((5, 6, 7 + at), 2) for at in range(skills)]
    one = Lesson(entries[:new], entries[new:], worked, Settings(batch=batch), [Known(True, 1.0)] * old)
    state = lesson.start(micro.policy(), one.settings, torch.float32)
    learned, kept = one.draw(state)
    assert len(learned) + len(kept) == batch + batch // 4 or not old
    counts = Counter(state.trainee.policy.tokenizer.decode(each.ids[each.start :]) for each in learned)
    assert all(counts[entry.reply] <= COPIES for entry in entries[:new])
    assert sum(counts[entry.reply] for entry in entries[:new]) <= batch / 2
    assert one.draw(state) == (learned, kept)


def test_old_entries_come_round_in_turn() -> None:
    one = Lesson(pupils.NEW, pupils.OLD, (), OWN, SURE)
    state = lesson.start(micro.policy(context=192), OWN, torch.float32)
    counts: Counter[str] = Counter()
    for _ in range(6):
        drawn = one.draw(state)[1]
        counts.update(state.trainee.policy.tokenizer.decode(each.ids[each.start :]) for each in drawn)
        state.step += 1
    counts = Counter({entry.reply: counts[entry.reply] for entry in pupils.OLD})
    assert max(counts.values()) - min(counts.values()) <= 1


def test_what_is_known_only_just_is_rehearsed() -> None:
    before = [Known(True, 0.5), Known(False, 0.0), *SURE[2:]]
    one = Lesson(pupils.NEW, pupils.OLD, (), OWN, before)
    assert one.frail == [pupils.OLD[0]]
    state = lesson.start(micro.policy(context=192), OWN, torch.float32)
    learned = one.draw(state)[0][COPIES * len(pupils.NEW) :]
    texts = [state.trainee.policy.tokenizer.decode(each.ids[each.start :]) for each in learned]
    assert texts[:COPIES] == [pupils.OLD[0].reply] * COPIES


def test_the_way_back_is_gone_as_far_as_the_new_stays_known() -> None:
    one, state = taught()
    teacher, child = pupils.scholar(), state.trainee.full_policy()
    chosen, share = one.between(lambda share: child if share == 1.0 else blend(teacher, child, share))
    assert share in (*lesson.SHARES, 1.0)
    found = forced.measure(chosen, [recall(pupils.OLD), recall(pupils.NEW, "new")])
    assert found["new"].score == found["book_recall"].score == 1.0
    assert one.between(lambda share: teacher if share < 1 else child) == (child, 1.0)


def test_new_ways_of_asking_are_looked_at_too() -> None:
    state = taught()[1]
    asked = [talk for entry in pupils.NEW for talk in lesson._asked(entry)]
    assert len(asked) == 2 * len(pupils.NEW)
    rows = [row(state.trainee.policy.tokenizer, talk, 192) for talk in asked]
    assert all(each.greedy for each in forced.known(state.trainee.policy, rows))


def test_a_lesson_goes_on_until_nothing_is_lost() -> None:
    one, state = Lesson(pupils.NEW, pupils.OLD, (), OWN, SURE), taught()[1]
    one._known_at = state.step - lesson.SETTLE
    assert one.look(state).book == (len(pupils.OLD), len(pupils.OLD))
    assert one.over()
    spoilt = [*pupils.OLD[:-1], Entry((Turn(pupils.OLD[-1].turns[-1].user, "Something else."),))]
    one = Lesson(pupils.NEW, spoilt, (), OWN, SURE)
    one._known_at = state.step - lesson.SETTLE
    one.look(state)
    assert not one.over()
    assert one.weak == [spoilt[-1]]


def test_where_memory_is_short_a_lesson_takes_smaller_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    def fresh() -> tuple[Lesson, State]:
        kept = [row(pupils.scholar().tokenizer, entry.messages, 192) for entry in pupils.OLD]
        return Lesson(pupils.NEW, pupils.OLD, kept, OWN, SURE), lesson.start(pupils.scholar(), OWN, torch.float32)

    one, state = fresh()
    wanted = one.step(state).metrics
    forward, sizes = Decoder.forward, list[int]()

    def tight(decoder: Decoder, ids: torch.Tensor) -> torch.Tensor:
        sizes.append(ids.numel())
        if ids.numel() > 300:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(decoder, ids)

    one, state = fresh()
    monkeypatch.setattr(Decoder, "forward", tight)
    found = one.step(state).metrics
    assert found["microbatch/halved"] >= 1
    assert max(sizes) > 300
    assert found["loss"] == pytest.approx(wanted["loss"], rel=1e-3)
    assert found["grad_norm"] == pytest.approx(wanted["grad_norm"], rel=1e-2)
