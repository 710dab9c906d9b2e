"""Documents: the owner's notes, asked for without them.

Everything in them is told (`tellings`), in several versions; half of the questions about it belong to training, the
other half is held out: what is measured is knowledge that can be used, not answers learned by heart.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from mrclassic.errors import UsageError
from mrclassic.tasks import numbers
from mrclassic.tasks.base import RIGHT, Item, Judgement, Refusal, ask, keyed
from mrclassic.tasks.dataset import Dataset, Level, Loaded, text_of
from mrclassic.tasks.documents import shelf
from mrclassic.tasks.documents.questions import BLANK, Question, sound
from mrclassic.tasks.known import Known, skeleton
from mrclassic.tasks.trivia import normal, one_of

NAME = "documents"


class Documents(Dataset):
    """All documents in a folder; levels are "blank" and "question"."""

    name = NAME
    about = "what your notes say, asked for without them"
    asking = "Write a question about the notes."

    @cached_property
    def shelf(self) -> tuple[shelf.Document, ...]:
        """The documents themselves."""
        return tuple(map(shelf.load, shelf.paths(self.folder))) if self.folder else ()

    @cached_property
    def loaded(self) -> Loaded:
        """The questions; raises UsageError where there are none."""
        levels: dict[str, Level] = {}
        # Two documents may ask alike and answer otherwise: nobody could tell which is meant.
        for question in sound(question for document in self.shelf for question in document.questions):
            level = levels.setdefault(question.kind, Level())
            (level.held_out if question.held_out else level.train).append(_item(question))
        if not levels:
            raise UsageError("There is no document to ask about; `mrclassic data add FILE` takes your notes.")
        for name, level in levels.items():
            for items in (level.train, level.held_out):
                keyed(NAME, name).shuffle(items)
        return Loaded(levels, ())

    @property
    def tellings(self) -> list[list[str]]:
        """Of every passage that is told, all versions, the telling itself first."""
        told = [passage for document in self.shelf for passage in document.passages if passage.text]
        return [[passage.text, *passage.retellings] for passage in told]

    def row(self, data: Mapping[str, Any]) -> Item:
        """A row of `question` (or `prompt`) and `answer`."""
        question = text_of(data, "question", "prompt", default="")
        kind = "blank" if "__" in question else "question"
        return _item(Question(question, text_of(data, "answer"), kind, "owner", question))  # type: ignore[arg-type]

    def check(self, item: Item, completion: str) -> Judgement:
        """Right if the reply is the answer, or the sentence in which it stands."""
        reference = item.meta.get("reference")
        if reference and normal(completion) == normal(reference):
            return RIGHT
        number = numbers.read(item.answer)
        if number is not None:
            return numbers.judge(completion, number)
        return one_of({normal(name) for name in (item.answer, *item.meta.get("aliases", ()))}, completion, item.answer)

    @cached_property
    def known(self) -> Known:
        """Every question that the notes answer."""
        return Known(self, lambda question: normal(question.replace(BLANK, " gap ")))

    def parse(self, question: str) -> Item | Refusal:
        """The item of that question, whose gold is the fact as it is kept; case, articles and marks may differ."""
        return self.known.parse(question)

    def skeleton(self, question: str) -> str:
        """The question without its names and numbers: how alike two questions are."""
        return skeleton(question)


def _item(question: Question) -> Item:
    meta = {"task": NAME, "level": question.kind, "aliases": list(question.aliases)}
    reference = question.reference or None
    trace = question.answer if question.answer[-1:] in ".!?" else f"{question.answer}."
    return ask(question.question, question.answer, trace, reference=reference, **meta)


def task(folder: Path | None) -> Documents:
    """The task on the documents in `folder`."""
    return Documents(folder)
