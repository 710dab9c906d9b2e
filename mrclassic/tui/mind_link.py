"""The app's line to the running model: woken in the background, asked for draws, woken again after a failure."""

from __future__ import annotations

import asyncio
import importlib
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from mrclassic.errors import MrClassicError
from mrclassic.mind.protocol import CONTEXT_EXCEEDED, MindError, sampling
from mrclassic.tui import garbage
from mrclassic.tui.draw import Draw, again

if TYPE_CHECKING:
    from mrclassic.home import Home
    from mrclassic.mind.client import MindClient
    from mrclassic.settings import Settings

WAKING = "waking up…"
READY = "awake"
ASLEEP = "not answering"
RESTING = "asleep until you ask"
SEEDS = 2**31 - 1

ATTEMPTS = 3
"""How often one answer is drawn by itself while it only repeats another: the mind does not know of the others."""


class MindLink:
    """How the model is, in words (`state`), and what it says."""

    def __init__(self, home: Home, settings: Settings, changed: Callable[[], None]) -> None:
        self._home = home
        self._settings = settings
        self._changed = changed
        self._client: MindClient | None = None
        self._rousing = asyncio.Lock()
        self.state = WAKING
        self.count = settings.chat.candidates
        """How many candidates the next draw has."""
        self.temperature = settings.chat.temperature
        """At which it is drawn; `None`: as the model's makers advise."""
        self.trouble = ""
        """The sentence of the last failure; empty while all is well."""

    @property
    def ready(self) -> bool:
        """Whether it answered the last time it was asked."""
        return self.state == READY

    async def wake(self) -> bool:
        """Start the model's process unless it runs; false, with the reason in `trouble`, if it does not come up."""
        try:
            await self._rouse()
        except MrClassicError as error:
            self._become(ASLEEP, str(error))
        return self.ready

    def new_draw(self, prompt: int, number: int = 1) -> Draw:
        """An empty draw for a prompt, as the owner wants it now, with a seed of its own."""
        return Draw(prompt, self.count, _seed(), self.temperature, self._settings.chat.top_p, number=number)

    def another(self, draw: Draw, shown: int) -> Draw:
        """The same draw, one candidate of which is to be drawn again."""
        return again(draw, shown, _seed())

    async def fill(self, draw: Draw, messages: Sequence[dict[str, str]]) -> str:
        """Stream the candidates into `draw`; returns what the owner should know, mostly nothing. Raises `MindError`."""
        chat = self._settings.chat
        notice = ""
        try:
            await self._rouse()
            client = await self._connect()
            for attempt in range(ATTEMPTS):
                if attempt:
                    draw.warm(_seed())
                stream = client.stream(
                    messages,
                    n=draw.n if draw.only is None else 1,
                    temperature=draw.temperature,
                    top_p=draw.top_p,
                    top_k=chat.top_k,
                    max_tokens=chat.max_tokens,
                    seed=draw.seed,
                    distinct=True,
                )
                async with aclosing(stream) as deltas:  # type: ignore[type-var]
                    async for delta in deltas:
                        draw.feed(delta)
                        notice = delta.notice or notice
                if not draw.repeats:
                    break
        except MrClassicError as error:
            if not isinstance(error, MindError) or error.code != CONTEXT_EXCEEDED:
                self._become(ASLEEP, str(error))
            raise
        return notice

    async def say(self, checkpoint: str, question: str, seed: int) -> str:
        """What a checkpoint answers to a question, by the owner's settings. Raises `MindError`."""
        return await self.reply([{"role": "user", "content": question}], seed, checkpoint)

    async def reply(self, messages: Sequence[Mapping[str, str]], seed: int, checkpoint: str | None = None) -> str:
        """What a checkpoint (none: the one in use) says next, by the owner's settings. Raises `MindError`."""
        await self._rouse()
        client = await self._connect()
        answer = await client.complete(messages, model=checkpoint, n=1, seed=seed, **sampling(self._settings.chat))
        return answer.replies[0].text

    def doze(self) -> None:
        """Leave the model asleep until something is asked."""
        self._become(RESTING)

    async def rest(self) -> None:
        """End the model's process, unless it is answering, so that a night can have the device; the next question
        wakes it again. Raises `MindError`."""
        if await (await self._connect()).rest():
            self._become(RESTING)

    async def close(self) -> None:
        """Hang up. The model's process goes on for other clients and leaves by itself when idle."""
        if self._client is not None:
            await self._client.aclose()

    async def _rouse(self) -> None:
        """Return when the model's process answers. Raises `MindError`."""
        async with self._rousing:
            process = await asyncio.to_thread(importlib.import_module, "mrclassic.mind.process")
            if not self.ready:
                self._become(WAKING)
            await _in_the_background(process.bring_up, self._home, self._settings.device)
            if not self.ready:
                self._become(READY)
                if self._client is None:
                    await self._connect()
                    garbage.set_aside()  # what talks to the mind is loaded now

    async def _connect(self) -> MindClient:
        if self._client is None:
            # The HTTP library and what it loads when first asked take a tenth of a second: not on the screen's thread.
            for name in ("httpx", "httpcore", "anyio._backends._asyncio"):
                await asyncio.to_thread(importlib.import_module, name)
            client = await asyncio.to_thread(importlib.import_module, "mrclassic.mind.client")
            self._client = client.MindClient(self._home, self._settings.device)
        return self._client

    def _become(self, state: str, trouble: str = "") -> None:
        self.state, self.trouble = state, trouble
        self._changed()


def _seed() -> int:
    return random.SystemRandom().randrange(SEEDS)


async def _in_the_background(work: Callable[..., None], *args: object) -> None:
    """Run `work` on a daemon thread: unlike a pool's, it does not keep an owner who leaves waiting for a slow start."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        error: BaseException | None = None
        try:
            work(*args)
        except (MrClassicError, OSError) as caught:
            error = caught if isinstance(caught, MrClassicError) else MindError(f"The model cannot start: {caught}.")
        # The loop is closed if the owner has left meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=run, name="wake", daemon=True).start()
    await done
