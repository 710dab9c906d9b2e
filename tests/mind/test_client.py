"""The client: deltas that add up, leaving early, long conversations, and no torch on its side."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from mrclassic.home import Home
from mrclassic.mind import sockets
from mrclassic.mind.client import MindClient
from mrclassic.mind.protocol import CONTEXT_EXCEEDED, Delta, MindError

HELLO = [{"role": "user", "content": "Hello."}]


@pytest_asyncio.fixture
async def client(mind_home: Home) -> AsyncIterator[MindClient]:
    client = MindClient(mind_home)
    yield client
    await client.aclose()


async def test_deltas_add_up_to_the_completion(client: MindClient) -> None:
    options = {"n": 4, "temperature": 1.0, "max_tokens": 20, "seed": 3}
    whole = await client.complete(HELLO, **options)
    texts: dict[int, str] = {}
    ends: dict[int, Delta] = {}
    first: Delta | None = None
    async for delta in client.stream(HELLO, **options):
        first = first or delta
        texts[delta.index] = delta.text if delta.restart else texts.get(delta.index, "") + delta.text
        if delta.finish_reason is not None:
            ends[delta.index] = delta
    assert [texts[index] for index in range(4)] == [reply.text for reply in whole.replies]
    assert first is not None
    assert first.checkpoint == whole.checkpoint == await client.checkpoint()
    for reply in whole.replies:
        end = ends[reply.index]
        assert (end.tokens, end.finish_reason) == (reply.tokens, reply.finish_reason)
        assert end.logprob == pytest.approx(reply.logprob)
        assert (end.temperature, end.seed, reply.seed) == (reply.temperature, 3, 3)
        assert reply.logprob < 0


async def test_a_line_ends_at_a_newline_only(tmp_path: Path) -> None:
    """U+0085 and U+2028 inside a JSON string are text; cutting there broke the stream."""
    home = Home(tmp_path / "home").ensure()
    said = "one\u0085two\u2028three"
    chunk = {"choices": [{"index": 0, "delta": {"content": said}}]}
    body = f"data: {json.dumps(chunk, ensure_ascii=False)}\n\ndata: [DONE]\n\n".encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.read(4096)
        if head:  # a client that only asks whether somebody listens sends nothing
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + body)
            await writer.drain()
        writer.close()

    with sockets.address(home.socket) as where:
        server = await asyncio.start_unix_server(answer, where)
    async with server:
        client = MindClient(home)
        assert [delta.text async for delta in client.stream(HELLO)] == [said]
        await client.aclose()


async def test_leaving_the_loop_cancels(client: MindClient) -> None:
    async with aclosing(client.stream(HELLO, n=8, max_tokens=400)) as deltas:  # type: ignore[type-var]
        async for delta in deltas:
            if delta.text:
                assert (await client.health()).active == 1
                break
    async with asyncio.timeout(3):
        while (await client.health()).active:
            await asyncio.sleep(0.02)


async def test_several_streams_at_once(client: MindClient) -> None:
    async def text(seed: int) -> str:
        deltas = [delta async for delta in client.stream(HELLO, max_tokens=30, seed=seed, temperature=1.0)]
        return "".join(delta.text for delta in deltas)

    alone = [await text(seed) for seed in range(4)]
    assert await asyncio.gather(*(text(seed) for seed in range(4))) == alone


async def test_older_turns_fall_away_silently(client: MindClient) -> None:
    turn = [{"role": "user", "content": "word " * 40}, {"role": "assistant", "content": "word " * 40}]
    answer = await client.complete([*turn * 20, *HELLO], max_tokens=5)
    assert answer.replies[0].tokens


async def test_a_message_that_is_too_long_names_both_numbers(client: MindClient) -> None:
    with pytest.raises(
        MindError, match=r"^The message is [\d,]+ tokens long; this model reads 512\. Shorten it\.$"
    ) as caught:
        async for _ in client.stream([{"role": "user", "content": "long " * 20_000}]):
            pass
    assert caught.value.code == CONTEXT_EXCEEDED


async def test_a_mistake_is_told_in_the_servers_words(client: MindClient) -> None:
    with pytest.raises(MindError, match="temperature must be from 0 to 5"):
        await client.complete(HELLO, temperature=9.0)


def test_a_client_imports_no_torch_and_no_server() -> None:
    code = (
        "import sys, json, mrclassic.mind.client, mrclassic.mind.process, mrclassic.cli.ask, mrclassic.cli.chat;"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "starlette", "uvicorn", "httpx", "textual", "pydantic"}
    assert not heavy & set(json.loads(done.stdout)) - {"pydantic"}


async def test_a_mind_that_is_idle_rests_and_none_is_started_for_it(fresh_home: Home) -> None:
    client = MindClient(fresh_home)
    assert await client.rest()
    assert not sockets.listening(fresh_home.socket)
    await client.ensure()
    assert await client.rest()
    assert not sockets.listening(fresh_home.socket)
    await client.aclose()
