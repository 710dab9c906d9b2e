"""Settings that are damaged, or wrong while nobody is there: what last worked holds, nothing of the owner's goes."""

from __future__ import annotations

from pathlib import Path

import pytest
from homes import mrclassic
from hypothesis import given
from hypothesis import strategies as st

from mrclassic.errors import UsageError
from mrclassic.home import Home
from mrclassic.last_settings import load, remembered
from mrclassic.settings import Settings, template

GOOD = "[night]\nminutes = 7\n"


@pytest.fixture
def home(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in ("MRCLASSIC_HOME", "MRCLASSIC_DEVICE"):
        monkeypatch.delenv(name, raising=False)
    return home


@given(data=st.binary(max_size=300).map(lambda data: data + b"\0"))
def test_a_damaged_file_is_kept_aside_and_what_worked_last_takes_its_place(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = Home(tmp_path_factory.mktemp("home")).ensure()
    home.settings_file.write_text(GOOD)
    assert load(home) == (load(home)[0], "")
    home.settings_file.write_bytes(data)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):  # a text in another encoding: its owner is told
        with pytest.raises(UsageError, match="save the file as UTF-8"):
            load(home)
        return
    found, notice = load(home)
    assert found.night.minutes == 7
    assert home.settings_file.read_text() == GOOD
    assert (home.root / "mrclassic.toml.bad").read_bytes() == data
    assert "mrclassic.toml.bad" in notice
    assert load(home) == (found, "")


def test_without_anything_to_fall_back_on_it_is_the_defaults(home: Home) -> None:
    for _ in range(2):
        home.settings_file.write_bytes(bytes(4096))
        remembered(home).unlink(missing_ok=True)
        found, notice = load(home)
        assert found == Settings()
        assert "every default" in notice
        assert home.settings_file.read_text() == template()
    assert (home.root / "mrclassic.toml.bad-2").read_bytes() == bytes(4096)


def test_behind_a_link_the_owners_file_is_mended_and_the_link_stays(home: Home, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_text(GOOD)
    home.settings_file.symlink_to(real)
    load(home)
    real.write_bytes(b"\0\0")
    assert load(home)[0].night.minutes == 7
    assert home.settings_file.is_symlink()
    assert real.read_text() == GOOD


@pytest.mark.parametrize("wrong", ["[night\n", "[night]\nminuts = 3\n", "[night]\nminutes = -1\n", "caf\xe9 = 1"])
def test_a_mistake_is_told_to_who_is_there_and_bridged_where_nobody_is(home: Home, wrong: str) -> None:
    home.settings_file.write_bytes(wrong.encode("latin-1"))
    for attended in (True, False):  # nothing worked before
        with pytest.raises(UsageError):
            load(home, attended=attended)
    home.settings_file.write_text(GOOD)
    load(home)
    home.settings_file.write_bytes(wrong.encode("latin-1"))
    with pytest.raises(UsageError, match=str(home.settings_file)):
        load(home)
    found, notice = load(home, {"night.start": "03:00"}, attended=False)
    assert (found.night.minutes, found.night.start) == (7, "03:00")
    assert str(home.settings_file) in notice
    assert notice.endswith("Until then the settings hold that worked last.")
    assert home.settings_file.read_bytes() == wrong.encode("latin-1"), "the owner's file is the owner's to mend"
    assert list(home.root.glob("*.bad*")) == []


def test_a_wrong_flag_or_variable_is_wrong_whoever_is_there(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.settings_file.write_text(GOOD)
    load(home)
    with pytest.raises(UsageError, match="command line"):
        load(home, {"night.minutes": -3}, attended=False)
    monkeypatch.setenv("MRCLASSIC_NIGHT_MINUTES", "many")
    with pytest.raises(UsageError, match="MRCLASSIC_NIGHT_MINUTES"):
        load(home, attended=False)


def test_the_shell_says_so(home: Home) -> None:
    home.settings_file.write_text("[chat]\ncandidates = 3\n")
    assert mrclassic(home.root, "model", "list")[0] == 0
    home.settings_file.write_bytes(b"\0" * 100)
    code, _, narration = mrclassic(home.root, "model", "list")
    assert code == 0
    assert f"The settings {home.settings_file} were damaged" in narration
    home.settings_file.write_text("[chat]\ncandidates = 30\n")
    # Nobody is there, so the night goes on with what it knows, and ends for want of a model.
    code, _, narration = mrclassic(home.root, "night", "--now", "--minutes", "1", "--unattended")
    assert code == 1
    assert "Until then the settings hold" in narration
    assert narration.splitlines()[-1].endswith("`mrclassic hatch` makes one.")
    assert mrclassic(home.root, "night", "--now", "--minutes", "1")[0] == 2
