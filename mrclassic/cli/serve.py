"""The running model on a localhost port, for other programs that speak OpenAI's API."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path
from typing import Annotated

import typer

from mrclassic.cli import common
from mrclassic.errors import MrClassicError


def serve(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 8484,
    as_json: common.JsonFlag = False,
) -> None:
    """Answer on a localhost port, for whoever sends the token; the app and `ask` go on as before.

    Example: mrclassic serve --port 8484
    """
    current = common.session(ctx)
    if current.store().checkpoints.in_use() is None:
        from mrclassic.mind.protocol import NOTHING_HATCHED

        raise MrClassicError(NOTHING_HATCHED)
    listener = listen(port)
    key_file = current.home.run / "serve.token"
    key = _token(key_file)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"

    def ready() -> None:
        if as_json:
            common.emit({"url": url, "token": key, "token_file": key_file, "pid": os.getpid()})
            return
        common.out(url)
        common.out(key)
        common.say(f"Serving until Ctrl-C. The second line is the bearer token; it also lies in {key_file}.")

    from mrclassic.mind import process
    from mrclassic.mind.running import Port
    from mrclassic.mind.running import serve as run

    # One mind a home: the one that runs makes room, and its clients find us at the same socket.
    process.stop(current.home)
    with listener, process.hold(current.home) as ours:
        if not ours:
            raise MrClassicError("Another program has just started the model; try again.")
        run(current.home, current.settings, Port(listener, key, ready))


def listen(port: int, host: str = "127.0.0.1") -> socket.socket:
    """A socket that listens on an address of this machine; 0 takes a free port. Raises `MrClassicError`."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise MrClassicError(f"Port {port} cannot be used ({error.strerror}); choose another with --port.") from error
    listener.listen(128)
    listener.setblocking(False)
    return listener


def _token(path: Path) -> str:
    """The home's token, made on first use; readable by its owner only."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        kept = path.read_text(encoding="ascii").strip()
        if kept:
            return kept
        path.unlink()
        return _token(path)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        token = secrets.token_urlsafe(32)
        file.write(token + "\n")
    return token
