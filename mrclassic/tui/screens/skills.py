"""The practice page: levels and their scores, how the curriculum chooses, plugins and trust, a reply tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Input, TextArea

from mrclassic.tui import catalogue, child, skills
from mrclassic.tui.catalogue import Known, Plug
from mrclassic.tui.keys import bindings
from mrclassic.tui.screens.arriving import Arriving, on_arrival
from mrclassic.tui.screens.modal import Sure
from mrclassic.tui.screens.unsent import LOST
from mrclassic.tui.visible import visible
from mrclassic.tui.widgets.arms_part import ArmsPart
from mrclassic.tui.widgets.hints import Hints
from mrclassic.tui.widgets.levels_part import LevelsPart
from mrclassic.tui.widgets.plugins_part import LONGEST, PluginsPart
from mrclassic.tui.widgets.tabs import Tabs
from mrclassic.tui.widgets.try_part import TryPart

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel

    from mrclassic.home import Home
    from mrclassic.settings import Settings
    from mrclassic.tui.desk import Desk
    from mrclassic.tui.mind_link import MindLink
    from mrclassic.tui.store_thread import StoreThread

EVERY = 2.0
"""Seconds between two looks at a practice that goes on."""
PARTS = {"levels": "Levels", "curriculum": "Curriculum", "plugins": "Plugins", "try": "Try"}


class Skills(Arriving, Screen[None]):
    """Left and right choose a part, up and down a row; Tab goes to the page and back; Escape leaves."""

    PLACE = "skills"
    BINDINGS: ClassVar = bindings("skills")
    AUTO_FOCUS = None
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (80, "-medium")]  # noqa: RUF012 - as Textual declares it

    def __init__(self, desk: Desk, thread: StoreThread, home: Home, settings: Settings, mind: MindLink) -> None:
        super().__init__()
        self._desk, self._thread, self._home, self._settings = desk, thread, home, settings
        self._choices: skills.Choices | None = None
        self._known: tuple[Known, ...] | None = None
        self._looking = self._busy = False
        self.levels = LevelsPart(settings)
        self.arms = ArmsPart(settings)
        self.plugins = PluginsPart()
        self.trial = TryPart(home, settings, mind, lambda words: self.say(words, severity="warning"))
        self.tabs = Tabs(id="skills--tabs")
        self.hints = Hints(settings.keys, {"box.send": "score"})
        self.part = "levels"

    def compose(self) -> ComposeResult:
        yield self.tabs
        with ContentSwitcher(initial="levels", id="skills"):
            yield self.levels
            yield self.arms
            yield self.plugins
            yield self.trial
        yield self.hints

    def on_mount(self) -> None:
        self.action_show_tab("levels")
        self._read_levels()
        self._list_tasks()
        self.look()
        self.set_interval(EVERY, self.look)

    # What there is

    @work(group="levels")
    async def _read_levels(self) -> None:
        try:
            found = await self._thread(lambda: skills.skills(self._desk.store))
        except LOST as error:
            self.say(f"The scores cannot be read: {error}", severity="error")
            return
        self.levels.show(found, self._known)
        self.arrive()

    @work(group="tasks")
    async def _list_tasks(self) -> None:
        """The first time in a home this takes some seconds: published data are read whole."""
        ran = await self._run("tasks", "task", "list", "--json")
        self._known = () if ran is None else catalogue.tasks(ran.rows)
        self.levels.show(self.levels.skills, self._known)

    @work(group="plugins", exclusive=True)
    async def list_plugins(self) -> None:
        """Every plugin with its standing."""
        ran = await self._run("plugins", "plugin", "list", "--json")
        if ran is not None:
            self.plugins.show(catalogue.plugins(ran.rows))

    @work(group="look")
    async def look(self) -> None:
        """Bring the curriculum up to date, where it is seen."""
        unseen = self.arms.seen is not None and self.part != "curriculum"
        if self._looking or self._thread.closed or not self.is_current or unseen:
            return
        self._looking = True
        try:
            seen = await self._thread(self._choosing)
            while seen is not None and seen.more:  # in parts, so that a pick gets its turn between them
                seen = await self._thread(self._choosing)
        except LOST as error:
            if not self._thread.closed:
                self.say(f"The curriculum cannot be read: {error}", severity="error")
            return
        finally:
            self._looking = False
        self.arms.show(seen)

    def _choosing(self) -> skills.Choosing | None:
        if self._choices is None:
            self._choices = skills.Choices(self._desk.store)
        return self._choices.look()

    @on(PluginsPart.Wanted)
    def wanted(self, event: PluginsPart.Wanted) -> None:
        """Bring the text of the plugin that is chosen."""
        self._read_plugin(event.plug)

    @work(group="text", exclusive=True)
    async def _read_plugin(self, plug: Plug) -> None:
        if plug.path is None:
            return
        ran = await self._run("plugin", "plugin", "show", plug.path, "--json", quiet=True)
        if ran is not None and not ran.code:
            self.plugins.put(plug, catalogue.text(ran.facts))
        elif ran is not None and not plug.flaw:
            self.plugins.put(plug, None, ran.fault())

    # Keys

    def action_show_tab(self, part: str, write: bool = True) -> None:
        """Show a part, and go to it; into the lines of a trial only to `write`: the arrows would lead no further."""
        self.part = part
        self.query_one(ContentSwitcher).current = part
        self.tabs.show({name: (title, None) for name, title in PARTS.items()}, part)
        if part == "try":
            self.trial.enter() if write else self._leave_lines()
        else:
            (self.arms if part == "curriculum" else self._shelf).focus()
        if part == "curriculum":
            self.look()
        elif part == "plugins" and self.plugins.plugs is None:
            self.list_plugins()

    def action_next(self, way: int) -> None:
        """The next part, or the one before."""
        names = list(PARTS)
        self.action_show_tab(names[(names.index(self.part) + way) % len(names)], write=False)

    def action_across(self) -> None:
        """From the list to the page, or back; among the lines of a trial to the next one."""
        if self.part == "try":
            self.focus_next() if self.focused is not None else self.trial.enter()
        elif self.part != "curriculum":
            (self._page if self._shelf.has_focus else self._shelf).focus()

    def action_page(self, way: int) -> None:
        """Scroll the page, wherever the focus is."""
        (self._page.scroll_page_down if way > 0 else self._page.scroll_page_up)(animate=False)

    def action_leave(self) -> None:
        """Out of a line that is written; from there back to the chat."""
        if isinstance(self.focused, Input | TextArea):
            self._leave_lines()
        else:
            self.app.pop_screen()

    def _leave_lines(self) -> None:
        self.set_focus(None)
        self.hints.show("tried")

    def action_leave_box(self) -> None:
        """The reply's own way out."""
        self.action_leave()

    @property
    def _shelf(self) -> Widget:
        return self.query_one(f"#{self.part}--list")

    @property
    def _page(self) -> Widget:
        return {"curriculum": self.arms, "try": self.trial}.get(self.part) or self.query_one(f"#{self.part}--page")

    @on_arrival
    def action_try(self) -> None:
        """Try a question of the chosen level, or the chosen reward."""
        plug = self.plugins.chosen
        if self.part == "levels" and self.levels.chosen:
            self.trial.take(level=self.levels.level)
        elif self.part == "plugins" and plug is not None:
            if plug.state not in ("trusted", "shipped", "of a package", "quarantined"):
                self.say(f"{plug.name} runs only once you trust it (a).", severity="warning")
                return
            if plug.kind == "reward":
                self.trial.take(reward=plug.name)
            elif plug.kind == "task":
                self.trial.take(level=plug.name)
        self.action_show_tab("try")

    def action_draw(self) -> None:
        """Another question."""
        if self.part == "try":
            self.trial.draw()

    def action_answer(self) -> None:
        """Let the model answer."""
        if self.part == "try":
            self.trial.answer()

    def action_trust(self) -> None:
        """Trust the chosen plugin with exactly the text that is on the page."""
        plug, text = self.plugins.chosen, self.plugins.text
        if self.part != "plugins" or plug is None:
            return
        if not plug.mine:
            self.say(f"{plug.name} is not yours to trust: it came with what you installed.")
        elif plug.standing == "trusted" and not plug.quarantined:  # what is trusted anew has its say again
            self.say(f"{plug.name} is trusted as it is.")
        elif plug.flaw:
            self.say(plug.flaw, severity="warning")
        elif text is None:
            self.say("One moment: its text is not here yet.")
        elif len(text.lines) > LONGEST:
            self.say(f"It is too long to be read here; `mrclassic plugin trust {plug.name}` shows all of it.")
        else:
            words = "It runs in a process of its own, with your rights, and only with exactly the text that you saw."
            done = f"{plug.name} is trusted."
            order = ("plugin", "trust", text.path, "--yes", "--sha256", text.sha256)
            self._ask(f"Trust {plug.name}?", words, lambda: self._carry_out(done, *order))

    def action_revoke(self) -> None:
        """Trust the chosen plugin no longer."""
        plug = self.plugins.chosen
        if self.part != "plugins" or plug is None:
            return
        if not plug.mine or plug.path is None or plug.standing not in ("trusted", "changed"):
            self.say(f"{plug.name} is not among those that you have trusted.")
            return
        words, path = "It is off from now on, in a night that runs from its next start.", plug.path
        done = f"{plug.name} is no longer trusted."
        self._ask(f"Trust {plug.name} no longer?", words, lambda: self._carry_out(done, "plugin", "revoke", path))

    def _ask(self, title: str, words: str, then: Callable[[], object]) -> None:
        def answered(sure: bool | None) -> None:
            if sure:
                then()

        self.app.push_screen(Sure(title, words), answered)

    @work(group="command")
    async def _carry_out(self, done: str, *words: str) -> None:
        if self._busy:
            self.say("One moment: the last command is still at work.")
            return
        self._busy = True
        try:
            ran = await self._run("trust", *words)
        finally:
            self._busy = False
        if ran is not None:
            self.say(done)
        self.list_plugins()

    async def _run(self, log: str, *words: str, quiet: bool = False) -> child.Ran | None:
        """A verb of the shell; where it fails that is said, and it is None unless `quiet`."""
        ran = await child.run(self._home, self._settings, log, *words)
        if ran.code and not quiet:
            self.say(ran.fault(), severity="error")
            return None
        return ran

    def say(self, sentence: str, *, severity: SeverityLevel = "information") -> None:
        """A sentence in the corner, as it is."""
        self.notify(visible(sentence), severity=severity, timeout=6, markup=False)

    @on(events.DescendantFocus)
    def hint(self) -> None:
        """The hint line follows the focus."""
        self.hints.show(self.part)
