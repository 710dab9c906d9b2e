"""What is written and not sent: kept as a draft, put aside while an answer is edited, and given back."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

from mrclassic.errors import MrClassicError
from mrclassic.tui import commands
from mrclassic.tui.draw import Piece
from mrclassic.tui.screens.saying import Saying
from mrclassic.tui.visible import visible
from mrclassic.tui.widgets.answer_box import AnswerBox
from mrclassic.tui.widgets.candidates import Candidates

if TYPE_CHECKING:
    from mrclassic.tui.desk import Desk
    from mrclassic.tui.store_thread import StoreThread

LOST = (MrClassicError, OSError, sqlite3.Error)
"""What a full disk, a vanished home or a locked database raise."""


class Unsent(Saying):
    """The box's texts: the owner's own words stay his own, and an edited answer never becomes a message."""

    desk: Desk
    thread: StoreThread
    candidates: Candidates
    box: AnswerBox
    opened: bool
    _sending: bool
    _switching: int

    def __init__(self) -> None:
        super().__init__()
        self.conversation: int | None = None
        self.draft_changed = False
        self._draft = ""
        """What the conversation's draft was when it was opened."""
        self._editing: Piece | None = None
        self._aside = ""
        """A message that an undo overtook; it comes back to the box after the next pick."""
        self._begun = ""
        """Words of the owner's own that gave way to an answer he edits; they come back as soon as the box is free."""
        self._edits: dict[tuple[int, str], str] = {}
        """Edits that were left, by question and answer; `e` on the same answer goes on with them."""

    @property
    def unsent(self) -> str:
        """All that is written and would be lost with the app."""
        return "\n".join(filter(None, (self._begun, self.box.text)))

    def hint(self) -> None:
        """Bring the hint line up to date."""
        raise NotImplementedError

    def become(self, mode: str, shown: int = 0) -> None:
        """Change what the box is for."""
        if mode != "edited":
            self._editing = None
        self.box.become(mode, shown)
        self.hint()

    def _make_room(self) -> None:
        """Before an answer comes into the box to be edited: what is there gives way, and is kept."""
        self._leave_edit()
        if self.box.text.strip():
            self._begun = self.box.text
            self.say("What you had begun comes back after the pick, or with Tab from an emptied box.", timeout=4)

    def _edit_of(self, piece: Piece) -> str:
        """What the owner had made of this answer before he left it, or the answer."""
        draw = self.candidates.draw
        return self._edits.pop((draw.prompt, piece.text.strip()), piece.text) if draw is not None else piece.text

    def _leave_edit(self) -> None:
        """Out of the box with an answer that is being edited, for it is no message; in with what gave way to it."""
        draw, piece = self.candidates.draw, self._editing
        if draw is None or piece is None:
            return
        if self.box.text.strip() and self.box.text != visible(piece.text):
            self._edits[draw.prompt, piece.text.strip()] = self.box.text
        self.become("typed")
        self.box.put(self._begun)
        self._begun = ""

    def _come_back(self) -> None:
        """Into a box that is free: what gave way to an edit, else what an undo overtook."""
        if self.box.text:
            return
        if self._begun:
            self.box.put(self._begun)
            self._begun = ""
        else:
            self.box.put(self._aside)
            self._aside = ""

    def _behind_draft(self, text: str) -> tuple[str, str]:
        """A draft that was there already, and a command that was typed behind it; or nothing, and the text."""
        draft, self._draft = self._draft, ""
        rest = text.removeprefix(draft).strip() if draft else text
        with suppress(LookupError):
            entered = commands.read(rest)
            if rest != text and isinstance(entered, commands.Entered) and (entered.command.action or entered.argument):
                return draft, rest
        return "", text

    async def keep_draft(self, left: str | None = None) -> None:
        """Store what is typed and not sent, if it has changed; `left`: what was, in a conversation that is left."""
        if not self.draft_changed or not self.opened or self._sending or self.box.handed_over:
            return
        if self._switching and left is None:
            return
        self.draft_changed = False
        try:
            await self.thread(self.desk.save_draft, self.unsent if left is None else left)
        except LOST as error:
            self.draft_changed = True
            self._give_back(left or self.box.text)
            self.complain("What you are typing could not be saved", error)
        self.conversation = self.desk.conversation

    def _give_back(self, text: str) -> None:
        """Put a text into the box again, before what has been typed since."""
        self.box.put(text if self.box.text in ("", text) else f"{text}\n{self.box.text}")
