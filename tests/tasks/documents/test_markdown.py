"""Text and Markdown: passages under their headings, sentences that stand alone, questions of the owner's own."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.tasks.documents import markdown
from mrclassic.tasks.documents.passages import WORDS, Pair, of_rows
from mrclassic.tasks.documents.questions import made
from mrclassic.tasks.documents.sentences import groups, leans, sentences

NOTES = """\
---
owner: Ilse
---
# The *boat*
The [Gull](https://example.org/gull) lies in
Wieck. <!-- not
told --> It was built by Dr. Holm in 1954.

- [x] Anna plays the `cello`
2. Phone: 12 34

| Thing | Place |
|:------|------:|
| sail  | loft  |

| Mast | Height | Wood |
|---|---|---|
| front | 9 m | pine |

```sh
git push
```

## People
Q: What is the doctor called?
A: Dr. Holm

Q: And who asks?
Nobody knows.
"""


def test_what_notes_are_cut_into() -> None:
    found, faults = markdown.read(NOTES, "notes.md")
    assert [(passage.title, passage.verbatim) for passage in found] == [
        ("", False),
        ("The boat", False),
        ("The boat", True),
        ("People", False),
    ]
    assert found[1].told == (
        "The Gull lies in Wieck.",
        "It was built by Dr. Holm in 1954.",
        "Anna plays the cello.",
        "Phone: 12 34.",
        "sail: loft.",
        "front | 9 m | pine.",
    )
    assert found[2].text == "git push"
    assert found[3].pairs == (Pair("What is the doctor called?", "Dr. Holm"),)
    assert found[3].told == ("Nobody knows.",)
    assert faults == ["notes.md line 28: a question without an answer; write A: ... below it."]


def test_a_question_goes_with_the_passage_that_answers_it() -> None:
    long = "\n\n".join(
        f"Box {number} holds {number} pairs of old shoes and nothing else at all." for number in range(20)
    )
    found, _ = markdown.read(f"{long}\nQ: Who has the key?\nA: Piet\n\nPiet has the key.", "boxes.txt")
    assert len(found) > 2
    assert all(len(passage.text.split()) <= WORDS for passage in found)
    assert [len(passage.pairs) for passage in found] == [0] * (len(found) - 1) + [1]


def test_sentences() -> None:
    text = 'Dr. A. Holm came at 9.30 on 3. He said "Yes." Then he left! Paris is far'
    assert sentences(text) == [
        "Dr. A. Holm came at 9.30 on 3.",
        'He said "Yes."',
        "Then he left!",
        "Paris is far.",
    ]
    assert groups(["Anna left.", "She ran.", "Piet stayed.", "But why?"]) == [
        ["Anna left.", "She ran."],
        ["Piet stayed.", "But why?"],
    ]


@settings(max_examples=150, deadline=None)
@given(st.text())
def test_any_text_is_read_and_no_word_of_a_paragraph_is_lost(text: str) -> None:
    markdown.read(text, "any")
    told = sentences(text)
    assert "".join("".join(told).split()).rstrip(".") == "".join("".join(sentences(" ".join(told))).split()).rstrip(".")
    assert [sentence for group in groups(told) for sentence in group] == told
    assert not any(leans(group[0]) for group in groups(told)[1:])


def test_rows(tmp_path: Path) -> None:
    rows = [
        {"text": "Anna left. Piet stayed.", "title": " Who\nwent ", "retellings": ["Piet  stayed, Anna left."]},
        {"question": "Who left?", "answer": "Anna\n", "aliases": ["Anna Holm", " "]},
        {"text": "x \ud800", "questions": [{"question": "Q?", "answer": 7}]},
    ]
    bad = [
        "{oops",
        '{"title": "alone"}',
        '{"question": "Q?"}',
        '{"text": 1.5, "questions": 3}',
        '{"question": "", "answer": "a"}',
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join([*map(json.dumps, rows), *bad]))
    faults: list[str] = []
    found = list(of_rows(path, faults))
    assert found[0].title == "Who went"
    assert found[0].retellings == ("Piet stayed, Anna left.",)
    assert found[1].pairs == (Pair("Who left?", "Anna", ("Anna Holm",)),)
    assert found[2].text == "x \ufffd."
    assert found[2].pairs == (Pair("Q?", "7"),)
    assert [fault.split(":")[0] for fault in faults] == [f"rows.jsonl line {number}" for number in range(4, 9)]


@pytest.mark.parametrize("part", ["**", "*a ", "[a](", "Q: x\n", "| a ", "# ", "<!--", "``", "A. ", "x: ", "is a "])
def test_long_text_is_read_at_once(part: str) -> None:
    begun = time.process_time()
    found, _ = markdown.read(part * 20_000, "long")
    for passage in found:
        list(made(passage))
    assert time.process_time() - begun < 3
