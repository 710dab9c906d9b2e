"""A growing text in lines is the same as the whole text broken at once; and Textual, made lean, cuts as before."""

from __future__ import annotations

import gc
import sys

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from mrclassic.tui import lean
from mrclassic.tui.lines import GrowingLines

lean.make()

TEXTS = st.lists(st.text(alphabet="ab 日\né\t👍🏽,", max_size=12), max_size=8)
WORDS = st.lists(st.text(alphabet="abcdef ", min_size=1, max_size=9), min_size=1, max_size=5)


@given(TEXTS, st.integers(1, 30))
def test_a_text_that_grows_has_the_lines_of_the_whole(parts: list[str], width: int) -> None:
    growing, text = GrowingLines(), ""
    for part in parts:
        text += part
        before = list(growing.lines)
        first = growing.show(text, width)
        assert growing.lines[:first] == before[:first]
        whole = GrowingLines()
        whole.show(text, width)
        assert growing.lines == whole.lines


@given(TEXTS, st.integers(2, 30))
def test_no_line_is_too_long_and_no_word_is_lost(parts: list[str], width: int) -> None:
    text, lines = "".join(parts), GrowingLines()
    lines.show(text, width)
    assert all(cell_len(line.words) <= width for line in lines.lines)
    assert "".join("".join(line.words for line in lines.lines).split()) == "".join(text.split())
    paragraphs = text.split("\n")
    assert all(paragraphs[line.paragraph][line.start :].startswith(line.words) for line in lines.lines)


def test_another_text_or_width_is_broken_afresh() -> None:
    lines = GrowingLines()
    assert lines.show("one two three", 7) == 0
    assert [line.words for line in lines.lines] == ["one two", "three"]
    assert lines.show("one two three", 7) == 2
    assert lines.show("one two three four", 7) == 1
    assert lines.show("one two three four", 9) == 0
    assert [line.words for line in lines.lines] == ["one two", "three", "four"]
    assert lines.show("two", 9) == 0
    assert [line.words for line in lines.lines] == ["two"]


@given(WORDS, st.sets(st.integers(1, 45), min_size=1), st.integers(0, 50), st.integers(0, 50))
def test_a_lean_strip_is_cut_as_ever(words: list[str], places: set[int], start: int, end: int) -> None:
    strip = Strip([Segment(word, Style(bold=bool(number % 2))) for number, word in enumerate(words)])
    text = "".join(words)
    for _ in range(2):  # the second time from what is remembered
        cuts = [cut for cut in sorted(places) if cut <= len(text)]
        if cuts:
            parts = [text[begin:stop] for begin, stop in zip([0, *cuts], cuts, strict=False)]
            assert [part.text for part in strip.divide(sorted(places))] == parts
        assert strip.crop(start, end).text == text[start:end]
        if start < end:
            assert strip.crop_extend(start, end, None).text == text.ljust(end)[start:end]
        assert strip.adjust_cell_length(end).text == text.ljust(end)[:end]


def test_a_strip_that_is_its_own_cut_does_not_hold_itself() -> None:
    strip = Strip([Segment("words")])
    held = sys.getrefcount(strip)
    assert strip.divide([5, 9])[0] is strip
    assert strip.crop_extend(0, 5, None) is strip
    assert sys.getrefcount(strip) == held
    assert not any("cache" in type(each).__name__.lower() for each in gc.get_referents(strip) if each is not Strip)
