"""What the app says of a verb of the shell that failed."""

from __future__ import annotations

from pathlib import Path

from mrclassic.home import Home
from mrclassic.settings import Settings
from mrclassic.tui import child
from mrclassic.tui.child import Ran


def test_what_it_said_comes_before_what_the_app_knows() -> None:
    assert Ran(2, said="There is no model here.").fault("The plan") == "There is no model here."
    assert Ran(-9).fault("The plan") == "The plan failed (exit code -9)."


async def test_what_cannot_be_started_has_failed(tmp_path: Path) -> None:
    ran = await child.run(Home(tmp_path / "gone"), Settings(), "tasks", "task", "list", "--json")
    assert ran.code
    assert ran.fault() == "That could not be started: No such file or directory."


async def test_one_that_was_left_running_does_not_write_into_the_words_of_the_next(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.logs.mkdir()
    log = home.logs / "lesson.log"
    with log.open("wb") as left:  # as the child of an app that ended has it
        left.write(b"lesson 36/72")
        left.flush()
        ran = await child.run(home, Settings(), "lesson", "nonesuch")
        said = log.read_bytes()
        left.write(b" loss 0.027")
    assert ran.code
    assert log.read_bytes() == said
    assert b"lesson 36" not in said
