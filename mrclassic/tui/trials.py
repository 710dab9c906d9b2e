"""A reply to one question of a task, tried: what the verbs `task sample` and `task try` are told, and what they say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import SystemRandom
from typing import Any

from mrclassic.tui.visible import visible

_SEEDS = 2**31 - 1


@dataclass(frozen=True)
class Drawn:
    """A question that a task drew: with the same seed it draws the same one."""

    level: str
    """NAME:LEVEL."""
    seed: int
    question: str
    answer: str
    messages: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Part:
    """A reward: what it gave (None: it abstained), and what that counted."""

    reward: str
    weight: float
    value: float | None
    counted: float | None
    decides: bool
    fault: str = ""


@dataclass(frozen=True)
class Scored:
    """What a reply was found to be worth; `total` None: nothing would be learned from it."""

    verdict: str
    detail: str
    found: bool
    answer: str
    total: float | None
    parts: tuple[Part, ...]

    @property
    def read(self) -> str:
        """What was read in the reply, in words."""
        if not self.found:
            return f"No answer was read: {self.detail or 'there is none'}."
        if self.verdict == "right":
            return f"It says {self.answer}." if self.answer else "It says what is right."
        return f"{self.detail}." if self.detail else ""


def seed() -> int:
    """Another question each time."""
    return SystemRandom().randrange(_SEEDS)


def drawn(named: str, number: int, row: Mapping[str, Any]) -> Drawn:
    """What `task sample --json` printed for `named`."""
    level, name = str(row["level"]), named
    if not name.endswith(f":{level}"):
        name = f"{name}:{level}"
    messages = tuple({"role": str(each["role"]), "content": str(each["content"])} for each in row["messages"])
    return Drawn(name, number, str(row["question"]), str(row["answer"]), messages)


def case(last: Drawn | None, level: str, question: str, answer: str, reply: str) -> str:
    """What `task try --case -` reads: the question that was drawn, or the owner's own where he has changed it."""
    if same(last, level, question, answer):
        assert last is not None
        return json.dumps({"seed": last.seed, "reply": reply})
    given = {"question": question, "reply": reply}
    return json.dumps({**given, "answer": answer.strip()} if answer.strip() else given)


def same(last: Drawn | None, level: str, question: str, answer: str) -> bool:
    """Whether this is the question that was drawn. (A box shows control characters as pictures.)"""
    return last is not None and (last.level, visible(last.question), visible(last.answer)) == (level, question, answer)


def scored(facts: Mapping[str, Any]) -> Scored:
    """What `task try --json` printed."""
    parts = tuple(Part(**{name: each[name] for name in Part.__dataclass_fields__}) for each in facts["parts"])
    return Scored(
        str(facts["verdict"]),
        visible(str(facts["detail"])).rstrip("."),
        bool(facts["found"]),
        visible(str(facts["answer"])),
        facts["total"],
        tuple(replace(part, reward=visible(part.reward), fault=visible(part.fault)) for part in parts),
    )
