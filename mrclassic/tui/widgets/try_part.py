"""The fourth part of the practice page: a question, a reply, and every part of the score that it would get.

What computes runs in a process of its own (`task sample`, `task try`), plugins in workers of that; the model answers
through the mind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual import on, work
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static, TextArea

from mrclassic.errors import MrClassicError
from mrclassic.mind.protocol import well_formed
from mrclassic.tui import child, trials
from mrclassic.tui.trials import Drawn, Scored
from mrclassic.tui.visible import visible
from mrclassic.tui.widgets.answer_box import AnswerBox

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from mrclassic.home import Home
    from mrclassic.settings import Settings
    from mrclassic.tui.mind_link import MindLink

_QUIET = "$foreground 60%"
_VERDICTS = {"right": "$text-success", "wrong": "$text-error", "error": "$text-warning", "skipped": "$text-warning"}
_MEANT = {
    "error": "The verifier could not tell, so nothing would be learned from it.",
    "skipped": "The verifier may not judge that here, so nothing would be learned from it.",
}


class TryPart(VerticalScroll, can_focus=False):
    """`draw`, `answer` and `score` are what its keys do; `complain` tells the owner what went wrong."""

    def __init__(self, home: Home, settings: Settings, mind: MindLink, complain: Callable[[str], None]) -> None:
        super().__init__(id="try", classes="part")
        self._home, self._settings, self._mind, self._complain = home, settings, mind, complain
        self.reply = AnswerBox(settings.keys)
        self.last: Drawn | None = None
        """The question that was drawn, until another is."""
        self.scored: Scored | None = None
        """What is known of the reply on the page."""
        self._busy = False

    def compose(self) -> ComposeResult:
        with Container(id="try--what"):
            yield Input("", placeholder="NAME:LEVEL", id="try--level", select_on_focus=False)
            yield Input(self._settings.practice.rewards, id="try--rewards", select_on_focus=False)
        yield TextArea(
            id="try--question",
            soft_wrap=True,
            show_line_numbers=False,
            tab_behavior="focus",
            highlight_cursor_line=False,
        )
        yield Input("", placeholder="left empty: the task computes it, where it can", id="try--answer")
        yield self.reply
        yield Static(id="try--score")

    def on_mount(self) -> None:
        for name, title in (("level", "Level"), ("rewards", "Rewards"), ("answer", "Its right answer")):
            self.query_one(f"#try--{name}", Input).border_title = title
        self._question.border_title = "The question"
        self._question.cursor_blink = False
        self._question.placeholder = "F5 draws one of this level; or write your own."
        self.reply.become("typed")
        self.reply.border_title = "The reply"
        self.reply.placeholder = "Write it, Enter scores it; F6 lets Mr. Classic write it."

    @property
    def _question(self) -> TextArea:
        return self.query_one("#try--question", TextArea)

    def _value(self, name: str) -> str:
        return self.query_one(f"#try--{name}", Input).value.strip()

    @property
    def rewards(self) -> list[str]:
        """As they are named on the page."""
        return [word.strip() for word in self._value("rewards").split(",") if word.strip()]

    def take(self, level: str = "", reward: str = "") -> None:
        """Begin with another level, or with a reward beside those that are asked already."""
        if level and level != self._value("level"):
            self.query_one("#try--level", Input).value = level
            self.draw()
        if reward and reward not in [word.partition("=")[0] for word in self.rewards]:
            self.query_one("#try--rewards", Input).value = ", ".join([*self.rewards, reward])

    def enter(self) -> None:
        """To where one begins: the reply, once there is a question."""
        (self.reply if self._question.text else self.query_one("#try--level")).focus()

    @on(Input.Submitted)
    def entered(self, event: Input.Submitted) -> None:
        """Enter in a line: draw of that level, score by those rewards, or go on to the reply."""
        event.stop()
        if event.input.id == "try--level":
            self.draw()
        elif event.input.id == "try--rewards" and self.reply.text.strip():
            self.score()
        else:
            self.reply.focus()

    @on(TextArea.Changed, "#try--question")
    def changed(self) -> None:
        """A question that was changed is another one, with another answer."""
        answer = self.query_one("#try--answer", Input)
        if self.last is not None and self._question.text != visible(self.last.question) and answer.value == self._gold:
            answer.value = ""

    @property
    def _gold(self) -> str:
        return "" if self.last is None else visible(self.last.answer)

    @on(AnswerBox.Sent)
    def sent(self, event: AnswerBox.Sent) -> None:
        """Enter in the reply: score it, and leave it there to be changed."""
        event.stop()
        self.reply.put(event.text)
        self.score()

    # What its keys do

    @work(group="trial")
    async def draw(self) -> None:
        """The next question of the level."""
        level, number = self._value("level"), trials.seed()
        if not level:
            self._complain("Name a level first, such as arithmetic:3.")
            return
        words = ("task", "sample", level, "-n", "1", "--seed", str(number), "--json")
        ran = await self._run("A question is being drawn…", "sample", words)
        if ran is None or not ran.rows:
            return
        self.last = trials.drawn(level, number, ran.rows[0])
        self.query_one("#try--level", Input).value = self.last.level
        self._question.load_text(visible(self.last.question))
        self.query_one("#try--answer", Input).value = self._gold
        self.reply.put("")
        self._show(None)
        self.reply.focus()

    @work(group="trial")
    async def answer(self) -> None:
        """The model in use answers; then that is scored."""
        question = self._question.text
        if not question.strip():
            self._complain("There is no question yet; F5 draws one.")
            return
        if self._busy:
            self._complain("One moment: the last command is still at work.")
            return
        last = self.last
        drawn = last is not None and visible(last.question) == question
        messages = last.messages if drawn and last else ({"role": "user", "content": well_formed(question)},)
        self._busy = True
        self._say("Mr. Classic answers…")
        try:
            said = await self._mind.reply(messages, trials.seed())
        except (MrClassicError, OSError) as error:
            self._show(None)
            self._complain(str(error))
            return
        finally:
            self._busy = False
        self.reply.put(said)
        self.score()

    @work(group="trial")
    async def score(self) -> None:
        """What the reply is worth."""
        level, question, gold = self._value("level"), self._question.text, self.query_one("#try--answer", Input).value
        if not level or not question.strip():
            self._complain("There is no question yet; name a level, and F5 draws one.")
            return
        named = [word for reward in self.rewards for word in ("--reward", reward)]
        given = trials.case(self.last, level, well_formed(question), well_formed(gold), well_formed(self.reply.text))
        words = ("task", "try", level, *named, "--case", "-", "--json")
        ran = await self._run("The reply is being scored…", "try", words, given)
        if ran is not None:
            self._show(trials.scored(ran.facts))

    async def _run(self, doing: str, name: str, words: Sequence[str], given: str = "") -> child.Ran | None:
        """A verb of the shell; None where it failed, which is said."""
        if self._busy:
            self._complain("One moment: the last command is still at work.")
            return None
        self._busy = True
        self._say(doing)
        try:
            ran = await child.run(self._home, self._settings, name, *words, given=given)
        finally:
            self._busy = False
        if ran.code:
            self._show(None)
            self._complain(ran.fault())
            return None
        return ran

    # What came of it

    def _say(self, words: str) -> None:
        self.scored = None
        self.query_one("#try--score", Static).update(Content.styled(words, _QUIET))

    def _show(self, scored: Scored | None) -> None:
        self.scored = scored
        self.query_one("#try--score", Static).update(_account(scored) if scored is not None else "")


def _account(scored: Scored) -> Content:
    """The verdict, then a row a reward."""
    style = _VERDICTS.get(scored.verdict, "")
    content = Content.assemble((scored.verdict.capitalize(), f"bold {style}"), f"  {scored.read}")
    if scored.verdict in _MEANT:
        content = Content.assemble(content, f" {_MEANT[scored.verdict]}")
    content = Content.assemble(content, (f"\n\n{'reward':<18}{'value':>8}{'weight':>9}{'counts':>9}", _QUIET))
    for part in scored.parts:
        value = "abstains" if part.value is None else f"{part.value:.3g}"
        counts = "" if part.counted is None else f"{part.counted:.3g}"
        note = part.fault or ("decides" if part.decides else "watched only" if not part.weight else "")
        content = Content.assemble(
            content,
            f"\n{part.reward:<18}{value:>8}{part.weight:>9.3g}{counts:>9}",
            (f"  {note}" if note else "", "$text-warning" if part.fault else _QUIET),
        )
    if scored.total is None:
        return Content.assemble(content, ("\n\nNothing would be learned from this reply.", "italic"))
    return Content.assemble(content, (f"\n{'total':<18}{'':>17}{scored.total:>9.3g}", "bold"))
