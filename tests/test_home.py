"""The home folder: found in the right order, made for its owner only, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from mrclassic.errors import MrClassicError
from mrclassic.home import Home


def test_the_flag_goes_before_the_variable_and_the_variable_before_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "owner"))
    monkeypatch.delenv("MRCLASSIC_HOME", raising=False)
    assert Home.locate().root == tmp_path / "owner" / ".mrclassic"
    monkeypatch.setenv("MRCLASSIC_HOME", str(tmp_path / "variable"))
    assert Home.locate().root == tmp_path / "variable"
    assert Home.locate(tmp_path / "flag").root == tmp_path / "flag"
    monkeypatch.setenv("MRCLASSIC_HOME", "")
    assert Home.locate().root == tmp_path / "owner" / ".mrclassic"


def test_a_relative_or_tilde_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Home.locate(Path("here")).root == tmp_path / "here"
    assert Home.locate(Path("~/there")).root == tmp_path / "there"


def test_ensure_makes_private_folders_and_may_be_repeated(tmp_path: Path) -> None:
    home = Home(tmp_path / "a" / "home")
    assert home.ensure().ensure() == home
    for folder in (home.root, *home.folders):
        assert folder.is_dir()
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_run_folder_that_others_can_open_is_narrowed(home: Home) -> None:
    home.run.chmod(0o755)
    home.ensure()
    assert home.run.stat().st_mode & 0o777 == 0o700


def test_everything_lies_inside_the_root(home: Home) -> None:
    for path in (*home.folders, home.database, home.book, home.settings_file, home.socket):
        assert home.root in path.parents


@pytest.mark.parametrize("where", ["a file", "below a file", "a folder inside is a file"])
def test_an_unusable_home_is_one_sentence_with_its_path(tmp_path: Path, where: str) -> None:
    root = tmp_path / "home"
    if where == "a folder inside is a file":
        root.mkdir()
        (root / "logs").write_text("")
    else:
        root.write_text("")
    home = Home(root / "deeper" if where == "below a file" else root)
    with pytest.raises(MrClassicError, match=r"home.*--home or \$MRCLASSIC_HOME") as caught:
        home.ensure()
    assert str(root) in str(caught.value)
    assert "\n" not in str(caught.value)
