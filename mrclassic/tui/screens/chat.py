"""The chat: what was said, the answers to choose from, and the box to write in.

This file is the layout and the keys; what happens to a message, a draw and a pick is in `flow.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import TextArea
from textual.worker import WorkerCancelled, WorkerFailed

from mrclassic import lease
from mrclassic.tui import garbage
from mrclassic.tui.keys import bindings
from mrclassic.tui.lesson import Lessons
from mrclassic.tui.mind_link import READY
from mrclassic.tui.screens.commanding import Commanding
from mrclassic.tui.screens.unsent import LOST
from mrclassic.tui.widgets.answer_box import AnswerBox
from mrclassic.tui.widgets.candidates import SIDE_BY_SIDE, Candidates
from mrclassic.tui.widgets.conversations import Conversations
from mrclassic.tui.widgets.find import Find
from mrclassic.tui.widgets.hints import Hints
from mrclassic.tui.widgets.history import History
from mrclassic.tui.widgets.offers import Offers
from mrclassic.tui.widgets.status_line import StatusLine
from mrclassic.tui.widgets.tour import Tour

if TYPE_CHECKING:
    from mrclassic.home import Home
    from mrclassic.settings import Settings
    from mrclassic.tui.desk import Desk
    from mrclassic.tui.screens.book import Gone
    from mrclassic.tui.screens.picks import Left
    from mrclassic.tui.store_thread import StoreThread
    from mrclassic.tui.views import View

DRAFT_EVERY = 0.5
"""Seconds between two savings of what is being typed: this much can be lost in a crash."""
STANDING_EVERY = 3.0
"""Seconds between two looks at what other processes may have changed: checkpoint, night, conversations."""
LIST_FROM = 80
"""Columns from which the list of conversations is shown without being asked for."""


class ChatScreen(Commanding):
    """The one screen that is always there."""

    BINDINGS: ClassVar = bindings("chat")
    AUTO_FOCUS = "#box"
    # Textual declares these two as instance variables, so they cannot be class variables here.
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (LIST_FROM, "-medium"), (SIDE_BY_SIDE, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (22, "-tall")]  # noqa: RUF012

    def __init__(self, desk: Desk, thread: StoreThread, home: Home, settings: Settings) -> None:
        super().__init__(desk, thread, home, settings)
        self.side = Vertical(self.find, self.shelf, self.apart, id="side")
        self.tour = Tour()
        self.offers = Offers()
        self.box.offered = lambda: self.offers.chosen
        self.status = StatusLine()
        self.hints = Hints(settings.keys)
        self.lessons = Lessons(home, settings)
        self._stirred = monotonic()
        self._list_choice: bool | None = None

    def compose(self) -> ComposeResult:
        with Horizontal(id="upper"):
            yield self.side
            yield self.history
        yield self.candidates
        yield self.tour
        yield self.offers
        yield self.box
        yield self.status
        yield self.hints

    def on_mount(self) -> None:
        self.set_focus(self.box)
        self._opening = self.open_desk()
        # A night gives way to whoever asks something, not to whoever opens the app to look at it.
        if lease.night(self.home) is None:
            self.wake()
        else:
            self.mind.doze()
        self.set_interval(DRAFT_EVERY, self.keep_draft)
        self.set_interval(STANDING_EVERY, self.look)
        self.mind_changed()

    async def leave(self) -> None:
        """Before the app ends: store what is typed, break off what streams, hang up."""
        # Whoever leaves at once may have typed before the store was read.
        with suppress(WorkerFailed, WorkerCancelled):
            await self._opening.wait()
        self.workers.cancel_all()
        await self.keep_draft()
        await self.mind.close()
        await self._remember()
        self.opened = False
        await self.reading.close()
        await self.thread.close()

    async def _remember(self) -> None:
        """For the next time: what is open, the tour, and how answers are drawn. A disk that does not take it is told of
        elsewhere."""
        if self.opened:
            with suppress(*LOST):
                await self.thread(self.desk.remember, self.tour.step, self.wish, self.as_set)

    # What is shown around the conversation

    def mind_changed(self) -> None:
        """The model woke up, fell silent, or failed."""
        self.candidates.waking = self.mind.state != READY
        trouble = bool(self.mind.trouble)
        words = "Mr. Classic does not answer; F5 tries again" if trouble else f"Mr. Classic is {self.mind.state}"
        self.status.say(mind=words, trouble=trouble)

    @work(group="look", exclusive=True)
    async def look(self) -> None:
        """Bring status line and list up to date."""
        if not self.opened:
            return
        try:
            standing = await self.thread(self.desk.standing)
        except LOST as error:
            self.status.say(checkpoint=f"the store does not answer: {error}")
            return
        self.status.say(
            checkpoint=standing.checkpoint, waiting=standing.waiting, night=standing.night, book=standing.trouble
        )
        self.list_shown(standing)
        await self._remember()
        if self.lessons.due(standing.waiting, self._quiet()):
            self.give_lesson(standing.waiting)

    def _quiet(self) -> float:
        """Seconds since something was typed, asked or picked; none while answers are being written."""
        draw = self.candidates.draw
        if draw is not None and not draw.done and not self.candidates.note:
            self._stirred = monotonic()
        return monotonic() - self._stirred

    @work(group="lesson")
    async def give_lesson(self, waiting: int) -> None:
        """Learn what waits, and say what came of it."""
        if self.lessons.busy:
            self.say("A lesson is going on already.", timeout=3)
            return
        self.status.say(lesson="learning…")
        try:
            said = await self.lessons.give(waiting)
        finally:
            self.status.say(lesson="")
        self.say(said, title="Lesson", timeout=8)
        self.look()

    @on(events.DescendantFocus)
    def hint(self) -> None:
        """The hint line follows the focus."""
        self._stirred = monotonic()
        focused = self.focused
        waiting = self.candidates.draw
        place = "box"
        if isinstance(focused, Candidates):
            waits = "candidates" if self.tally is None else "practice"
            place = "failed" if self.candidates.note else waits
        elif isinstance(focused, History):
            place = "history"
        elif isinstance(focused, Conversations):
            place = "list"
        elif isinstance(focused, Find):
            place = "find"
        elif waiting is not None:
            place = "answer"
        self.hints.show(place, len(waiting.pieces) if waiting else 0)

    # Keys

    def action_lesson(self) -> None:
        """Learn the picks that wait."""
        self.give_lesson(self.status.facts.waiting or 0)

    def action_nights(self) -> None:
        """The night that runs, and the reports of the others."""
        if not self.opened:
            return
        from mrclassic.tui.screens.nights import Nights

        self.app.push_screen(Nights(self.desk, self.thread, self.home, self.settings, self.mind.rest))

    def action_picks(self) -> None:
        """The picks, to look at again."""
        if not self.opened:
            return
        from mrclassic.tui.screens.picks import Picks

        self.app.push_screen(Picks(self.desk.review, self.thread, self.home, self.settings), self._back_from_picks)

    async def _back_from_picks(self, left: Left | None) -> None:
        """Show what has changed meanwhile, or the question to go on from."""
        if left is None:
            return
        if left.opened is not None:
            await self._go_on_from(left.opened)
        elif self.conversation in left.changed:
            await self.switch(self.desk.reload)
        self.look()
        if left.book:
            self.action_book()

    async def _go_on_from(self, prompt: int) -> None:
        await self.switch(lambda: self.desk.branch(prompt))

    def action_book(self) -> None:
        """The book, and what the model knows of it."""
        if not self.opened:
            return
        from mrclassic.tui.screens.book import Book

        self.app.push_screen(Book(self.desk.library, self.thread, self.home, self.settings), self._back_from_book)

    async def _back_from_book(self, left: Gone | None) -> None:
        if left is not None and left.opened is not None:
            await self._go_on_from(left.opened)
        self.look()
        if left is not None and left.picks:
            self.action_picks()

    @work(group="rate", exclusive=True)
    async def action_rate(self) -> None:
        """Ask how good the conversation is, and keep the answer."""
        conversation = self.conversation
        if not self.opened or conversation is None:
            self.say("There is no conversation to rate yet.", timeout=3)
            return
        from mrclassic.tui.screens.rating import RatingScreen, stars

        try:
            score = await self.app.push_screen_wait(RatingScreen(await self.thread(self.desk.rating)))
            if score is None:
                return
            await self.thread(self.desk.rate, conversation, score)
        except LOST as error:
            self.say(str(error), severity="warning", timeout=5)
        else:
            self.say(f"Rated {stars(score)}" if score else "No longer rated.", timeout=3)

    def action_models(self) -> None:
        """The checkpoints, and where each came from."""
        if not self.opened:
            return
        from mrclassic.tui.screens.models import Models

        self.app.push_screen(Models(self.desk, self.thread, self.home, self.settings, self.mind))

    def action_skills(self) -> None:
        """What is practised, how it is chosen and scored, and by whose plugins."""
        if not self.opened:
            return
        from mrclassic.tui.screens.skills import Skills

        self.app.push_screen(Skills(self.desk, self.thread, self.home, self.settings, self.mind))

    def action_conversations(self) -> None:
        """To the list, shown if it is not; from there, hide it."""
        there = self.focused in (self.shelf, self.find)
        self._choose_list(not there)
        if there:
            self.action_write()
        else:
            self.set_focus(self.shelf)

    def _choose_list(self, shown: bool | None) -> None:
        self._list_choice = shown
        self.set_class(shown is True, "-list-shown")
        self.set_class(shown is False, "-list-hidden")
        self.side.display = self.size.width >= LIST_FROM if shown is None else shown

    def open_list(self) -> None:
        if not self.side.display:
            self._choose_list(True)

    def on_resize(self, event: events.Resize) -> None:
        self._choose_list(self._list_choice)

    @on(Conversations.Opened)
    async def open_conversation(self, event: Conversations.Opened) -> None:
        if self.size.width < LIST_FROM:
            self._choose_list(None)
        message = event.message
        await self.switch(lambda: self.desk.show(event.conversation) if message is None else self.desk.at(message))
        if message is not None:
            self.history.find(message)
            self.set_focus(self.history)

    async def action_new(self) -> None:
        """Begin a new conversation."""
        if self.conversation is None or not self.history.bubbles:
            self.set_focus(self.box)
            return
        await self.switch(self.desk.fresh)

    async def switch(self, find: Callable[[], View]) -> None:
        self.leave_practice()
        await super().switch(find)

    def happened(self, what: str) -> None:
        if what == "read":
            self.wish_again()
        if what == "drawn" and self.candidates.draw is not None:
            count = len(self.candidates.draw.pieces)
            words = "1 answer is ready." if count == 1 else f"{count} answers are ready."
            self.app.call_back(words)  # type: ignore[attr-defined]
        if what == "opened":
            garbage.set_aside()
            if self.desk.memory is not None:
                self.tour.go(self.desk.memory.tour)
        self.tour.done(what)

    def tallied(self) -> None:
        self.status.say(practice="" if self.tally is None else str(self.tally))
        self.candidates.prefix = "" if self.tally is None else f"Practice {self.tally.asked}. "
        self.candidates.repaint_cards()
        if self.tally is not None:
            self.tour.done("practised")

    def action_own_answer(self) -> None:
        """To the answer box, to write an answer of one's own."""
        if not self.box.text:
            self._leave_edit()
            self.become("typed")
        self.set_focus(self.box)

    def action_leave_box(self) -> None:
        """From the box to the answers if some wait, else to the history."""
        target: Widget = self.candidates if self.candidates.display else self.history
        self.set_focus(target)

    def action_older(self) -> None:
        self.history.scroll_page_up(animate=False)

    def action_newer(self) -> None:
        self.history.scroll_page_down(animate=False)

    @on(TextArea.Changed, "#box")
    def typed(self) -> None:
        self.draft_changed = True
        self._stirred = monotonic()

    @on(AnswerBox.EmptyBackspace)
    async def backspace_in_empty_box(self) -> None:
        # Only right after a pick of this session: whoever deletes a line with a held Backspace must not undo with it.
        if self.picked and not self.candidates.display:
            await self.action_undo()
