"""What a training session is judged by: its suites before and after, what the gate looks at, what was forgotten.

One set of rules for book training and for nights:

- new entries of the book are a target, and all there are: a plain fact, no sample;
- the old entries are guarded; so are levels that are mastered;
- a level that was practised is a target, one that was not is watched;
- old entries in the middle of a talk are watched; phrasings are only reported: so few items cannot tell three points
  from chance, and a new answer may rightly change what a like question gets.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from mrclassic.book import Entry
from mrclassic.errors import MrClassicError
from mrclassic.model.policy import Policy
from mrclassic.night.gate import GateVerdict, Kind, SuiteScores, judge
from mrclassic.night.report import Change
from mrclassic.night.workplace import Parent, Workplace
from mrclassic.store import Checkpoint
from mrclassic.tasks.arms import Arms
from mrclassic.training.state import State
from mrclassic.training.suites import PHRASINGS, TALK, Suite, SuiteResult, recall, recall_in_talk, skill, summary

NEW, OLD = "new_entries", "old_entries"
OVERTAKEN = (
    "Another checkpoint came into use meanwhile; what was judged against the earlier one is not put in its place."
)
MASTERED = 0.97  # from here on a level is guarded; below, it flips on too many items for a guard of a few hundred


class Bench:
    """The suites of one session, measured on the parent when made. `items` of each level, another choice by `rotation`,
    so that months of sessions cannot fit them. With `asked`, levels of which held-out items are the target, the book's
    new entries go on waiting. `seconds` is how long the measuring took."""

    def __init__(
        self,
        work: Workplace,
        parent: Parent,
        *,
        items: int,
        rotation: int,
        practised: bool,
        asked: Arms | None = None,
    ) -> None:
        self.work, self.parent, self.practised, self.asked = work, parent, practised, asked
        known = set(parent.manifest.book)
        self.fresh = [entry for entry in work.entries if entry.hash not in known and asked is None]
        self.old = [entry for entry in work.entries if entry.hash in known]
        self.new = frozenset(entry.hash for entry in self.fresh)
        self.arms = work.practised()
        self.suites = self._suites(items, rotation)
        begun = time.monotonic()
        self.before = work.measure(parent.policy, self.suites)
        self.seconds = time.monotonic() - begun

    def _suites(self, items: int, rotation: int) -> list[Suite]:
        every = {name: arms for arms in (self.arms, self.asked) if arms is not None for name in arms.names}
        levels = [skill(arms, name, items, rotation) for name, arms in every.items()]
        book = (recall(self.fresh, NEW), recall(self.old, OLD), recall_in_talk(self.old), self.work.phrasings())
        return [suite for suite in (*book, *levels) if suite.probes]

    @property
    def success(self) -> dict[str, float]:
        """What the parent can do of each level."""
        return {name: self.before[name].score for name in self.arms.names if name in self.before}

    @property
    def mastered(self) -> tuple[str, ...]:
        """The levels that are guarded rather than practised for gain."""
        return tuple(name for name, score in self.success.items() if score >= MASTERED)

    def measure(self, policy: Policy) -> dict[str, SuiteResult]:
        """The child on the same items."""
        return self.work.measure(policy, self.suites)

    def judge(self, after: dict[str, SuiteResult]) -> GateVerdict:
        """The gate's word on the child; where nothing is new or practised, to hold everything is enough."""
        kinds = {name: kind for name in self.before if (kind := self._kind(name)) is not None}
        golden = self._golden([suite for suite in self.suites if kinds.get(suite.name) == "guard"])
        gate = self.work.settings.gate
        scores = [
            SuiteScores(
                name,
                kind,
                self.before[name].scores,
                after[name].scores,
                golden[name].scores if name in golden else None,
                census=name == NEW,
            )
            for name, kind in kinds.items()
        ]
        verdict = judge(scores, margin=gate.margin, confidence=gate.confidence)
        if "target" in kinds.values():
            return verdict
        broken = [
            suite.reason for suite in verdict.suites if suite.high < 0 or (suite.kind == "guard" and not suite.passed)
        ]
        return GateVerdict("keep" if broken else "promote", tuple(broken), verdict.suites)

    def _kind(self, name: str) -> Kind | None:
        if name == PHRASINGS:
            return None
        if name == NEW or (self.asked is not None and name in self.asked.names):
            return "target"
        if name == OLD or name in self.mastered:
            return "guard"
        return "target" if self.practised and name != TALK else "watch"

    def _golden(self, guarded: Sequence[Suite]) -> dict[str, SuiteResult]:
        """Scores of the golden checkpoint, so that small losses cannot add up over many sessions."""
        row = self.work.store.checkpoints.golden()
        if row is None or row.id == self.parent.row.id:
            return {}
        try:
            return self.work.measure(self.work.parent(row.id).policy, guarded)
        except MrClassicError as error:
            self.work.say(f"The golden checkpoint could not be compared: {error}")
            return {}

    def known(self, after: dict[str, SuiteResult]) -> tuple[str, ...]:
        """The entries that the child knows: those that were known before and still stand in the book, and the new ones
        that it answers letter by letter. A new entry that was not learnt goes on waiting."""
        learnt = zip(self.fresh, after[NEW].scores, strict=True) if NEW in after else ()
        hashes = {entry.hash for entry in self.old} | {entry.hash for entry, score in learnt if score == 1.0}
        return tuple(entry.hash for entry in self.work.entries if entry.hash in hashes)

    def changes(self, after: dict[str, SuiteResult]) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
        """Book lines that were known and are not any more, and the other way round."""
        forgotten: list[Change] = []
        learnt: list[Change] = []
        entries: dict[str, list[Entry]] = {NEW: self.fresh, OLD: self.old}
        for name, those in entries.items():
            if name not in after:
                continue
            before, now = self.before[name], after[name]
            for place, entry in enumerate(those):
                change = Change(entry.turns[-1].user, before.replies[place], now.replies[place])
                if before.scores[place] > now.scores[place]:
                    forgotten.append(change)
                elif before.scores[place] < now.scores[place]:
                    learnt.append(change)
        return tuple(forgotten), tuple(learnt)


@dataclass(frozen=True)
class Settled:
    """What became of a trained policy: its checkpoint, whether it is in use, and the reasons; what was forgotten."""

    row: Checkpoint
    promoted: bool
    reasons: tuple[str, ...]
    before: dict[str, float]
    after: dict[str, float]
    forgotten: tuple[str, ...]


def settle(bench: Bench, state: State, method: str, run: int, ended: str) -> Settled:
    """Measure what was trained, keep it, use it if the gate lets it pass, and finish the run."""
    work, parent = bench.work, bench.parent
    policy = state.trainee.full_policy()
    found = bench.measure(policy)
    verdict = bench.judge(found)
    before, after = summary(bench.before), summary(found)
    row = work.keep(
        policy,
        method,
        parent=parent.row,
        run=run,
        step=state.step,
        known=bench.known(found),
        metrics=after,
        # Moments of adapters are of no use once those are merged.
        state=None if state.trainee.fit.lora else state.trainee.tensors(),
    )
    refused = () if verdict.promoted else verdict.reasons
    if not refused and not work.use(row, instead_of=parent.wanted):
        refused = (OVERTAKEN,)
    work.store.runs.finish(run, ended, row.id, {"before": before, "after": after, "reasons": list(verdict.reasons)})
    forgotten, _ = bench.changes(found)
    questions = tuple(change.question for change in forgotten)
    return Settled(row, not refused, refused or verdict.reasons, before, after, questions)
