"""Two writers of one text: what each did is there afterwards, and what both did is put before the one who asks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mrclassic.merging import merge

WORDS = st.text("abc", min_size=1, max_size=3)
PARAGRAPHS = st.lists(WORDS, min_size=1, max_size=6, unique=True)
EDITS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["change", "add", "drop"]), WORDS), max_size=4)


def text(paragraphs: list[str]) -> str:
    return "\n\n".join(paragraphs) + "\n" if paragraphs else ""


def edited(paragraphs: list[str], edits: list[tuple[int, str, str]], sign: str) -> list[str]:
    """What a writer whose words bear a sign makes of them."""
    made = list(paragraphs)
    for place, what, word in edits:
        at = place % (len(made) + 1)
        if what == "add":
            made.insert(at, sign + word)
        elif at < len(made):
            made[at : at + 1] = [sign + word] if what == "change" else []
    return made


@given(PARAGRAPHS, EDITS, EDITS)
def test_nothing_that_either_wrote_is_lost(base: list[str], one: list, other: list) -> None:
    mine, theirs = edited(base, one, "1"), edited(base, other, "2")
    merged = merge(text(base), text(mine), text(theirs))
    found = merged.text.rstrip("\n").split("\n\n") if merged.text else []
    for paragraph in (*mine, *theirs):
        if paragraph not in base:
            assert paragraph in found
    for paragraph in base:
        if paragraph in mine and paragraph in theirs:
            assert paragraph in found
    if not merged.clashes:
        gone = {each for each in base if each not in mine or each not in theirs}
        assert not gone & set(found)
    for line in merged.clashes:
        assert merged.text.split("\n")[line - 1] in found


@given(PARAGRAPHS, EDITS)
def test_with_one_writer_it_is_what_that_one_made(base: list[str], edits: list) -> None:
    made = text(edited(base, edits, "1"))
    assert merge(text(base), made, text(base)).text == made
    assert merge(text(base), text(base), made).text == made
    assert merge(text(base), made, made).text == made


def test_both_may_add_at_one_place_and_change_different_ones() -> None:
    base = "# head\n\n> a\nb\n\n\n> c\nd\n"
    mine = "# head\n\n> a\nb2\n\n\n> c\nd\n\n> mine\nm\n"
    theirs = "# head\n\n> a\nb\n\n\n> c\nd\n\n> theirs\nt\n"
    merged = merge(base, mine, theirs)
    assert merged.clashes == ()
    assert merged.text == "# head\n\n> a\nb2\n\n\n> c\nd\n\n> mine\nm\n\n> theirs\nt\n"


def test_a_clash_has_both_and_says_where() -> None:
    merged = merge("> a\nb\n\n> c\nd\n", "> a\nb\n\n> c\nmine\n", "> a\nb\n\n> c\ntheirs\n")
    assert merged.text == "> a\nb\n\n> c\nmine\n\n> c\ntheirs\n"
    assert merged.clashes == (4,)
