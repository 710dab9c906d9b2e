"""plugin list, new, check, trust and revoke, as a shell sees them."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from drop_ins import write
from homes import mrclassic

from mrclassic.cli import main
from mrclassic.cli.doctor import _plugins
from mrclassic.errors import UsageError
from mrclassic.home import Home
from mrclassic.plugins import scaffold, trust
from mrclassic.plugins.checking import check
from mrclassic.plugins.find import found
from mrclassic.rewards.standing import STRIKES, Standing
from mrclassic.store import Store

Run = Callable[..., tuple[int, Any, str]]

FLAT = 'def flat(completions, **columns):\n    """Half a point."""\n    return [0.5] * len(completions)\n'


@pytest.fixture
def plugin(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process: a fresh one takes half a second each time."""

    def run(*words: str) -> tuple[int, Any, str]:
        monkeypatch.setattr(sys, "argv", ["mrclassic", "--home", str(home.root), "plugin", *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        told = capsys.readouterr()
        return int(str(end.value.code)), json.loads(told.out) if "--json" in words and told.out else told.out, told.err

    return run


@pytest.fixture
def standing(home: Home) -> Callable[[str], str]:
    def find(name: str) -> str:
        (it,) = [each for each in found(home) if (each.name, each.origin) == (name, "home")]
        with Store.open(home) as store:
            return trust.standing(it, store)

    return find


def test_the_life_of_a_plugin(home: Home, plugin: Run, standing: Callable[[str], str]) -> None:
    path = write(home.plugins, "flat", FLAT)
    assert standing("flat") == "not trusted"
    code, facts, said = plugin("trust", "flat", "--yes", "--json")
    assert (code, facts) == (0, {"path": str(path), "sha256": sha256(FLAT.encode()).hexdigest()})
    assert "    1   def flat(completions, **columns):\n" in said
    assert '    2       """Half a point."""\n' in said
    assert standing("flat") == "trusted"
    path.write_text(FLAT.replace('"""Half a point."""', '"""Half."""') + "import os\n")
    assert standing("flat") == "changed"
    check = _plugins(home)
    assert (check.ok, check.detail) == (False, "changed: flat")
    code, _, said = plugin("trust", "flat", "--yes", "--sha256", sha256(FLAT.encode()).hexdigest())
    assert (code, standing("flat")) == (3, "changed"), said
    _, shown, _ = plugin("show", str(path))
    _, _, said = plugin("trust", "flat.py", "--yes")
    assert shown in said, "the same is shown before trust is asked for"
    assert '      -     """Half a point."""\n    2 +     """Half."""\n' in said, "what is gone or new is marked"
    assert "    3       return [0.5] * len(completions)\n    4 + import os\n" in said
    assert plugin("revoke", "flat")[0] == 0
    assert standing("flat") == "not trusted"
    assert (_plugins(home).ok, _plugins(home).detail) == (True, "not trusted: flat")
    code, out, said = plugin("revoke", "flat")
    assert (code, out) == (2, "")
    assert said == f"mrclassic: {path} is not trusted; there is nothing to revoke.\n"


def test_list_for_people(home: Home, plugin: Run) -> None:
    assert _plugins(home).detail == "none of your own"
    write(home.plugins, "odd", "def odd(:\n")
    code, out, _ = plugin("list")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert code == 0
    assert "built in" in lines["no_repetition"]
    assert "flawed" in lines["odd"]
    assert "odd.py line 1 is not Python" in lines["odd"]


def test_what_runs_have_silenced_is_listed_until_it_is_trusted_anew(home: Home, plugin: Run) -> None:
    write(home.plugins, "flat", FLAT)
    plugin("trust", "flat", "--yes")
    with Store.open(home) as store:
        run = store.runs.start("grpo", {})
        standing = Standing()
        said = [f"reward flat: it raised ValueError: no{standing.strike('flat')}" for _ in range(STRIKES)]
        for step, words in enumerate(dict.fromkeys(said)):
            store.runs.alarm(run, step, words[:80], "warn", words)
    _, facts, _ = plugin("list", "--json")
    quiet = {fact["name"]: fact["quarantined"] for fact in facts if fact["quarantined"]}
    assert quiet == {"flat": "silenced in run 1 (grpo), update 1: it raised ValueError: no"}
    plugin("trust", "flat", "--yes")
    assert not any(fact["quarantined"] for fact in plugin("list", "--json")[1])


def test_without_somebody_to_ask_nothing_is_trusted(home: Home, plugin: Run, standing: Callable[[str], str]) -> None:
    write(home.plugins, "flat", FLAT)
    code, out, said = plugin("trust", "flat")
    assert (code, out) == (2, "")
    assert said.endswith("mrclassic: Nobody is there to be asked; read the file, then add --yes.\n")
    assert standing("flat") == "not trusted"


@pytest.mark.parametrize(("answer", "code", "then"), [("y\n", 0, "trusted"), ("n\n", 3, "not trusted")])
def test_the_owner_is_asked(home: Home, standing: Callable[[str], str], answer: str, code: int, then: str) -> None:
    write(home.plugins, "flat", FLAT)
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    done = subprocess.run(
        [sys.executable, "-m", "mrclassic", "--home", str(home.root), "plugin", "trust", "flat"],
        stdin=theirs,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == code, done.stderr
    assert "Trust flat.py with exactly this content? [y/N]:" in done.stderr
    assert standing("flat") == then


def test_what_is_shown_cannot_hide_anything(home: Home, plugin: Run) -> None:
    write(home.plugins, "flat", "x = 1  # \x1b[2K harmless\rimport os  # \u202e\x0c\ny = 2\n" + FLAT)
    _, _, said = plugin("trust", "flat", "--yes")
    assert said.splitlines()[1:4] == [
        "    1   x = 1  # \u241b[2K harmless",
        "    2   import os  # \ufffd\u240c",
        "    3   y = 2",
    ]


def test_refusals(home: Home, tmp_path: Path, plugin: Run) -> None:
    elsewhere = write(tmp_path, "flat", FLAT)
    (home.plugins / "linked.py").symlink_to(elsewhere)
    write(home.plugins, "open", FLAT.replace("flat", "open")).chmod(0o666)
    for named, code, words in (
        (str(elsewhere), 3, "is not in"),
        ("linked", 3, "is a symbolic link"),
        ("open", 3, "Others may write"),
        ("nothing", 2, "There is no plugin nothing in"),
    ):
        exit_code, out, said = plugin("trust", named, "--yes")
        assert (exit_code, out, len(said.splitlines())) == (code, "", 1), said
        assert words in said


def test_check_takes_the_name_of_a_plugin_too(home: Home, plugin: Run) -> None:
    write(home.plugins, "mine", "def mine(completions, **columns):\n    return [1.0]\n")
    code, out, _ = plugin("check", "mine")
    assert code == 1
    assert "error    mine: It returned 1 values" in out
    assert plugin("check", "leitner")[:2] == (0, ""), "one that travels with the program, as `plugin list` names it"
    code, out, _ = plugin("check", "nothing")
    assert (code, "Cannot read" in out) == (1, True)


def test_check(tmp_path: Path, plugin: Run) -> None:
    bad = write(tmp_path, "mine", "def mine(completions, **columns):\n    return [1.0]\n")
    code, facts, said = plugin("check", str(bad), "--json")
    assert code == 1
    assert {"plugin": "mine", "severity": "error", "words": "It returned 1 values, not a list of 10 values."} in facts
    assert said == "Errors: 1, warnings: 1.\n"
    code, out, _ = plugin("check", str(bad))
    assert code == 1
    assert "error    mine: It returned 1 values, not a list of 10 values.\n" in out
    code, out, said = plugin("check", str(tmp_path / "none.py"))
    assert code == 1
    assert out == f"error    none: Cannot read {tmp_path}/none.py: No such file or directory.\n"


@pytest.mark.parametrize("kind", ["reward", "curriculum", "task"])
def test_what_new_writes_works(plugin: Run, standing: Callable[[str], str], kind: str) -> None:
    code, facts, said = plugin("new", kind, "my_own", "--json")
    assert code == 0, said
    path, test = Path(facts["plugin"]), Path(facts["test"])
    assert (path.name, test.name) == ("my_own.py", "test_my_own.py")
    assert check(path) == []
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--noconftest", test.name],
        cwd=test.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert standing("my_own") == "not trusted", "what was written is there to be read, too"
    for tool in (
        ["format", "--check", "--line-length", "120"],
        ["check", "--select", "E,F,I,B,UP", "--line-length", "120"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *tool, str(path), str(test)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
    code, _, said = plugin("new", kind, "my_own")
    assert code == 2
    assert "exists already; choose another name" in said


@pytest.mark.parametrize(
    "name", ["", "two words", "a-b", "class", "../up", "_mine", "test_it", "json", "arithmetic", "café", "task"]
)
def test_names_that_cannot_be_used(home: Home, name: str) -> None:
    with pytest.raises(UsageError):
        scaffold.write(home, "task", name)
    assert list(home.plugins.iterdir()) == []


def test_list_for_programs(home: Home) -> None:
    code, facts, said = mrclassic(home.root, "plugin", "list", "--json", timeout=60)
    assert (code, said) == (0, "")
    assert all(
        set(each) == {"name", "kind", "origin", "standing", "about", "path", "flaw", "quarantined"} for each in facts
    )
