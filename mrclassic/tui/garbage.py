"""Python's collector, kept from holding up a key.

It looks at every object again and again, and the app's modules alone are so many that a full look takes a tenth of a
second. What stands when the app has opened, stands until it closes: it is set aside, and from then on the collector
looks only at what came after. Full looks go on, so nothing that is let go of later is kept.

And one leak is stopped: Textual (8.2) remembers the colours of a widget's lines together with the lines themselves, of
a thousand widgets that may be long gone (https://github.com/Textualize/textual/issues/6665).
"""

from __future__ import annotations

import gc
from contextlib import suppress
from functools import lru_cache

from textual.color import Color
from textual.style import Style

YOUNG = 4000
"""Objects made between two looks at the youngest: painting a screen makes tens of thousands, most of which stay."""

ENOUGH = 3
"""Looks at those of middle age after which a full one is worth while."""


def let_lines_go() -> None:
    """Remember the colours alone. Without effect on a Textual that has moved its method."""

    @lru_cache(1024)
    def colours(base: Color, background: Color) -> tuple[Style, Style]:
        return Style(background=base + background), Style(background=base)

    with suppress(ImportError):
        from textual._styles_cache import StylesCache

        if hasattr(StylesCache, "get_inner_outer"):
            StylesCache.get_inner_outer = staticmethod(colours)  # type: ignore[assignment]


def wait() -> None:
    """No looking until `set_aside`: what an app makes while it starts is there to stay."""
    gc.disable()


def set_aside() -> None:
    """Leave alone what there is now; for few, chosen moments, as a circle among these objects is never freed."""
    gc.freeze()
    gc.set_threshold(YOUNG, 5, 15)
    gc.enable()


def tidy() -> None:
    """A full look at a moment when nobody types, so that there is seldom one when somebody does."""
    if gc.get_count()[2] >= ENOUGH:
        gc.collect()
