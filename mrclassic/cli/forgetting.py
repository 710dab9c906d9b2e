"""`mrclassic data forget`: what would go, then it is gone, then who saw it and what can be done about that."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

from mrclassic.cli import asking, common
from mrclassic.errors import Refused, UsageError
from mrclassic.titles import counted

if TYPE_CHECKING:
    from mrclassic.store.forgetting import Found


def forget(ctx: typer.Context, named: Mapping[str, int | str | None], *, yes: bool, retrain: bool, json: bool) -> None:
    """Find what is named (one of conversation, pick, text), ask, and delete it; raises UsageError or Refused."""
    given = {kind: value for kind, value in named.items() if value is not None}
    if len(given) != 1:
        raise UsageError("Say what to forget: one of --conversation ID, --pick ID and --text TEXT.")
    if retrain and json:
        raise UsageError("--retrain tells of the training, and --json of what is forgotten; leave one of them out.")
    here = common.session(ctx)
    from mrclassic.store import forgetting

    ((kind, value),) = given.items()
    name = asking.read_text(value, "The text") if isinstance(value, str) else str(value)
    with here.store() as store:
        found = forgetting.find(store, here.home, kind, name)  # type: ignore[arg-type]
        if found.nothing:
            common.say("Nothing here holds it.")
        else:
            common.say(f"This would delete {_counted(found)}.")
            if not yes:
                _ask()
        left = [] if found.nothing else forgetting.forget(store, here.home, found)
        if found.before is not None and retrain:
            store.checkpoints.use(found.before)
    if json:
        rows = {table: len(getattr(found.rows, table)) for table in _ROWS}
        facts = {"kind": kind, **rows, "entries": len(found.entries), "pages": len(found.pages)}
        common.emit({**facts, "checkpoints": found.saw, "before": found.before, "still_in": left})
        return
    if not found.nothing:
        common.out("It is deleted.")
    for path in left:
        common.say(f"{path} still holds it; that file is yours to mend or delete.")
    if found.tastes:
        common.say(
            "Your taste, where it learned from that, is deleted too; `mrclassic train reward-model` learns it anew."
        )
    _tell_who_saw(found, retrain)
    if found.before is not None and retrain:
        from mrclassic.cli.train import book

        book(ctx, everything=True)


def _tell_who_saw(found: Found, retrain: bool) -> None:
    if not found.saw:
        if found.hashes:
            common.out("No checkpoint here was trained on it.")
        return
    common.out(f"Trained on it, or from one that was: {', '.join(found.saw)}.")
    if found.before is None:
        common.say(
            "The model in use cannot go back to before it; `mrclassic hatch` begins anew with the book as it is."
        )
    elif retrain:
        common.say(f"{found.before} is in use; it learns the book anew.")
    else:
        common.say(
            f"{found.before} was not: `mrclassic model use {found.before}`, then `mrclassic train book --all`, make a "
            "model that never saw it (--retrain does both)."
        )


_ROWS = {
    "conversations": "conversation",
    "messages": "message",
    "candidates": "candidate",
    "preferences": "imported preference",
    "samples": "sample",
}


def _counted(found: Found) -> str:
    numbers = [(len(getattr(found.rows, table)), word) for table, word in _ROWS.items()]
    numbers += [(len(found.entries), "entry of the book"), (found.comments, "comment of the book")]
    words = [counted(count, word) for count, word in numbers if count]
    if found.rows.touched or found.rows.unnamed:
        words.append("titles or drafts")
    if found.pages:
        words.append(f"words on {len(found.pages):,} pages of nights")
    return ", ".join(words)


def _ask() -> None:
    if not (sys.stdin and sys.stdin.isatty()):
        raise UsageError("Nobody can be asked here; say --yes if it is to be deleted.")
    if not typer.confirm("Delete it for good?", err=True):
        raise Refused("Nothing was deleted.")
