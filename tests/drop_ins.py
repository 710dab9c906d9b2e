"""Writes plugins into a home, trusted or not, as their owner would."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from mrclassic.home import Home
from mrclassic.plugins import trust
from mrclassic.plugins.find import Kind, Plugin, in_file
from mrclassic.store import Store


def write(folder: Path, name: str, text: str) -> Path:
    """A file that only its owner may write, whatever the test's umask is."""
    path = folder / f"{name}.py"
    path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    path.chmod(0o600)
    path.parent.chmod(0o700)
    return path


def approve(home: Home, name: str) -> None:
    with Store.open(home) as store:
        trust.approve(store, trust.candidate(home, name))


def plugin(folder: Path, name: str, text: str, kind: Kind = "reward") -> Plugin:
    """The plugin in a file of that text."""
    (found,) = [each for each in in_file(write(folder, name, text), "home") if each.kind == kind]
    assert found.flaw == ""
    return found
