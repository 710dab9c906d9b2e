"""Plugins are found by reading, never by running."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from drop_ins import write

from mrclassic import shipped
from mrclassic.home import Home
from mrclassic.plugins.find import Plugin, found, in_file


def of(home: Home, origin: str = "home") -> list[Plugin]:
    return [plugin for plugin in found(home) if plugin.origin == origin]


def test_those_that_travel_with_the_program(home: Home) -> None:
    names = {plugin.name: plugin for plugin in of(home, "shipped")}
    assert set(names) >= {path.stem for path in shipped.folder("plugins").glob("*.py")}
    assert all(not plugin.flaw and plugin.about for plugin in names.values())


def test_a_file_is_read_and_not_run(home: Home, tmp_path: Path) -> None:
    write(
        home.plugins,
        "shout",
        f'''
        """Against shouting.

        More about it.
        """
        from pathlib import Path
        Path({str(tmp_path / "ran")!r}).touch()

        from mrclassic.rewards import reward

        def shout(completions, **columns):
            return [0.0] * len(completions)

        @reward(name="quiet", weight=2)
        async def other(completions, **columns):
            """Nobody reads me."""

        @reward
        class Whisper:
            def __call__(self, completions, **columns): ...

        def helper(text): ...
        ''',
    )
    write(home.plugins, "test_shout", "def test_shout(): ...")
    write(home.plugins, "_private", "def _private(): ...")
    (home.plugins / "notes.txt").write_text("not a plugin")
    assert [(each.name, each.kind, each.attribute, each.about, each.flaw) for each in of(home)] == [
        ("shout", "reward", "shout", "Against shouting.", ""),
        ("quiet", "reward", "other", "Against shouting.", ""),
        ("Whisper", "reward", "Whisper", "Against shouting.", ""),
    ]
    assert not (tmp_path / "ran").exists()


def test_tasks_curricula_and_objects(home: Home) -> None:
    write(home.plugins, "capitals", "def task(folder): ...")
    write(home.plugins, "climb", "def curriculum(arms, success): ...")
    write(home.plugins, "rhyme", "import functools\nrhyme = functools.partial(print)")
    assert [(each.name, each.kind, each.attribute) for each in of(home)] == [
        ("capitals", "task", "task"),
        ("climb", "curriculum", "curriculum"),
        ("rhyme", "reward", "rhyme"),
    ]


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("def odd(:\n", "odd.py line 1 is not Python: "),
        ("x = 1\n", "odd.py defines no plugin: name its function odd, mark one with @reward, or define task"),
        ("@reward(name='a=b')\ndef odd(completions): ...", "odd.py gives a reward the name 'a=b'; use letters and _."),
        ("x = '\0'", "odd.py "),
        ("(" * 5000, "odd.py "),
    ],
)
def test_a_flawed_file_says_why(home: Home, text: str, flaw: str) -> None:
    write(home.plugins, "odd", text)
    (plugin,) = of(home)
    assert plugin.flaw.startswith(flaw)
    assert "\n" not in plugin.flaw


def test_files_that_are_no_text_or_no_file(home: Home) -> None:
    write(home.plugins, "bytes", "").write_bytes(b"\xff\xfe")
    (home.plugins / "folder.py").mkdir()
    write(home.plugins, "long", "#" * 2**20 + "\n")
    assert [plugin.flaw.partition(".py ")[2] for plugin in of(home)] == [
        "is not UTF-8 text (byte 0); save it as UTF-8.",
        "is not a file.",
        "is longer than 1 MiB, which is no plugin.",
    ]


def test_a_checked_file_may_lie_anywhere(tmp_path: Path) -> None:
    path = write(tmp_path, "anywhere", "def anywhere(completions): ...")
    path.chmod(0o666)
    assert in_file(path, "package")[0].flaw == ""


def test_entry_points_of_installed_packages(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "nice_rewards-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: nice-rewards\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        "[mrclassic.rewards]\nnice = nice_rewards:nice\nbad:name = nice_rewards:nice\n"
        "[mrclassic.tasks]\ncapitals = nice_rewards.tasks:build\n[mrclassic.curricula]\nclimb = nice_rewards:Climb\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    assert {(each.name, each.kind, each.attribute, bool(each.flaw)) for each in of(home, "package")} == {
        ("nice", "reward", "nice_rewards:nice", False),
        ("bad:name", "reward", "nice_rewards:nice", True),
        ("capitals", "task", "nice_rewards.tasks:build", False),
        ("climb", "curriculum", "nice_rewards:Climb", False),
    }
    assert "nice_rewards" not in sys.modules
