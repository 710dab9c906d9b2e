"""What to read next: gains from held-out losses, batches by shares."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.curricula import BUILT_IN
from mrclassic.curricula.learning_progress import LearningProgress
from mrclassic.curricula.mixing import Mixing, fill

SOURCES = ("book", "notes", "wiki")
LOSS = st.floats(0, 20) | st.just(math.nan)
LOOK = st.tuples(st.tuples(LOSS, LOSS, LOSS), st.tuples(*[st.integers(0, 10**6)] * 3))


def named(values: tuple[float, ...]) -> dict[str, float]:
    return dict(zip(SOURCES, values, strict=True))


@pytest.mark.parametrize("name", sorted(BUILT_IN))
@settings(max_examples=20, deadline=None)
@given(looks=st.lists(LOOK, max_size=12))
def test_any_curriculum_can_steer_and_goes_on_from_its_state(name: str, looks: list) -> None:
    def begin() -> Mixing:
        return Mixing(BUILT_IN[name](SOURCES, {}), dict.fromkeys(SOURCES, 7.0))

    it = begin()
    for step, (losses, tokens) in enumerate(looks):
        it.looked(named(losses), named(tokens), step)
        assert sum(it.shares().values()) == pytest.approx(1.0)
        other = begin()
        other.load_state_dict(json.loads(json.dumps(it.state_dict(), allow_nan=False)))
        assert other.shares() == it.shares()
        it = other


def test_what_a_source_took_off_for_its_tokens_is_its_gain() -> None:
    it = Mixing(LearningProgress(SOURCES), dict.fromkeys(SOURCES, 5.0))
    # The book fell by 0.1 with a tenth of the tokens, the notes by 0.4 with four tenths: as much for their tokens.
    it.looked(named((4.9, 4.6, 5.0)), named((100, 400, 500)), 10)
    shares = it.shares()
    assert shares["book"] == pytest.approx(shares["notes"])
    assert shares["wiki"] < shares["book"] / 4
    for step in range(20, 80, 10):  # the book is known by heart, and now the last one falls
        it.looked(named((4.9, 4.6, 5.0 - step / 100)), named((100, 400, 500)), step)
    assert it.shares()["wiki"] > 0.8


def test_a_source_that_was_not_read_or_could_not_be_measured_tells_nothing() -> None:
    it = Mixing(LearningProgress(SOURCES), dict.fromkeys(SOURCES, 5.0))
    it.looked(named((4.0, math.nan, 4.0)), named((100, 100, 0)), 10)
    state = it.state_dict()
    assert state["losses"] == {"book": 4.0, "notes": 5.0, "wiki": 4.0}
    assert state["curriculum"]["gains"] == {"book": [1.0], "notes": [], "wiki": []}


def test_shares_hold_in_the_long_run_however_long_rows_are() -> None:
    lengths = {"book": 7, "notes": 90, "wiki": 900}
    shares, due, read = named((0.5, 0.3, 0.2)), {}, dict.fromkeys(SOURCES, 0)

    def take(source: str) -> int:
        read[source] += lengths[source]
        return lengths[source]

    for _ in range(200):
        fill(shares, 500, due, take)
    total = sum(read.values())
    assert total == pytest.approx(200 * 500, rel=0.02)
    assert all(read[source] / total == pytest.approx(share, abs=0.01) for source, share in shares.items())
