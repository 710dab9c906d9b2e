"""Self-play: the model writes questions and answers them; code reads the questions strictly and computes the gold.

Questioner and answerer are two roles of one network, or two networks. A question is worth four times the variance of
its answers' rewards, on average 4p(1-p) at the answerer's success p (between Absolute Zero's 1-p and R-Zero's
1-2|p-1/2|, smooth at the top): what the answerer can learn from it; and less the more alike the recent questions are,
and the oftener it was asked itself.
It has to be without bias: 4p(1-p) of p = (k+1/2)/(n+1) pays 0.2 for what eight answers all got right or all got wrong,
and where few questions are at the edge at first, the sum of such small wages is what the questioner follows. In the
zero-sum form it is worth what the answerer gets wrong, 1-p, and nothing else (after SPIRAL). What cannot be read costs
1, what can be read but not used one half, a repetition earns nothing. Each role has its own baseline (the questioner
one a domain, and a deviation that its advantages are divided by: most questions are worth little, and the few at the
edge would pull too weakly), and both learn in one update. Part of the answerer's questions may come from the fixed
generators.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Literal

import torch

from mrclassic.errors import UsageError
from mrclassic.model.policy import Policy
from mrclassic.rewards.contract import Weighted
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import Domain, Item, Refusal
from mrclassic.training import grpo
from mrclassic.training import policy_gradient as pg
from mrclassic.training.advantages import spread
from mrclassic.training.fits import WHOLE, Fit
from mrclassic.training.grpo import GroupOutcome
from mrclassic.training.losses import Loss, Size
from mrclassic.training.questions import Warming, Written, closed, write
from mrclassic.training.report import StepReport
from mrclassic.training.rollouts import group_metrics, roll_out, rollout_seed, rollouts_of, size_of, step_report
from mrclassic.training.rows import Row
from mrclassic.training.state import State
from mrclassic.training.trainee import Trainee

HISTORY = 2048  # questions whose forms count as recent
ASKED = 1000  # questions that are known again
BASELINE = 0.95  # memory of the questioner's mean reward, and of how far its rewards lie apart
_PULL = 0.3  # the deviation that the questioner's advantages are brought to: that of the answerer's
_LEAST = 0.05  # of a deviation, below which differences are not blown up
UNREADABLE, UNUSABLE = -1.0, -0.5
_READABLE = 60  # characters; a longer question or form is remembered by its hash

Form = Literal["edge", "zero_sum"]


@dataclass(frozen=True)
class Settings:
    """`questions` of its own and `fixed` ones of the generators are answered, `group` answers to each."""

    questions: int = 24
    drafts: int = 2  # written for each that is answered: two of five are held out, cannot be used, or stand there twice
    fixed: int = 16  # two fifths, as the research advises
    group: int = 8
    max_new: int = 64  # tokens of an answer
    question_max_new: int = 24  # tokens of a question; "What is 123 + 456?" takes 12
    form: Form = "edge"
    networks: int = 1  # 2: the questioner is a network of its own, and nothing of it is kept
    warm: int = 400  # supervised updates at most, to open a domain that it cannot ask about yet
    shown: int = 20  # supervised updates on questions of all levels, without answers, where it can
    learning_rate: float = 1e-4
    warmup: int = 20
    clip_low: float = 0.2
    clip_high: float = 0.28
    beta: float = 0.005
    question_beta: float = 0.05  # at a tenth of it four of five sums that a `tiny` asked came to be of one form
    replay_weight: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.networks not in (1, 2):
            raise UsageError(f"networks is {self.networks}; it is 1 or 2.")

    @property
    def objective(self) -> Loss:
        return Loss("dr_grpo", self.clip_low, self.clip_high, self.beta)

    @property
    def questioning(self) -> Loss:
        """The questioner's loss: held closer to where it began, so that its questions stay many."""
        return replace(self.objective, beta=self.question_beta)

    @property
    def warming(self) -> Warming:
        return Warming(self.warm, self.shown, self.question_max_new, self.max_new)

    def mixed(self, share: float) -> Settings:
        """With so many items of the generators that they are this `share` of what is answered."""
        if not 0 <= share <= 0.9:
            raise UsageError(f"The share of fixed items is {share:g}; it goes from 0 to 0.9.")
        return replace(self, fixed=round(self.questions * share / (1 - share)))


@dataclass(frozen=True)
class Update:
    """The report, the groups of the fixed items (for the curriculum), and the questions that were used with p."""

    report: StepReport
    fixed: tuple[GroupOutcome, ...]
    questions: tuple[tuple[str, float], ...]


def start(
    policy: Policy, anchored: grpo.Settings, settings: Settings, arms: Arms, dtype: torch.dtype, fit: Fit = WHOLE
) -> State:
    """Begin from `policy` (float32). Where domains must be opened first, the reference is what the model is after that:
    it will move once, and so it is saved with the rest."""
    state = grpo.start(policy, anchored, dtype, fit)
    if settings.networks == 2:
        state.other = Trainee(policy, dtype, fit, seed=anchored.seed)
    if closed(state, arms, settings.warming) and state.reference is not None:
        state.reference = state.trainee.reference(moving=True)
        state.facts["reference"] = 0
    return state


def step(
    state: State,
    domains: Sequence[Domain],
    fixed: Sequence[Item],
    rewards: Sequence[Weighted],
    settings: Settings,
    replay: Callable[[], list[Row]],
) -> Update:
    """One update: write a question of each of `domains`, answer the first `settings.questions` that can be used and
    `fixed`, learn both roles."""
    begun = time.perf_counter()
    trainee, asker = state.trainee, state.other or state.trainee
    written = write(asker.policy, domains, settings.question_max_new, rollout_seed(state, "questions"))
    usable = {each.found.question: each.found for each in written if isinstance(each.found, Item)}
    own = list(usable.values())[: settings.questions]
    answering = pg.Sampling(settings.max_new)
    rolled = roll_out(state, [*own, *fixed], rewards, settings.group, answering, "answers")
    groups = rolled.groups
    answered = {
        group.item.question: given
        for group in groups[: len(own)]
        if (given := [reward for reward in group.rewards if reward is not None])
    }
    success = {question: _estimate(given) for question, given in answered.items()}
    worth = _worths(state, written, answered, settings.form)
    advantages = _advantages(state, written, worth)
    questions = [
        pg.rollout(each.prompt, each.completion, advantage)
        for each, advantage in zip(written, advantages, strict=True)
        if advantage
    ]
    answers = rollouts_of(groups)
    spoken = Size(len(written), sum(len(each.completion.tokens) for each in written), settings.question_max_new)

    def gradients() -> dict[str, float]:
        loss, reference = settings.objective, state.reference
        size = size_of(groups, settings.max_new)
        found = pg.accumulate(trainee, answers, loss, size, answering, reference=reference)
        # A network of its own may go where it likes: nothing of it is kept.
        anchor = reference if asker is trainee else None
        how = pg.Sampling(settings.question_max_new)
        asked = pg.accumulate(asker, questions, settings.questioning, spoken, how, reference=anchor)
        return found | ({"questions/entropy": asked["entropy"]} if "entropy" in asked else {})

    metrics = grpo.learn(state, gradients, replay(), settings) | group_metrics(rolled)
    if asker is not trainee:
        asker.update(metrics["learning_rate"])
    state.step += 1
    drawn = [*(each.completion for each in written), *(each for group in groups for each in group.completions)]
    metrics |= {
        "completions": float(len(drawn)),
        "tokens": float(sum(len(completion.tokens) for completion in drawn)),
    }
    metrics |= _told(written, worth, success)
    report = step_report(state, metrics, [rolled], begun)
    outcomes = tuple(GroupOutcome(group.item, tuple(group.rewards)) for group in groups[len(own) :])
    return Update(report, outcomes, tuple(success.items()))


def _estimate(given: Sequence[float]) -> float:
    """The answerer's success with half a count on either side: a group of eight never says 0 or 1 for sure."""
    return (sum(given) + 0.5) / (len(given) + 1)


def _worths(
    state: State, written: Sequence[Written], answered: Mapping[str, Sequence[float]], form: Form
) -> list[float | None]:
    """The questioner's rewards; remembers questions and skeletons. A held-out question abstains: which those are cannot
    be learned, so a penalty would be noise. So does one that nobody answered or could judge (it is not in `answered`).
    """
    history: list[str] = state.facts.setdefault("skeletons", [])
    recent, total = Counter(history), len(history)
    forms = {each.found.question: _skeleton(each, each.found) for each in written if isinstance(each.found, Item)}
    batch = Counter(forms.values())
    asked: list[str] = state.facts.setdefault("asked", [])
    before = Counter(asked)
    worths: list[float | None] = []
    seen: set[str] = set()
    for each in written:
        found = each.found
        if isinstance(found, Refusal):
            worths.append({"unparsable": UNREADABLE, "invalid": UNUSABLE}.get(found.kind))
        elif found.question in seen:
            worths.append(0.0)
        else:
            seen.add(found.question)
            given = answered.get(found.question)
            if given is None:
                worths.append(None)
                continue
            own = forms[found.question]
            # Of the others in the batch, or of the last ones: a form that takes over is not worth having at once.
            alike = max((batch[own] - 1) / max(1, len(forms) - 1), recent[own] / max(1, total))
            new = (1 - alike) / (1 + before[_short(found.question)])
            worths.append(1 - _estimate(given) if form == "zero_sum" else 4 * spread(given) ** 2 * new)
    state.facts["asked"] = [*asked, *(_short(question) for question in sorted(seen & answered.keys()))][-ASKED:]
    state.facts["skeletons"] = [*history, *(forms[question] for question in sorted(seen))][-HISTORY:]
    return worths


def _skeleton(each: Written, found: Item) -> str:
    return _short(each.domain.skeleton(found.question))


def _short(text: str) -> str:
    return text if len(text) <= _READABLE else blake2b(text.encode(), digest_size=8).hexdigest()


def _advantages(state: State, written: Sequence[Written], worth: Sequence[float | None]) -> list[float]:
    """What each question was worth beyond the baseline of its domain, by the deviation there; both then follow. 0 where
    nothing is known."""
    baselines: dict[str, float] = state.facts.setdefault("baselines", {})
    variances: dict[str, float] = state.facts.setdefault("variances", {})
    found = [0.0] * len(written)
    for name in dict.fromkeys(each.domain.name for each in written):
        known = [
            (place, value)
            for place, (each, value) in enumerate(zip(written, worth, strict=True))
            if each.domain.name == name and value is not None
        ]
        mean = sum(value for _, value in known) / len(known) if known else 0.0
        baseline = baselines.get(name, mean)
        off = sum((value - baseline) ** 2 for _, value in known) / max(1, len(known))
        variances[name] = BASELINE * variances.get(name, off) + (1 - BASELINE) * off
        for place, value in known:
            found[place] = _PULL * (value - baseline) / max(_LEAST, variances[name] ** 0.5)
        baselines[name] = BASELINE * baseline + (1 - BASELINE) * mean
    return found


def _told(written: Sequence[Written], worth: Sequence[float | None], success: Mapping[str, float]) -> dict[str, float]:
    """The numbers of the questions, of all and, where there are several domains, of each."""
    told = _numbers(written, worth, success, "questions")
    names = list(dict.fromkeys(each.domain.name for each in written))
    for name in names if len(names) > 1 else ():
        places = [place for place, each in enumerate(written) if each.domain.name == name]
        part = _numbers([written[at] for at in places], [worth[at] for at in places], success, f"questions:{name}")
        told |= {key: value for key, value in part.items() if key.endswith(("/valid", "/success"))}
    return told


def _numbers(
    written: Sequence[Written], worth: Sequence[float | None], success: Mapping[str, float], title: str
) -> dict[str, float]:
    known = [value for value in worth if value is not None]
    usable = [(each, each.found) for each in written if isinstance(each.found, Item)]
    own = {found.question: _skeleton(each, found) for each, found in usable}
    right = [success[question] for question in own if question in success]
    forms = Counter(own.values())
    return {
        f"{title}/reward": sum(known) / len(known) if known else 0.0,
        f"{title}/valid": sum(each.readable for each in written) / max(1, len(written)),
        f"{title}/unique": len(own) / max(1, len(usable)),
        f"{title}/success": sum(right) / max(1, len(right)),
        f"{title}/skeletons": len(forms) / max(1, len(own)),
        f"{title}/largest_skeleton": max(forms.values(), default=0) / max(1, len(own)),
    }
