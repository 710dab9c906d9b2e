"""What of a teacher's reply is believed: what stands in the passage, and no more."""

from __future__ import annotations

import json

import pytest

from mrclassic.tasks.base import BadRow
from mrclassic.tasks.documents import teaching
from mrclassic.tasks.documents.passages import Pair, Passage

PASSAGE = Passage(("The Gull lies in Wieck.", "Anna painted it green in 1954."), "Boats")


def said(retellings: object = (), questions: object = ()) -> str:
    return "Here you are:\n```json\n" + json.dumps({"retellings": retellings, "questions": questions}) + "\n```"


def test_the_order_holds_the_passage() -> None:
    (message,) = teaching.order(PASSAGE, 5)
    assert message["content"].endswith(PASSAGE.text)
    assert '"Boats"' in message["content"]
    assert "4 retellings" in message["content"]
    assert "{" not in message["content"].replace('{"retellings"', "").replace('[{"question"', "")


def test_what_holds_to_the_passage_is_kept() -> None:
    true = "In 1954 it was Anna who painted the Gull green. Wieck is where the Gull lies."
    false = (
        "The Gull was painted in 1955.",
        "The Gull lies in Kiel.",
        "Then Anna and Piet painted it.",
        "word " * 100,
        "",
        7,
    )
    retold, pairs = teaching.reply(
        said(
            [true, true, *false],
            [
                {"question": "Who painted the Gull?", "answer": "Anna."},
                {"question": "When?", "answer": 1954},
                {"question": "Where does it lie?", "answer": "in Kiel"},
                {"question": "", "answer": "Anna"},
                {"answer": "Anna"},
                "Who?",
            ],
        ),
        PASSAGE,
    )
    assert retold == [true]
    assert pairs == [Pair("Who painted the Gull?", "Anna"), Pair("When?", "1954")]


@pytest.mark.parametrize("text", ["", "No.", "{oops}", '{"retellings": 3}', '{"a": "}', "{" * 50_000])
def test_a_reply_that_is_none(text: str) -> None:
    with pytest.raises(BadRow, match="teacher"):
        teaching.reply(text, PASSAGE)
    assert teaching.reply("{}", PASSAGE) == ([], [])
