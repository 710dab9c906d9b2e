"""What the verbs `task list` and `plugin list` say, as the practice page shows it. Plain data; it knows no widget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from mrclassic.tui.visible import visible

_Fact = TypeVar("_Fact")


@dataclass(frozen=True)
class Level:
    """A level of a task: how many items to practise on (None: made as they are drawn), how many held out."""

    level: str
    train: int | None = None
    held_out: int | None = None
    example: str = ""


@dataclass(frozen=True)
class Known:
    """A task."""

    name: str
    about: str = ""
    source: str = ""
    levels: tuple[Level, ...] = ()
    broken: str | None = None
    asks: bool = False
    """Whether it computes the answer to a question of one's own."""
    talks: bool = False
    rewards: tuple[str, ...] = ()
    """Those that its items name themselves."""


@dataclass(frozen=True)
class Plug:
    """A plugin: `standing` is built in, trusted, changed, not trusted or flawed."""

    name: str
    kind: str
    origin: str
    standing: str
    about: str = ""
    path: str | None = None
    flaw: str | None = None
    quarantined: str | None = None

    @property
    def state(self) -> str:
        """How it stands, in a word or two."""
        if self.quarantined and self.standing in ("built in", "trusted"):
            return "quarantined"
        if self.standing == "built in":
            return "shipped" if self.origin == "shipped" else "of a package"
        return {"changed": "changed since", "not trusted": "untrusted"}.get(self.standing, self.standing)

    @property
    def mine(self) -> bool:
        """Whether its owner may trust it or not."""
        return self.origin == "home" and self.path is not None


@dataclass(frozen=True)
class Line:
    """A line of a plugin's text: as it is (` `), new since it was trusted (`+`), or gone (`-`)."""

    sign: str
    number: int
    text: str


@dataclass(frozen=True)
class Text:
    """A plugin's text as it was when it was shown: what is trusted is exactly this."""

    path: str
    sha256: str
    standing: str
    lines: tuple[Line, ...]

    @property
    def changed(self) -> bool:
        return any(line.sign != " " for line in self.lines)

    def folded(self, around: int = 3) -> list[Line | int]:
        """What has changed, with some lines around it; a number stands for so many lines that are as they were."""
        if not self.changed:
            return list(self.lines)
        near = {
            place
            for at, line in enumerate(self.lines)
            if line.sign != " "
            for place in range(at - around, at + around + 1)
        }
        found: list[Line | int] = []
        for at, line in enumerate(self.lines):
            if at in near:
                found.append(line)
            elif found and isinstance(found[-1], int):
                found[-1] += 1
            else:
                found.append(1)
        return found


def tasks(rows: Iterable[Mapping[str, Any]]) -> tuple[Known, ...]:
    """What `task list --json` printed."""
    return tuple(
        _made(
            Known,
            {
                **row,
                "levels": tuple(_made(Level, level) for level in row["levels"]),
                "rewards": tuple(row.get("rewards", ())),
            },
        )
        for row in rows
    )


def plugins(rows: Iterable[Mapping[str, Any]]) -> tuple[Plug, ...]:
    """What `plugin list --json` printed: what is the owner's first, and of that first what waits for a decision."""
    order = ("changed", "not trusted", "flawed", "trusted", "built in")
    found = [_made(Plug, row) for row in rows]
    return tuple(sorted(found, key=lambda plug: (not plug.quarantined, order.index(plug.standing))))


def text(facts: Mapping[str, Any]) -> Text:
    """What `plugin show --json` printed."""
    return _made(Text, {**facts, "lines": tuple(_made(Line, line) for line in facts["lines"])})


def rewards(settings: str, own: Sequence[str] = ()) -> str:
    """The rewards that the settings name, and those that items name themselves, in words."""
    named = [word.strip().replace("=", " × ") for word in settings.split(",") if word.strip()]
    return ", ".join([*named, *(f"{name} where an item asks for it" for name in own)])


def _made(kind: type[_Fact], facts: Mapping[str, Any]) -> _Fact:
    """Of the facts those that are shown; text as it can be looked at."""
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: visible(v) if isinstance(v, str) else v for name, v in facts.items() if name in known})
