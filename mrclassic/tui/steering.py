"""Steering the nights from the app: by a request where a service starts them, else by a process of our own."""

from __future__ import annotations

import asyncio
import os
import signal
from time import monotonic
from typing import TYPE_CHECKING

from mrclassic.tui import child
from mrclassic.tui.visible import visible

if TYPE_CHECKING:
    import subprocess

    from mrclassic.home import Home
    from mrclassic.settings import Settings
    from mrclassic.tui.desk import Desk
    from mrclassic.tui.store_thread import StoreThread
    from mrclassic.tui.tonight import Tonight

ANSWER_SECONDS = 5.0
"""The service reads its letterbox once a second."""
_ENDED_BY_SIGNAL = (75, 130)


class Steering:
    """Run, pause, resume, stop, plan; each returns a sentence for the owner. Raises what the store raises."""

    def __init__(self, home: Home, settings: Settings, desk: Desk, thread: StoreThread) -> None:
        self._home, self._settings, self._desk, self._thread = home, settings, desk, thread
        self._own: subprocess.Popen[bytes] | None = None
        self.planning = False

    async def run(self, now: Tonight) -> str:
        """Begin a night, or go on with the one that was cut short."""
        minutes = self._settings.night.minutes
        if now.state not in ("idle", "lesson"):
            return "A night is running already."
        if now.serving:
            answer = await self._ask("night", minutes=minutes)
            if answer is None:
                return "The service has not answered yet; it takes up the request when it can."
            return str(answer.get("error") or "The service starts the night.")
        if self._own is not None and self._own.poll() is None:
            return "A night is being started already."
        words = ("night", "--now", "--resume", "--minutes", f"{minutes:g}", "--json")
        try:
            self._own = await asyncio.to_thread(child.start, self._home, self._settings, "night", *words)
        except OSError as error:
            return f"The night could not begin: {error.strerror or error}."
        return f"A night begins, of {minutes:g} minutes or what is left of the one that was cut short."

    async def failed(self) -> str:
        """What the night that was started here said when it failed; empty while there is nothing to tell."""
        if self._own is None or self._own.poll() is None:
            return ""
        process, self._own = self._own, None
        ran = await child.over(process, self._home, "night")
        if ran.code == 0 or ran.code in _ENDED_BY_SIGNAL:
            return ""
        return visible(ran.fault("The night"))

    async def pause(self, now: Tonight) -> str:
        """Start no night until `resume`; the one that is running saves and ends."""
        if now.serving:
            answer = await self._ask("pause")
            if answer is None:
                return "The service has not answered yet; it takes up the request when it can."
            return "Nights are paused." + (" The one that was running saves and ends." if answer["night_ended"] else "")
        return await self.stop(now)

    async def resume(self, now: Tonight) -> str:
        """Let nights start again; without a service: go on with the one that was cut short."""
        if not now.serving:
            return await self.run(now)
        answer = await self._ask("resume")
        return "The service has not answered yet." if answer is None else "Nights start again as the settings say."

    async def stop(self, now: Tonight) -> str:
        """End the night that is running; what it did is saved, and it does not go on by itself."""
        if now.serving:
            answer = await self._ask("stop")
            if answer is None:
                return "The service has not answered yet; it takes up the request when it can."
            if answer.get("night_ended"):
                return "The night saves and ends."
        if not now.pid:
            return "No night is running."
        try:
            os.kill(now.pid, signal.SIGTERM)
        except ProcessLookupError:
            return "The night has ended already."
        except PermissionError:
            return f"The night (process {now.pid}) belongs to another user; end it there."
        return "The night saves and ends; `n` goes on with it."

    async def plan(self) -> tuple[str, ...]:
        """What a night would do now, with its cost; this measures the model, for some seconds."""
        if self.planning:
            return ()
        self.planning = True
        try:
            ran = await child.run(self._home, self._settings, "plan", "night", "--plan", "--json")
        finally:
            self.planning = False
        if ran.code:
            return (visible(ran.fault("The plan")),)
        log = (self._home.logs / "plan.log").read_text(encoding="utf-8", errors="replace")
        return tuple(visible(line) for line in log.splitlines() if line.strip())

    async def _ask(self, kind: str, **payload: object) -> dict[str, object] | None:
        request = await self._thread(self._desk.request, kind, **payload)
        end = monotonic() + ANSWER_SECONDS
        while monotonic() < end:
            answer = await self._thread(self._desk.answer, request)
            if answer is not None:
                return answer
            await asyncio.sleep(0.1)
        return None
