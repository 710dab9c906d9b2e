"""TD(lambda) on conversations that somebody else held: the owner's own, rated as a whole.

The rating stands at the end, and credit finds its way back to the turns as in `td`, by the head at turn boundaries once
it is warm; before that the value of a turn is the mean of the other conversations. They were not drawn from the policy
as it is now, so the ratio of the clipped loss is that to where the run began: a reply that has become likelier or
unlikelier than the bounds allow teaches nothing further, and few ratings cannot carry the model far away.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import pstdev

import torch

from mrclassic.errors import Refused
from mrclassic.model.policy import Policy
from mrclassic.model.tokenizer import Message
from mrclassic.titles import counted
from mrclassic.training import credit, dialogues, grpo, supervised, value_head
from mrclassic.training import policy_gradient as pg
from mrclassic.training.credit import Form, Walk
from mrclassic.training.fits import WHOLE, Fit
from mrclassic.training.losses import Loss, Size
from mrclassic.training.report import StepReport
from mrclassic.training.rows import Row
from mrclassic.training.scoring import score
from mrclassic.training.state import State
from mrclassic.training.trainee import Trainee

FEWEST = 32  # conversations, of at least two different ratings: no weight moves on less


@dataclass(frozen=True)
class Rated:
    """What was said, from the first line on, and how it was rated: any number, more is better."""

    messages: tuple[Message, ...]
    rating: float


@dataclass(frozen=True)
class Settings:
    """`batch` conversations an update."""

    batch: int = 32
    form: Form = "turns"
    gamma: float = 1.0
    trace: float = 0.9
    learning_rate: float = 1e-4
    warmup: int = 20
    clip: float = 0.2
    beta: float = 0.05
    replay_weight: float = 0.3
    seed: int = 0

    @property
    def objective(self) -> Loss:
        return Loss("dr_grpo", self.clip, self.clip, self.beta)


def standardised(conversations: Sequence[Rated]) -> list[Rated]:
    """The same with ratings of mean 0 and deviation 1, and without those in which nothing was replied; Refused where
    there are too few to learn from."""
    usable = [each for each in conversations if any(message["role"] == "assistant" for message in each.messages)]
    ratings = [each.rating for each in usable]
    if len(usable) < FEWEST or len(set(ratings)) < 2:
        alike = ", all rated alike" if usable and len(set(ratings)) < 2 else ""
        raise Refused(
            f"Your ratings make {counted(len(usable), 'rated conversation')}{alike}; it takes {FEWEST}, not all rated "
            "alike. Rate more of them first."
        )
    mean, deviation = sum(ratings) / len(ratings), pstdev(ratings)
    return [Rated(each.messages, (each.rating - mean) / deviation) for each in usable]


def start(policy: Policy, settings: Settings, dtype: torch.dtype, fit: Fit = WHOLE) -> State:
    """Begin from `policy` (float32), which stays the reference of ratios and divergence."""
    state = State(Trainee(policy, dtype, fit, seed=settings.seed), settings.seed)
    state.reference = state.trainee.reference(moving=False)
    return state


def step(
    state: State, conversations: Sequence[Rated], settings: Settings, replay: Callable[[], list[Row]]
) -> StepReport:
    """One update on the next `settings.batch` of `conversations` (see `standardised`)."""
    begun = time.perf_counter()
    policy = state.trainee.policy
    talks = supervised.walked(state, conversations, settings.batch, "rated")
    written = [dialogues.written(policy.tokenizer, talk.messages, policy.shape.context) for talk in talks]
    kept = [place for place, rows in enumerate(written) if rows]
    walks = [_walk(written[place], talks[place].rating, place) for place in kept]
    rows = [row for place in kept for row in written[place]]
    expected: list[list[float]] | None = None
    told: dict[str, float] = {}
    if settings.form != "uniform":
        expected, told = value_head.expected(state, rows, walks, settings.gamma)
    values = credit.grouped(walks, settings.gamma, expected)
    # Nobody begins like another here: the baseline of `uniform` is the mean of all.
    together = [Walk(0, walk.rewards, walk.lengths, walk.keys) for walk in walks]
    worth = credit.credit(
        together, settings.form, gamma=settings.gamma, decay=settings.gamma * settings.trace, values=values
    )
    old = _as_begun(state, rows)
    rollouts, at = [], 0
    for place, own in zip(kept, worth, strict=True):
        count = len(written[place])
        logprobs = [value for row in old[at : at + count] for value in row]
        rollouts += dialogues.shared(written[place], logprobs, own)
        at += count
    tokens = sum(row.targets for row in rows)
    size = Size(max(1, len(kept)), tokens, max(1, round(tokens / max(1, len(kept)))))

    def gradients() -> dict[str, float]:
        return pg.accumulate(
            state.trainee, rollouts, settings.objective, size, pg.Sampling(), reference=state.reference
        )

    metrics = grpo.learn(state, gradients, replay(), settings)
    state.step += 1
    metrics |= told | {"dialogues": float(len(kept)), "tokens": float(tokens)}
    seconds = time.perf_counter() - begun
    return StepReport(state.step, metrics, (), seconds, metrics["update/skipped"] < 1)


def _walk(rows: Sequence[Row], rating: float, group: int) -> Walk:
    lengths = tuple(end - begin for row in rows for begin, end in row.learned)
    rewards = (*(0.0,) * (len(lengths) - 1), rating)
    return Walk(group, rewards, lengths, (None,) * len(lengths))


@torch.no_grad()
def _as_begun(state: State, rows: Sequence[Row]) -> list[list[float]]:
    """The log-probabilities of the targets of each row when the run began."""
    assert state.reference is not None
    found: list[list[float]] = [[] for _ in rows]
    for places, batch in state.trainee.microbatches(rows):
        for owner, value in zip(batch.row.tolist(), score(state.reference, batch).logp.tolist(), strict=True):
            found[places[owner]].append(value)
    return found
