"""What can be learned of an owner's taste from 50, 200, 500 and 2,000 picks, where the taste is known.

The model in use draws five replies to questions that it does not know by heart, each made of two from the book; six
owners pick (see `owners`). The heads learn from so many picks, and are held against 2,000 others by the same owner: how
often they name the pick, how well they know how often, and whether what they say of themselves beforehand was true. One
owner goes by length alone, which no taste is to learn. `--steps N` stops at N picks.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mrclassic.book import Entry
from mrclassic.evidence import Evidence
from mrclassic.lab.experiment import Finding, Options
from mrclassic.lab.ground import Ground
from mrclassic.lab.owners import BRIEF, OWNERS, Owner
from mrclassic.model.engine import Engine, Request
from mrclassic.model.policy import Policy
from mrclassic.stats import Interval, wilson
from mrclassic.tasks.base import keyed
from mrclassic.training import reward_model, supervised
from mrclassic.training.taste.features import Reader
from mrclassic.training.taste.measure import Measured, measure

PICKS = (50, 200, 500, 2000)
HELD_OUT = 2000
_STEADY = 0.5  # who would pick the same so often has a taste that can be known
_REPLIES, _MORE, _ROOM, _WARMTH = 5, 3, 40, 1.4  # replies, drawn besides lest two are alike, their tokens, temperature
_TRUE = 0.05  # of the calibration: a gap that nobody would notice
_ENOUGH = 500  # picks from which on a steady taste should be known

Shown = tuple[tuple[tuple[str, str], ...], Sequence[str]]


@dataclass(frozen=True)
class Row:
    """What came of so many picks of an owner: what the model said of itself, and what was so. `again` is how often the
    owner would pick the same."""

    owner: Owner
    picks: int
    said: Evidence
    found: Measured
    held_out: int
    again: float

    @property
    def top1(self) -> float:
        return self.found.right / self.held_out

    @property
    def reach(self) -> Interval:
        """What of their picks it names, with 95%."""
        return wilson(self.found.right, self.held_out)

    @property
    def true(self) -> bool:
        """Whether it said what is so: no more apart than two shares may be that are measured so well (Newcombe,
        Statistics in Medicine 17, 1998, method 10)."""
        said, reach = self.said, self.reach
        below = math.hypot(said.top1 - said.low, reach.high - self.top1)
        above = math.hypot(said.high - said.top1, self.top1 - reach.low)
        return -above <= said.top1 - self.top1 <= below

    @property
    def words(self) -> str:
        low, high = self.reach
        said = "may" if self.said.allowed else "may not"
        return (
            f"{self.picks} picks: {self.top1:.1%} ({low:.1%} to {high:.1%}), said {self.said.top1:.1%}; calibration "
            f"{self.found.calibration:.1%} off; length {self.found.length:+.2f}; {said} be a reward"
        )


def tell(ground: Ground, options: Options) -> list[Finding]:
    """Draw, pick, learn, and hold it against what is known."""
    counts = [each for each in PICKS if options.steps is None or each <= options.steps]
    found = []
    for seed in range(1, options.seeds + 1):
        shown = drawn(ground, max(counts, default=PICKS[0]) + HELD_OUT, seed)
        if len(shown) < HELD_OUT + PICKS[0]:
            few = f"The model in use has five different replies to {len(shown)} prompts only."
            return [Finding("there is something to choose between", False, few)]
        found += study(ground.policy, shown, counts or PICKS[:1], HELD_OUT, seed)
    return findings(found)


def drawn(ground: Ground, count: int, seed: int, *, talk: bool = True) -> list[Shown]:
    """So many prompts, in the middle of a `talk` or alone, each with five different replies of the model in use; those
    to which it has fewer are left out of the count."""
    entries = ground.work.entries
    tokenizer = ground.policy.tokenizer
    found: list[Shown] = []
    engine = Engine(ground.policy, 256)
    for first in range(0, 4 * count, 256):
        prompts = []
        for at in range(first, first + 256):
            rng = keyed(seed, "owner", at)
            before = supervised.talk_before(entries, rng, 1.0) if talk else []
            prompts.append([*before, {"role": "user", "content": spliced(entries, rng)}])
        requests = [
            Request(
                tuple(tokenizer.encode_chat(prompt)[-(ground.policy.shape.context - _ROOM - 1) :]),
                n=_REPLIES + _MORE, max_new=_ROOM, temperature=_WARMTH, seed=seed, first_row=8 * (first + at),
            )
            for at, prompt in enumerate(prompts)
        ]  # fmt: skip
        for prompt, group in zip(prompts, engine.generate(requests), strict=True):
            texts = list(dict.fromkeys(tokenizer.decode(each.tokens).strip() for each in group))
            texts = [text for text in texts if text][:_REPLIES]
            if len(texts) == _REPLIES:
                found.append((tuple((str(each["role"]), str(each["content"])) for each in prompt), texts))
        if len(found) >= count:
            break
    return found[:count]


def spliced(entries: Sequence[Entry], rng: random.Random) -> str:
    """The first half of a question of the book and the second of another: of what a model knows by heart it would say
    the same five times."""
    one, two = (rng.choice(entries).turns[-1].user.split() for _ in range(2))
    return " ".join([*one[: (len(one) + 1) // 2], *two[len(two) // 2 :]])


def study(
    policy: Policy,
    shown: Sequence[Shown],
    counts: Sequence[int],
    held_out: int,
    seed: int,
    owners: Sequence[Owner] = OWNERS,
) -> list[Row]:
    """Learn each owner's taste from the first so many of what was `shown`, and hold it against the last `held_out`."""
    reader = Reader(policy)
    rows = []
    for owner in owners:
        picked, again = owner.pick(shown, seed), owner.pick(shown, seed + 1000)
        same = sum(one == two for one, two in zip(picked, again, strict=True)) / len(picked)
        held = picked[-held_out:]
        prompts = {each.prompt for each in held}
        rest = [each for each in picked[:-held_out] if each.prompt not in prompts]
        for count in counts:
            settings = reward_model.Settings("heads", seed, curve=False)
            model, said = reward_model.train(rest[:count], policy, settings, reader=reader)
            scores = model.scores(held)
            found = measure(held, scores, torch.full((len(held),), model.temperature, dtype=torch.float64))
            rows.append(Row(owner, len(rest[:count]), said, found, len(held), same))
    return rows


def findings(rows: Sequence[Row]) -> list[Finding]:
    """What is known of each owner, and whether the guards do their work."""
    found = []
    for owner in dict.fromkeys(row.owner for row in rows):
        mine = [row for row in rows if row.owner == owner]
        told = "; ".join(row.words for row in mine)
        claim = f"{owner.name} ({owner.about}; would pick the same {mine[0].again:.0%} of the time)"
        held: bool | None = None
        if owner is BRIEF:
            claim += " may not be a reward from any number of picks"
            held = not any(row.said.allowed for row in mine)
        elif mine[0].again >= _STEADY and any(row.picks >= _ENOUGH for row in mine):
            claim += f" is known from {_ENOUGH} picks on: 35% and more"
            held = all(row.top1 >= 0.35 for row in mine if row.picks >= _ENOUGH)
        found.append(Finding(claim, held, told))
    true = [row for row in rows if row.true]
    found.append(
        Finding(
            "what it says of itself is so in nine cases of ten, as far as can be told (95%)",
            len(true) >= 0.9 * len(rows),
            f"{len(true)} of {len(rows)}",
        )
    )
    many = [row for row in rows if row.picks >= _ENOUGH]
    if many:
        worst = max(many, key=lambda row: row.found.calibration)
        words = f"at worst {worst.found.calibration:.1%}, {worst.owner.name} at {worst.picks}"
        found.append(
            Finding(f"calibrated to {_TRUE:.0%} from {_ENOUGH} picks on", worst.found.calibration < _TRUE, words)
        )
    longest = max(rows, key=lambda row: abs(row.found.length))
    words = f"at most {longest.found.length:+.2f}, {longest.owner.name} at {longest.picks}"
    return [*found, Finding("no score goes with length", abs(longest.found.length) < 0.3, words)]
