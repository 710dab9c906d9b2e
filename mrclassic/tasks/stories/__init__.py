"""Stories: what was told once, in several ways, is asked for without the book.

Everybody in a little world is told of (`tellings`). Blanks and questions about half of the people belong to training;
those about the other half are the held-out split. So what is measured is knowledge that can be used, not answers
learned by heart: the facts were read, but nobody ever asked for them.

The answer is the missing word or name, exactly, whatever its case, article and punctuation: alone, after `ANSWER:`
or "the answer is", or in one of the sentences that state the fact. A surname alone is wrong: several people bear it.

With files of the owner's own (rows of `question`, `answer`, and where known `telling`, `retellings`, `aliases`) these
take the place of the world.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from mrclassic.tasks import slots
from mrclassic.tasks.base import RIGHT, BadRow, Item, Judgement, ask, keyed, no_answer
from mrclassic.tasks.dataset import Dataset, files, text_of
from mrclassic.tasks.stories import text
from mrclassic.tasks.stories.world import Person, people

VERSIONS = 5  # of each telling: of one, a model of 124M parameters could use 10% of the facts, of five 96%

_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_LEADS = ("", "it is ", "it was ", "in ", "it is in ", "it was in ", "in year ", "in town of ", "by ")


class OwnStories(Dataset):
    """The owner's own stories."""

    name = "stories"
    about = "what was told, asked for without the book"

    def row(self, data: Mapping[str, Any]) -> Item:
        """A row of `question` (or `prompt`) and `answer`; a question with a blank, `____`, is of the level "blank"."""
        question, answer = text_of(data, "question", "prompt", default=""), text_of(data, "answer").strip()
        if not _words(answer):
            raise BadRow('its "answer" is empty')
        meta: dict[str, Any] = {"level": "blank" if "__" in question else "question"}
        for field in ("aliases", "retellings"):
            values = data.get(field, [])
            if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
                raise BadRow(f'its "{field}" are not a list of texts')
            meta[field] = values
        return ask(question, answer, f"{answer}.", telling=text_of(data, "telling", default=""), **meta)

    def check(self, item: Item, completion: str) -> Judgement:
        """Right if the reply is the missing word or name."""
        plain = slots.plain(completion)
        given = _words((slots.marked(plain) or slots.stated(plain) or [plain])[-1])
        if not given:
            return no_answer()
        golds = [item.answer, *item.meta.get("aliases", ())]
        accepted = {lead + _words(gold) for gold in golds for lead in _LEADS}
        if "attribute" in item.meta:
            for gold in golds:
                accepted |= set(map(_words, text.frames(item.meta["person"], item.meta["attribute"], gold)))
        return RIGHT if given in accepted else Judgement("wrong", f"not {item.answer}")

    def tellings(self, rng: random.Random, versions: int = VERSIONS) -> list[str]:
        """What is to be read, in a mixed order: of each story the telling and `versions` - 1 retellings, if it has so
        many."""
        items = [item for level in self.loaded.levels.values() for item in (*level.train, *level.held_out)]
        stories: dict[str, list[str]] = {}
        for item in items:
            if told := item.meta["telling"]:
                stories.setdefault(told, []).extend(item.meta["retellings"])
        documents = [
            document
            for told, retold in stories.items()
            for document in (told, *list(dict.fromkeys(retold))[: versions - 1])
        ]
        rng.shuffle(documents)
        return documents


class Stories(OwnStories):
    """A generated world."""

    levels = ("blank", "question")

    def __init__(self, seed: int = 0, count: int = 400) -> None:
        super().__init__()
        self.people = people(seed, count)
        self._held_out = lru_cache(self._all_held_out)

    @property
    def files(self) -> tuple[Path, ...]:
        """None: the world is made."""
        return ()

    @property
    def faults(self) -> tuple[str, ...]:
        """None: no row was read."""
        return ()

    @property
    def asked(self) -> Sequence[Person]:
        """The half of the people whose questions belong to training."""
        return self.people[::2]

    def sample(self, rng: random.Random, level: str) -> Item:
        """A question about one of the people who may be asked about."""
        return _item(rng.choice(self.asked), rng.choice(tuple(text.WORDINGS)), level, rng)

    def held_out(self, level: str, limit: int | None = None) -> Sequence[Item]:
        """One question for every fact about the others, in a fixed mixed order; the first `limit` of them."""
        return self._held_out(level)[:limit]

    def _all_held_out(self, level: str) -> tuple[Item, ...]:
        rng = keyed("stories held-out", level)
        found = [_item(person, attribute, level, rng) for person in self.people[1::2] for attribute in text.WORDINGS]
        rng.shuffle(found)
        return tuple(found)

    def tellings(self, rng: random.Random, versions: int = VERSIONS) -> list[str]:
        """Of everybody the telling and `versions` - 1 retellings, mixed across people: versions of one telling that
        follow each other teach little."""
        documents = list(self._documents(rng, versions))
        rng.shuffle(documents)
        return documents

    def _documents(self, rng: random.Random, versions: int) -> Iterator[str]:
        for person in self.people:
            yield text.telling(person)
            for _ in range(versions - 1):
                yield text.retelling(person, rng)


def _item(person: Person, attribute: str, level: str, rng: random.Random) -> Item:
    wording = text.WORDINGS[attribute]
    way = rng.randrange(len(wording.states if level == "blank" else wording.asks))
    question = (text.blank if level == "blank" else text.ask_for)(person, attribute, way)
    answer = person.facts[attribute]
    reference = text.state(person, attribute, way if level == "blank" else 0)
    meta = {"task": Stories.name, "level": level, "person": person.name, "attribute": attribute}
    return ask(question, answer, f"{answer}.", reference=reference, **meta)


def _words(told: str) -> str:
    """The words in small letters, without articles, unless there are only articles."""
    words = _WORD.findall(unicodedata.normalize("NFKC", told).casefold().replace("’", "'"))
    return " ".join([word for word in words if word not in ("a", "an", "the")] or words)


def task(folder: Path | None) -> OwnStories:
    """The owner's stories in `folder`, or the world."""
    return OwnStories(folder) if files(folder) else Stories()
