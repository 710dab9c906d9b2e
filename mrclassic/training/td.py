"""TD(lambda) over turns: whole conversations with an environment, and credit for the turns that deserve it.

An update draws beginnings, converses from each several times (all that are still going on in one batch a turn), finds
out what each turn brought (see `credit`), and takes a step on the clipped loss that GRPO has, with the turn's credit on
every token of it and a constant divisor. The value of where a conversation stood comes from the others that stood at a
place of the same name, now and in the updates before; at a place that is new, a small head at turn boundaries (see
`value_head`) is one more voice once it is warm; where the environment has no names the head speaks alone. Now and then
the values are audited against continuations.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from mrclassic.errors import MrClassicError, UsageError
from mrclassic.model.policy import Policy
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import Item, keyed
from mrclassic.training import credit, dialogues, grpo, room, value_head
from mrclassic.training import policy_gradient as pg
from mrclassic.training.advantages import spread
from mrclassic.training.credit import Form, Walk
from mrclassic.training.dialogues import Dialogue
from mrclassic.training.fits import WHOLE, Fit
from mrclassic.training.grpo import GroupOutcome, Update
from mrclassic.training.losses import Estimator, Loss, Size
from mrclassic.training.report import Sample, StepReport
from mrclassic.training.rollouts import SAMPLES, rollout_seed
from mrclassic.training.rows import Row
from mrclassic.training.state import State

Value = Literal["names", "head"]


@dataclass(frozen=True)
class Settings:
    """What one run is asked to do; `starts` x `group` conversations an update."""

    starts: int = 8
    group: int = 8  # conversations that begin alike, 2 to 64
    max_new: int = 16  # tokens of a turn
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    form: Form = "turns"
    gamma: float = 1.0  # of a turn
    trace: float = 0.9  # lambda
    value: Value = "names"  # names of places first, or the head alone
    head: bool = True  # whether there is one
    memory: int = 16  # voices that conversations of earlier updates have about a place of a name, at most
    learning_rate: float = 1e-4
    warmup: int = 20
    clip_low: float = 0.2
    clip_high: float = 0.28
    beta: float = 0.005
    kl: Estimator = "k3"
    replay_weight: float = 0.3
    audit_every: int = 25  # updates; 0 is never
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in _LIMITS:
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"{name} is {getattr(self, name)}; it goes from {low} to {high}.")
        if self.form not in credit.FORMS:
            raise UsageError(f"There is no form {self.form!r} of credit; there are {', '.join(credit.FORMS)}.")

    @property
    def sampling(self) -> pg.Sampling:
        return pg.Sampling(self.max_new, self.temperature, self.top_p, self.top_k)

    @property
    def objective(self) -> Loss:
        return Loss("dr_grpo", self.clip_low, self.clip_high, self.beta, self.kl)


_LIMITS: tuple[tuple[str, float, float], ...] = (
    ("starts", 1, 4096),
    ("group", 2, 64),
    ("max_new", 1, 1_000_000),
    ("temperature", 0.01, 100.0),
    ("top_p", 0.01, 1.0),
    ("top_k", 0, 1_000_000),
    ("gamma", 0.0, 1.0),
    ("trace", 0.0, 1.0),
    ("clip_low", 0.0, 1.0),
    ("clip_high", 0.0, 100.0),
    ("beta", 0.0, 100.0),
    ("audit_every", 0, 1_000_000_000),
    ("memory", 0, 1_000_000),
)
_PLACES, _MOST = "places", 4096  # of the facts: what is known of places by their names, the newest
_AUDITED, _CONTINUED = 8, 8  # places that are audited at a time, and continuations from each


def start(policy: Policy, settings: Settings, dtype: torch.dtype, fit: Fit = WHOLE) -> State:
    """Begin from `policy` (float32), which also is the reference."""
    return grpo.start(policy, grpo.Settings(beta=settings.beta, kl=settings.kl, seed=settings.seed), dtype, fit)


def step(
    state: State,
    draw: Callable[[int], Sequence[Item]],
    arms: Arms,
    settings: Settings,
    replay: Callable[[], list[Row]],
) -> Update:
    """One update. `draw(n)` gives `n` beginnings of dialogues of `arms`; `replay` the book rows that go along. The
    outcomes, of the conversations that began alike, are in the order in which they were drawn."""
    begun = time.perf_counter()
    items = draw(settings.starts)
    repeated = [item for item in items for _ in range(settings.group)]
    played, halved = room.within(
        state, "slots", lambda: _played(state, repeated, arms, settings, rollout_seed(state, "td"))
    )
    talks = [each for each in played if each.turns]
    if not talks:
        raise MrClassicError(
            f"Not one turn of these dialogues fits into the {state.trainee.policy.shape.context} tokens that the model "
            "reads; choose an easier level, or a larger model."
        )
    drawn = time.perf_counter()
    walks = [_walk(each, place // settings.group) for place, each in enumerate(played) if each.turns]
    values, told = _values(state, talks, walks, settings)
    worth = credit.credit(
        walks, settings.form, gamma=settings.gamma, decay=settings.gamma * settings.trace, values=values
    )
    if settings.audit_every and state.step % settings.audit_every == 0:
        told |= _audit(state, talks, values, arms, settings)
    rollouts = [rollout for each, own in zip(talks, worth, strict=True) for rollout in dialogues.credited(each, own)]
    turns = sum(arms.environment(item).turns for item in items) * settings.group
    size = Size(turns, sum(sum(walk.lengths) for walk in walks), settings.max_new)

    def gradients() -> dict[str, float]:
        return pg.accumulate(
            state.trainee, rollouts, settings.objective, size, settings.sampling, reference=state.reference
        )

    metrics = grpo.learn(state, gradients, replay(), settings)
    state.step += 1
    groups = [played[at : at + settings.group] for at in range(0, len(played), settings.group)]
    outcomes = tuple(
        GroupOutcome(item, tuple(each.reward for each in group)) for item, group in zip(items, groups, strict=True)
    )
    metrics |= (
        told
        | _metrics(played, outcomes)
        | {
            "microbatch/halved": metrics["microbatch/halved"] + halved,
            "seconds/rollout": drawn - begun,
            "seconds/update": time.perf_counter() - drawn,
        }
    )
    report = StepReport(
        state.step,
        metrics,
        tuple(_sample(group[0]) for group in groups[:SAMPLES]),
        time.perf_counter() - begun,
        metrics["update/skipped"] < 1,
    )
    return Update(report, outcomes)


def _played(
    state: State,
    items: Sequence[Item],
    arms: Arms,
    settings: Settings,
    seed: int,
    said: Sequence[Sequence[str]] | None = None,
) -> list[Dialogue]:
    trainee = state.trainee
    return dialogues.play(trainee.policy, items, arms, settings.sampling, seed=seed, slots=trainee.slots, said=said)


def _walk(dialogue: Dialogue, group: int) -> Walk:
    turns = dialogue.turns
    return Walk(
        group,
        tuple(turn.reward for turn in turns),
        tuple(len(turn.completion.tokens) for turn in turns),
        tuple(turn.key for turn in turns),
    )


def _values(
    state: State, talks: Sequence[Dialogue], walks: Sequence[Walk], settings: Settings
) -> tuple[list[list[float]], dict[str, float]]:
    """V before each turn, with what there is to tell of the head."""
    expected: list[list[float]] | None = None
    told: dict[str, float] = {}
    if settings.head and settings.form != "uniform":
        rows = [row for each in talks for row in dialogues.rows_of(each)]
        expected, told = value_head.expected(state, rows, walks, settings.gamma)
    if settings.value == "head":
        nameless = [Walk(walk.group, walk.rewards, walk.lengths, (None,) * len(walk.keys)) for walk in walks]
        return credit.grouped(nameless, settings.gamma, expected), told
    if not settings.memory or settings.form == "uniform":
        return credit.grouped(walks, settings.gamma, expected), told
    known = state.facts.get(_PLACES, {})
    values = credit.grouped(walks, settings.gamma, expected, known)
    places = credit.remembered(walks, settings.gamma, known, settings.memory)
    state.facts[_PLACES] = dict(list(places.items())[-_MOST:])
    return values, told


def _audit(
    state: State, talks: Sequence[Dialogue], values: Sequence[Sequence[float]], arms: Arms, settings: Settings
) -> dict[str, float]:
    """Hold some values against what continuations from there bring on average: how far apart they are, and by how much
    the values are too high."""
    rng = keyed("audit", state.seed, state.step)
    places = [(at, rng.randrange(len(talks[at].turns))) for at in rng.choices(range(len(talks)), k=_AUDITED)]
    items = [talks[at].item for at, _ in places for _ in range(_CONTINUED)]
    said = [[turn.text for turn in talks[at].turns[:before]] for at, before in places for _ in range(_CONTINUED)]
    continued = _played(state, items, arms, settings, rollout_seed(state, "audit"), said)
    apart = []
    for place, (at, before) in enumerate(places):
        own = continued[place * _CONTINUED : (place + 1) * _CONTINUED]
        brought = [sum(credit.returns([turn.reward for turn in each.turns], settings.gamma)[:1]) for each in own]
        apart.append(values[at][before] - sum(brought) / len(brought))
    return {
        "audit/apart": sum(map(abs, apart)) / len(apart),
        "audit/too_high": sum(apart) / len(apart),
    }


def _metrics(played: Sequence[Dialogue], groups: Sequence[GroupOutcome]) -> dict[str, float]:
    """The numbers of what was said, under the names that GRPO has for them."""
    turns = [turn for each in played for turn in each.turns]
    lengths = [len(turn.completion.tokens) for turn in turns]
    rewards = [each.reward for each in played]
    spreads = [spread(group.rewards) for group in groups]
    count = max(1, len(turns))
    return {
        "reward": sum(rewards) / len(rewards),
        "reward_std": sum(spreads) / len(spreads),
        "frac_reward_zero_std": sum(each <= 1e-6 for each in spreads) / len(spreads),
        "answers/not_found": sum(not turn.readable for turn in turns) / count,
        "completions": float(len(turns)),
        "completions/mean_length": sum(lengths) / count,
        "completions/max_length": float(max(lengths, default=0)),
        "completions/clipped_ratio": sum(turn.completion.finish_reason == "length" for turn in turns) / count,
        "tokens": float(sum(lengths)),
        "dialogues": float(len(played)),
        "dialogues/won": sum(each.won for each in played) / len(played),
        "dialogues/turns": len(turns) / len(played),
        "dialogues/cut": sum(not each.whole for each in played) / len(played),
    }


def _sample(dialogue: Dialogue) -> Sample:
    """A conversation to look at."""
    opening = len(dialogue.item.messages)
    lines = "\n".join(f"{message['role']}: {message['content']}" for message in dialogue.messages[opening:])
    detail = {
        "task": dialogue.item.meta.get("task"),
        "answer": dialogue.item.answer,
        "found": any(turn.readable for turn in dialogue.turns),
    }
    return Sample(dialogue.item.question, lines, dialogue.reward, detail)
