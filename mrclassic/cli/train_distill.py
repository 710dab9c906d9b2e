"""`train distill`: right answers of a teacher."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from mrclassic.cli import common, fitting
from mrclassic.cli.resuming import Resume
from mrclassic.cli.trainings import From, Seed, Steps, Taught, given, tell, told
from mrclassic.errors import UsageError


def _teacher(words: str, *flags: str, **more: Any) -> Any:
    return typer.Option(*flags, help=words, rich_help_panel="Teacher", **more)


def distill(
    ctx: typer.Context,
    origin: From = None,
    task: Taught = None,
    teacher: Annotated[
        str | None,
        _teacher("A server that speaks the OpenAI protocol, such as http://localhost:11434/v1.", "--teacher"),
    ] = None,
    model: Annotated[str | None, _teacher("The model that is asked there.", "--teacher-model")] = None,
    key: Annotated[
        str | None, _teacher("Environment variable with the server's key.", "--teacher-key", metavar="VARIABLE")
    ] = None,
    words: Annotated[str, _teacher("A system line before each question: how to answer.", "--words")] = "",
    at_once: Annotated[int, _teacher("Questions at a time.", "--at-once", min=1, max=256)] = 8,
    max_tokens: Annotated[int, _teacher("Tokens of an answer.", "--max-tokens", min=1)] = 1024,
    price: Annotated[
        str | None, _teacher("What a million tokens cost, read and written.", "--price", metavar="READ,WRITTEN")
    ] = None,
    ceiling: Annotated[float | None, _teacher("What all answers may cost.", "--ceiling", min=0.0)] = None,
    traces: Annotated[
        Path | None, typer.Option(help="A file of answers: rows of the task with a completion, or conversations.")
    ] = None,
    checkpoint: Annotated[str | None, typer.Option(help="One of your own checkpoints answers.")] = None,
    items: Annotated[int, typer.Option(min=1, help="Questions that are asked.")] = 1000,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the answers (default: 8).")] = None,
    steps: Steps = None,
    seed: Seed = 0,
    resume: Resume = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=0.0, help="The highest rate of the schedule (default: 0.001).")
    ] = None,
    lora: fitting.Lora = None,
    targets: fitting.Targets = None,
    recompute: fitting.Recompute = None,
    optimizer_state: fitting.OptimizerState = None,
    plan: fitting.Plan = False,
    json: common.JsonFlag = False,
) -> None:
    """Learn right answers of a teacher: a server, a file, or a checkpoint of your own; the task's verifier says which
    are right. The result is used if held-out items gained and nothing was forgotten; `train grpo` goes on from there.

    Example: mrclassic train distill --task knights:2 --teacher http://localhost:11434/v1 --teacher-model qwen3:8b
    """
    common.only(ctx, "resume")
    common.one_length(epochs=epochs, steps=steps)
    if resume is None and not task:
        raise UsageError("Name what is to be learned, such as --task knights:2.")
    session = fitting.session(ctx, lora, targets, recompute, optimizer_state)
    from mrclassic.cli.progress import Bar
    from mrclassic.mind.teacher import KEY
    from mrclassic.night import distilling
    from mrclassic.night.traces import Terms
    from mrclassic.night.workplace import Workplace, alone
    from mrclassic.training.distill import Settings

    order = None
    if resume is None:
        file = None if traces is None else str(traces.absolute())
        source = distilling.Source(teacher, model, key or KEY, file, checkpoint)
        own = Settings(**given(epochs=epochs, learning_rate=learning_rate), seed=seed)
        terms = Terms(at_once, max_tokens, prices=_prices(price), ceiling=ceiling, words=words)
        order = distilling.Order(tuple(task or ()), source, items, terms, own, steps)
    busy = "A night is practising, or something else is being trained; answers can be learned after it."
    with session.store() as store, alone(session.home, "night", busy, "training"):
        work = Workplace(session.home, session.settings, store, common.say)
        if order is not None:
            order = replace(order, fit=work.fit)
            if plan:
                tell(distilling.plan(work, order, origin), json)
                return
        with Bar("answers") as asked, Bar("distill") as bar:
            facts = distilling.learn(
                work, order, origin=origin, resume=resume, watch=bar, planned=bar.planned, passed=asked.planned
            )
    told(facts, json, {name: f"{name:<20}" for name in facts.after})


def _prices(words: str | None) -> tuple[float, float]:
    """Two numbers with a comma between them."""
    if words is None:
        return 0.0, 0.0
    try:
        read, written = map(float, words.split(","))
    except ValueError as error:
        raise UsageError(f"{words!r} is no price; write two numbers such as 0.15,0.6.") from error
    return read, written
