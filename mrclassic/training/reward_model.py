"""The reward model: an owner's taste, learned from picks.

    score(reply) = mean - deviation, over five members, of (member's score - slope * length)

Each member is fitted to a bootstrap sample of the choices by softmax cross-entropy over all replies that were shown.
Members and length are compared among the replies to one prompt, for only there was anything chosen: what is uncertain
about a reply beside the others counts against it (pessimism keeps a policy from reaching for what only one member
likes; Coste and others, arXiv 2310.02743), and what a member's scores owe to length is taken off. A temperature makes
the softmax say how often it is right.

How good it is, is told by choices that it did not see, split by prompt: the heads are fitted five times for that, each
time without a fifth, and then to all; the network is trained once, without the first fifth. The same choices, policy
and seed give the same model and the same figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import torch
from torch import Tensor

from mrclassic.choices import FOLDS, Choice
from mrclassic.errors import Refused
from mrclassic.evidence import Evidence, Point
from mrclassic.model.policy import Policy
from mrclassic.model.tokenizer import Message
from mrclassic.rewards.taste import Liked
from mrclassic.stats import wilson
from mrclassic.training.taste import heads, logit, network
from mrclassic.training.taste.features import Reader
from mrclassic.training.taste.measure import Measured, lengths, measure, slope

Form = Literal["heads", "network"]
ENOUGH = 2000  # choices from which on the network is the default
FEWEST = 20  # choices; with fewer nothing is learned, nor could it be measured
NEWEST = 50  # picks whose agreement is kept to be shown
_SHARES = (0.25, 0.5, 0.75)

Said = Callable[[int, int], None]


class Scorer(Protocol):
    """A form that has learned: five scores of each reply."""

    def members(self, choices: Sequence[Choice]) -> Tensor:
        """(5, R) of the replies of `choices`, one after the other."""
        ...

    def replies(self, pairs: Sequence[tuple[Sequence[Message], str]]) -> Tensor:
        """(5, R) of each reply to its conversation."""
        ...

    @property
    def parameters(self) -> int:
        """How many numbers it is."""
        ...


@dataclass(frozen=True)
class Settings:
    """`form` None: the heads below `ENOUGH` choices. `curve`: whether shares of the choices are tried as well."""

    form: Form | None = None
    seed: int = 0
    curve: bool = True
    network: network.Settings = field(default_factory=network.Settings)

    def chosen(self, choices: int) -> Form:
        """The form for so many choices."""
        return self.form or ("heads" if choices < ENOUGH else "network")


@dataclass(frozen=True)
class RewardModel:
    """A scorer, and what its scores are corrected by: each member's `slopes` (5,) on length, of which `middle` is the
    mean; `level`, the mean score; and the `temperature`. `pessimism` weighs what the members disagree about (0, to see
    what that guards from)."""

    scorer: Scorer
    slopes: Tensor
    middle: float
    level: float = 0.0
    temperature: float = 1.0
    pessimism: float = 1.0

    def scores(self, choices: Sequence[Choice]) -> Tensor:
        """The scores (R,) of the replies of `choices`, one after the other, not calibrated."""
        texts = [reply for each in choices for reply in each.replies]
        return self._corrected(self.scorer.members(choices), texts, [len(each.replies) for each in choices])[0]

    def rewards(self, prompts: Sequence[Sequence[Message]], replies: Sequence[str]) -> list[float]:
        """A reward between 0 and 1 of each reply; those to the same prompt are compared with each other."""
        return [each.value for each in self.judged(prompts, replies)]

    def judged(self, prompts: Sequence[Sequence[Message]], replies: Sequence[str]) -> list[Liked]:
        """The rewards, and how far the members are apart about each reply, in units in which rewards are logits."""
        asked = ["\x1e".join(f"{each['role']}\x1f{each['content']}" for each in prompt) for prompt in prompts]
        order = sorted(range(len(asked)), key=lambda at: (asked[at], at))
        sizes = [asked.count(each) for each in sorted(set(asked))]
        members = self.scorer.replies([(prompts[at], replies[at]) for at in order])
        scores, apart = self._corrected(members, [replies[at] for at in order], sizes)
        values = ((scores - self.level) / self.temperature).sigmoid().tolist()
        found = map(Liked, values, (apart / self.temperature).tolist())
        return [liked for _, liked in sorted(zip(order, found, strict=True))]

    def best(self, prompt: Sequence[Message], replies: Sequence[str]) -> int:
        """The place of the reply that its owner would most likely pick."""
        rewards = self.rewards([prompt] * len(replies), replies)
        return max(range(len(replies)), key=lambda at: (rewards[at], -at))

    def _corrected(self, members: Tensor, texts: Sequence[str], sizes: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The scores (R,), and how far the members are apart (R,): beside the other replies to a prompt, and in all."""
        members = members - self.slopes[:, None] * (lengths(texts) - self.middle)
        parts = []
        for part in torch.split(members, list(sizes), dim=-1):
            mean = part.mean(-1, keepdim=True)
            beside = part - mean
            parts.append(beside.mean(0) - self.pessimism * beside.std(0, unbiased=False) + mean.mean())
        return torch.cat(parts), members.std(0, unbiased=False)


def train(
    choices: Sequence[Choice],
    policy: Policy,
    settings: Settings,
    *,
    checkpoint: str | None = None,
    model_sha256: str | None = None,
    reader: Reader | None = None,
    moved: Said = lambda done, of: None,
) -> tuple[RewardModel, Evidence]:
    """Learn the taste behind `choices`, and what it is worth. `policy` (of `checkpoint`) gives the heads their features
    and is left as it is; a `reader` of it may know some already. `moved` hears how much is done, of how much. Refused
    where there is too little to learn from.
    """
    form = settings.chosen(len(choices))
    folds = tuple(range(FOLDS)) if form == "heads" else (0,)
    parts = {each.fold for each in choices}
    if len(choices) < FEWEST or len(parts) < 2 or not parts & set(folds):
        raise Refused(
            f"Taste is learned from {FEWEST} picks or more of different questions, and there are {len(choices)}; pick "
            "among replies first."
        )
    learn = _learner(form, reader or Reader(policy), settings, choices, moved)
    curve = []
    for share in _SHARES if settings.curve else ():
        # Chosen by prompt, and so that the smaller shares lie within the larger.
        some = [each for each in choices if int.from_bytes(each.digest[4:]) < share * 2**32]
        if len(some) >= FEWEST:
            curve.append(_Trial.of(some, choices, folds, learn).point(share))
    whole = _Trial.of(choices, choices, folds, learn)
    # The evidence for the network is that of this very one; the heads may learn from all, as each of theirs would.
    kept = whole.last if form == "network" else _corrected(learn(choices), choices)
    of = logit.layout(whole.held)
    model = replace(
        kept,
        level=float(whole.scores.mean()),
        temperature=logit.temperature(logit.spread(whole.scores, of), of),
    )
    mine = (checkpoint, model_sha256) if form == "heads" else (None, None)
    evidence = whole.evidence(form, *mine, settings.seed, model.temperature, (*curve, whole.point(1.0)))
    seen = tuple(sorted(each.pick for each in choices if each.pick is not None))
    return model, replace(evidence, choices=len(choices), own=sum(each.drawn for each in choices), seen=seen)


def _learner(
    form: Form, reader: Reader, settings: Settings, choices: Sequence[Choice], moved: Said
) -> Callable[[Sequence[Choice]], Scorer]:
    """What learns from some of the choices."""
    if form == "heads":
        for at in range(0, len(choices), 64):  # a little at a time, so that one can be told how far it is
            reader.choices(choices[at : at + 64])
            moved(min(at + 64, len(choices)), len(choices))
        return lambda some: heads.learn(reader, some, settings.seed)
    return lambda some: network.learn(some, settings.seed, settings.network, str(reader.policy.device), moved)


def _corrected(scorer: Scorer, learned: Sequence[Choice]) -> RewardModel:
    """The scorer with what it owes to length, found on the choices that it learned from."""
    long = lengths([reply for each in learned for reply in each.replies])
    return RewardModel(scorer, slope(scorer.members(learned), long, logit.layout(learned)), float(long.mean()))


@dataclass(frozen=True)
class _Trial:
    """Choices that were held out, the scores of their replies, and the last model that gave some of them."""

    held: Sequence[Choice]
    scores: Tensor
    learned: float  # choices that a model had, in the mean
    last: RewardModel

    @classmethod
    def of(
        cls,
        some: Sequence[Choice],
        choices: Sequence[Choice],
        folds: Sequence[int],
        learn: Callable[[Sequence[Choice]], Scorer],
    ) -> _Trial:
        """For each fold learn from those of `some` outside it, and score all `choices` inside."""
        held: list[Choice] = []
        scores, sizes = [], []
        for fold in folds:
            outside = [each for each in some if each.fold != fold]
            inside = [each for each in choices if each.fold == fold]
            if not inside or not outside:
                continue
            model = _corrected(learn(outside), outside)
            held += inside
            scores.append(model.scores(inside))
            sizes.append(len(outside))
        return cls(held, torch.cat(scores), sum(sizes) / len(sizes), model)

    @property
    def judged(self) -> tuple[list[Choice], Measured]:
        """Those between the model's own replies (all, where there are none), each calibrated by the temperature that
        others ask for: two halves, by prompt."""
        own = [each.drawn for each in self.held]
        drawn = own if any(own) else [True] * len(own)
        held = [each for each, mine in zip(self.held, drawn, strict=True) if mine]
        parts = torch.split(self.scores, [len(each.replies) for each in self.held])
        flat = torch.cat([part for part, mine in zip(parts, drawn, strict=True) if mine])
        of = logit.layout(held)
        half = torch.tensor([bool(each.digest[3] & 1) for each in held])
        temperatures = torch.ones(len(held), dtype=torch.float64)
        for side in (half, ~half):
            if side.any() and (~side).any():
                other = logit.Layout(of.place[~side], of.there[~side], of.winner[~side])
                temperatures[side] = logit.temperature(logit.spread(flat, other), other)
        return held, measure(held, flat, temperatures)

    def point(self, share: float) -> Point:
        """Of the learning curve."""
        held, found = self.judged
        return Point(share, round(self.learned), found.right / len(held))

    def evidence(
        self,
        form: Form,
        checkpoint: str | None,
        model_sha256: str | None,
        seed: int,
        temperature: float,
        curve: tuple[Point, ...],
    ) -> Evidence:
        """What it comes to."""
        held, found = self.judged
        own = sum(each.drawn for each in held)
        low, high = wilson(found.right, len(held))
        agreed = {each.pick: yes for each, yes in zip(held, found.agreed, strict=True) if each.pick is not None}
        return Evidence(
            form=form,
            checkpoint=checkpoint,
            model_sha256=model_sha256,
            seed=seed,
            choices=len(self.held),
            own=own,
            judged=own,
            right=found.right if own else 0,
            low=low,
            high=high,
            chance=found.chance,
            by_length=found.by_length,
            length=found.length,
            loss=found.loss,
            even=found.even,
            calibration=found.calibration,
            temperature=temperature,
            curve=curve,
            last=tuple(sorted(agreed.items()))[-NEWEST:],
        )
