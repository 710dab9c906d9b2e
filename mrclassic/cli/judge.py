"""`judge`: serve the judge of model-written programs, for systemd's unit of it."""

from __future__ import annotations

import os

import typer

from mrclassic.cli import common


def judge(ctx: typer.Context) -> None:
    """Judge programs that a model wrote for the nights of this home, over a socket, until SIGTERM.

    A night that systemd has started is confined too tightly to make a sandbox; the unit `mrclassic-judge` runs this.

    Example: mrclassic judge
    """
    from mrclassic.daemon.process import signals
    from mrclassic.errors import Refused
    from mrclassic.mind.sockets import bind, listening
    from mrclassic.sandbox.backends import NoSandbox
    from mrclassic.sandbox.serving import serve

    path = common.session(ctx).home.judge_socket
    if listening(path):
        raise Refused(f"A judge is listening at {path} already.")
    reader, writer = os.pipe()
    with signals(lambda: _wake(writer)), bind(path) as listener:
        listener.setblocking(True)
        common.say(f"Judging at {path} until Ctrl-C.")
        try:
            serve(listener, reader)
        except NoSandbox as error:
            raise Refused(f"There is no sandbox here, so nothing is judged: {error}") from error
        finally:
            path.unlink(missing_ok=True)


def _wake(writer: int) -> None:
    os.write(writer, b".")
