"""`lab`: the experiments that the design rests on, each by one command."""

from __future__ import annotations

from typing import Annotated

import typer

from mrclassic.bounds import LONGEST
from mrclassic.cli import common

app = typer.Typer(
    name="lab", help="Reproduce the experiments that the design rests on: list, run.", no_args_is_help=True
)


@app.command("list")
def list_(json_: common.JsonFlag = False) -> None:
    """List the experiments, with how long each takes when nothing else is asked.

    Example: mrclassic lab list
    """
    from mrclassic.lab.catalogue import EXPERIMENTS

    if json_:
        common.emit(list(EXPERIMENTS.values()))
        return
    for each in EXPERIMENTS.values():
        common.out(f"{each.name:<10} {each.minutes:>3g} min an arm, {each.seeds} seeds   {each.about}")


@app.command()
def run(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Of the experiment; `mrclassic lab list` shows them.")],
    minutes: Annotated[
        float | None, typer.Option(min=0.01, max=LONGEST, help="Of each arm (default: see the list).")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Instead: updates of each arm.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="How often each arm is run (default: see the list).")] = None,
    level: Annotated[
        str | None, typer.Option(help="What is practised (default: chosen by what the model can do).")
    ] = None,
    items: Annotated[int, typer.Option(min=2, help="Held-out items measured of each level, and of the book.")] = 500,
    origin: Annotated[
        str | None, typer.Option("--from", help="Checkpoint to begin from (default: the one in use).")
    ] = None,
    json_: common.JsonFlag = False,
) -> None:
    """Run an experiment on copies of the model in use; a note of what it shows is kept in the home's folder `lab`.

    Example: mrclassic lab run drift --seeds 1
    """
    common.one_length(minutes=minutes, steps=steps)
    from mrclassic.lab import catalogue

    chosen = catalogue.get(name)
    session = common.session(ctx)
    from datetime import UTC, datetime

    from mrclassic.cli.progress import Bar
    from mrclassic.lab.experiment import Arm, Finding, Options, Result
    from mrclassic.lab.ground import Ground
    from mrclassic.lab.note import Note, to_json, write
    from mrclassic.lab.run import carry_out
    from mrclassic.night.workplace import Workplace, alone

    options = Options(minutes or chosen.minutes, steps, seeds or chosen.seeds, level, items)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    arms: list[Arm] = []
    busy = "An experiment is running in this home already; two at a time would disturb each other's clock."
    with session.store() as store, alone(session.home, "lab", busy), Bar(name) as bar:
        work = Workplace(session.home, session.settings, store, common.say)
        parent = work.parent(origin)
        ground = Ground(work, parent.policy, parent.row.id)

        def note(results: list[Result], findings: list[Finding], complete: bool = False) -> Note:
            return Note(name, chosen.about, started, options, arms, results, findings, complete)

        results, findings = carry_out(
            chosen.load(),
            ground,
            options,
            watch=bar,
            planned=arms.extend,
            begun=bar.stage,
            done=lambda so_far, found: write(note(list(so_far), list(found)), ground, session.home.lab),
        )
        whole = note(results, findings, True)
        page = write(whole, ground, session.home.lab)
    if json_:
        common.emit({**to_json(whole, ground), "note": page})
        return
    for finding in findings:
        mark = {True: "held", False: "did not hold", None: "not told"}[finding.held]
        common.out(f"{finding.claim}: {mark}. {finding.words}")
    common.say(f"The note: {page}")
