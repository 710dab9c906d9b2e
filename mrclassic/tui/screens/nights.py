"""The nights: a list of them, and the report of the one that is highlighted, with its curves."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Markdown, OptionList, Static
from textual.widgets.option_list import Option

from mrclassic.tui import nights
from mrclassic.tui.keys import bindings
from mrclassic.tui.nights import Curve, Listed, Page

if TYPE_CHECKING:
    from textual_plot import PlotWidget

NONE_YET = "There has been no night yet; the service starts one by itself, and `mrclassic night --now` at once."
_PLOT_ROWS = 9


class Nights(Screen[None]):
    """Up and down choose a night; Tab goes to its page and back; Escape leaves."""

    BINDINGS: ClassVar = bindings("nights")
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (80, "-medium")]  # noqa: RUF012 - as Textual declares it

    def __init__(self, find: Callable[[], Awaitable[tuple[Listed, ...]]]) -> None:
        super().__init__()
        self._find = find
        self._nights: tuple[Listed, ...] = ()
        self.shown: int | None = None
        """The night whose report is on the page."""

    def compose(self) -> ComposeResult:
        with Vertical(id="nights"):
            yield OptionList(id="nights--list", markup=False)
            with VerticalScroll(id="nights--page"):
                yield Vertical(id="nights--curves")
                yield Markdown(id="nights--text", open_links=False)
        yield Static("↑ ↓ another night   Tab the page   PgUp PgDn scroll   Esc back", id="nights--hints", markup=False)

    def on_mount(self) -> None:
        self.query_one("#nights--list").focus()
        self._fill()

    @work(group="nights", exclusive=True)
    async def _fill(self) -> None:
        self._nights = await self._find()
        shelf = self.query_one("#nights--list", OptionList)
        shelf.add_options([Option(_row(night), id=str(night.id)) for night in self._nights])
        if self._nights:
            shelf.highlighted = 0
        else:
            await self.query_one("#nights--text", Markdown).update(NONE_YET)

    @on(OptionList.OptionHighlighted)
    def choose(self, event: OptionList.OptionHighlighted) -> None:
        """Show the report of the highlighted night."""
        self._show(self._nights[event.option_index])

    @on(OptionList.OptionSelected)
    def enter(self) -> None:
        """Enter in the list: to the page."""
        self.query_one("#nights--page").focus()

    @work(group="page", exclusive=True)
    async def _show(self, night: Listed) -> None:
        page: Page = await asyncio.to_thread(nights.read, night)
        curves = self.query_one("#nights--curves")
        await curves.remove_children()
        await self.query_one("#nights--text", Markdown).update(page.text)
        if page.curves:
            # numpy comes with it: not on the screen's thread, and only where there is something to plot.
            await asyncio.to_thread(importlib.import_module, "textual_plot")
            await curves.mount(*(_plot(curve) for curve in page.curves))
        self.query_one("#nights--page").scroll_home(animate=False)
        self.shown = night.id

    def action_page(self, way: int) -> None:
        """Scroll the report, wherever the focus is."""
        page = self.query_one("#nights--page")
        (page.scroll_page_down if way > 0 else page.scroll_page_up)(animate=False)

    def action_across(self) -> None:
        """From the list to the page, or back."""
        shelf, page = self.query_one("#nights--list"), self.query_one("#nights--page")
        (page if shelf.has_focus else shelf).focus()


def _row(night: Listed) -> Content:
    return Content.assemble(f"Night {night.id}  ", (f"{night.when}  {night.words}", "$foreground 60%"))


def _plot(curve: Curve) -> Widget:
    from textual_plot import HiResMode, PlotWidget

    class _Plot(PlotWidget, can_focus=False, inherit_bindings=False):
        """A picture: it takes no keys from the page it stands on."""

        def on_mount(self) -> None:
            _draw(self, curve, HiResMode.BRAILLE)

    plot = _Plot(allow_pan_and_zoom=False, classes="nights--plot")
    plot.styles.height = _PLOT_ROWS
    plot.border_title = curve.title
    return plot


def _draw(plot: PlotWidget, curve: Curve, mode: object) -> None:
    accent = plot.app.theme_variables["accent"]
    plot.plot(curve.steps, curve.values, line_style=accent, hires_mode=mode)  # type: ignore[arg-type]
