"""The settings as they last worked, which stand in where their file is damaged, or wrong and nobody there to mend it.

Each time that the settings are read without a fault, their text is remembered in the home's `run` folder.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from mrclassic import files, settings
from mrclassic.errors import UsageError
from mrclassic.home import Home
from mrclassic.settings import Settings

# What no editor writes into a text; TOML forbids it too. Text of another encoding is no damage: its owner is told.
_DAMAGE = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_OTHER_TEXT = (b"\xff\xfe", b"\xfe\xff")


def remembered(home: Home) -> Path:
    """Where the text lies that last worked."""
    return home.run / "settings.toml"


def load(home: Home, overrides: Mapping[str, object] | None = None, *, attended: bool = True) -> tuple[Settings, str]:
    """The settings of `home` with `overrides`, and a sentence where they are not those of the file ("" where they are).

    A damaged file is put aside as `mrclassic.toml.bad`, and what last worked takes its place. A mistake in the file
    raises UsageError where somebody is `attended` to; otherwise what last worked holds until the mistake is mended.
    """
    notice = _mended(home)
    try:
        found = settings.load(home, overrides)
    except UsageError as error:
        if attended or not remembered(home).exists():
            raise
        found = settings.load(home, overrides, remembered(home))
        return found, f"{error} Until then the settings hold that worked last."
    _remember(home)
    return found, notice


def _mended(home: Home) -> str:
    """Put a damaged file aside, and into its place what last worked; what was done, in words."""
    path = home.settings_file
    with suppress(OSError):  # what cannot be read or written is told when it is loaded
        data = path.read_bytes()
        if data.startswith(_OTHER_TEXT) or not _DAMAGE.search(data):
            return ""
        aside = _aside(path, data)
        last = remembered(home)
        known = last.exists()
        files.replace(path, last.read_bytes() if known else settings.template().encode())
        instead = "the settings that worked last are" if known else "a file with every default is"
        return f"The settings {path} were damaged; the file is kept as {aside}, and {instead} in its place."
    return ""


def _aside(path: Path, data: bytes) -> Path:
    for number in itertools.count(1):
        aside = path.with_name(f"{path.name}.bad{'' if number == 1 else f'-{number}'}")
        try:
            with aside.open("xb") as file:
                file.write(data)
        except FileExistsError:
            continue
        return aside
    raise AssertionError("unreachable")


def _remember(home: Home) -> None:
    """Keep the text if it is another than the last; a home that cannot be written loses only this."""
    with suppress(OSError):
        data, last = home.settings_file.read_bytes(), remembered(home)
        if not last.exists() or last.read_bytes() != data:
            files.replace(last, data)
