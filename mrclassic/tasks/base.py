"""What a task is: items to practise on, a verdict on an answer, and a held-out split that training can never draw."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal, Protocol

Verdict = Literal["right", "wrong", "error", "skipped"]


@dataclass(frozen=True)
class Item:
    """One question: the conversation so far, the gold answer, a worked reply to imitate, and columns for rewards."""

    messages: tuple[Mapping[str, str], ...]
    answer: str
    trace: str = ""
    meta: Mapping[str, object] = field(default_factory=dict)

    @property
    def question(self) -> str:
        """The last thing the user says."""
        return self.messages[-1]["content"]


@dataclass(frozen=True)
class Refusal:
    """Why a question that a model wrote cannot be used."""

    kind: Literal["unparsable", "invalid", "held-out"]
    reason: str


class Task(Protocol):
    """A domain of practice; see the module's docstring."""

    name: str
    levels: tuple[str, ...]

    def sample(self, rng: random.Random, level: str) -> Item:
        """A training item; never one of the held-out split."""
        ...

    def held_out(self, level: str, limit: int | None = None) -> Sequence[Item]:
        """Items that training never sees, in a fixed order."""
        ...

    def check(self, item: Item, completion: str) -> Verdict:
        """Whether `completion` answers `item`."""
        ...

    def parse(self, question: str) -> Item | Refusal:
        """Read a question that a model wrote, and compute its gold answer."""
        ...


def keyed(*key: object) -> random.Random:
    """A random source that is a pure function of `key`, the same in every process and Python version."""
    digest = blake2b("\x1f".join(map(str, key)).encode(), digest_size=8).digest()
    return random.Random(int.from_bytes(digest, "big"))
