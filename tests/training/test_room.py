"""Memory that runs out costs time, not the run; and a resumed run halves where the first one did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import micro
import pytest
import torch

from mrclassic.rewards.contract import Weighted
from mrclassic.tasks import arithmetic
from mrclassic.tasks.base import keyed
from mrclassic.training import grpo, room, scoring
from mrclassic.training import policy_gradient as pg
from mrclassic.training.journal import JOURNAL, Journal
from mrclassic.training.rows import Batch
from mrclassic.training.state import State

SETTINGS = grpo.Settings(prompts=4, group=6, max_new=30, learning_rate=5e-3, warmup=1, redraws=0, seed=1)


def vowels(completions: list, **columns: object) -> list[float]:
    texts = [completion[0]["content"] for completion in completions]
    return [sum(one in "aeiou" for one in text) / max(1, len(text)) for text in texts]


def step(state: State) -> dict[str, float]:
    def draw(count: int) -> list:
        return [arithmetic.sample(keyed(state.step, at), "1") for at in range(count)]

    report = grpo.step(state, draw, [Weighted("vowels", vowels)], SETTINGS, list).report
    assert report.applied
    return dict(report.metrics)


def start(folder: Path) -> State:
    state = grpo.start(micro.policy(loud=4.0), SETTINGS, torch.float32)
    state.trainee.token_budget = 1024
    state.journal = Journal(folder / JOURNAL)
    return state


def narrow(monkeypatch: pytest.MonkeyPatch, most: int, error: Callable[[], BaseException]) -> list[int]:
    """A machine in which passes of more than `most` tokens do not fit; the second of an update is the first to fail."""
    sizes: list[int] = []

    def score(policy: object, batch: Batch, *knobs: object) -> scoring.Scored:
        sizes.append(batch.ids.numel())
        if batch.ids.numel() > most and len(sizes) > 1:
            raise error()
        return scoring.score(policy, batch, *knobs)  # type: ignore[arg-type]

    monkeypatch.setattr(pg, "score", score)
    return sizes


ERRORS = {
    "cuda": lambda: torch.OutOfMemoryError("CUDA out of memory."),
    "cpu": lambda: RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate"),
    "python": MemoryError,
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_the_rows_of_a_pass_are_halved_until_they_fit(
    error: Callable[[], BaseException], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    easy = start(tmp_path / "easy")
    wanted = step(easy)
    state = start(tmp_path / "hard")
    sizes = narrow(monkeypatch, 200, error)
    metrics = step(state)
    assert metrics["microbatch/halved"] == 2.0
    assert state.trainee.token_budget == state.facts["room"]["token_budget"] == 256
    assert max(sizes[-3:]) <= 200
    assert metrics["grad_norm"] == pytest.approx(wanted["grad_norm"], rel=1e-3)  # nothing was counted twice
    assert step(state)["microbatch/halved"] == 0.0


def test_a_resumed_run_halves_where_the_first_one_did(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = start(tmp_path)
    step(whole)
    whole.save(tmp_path)
    with monkeypatch.context() as patch:
        narrow(patch, 200, MemoryError)
        step(whole)
    step(whole)
    resumed = start(tmp_path)
    assert resumed.resume(tmp_path)
    assert step(resumed)["microbatch/halved"] == 0.0
    step(resumed)
    assert resumed.facts == whole.facts
    assert micro.digest(resumed.trainee.full_policy()) == micro.digest(whole.trainee.full_policy())


def test_a_rollout_that_does_not_fit_runs_in_fewer_rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    easy = start(tmp_path / "easy")
    step(easy)
    state = start(tmp_path / "hard")
    plain = pg.sample

    def sample(*given: object, slots: int, **named: object) -> object:
        if slots > 64:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return plain(*given, slots=slots, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(pg, "sample", sample)
    assert step(state)["microbatch/halved"] == 2.0
    assert state.facts["room"] == {"slots": 64}
    assert micro.digest(state.trainee.full_policy()) == micro.digest(easy.trainee.full_policy())


def test_what_is_no_lack_of_memory_is_not_hidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    state = start(tmp_path)
    with pytest.raises(RuntimeError, match="shapes"):
        room.within(state, "token_budget", lambda: (_ for _ in ()).throw(RuntimeError("shapes differ")))
    narrow(monkeypatch, 0, MemoryError)
    with pytest.raises(MemoryError):
        step(state)
