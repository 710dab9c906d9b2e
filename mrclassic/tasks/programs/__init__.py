"""What does a program of a few lines print? Carried out by a machine of our own (see `machine`).

    What does this print?
    a = 3
    b = a + 4
    print(b * 2)                ->  a=3, b=7, 14, so 14.

Levels: straight lines; a choice; a loop; a choice within a loop. The held-out split takes programs: one in four, chosen
by a hash of the program with its names numbered, so that other names make no other program.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from mrclassic.tasks import slots
from mrclassic.tasks.base import RIGHT, BadRow, Item, Judgement, Refusal, ask, keyed, no_answer
from mrclassic.tasks.programs.machine import Ran, Unreadable, Unusable, run
from mrclassic.tasks.programs.writing import KINDS, write

name = "programs"
about = "what a program of a few lines prints"
asking = "Write a short program and ask what it prints."
levels: tuple[str, ...] = tuple(KINDS)

_HELD_OUT_ITEMS = 500  # of each level
_HEAD = "What does this print?\n"
_LONGEST = 120  # characters; what is longer than that answers nothing
_CLAUSES = 40  # of a worked reply


def is_held_out(ran: Ran) -> bool:
    """Whether the program may not be asked about in training."""
    return blake2b(ran.shape.encode(), digest_size=1, person=b"programs").digest()[0] < 64


def item(source: str, ran: Ran, level: str = "") -> Item:
    """The question about a program, its answer (what is printed, lines joined by spaces) and the worked reply."""
    answer = _plain(" ".join(ran.printed))
    meta = {"level": level} if level else {}
    return ask(f"{_HEAD}{source}", answer, f"{', '.join(ran.log)}, so {answer}.", task=name, **meta)


def _draw(rng: random.Random, level: str, held_out: bool) -> Item:
    while True:
        source = write(rng, level)
        try:
            ran = run(source)
        except Unusable:
            continue
        if is_held_out(ran) == held_out and len(ran.log) <= _CLAUSES:
            return item(source, ran, level)


def sample(rng: random.Random, level: str) -> Item:
    """A training item of `level`."""
    return _draw(rng, level, held_out=False)


@lru_cache(maxsize=len(levels))
def _held_out(level: str) -> tuple[Item, ...]:
    rng, found = keyed("programs held-out", level), dict[str, Item]()
    while len(found) < _HELD_OUT_ITEMS:
        drawn = _draw(rng, level, held_out=True)
        found.setdefault(drawn.question, drawn)
    return tuple(found.values())


def held_out(level: str, limit: int | None = None) -> Sequence[Item]:
    """The held-out items of `level` in a fixed order; the first `limit` of them."""
    return _held_out(level)[:limit]


def check(item: Item, completion: str) -> Judgement:
    """Right if the reply gives what is printed, in one line or as it was printed; spaces do not count."""
    whole = _plain(slots.plain(completion))
    given = slots.given(completion)
    if not given or len(given[-1]) > _LONGEST:
        return no_answer("it gives no short answer")
    if whole == item.answer or all(_plain(each) == item.answer for each in given):
        return RIGHT
    return Judgement("wrong", f"{given[-1]}, not {item.answer}")


def _plain(text: str) -> str:
    return " ".join(text.split())


def row(data: Mapping[str, Any]) -> Item:
    """A row has a `question` (or `prompt`), with or without an `answer`."""
    question, answer = data.get("question", data.get("prompt")), data.get("answer")
    if isinstance(answer, str | int) and not isinstance(answer, bool):
        return ask(str(question or ""), _plain(str(answer)))
    if not isinstance(question, str) or answer is not None:
        raise BadRow('it has neither a "question" nor an "answer" that is text or a number')
    found = _read(question)
    if isinstance(found, Refusal):
        raise BadRow(f'it has no "answer", and its question: {found.reason}')
    return item(*found)


def _read(question: str) -> tuple[str, Ran] | Refusal:
    source = question.strip()
    if not source.startswith(_HEAD):
        return Refusal("unparsable", f"it does not begin with {_HEAD.strip()!r} and a line of its own")
    source = source.removeprefix(_HEAD).strip("\n")
    try:
        ran = run(source)
    except Unreadable as error:
        return Refusal("unparsable", str(error))
    except Unusable as error:
        return Refusal("invalid", str(error))
    return (source, ran) if len(ran.log) <= _CLAUSES else Refusal("invalid", "it takes too many steps")


def parse(question: str) -> Item | Refusal:
    """Read a question strictly and carry its program out; refuses what fails or takes too long, and held-out
    programs."""
    found = _read(question)
    if isinstance(found, Refusal):
        return found
    if is_held_out(found[1]):
        return Refusal("held-out", "the program belongs to the held-out split")
    return item(*found)


def skeleton(question: str) -> str:
    """The program without its names, numbers and texts: how alike two questions are."""
    bare = re.sub(r'"[^"\n]*"', "S", question.removeprefix(_HEAD))
    bare = re.sub(r"\b(?!(?:if|else|for|in|range|print|len|min|max)\b)[a-z][a-z0-9]*\b", "X", bare)
    return re.sub(r"\b\d+\b", "D", bare)
