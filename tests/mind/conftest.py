"""A home with a random model, and one whose mind is awake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import babies
import pytest

from mrclassic.home import Home
from mrclassic.mind import process


@pytest.fixture(scope="session")
def mind_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One mind that many tests ask."""
    home = Home(tmp_path_factory.mktemp("mind") / "home")
    babies.hatch(home)
    process.bring_up(home)
    yield home
    process.stop(home)


@pytest.fixture
def fresh_home(tmp_path: Path) -> Iterator[Home]:
    """A home whose mind does not run yet; for tests that end it, or its checkpoints."""
    home = Home(tmp_path / "home")
    babies.hatch(home)
    yield home
    process.stop(home)
