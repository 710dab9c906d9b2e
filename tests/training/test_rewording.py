"""Questions in other words: what is asked changes, little enough; what is answered does not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mrclassic.book import Entry, Turn
from mrclassic.tasks.base import keyed
from mrclassic.training.rewording import MOST, other_words, reworded

_WORDS = st.lists(st.sampled_from(["who", "are", "you?", "Tea", "I", "the", "?", "clock."]), max_size=6)
_LONGEST = 4  # words of what is said before a question


@given(words=_WORDS, seed=st.integers())
def test_only_the_last_question_changes_and_that_a_little(words: list[str], seed: int) -> None:
    entry = Entry((Turn("Before?", "Yes."), Turn(" ".join(words), "The reply.")))
    found = reworded(entry, keyed(seed))
    assert found[:2] == entry.messages[:2]
    assert found[-1] == entry.messages[-1]
    said = found[-2]["content"].split()
    assert abs(len(said) - len(words)) <= MOST * _LONGEST
    assert entry.messages[-2]["content"] == " ".join(words)
    assert found == reworded(entry, keyed(seed))
    before, after = ({word.lower().strip(".?!") for word in each} for each in (words, said))
    assert len(before - after) <= MOST  # most of what was asked is still there
    assert bool(said) == bool(words)


def test_no_two_are_alike_for_long() -> None:
    found = {other_words("Which tea do you like in the morning?", keyed(at)) for at in range(200)}
    assert len(found) > 100
