"""A curve as a picture. The library brings numpy, so it is imported where there is something to draw (`ready`)."""

from __future__ import annotations

import asyncio
import importlib
import sys
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from textual.css.query import NoMatches
from textual.widget import Widget

from mrclassic.tui import garbage

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from mrclassic.tui.curves import Curve

_MARGIN = 8
"""Columns for the numbers beside a plot."""
_TICKS = 3
_ROOM = 0.1
"""Above and below a curve that is flat, as a share of its value: by itself it would be drawn to the last decimal."""


async def ready() -> None:
    """Load what draws, not on the screen's thread."""
    if "textual_plot" not in sys.modules:
        await asyncio.to_thread(importlib.import_module, "textual_plot")
        garbage.set_aside()


@cache
def _plot() -> type[Any]:
    """The library's plot (textual-plot 0.10), made to bear being taken down before its parts are there: who leaves a
    page at once would end the app."""
    from textual_plot import PlotWidget as Theirs

    class PlotWidget(Theirs):
        def _update_margin_sizes(self) -> None:
            with suppress(NoMatches):
                super()._update_margin_sizes()

        def _update_legend(self) -> None:
            with suppress(NoMatches):
                super()._update_legend()

    return PlotWidget


class Picture(Widget):
    """One curve in a frame; it takes no keys from the page it stands on."""

    def __init__(self, curve: Curve) -> None:
        super().__init__(classes="plot")
        self.curve = curve
        self.border_title = curve.title
        self.border_subtitle = curve.note

    def compose(self) -> ComposeResult:
        plot = _plot()(allow_pan_and_zoom=False)
        plot.can_focus = False
        yield plot

    def on_mount(self) -> None:
        from textual_plot import PlotWidget

        plot = next(iter(self.query(PlotWidget)), None)
        if plot is None:
            return
        plot.margin_top, plot.margin_bottom, plot.margin_left = 0, 1, _MARGIN
        plot.refresh(layout=True)  # its canvas has been measured with other margins
        self.call_after_refresh(self._draw)
        self.app.theme_changed_signal.subscribe(self, lambda _: self._draw())

    def show(self, curve: Curve) -> bool:
        """Draw the curve anew; false where it has not changed."""
        if curve == self.curve:
            return False
        self.curve = curve
        self.border_title = curve.title
        self.border_subtitle = curve.note
        self._draw()
        return True

    def _draw(self) -> None:
        from textual_plot import HiResMode, PlotWidget

        plot = next(iter(self.query(PlotWidget)), None)
        if plot is None:
            return  # it has been taken down meanwhile
        if not plot.query("#legend"):  # its parts are not there yet, or not any more: then this is never called
            self.call_after_refresh(self._draw)
            return
        plot.clear()
        first, last = self.curve.steps[0], self.curve.steps[-1]
        plot.set_xticks([round(first + (last - first) * at / (_TICKS - 1)) for at in range(_TICKS)])
        values = self.curve.values
        room = _ROOM * (abs(values[0]) or 1.0) if min(values) == max(values) else 0.0
        plot.set_ylimits(*((values[0] - room, values[0] + room) if room else (None, None)))
        accent = self.app.theme_variables["accent"]
        plot.plot(self.curve.steps, values, line_style=accent, hires_mode=HiResMode.BRAILLE)
