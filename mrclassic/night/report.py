"""What a night reports: plain data, kept as JSON and read as a page of Markdown.

The page answers, in this order: what was decided, what was practised and how it went (curves and ten samples with
their scores), what the sentinel did, what was gained or forgotten line by line, the gate's numbers, what it cost, what
comes next.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from mrclassic import files
from mrclassic.errors import MrClassicError
from mrclassic.night.choices import Choice, told
from mrclassic.night.gate import GateVerdict, SuiteVerdict
from mrclassic.night.telling import told_of
from mrclassic.sparkline import CELLS, sparkline
from mrclassic.titles import counted, title

SAMPLES_SHOWN = 10
LINES_SHOWN = 25


@dataclass(frozen=True)
class Sample:
    """One completion of the night and what the reward said of it."""

    prompt: str
    completion: str
    reward: float | None
    note: str = ""


@dataclass(frozen=True)
class StageReport:
    """One stage: how far it came (`steps`, `completions`, `tokens`), its curve by step, what was chosen to practise,
    the sentinel's alarms."""

    name: str
    status: str
    seconds: float
    steps: int = 0
    completions: int = 0
    tokens: int = 0
    facts: dict[str, float] = field(default_factory=dict)
    curve: tuple[tuple[int, dict[str, float]], ...] = ()
    alarms: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True)
class Change:
    """A question that the two models answer differently."""

    question: str
    before: str
    after: str


@dataclass(frozen=True)
class NightReport:
    """A whole night. Times are UTC ISO 8601; `checkpoint_after` is the one in use when the night was over; `price` is
    that of an hour in the owner's money (0: nothing is said of it), `worked` the minutes without pauses (None: there
    were none), `tonight` what the next night will do."""

    night: int
    started: str
    finished: str
    minutes: float
    device: str
    checkpoint_before: str
    checkpoint_after: str
    plan: tuple[str, ...] = ()
    stages: tuple[StageReport, ...] = ()
    gate: GateVerdict | None = None
    suites_before: dict[str, float] = field(default_factory=dict)
    suites_after: dict[str, float] = field(default_factory=dict)
    forgotten: tuple[Change, ...] = ()
    learned: tuple[Change, ...] = ()
    promoted: bool = False
    waiting_next: str = ""
    best_questions: tuple[str, ...] = ()
    price: float = 0.0
    worked: float | None = None
    tonight: tuple[str, ...] = ()

    @property
    def spent(self) -> float:
        """Minutes that it took, its pauses left out."""
        if self.worked is not None:
            return self.worked
        return (_moment(self.finished) - _moment(self.started)).total_seconds() / 60

    @property
    def cost(self) -> dict[str, float]:
        """What it took: minutes, updates, completions, tokens, and money where an hour has a price."""
        each = {name: sum(getattr(stage, name) for stage in self.stages) for name in ("steps", "completions", "tokens")}
        money = {"money": self.spent / 60 * self.price} if self.price else {}
        return {"minutes": self.spent, "updates": each.pop("steps"), **each, **money}


def to_json(report: NightReport) -> dict[str, Any]:
    """The report as JSON values. JSON has no NaN: a loss that became one is kept, as the string "nan"."""
    value: dict[str, Any] = plain({**asdict(report), "cost": report.cost})
    return value


def from_json(data: Mapping[str, Any]) -> NightReport:
    """The report that `to_json` wrote; ValueError names the field where it is something else."""
    from pydantic import TypeAdapter

    return TypeAdapter(NightReport).validate_python({name: each for name, each in data.items() if name != "cost"})


def write(report: NightReport, folder: Path) -> Path:
    """Write `night-N.json` and `night-N.md` into `folder`; returns the page's path.

    The page goes last and both are renamed into place, so that a page that exists is whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"night-{report.night}.md"
    text = json.dumps(to_json(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    for path, content in ((page.with_suffix(".json"), text), (page, to_markdown(report))):
        # Half a character that a model or a terminal left behind becomes its escape, which is valid in JSON too.
        files.replace(path, content.encode("utf-8", "backslashreplace"))
    return page


def read(page: Path) -> NightReport:
    """The report whose page or JSON file is `page`; one sentence where it cannot be read."""
    path = page.with_suffix(".json")
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise MrClassicError(
            f"The report {path} is gone; `mrclassic report NIGHT` reads that of another night."
        ) from error
    except ValueError as error:
        where = str(error).splitlines()[0]
        raise MrClassicError(f"The report {path} cannot be read ({where}); the page beside it still can.") from error


def to_markdown(report: NightReport) -> str:
    """The page the owner reads in the morning. Times are shown in the reader's time zone."""
    parts = [_head(report), _practice(report), _samples(report), _sentinel(report), _lines(report), _numbers(report)]
    parts.append(_cost(report))
    return "\n\n".join([*(part for part in parts if part), _next(report)]) + "\n"


def _head(report: NightReport) -> str:
    outcome = "a new model is in use" if report.promoted else "the model in use stays"
    started, finished = _moment(report.started), _moment(report.finished)
    when = f"{started:%A}, {started.day} {started:%B %Y}, {started:%H:%M} to {finished:%H:%M} ({started:%Z})"
    lines = [f"# Night {report.night}: {outcome}", "", f"{when}: {_time(report)}.", ""]
    if report.promoted:
        lines += [
            f"**Promoted:** `{report.checkpoint_after}` replaces `{report.checkpoint_before}`. "
            "`mrclassic model undo` goes back."
        ]
    else:
        lines += [f"**Kept:** `{report.checkpoint_before}` stays in use."]
    if report.gate is not None and report.gate.reasons:
        lines += ["", *(f"- {reason}." for reason in (text.rstrip(".") for text in report.gate.reasons))]
    return "\n".join(lines)


def _time(report: NightReport) -> str:
    """The minutes that it took, and those that it was given."""
    took, given = round(report.spent), report.minutes
    if took <= max(1, given):
        return f"{took} of {given:g} minutes on {report.device}"
    return f"{took} minutes on {report.device}, more than the {given:g} that it was given"


def _practice(report: NightReport) -> str:
    lines = ["## What it practised", ""]
    lines += [f"- {line}" for line in report.plan] or ["There was nothing to practise."]
    for stage in report.stages:
        amounts = [
            counted(count, word)
            for count, word in ((stage.steps, "update"), (stage.completions, "completion"), (stage.tokens, "token"))
            if count
        ]
        if stage.status == "done" and not stage.steps:
            amounts = ["the time was over before its first update"]
        lines += [
            "",
            f"### {title(stage.name)}: {stage.status}",
            "",
            ", ".join([_duration(stage.seconds), *amounts]) + ".",
        ]
        if curves := list(_curves(stage)):
            lines += ["", "```", *curves, "```"]
        if words := told_of(stage, report.gate):
            lines += ["", words]
        if stage.choices:
            lines += ["", "What was chosen, and why:", "", *map(told, stage.choices)]
        if stage.facts:
            lines += ["", "; ".join(f"{name} {_number(value)}" for name, value in stage.facts.items()) + "."]
    return "\n".join(lines)


def _curves(stage: StageReport) -> Iterator[str]:
    """One line for each metric: its name, its curve, its first and last value."""
    names = list(dict.fromkeys(name for _, row in stage.curve for name in row))
    width = max((len(name) for name in names), default=0)
    for name in names:
        values = [row[name] for _, row in stage.curve if name in row]
        ends = f"{_number(values[0])} -> {_number(values[-1])}" if len(values) > 1 else _number(values[0])
        yield f"{name:<{width}}  {sparkline(values):<{CELLS}}  {ends}"


def _samples(report: NightReport) -> str:
    every = [(title(stage.name), sample) for stage in report.stages for sample in stage.samples]
    if not every:
        return ""
    # Evenly over the night, so that every stage shows and so does how it began.
    shown = min(SAMPLES_SHOWN, len(every))
    chosen = [every[i * len(every) // shown] for i in range(shown)]
    lines = ["## Samples", ""]
    for name, sample in chosen:
        score = "no score" if sample.reward is None else f"{sample.reward:g}"
        note = f" ({_inline(sample.note)})" if sample.note else ""
        lines.append(f"- **{score}**{note}, {name}: {_code(sample.prompt)} -> {_code(sample.completion)}")
    return "\n".join(lines)


def _sentinel(report: NightReport) -> str:
    alarms = [f"- {title(stage.name)}: {_inline(alarm)}" for stage in report.stages for alarm in stage.alarms]
    return "\n".join(["## What the sentinel did", "", *(alarms or ["It watched and had nothing to stop."])])


def _lines(report: NightReport) -> str:
    if not report.learned and not report.forgotten:
        return "## Learnt and forgotten\n\nIt answers every question of the book as it did yesterday."
    lines = ["## Learnt and forgotten"]
    for word, changes in (("Learnt", report.learned), ("Forgotten", report.forgotten)):
        if changes:
            lines += ["", f"{word} ({len(changes)}):", ""]
            lines += [
                f"- {_code(change.question)}: {_code(change.before)} -> {_code(change.after)}"
                for change in changes[:LINES_SHOWN]
            ]
            if len(changes) > LINES_SHOWN:
                lines.append(f"- and {len(changes) - LINES_SHOWN:,} more, in the JSON beside this page.")
    if not report.promoted:
        lines += ["", "This is the candidate's doing; the model in use knows what it knew."]
    return "\n".join(lines)


def _numbers(report: NightReport) -> str:
    lines = ["## The gate"]
    if report.gate is None:
        learned = any(stage.steps for stage in report.stages)
        lines += ["", "It was not asked." if learned else "It was not asked: nothing was trained."]
    elif report.gate.suites:
        lines += ["", "| suite | | items | before | after | gain | interval | |", "|---|---|--:|--:|--:|--:|---|---|"]
        lines += [_row(suite) for suite in report.gate.suites]
        lines += _way(report.gate)
    others = [name for name in report.suites_after if name not in _judged(report)]
    if others:
        lines += ["", "Also measured:", ""]
        for name in others:
            before = report.suites_before.get(name)
            start = "" if before is None else f"{_number(before)} -> "
            lines.append(f"- {name}: {start}{_number(report.suites_after[name])}")
    return "\n".join(lines) if len(lines) > 1 else ""


def _way(gate: GateVerdict) -> list[str]:
    """Between the model before and what was trained: what was judged, and what had been tried."""
    if not gate.trials:
        return []
    place = "as it was trained" if gate.share == 1 else f"{gate.share:.0%} of the way to what was trained"
    lines = ["", f"Judged: the model {place}. On the items that are for choosing:", ""]
    for trial in gate.trials:
        words = [f"targets {100 * trial.gain:+.1f} points"]
        words += [_inline(reason) for reason in trial.refused] or ["nothing lost"]
        words += [f"forgot {', '.join(map(_code, trial.forgotten[:5]))}"] if trial.forgotten else []
        lines.append(f"- {trial.share:.0%} of the way: {'; '.join(words)}")
    return lines


def _cost(report: NightReport) -> str:
    cost = report.cost
    parts = [_duration(60 * cost["minutes"])]
    parts += [counted(cost[f"{word}s"], word) for word in ("update", "completion", "token") if cost[f"{word}s"]]
    parts += [f"{cost['money']:.2f} at {report.price:g} an hour"] if "money" in cost else []
    return f"## What it cost\n\n{', '.join(parts)}."


def _judged(report: NightReport) -> set[str]:
    return set() if report.gate is None else {suite.name for suite in report.gate.suites}


def _row(suite: SuiteVerdict) -> str:
    reach = f"{suite.low:+.3f} to {suite.high:+.3f}"
    refused = suite.lost or (suite.kind == "guard" and not suite.passed)  # early reports do not say what was lost
    unharmed = {"target": "gained" if suite.passed else "no gain", "watch": "watched"}.get(suite.kind, "held")
    result = "**refused**" if refused else unharmed
    name = _inline(suite.name).replace("|", "\\|")
    return (
        f"| {name} | {suite.kind} | {suite.n:,} | {suite.parent:.3f} | {suite.child:.3f} | {suite.gain:+.3f} "
        f"| {reach} | {result} |"
    )


def _next(report: NightReport) -> str:
    lines = ["## What comes next", "", report.waiting_next or "Nothing is waiting."]
    lines += ["", *(f"- {line}" for line in report.tonight)] if report.tonight else []
    if report.best_questions:
        lines += ["", "The best questions it asked itself:", ""]
        lines += [f"- {_code(question)}" for question in report.best_questions]
    return "\n".join(lines)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone()


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 90 else f"{seconds / 60:.1f} minutes"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 and math.isfinite(value) else f"{value:.4g}"


def _inline(text: str, limit: int = 160) -> str:
    """One line of at most `limit` characters, without what would move a terminal's cursor or change its colours."""
    line = " / ".join(part.strip() for part in text.splitlines() if part.strip())
    line = "".join(letter if letter.isprintable() else "·" for letter in line)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _code(text: str) -> str:
    """Text as inline code that no backtick in it can end; an empty text is said to be empty."""
    line = _inline(text)
    if not line:
        return "(nothing)"
    fence = "`"
    while fence in line:
        fence += "`"
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: numbers that are not finite become words."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
