"""The night at this moment: what the app reads of it, shows of it, and asks of it."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import pytest
from daemon.services import POLITE, Services, gone
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import OptionList, Static
from tui.seats import Seat, seat

from mrclassic.daemon import status
from mrclassic.home import Home
from mrclassic.lease import Lease, begun
from mrclassic.night.plan import Plan, PlannedStage
from mrclassic.night.workplace import alone
from mrclassic.store import Checkpoint, Store
from mrclassic.tui.curves import MOST, Thinned
from mrclassic.tui.screens.nights import Nights
from mrclassic.tui.tonight import Watcher
from mrclassic.tui.widgets.plots import Picture

PLAN = Plan(60, "a", 0, (), (PlannedStage("book", 10, 8, "x", 1.0), PlannedStage("grpo", 40, 8, "y", 3.0)), 120.0)


@contextmanager
def night(home: Home, update: int) -> Iterator[tuple[Store, int, int]]:
    """A night in its second stage, that has the device: (store, night, run)."""
    home.ensure()
    lease = Lease(home, "cpu")
    with Store.open(home) as store, alone(home, "night", "busy"):
        assert lease.own("night")
        status.beat_file(home).write_text("run 1: update 3")
        number = store.nights.start({"plan": asdict(PLAN), "lines": list(PLAN.lines())})
        run = store.runs.start("grpo", {}, None, number)
        store.nights.update(number, "running", "grpo")
        advance(store, run, 1, update)
        yield store, number, run
        lease.release()


def advance(store: Store, run: int, first: int, last: int) -> None:
    with store.transaction():
        for step in range(first, last + 1):
            numbers = {"reward": step / 40, "kl": 0.1 * step, "frac_reward_zero_std": 0.5, "entropy": 1.0}
            times = {"seconds/rollout": 2.0, "seconds/update": 4.0, "completions/mean_length": 9.0}
            looks = {} if step % 5 else {"look/held_out": 0.5 + step / 100, "look/book": 1.0}
            store.runs.step(run, step, {**numbers, **times, **looks})


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2000))
def test_a_curve_keeps_its_mean_and_its_end_in_bounded_room(values: list[float]) -> None:
    thinned = Thinned()
    for step, value in enumerate(values, start=1):
        thinned.add(step, value)
    thinned.add(len(values) + 1, math.nan)
    curve = thinned.curve("reward")
    assert curve is not None
    assert len(thinned.points) <= MOST
    assert curve.steps[-1] == len(values)
    assert list(curve.steps) == sorted(set(curve.steps))
    weights = [b - a for a, b in zip((0.0, *curve.steps), curve.steps, strict=False)]
    mean = sum(w * v for w, v in zip(weights, curve.values, strict=True)) / len(values)
    assert mean == pytest.approx(sum(values) / len(values), rel=1e-6, abs=1e-3)


def test_what_is_read_of_a_night(home: Home) -> None:
    with night(home, 10) as (store, number, run):
        watcher = Watcher(home, store)
        seen = watcher.look()
        assert (seen.state, seen.night, seen.stage, seen.place, seen.stages) == ("running", number, "grpo", 2, 2)
        assert (seen.step, seen.steps, seen.pid) == (10, 40, os.getpid())
        assert seen.left == pytest.approx((30 * 6 + 60) / 60), "at the pace of its updates, and half the measuring"
        assert seen.device == f"The night has the device (process {os.getpid()})."
        assert "No service runs" in seen.service
        titles = ["reward", "groups scored alike", "length in tokens", "KL to the start", "entropy"]
        assert [curve.title for curve in seen.curves] == [*titles, "held-out items right", "of the book by heart"]
        assert (seen.curves[-2].steps, seen.curves[-2].note) == ((5.0, 10.0), "60%")
        assert seen.plan == PLAN.lines()
        store.runs.alarm(run, 10, "length", "warn", "Answers \x1b[31mgrow.")
        store.runs.sample(run, 10, "1 + 1", "2", 1.0, {"rewards": {"correct": 1.0, "judge": None}, "answer": "2"})
        advance(store, run, 11, 12)
        seen = watcher.look()
        assert seen.step == 12
        assert seen.curves[0].values[-1] == 12 / 40
        assert seen.alarms == ("grpo, update 10: warn: Answers ␛[31mgrow.",)
        assert (seen.samples[0].reward, seen.samples[0].parts) == (1.0, "correct 1, judge abstains, right is 2")
        store.runs.finish(run, "interrupted")
        store.runs.rewind(run, 5)
        store.runs.resume(run)
        assert watcher.look().step in (5, 12)
        store.runs.finish(run, "done")
        store.nights.update(number, "running", "gate")
        assert watcher.look().state == "judging"
    with Store.open(home) as store:
        store.nights.finish(number, "done")
        seen = Watcher(home, store).look()
        assert (seen.state, seen.nights, seen.pid, seen.device) == ("idle", number, 0, "The device is free.")


def test_before_a_night_has_its_row_it_starts_waits_or_plans(home: Home) -> None:
    with Store.open(home.ensure()) as store, alone(home, "night", "busy"):
        watcher, lease = Watcher(home, store), Lease(home, "cpu")
        assert watcher.look().state == "starting"
        with lease.waiting():
            assert watcher.look().state == "waiting"
        assert lease.own("night")
        assert watcher.look().state == "planning"
        lease.release()
    with Store.open(home) as store, alone(home, "night", "busy", "lesson"):
        assert Watcher(home, store).look().state == "lesson"
    assert begun(home) is None


def test_what_is_held_out_is_followed_from_checkpoint_to_checkpoint(home: Home) -> None:
    with Store.open(home.ensure()) as store:
        for name, parent, score in (("a", None, 0.2), ("b", "a", 0.4), ("c", "b", 0.8)):
            metrics = {"book_recall": 1.0, "arithmetic:1": score, "arithmetic:2": 0.0}
            store.checkpoints.add(Checkpoint(name, name, parent, metrics=metrics))
        store.checkpoints.use("c")
        (curve,) = Watcher(home, store).look().curves
    assert curve.title == "held out, 2 levels"
    assert curve.values == pytest.approx((0.1, 0.2, 0.4))


def text(here: Seat, part: str) -> str:
    return str(here.app.screen.query_one(f"#now--{part}", Static).content)


async def now(here: Seat, words: str) -> Nights:
    screen = here.app.screen
    assert isinstance(screen, Nights)
    await here.until(lambda: words in text(here, "head"), words)
    return screen


@pytest.mark.parametrize("size", [(60, 24), (200, 50)])
async def test_the_page_follows_a_night_that_runs(home: Home, size: tuple[int, int]) -> None:
    with night(home, 10) as (store, number, run):
        async with seat(home, size=size) as here:
            await here.pilot.press("f7")
            screen = await now(here, "update 10 of 40")
            assert not here.screen.mind.ready, "who looks at a night does not end it"
            await here.until(lambda: len(screen.query(Picture)) == 7, "the curves")
            advance(store, run, 11, 14)
            await now(here, "update 14 of 40")
            reward = screen.query(Picture).first()
            await here.until(lambda: reward.border_subtitle == "0.35", "the curve to move")
            assert screen.now.max_scroll_x == 0
            await here.pilot.press("tab", "pagedown")
            await here.until(lambda: screen.now.scroll_y > 0 or not screen.now.max_scroll_y, "the page")
            store.nights.finish(number, "interrupted")
            await here.pilot.press("escape")
            assert here.app.screen is here.screen


async def test_a_night_of_the_shell_is_ended_with_a_key(home: Home) -> None:
    code = (
        "import sys, time, signal\nfrom pathlib import Path\nfrom mrclassic.home import Home\n"
        "from mrclassic.night.workplace import alone\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(75))\n"
        "with alone(Home(Path(sys.argv[1])), 'night', ''):\n    print('here', flush=True)\n    time.sleep(60)\n"
    )
    home.ensure()
    child = subprocess.Popen([sys.executable, "-c", code, str(home.root)], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"here\n"
        async with seat(home) as here:
            await here.pilot.press("f7")
            await now(here, "A night is starting")
            await here.pilot.press("n")
            await here.until(lambda: "running already" in here.toasts, "the refusal")
            await here.pilot.press("s")
            await now(here, "No night is running")
        assert child.wait(10) == 75
    finally:
        child.kill()


async def test_a_night_that_cannot_begin_says_why(home: Home) -> None:
    async with seat(home) as here:
        await here.pilot.press("f7")
        await now(here, "No night is running")
        await here.pilot.press("s")
        await here.until(lambda: "No night is running." in here.toasts, "the answer")
        await here.pilot.press("n")
        await here.until(lambda: "mrclassic hatch" in here.toasts, "the reason")


@pytest.fixture
def service(home: Home) -> Iterator[None]:
    process = Services(home.ensure()).start(POLITE)
    yield
    process.terminate()
    process.communicate()


async def test_a_service_is_asked(home: Home, service: None) -> None:
    async with seat(home) as here:
        await here.pilot.press("f7", "n")
        await here.until(lambda: "The service starts the night" in here.toasts, "the start")
        await here.until(lambda: status.read(home).night, "the night")
        running = status.read(home).night
        assert running is not None
        await here.pilot.press("s")
        await here.until(lambda: "saves and ends" in here.toasts, "the stop")
        await here.until(lambda: gone(running.pid), "its end")
        await here.until(lambda: status.read(home).night is None, "the end to be noticed")
        assert status.read(home).unfinished is None, "it does not go on by itself"
        await here.pilot.press("p")
        await here.until(lambda: status.read(home).paused, "the pause")
        await here.pilot.press("r")
        await here.until(lambda: not status.read(home).paused, "the end of the pause")


async def test_a_night_that_ends_gets_its_place_in_the_list(home: Home) -> None:
    with night(home, 3) as (store, number, _):
        async with seat(home) as here:
            await here.pilot.press("f7")
            screen = await now(here, "update 3")
            shelf = screen.query_one(OptionList)
            await here.until(lambda: shelf.option_count == 2, "the list")
            store.nights.finish(number, "done", gate={"verdict": "promote"})
            await here.until(lambda: "promoted" in str(shelf.get_option_at_index(1).prompt), "its row")
            assert shelf.highlighted == 0
