"""The nights in the app: their list, the page of each with its curves, and what the owner reads where there is none."""

from __future__ import annotations

import pytest
from textual.widgets import Markdown, OptionList
from tui.seats import Seat, seat

from mrclassic.home import Home
from mrclassic.night.report import NightReport, Sample, StageReport, write
from mrclassic.store import Store
from mrclassic.tui.screens.nights import Nights


def keep(home: Home, count: int, *, page: bool = True) -> None:
    """`count` nights in the store, each with its report."""
    with Store.open(home) as store:
        for _ in range(count):
            number = store.nights.start({})
            stage = StageReport(
                "grpo",
                "done",
                60.0,
                steps=30,
                curve=tuple((step, {"reward": step / 30, "kl": 0.1}) for step in range(30)),
                samples=tuple(Sample(f"{at} + {at}", f"\x1b[31m{2 * at}", 1.0) for at in range(10)),
            )
            start = "2026-11-20T04:30:00+00:00"
            report = NightReport(number, start, start, 60, "cpu", "a", "a", stages=(stage,))
            path = write(report, home.nights)
            if not page:
                path.unlink()
            store.nights.finish(number, "done", gate={"verdict": "keep"}, report_path=path.name)


async def page_of(here: Seat, number: int) -> Nights:
    await here.until(lambda: isinstance(here.app.screen, Nights) and here.app.screen.shown == number, f"night {number}")
    screen = here.app.screen
    assert isinstance(screen, Nights)
    return screen


@pytest.mark.parametrize("size", [(120, 40), (60, 24)])
async def test_the_list_the_page_and_its_curves(home: Home, size: tuple[int, int]) -> None:
    keep(home, 3)
    async with seat(home, size=size) as here:
        await here.pilot.press("f7")
        screen = await page_of(here, 3)
        source = screen.query_one(Markdown).source
        assert source.startswith("# Night 3: the model in use stays")
        assert "\x1b" not in source
        plots = screen.query(".plot")
        assert [plot.border_title for plot in plots] == ["grpo: reward by update"]
        scroll = screen.query_one("#nights--page")
        assert scroll.region.width <= size[0]
        await here.until(lambda: scroll.max_scroll_x == 0, "the page in its width")
        await here.pilot.press("pagedown")
        await here.until(lambda: scroll.scroll_y > 0, "the page to scroll")
        await here.pilot.press("down")
        await page_of(here, 2)
        assert scroll.scroll_y == 0
        await here.pilot.press("tab")
        assert scroll.has_focus
        await here.pilot.press("down", "tab")
        assert screen.query_one(OptionList).has_focus
        assert screen.shown == 2
        await here.pilot.press("escape")
        assert here.app.screen is here.screen


async def test_where_there_is_no_night_or_no_report_the_page_says_so(home: Home) -> None:
    async with seat(home) as here:
        await here.pilot.press("f7")
        await here.until(lambda: "no night yet" in str(here.app.screen.query_one("#now--plan").content), "the sentence")
        await here.pilot.press("escape")
        keep(home, 1, page=False)
        with Store.open(home) as store:
            store.nights.start({})
        await here.pilot.press("f7")
        screen = await page_of(here, 2)
        assert "Night 2 has no report" in screen.query_one(Markdown).source
        await here.pilot.press("down")
        screen = await page_of(here, 1)
        assert "cannot be read" in screen.query_one(Markdown).source


async def test_a_report_whose_numbers_are_lost_is_still_a_page(home: Home) -> None:
    keep(home, 1)
    (home.nights / "night-1.json").write_text('{"stages": [{"name": "grpo"}]}')
    async with seat(home) as here:
        await here.pilot.press("f7")
        screen = await page_of(here, 1)
        assert not screen.query("#nights--curves .plot")
        assert "# Night 1" in screen.query_one(Markdown).source
