"""The app in a browser on this machine, by textual-serve (the extra `web`).

Every tab is an app, a process of its own, on the same home. Who may come in, `door.py` says.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import signal
import sys
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mrclassic.cli import common
from mrclassic.cli.door import HEADERS, Door
from mrclassic.cli.serve import listen
from mrclassic.errors import MrClassicError, Refused, UsageError

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

    from aiohttp.web import Request, StreamResponse
    from textual_serve.server import Server

    Handler = Callable[[Request], Awaitable[StreamResponse]]

PORT = 8485
MOST_TABS = 8
"""Each is a process of about 100 MB."""
_GOODBYE = 5.0
"""Seconds that the apps have to store what is typed when the server ends."""
_SECRET = re.compile(r"[A-Za-z0-9_-]{24,}")


def web(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = PORT,
    host: Annotated[
        str, typer.Option(help="Address to listen on; one that other machines reach needs --token-file.")
    ] = "127.0.0.1",
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="<path>",
            help="A file that only you can read, with 24 letters or digits or more; else each start makes a new token.",
        ),
    ] = None,
    as_json: common.JsonFlag = False,
) -> None:
    """Open the app in a browser on this machine, at an address with a token that nobody else knows.

    Example: mrclassic web --port 8485
    """
    address = _address(host)
    if not address.is_loopback and token_file is None:
        raise Refused(
            f"{host} can be reached from other machines. Leave --host out, and from there use "
            f"`ssh -L {PORT}:127.0.0.1:{port or PORT}`; or put a token of your own in front with --token-file."
        )
    server = _library()
    token = secrets.token_urlsafe(24) if token_file is None else _secret(token_file)
    session = common.session(ctx)
    import asyncio

    from mrclassic.cli.open import make_ready

    with listen(port, str(address)) as listener:  # before a hatching that takes minutes
        make_ready(session)
        door = Door(token, str(address), listener.getsockname()[1])
        device = ctx.ensure_object(common.Root).device
        words = [sys.executable, "-m", "mrclassic", "--home", str(session.home.root)]
        command = "exec " + shlex.join([*words, "--device", device] if device else words)

        def ready() -> None:
            if as_json:
                common.emit({"url": door.url, "pid": os.getpid()})
                return
            common.out(door.url)
            common.say("Open this in a browser; whoever has the address has the app. Ctrl-C ends it and every tab.")
            if not address.is_loopback:
                common.say("What goes between another machine and this one is not encrypted.")

        asyncio.run(_serve(server(command, title="Mr. Classic"), door, listener, ready))


async def _serve(server: Server, door: Door, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until a signal ends it. (textual-serve's own loop waits a minute for open tabs.)"""
    import asyncio

    from aiohttp import web as http

    tabs: set[asyncio.Task[object]] = set()

    @http.middleware
    async def guard(request: http.Request, handler: Handler) -> http.StreamResponse:
        why = door.refusal(
            request.path,
            request.headers.get("Host"),
            request.headers.get("Origin"),
            request.headers.get("Upgrade", "").lower() == "websocket",
        )
        if why:
            return http.Response(status=403, text=f"{why}\n", headers=HEADERS)
        if not request.path.endswith("/ws"):
            # The page leads to itself by the name under which it was asked for.
            server.public_url = f"http://{request.host}"
            return await handler(request)
        if len(tabs) >= MOST_TABS:
            return http.Response(status=503, text=f"{MOST_TABS} tabs are open already; close one.\n")
        tab = asyncio.current_task()
        assert tab is not None
        tabs.add(tab)
        try:
            return await handler(request)
        finally:
            tabs.discard(tab)

    async def dress(request: http.Request, response: http.StreamResponse) -> None:
        response.headers.update(HEADERS)

    inner = await server._make_app()
    inner.on_startup.clear()  # it would print a banner
    outer = http.Application(middlewares=[guard])
    outer.add_subapp(f"/{door.token}", inner)
    outer.on_response_prepare.append(dress)
    runner = http.AppRunner(outer, access_log=None, shutdown_timeout=_GOODBYE)
    await runner.setup()
    await http.SockSite(runner, listener).start()
    ended = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(sign, ended.set)
    ready()
    await ended.wait()
    # Each says goodbye to its app, which stores what is typed; one that does not go by itself loses its terminal.
    for tab in tabs:
        tab.cancel()
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*tabs, return_exceptions=True), _GOODBYE)
    await runner.cleanup()


def _library() -> type[Server]:
    """textual-serve, or a sentence where it is not installed."""
    try:
        from textual_serve.server import Server
    except ImportError as error:
        raise MrClassicError(
            "The app in a browser needs textual-serve: install it with `pip install 'mrclassic[web]'`."
        ) from error
    return Server


def _address(host: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise UsageError(f"--host {host!r} is no address; give one such as 127.0.0.1, or leave it out.") from None


def _secret(path: Path) -> str:
    """The token in a file that is its owner's alone."""
    try:
        mode, token = path.stat().st_mode, path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--token-file {path} cannot be read ({getattr(error, 'strerror', '') or error}).") from error
    if mode & 0o077:
        raise Refused(f"{path} can be read by others, so it is no secret; `chmod 600 {path}` mends that.")
    if not _SECRET.fullmatch(token):
        raise UsageError(f"{path} must hold one line of 24 or more letters, digits, - or _.")
    return token
