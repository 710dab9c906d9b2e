"""The life of the mind's process, once it has the lock: load, listen, serve, leave when idle or told to."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from mrclassic.home import Home
from mrclassic.lease import Lease
from mrclassic.mind.desk import Desk
from mrclassic.mind.driver import Driver
from mrclassic.mind.parameters import Defaults
from mrclassic.mind.server import guarded, make_app
from mrclassic.mind.sockets import bind
from mrclassic.model.device import set_threads
from mrclassic.settings import Settings

_LOOK = 0.5
"""Seconds between looks at the clock for idleness, or less where the idle time itself is short."""


@dataclass(frozen=True)
class Port:
    """A listening socket on a localhost port, and the token that opens it."""

    listener: socket.socket
    token: str
    ready: Callable[[], None]
    """Called once requests are answered."""


def serve(home: Home, settings: Settings, port: Port | None = None, early: Lease | None = None) -> None:
    """Load the model and answer until idle for too long (never, with a port) or told to leave; call it under
    `process.hold`.

    A night that waits for the device has it after `night.idle_minutes` without a request: the process leaves, or, with
    a port, lets its weights go until somebody asks. `early` is the device, where it was taken before: it is let go once
    the weights hold it."""
    try:
        asyncio.run(_serve(home, settings, port, early))
    finally:
        home.socket.unlink(missing_ok=True)


async def _serve(home: Home, settings: Settings, port: Port | None, early: Lease | None) -> None:
    def make_desk() -> Desk:
        set_threads(settings.threads)  # in the thread that computes: part of this is a setting of the thread
        desk = Desk(home, settings)
        if early is not None:
            early.release()
        return desk

    driver = Driver(make_desk)
    await driver.start()
    loop = asyncio.get_running_loop()
    leaving = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, leaving.set)

    chat = settings.chat
    defaults = Defaults(chat.temperature, chat.top_p, chat.top_k, chat.max_tokens)
    servers = [_Server(make_app(driver, defaults, leaving.set))]
    listeners = [bind(home.socket)]
    if port is not None:
        servers.append(_Server(guarded(make_app(driver, defaults, None), port.token)))
        listeners.append(port.listener)

    driving = asyncio.create_task(driver.run())
    serving = [
        asyncio.create_task(server.serve(sockets=[listener]))
        for server, listener in zip(servers, listeners, strict=True)
    ]
    if port is not None:
        port.ready()
    idle = None if port is not None else settings.mind.idle_minutes * 60
    night = settings.night.idle_minutes * 60
    watching = asyncio.create_task(_until_leaving(leaving, driver, home, idle, night))
    await asyncio.wait([driving, watching, *serving], return_when=asyncio.FIRST_COMPLETED)
    watching.cancel()
    # The driver first: it ends every stream with a sentence, then the servers have nothing to wait for.
    driver.stop()
    for server in servers:
        server.should_exit = True
    outcome = await asyncio.gather(driving, *serving, return_exceptions=True)
    for result in outcome:
        if isinstance(result, BaseException):
            raise result


async def _until_leaving(leaving: asyncio.Event, driver: Driver, home: Home, idle: float | None, night: float) -> None:
    """Return when told to leave, when nobody has asked for anything for `idle` seconds, or when nobody can any more;
    where a night waits, after `night` seconds."""
    why = ""
    while not why:
        ahead = [limit - driver.idle_seconds for limit in (idle, night) if limit is not None]
        pause = min((_LOOK, *(max(0.01, left) for left in ahead if left > 0)))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(leaving.wait(), pause)
        if leaving.is_set():
            why = "told to"
        elif idle is not None and driver.idle_seconds >= idle:
            why = "idle"
        elif not home.socket.exists():
            why = "the socket was removed"
        elif driver.idle_seconds >= night and await driver.in_the_way():
            if idle is not None:
                why = "idle, and a night waits"
            else:
                await driver.rest()
    sys.stderr.write(f"leaving: {why}\n")


class _Server(uvicorn.Server):
    """uvicorn on sockets that are already bound; signals are ours."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: two servers and the driver end together."""
        yield
