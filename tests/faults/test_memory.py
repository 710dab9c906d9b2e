"""Memory that runs out in book training: smaller passes with the same result, written down for a run that resumes."""

from __future__ import annotations

from pathlib import Path

import micro
import pytest
import torch
from methods import METHODS, same

from mrclassic.training import trainee
from mrclassic.training.journal import Journal
from mrclassic.training.rows import Batch
from mrclassic.training.scoring import Scored, score
from mrclassic.training.state import State

METHOD = METHODS["book"]


def start(folder: Path) -> State:
    state = METHOD.start(torch.float32)
    state.trainee.token_budget = 8192
    state.journal = Journal(folder / "journal.jsonl")
    return state


def narrow(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """A machine on which passes of more than `most` tokens do not fit."""
    sizes: list[int] = []

    def scored(policy: object, batch: Batch, *knobs: object) -> Scored:
        sizes.append(batch.ids.numel())
        if batch.ids.numel() > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return score(policy, batch, *knobs)  # type: ignore[arg-type]

    monkeypatch.setattr(trainee, "score", scored)
    return sizes


@pytest.mark.parametrize("name", ["book", "hatch"])
def test_passes_are_halved_until_they_fit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method = METHODS[name]
    easy, hard = method.start(torch.float32), method.start(torch.float32)
    for state in (easy, hard):
        state.trainee.token_budget = 8192
    wanted = method.step(easy).metrics
    sizes = narrow(monkeypatch, 300)
    found = method.step(hard).metrics
    assert found["microbatch/halved"] >= 1
    assert max(sizes[-2:]) <= 300
    assert found["loss"] == pytest.approx(wanted["loss"], rel=1e-4)
    assert found["grad_norm"] == pytest.approx(wanted["grad_norm"], rel=1e-3)  # nothing was counted twice
    assert method.step(hard).metrics["microbatch/halved"] == 0.0


def test_a_resumed_run_halves_where_the_first_one_did(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = start(tmp_path)
    whole.save(tmp_path)
    with monkeypatch.context() as patch:
        narrow(patch, 300)
        assert METHOD.step(whole).metrics["microbatch/halved"] >= 1
    METHOD.step(whole)
    resumed = start(tmp_path)
    assert resumed.resume(tmp_path)
    assert METHOD.step(resumed).metrics["microbatch/halved"] == 0.0  # the journal knows how much fits
    METHOD.step(resumed)
    assert same(whole, resumed)
    assert micro.digest(whole.trainee.full_policy()) == micro.digest(resumed.trainee.full_policy())
