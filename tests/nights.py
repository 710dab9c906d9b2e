"""Short nights on a micro model, carried out in forked processes that can be killed at any moment."""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import micro
import pytest

from mrclassic import book
from mrclassic.home import Home
from mrclassic.model import checkpoint
from mrclassic.model.policy import Policy
from mrclassic.night import planning, run, unfinished
from mrclassic.night.means import Means
from mrclassic.night.plan import Plan, PlannedStage
from mrclassic.night.run import Night, NightResult, Wishes
from mrclassic.night.workplace import Workplace
from mrclassic.settings import Settings, load
from mrclassic.store import Checkpoint, Store
from mrclassic.training import loop, memories, questions, selfplay

STEPS = {"book": 6, "grpo": 6, "selfplay": 3}
SETTINGS = {
    "threads": 1,
    "dtype": "fp32",
    "practice.tasks": "arithmetic:1,arithmetic:2",
    "practice.rewards": "correct,repetition=0.5",
    "practice.prompts": 3,
    "practice.group": 3,
    "practice.replay": 4,
    "book.batch": 8,
}


def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nights of a few updates, which save after each, with few items to be measured."""

    def make(means: Means, minutes: float, tables: tuple[str, ...]) -> Plan:
        stages = tuple(PlannedStage(name, steps, 9, "few", 60.0) for name, steps in STEPS.items())
        return Plan(minutes, means.parent.row.id, len(means.bench.new), (), stages, 1.0, tables)

    monkeypatch.setattr(planning, "make", make)
    monkeypatch.setattr(run, "GATE_ITEMS", 6)
    monkeypatch.setattr(memories, "ITEMS", 10)
    monkeypatch.setattr(questions, "READABLE", 0.0)  # self-play itself, without the lessons that come before it
    monkeypatch.setattr(questions, "RIGHT", 0.0)
    warming = selfplay.Settings.warming.fget
    assert warming is not None
    monkeypatch.setattr(
        selfplay.Settings, "warming", property(lambda own: replace(warming(own), shown=min(1, own.shown)))
    )
    monkeypatch.setitem(loop.run.__kwdefaults__, "save_seconds", 0.0)


def hatch(folder: Path, policy: Policy | None = None) -> Home:
    """A home with a micro model in use (or `policy`), and a book that it does not know."""
    home = Home(folder).ensure()
    home.book.write_text("\n".join(book.render(entry) for entry in micro.ENTRIES), encoding="utf-8")
    facts = checkpoint.save(policy or micro.policy(loud=3.0), home.checkpoints / "micro")
    row = Checkpoint("micro", "micro", None, parameters=facts.parameters, model_sha256=facts.model_sha256)
    with Store.open(home) as store:
        store.checkpoints.add(row)
        store.checkpoints.use("micro")
    return home


def night(home: Home, *, stopping: Callable[[], bool] = lambda: False, said: list[str] | None = None) -> NightResult:
    """Hold a night in this process: the one that was cut short, if there is one."""
    settings: Settings = load(home, SETTINGS)
    with Store.open(home) as store:
        former, _ = unfinished.find(home, store)
        if former is not None:
            settings = unfinished.settings_then(settings, former.plan)
        work = Workplace(home, settings, store, (said if said is not None else []).append)
        return Night(work, Wishes(600.0, seed=3), former).run(stopping=stopping)


def forked(task: Callable[[], object], kill_after: float | None = None) -> int:
    """Do `task` in a forked process and return its exit code; it is killed after so many seconds."""
    pid = os.fork()
    if pid == 0:
        code = 0
        try:
            task()
        except BaseException:  # noqa: BLE001 - it ends here
            traceback.print_exc()
            code = 1
        os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
