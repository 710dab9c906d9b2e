"""Second thoughts: a pick is taken back, and taken once more."""

from __future__ import annotations

from collections.abc import Callable

from mrclassic.tui.screens.flow import BOOK_WAITS, Flow
from mrclassic.tui.screens.unsent import LOST
from mrclassic.tui.views import View


class GoingBack(Flow):
    """Undo and redo, each of which shows the conversation as it stands then."""

    async def action_undo(self) -> None:
        """Take the last pick back; its candidates are shown again."""
        waiting = self.candidates.draw
        view = await self._turn(self.desk.undo, "The pick could not be taken back", "There is no pick to take back.")
        if view is not None:
            if waiting is not None and waiting.prompt != view.prompt and self.history.bubbles:
                self._aside = self.history.bubbles[-1].text
            self.picked = False
            self.happened("undone")
            await self._turned(view)

    async def action_redo(self) -> None:
        """Take what was last taken back once more."""
        view = await self._turn(
            self.desk.redo,
            "The pick could not be taken once more",
            "Nothing that was taken back can be taken once more.",
        )
        if view is not None:
            self.picked = True
            await self._turned(view)

    async def _turn(self, turn: Callable[[], View | None], failed: str, nothing: str) -> View | None:
        """What the conversation is after a turn; None, and the reason said, where there was none."""
        if not self.opened:
            return None
        self._leave_edit()
        await self.keep_draft()
        try:
            view = await self.thread(turn)
        except LOST as error:
            self.complain(failed, error)
            await self.reload()
            return None
        if view is None:
            self.say(nothing, timeout=3)
        return view

    async def _turned(self, view: View) -> None:
        self.workers.cancel_group(self, "draw")
        await self.show(view)
        self.say(view.said, timeout=3)
        if view.trouble:
            self.say(view.trouble, title=BOOK_WAITS, severity="warning", timeout=10)
        self.look()
