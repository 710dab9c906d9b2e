"""Self-play: the model writes questions and answers them; code reads the questions strictly and computes the gold.

Questioner and answerer are two roles of one network. A question is worth 4p(1-p) at the answerer's success p: nothing
for one that always or never is answered, most for one at the edge (between Absolute Zero's 1-p and R-Zero's
1-2|p-1/2|, smooth at the top); less the more alike the recent questions are. What cannot be read costs 1, what can be
read but not used one half, a repetition earns nothing. Each role has its own baseline, and both learn in one update.
Part of the answerer's questions come from the fixed generators, so that practice keeps its footing when the questioner
drifts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mrclassic.rewards.contract import Weighted
from mrclassic.tasks import arithmetic
from mrclassic.tasks.base import Item, Refusal
from mrclassic.training import grpo
from mrclassic.training import policy_gradient as pg
from mrclassic.training.grpo import GroupOutcome
from mrclassic.training.losses import Loss, Size
from mrclassic.training.report import StepReport
from mrclassic.training.rollouts import group_metrics, roll_out, rollout_seed, rollouts_of, size_of, step_report
from mrclassic.training.rows import Row
from mrclassic.training.skills import QUESTIONER
from mrclassic.training.state import State

HISTORY = 2048  # questions that count as recent
BASELINE = 0.95  # memory of the questioner's mean reward
UNREADABLE, UNUSABLE = -1.0, -0.5
_QUESTION = pg.Sampling(max_new=24)  # tokens; "What is 123 + 456?" takes 12


@dataclass(frozen=True)
class Settings:
    """`questions` written and `fixed` drawn from the generators, `group` answers to each."""

    questions: int = 24
    fixed: int = 10
    group: int = 8
    max_new: int = 64
    learning_rate: float = 1e-4
    warmup: int = 20
    clip_low: float = 0.2
    clip_high: float = 0.28
    beta: float = 0.005
    replay_weight: float = 0.3
    seed: int = 0

    @property
    def objective(self) -> Loss:
        return Loss("dr_grpo", self.clip_low, self.clip_high, self.beta)


@dataclass(frozen=True)
class Update:
    """The report, the groups of the fixed items (for the curriculum), and the questions that were used with p."""

    report: StepReport
    fixed: tuple[GroupOutcome, ...]
    questions: tuple[tuple[str, float], ...]


def step(
    state: State,
    fixed: Sequence[Item],
    rewards: Sequence[Weighted],
    settings: Settings,
    replay: Callable[[], list[Row]],
) -> Update:
    """One update: write questions, answer them and `fixed`, learn both roles."""
    begun = time.perf_counter()
    trainee, tokenizer = state.trainee, state.trainee.policy.tokenizer
    asking = tokenizer.encode_chat(QUESTIONER)
    written = pg.sample(trainee.policy, [asking], settings.questions, _QUESTION, seed=rollout_seed(state, "questions"))[
        0
    ]
    parsed = [_read(tokenizer.decode(completion.tokens), completion.finish_reason) for completion in written]
    own = list({found.question: found for found in parsed if isinstance(found, Item)}.values())
    answering = pg.Sampling(settings.max_new)
    rolled = roll_out(state, [*own, *fixed], rewards, settings.group, answering, "answers")
    groups = rolled.groups
    success = {
        group.item.question: _estimate(group.rewards)
        for group in groups[: len(own)]
        if any(reward is not None for reward in group.rewards)
    }
    worth = _worths(state, parsed, success)
    known = [value for value in worth if value is not None]
    mean = sum(known) / len(known) if known else 0.0
    baseline = float(state.facts.get("questioner_baseline", mean))
    state.facts["questioner_baseline"] = BASELINE * baseline + (1 - BASELINE) * mean
    questions = [
        pg.rollout(asking, completion, value - baseline)
        for completion, value in zip(written, worth, strict=True)
        if value is not None and value != baseline
    ]
    answers = rollouts_of(groups)
    spoken = Size(len(written), sum(len(completion.tokens) for completion in written), _QUESTION.max_new)

    def gradients() -> dict[str, float]:
        loss, reference = settings.objective, state.reference
        size = size_of(groups, settings.max_new)
        found = pg.accumulate(trainee, answers, loss, size, answering, reference=reference)
        asked = pg.accumulate(trainee, questions, loss, spoken, _QUESTION, reference=reference)
        return found | ({"questions/entropy": asked["entropy"]} if "entropy" in asked else {})

    metrics = grpo.learn(state, gradients, replay(), settings) | group_metrics(rolled)
    state.step += 1
    shares = Counter(arithmetic.skeleton(item.question) for item in own)
    drawn = [*written, *(completion for group in groups for completion in group.completions)]
    metrics |= {
        "completions": float(len(drawn)),
        "tokens": float(sum(len(completion.tokens) for completion in drawn)),
        "questions/reward": mean,
        "questions/valid": sum(isinstance(found, Item) or found.kind == "held-out" for found in parsed) / len(parsed),
        "questions/unique": len(own) / max(1, sum(isinstance(found, Item) for found in parsed)),
        "questions/success": sum(success.values()) / max(1, len(success)),
        "questions/largest_skeleton": max(shares.values(), default=0) / max(1, len(own)),
    }
    report = step_report(state, metrics, [rolled], begun)
    outcomes = tuple(GroupOutcome(group.item, tuple(group.rewards)) for group in groups[len(own) :])
    return Update(report, outcomes, tuple(success.items()))


def _read(text: str, finish_reason: str) -> Item | Refusal:
    """What the questioner wrote; a question that ran out of room is not one."""
    return arithmetic.parse(text) if finish_reason == "stop" else Refusal("unparsable", "it did not end")


def _estimate(rewards: Sequence[float | None]) -> float:
    """The answerer's success with half a count on either side: a group of eight never says 0 or 1 for sure."""
    given = [reward for reward in rewards if reward is not None]
    return (sum(given) + 0.5) / (len(given) + 1)


def _worths(state: State, parsed: Sequence[Item | Refusal], success: Mapping[str, float]) -> list[float | None]:
    """The questioner's rewards; remembers the skeletons. A held-out question abstains: which pairs those are cannot be
    learned, so a penalty would be noise. So does one whose answers nobody could judge (it has no `success`)."""
    history: list[str] = state.facts.setdefault("skeletons", [])
    recent, total = Counter(history), len(history)
    worths: list[float | None] = []
    seen: set[str] = set()
    for found in parsed:
        if isinstance(found, Refusal):
            worths.append({"unparsable": UNREADABLE, "invalid": UNUSABLE}.get(found.kind))
        elif found.question in seen:
            worths.append(0.0)
        else:
            seen.add(found.question)
            p = success.get(found.question)
            if p is None:
                worths.append(None)
                continue
            alike = recent[arithmetic.skeleton(found.question)] / total if total else 0.0
            worths.append(4 * p * (1 - p) * (1 - alike))
    state.facts["skeletons"] = [*history, *map(arithmetic.skeleton, sorted(seen))][-HISTORY:]
    return worths
