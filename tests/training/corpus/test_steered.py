"""A mix that a curriculum steers: shares hold, every document comes in its turn, what teaches nothing is read less,
and a run that was cut off goes on as it was."""

from __future__ import annotations

from pathlib import Path

import corpora
import micro
import pytest
import torch
from methods import same

from mrclassic import curricula
from mrclassic.errors import UsageError
from mrclassic.training import base
from mrclassic.training.corpus.order import Order
from mrclassic.training.corpus.packed import Packed
from mrclassic.training.corpus.steered import Steered
from mrclassic.training.state import State

RECIPE = base.Settings(steps=60, tokens=300, learning_rate=1e-2, warmup=2, seed=5)
LOSSES = {"prose": 5.0, "talks": 5.0, "noise": 5.0}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """Prose that is nearly all alike, talks of random words, and a few documents of something else."""
    folder = tmp_path_factory.mktemp("corpus")
    prose = corpora.write(folder / "prose.jsonl", [{"text": f"{at} good night rain"} for at in range(80)])
    talks = corpora.write(folder / "talks.jsonl", corpora.talks(200))
    few = corpora.write(folder / "noise.jsonl", corpora.talks(30, seed=9, turns=2, words=2))
    return corpora.pack(folder / "packed", prose, talks, few, held_out=0.15)


def steered(corpus: Packed, name: str = "learning_progress") -> Steered:
    sources = [part.name for part in corpus.parts]
    return Steered(Order(corpus, RECIPE.tokens, RECIPE.seed), curricula.build(name, sources, {}))


def begin(corpus: Packed) -> State:
    return base.start(base.fresh(micro.SHAPE, corpus.tokenizer, RECIPE.seed), RECIPE, torch.float32)


def advance(state: State, corpus: Packed, steps: int) -> State:
    mix = steered(corpus)
    while state.step < steps:
        assert base.step(state, Order(corpus, RECIPE.tokens, RECIPE.seed), RECIPE, mix).applied
    return state


def test_every_source_has_its_share_and_every_window_its_turn(corpus: Packed) -> None:
    mix, facts = steered(corpus, "uniform"), {}
    mix.begin(facts, LOSSES)
    drawn = [int(window) for _ in range(60) for window in mix.windows(facts)]
    assert mix.read(facts) == pytest.approx(dict.fromkeys(LOSSES, 1 / 3), abs=0.02)
    for source, part in enumerate(corpus.parts):
        own = corpus.windows(source)
        times = [drawn.count(int(window)) for window in own]
        assert max(times) - min(times) <= 1, part.name
        assert not set(drawn) & {int(window) for window in corpus.windows(source, held_out=True)}


def test_what_takes_nothing_off_is_read_less(corpus: Packed) -> None:
    mix, facts = steered(corpus), {}
    mix.begin(facts, LOSSES)
    losses = dict(LOSSES)
    for step in range(1, 9):
        mix.windows(facts)
        losses["talks"] -= 0.2
        shares = mix.looked(facts, losses, step)
    assert shares["talks"] > 0.8
    assert shares["prose"] == shares["noise"] > 0


def test_training_by_it_learns_and_tells_the_shares(corpus: Packed) -> None:
    state, mix, order = begin(corpus), steered(corpus), Order(corpus, RECIPE.tokens, RECIPE.seed)
    before = base.held_out(state.trainee, corpus, 10**6)
    reports = [base.step(state, order, RECIPE, mix) for _ in range(RECIPE.steps)]
    after = base.held_out(state.trainee, corpus, 10**6)
    assert all(after[name][0] < 0.8 * before[name][0] for name in before)
    told = [report.metrics for report in reports if "share/talks" in report.metrics]
    assert len(told) == RECIPE.steps
    assert all(sum(metrics[f"share/{name}"] for name in LOSSES) == pytest.approx(1) for metrics in told)
    assert len([report for report in reports if report.samples]) == base.LOOKS
    # The prose is known soon; the talks, whose words are anybody's guess, lose a little for long.
    assert told[-1]["share/prose"] < told[0]["share/prose"]


@pytest.mark.parametrize("at", [0, 1, 7])
def test_cut_off_it_goes_on_as_it_was(at: int, corpus: Packed, tmp_path: Path) -> None:
    whole = advance(begin(corpus), corpus, 10)
    advance(begin(corpus), corpus, at).save(tmp_path)
    again = begin(corpus)
    assert again.resume(tmp_path)
    assert same(whole, advance(again, Packed(corpus.folder), 10))


def test_a_source_that_nothing_is_set_aside_of_cannot_steer(tmp_path: Path) -> None:
    few = corpora.write(tmp_path / "few.jsonl", corpora.talks(2))
    talks = corpora.write(tmp_path / "talks.jsonl", corpora.talks(60))
    with pytest.raises(UsageError, match="Nothing of few is set aside"):
        steered(corpora.pack(tmp_path / "packed", few, talks, held_out=0))
