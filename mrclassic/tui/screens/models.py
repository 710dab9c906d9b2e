"""The models: who came from whom, what was measured of each, and which one answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from mrclassic.tui import child
from mrclassic.tui.keys import bindings
from mrclassic.tui.models import Branch
from mrclassic.tui.screens.arriving import Arriving, on_arrival
from mrclassic.tui.screens.unsent import LOST
from mrclassic.tui.visible import visible
from mrclassic.tui.widgets.hints import Hints

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel

    from mrclassic.home import Home
    from mrclassic.settings import Settings
    from mrclassic.tui.desk import Desk
    from mrclassic.tui.mind_link import MindLink
    from mrclassic.tui.store_thread import StoreThread

_QUIET = "$foreground 60%"


class Models(Arriving, Screen[None]):
    """Up and down choose a model; Tab goes to its page and back; Escape leaves."""

    PLACE = "models"
    BINDINGS: ClassVar = bindings("models")
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (80, "-medium")]  # noqa: RUF012 - as Textual declares it

    def __init__(self, desk: Desk, thread: StoreThread, home: Home, settings: Settings, mind: MindLink) -> None:
        super().__init__()
        self._desk, self._thread, self._mind = desk, thread, mind
        self._home, self._settings = home, settings
        self.branches: tuple[Branch, ...] = ()
        self.marked = ""
        """The one that others are compared with; empty: the one in use."""
        self._busy = False
        self.hints = Hints(settings.keys)

    def compose(self) -> ComposeResult:
        with Horizontal(id="models"):
            yield OptionList(id="models--tree", markup=False)
            with VerticalScroll(id="models--page"):
                yield Static(id="models--facts")
        yield self.hints

    def on_mount(self) -> None:
        self.hints.show("models")
        self.query_one("#models--tree").focus()
        self.fill()

    def on_screen_resume(self) -> None:
        if self.branches:
            self.fill()

    @work(group="fill", exclusive=True)
    async def fill(self) -> None:
        """Read the models anew; the light stays on the one it was on, and is at first on the one in use."""
        chosen = self.chosen
        try:
            self.branches = await self._thread(self._desk.lineage)
        except LOST as error:
            self.say(f"The models cannot be read: {error}", severity="error")
            return
        shelf = self.query_one("#models--tree", OptionList)
        shelf.clear_options()
        shelf.add_options([Option(self._row(branch), id=branch.id) for branch in self.branches])
        wanted = chosen.id if chosen else next((branch.id for branch in self.branches if branch.in_use), None)
        if wanted is not None:
            shelf.highlighted = shelf.get_option_index(wanted)
        elif not self.branches:
            self.query_one("#models--facts", Static).update("There is no model here yet; `mrclassic hatch` makes one.")
        self.arrive()

    @property
    def chosen(self) -> Branch | None:
        """The one that the light is on."""
        at = self.query_one("#models--tree", OptionList).highlighted
        return None if at is None or at >= len(self.branches) else self.branches[at]

    @property
    def used(self) -> Branch | None:
        """The one that answers."""
        return next((branch for branch in self.branches if branch.in_use), None)

    def _row(self, branch: Branch) -> Content:
        sign = ("●", "$accent") if branch.in_use else ("○", "" if branch.here else "$foreground 30%")
        marks = (
            "in use" if branch.in_use else "golden" if branch.golden else branch.status if branch.here else "removed"
        )
        marked = ("  ◀", "$accent") if branch.id == self.marked else ""
        return Content.assemble(
            (branch.lines, "$foreground 30%"),
            sign,
            f" {visible(branch.kind)}  ",
            (f"{branch.when}  {marks}", _QUIET),
            marked,
        )

    @on(OptionList.OptionHighlighted)
    def choose(self, event: OptionList.OptionHighlighted) -> None:
        """Show what is known of the highlighted one."""
        self.query_one("#models--facts", Static).update(self._facts(self.branches[event.option_index]))

    @on(OptionList.OptionSelected)
    def enter(self) -> None:
        """Enter in the tree: to the page."""
        self.query_one("#models--page").focus()

    def _facts(self, branch: Branch) -> Content:
        states = [branch.status]
        if branch.in_use:
            states.insert(0, "in use")
        if branch.golden and branch.status != "golden":
            states.append("golden")
        if not branch.here:
            states.append("its files were removed")
        rows = [("made by", branch.kind), ("on", branch.when), ("is", ", ".join(states))]
        rows += [("from", branch.parent or "nothing before it"), ("size", f"{branch.parameters:,} parameters")]
        if branch.scores:
            rows.append(("knows", branch.scores))
        facts = Content.assemble((f"{visible(branch.id)}\n", "bold"))
        for name, value in rows:
            facts = Content.assemble(facts, (f"\n{name:<9}", _QUIET), visible(value))
        return Content.assemble(facts, self._scores(branch), self._votes(branch))

    def _scores(self, branch: Branch) -> Content:
        """What was measured of it, beside what was measured of the one in use."""
        if not branch.metrics:
            return Content("")
        used = self.used
        beside = used.metrics if used is not None and used is not branch else {}
        width = max(map(len, branch.metrics)) + 2
        table = Content.assemble(
            ("\n\nMeasured", "$accent italic"), ("  beside the one in use" if beside else "", _QUIET)
        )
        for name, value in branch.metrics.items():
            table = Content.assemble(table, (f"\n{name:<{width}}", _QUIET), f"{_score(value):>8}")
            if name in beside:
                change = value - beside[name]
                style = "$text-success" if change > 0 else "$text-error" if change < 0 else _QUIET
                table = Content.assemble(table, f"  {_score(beside[name]):>8}", (f"  {_change(change):>8}", style))
        return table

    def _votes(self, branch: Branch) -> Content:
        fares = branch.fares
        if fares is None or not fares.votes:
            return Content("")
        words = (
            f"{fares.better} times better than the one in use, {fares.worse} times worse, {fares.equal} times equal."
        )
        return Content.assemble(("\n\nYour votes\n", "$accent italic"), words)

    # Keys

    def action_across(self) -> None:
        """From the tree to the page, or back."""
        shelf, page = self.query_one("#models--tree"), self.query_one("#models--page")
        (page if shelf.has_focus else shelf).focus()

    def action_page(self, way: int) -> None:
        """Scroll the page, wherever the focus is."""
        page = self.query_one("#models--page")
        (page.scroll_page_down if way > 0 else page.scroll_page_up)(animate=False)

    @on_arrival
    def action_mark(self) -> None:
        """Mark the chosen one as the other side of comparisons; once more: no longer."""
        chosen = self.chosen
        if chosen is not None:
            self.marked = "" if chosen.id == self.marked else chosen.id
            self.fill()

    @on_arrival
    def action_compare(self) -> None:
        """Compare the chosen one with the marked one, or else with the one in use."""
        one = self.chosen
        other = next((branch for branch in self.branches if branch.id == self.marked), self.used)
        if one is None or other is None:
            return
        if one.id == other.id:
            self.say("Choose another one to compare this with; m marks the one that others are compared with.")
            return
        removed = next((branch.id for branch in (one, other) if not branch.here), None)
        if removed is not None:
            self.say(f"The files of {removed} were removed, so it cannot answer.", severity="warning")
            return
        from mrclassic.tui.screens.compare import Compare

        self.app.push_screen(Compare(self._desk, self._thread, self._settings, self._mind, (one.id, other.id)))

    @on_arrival
    def action_use(self) -> None:
        """Let the chosen one answer."""
        chosen = self.chosen
        if chosen is not None:
            self._carry_out(f"{chosen.id} answers from the next reply on.", "model", "use", chosen.id, "--json")

    def action_undo(self) -> None:
        """Back to the one that answered before."""
        self._carry_out("", "model", "undo", "--json")

    @on_arrival
    def action_export(self) -> None:
        """Ask for a folder, and write the chosen one into it."""
        chosen = self.chosen
        if chosen is None:
            return
        if not chosen.here:
            self.say(f"The files of {chosen.id} were removed, so it cannot be exported.", severity="warning")
            return
        from mrclassic.tui.screens.export import Export

        def export(asked: tuple[str, str] | None) -> None:
            if asked is not None:
                form, folder = asked
                words = ("model", "export", folder, "--checkpoint", chosen.id, "--format", form, "--json")
                self.say("The model is being written…")
                self._carry_out(f"Written into {folder}.", *words)

        self.app.push_screen(Export(chosen.id), export)

    @work(group="command")
    async def _carry_out(self, done: str, *words: str) -> None:
        """Run a verb of the shell, and say what came of it."""
        if self._busy:
            self.say("One moment: the last command is still at work.")
            return
        self._busy = True
        try:
            ran = await child.run(self._home, self._settings, "model", *words)
        finally:
            self._busy = False
        if ran.code:
            self.say(ran.fault(), severity="error")
            return
        self.say(done or f"{ran.facts.get('checkpoint')} answers from the next reply on.")
        self.fill()

    def say(self, sentence: str, *, severity: SeverityLevel = "information") -> None:
        """A sentence in the corner, as it is."""
        self.notify(visible(sentence), severity=severity, timeout=6, markup=False)


def _score(value: float) -> str:
    """Shares as per cent; what is no share (a perplexity) as a number."""
    return f"{value:.1%}" if 0 <= value <= 1 else f"{value:.3g}"


def _change(value: float) -> str:
    return f"{value:+.1%}" if -1 <= value <= 1 else f"{value:+.3g}"
