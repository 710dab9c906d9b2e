"""The night at this moment: where it is, what holds the device, its curves, alarms and newest samples, its plan."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual import work
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from mrclassic.titles import title
from mrclassic.tui.tonight import Shown, Tonight
from mrclassic.tui.widgets import plots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

    from mrclassic.tui.curves import Curve

BETWEEN = 0.1
"""Seconds between two pictures: each is painted by itself, so that a key waits for one at most."""
_BAR = 20
_LONGEST = 280
"""Characters of a sample that are shown."""
_QUIET = "$foreground 60%"
_STATES = {
    "idle": "No night is running.",
    "lesson": "A lesson is being given.",
    "starting": "A night is starting.",
    "waiting": "A night waits until nobody has asked the model anything for a while.",
    "planning": "A night looks at what the model can do, and plans.",
}


class NightNow(VerticalScroll, can_focus=True):
    """Shows a `Tonight`; what has not changed is not painted again."""

    def __init__(self) -> None:
        super().__init__(id="now")
        self.seen = Tonight()
        self._asked: tuple[str, ...] = ()
        self._drawing = False

    def compose(self) -> ComposeResult:
        for part in ("head", "place", "alarms"):
            yield Static(id=f"now--{part}")
        yield Container(id="now--curves")
        for part in ("samples", "plan"):
            yield Static(id=f"now--{part}")

    def show(self, now: Tonight) -> None:
        """Bring the page up to date."""
        self.seen = now
        if now.state not in ("idle", "lesson"):
            self._asked = ()
        self._put("head", _head(now))
        self._put("place", _place(now))
        self._put("alarms", _lines("Alarms", now.alarms, "$text-warning"))
        self._put("samples", _samples(now.samples))
        self._put("plan", self._plan())
        self._draw()

    def show_plan(self, lines: tuple[str, ...]) -> None:
        """Show a plan that was asked for; it stays until a night runs."""
        self._asked = lines
        self._put("plan", self._plan())
        self.query_one("#now--plan").scroll_visible(animate=False)

    def _plan(self) -> Content:
        if self.seen.state not in ("idle", "lesson"):
            return _lines("Its plan", self.seen.plan)
        return _lines("A night that began now", self._asked) if self._asked else _lines("What comes", self.seen.plan)

    @work(group="curves")
    async def _draw(self) -> None:
        """One picture a curve."""
        if self._drawing:
            return  # the next look comes soon
        self._drawing = True
        try:
            await self._pictures(self.seen.curves)
        finally:
            self._drawing = False

    async def _pictures(self, curves: Sequence[Curve]) -> None:
        shelf = self.query_one("#now--curves", Container)
        shelf.display = bool(curves)
        if curves:
            await plots.ready()
        if not self.query("#now--curves"):
            return  # the page has been closed meanwhile
        pictures = {picture.curve.title: picture for picture in shelf.query(plots.Picture)}
        if list(pictures) != [curve.title for curve in curves]:
            # Not awaited: a removal that is awaited where the app ends meanwhile is cancelled half way.
            shelf.remove_children()
            shelf.mount(*(plots.Picture(curve) for curve in curves))
            return
        for curve in curves:
            if pictures[curve.title].show(curve):
                await asyncio.sleep(BETWEEN)

    def _put(self, part: str, content: Content) -> None:
        widget = self.query_one(f"#now--{part}", Static)
        if widget.content != content:
            # A new layout of the page costs more than all else, so only where more or fewer lines are needed.
            width, rules = widget.content_size.width, widget.styles.get_rules()
            before = widget.visual.get_height(rules, width) if width else 0
            widget.update(content, layout=False)
            if not width or widget.visual.get_height(rules, width) != before:
                widget.refresh(layout=True)
        widget.display = bool(content)


def _head(now: Tonight) -> Content:
    if now.state not in ("running", "judging"):
        head = Content.styled(_STATES[now.state], "bold")
        return Content.assemble(head, (f"  {now.words}", _QUIET) if now.state == "planning" else "")
    if now.state == "judging":
        return Content.assemble((f"Night {now.night}: the gate judges what was learned.", "bold"), f"  {now.words}")
    heading = f"Night {now.night}: {title(now.stage)}" + (
        f", stage {now.place} of {now.stages}" if now.stages > 1 else ""
    )
    full = _BAR if not now.steps else min(_BAR, round(_BAR * now.step / now.steps))
    return Content.assemble(
        (heading, "bold"),
        (f"  {_left(now.left)}\n" if now.left is not None else "\n", _QUIET),
        ("━" * full, "$accent"),
        ("━" * (_BAR - full), "$foreground 20%"),
        f"  update {now.step:,} of {now.steps:,}",
    )


def _left(minutes: float) -> str:
    """How long it takes until the end, as one says it."""
    if minutes < 1:
        return "less than a minute left"
    if minutes < 90:
        return f"about {minutes:.0f} min left"
    return f"about {minutes / 60:.1f} hours left"


def _place(now: Tonight) -> Content:
    return Content.styled("  ".join(filter(None, (now.device, now.service))), _QUIET)


def _lines(title: str, lines: Sequence[str], style: str = "") -> Content:
    if not lines:
        return Content("")
    return Content.assemble((f"\n{title}\n", "$accent italic"), *((f"{line}\n", style) for line in lines)).rstrip()


def _samples(samples: Sequence[Shown]) -> Content:
    if not samples:
        return Content("")
    content = Content.assemble(("\nNewest answers\n", "$accent italic"))
    for each in samples:
        score = " none" if each.reward is None else f"{each.reward:5.2f}"
        good = each.reward is not None and each.reward > 0.5
        content = Content.assemble(
            content,
            (f"{score}  ", "$text-success" if good else "$text-warning"),
            (f"{_short(each.prompt)}\n", _QUIET),
            f"       {_short(each.completion) or '(nothing)'}\n",
            (f"       update {each.step}{', ' + each.parts if each.parts else ''}\n", "$foreground 45%"),
        )
    return content.rstrip()


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
