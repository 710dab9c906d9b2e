"""What the owner said, as far as a night may learn from it: picks in pairs (DPO), rated conversations (TD), and the
taste that was learned from picks as a reward.

Each is a stage where the settings give it a share of the time and its evidence carries it; else there is a sentence why
not. What it learns from is marked in the plan, so that a night that was cut short goes on with the same picks, ratings
and taste, whatever was said since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mrclassic.choices import Choice
from mrclassic.errors import MrClassicError, Refused
from mrclassic.evidence import Evidence
from mrclassic.night import practice, prefer
from mrclassic.night.dialogues import conversations
from mrclassic.night.practised import words
from mrclassic.night.workplace import Workplace
from mrclassic.store import tasting
from mrclassic.tasks import conversation
from mrclassic.titles import counted, title
from mrclassic.training import dpo, rated
from mrclassic.training.journal import digest
from mrclassic.training.rated import Rated
from mrclassic.training.suites import Suite
from mrclassic.training.taste import keeping

DPO, RATED, TASTE = "dpo", "td", "taste"
STAGES = (DPO, RATED, TASTE)  # in the order of a night
HELD = 20  # picks that are held out: with fewer nothing would show whether it was of use
_KEYS: Mapping[str, str] = {DPO: "dpo", RATED: "ratings", TASTE: "practice"}


@dataclass(frozen=True)
class Marks:
    """What a night learns from, as plain data: its newest pick and vote, the content of the rated conversations, the
    folder of the taste."""

    pick: int = 0
    vote: int = 0
    talks: str = ""
    taste: str = ""


@dataclass(frozen=True)
class Opinions:
    """What there is to learn from; `shares` of the practice by stage, and `off`, the reason for each that is none.

    Of picks and votes a fifth is `held` out. `subject` is what practice by taste asks, of `evidence`.
    """

    marks: Marks = Marks()
    learned: tuple[Choice, ...] = ()
    held: tuple[Choice, ...] = ()
    talks: tuple[Rated, ...] = ()
    subject: practice.Subject | None = None
    evidence: Evidence | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    off: Mapping[str, str] = field(default_factory=dict)

    @property
    def suite(self) -> Suite | None:
        """Held-out picks as a target, where a stage could move them and they are enough to tell."""
        return prefer.suite(self.held) if self.shares and len(self.held) >= HELD else None

    @property
    def lines(self) -> tuple[str, ...]:
        """Which stages there are not, and why."""
        return tuple(f"{title(name)}: off. {why}" for name, why in self.off.items())

    def without(self, name: str, why: str) -> Opinions:
        """The same without a stage."""
        shares = {each: share for each, share in self.shares.items() if each != name}
        return replace(self, shares=shares, off={**self.off, name: why})


def gather(work: Workplace, marks: Marks | None = None) -> Opinions:
    """What the owner said until now, or until `marks` were made."""
    given = {name: float(getattr(work.settings.taste, _KEYS[name])) for name in STAGES}
    until = tasting.Until(marks.pick, marks.vote) if marks else None
    every = tasting.said(work.store, until)
    until = until or tasting.newest_of(every)
    learned, held = prefer.parted(every)
    talks, named = _talks(work, marks)
    newest = tasting.newest(work.home)
    taste = (newest.name if newest else "") if marks is None else marks.taste
    lacking = {name: f"The settings give it no time ([taste] {_KEYS[name]})." for name in STAGES if not given[name]}
    if DPO not in lacking and (why := _few_picks(learned, held)):
        lacking[DPO] = why
    if RATED not in lacking and isinstance(talks, str):
        lacking[RATED] = talks
    subject = evidence = None
    if TASTE not in lacking:
        try:
            subject, evidence = _subject(work, taste), keeping.evidence(work.home.taste / taste)
        except MrClassicError as error:  # thin evidence, or a taste that is damaged: no reason to practise nothing
            lacking[TASTE] = str(error)
    return Opinions(
        Marks(until.pick, until.vote, named, taste),
        tuple(learned),
        tuple(held),
        () if isinstance(talks, str) else tuple(talks),
        subject,
        evidence,
        {name: given[name] for name in STAGES if name not in lacking},
        {name: lacking[name] for name in STAGES if name in lacking},
    )


def _few_picks(learned: Sequence[Choice], held: Sequence[Choice]) -> str:
    pairs = sum(len(each.pairs) for each in learned)
    if pairs >= dpo.FEWEST and len(held) >= HELD:
        return ""
    return (
        f"Your picks make {counted(pairs, 'pair')} to learn from and {counted(len(held), 'pick')} held out to tell by; "
        f"it takes {dpo.FEWEST} and {HELD}: pick on."
    )


def _talks(work: Workplace, marks: Marks | None) -> tuple[list[Rated] | str, str]:
    """The rated conversations and a name for their content, or why there are none."""
    try:
        talks = rated.standardised(conversations(work.store))
    except Refused as error:
        return str(error), ""
    named = digest(talks)
    if marks is not None and marks.talks != named:
        return "The rated conversations are not those that the night began with.", marks.talks
    return talks, named


def _subject(work: Workplace, taste: str) -> practice.Subject:
    """What the settings say is practised, and talks beside it; raises MrClassicError where there can be none."""
    tasks = words(work.settings.practice.tasks)
    if any(each.partition(":")[0] == conversation.NAME for each in tasks):
        raise Refused(f"Practice has it already: {conversation.NAME} is among its tasks.")
    if not work.entries:
        raise Refused("The book is empty, and talks begin as those in it do.")
    work.tasted = taste or None
    return practice.subject(work, (*tasks, conversation.NAME))
