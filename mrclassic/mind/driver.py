"""The one task that drives the engine: it admits requests, steps, hands out what comes, and renews the weights between
replies. The work itself is done by a `Desk` in a thread of its own, so that the server answers while the model thinks.
"""

from __future__ import annotations

import asyncio
import secrets
import time
import traceback
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from mrclassic.errors import MrClassicError
from mrclassic.mind.desk import Admitted, Desk
from mrclassic.mind.parameters import ApiError, ChatRequest
from mrclassic.mind.replies import Piece
from mrclassic.mind.weights import NoRoomError

_TURN = 0.015
"""Seconds of work between looks at the inbox: below what a reader notices, above what the hand-over costs."""

_SEED_BITS = 31

Result = TypeVar("Result")


class Job:
    """One request on its way."""

    def __init__(self, number: int, asked: ChatRequest) -> None:
        self.number, self.asked = number, asked
        self.seed = secrets.randbits(_SEED_BITS) if asked.seed is None else asked.seed
        self.admitted: asyncio.Future[Admitted] = asyncio.get_running_loop().create_future()
        self.cancelled = False
        self._pieces: asyncio.Queue[Piece | ApiError | None] = asyncio.Queue()

    async def pieces(self) -> AsyncIterator[Piece]:
        """What comes, until all candidates are finished or the job is cancelled. Raises `ApiError`."""
        while (piece := await self._pieces.get()) is not None:
            if isinstance(piece, ApiError):
                raise piece
            yield piece

    def put(self, piece: Piece | ApiError | None) -> None:
        """Hand a piece to whoever reads; an error or None is the end."""
        if not isinstance(piece, Piece) and not self.admitted.done():
            self.admitted.set_exception(piece or ApiError("The client left.", status=499))
            self.admitted.exception()  # counts as seen: perhaps nobody waits any more
        self._pieces.put_nowait(piece)


class Driver:
    """Requests in, jobs out."""

    def __init__(self, make_desk: Callable[[], Desk]) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mind")
        self._make_desk = make_desk
        self._waiting: list[Job] = []
        self._active: dict[int, Job] = {}
        self._gone: list[int] = []
        self._numbers = 0
        self._wake = asyncio.Event()
        self._stopping = False
        self._last = time.monotonic()

    async def start(self) -> None:
        """Load the weights. Raises what loading raises."""
        self.desk = await self._work(self._make_desk)

    @property
    def active(self) -> int:
        """Requests that are waiting or being answered."""
        return len(self._waiting) + len(self._active)

    @property
    def idle_seconds(self) -> float:
        """How long nobody has asked for anything."""
        return 0.0 if self.active else time.monotonic() - self._last

    def submit(self, asked: ChatRequest) -> Job:
        """Queue a request. Raises `ApiError` when the mind is about to leave."""
        if self._stopping:
            raise _leaving()
        self._numbers += 1
        job = Job(self._numbers, asked)
        self._waiting.append(job)
        self._wake.set()
        return job

    def cancel(self, job: Job) -> None:
        """Nobody waits for this job any more (no harm if it is done)."""
        job.cancelled = True
        if self._active.pop(job.number, None) is not None:
            self._gone.append(job.number)
        elif job in self._waiting:
            self._waiting.remove(job)
        self._last = time.monotonic()
        job.put(None)
        self._wake.set()

    async def run(self) -> None:
        """Drive until `stop`. Whatever goes wrong in the engine ends every job with an error, and is raised."""
        farewell = _leaving()
        try:
            while not self._stopping:
                await self._round()
        except Exception as error:
            words = f"The model failed while answering ({error}); ask again and it starts anew."
            farewell = ApiError(words, status=500, kind="server_error", code="engine_failed")
            raise
        finally:
            self._stopping = True
            for job in (*self._waiting, *self._active.values()):
                job.put(farewell)
            self._waiting.clear()
            self._active.clear()
            # What the thread is at ends within a step; waiting for it would hold up the event loop.
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def in_the_way(self) -> bool:
        """Whether a night waits for the device that the weights are on."""
        return await self._work(lambda: self.desk.in_the_way)

    async def rest(self) -> None:
        """Let the weights go; the next request takes them up again."""
        await self._work(self.desk.rest)

    def stop(self) -> None:
        """End `run` after its present turn."""
        self._stopping = True
        self._wake.set()

    async def _round(self) -> None:
        gone, self._gone = self._gone, []
        for number in gone:
            await self._work(partial(self.desk.cancel, number))
        if self._waiting:
            await self._admit()
        if not self._active:
            self._wake.clear()
            if not self._waiting and not self._gone and not self._stopping:
                await self._wake.wait()
            return
        pieces, done = await self._work(partial(self.desk.turn, _TURN))
        for number, piece in pieces:
            if number in self._active:
                self._active[number].put(piece)
        for number in done:
            job = self._active.pop(number, None)
            if job is not None:
                job.put(None)
        self._last = time.monotonic()

    async def _admit(self) -> None:
        """Let the waiting requests in, in their order; one that needs other weights waits for a pause."""
        while self._waiting:
            job = self._waiting[0]
            if await self._work(partial(self.desk.outdated, job.asked.checkpoint)):
                if self._active:
                    return
                if job.asked.checkpoint is None and not await self._renew():
                    return
            if self._waiting[:1] != [job]:
                continue  # its client left meanwhile
            self._waiting.pop(0)
            try:
                if job.asked.checkpoint is not None:
                    await self._work(partial(self.desk.exchange, job.asked.checkpoint))
                admitted = await self._work(partial(self.desk.admit, job.number, job.asked, job.seed))
            except Exception as error:  # noqa: BLE001 - a request that cannot be read must not end the others
                job.put(_refused(error))
                self._gone.append(job.number)
                self._last = time.monotonic()
                continue
            if job.cancelled:
                self._gone.append(job.number)
                continue
            self._active[job.number] = job
            job.admitted.set_result(admitted)

    async def _renew(self) -> bool:
        """Take up the checkpoint in use; where there is no room for it all who wait are told, and may ask again."""
        try:
            await self._work(self.desk.renew)
        except NoRoomError as error:
            for job in self._waiting:
                job.put(ApiError(str(error), status=503, kind="server_error", code="no_room"))
            self._waiting.clear()
            return False
        return True

    async def _work(self, task: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, task)


def _refused(error: Exception) -> ApiError:
    """What is told of a request that could not be admitted; what nobody foresaw goes into the log too."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, MrClassicError):
        return ApiError(str(error), code="not_readable")
    traceback.print_exception(error)
    words = f"The model could not read this ({error})."
    return ApiError(words, status=500, kind="server_error", code="admission_failed")


def _leaving() -> ApiError:
    return ApiError(
        "The model is being shut down; ask again and it starts anew.", status=503, kind="server_error", code="shutdown"
    )
