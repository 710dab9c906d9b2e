"""What the page of the picks asks of the store: queues, sheets, and the owner's second thoughts.

Everything here runs on the store's thread (`store_thread.py`) and knows no widget.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from mrclassic.tui.widgets.history import Line

if TYPE_CHECKING:
    from mrclassic.home import Home
    from mrclassic.store import Store

QUEUES = {"pending": "Pending", "draft": "Draft", "done": "Done", "discarded": "Discarded"}
KINDS = {"candidate": "picked", "typed": "in your words", "edited": "edited by you"}
_BEFORE = 6  # messages before the question that a sheet shows


@dataclass(frozen=True)
class Row:
    """A question in the list."""

    prompt: int
    text: str
    detail: str


@dataclass(frozen=True)
class Shown:
    """A candidate as it was shown: `mark` says what it became of it."""

    shown: int
    text: str
    id: int
    chosen: bool
    mark: str


@dataclass(frozen=True)
class Sheet:
    """All about one question. `reply` is what stands, `kind` how it came about ("" for none); `origin` the candidate
    that it is, or was made from."""

    prompt: int
    conversation: int
    pick: int | None
    before: tuple[Line, ...]
    more: int
    """Messages before those."""
    question: str
    candidates: tuple[Shown, ...]
    reply: str
    kind: str
    origin: int | None
    earlier: tuple[str, ...]
    """Replies of other words that were picked before and do not stand, newest first."""
    rating: float | None


@dataclass(frozen=True)
class Shelf:
    """One queue, how many lie in each, and the state of taste in a sentence."""

    queue: str
    rows: tuple[Row, ...]
    counts: dict[str, int]
    why: str


class Review:
    """The picks of a home, looked at again."""

    def __init__(self, home: Home, store: Callable[[], Store]) -> None:
        self._home = home
        self._open = store

    @property
    def _store(self) -> Store:
        return self._open()

    def shelf(self, queue: str) -> Shelf:
        """What lies in a queue, the latest first."""
        rows = tuple(
            Row(each.prompt, each.text, "  ".join(filter(None, (_when(each.date), KINDS.get(each.kind, "")))))
            for each in self._store.queues.list(queue)
        )
        return Shelf(queue, rows, self._store.queues.counts(), self.why())

    def why(self) -> str:
        """Whether taste is a reward, and why; how well it agrees with the last picks."""
        from mrclassic.store import tasting

        taste = tasting.standing(self._store, self._home)
        agreed = f"It agreed with {taste.agreed} of the last {taste.compared} picks it had not seen."
        since = "1 pick was made since." if taste.since == 1 else f"{taste.since:,} picks were made since."
        told = (taste.why, agreed if taste.compared else "", since if taste.since and taste.evidence else "")
        return " ".join(filter(None, told))

    def sheet(self, prompt: int) -> Sheet:
        """One question with what was shown, what was chosen, and what was said before it."""
        store = self._store
        *before, asked = store.conversations.path(prompt)
        pick = store.picks.standing(prompt)
        drawn = store.candidates.beside(pick) if pick else store.candidates.for_prompt(prompt)
        written = (each.text for each in reversed(store.picks.written(prompt)))
        former = dict.fromkeys(text for text in written if pick is None or text != pick.text)
        rating = store.ratings.of(asked.conversation)
        return Sheet(
            prompt=prompt,
            conversation=asked.conversation,
            pick=pick.id if pick else None,
            before=tuple(Line(each.role, each.content) for each in before[-_BEFORE:]),
            more=max(0, len(before) - _BEFORE),
            question=asked.content,
            candidates=tuple(
                Shown(
                    each.shown,
                    each.text,
                    each.id,
                    chosen := pick is not None and pick.candidate == each.id,
                    _mark(pick.kind) if chosen and pick else "chosen before" if each.text in former else "",
                )
                for each in drawn
            ),
            reply=pick.text if pick else "",
            kind=pick.kind if pick else "",
            origin=pick.candidate if pick else None,
            earlier=tuple(text for text in former if text not in {each.text for each in drawn}),
            rating=rating.score if rating else None,
        )

    def revise(self, prompt: int, text: str, kind: str, candidate: int | None) -> str:
        """Choose anew; returns why the book must wait, mostly nothing."""
        from mrclassic.store import curation

        try:
            curation.revise(self._store, self._home, prompt, text, kind, candidate)
        except curation.NotBookedError as error:
            return str(error)
        return ""

    def discard(self, prompt: int) -> str:
        """Take what was chosen out again, or skip a question for which nothing was; as `revise`."""
        from mrclassic.store import curation

        try:
            retired = curation.retire(self._store, self._home, prompt)
        except curation.NotBookedError as error:
            return str(error)
        if not retired or not self._store.conversations.replies(prompt):
            curation.skip(self._store, prompt)
        return ""

    def restore(self, prompt: int) -> str:
        """Bring back what was discarded; as `revise`."""
        from mrclassic.store import curation

        try:
            curation.restore(self._store, self._home, prompt)
        except curation.NotBookedError as error:
            return str(error)
        return ""

    def flag(self, prompt: int) -> str:
        """Put it aside to come back to."""
        from mrclassic.store import curation

        curation.flag(self._store, prompt)
        return ""


def _mark(kind: str) -> str:
    return "you edited this" if kind == "edited" else "you picked this"


def _when(stamp: str) -> str:
    return datetime.fromisoformat(stamp).astimezone().strftime("%d %b %H:%M").lstrip("0")
