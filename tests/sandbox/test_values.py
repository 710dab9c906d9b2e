"""What crosses between program and judge: plain values unchanged, everything else refused or left where it is."""

from __future__ import annotations

import contextlib
import json
import math
import os
import struct
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrclassic.sandbox.inside import values

_KEYS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.complex_numbers(allow_nan=False)
)
_HASHABLE = st.recursive(_KEYS, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=5)
_VALUES = st.recursive(
    _HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.sets(_HASHABLE, max_size=3)
        | st.dictionaries(_HASHABLE, inner, max_size=3)
    ),
    max_leaves=20,
)


def refuse(*words: object) -> NoReturn:
    raise values.Unfit(str(words))


def over(value: object) -> Any:
    """The value as it arrives."""
    return values.decode(json.loads(json.dumps(values.encode(value, refuse))), refuse)


@given(_VALUES)
def test_values_arrive_as_they_were(value: Any) -> None:
    arrived = over(value)
    assert type(arrived) is type(value)
    assert arrived == value


def test_odd_numbers_arrive() -> None:
    assert math.isnan(over(math.nan))
    assert over([math.inf, -math.inf, 10**5000, -(2**70)]) == [math.inf, -math.inf, 10**5000, -(2**70)]
    assert str(over(-0.0)) == "-0.0"
    assert over(range(3, 9, 2)) == range(3, 9, 2)
    assert over("\ud800") == "\ud800"
    assert over([int, str]) == [int, str]


def test_what_pretends_arrives_as_what_it_is() -> None:
    class Number(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    class Rows(list):  # type: ignore[type-arg]
        def __iter__(self) -> Any:
            return iter("forged")

    assert type(over(Number(3))) is int
    assert over(Number(3)) != 4
    assert over(Rows([1, Number(2)])) == [1, 2]


def test_what_is_too_much_is_refused() -> None:
    deep: Any = []
    for _ in range(values.DEEPEST + 2):
        deep = [deep]
    for value in (deep, list(range(values.MOST + 1)), object(), len, [lambda: 0]):
        with pytest.raises(values.Unfit):
            values.encode(value, refuse)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from("ltsziTdcbgrm"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=20,
)


@given(_JSON)
def test_a_forged_value_is_read_or_refused(data: Any) -> None:
    with contextlib.suppress(values.Unfit):
        values.decode(data, refuse)


@given(st.binary(max_size=200))
def test_a_forged_frame_is_read_or_refused(data: bytes) -> None:
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    try:
        values.receive(reading)
    except (values.Unfit, EOFError):
        pass
    finally:
        os.close(reading)


@pytest.mark.parametrize("data", [struct.pack("<I", 2**32 - 1), struct.pack("<I", 10**6) + b"[" * 10**6])
def test_a_frame_that_is_a_trap_is_refused(data: bytes, tmp_path: Any) -> None:
    (tmp_path / "frame").write_bytes(data)
    with (tmp_path / "frame").open("rb") as file, pytest.raises(values.Unfit):
        values.receive(file.fileno())
