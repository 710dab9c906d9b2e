"""The models in the app: the tree, what is known of each, putting one into use and taking it back, exports, and two
compared by a real mind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import babies
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from textual.widgets import Input, Static
from tui.seats import Seat, seat

from mrclassic.home import Home
from mrclassic.store import Checkpoint, Store
from mrclassic.tui.models import kind_of, tree
from mrclassic.tui.screens.compare import Compare
from mrclassic.tui.screens.models import Models


@pytest.fixture
def two(awake: Home, baby_home: Home) -> Iterator[Home]:
    """A home with two models, both of which the mind that is awake can load; baby-1 is in use."""
    name = "baby-2"
    if not (awake.checkpoints / name).exists():
        babies.hatch(awake, name, parent="baby-1", seed=1)
        with Store.open(awake) as store:
            store.checkpoints.use("baby-1")
    (baby_home.checkpoints / name).symlink_to(awake.checkpoints / name)
    with Store.open(awake) as there, Store.open(baby_home) as here:
        here.checkpoints.add(there.checkpoints.get(name))
        here.checkpoints.set_metrics("baby-1", {"arithmetic:1": 0.5, "book_recall": 1.0})
        here.checkpoints.set_metrics(name, {"arithmetic:1": 0.75})
    return baby_home


@limits(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parents=st.lists(st.integers(-1, 30), min_size=1, max_size=12), used=st.integers(0, 11))
def test_the_tree_has_every_checkpoint_once_behind_its_parent(
    tmp_path_factory: pytest.TempPathFactory, parents: list[int], used: int
) -> None:
    home = Home(tmp_path_factory.mktemp("tree") / "home").ensure()
    with Store.open(home) as store:
        for number, parent in enumerate(parents):
            above = f"c{parent}" if 0 <= parent < number else "gone" if parent > number else None
            stamp = f"2026-11-20T04:{number:02}:00+00:00"
            store.checkpoints.add(Checkpoint(f"c{number}", f"c{number}", above, created=stamp))
        store.checkpoints.use(f"c{used % len(parents)}")
        drawn = tree(store, home)
        line = {row.id for row in store.checkpoints.lineage(f"c{used % len(parents)}")}
    names = [branch.id for branch in drawn]
    assert sorted(names) == sorted(f"c{number}" for number in range(len(parents)))
    for branch in drawn:
        if branch.parent in names:
            assert names.index(branch.parent) < names.index(branch.id)
    assert all(not branch.lines for branch in drawn if branch.id in line), "the line to the one in use is straight"
    assert [branch.id for branch in drawn if branch.in_use] == [f"c{used % len(parents)}"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("20261122-001228-night", "night"), ("20261122-001228-grpo-2", "grpo"), ("Qwen2.5-0.5B", "Qwen2.5-0.5B")],
)
def test_how_a_checkpoint_was_made_is_in_its_name(name: str, kind: str) -> None:
    assert kind_of(name) == kind


async def models(here: Seat) -> Models:
    await here.pilot.press("f12")
    await here.until(lambda: isinstance(here.app.screen, Models) and here.app.screen.chosen, "the models")
    screen = here.app.screen
    assert isinstance(screen, Models)
    return screen


def facts(screen: Models) -> str:
    return str(screen.query_one("#models--facts", Static).content)


@pytest.mark.parametrize("size", [(60, 24), (160, 40)])
async def test_a_model_is_looked_at_used_and_taken_back(two: Home, size: tuple[int, int]) -> None:
    async with seat(two, size=size) as here:
        screen = await models(here)
        await here.until(lambda: "in use" in facts(screen), "the one in use")
        assert "book 100%, levels 50%" in facts(screen)
        await here.pilot.press("down")
        await here.until(lambda: "+25.0%" in facts(screen), "the other, beside the one in use")
        await here.pilot.press("u")
        await here.until(lambda: screen.used and screen.used.id == "baby-2", "it to be used")
        assert "baby-2 answers from the next reply on." in here.toasts
        await here.pilot.press("z")
        await here.until(lambda: screen.used and screen.used.id == "baby-1", "it to be taken back")
        await here.pilot.press("z")
        await here.until(lambda: "nothing to go back to" in here.toasts, "the end of the line")
        await here.pilot.press("tab", "pagedown", "tab", "escape")
        assert here.app.screen is here.screen


async def test_an_export_asks_for_a_folder_and_says_where_it_went(two: Home, tmp_path: Path) -> None:
    async with seat(two) as here:
        screen = await models(here)
        await here.pilot.press("x", "escape", "x")
        here.app.screen.query_one(Input).value = str(tmp_path / "out")
        await here.pilot.press("enter")
        await here.until(lambda: "Written into" in here.toasts, "the export")
        assert (tmp_path / "out" / "config.json").exists()
        await here.pilot.press("x")
        here.app.screen.query_one(Input).value = str(tmp_path / "out")
        await here.pilot.press("enter")
        await here.until(lambda: "empty" in here.toasts, "the refusal")
        assert here.app.screen is screen


@pytest.mark.parametrize("size", [(60, 30), (160, 40)])
async def test_two_are_compared_blind_and_the_votes_counted(two: Home, size: tuple[int, int]) -> None:
    with Store.open(two) as store:
        for question in ("hello", "good morning", "how are you"):
            store.conversations.add(store.conversations.create().id, None, "user", question)
    async with seat(two, size=size) as here:
        page = await models(here)
        await here.pilot.press("c")
        await here.until(lambda: "another one" in here.toasts, "a refusal to compare it with itself")
        await here.pilot.press("down", "c")
        await here.until(lambda: isinstance(here.app.screen, Compare) and here.app.screen.sides, "both answers")
        screen = here.app.screen
        assert isinstance(screen, Compare)
        assert screen.question == "how are you"
        first, second = screen.sides or pytest.fail("no sides")
        assert {first.checkpoint, second.checkpoint} == {"baby-1", "baby-2"}
        assert "baby" not in str(screen.query_one("#compare--first").border_title)
        await here.pilot.press("v")
        assert first.checkpoint in str(screen.query_one("#compare--first").border_title)
        await here.pilot.press("v", "2")
        await here.until(lambda: screen.question == "good morning" and screen.sides, "the next question")
        note = str(screen.query_one("#compare--note", Static).content)
        assert note.startswith(f"{second.checkpoint} was better.")
        await here.pilot.press("0")
        await here.until(lambda: screen.question == "hello" and screen.sides, "the last question")
        await here.pilot.press("t")
        await here.type("who")
        await here.pilot.press("enter")
        await here.until(lambda: screen.question == "who" and screen.sides, "the answers to an own question")
        await here.pilot.press("1")
        await here.until(lambda: screen.votes == 3 and not screen.question, "the vote, and the end of the questions")
        await here.pilot.press("escape")
        await here.until(lambda: here.app.screen is page, "the models")
        await here.pilot.press("up", "down")
        await here.until(lambda: "Your votes" in facts(page), "the tally")
    with Store.open(two) as store:
        votes = store.votes.newest()
        assert [vote.choice for vote in votes] == ["first", "neither", "second"]
        assert votes[-1].first_text == first.text
        assert all(vote.blind for vote in votes)
        assert store.votes.tally("baby-1", "baby-2").votes == 3
        assert not store.picks.waiting_for_book(), "a vote teaches nothing"
