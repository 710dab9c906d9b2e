"""What `mrclassic` does without a verb: open the app, and hatch a model first where there is none."""

from __future__ import annotations

import os
import sys

import typer

from mrclassic.cli import common


def open_app(ctx: typer.Context) -> None:
    """Open the terminal app on this home."""
    from mrclassic.errors import UsageError

    # In a browser (`mrclassic web`) there is none; Textual is told then what stands in for it.
    seen = "TEXTUAL_DRIVER" in os.environ or (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty())
    if not seen:
        raise UsageError("The app needs a terminal; in a pipe use `mrclassic chat --plain` or `mrclassic ask`.")
    session = common.session(ctx)
    make_ready(session)
    from mrclassic.tui.app import run

    raise typer.Exit(run(session.home, session.settings))


def make_ready(session: common.Session) -> None:
    """What the app needs to find in a home: settings, a book, and a model, hatched the first time."""
    from mrclassic.book import ensure_book
    from mrclassic.settings import write_template

    write_template(session.home)
    ensure_book(session.home)
    with session.store() as store:
        empty = store.checkpoints.in_use() is None
    if empty:
        from mrclassic.cli.hatch import hatch_here

        common.say("Good day. There is no model here yet, so one will hatch first; this takes a few minutes, once.")
        facts = hatch_here(session)
        common.say(f"Hatched: it knows {facts.book_recall:.0%} of its book.")
