"""`train reward-model` and `train dpo`: what picks teach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mrclassic.cli import common

if TYPE_CHECKING:
    from mrclassic.evidence import Evidence

Form = Literal["heads", "network"]


def reward_model(
    ctx: typer.Context,
    form: Annotated[
        Form | None,
        typer.Option(help="heads on the model's own states, or a small network apart (default: heads below 2,000)."),
    ] = None,
    origin: Annotated[
        str | None, typer.Option("--from", help="Checkpoint whose states the heads read (default: the one in use).")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same taste.")] = 0,
    json: common.JsonFlag = False,
) -> None:
    """Learn your taste from your picks, and say what it is worth: by its numbers it may be the reward `taste`, or not.

    Example: mrclassic train reward-model
    """
    session = common.session(ctx)
    from mrclassic.cli.progress import Bar
    from mrclassic.night import taste
    from mrclassic.night.workplace import Workplace

    with session.store() as store:
        work = Workplace(session.home, session.settings, store, common.say)
        with Bar("taste") as bar:
            learned = taste.learn(
                work, form=form, seed=seed, origin=origin, moved=lambda done, of: bar.planned(of, done)
            )
    if json:
        common.emit(learned.facts())
        return
    for line in lines(learned.evidence):
        common.out(line)
    common.out(learned.evidence.words)
    common.say(f"{learned.taste}: learned in {learned.seconds:.0f} s.")


def lines(found: Evidence) -> list[str]:
    """The figures, and the learning curve."""
    told = [
        f"{found.form} on {found.choices} choices, {found.own} of them between the model's own replies; {found.judged} "
        "held out",
        f"  named your pick    {found.top1:6.1%} ({found.low:.1%} to {found.high:.1%})",
        f"  by chance          {found.chance:6.1%}, by length alone {found.by_length:.1%}",
        f"  surprise           {found.loss:.3f} nats, {found.even:.3f} for a guess",
        f"  calibration        {found.calibration:6.1%} off, at temperature {found.temperature:.2f}",
        f"  goes with length   {found.length:+.2f}",
    ]
    curve = [f"  learned from {each.choices:>6,}  {each.top1:6.1%}" for each in found.curve]
    return [*told, *curve]
