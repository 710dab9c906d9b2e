"""What the owner said as stages of a night: where the evidence carries them, and why not where it does not."""

from __future__ import annotations

import random
import shutil
from dataclasses import asdict
from pathlib import Path

import choosers
import micro
import nights
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.home import Home
from mrclassic.night import opinions, planning, pleasing, report, run, tasting
from mrclassic.night.gate import HELD_OUT
from mrclassic.night.means import Means
from mrclassic.night.opinions import DPO, RATED, STAGES, TASTE, Marks
from mrclassic.night.plan import Plan, PlannedStage
from mrclassic.night.run import Night, Wishes
from mrclassic.night.workplace import Workplace
from mrclassic.settings import load
from mrclassic.store import Store
from mrclassic.training import fits

STEPS = {DPO: 2, RATED: 2, TASTE: 3}
TALKS = 34


def workplace(home: Home, store: Store, **more: object) -> Workplace:
    return Workplace(home, load(home, {**nights.SETTINGS, **more}), store, lambda words: None)


def rate(home: Home, count: int) -> None:
    """So many short talks, rated from 1 to 5."""
    rng = random.Random(7)
    with Store.open(home) as store, store.transaction():
        for at in range(count):
            talk = store.conversations.create().id
            asked = store.conversations.add(talk, None, "user", f"And {at}?", origin="user").id
            store.conversations.add(talk, asked, "assistant", rng.choice(choosers.replies(rng)), origin="typed")
            store.ratings.add(talk, 1 + at % 5)


@pytest.fixture(scope="module")
def opinionated(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with picks, a taste that was learned from them, and ratings."""
    home = nights.hatch(tmp_path_factory.mktemp("opinions") / "home", micro.policy(context=160, loud=3.0))
    choosers.pick_all(home, choosers.choices(210))
    rate(home, TALKS)
    with Store.open(home) as store:
        assert tasting.learn(workplace(home, store)).evidence.allowed
    return home


@pytest.fixture
def home(opinionated: Home, tmp_path: Path) -> Home:
    return Home(shutil.copytree(opinionated.root, tmp_path / "home"))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nights of a few updates of each of these stages."""
    nights.small(monkeypatch)

    def make(means: Means, minutes: float, tables: tuple[str, ...]) -> Plan:
        stages = tuple(PlannedStage(name, steps, 9, "few", 60.0) for name, steps in STEPS.items())
        marks = asdict(means.opinions.marks)
        return Plan(minutes, means.parent.row.id, len(means.bench.new), (), stages, 1.0, tables, marks=marks)

    monkeypatch.setattr(planning, "make", make)
    monkeypatch.setattr(run, "GATE_ITEMS", 4)


def test_a_home_without_opinions_is_told_what_is_lacking(tmp_path: Path) -> None:
    home = nights.hatch(tmp_path / "home")
    with Store.open(home) as store:
        none = opinions.gather(workplace(home, store))
        assert (dict(none.shares), none.suite) == ({}, None)
        assert list(none.off) == list(STAGES)
        said = "\n".join(none.lines)
        assert "0 pairs to learn from and 0 picks held out" in said
        assert "0 rated conversations" in said
        assert "not learned yet" in said
        mute = opinions.gather(workplace(home, store, **{"taste.dpo": 0, "taste.practice": 0}))
        assert "no time ([taste] dpo)" in mute.off[DPO]
        assert "no time ([taste] practice)" in mute.off[TASTE]


def test_evidence_that_is_thin_switches_taste_off_with_its_numbers(tmp_path: Path) -> None:
    home = nights.hatch(tmp_path / "home")
    choosers.pick_all(home, choosers.choices(130))
    with Store.open(home) as store:
        work = workplace(home, store)
        tasting.learn(work)
        found = opinions.gather(work)
        assert list(found.shares) == [DPO]
        assert "there are 130 picks" in found.off[TASTE]
        assert found.suite is not None
        assert len(found.suite.probes) == len(found.held) >= opinions.HELD
        assert not {each.prompt for each in found.learned} & {each.prompt for each in found.held}


def test_a_taste_that_is_damaged_is_no_reason_to_practise_nothing(home: Home) -> None:
    (folder,) = home.taste.iterdir()
    (folder / "heads.safetensors").write_bytes(b"x")
    with Store.open(home) as store:
        found = opinions.gather(workplace(home, store))
    assert list(found.shares) == [DPO, RATED]
    assert "heads.safetensors" in found.off[TASTE]


def test_what_is_said_later_is_for_the_next_night(home: Home) -> None:
    with Store.open(home) as store:
        before = opinions.gather(workplace(home, store))
        assert list(before.shares) == list(STAGES)
        assert len(before.talks) == TALKS
    choosers.pick_all(home, choosers.choices(12, seed=9))
    rate(home, 1)
    with Store.open(home) as store:
        work = workplace(home, store)
        then = opinions.gather(work, Marks(**asdict(before.marks)))
        assert (then.learned, then.held, then.marks) == (before.learned, before.held, before.marks)
        assert "not those that the night began with" in then.off[RATED]
        assert len(opinions.gather(work).learned) > len(before.learned)


def test_the_plan_says_the_arithmetic_and_keeps_to_the_shares(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "GATE_ITEMS", 6)
    monkeypatch.setattr(run, "_FEWEST_ITEMS", 6)
    with Store.open(home) as store:
        night = Night(workplace(home, store, **{"practice.selfplay": 0.0}), Wishes(5.0, seed=3))
        plan = night.plan
        stages = {each.name: each for each in plan.stages}
        assert set(stages) == {"book", *STAGES, "grpo"}
        assert night.bench.kinds[HELD_OUT] == "target"
        said = "\n".join(plan.words)
        assert "pairs of" in said
        assert f"{TALKS} rated conversations, 32 an update" in said
        assert "(1 talk by your taste, which named" in said
        left = plan.minutes - stages["book"].minutes
        assert all(each.steps > 0 for each in plan.stages)
        assert stages[TASTE].minutes <= 0.15 * left
        assert stages[DPO].minutes <= 0.1 * left
        assert Plan.of(asdict(plan)) == plan


def test_their_memory_is_told_before_and_what_does_not_fit_is_off(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(home) as store:
        work = workplace(home, store)
        said = opinions.gather(work)
        lines, fitting = planning.memory(work, said)
        assert fitting == said
        heads = [line for line in lines if not line.startswith(" ")]
        assert [head.partition(" from ")[0] for head in heads] == ["book", "grpo", "selfplay", *STAGES]
        (head,) = (line for line in lines if "memory, MiB" in line)
        assert head.split() == ["memory,", "MiB", "book", "grpo", "selfplay", *STAGES, "during"]
        peaks = next(line for line in lines if "at most at once" in line).split()[4:10]
        assert all(int(each.replace(",", "")) > 100 for each in peaks)
        assert "(1 talk among 3 questions), 4 book entries replayed." in heads[-1]
        free = iter((None, None, None, 2**20, None, None))  # other programs take it for a moment
        monkeypatch.setattr(fits, "free_memory", lambda device: next(free))
        _, left = planning.memory(work, said)
    assert list(left.shares) == [RATED, TASTE]
    assert left.lines[0].startswith("your picks (dpo): off. This training needs about")


def test_cut_short_anywhere_it_comes_to_the_same_and_is_told(home: Home, tmp_path: Path, few: None) -> None:
    whole = Home(shutil.copytree(home.root, tmp_path / "whole"))
    straight = nights.night(whole)
    for asked in (2, 4, 5):  # in each of the three stages
        assert nights.night(home, stopping=after(asked)).interrupted
        choosers.pick_all(home, choosers.choices(1, seed=asked))  # said meanwhile: for the next night
    result = nights.night(home)

    def told(of: Home) -> list[object]:
        with Store.open(of) as store:
            row = store.nights.last()
            assert row is not None
            assert row.checkpoint is not None
            rows = [
                (each.kind, each.status, [(at, plain(metrics)) for at, metrics in store.runs.steps(each.id)])
                for each in store.runs.of_night(row.id)
            ]
            return [store.checkpoints.get(row.checkpoint).model_sha256, *rows]

    assert told(home) == told(whole)
    stages = {each.name: each for each in result.report.stages}
    assert {name: stage.status for name, stage in stages.items()} == dict.fromkeys(STEPS, "done")
    curve = [point for _, point in stages[TASTE].curve]
    assert all(0 < point["rewards/taste/mean"] < 1 and "kl" in point for point in curve)
    assert any(sample.note.startswith("taste ") for sample in stages[TASTE].samples)
    page = report.to_markdown(straight.report)
    assert "By the taste that was learned from your picks" in page
    assert HELD_OUT in page


def after(updates: int):  # type: ignore[no-untyped-def]
    """Says stop once it was asked so often."""
    asked = 0

    def stopping() -> bool:
        nonlocal asked
        asked += 1
        return asked > updates

    return stopping


def plain(metrics: dict[str, object]) -> dict[str, str]:
    return {name: repr(value) for name, value in metrics.items() if not name.startswith("seconds")}


@settings(max_examples=30, deadline=None)
@given(count=st.integers(1, 64), rows=st.integers(0, 3))
def test_talks_are_half_of_whatever_is_asked_for_and_one_at_least(count: int, rows: int) -> None:
    talks = pleasing.talks(count)
    assert 1 <= talks <= count
    assert abs(talks - count / 2) <= 0.5
