"""What happens between the owner's message and his pick.

    send -> draw (streams) -> take | skip -> send ...        undo: back to the draw of the last pick

What the owner does is shown at once and stored on the store's thread, in the same order. If storing fails, what he
wrote or picked comes back to where he can do it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from textual import on, work

from mrclassic.errors import MrClassicError
from mrclassic.mind.protocol import CONTEXT_EXCEEDED, MindError, well_formed
from mrclassic.tui.draw import Draw, Piece
from mrclassic.tui.mind_link import MindLink
from mrclassic.tui.screens.unsent import LOST, Unsent
from mrclassic.tui.views import NOTES, View
from mrclassic.tui.visible import visible
from mrclassic.tui.widgets.answer_box import AnswerBox
from mrclassic.tui.widgets.bubble import Bubble
from mrclassic.tui.widgets.candidates import Candidates
from mrclassic.tui.widgets.history import History, Line

if TYPE_CHECKING:
    from mrclassic.home import Home
    from mrclassic.settings import Settings
    from mrclassic.tui.desk import Desk
    from mrclassic.tui.store_thread import StoreThread

TWICE_WITHIN = 2.0
"""Seconds in which a second Escape leaves the answers without a pick."""
BOOK_WAITS = "Not in the book yet"


class Flow(Unsent):
    """The conversation's course; `ChatScreen` gives it a face."""

    def __init__(self, desk: Desk, thread: StoreThread, home: Home, settings: Settings) -> None:
        super().__init__()
        self.desk = desk
        self.thread = thread
        self.home = home
        self.settings = settings
        self.mind = MindLink(home, settings, self.mind_changed)
        self.history = History()
        self.candidates = Candidates(settings.chat.candidates, self.take, self.edit)
        self.box = AnswerBox(settings.keys)
        self.opened = False
        self.picked = False
        """Whether something was picked in this session and not taken back."""
        self._sending = False
        self._switching = 0  # conversations that are on their way to the desk
        self._showing = asyncio.Lock()
        self._edited_in: Draw | None = None  # the draw that it is of: the answers may have been drawn again since
        self._left_at = 0.0

    def mind_changed(self) -> None:
        """The model's state changed."""

    def action_write(self) -> None:
        """To the place where something can be done: the answers if some wait, else the box."""
        self.set_focus(self.candidates if self.candidates.display else self.box)

    def look(self) -> object:
        """Bring status line and list up to date."""
        raise NotImplementedError

    def heard(self, text: str) -> str | None:
        """What is to be said of what was entered; `None` where it was a command and has been obeyed."""
        return text

    def happened(self, what: str) -> None:
        """The owner has done something that the tour tells of."""

    async def went_on(self, prompt: int, answered: bool) -> None:
        """The message in front of the owner has been answered or skipped, and that is stored."""

    # Opening

    @work(group="store")
    async def open_desk(self) -> None:
        """Show the last conversation; the owner may be typing already."""
        try:
            view = await self.thread(self.desk.open)
        except MrClassicError as error:
            self.app.fail(error)  # type: ignore[attr-defined]
            return
        self.happened("read")
        await self.show(view, keep=True)
        self.opened = True
        self.happened("opened")
        self.look()

    async def switch(self, find: Callable[[], View]) -> None:
        """Put another conversation on the desk; what is typed meanwhile goes there."""
        self.workers.cancel_group(self, "draw")
        left = self.unsent
        self._switching += 1
        self.box.put("")
        self._begun = ""
        try:
            await self.keep_draft(left)
            await self.show(await self.thread(find), keep=True)
        except LOST as error:
            self._give_back(left)
            self.complain("The conversation could not be opened", error)
            return
        finally:
            self._switching -= 1
        self.look()

    async def show(self, view: View, keep: bool = False) -> None:
        """Show a conversation as it stands, one after the other; `keep`: what is in the box stays there, behind the
        draft."""
        async with self._showing:
            self.conversation = view.conversation
            await self.history.show(view.lines)
            if view.prompt is None:
                self.candidates.clear()
            elif view.draw is not None:
                await self.candidates.show(view.draw)
            else:
                await self._start_draw(self.mind.new_draw(view.prompt))
            self.become("typed" if view.prompt is not None else "message")
            typed = self.box.text if keep else ""
            self.box.put(view.draft + typed)
            self._draft = view.draft
            self.draft_changed = bool(typed)
            self.set_focus(self.candidates if view.prompt is not None and not self.box.text else self.box)

    @work(group="wake", exclusive=True)
    async def wake(self) -> None:
        """Start the model in the background; a failure is said, and answers that wait for it are drawn again."""
        if not await self.mind.wake():
            if self.candidates.draw is None:
                self.say(self.mind.trouble, title="The model does not answer", severity="error", timeout=8)
            return
        draw = self.candidates.draw
        if draw is not None and self.candidates.note and not draw.stored:
            await self.action_redraw()

    action_wake = wake

    # Sending and drawing

    @on(AnswerBox.Sent)
    def sent(self, event: AnswerBox.Sent) -> None:
        """Enter in the box: a message, or an answer of the owner's own."""
        self.box.handed_over = False
        draft, rest = self._behind_draft(well_formed(event.text))
        text = self.heard(rest)
        if text is None:
            if draft:
                self._give_back(draft)
            return
        if not text.strip():
            self.say("Nothing to send yet: write something first.", timeout=3)
            self._give_back(text)
        elif self.candidates.draw is not None:
            if (editing := self._editing) is not None and text.strip() == visible(editing.text).strip():
                self._settle(editing.text, "candidate", editing)
            else:
                self._settle(text.strip(), "edited" if editing else "typed", editing)
        elif self._sending or self._switching or not self.opened:
            self.say("One moment: still storing. Press Enter again.", timeout=2)
            self._give_back(text)
        else:
            self._sending = True
            self.draft_changed = False
            self._send(text, self.history.add(Line("user", text)))

    @work(group="store")
    async def _send(self, text: str, said: Bubble) -> None:
        try:
            prompt = await self.thread(self.desk.send, text)
        except LOST as error:
            self.history.take_back()
            self._give_back(text)
            self.complain("The message could not be stored, so it is back in the box", error)
            return
        finally:
            self._sending = False
        said.message = prompt
        self.conversation = self.desk.conversation
        self.happened("sent")
        self.become("typed")
        await self._start_draw(self.mind.new_draw(prompt))
        if not self.box.text:
            self.set_focus(self.candidates)
        self.look()

    async def _start_draw(self, draw: Draw) -> None:
        await self.candidates.show(draw)
        self.hint()
        self._draw(draw)

    @work(group="draw", exclusive=True)
    async def _draw(self, draw: Draw) -> None:
        """Stream the candidates, then store them."""
        try:
            notice = await self.mind.fill(draw, await self.thread(self.desk.context, draw.prompt))
        except LOST as error:
            if isinstance(error, MindError) and error.code == CONTEXT_EXCEEDED:
                await self._withdraw(draw, str(error))
            elif self.candidates.draw is draw:
                self.candidates.fail(f"{error} Press r to draw again, or Tab to answer yourself.")
                self.hint()
            return
        self.candidates.repaint_cards()
        if notice:
            self.say(notice, severity="warning", timeout=10)
        try:
            await self.thread(self.desk.save_draw, draw)
        except LOST as error:
            self.complain("The answers could not be stored", error)
        self.happened("drawn")

    async def _withdraw(self, draw: Draw, why: str) -> None:
        """The message is longer than the model reads: back into the box with it."""
        if self.candidates.draw is not draw:
            return
        text = self.history.bubbles[-1].text
        self.candidates.clear()
        self.history.take_back()
        self.become("message")
        self._give_back(text)
        self.set_focus(self.box)
        self.say(why, title="Too long", severity="warning", timeout=10)
        try:
            await self.thread(self.desk.withdraw, draw.prompt, self.box.text)
        except LOST as error:
            self.complain("The draft could not be stored", error)

    async def action_redraw(self) -> None:
        """All candidates again; the ones before stay stored."""
        before = self.candidates.draw
        if before is not None:
            await self._start_draw(self.mind.new_draw(before.prompt, before.number + 1))
            self.set_focus(self.candidates)

    async def action_redraw_one(self) -> None:
        """The highlighted candidate again, warmer; the others stay."""
        draw, piece = self.candidates.draw, self.candidates.chosen
        if draw is None or piece is None or not draw.done:
            self.say("Wait until all answers are written.", timeout=3)
            return
        await self.candidates.show(self.mind.another(draw, piece.shown), piece.shown)
        self._draw(self.candidates.draw or draw)

    # Picking

    def take(self, piece: Piece) -> None:
        """Pick a candidate as it is."""
        self._leave_edit()
        self._settle(piece.text, "candidate", piece)

    def edit(self, piece: Piece) -> None:
        """Put the candidate into the box; Enter takes what has become of it."""
        self._make_room()
        self._editing, self._edited_in = piece, self.candidates.draw
        self.become("edited", piece.shown)
        self.box.put(self._edit_of(piece))
        self.set_focus(self.box)

    def _settle(self, text: str, kind: str, piece: Piece | None) -> None:
        """The answer is found: show it at once, store it in order."""
        draw = self.candidates.draw
        if draw is None:
            return
        of = self._edited_in if piece is not None and piece is self._editing else draw
        self.workers.cancel_group(self, "draw")
        self.candidates.clear()
        answer = self.history.add(Line("assistant", text, NOTES.get(kind, "")))
        # What is in the box, such as an answer of one's own begun before picking a card after all, stays there.
        self.become("message")
        self._come_back()
        self.set_focus(self.box)
        self.picked = True
        self._take(draw, text, kind, piece, of or draw, answer)

    @work(group="store")
    async def _take(self, draw: Draw, text: str, kind: str, piece: Piece | None, of: Draw, answer: Bubble) -> None:
        try:
            trouble = await self.thread(self.desk.take, draw, text, kind, piece, of)
        except LOST as error:
            self.complain("The pick could not be stored, so it is not taken", error)
            self.picked = False
            # A card can be picked again; words of the owner's own are nowhere else.
            if kind != "candidate":
                self._give_back(text)
            if not await self.reload():
                await answer.remove()
                await self.candidates.show(draw)
                self.become("typed")
                self.set_focus(self.box if self.box.text else self.candidates)
        else:
            answer.message = self.desk.leaf
            self.happened("picked")
            if trouble:
                self.say(trouble, title=BOOK_WAITS, severity="warning", timeout=10)
            await self.went_on(draw.prompt, answered=True)
        self.draft_changed = bool(self.box.text)
        self.look()

    async def reload(self) -> bool:
        """After a failure: show the conversation as it is stored, if that much can still be read."""
        try:
            view = await self.thread(self.desk.reload)
        except LOST:
            return False  # the owner has just been told of the failure; one sentence is enough
        # What is in the box is newer than the stored draft.
        await self.show(replace(view, draft=""), keep=True)
        return True

    @work(group="store")
    async def action_skip(self) -> None:
        """Go on without an answer."""
        draw = self.candidates.draw
        if draw is None:
            return
        self._leave_edit()
        self.workers.cancel_group(self, "draw")
        self.candidates.clear()
        if self.history.bubbles:
            self.history.bubbles[-1].mark("skipped")
        self.become("message")
        self._come_back()
        self.set_focus(self.box)
        try:
            await self.thread(self.desk.skip, draw)
        except LOST as error:
            self.complain("The skip could not be stored", error)
            return
        await self.went_on(draw.prompt, answered=False)

    def action_leave_candidates(self) -> None:
        """Escape: once says what twice will do."""
        now = monotonic()
        if now - self._left_at < TWICE_WITHIN:
            self._left_at = 0.0
            self.action_skip()
        else:
            self._left_at = now
            self.say("Escape once more goes on without picking.", timeout=TWICE_WITHIN)

    @work(group="store")
    async def action_flag(self) -> None:
        """Remember these candidates for a later look."""
        draw = self.candidates.draw
        if draw is None:
            return
        if not draw.done:
            self.say("Wait until all answers are written, then flag.", timeout=3)
            return
        try:
            await self.thread(self.desk.flag, draw)
        except LOST as error:
            self.complain("The flag could not be stored", error)
        else:
            self.say("Flagged for later.", timeout=2)
