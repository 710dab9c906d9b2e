"""`mrclassic daemon install`: what it writes, says and types, with a systemctl and a loginctl that only take notes; and
the units themselves under systemd's own examination."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from homes import command

from mrclassic import shipped
from mrclassic.daemon import install
from mrclassic.home import Home
from mrclassic.settings import Night

# Notes what it was called with; `answers` says what a call whose words hold the first part prints, and its exit code.
PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >> {calls}
while IFS='|' read -r part said code; do
    case "$*" in *"$part"*) echo "$said"; exit "$code";; esac
done < {answers}
"""


@dataclass
class Machine:
    """A machine with these programs only, and an owner whose units lie in `config`."""

    folder: Path
    home: Home

    def __post_init__(self) -> None:
        (self.folder / "bin").mkdir()
        self.answers()
        for name in ("systemctl", "loginctl"):
            program = self.folder / "bin" / name
            program.write_text(PROGRAM.format(calls=self.folder / "calls", answers=self.folder / "answers"))
            program.chmod(0o755)

    def answers(self, *lines: str) -> None:
        """Each "part of the words|what is printed|exit code"."""
        (self.folder / "answers").write_text("".join(f"{line}\n" for line in lines))

    def mrclassic(self, *words: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
        environment = {
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "PATH": path if path is not None else f"{self.folder / 'bin'}:{os.environ['PATH']}",
        }
        return command("--home", str(self.home.root), "daemon", *words, **environment)

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def unit(self, name: str) -> Path:
        return self.folder / "config" / "systemd" / "user" / name


@pytest.fixture
def machine(tmp_path: Path, home: Home) -> Machine:
    return Machine(tmp_path, home)


def facts(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_install_writes_enables_and_explains(machine: Machine) -> None:
    machine.answers("is-active|inactive|3", "show-user|no|0")
    done = machine.mrclassic("install")
    assert done.returncode == 0, done.stderr
    assert [call for call in machine.calls if call.startswith("systemctl --user")] == [
        "systemctl --user daemon-reload",
        "systemctl --user enable mrclassic.service mrclassic-judge.service",
        "systemctl --user restart mrclassic.service mrclassic-judge.service",
    ]
    assert "Lingering is off: the service ends when you log out." in done.stdout
    assert "A machine that sleeps holds no night; one that wakes within 3 hours" in done.stdout
    text = machine.unit("mrclassic.service").read_text()
    assert f"ExecStart={sys.executable} -P -m mrclassic --home {machine.home.root} daemon run\n" in text
    assert f"\nReadWritePaths={machine.home.root}\n" in text
    assert "\nPrivateTmp=no\n" in text  # this home lies in /tmp, and must be seen
    assert not machine.unit("mrclassic-wake.timer").exists()


def test_linger_and_wake(machine: Machine) -> None:
    machine.home.settings_file.write_text(
        '[night]\nexceptions = "sat,sun 01:00 240; wed 04:30 0"\ntimezone = "Europe/Berlin"\n'
    )
    machine.answers("show-user|yes|0")
    done = machine.mrclassic("install", "--linger", "--wake", "--json")
    assert done.returncode == 0, done.stderr
    assert "loginctl enable-linger" in machine.calls
    found = facts(done)
    assert (found["enabled"], found["linger"], len(found["files"])) == (True, True, 4)
    timer = machine.unit("mrclassic-wake.timer").read_text()
    assert "\nOnCalendar=Mon,Tue,Thu,Fri *-*-* 04:30:00 Europe/Berlin\n" in timer
    assert "\nOnCalendar=Sat,Sun *-*-* 01:00:00 Europe/Berlin\n" in timer
    assert "systemctl --user enable mrclassic.service mrclassic-judge.service mrclassic-wake.timer" in machine.calls
    assert any("may not wake the machine" in sentence and "As root" in sentence for sentence in found["words"])


def test_a_manager_that_does_not_answer_leaves_the_files_and_says_what_to_type(machine: Machine) -> None:
    machine.answers("daemon-reload|Failed to connect to bus: No medium found|1", "show-user||1")
    done = machine.mrclassic("install")
    assert done.returncode == 1
    assert "systemd did not take them (Failed to connect to bus: No medium found). When it does, type: " in done.stdout
    assert "systemctl --user daemon-reload && systemctl --user enable mrclassic.service" in done.stdout
    assert "Whether lingering is on is not known" in done.stdout
    assert machine.unit("mrclassic.service").exists()


def test_without_systemd_nothing_is_written(machine: Machine) -> None:
    done = machine.mrclassic("install", path="/nowhere")
    assert done.returncode == 1
    assert done.stderr.startswith("mrclassic: There is no systemd here, so nothing was written; ")
    assert not (machine.folder / "config").exists()


def test_uninstall_takes_it_all_back(machine: Machine) -> None:
    machine.answers("show-user|yes|0")
    assert machine.mrclassic("install", "--wake").returncode == 0
    done = machine.mrclassic("install", "--uninstall")
    assert done.returncode == 0, done.stderr
    assert list(machine.unit("x").parent.iterdir()) == []
    assert (
        "systemctl --user disable --now mrclassic.service mrclassic-judge.service mrclassic-wake.timer" in machine.calls
    )
    assert "loginctl disable-linger" in done.stdout
    assert machine.mrclassic("install", "--uninstall").stdout.strip() == "Nothing was installed."
    assert machine.mrclassic("install", "--uninstall", "--wake").returncode == 2


ODD = 'a "b" %h $HOME\\é'


@pytest.fixture(scope="module", params=["as shipped", "as installed"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the units, as they travel and as they are written for a home with an awkward name."""
    folder = tmp_path_factory.mktemp("units")
    for unit in shipped.folder("systemd").iterdir():
        text = unit.read_text()
        if request.param == "as installed":
            text = install.render(unit.name, Home(folder / ODD).ensure(), Night(timezone="Europe/Berlin"))
        (folder / unit.name).write_text(text)
    return folder


examined = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def analyze(*words: str, runtime: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(runtime), "LC_ALL": "C.UTF-8"}
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=60, env=environment)


@examined
@pytest.mark.parametrize("name", [install.SERVICE, install.JUDGE, install.TIMER, install.WAKE])
def test_systemd_has_nothing_to_say_about_the_units(written: Path, tmp_path: Path, name: str) -> None:
    # It exits with 0 for a key it does not know, so that silence is what counts; it needs a runtime folder.
    done = analyze("verify", "--user", str(written / name), runtime=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@examined
@pytest.mark.parametrize(("name", "most"), [(install.SERVICE, 2.5), (install.JUDGE, 3.0)])
def test_how_open_the_units_are(written: Path, tmp_path: Path, name: str, most: float) -> None:
    done = analyze("security", "--user", "--offline=yes", str(written / name), runtime=tmp_path)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= most


def test_the_times_of_a_unit_leave_room_for_those_of_the_service() -> None:
    from mrclassic.daemon.supervise import GRACE_SECONDS
    from mrclassic.store.connection import BUSY_SECONDS

    text = (shipped.folder("systemd") / install.SERVICE).read_text()
    assert int(re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)[0]) > GRACE_SECONDS
    # The loop may wait for the database a few times in one turn; that is not a loop that hangs.
    assert int(re.findall(r"^WatchdogSec=(\d+)min$", text, re.MULTILINE)[0]) * 60 > 4 * BUSY_SECONDS


def test_the_units_of_another_home_are_neither_replaced_nor_removed(machine: Machine, tmp_path: Path) -> None:
    machine.answers("is-active|inactive|3", "show-user|no|0")
    other = Home(tmp_path / 'the "other" $1 100%').ensure()
    assert machine.mrclassic("install").returncode == 0
    written = machine.unit("mrclassic.service").read_text()
    first, machine.home = machine.home, other
    for words in (("install",), ("install", "--uninstall")):
        before = list(machine.calls)
        refused = machine.mrclassic(*words)
        assert refused.returncode == 3, refused.stderr
        assert f"serves another home, {first.root}." in refused.stderr
        assert f"`mrclassic --home {first.root} daemon install --uninstall`" in refused.stderr
        assert machine.unit("mrclassic.service").read_text() == written
        assert machine.calls == before

    machine.home = first
    assert machine.mrclassic("install", "--uninstall").returncode == 0
    assert not machine.unit("mrclassic.service").exists()
    machine.home = other
    for words in (("install",), ("install",), ("install", "--uninstall")):  # its own, whatever its name is like
        assert machine.mrclassic(*words).returncode == 0


def test_the_units_of_a_home_that_is_gone_are_replaced(machine: Machine, tmp_path: Path) -> None:
    machine.answers("is-active|inactive|3", "show-user|no|0")
    assert machine.mrclassic("install").returncode == 0
    shutil.rmtree(machine.home.root)
    machine.home = Home(tmp_path / "other").ensure()
    assert machine.mrclassic("install").returncode == 0
    assert f"--home {machine.home.root} daemon run" in machine.unit("mrclassic.service").read_text()
