"""A real browser without a window (Chromium, over its DevTools protocol) and what a page of textual-serve shows in it.

The page paints its terminal on a canvas, so what stands on it is read from what the page was sent.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

from rich.cells import cell_len

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE = 60.0
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --remote-debugging-port=0 --window-size=1200,800"
)
_PAINTED = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[\?1049h|\x1b[^a-zA-Z\\]*[a-zA-Z\\]|([^\x1b\r\n]+)|\r?\n")


class Tab:
    """One page; `said` is what it has logged, `rows` what its terminal shows."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._asked = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reading = asyncio.create_task(self._read())
        self._grid: dict[tuple[int, int], str] = {}
        self._at = (1, 1)
        self.said: list[str] = []
        self.answered: list[str] = []
        """The addresses that answered the page."""

    async def __call__(self, method: str, **words: object) -> dict[str, Any]:
        """Ask the browser something of its protocol."""
        self._asked += 1
        answer = self._answers[self._asked] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._asked, "method": method, "params": words})
        return await asyncio.wait_for(answer, PATIENCE)

    async def evaluate(self, script: str) -> Any:
        """What a script on the page comes to."""
        found = await self("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        return found["result"].get("value")

    async def picture(self, path: Path) -> None:
        """Keep what the window shows, as a PNG."""
        path.write_bytes(base64.b64decode((await self("Page.captureScreenshot"))["data"]))

    @property
    def rows(self) -> list[str]:
        """The lines of the terminal."""
        last = max((row for row, _ in self._grid), default=0)
        return ["".join(self._grid.get((row, column), " ") for column in range(1, 301)) for row in range(1, last + 1)]

    @property
    def text(self) -> str:
        return "\n".join(row.rstrip() for row in self.rows)

    async def sees(self, pattern: str) -> re.Match[str]:
        """Wait until the terminal shows something that matches."""
        await self.until(lambda: re.search(pattern, self.text), pattern)
        found = re.search(pattern, self.text)
        assert found is not None
        return found

    async def until(self, true: Callable[[], object], what: str) -> None:
        end = monotonic() + PATIENCE
        while not true():
            assert monotonic() < end, f"waited in vain for {what!r}; {self.said}\n{self.text}"
            await asyncio.sleep(0.05)

    async def type(self, text: str) -> None:
        """Write into the page as a keyboard does."""
        for character in text:
            if character == "\r":
                key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
            else:
                key = {"key": character, "text": character}
            await self("Input.dispatchKeyEvent", type="keyDown", **key)
            await self("Input.dispatchKeyEvent", type="keyUp", **{k: v for k, v in key.items() if k != "text"})

    async def press(self, name: str, code: int) -> None:
        """Press a key that writes nothing, by its name and number in a browser."""
        for kind in ("rawKeyDown", "keyUp"):
            await self("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code)

    async def click(self, row: int, column: int, times: int = 1) -> None:
        """Click on a cell of the terminal, both counted from 1."""
        box = await self.evaluate(
            "(() => {const box = document.querySelector('.xterm-screen').getBoundingClientRect();"
            "return [box.left, box.top, box.width, box.height]})()"
        )
        left, top, width, height = box
        columns, rows = await self.evaluate("window.__size")
        place = {"x": left + (column - 0.5) * width / columns, "y": top + (row - 0.5) * height / rows}
        await self("Input.dispatchMouseEvent", type="mouseMoved", **place)
        for count in range(1, times + 1):
            for kind in ("mousePressed", "mouseReleased"):
                await self("Input.dispatchMouseEvent", type=kind, button="left", clickCount=count, **place)

    async def _read(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                answer = self._answers.pop(told["id"])
                if not answer.done():
                    answer.set_result(told.get("result", {"result": {}, "error": told.get("error")}))
            else:
                self._hear(told["method"], told["params"])

    def _hear(self, method: str, facts: dict[str, Any]) -> None:
        if method == "Network.webSocketFrameReceived" and facts["response"]["opcode"] == 2:
            self._paint(base64.b64decode(facts["response"]["payloadData"]).decode(errors="replace"))
        elif method == "Network.responseReceived":
            self.answered.append(facts["response"]["url"])
        elif method in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
            self.said.append(json.dumps(facts)[:400])

    def _paint(self, data: str) -> None:
        """Take in what Textual paints: places, and words from there on."""
        row, column = self._at
        for found in _PAINTED.finditer(data):
            if found[1]:
                row, column = int(found[1]), int(found[2])
            elif found[3]:
                for sign in found[3]:
                    self._grid[row, column] = sign
                    column += cell_len(sign)
            elif found[0].endswith("\n"):
                row, column = row + 1, 1
        self._at = row, column


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Callable[[str], Any]]:
    """A browser with its profile in `folder`; the function it gives opens a tab on an address."""
    import aiohttp

    assert CHROMIUM is not None
    process = subprocess.Popen(
        [CHROMIUM, *_FLAGS.split(), f"--user-data-dir={folder}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        told = folder / "DevToolsActivePort"
        end = monotonic() + PATIENCE
        while not told.exists() or len(told.read_text().splitlines()) < 2:
            assert monotonic() < end, "the browser does not start"
            await asyncio.sleep(0.05)
        base = f"http://127.0.0.1:{told.read_text().splitlines()[0]}"
        async with aiohttp.ClientSession() as session:

            async def tab(url: str) -> Tab:
                async with session.put(f"{base}/json/new?about:blank") as answer:
                    address = (await answer.json(content_type=None))["webSocketDebuggerUrl"]
                opened = Tab(await session.ws_connect(address, max_msg_size=0))
                for domain in ("Page", "Network", "Runtime", "Log"):
                    await opened(f"{domain}.enable")
                # How many cells the terminal has, the page tells its server only.
                await opened(
                    "Page.addScriptToEvaluateOnNewDocument",
                    source="const send = WebSocket.prototype.send; WebSocket.prototype.send = function (data) {"
                    "const told = JSON.parse(data); if (told[0] == 'resize') "
                    "window.__size = [told[1].width, told[1].height]; return send.call(this, data)};",
                )
                await opened("Page.navigate", url=url)
                return opened

            yield tab
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
