"""An evening's practice on the desk: the next question is asked in the owner's place, each in a talk of its own.

The questions of one evening stand in one conversation, side by side and not below each other: each is answered, and
learnt, by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mrclassic.tui import practice

if TYPE_CHECKING:
    from mrclassic.tui.desk import Desk
    from mrclassic.tui.practice import Question

EVENING = timedelta(hours=12)
"""What was asked so lately is not asked again."""
_LATELY = 20  # conversations among which this evening's is looked for


@dataclass(frozen=True)
class Tally:
    """How an evening goes."""

    asked: int = 0
    answered: frozenset[int] = frozenset()
    """The questions that have an answer now."""

    def __str__(self) -> str:
        return f"practice: {len(self.answered)} of {self.asked} answered"


def ask(desk: Desk, moment: datetime) -> tuple[int, Question] | None:
    """Put the next question on the desk and store it; returns its message's id, or None when nothing is left to ask.

    Raises BookError where the book cannot be read.
    """
    conversations = desk.store.conversations
    openings = conversations.openings()
    since = (moment.astimezone(UTC) - EVENING).isoformat(timespec="microseconds")
    asked = dict(reversed(openings))
    evening = [text for text, when in openings if when >= since]
    used = desk.store.checkpoints.in_use()
    material = practice.read(desk.home, desk.store.recalls.of(used.id) if used else {})
    question = practice.next_question(material, asked, evening, len(evening))
    if question is None:
        return None
    title = f"Practice, {(moment - EVENING / 3).astimezone():%d %b}"  # past midnight it is still the same evening
    here = next((talk.id for talk in conversations.list(_LATELY) if talk.title == title), None)
    desk.conversation = conversations.create(title).id if here is None else here
    desk.leaf = conversations.add(desk.conversation, None, "user", question.text).id
    return desk.leaf, question
