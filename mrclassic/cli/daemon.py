"""`mrclassic daemon run|status|pause|resume`: the service that starts the nights."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from mrclassic.cli import common

if TYPE_CHECKING:
    from mrclassic.daemon.status import Status

app = typer.Typer(
    name="daemon",
    help="The service that starts the nights: run it, look at it, pause it.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# The service reads its letterbox once a second.
_ANSWER_SECONDS = 5.0


@app.command()
def run(ctx: typer.Context, json_: common.JsonFlag = False) -> None:
    """Serve this home in the foreground: start a night whenever the settings say so, until Ctrl-C or SIGTERM.

    A night that is running then is asked to save its checkpoint and ends within 30 seconds.

    Example: mrclassic daemon run
    """
    import logging

    from mrclassic.daemon import service
    from mrclassic.daemon.status import read

    here = common.session(ctx)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("mrclassic.daemon")
    logger.addHandler(handler)
    try:
        service.run(here.home, here.settings, reload=lambda: common.session(ctx).settings)
    finally:
        logger.removeHandler(handler)
    if json_:
        common.emit(_facts(read(here.home)))


@app.command()
def status(ctx: typer.Context, json_: common.JsonFlag = False) -> None:
    """Say whether the service runs, what it does, and when the next night is.

    Example: mrclassic daemon status --json
    """
    from mrclassic.daemon.status import read

    here = common.session(ctx)
    found = read(here.home)
    if json_:
        common.emit(_facts(found))
        return
    for line in _lines(found):
        common.out(line)


@app.command()
def pause(ctx: typer.Context, json_: common.JsonFlag = False) -> None:
    """Start no more nights until `resume`; one that is running saves its checkpoint and ends.

    Example: mrclassic daemon pause
    """
    _ask(ctx, "pause", json_)


@app.command()
def resume(ctx: typer.Context, json_: common.JsonFlag = False) -> None:
    """Start nights again as the settings say.

    Example: mrclassic daemon resume
    """
    _ask(ctx, "resume", json_)


def _ask(ctx: typer.Context, kind: str, json_: bool) -> None:
    """Leave the request in the store; wait for the answer if somebody is there to give it."""
    from mrclassic.daemon import status as daemon_status
    from mrclassic.errors import MrClassicError

    here = common.session(ctx)
    with here.store() as store:
        request = store.requests.post(kind)
        running = daemon_status.alive(here.home)
        deadline = time.monotonic() + (_ANSWER_SECONDS if running else 0)
        answer = store.requests.get(request)
        while answer.done is None and time.monotonic() < deadline:
            time.sleep(0.05)
            answer = store.requests.get(request)
    if json_:
        common.emit({"request": request, "kind": kind, "running": running, "done": answer.done is not None})
    if running and answer.done is None:
        raise MrClassicError(f"The service has not answered yet; it takes up the request ({kind}) when it can.")
    if json_:
        return
    if not running:
        common.say(f"The service is not running; it takes up the request ({kind}) when it starts.")
    elif kind == "pause":
        ended = (answer.result or {}).get("night_ended")
        common.say("Paused." + (" The night that was running saves and ends." if ended else ""))
    else:
        common.say("Resumed.")


def _facts(found: Status) -> dict[str, object]:
    return {"running": found.running, **asdict(found)}


def _lines(found: Status) -> list[str]:
    if found.running:
        since = f" since {_when(found.started)}" if found.started else ""
        lines = [f"The service is running (process {found.pid}{since})."]
    else:
        lines = ["The service is not running; start it with `mrclassic daemon run`."]
    if found.night is not None:
        lines.append(f"A night is running since {_when(found.night.started)} ({found.night.why}): {found.night.log}")
    if found.paused:
        lines.append("It is paused: `mrclassic daemon resume` lets nights start again.")
    elif found.next_night is not None:
        lines.append(f"The next night starts {_when(found.next_night)}.")
    elif found.running:
        lines.append("The settings switch nights off (night.enabled).")
    if found.last_night:
        lines.append(f"Last: {found.last_night}")
    lines += [f"  {notice}" for notice in found.notices]
    return lines


def _when(text: str) -> str:
    moment = datetime.fromisoformat(text).astimezone()
    return f"{moment:%a} {moment.day} {moment:%b, %H:%M}"
