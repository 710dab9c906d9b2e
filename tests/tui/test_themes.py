"""Colours: four of the app's own, two of them with high contrast, and none where none are wanted."""

from __future__ import annotations

import pytest
from textual.color import Color
from tui.seats import seat

from mrclassic.home import Home
from mrclassic.tui.themes import CONTRAST_DARK, CONTRAST_LIGHT, OWN


@pytest.mark.parametrize("theme", [CONTRAST_DARK, CONTRAST_LIGHT], ids=lambda theme: theme.name)
def test_high_contrast_is_high(theme: object) -> None:
    assert theme in OWN
    paper = Color.parse(theme.background)  # type: ignore[attr-defined]
    for ink, least in (("foreground", 7), ("accent", 7), ("error", 7), ("warning", 7), ("success", 7)):
        assert paper.get_contrast_ratio(Color.parse(getattr(theme, ink))) >= least, ink
    faint = paper.blend(Color.parse(theme.foreground), 0.6)  # type: ignore[attr-defined]
    assert paper.get_contrast_ratio(faint) >= 5, "what is said more quietly can still be read"


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
