"""What a teacher, a larger model, is asked to make of a passage, and what of its reply is believed.

A teacher invents. So an answer counts only if it stands in the passage, and a retelling only if it names no number and
no name that the passage does not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mrclassic.tasks.base import BadRow
from mrclassic.tasks.documents.passages import Pair, Passage, pair
from mrclassic.tasks.documents.sentences import sentences, words
from mrclassic.tasks.trivia import normal

Message = Mapping[str, str]

_ORDER = """\
Below is a passage of somebody's notes{title}. Write
- {versions} retellings: the same facts, all of them and no others, each time in other words and another order of \
sentences; every sentence names whom or what it is about in full, without pronouns;
- questions, one or two for every fact, that can be understood without the passage, each with its answer: a word, a \
name, a number or a few words, exactly as they stand in the passage.
Reply with nothing but JSON of this form:
{{"retellings": ["..."], "questions": [{{"question": "...", "answer": "..."}}]}}

Passage:
{text}"""


def order(passage: Passage, versions: int) -> list[Message]:
    """The conversation that asks a teacher about `passage`."""
    title = f' under the heading "{passage.title}"' if passage.title else ""
    content = _ORDER.format(title=title, versions=max(1, versions - 1), text=passage.text)
    return [{"role": "user", "content": content}]


def reply(text: str, passage: Passage) -> tuple[list[str], list[Pair]]:
    """The retellings and pairs of a teacher's reply that hold to the passage; raises BadRow where it is no such
    JSON."""
    begin, end = text.find("{"), text.rfind("}")
    try:
        told: Any = json.loads(text[begin : end + 1])
    except (ValueError, RecursionError) as error:
        raise BadRow("the teacher did not reply with JSON") from error
    retold, asked = (told.get(name, []) for name in ("retellings", "questions")) if isinstance(told, dict) else (0, 0)
    if not isinstance(retold, list) or not isinstance(asked, list):
        raise BadRow('the teacher\'s JSON has no lists "retellings" and "questions"')
    kept = [" ".join(each.split()) for each in retold if isinstance(each, str) and _holds(each, passage)]
    return list(dict.fromkeys(kept)), _pairs(asked, passage)


def _pairs(asked: Sequence[Any], passage: Passage) -> list[Pair]:
    within = f" {normal(f'{passage.title} {passage.text}')} "
    found = []
    for each in asked:
        question, answer = (each.get("question"), each.get("answer")) if isinstance(each, dict) else (None, None)
        if isinstance(answer, int | float) and not isinstance(answer, bool):
            answer = str(answer)
        if not isinstance(question, str) or not isinstance(answer, str) or not question.strip() or not answer.strip():
            continue
        given = answer.strip().removesuffix(".")
        if given and f" {normal(given)} " in within:
            found.append(pair(question, given))
    return found


def _holds(retelling: str, passage: Passage) -> bool:
    """Whether it says nothing new that could be told apart: no number and no name of its own, and no more in all."""
    known = {word.casefold() for word in words(f"{passage.title} {passage.text}")}
    own = words(retelling)
    opening = {each[0] for sentence in sentences(retelling) if (each := words(sentence))}
    new = [
        word
        for word in own
        if word.casefold() not in known
        and (any(sign.isdigit() for sign in word) or (word[0].isupper() and word not in opening))
    ]
    return bool(own) and not new and len(own) <= 3 * len(words(passage.text)) + 10
