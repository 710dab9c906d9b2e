"""A mind takes no weights that memory has no room for: it says so, and goes on with what it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import babies
import pytest

from mrclassic.home import Home
from mrclassic.mind import weights
from mrclassic.mind.client import MindClient
from mrclassic.mind.desk import Desk
from mrclassic.mind.protocol import MindError
from mrclassic.settings import Settings
from mrclassic.store import Store
from mrclassic.training.fits import free_memory

HELLO = [{"role": "user", "content": "Hello."}]
HUGE = 10**13  # parameters: no machine has the memory
OWN = Settings(device="cpu", threads=1)


def grow(home: Home, parameters: int, name: str = "baby-1") -> None:
    """From now on the store says that the model `name` is of that size."""
    with Store.open(home) as store:
        store.checkpoints.add(replace(store.checkpoints.get(name), parameters=parameters))


async def test_what_does_not_fit_is_said_in_a_sentence(fresh_home: Home) -> None:
    grow(fresh_home, HUGE)
    client = MindClient(fresh_home)
    with pytest.raises(MindError, match=r"baby-1 needs \d+\.\d GiB and cpu has \d+\.\d GiB free; close"):
        await client.complete(HELLO, max_tokens=3)
    grow(fresh_home, 1)
    assert (await client.complete(HELLO, max_tokens=3)).replies
    babies.hatch(fresh_home, "baby-2", "baby-1", seed=2)
    grow(fresh_home, HUGE, "baby-2")
    found = await client.complete(HELLO, max_tokens=3)  # the one that is awake goes on
    assert found.replies
    assert found.checkpoint == "baby-1"
    await client.aclose()


def tell(free: int) -> Callable[[object], int]:
    return lambda device: free


def test_where_two_do_not_fit_the_present_one_is_let_go_first(
    fresh_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(fresh_home, OWN)
    assert desk._policy is not None
    size = sum(each.nbytes for each in desk._policy.decoder.parameters())
    babies.hatch(fresh_home, "baby-2", "baby-1", seed=2)
    asked: list[bool] = []

    def free(device: object) -> int:
        asked.append(desk._policy is not None)
        return 100 if desk._policy is not None else size

    monkeypatch.setattr(weights, "free_memory", free)
    assert desk.outdated()
    desk.renew()
    assert desk.checkpoint == "baby-2"
    assert asked == [True, False]

    monkeypatch.setattr(weights, "free_memory", tell(0))
    desk.rest()
    with pytest.raises(weights.NoRoomError):
        desk.renew()
    assert desk.outdated()  # and the device is free for others
    assert not desk.in_the_way
    monkeypatch.setattr(weights, "free_memory", free_memory)
    desk.renew()
    assert not desk.outdated()
