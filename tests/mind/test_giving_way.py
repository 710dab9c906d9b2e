"""Mind and night on one device: the mind goes first, and gives it back when nobody has asked anything for a while."""

from __future__ import annotations

import time

import pytest
from standins import night_on_the_cpu

from mrclassic import lease
from mrclassic.home import Home
from mrclassic.lease import Lease
from mrclassic.mind import process
from mrclassic.mind.client import MindClient
from mrclassic.mind.desk import Desk
from mrclassic.settings import Settings

HELLO = [{"role": "user", "content": "Hello."}]
_SETTINGS = 'device = "cpu"\nthreads = 1\n[night]\nidle_minutes = 0.02\n'


@pytest.mark.slow
async def test_a_mind_that_wakes_ends_the_night_and_leaves_when_one_waits(fresh_home: Home) -> None:
    fresh_home.settings_file.write_text(_SETTINGS, encoding="utf-8")
    night = night_on_the_cpu(fresh_home, "kind")
    client = MindClient(fresh_home)
    assert (await client.complete(HELLO, max_tokens=3)).replies
    said, _ = night.communicate(timeout=10)
    assert (night.returncode, said) == (75, "wanted\n")
    assert lease.night(fresh_home) is None

    waiting = Lease(fresh_home, "cpu")
    pid = process.holder(fresh_home)
    time.sleep(2.0)
    assert process.holder(fresh_home) == pid  # nobody waits, so it stays
    with waiting.waiting():
        end = time.monotonic() + 20
        while not waiting.own("night") and time.monotonic() < end:
            time.sleep(0.05)
    assert lease.night(fresh_home) is not None
    assert process.holder(fresh_home) is None
    waiting.release()
    assert (await client.complete(HELLO, max_tokens=3)).replies  # the next question wakes another
    assert process.holder(fresh_home) not in (None, pid)
    await client.aclose()


def test_a_mind_that_is_served_lets_its_weights_go_and_takes_them_again(fresh_home: Home) -> None:
    desk = Desk(fresh_home, Settings(device="cpu", threads=1))
    night = Lease(fresh_home, "cpu")
    name = desk.checkpoint
    assert not night.own("night")
    assert not desk.in_the_way
    with night.waiting():
        assert desk.in_the_way
    desk.rest()
    assert desk.outdated()
    assert desk.checkpoint == name
    assert night.own("night")
    night.release()
    desk.renew()
    assert not desk.outdated()
    assert not night.own("night")
