"""What every verb shares: the session (home, settings), data on stdout, narration on stderr, exit codes.

stdout is data, stderr is narration. Exit codes: 0 ok, 1 failed, 2 usage, 3 refused by a check, 130 interrupted.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, is_dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from mrclassic.tui.visible import visible

if TYPE_CHECKING:
    from mrclassic.home import Home
    from mrclassic.settings import Settings
    from mrclassic.store import Store

JsonFlag = Annotated[bool, typer.Option("--json", help="Print facts as JSON on standard output.")]


@dataclass(frozen=True)
class Root:
    """The options that stand before the verb."""

    home: Path | None = None
    device: str | None = None


@dataclass(frozen=True)
class Session:
    """An opened home with its settings."""

    home: Home
    settings: Settings

    def store(self) -> Store:
        """Open the database of this home (created on first use); one that cannot be opened any more is mended first."""
        from mrclassic.store import DamagedStoreError, Store

        try:
            return Store.open(self.home)
        except DamagedStoreError:
            from mrclassic.cli.mending import mend

            restored = mend(self.home)
            if restored is None:
                raise
            say(restored.sentence)
            return Store.open(self.home)


def session(ctx: typer.Context, *, attended: bool = True, **overrides: object) -> Session:
    """Open the home that the options, the environment or the default name; read its settings (see `last_settings` for
    what becomes of them where they are damaged, or wrong and nobody `attended` to).

    `overrides` are dotted settings with `__` for the dot (`night__minutes=10`); `None` means not given.
    """
    from mrclassic.home import Home
    from mrclassic.last_settings import load

    root: Root = ctx.ensure_object(Root)
    given = {key.replace("__", "."): value for key, value in overrides.items() if value is not None}
    if root.device is not None:
        given.setdefault("device", root.device)
    home = Home.locate(root.home)
    home.ensure()
    settings, notice = load(home, given, attended=attended)
    if notice:
        say(notice)
    return Session(home, settings)


def only(ctx: typer.Context, alone: str, *, beside: Sequence[str] = ("json",)) -> None:
    """Refuse other options beside `alone`, which makes them void; those in `beside` go with it."""
    from mrclassic.errors import UsageError

    given = {
        parameter.name: parameter.opts[0]
        for parameter in ctx.command.params
        if parameter.name and getattr(ctx.get_parameter_source(parameter.name), "name", "") == "COMMANDLINE"
    }
    others = [flag for name, flag in given.items() if name != alone and name not in beside]
    if alone in given and others:
        raise UsageError(f"{given[alone]} takes everything else from the run as it began; leave out {_list(others)}.")


def one_length(**lengths: float | None) -> None:
    """Refuse two lengths for one run: of the options of these names at most one may be given."""
    from mrclassic.errors import UsageError

    given = [f"--{name}" for name, length in lengths.items() if length is not None]
    if len(given) > 1:
        raise UsageError(f"{_list(given)} each give the length of the run; leave one of them out.")


def stdin() -> TextIO:
    """Standard input; bytes that are no text are read as U+FFFD."""
    from mrclassic.errors import UsageError

    if sys.stdin is None:
        raise UsageError("Standard input is closed; give the words on the command line, or through a pipe.")
    if isinstance(sys.stdin, TextIOWrapper) and sys.stdin.errors != "replace":
        sys.stdin.reconfigure(errors="replace")
    return sys.stdin


def emit(value: object) -> None:
    """Print `value` as JSON on standard output (dataclasses become objects)."""
    text = json.dumps(_plain(value), indent=2, ensure_ascii=False)
    # JSON leaves these as they are: a terminal would obey them, and halves of a character cannot be written at all.
    text = re.sub("[\x7f-\x9f\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def out(text: str) -> None:
    """Print a line of data on standard output; control characters in it are shown, not obeyed."""
    sys.stdout.write(visible(text) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Narrate a line on standard error; control characters in it are shown, not obeyed."""
    sys.stderr.write(visible(text) + "\n")
    sys.stderr.flush()


def _list(flags: Sequence[str]) -> str:
    return flags[0] if len(flags) == 1 else f"{', '.join(flags[:-1])} and {flags[-1]}"


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {key: _plain(item) for key, item in asdict(value).items()}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value
