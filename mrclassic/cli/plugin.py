"""`mrclassic plugin list|show|new|check|trust|revoke`: rewards, curricula and tasks that others, or you, wrote."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mrclassic.cli import common

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mrclassic.plugins.difference import Line

app = typer.Typer(
    name="plugin",
    help="Rewards, curricula and tasks from files: list, read, write, check and trust them.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Kind(StrEnum):
    """What a plugin can be."""

    reward = "reward"
    curriculum = "curriculum"
    task = "task"


@app.command("list")
def list_(ctx: typer.Context, json_: common.JsonFlag = False) -> None:
    """List the plugins: those that travel with the program, of installed packages, and of this home.

    Example: mrclassic plugin list
    """
    from mrclassic.plugins import trust
    from mrclassic.plugins.find import found
    from mrclassic.plugins.silenced import silenced

    session = common.session(ctx)
    plugins = found(session.home)
    with session.store() as store:
        quiet = silenced(plugins, store)
        facts = [
            {
                "name": plugin.name,
                "kind": plugin.kind,
                "origin": plugin.origin,
                "standing": trust.standing(plugin, store),
                "about": plugin.about,
                "path": None if plugin.file is None else plugin.file.path,
                "flaw": plugin.flaw or None,
                "quarantined": quiet.get(plugin.name) if plugin.kind == "reward" else None,
            }
            for plugin in plugins
        ]
    if json_:
        common.emit(facts)
        return
    for fact in facts:
        words = fact["flaw"] or fact["quarantined"] or fact["about"]
        common.out(f"{fact['name']:<20} {fact['kind']:<10}  {fact['standing']:<11}  {words}".rstrip())


@app.command()
def show(
    ctx: typer.Context,
    plugin: Annotated[str, typer.Argument(help="The name or the file of a plugin, of this home or another.")],
    json_: common.JsonFlag = False,
) -> None:
    """Print a plugin's text, lines numbered; `+` and `-` mark what has changed since it was trusted.

    Example: mrclassic plugin show no_shouting
    """
    from mrclassic.errors import UsageError
    from mrclassic.plugins import difference
    from mrclassic.plugins import trust as ledger
    from mrclassic.plugins.find import found

    session = common.session(ctx)
    # Of two of one name the home's goes before the others, as everywhere.
    named = [each for each in found(session.home) if plugin in (each.name, each.file and str(each.file.path))]
    if not named:
        raise UsageError(f"There is no plugin {plugin}; `mrclassic plugin list` shows what there is.")
    chosen = named[-1]
    with session.store() as store:
        standing = ledger.standing(chosen, store)
        before = ledger.approved(store, chosen.file) if chosen.file and chosen.origin == "home" else None
    if chosen.file is None:
        raise UsageError(chosen.flaw or f"{plugin} is part of an installed package ({chosen.attribute}).")
    lines = difference.lines(chosen.file.text, before)
    if json_:
        common.emit({"path": chosen.file.path, "sha256": chosen.file.sha256, "standing": standing, "lines": lines})
        return
    for line in _written(lines):
        common.out(line)
    common.say(f"{chosen.file.path}: {standing}.")


@app.command()
def new(
    ctx: typer.Context,
    kind: Annotated[Kind, typer.Argument(help="What to write.")],
    name: Annotated[str, typer.Argument(help="Its name, as in no_shouting.")],
    json_: common.JsonFlag = False,
) -> None:
    """Write a plugin that works, and a test beside it, into this home; both are there to be changed.

    Example: mrclassic plugin new reward no_shouting
    """
    from mrclassic.plugins import scaffold

    plugin, test = scaffold.write(common.session(ctx).home, kind.value, name)
    if json_:
        common.emit({"plugin": plugin, "test": test})
    else:
        common.out(str(plugin))
        common.out(str(test))
    common.say(f"Change it, then: mrclassic plugin check {plugin}; mrclassic plugin trust {name}")


@app.command()
def check(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(help="A Python file, anywhere, or the name of a plugin.")],
    json_: common.JsonFlag = False,
) -> None:
    """Look for the usual mistakes; exit code 1 if there is an error. It runs the file, so read it first.

    Example: mrclassic plugin check ~/.mrclassic/plugins/no_shouting.py
    """
    from mrclassic.plugins.checking import check as look

    path = Path(file)
    if not path.exists() and path.name == file:
        from mrclassic.plugins.find import found as every

        # The home's goes before those that travel with the program, as everywhere.
        named = [each.file.path for each in every(common.session(ctx).home) if each.file and each.name == file]
        path = named[-1] if named else path
    found = look(path)
    if json_:
        common.emit(found)
    for finding in () if json_ else found:
        common.out(f"{finding.severity:<7}  {finding.plugin}: {finding.words}")
    errors = sum(finding.severity == "error" for finding in found)
    common.say(f"Errors: {errors}, warnings: {len(found) - errors}.")
    if errors:
        raise typer.Exit(1)


@app.command()
def trust(
    ctx: typer.Context,
    plugin: Annotated[str, typer.Argument(help="The name or the file of a plugin in this home.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
    sha256: Annotated[str | None, typer.Option(help="Refuse another content than the one with this hash.")] = None,
    json_: common.JsonFlag = False,
) -> None:
    """Show a plugin's whole content and ask whether to trust it. A file that changes is off until it is trusted again.

    Example: mrclassic plugin trust no_shouting
    """
    from mrclassic.errors import Refused, UsageError
    from mrclassic.plugins import difference
    from mrclassic.plugins import trust as ledger

    session = common.session(ctx)
    file = ledger.candidate(session.home, plugin)
    if sha256 is not None and sha256 != file.sha256:
        raise Refused(f"{file.path.name} has changed since it was shown; read it again. Nothing was changed.")
    with session.store() as store:
        common.say(f"{file.path}:")
        for line in _written(difference.lines(file.text, ledger.approved(store, file))):
            common.say(line)
        if not yes:
            if not (sys.stdin and sys.stdin.isatty()):
                raise UsageError("Nobody is there to be asked; read the file, then add --yes.")
            if not typer.confirm(f"Trust {file.path.name} with exactly this content?", err=True):
                raise Refused(f"{file.path.name} is not trusted; nothing was changed.")
        digest = ledger.approve(store, file)
    if json_:
        common.emit({"path": file.path, "sha256": digest})
    common.say(f"{file.path.name} is trusted (sha256 {digest[:12]}…).")


@app.command()
def revoke(
    ctx: typer.Context,
    plugin: Annotated[str, typer.Argument(help="The name or the file of a plugin in this home.")],
    json_: common.JsonFlag = False,
) -> None:
    """Trust a plugin no longer: it is off from now on.

    Example: mrclassic plugin revoke no_shouting
    """
    from mrclassic.plugins import trust as ledger

    session = common.session(ctx)
    with session.store() as store:
        path = ledger.revoke(session.home, store, plugin)
    if json_:
        common.emit({"path": path})
    common.say(f"{path.name} is no longer trusted.")


def _written(lines: Iterable[Line]) -> list[str]:
    """The lines of a file for people: what is gone has no number."""
    return [f"{line.number if line.sign != '-' else '':>5} {line.sign} {line.text}" for line in lines]
