"""Lessons from the app: when one begins by itself, and what the owner sees of it."""

from __future__ import annotations

import subprocess
import time

import pupils
import pytest
from tui.seats import seat

from mrclassic import shipped
from mrclassic.home import Home
from mrclassic.settings import Settings
from mrclassic.store import Store, learnt
from mrclassic.tui.lesson import PAUSE, Lessons, sentence

AUTOMATIC = {"automatic": True, "after": 2, "batch": 32, "learning_rate": 0.01}


def lessons(home: Home, **own: object) -> Lessons:
    return Lessons(home, Settings.model_validate({"lesson": {**AUTOMATIC, **own}}))


def test_one_begins_after_so_many_picks_and_a_pause(home: Home) -> None:
    assert lessons(home).due(2, PAUSE)
    assert not lessons(home).due(1, PAUSE)
    assert not lessons(home).due(2, PAUSE / 2)
    assert not lessons(home, automatic=False).due(99, PAUSE)
    assert not Lessons(home, Settings()).due(99, PAUSE)


async def test_picks_that_could_not_be_taught_are_not_tried_again_at_once(home: Home) -> None:
    """There is no model here: the lesson fails, and says why."""
    given = lessons(home)
    said = await given.give(2)
    assert "mrclassic hatch" in said
    assert not given.busy
    assert not given.due(2, PAUSE)
    assert not given.due(3, PAUSE)
    assert given.due(4, PAUSE)
    assert not given.due(0, PAUSE)
    assert given.due(2, PAUSE), "those before are learned meanwhile, and these are others"


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"run": None, "new": 0}, "Nothing new waits"),
        ({"new": 2, "promoted": False, "reasons": ["old_entries may have lost."]}, "not used: old_entries may have"),
        (
            {"new": 3, "promoted": True, "learned": ["a", "b"], "seconds": 3.4, "forgotten": ["hello"]},
            "Learned 2 answers (2 of 3) in 3 s. Forgotten: hello.",
        ),
    ],
)
def test_what_the_owner_is_told(facts: dict, words: str) -> None:
    assert words in sentence(facts)


@pytest.mark.slow
def test_it_outlives_the_app_that_began_it(home: Home) -> None:
    pupils.settle(home)
    home.settings_file.write_text("threads = 1\n[lesson]\nbatch = 32\nlearning_rate = 0.01\n")
    app = f"""
import asyncio
from pathlib import Path
from mrclassic.home import Home
from mrclassic.settings import Settings
from mrclassic.tui.lesson import Lessons
asyncio.run(asyncio.wait_for(Lessons(Home(Path({str(home.root)!r})), Settings()).give(2), 0.5))
"""
    begun = time.monotonic()
    ended = subprocess.run(shipped.python("-c", app), env=shipped.environment(), stderr=subprocess.PIPE, check=False)
    assert b"TimeoutError" in ended.stderr
    while time.monotonic() - begun < 120:
        with Store.open(home) as store:
            if not learnt.waiting(store, home):
                break
        time.sleep(0.2)
    with Store.open(home) as store:
        assert learnt.waiting(store, home) == []


@pytest.mark.slow
async def test_a_key_gives_a_lesson_and_the_app_says_what_came_of_it(home: Home) -> None:
    pupils.settle(home)
    home.settings_file.write_text("threads = 1\n[lesson]\nbatch = 32\nlearning_rate = 0.01\n")
    async with seat(home) as here:
        status = here.screen.query_one("#status")
        await here.until(lambda: "2 picks waiting" in str(status.render()), "the picks")
        await here.pilot.press("f6")
        await here.until(lambda: "learning" in str(status.render()), "the lesson in the status line")
        await here.until(lambda: "Learned 2 answers (all of it)" in here.toasts, "the outcome")
        await here.until(lambda: "no picks waiting" in str(status.render()), "the picks to be learned")
        await here.pilot.press("f6")
        await here.until(lambda: "Nothing new waits" in here.toasts, "the second outcome")
    with Store.open(home) as store:
        assert learnt.waiting(store, home) == []


@pytest.mark.slow
async def test_one_begins_by_itself_where_the_owner_allows_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    pupils.settle(home)
    home.settings_file.write_text("threads = 1\n[lesson]\nbatch = 32\nlearning_rate = 0.01\n")
    monkeypatch.setattr("mrclassic.tui.lesson.PAUSE", 0.5)
    async with seat(home, lesson=AUTOMATIC) as here:
        await here.until(lambda: "Learned 2 answers" in here.toasts, "the lesson")
