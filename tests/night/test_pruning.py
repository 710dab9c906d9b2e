"""Which checkpoints stay: whatever else was made, used, undone or killed."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mrclassic.home import Home
from mrclassic.model.manifest import Manifest, publish
from mrclassic.night.pruning import after_session, prune
from mrclassic.store import Checkpoint, Store


def make(home: Home, store: Store, name: str, method: str = "night", use: bool = False) -> None:
    """A checkpoint of one small file: no weights are needed to be removed."""

    def fill(folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(name.encode() * 100)

    publish(home.checkpoints / name, fill, lambda folder: Manifest(name, "", 1, "", method=method))
    store.checkpoints.add(Checkpoint(name, name, created=f"2026-01-{int(name[1:]) + 1:02}T00:00:00"))
    if use:
        store.checkpoints.use(name)


def here(home: Home) -> set[str]:
    return {path.name for path in home.checkpoints.iterdir()}


def test_the_three_newest_those_used_last_golden_and_what_is_in_use_stay(home: Home) -> None:
    with Store.open(home) as store:
        for number in range(12):
            make(home, store, f"c{number}", use=number in (1, 2, 3, 4, 5, 6))
        store.checkpoints.set_golden("c0")
        seen = prune(home, store, only_say=True)
        assert here(home) == {f"c{number}" for number in range(12)}
        done = prune(home, store)
        assert done == seen
        assert here(home) == {"c0", "c6", "c5", "c4", "c3", "c11", "c10", "c9"}
        assert set(done.removed) == {"c1", "c2", "c7", "c8"}
        assert done.freed > 4 * 200
        assert len(store.checkpoints.list()) == 12, "what is known of them stays"
        assert prune(home, store).removed == ()


def test_what_a_run_or_a_night_can_go_on_from_stays(home: Home) -> None:
    with Store.open(home) as store:
        for number in range(10):
            make(home, store, f"c{number}", use=number > 5)
        store.runs.start("grpo", {}, "c0")
        cut = store.runs.start("grpo", {}, "c1")
        store.runs.finish(cut, "interrupted")
        (home.runs / f"run-{cut}").mkdir()
        over = store.runs.start("grpo", {}, "c2")
        store.runs.finish(over, "interrupted")  # its folder is gone: it cannot go on
        store.nights.start({"wanted": "c3"})
        night = store.nights.last()
        assert night is not None
        (home.runs / f"night-{night.id}").mkdir()
        prune(home, store)
        assert {"c0", "c1", "c3"} <= here(home)
        assert "c2" not in here(home)


def test_what_was_imported_stays_and_what_a_kill_left_goes(home: Home) -> None:
    with Store.open(home) as store:
        make(home, store, "c0", method="import")
        for number in range(1, 9):
            make(home, store, f"c{number}", use=True)
        (home.checkpoints / ".going.c99").mkdir()
        old, fresh = home.checkpoints / ".c50.abc", home.checkpoints / ".c51.abc"
        old.mkdir()
        fresh.mkdir()
        os.utime(old, (1, 1))
        prune(home, store)
        assert {"c0", fresh.name} <= here(home)
        assert not {".going.c99", old.name} & here(home)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["make", "use", "undo", "golden", "prune"]), max_size=30), st.randoms())
def test_never_what_is_in_use_or_golden_nor_what_undo_leads_to(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], chance: random.Random
) -> None:
    home = Home(tmp_path_factory.mktemp("home") / "h").ensure()
    with Store.open(home) as store:
        made = 0
        for step in ["make", "use", *steps]:
            present = sorted(here(home))
            if step == "make" and made < 25:
                make(home, store, f"c{made}")
                made += 1
            elif step == "use":
                store.checkpoints.use(chance.choice(present))
            elif step == "golden":
                store.checkpoints.set_golden(chance.choice(present))
            elif step == "undo":
                back = [row.id for row in store.checkpoints.former() if row.id in present]
                if back:
                    store.checkpoints.use(back[0], undo=True)
            elif step == "prune":
                back = [row.id for row in store.checkpoints.former() if row.id in present]
                prune(home, store)
                golden = store.checkpoints.golden()
                used = store.checkpoints.in_use()
                must = {row.id for row in (golden, used) if row is not None} | set(back[:3])
                assert must <= here(home)
                assert len(here(home)) <= 8


def test_a_failure_is_one_sentence(home: Home) -> None:
    said: list[str] = []
    with Store.open(home) as store:
        for number in range(9):
            make(home, store, f"c{number}", use=True)
        (home.checkpoints / ".going.c0").mkdir()
        (home.checkpoints / ".going.c0" / "there").touch()
        after_session(home, store, said.append)
        assert len(said) == 1
        assert store.checkpoints.in_use() is not None
