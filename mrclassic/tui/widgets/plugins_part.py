"""The third part of the practice page: every plugin, whether it is trusted, and the text that is to be approved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import set_cell_size
from rich.table import Table
from rich.text import Text as RichText
from textual import on
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from mrclassic.tui.catalogue import Line, Plug, Text
from mrclassic.tui.visible import visible

if TYPE_CHECKING:
    from textual.app import ComposeResult

_QUIET = "$foreground 60%"
_STYLES = {
    "quarantined": "$text-error",
    "changed since": "$text-warning",
    "untrusted": "$text-warning",
    "flawed": "$text-error",
    "trusted": "$text-success",
}
_SIGNS = {"+": "text-success", "-": "text-error"}
_NAME = 20
LONGEST = 4000
"""Lines of a text that is shown here; who trusts more reads it in a pager."""


class PluginsPart(Horizontal):
    """`show` the plugins; the screen hears which one is `Wanted`, and brings its text with `put`."""

    class Wanted(Message):
        """Another plugin is chosen; its text is wanted."""

        def __init__(self, plug: Plug) -> None:
            super().__init__()
            self.plug = plug

    def __init__(self) -> None:
        super().__init__(id="plugins", classes="part")
        self.plugs: Sequence[Plug] | None = None
        """None until they have been listed."""
        self.text: Text | None = None
        """What is on the page: only this can be trusted."""
        self._trouble = ""

    def compose(self) -> ComposeResult:
        yield OptionList(id="plugins--list", classes="part--list", markup=False)
        with VerticalScroll(id="plugins--page", classes="part--page"):
            yield Static("The plugins are being listed…", id="plugins--facts")
            yield Static(id="plugins--text")

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _: self._paint())

    @property
    def chosen(self) -> Plug | None:
        """The one that the light is on."""
        at = self.query_one(OptionList).highlighted
        return None if at is None or self.plugs is None or at >= len(self.plugs) else self.plugs[at]

    def show(self, plugs: Sequence[Plug]) -> None:
        """Fill the list; the light stays on the one it was on."""
        chosen = self.chosen
        self.plugs = plugs
        shelf = self.query_one(OptionList)
        shelf.clear_options()
        shelf.add_options([Option(_row(plug)) for plug in plugs])
        keys = [(plug.name, plug.path) for plug in plugs]
        wanted = (chosen.name, chosen.path) if chosen else None
        shelf.highlighted = keys.index(wanted) if wanted in keys else 0 if plugs else None

    @on(OptionList.OptionHighlighted)
    def choose(self, event: OptionList.OptionHighlighted) -> None:
        """Another is chosen: nothing can be trusted until its text is there."""
        event.stop()
        plug = self.chosen
        self.text, self._trouble = None, ""
        self._paint()
        if plug is not None:
            self.query_one("#plugins--page").scroll_home(animate=False)
            self.post_message(self.Wanted(plug))

    @on(OptionList.OptionSelected)
    def enter(self, event: OptionList.OptionSelected) -> None:
        """Enter in the list: to the page."""
        event.stop()
        self.query_one("#plugins--page").focus()

    def put(self, plug: Plug, text: Text | None, trouble: str = "") -> None:
        """The text of a plugin, or why there is none; what is not chosen any more is passed over."""
        if plug == self.chosen:
            self.text, self._trouble = text, trouble
            self._paint()

    def _paint(self) -> None:
        plug = self.chosen
        if plug is None:
            return
        self.query_one("#plugins--facts", Static).update(self._facts(plug))
        self.query_one("#plugins--text", Static).update(self._lines() if self.text else visible(self._trouble))

    def _facts(self, plug: Plug) -> Content:
        content = Content.assemble(
            (plug.name, "bold"), (f"   {plug.kind}   ", _QUIET), (plug.state, _STYLES.get(plug.state, ""))
        )
        for words in (plug.flaw, plug.quarantined, plug.about):
            content = Content.assemble(content, f"\n{words}" if words else "")
        content = Content.assemble(content, (f"\n{plug.path or 'part of an installed package'}", _QUIET))
        return Content.assemble(content, (f"\n\n{self._heading(plug)}", "$accent italic") if self.text else "", "\n")

    def _heading(self, plug: Plug) -> str:
        assert self.text is not None
        if len(self.text.lines) > LONGEST:
            return f"{len(self.text.lines):,} lines: read them with `mrclassic plugin show {plug.name}`"
        if plug.mine and plug.standing == "changed":
            only = "The ends of its lines have" if not self.text.changed else "What has"
            return f"{only} changed since you trusted it"
        if plug.mine and plug.standing == "not trusted":
            return "Its whole text; read it before you trust it"
        return "Its text"

    def _lines(self) -> Table | str:
        """The lines with their numbers and signs. Each in a row of its own: what is long is folded within it, and
        cannot be taken for another line."""
        assert self.text is not None
        if len(self.text.lines) > LONGEST:
            return ""
        colours = self.app.theme_variables
        quiet = f"dim {colours['foreground']}"
        table = Table.grid(padding=(0, 1))
        table.add_column(width=4, justify="right", style=quiet)
        table.add_column(width=1)
        table.add_column(overflow="fold")
        for line in self.text.folded():
            if isinstance(line, Line):
                style = colours[_SIGNS[line.sign]] if line.sign in _SIGNS else ""
                number = "" if line.sign == "-" else str(line.number)
                table.add_row(number, RichText(line.sign, style), RichText(line.text.expandtabs(4), style))
            else:
                table.add_row("", "", RichText(f"… {line} lines as they were", quiet))
        return table


def _row(plug: Plug) -> Content:
    name = set_cell_size(plug.name, _NAME)
    # No colours of their own: on the row with the light, which has another ground, they might not be seen.
    waits = plug.standing in ("changed", "not trusted", "flawed") or plug.state == "quarantined"
    return Content.assemble(name, "  ", (plug.state, "bold" if waits else "" if plug.mine else "dim"))
