"""A lesson given from the app: `mrclassic lesson` as a process of its own, so that nothing on the screen waits for it.

Given when the owner asks for it, or by itself when the settings allow that, enough picks wait, and nobody has asked for
anything for a moment. It outlives the app: what it learned is in use, whoever started it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mrclassic.tui import child

if TYPE_CHECKING:
    from mrclassic.home import Home
    from mrclassic.settings import Settings

PAUSE = 4.0
"""Seconds without a question or a pick before a lesson begins by itself."""
_REFUSED = 3


class Lessons:
    """`busy` while one is going on."""

    def __init__(self, home: Home, settings: Settings) -> None:
        self._home, self._settings = home, settings
        self._tried = 0  # how many picks waited when the last one was over
        self.busy = False

    def due(self, waiting: int, quiet: float) -> bool:
        """Whether one should begin by itself: `waiting` picks, nothing asked or picked for `quiet` seconds. Picks that
        a lesson could not teach count no more, until as many others have come."""
        own = self._settings.lesson
        self._tried = min(self._tried, waiting)
        return own.automatic and not self.busy and quiet >= PAUSE and waiting - self._tried >= own.after

    async def give(self, waiting: int) -> str:
        """Give a lesson; returns what came of it in a sentence."""
        self.busy, self._tried = True, waiting
        try:
            ran = await child.run(self._home, self._settings, "lesson", "lesson", "--json")
        finally:
            self.busy = False
        self._tried = int(ran.facts.get("waiting", waiting))
        if ran.code in (0, _REFUSED) and ran.facts:
            return sentence(ran.facts)
        return ran.fault("The lesson")


def sentence(facts: dict[str, Any]) -> str:
    """The facts of a lesson for the owner."""
    if not facts.get("new"):
        return "Nothing new waits in the book."
    if not facts["promoted"]:
        return f"The lesson is not used: {' '.join(facts['reasons'])} The picks go on waiting."
    count = len(facts["learned"])
    new = "all of it" if count == facts["new"] else f"{count} of {facts['new']}"
    forgot = f" Forgotten: {'; '.join(facts['forgotten'][:3])}." if facts["forgotten"] else ""
    answers = f"{count} {'answer' if count == 1 else 'answers'}"
    return f"Learned {answers} ({new}) in {facts['seconds']:.0f} s.{forgot}"
