"""doctor, as a shell sees it: healthy homes, and homes with one thing broken each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import babies
import pytest

from mrclassic.cli import doctor
from mrclassic.home import Home
from mrclassic.mind import process

COMMAND = [sys.executable, "-c", "from mrclassic.cli import main; main()"]


def examine(home: Home, *flags: str, **environment: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and the checks by name."""
    done = subprocess.run(
        [*COMMAND, "--home", str(home.root), *flags, "doctor", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )
    assert done.stdout, done.stderr
    return done.returncode, {row["check"]: row for row in json.loads(done.stdout)}


def test_a_healthy_home(home: Home) -> None:
    babies.hatch(home, "baby-1")
    home.book.write_text("> Hello\nHello! Tea?\n")
    code, checks = examine(home)
    assert code == 0
    assert list(checks) == [
        *("python", "torch", "home", "settings", "device", "disk", "database", "book", "checkpoint", "mind"),
        *("daemon", "plugins", "sandbox"),
    ]
    assert all(set(row) == {"check", "ok", "detail", "mend"} for row in checks.values())
    assert checks["book"]["detail"] == "1 entries"
    assert checks["checkpoint"]["detail"].startswith("baby-1 is whole")
    assert "GFLOP/s in fp32, bf16 " in checks["device"]["detail"]
    assert checks["mind"]["detail"].startswith("not running")
    assert process.holder(home) is None


def test_a_conversation_that_stands_twice_in_the_book_is_named(home: Home) -> None:
    home.book.write_text("> Hello\nHello! Tea?\n\n> Bye\nBye.\n\n> Hello\nGood day.\n\n> Bye\nBye.\n")
    _, checks = examine(home)
    assert checks["book"]["ok"]
    assert checks["book"]["detail"] == (
        "2 entries; 'Hello' stands there with several replies (lines 1, 7): the last one counts"
    )


def test_the_device_is_looked_at_with_our_own_libraries(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise SystemExit('not torch')")
    monkeypatch.chdir(tmp_path)
    check = next(check for check in doctor.examine(home.root) if check.check == "device")
    assert check.ok, check.detail


def test_a_fresh_home_is_healthy_and_readable(home: Home) -> None:
    done = subprocess.run([*COMMAND, "--home", str(home.root), "doctor"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert len(lines) == 13
    assert all(line.startswith("ok  ") for line in lines)
    assert any(line.startswith("ok  checkpoint  none yet") for line in lines)


def test_everything_that_is_broken_is_told_at_once(home: Home) -> None:
    folder = babies.hatch(home, "baby-1")
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    home.book.write_text("  a reply without a question\n")
    home.settings_file.write_text("[night]\nminuets = 5\n")
    code, checks = examine(home, "--device", "cuda:7")
    assert code == 1
    broken = {name for name, row in checks.items() if not row["ok"]}
    # Settings that cannot be read are replaced by the defaults, so the device named beside them is not looked at.
    assert broken == {"book", "checkpoint", "settings"}
    assert "did you mean night.minutes?" in checks["settings"]["detail"]
    assert "line 1" in checks["book"]["detail"]
    assert "model.safetensors is not as it was written" in checks["checkpoint"]["detail"]
    assert all(checks[name]["mend"] for name in broken)


def test_a_damaged_database(home: Home) -> None:
    home.database.write_bytes(b"this is no database at all" * 100)
    code, checks = examine(home)
    assert code == 1
    assert not checks["database"]["ok"]
    assert "damaged" in checks["database"]["detail"]
    assert home.database.read_bytes().startswith(b"this is no database")


def test_a_device_that_is_not_there(home: Home) -> None:
    code, checks = examine(home, "--device", "cuda:7")
    assert code == 1
    assert "'cuda:7' is not on this machine" in checks["device"]["detail"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_cannot_be_written(home: Home) -> None:
    home.root.chmod(0o500)
    try:
        code, checks = examine(home)
    finally:
        home.root.chmod(0o700)
    assert code == 1
    assert not checks["home"]["ok"]


def test_a_home_that_is_a_file(home: Home) -> None:
    file = home.root / "file"
    file.write_text("")
    code, checks = examine(Home(file))
    assert code == 1
    assert "there is a file of that name" in checks["home"]["detail"]
    assert "database" not in checks
