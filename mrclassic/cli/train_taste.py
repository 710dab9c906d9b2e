"""`train reward-model` and `train dpo`: what picks teach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mrclassic.cli import common, fitting
from mrclassic.cli.resuming import Resume
from mrclassic.cli.trainings import From, Seed, Steps, given, tell, told

if TYPE_CHECKING:
    from mrclassic.evidence import Evidence

Form = Literal["heads", "network"]
Loss = Literal["sigmoid", "ipo", "length"]


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
    from mrclassic.night import tasting
    from mrclassic.night.workplace import Workplace

    with session.store() as store:
        work = Workplace(session.home, session.settings, store, common.say)
        with Bar("taste") as bar:
            learned = tasting.learn(
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


def dpo(
    ctx: typer.Context,
    origin: From = None,
    loss: Annotated[
        Loss, typer.Option(help="sigmoid is DPO itself; ipo; length divides by the tokens of a reply.")
    ] = "sigmoid",
    beta: Annotated[
        float | None,
        typer.Option(min=1e-6, help="How strongly it is held to where it began (default: 0.1; length: 5)."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the pairs (default: 3).")] = None,
    steps: Steps = None,
    batch: Annotated[int | None, typer.Option(min=32, help="Pairs an update (default: 32).")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=0.0, help="The highest rate of the schedule (default: 0.00005).")
    ] = None,
    replay: Annotated[
        int | None, typer.Option(min=0, help="Book entries replayed in each update (default: 32).")
    ] = None,
    seed: Seed = 0,
    resume: Resume = None,
    lora: fitting.Lora = None,
    targets: fitting.Targets = None,
    recompute: fitting.Recompute = None,
    optimizer_state: fitting.OptimizerState = None,
    plan: fitting.Plan = False,
    json: common.JsonFlag = False,
) -> None:
    """Learn from your picks and votes which replies to prefer; use the result if more of those held out are preferred
    and nothing was forgotten.

    Example: mrclassic train dpo --loss ipo
    """
    common.only(ctx, "resume")
    common.one_length(epochs=epochs, steps=steps)
    session = fitting.session(ctx, lora, targets, recompute, optimizer_state)
    from mrclassic.cli.progress import Bar
    from mrclassic.night import prefer
    from mrclassic.night.workplace import Workplace, alone
    from mrclassic.training.dpo import Settings

    chosen = given(loss=loss, beta=beta, epochs=epochs, batch=batch, learning_rate=learning_rate, replay=replay)
    settings = Settings(**chosen, seed=seed)
    busy = "A night is practising, or the book is being trained; picks can be learned from after it."
    with session.store() as store, alone(session.home, "night", busy, "training"):
        work = Workplace(session.home, session.settings, store, common.say)
        if plan:
            tell(prefer.plan(work, prefer.Order(settings, steps, fit=work.fit), origin), json)
            return
        with Bar("dpo") as bar:
            facts = prefer.train(
                work, settings, origin=origin, steps=steps, resume=resume, watch=bar, planned=bar.planned
            )
    told(facts, json, {name: f"{name:<20}" for name in facts.after})
