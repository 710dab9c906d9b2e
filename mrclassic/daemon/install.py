"""Has systemd start the service: writes the user units with the paths of this installation, and enables them."""

from __future__ import annotations

import getpass
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mrclassic import files, shipped
from mrclassic.daemon import schedule
from mrclassic.daemon.status import alive, last_words
from mrclassic.errors import MrClassicError, Refused
from mrclassic.home import VARIABLE, Home
from mrclassic.settings import PREFIX, Night

SERVICE, JUDGE, TIMER, WAKE = (
    "mrclassic.service",
    "mrclassic-judge.service",
    "mrclassic-wake.timer",
    "mrclassic-wake.service",
)
_SECONDS = 60.0  # a service that is started again lets its night save first
_WAKE_ALARM = 35  # CAP_WAKE_ALARM


@dataclass(frozen=True)
class Installed:
    """What was done: the files written or removed, whether systemd runs them now, whether they stay when the owner logs
    out (None: nobody knows), and what the owner should know or type, in sentences."""

    files: tuple[Path, ...]
    enabled: bool
    linger: bool | None
    words: tuple[str, ...]


def install(home: Home, night: Night, *, linger: bool = False, wake: bool = False) -> Installed:
    """Write the units and enable them; with `linger` also let them run without a login, with `wake` wake the machine.

    Raises MrClassicError where there is no systemd, Refused where a service was started in another way, or where the
    units that are there serve another home: an owner has one service.
    """
    _needs_systemd(home)
    _own(home, "It stays as it is; `mrclassic --home {other} daemon install --uninstall` takes it away.")
    if alive(home) and not _systemctl("is-active", SERVICE)[0]:
        pid = last_words(home).pid
        raise Refused(f"A service for {home.root} runs already (process {pid}), started by hand; end it first.")
    names = (SERVICE, JUDGE, *((TIMER, WAKE) if wake else ()))
    written = []
    for name in names:
        path = units() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(path, render(name, home, night).encode())
        written.append(path)
    started = [name for name in names if name != WAKE]
    steps = (("daemon-reload",), ("enable", *started), ("restart", *started))
    failed = next(((step, said) for step in steps if not (done := _systemctl(*step))[0] for said in [done[1]]), None)
    words = []
    if failed is not None:
        typed = " && ".join(f"systemctl --user {' '.join(step)}" for step in steps)
        words.append(f"systemd did not take them ({failed[1]}). When it does, type: {typed}")
    words += [*_lingering(linger), *_sleeping(night, written[2:], wake), *_left_out(os.environ)]
    return Installed(tuple(written), failed is None, _linger(), tuple(words))


def uninstall(home: Home) -> Installed:
    """Stop and disable the units, and remove them; Refused where they serve another home."""
    _needs_systemd(home)
    _own(home, "`mrclassic --home {other} daemon install --uninstall` takes it away.")
    there = [path for name in (SERVICE, JUDGE, TIMER, WAKE) if (path := units() / name).exists()]
    if there:
        _systemctl("disable", "--now", *(path.name for path in there if path.name != WAKE))
    for path in there:
        path.unlink()
    _systemctl("daemon-reload")
    words = ["Nothing was installed."] if not there else []
    if there and _linger():
        words.append(
            "Services of yours still run without a login; `loginctl disable-linger` ends that for all of them."
        )
    return Installed(tuple(there), False, _linger(), tuple(words))


def installed() -> Path | None:
    """The home that the units of this owner serve; None where there are none, or they name none."""
    for name in (SERVICE, JUDGE, WAKE):
        path = units() / name
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        for line in re.findall(r"^ExecStart=(.*)$", text, flags=re.MULTILINE):
            try:
                words = shlex.split(line)
            except ValueError:  # written by hand, and not well
                continue
            if "--home" in words[:-1]:
                return Path(words[words.index("--home") + 1].replace("$$", "$").replace("%%", "%"))
    return None


def _own(home: Home, mend: str) -> None:
    """Refuse to touch the units of another home; one that is not there any more has no say."""
    other = installed()
    if other is None or other.resolve() == home.root.resolve() or not other.exists():
        return
    raise Refused(
        f"The service that is installed serves another home, {other}. {mend.format(other=shlex.quote(str(other)))}"
    )


def units() -> Path:
    """Where an owner's units lie."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "systemd" / "user"


def render(name: str, home: Home, night: Night) -> str:
    """The unit of that name for this home and this installation."""
    text = (shipped.folder("systemd") / name).read_text(encoding="utf-8")
    command = " ".join(_word(word) for word in shipped.python("-m", "mrclassic", "--home", str(home.root)))
    command = command.replace("$", "$$")  # which elsewhere in a unit stands for itself
    text = text.replace("ExecStart=/usr/bin/env mrclassic", f"ExecStart={command}")
    if (path := shipped.environment().get("PYTHONPATH")) and path != os.environ.get("PYTHONPATH"):
        text = text.replace("\nExecStart=", f"\nEnvironment={_word('PYTHONPATH=' + path)}\nExecStart=")
    text = text.replace("\nReadWritePaths=%h\n", f"\nReadWritePaths={_word(str(home.root))}\n")
    if home.root.is_relative_to("/tmp") or home.root.is_relative_to("/var/tmp"):  # noqa: S108
        text = text.replace("PrivateTmp=yes", "PrivateTmp=no")  # or it would have another, empty home
    zone = f" {night.timezone}" if night.timezone else ""
    times = [f"OnCalendar={window.days.title()} *-*-* {window.start}:00{zone}" for window in schedule.windows(night)]
    return re.sub(r"^OnCalendar=.*$", lambda _: "\n".join(times), text, flags=re.MULTILINE)


def _word(text: str) -> str:
    """One word of a unit, whatever is in it."""
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"' if re.search(r"[^\w@%+=:,./$-]", text) else text


def _needs_systemd(home: Home) -> None:
    if shutil.which("systemctl") is None:
        raise MrClassicError(
            "There is no systemd here, so nothing was written; have whatever starts your programs (launchd, cron's "
            f"@reboot) run `mrclassic --home {home.root} daemon run`."
        )


def _lingering(wanted: bool) -> list[str]:
    words = []
    if wanted:
        good, said = _run("loginctl", "enable-linger")
        if not good:
            words.append(f"Lingering could not be turned on ({said}); as root: loginctl enable-linger {_user()}")
    found = _linger()
    if found:
        words.append("Lingering is on: the service runs from the start of the machine, also when you are logged out.")
    elif found is None:
        words.append(f"Whether lingering is on is not known; `loginctl show-user {_user()} -p Linger` says it.")
    elif not wanted:
        words.append(
            "Lingering is off: the service ends when you log out. `mrclassic daemon install --linger` or `loginctl "
            "enable-linger` lets it run on."
        )
    return words


def _sleeping(night: Night, timer: list[Path], wake: bool) -> list[str]:
    late = f"{night.misfire_hours:g} hours"
    words = [f"A machine that sleeps holds no night; one that wakes within {late} of its start makes up for it."]
    if not wake:
        words.append("`mrclassic daemon install --wake` has it woken, where that is possible.")
    elif _may_wake():
        words.append("It is woken for each night; whether it then stays awake so long is up to its own settings.")
    else:
        copies = " ".join(map(str, timer))
        words.append(
            "Your systemd may not wake the machine (that takes systemd 254 or newer and a local login). As root, for "
            f"all: cp {copies} /etc/systemd/system/ && systemctl enable --now {TIMER}"
        )
    return words


def _left_out(environment: Mapping[str, str]) -> list[str]:
    """Settings of this shell that the service will not have."""
    names = sorted(name for name in environment if name.startswith(PREFIX) and name != VARIABLE)
    return [f"Set in this shell only, not for the service: {', '.join(names)}."] if names else []


def _linger() -> bool | None:
    good, said = _run("loginctl", "show-user", _user(), "--property=Linger", "--value")
    return {"yes": True, "no": False}.get(said) if good else None


def _may_wake() -> bool:
    """Whether the owner's manager has the right to wake the machine."""
    good, pid = _run("systemctl", "show", f"user@{os.getuid()}.service", "--property=MainPID", "--value")
    try:
        lines = Path("/proc", pid, "status").read_text(encoding="ascii") if good and pid.isdigit() else ""
    except OSError:
        return False
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", lines, flags=re.MULTILINE)
    return found is not None and bool(int(found[1], 16) >> _WAKE_ALARM & 1)


def _user() -> str:
    return getpass.getuser()


def _systemctl(*words: str) -> tuple[bool, str]:
    return _run("systemctl", "--user", *words)


def _run(*command: str) -> tuple[bool, str]:
    """Whether it went well, and the last line that it said."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    lines = (done.stdout if done.returncode == 0 else done.stderr or done.stdout).strip().splitlines()
    return done.returncode == 0, lines[-1].rstrip(".") if lines else ""
