"""A drop-in is off until its owner approves it, and off again as soon as a byte of it changes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from drop_ins import approve, write

from mrclassic import plugins
from mrclassic.errors import Refused, UsageError
from mrclassic.home import Home
from mrclassic.plugins import trust
from mrclassic.plugins.find import found
from mrclassic.store import Store

FLAT = "def flat(completions, **columns):\n    return [0.5] * len(completions)\n"


def state(home: Home, name: str = "flat") -> str:
    with Store.open(home) as store:
        (plugin,) = [each for each in found(home) if each.name == name and each.origin == "home"]
        return trust.standing(plugin, store)


def usable(home: Home) -> set[str]:
    with Store.open(home) as store:
        return set(plugins.rewards(home, store))


def test_its_life(home: Home) -> None:
    path = write(home.plugins, "flat", FLAT)
    assert (state(home), "flat" in usable(home)) == ("not trusted", False)
    approve(home, "flat")
    assert (state(home), "flat" in usable(home)) == ("trusted", True)
    path.write_text(FLAT + "# one more line\n")
    assert (state(home), "flat" in usable(home)) == ("changed", False)
    path.write_text(FLAT)
    assert state(home) == "trusted", "what was approved is the content"
    path.write_text(FLAT + "# one more line\n")
    approve(home, "flat.py")
    assert state(home) == "trusted"
    with Store.open(home) as store:
        trust.revoke(home, store, "flat")
        with pytest.raises(UsageError, match=r"flat\.py is not trusted; there is nothing to revoke\."):
            trust.revoke(home, store, "flat")
    assert (state(home), "flat" in usable(home)) == ("not trusted", False)


def test_a_copy_elsewhere_or_under_another_name_is_not_trusted(home: Home) -> None:
    path = write(home.plugins, "flat", FLAT)
    approve(home, str(path))
    write(home.plugins, "other", FLAT.replace("flat", "other"))
    path.rename(home.plugins / "flat2.py")
    assert usable(home).isdisjoint({"flat", "flat2", "other"})


def test_a_home_reached_by_a_link_is_the_same_home(home: Home, tmp_path: Path) -> None:
    write(home.plugins, "flat", FLAT)
    approve(home, "flat")
    (tmp_path / "short").symlink_to(home.root)
    assert state(Home(tmp_path / "short")) == "trusted"


def test_a_plugin_is_known_by_the_name_that_it_gives_itself(home: Home) -> None:
    write(home.plugins, "mine", "@reward(name='quiet')\ndef mine(completions): ...")
    approve(home, "quiet")
    assert "quiet" in usable(home)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_what_others_may_write_is_refused(home: Home, mode: int) -> None:
    path = write(home.plugins, "flat", FLAT)
    approve(home, "flat")
    path.chmod(mode)
    assert (state(home), "flat" in usable(home)) == ("flawed", False)
    with Store.open(home) as store, pytest.raises(Refused, match=r"Others may write .*flat\.py; .*`chmod go-w"):
        trust.approve(store, trust.candidate(home, "flat"))


def test_a_folder_that_others_may_write_is_refused(home: Home) -> None:
    write(home.plugins, "flat", FLAT)
    approve(home, "flat")
    home.plugins.chmod(0o777)
    assert "flat" not in usable(home)
    with pytest.raises(Refused, match=r"Others may write .*plugins; "):
        trust.candidate(home, "flat")


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_the_file_of_another_user_is_refused(home: Home) -> None:
    os.chown(write(home.plugins, "flat", FLAT), 65534, 65534)
    with pytest.raises(Refused, match="belongs to another user"):
        trust.candidate(home, "flat")


def test_links_are_refused(home: Home, tmp_path: Path) -> None:
    (home.plugins / "flat.py").symlink_to(write(tmp_path, "flat", FLAT))
    assert state(home) == "flawed"
    for named in ("flat", str(home.plugins / "flat.py")):
        with pytest.raises(Refused, match=r"flat\.py is a symbolic link; put the file itself there\."):
            trust.candidate(home, named)


def test_files_elsewhere_are_refused(home: Home, tmp_path: Path) -> None:
    path = write(tmp_path, "flat", FLAT)
    for named in (str(path), str(home.plugins / ".." / ".." / "flat.py"), "./flat.py"):
        with pytest.raises(Refused, match=re.escape(f"is not in {home.plugins}; only files there can be trusted")):
            trust.candidate(home, named)


def test_what_is_not_there(home: Home) -> None:
    with pytest.raises(UsageError, match=r"There is no plugin nothing in .*; `mrclassic plugin list` shows"):
        trust.candidate(home, "nothing")


def test_the_home_goes_before_what_travels_with_the_program(home: Home) -> None:
    write(home.plugins, "no_repetition", FLAT.replace("flat", "no_repetition"))

    def path() -> Path:
        with Store.open(home) as store:
            file = plugins.rewards(home, store)["no_repetition"].plugin.file  # type: ignore[attr-defined]
            return Path(file.path)

    assert path().parent != home.plugins
    approve(home, "no_repetition")
    assert path().parent == home.plugins
