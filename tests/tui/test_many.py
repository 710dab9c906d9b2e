"""Many conversations: the list comes in steps, and searches stay quick (the long form is `python tests/many.py`)."""

from __future__ import annotations

import many
from tui.seats import seat

from mrclassic.home import Home
from mrclassic.tui.desk import LISTED


async def test_many_conversations_are_listed_in_steps_and_searched(home: Home) -> None:
    many.fill(home, 2250, 4500, imported=2000)
    taken = many.figures(home)
    assert all(milliseconds < 250 for milliseconds in taken.values()), taken
    async with seat(home) as here:
        shelf = here.screen.shelf
        await here.until(lambda: shelf.option_count == LISTED, "the list")
        shelf.focus()
        await here.pilot.press("end")
        await here.until(lambda: shelf.option_count == 2 * LISTED, "more of it")
        assert shelf.highlighted == LISTED - 1, "where the owner was"
        await here.pilot.press("end")
        await here.until(lambda: shelf.option_count == 250, "the rest")
