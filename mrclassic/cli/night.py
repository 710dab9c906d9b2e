"""`night` and `report`: practise now, or read what came of it."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mrclassic.bounds import LONGEST, SHORTEST
from mrclassic.cli import common
from mrclassic.daemon.status import beat_file

if TYPE_CHECKING:
    from types import FrameType

    from mrclassic.night.report import NightReport
    from mrclassic.night.run import Night, NightResult
    from mrclassic.store import Store

_GAVE_WAY = 75  # EX_TEMPFAIL: ended by SIGTERM, to be gone on with


def night(
    ctx: typer.Context,
    now: Annotated[bool, typer.Option("--now", help="Begin at once.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would be done, with its arithmetic.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the last night where it was cut short, if it was.")
    ] = False,
    minutes: Annotated[
        float | None,
        typer.Option(min=SHORTEST, max=LONGEST, help="The whole night's budget (default: the settings)."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Default: the number of the night.")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=0.0, help="Of the practice (default: the settings).")
    ] = None,
    replay: Annotated[
        int | None, typer.Option(min=0, help="Book entries replayed in each update (default: the settings).")
    ] = None,
    unattended: Annotated[bool, typer.Option("--unattended", hidden=True)] = False,
    json: common.JsonFlag = False,
) -> None:
    """Practise: book, sums by curriculum, self-play; then promote the result only if it is better and forgot nothing.

    It waits until nobody has asked the model anything for a while, and gives way as soon as somebody does. Ended by a
    signal it saves and leaves with exit code 75 (130 for Ctrl-C); --resume goes on from there, to the same result.

    Example: mrclassic night --now --minutes 10
    """
    from mrclassic.errors import Stopped, UsageError

    if now == plan:
        raise UsageError("Say either --now to practise or --plan to see what would be done.")
    if plan and resume:
        raise UsageError("--plan says what a new night would do; leave out --resume.")
    session = common.session(ctx, attended=not unattended)
    heard: list[int] = []
    begun: list[Night] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        """The update under way is finished first; anything else ends at once. A second Ctrl-C does not wait either."""
        heard.append(number)
        if len(heard) == 1 and not (begun and begun[0].unbroken):
            raise Stopped
        if len(heard) > 1 and number == signal.SIGINT:
            raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    finished = False
    try:
        wanted = _Wanted(resume, minutes, seed, learning_rate, replay, unattended, json)
        if plan:
            _tell_plan(session, wanted)
        finished = plan or _night(session, wanted, begun, heard)
    except Stopped:
        common.say("Ended before the night began.")
    if finished:  # also where the signal came too late
        return
    if signal.SIGTERM in heard:
        # Taking torch apart would hold the memory that somebody waits for, for seconds; nothing is left to be saved.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_GAVE_WAY)
    raise typer.Exit(130)


@dataclass(frozen=True)
class _Wanted:
    """The options of `night`."""

    resume: bool
    minutes: float | None
    seed: int | None
    learning_rate: float | None
    replay: int | None
    unattended: bool
    json: bool


def _night(session: common.Session, wanted: _Wanted, begun: list[Night], heard: list[int]) -> bool:
    """Whether it came to its end."""
    # Only now what takes seconds to load: a service that has just started us may already want us to end.
    from mrclassic.cli.progress import Bar
    from mrclassic.model.device import choose_device
    from mrclassic.night import notify, unfinished
    from mrclassic.night.run import Night, Wishes
    from mrclassic.night.turn import turn
    from mrclassic.night.workplace import Workplace

    home, settings, former = session.home, session.settings, None
    wishes = Wishes(_minutes(session, wanted), wanted.seed, wanted.learning_rate, wanted.replay)
    device, idle = str(choose_device(settings.device)), settings.night.idle_minutes
    beats, patient = beat_file(home), wanted.unattended
    with session.store() as store, turn(home, device, idle, common.say, beats, patient=patient) as lease:
        if wanted.resume:
            former, why = unfinished.find(home, store)
            if former is None:
                common.say(why)
            else:
                settings = unfinished.settings_then(settings, former.plan)
        os.nice(max(0, settings.night.nice - os.nice(0)))
        _copy(store)
        tonight = Night(Workplace(home, settings, store, common.say), wishes, former)
        for line in tonight.plan.lines():
            common.say(line)
        begun.append(tonight)
        with Bar("practising") as bar:
            result = tonight.run(
                watch=bar, planned=bar.stage, stopping=lambda: bool(heard), begins=lambda: _next(session)
            )
        if result.interrupted and lease.wanted:
            store.nights.update(result.report.night, "interrupted", "gave way")
    _told(result, wanted.json)
    lease.release()
    if not result.interrupted:
        notify.night_over(settings.notify, result.report, common.say)
    return not result.interrupted


def _next(session: common.Session) -> str:
    """When the next night begins."""
    from mrclassic.daemon import schedule, status

    service = status.read(session.home)
    return schedule.announced(session.settings.night, running=service.running, paused=service.paused)


def _copy(store: Store) -> None:
    """Copy the database while it is whole. Into a damaged one no night writes; without a copy it goes on."""
    from mrclassic.errors import MrClassicError
    from mrclassic.store import DamagedStoreError

    try:
        store.copy()
    except DamagedStoreError:
        raise
    except (MrClassicError, OSError) as error:
        common.say(f"No copy of the database could be made: {error}")


def _tell_plan(session: common.Session, wanted: _Wanted) -> None:
    """What a night would do. It changes nothing, so it stands in nobody's way."""
    from mrclassic.cli.progress import Bar
    from mrclassic.night.run import Night, Wishes
    from mrclassic.night.workplace import Workplace

    wishes = Wishes(_minutes(session, wanted), wanted.seed, wanted.learning_rate, wanted.replay)
    common.say("Measuring what the model can do, and how fast an update is, on a few items of each level ...")
    with session.store() as store, Bar("measuring"):
        tonight = Night(Workplace(session.home, session.settings, store, common.say), wishes, glance=True)
    for line in tonight.plan.lines():
        common.say(line)
    if wanted.json:
        common.emit(tonight.plan)


def _minutes(session: common.Session, wanted: _Wanted) -> float:
    return session.settings.night.minutes if wanted.minutes is None else wanted.minutes


def _told(result: NightResult, json: bool) -> None:
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
                "interrupted": result.interrupted,
                "checkpoint": report.checkpoint_after,
                "candidate": result.candidate,
                "suites": {"before": report.suites_before, "after": report.suites_after},
                "report": result.page,
            }
        )
    elif result.interrupted:
        common.say("Cut short; `mrclassic night --now --resume` goes on from here.")
    else:
        _tell(report)


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
