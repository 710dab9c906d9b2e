"""What book training and hatching show a model: everything as often as promised, as a function of seed and step."""

from __future__ import annotations

from collections import Counter

import micro
import pytest
import taught
import torch

from mrclassic.tasks import arithmetic, strings
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import keyed
from mrclassic.training import book, hatch
from mrclassic.training import memories as memories_module
from mrclassic.training.memories import memories
from mrclassic.training.rows import Row, row
from mrclassic.training.skills import questioner
from mrclassic.training.state import State

ENTRIES = list(micro.ENTRIES)
TOKENIZER = micro.policy().tokenizer
SKILLS = [
    row(TOKENIZER, [{"role": "user", "content": "1"}, {"role": "assistant", "content": str(n)}], 96) for n in "234"
]


def reply(of: Row) -> str:
    return TOKENIZER.decode(of.ids[of.start :])


def test_new_entries_come_boost_times_as_often_and_nothing_is_left_out() -> None:
    own = book.Settings(epochs=2, batch=8, replay=0.25, boost=4, seed=2)
    state = book.start(micro.policy(), own, torch.float32)
    new = frozenset({ENTRIES[0].hash})
    shown: Counter[str] = Counter()
    steps = own.steps(len(ENTRIES), 1)
    assert steps == 3  # 2 epochs of 5 + 4 rows, 6 an update
    for _ in range(steps):
        rows = book.draw(state, ENTRIES, new, SKILLS, own)
        assert len(rows) == 8
        assert rows == book.draw(state, ENTRIES, new, SKILLS, own)
        assert all(each.ids[-1] == TOKENIZER.end_id for each in rows)
        shown.update(map(reply, rows))
        state.step += 1
    assert shown[ENTRIES[0].reply] == 8
    assert all(shown[entry.reply] == 2 for entry in ENTRIES[1:])
    assert sum(shown[reply(skill)] for skill in SKILLS) == 6


def test_book_training_takes_in_a_new_entry_and_keeps_the_others() -> None:
    own = book.Settings(batch=8, learning_rate=5e-3, warmup=2, replay=0.25, seed=2)
    state = book.start(micro.policy(), own, torch.float32)
    losses = []
    for _ in range(60):
        rows = book.draw(state, ENTRIES, frozenset(), SKILLS, own)
        losses.append(book.step(state, rows, own, 60).metrics["loss"])
    assert losses[-1] < 0.4 * losses[0]


@pytest.mark.parametrize("steps", [1, 7])
def test_hatching_shows_the_book_and_sums_that_are_right(steps: int) -> None:
    own = hatch.Settings(steps=10, batch=20, book_share=0.4, seed=1)
    state = hatch.start(micro.SHAPE, ENTRIES, own, torch.float32)  # type: ignore[arg-type]
    tokenizer = state.trainee.policy.tokenizer
    state.step = steps
    rows = hatch.draw(state, ENTRIES, own)
    assert rows == hatch.draw(state, ENTRIES, own)
    replies = [tokenizer.decode(each.ids[each.start :]) for each in rows]
    assert len(rows) == 20
    assert sum(one in {entry.reply for entry in ENTRIES} for one in replies) == 8
    held = {item.trace for level in ("3", "4", "5") for item in arithmetic.held_out(level)}
    assert not held & set(replies)
    state.step += 1
    assert rows != hatch.draw(state, ENTRIES, own)


def test_a_hatched_model_is_a_function_of_its_seed() -> None:
    def hatched(seed: int) -> str:
        own = hatch.Settings(steps=3, batch=6, warmup=1, seed=seed)
        state: State = hatch.start(micro.SHAPE, ENTRIES, own, torch.float32)  # type: ignore[arg-type]
        for _ in range(3):
            assert hatch.step(state, hatch.draw(state, ENTRIES, own), own).applied
        return micro.digest(state.trainee.full_policy()) + state.trainee.policy.tokenizer.backend.to_str()

    assert hatched(4) == hatched(4) != hatched(5)


def test_memories_hold_only_what_ended_and_is_right() -> None:
    """A model that can do nothing remembers no sums; whatever it remembers has an end."""
    found = memories(micro.policy(loud=2.0), 1, Arms([(arithmetic, None)]))
    assert all(each.ids[-1] == TOKENIZER.end_id for each in found)


def test_a_skill_that_is_no_sum_is_remembered_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memories_module, "ITEMS", 3)
    monkeypatch.setattr(memories_module, "QUESTIONS", 4)
    arms = Arms([(arithmetic, "1"), (strings, "1")])
    shown = [arms.sample("strings:1", keyed(5, "memory", "strings:1", at)) for at in range(3)]
    fresh = micro.policy(context=192)
    question = [{"role": "assistant", "content": shown[0].question}]
    rows = [*taught.item_rows(fresh, shown[:2]), row(fresh.tokenizer, [*questioner(strings), *question], 192)]
    policy = taught.learned(fresh, rows, 80)
    found = memories(policy, 5, arms)
    words = [policy.tokenizer.decode(each.ids[each.start :]) for each in found]
    assert {each.answer for each in shown[:2]} <= set(words)
    assert shown[0].question in words
    prompts = {tuple(each.ids[: each.start]) for each in found}
    assert prompts <= {
        tuple(fresh.tokenizer.encode_chat(each)) for each in (*(s.messages for s in shown), questioner(strings))
    }
