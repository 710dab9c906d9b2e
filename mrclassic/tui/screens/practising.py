"""Practice: the app asks, the owner picks, and the next question is there, until he stops or nothing is left."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from textual import work

from mrclassic.tui import evening
from mrclassic.tui.evening import Tally
from mrclassic.tui.practice import SOURCES
from mrclassic.tui.screens.going_back import GoingBack
from mrclassic.tui.screens.unsent import LOST
from mrclassic.tui.widgets.history import Line


class Practising(GoingBack):
    """`tally` counts while practice goes on."""

    tally: Tally | None = None
    """None while nothing is practised."""
    _overtaken: tuple[int, ...] = ()
    """Questions that an undo or a redo overtook; they come back before the next is asked."""

    def tallied(self) -> None:
        """The count has changed."""
        raise NotImplementedError

    async def action_practise(self) -> None:
        """Begin to be asked, or stop."""
        if self.tally is not None:
            await self._stop("Practice is over")
        elif not self.opened:
            self.say("One moment: the store is being opened.", timeout=2)
        else:
            await self.keep_draft()
            if self.candidates.draw is not None:
                await self.switch(self.desk.fresh)
                if self.candidates.display:
                    return  # why has been said
                self.say("The question that was open waits in its conversation.", timeout=4)
            self._overtaken, self.tally = (), Tally()
            self._ask_next()

    async def went_on(self, prompt: int, answered: bool) -> None:
        if self.tally is not None:
            self._count(prompt, answered)
            self._ask_next()

    def _count(self, prompt: int, answered: bool) -> None:
        assert self.tally is not None
        kept = self.tally.answered - {prompt}
        self.tally = replace(self.tally, answered=kept | {prompt} if answered else kept)
        self.tallied()

    @work(group="practice", exclusive=True)
    async def _ask_next(self) -> None:
        first = self.tally == Tally()
        try:
            if self._overtaken:
                *rest, prompt = self._overtaken
                self._overtaken = tuple(rest)
                view = await self.thread(self.desk.at, prompt)
                # What is in the box is newer than the stored draft.
                await self.show(replace(view, draft=""), keep=True)
                return
            found = await self.thread(evening.ask, self.desk, datetime.now(UTC))
        except LOST as error:
            self.tally = None
            self.tallied()
            self.complain("The next question could not be asked, so practice stops", error)
            return
        if self.tally is None:  # the owner has stopped meanwhile
            if found is not None:
                await self.thread(self.desk.withdraw, found[0], self.box.text)
            return
        if found is None:
            await self._stop("Nothing is left to ask this evening")
            return
        prompt, question = found
        if first:
            await self.history.show(())
        self.conversation = self.desk.conversation
        self.tally = replace(self.tally, asked=self.tally.asked + 1)
        self.tallied()
        self.history.add(Line("user", question.text, SOURCES[question.source]))
        self.become("typed")
        await self._start_draw(self.mind.new_draw(prompt))
        if not self.box.text:
            self.set_focus(self.candidates)
        self.look()

    async def _stop(self, why: str) -> None:
        """The question that waits is taken back: it may come again."""
        tally, self.tally = self.tally, None
        assert tally is not None
        self._leave_edit()
        draw, spare = self.candidates.draw, self.box.text
        if draw is not None:
            self.workers.cancel_group(self, "draw")
            self.candidates.clear()
            self.history.take_back()
            self.become("message")
            self.set_focus(self.box)
            tally = replace(tally, asked=tally.asked - 1)
            try:
                await self.thread(self.desk.withdraw, draw.prompt, spare)
            except LOST as error:
                self.complain("The question could not be taken back", error)
        self.tallied()
        self.hint()
        count = f"{len(tally.answered)} {'answer' if len(tally.answered) == 1 else 'answers'}"
        self.say(f"{why}: {count} to {tally.asked} {'question' if tally.asked == 1 else 'questions'}.", timeout=6)
        self.look()

    def leave_practice(self) -> None:
        """Another conversation is opened: what waits here waits on."""
        if self.tally is not None:
            self.tally = None
            self.tallied()

    async def action_undo(self) -> None:
        before, aside = self.candidates.draw, self._aside
        await super().action_undo()
        now = self.candidates.draw
        if self.tally is None or now is None or now is before:
            return
        self._count(now.prompt, answered=False)
        if before is not None:
            # The question that was just asked waits until the one before it is settled.
            self._aside = aside
            self._overtaken = (*self._overtaken, before.prompt)

    async def action_redo(self) -> None:
        before = self.candidates.draw
        await super().action_redo()
        if self.tally is not None and before is not None and self.candidates.draw is None:
            self._count(before.prompt, answered=self.history.bubbles[-1].role == "assistant")
            self._ask_next()
