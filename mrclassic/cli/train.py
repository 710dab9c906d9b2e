"""`train`: one training method by itself, with its measurements before and after."""

from __future__ import annotations

from typing import Annotated

import typer

from mrclassic.cli import common

app = typer.Typer(name="train", help="Train by one method: the book, GRPO, or self-play.", no_args_is_help=True)

From = Annotated[str | None, typer.Option("--from", help="Checkpoint to begin from (default: the one in use).")]
Steps = Annotated[int | None, typer.Option(min=1, help="Number of updates.")]
Minutes = Annotated[
    float | None, typer.Option(min=0.05, help="About this long; turned into updates once, at the start.")
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same run.")]
Resume = Annotated[int | None, typer.Option(help="Go on with this interrupted run (its number).")]
Rate = Annotated[float | None, typer.Option(min=0.0, help="Learning rate (default: the settings).")]
Replay = Annotated[
    int | None, typer.Option(min=0, help="Book entries replayed in each update (default: the settings).")
]


@app.command()
def book(
    ctx: typer.Context,
    origin: From = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the book (default: the settings).")] = None,
    steps: Steps = None,
    everything: Annotated[bool, typer.Option("--all", help="Train the whole book even if nothing new waits.")] = False,
    seed: Seed = 0,
    resume: Resume = None,
    json: common.JsonFlag = False,
) -> None:
    """Learn the entries of the book that are new, among all the old ones; use the result if nothing was forgotten.

    Example: mrclassic train book
    """
    from mrclassic.errors import Refused

    common.only(ctx, "resume")
    common.one_length(epochs=epochs, steps=steps)
    session = common.session(ctx)
    from mrclassic.cli.progress import Bar
    from mrclassic.night.judging import NEW, OLD
    from mrclassic.night.study import study_book
    from mrclassic.night.workplace import Workplace, alone

    busy = "A night is practising, or the book is being trained; what waits is learnt by it, or after it."
    with session.store() as store, alone(session.home, "night", busy):
        work = Workplace(session.home, session.settings, store, common.say)
        with Bar("book") as bar:
            facts = study_book(
                work,
                origin=origin,
                epochs=epochs,
                steps=steps,
                seed=seed,
                resume=resume,
                everything=everything,
                watch=bar,
                planned=bar.planned,
            )
    if facts is None:
        common.say("Nothing new waits in the book; --all trains it all the same.")
        if json:
            common.emit({"run": None, "new": 0})
        return
    if json:
        common.emit(facts)
    else:
        common.say(f"{facts.checkpoint}: {facts.steps} updates in {facts.seconds:.0f} s.")
        for name, title in ((NEW, "new entries known"), (OLD, "old entries known")):
            if name in facts.after:
                common.say(f"  {title:<18} {facts.before[name]:6.1%} -> {facts.after[name]:6.1%}")
        for name in facts.after:
            if name not in (NEW, OLD):
                common.say(f"  {name:<18} {facts.before[name]:6.1%} -> {facts.after[name]:6.1%}")
        for question in facts.forgotten[:10]:
            common.say(f"  forgot: {' '.join(question.split())}")
    if not facts.promoted:
        raise Refused(f"Not used, kept as the candidate {facts.checkpoint}: {' '.join(facts.reasons)}")
    if not json:
        common.say("It is in use now.")


def _practise(ctx: typer.Context, order: object, json: bool) -> None:
    session = common.session(ctx)
    from mrclassic.cli.progress import Bar
    from mrclassic.night.drill import Order, drill
    from mrclassic.night.workplace import Workplace

    assert isinstance(order, Order)
    with session.store() as store:
        work = Workplace(session.home, session.settings, store, common.say)
        with Bar(order.method) as bar:
            facts = drill(work, order, watch=bar, planned=bar.planned)
    if json:
        common.emit(facts)
        return
    common.say(f"{facts.checkpoint}: {facts.steps} updates in {facts.seconds:.0f} s, {facts.ended}. {facts.why}")
    for name, score in facts.after.items():
        common.say(f"  {name:<18} {facts.before[name]:6.1%} -> {score:6.1%}")
    common.say(f"It is a candidate; `mrclassic model use {facts.checkpoint}` puts it in use.")


Task = Annotated[
    str | None, typer.Option(help="NAME[:LEVEL], such as arithmetic:3 (default: all levels, by curriculum).")
]


@app.command(name="grpo")
def grpo_(
    ctx: typer.Context,
    origin: From = None,
    task: Task = None,
    steps: Steps = None,
    minutes: Minutes = None,
    seed: Seed = 0,
    resume: Resume = None,
    learning_rate: Rate = None,
    replay: Replay = None,
    json: common.JsonFlag = False,
) -> None:
    """Practise with GRPO: groups of answers, scored by the task's verifier, with book entries replayed.

    Example: mrclassic train grpo --task arithmetic:3 --minutes 10
    """
    from mrclassic.tasks import select

    common.only(ctx, "resume")
    common.one_length(steps=steps, minutes=minutes)
    level = None if task is None else select(task)[1]
    from mrclassic.night.drill import Order

    order = Order("grpo", level, steps, minutes, seed, origin, resume, learning_rate, replay)
    _practise(ctx, order, json)


@app.command()
def selfplay(
    ctx: typer.Context,
    origin: From = None,
    steps: Steps = None,
    minutes: Minutes = None,
    seed: Seed = 0,
    resume: Resume = None,
    learning_rate: Rate = None,
    replay: Replay = None,
    json: common.JsonFlag = False,
) -> None:
    """Let the model ask itself questions and answer them; code computes who is right.

    Example: mrclassic train selfplay --minutes 10
    """
    common.only(ctx, "resume")
    common.one_length(steps=steps, minutes=minutes)
    from mrclassic.night.drill import Order

    _practise(ctx, Order("selfplay", None, steps, minutes, seed, origin, resume, learning_rate, replay), json)
