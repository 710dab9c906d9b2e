"""The README's pictures: each is shown, and shows the app as it is built today."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import screenshots
from screenshots import FOLDER, SCENES, Scene
from tui.seats import seat
from tui.test_nights import keep

from mrclassic.book import ensure_book
from mrclassic.home import Home
from mrclassic.store import Store

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_readme_shows_each_picture_and_no_other() -> None:
    shown = re.findall(r"\(\.github/([a-z]+)\.svg\)", README.read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(scene.name for scene in SCENES)
    assert sorted(path.stem for path in FOLDER.glob("*.svg")) == sorted(shown)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
async def test_a_picture_is_of_the_app_as_it_is_built_today(baby_home: Home, listed: str, scene: Scene) -> None:
    ensure_book(baby_home)
    (baby_home.tasks / ".list.json").write_text(listed, encoding="utf-8")
    keep(baby_home, 1)
    with Store.open(baby_home) as store:  # whoever has talked here before gets no tour
        store.conversations.add(store.conversations.create("Earlier").id, None, "user", "Hello.")
    async with seat(baby_home, size=scene.size) as here:
        await here.until(lambda: here.screen.mind.ready, "the model")
        await scene.play(here)
        await here.pilot.pause()
        now = screenshots.built(here)
    then = screenshots.told((FOLDER / f"{scene.name}.svg").read_text(encoding="utf-8"))
    assert now == then, "the app has moved on: `make screenshots` paints the README's pictures anew"


def test_the_day_of_the_painting_does_not_show() -> None:
    picture = "20261122-035500-night 22&#160;Nov&#160;03:56 7 Mar 09:01 20261121-000000-hatch 22 of 30 12:00"
    assert screenshots.timeless(picture) == (
        "20260105-210100-night 15&#160;Jan&#160;21:00 5 Jan 21:00 20260105-210000-hatch 22 of 30 12:00"
    )
