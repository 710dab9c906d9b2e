"""Which windows an update learns: every one as often as its source weighs, whatever the seed, and known from the
number of the update alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import corpora
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.errors import UsageError
from mrclassic.training.corpus.order import Order
from mrclassic.training.corpus.packed import Packed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("order")


def packed(folder: Path, *weights: float) -> Packed:
    paths = [corpora.write(folder / f"{name}.jsonl", corpora.talks(40, seed)) for seed, name in enumerate("abc")]
    words = [f"{name}={weight}" for name, weight in zip("abc", weights, strict=True)]
    return corpora.pack(folder / "packed", *paths, weights=words, held_out=0.1)


@settings(max_examples=25, deadline=None)
@given(
    weights=st.tuples(*[st.sampled_from([0.1, 0.5, 1.0, 2.0, 3.7])] * 3),
    tokens=st.integers(1, 3000),
    seed=st.integers(0, 3),
)
def test_an_epoch_shows_each_window_as_often_as_its_source_weighs(
    weights: tuple[float, float, float], tokens: int, seed: int, folder: Path
) -> None:
    corpus = packed(folder, *weights)
    order = Order(corpus, tokens, seed)
    epochs = 10
    steps = [order.windows(step) for step in range(epochs * order.epoch_steps)]
    assert all(len(step) for step in steps)
    shown = Counter(int(window) for step in steps for window in step)
    for source, weight in enumerate(weights):
        times = [shown[int(window)] for window in corpus.windows(source)]
        # A window may be shown again where an update would have been empty: never here, for updates are of a context.
        assert epochs * weight - 1 <= min(times) <= max(times) <= epochs * weight + 1
        assert not any(shown[int(window)] for window in corpus.windows(source, held_out=True))


def test_an_update_is_known_from_its_number(folder: Path) -> None:
    corpus = packed(folder, 1.0, 2.0, 0.5)
    there = Order(corpus, 300, seed=1)
    forward = [there.windows(step).tolist() for step in range(40)]
    again = Order(Packed(folder / "packed"), 300, seed=1)
    assert [again.windows(step).tolist() for step in reversed(range(40))] == forward[::-1]
    assert [Order(corpus, 300, seed=2).windows(step).tolist() for step in range(40)] != forward
    first, second = (forward[at * there.epoch_steps :][: there.epoch_steps] for at in range(2))
    assert first != second


def test_updates_are_about_alike(folder: Path) -> None:
    corpus = packed(folder, 1.0, 1.0, 1.0)
    order = Order(corpus, 400, seed=0)
    sizes = [int((corpus.lengths[order.windows(step)] - 1).sum()) for step in range(3 * order.epoch_steps)]
    assert max(abs(size - np.mean(sizes)) for size in sizes) <= corpus.lengths.max()
    assert order.epoch_steps == int(order.epoch_tokens / 400)


def test_weights_that_leave_nothing_are_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="weights are so small"):
        Order(packed(folder, 0.001, 0.001, 0.001), 100, 0)
