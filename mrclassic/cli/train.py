"""`train`: one training method by itself, with its measurements before and after."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from mrclassic.cli import common, fitting, train_base, train_distill, train_taste, train_td
from mrclassic.cli.resuming import Resumable, Resume
from mrclassic.cli.trainings import From, Minutes, Rate, Replay, Seed, Steps, Task, given, tell, told

app = typer.Typer(
    name="train",
    help="Train by one method: a corpus, the book, GRPO, self-play, dialogues, your picks.",
    no_args_is_help=True,
)
app.command(cls=Resumable)(train_base.base)
app.command()(train_taste.reward_model)
app.command(cls=Resumable)(train_taste.dpo)
app.command(cls=Resumable)(train_td.td)
app.command(cls=Resumable)(train_distill.distill)

Advantage = Literal["centred", "standardised"]
Kind = Literal["dr_grpo", "dapo", "grpo", "gspo"]
Estimator = Literal["k1", "k3", "none"]
Form = Literal["retell", "blank", "both"]
PlayForm = Literal["edge", "zero_sum"]


@app.command(cls=Resumable)
def book(
    ctx: typer.Context,
    origin: From = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the book (default: the settings).")] = None,
    steps: Steps = None,
    everything: Annotated[bool, typer.Option("--all", help="Train the whole book even if nothing new waits.")] = False,
    seed: Seed = 0,
    resume: Resume = None,
    lora: fitting.Lora = None,
    targets: fitting.Targets = None,
    recompute: fitting.Recompute = None,
    optimizer_state: fitting.OptimizerState = None,
    plan: fitting.Plan = False,
    json: common.JsonFlag = False,
) -> None:
    """Learn the entries of the book that are new, among all the old ones; use the result if nothing was forgotten.

    Example: mrclassic train book
    """
    common.only(ctx, "resume")
    common.one_length(epochs=epochs, steps=steps)
    session = fitting.session(ctx, lora, targets, recompute, optimizer_state)
    from mrclassic.cli.progress import Bar
    from mrclassic.night import study
    from mrclassic.night.judging import NEW, OLD
    from mrclassic.night.workplace import Workplace, alone

    busy = "A night is practising, or the book is being trained; what waits is learnt by it, or after it."
    with session.store() as store, alone(session.home, "night", busy, "training"):
        work = Workplace(session.home, session.settings, store, common.say)
        if plan:
            order = study.Order(study.recipe(work, seed=seed, epochs=epochs), steps, work.fit)
            tell(study.plan(work, order, origin), json)
            return
        with Bar("book") as bar:
            facts = study.study_book(
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
    first = {NEW: "new entries known", OLD: "old entries known"}
    titles = first | {name: name for name in facts.after if name not in first}
    told(facts, json, {name: f"{title:<18}" for name, title in titles.items() if name in facts.after})


@app.command(cls=Resumable)
def documents(
    ctx: typer.Context,
    origin: From = None,
    form: Annotated[
        Form | None,
        typer.Option(help="retell: all versions are read; blank: one, and blanks are filled; both (default: retell)."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the tellings (default: 40).")] = None,
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
    """Learn what your notes say, with the book replayed; use the result if held-out questions gained and nothing was
    forgotten.

    Example: mrclassic train documents --form both
    """
    common.only(ctx, "resume")
    common.one_length(epochs=epochs, steps=steps)
    session = fitting.session(ctx, lora, targets, recompute, optimizer_state)
    from mrclassic.cli.progress import Bar
    from mrclassic.night import documents as notes
    from mrclassic.night.workplace import Workplace, alone
    from mrclassic.training.documents import Settings

    settings = Settings(**given(form=form, epochs=epochs, learning_rate=learning_rate), seed=seed)
    busy = "A night is practising, or the book is being trained; the documents can be learned after it."
    with session.store() as store, alone(session.home, "night", busy, "training"):
        work = Workplace(session.home, session.settings, store, common.say)
        if plan:
            tell(notes.plan(work, notes.Order(settings, steps, fit=work.fit), origin), json)
            return
        with Bar("documents") as bar:
            facts = notes.learn(
                work, settings, origin=origin, steps=steps, resume=resume, watch=bar, planned=bar.planned
            )
    told(facts, json, {name: f"{name:<20}" for name in facts.after})


def _practise(session: common.Session, order: object, plan_only: bool, json: bool) -> None:
    from mrclassic.cli.progress import Bar
    from mrclassic.night.drill import Order, drill, plan
    from mrclassic.night.workplace import Workplace

    assert isinstance(order, Order)
    with session.store() as store:
        work = Workplace(session.home, session.settings, store, common.say)
        if plan_only:
            tell(plan(work, order), json)
            return
        with Bar(order.method) as bar:
            facts = drill(work, order, watch=bar, planned=bar.planned)
    if json:
        common.emit(facts)
        return
    what = facts.checkpoint or "Nothing of it is kept"
    common.say(f"{what}: {facts.steps} updates in {facts.seconds:.0f} s, {facts.ended}. {facts.why}".rstrip())
    if facts.ended == "paused":
        common.say(f"`mrclassic train {order.method} --resume {facts.run}` goes on all the same.")
    for name, score in facts.after.items():
        common.say(f"  {name:<18} {facts.before[name]:6.1%} -> {score:6.1%}")
    if facts.checkpoint is not None:
        common.say(f"It is a candidate; `mrclassic model use {facts.checkpoint}` puts it in use.")


Rewards = Annotated[
    list[str] | None,
    typer.Option(
        "--reward",
        metavar="NAME[=WEIGHT]",
        help="What scores answers, such as format=0.1; may be given several times (default: the settings).",
    ),
]


def _knob(words: str, **limits: float) -> Any:
    """An option of GRPO itself; what is not given is as the settings, or the method, have it."""
    return typer.Option(help=words, rich_help_panel="GRPO", **limits)  # type: ignore[arg-type]


@app.command(name="grpo", cls=Resumable)
def grpo_(
    ctx: typer.Context,
    origin: From = None,
    task: Task = None,
    reward: Rewards = None,
    steps: Steps = None,
    minutes: Minutes = None,
    seed: Seed = 0,
    resume: Resume = None,
    learning_rate: Rate = None,
    replay: Replay = None,
    prompts: Annotated[int | None, _knob("Questions an update.", min=1)] = None,
    group: Annotated[int | None, _knob("Answers to each question.", min=2, max=64)] = None,
    max_new: Annotated[
        int | None, _knob("Tokens of an answer (default: a quarter more than worked ones).", min=1)
    ] = None,
    temperature: Annotated[float | None, _knob("Of the draw; scored as sampled.", min=0.01)] = None,
    top_p: Annotated[float | None, _knob("Of the draw; scored as sampled.", min=0.01, max=1.0)] = None,
    top_k: Annotated[int | None, _knob("Of the draw; 0 is off; scored as sampled.", min=0)] = None,
    epochs: Annotated[int | None, _knob("Optimizer steps on the same answers.", min=1, max=64)] = None,
    advantage: Annotated[
        Advantage | None, _knob("The mean of the group taken off, or also divided by its deviation.")
    ] = None,
    loss: Annotated[Kind | None, _knob("What a token weighs; gspo: ratios of whole answers.")] = None,
    clip_low: Annotated[float | None, _knob("Lower clip of the ratio.", min=0.0, max=1.0)] = None,
    clip_high: Annotated[float | None, _knob("Upper clip of the ratio.", min=0.0)] = None,
    beta: Annotated[float | None, _knob("Weight of the distance to the reference; 0 is none.", min=0.0)] = None,
    kl: Annotated[Estimator | None, _knob("Estimator of that distance.")] = None,
    reference_every: Annotated[int | None, _knob("Updates after which the reference moves; 0 is never.", min=0)] = None,
    mask_truncated: Annotated[bool | None, _knob("Answers cut off at the limit teach nothing.")] = None,
    redraws: Annotated[int | None, _knob("Rounds of drawing again where all answers scored alike.", min=0)] = None,
    lora: fitting.Lora = None,
    targets: fitting.Targets = None,
    recompute: fitting.Recompute = None,
    optimizer_state: fitting.OptimizerState = None,
    plan: fitting.Plan = False,
    json: common.JsonFlag = False,
) -> None:
    """Practise with GRPO: groups of answers, scored by the task's verifier, with book entries replayed.

    Example: mrclassic train grpo --task arithmetic:3 --reward correct --reward repetition=0.2 --minutes 10
    """
    common.only(ctx, "resume")
    common.one_length(steps=steps, minutes=minutes)
    from mrclassic.night.drill import Order

    knobs = {
        "prompts": prompts,
        "group": group,
        "max_new": max_new,
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "epochs": epochs,
        "advantage": advantage,
        "loss": loss,
        "clip_low": clip_low,
        "clip_high": clip_high,
        "beta": beta,
        "kl": kl,
        "reference_every": reference_every,
        "mask_truncated": mask_truncated,
        "redraws": redraws,
    }
    order = Order(
        "grpo",
        tuple(task or ()),
        tuple(reward or ()),
        steps,
        minutes,
        seed,
        origin,
        resume,
        learning_rate,
        replay,
        given(**knobs),
    )
    _practise(fitting.session(ctx, lora, targets, recompute, optimizer_state), order, plan, json)


@app.command(cls=Resumable)
def selfplay(
    ctx: typer.Context,
    origin: From = None,
    domain: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:LEVEL]",
            help="What it asks about: arithmetic (the default), knights, strings, programs, triviaqa, documents, "
            "conversation; may be given several times. One that it cannot ask about yet is shown to it first.",
        ),
    ] = None,
    form: Annotated[
        PlayForm | None,
        typer.Option(help="What a question is worth: edge, or zero_sum, whatever is answered wrong."),
    ] = None,
    fixed: Annotated[
        float | None,
        typer.Option(min=0.0, max=0.9, help="Share of the generators' items among what is answered, such as 0.4."),
    ] = None,
    networks: Annotated[
        int | None, typer.Option(min=1, max=2, help="2: the questioner is a network of its own, not kept afterwards.")
    ] = None,
    steps: Steps = None,
    minutes: Minutes = None,
    seed: Seed = 0,
    resume: Resume = None,
    learning_rate: Rate = None,
    replay: Replay = None,
    lora: fitting.Lora = None,
    targets: fitting.Targets = None,
    recompute: fitting.Recompute = None,
    optimizer_state: fitting.OptimizerState = None,
    plan: fitting.Plan = False,
    json: common.JsonFlag = False,
) -> None:
    """Let the model ask itself questions and answer them; code computes who is right.

    Example: mrclassic train selfplay --domain strings:1 --domain arithmetic --minutes 10
    """
    common.only(ctx, "resume")
    common.one_length(steps=steps, minutes=minutes)
    from mrclassic.night.drill import Order

    order = Order(
        "selfplay",
        tuple(domain or ("arithmetic",)),
        ("correct",),
        steps=steps,
        minutes=minutes,
        seed=seed,
        origin=origin,
        resume=resume,
        learning_rate=learning_rate,
        replay=replay,
        play=given(form=form, fixed=fixed, networks=networks),
    )
    _practise(fitting.session(ctx, lora, targets, recompute, optimizer_state), order, plan, json)
