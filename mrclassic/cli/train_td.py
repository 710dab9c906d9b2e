"""`train td`: dialogues of several turns, and rated conversations."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from mrclassic.cli import common, fitting
from mrclassic.cli.resuming import Resume
from mrclassic.cli.trainings import Dialogue, From, Minutes, Rate, Replay, Seed, Steps, tell, told
from mrclassic.errors import UsageError

Credit = Literal["turns", "tokens", "uniform"]


def _credit(words: str, *flags: str, **limits: float) -> Any:
    return typer.Option(*flags, help=words, rich_help_panel="Credit", **limits)  # type: ignore[arg-type]


def _option(words: str, **limits: float) -> Any:
    return typer.Option(help=words, rich_help_panel="Dialogues", **limits)  # type: ignore[arg-type]


def td(
    ctx: typer.Context,
    origin: From = None,
    task: Dialogue = None,
    rated: Annotated[
        bool, typer.Option("--rated", help="Learn from your own rated conversations instead of a task.")
    ] = False,
    steps: Steps = None,
    minutes: Minutes = None,
    seed: Seed = 0,
    resume: Resume = None,
    learning_rate: Rate = None,
    replay: Replay = None,
    starts: Annotated[int | None, _option("Beginnings an update.", min=1)] = None,
    group: Annotated[int | None, _option("Conversations from each beginning.", min=2, max=64)] = None,
    max_new: Annotated[
        int | None, _option("Tokens of a turn (default: a quarter more than worked ones).", min=1)
    ] = None,
    form: Annotated[
        Credit | None, _credit("What is credited alike: the tokens of a turn; none (traces fade by the token); all.")
    ] = None,
    trace: Annotated[
        float | None, _credit("How slowly traces fade (default: 0.9).", "--lambda", min=0.0, max=1.0)
    ] = None,
    gamma: Annotated[float | None, _credit("What a turn's delay takes off a reward.", min=0.0, max=1.0)] = None,
    value: Annotated[
        Literal["names", "head"] | None, _credit("What a place is worth: by the environment's names, or a head alone.")
    ] = None,
    lora: fitting.Lora = None,
    targets: fitting.Targets = None,
    recompute: fitting.Recompute = None,
    optimizer_state: fitting.OptimizerState = None,
    plan: fitting.Plan = False,
    json: common.JsonFlag = False,
) -> None:
    """Practise dialogues of several turns with TD(lambda); use the result if held-out beginnings gained and nothing was
    forgotten.

    Example: mrclassic train td --task keyturn:5 --lambda 0.9 --minutes 10
    """
    common.only(ctx, "resume")
    common.one_length(steps=steps, minutes=minutes)
    given: dict[str, Any] = {"form": form, "trace": trace, "gamma": gamma, "learning_rate": learning_rate}
    of_dialogues = {"starts": starts, "group": group, "max_new": max_new, "value": value}
    if rated:
        of_a_task = {"task": task, "minutes": minutes, **of_dialogues}
        wrong = [name.replace("_", "-") for name, value_ in of_a_task.items() if value_ is not None]
        if wrong:
            raise UsageError(f"Rated conversations are there already: leave out --{', --'.join(wrong)}.")
    else:
        given |= of_dialogues
    given = {name: value_ for name, value_ in given.items() if value_ is not None}
    session = fitting.session(ctx, lora, targets, recompute, optimizer_state)
    from mrclassic.cli.progress import Bar
    from mrclassic.night import dialogues
    from mrclassic.night.workplace import Workplace, alone
    from mrclassic.training.rated import Settings

    busy = "A night is practising, or something else is being trained; dialogues can be practised after it."
    with session.store() as store, alone(session.home, "night", busy, "training"):
        work = Workplace(session.home, session.settings, store, common.say)
        if plan:
            order = dialogues.order_of(work, Settings(**given, seed=seed), replay) if rated else None
            tell(dialogues.plan(work, task or (), order, origin=origin, seed=seed, replay=replay, given=given), json)
            return
        with Bar("td") as bar:
            if rated and resume is None:
                facts = dialogues.rate(
                    work, Settings(**given, seed=seed), origin=origin, steps=steps, replay=replay,
                    watch=bar, planned=bar.planned,
                )  # fmt: skip
            else:
                facts = dialogues.converse(
                    work, task or (), origin=origin, steps=steps, minutes=minutes, seed=seed, resume=resume,
                    replay=replay, given=given, watch=bar, planned=bar.planned,
                )  # fmt: skip
    if facts.ended != "done" and not json:
        common.say(f"It was {facts.ended}: {facts.why}")
    told(facts, json, {name: f"{name:<20}" for name in facts.after})
