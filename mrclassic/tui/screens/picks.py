"""The picks, looked at again: four queues, and of each question what was shown and what was chosen.

A second thought is a new pick that supersedes the old one; the conversation stays as it went.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from mrclassic import lease
from mrclassic.tui import child
from mrclassic.tui.keys import bindings
from mrclassic.tui.review import KINDS, QUEUES, Review, Sheet, Shelf
from mrclassic.tui.screens.arriving import Arriving, on_arrival
from mrclassic.tui.screens.rating import stars
from mrclassic.tui.screens.unsent import LOST
from mrclassic.tui.visible import visible
from mrclassic.tui.widgets.answer_box import AnswerBox
from mrclassic.tui.widgets.bubble import Bubble
from mrclassic.tui.widgets.hints import Hints
from mrclassic.tui.widgets.shown_answer import ShownAnswer
from mrclassic.tui.widgets.tabs import Tabs

if TYPE_CHECKING:
    from mrclassic.home import Home
    from mrclassic.settings import Settings
    from mrclassic.tui.store_thread import StoreThread

EMPTY = {
    "pending": "No question waits for your pick.",
    "draft": "Nothing is flagged. f in the chat, or here, puts a question aside to come back to.",
    "done": "Nothing is picked yet. What you pick in the chat can be looked at, and changed, here.",
    "discarded": "Nothing was skipped or taken out.",
}


@dataclass(frozen=True)
class Left:
    """How the page was left: the conversations that changed, and the question to go on from in the chat."""

    changed: frozenset[int]
    opened: int | None = None
    book: bool = False
    """To the page of the book."""


class Picks(Arriving, Screen[Left]):
    """Up and down choose a question, left and right a queue; digits choose anew; Escape leaves."""

    PLACE = "picks"
    BINDINGS: ClassVar = bindings("picks")
    AUTO_FOCUS = "#picks--list"
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (80, "-medium")]  # noqa: RUF012 - as Textual declares it

    def __init__(self, review: Review, thread: StoreThread, home: Home, settings: Settings) -> None:
        super().__init__()
        self._review = review
        self._thread = thread
        self._home, self._settings = home, settings
        self._tasting = False
        self._changed: set[int] = set()
        self._origin: int | None = None
        self.shelf: Shelf | None = None
        self.sheet: Sheet | None = None
        """What is on the page."""
        self.box = AnswerBox(settings.keys)
        self.tabs = Tabs(id="picks--tabs")
        self.hints = Hints(settings.keys)

    def compose(self) -> ComposeResult:
        yield self.tabs
        with Horizontal(id="picks"):
            yield OptionList(id="picks--list", markup=False)
            with Vertical(id="picks--side"):
                yield VerticalScroll(id="picks--page", can_focus=False)
                yield self.box
        yield Static(id="picks--why", markup=False)
        yield self.hints

    def on_mount(self) -> None:
        self.box.display = False
        self.fill("done")

    @property
    def _list(self) -> OptionList:
        return self.query_one("#picks--list", OptionList)

    @work(group="picks", exclusive=True)
    async def fill(self, queue: str, place: int = 0, prompt: int | None = None) -> None:
        """Show a queue; on the page goes `prompt`, where it is among them, else the question at `place`."""
        try:
            shelf = await self._thread(self._review.shelf, queue)
        except LOST as error:
            self._say(str(error), severity="error")
            return
        if not self._there:
            return
        self.shelf = shelf
        self._paint_lines()
        self._list.clear_options()
        self._list.add_options([Option(_row(row.text, row.detail), id=str(row.prompt)) for row in shelf.rows])
        if shelf.rows:
            prompts = [row.prompt for row in shelf.rows]
            self._list.highlighted = prompts.index(prompt) if prompt in prompts else min(place, len(prompts) - 1)
        else:
            self.sheet = None
            await self._put(Static(EMPTY[queue], classes="picks--empty", markup=False))
            self.arrive()

    @on(OptionList.OptionHighlighted)
    def highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Put the highlighted question on the page."""
        self._close_box()
        self.sheet = None  # until it is on the page, no key may mean it
        self._show(int(event.option.id or 0))

    @work(group="sheet", exclusive=True)
    async def _show(self, prompt: int) -> None:
        try:
            sheet = await self._thread(self._review.sheet, prompt)
        except LOST as error:
            self._say(str(error), severity="error")
            return
        await self._put(*_widgets(sheet))
        self.sheet = sheet
        self.arrive()

    async def _put(self, *widgets: Widget) -> None:
        if not self._there:
            return
        page = self.query_one("#picks--page")
        with self.app.batch_update():
            await page.remove_children()
            await page.mount_all(widgets)
        self.call_after_refresh(self._to_question)

    @property
    def _there(self) -> bool:
        """Whether the page is still there, after the store has been waited for."""
        return all(self.query(f"#{part}") for part in ("picks--page", "picks--list"))

    def _to_question(self) -> None:
        """What was said before is a key away; the question and its answers are what the page is for."""
        if not self._there:
            return
        page = self.query_one("#picks--page")
        for question in page.query(".picks--question"):
            page.scroll_to_widget(question, animate=False, top=True, force=True)

    # Second thoughts

    @on_arrival
    def action_choose(self, position: int) -> None:
        """The candidate shown at `position` is the best after all."""
        sheet = self.sheet
        found = next((each for each in sheet.candidates if each.shown == position), None) if sheet else None
        if sheet is None or found is None:
            return
        if not found.text.strip():
            self._say("This answer says nothing; choose another, or write your own with t.")
        elif found.chosen and sheet.kind == "candidate":
            self._say("That is the one you have picked already.")
        else:
            self._do(
                sheet, "Chosen anew.", lambda: self._review.revise(sheet.prompt, found.text, "candidate", found.id)
            )

    @on_arrival
    def action_edit(self) -> None:
        """Change the reply that stands."""
        if self.sheet is not None and not self.sheet.reply:
            self._say("There is no answer to edit yet; choose one, or write your own with t.")
        elif self.sheet is not None:
            self._origin = self.sheet.origin
            self._open_box("edited" if self._origin is not None else "typed", self.sheet.reply)

    @on_arrival
    def action_own(self) -> None:
        """Write a reply of one's own."""
        if self.sheet is not None:
            self._origin = None
            self._open_box("typed", "")

    @on(AnswerBox.Sent)
    def sent(self, event: AnswerBox.Sent) -> None:
        """Enter in the box: that is the reply."""
        sheet, origin, text = self.sheet, self._origin, event.text.strip()
        self._close_box()
        if sheet is None or not text or text == sheet.reply.strip():
            self._say("Nothing was changed.")
            return
        kind = "typed" if origin is None else "edited"
        self._do(sheet, "Your words are taken.", lambda: self._review.revise(sheet.prompt, text, kind, origin))

    @on_arrival
    def action_discard(self) -> None:
        """Take it out of what is taught; the conversation stays."""
        sheet = self.sheet
        if sheet is not None and self.shelf is not None and self.shelf.queue != "discarded":
            self._do(sheet, "Discarded; b in that queue brings it back.", lambda: self._review.discard(sheet.prompt))

    @on_arrival
    def action_restore(self) -> None:
        """Bring back what was discarded, or take a flag down."""
        sheet = self.sheet
        if sheet is not None and self.shelf is not None and self.shelf.queue in ("discarded", "draft"):
            self._do(sheet, "It is back.", lambda: self._review.restore(sheet.prompt))

    @on_arrival
    def action_flag(self) -> None:
        """Put it aside to come back to."""
        sheet = self.sheet
        if sheet is not None and self.shelf is not None and self.shelf.queue in ("pending", "done"):
            self._do(sheet, "Flagged: it is among the drafts.", lambda: self._review.flag(sheet.prompt))

    def _do(self, sheet: Sheet, said: str, what: Callable[[], str]) -> None:
        self.sheet = None  # until the page shows what came of it
        self._carry_out(sheet, said, what)

    @work(group="do")
    async def _carry_out(self, sheet: Sheet, said: str, what: Callable[[], str]) -> None:
        try:
            trouble = await self._thread(what)
        except LOST as error:
            self._say(str(error), severity="error")
            self.sheet = sheet
            return
        self._changed.add(sheet.conversation)
        self._say(trouble or said, severity="warning" if trouble else "information")
        assert self.shelf is not None
        self.fill(self.shelf.queue, self._list.highlighted or 0, sheet.prompt)

    @work(group="taste")
    async def action_taste(self) -> None:
        """Learn the taste behind all picks, in a process of its own, and say what it is worth."""
        if self._tasting:
            self._say("Your taste is being learned already.")
            return
        if lease.night(self._home) is not None:
            self._say("A night is practising, and learns it where that is worth it.")
            return
        self._tasting = True
        self._say("Your taste is being learned from all picks; this takes a moment.")
        try:
            ran = await child.run(self._home, self._settings, "taste", "train", "reward-model", "--json")
        finally:
            self._tasting = False
        if ran.code or not ran.facts:
            self._say(ran.fault("The learning"), severity="warning", timeout=8)
        else:
            self._say(str(ran.facts["why"]), title=f"Learned: {ran.facts['taste']}", timeout=12)

    # Moving about

    @on_arrival
    def action_queue(self, way: int) -> None:
        """The next queue, or the one before."""
        names = list(QUEUES)
        at = names.index(self.shelf.queue) if self.shelf else 0
        self.action_show_tab(names[(at + way) % len(names)])

    def action_show_tab(self, name: str) -> None:
        """A queue; or the book."""
        if self.box.display:
            return  # what is being typed would be lost
        if name == "book":
            self.dismiss(Left(frozenset(self._changed), book=True))
        else:
            self.fill(name)

    def action_page(self, way: int) -> None:
        """Scroll the page, wherever the focus is."""
        page = self.query_one("#picks--page")
        (page.scroll_page_down if way > 0 else page.scroll_page_up)(animate=False)

    @on_arrival
    def action_open(self) -> None:
        """Go on from this question in the chat: what is said next begins a branch of its own there."""
        if self.sheet is not None:
            self.dismiss(Left(frozenset(self._changed), self.sheet.prompt))

    def action_leave(self) -> None:
        """Out of the box, or back to the chat."""
        if self.box.display:
            self._close_box()
        else:
            self.dismiss(Left(frozenset(self._changed)))

    def action_leave_box(self) -> None:
        """The box's own way out."""
        self._close_box()

    def _open_box(self, mode: str, text: str) -> None:
        number = next((each.shown for each in self.sheet.candidates if each.id == self._origin), 0) if self.sheet else 0
        self.box.become(mode, number)
        self.box.put(text)
        self.box.display = True
        self.box.focus()

    def _close_box(self) -> None:
        if self.box.display:
            self.box.display = False
            self.box.put("")
            self._list.focus()

    def _say(self, sentence: str, **how: object) -> None:
        self.notify(visible(sentence), markup=False, **{"timeout": 3, **how})  # type: ignore[arg-type]

    # The lines above and below

    @on(ShownAnswer.Clicked)
    def clicked(self, event: ShownAnswer.Clicked) -> None:
        """A click on an answer chooses it."""
        if event.number:
            self.action_choose(event.number)

    def _paint_lines(self) -> None:
        if self.shelf is None:
            return
        tabs: dict[str, tuple[str, int | None]] = {
            queue: (title, self.shelf.counts[queue]) for queue, title in QUEUES.items()
        }
        self.tabs.show({**tabs, "book": ("Book", None)}, self.shelf.queue)
        self.query_one("#picks--why", Static).update(visible(self.shelf.why))
        self.hints.show(f"picks.{self.shelf.queue}")


def _row(text: str, detail: str) -> Content:
    words = " ".join(visible(text).split())
    return Content.assemble(_cut(words), "\n", (detail, "$foreground 50%"))


def _cut(words: str, cells: int = 29) -> str:
    """Words on one row of the list."""
    if cell_len(words) <= cells:
        return words
    while cell_len(words) > cells - 1:
        words = words[:-1]
    return words.rstrip() + "…"


def _widgets(sheet: Sheet) -> list[Widget]:
    """The page of one question."""
    found: list[Widget] = []
    if sheet.more:
        found.append(Static(f"▲ {sheet.more} earlier messages", classes="picks--facts", markup=False))
    for line in sheet.before:
        bubble = Bubble(line.role, line.text)
        bubble.add_class("-dim")
        found.append(bubble)
    asked = Bubble("user", sheet.question)
    asked.add_class("picks--question")
    facts = [f"Conversation {sheet.conversation}"]
    facts += [f"pick {sheet.pick}"] if sheet.pick is not None else []
    facts += [f"rated {stars(round(sheet.rating))}"] if sheet.rating is not None else []
    found += [asked, Static(" · ".join(facts), classes="picks--facts", markup=False)]
    picked = sheet.kind == "candidate"
    found += [ShownAnswer(str(each.shown), each.text, each.mark, each.chosen and picked) for each in sheet.candidates]
    if sheet.kind in ("typed", "edited"):
        found.append(ShownAnswer("✎", sheet.reply, KINDS[sheet.kind], chosen=True))
    for text in sheet.earlier:
        found.append(ShownAnswer("·", text, "chosen before", chosen=False, dim=True))
    return found
