"""The command line: one file for each group of verbs, registered here.

Nothing heavy is imported at this level, so that `mrclassic --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from mrclassic import __version__
from mrclassic.cli import (
    ask,
    bench,
    chat,
    common,
    daemon,
    data,
    doctor,
    evaluate,
    hatch,
    judge,
    lab,
    lesson,
    model,
    night,
    plugin,
    serve,
    task,
    train,
    web,
)
from mrclassic.computing import prepare
from mrclassic.errors import MrClassicError, NoMemory, out_of_memory

_INTERRUPTED = 130
_SAVED = "mrclassic: interrupted; what was finished is saved."

app = typer.Typer(
    name="mrclassic",
    help="A small language model that belongs to you: chat and pick by day, verified practice by night.",
    no_args_is_help=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        common.out(f"mrclassic {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    home: Annotated[
        str | None,
        typer.Option(metavar="<path>", help="Folder that holds everything (default: $MRCLASSIC_HOME or ~/.mrclassic)."),
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda[:N] or mps (default: the settings).")] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """Without a verb: open the app; the first time, hatch a model."""
    if home is not None and not home.strip():  # "$UNSET" in a script; as a path it would be the current folder
        from mrclassic.errors import UsageError

        raise UsageError("--home names no folder; give its path, or leave the option out.")
    ctx.obj = common.Root(None if home is None else Path(home), device)
    if ctx.invoked_subcommand is None:
        from mrclassic.cli.open import open_app

        open_app(ctx)


def _register() -> None:
    verbs = (
        bench.bench,
        hatch.hatch,
        ask.ask,
        ask.teach,
        ask.undo,
        ask.rate,
        chat.chat,
        lesson.lesson,
        night.night,
        night.report,
        serve.serve,
        web.web,
        doctor.doctor,
    )
    for verb in verbs:
        app.command()(verb)
    app.command("eval")(evaluate.evaluate)
    app.command(hidden=True)(judge.judge)
    for group in (train.app, data.app, model.app, task.app, plugin.app, lab.app, daemon.app):
        app.add_typer(group)


_register()


def main() -> None:
    """Run the command line; turn what went wrong into one sentence and an exit code."""
    prepare()
    code = 0
    # A stream that the caller has closed is None; what would go there goes nowhere.
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open to the end
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    try:
        result = app(standalone_mode=False)
        code = result if isinstance(result, int) else 0
        if code == _INTERRUPTED:  # the library turns Ctrl-C into this code and says nothing
            common.say(_SAVED)
    except MrClassicError as error:
        common.say(f"mrclassic: {error}")
        code = error.exit_code
    except KeyboardInterrupt:
        common.say(_SAVED)
        code = _INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away; nothing is wrong with us.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except typer.Exit as error:
        code = error.exit_code
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        common.say(f"mrclassic: {error.strerror or error}{where}.")
        code = 1
    except Exception as error:  # noqa: BLE001 - only to give click's errors and those of memory their form
        code = _other(error)
    sys.exit(code)


def _other(error: Exception) -> int:
    """Show click's usage errors as it would itself, and say where memory ran out; anything else is a defect and is
    raised."""
    if out_of_memory(error):
        common.say(f"mrclassic: {NoMemory()}")
        return NoMemory.exit_code
    show = getattr(error, "show", None)
    if show is None:
        if type(error).__name__ == "Abort":
            common.say(_SAVED)
            return _INTERRUPTED
        raise error
    show()
    return int(getattr(error, "exit_code", 2))
