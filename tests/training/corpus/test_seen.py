"""The compact set says what a set says."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from mrclassic.training.corpus.seen import Seen


@given(st.lists(st.integers(0, 40) | st.integers(0, 2**64 - 1), max_size=200), st.integers(1, 20))
def test_it_is_a_set(keys: list[int], pending: int) -> None:
    seen, plain = Seen(pending), set()
    for key in keys:
        assert seen.add(key) == (key not in plain)
        plain.add(key)


def test_many_keys_take_eight_bytes_each() -> None:
    rng = random.Random(0)
    seen = Seen(2**12)
    keys = [rng.getrandbits(64) for _ in range(50_000)]
    assert all(seen.add(key) for key in keys)
    assert not any(seen.add(key) for key in keys[::100])
    assert sum(level.nbytes for level in seen._sorted) <= 8 * len(keys)
    assert len(seen._sorted) <= 5
