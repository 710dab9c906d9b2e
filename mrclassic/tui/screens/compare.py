"""Two models side by side at the same question: read, vote, next. Blind unless the owner wants to see the names."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.screen import Screen
from textual.widgets import Input, Static

from mrclassic.mind.protocol import well_formed
from mrclassic.titles import counted
from mrclassic.tui.keys import bindings
from mrclassic.tui.mind_link import SEEDS
from mrclassic.tui.models import Side
from mrclassic.tui.screens.unsent import LOST
from mrclassic.tui.visible import visible
from mrclassic.tui.widgets.hints import Hints

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel

    from mrclassic.settings import Settings
    from mrclassic.store import Tally
    from mrclassic.store.votes import Choice
    from mrclassic.tui.desk import Desk
    from mrclassic.tui.mind_link import MindLink
    from mrclassic.tui.store_thread import StoreThread


class Compare(Screen[None]):
    """A vote leads to the next question, so that an evening of it is a run of single keystrokes."""

    PLACE = "compare"
    BINDINGS: ClassVar = bindings("compare")
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (80, "-medium")]  # noqa: RUF012 - as Textual declares it

    def __init__(
        self, desk: Desk, thread: StoreThread, settings: Settings, mind: MindLink, models: tuple[str, str]
    ) -> None:
        super().__init__()
        self._desk, self._thread, self._mind = desk, thread, mind
        self.models = models
        self.blind = True
        self.question = ""
        self.sides: tuple[Side, Side] | None = None
        """What is to be judged; None while it is being written."""
        self.votes = self.same = 0
        self._last = ""
        self._questions: list[str] = []
        self._names = models
        self._random = random.SystemRandom()
        self.hints = Hints(settings.keys)

    def compose(self) -> ComposeResult:
        yield Static(id="compare--question", markup=False)
        with Container(id="compare--sides"):
            for side in ("first", "second"):
                with VerticalScroll(id=f"compare--{side}", classes="side"):
                    yield Static("…", markup=False)
        yield Static(id="compare--note", markup=False)
        yield Input(placeholder="a question of your own", id="compare--ask")
        yield self.hints

    def on_mount(self) -> None:
        self.hints.show("compare")
        self.query_one("#compare--first").focus()
        self._open()

    @work(group="open")
    async def _open(self) -> None:
        try:
            self._questions = await self._thread(self._desk.questions, *self.models)
        except LOST as error:
            self.say(f"The questions cannot be read: {error}", severity="error")
        self.action_next()

    def action_next(self) -> None:
        """The next question; without one left the owner asks."""
        if self._questions:
            self.put(self._questions.pop(0), own=False)
        else:
            self.question, self.sides = "", None
            self._show("There is no question left that you have asked before; t asks one of your own.", "", "")
            self.action_ask()

    @work(group="answers", exclusive=True)
    async def put(self, question: str, own: bool = True) -> None:
        """Ask both, one after the other: the mind has one model at a time. They share a seed; nothing is shown before
        both have answered, so that the time that one takes does not give it away. Where both say the same there is
        nothing to judge: that is counted, and unless the question is the owner's own the next one follows."""
        self.question, self.sides = question, None
        self._names = self.models if self._random.random() < 0.5 else (self.models[1], self.models[0])
        self._show(question, "…", "…")
        seed = self._random.randrange(SEEDS)
        said = {}
        try:
            for name in self.models:
                said[name] = await self._mind.say(name, question, seed)
        except LOST as error:
            self._show(question, "", "")
            self.say(str(error), severity="error")
            return
        finally:
            self.models = (self.models[1], self.models[0])  # who answered last is loaded: it begins next time
        first, second = (Side(name, said[name]) for name in self._names)
        if first.text.strip() == second.text.strip():
            self.same += 1
            self._note("")
            if not own:
                self.action_next()
                return
        self.sides = (first, second)
        self._show(question, first.text, second.text)

    def _show(self, question: str, first: str, second: str) -> None:
        self.query_one("#compare--question", Static).update(visible(question))
        waiting = self.sides is None
        for side, text, name in zip(("first", "second"), (first, second), self._names, strict=True):
            panel = self.query_one(f"#compare--{side}")
            panel.set_class(waiting, "-waiting")
            digit = "1" if side == "first" else "2"
            panel.border_title = f" {digit} " if self.blind else f" {digit}  {name} "
            panel.query_one(Static).update(visible(text.strip()) or ("" if waiting else "(says nothing)"))
            panel.scroll_home(animate=False)

    def _note(self, last: str) -> None:
        """The last vote, and how often there was nothing to judge."""
        self._last = last or self._last
        same = f"Both said the same {counted(self.same, 'time')}." if self.same else ""
        self.query_one("#compare--note", Static).update("  ".join(filter(None, (self._last, same))))

    # Keys

    def action_vote(self, choice: Choice) -> None:
        """Judge what is there, and go on."""
        if self.sides is None:
            self.say("Wait until both have answered.")
            return
        sides, self.sides = self.sides, None
        self._store(self.question, sides, choice)

    @work(group="votes")
    async def _store(self, question: str, sides: tuple[Side, Side], choice: Choice) -> None:
        try:
            tally = await self._thread(self._desk.vote, question, sides, choice, self.blind)
        except LOST as error:
            self.sides = sides
            self.say(f"The vote could not be stored: {error}", severity="error")
            return
        self.votes += 1
        self._note(_words(sides, choice, tally))
        self.action_next()

    def action_blind(self) -> None:
        """Say who answers, or no longer."""
        self.blind = not self.blind
        first, second = self.sides or (Side("", "…"), Side("", "…"))
        self._show(self.question, first.text, second.text)

    def action_ask(self) -> None:
        """To the line for a question of the owner's own."""
        self.query_one("#compare--ask").focus()

    def action_leave(self) -> None:
        """From the line to the answers; from there back to the models."""
        line = self.query_one("#compare--ask")
        if line.has_focus and self.question:
            self.query_one("#compare--first").focus()
        else:
            self.app.pop_screen()

    @on(Input.Submitted)
    def asked(self, event: Input.Submitted) -> None:
        question = well_formed(event.value).strip()
        if question:
            event.input.value = ""
            self.query_one("#compare--first").focus()
            self.put(question)

    def say(self, sentence: str, *, severity: SeverityLevel = "information") -> None:
        """A sentence in the corner, as it is."""
        self.notify(visible(sentence), severity=severity, timeout=6, markup=False)


def _words(sides: tuple[Side, Side], choice: Choice, tally: Tally) -> str:
    """The last vote with its names, and how it stands by now."""
    left, right = (side.checkpoint for side in sides)
    last = {"first": f"{left} was better", "second": f"{right} was better", "both": "both good", "neither": "neither"}
    return f"{last[choice]}.  {left} {tally.better}, {right} {tally.worse}, equal {tally.equal}."
