"""TriviaQA: facts asked for by name, closed book. Right is any alias, after the official evaluation's normalisation.

Rows come in three dresses: `question` and `answer` with its `aliases` inside (the published form), `context` with
`answer` and `aliases` beside it, and `question` with `golden_answers`.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from mrclassic.tasks import slots
from mrclassic.tasks.base import RIGHT, BadRow, Item, Judgement, Refusal, ask, no_answer
from mrclassic.tasks.dataset import Dataset, text_of
from mrclassic.tasks.known import Known, skeleton

_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation + "‘’´`", " "))
_ARTICLE = re.compile(r"\b(a|an|the)\b")
_CONTEXT = re.compile(r"\s*Question:\s*(.*?)\s*Answer:\s*", re.DOTALL)
# A word that leads up to an answer. After up to six of them must come the answer and nothing else.
_LEAD = re.compile(
    r"(?:so|well|i think|i believe|i would say|probably|that would be|it|this|that|he|she|they|the|correct|final|my|"
    r"is|was|are|were|answer|it's|that's)[,:]?\s+",
    re.IGNORECASE,
)
_LEADS = 6
_LONGEST = 100  # characters; what is longer than that and not right answers nothing


class TriviaQA(Dataset):
    """Rows of a question, an answer and its aliases."""

    name = "triviaqa"
    about = "facts asked for by name"
    asking = "Write a trivia question."

    def row(self, data: Mapping[str, Any]) -> Item:
        """See the module's docstring; a bare `answer` also does."""
        question = text_of(data, "question", "prompt", "context", default="")
        if found := _CONTEXT.fullmatch(question):
            question = found[1]
        answer = data.get("answer", data.get("golden_answers"))
        if isinstance(answer, dict):
            names = [answer.get("value"), *_list(answer.get("aliases")), *_list(answer.get("normalized_aliases"))]
        else:
            names = [*_list(answer), *_list(data.get("aliases"))]
        names = list(dict.fromkeys(str(name) for name in names if isinstance(name, str | int | float) and str(name)))
        if not names:
            raise BadRow('it has no "answer"')
        return ask(question, names[0], names[0], aliases=names)

    def check(self, item: Item, completion: str) -> Judgement:
        """Right if the reply is one of the names, once what leads up to it is left out."""
        names = {normal(name) for name in item.meta.get("aliases", [item.answer])}
        return one_of(names, completion, item.answer)

    @cached_property
    def known(self) -> Known:
        """Every question that it has an answer to."""
        return Known(self, normal)

    def parse(self, question: str) -> Item | Refusal:
        """The item of that question, in any spelling that the official normalisation takes for the same."""
        return self.known.parse(question)

    def skeleton(self, question: str) -> str:
        """The question without its names and numbers: how alike two questions are."""
        return skeleton(question)


def one_of(names: set[str], completion: str, shown: str) -> Judgement:
    """Judge a reply in words: exactly one answer, which must be among the (normalised) names."""
    given = candidates(completion)
    if not given:
        return no_answer("it says nothing")
    if all(any(normal(form) in names for form in forms) for forms in given):
        return RIGHT
    wrong = given[0][0]
    if len(wrong) > _LONGEST:
        return no_answer(f"no short answer found; the answer is {shown}")
    return Judgement("wrong", f"{wrong}; the answer is {shown}")


def candidates(completion: str) -> list[tuple[str, ...]]:
    """The answers of a reply, each as it stands and without what leads up to it.

    Those in the places made for an answer, else the one in the last line.
    """
    text = slots.plain(completion).strip()
    if marked := [content for content in slots.marked(text) if content]:
        return [tuple(_bared(content)) for content in marked]
    last = text.rpartition("\n")[2]
    return [(*_bared(last), *slots.stated(last)[-1:])] if last else []


def _bared(text: str) -> Iterator[str]:
    """The text, and what is left of it as leading words are taken off one by one."""
    yield text
    for _ in range(_LEADS):
        lead = _LEAD.match(text)
        if lead is None:
            return
        text = text[lead.end() :]
        yield text


def normal(text: str) -> str:
    """The official normalisation: lower case, no punctuation, no articles, single spaces.

    A name that consists of nothing else ("The The") keeps its words, so that silence does not match it.
    """
    lower = text.replace("_", " ").lower()
    words = " ".join(_ARTICLE.sub(" ", lower.translate(_PUNCTUATION)).split())
    return words or " ".join(lower.split())


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def task(folder: Path | None) -> TriviaQA:
    """The task on the owner's files in `folder`, or on the sample."""
    return TriviaQA(folder)
