"""The app in a browser: who is refused at the door, and an answer that is picked by clicking in a real Chromium."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import aiohttp
import babies
import homes
import pytest
from browser import CHROMIUM, browser
from hypothesis import given
from hypothesis import strategies as st

from mrclassic import book
from mrclassic.cli.door import Door
from mrclassic.home import Home
from mrclassic.mind import process
from mrclassic.store import Store

TOKEN = "t" * 32
DOOR = Door(TOKEN, "127.0.0.1", 8485)
PAGE = f"/{TOKEN}/"


@pytest.mark.parametrize("host", ["127.0.0.1:8485", "localhost:8485", "[::1]:8485", "localhost:9000", "127.0.0.1"])
def test_whoever_has_the_token_comes_in_by_this_machines_own_names(host: str) -> None:
    assert DOOR.refusal(PAGE, host, None) == ""
    assert DOOR.refusal(f"{PAGE}ws", host, f"http://{host}", socket=True) == ""


@pytest.mark.parametrize(
    "host",
    [None, "", "evil.example", "localhost.evil.example:8485", "127.0.0.1@evil.example", "127.0.0.1:x:y", "10.0.0.1"],
)
def test_another_name_is_not_ours(host: str | None) -> None:
    assert "nobody's site" in DOOR.refusal(PAGE, host, None)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:8485", "http://127.0.0.1:80", ""])
def test_another_origin_is_refused_with_the_token_too(origin: str) -> None:
    assert "Another site" in DOOR.refusal(f"{PAGE}ws", "127.0.0.1:8485", origin, socket=True)


def test_a_socket_without_an_origin_is_no_browsers() -> None:
    assert "Another site" in DOOR.refusal(f"{PAGE}ws", "127.0.0.1:8485", None, socket=True)


@given(st.text(max_size=40).filter(lambda path: path.split("/")[0] != TOKEN))
def test_no_path_but_the_tokens_leads_in(path: str) -> None:
    assert "token" in DOOR.refusal(f"/{path}", "127.0.0.1:8485", None)


def test_an_open_address_is_asked_for_by_number_only() -> None:
    """Behind 0.0.0.0 every address of the machine is right, and still no name, which could be pointed at it."""
    door = Door(TOKEN, "0.0.0.0", 8485)
    assert door.refusal(PAGE, "192.168.1.5:8485", None) == ""
    assert "nobody's site" in door.refusal(PAGE, "evil.example:8485", None)
    assert door.url == f"http://127.0.0.1:8485{PAGE}"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--host", "0.0.0.0"], 3, "ssh -L 8485:127.0.0.1:8485"),
        (["--host", "example.org"], 2, "no address"),
        (["--token-file", "gone"], 2, "cannot be read"),
        (["--token-file", "short"], 2, "24 or more"),
        (["--token-file", "open"], 3, "chmod 600"),
    ],
)
def test_what_it_will_not_do_is_one_sentence(
    home: Home, tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    for name, mode, text in (("short", 0o600, "secret"), ("open", 0o644, TOKEN)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    done = homes.command("--home", str(home.root), "web", *words, folder=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_in_use_and_a_library_that_is_not_there(home: Home, tmp_path: Path) -> None:
    babies.hatch(home)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = homes.command("--home", str(home.root), "web", "--port", port)
    assert done.returncode == 1
    assert f"Port {port} cannot be used" in done.stderr
    code = (
        "import sys; sys.modules['textual_serve'] = None; sys.argv[1:] = ['web']; import mrclassic.cli as c; c.main()"
    )
    missing = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert missing.returncode == 1
    assert "pip install 'mrclassic[web]'" in missing.stderr


@asynccontextmanager
async def served(home: Home) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """`mrclassic web` on a free port; its address and its process."""
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mrclassic", "--home", str(home.root), "web", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert server.stdout is not None
    try:
        yield (await server.stdout.readline()).decode().strip(), server
    finally:
        if server.returncode is None:
            server.kill()
        await server.wait()


def apps(home: Home) -> list[int]:
    """The apps that run on this home."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended
        if words[-3:-1] == [b"--home", str(home.root).encode()]:
            found.append(int(folder.name))
    return found


async def ended(home: Home) -> None:
    """Wait until no app runs any more."""
    end = monotonic() + 20
    while apps(home):
        assert monotonic() < end, f"still there: {apps(home)}"
        await asyncio.sleep(0.1)


async def painted(tab: aiohttp.ClientWebSocketResponse, what: str) -> None:
    """Wait until the app has painted this."""
    seen = b""
    while what.encode() not in seen:
        message = await tab.receive(timeout=60)
        assert message.type is not aiohttp.WSMsgType.CLOSED, seen
        seen += message.data if isinstance(message.data, bytes) else b""


@pytest.mark.slow
async def test_the_door_of_a_running_server_and_its_end(home: Home) -> None:
    babies.hatch(home)
    async with served(home) as (url, server), aiohttp.ClientSession() as visitor:
        base = re.match(r"http://127\.0\.0\.1:\d+", url)
        assert base is not None
        for address, headers, status in (
            (url, {}, 200),
            (f"{url}static/js/textual.js", {}, 200),
            (f"{base[0]}/", {}, 403),
            (f"{base[0]}/static/js/textual.js", {}, 403),
            (url, {"Host": "evil.example"}, 403),
            (url, {"Origin": "http://evil.example"}, 403),
        ):
            async with visitor.get(address, headers=headers) as answer:
                assert answer.status == status, (address, headers)
                assert answer.headers["Referrer-Policy"] == "no-referrer"
        for address, origin in ((f"{url}ws", "http://evil.example"), (f"{url}ws", None), (f"{base[0]}/ws", base[0])):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await visitor.ws_connect(address, headers={"Origin": origin} if origin else {})
            assert refused.value.status == 403
        assert apps(home) == []

        tab = await visitor.ws_connect(f"{url}ws?width=90&height=30", headers={"Origin": base[0]})
        await tab.receive(timeout=60)
        assert len(apps(home)) == 1
        await painted(tab, "awake")
        for sign in "αβγ":
            await tab.send_json(["stdin", sign])
        await painted(tab, "γ")
        await tab.close()  # at once: nothing of it has been stored yet
        await ended(home)
        with Store.open(home) as store:
            assert store.conversations.draft(store.conversations.list(limit=1)[0].id) == "αβγ"

        tab = await visitor.ws_connect(f"{url}ws?width=90&height=30", headers={"Origin": base[0]})
        await tab.receive(timeout=60)
        server.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(server.wait(), 15) == 0
        await ended(home)
    process.stop(home)


@pytest.mark.slow
async def test_an_app_does_not_outlive_a_server_that_is_killed(home: Home) -> None:
    babies.hatch(home)
    async with served(home) as (url, server), aiohttp.ClientSession() as visitor:
        tab = await visitor.ws_connect(f"{url}ws", headers={"Origin": url.rsplit("/", 2)[0]})
        await tab.receive(timeout=60)
        assert len(apps(home)) == 1
        os.kill(server.pid, signal.SIGKILL)
        await ended(home)
    process.stop(home)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
async def test_an_answer_is_picked_by_clicking_in_a_browser(baby_home: Home, tmp_path: Path) -> None:
    async with served(baby_home) as (url, _), browser(tmp_path / "profile") as open_tab:
        tab = await open_tab(url)
        await tab.sees("To Mr. Classic")
        place = next(row for row, line in enumerate(tab.rows, 1) if "To Mr. Classic" in line)
        await tab.click(place, 30)  # the keyboard is the page's own until then
        await tab.type("Do you like rain\r")
        await tab.sees(r"Which one\?")
        with Store.open(baby_home) as store:
            asked = store.conversations.path(store.conversations.leaf(store.conversations.list(limit=1)[0].id).id)[-1]
            drawn = {each.shown: each for each in store.candidates.for_prompt(asked.id)}
        number = next(shown for shown, each in sorted(drawn.items()) if each.text.strip() and shown > 1)
        head = next(row for row, line in enumerate(tab.rows, 1) if f"  {number}  ─" in line)
        await tab.click(head + 1, tab.rows[head - 1].index(f"  {number}  ─") + 4, times=2)
        await tab.sees(r"Mr\. Classic *\n")
        other = await open_tab(url)  # a second app on the same home
        await other.sees("Do you like rain")
        await tab.picture(tmp_path / "picked.png")
        assert tab.answered
        assert all(address.startswith(url.rsplit("/", 2)[0]) for address in tab.answered), "nobody else is asked"
    await ended(baby_home)
    with Store.open(baby_home) as store:
        pick = store.picks.standing(asked.id)
    assert pick is not None
    assert pick.candidate == drawn[number].id
    assert book.load(baby_home.book)[-1].turns[0].user == "Do you like rain"
