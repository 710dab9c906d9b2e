"""The book: every entry in a list, searched as it is typed, with what the model knows of it; edited and retired.

What is done to the text itself is in `editing.py`; where the list comes from in `tui/library.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static

from mrclassic import lease
from mrclassic.tui import child
from mrclassic.tui.drafting import Drafts
from mrclassic.tui.keys import bindings
from mrclassic.tui.library import FILTERS, SOURCES, STATES, Item, Library, Shelved, found
from mrclassic.tui.screens.arriving import Arriving, on_arrival
from mrclassic.tui.screens.editing import Editing
from mrclassic.tui.screens.unsent import LOST
from mrclassic.tui.visible import visible
from mrclassic.tui.widgets.bubble import Bubble
from mrclassic.tui.widgets.find import Find
from mrclassic.tui.widgets.hints import Hints
from mrclassic.tui.widgets.long_list import LongList, LongRow
from mrclassic.tui.widgets.tabs import Tabs

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from mrclassic.home import Home
    from mrclassic.settings import Settings
    from mrclassic.tui.drafting import Edit
    from mrclassic.tui.store_thread import StoreThread

MARKS = {
    "known": ("✓", "good"),
    "lost": ("✗", "bad"),
    "waiting": ("+", "new"),
    "learned": ("·", "quiet"),
    "retired": ("–", "quiet"),
    "overruled": ("≠", "quiet"),
}
EMPTY = {
    "all": "The book is empty. n writes its first entry; what you pick in the chat goes into it by itself.",
    "known": "Nothing here is known by heart, or it was not measured yet: m measures it.",
    "lost": "Whatever was measured of the model in use, it knows.",
    "waiting": "Nothing waits: the model in use has learned all of the book.",
    "retired": "Nothing is retired. d takes an entry out of what is taught, and keeps it here.",
}


@dataclass(frozen=True)
class Gone:
    """How the page was left: the question to go on from in the chat, or to the picks."""

    opened: int | None = None
    picks: bool = False


class Book(Arriving, Screen[Gone]):
    """Up and down choose an entry, left and right what is listed; / searches; Escape leaves."""

    PLACE = "book"
    BINDINGS: ClassVar = bindings("book")
    AUTO_FOCUS = "#book--list"
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (80, "-medium"), (150, "-wide")]  # noqa: RUF012 - as Textual declares it

    def __init__(self, library: Library, thread: StoreThread, home: Home, settings: Settings) -> None:
        super().__init__()
        self._library, self._thread = library, thread
        self._home, self._settings = home, settings
        self._drafts = Drafts(home)
        self.shelved: Shelved | None = None
        self.items: list[Item] = []
        """What is listed."""
        self.item: Item | None = None
        """What is on the page."""
        self.filter, self.source = "all", ""
        self.measuring = False
        self.list = LongList(id="book--list")
        self.find = Find()
        self.tabs = Tabs(id="book--tabs")
        self.hints = Hints(settings.keys)

    def compose(self) -> ComposeResult:
        yield self.tabs
        with Horizontal(id="book"):
            with Vertical(id="book--side"):
                yield self.find
                yield self.list
            yield VerticalScroll(id="book--page")
        yield Static(id="book--state", markup=False)
        yield self.hints

    def on_mount(self) -> None:
        self.hints.show("book")
        self.find.placeholder = "Search the book…"
        self.fill()

    # The list

    @work(group="fill", exclusive=True)
    async def fill(self) -> None:
        """Read the book anew; the light stays on the entry it was on."""
        try:
            self.shelved = await self._thread(self._library.shelved)
        except LOST as error:
            self._say(str(error), "error")
            return
        self.sift()

    def sift(self, *, begin: bool = False) -> None:
        """List what filter, source and search leave. Where the entry of the page is not among it, the light stays at
        its place, or goes to the beginning."""
        if self.shelved is None:
            return
        here, place = self.item, 0 if begin else self.list.highlighted
        self.items = found(self.shelved.items, self.filter, self.source, self.find.value)
        if here is not None:
            hashes = [item.entry.hash for item in self.items]
            place = hashes.index(here.entry.hash) if here.entry.hash in hashes else place
        self.list.show(len(self.items), lambda place: _row(self.items[place]), place)
        self._paint_lines()
        if not self.items:
            self.item = None
            sought = self.find.value or self.source
            self._put(Static("Nothing here holds that." if sought else EMPTY[self.filter], classes="book--quiet"))
            self.arrive()

    @on(Input.Changed, "#find")
    def typed(self) -> None:
        self.sift(begin=True)

    @on(Find.Done)
    def searched(self, event: Find.Done) -> None:
        if not event.kept:
            self.find.value = ""
        self.list.focus()

    @on(LongList.Highlighted)
    def highlighted(self, event: LongList.Highlighted) -> None:
        """Put the highlighted entry on the page."""
        if event.place < len(self.items):
            self.item = self.items[event.place]
            self._put(*self._widgets(self.item))
            self.arrive()

    @work(group="page", exclusive=True)
    async def _put(self, *widgets: Widget) -> None:
        page = self.query_one("#book--page")
        with self.app.batch_update():
            await page.remove_children()
            await page.mount_all(widgets)
        page.scroll_home(animate=False)

    def _widgets(self, item: Item) -> list[Widget]:
        where = [f"Line {item.entry.line}", item.chapter, SOURCES[item.source]]
        facts = [" · ".join(filter(None, where)), STATES[item.state] + self._measured(item)]
        made: list[Widget] = [Static(visible("\n".join(facts)), classes="book--facts", markup=False)]
        for turn in item.entry.turns:
            made += [Bubble("user", turn.user), Bubble("assistant", turn.reply)]
        if item.recall is not None and not item.recall.known:
            made += [
                Static("He says instead:", classes="book--quiet"),
                Static(visible(item.recall.said.strip()) or "(nothing)", classes="book--said", markup=False),
            ]
        return made

    def _measured(self, item: Item) -> str:
        if item.recall is None:
            return "."
        chance = item.recall.chance
        drawn = f"; in a draw {_likely(chance)}" if chance is not None else ""
        assert self.shelved is not None
        of = "" if self.shelved.measured_of == self.shelved.checkpoint else f", of {self.shelved.measured_of}"
        knows = ", and he says it already" if item.state == "waiting" and item.recall.known else ""
        return f"{knows}{drawn}.\nMeasured {_when(item.recall.measured)}{of}."

    # What is done to an entry

    @on_arrival
    def action_edit(self) -> None:
        """Edit the entry; an edit that was kept is gone on with first."""
        item = self.item
        if item is not None and item.state == "retired":
            self._say("It is retired; b brings it back, E shows it in the whole book.")
        elif item is not None:
            self._edit(lambda: self._drafts.entry(item.entry))

    @on_arrival
    def action_edit_all(self) -> None:
        """Edit the whole book, beginning at this entry."""
        line = self.item.entry.line if self.item is not None else 1
        if self.shelved is not None and self.shelved.faults:
            line = self.shelved.faults[0].line
        self._edit(lambda: self._drafts.whole(line))

    @on_arrival
    def action_add(self) -> None:
        """Write a new entry."""
        self._edit(self._drafts.new)

    @work(group="edit", exclusive=True)
    async def _edit(self, begin: Callable[[], Edit]) -> None:
        try:
            kept = await self._thread(self._drafts.kept)
            edit = kept[0] if kept else await self._thread(begin)
        except LOST as error:
            self._say(str(error), "error")
            return
        said = f"Kept since {kept[1]} and not saved yet: go on with it, or throw it away first." if kept else ""
        if await self.app.push_screen_wait(Editing(self._drafts, self._thread, self._settings.keys, edit, said)):
            self.fill()

    @on_arrival
    def action_retire(self) -> None:
        """Teach this entry no longer."""
        if self.item is not None and self.item.state != "retired":
            entry = self.item.entry
            self._do(lambda: self._library.retire(entry), "Retired: taught no longer. b brings it back.")

    @on_arrival
    def action_restore(self) -> None:
        """Teach a retired entry again."""
        if self.item is not None and self.item.state == "retired":
            entry = self.item.entry
            self._do(lambda: self._library.restore(entry), "It is back in the book.")

    @work(group="do")
    async def _do(self, what: Callable[[], bool], said: str) -> None:
        try:
            done = await self._thread(what)
        except LOST as error:
            self._say(str(error), "warning")
            return
        self._say(said if done else "The book has changed meanwhile, and this entry is not there any more.")
        self.fill()

    @work(group="measure")
    async def action_measure(self) -> None:
        """Look what the model in use knows of every entry, in a process of its own."""
        if self.measuring:
            self._say("It is being measured already.")
            return
        if lease.night(self._home) is not None:
            self._say("A night is practising, and measures it at its end.")
            return
        self.measuring = True
        self._paint_lines()
        try:
            ran = await child.run(self._home, self._settings, "recall", "eval", "--entries", "--json")
        finally:
            self.measuring = False
        self._paint_lines()  # not where the page was left meanwhile: its lines are gone
        if ran.code or not ran.facts:
            self._say(ran.fault("The measuring"), "error")
            return
        self._say(f"{ran.facts['known']:,} of {ran.facts['n']:,} entries are known by heart.")
        self.fill()

    # Moving about

    def action_show_tab(self, name: str) -> None:
        """What is listed; or the picks."""
        if name == "picks":
            self.action_picks()
            return
        self.filter = name
        self.sift(begin=True)

    @on_arrival
    def action_filter(self, way: int) -> None:
        """The next filter, or the one before."""
        names = list(FILTERS)
        self.action_show_tab(names[(names.index(self.filter) + way) % len(names)])

    @on_arrival
    def action_from(self) -> None:
        """Only what comes from the next of the sources."""
        names = list(SOURCES)
        self.source = names[(names.index(self.source) + 1) % len(names)]
        self.sift(begin=True)

    def action_find(self) -> None:
        self.find.focus()

    def action_across(self) -> None:
        """From the list to the page, and back."""
        page = self.query_one("#book--page")
        self.set_focus(page if self.focused is self.list else self.list)

    def action_picks(self) -> None:
        """The page of the picks."""
        self.dismiss(Gone(picks=True))

    @on_arrival
    def action_open(self) -> None:
        """Go on in the chat from the question whose pick wrote this entry."""
        if self.item is not None and self.item.prompt is not None:
            self.dismiss(Gone(self.item.prompt))
        elif self.item is not None:
            self._say("No conversation here led to this entry.")

    def action_leave(self) -> None:
        self.dismiss(Gone())

    # The lines above and below

    def _paint_lines(self) -> None:
        shelved = self.shelved
        if shelved is None:
            return
        tabs: dict[str, tuple[str, int | None]] = {
            name: (title, shelved.count(name)) for name, title in FILTERS.items()
        }
        self.tabs.show({**tabs, "picks": ("Picks", None)}, self.filter)
        parts = []
        if self.source or self.find.value:
            parts.append(f"{len(self.items):,} listed, {SOURCES[self.source]}")
        if shelved.faults:
            fault = shelved.faults[0]
            many = f" {len(shelved.faults) - 1} more." if len(shelved.faults) > 1 else ""
            parts.append(f"E mends line {fault.line}: {fault.sentence}{many}")
        if self.measuring:
            parts.append("Measuring…")
        elif shelved.checkpoint and not shelved.measured_of:
            parts.append("What is known by heart was not measured yet; m does it.")
        elif learned := shelved.count("learned"):
            count = "1 entry was" if learned == 1 else f"{learned:,} entries were"
            parts.append(f"{count} learned and not measured since; m does it.")
        line = self.query_one("#book--state", Static)
        line.update(visible("  ".join(parts)))
        line.display = bool(parts)
        line.set_class(bool(shelved.faults), "-wrong")

    def _say(self, sentence: str, severity: Literal["information", "warning", "error"] = "information") -> None:
        self.notify(visible(sentence), markup=False, timeout=4, severity=severity)


def _row(item: Item) -> LongRow:
    mark, kind = MARKS[item.state]
    return LongRow(mark, kind, item.entry.turns[-1].user, item.entry.reply)


def _likely(chance: float) -> str:
    """A chance in words."""
    return "all but certain" if chance > 0.995 else "hardly to be had" if chance < 0.005 else f"{chance:.0%} likely"


def _when(stamp: str) -> str:
    return datetime.fromisoformat(stamp).astimezone().strftime("%d %b %H:%M").lstrip("0")
