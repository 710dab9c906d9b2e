"""What a task is: items to practise on, a judgement of an answer, and a held-out split that training can never draw."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal, Protocol, runtime_checkable

Verdict = Literal["right", "wrong", "error", "skipped"]


@dataclass(frozen=True)
class Judgement:
    """A verdict, and what there is to say about it in one line.

    `error`: the verifier could not tell, which is masked and never counts as wrong; `skipped`: it may not (no sandbox).
    `found` is False where no answer could be read out of the completion: a share of these that grows means that style
    and parser have parted.
    """

    verdict: Verdict
    detail: str = ""
    found: bool = True

    @property
    def right(self) -> bool:
        return self.verdict == "right"

    @property
    def reward(self) -> float | None:
        """1 for right, 0 for wrong, None where nobody could tell."""
        return {"right": 1.0, "wrong": 0.0}.get(self.verdict)


RIGHT = Judgement("right")


def no_answer(detail: str = "no answer found") -> Judgement:
    """Wrong, because the completion holds nothing that could be read as an answer."""
    return Judgement("wrong", detail, found=False)


@dataclass(frozen=True)
class Item:
    """One question: the conversation so far, the gold answer, a worked reply to imitate, and columns for rewards."""

    messages: tuple[Mapping[str, str], ...]
    answer: str
    trace: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def question(self) -> str:
        """The last thing the user says."""
        return self.messages[-1]["content"]


def ask(question: str, answer: str, trace: str = "", **meta: Any) -> Item:
    """An item of one question."""
    return Item(({"role": "user", "content": question},), answer, trace, meta)


class BadRow(ValueError):  # noqa: N818 - it reads as what it is
    """A row of a dataset that cannot be used; the message says why, without naming the file or line."""


@dataclass(frozen=True)
class Refusal:
    """Why a question that a model wrote cannot be used."""

    kind: Literal["unparsable", "invalid", "held-out"]
    reason: str


class Checks(Protocol):
    """Whoever can judge an answer."""

    def check(self, item: Item, completion: str) -> Judgement:
        """Whether `completion` answers `item`. Never raises because of what the completion says."""
        ...


class Task(Checks, Protocol):
    """A domain of practice; see the module's docstring."""

    @property
    def name(self) -> str: ...

    @property
    def about(self) -> str:
        """What it is, in a few words, for lists."""
        ...

    @property
    def levels(self) -> tuple[str, ...]:
        """Easiest first."""
        ...

    def sample(self, rng: random.Random, level: str) -> Item:
        """A training item; never one of the held-out split."""
        ...

    def held_out(self, level: str, limit: int | None = None) -> Sequence[Item]:
        """Items that training never sees, in a fixed order; the first `limit` of them."""
        ...

    def row(self, data: Mapping[str, Any]) -> Item:
        """Read a row with the dataset's own field names; raises BadRow."""
        ...


@runtime_checkable
class JudgesAll(Protocol):
    """A task whose verifier does better on many at once (it has workers)."""

    def check_all(self, items: Sequence[Item], completions: Sequence[str]) -> list[Judgement]:
        """As `check`, row by row."""
        ...


@runtime_checkable
class Asked(Protocol):
    """A task whose questions a model may write (self-play). What it writes in its first steps it learns from the task's
    own samples."""

    @property
    def asking(self) -> str:
        """What the questioner is told, in a few words: `Write a sum.` Empty: nobody asks it for one."""
        ...

    def parse(self, question: str) -> Item | Refusal:
        """Read a question that a model wrote, and compute its gold answer."""
        ...

    def skeleton(self, question: str) -> str:
        """The question with its particulars blotted out: how alike two questions are."""
        ...


class Domain(Task, Asked, Protocol):
    """A task that a model can practise on questions of its own."""


def check_all(task: Checks, items: Sequence[Item], completions: Sequence[str]) -> list[Judgement]:
    """Judge row by row, together where the task can."""
    if isinstance(task, JudgesAll):
        return task.check_all(items, completions)
    return [task.check(item, completion) for item, completion in zip(items, completions, strict=True)]


def keyed(*key: object) -> random.Random:
    """A random source that is a pure function of `key`, the same in every process and Python version."""
    digest = blake2b("\x1f".join(map(str, key)).encode(), digest_size=8).digest()
    return random.Random(int.from_bytes(digest, "big"))
