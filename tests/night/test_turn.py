"""When a night may begin, beside lessons, other nights and whoever has the device."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import nights
import pytest
from homes import mrclassic

from mrclassic import lease
from mrclassic.daemon import supervise
from mrclassic.daemon.status import beat_file
from mrclassic.errors import Refused
from mrclassic.home import Home
from mrclassic.lease import Lease
from mrclassic.model.policy import Policy
from mrclassic.night import run
from mrclassic.night import turn as turns
from mrclassic.night.turn import turn
from mrclassic.night.workplace import Workplace, alone
from mrclassic.settings import Settings
from mrclassic.store import Store
from mrclassic.training.suites import Suite, SuiteResult


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_LOOK", 0.01)


class Night:
    """A night in a thread of its own, which has begun once `inside` is set, and ends when told to."""

    def __init__(self, home: Home, *, patient: bool) -> None:
        self.said: list[str] = []
        self.inside, self.end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._live, args=(home, patient), daemon=True)
        self._thread.start()

    def _live(self, home: Home, patient: bool) -> None:
        with turn(home, "cpu", 5, self.said.append, beat_file(home), patient=patient) as device:
            self.inside.set()
            self.end.wait(20)
            device.release()

    def over(self) -> None:
        self.end.set()
        self._thread.join(20)
        assert not self._thread.is_alive()


def until(predicate: Callable[[], object]) -> None:
    for _ in range(2000):
        if predicate():
            return
        threading.Event().wait(0.01)
    pytest.fail("it did not happen in time")


def test_lessons_go_on_while_a_night_waits_for_the_device(home: Home) -> None:
    owner = Lease(home, "cpu")
    assert owner.share()
    night = Night(home, patient=False)
    until(lambda: night.said)
    assert "nobody has asked the model anything for 5 minutes" in night.said[0]
    assert lease.begun(home) == lease.Holder("night", os.getpid())
    assert lease.awaited(home)
    for _ in range(20):  # whenever it looks
        with alone(home, "night", "busy", "lesson"), lease.shared(home, "cpu"):
            assert lease.begun(home) == lease.Holder("lesson", os.getpid())
    assert not night.inside.is_set()
    owner.release()
    assert night.inside.wait(20)
    with pytest.raises(Refused, match=rf"busy Process {os.getpid()} is at it \(night\)"):
        alone(home, "night", "busy", "lesson").__enter__()
    with pytest.raises(Refused, match=r"A night .* is practising"):
        lease.shared(home, "cpu").__enter__()
    assert lease.begun(home) == lease.Holder("night", os.getpid())
    assert supervise.any_alive(home)
    night.over()
    assert lease.begun(home) is None
    assert not supervise.any_alive(home)


@pytest.mark.parametrize("what", ["night", "nightly"])
def test_a_night_of_the_schedule_waits_for_a_lesson_or_another_night(home: Home, what: str) -> None:
    with alone(home, what, "busy", "lesson"):
        night = Night(home, patient=True)
        until(lambda: night.said)
        assert lease.awaited(home), "the service must know that it is not silent"
        assert not night.inside.is_set()
    assert night.inside.wait(20)
    assert len(night.said) == 1
    assert night.said[0].startswith("The night waits. ")
    assert f"Process {os.getpid()} is at it (lesson)." in night.said[0]
    assert not lease.awaited(home)
    night.over()


@pytest.mark.parametrize(("what", "words"), [("night", "being learned"), ("nightly", "A night is running")])
def test_a_night_in_a_shell_is_refused_with_the_name_of_who_is_in_its_way(home: Home, what: str, words: str) -> None:
    with ExitStack() as held:
        held.enter_context(alone(home, what, "busy", "lesson"))
        with pytest.raises(Refused, match=rf"{words}.* Process {os.getpid()} is at it \(lesson\)"):
            turn(home, "cpu", 5, print, beat_file(home), patient=False).__enter__()
    with turn(home, "cpu", 5, print, beat_file(home), patient=False) as device:
        device.release()


def test_what_a_training_holds_is_no_night_to_the_app(home: Home) -> None:
    with alone(home, "night", "busy", "training"):
        assert lease.begun(home) is None
    assert json.loads((home.run / "night.lock").read_text())["who"] == "training"


def test_a_plan_stands_in_nobodys_way_and_measures_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = nights.hatch(tmp_path / "nest")
    measured: list[int] = []
    measure = Workplace.measure

    def noted(work: Workplace, policy: Policy, suites: Sequence[Suite]) -> dict[str, SuiteResult]:
        measured.extend(len(suite.probes) for suite in suites if suite.arms)
        return measure(work, policy, suites)

    monkeypatch.setattr(Workplace, "measure", noted)
    tasks = {
        "practice": {"tasks": "arithmetic:3", "prompts": 2, "group": 2, "selfplay": 0.0},
        "threads": 1,
        "dtype": "fp32",
    }
    few = 'threads = 1\n[practice]\ntasks = "arithmetic:3"\nprompts = 2\ngroup = 2\nselfplay = 0.0\n'
    home.settings_file.write_text(few, encoding="utf-8")
    with Store.open(home) as store, alone(home, "night", "busy"), alone(home, "nightly", "busy"):
        work = Workplace(home, Settings.model_validate(tasks), store, print)
        planned = run.Night(work, run.Wishes(60.0), glance=True)
        assert store.nights.last() is None
        code, plan, said = mrclassic(home.root, "night", "--plan", "--minutes", "1", "--json")
    assert measured == [150]
    assert planned.bench.glance
    assert code == 0, said
    assert said.startswith("Measuring what the model can do")
    assert plan["parent"] == "micro"
