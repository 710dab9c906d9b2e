"""`train base`: the language itself, from the owner's corpora."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mrclassic.bounds import LONGEST
from mrclassic.cli import common, fitting
from mrclassic.cli.resuming import Resume

if TYPE_CHECKING:
    from mrclassic.night.base import Based, Plan


def base(
    ctx: typer.Context,
    corpora: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="CORPUS...",
            help="Files, or folders of them: JSON lines of conversations (messages, conversations, turns) or text, "
            "plain text, Parquet; also gzipped.",
        ),
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=W", help="Show the corpus of this name W times an epoch; for several, again."),
    ] = None,
    mix: Annotated[
        str | None,
        typer.Option(
            metavar="CURRICULUM",
            help="Instead of weights: read more of what lately took most off its held-out loss (learning_progress, or "
            "another curriculum).",
        ),
    ] = None,
    size: Annotated[str | None, typer.Option(help="Of a new model: tiny (1M), small (10M) or classic (49M).")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Number of updates.")] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.05, max=LONGEST, help="About this long; turned into updates once, at the start."),
    ] = None,
    epochs: Annotated[float | None, typer.Option(min=0.001, help="Passes over the corpus (default: 1).")] = None,
    optimizer: Annotated[
        Literal["adamw", "muon"] | None,
        typer.Option(help="muon turns the matrices of the layers (default: of a new model muon, with --from adamw)."),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=0.0, help="The highest rate of the schedule (default: by size).")
    ] = None,
    batch_tokens: Annotated[int | None, typer.Option(min=1, help="Tokens of an update (default: by size).")] = None,
    held_out: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="Share of the documents that is never trained, only measured.")
    ] = 0.01,
    origin: Annotated[
        str | None, typer.Option("--from", help="Go on with this checkpoint, instead of a new model.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same run.")] = 0,
    resume: Resume = None,
    lora: fitting.Lora = None,
    targets: fitting.Targets = None,
    recompute: fitting.Recompute = None,
    optimizer_state: fitting.OptimizerState = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say tokens, updates and minutes, and train nothing.")] = False,
    compile_: Annotated[
        bool, typer.Option("--compile", help="Have PyTorch compile the network first; for long runs on a GPU.")
    ] = False,
    json: common.JsonFlag = False,
) -> None:
    """Learn the language itself from a corpus, as a new model or with one that is there; the book comes on top.

    Everything is read once and written down as tokens; exact duplicates are dropped, and broken lines are skipped and
    counted. `mrclassic train book --all --from CHECKPOINT` then teaches the book.

    Example: mrclassic train base talks.jsonl stories/ --weight talks=2 --size small --epochs 3
    """
    from mrclassic.errors import UsageError

    common.only(ctx, "resume")
    common.one_length(steps=steps, minutes=minutes, epochs=epochs)
    if origin is not None and size is not None:
        raise UsageError("--from goes on with a model that has its size; leave out --size.")
    session = fitting.session(ctx, lora, targets, recompute, optimizer_state)
    from mrclassic.cli.progress import Bar
    from mrclassic.night import base as night
    from mrclassic.night.workplace import Workplace, alone

    order = night.Order(
        tuple(str(path.absolute()) for path in corpora or ()),
        tuple(weight or ()),
        mix,
        size or "tiny",
        origin,
        held_out,
        steps,
        minutes,
        epochs,
        optimizer,
        learning_rate,
        batch_tokens,
        seed,
        compile_,
        resume,
    )
    busy = "Another base training runs in this home; wait for it, or end it with Ctrl-C there."
    with session.store() as store, alone(session.home, "base", busy):
        work = Workplace(session.home, session.settings, store, common.say)
        if plan:
            found = night.plan(work, order)
            common.emit(found) if json else _show_plan(found)
            return
        with Bar("base") as bar:
            facts = night.train(work, order, watch=bar, planned=bar.planned)
    common.emit(facts) if json else _show(facts)


def _show_plan(plan: Plan) -> None:
    common.out(f"{plan.parameters:,} parameters, {plan.vocabulary:,} tokens, {plan.context:,} of them at a time")
    names = max(len(source["name"]) for source in plan.sources)
    columns = ("documents", "tokens", "held_out_tokens", "duplicates", "broken")
    titles = ("documents", "tokens", "set aside", "duplicates", "broken")
    common.out(f"  {'corpus':<{names}} {' '.join(f'{title:>13}' for title in titles)}  passes")
    for source in plan.sources:
        numbers = " ".join(f"{source[column]:>13,}" for column in columns)
        common.out(f"  {source['name']:<{names}} {numbers}  {source['passes']:.2f}")
    common.out(
        f"{plan.steps:,} updates of {plan.tokens_per_step:,} tokens: {plan.tokens:,} tokens, {plan.epochs:.2f} epochs "
        f"of {plan.steps_per_epoch:,} updates"
    )
    common.out(
        f"{plan.seconds_per_step:.2f} s an update ({plan.tokens_per_second:,.0f} tokens/s): "
        f"about {plan.minutes:,.0f} minutes"
    )
    for line in plan.memory:
        common.out(line)


def _show(facts: Based) -> None:
    what = facts.checkpoint or "Nothing of it is kept"
    common.say(
        f"{what}: {facts.steps:,} updates in {facts.seconds:.0f} s ({facts.tokens_per_second:,.0f} tokens/s), "
        f"{facts.ended}. {facts.why}".rstrip()
    )
    for name, score in facts.held_out.items():
        common.say(f"  {name:<28} perplexity {score['perplexity']:8.2f} on {score['tokens']:,} tokens set aside")
    if facts.read:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in facts.read.items())
        common.say(f"Of the tokens that were read: {shares}.")
    if facts.checkpoint is None:
        return
    if facts.in_use:
        common.say("It is in use now.")
    else:
        common.say(f"It is a candidate; `mrclassic model use {facts.checkpoint}` puts it in use.")
    common.say(f"`mrclassic train book --all --from {facts.checkpoint}` teaches it the book.")
