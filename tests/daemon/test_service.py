"""The service with real processes: it fires, obeys signals and requests, leaves nothing behind, and is alone."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from daemon.services import DEAF, POLITE, Services, gone, until

from mrclassic.daemon import status, supervise
from mrclassic.daemon.log import tail
from mrclassic.home import Home
from mrclassic.store import Store


def ahead(seconds: float) -> str:
    """A start time so far ahead (UTC)."""
    return f"{datetime.now(UTC) + timedelta(seconds=seconds):%H:%M:%S}"


def far() -> str:
    """A start time that no test lives to see."""
    return ahead(6 * 3600)


def test_the_schedule_starts_a_night_and_sigterm_ends_all(services: Services, home: Home) -> None:
    service = services.start(at=ahead(3))
    before = services.status()
    assert (before.state, before.night) == ("waiting", None)
    assert before.next_night is not None
    night, helper = services.pids()
    until(lambda: services.status().state == "night")
    running = services.status().night
    assert running is not None
    assert (running.pid, running.job.why) == (night, "the schedule")
    begun = time.monotonic()
    service.send_signal(signal.SIGTERM)
    assert service.wait(10) == 0
    assert time.monotonic() - begun < 5
    assert (home.root / "saved").exists()
    assert gone(night)
    assert gone(helper)
    assert not supervise.alive(home)
    after = services.status()
    assert (after.state, after.running, after.pid, after.night) == ("stopped", False, None, None)
    assert after.last_night == "The night was ended before it began."
    assert after.unfinished is not None  # the next service makes up for it, if it comes in time
    assert "practising" in (home.logs / running.log.rsplit("/", 1)[1]).read_text()
    [begun_as] = services.events("night started")
    assert (begun_as["why"], begun_as["minutes"], begun_as["pid"]) == ("the schedule", 60, night)
    assert [each["event"] for each in tail(home, 100)][-1] == "service stopped"


def test_a_night_that_does_not_listen_is_killed_after_the_grace(services: Services, home: Home) -> None:
    service = services.start(DEAF, at=far(), grace=0.5)
    with Store.open(home) as store:
        store.requests.post("night")
    night, helper = services.pids()
    service.send_signal(signal.SIGINT)
    assert service.wait(10) == 0
    assert gone(night)
    assert gone(helper)
    assert "ended by SIGKILL" in (services.status().last_night or "")


def test_asking_twice_does_not_wait_for_the_grace(services: Services, home: Home) -> None:
    service = services.start(DEAF, at=far(), grace=60)
    with Store.open(home) as store:
        store.requests.post("night")
    night, _ = services.pids()
    service.send_signal(signal.SIGTERM)
    until(lambda: services.status().state == "stopping")
    service.send_signal(signal.SIGTERM)
    assert service.wait(10) == 0
    assert gone(night)


def test_a_second_service_is_refused(services: Services, home: Home) -> None:
    first = services.start(at=far())
    second = services.start(at=far())
    assert second.wait(10) != 0
    assert second.stderr is not None
    last = second.stderr.read().strip().splitlines()[-1]
    assert last.startswith("mrclassic.errors.Refused: A service is already running for ")
    assert f"(process {first.pid})" in last
    assert first.poll() is None
    assert services.status().pid == first.pid


def test_looking_at_the_status_does_not_keep_a_service_from_starting(services: Services, home: Home) -> None:
    assert services.status() == status.Status()
    services.start(at=far())
    assert services.status().running


def test_requests_through_the_store(services: Services, home: Home) -> None:
    services.start(at=far())
    with Store.open(home) as store:

        def ask(kind: str, **payload: object) -> dict[str, object]:
            request = store.requests.post(kind, payload)
            until(lambda: store.requests.get(request).done is not None)
            return store.requests.get(request).result or {}

        assert ask("night", minutes=5) == {"started": True}
        night, helper = services.pids()
        assert ask("night") == {"started": False, "error": "A night is running already."}
        assert ask("pause") == {"paused": True, "night_ended": True}
        until(lambda: services.status().state == "paused")
        assert gone(night)
        assert gone(helper)
        assert services.status().next_night is None
        assert services.status().unfinished is not None
        assert ask("resume") == {"paused": False}
        until(lambda: services.status().state == "night")  # the one that the pause has ended
        assert services.status().next_night is not None
        assert ask("night", minutes="long")["error"] == "'long' is no number of minutes for a night."
        assert "knows no request" in str(ask("dance")["error"])


def test_a_pause_holds_over_a_restart_and_over_the_schedule(services: Services, home: Home) -> None:
    first = services.start(at=far())
    with Store.open(home) as store:
        store.requests.post("pause")
        until(lambda: services.status().paused)
        first.terminate()
        assert first.wait(10) == 0
        assert services.status().paused
        services.start(at=ahead(2))
        assert services.status().state == "paused"
        until(lambda: any("left out: the service is paused" in line for line in services.status().notices))
        assert not (home.root / "pids").exists()
        assert services.status().night is None


def enter_a_night(home: Home, days_ago: float) -> None:
    """A night in the store that began so long ago."""
    with Store.open(home) as store:
        store.nights.finish(store.nights.start({}), "done")
    import sqlite3

    then = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()
    connection = sqlite3.connect(home.database)
    connection.execute("UPDATE nights SET started = ?", (then,))
    connection.commit()
    connection.close()


def test_a_missed_night_is_made_up_for(services: Services, home: Home) -> None:
    enter_a_night(home, days_ago=2)
    services.start(at=ahead(-3600))
    services.pids()
    until(lambda: services.status().night is not None)
    found = services.status()
    assert found.night is not None
    assert found.night.job.why == "a missed night"
    assert any("it starts now" in line for line in found.notices)


def test_a_night_missed_too_long_ago_is_reported(services: Services, home: Home) -> None:
    enter_a_night(home, days_ago=2)
    services.start(at=ahead(-3600), hours=0.5)
    until(lambda: services.status().notices)
    assert "was missed: the service was not running" in services.status().notices[0]
    assert services.status().night is None


def test_a_night_of_a_killed_service_is_ended_by_the_next(services: Services, home: Home) -> None:
    first = services.start(at=far())
    with Store.open(home) as store:
        store.requests.post("night")
    night, _ = services.pids()
    until(lambda: services.status().night is not None)
    first.kill()
    first.wait(10)
    assert not gone(night)
    assert supervise.alive(home)
    assert not services.status().running
    services.start(at=far())
    until(lambda: services.status().notices)
    assert services.status().notices[0].endswith("it was ended, and nothing of it is kept.")
    assert gone(night)
    assert (home.root / "saved").exists()


def test_a_night_that_fails_is_told_and_its_row_closed(services: Services, home: Home) -> None:
    crash = (
        "import sys; from pathlib import Path; from mrclassic.home import Home; from mrclassic.store import Store\n"
        "store = Store.open(Home(Path(sys.argv[1]))); store.nights.update(store.nights.start({}), 'running', 'book')\n"
        "sys.exit(7)"
    )
    services.start(crash, at=far())
    with Store.open(home) as store:
        store.requests.post("night")
        until(lambda: services.status().last_night)
        assert "ended with exit code 7; see " in (services.status().last_night or "")
        last = store.nights.last()
        assert last is not None
        assert last.status == "interrupted"
    assert services.status().state == "waiting"


# A night that enters its row as a real one does, and takes DURATION seconds unless it is ended.
ENTERED = """
import signal, sys, time
from pathlib import Path
from mrclassic.home import Home
from mrclassic.store import Store
store = Store.open(Home(Path(sys.argv[1])))
night = store.nights.start({})
def end(number, frame):
    store.nights.finish(night, "interrupted", checkpoint="night-1")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
store.nights.update(night, "running", "grpo")
time.sleep(DURATION)
store.nights.finish(night, "done")
"""


def running(store: Store) -> bool:
    last = store.nights.last()
    return last is not None and last.status == "running"


def test_a_night_that_was_cut_short_is_not_called_over(services: Services, home: Home) -> None:
    services.start(ENTERED.replace("DURATION", "600"), at=far())
    with Store.open(home) as store:
        store.requests.post("night")
        until(lambda: running(store))
        store.requests.post("pause")
        until(lambda: services.status().last_night)
    words = "The night was cut short; what it had trained is kept as the candidate night-1, not judged."
    assert services.status().last_night == words


def test_a_night_that_ran_to_its_end_is_over(services: Services, home: Home) -> None:
    services.start(ENTERED.replace("DURATION", "0"), at=far())
    with Store.open(home) as store:
        store.requests.post("night")
        until(lambda: services.status().last_night)
    assert services.status().last_night == "The night is over."


def test_the_night_of_a_killed_service_is_told_with_what_it_kept(services: Services, home: Home) -> None:
    first = services.start(ENTERED.replace("DURATION", "600"), at=far())
    with Store.open(home) as store:
        store.requests.post("night")
        until(lambda: running(store) and services.status().night)
    first.kill()
    first.wait(10)
    services.start(at=far())
    until(lambda: services.status().notices)
    assert "ended, and what it had trained is kept as the candidate night-1" in services.status().notices[0]


def test_a_file_in_the_working_folder_does_not_stand_in_for_a_library(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("torch", "typer", "mrclassic"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a stranger')")
    monkeypatch.chdir(tmp_path)
    child = supervise.start(home, supervise.night_command(home, 1))
    end = child.wait(60)
    assert end is not None
    assert end.code == 1
    assert "`mrclassic hatch`" in child.log.read_text()


def test_settings_that_change_are_followed_and_broken_ones_are_not(services: Services, home: Home) -> None:
    services.start(POLITE, at=far())
    home.settings_file.write_text("[night]\nminuets = 5\n")
    until(lambda: services.status().notices)
    assert "cannot be used, the old ones stay: " in services.status().notices[0]
    assert "did you mean night.minutes?" in services.status().notices[0]
    home.settings_file.write_text("[night]\nenabled = false\n")
    until(lambda: services.status().next_night is None)
    assert services.status().state == "waiting"


def test_the_service_holds_no_torch() -> None:
    """It waits all day; the night's memory belongs to the night's process."""
    code = "import sys, mrclassic.daemon.service; sys.exit('torch' in sys.modules or 'textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
