"""The lease of a device: the owner's processes share it, a night has it alone and gives way."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standins import night_on_the_cpu

from mrclassic import lease
from mrclassic.errors import Refused
from mrclassic.home import Home
from mrclassic.lease import Lease


def test_the_owners_share_and_a_night_is_alone(home: Home) -> None:
    mind, train, night = (Lease(home, "cpu") for _ in range(3))
    assert mind.share()
    assert train.share()
    assert not night.own("night")
    assert lease.night(home) is None
    mind.release()
    assert not night.own("night")
    train.release()
    assert night.own("night")
    assert not mind.share()
    assert lease.night(home) is not None
    with pytest.raises(Refused, match=r"A night .* is practising on cpu"), lease.shared(home, "cpu"):
        raise AssertionError
    night.release()
    with lease.shared(home, "cpu"):
        assert not night.own("night")
    assert night.own("night")


def test_devices_are_apart_and_one_has_one_name(home: Home) -> None:
    assert Lease(home, "cuda").own("night")
    assert not Lease(home, "cuda:0").share()
    assert Lease(home, "cuda:1").share()
    assert Lease(home, "cpu").own("night")


@pytest.mark.parametrize(("manner", "code"), [("kind", 75), ("deaf", -signal.SIGKILL)])
def test_a_night_gives_way_or_is_ended(home: Home, manner: str, code: int) -> None:
    process = night_on_the_cpu(home, manner)
    found = lease.night(home)
    assert found is not None
    assert (found.who, found.pid) == ("night", process.pid)
    mind = Lease(home, "cpu")
    begun = time.monotonic()
    mind.demand(grace=0.5)
    took = time.monotonic() - begun
    said, _ = process.communicate(timeout=10)
    assert process.returncode == code
    assert said == ("wanted\n" if manner == "kind" else "")
    assert (took < 0.5) == (manner == "kind")
    assert lease.night(home) is None
    assert not lease.awaited(home)
    assert not Lease(home, "cpu").own("night")


def test_who_waits_is_seen(home: Home) -> None:
    mind, night = Lease(home, "cpu"), Lease(home, "cpu")
    assert mind.share()
    assert not mind.wanted
    with night.waiting():
        assert mind.wanted
        assert lease.awaited(home)
    assert not mind.wanted


def test_the_device_of_a_night_is_told_before_torch_is_there(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lease.ahead(home, "auto") is None
    monkeypatch.setattr(lease, "_GPUS", (str(home.root),))
    on_cpu, on_gpu = Lease(home, "cpu"), Lease(home, "cuda")
    assert on_cpu.own("night")
    assert lease.ahead(home, "cuda") is None
    assert lease.ahead(home, "auto") is None  # it may be the other
    assert on_gpu.own("night")
    for wanted, found in (("auto", on_gpu), ("cuda:0", on_gpu), ("cpu", on_cpu)):
        early = lease.ahead(home, wanted)
        assert early is not None
        assert early.path == found.path
    monkeypatch.setattr(lease, "_GPUS", ())
    monkeypatch.setattr(lease.sys, "platform", "linux")
    on_gpu.release()
    assert lease.ahead(home, "auto") is not None


def test_one_that_was_killed_holds_nothing(home: Home) -> None:
    process = night_on_the_cpu(home, "deaf")
    process.kill()
    process.communicate()
    assert lease.night(home) is None
    mind = Lease(home, "cpu")
    mind.demand()  # nobody is asked: what the file says is of a process that is gone
    mind.release()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["share", "own", "release"])), max_size=30))
def test_never_two_where_one_is_alone(tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[int, str]]) -> None:
    home = Home(tmp_path_factory.mktemp("lease")).ensure()
    those = [Lease(home, "cpu") for _ in range(4)]
    held: dict[int, str] = {}
    for who, what in moves:
        if what == "release":
            those[who].release()
            held.pop(who, None)
        elif who not in held:
            free = not held if what == "own" else "own" not in held.values()
            assert (those[who].share() if what == "share" else those[who].own("night")) == free
            if free:
                held[who] = what
    for each in those:
        each.release()


def test_a_damaged_file_names_nobody(home: Home, tmp_path: Path) -> None:
    night = Lease(home, "cpu")
    assert night.own("night")
    night.path.write_bytes(b"\xff{")
    assert lease.holder(night.path) is None
    assert lease.holder(tmp_path / "nothing") is None
