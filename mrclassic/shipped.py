"""Where the files that travel with the program lie: `data/`, `plugins/`, `systemd/`.

In a checkout they are the top-level folders; in a built wheel they lie inside the package, under `shipped/`. And how
a process that is started finds this very program.
"""

import os
import sys
import sysconfig
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The folder `data`, `plugins` or `systemd` as installed."""
    packed = _PACKAGE / "shipped" / name
    return packed if packed.is_dir() else _PACKAGE.parent / name


def python(*words: str) -> list[str]:
    """The command that runs this Python on `words`, such as `-m mrclassic`; start it with `environment()`.

    -P: a file of the folder we happen to be in must not stand in for a library.
    """
    return [sys.executable, "-P", *words]


def environment(**more: str) -> dict[str, str]:
    """What a child inherits, so that it imports this very package also in a checkout that is not installed."""
    inherited = {**os.environ, **more}
    root = str(_PACKAGE.parent)
    if root == sysconfig.get_path("purelib"):
        return inherited
    others = inherited.get("PYTHONPATH")
    return {**inherited, "PYTHONPATH": f"{root}{os.pathsep}{others}" if others else root}
