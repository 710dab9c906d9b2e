"""The first part of the practice page: every level with its score, and of the chosen one all that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.table import Table
from rich.text import Text
from textual import on, work
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from mrclassic.sparkline import sparkline
from mrclassic.titles import counted
from mrclassic.tui.catalogue import Known, Level, rewards
from mrclassic.tui.curves import Curve
from mrclassic.tui.skills import Skill, day, practised, words
from mrclassic.tui.visible import visible
from mrclassic.tui.widgets import plots

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from mrclassic.settings import Settings

_QUIET = "$foreground 60%"
_GYM = "gym"
"""The library of tasks: one entry, whose levels are tasks."""
_LONGEST = 400
_NAME, _SPARK = 20, 8
_EXAMPLES = 12
"""Levels of a task that is not practised of which an example is shown."""


class LevelsPart(Horizontal):
    """`show` what there is; the chosen row is a level, or a task that is not practised."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(id="levels", classes="part")
        self._settings = settings
        self._tasks = words(settings.practice.tasks)
        self.skills: Mapping[str, Skill] = {}
        self.known: Sequence[Known] | None = None
        """The tasks there are; None until they have been listed."""

    def compose(self) -> ComposeResult:
        yield OptionList(id="levels--list", classes="part--list", markup=False)
        with VerticalScroll(id="levels--page", classes="part--page"):
            yield Static(id="levels--facts")
            yield Vertical(id="levels--curves")

    @property
    def chosen(self) -> str:
        """The level or task that the light is on; empty where there is none."""
        shelf = self.query_one(OptionList)
        return "" if shelf.highlighted is None else shelf.get_option_at_index(shelf.highlighted).id or ""

    @property
    def level(self) -> str:
        """What can be tried of it: a level, of a task the first."""
        task = next((task for task in self.known or () if task.name == self.chosen), None)
        return f"{self.chosen}:{task.levels[0].level}" if task is not None and task.levels else self.chosen

    def show(self, skills: Mapping[str, Skill], known: Sequence[Known] | None) -> None:
        """Fill the list; the light stays on what it was on."""
        self.skills, self.known = skills, known
        chosen = self.chosen
        now = [name for name in self._names() if practised(name, self._tasks)]
        before = [name for name in skills if name not in now]
        others = [task for task in known or () if not {f"{task.name}:{each.level}" for each in task.levels} <= {*now}]
        shelf = self.query_one(OptionList)
        shelf.clear_options()
        for title, rows in (
            ("Practised in nights", [self._row(name) for name in now]),
            ("Measured before", [self._row(name) for name in before]),
            ("Could be practised", [Option(_task_row(task), id=task.name) for task in others]),
        ):
            if rows:
                gap = "\n" if shelf.option_count else ""
                shelf.add_option(Option(Content.styled(f"{gap}{title}", "$accent italic"), disabled=True))
                shelf.add_options(rows)
        if known is None:
            shelf.add_option(Option(Content.styled("\nThe tasks are being listed…", _QUIET), disabled=True))
        names = [option.id for option in shelf.options]
        first = next((at for at, name in enumerate(names) if name), None)
        shelf.highlighted = names.index(chosen) if chosen in names else first

    def _names(self) -> list[str]:
        """Every level, those of the list of tasks in their order."""
        listed = [f"{task.name}:{level.level}" for task in self.known or () for level in task.levels]
        return list(dict.fromkeys([*listed, *self.skills]))

    def _row(self, name: str) -> Option:
        skill = self.skills.get(name, Skill(name))
        score = "" if skill.score is None else f"{skill.score:.0%}"
        way = [point.score for point in skill.points]
        spark = sparkline(way, _SPARK) if len(way) > 1 else ""
        return Option(
            Content.assemble(_cut(visible(name)), f"{score:>5}  ", (spark, "dim")),
            id=name,
        )

    @on(OptionList.OptionHighlighted)
    def choose(self, event: OptionList.OptionHighlighted) -> None:
        """Show what is known of it."""
        event.stop()
        if event.option_id:
            self._show(event.option_id)

    @on(OptionList.OptionSelected)
    def enter(self, event: OptionList.OptionSelected) -> None:
        """Enter in the list: to the page."""
        event.stop()
        self.query_one("#levels--page").focus()

    @work(group="levels", exclusive=True)
    async def _show(self, name: str) -> None:
        whole = next((task for task in self.known or () if task.name == name), None)
        facts = self._of_task(whole) if whole is not None else self._of_level(name)
        self.query_one("#levels--facts", Static).update(facts)
        self.query_one("#levels--page").scroll_home(animate=False)
        points = self.skills[name].points if name in self.skills else ()
        curves = self.query_one("#levels--curves")
        curves.remove_children()  # not awaited, as this may be cancelled: it would be left half way
        if len(points) > 1:
            await plots.ready()
            steps = tuple(float(at) for at in range(1, len(points) + 1))
            scores = tuple(point.score for point in points)
            curves.mount(plots.Picture(Curve("score, each time it was measured", steps, scores, f"{scores[-1]:.0%}")))

    def _of_level(self, name: str) -> Table:
        skill = self.skills.get(name, Skill(name))
        task, level = self._level(name)
        rows = [("now", "not measured yet")]
        if skill.points:
            last = skill.points[-1]
            of = f" of {last.items:,} items" if last.items else ""
            where = f", {last.checkpoint}" if last.checkpoint else ""
            rows = [("now", f"{last.score:.1%}{of}, {day(last.when)}{where}")]
            if len(skill.points) > 1:
                first = skill.points[0]
                rows.append(("at first", f"{first.score:.1%}, {day(first.when)}"))
        rows.append(("practised", f"last {day(skill.drawn)}" if skill.drawn else "not in the last runs"))
        rows.append(("in nights", "yes" if practised(name, self._tasks) else self._advice(name)))
        if task is None or not task.talks:
            rows.append(("reward", rewards(self._settings.practice.rewards, task.rewards if task else ())))
        else:
            rows.append(("reward", "what its game pays"))
        if task is not None:
            rows.append(("task", task.about))
        if level is not None:
            rows += [("items", _items(level)), ("example", level.example)]
        return _table(name, rows)

    def _of_task(self, task: Known) -> Table:
        rows = [("task", task.about), ("source", task.source)]
        if task.broken:
            rows.append(("broken", task.broken))
        rows.append(("in nights", self._advice(task.name)))
        for level in task.levels[:_EXAMPLES]:
            rows.append(("", " "))
            if task.name != _GYM:
                rows += [("level", level.level), ("items", _items(level))]
            rows.append((level.level if task.name == _GYM else "example", level.example))
        more = len(task.levels) - _EXAMPLES
        return _table(task.name, [*rows, *([("", f"\nand {more} more: `mrclassic task list`")] if more > 0 else [])])

    def _advice(self, name: str) -> str:
        """How its owner would have it practised."""
        if name == _GYM:
            return "no; choose one of its tasks"
        return f'no; tasks = "{self._settings.practice.tasks}, {name}" under [practice] in mrclassic.toml would'

    def _level(self, name: str) -> tuple[Known | None, Level | None]:
        for task in self.known or ():
            for level in task.levels:
                if name == f"{task.name}:{level.level}":
                    return task, level
        task_name = name.rpartition(":")[0]
        return next((task for task in self.known or () if task.name == task_name), None), None


def _items(level: Level) -> str:
    made = "" if level.train is None else f"{level.train:,} to practise"
    held = "" if level.held_out is None else f"{level.held_out:,} held out"
    return ", ".join(filter(None, (made, held)))


def _table(title: str, rows: Sequence[tuple[str, str]]) -> Table:
    """Facts under a title; what is long is folded within its column."""
    table = Table.grid(padding=(0, 2))
    table.add_column(max_width=18, style="dim", overflow="fold")
    table.add_column(overflow="fold")
    table.title, table.title_style, table.title_justify = f"{visible(title)}\n", "bold", "left"
    for name, value in rows:
        if value:
            words = value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"
            table.add_row(Text(visible(name)), Text(visible(words)))
    return table


def _task_row(task: Known) -> Content:
    levels = counted(len(task.levels), "level")
    return Content.assemble(_cut(visible(task.name)), (f" {'broken' if task.broken else levels}", "dim"))


def _cut(name: str) -> str:
    """A name in its column."""
    return set_cell_size(name if cell_len(name) <= _NAME else f"{name[: _NAME - 1]}…", _NAME)
