"""The second part of the practice page: the share of each level in the newest practice, and what it follows from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from mrclassic.sparkline import sparkline
from mrclassic.tui.skills import Arm, Choosing, bar, day
from mrclassic.tui.visible import visible

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.events import Resize

    from mrclassic.settings import Settings

_QUIET = "$foreground 60%"
_ROOM, _MEDIUM = 112, 72
_WIDE_BAR, _SLIM_BAR, _WAY = 30, 20, 16
_NOTHING = (
    "Nothing was practised yet. A night asks what lies between too easy and too hard: each level gets a share of its "
    "questions, by how much the answers to them differ."
)
_WORDS = (
    "The signal is how much there is to learn: 1 where half of the answers to a question are right, 0 where all are, "
    "or none."
)


class ArmsPart(VerticalScroll, can_focus=True):
    """`show` how things stand; what has not changed is not painted again."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(id="curriculum", classes="part part--page")
        self._curriculum = settings.practice.curriculum
        self.seen: Choosing | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="curriculum--text")

    def on_mount(self) -> None:
        self._paint()

    def on_resize(self, event: Resize) -> None:
        self._paint()

    def show(self, seen: Choosing | None) -> None:
        """Bring it up to date."""
        if seen != self.seen:
            self.seen = seen
            self._paint()

    def _paint(self) -> None:
        seen = self.seen
        if seen is None:
            text = Content.assemble((f"{visible(self._curriculum)}\n\n", "bold"), (_NOTHING, ""))
        else:
            where = f"night {seen.night}, {seen.kind}" if seen.night is not None else f"run {seen.run}, {seen.kind}"
            state = "going on" if seen.going_on else "over"
            text = Content.assemble(
                (visible(self._curriculum), "bold"),
                (f"   {where}, {day(seen.started)}, {state}, update {seen.step:,}\n", _QUIET),
                *(self._row(arm) for arm in seen.arms),
                (f"\n\n{_WORDS}", _QUIET),
            )
        widget = self.query_one("#curriculum--text", Static)
        if widget.content != text:
            widget.update(text)

    def _row(self, arm: Arm) -> Content:
        """A line where there is room, else two."""
        wide = self.size.width >= _ROOM
        full, empty = bar(arm.shares[-1], _WIDE_BAR if wide else _SLIM_BAR)
        right = f"right {arm.success[-1]:>4.0%}  " if arm.success else f"{'':>12}"
        cells = _WAY if self.size.width >= _MEDIUM else _WAY // 2
        way = sparkline(arm.shares, cells) if len(arm.shares) > 1 else ""
        return Content.assemble(
            (f"\n{visible(arm.name):<20} ", ""),
            (f"{arm.shares[-1]:>4.0%} ", "bold"),
            (full, "$accent"),
            (empty, "$foreground 20%"),
            "  " if wide else "\n  ",
            (f"{way:<{cells}}  ", "$accent"),
            (right if wide or arm.success else "", ""),
            (arm.why, _QUIET),
            "" if wide else "\n",
        )
