"""The service under clocks that jump, machines that sleep, and both changes of the clocks in a year; real processes."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from daemon import shifted
from daemon.services import Services, gone, until

from mrclassic.home import Home

pytestmark = pytest.mark.skipif(not shifted.POSSIBLE, reason="a clock that can be set needs Linux and a C compiler")

# A night that is over at once, and says that it was held.
SHORT = "import sys; open(sys.argv[1] + '/held', 'a').write('x')"


@pytest.fixture
def clock(tmp_path: Path) -> shifted.Clock:
    return shifted.Clock(tmp_path)


def held(home: Home) -> int:
    path = home.root / "held"
    return len(path.read_text()) if path.exists() else 0


def ahead(**there: float) -> str:
    return f"{datetime.now(UTC) + timedelta(**there):%H:%M:%S}"


def seconds_to(moment: str) -> float:
    return (datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds()


def test_a_clock_set_ahead_finds_its_night(services: Services, home: Home, clock: shifted.Clock) -> None:
    services.start(SHORT, at=ahead(hours=5), environment=clock.environment)
    clock.set(5 * 3600 + 60)
    until(lambda: held(home) == 1)
    assert services.events("clock")[0]["seconds"] == pytest.approx(5 * 3600 + 60, abs=2)


def test_a_machine_that_slept_over_its_night_makes_up_for_it(
    services: Services, home: Home, clock: shifted.Clock
) -> None:
    service = services.start(SHORT, at=ahead(hours=2), environment=clock.environment)
    service.send_signal(signal.SIGSTOP)
    clock.set(4 * 3600)  # two hours late, which is within the grace
    time.sleep(0.3)
    service.send_signal(signal.SIGCONT)
    until(lambda: held(home) == 1)
    due = services.status().next_night
    assert due is not None
    assert 21 * 3600 < seconds_to(due) - 4 * 3600 < 24 * 3600


def test_a_machine_that_slept_too_long_says_what_it_left_out(
    services: Services, home: Home, clock: shifted.Clock
) -> None:
    service = services.start(SHORT, at=ahead(hours=2), environment=clock.environment)
    service.send_signal(signal.SIGSTOP)
    clock.set(7 * 3600)
    service.send_signal(signal.SIGCONT)
    until(lambda: services.status().notices)
    assert "left out: its time had passed by more than the grace" in services.status().notices[0]
    assert held(home) == 0


def test_a_clock_set_back_brings_no_second_night(services: Services, home: Home, clock: shifted.Clock) -> None:
    services.start(SHORT, at=ahead(seconds=2), environment=clock.environment)
    until(lambda: held(home) == 1)
    clock.set(-4)  # a few seconds before the start that has been
    until(lambda: services.events("clock"))
    time.sleep(4)
    assert held(home) == 1


def test_a_clock_that_was_a_year_ahead_does_not_put_off_the_night(
    services: Services, home: Home, clock: shifted.Clock
) -> None:
    year = 365 * 86400
    clock.set(year)
    services.start(SHORT, at=ahead(seconds=12), environment=clock.environment)
    assert seconds_to(services.status().next_night or "") > year - 60
    clock.set(0)
    until(lambda: held(home) == 1)
    # What ran a year ahead does not count against the nights of now.
    assert 0 < seconds_to(services.status().next_night or "") < 2 * 86400


@pytest.mark.parametrize(
    ("before", "start", "fires", "after"),
    [
        # Spring: 02:30 does not exist; the night is held at 03:30 by the clock, an hour after 01:30.
        ("2027-03-28T01:59:57+01:00", "02:30", "2027-03-28T03:29:58+02:00", "2027-03-28T06:00:00+02:00"),
        # Autumn: 02:30 comes twice; the second is left out.
        ("2026-10-25T02:20:00+02:00", "02:30", "2026-10-25T02:29:58+02:00", "2026-10-25T02:29:58+01:00"),
    ],
)
def test_when_the_clocks_change_there_is_one_night(
    services: Services, home: Home, clock: shifted.Clock, before: str, start: str, fires: str, after: str
) -> None:
    clock.set(seconds_to(before))
    services.start(SHORT, at=start, environment=clock.environment, timezone="Europe/Berlin")
    clock.set(seconds_to(fires))
    time.sleep(0.5)
    assert held(home) == 0
    until(lambda: held(home) == 1)
    clock.set(seconds_to(after))
    time.sleep(3)
    assert held(home) == 1


def test_a_night_under_way_is_not_disturbed(services: Services, home: Home, clock: shifted.Clock) -> None:
    services.start(at=ahead(hours=5), environment=clock.environment)
    clock.set(5 * 3600 + 2)
    night, _ = services.pids()
    for seconds in (0, 86400, 3600):
        clock.set(seconds)
        time.sleep(0.5)
    assert not gone(night)
    os.kill(night, signal.SIGTERM)
    until(lambda: services.status().night is None)
