"""Retired entries: out of what is taught, kept where they stand, and back as they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_book import ENTRIES, entry

from mrclassic import book, retiring
from mrclassic.book import Entry
from mrclassic.errors import UsageError
from mrclassic.home import Home

BOOKS = st.lists(ENTRIES, min_size=1, max_size=5, unique_by=lambda each: each.key)


@given(BOOKS, st.data())
def test_what_is_retired_comes_back_to_where_it_stood(entries: list[Entry], data: st.DataObject) -> None:
    chosen = data.draw(st.sampled_from(entries))
    text = "# Above.\n\n" + "\n".join(map(book.render, entries))
    away, found = retiring.retire(text, chosen)
    assert found
    assert book.parse(away) == [each for each in entries if each != chosen]
    assert retiring.retired(away) == [chosen]
    back, found = retiring.restore(away, chosen)
    assert found
    assert back == text


@given(BOOKS)
def test_all_can_be_retired_and_none_is_taken_for_another(entries: list[Entry]) -> None:
    text = "\n".join(map(book.render, entries))
    for each in entries:
        text, _ = retiring.retire(text, each)
    assert book.parse(text) == []
    assert retiring.retired(text) == entries
    for each in entries:
        text = retiring.without(text, each)
    assert not text.strip()


def test_comments_stay_and_dashes_are_no_entry() -> None:
    text = "#- - - - -\n\n> a\n# inside\nb\n\n#- remark\n#- of mine\n"
    away, _ = retiring.retire(text, entry("a", "b"))
    assert away == "#- - - - -\n\n# inside\n#- > a\n#- b\n\n#- remark\n#- of mine\n"
    assert [each.line for each in retiring.retired(away)] == [4]


def test_another_reply_has_to_go_first() -> None:
    away, _ = retiring.retire("> a\nold\n", entry("a", "old"))
    text = away + "\n> a\nnew\n"
    with pytest.raises(UsageError, match=r"another reply .*'new', line 4"):
        retiring.restore(text, entry("a", "old"))
    # The same words once more: the marks go, and nothing stands twice.
    assert book.parse(retiring.restore(away + "\n> a\nold\n", entry("a", "old"))[0]) == [entry("a", "old")]


def test_neighbours_that_moved_close_do_not_swallow_it() -> None:
    text = "> a\nb\n#- > c\n#- d\n> e\nf\n"
    back, _ = retiring.restore(text, entry("c", "d"))
    assert book.parse(back) == [entry("a", "b"), entry("c", "d"), entry("e", "f")]


def test_in_a_file(home: Home) -> None:
    book.put_all(home.book, [entry("a", "b"), entry("c", "d")])
    assert retiring.put_away(home.book, entry("a", "b"))
    assert not retiring.put_away(home.book, entry("a", "b"))
    assert book.load(home.book) == [entry("c", "d")]
    assert retiring.bring_back(home.book, entry("a", "b"))
    assert not retiring.bring_back(home.book, entry("x", "y"))
    assert book.load(home.book) == [entry("a", "b"), entry("c", "d")]
