"""`--resume [RUN]`: the number may be left out, and then means the last run that can be gone on with."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

LAST = "0"
_FLAG = "--resume"

Resume = Annotated[
    int | None,
    typer.Option(
        _FLAG,
        min=0,
        metavar="[RUN]",
        help="Go on with the run of this number, or with the last one that was interrupted, or paused by the sentinel.",
    ),
]


class Resumable(TyperCommand):
    """A command whose `--resume` may stand without its number."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give it 0 there."""
        full: list[str] = []
        for word, following in zip(args, [*args[1:], ""], strict=False):
            full += [word, LAST] if word == _FLAG and not following.isdigit() else [word]
        return super().parse_args(ctx, full)
