"""Traces from a real server in another process, from a file, and from a checkpoint; only what is right is learned."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from threading import enumerate as enumerate_threads

import httpx
import micro
import nights
import pytest
from solver import solver

from mrclassic import failpoints
from mrclassic.errors import MrClassicError, Refused, UsageError
from mrclassic.home import Home
from mrclassic.mind import teacher as asking
from mrclassic.mind.teacher import Teacher
from mrclassic.night import distilling, traces
from mrclassic.night.distilling import Distilled, Order, Source
from mrclassic.night.traces import Terms
from mrclassic.night.workplace import Workplace
from mrclassic.settings import load
from mrclassic.store import Store
from mrclassic.tasks import arithmetic, select
from mrclassic.tasks.arms import Arms
from mrclassic.training import distill
from mrclassic.training.report import StepReport

ARMS = Arms([select("arithmetic:2")])
PUPIL = micro.policy(context=192)
TERMS = Terms(at_once=4, max_tokens=100, prices=(1e5, 1e5))  # a reply of 20 + 30 tokens costs 5
OWN = distill.Settings(batch=8, learning_rate=1e-3, warmup=2, seed=3)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    nights.small(monkeypatch)
    monkeypatch.setattr(distilling, "ITEMS", 6)
    monkeypatch.setattr(asking, "_PAUSES", (0.01, 0.01))


def ask(url: str, folder: Path, count: int = 12, terms: Terms = TERMS, patience: float = 30.0) -> traces.Said:
    items = traces.questions(ARMS, count, 1)
    with Teacher(url, "solver", patience=patience) as teacher:
        return traces.from_teacher(teacher, items, terms, folder)


def asked(url: str) -> int:
    return int(httpx.get(url).json()["asked"])


def test_right_answers_are_kept_and_nothing_is_paid_for_twice(tmp_path: Path) -> None:
    with solver("wrong") as url:
        said = ask(url, tmp_path)
        found = traces.verified(said, ARMS, PUPIL)
        assert (found.asked, found.failed, said.cost) == (12, 0, 12 * 5.0)
        assert 0 < found.wrong < 12
        assert len(found.traces) == 12 - found.wrong
        for trace in found.traces:
            item = arithmetic.parse(trace.messages[-1]["content"])
            assert trace.reply == item.trace  # type: ignore[union-attr]
        assert ask(url, tmp_path) == said
        assert asked(url) == 12
        assert ask(url, tmp_path, terms=replace(TERMS, words="Think.")).pairs
        assert asked(url) == 24, "other words are another question"


def test_a_server_that_is_busy_or_slow_is_asked_again(tmp_path: Path) -> None:
    with solver("busy") as url:
        assert len(ask(url, tmp_path).pairs) == 12
        assert asked(url) == 24
    with solver("hangs") as url:
        said = ask(url, tmp_path / "slow", terms=replace(TERMS, at_once=1), patience=0.5)
        assert len(said.pairs) == 12
        assert asked(url) > 12


def test_a_server_that_fails_ends_it_and_what_was_answered_is_there(tmp_path: Path) -> None:
    with solver() as url:
        ask(url, tmp_path, 5)
        with solver("dead") as dead, pytest.raises(MrClassicError, match="could not be reached"):
            ask(dead, tmp_path, 12)
        assert len(ask(url, tmp_path, 5).pairs) == 5
        assert asked(url) == 5


def test_the_ceiling_is_never_passed(tmp_path: Path) -> None:
    terms = replace(TERMS, ceiling=50.0)
    with solver() as url:
        said = ask(url, tmp_path, 40, terms)
        assert 0 < said.cost <= 50.0
        assert "ceiling" in said.cut
        assert len(said.pairs) == asked(url) < 10, "a question is not asked where it could cost more than is left"
        again = ask(url, tmp_path, 40, terms)
        assert again.cost <= 50.0, "what was paid for before counts too"
    with pytest.raises(UsageError, match="needs prices"):
        Terms(ceiling=1.0)


def test_what_a_server_does_not_count_is_counted_here(tmp_path: Path) -> None:
    terms = replace(TERMS, prices=(1e6, 0.0))  # a token read costs 1
    items = traces.questions(ARMS, 6, 1)
    with solver("uncounted") as url:
        said = ask(url, tmp_path, 6, terms)
        assert said.cost == sum(len(item.question) // 3 for item in items) > 0
        assert ask(url, tmp_path, 6, terms).cost == said.cost, "known answers cost what they cost"


def test_who_interrupts_does_not_wait_for_the_server(tmp_path: Path) -> None:
    """Python waits at its end for every thread that is no daemon, and so for minutes for a server that hangs."""
    before = set(enumerate_threads())

    def interrupt(total: int, done: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with solver("hangs") as url, Teacher(url, "solver") as teacher:
        with pytest.raises(KeyboardInterrupt):
            traces.from_teacher(teacher, traces.questions(ARMS, 12, 1), TERMS, tmp_path, interrupt)
        still = set(enumerate_threads()) - before
        assert still
        assert all(each.daemon for each in still)


def test_what_still_comes_when_a_server_is_given_up_is_kept(tmp_path: Path) -> None:
    with solver("slowly") as url:
        with pytest.raises(MrClassicError, match="HTTP 400"):
            ask(url, tmp_path)
        (file,) = tmp_path.iterdir()
        assert json.loads(file.read_text(encoding="utf-8"))["text"]


def test_a_file_of_traces(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    good, bad = arithmetic.sample(nights_rng(1), "2"), arithmetic.sample(nights_rng(2), "2")
    reserved = arithmetic.held_out("2", 1)[0]
    lines = [
        {"question": good.question, "completion": good.trace},
        {"messages": [*bad.messages, {"role": "assistant", "content": "So 1."}]},
        {"question": reserved.question, "completion": reserved.trace},
        {"question": good.question, "completion": f"{'1+1=2, ' * 90}{good.trace}"},
    ]
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    found = traces.verified(traces.from_file(file, ARMS), ARMS, PUPIL)
    assert [trace.reply for trace in found.traces] == [good.trace]
    assert (found.asked, found.wrong, found.held_out, found.too_long) == (4, 1, 1, 1)
    file.write_text('{"question": "What is 1 + 2?"}\n')
    with pytest.raises(UsageError, match=r'traces.jsonl line 1: it has no "completion"'):
        traces.from_file(file, ARMS)


def nights_rng(at: int):  # type: ignore[no-untyped-def]
    from mrclassic.tasks.base import keyed

    return keyed("distilling", at)


def test_a_checkpoint_answers_alike_each_time() -> None:
    items = traces.questions(ARMS, 6, 1)
    assert traces.from_policy(PUPIL, items, 2) == traces.from_policy(PUPIL, items, 2)
    assert traces.from_policy(PUPIL, items, 2).failed + len(traces.from_policy(PUPIL, items, 2).pairs) == 6


# -- in a home


def run(home: Home, order: Order | None, watch=None, resume: int | None = None) -> Distilled:  # type: ignore[no-untyped-def]
    with Store.open(home) as store:
        work = Workplace(home, load(home, nights.SETTINGS), store, lambda words: None)
        return distilling.learn(work, order, resume=resume, watch=watch)


def test_killed_while_asking_and_while_training_it_comes_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, twin = nights.hatch(tmp_path / "home"), nights.hatch(tmp_path / "twin")
    with solver() as url:
        order = Order(("arithmetic:1",), Source(url, "solver"), 40, TERMS, OWN, steps=4)
        straight = run(twin, order)
        before = asked(url)

        def dying() -> None:
            noted = 0

            def reached(name: str) -> None:
                nonlocal noted
                noted += name == "teacher.noted"
                if noted == 20:
                    os._exit(9)

            monkeypatch.setattr(failpoints, "reached", reached)
            run(home, order)

        assert nights.forked(dying) == 9
        paid = asked(url) - before
        assert 20 <= paid <= 20 + TERMS.at_once
        seen: list[int] = []

        def interrupt(report: StepReport) -> None:
            seen.append(report.step)
            if len(seen) == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(home, None, interrupt, resume=0)
        assert asked(url) - before <= 40 + TERMS.at_once, "what was answered is not asked again"
    resumed = run(home, None, resume=0)  # the server is gone: the traces are there
    assert resumed.model_sha256 == straight.model_sha256
    assert (resumed.kept, resumed.asked) == (straight.kept, 40) == (40, 40)
    assert (resumed.before, resumed.after) == (straight.before, straight.after)


def test_too_few_right_answers_are_no_ground_to_learn_on(tmp_path: Path) -> None:
    home = nights.hatch(tmp_path / "home")
    order = Order(("arithmetic:1",), Source(checkpoint="micro"), 40, TERMS, OWN, steps=2)
    with pytest.raises(Refused, match="it takes 32"):
        run(home, order)
    with pytest.raises(UsageError, match="one of --teacher"):
        Source(file="a", checkpoint="b")
    with pytest.raises(UsageError, match="is a dialogue"):
        run(home, replace(order, tasks=("keyturn:2",)))
