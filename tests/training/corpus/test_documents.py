"""What a row of a corpus says, in each of the published forms."""

from __future__ import annotations

import pytest

from mrclassic.training.corpus.documents import BadDocument, document

TALK = ({"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Good day."})


@pytest.mark.parametrize(
    "row",
    [
        {"turns": ["Hello.", "Good day."], "id": 3},
        {"messages": [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Good day."}]},
        {"conversations": [{"from": "human", "value": "Hello."}, {"from": "gpt", "value": "Good day."}]},
        {"text": None, "messages": None, "turns": ["Hello.", "Good day."]},  # as a table has it
    ],
)
def test_the_same_talk_in_every_form_is_the_same_document(row: dict) -> None:
    found = document(row)
    assert found.messages == TALK
    assert found.key == document({"turns": ["Hello.", "Good day."]}).key
    assert found.key != document({"turns": ["Hello.", "Good day. "]}).key
    assert found.key != document({"text": "Hello.Good day."}).key


def test_who_speaks_is_part_of_a_document() -> None:
    keys = {
        document({"messages": [{"role": role, "content": "Hello."}]}).key for role in ("system", "user", "assistant")
    }
    assert len(keys) == 3


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ([1, 2], "not an object"),
        ({"words": "x"}, "none of the fields messages, conversations, turns, text"),
        ({"text": 5}, "its text is not a string"),
        ({"text": " \n"}, "it is empty"),
        ({"turns": []}, "nobody says anything"),
        ({"turns": ["", " "]}, "nobody says anything"),
        ({"turns": "Hello."}, "its turns are not a list"),
        ({"turns": ["Hello.", None]}, "a turn in it is not a string"),
        ({"messages": ["Hello."]}, "one of its turns is not an object"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "by 'tool', not by"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "not by"),
        ({"messages": [{"role": "user", "content": None}]}, "a content in it is not a string"),
        ({"text": "half \ud83d"}, "half a character"),
    ],
)
def test_what_cannot_be_used_says_why(row: object, why: str) -> None:
    with pytest.raises(BadDocument, match=why):
        document(row)
