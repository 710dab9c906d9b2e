"""`mrclassic doctor`: looks at everything that a working Mr. Classic needs and says what to mend."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mrclassic.cli import common

if TYPE_CHECKING:
    from mrclassic.book import Entry
    from mrclassic.home import Home
    from mrclassic.settings import Settings

# A night of the largest own shape writes a few checkpoints of 200 MB, the newest with its optimizer state.
_ROOM = 1 << 30
_OLDEST_PYTHON = (3, 11)
_PROBE_SECONDS = 120
_NAMED = 5  # conversations that stand twice in the book

# Runs in a process of its own: the command line never imports torch. Times square products of about 0.3 s a format.
_PROBE = """
import json, sys, time
import torch
from mrclassic.errors import MrClassicError
from mrclassic.model.device import choose_device, choose_dtype
try:
    device = choose_device(sys.argv[1])
except MrClassicError as error:
    sys.exit(str(error))
n = 512 if device.type == "cpu" else 4096
def wait():
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
def rate(kind):
    a = torch.randn(n, n, device=device).to(kind)
    for _ in range(3):
        a @ a
    wait()
    count, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < 0.3:
        for _ in range(4):
            a @ a
        wait()
        count += 4
    return count * 2 * n**3 / (time.perf_counter() - begun)
print(json.dumps({
    "device": str(device),
    "name": torch.cuda.get_device_name(device) if device.type == "cuda" else "",
    "threads": torch.get_num_threads(),
    "computes": str(choose_dtype(device, sys.argv[2])).removeprefix("torch."),
    "fp32": rate(torch.float32),
    "bf16": rate(torch.bfloat16),
}))
"""


@dataclass(frozen=True)
class Check:
    """One finding; `mend` says what to do where it is not ok, or is empty."""

    check: str
    ok: bool
    detail: str
    mend: str = ""


def doctor(ctx: typer.Context, json_: common.JsonFlag = False) -> None:
    """Check the program, the device and this home; exit code 1 if something has to be mended.

    Example: mrclassic doctor --json
    """
    root: common.Root = ctx.ensure_object(common.Root)
    found = []
    for check in examine(root.home, root.device):
        found.append(check)
        if not json_:
            common.out(f"{'ok' if check.ok else '!!'}  {check.check:<10}  {check.detail}")
            if not check.ok and check.mend:
                common.out(f"    {'':<10}  -> {check.mend}")
    if json_:
        common.emit(found)
    if not all(check.ok for check in found):
        raise typer.Exit(1)


def examine(home_flag: Path | None = None, device_flag: str | None = None) -> Iterator[Check]:
    """Every check in turn; one that fails does not keep the others from being made."""
    from mrclassic.home import Home

    yield _python()
    yield _torch()
    home = Home.locate(home_flag)
    yield (writable := _home(home))
    settings, check = _settings(home, device_flag)
    yield check
    yield _device(settings)
    if not writable.ok:
        return
    for make in (_disk, _database, _book, _checkpoint, _mind):
        yield make(home)
    yield _daemon(home, settings)
    yield _plugins(home)
    yield _sandbox()


def _python() -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    wish = ".".join(str(part) for part in _OLDEST_PYTHON)
    return Check("python", sys.version_info >= _OLDEST_PYTHON, version, f"Install Python {wish} or newer.")


def _torch() -> Check:
    from importlib.metadata import PackageNotFoundError, version

    mend = 'Install it: pip install "torch>=2.9,<2.14"'
    try:
        found = version("torch")
    except PackageNotFoundError:
        return Check("torch", False, "not installed", mend)
    numbers = found.split("+")[0].split(".")
    fits = numbers[0] == "2" and numbers[1].isdigit() and 9 <= int(numbers[1]) < 14
    return Check("torch", fits, found, mend)


def _home(home: Home) -> Check:
    """Whether a file can really be written there: permissions say yes on a disk that is full or read-only."""
    import tempfile

    from mrclassic.errors import MrClassicError

    mend = "Mend that, or choose another folder with --home or MRCLASSIC_HOME."
    try:
        home.ensure()
        with tempfile.TemporaryFile(dir=home.run) as file:
            file.write(b"x" * 4096)
            file.flush()
    except MrClassicError as error:
        return Check("home", False, str(error), mend)
    except OSError as error:
        return Check("home", False, f"{home.root} cannot be written: {error.strerror or error}", mend)
    return Check("home", True, str(home.root))


def _settings(home: Home, device: str | None) -> tuple[Settings, Check]:
    from mrclassic.errors import MrClassicError
    from mrclassic.settings import Settings, load

    try:
        settings = load(home, {"device": device})
    except MrClassicError as error:
        return Settings(), Check("settings", False, str(error), f"Mend {home.settings_file} or what the line names.")
    where = home.settings_file if home.settings_file.exists() else "all as they come (there is no mrclassic.toml)"
    return settings, Check("settings", True, str(where))


def _device(settings: Settings) -> Check:
    import json
    import subprocess

    from mrclassic import shipped

    command = shipped.python("-c", _PROBE, settings.device, settings.dtype)
    mend = "Choose another with the setting `device` or --device, or install torch anew."
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False, env=shipped.environment()
        )
    except subprocess.TimeoutExpired:
        return Check("device", False, f"no answer within {_PROBE_SECONDS} seconds", mend)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        return Check("device", False, lines[-1] if lines else f"exit code {done.returncode}", mend)
    facts: dict[str, Any] = json.loads(done.stdout)
    name = f" ({facts['name']})" if facts["name"] else f" ({facts['threads']} threads)"
    ratio = facts["bf16"] / facts["fp32"]
    speed = f"{facts['fp32'] / 1e9:,.0f} GFLOP/s in fp32, bf16 {ratio:.1f} times that"
    return Check("device", True, f"{facts['device']}{name}: {speed}; computes in {facts['computes']}")


def _disk(home: Home) -> Check:
    import shutil

    free = shutil.disk_usage(home.root).free
    return Check("disk", free >= _ROOM, f"{free / _ROOM:,.1f} GiB free", "Make room: a night needs about 1 GiB.")


def _database(home: Home) -> Check:
    from mrclassic.errors import MrClassicError
    from mrclassic.store import Store

    if not home.database.exists():
        return Check("database", True, "none yet")
    mend = "`mrclassic data mend` restores what can be had; end what uses it first."
    try:
        with Store.open(home) as store:
            damage = store.damage()
    except MrClassicError as error:
        return Check("database", False, str(error), mend)
    if damage:
        return Check("database", False, damage[0], mend)
    return Check("database", True, f"whole, {home.database.stat().st_size / 1e6:.1f} MB")


def _book(home: Home) -> Check:
    from mrclassic import book
    from mrclassic.errors import MrClassicError

    if not home.book.exists():
        return Check("book", True, "none yet; the first start brings one")
    try:
        entries = book.parse(book.read(home.book), str(home.book))
    except MrClassicError as error:
        return Check("book", False, str(error), "Open it in an editor and mend that line.")
    same: dict[str, list[Entry]] = {}
    for entry in entries:
        same.setdefault(entry.key, []).append(entry)
    words = [f"{len(same):,} entries"]
    twice = [twins for twins in same.values() if len({twin.reply for twin in twins}) > 1]
    for twins in twice[:_NAMED]:
        lines = ", ".join(str(twin.line) for twin in twins)
        question = " ".join(twins[-1].turns[-1].user.split())
        words.append(f"{question!r} stands there with several replies (lines {lines}): the last one counts")
    if len(twice) > _NAMED:
        words.append(f"and so do {len(twice) - _NAMED:,} more")
    return Check("book", True, "; ".join(words))


def _checkpoint(home: Home) -> Check:
    from mrclassic.errors import MrClassicError
    from mrclassic.model.manifest import verify
    from mrclassic.store import Store

    mend = "Go back to another: `mrclassic model list`, then `mrclassic model use ID`."
    if not home.database.exists():
        return Check("checkpoint", True, "none yet; `mrclassic hatch` makes one")
    try:
        with Store.open(home) as store:
            used = store.checkpoints.in_use()
        if used is None:
            return Check("checkpoint", True, "none yet; `mrclassic hatch` makes one")
        manifest = verify(home.checkpoints / used.path)
    except MrClassicError as error:
        return Check("checkpoint", False, str(error), mend)
    if used.model_sha256 and manifest.model_sha256 != used.model_sha256:
        return Check("checkpoint", False, f"{used.id} is not the one that the database knows", mend)
    return Check("checkpoint", True, f"{used.id} is whole, {manifest.parameters:,} parameters")


def _mind(home: Home) -> Check:
    from mrclassic.mind.process import holder

    pid = holder(home)
    return Check("mind", True, f"running (process {pid})" if pid else "not running; it starts when somebody asks")


def _daemon(home: Home, settings: Settings) -> Check:
    from mrclassic.daemon.status import read

    found = read(home)
    if found.running:
        return Check("daemon", True, f"running (process {found.pid}), {found.state}")
    nights = "no nights start by themselves (`mrclassic daemon run`)" if settings.night.enabled else "nights are off"
    return Check("daemon", True, f"not running; {nights}")


def _plugins(home: Home) -> Check:
    from mrclassic.errors import MrClassicError
    from mrclassic.plugins import trust
    from mrclassic.plugins.find import found
    from mrclassic.store import Store

    own = [plugin for plugin in found(home) if plugin.origin == "home"]
    if not own:
        return Check("plugins", True, "none of your own")
    try:
        with Store.open(home) as store:
            standing = {plugin.name: trust.standing(plugin, store) for plugin in own}
    except MrClassicError as error:
        return Check("plugins", False, str(error), "Mend the database first.")
    words = []
    for each in ("trusted", "not trusted", "changed", "flawed"):
        names = [name for name, what in standing.items() if what == each]
        if names:
            words.append(f"{each}: {', '.join(names)}")
    off = sorted(name for name, what in standing.items() if what in ("changed", "flawed"))
    mend = "Read it, then `mrclassic plugin trust NAME`; `mrclassic plugin list` says what is flawed."
    return Check("plugins", not off, "; ".join(words), mend)


def _sandbox() -> Check:
    from mrclassic.sandbox import backends

    faults = {name: backends.fault(name) for name in backends.BACKENDS}
    held = [name for name, fault in faults.items() if fault is None]
    words = [f"{name}: {fault}" for name, fault in faults.items() if fault]
    if held:
        return Check("sandbox", True, "; ".join([f"{' and '.join(held)} stood the self-test", *words]))
    if sys.platform != "linux":
        return Check("sandbox", True, "none on this system: programs that a model writes are not run")
    mend = "Install bubblewrap (apt-get install bubblewrap) or a kernel with Landlock; until then no code is practised."
    return Check("sandbox", False, " ".join(words), mend)
