"""What a training session is judged by: its suites before and after, what the gate looks at, what was forgotten.

One set of rules for book training and for nights:

- new entries of the book are a target, and all there are: a plain fact, no sample;
- the old entries are guarded; so are levels that are mastered;
- a level that was practised is a target, one that was not is watched;
- a level that the model was promoted for before is guarded from then on, also while it is practised further;
- text by the owner and by others is guarded where the model has learned to read at all; so is the owner's taste;
- what was promoted for is measured on as many items however short the session is; where there are not so many, the
  guard is the surer of them (see `gate.half_learnt`), and of the owner's picks, too few to guard, they are watched;
- old entries in the middle of a talk are watched; phrasings are only reported: so few items cannot tell three points
  from chance, and a new answer may rightly change what a like question gets.

Where something is to be chosen first (see `blending`), a third of the items, by hash, is for choosing and never judges.
The book is whole in both: it is all there is, and nothing is concluded from it about other items.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mrclassic.book import Entry
from mrclassic.errors import MrClassicError
from mrclassic.model.policy import Policy
from mrclassic.night import guarding, knowing
from mrclassic.night.gate import GateVerdict, Kind, SuiteScores, half_learnt, judge
from mrclassic.night.guarding import GUARDS, OTHER_TEXT, OWN_TEXT, PICKS
from mrclassic.night.report import Change
from mrclassic.night.workplace import Parent, Workplace
from mrclassic.store import Checkpoint, Recall
from mrclassic.tasks import arithmetic
from mrclassic.tasks.arms import Arms
from mrclassic.training.state import State
from mrclassic.training.suites import PHRASINGS, TALK, Suite, SuiteResult, recall, recall_in_talk, skill, summary

NEW, OLD = "new_entries", "old_entries"
OVERTAKEN = (
    "Another checkpoint came into use meanwhile; what was judged against the earlier one is not put in its place."
)
MASTERED = 0.97  # from here on few items flip by chance, and a guard of a few hundred tells three points
UNLEARNT = 0.03  # below, hardly an item can be lost
FEW = 600  # items that tell five points on a level that is mastered or not learnt at all
ENOUGH = 800  # items of a guard on which a fifth flips by chance
EARNED = 1200  # items of what was promoted for, where there are so many: two thirds of them are enough
_GLANCE = 150  # items of each level that are enough for a plan
TEXT_MARGIN = 0.02  # how much of a text's loss may be added
_READS = 0.5  # of the loss of one who knows nothing: below, a model has learned to read, and may forget it
_WHOLE = (NEW, OLD, TALK, PHRASINGS)

Results = Mapping[str, SuiteResult]


class Bench:
    """The suites of one session, measured on the parent when made. `items` of each level (of what was promoted for at
    least `EARNED`), another choice by `rotation`, so that months of sessions cannot fit them. Levels that are `asked`
    are a target by held-out items, `preferred` are held-out picks that are one; with either, unless the session is a
    night (`practised`), the book's new entries go on waiting. With `choosing`, a third of the items is set aside to
    choose by. `seconds` is how long the measuring took; with `glance`, which is only for a plan, how long it would
    take."""

    def __init__(
        self,
        work: Workplace,
        parent: Parent,
        *,
        items: int,
        rotation: int,
        practised: bool,
        asked: Arms | None = None,
        choosing: bool = False,
        preferred: Suite | None = None,
        glance: bool = False,
    ) -> None:
        self.work, self.parent, self.practised, self.asked = work, parent, practised, asked
        self.preferred, self.glance = preferred, glance
        known = set(parent.manifest.book)
        taught = practised or (asked is None and preferred is None)
        self.fresh = [entry for entry in work.entries if entry.hash not in known and taught]
        self.old = [entry for entry in work.entries if entry.hash in known]
        self.new = frozenset(entry.hash for entry in self.fresh)
        self.arms = work.practised()
        self.earned = guarding.earned(work, parent)
        begun = time.monotonic()
        every, before, share = self._measured(items, rotation)
        self.seconds = (time.monotonic() - begun) / share
        every = [suite for suite in every if suite.how != "read" or self._reads(before[suite.name])]
        self.choosing, self._before_choosing = _part(every, before, choosing=True) if choosing else ([], {})
        self.suites, self.before = _part(every, before, choosing=False if choosing else None)
        self.kinds = {name: kind for name in self.before if (kind := self._kind(name)) is not None}

    def _measured(self, items: int, rotation: int) -> tuple[list[Suite], dict[str, SuiteResult], float]:
        """The suites with what the parent does of them; a level on which few items can flip has no more than `FEW`. And
        the share of all its items that was measured: with `glance` a few of each level."""
        whole = self._suites(items, rotation)
        few = [_begun(suite, FEW) for suite in whole]
        first = [_begun(suite, _GLANCE) for suite in whole] if self.glance else few
        found = self.work.measure(self.parent.policy, first)
        half = {suite.name for suite in first if suite.arms and UNLEARNT < found[suite.name].score < MASTERED}
        every = [suite if suite.name in half else less for suite, less in zip(whole, few, strict=True)]
        if self.glance:
            return first, found, _items(first) / max(1, _items(every))
        rest = [replace(suite, probes=suite.probes[FEW:]) for suite in every if suite.name in half]
        for name, result in self.work.measure(self.parent.policy, rest).items():
            scores, replies = found[name].scores + result.scores, found[name].replies + result.replies
            found[name] = SuiteResult(name, scores, replies)
        return every, found, 1.0

    def _suites(self, items: int, rotation: int) -> list[Suite]:
        every = {name: arms for arms in (self.arms, self.asked) if arms is not None for name in arms.names}
        every |= guarding.arms(self.work, [name for name in self.earned if name not in every])
        count = {name: max(items, EARNED) if name in self.earned else items for name in every}
        levels = [skill(arms, name, count[name], rotation) for name, arms in every.items()]
        picks = [self.preferred] if self.preferred else []
        book = (*picks, recall(self.fresh, NEW), recall(self.old, OLD), recall_in_talk(self.old), self.work.phrasings())
        return [suite for suite in (*book, *levels, *guarding.suites(self.work)) if suite.probes]

    @property
    def success(self) -> dict[str, float]:
        """What the parent can do of each level that is practised."""
        return {name: self.before[name].score for name in self.arms.names if name in self.before}

    @property
    def mastered(self) -> tuple[str, ...]:
        """The levels that are guarded rather than practised for gain."""
        return tuple(name for name, score in self.success.items() if score >= MASTERED)

    @property
    def remembered(self) -> Arms:
        """The levels whose right answers a supervised run replays: sums, and of what is practised or guarded whatever
        the parent can do some of."""
        some = [name for name, result in self.before.items() if result.score > 0]
        every = dict.fromkeys(self.arms.names, self.arms)
        every |= guarding.arms(self.work, [name for name in self.earned if name in some and name not in every])
        sums = Arms([(arithmetic, None)])
        return sums.joined([arms.only([name]) for name, arms in every.items() if name in some])

    @property
    def judging_seconds(self) -> float:
        """How long judging may take at most: every way that is tried, the one that is chosen, the golden checkpoint."""
        golden = self.work.store.checkpoints.golden()
        compared = golden is not None and golden.id != self.parent.row.id
        tries = 4 / 3 if self.choosing else 0.0
        return self.seconds * (tries + (1 + compared) * (2 / 3 if self.choosing else 1))

    def measure(self, policy: Policy, found: Results | None = None) -> dict[str, SuiteResult]:
        """The child on the items that judge; suites that are whole are taken from what was `found` already."""
        there = {name: found[name] for name in _WHOLE if found is not None and name in found}
        rest = self.work.measure(policy, [suite for suite in self.suites if suite.name not in there])
        return {suite.name: there.get(suite.name) or rest[suite.name] for suite in self.suites}

    def try_out(self, policy: Policy) -> tuple[dict[str, SuiteResult], GateVerdict]:
        """What `policy` does on the items that choose, and what the gate would say of that."""
        found = self.work.measure(policy, self.choosing)
        return found, self._weighed(self._before_choosing, found, {})

    def judge(self, after: Results) -> GateVerdict:
        """The gate's word on the child; where nothing is new or practised, to hold everything is enough."""
        verdict = self._weighed(self.before, after, {})
        if not verdict.promoted:
            return verdict
        # Only now is it worth the time to measure a third checkpoint.
        guarded = [suite for suite in self.suites if self.kinds.get(suite.name) == "guard" or self._held(suite.name)]
        golden = self._golden(guarded)
        return self._weighed(self.before, after, golden) if golden else verdict

    def _weighed(self, before: Results, after: Results, golden: Results) -> GateVerdict:
        gate = self.work.settings.gate
        scores = [
            SuiteScores(
                name,
                kind,
                before[name].scores,
                after[name].scores,
                golden[name].scores if name in golden else None,
                census=name == NEW,
                margin=TEXT_MARGIN * -before[name].score if name in (OWN_TEXT, OTHER_TEXT) else None,
                confidence=half_learnt(len(before[name].scores)) if self._flips(name) else None,
                held=self._held(name),
            )
            for name, kind in self.kinds.items()
            if name in before
        ]
        verdict = judge(scores, margin=gate.margin, confidence=gate.confidence)
        if "target" in self.kinds.values():
            return verdict
        broken = [suite.reason for suite in verdict.suites if suite.lost]
        return GateVerdict("keep" if broken else "promote", tuple(broken), verdict.suites)

    def _kind(self, name: str) -> Kind | None:
        scores = self.before[name].scores
        if name == PHRASINGS:
            return None
        if name in (OWN_TEXT, OTHER_TEXT):
            return "guard" if len(scores) > 1 else "watch"
        if name == NEW or (self.asked is not None and name in self.asked.names) or self._is_preferred(name):
            return "target"
        if name == OLD or name in self.mastered:
            return "guard"
        if name in self.earned or name == PICKS:
            if name in self.arms.names and self.practised:
                return "target"
            sure = name in self.earned or self.before[name].score >= MASTERED or len(scores) >= ENOUGH
            return "guard" if sure else "watch"
        return "target" if self.practised and name != TALK else "watch"

    def _is_preferred(self, name: str) -> bool:
        return self.preferred is not None and name == self.preferred.name

    def _reads(self, text: SuiteResult) -> bool:
        """Whether the parent has learned to read at all; what hatched here has only ever been shown replies."""
        return -text.score < _READS * math.log(self.parent.policy.live)

    def _held(self, name: str) -> bool:
        """Whether it is practised further, but was gained by an earlier promotion."""
        return self.kinds.get(name) == "target" and name in self.earned

    def _flips(self, name: str) -> bool:
        """Whether it is a guard that is half-learnt."""
        guarded = self.kinds[name] == "guard" and (name in self.earned or name == PICKS)
        return (guarded or self._held(name)) and self.before[name].score < MASTERED

    def guards(self, verdict: GateVerdict) -> dict[str, list[str]]:
        """What a promotion by `verdict` adds to the checkpoint's metrics: the levels that are guarded from now on."""
        gained = [each.name for each in verdict.suites if each.name in self.arms.names and each.passed]
        return {GUARDS: gained} if verdict.promoted and gained else {}

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

    def known(self, after: Results) -> tuple[str, ...]:
        """The entries that the child knows: those that were known before and still stand in the book, and the new ones
        that it answers letter by letter. A new entry that was not learnt goes on waiting."""
        learnt = zip(self.fresh, after[NEW].scores, strict=True) if NEW in after else ()
        hashes = {entry.hash for entry in self.old} | {entry.hash for entry, score in learnt if score == 1.0}
        return tuple(entry.hash for entry in self.work.entries if entry.hash in hashes)

    def recalled(self, after: Results) -> list[Recall]:
        """What the child says to each entry of the book."""
        return knowing.told(after, **{NEW: self.fresh, OLD: self.old})

    def changes(self, after: Results) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
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


def _begun(suite: Suite, most: int) -> Suite:
    """The first `most` items of a level; what is no level is whole."""
    return replace(suite, probes=suite.probes[:most]) if suite.arms else suite


def _items(suites: Sequence[Suite]) -> int:
    return sum(len(suite.probes) for suite in suites)


def _part(
    suites: Sequence[Suite], results: Results, choosing: bool | None
) -> tuple[list[Suite], dict[str, SuiteResult]]:
    """The items of `suites` that choose, those that judge, or (None) all, with what was found of them; the book is
    whole."""
    kept: list[Suite] = []
    found: dict[str, SuiteResult] = {}
    for suite in suites:
        if choosing and suite.name == PHRASINGS:
            continue
        whole = choosing is None or suite.name in _WHOLE
        places = [at for at, probe in enumerate(suite.probes) if whole or probe.chooses == choosing]
        if places:
            scores, replies = results[suite.name].scores, results[suite.name].replies
            kept.append(replace(suite, probes=tuple(suite.probes[at] for at in places)))
            found[suite.name] = SuiteResult(
                suite.name, tuple(scores[at] for at in places), tuple(replies[at] for at in places)
            )
    return kept, found


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
    guards = bench.guards(verdict)
    row = work.keep(
        policy,
        method,
        parent=parent.row,
        run=run,
        step=state.step,
        known=bench.known(found),
        metrics={**after, **guards},
        # Moments of adapters are of no use once those are merged.
        state=None if state.trainee.fit.lora else state.trainee.tensors(),
    )
    work.store.recalls.keep(row.id, bench.recalled(found))
    refused = () if verdict.promoted else verdict.reasons
    if not refused and not work.use(row, instead_of=parent.wanted):
        refused = (OVERTAKEN,)
    work.store.runs.finish(run, ended, row.id, {"before": before, "after": after, "reasons": list(verdict.reasons)})
    forgotten, _ = bench.changes(found)
    questions = tuple(change.question for change in forgotten)
    return Settled(row, not refused, refused or verdict.reasons, before, after, questions)
