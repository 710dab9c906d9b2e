"""What the tests share: a home of their own, empty or with a model that has really hatched."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

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


_take_cores()  # before torch counts them


class _Together(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Each test goes to whichever process is free; those of the hatched model all to one, so that it hatches once."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "hatched" if _hatches(file) else nodeid


@cache
def _hatches(file: str) -> bool:
    return re.search(r"\b(hatched|nest)\b", Path(file).read_text(encoding="utf-8")) is not None


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """xdist's hook: who decides which process a test goes to."""
    return _Together(config, log)


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
    """A home in which `mrclassic hatch` has run in full, once for all tests, and the facts it printed."""
    home = tmp_path_factory.mktemp("hatched") / "home"
    code, facts, narration = mrclassic(home, "hatch", "--json")
    assert code == 0, narration
    return home, facts


@pytest.fixture
def nest(hatched: tuple[Path, dict[str, Any]], tmp_path: Path) -> Iterator[Home]:
    """A copy of the hatched home, to do with as a test likes."""
    shutil.copytree(hatched[0], tmp_path / "nest", ignore=shutil.ignore_patterns("*.sock", "*.lock"))
    home = Home(tmp_path / "nest").ensure()
    yield home
    process.stop(home)
