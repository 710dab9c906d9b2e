"""The owner's taste in a home: learned, kept, and a reward only where its numbers allow it."""

from __future__ import annotations

import shutil
from pathlib import Path

import choosers
import nights
import pytest

from mrclassic.choices import Choice
from mrclassic.errors import Refused, UsageError
from mrclassic.evidence import Evidence
from mrclassic.home import Home
from mrclassic.night import drill, pruning, taste, tasting
from mrclassic.night.drill import Order
from mrclassic.night.workplace import Workplace
from mrclassic.rewards import select
from mrclassic.rewards.contract import score
from mrclassic.settings import load
from mrclassic.store import Store
from mrclassic.store import tasting as stored
from mrclassic.tasks import arithmetic

PROMPT = [{"role": "user", "content": "What of it?"}]


def workplace(home: Home, store: Store) -> Workplace:
    return Workplace(home, load(home, nights.SETTINGS), store, lambda words: None)


def learned(folder: Path, picks: list[Choice]) -> tuple[Home, Evidence]:
    home = nights.hatch(folder)
    choosers.pick_all(home, picks)
    with Store.open(home) as store:
        work = workplace(home, store)
        return home, tasting.learn(work).evidence


@pytest.fixture(scope="module")
def nest(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home, found = learned(tmp_path_factory.mktemp("taste") / "home", choosers.choices(210))
    assert found.allowed
    assert len(found.seen) == 210
    return home


@pytest.fixture
def home(nest: Home, tmp_path: Path) -> Home:
    return Home(shutil.copytree(nest.root, tmp_path / "copy"))


def test_taste_is_a_reward_among_others(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    nights.small(monkeypatch)
    monkeypatch.setattr(drill, "ITEMS", 6)
    with Store.open(home) as store:
        work = workplace(home, store)
        arms = work.arms(["arithmetic:1"])
        _, own = work.rewards(["correct", "taste"], arms)
        assert (own.name, own.weight, own.decides) == ("taste", 0.3, False)
        assert work.rewards(["taste=2"], arms)[0].weight == 2.0
        found = score([own], [PROMPT] * 4, ["tea good tea", "bad moon no", "", "sun it tea"], {}).total
        assert found[0] > found[3] > found[1] > found[2] == 0.0  # type: ignore[operator]
        assert stored.standing(store, home).on
        assert [each.name for each in work.rewards(["correct"], work.arms(["conversation"]))] == ["correct", "taste"]
        done = drill.drill(work, Order("grpo", ("arithmetic:1",), ("correct", "taste=0.5"), steps=2, seed=1))
        metrics = [each for _, each in store.runs.steps(done.run)]
        assert all(0 < each["rewards/taste/mean"] < 1 for each in metrics)
        assert not any(alarm.verdict == "warn" and "taste" in alarm.message for alarm in store.runs.alarms(done.run))


def test_the_checkpoint_that_taste_reads_is_kept_and_no_other_will_do(home: Home) -> None:
    with Store.open(home) as store:
        assert "micro" in pruning.kept(home, store, 0)
        shutil.copytree(home.checkpoints / "micro", home.checkpoints / "other")
    shutil.rmtree(home.checkpoints / "micro")
    with pytest.raises(Refused, match="reads the states of micro"):
        taste.opened(home)
    with Store.open(home) as store:
        assert not stored.standing(store, home).on


def test_where_the_evidence_is_thin_it_is_refused_with_numbers_and_still_orders(tmp_path: Path) -> None:
    home, found = learned(tmp_path / "home", choosers.choices(40))
    assert not found.allowed
    with pytest.raises(Refused, match=r"40 picks among the model's own replies, and 200 are needed.*leave out"):
        taste.opened(home)
    with Store.open(home) as store, pytest.raises(Refused, match="200 are needed"):
        workplace(home, store).arms(["conversation"])
    with Store.open(home) as store, pytest.raises(Refused, match="200 are needed"):
        drill.drill(workplace(home, store), Order("grpo", ("arithmetic:1",), ("correct", "taste"), steps=1))
    assert taste.opened(home, as_reward=False).best(PROMPT, ["bad moon no", "tea good tea"]) == 1


def test_without_a_home_or_without_picks_there_is_none(home: Home, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="learned from the picks of a home"):
        select(["taste"], arithmetic)
    empty = nights.hatch(tmp_path / "empty")
    with pytest.raises(Refused, match="was not learned yet"):
        taste.opened(empty)
    with Store.open(empty) as store:
        work = workplace(empty, store)
        with pytest.raises(Refused, match="there are 0"):
            tasting.learn(work)
