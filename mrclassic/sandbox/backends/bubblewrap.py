"""The first choice: namespaces of its own for users, processes, network and files, with only the interpreter in it.

bubblewrap does not contain real root (/proc/sys could be written, limits on processes did nothing), so root becomes
nobody first. Nobody may not look into root's home, where the interpreter or this program may lie: root therefore shows
them elsewhere, in a mount namespace that ends with the sandbox.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from mrclassic.sandbox import inside
from mrclassic.sandbox.backends.landlock import ENVIRONMENT, MAIN
from mrclassic.sandbox.confined import Launch, SandboxFault
from mrclassic.sandbox.inside.confine import NOBODY

_PYTHON, _INSIDE = "/python", "/program"
_CONFINED = (
    *("--unshare-all", "--unshare-user", "--disable-userns", "--as-pid-1", "--die-with-parent", "--new-session"),
    *("--clearenv", "--cap-drop", "ALL"),
)
# $1: an empty folder of the system; $2 and $3: what to show there.
_SHOW = (
    'mount -t tmpfs -o mode=755,size=64k tmpfs "$1" && mkdir "$1/python" "$1/inside" && mount --bind "$2" "$1/python" '
    '&& mount --bind "$3" "$1/inside" && shift 3 && exec "$@"'
)
_STAGES = ("/media", "/srv", "/mnt", "/opt")


def launch() -> Launch:
    """How to start it; raises SandboxFault where a program that it takes is missing."""
    if sys.platform != "linux":
        raise SandboxFault("bubblewrap is for Linux, and this is not Linux.")
    prefix, package = Path(sys.base_prefix), Path(inside.__file__).parent
    before: Sequence[str] = ()
    if os.getuid() == 0:
        stage = _stage(prefix, package)
        before = (
            *(_find("unshare"), "--mount", "--propagation", "private", "sh", "-c", _SHOW, "sh"),
            *(str(stage), str(prefix), str(package)),
            *(_find("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
        )
        prefix, package = stage / "python", stage / "inside"
    python, places = _interpreter(prefix)
    environment = {"PYTHONPATH": _INSIDE, "LD_LIBRARY_PATH": f"{_PYTHON}/lib", **ENVIRONMENT}
    command = [
        *(*before, _find("bwrap"), *_CONFINED),
        *(*_system(), *places),
        *("--ro-bind", str(package), f"{_INSIDE}/mrclassic/sandbox/inside"),
        *(word for name, value in environment.items() for word in ("--setenv", name, value)),
        *("--remount-ro", "/", "--chdir", "/", "--", python, *MAIN, "bubblewrap"),
    ]
    return Launch(command, {"PATH": os.defpath})


def _find(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        package = "bubblewrap" if program == "bwrap" else "util-linux"
        raise SandboxFault(f"There is no {program} (install {package}).")
    return found


def _stage(*shown: Path) -> Path:
    """A folder that root can cover in its own mount namespace without hiding what it wants to show."""
    for stage in map(Path, _STAGES):
        if stage.is_dir() and not any(path.is_relative_to(stage) for path in shown):
            return stage
    raise SandboxFault(f"None of {', '.join(_STAGES)} is a folder.")


def _interpreter(prefix: Path) -> tuple[str, Sequence[str]]:
    """The interpreter's path in the sandbox, and the words that put it there; that of the system is there already."""
    base = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]  # the one that a venv was made from
    if Path(sys.base_prefix) == Path("/usr"):
        return str(base), ()
    return f"{_PYTHON}/{base.relative_to(Path(sys.base_prefix).resolve())}", ("--ro-bind", str(prefix), _PYTHON)


def _system() -> list[str]:
    """/usr, and beside it what is not a link into it on older systems."""
    words = ["--ro-bind", "/usr", "/usr"]
    for name in ("lib", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    return words
