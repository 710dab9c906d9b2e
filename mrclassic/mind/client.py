"""Talking to the mind from another program: it is started when needed, and started anew after a crash.

client = MindClient(home)
async for delta in client.stream([{"role": "user", "content": "Hello."}], n=5):
    ...
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

from mrclassic.home import Home
from mrclassic.mind import process
from mrclassic.mind.protocol import Completions, Delta, MindError, Sampling, read_chunk, read_completion, read_error
from mrclassic.mind.sockets import address, listening

if TYPE_CHECKING:
    import httpx

Message = Mapping[str, str]

_CHAT = "/v1/chat/completions"
_BROKEN = "The model's process ended in the middle of a reply; ask again and it starts anew (its log is {log})."

_PAUSES = (0.1, 0.5)
"""Seconds before asking again: a process that is killed still seems to listen until the kernel has taken it apart."""


class Options(Sampling, total=False):
    """How candidates are drawn; what is left out is as the settings `chat.*` say."""

    model: str | None
    """A checkpoint by its id, which is loaded for this answer; left out: the one in use."""
    n: int
    seed: int | None
    stop: Sequence[str] | None
    distinct: bool
    """No candidate twice (the default)."""


@dataclass(frozen=True)
class Health:
    """What the mind says of itself."""

    checkpoint: str
    notice: str | None
    pid: int
    active: int
    """Requests being answered at this moment."""


class MindClient:
    """A connection to the mind of one home; use it within one event loop."""

    def __init__(self, home: Home, device: str | None = None) -> None:
        self._home = home
        self._device = device
        self._resources = AsyncExitStack()
        self._http: httpx.AsyncClient | None = None
        self._starting = asyncio.Lock()

    async def ensure(self) -> None:
        """Return when the mind answers; start it if it does not run."""
        async with self._starting:
            if not listening(self._home.socket):
                abandoned = threading.Event()
                try:
                    await asyncio.to_thread(process.bring_up, self._home, self._device, abandoned=abandoned)
                finally:
                    abandoned.set()  # when cancelled, the thread must not keep the program from ending

    async def stream(self, messages: Sequence[Message], **options: Unpack[Options]) -> AsyncIterator[Delta]:
        """Candidates as they grow. Leave the loop (and `aclose` the iterator) to cancel; raises `MindError`."""
        async with self._send("POST", _CHAT, {**_body(messages, options), "stream": True}) as response:
            async for chunk in self._events(response):
                for delta in read_chunk(chunk):
                    yield delta

    async def complete(self, messages: Sequence[Message], **options: Unpack[Options]) -> Completions:
        """All candidates at once. Raises `MindError`."""
        async with self._send("POST", _CHAT, _body(messages, options)) as response:
            with self._broken():
                return read_completion(json.loads(await response.aread()))

    async def checkpoint(self) -> str:
        """The id of the checkpoint that answers."""
        return (await self.health()).checkpoint

    async def health(self) -> Health:
        """What the mind says of itself (it is started if need be)."""
        async with self._send("GET", "/healthz") as response:
            with self._broken():
                body = json.loads(await response.aread())
        return Health(body["checkpoint"], body["notice"], int(body["pid"]), int(body["active"]))

    async def rest(self) -> bool:
        """End the mind unless it is answering; whether it is gone (it may not have been there)."""
        if not listening(self._home.socket):
            return True
        if (await self.health()).active:
            return False
        await self.shutdown()
        return True

    async def shutdown(self) -> None:
        """End the mind and wait until its memory is back; nothing happens if none runs."""
        await asyncio.to_thread(process.stop, self._home)

    async def aclose(self) -> None:
        """Close the connection; the mind goes on and leaves by itself when nobody asks any more."""
        await self._resources.aclose()
        self._http = None

    @asynccontextmanager
    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> AsyncIterator[httpx.Response]:
        """The response's head; an error status is raised. A mind that is gone is started, once."""
        import httpx

        for pause in (*_PAUSES, None):
            await self.ensure()
            client = await self._client()
            request = client.build_request(method, path, json=body)
            try:
                response = await client.send(request, stream=True)
            except httpx.TransportError as error:
                # It was about to leave, or a connection kept from an earlier life was tried. Nothing was answered yet,
                # so asking again is harmless; not for ever, as it may be this very request that ends the process.
                if pause is None:
                    raise MindError(self._sentence()) from error
                await asyncio.sleep(pause)
                continue
            try:
                if response.status_code >= 400:
                    raise await self._refusal(response)
                yield response
            finally:
                await response.aclose()
            return

    async def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            import httpx

            where = self._resources.enter_context(address(self._home.socket))
            # No TLS on a Unix socket: `verify=False` only spares reading the certificates. A reply may take long when
            # a new checkpoint has to be loaded first; a dead process is noticed at once, without any timeout.
            transport = httpx.AsyncHTTPTransport(uds=where, verify=False)
            self._http = await self._resources.enter_async_context(
                httpx.AsyncClient(
                    transport=transport,
                    base_url="http://mind",
                    timeout=httpx.Timeout(600.0, connect=10.0),
                    trust_env=False,
                )
            )
        return self._http

    async def _refusal(self, response: httpx.Response) -> MindError:
        with self._broken():
            raw = await response.aread()
        try:
            error = read_error(json.loads(raw))
        except ValueError:
            error = None
        return error or MindError(f"The model answered with HTTP status {response.status_code}.")

    async def _events(self, response: httpx.Response) -> AsyncIterator[Mapping[str, Any]]:
        """The decoded `data:` lines of a stream until `[DONE]`."""
        with self._broken():
            async for line in _lines(response):
                if not line.startswith(b"data:"):
                    continue
                data = line.removeprefix(b"data:").strip()
                if data == b"[DONE]":
                    return
                chunk = json.loads(data)
                error = read_error(chunk)
                if error is not None:
                    raise error
                yield chunk
        raise MindError(self._sentence())

    def _broken(self) -> _Broken:
        return _Broken(self._sentence())

    def _sentence(self) -> str:
        return _BROKEN.format(log=process.log_path(self._home))


class _Broken:
    """Within the block a connection that breaks is a `MindError`."""

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        import httpx

        if isinstance(error, httpx.TransportError):
            raise MindError(self._sentence) from error


async def _lines(response: httpx.Response) -> AsyncIterator[bytes]:
    """The lines of a stream of events. `aiter_lines` would also cut at U+0085 and U+2028, inside a JSON string."""
    rest = b""
    async for piece in response.aiter_bytes():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line
    if rest:
        yield rest


def _body(messages: Sequence[Message], options: Options) -> dict[str, Any]:
    """A request; what is None or absent is left to the mind's settings, but for candidates, which differ."""
    given = {"distinct": True, **options}
    chosen = {key: value for key, value in given.items() if value is not None}
    return {"messages": [dict(message) for message in messages], **chosen}
