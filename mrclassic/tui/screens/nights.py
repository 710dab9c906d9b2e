"""The nights: the one that runs at this moment, and the report of each that is over, with its curves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Markdown, OptionList
from textual.widgets.option_list import Option

from mrclassic.tui import nights
from mrclassic.tui.keys import bindings
from mrclassic.tui.nights import Listed, Page
from mrclassic.tui.screens.arriving import Arriving, on_arrival
from mrclassic.tui.screens.unsent import LOST
from mrclassic.tui.steering import Steering
from mrclassic.tui.visible import visible
from mrclassic.tui.widgets import plots
from mrclassic.tui.widgets.hints import Hints
from mrclassic.tui.widgets.night_now import NightNow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mrclassic.home import Home
    from mrclassic.settings import Settings
    from mrclassic.tui.desk import Desk
    from mrclassic.tui.store_thread import StoreThread
    from mrclassic.tui.tonight import Tonight

EVERY = 1.0
"""Seconds between two looks at the night that runs."""
NOW = "now"


class Nights(Arriving, Screen[None]):
    """Up and down choose a night, the first is that of now; Tab goes to its page and back; Escape leaves."""

    PLACE = "nights"
    BINDINGS: ClassVar = bindings("nights")
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (80, "-medium"), (140, "-wide")]  # noqa: RUF012 - as Textual declares it

    def __init__(
        self, desk: Desk, thread: StoreThread, home: Home, settings: Settings, rest: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__()
        self._desk, self._thread = desk, thread
        self._steering = Steering(home, settings, desk, thread)
        self._rest = rest
        self._nights: tuple[Listed, ...] = ()
        self._looking = False
        self._trouble = ""
        self.hints = Hints(settings.keys)
        self.now = NightNow()
        self.shown: int | None = None
        """The night whose report is on the page; None while that is the night of now."""

    def compose(self) -> ComposeResult:
        with Horizontal(id="nights"):
            yield OptionList(id="nights--list", markup=False)
            yield self.now
            with VerticalScroll(id="nights--page"):
                yield Vertical(id="nights--curves")
                yield Markdown(id="nights--text", open_links=False)
        yield self.hints

    def on_mount(self) -> None:
        self.hints.show("nights")
        self.query_one("#nights--page").display = False
        self.query_one("#nights--list").focus()
        self._open()
        self.set_interval(EVERY, self.look)

    @work(group="open")
    async def _open(self) -> None:
        """While a night runs its page comes first, else the last report."""
        seen = await self._seen()
        if seen is not None:
            await self._list(0 if seen.state != "idle" or not seen.nights else 1)
            self.arrive()

    @work(group="look")
    async def look(self) -> None:
        """Bring the page of now up to date; a night that has ended meanwhile gets its place in the list."""
        if self._looking or not self.is_current or self._thread.closed:
            return
        self._looking = True
        try:
            before = self.now.seen
            seen = await self._seen()
            listed = seen is not None and self.query_one("#nights--list", OptionList).option_count
            if seen is not None and listed and (seen.nights, seen.night) != (before.nights, before.night):
                await self._list(None)
            failure = await self._steering.failed()
        finally:
            self._looking = False
        if failure:
            self.say(failure, severity="error")

    async def _seen(self) -> Tonight | None:
        try:
            seen = await self._thread(self._desk.tonight)
        except LOST as error:
            if str(error) != self._trouble and not self._thread.closed:  # once, not every second
                self._trouble = str(error)
                self.say(f"The nights cannot be read: {error}", severity="error")
            return None
        self._trouble = ""
        if not self._there:
            return None
        self.now.show(seen)
        return seen

    @property
    def _there(self) -> bool:
        """Whether the page is still there, after something has been waited for."""
        return all(self.query(f"#{part}") for part in ("nights--list", "nights--text", "now--plan"))

    async def _list(self, highlighted: int | None) -> None:
        """Fill the list; `highlighted` is a place in it, None leaves the light on what it was on."""
        shelf = self.query_one("#nights--list", OptionList)
        former = shelf.get_option_at_index(shelf.highlighted).id if shelf.highlighted is not None else None
        try:
            self._nights = await self._thread(self._desk.nights)
        except LOST as error:
            self.say(f"The nights cannot be read: {error}", severity="error")
            return
        if not self._there:
            return
        shelf.clear_options()
        shelf.add_option(Option(Content("Now"), id=NOW))
        shelf.add_options([Option(_row(night), id=str(night.id)) for night in self._nights])
        shelf.highlighted = shelf.get_option_index(former) if highlighted is None and former else highlighted or 0

    @on(OptionList.OptionHighlighted)
    def choose(self, event: OptionList.OptionHighlighted) -> None:
        """Show the night of now, or the report of the highlighted one."""
        chosen = event.option_id
        self.now.display = chosen == NOW
        self.query_one("#nights--page").display = chosen != NOW
        if chosen == NOW:
            self.workers.cancel_group(self, "page")
            self.shown = None
        else:
            self._show(next(night for night in self._nights if str(night.id) == chosen))

    @on(OptionList.OptionSelected)
    def enter(self) -> None:
        """Enter in the list: to the page."""
        self._page.focus()

    @property
    def _page(self) -> VerticalScroll:
        return self.now if self.now.display else self.query_one("#nights--page", VerticalScroll)

    @work(group="page", exclusive=True)
    async def _show(self, night: Listed) -> None:
        page: Page = await asyncio.to_thread(nights.read, night)
        if not self._there:
            return
        curves = self.query_one("#nights--curves")
        curves.remove_children()  # not awaited, as this may be cancelled: it would be left half way
        await self.query_one("#nights--text", Markdown).update(page.text)
        if page.curves:
            await plots.ready()
        if page.curves and self._there:
            curves.mount(*(plots.Picture(curve) for curve in page.curves))
        if self._there:
            self.query_one("#nights--page").scroll_home(animate=False)
        self.shown = night.id

    # Keys

    def action_page(self, way: int) -> None:
        """Scroll the page, wherever the focus is."""
        page = self._page
        (page.scroll_page_down if way > 0 else page.scroll_page_up)(animate=False)

    def action_across(self) -> None:
        """From the list to the page, or back."""
        shelf = self.query_one("#nights--list")
        (self._page if shelf.has_focus else shelf).focus()

    @on_arrival
    @work(group="steer")
    async def action_steer(self, how: str) -> None:
        """Run, pause, resume or stop; says what came of it, and looks at once."""
        steer = {
            "run": self._steering.run,
            "pause": self._steering.pause,
            "resume": self._steering.resume,
            "stop": self._steering.stop,
        }[how]
        self._to_now()
        try:
            if how == "run":
                await self._rest()
            self.say(await steer(self.now.seen))
        except LOST as error:
            self.say(f"That could not be asked for: {error}", severity="error")
        self.look()

    @on_arrival
    @work(group="plan")
    async def action_plan(self) -> None:
        """What a night would do now, with its cost."""
        self._to_now()
        if self._steering.planning:
            self.say("The plan is being made.")
            return
        if self.now.seen.state != "idle":
            self.say("The plan of what runs stands below.")
            return
        self.say("The model is measured for a plan; this takes a moment.")
        self.now.show_plan(await self._steering.plan())

    def _to_now(self) -> None:
        shelf = self.query_one("#nights--list", OptionList)
        if shelf.option_count:
            shelf.highlighted = 0

    def say(self, sentence: str, *, severity: str = "information") -> None:
        """A sentence in the corner, as it is."""
        self.notify(visible(sentence), severity=severity, timeout=6, markup=False)  # type: ignore[arg-type]


def _row(night: Listed) -> Content:
    return Content.assemble(f"Night {night.id}  ", (f"{night.when}  {night.words}", "$foreground 60%"))
