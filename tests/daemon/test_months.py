"""What lets the service stay up for months: a log that rotates and can be read, memory and files that do not grow."""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path

import pytest
from daemon.services import Services, until

from mrclassic.daemon import log
from mrclassic.home import Home
from mrclassic.store import Store


def test_the_log_is_lines_of_json_that_rotate(home: Home) -> None:
    with log.logged(home):
        for number in range(20_000):
            log.event("test", f"Line {number}\nof two.", number=number, path=Path("/a"))
    files = sorted(home.logs.glob("daemon.log*"))
    assert len(files) == 4
    assert sum(path.stat().st_size for path in files) <= 4 * 500_000
    for path in files:
        for line in path.read_text().splitlines():
            assert {"time", "level", "event", "sentence", "number", "path"} == set(json.loads(line))
    newest = log.tail(home, 10_000)  # more than one file holds
    assert [each["number"] for each in newest] == list(range(10_000, 20_000))
    assert log.tail(home, 1)[0]["sentence"] == "Line 19999\nof two."


def test_a_torn_line_does_not_spoil_the_reading(home: Home) -> None:
    with log.logged(home):
        log.event("first", "One.")
        log.event("second", "Two.", level=logging.WARNING)
        log.LOG.warning("three of %d", 3)
    with log.log_file(home).open("ab") as file:
        file.write(b'{"time": "2026-11-\xff\n\n{}\n[1]\n"x"\n')
    found = log.tail(home, 10)
    assert [each["event"] for each in found] == ["first", "second", "said"]
    assert log.words(found[0]).endswith(" One.")
    assert log.words(found[1]).endswith(" ! Two.")
    assert log.tail(Home(home.root / "nowhere"), 5) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_grows(services: Services, home: Home) -> None:
    """Twenty nights and twenty requests between two measurements; a night in a hundredth of its time."""
    service = services.start("pass", back_off=(0.01,))
    with Store.open(home) as store:

        def nights(count: int) -> None:
            for _ in range(count):
                store.requests.post("dance")
                request = store.requests.post("night")
                until(lambda number=request: store.requests.get(number).done is not None)  # type: ignore[misc]
                until(lambda: services.status().night is None and not children(service.pid))

        nights(6)
        time.sleep(0.5)
        before = memory(service.pid), descriptors(service.pid)
        nights(12)
        time.sleep(0.5)
        after = memory(service.pid), descriptors(service.pid)
    assert after[1] == before[1]
    assert after[0] < before[0] * 1.01 + 256 * 1024
    assert (home.run / "daemon.json").stat().st_size < 8_000
    assert len(list(home.logs.glob("night-*.log"))) <= 30


def memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def children(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()
