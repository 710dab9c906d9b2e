"""What a night does at this moment, read once a second: from the store, from the locks of the device, and from what the
service says. Everything here runs on the store's thread and knows no widget."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from mrclassic import heartbeat, lease
from mrclassic.daemon import status
from mrclassic.tui.curves import Curve, Gathered
from mrclassic.tui.visible import visible

if TYPE_CHECKING:
    from mrclassic.home import Home
    from mrclassic.store import Night, Run, Store

SAMPLES = 6
ALARMS = 4
_PACE = 20  # updates whose pace counts
_AT_ONCE = 5000  # updates read at one look: the picks of the owner wait behind it

State = Literal["idle", "lesson", "starting", "waiting", "planning", "running", "judging"]


@dataclass(frozen=True)
class Shown:
    """A sample: what was asked and said, its score (None: the reward abstained), and its parts."""

    step: int
    prompt: str
    completion: str
    reward: float | None
    parts: str = ""


@dataclass(frozen=True)
class Tonight:
    """A night at this moment, or what comes next where there is none."""

    state: State = "idle"
    night: int | None = None
    """Its number, once it has one."""
    stage: str = ""
    place: int = 0
    """Which of its stages this is, counted from 1, of `stages`."""
    stages: int = 0
    step: int = 0
    steps: int = 0
    left: float | None = None
    """Minutes until its end, where that can be said."""
    words: str = ""
    """What it last said of itself."""
    device: str = ""
    service: str = ""
    serving: bool = False
    """Whether a service starts the nights."""
    paused: bool = False
    pid: int = 0
    """Of the process to be asked to end; 0 where there is none."""
    curves: tuple[Curve, ...] = ()
    alarms: tuple[str, ...] = ()
    samples: tuple[Shown, ...] = ()
    plan: tuple[str, ...] = ()
    nights: int = 0
    """The number of the last night that ended."""


class Watcher:
    """Looks at the night of one home again and again, and remembers what it has read of its curves."""

    def __init__(self, home: Home, store: Store) -> None:
        self._home, self._store = home, store
        self._run: tuple[int, str] | None = None
        self._gathered = Gathered()
        self._paces: deque[float] = deque(maxlen=_PACE)
        self._held_out: tuple[str, Curve | None] = ("", None)
        self._outlook: tuple[int, tuple[str, ...]] = (0, ())

    def look(self) -> Tonight:
        """The night now."""
        service, begun, row = status.read(self._home), lease.begun(self._home), self._store.nights.last()
        self._learn_held_out()
        seen = Tonight(
            device=self._device(),
            service=self._service(service),
            serving=service.running,
            paused=service.paused,
            nights=row.id if row and row.status in ("done", "failed", "interrupted") else row.id - 1 if row else 0,
        )
        if begun is None or begun.who == "lesson":
            held_out = (self._held_out[1],) if self._held_out[1] else ()
            plan = self._next(row)
            # The first sentence says when it begins by itself, which without a service it does not.
            plan = plan if service.running or len(plan) < 2 else plan[1:]
            return replace(seen, state="lesson" if begun else "idle", curves=held_out, plan=plan)
        words = heartbeat.pulse(status.beat_file(self._home))[1]
        pid = begun.pid if begun.who == "night" else 0
        seen = replace(seen, words=visible(words), pid=pid, state="starting")
        if row is None or row.status not in ("planned", "running"):
            if lease.night(self._home) is not None:
                seen = replace(seen, state="planning")
            elif lease.awaited(self._home):
                seen = replace(seen, state="waiting")
            return seen
        return self._live(seen, row)

    def _live(self, seen: Tonight, row: Night) -> Tonight:
        """A night that has its row."""
        planned: list[dict[str, Any]] = row.plan.get("plan", {}).get("stages", [])
        names = [str(stage["name"]) for stage in planned]
        runs = self._store.runs.of_night(row.id)
        seen = replace(
            seen,
            state="judging" if row.stage == "gate" else "running",
            night=row.id,
            stage=row.stage,
            stages=len(names),
            plan=tuple(visible(line) for line in row.plan.get("lines", ())),
            alarms=self._alarms(runs),
        )
        run = next((run for run in reversed(runs) if run.kind == row.stage), runs[-1] if runs else None)
        if run is not None:
            self._follow(run)
            held_out = (self._held_out[1],) if self._held_out[1] else ()
            seen = replace(seen, curves=(*self._gathered.curves, *held_out), samples=self._samples(run))
        measuring = float(row.plan.get("plan", {}).get("measuring", 0.0)) / 60 / 2  # the other half was before it
        if row.stage not in names:
            return replace(seen, place=len(names), left=None)
        at = names.index(row.stage)
        steps, step = int(planned[at]["steps"]), self._gathered.step if run and run.kind == row.stage else 0
        pace = fmean(self._paces) if self._paces and step else float(planned[at]["seconds_each"])
        later = sum(int(stage["steps"]) * float(stage["seconds_each"]) for stage in planned[at + 1 :])
        left = (max(0, steps - step) * pace + later) / 60 + measuring
        return replace(seen, place=at + 1, step=step, steps=steps, left=left)

    def _follow(self, run: Run) -> None:
        """Read what has come since the last look; a run that was taken up again is read anew, as it goes back."""
        if self._run != (run.id, run.status):
            self._run, self._gathered = (run.id, run.status), Gathered()
            self._paces.clear()
        for step, metrics in self._store.runs.steps(run.id, self._gathered.step, _AT_ONCE):
            self._gathered.add(step, metrics)
            spent = float(metrics.get("seconds/rollout", 0.0)) + float(metrics.get("seconds/update", 0.0))
            if spent:
                self._paces.append(spent)

    def _alarms(self, runs: list[Run]) -> tuple[str, ...]:
        """The newest words of the sentinel, oldest first."""
        said = [f"{run.kind}, update {a.step}: {a.verdict}: {a.message}" for run in runs for a in self._alarms_of(run)]
        return tuple(visible(line) for line in said[-ALARMS:])

    def _alarms_of(self, run: Run) -> list[Any]:
        return self._store.runs.alarms(run.id)[-ALARMS:]

    def _samples(self, run: Run) -> tuple[Shown, ...]:
        return tuple(
            Shown(each.step, visible(each.prompt), visible(each.completion), each.reward, _parts(each.detail))
            for each in self._store.runs.samples(run.id, SAMPLES)
        )

    def _learn_held_out(self) -> None:
        """The mean of the levels that were measured of every checkpoint on the way to the one in use."""
        used = self._store.checkpoints.in_use()
        if used is None or self._held_out[0] == used.id:
            return
        line = [row.metrics for row in reversed(self._store.checkpoints.lineage(used.id))]
        line = [metrics for metrics in line if any(":" in name for name in metrics)]
        shared = [name for name in (line[0] if line else {}) if ":" in name and all(name in each for each in line)]
        curve = None
        if len(line) > 1 and shared:
            values = tuple(fmean(float(each[name]) for name in shared) for each in line)
            title = f"held out, {len(shared)} {'level' if len(shared) == 1 else 'levels'}"
            curve = Curve(title, tuple(map(float, range(1, len(line) + 1))), values, f"{values[-1]:.0%} by checkpoint")
        self._held_out = (used.id, curve)

    def _device(self) -> str:
        holder = lease.night(self._home)
        if holder is not None:
            return f"The night has the device (process {holder.pid})." if holder.pid else "The night has the device."
        return "The model has the device." if lease.taken(self._home) else "The device is free."

    def _service(self, found: status.Status) -> str:
        if not found.running:
            return "No service runs: a night starts when you ask for it."
        return status.sentence(found)

    def _next(self, last: Night | None) -> tuple[str, ...]:
        """What the next night will do, as the report of the last one says."""
        if last is None:
            return ("There has been no night yet; it begins with the book, then practises what is not mastered.",)
        if self._outlook[0] != last.id:
            self._outlook = (last.id, self._read_outlook(last))
        return self._outlook[1]

    def _read_outlook(self, last: Night) -> tuple[str, ...]:
        if not last.report:
            return ()
        try:
            facts = json.loads((self._home.nights / last.report).with_suffix(".json").read_text(encoding="utf-8"))
            return tuple(visible(str(line)) for line in facts["tonight"])
        except (OSError, ValueError, KeyError, TypeError):
            return ()  # the report says it in words, or says that it cannot be read


def _parts(detail: dict[str, Any]) -> str:
    """The parts of a score, and the answer that was right."""
    rewards = detail.get("rewards")
    rewards = rewards if isinstance(rewards, dict) else {}
    parts = [f"{name} {'abstains' if value is None else f'{value:g}'}" for name, value in rewards.items()]
    if "answer" in detail:
        parts.append(f"right is {detail['answer']}")
    return visible(", ".join(parts))
