"""A night that is cut short goes on: after it gave way, failed, hung, or its service was ended; with real processes."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from daemon.services import Services, gone, until

from mrclassic.daemon import status
from mrclassic.home import Home
from mrclassic.store import Store

# A night that notes how it was called, enters or takes up its row, and then does what TURNS says of this turn: an exit
# code, or "hang" (deaf too), "work" (beats until it is asked to end, and then gives way), "done".
NIGHT = """
import json, signal, sys, time
from pathlib import Path
from mrclassic import heartbeat
from mrclassic.home import Home
from mrclassic.store import Store
root = Path(sys.argv[1])
calls = root / "calls"
turn = len(calls.read_text().splitlines()) if calls.exists() else 0
with calls.open("a") as file:
    file.write(json.dumps(sys.argv[2:]) + "\\n")
home = Home(root)
store = Store.open(home)
night = store.nights.last().id if "--resume" in sys.argv else store.nights.start({})
store.nights.update(night, "running", "grpo")
what = TURNS[min(turn, len(TURNS) - 1)]
if what == "hang":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if what == "work":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(75))
heartbeat.begin(home.run / "night.beat")
while what in ("hang", "work"):
    time.sleep(0.05)
    if what == "work":
        heartbeat.beat("grpo: update 7 of 300")
if what == "done":
    store.nights.finish(night, "done")
    sys.exit(0)
sys.exit(what)
"""


def night(*turns: object) -> str:
    return NIGHT.replace("TURNS", repr(list(turns)))


def calls(home: Home) -> list[str]:
    path = home.root / "calls"
    return path.read_text().splitlines() if path.exists() else []


def ask(home: Home, kind: str = "night") -> None:
    with Store.open(home) as store:
        store.requests.post(kind)


def far() -> str:
    from datetime import UTC, datetime, timedelta

    return f"{datetime.now(UTC) + timedelta(hours=6):%H:%M:%S}"


def test_a_night_that_gave_way_goes_on_until_it_is_done(services: Services, home: Home) -> None:
    services.start(night(75, 75, "done"), at=far())
    ask(home)
    until(lambda: services.status().last_night == "The night is over.")
    assert calls(home) == ["[]", '["--resume"]', '["--resume"]']
    assert [each["code"] for each in services.events("night ended")] == [75, 75, 0]
    assert services.status().unfinished is None
    with Store.open(home) as store:
        assert [row.status for row in store.nights.list()] == ["done"]


def test_a_night_that_fails_is_tried_again_so_often_and_no_oftener(services: Services, home: Home) -> None:
    services.start(night(1, -signal.SIGSEGV), at=far(), back_off=(0.1, 0.1))
    ask(home)
    until(lambda: services.status().notices)
    assert services.status().notices[0].endswith("The night does not go on: it has failed 3 times.")
    assert len(calls(home)) == 3
    assert services.status().unfinished is None


def test_a_night_that_hangs_is_ended_and_goes_on(services: Services, home: Home) -> None:
    services.start(night("hang", "done"), at=far(), grace=0.2, back_off=(0.1,), silent_minutes=1 / 60)
    ask(home)
    until(lambda: services.status().last_night == "The night is over.")
    assert "gave no sign of life for" in services.status().notices[0]
    assert calls(home) == ["[]", '["--resume"]']
    assert [each["code"] for each in services.events("night ended")] == [-9, 0]


def test_a_night_that_beats_is_left_alone(services: Services, home: Home) -> None:
    services.start(night("work"), at=far(), silent_minutes=1 / 60)
    ask(home)
    until(lambda: status.beat_file(home).exists())
    pid = until_night(services)
    import time

    time.sleep(2.5)
    found = services.status().night
    assert found is not None
    assert found.pid == pid
    assert not services.status().notices
    shown = [sys.executable, "-m", "mrclassic", "--home", str(home.root), "daemon", "status"]
    import subprocess

    assert "grpo: update 7 of 300; it writes to" in subprocess.run(shown, capture_output=True, text=True).stdout


def until_night(services: Services) -> int:
    until(lambda: services.status().night is not None)
    found = services.status().night
    assert found is not None
    return found.pid


def test_a_night_that_the_service_ended_goes_on_with_the_next_service(services: Services, home: Home) -> None:
    first = services.start(night("work", "done"), at=far())
    ask(home)
    until(lambda: status.beat_file(home).exists())
    first.terminate()
    assert first.wait(10) == 0
    left = services.status()
    assert left.last_night == "The night gave way; what it has done so far is saved."
    assert left.unfinished is not None
    assert left.unfinished.fails == 0
    services.start(night("work", "done"), at=far())
    until(lambda: services.status().last_night == "The night is over.")
    assert calls(home) == ["[]", '["--resume"]']


def test_after_a_power_cut_the_night_goes_on(services: Services, home: Home) -> None:
    first = services.start(night("work", "done"), at=far())
    ask(home)
    until(lambda: status.beat_file(home).exists())
    pid = until_night(services)
    first.kill()
    first.wait(10)
    import os

    os.kill(pid, signal.SIGKILL)
    until(lambda: gone(pid))
    services.start(night("work", "done"), at=far())
    until(lambda: services.status().last_night == "The night is over.")
    assert calls(home) == ["[]", '["--resume"]']
    assert [each["fails"] for each in services.events("night resumed")] == [1]


def test_a_pause_holds_the_night_and_resume_lets_it_go_on(services: Services, home: Home) -> None:
    services.start(night("work", "done"), at=far())
    ask(home)
    until(lambda: status.beat_file(home).exists())
    ask(home, "pause")
    until(lambda: services.status().state == "paused")
    assert services.status().unfinished is not None
    ask(home, "resume")
    until(lambda: services.status().last_night == "The night is over.")
    assert calls(home) == ["[]", '["--resume"]']


def test_what_cannot_go_on_in_time_is_told(services: Services, home: Home) -> None:
    first = services.start(night("work"), at=far())
    ask(home)
    until(lambda: status.beat_file(home).exists())
    first.terminate()
    first.wait(10)
    path: Path = status.status_file(home)
    late = status.last_words(home)
    assert late.unfinished is not None
    path.write_text(path.read_text().replace(late.unfinished.until, "2020-01-01T00:00:00+00:00"))
    services.start(night("work"), at=far())
    assert "not finished in its time; it does not go on" in services.status().notices[0]
    assert services.status().unfinished is None


# A night that waits while one in a shell is held, and gives way before it could begin itself; then it is held.
OVERTAKEN = """
import json, os, sys
from pathlib import Path
from mrclassic.home import Home
from mrclassic.store import Store
root = Path(sys.argv[1])
store = Store.open(Home(root))
overtaken = not (root / "calls").exists()
with (root / "calls").open("a") as file:
    file.write(json.dumps(sys.argv[2:]) + "\\n")
store.nights.finish(store.nights.start({"process": os.getpid() + overtaken}), "done")
sys.exit(75 if overtaken else 0)
"""


def test_a_night_in_a_shell_that_came_first_is_not_taken_for_its_own(services: Services, home: Home) -> None:
    services.start(OVERTAKEN, at=far())
    ask(home)
    until(lambda: services.status().last_night == "The night is over.")
    assert calls(home) == ["[]", "[]"]
