"""Slash commands: what the answer box obeys instead of sending it, and how it completes them."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path

from textual import on, work
from textual.widgets import TextArea

from mrclassic.tui import child, commands
from mrclassic.tui.commands import Entered
from mrclassic.tui.exporting import FORMS
from mrclassic.tui.memory import COOLEST, FEWEST, HOTTEST, MOST, Wish
from mrclassic.tui.screens.shelving import Shelving
from mrclassic.tui.themes import OWN
from mrclassic.tui.widgets.answer_box import AnswerBox
from mrclassic.tui.widgets.offers import Offers
from mrclassic.tui.widgets.tour import Tour

DEGREE = 0.1
OFF = "off"
"""The argument that takes back what was chosen."""
USUAL = 0.7
"""The temperature that steps begin from where the owner has set none."""
_WAITING = ("screen.redraw", "screen.skip", "screen.flag", "screen.details")
"""Actions that want answers to be there."""


class Commanding(Shelving):
    """Each method `do_NAME` obeys the command of that name and takes its argument."""

    tour: Tour
    offers: Offers

    def heard(self, text: str) -> str | None:
        try:
            entered = commands.read(text)
        except LookupError as error:
            self._give_back(text)
            self.say(str(error.args[0]), timeout=6)
            return None
        if isinstance(entered, str):
            return entered
        self._obey(entered)
        return None

    @work(group="command")
    async def _obey(self, entered: Entered) -> None:
        command = entered.command
        if entered.argument and not command.argument:
            self.say(f"/{command.name} takes nothing after it.", timeout=3)
            return
        if not command.action:
            await self.action_obey(command.name, entered.argument)
        elif command.action in _WAITING and self.candidates.draw is None:
            self.say("No answers wait.", timeout=2)
        else:
            await self.run_action(command.action)
        if not self.box.text and self.focused is self.box and self.app.screen is self:
            self.action_write()

    async def action_obey(self, name: str, argument: str = "") -> None:
        """Carry out a command that is no action by itself; without its argument it says how things stand."""
        method: Callable[[str], object] = getattr(self, f"do_{name}")
        done = method(argument)
        if inspect.isawaitable(done):
            await done

    # How answers are drawn

    def do_count(self, argument: str) -> None:
        if argument.lower() == OFF:
            argument = str(self.as_set.count)
        if argument and not (argument.isdecimal() and FEWEST <= int(argument) <= MOST):
            self.say(f"/count takes a number from {FEWEST} to {MOST}, not {argument!r}.", timeout=4)
            return
        self.mind.count = int(argument) if argument else self.mind.count
        self._wished(bool(argument))

    def do_temperature(self, argument: str) -> None:
        if argument.lower() == OFF:
            self.mind.temperature = self.as_set.temperature
            self._wished(True)
            return
        with contextlib.suppress(ValueError):
            wanted = float(argument) if argument else None
            if wanted is None or COOLEST <= wanted <= HOTTEST:
                self.mind.temperature = self.mind.temperature if wanted is None else wanted
                self._wished(bool(argument))
                return
        self.say(f"/temperature takes a number from 0 to {HOTTEST:.0f}, not {argument!r}.", timeout=4)

    def action_more(self, by: int) -> None:
        """More answers in the next draw, or fewer."""
        self.mind.count = min(max(self.mind.count + by, FEWEST), MOST)
        self._wished(True)

    def action_warmer(self, by: int) -> None:
        """The next draw more varied, or less."""
        now = USUAL if self.mind.temperature is None else self.mind.temperature
        self.mind.temperature = round(min(max(now + by * DEGREE, COOLEST), HOTTEST), 2)
        self._wished(True)

    @property
    def as_set(self) -> Wish:
        """How the settings say that answers are drawn."""
        return Wish(self.settings.chat.candidates, self.settings.chat.temperature)

    @property
    def wish(self) -> Wish | None:
        """How the owner has chosen here that they are; None where that is as the settings say."""
        now = Wish(self.mind.count, self.mind.temperature)
        return None if now == self.as_set else now

    def wish_again(self) -> None:
        """Draw as was chosen before the app was left, unless the settings were changed since."""
        kept = self.desk.memory
        if kept is not None and kept.wish is not None and kept.instead_of == self.as_set:
            self.mind.count, self.mind.temperature = kept.wish.count, kept.wish.temperature
            self.box.border_subtitle = self.wished

    @property
    def wished(self) -> str:
        """How answers are drawn, in words."""
        heat = (
            "the model's own temperature" if self.mind.temperature is None else f"temperature {self.mind.temperature:g}"
        )
        return f"{self.mind.count} {'answer' if self.mind.count == 1 else 'answers'}, {heat}"

    def _wished(self, changed: bool) -> None:
        self.box.border_subtitle = "" if self.wish is None else self.wished
        draws = " from the next draw on (r draws again)" if changed and self.candidates.draw is not None else ""
        self.say(f"{self.wished[0].upper()}{self.wished[1:]}{draws}.", timeout=3)

    def action_details(self) -> None:
        """Length and log-probability of each answer, or not."""
        self.candidates.action_details()

    # The conversation

    async def do_system(self, argument: str) -> None:
        if not argument:
            bubbles = self.history.bubbles
            now = bubbles[0].text if bubbles and bubbles[0].role == "system" else ""
            self.box.put(f"/system {now}")
            self.set_focus(self.box)
            return
        system = "" if argument.lower() == OFF else argument
        await self.switch(lambda: self.desk.instruct(system))
        self.say("No instructions any more." if not system else "He is told that before every answer.", timeout=4)

    async def do_title(self, argument: str) -> None:
        if not argument:
            self.box.put(f"/title {await self.title_here() or ''}")
            self.set_focus(self.box)
            return
        await self._do(lambda: self.desk.name(argument), "The title could not be stored")
        self.conversation = self.desk.conversation

    def do_find(self, argument: str) -> None:
        self.action_find(argument)

    def action_archive_this(self) -> None:
        self.action_archive()

    def action_delete_this(self) -> None:
        self.action_delete()

    def do_export(self, argument: str) -> None:
        form = argument.lower() or "markdown"
        form = "markdown" if form == "md" else form
        if form in FORMS:
            self.action_export(form)
        else:
            self.say(f"/export takes markdown or json, not {argument!r}.", timeout=4)

    async def do_import(self, argument: str) -> None:
        if not argument:
            self.say("/import takes a file, as `mrclassic data import` reads it.", timeout=4)
            return
        ran = await child.run(self.home, self.settings, "import", "data", "import", _file(argument), "--json")
        if ran.code or not ran.facts:
            self.say(ran.fault("The import"), severity="error", timeout=8)
            return
        new = [
            f"{(count := ran.facts[f'{kind}s']):,} {kind}{'' if count == 1 else 's'}"
            for kind in ("conversation", "preference")
        ]
        odd = f" {ran.facts['odd']:,} rows were left out." if ran.facts["odd"] else ""
        apart = " They lie apart from yours; a line below the list leads there." if ran.facts["conversations"] else ""
        known = f"{ran.facts['known']:,} were there already."
        self.say(f"New are {' and '.join(new)}; {known}{odd}{apart}", timeout=8)
        self.look()

    def action_copy_last(self) -> None:
        """Copy the highlighted answer while some wait, else the last that was given."""
        answers = [bubble for bubble in self.history.bubbles if bubble.role == "assistant"]
        if self.candidates.draw is not None:
            self.candidates.action_copy()
        elif answers:
            self.app.copy_to_clipboard(answers[-1].text)
            self.say("Copied.", timeout=2)
        else:
            self.say("There is no answer to copy yet.", timeout=3)

    # The app

    async def do_model(self, argument: str) -> None:
        if not argument:
            await self.run_action("screen.models")
            return
        ran = await child.run(self.home, self.settings, "model", "model", "use", argument, "--json")
        if ran.code:
            self.say(ran.fault(), timeout=6)
            return
        self.say(f"{ran.facts.get('checkpoint')} answers from the next reply on.", timeout=5)
        self.look()

    def do_theme(self, argument: str) -> None:
        if argument in self.app.available_themes:
            self.app.theme = argument
        else:
            what = f"There is no theme {argument}" if argument else f"This is {self.app.theme}"
            names = ", ".join(theme.name for theme in OWN)
            self.say(f"{what}; there are {names} and Textual's own.", timeout=8)

    def do_tour(self, argument: str) -> None:
        self.action_tour({"next": "next", OFF: OFF}.get(argument.lower(), "first"))

    def action_tour(self, where: str) -> None:
        """The tour: from the `first` step, the `next`, or `off`."""
        step = self.tour.step
        self.tour.go(0 if where == "first" else None if where == OFF or step is None else step + 1)

    # Completion

    @property
    def choices(self) -> dict[str, Sequence[str]]:
        """What may follow the commands that take one of a few words."""
        return {
            "theme": [theme.name for theme in OWN],
            "export": list(FORMS),
            "system": [OFF],
            "tour": ["next", OFF],
            "count": [*(str(count) for count in range(FEWEST, MOST + 1)), OFF],
            "temperature": [OFF],
        }

    @on(TextArea.Changed, "#box")
    def complete(self) -> None:
        """Offer what the line may become."""
        self.offers.show(commands.offers(self.box.text, self.choices))

    @on(AnswerBox.Walked)
    def walk(self, event: AnswerBox.Walked) -> None:
        if event.by:
            self.offers.step(event.by)
        else:
            self.offers.show(())

    @on(Offers.Clicked)
    def clicked(self, event: Offers.Clicked) -> None:
        self.box.put(event.offer.text)
        self.set_focus(self.box)


def _file(typed: str) -> str:
    """A path as an owner types it; `~` is home."""
    return str(Path(typed).expanduser())
