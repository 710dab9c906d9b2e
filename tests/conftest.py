"""What the tests share: a home of their own, empty or with a model that has really hatched."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from homes import mrclassic
from xdist.scheduler import LoadScopeScheduling

from mrclassic.home import Home
from mrclassic.mind import process


def _take_cores() -> None:
    """Side by side each process of the tests, and what it starts, keeps to cores of its own: two that compute on the
    same ones wait for each other."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[
            int(worker.removeprefix("gw")) :: int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        ]
        if cores:
            os.sched_setaffinity(0, cores)


hypothesis.settings.register_profile("patient", deadline=None)  # a busy machine is no defect
hypothesis.settings.load_profile("patient")
_take_cores()  # before torch counts them


class _OneByOne(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Each test goes to whichever process is free, in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """xdist's hook: who decides which process a test goes to."""
    return _OneByOne(config, log)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Those that run alone are few: no other file is imported for them."""
    if config.getoption("markexpr") != "alone" or collection_path.suffix != ".py":
        return None
    return None if ".alone" in collection_path.read_text(encoding="utf-8") else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Side by side: the hatching begins at once, beside it the files that hold slow tests, then what needs its model.
    The quick ones come last, so that all processes end together."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    slow = {item.path for item in items if item.get_closest_marker("slow")}

    def turn(item: pytest.Item) -> int:
        needs = set(getattr(item, "fixturenames", ()))
        if "hatched" in needs:
            return 2 if "nest" in needs else 0
        return 1 if item.path in slow else 3

    items.sort(key=turn)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home with its folders."""
    return Home(tmp_path / "home").ensure()


@pytest.fixture(autouse=True)
def ordinary_floats() -> Iterator[None]:
    """Choosing a device rounds the smallest numbers to zero for the rest of the process; hypothesis draws them."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


@pytest.fixture(scope="session")
def hatched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A home in which `mrclassic hatch` has run in full, once for all processes of the tests, and the facts it
    printed."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    home, told = folder / "hatched", folder / "hatched.json"
    with (folder / "hatched.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            code, facts, narration = mrclassic(home, "hatch", "--json")
            assert code == 0, narration
            told.write_text(json.dumps(facts))
    return home, json.loads(told.read_text())


@pytest.fixture
def nest(hatched: tuple[Path, dict[str, Any]], tmp_path: Path) -> Iterator[Home]:
    """A copy of the hatched home, to do with as a test likes."""
    shutil.copytree(hatched[0], tmp_path / "nest", ignore=shutil.ignore_patterns("*.sock", "*.lock"))
    home = Home(tmp_path / "nest").ensure()
    yield home
    process.stop(home)
