"""Textual (8.2) made to spend less on what it paints, and to let go of it.

Every strip (a row of a widget) is born with seven caches, most of which stay empty: two thirds of the objects that the
app makes. And a strip that is cut to its own length remembers itself, so that only Python's collector can let it go,
together with all that it holds. Here a cache comes with its first use, and a strip is its own cut without remembering.

A layout leaves a circle behind that holds the places of all widgets; here it holds none. And what has changed when
something is scrolled is painted twice; here once.

A screen that has just been painted is not painted again for a sixtieth of a second: a key that comes meanwhile waits,
which is always while answers are written. Here it waits for half of that.

The colours of a widget's lines are remembered together with the lines themselves, of a thousand widgets that may be
long gone (https://github.com/Textualize/textual/issues/6665); here they are remembered alone.

And an app remembers every text box that asked to be told of another theme until there is one; here, while it is there.

What has another shape in the Textual that is installed is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual import _compositor, _styles_cache
from textual import screen as _screen
from textual.app import App
from textual.cache import FIFOCache
from textual.color import Color
from textual.geometry import Size
from textual.strip import Strip
from textual.style import Style as VisualStyle
from textual.widget import Widget

PAINTS_PER_SECOND = 120

_CACHES = {
    "_divide_cache": 4,
    "_crop_cache": 16,
    "_style_cache": 16,
    "_filter_cache": 4,
    "_line_length_cache": 4,
    "_crop_extend_cache": 4,
    "_offsets_cache": 4,
}
_REST = {"_segments", "_cell_length", "_render_cache", "_link_ids", "_cell_count"}
"""What else there is in a strip."""

_DIVIDE, _CROP_EXTEND = Strip.divide, Strip.crop_extend


def make() -> None:
    """From now on."""
    strips()
    layouts()
    scrolls()
    lines()
    sooner()


def strips() -> None:
    """Strips with few caches."""
    if set(Strip.__slots__) == {*_CACHES, *_REST}:
        methods = {"__init__": _init, "__getattr__": _cache, "divide": _divide, "crop_extend": _crop_extend}
        for name, method in methods.items():
            setattr(Strip, name, method)


def layouts() -> None:
    """Layouts that leave nothing behind."""
    compositor: Any = _compositor.Compositor
    arrange = getattr(compositor, "_arrange_root", None)
    if arrange is None or arrange.__name__ == "_lean":
        return

    def _lean(self: Any, root: Widget, size: Size, visible_only: bool = True) -> tuple[Any, set[Widget]]:
        found, widgets = arrange(self, root, size, visible_only)
        places = found.copy()
        found.clear()
        return places, widgets

    compositor._arrange_root = _lean


def scrolls() -> None:
    """Scrolling that paints once: as a layout does, it takes what is to be painted with it."""
    screen: Any = _screen.Screen
    refresh = getattr(screen, "_refresh_layout", None)
    if refresh is None or refresh.__name__ == "_once" or "_dirty_widgets" not in refresh.__code__.co_names:
        return

    def _once(self: Any, size: Size | None = None, scroll: bool = False) -> None:
        refresh(self, size, scroll)
        if scroll:
            self._dirty_widgets.clear()

    screen._refresh_layout = _once


def lines() -> None:
    """Colours without the lines that had them."""

    @lru_cache(1024)
    def colours(base: Color, background: Color) -> tuple[VisualStyle, VisualStyle]:
        return VisualStyle(background=base + background), VisualStyle(background=base)

    cache: Any = _styles_cache.StylesCache
    if hasattr(cache, "get_inner_outer"):
        cache.get_inner_outer = staticmethod(colours)


def sooner() -> None:
    """Screens made from now on are painted up to so many times a second."""
    if hasattr(_screen, "UPDATE_PERIOD"):
        _screen.UPDATE_PERIOD = 1 / PAINTS_PER_SECOND  # type: ignore[misc]


def forget(app: App[Any]) -> None:
    """Let go of the text boxes that have been closed."""
    for watchers in getattr(app, "__watchers", {}).values():
        watchers[:] = [(widget, told) for widget, told in watchers if not widget._closing]


def _init(self: Strip, segments: Iterable[Segment], cell_length: int | None = None) -> None:
    self._segments = list(segments)
    self._cell_length = cell_length
    self._render_cache = None
    self._link_ids = None
    self._cell_count = None


def _cache(self: Strip, name: str) -> Any:
    """A cache that was not used before: Python asks here for what is not there."""
    if name not in _CACHES:
        raise AttributeError(name)
    cache: FIFOCache[Any, Any] = FIFOCache(_CACHES[name])
    setattr(self, name, cache)
    return cache


def _divide(self: Strip, cuts: Iterable[int]) -> Sequence[Strip]:
    """The parts of the strip between these cells."""
    length = self.cell_length
    within = [cut for cut in cuts if cut <= length]
    return [self] if within == [length] else _DIVIDE(self, within)


def _crop_extend(self: Strip, start: int, end: int, style: Style | None) -> Strip:
    """The strip from one cell to another, filled up where it is shorter."""
    return self if start <= 0 and end == self.cell_length else _CROP_EXTEND(self, start, end, style)
