"""`mrclassic daemon run|status|log|pause|resume|install`: the service that starts the nights."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mrclassic.cli import common

if TYPE_CHECKING:
    from mrclassic.daemon.status import Status

app = typer.Typer(
    name="daemon",
    help="The service that starts the nights: run it, look at it, pause it, have systemd start it.",
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
    from mrclassic.daemon.log import LOG
    from mrclassic.daemon.status import read

    here = common.session(ctx, attended=False)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    LOG.addHandler(handler)
    try:
        service.run(here.home, here.settings, reload=lambda: common.session(ctx).settings)
    finally:
        LOG.removeHandler(handler)
    if json_:
        common.emit(_facts(read(here.home)))


@app.command()
def status(ctx: typer.Context, json_: common.JsonFlag = False) -> None:
    """Say whether the service runs, what it does, and when the next night is.

    Example: mrclassic daemon status --json
    """
    from mrclassic.daemon.status import beat_file, read
    from mrclassic.heartbeat import pulse

    here = common.session(ctx)
    found = read(here.home)
    at = pulse(beat_file(here.home))[1] if found.night is not None else ""
    with here.store() as store:
        asked = [request.kind for request in store.requests.pending()]
    if json_:
        common.emit({**_facts(found), "at": at or None, "requests": asked})
        return
    for line in _lines(found, at):
        common.out(line)
    if asked:
        common.out(f"Asked of it and not taken up yet: {', '.join(asked)}.")


@app.command()
def log(
    ctx: typer.Context,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many, the newest last.")] = 20,
    json_: common.JsonFlag = False,
) -> None:
    """Read what the service did; a line marked with ! is worth a look.

    Example: mrclassic daemon log -n 50
    """
    from mrclassic.daemon.log import tail, words

    events = tail(common.session(ctx).home, lines)
    if json_:
        common.emit(events)
        return
    if not events:
        common.say("The service has not run yet; `mrclassic daemon run` starts it.")
    for each in events:
        common.out(words(each))


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


@app.command()
def install(
    ctx: typer.Context,
    linger: Annotated[bool, typer.Option("--linger", help="Let it run when you are logged out, too.")] = False,
    wake: Annotated[bool, typer.Option("--wake", help="Wake a sleeping machine for the nights.")] = False,
    uninstall: Annotated[
        bool, typer.Option("--uninstall", help="Instead: stop it and remove what was written.")
    ] = False,
    json_: common.JsonFlag = False,
) -> None:
    """Have systemd start the service from now on, with the paths of this home and this installation.

    Example: mrclassic daemon install --linger
    """
    from mrclassic.daemon import install as units
    from mrclassic.errors import UsageError

    if uninstall and (linger or wake):
        raise UsageError("--uninstall goes alone.")
    here = common.session(ctx)
    if uninstall:
        done = units.uninstall(here.home)
    else:
        done = units.install(here.home, here.settings.night, linger=linger, wake=wake)
    if json_:
        common.emit({**asdict(done), "files": list(map(str, done.files)), "uninstalled": uninstall})
    else:
        for path in done.files:
            common.out(f"{'Removed' if uninstall else 'Written'}: {path}")
        if done.enabled:
            common.out("The service runs, and starts by itself from now on; `mrclassic daemon status` shows it.")
        for sentence in done.words:
            common.out(sentence)
    if not (done.enabled or uninstall):
        raise typer.Exit(1)


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


def _lines(found: Status, at: str) -> list[str]:
    from mrclassic.daemon.status import sentence, when

    if found.running:
        since = f" since {when(found.started)}" if found.started else ""
        lines = [f"The service is running (process {found.pid}{since}).", sentence(found)]
    else:
        lines = ["The service is not running; `mrclassic daemon run` starts it, `mrclassic daemon install` for good."]
        if found.paused:
            lines.append("Nights are paused; `mrclassic daemon resume` lets them start again.")
    if found.night is not None:
        lines.append(f"  {at or 'it has just begun'}; it writes to {found.night.log}")
    elif found.unfinished is not None and found.next_night is not None:
        lines.append(f"The next night starts {when(found.next_night)}.")
    if found.last_night:
        lines.append(f"Last: {found.last_night}")
    lines += [f"  {notice}" for notice in found.notices]
    return lines
