"""`mrclassic daemon …` as a shell sees it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from homes import command

from mrclassic.daemon import status
from mrclassic.home import Home


@pytest.fixture
def words(home: Home) -> list[str]:
    home.settings_file.write_text('[night]\nstart = "04:30"\ntimezone = "Europe/Berlin"\n')
    return ["--home", str(home.root), "daemon"]


@pytest.fixture
def service(home: Home, words: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "mrclassic", *words, "run", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: status.read(home).pid == process.pid)
    yield process
    process.kill()
    process.communicate()


def until(predicate: Callable[[], object], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not predicate():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def facts(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_without_a_service(words: list[str], home: Home) -> None:
    done = command(*words, "status")
    assert done.returncode == 0
    assert done.stdout == (
        "The service is not running; `mrclassic daemon run` starts it, `mrclassic daemon install` for good.\n"
    )
    assert facts(command(*words, "status", "--json"))["running"] is False
    done = command(*words, "pause")
    assert done.returncode == 0
    assert "takes up the request (pause) when it starts" in done.stderr
    assert "Asked of it and not taken up yet: pause.\n" in command(*words, "status").stdout
    assert facts(command(*words, "status", "--json"))["requests"] == ["pause"]


def test_run_status_pause_resume_and_stop(service: subprocess.Popen[str], words: list[str], home: Home) -> None:
    found = facts(command(*words, "status", "--json"))
    assert (found["running"], found["state"], found["pid"]) == (True, "waiting", service.pid)
    assert found["next_night"][11:16] == "04:30"
    assert "The next night starts " in command(*words, "status").stdout

    second = command(*words, "run")
    assert second.returncode == 3
    assert second.stderr.strip() == (
        f"mrclassic: A service is already running for {home.root} (process {service.pid}); "
        "`mrclassic daemon status` shows it."
    )

    assert facts(command(*words, "pause", "--json"))["done"] is True
    assert "Nights are paused" in command(*words, "status").stdout
    done = command(*words, "resume")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "Resumed.\n")
    assert status.read(home).state == "waiting"

    lines = command(*words, "log", "-n", "2").stdout.splitlines()
    assert not any("!" in line for line in lines), "nothing is wrong"
    assert lines[0].endswith(" Paused: no night starts until `mrclassic daemon resume`.")
    assert lines[1].endswith(" Resumed: nights start as the settings say.")
    events = json.loads(command(*words, "log", "--json").stdout)
    assert [each["event"] for each in events] == ["service started", "notice", "notice"]

    begun = time.monotonic()
    service.send_signal(signal.SIGTERM)
    out, err = service.communicate(timeout=10)
    assert service.returncode == 0, err
    assert time.monotonic() - begun < 5
    assert json.loads(out)["running"] is False
    assert "The service is running for" in err
    assert "The service has stopped." in err


def test_what_is_written_stays_in_the_home(service: subprocess.Popen[str], home: Home) -> None:
    assert (home.run / "daemon.lock").exists()
    assert (home.logs / "daemon.log").exists()
    assert home.run.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("verb", ["run", "status", "log", "pause", "resume", "install"])
def test_every_verb_helps_with_an_example(words: list[str], verb: str) -> None:
    done = command(*words, verb, "--help")
    assert done.returncode == 0
    assert f"Example: mrclassic daemon {verb}" in done.stdout
