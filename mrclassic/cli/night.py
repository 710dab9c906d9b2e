"""`night` and `report`: practise now, or read what came of it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mrclassic.cli import common

if TYPE_CHECKING:
    from types import FrameType

    from mrclassic.night.report import NightReport
    from mrclassic.night.run import Night


def night(
    ctx: typer.Context,
    now: Annotated[bool, typer.Option("--now", help="Begin at once.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would be done, with its arithmetic.")] = False,
    minutes: Annotated[
        float | None, typer.Option(min=0.2, help="The whole night's budget (default: the settings).")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Default: the number of the night.")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=0.0, help="Of the practice (default: the settings).")
    ] = None,
    replay: Annotated[
        int | None, typer.Option(min=0, help="Book entries replayed in each update (default: the settings).")
    ] = None,
    json: common.JsonFlag = False,
) -> None:
    """Practise: book, sums by curriculum, self-play; then promote the result only if it is better and forgot nothing.

    Example: mrclassic night --now --minutes 10
    """
    from mrclassic.errors import UsageError

    if now == plan:
        raise UsageError("Say either --now to practise or --plan to see what would be done.")
    session = common.session(ctx)
    stop: list[int] = []
    begun: list[Night] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        """Until the night has begun there is nothing to keep; then the update under way is finished first."""
        if not begun:
            common.say("Ended before the night began.")
            raise SystemExit(0)
        if number == signal.SIGINT and stop:
            raise KeyboardInterrupt  # said twice: at once
        stop.append(number)
        if begun[0].judging:
            raise Stopped

    signal.signal(signal.SIGTERM, on_signal)
    # Only now what takes seconds to load: a service that has just started us may already want us to end.
    from mrclassic.cli.progress import Bar
    from mrclassic.night.run import Night, Stopped, Wishes
    from mrclassic.night.workplace import Workplace, alone

    busy = "A night is running in this home already; `mrclassic daemon status` shows it."
    wishes = Wishes(minutes or session.settings.night.minutes, seed, learning_rate, replay)
    with session.store() as store, alone(session.home, "night", busy):
        tonight = Night(Workplace(session.home, session.settings, store, common.say), wishes)
        for line in tonight.plan.lines():
            common.say(line)
        if plan:
            if json:
                common.emit(tonight.plan)
            return
        begun.append(tonight)
        signal.signal(signal.SIGINT, on_signal)
        with Bar("practising") as bar:
            result = tonight.run(watch=bar, planned=bar.stage, stopping=lambda: bool(stop))
    report = result.report
    if json:
        common.emit(
            {
                "night": report.night,
                "stages": [
                    {
                        "name": s.name,
                        "status": s.status,
                        "steps": s.steps,
                        "seconds": s.seconds,
                        "completions": s.completions,
                    }
                    for s in report.stages
                ],
                "gate": report.gate,
                "promoted": report.promoted,
                "checkpoint": report.checkpoint_after,
                "candidate": result.candidate,
                "suites": {"before": report.suites_before, "after": report.suites_after},
                "report": result.page,
            }
        )
    elif result.interrupted and result.candidate:
        common.say(f"Ended early; what was trained is kept as the candidate {result.candidate}.")
    else:
        _tell(report)
    if signal.SIGINT in stop:
        raise typer.Exit(130)


def _tell(report: NightReport) -> None:
    """What came of the night, in short."""
    if report.gate is not None:
        common.say("Promoted." if report.promoted else "Not promoted.")
        for reason in report.gate.reasons:
            common.say(f"  {reason}")
    common.say(f"The report: mrclassic report {report.night}")


def report(
    ctx: typer.Context,
    night: Annotated[int | None, typer.Argument(help="Number of the night (default: the last).")] = None,
    run: Annotated[int | None, typer.Option(help="Instead: one training run, by its number.")] = None,
    tensorboard: Annotated[
        Path | None, typer.Option(help="Also write that run as an event file for TensorBoard under this folder.")
    ] = None,
    json: common.JsonFlag = False,
) -> None:
    """Print the report of a night, as Markdown or JSON; or what one training run did.

    Example: mrclassic report
    """
    from mrclassic.errors import MrClassicError, UsageError

    if run is not None and night is not None:
        raise UsageError("Name a night or a --run, not both.")
    if run is None and tensorboard is not None:
        raise UsageError("--tensorboard writes one run; give its number with --run.")
    session = common.session(ctx)
    if run is not None:
        _run_report(session, run, tensorboard, json)
        return
    with session.store() as store:
        row = store.nights.last() if night is None else store.nights.get(night)
    if row is None:
        raise MrClassicError("There has been no night yet; `mrclassic night --now --minutes 10` makes one.")
    if not row.report:
        raise MrClassicError(f"Night {row.id} has no report: it is {row.status}.")
    from mrclassic.night.report import read, to_json, to_markdown

    found = read(session.home.nights / row.report)
    if json:
        common.emit(to_json(found))
    else:
        common.out(to_markdown(found))


def _run_report(session: common.Session, run: int, folder: Path | None, json: bool) -> None:
    from mrclassic.night.account import account, lines
    from mrclassic.night.tensorboard import export

    with session.store() as store:
        facts = account(store, run)
        events = None if folder is None else export(run, store, folder)
    if json:
        common.emit(facts if events is None else {**facts, "events": events})
        return
    for line in lines(facts):
        common.out(line)
    if events is not None:
        common.say(f"Written to {events}; `tensorboard --logdir {folder}` shows it.")
