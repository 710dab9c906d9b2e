"""The one thread on which the app talks to the store.

SQLite's `fsync` must not hold up a keystroke, so nothing is asked of the store on the screen's own thread. One thread,
not a pool: what the owner did first is stored first, and the store keeps one connection a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from mrclassic.errors import MrClassicError

P = ParamSpec("P")
T = TypeVar("T")


class StoreThread:
    """Runs calls one after the other, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self.closed = False

    async def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` on the thread. Once asked for it is carried out, even if the asker is cancelled. Raises
        `MrClassicError` where the app is leaving."""
        if self.closed:
            raise MrClassicError("The app is leaving; nothing more is asked of the store.")
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._pool, lambda: work(*args, **kwargs)))

    async def close(self) -> None:
        """Wait for what was asked for, then end the thread."""
        self.closed = True
        await asyncio.to_thread(self._pool.shutdown)
