"""The mind killed in the middle of its replies: the app says so, loses nothing, and goes on with the next one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import babies
import pytest
from tui.seats import Seat, seat

from mrclassic.home import Home
from mrclassic.mind import process
from mrclassic.store import Store


@pytest.fixture
def baby(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    babies.hatch(home)
    yield home
    process.stop(home)


async def begun(here: Seat) -> None:
    """Wait until words of the present draw have come."""
    await here.until(
        lambda: here.candidates.draw is not None and any(piece.text for piece in here.candidates.draw.pieces), "words"
    )


async def killed_midway(here: Seat, home: Home) -> None:
    """Kill the mind while it answers. On a busy machine it may have come to the end first; then once more."""
    for _ in range(5):
        await begun(here)
        pid = process.holder(home)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        draw = here.candidates.draw
        await here.until(
            lambda draw=draw: here.candidates.note or (draw is not None and draw.done), "the sentence, or the end"
        )
        if here.candidates.note:
            break
        await here.pilot.press("r")
        await here.until(lambda draw=draw: here.candidates.draw is not draw, "another draw")
    assert "ended in the middle of a reply" in here.candidates.note


async def test_killed_while_it_streams_again_and_again(baby: Home) -> None:
    async with seat(baby, chat={"max_tokens": 450, "candidates": 9}) as here:
        await here.type("hello")
        await here.pilot.press("enter")
        for _ in range(2):
            await killed_midway(here, baby)
            assert "Press r to draw again" in here.candidates.note
            assert here.texts == ["hello"]
            before = here.candidates.draw
            await here.pilot.press("r")
            await here.until(lambda before=before: here.candidates.draw is not before, "another draw")
        await begun(here)
        # An answer of the owner's own does not wait for the model, and what was asked next is asked of a living one.
        await here.pilot.press("tab")
        await here.type("never mind")
        await here.pilot.press("enter")
        await here.idle()
        assert here.texts == ["hello", "never mind"]
    with Store.open(baby) as store:
        assert [pick.kind for pick in store.picks.history()] == ["typed"]
        assert store.damage() == []
