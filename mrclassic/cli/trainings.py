"""What the trainings share on the command line: their options, and how a plan and a judged one are told about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mrclassic.bounds import LONGEST
from mrclassic.cli import common

if TYPE_CHECKING:
    from mrclassic.night.dialogues import Conversed
    from mrclassic.night.distilling import Distilled
    from mrclassic.night.documents import Learned
    from mrclassic.night.prefer import Preferred
    from mrclassic.night.study import Studied

From = Annotated[str | None, typer.Option("--from", help="Checkpoint to begin from (default: the one in use).")]
Steps = Annotated[int | None, typer.Option(min=1, help="Number of updates.")]
Minutes = Annotated[
    float | None,
    typer.Option(min=0.05, max=LONGEST, help="About this long; turned into updates once, at the start."),
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same run.")]
Rate = Annotated[float | None, typer.Option(min=0.0, help="Learning rate (default: the settings).")]
Replay = Annotated[
    int | None, typer.Option(min=0, help="Book entries replayed in each update (default: the settings).")
]


def _task(words: str) -> Any:
    return typer.Option("--task", metavar="NAME[:LEVEL]", help=f"{words}; may be given several times.")


Task = Annotated[list[str] | None, _task("What is practised, such as arithmetic:3 (default: the settings)")]
Dialogue = Annotated[list[str] | None, _task("The dialogue to practise, such as keyturn:2 (needed without --rated)")]
Taught = Annotated[list[str] | None, _task("What is to be learned, such as knights:2 (needed)")]


def given(**options: Any) -> dict[str, Any]:
    """The options that the owner gave; what he left out is as the settings of the method have it."""
    return {name: value for name, value in options.items() if value is not None}


def told(facts: Studied | Learned | Conversed | Distilled | Preferred, json: bool, titles: Mapping[str, str]) -> None:
    """Say what was learned, suite by suite under `titles`, and whether it is in use; raises Refused where it is not."""
    from mrclassic.errors import Refused

    if json:
        common.emit(facts)
    else:
        made = facts.checkpoint or "Nothing of it is kept"
        common.say(f"{made}: {facts.steps} updates in {facts.seconds:.0f} s.")
        for name, title in titles.items():
            common.say(f"  {title} {facts.before[name]:6.1%} -> {facts.after[name]:6.1%}")
        for question in facts.forgotten[:10]:
            common.say(f"  forgot: {' '.join(question.split())}")
    if not facts.promoted:
        kept = f"kept as the candidate {facts.checkpoint}" if facts.checkpoint else "and not kept"
        raise Refused(f"Not used, {kept}: {' '.join(facts.reasons)}")
    if not json:
        common.say("It is in use now.")


def tell(plan: object, json: bool) -> None:
    """Print a plan: it is what was asked for, so it goes to standard output."""
    from mrclassic.errors import MrClassicError
    from mrclassic.night.fitting import Plan

    if not isinstance(plan, Plan):
        raise MrClassicError("The checkpoint cannot be read; `mrclassic doctor` says what is wrong with it.")
    if json:
        common.emit(plan.facts())
        return
    for line in plan.lines():
        common.out(line)
