"""A session in which what cannot be computed again happens all the time: programs judged in the sandbox, a plugin whose
scores are drawn anew each time and that fails until it is quarantined, memory that runs out.

No two such sessions are alike. So the undisturbed one that a killed session is held against is given the killed one's
journal: everything that any of its lives wrote down, from which it must come to the same weights without asking anew.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import drop_ins
import torch
from campaigns import nest
from campaigns.forks import Fork
from campaigns.nest import Acknowledge, Session

from mrclassic.home import Home
from mrclassic.store import Store
from mrclassic.training import journal
from mrclassic.training import policy_gradient as pg
from mrclassic.training.journal import Journal

_PLUGIN = """
    import random
    from mrclassic.rewards import reward

    @reward(range=(0, 1))
    def weather(completions, **columns):
        if random.random() < 0.5:
            raise ValueError("no forecast today")
        return [random.random() for _ in completions]
"""
_PROGRAM = {
    "prompt": "def f(x):\n",
    "entry_point": "f",
    "test": "def check(candidate):\n    assert candidate(1) == 2\n",
    "canonical_solution": "    return x + 1\n",
}
_ROOM = 2048  # tokens of a microbatch, from which on memory runs out now and then


def prepare(home: Home) -> Home:
    """Give the home the plugin, trusted, and the programs."""
    drop_ins.write(home.plugins, "weather", _PLUGIN)
    drop_ins.approve(home, "weather")
    folder = home.tasks / "humaneval"
    folder.mkdir()
    rows = [{**_PROGRAM, "task_id": f"own/{at}", "prompt": f"def f(x):  # {at}\n"} for at in range(20)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return home


@dataclass(frozen=True)
class Hard(Session):
    """The session, with hardships in its practice; what its lives write down there is kept in `archive` too."""

    task: str = "humaneval"
    rewards: tuple[str, ...] = ("correct", "weather")
    archive: Path = Path()

    def _practise(self, home: Home, store: Store, acknowledge: Acknowledge) -> None:
        with _kept(self.archive), _scarce():
            super()._practise(home, store, acknowledge)


def replay(template: Home, root: Path, archives: list[Path]) -> nest.Outcome:
    """What an undisturbed session comes to that is given everything in `archives`."""
    home = prepare(nest.copy(template, root))
    folder = home.runs / f"run-{nest.GRPO_RUN}"
    folder.mkdir()
    lines = [line for archive in archives if archive.exists() for line in archive.read_text().splitlines()]
    (folder / journal.JOURNAL).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    life = Fork(lambda say: Session(Hard.task, Hard.rewards).go_on(home, say)).end()
    assert life.code == 0, life.printed
    return nest.outcome(home)


@contextmanager
def _kept(archive: Path) -> Iterator[None]:
    """Append what is noted to `archive` as well; what a life did not come to keep, the next one does."""
    original = Journal.note, Journal.__init__

    def note(self: Journal, step: int, kind: str, key: str, value: Any) -> Any:
        found = original[0](self, step, kind, key, value)
        with archive.open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps([step, kind, key, value], default=str) + "\n")
        return found

    def begin(self: Journal, path: Path | None = None) -> None:
        original[1](self, path)
        if path is not None and path.exists():
            with archive.open("a", encoding="utf-8") as file:
                file.writelines("\n" + json.dumps(line) + "\n" for line in journal._lines(path))

    Journal.note, Journal.__init__ = note, begin  # type: ignore[method-assign]
    try:
        yield
    finally:
        Journal.note, Journal.__init__ = original  # type: ignore[method-assign]


@contextmanager
def _scarce() -> Iterator[None]:
    """Memory runs out in three of ten updates that would use much."""
    accumulate, chance = pg.accumulate, random.Random(os.urandom(8))

    def short(trainee: Any, *rest: Any, **named: Any) -> dict[str, float]:
        if trainee.token_budget > _ROOM and chance.random() < 0.3:
            raise torch.OutOfMemoryError("there is no room for this")
        return accumulate(trainee, *rest, **named)

    pg.accumulate = short
    try:
        yield
    finally:
        pg.accumulate = accumulate
