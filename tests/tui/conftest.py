"""A home of its own for every test, and one mind that answers for all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import babies
import pytest

from mrclassic.home import Home
from mrclassic.mind import process
from mrclassic.store import Store
from mrclassic.tasks import catalogue, gym, listing


@pytest.fixture(scope="session")
def awake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose mind answers, with a random model that speaks gibberish."""
    home = Home(tmp_path_factory.mktemp("awake") / "home")
    babies.hatch(home)
    process.bring_up(home)
    yield home
    process.stop(home)


@pytest.fixture
def baby_home(awake: Home, home: Home) -> Home:
    """A home with a store and a book of its own; its socket leads to the mind that is awake."""
    home.socket.symlink_to(awake.socket)
    with Store.open(awake) as store:
        used = store.checkpoints.in_use()
    assert used is not None
    with Store.open(home) as store:
        store.checkpoints.add(used)
        store.checkpoints.use(used.id)
    (home.checkpoints / used.path).symlink_to(awake.checkpoints / used.path)
    return home


@pytest.fixture
def sleeping_home(tmp_path: Path) -> Iterator[Home]:
    """A home with a model whose mind the app has to start itself."""
    home = Home(tmp_path / "home")
    babies.hatch(home)
    yield home
    process.stop(home)


@pytest.fixture(scope="session")
def listed() -> str:
    """What `task list` keeps of a home: of arithmetic as it found it, of the others as little as will do. Reading all
    published data anew takes seconds a home."""
    kept = {}
    for name in [*catalogue.names(), *([catalogue.GYM] if gym.installed() else [])]:
        key = f"{listing._FORM} {gym.version()}" if name == catalogue.GYM else listing._key(name, None)
        facts = {"name": name, "about": f"about {name}", "source": "a test", "faults": 0, "broken": None}
        facts["levels"] = [{"level": "1", "train": 3, "held_out": 1, "example": "What is it?"}]
        kept[name] = {"key": key, "facts": facts if name != "arithmetic" else listing._find(name, None)}
    return json.dumps(kept)
