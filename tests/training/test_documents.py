"""Learning documents: what a batch holds is a function of seed and step, and never a held-out question."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import micro
import pytest
import torch

from mrclassic.tasks.documents import Documents, shelf
from mrclassic.training import documents
from mrclassic.training.rows import Row, row
from mrclassic.training.state import State

ENTRIES = list(micro.ENTRIES)
TOKENIZER = micro.policy().tokenizer
SKILLS = [
    row(TOKENIZER, [{"role": "user", "content": "1"}, {"role": "assistant", "content": str(n)}], 96) for n in "234"
]
NAMES = ("Anna", "Piet", "Ines", "Otto", "Rosa", "Timo", "Vera", "Karl")


@pytest.fixture
def task(tmp_path: Path) -> Documents:
    rows = [
        {"text": f"{name} was born in {place}. {name} plays the {thing}.", "title": name}
        for name, place, thing in zip(NAMES, ("Kiel", "Rome") * 4, ("oboe", "drum", "harp", "bell") * 2, strict=True)
    ]
    path = tmp_path / "people.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    document, _, _ = shelf.prepare(path, tmp_path / "documents")
    shelf.put(document, tmp_path / "documents")
    return Documents(tmp_path / "documents")


def parts(of: Row) -> tuple[str, str]:
    return TOKENIZER.decode(of.ids[: of.start]), TOKENIZER.decode(of.ids[of.start :])


def test_forms(task: Documents) -> None:
    every = {form: documents.material(task, form) for form in ("retell", "blank", "both")}
    assert len(every["blank"].told) == len(NAMES)
    assert len(every["retell"].told) == len(every["both"].told) == sum(map(len, task.tellings)) > 3 * len(NAMES)
    kinds = {form: {item.meta["level"] for item in each.asked} for form, each in every.items()}
    assert kinds == {"retell": {"question"}, "blank": {"question", "blank"}, "both": {"question", "blank"}}
    held = {item.question for level in task.levels for item in task.held_out(level)}
    assert held
    assert not held & {item.question for each in every.values() for item in each.asked}
    assert every["retell"].told[0][0] == "What do you know about Anna?"


def test_an_epoch_tells_everything_once(task: Documents) -> None:
    of = documents.material(task, "retell")
    own = documents.Settings(epochs=2, batch=16, replay=0.25, asked=0.5, seed=3)
    state = documents.start(micro.policy(), own, torch.float32)
    assert own.split(of) == (6, 6, 4)
    told: Counter[str] = Counter()
    for _ in range(len(of.told)):  # six rows an update: six epochs
        rows = documents.draw(state, of, ENTRIES, SKILLS, own)
        assert rows == documents.draw(state, of, ENTRIES, SKILLS, own)
        assert len(rows) == 16
        assert all(each.ids[-1] == TOKENIZER.end_id for each in rows)
        told.update(parts(each)[1] for each in rows)
        state.step += 1
    versions = Counter(version for _, version in of.told)
    assert {version: told[version] for version in versions} == {version: 6 * n for version, n in versions.items()}


def test_shares(task: Documents) -> None:
    of = documents.material(task, "blank")
    own = documents.Settings(batch=10, replay=0.4)
    only_told = documents.Material(of.told, ())
    only_asked = documents.Material((), of.asked)
    assert own.split(only_told) == (6, 0, 4)
    assert own.split(only_asked) == (0, 6, 4)
    assert own.steps(only_asked) == -(-40 * len(of.asked) // 6)
    state = documents.start(micro.policy(), own, torch.float32)
    assert len(documents.draw(state, only_asked, ENTRIES, (), own)) == 10
    assert len(documents.draw(state, only_told, (), SKILLS, own)) == 10
    assert len(documents.draw(state, only_told, (), (), own)) == 6


@pytest.mark.slow
def test_what_is_told_and_asked_is_learned(task: Documents) -> None:
    of = documents.material(task, "both")
    own = documents.Settings(batch=16, learning_rate=5e-3, warmup=2, seed=2)

    def trained(steps: int) -> tuple[State, list[float]]:
        state = documents.start(micro.policy(), own, torch.float32)
        losses = []
        for _ in range(steps):
            rows = documents.draw(state, of, ENTRIES, SKILLS, own)
            losses.append(documents.step(state, rows, own, 40).metrics["loss"])
        return state, losses

    state, losses = trained(40)
    assert losses[-1] < 0.65 * losses[0]
    assert micro.digest(trained(3)[0].trainee.full_policy()) == micro.digest(trained(3)[0].trainee.full_policy())
    assert state.step == 40


def test_a_run_that_was_cut_off_goes_on_to_the_same_weights(task: Documents, tmp_path: Path) -> None:
    of = documents.material(task, "retell")
    own = documents.Settings(batch=8, seed=5)

    def go_on(state: State, steps: int) -> State:
        for _ in range(steps):
            documents.step(state, documents.draw(state, of, ENTRIES, SKILLS, own), own, 4)
        return state

    whole = go_on(documents.start(micro.policy(), own, torch.float32), 4)
    go_on(documents.start(micro.policy(), own, torch.float32), 2).save(tmp_path / "run")
    resumed = documents.start(micro.policy(), own, torch.float32)
    assert resumed.resume(tmp_path / "run")
    go_on(resumed, 2)
    assert micro.digest(resumed.trainee.full_policy()) == micro.digest(whole.trainee.full_policy())
