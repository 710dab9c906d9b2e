"""Colours: four of the app's own, two of them with high contrast, and none where none are wanted."""

from __future__ import annotations

import pytest
from textual.color import Color
from textual.theme import Theme
from tui.seats import seat

from mrclassic.home import Home
from mrclassic.tui.themes import CONTRAST_DARK, CONTRAST_LIGHT, OWN


def _contrast(one: Color, other: Color) -> float:
    """The contrast ratio of WCAG 2: (L1 + 0.05) / (L2 + 0.05)."""

    def luminance(color: Color) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color.normalized]
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [CONTRAST_DARK, CONTRAST_LIGHT], ids=lambda theme: theme.name)
def test_high_contrast_is_high(theme: Theme) -> None:
    assert theme in OWN
    paper = Color.parse(theme.background or "")
    for ink in ("foreground", "accent", "error", "warning", "success"):
        assert _contrast(paper, Color.parse(getattr(theme, ink))) >= 7, ink
    faint = paper.blend(Color.parse(theme.foreground or ""), 0.6)
    assert _contrast(paper, faint) >= 5, "what is said more quietly can still be read"


async def test_f9_walks_through_all(home: Home) -> None:
    async with seat(home) as here:
        seen = []
        for _ in range(len(OWN) + 1):
            seen.append(here.app.theme)
            await here.pilot.press("f9")
        assert seen == [*(theme.name for theme in OWN), OWN[0].name]


async def test_no_color_leaves_no_colour(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with seat(home) as here:
        assert here.app.theme == CONTRAST_DARK.name
        await here.pilot.pause()
        styles = [
            segment.style
            for strip in here.screen._compositor.render_strips()
            for segment in strip.apply_filter(here.app._filters[-1], Color.parse("black"))
            if segment.style is not None
        ]
        inks = [colour.triplet for style in styles for colour in (style.color, style.bgcolor) if colour is not None]
        assert inks
        assert all(ink is None or len(set(ink)) == 1 for ink in inks), "greys only"
