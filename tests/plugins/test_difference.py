"""What an owner is shown before he trusts a plugin: all of it, and truly what has changed."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from mrclassic.plugins.difference import lines

TEXTS = st.lists(st.sampled_from(["a\n", "b\r\n", "    c\r", "\n", "import os\n", "\x1b[2K"])).map("".join)


def split(text: str) -> list[str]:
    """As Python's own reader of source does: with every way to end a line made into one."""
    plain = re.sub("\r\n|\r", "\n", text)
    return plain.removesuffix("\n").split("\n") if plain else []


@given(TEXTS, TEXTS)
def test_both_texts_can_be_read_off_it(now: str, before: str) -> None:
    found = lines(now, before)
    assert [line.text for line in found if line.sign != "-"] == split(now)
    assert [line.number for line in found if line.sign != "-"] == list(range(1, len(split(now)) + 1))
    if before:
        assert [line.text for line in found if line.sign != "+"] == split(before)
    else:
        assert all(line.sign == " " for line in found), "there is nothing that it could differ from"


def test_a_carriage_return_ends_a_line_as_it_does_for_python() -> None:
    found = lines("x = 1  # \rimport os\n", "x = 1  # \n")
    assert [(line.sign, line.text) for line in found] == [(" ", "x = 1  # "), ("+", "import os")]
