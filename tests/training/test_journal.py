"""The journal: what was written down is taken, and nothing else."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.errors import Unwritable
from mrclassic.training.journal import Journal, digest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(values=st.dictionaries(st.tuples(st.integers(0, 9), st.sampled_from("ab"), st.text(max_size=3)), JSON))
def test_what_was_noted_is_recalled_by_another_process(
    values: dict[tuple[int, str, str], object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    journal = Journal(path)
    for place, value in values.items():
        assert journal.note(*place, value) == value
    again = Journal(path)
    assert all(again.recall(*place) == value for place, value in values.items())
    again.forget(before=5)
    for kept in (again, Journal(path)):
        for place, value in values.items():
            assert kept.recall(*place) == (value if place[0] >= 5 else None)


def test_an_answer_is_asked_for_once_a_place(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "run" / "journal.jsonl")
    said = iter(range(9))
    places = [(1, "r", "x"), (1, "r", "x"), (1, "r", "y"), (2, "r", "x"), (1, "s", "x")]
    assert [journal.once(*place, lambda: next(said)) for place in places] == [0, 0, 1, 2, 3]


def test_a_half_written_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.note(1, "r", "", [1.5, None])
    journal.note(2, "r", "", [2.5])
    path.write_bytes(path.read_bytes()[:-5])
    again = Journal(path)
    assert again.recall(1, "r") == [1.5, None]
    assert again.recall(2, "r") is None
    again.note(2, "r", "", [3.5])
    assert Journal(path).recall(2, "r") == [3.5]


def test_what_a_power_cut_made_of_a_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'\n5\n"x"\nnull\n[1, 2]\n[null, "r", "", 1]\n\0\0\0\n[1, "r", "", 7]\n\xff\n{"a": 1}\n')
    assert Journal(path).recall(1, "r") == 7


def test_a_journal_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    (tmp_path / "journal.jsonl").mkdir()
    with pytest.raises(Unwritable, match=r"^The journal \S+ cannot be written \(Is a directory\); mend that"):
        journal.note(1, "r", "", 1)


def test_without_a_file_nothing_is_kept() -> None:
    journal = Journal()
    assert journal.once(1, "r", "", lambda: (1, math.inf)) == [1, math.inf]
    assert journal.recall(1, "r") is None
    journal.forget(before=9)


def test_a_digest_tells_texts_apart() -> None:
    assert digest("a", ["b", "c"]) != digest("a", ["bc"]) == digest("a", ["bc"])
