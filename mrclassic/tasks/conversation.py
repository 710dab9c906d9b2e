"""Conversation as a domain of self-play: the model opens a talk and replies to it, and there is no right answer.

Its items have no gold and name the reward `taste`, which is learned from the owner's picks. Until that may be a reward
nothing here is practised, for nobody could say which reply is better.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mrclassic.tasks.base import BadRow, Item, Judgement, Refusal, ask
from mrclassic.tasks.known import skeleton

NAME, REWARD = "conversation", "taste"
_OPENING = re.compile(r"[^\s][^\n\r\t]{1,198}[.?!]")


class Conversation:
    """Talks that begin as those in the book do (`openings`); `held_out` are lines that training must not see."""

    name = NAME
    about = "how a talk goes on, by the owner's taste"
    asking = "Begin a conversation."
    levels = ("1",)
    rewards = (REWARD,)

    def __init__(self, openings: Sequence[str], held_out: Collection[str] = ()) -> None:
        self._openings = tuple(openings)
        self._held_out = frozenset(map(_plain, held_out))

    def sample(self, rng: random.Random, level: str) -> Item:
        """An opening line of the book."""
        return _item(rng.choice(self._openings))

    def held_out(self, level: str, limit: int | None = None) -> Sequence[Item]:
        """None: what a good reply is, the gate asks in its own way."""
        return ()

    def check(self, item: Item, completion: str) -> Judgement:
        """No verifier may judge a talk."""
        return Judgement("skipped", f"it has no right answer; the reward {REWARD} scores it")

    def row(self, data: Mapping[str, Any]) -> Item:
        """There are no rows of it."""
        raise BadRow("a conversation is no dataset")

    def parse(self, question: str) -> Item | Refusal:
        """One line that ends as a sentence does."""
        line = question.strip()
        if _OPENING.fullmatch(line) is None or not line.isprintable():
            return Refusal("unparsable", "it is not one line of up to 200 letters that ends in . ? or !")
        if _plain(line) in self._held_out:
            return Refusal("held-out", "the line belongs to the held-out split")
        return _item(line)

    def skeleton(self, question: str) -> str:
        """The line without its names and numbers."""
        return skeleton(question)


def _item(line: str) -> Item:
    return ask(line, "", task=NAME, level="1", reward=REWARD)


def _plain(line: str) -> str:
    return " ".join(re.findall(r"\w+", line.casefold()))
