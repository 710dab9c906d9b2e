"""Six pages at three widths, as text: what an owner sees, line by line.

A page that is meant to look otherwise from now on: copy what the failing test names over its snapshot.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tui.seats import Seat, seat
from tui.test_book import furnish, page
from tui.test_picks import ask

from mrclassic.home import Home
from mrclassic.store import Store
from mrclassic.tui.screens.models import Models
from mrclassic.tui.screens.nights import Nights
from mrclassic.tui.screens.picks import Picks
from mrclassic.tui.screens.skills import Skills

FOLDER = Path(__file__).parent / "snapshots"
EVENING = "2026-01-05T20:00:00+00:00"


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A clock that shows the same time on every machine."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def at_one_time(home: Home) -> None:
    """All of it happened on one evening."""
    with sqlite3.connect(home.database) as database:
        database.execute("DROP TRIGGER picks_append_only")
        for table in ("messages", "picks", "recalls"):
            database.execute(f"UPDATE {table} SET created = ?", (EVENING,))
        database.execute("UPDATE checkpoints SET created = ?", (EVENING,))
        database.execute("UPDATE conversations SET created = ?, updated = ?", (EVENING, EVENING))
    database.close()


def seen(here: Seat) -> str:
    """The screen, line by line."""
    strips = here.app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips).rstrip() + "\n"


@pytest.mark.parametrize("width", [60, 100, 200])
async def test_the_pages(baby_home: Home, width: int, utc: None, tmp_path: Path) -> None:
    home = furnish(baby_home)
    with Store.open(home) as store:
        ask(store, "Which is it to be?")
    at_one_time(home)
    found = {}
    async with seat(home, size=(width, 24)) as here:
        await here.until(lambda: here.screen.mind.ready and "waiting" in str(here.screen.status.render()), "the model")
        await here.pilot.pause(0.1)
        found["chat"] = seen(here)
        await here.pilot.press("f4")
        await here.until(lambda: isinstance(here.app.screen, Picks) and here.app.screen.sheet, "the picks")
        await here.pilot.pause(0.1)
        found["picks"] = seen(here)
        await here.pilot.press("tab")
        await page(here, "Who are you?")
        await here.pilot.press("down")
        await page(here, "Tea or coffee?")
        await here.pilot.pause(0.1)
        found["book"] = seen(here)
        await here.pilot.press("escape")
        for name, key, kind in (("nights", "f7", Nights), ("models", "f12", Models), ("practice", "alt+t", Skills)):
            await here.until(lambda: here.app.screen is here.screen, "the chat")
            await here.pilot.press(key)
            await here.until(lambda kind=kind: isinstance(here.app.screen, kind) and here.app.screen.arrived, name)
            if name == "practice":  # its levels depend on what else is installed
                await here.pilot.press("left")
            await here.pilot.pause(0.2)
            found[name] = seen(here)
            await here.pilot.press("escape")
    for name, text in found.items():
        (tmp_path / f"{name}-{width}.txt").write_text(text, encoding="utf-8")
    for name, text in found.items():
        kept = FOLDER / f"{name}-{width}.txt"
        expected = kept.read_text(encoding="utf-8") if kept.exists() else ""
        assert text == expected, f"if it is meant to look so: cp {tmp_path}/*.txt {FOLDER}"
