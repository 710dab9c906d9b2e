"""DPO: direct preference optimisation (Rafailov and others, arXiv 2305.18290). The picks themselves are the reward.

Of each pair, h is how much likelier than under the reference the policy finds the chosen reply, less the same of the
rejected one, in nats. Losses:

    sigmoid   -log sigmoid(beta h)                        equation 7 there
    ipo       (h - 1 / (2 beta))^2                        Azar and others, arXiv 2310.12036, equation 17
    length    -log sigmoid(beta h'), h' with each reply's log-ratio divided by its tokens: length-normalised DPO,
              Lambert and others, arXiv 2411.15124, section 5.1, whose beta is 5

The reference is the policy before the first update, and nothing else ever is. Its log-probabilities are computed once,
before that update, and kept with the state; no second model lies in memory. They are computed in the very batches in
which the updates first meet the pairs: so the first margin is 0 to the last bit, whatever rounds how. (Computed from
the present weights instead, every margin is 0 for ever, and nothing shows it but a loss that does not fall.)

Every update also replays the book. A policy can widen the margin by making both replies unlikely; the sentinel watches
the chosen one (see `sentinel.preferences`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mrclassic.choices import Choice
from mrclassic.errors import MrClassicError, Refused, UsageError
from mrclassic.model.policy import Policy
from mrclassic.training import room, supervised
from mrclassic.training.fits import WHOLE, Fit
from mrclassic.training.report import StepReport
from mrclassic.training.rows import Row, collate, row, together
from mrclassic.training.scoring import score
from mrclassic.training.state import State
from mrclassic.training.trainee import Schedule, Trainee

Loss = Literal["sigmoid", "ipo", "length"]
FEWEST = 32  # pairs an update: below, a small model learns the pairs and forgets the rest
BETAS: dict[Loss, float] = {"sigmoid": 0.1, "ipo": 0.1, "length": 5.0}
FROZEN = "frozen"  # of the facts: the reference's log-probabilities


@dataclass(frozen=True)
class Settings:
    """`beta` None: the usual one of the loss. `replay` book rows go along with each update, at `replay_weight`."""

    loss: Loss = "sigmoid"
    beta: float | None = None
    epochs: int = 3
    batch: int = FEWEST
    learning_rate: float = 5e-5
    warmup: int = 10
    replay: int = 32
    replay_weight: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch < FEWEST:
            raise UsageError(f"batch is {self.batch}; DPO takes {FEWEST} pairs an update or more.")
        if self.loss not in BETAS:
            raise UsageError(f"There is no loss {self.loss!r}; there are {', '.join(BETAS)}.")
        if self.beta is not None and not 0 < self.beta < math.inf:
            raise UsageError(f"beta is {self.beta}; it is a number above 0.")

    @property
    def strength(self) -> float:
        """The beta in force."""
        return BETAS[self.loss] if self.beta is None else self.beta

    def steps(self, pairs: int) -> int:
        """Updates of the run."""
        return max(1, math.ceil(self.epochs * pairs / self.batch))


class Pair(NamedTuple):
    """The two replies to a prompt, as rows."""

    chosen: Row
    rejected: Row


def pairs(policy: Policy, choices: Sequence[Choice]) -> list[Pair]:
    """Each winner beside each reply that it was preferred to. Raises Refused where they do not fill a batch."""
    tokenizer, context = policy.tokenizer, policy.shape.context

    def written(choice: Choice, reply: str) -> Row:
        return row(tokenizer, [*choice.messages, {"role": "assistant", "content": reply}], context)

    found = [Pair(*(written(each, reply) for reply in two)) for each in choices for two in each.pairs]
    found = [pair for pair in found if pair.chosen != pair.rejected]  # two long replies that are cut alike
    if len(found) < FEWEST:
        raise Refused(
            f"DPO learns from batches of {FEWEST} pairs, and your picks make {len(found)} (a pick among five makes "
            "four); pick on, and meanwhile `mrclassic lesson` teaches the replies themselves."
        )
    return found


def start(policy: Policy, settings: Settings, dtype: torch.dtype, fit: Fit = WHOLE) -> State:
    """Begin from `policy` (float32); `freeze` comes next."""
    return State(Trainee(policy, dtype, fit, seed=settings.seed), settings.seed)


def freeze(
    state: State, of: Sequence[Pair], settings: Settings, moved: Callable[[int, int], None] = lambda done, of: None
) -> None:
    """Keep the reference's log-probabilities of all pairs, once: a resumed run has them. Raises MrClassicError where
    the pairs are not those of the run, or where its weights have moved already."""
    known = state.facts.get(FROZEN)
    if known is not None:
        if known["pairs"] != _digest(of):
            raise MrClassicError("The picks are not those that this run began with; begin another run.")
        return
    if state.step:
        raise MrClassicError("The log-probabilities of the reference are gone, and the weights have moved; begin anew.")
    logps: list[list[float] | None] = [None] * len(of)
    batches = math.ceil(len(of) / settings.batch)
    for step in range(batches):
        places = _places(state, step, len(of), settings)
        met = room.within(state, "token_budget", lambda places=places: _read(state, of, places))[0]  # type: ignore[misc]
        for place, value in zip(places, met, strict=True):
            if logps[place] is None:  # the last batch holds some of the next epoch
                logps[place] = value
        moved(step + 1, batches)
    state.facts[FROZEN] = {"pairs": _digest(of), "logps": logps}


def step(
    state: State, of: Sequence[Pair], settings: Settings, steps: int, replay: Callable[[], list[Row]]
) -> StepReport:
    """One update of a run of `steps`."""
    begun = time.perf_counter()
    places = _places(state, state.step, len(of), settings)
    (metrics, loss), halved = room.within(
        state, "token_budget", lambda: _gathered(state, of, places, settings, replay())
    )
    schedule = Schedule(settings.learning_rate, steps, min(settings.warmup, steps))
    return supervised.move(state, loss, schedule, {**metrics, "microbatch/halved": float(halved)}, begun)


def _places(state: State, step: int, size: int, settings: Settings) -> list[int]:
    """The pairs of an update: a function of (seed, step). No pair is in it twice where the batch is not larger."""
    first = step * settings.batch
    return [supervised.shuffled(state.seed, first + at, size, "pairs") for at in range(settings.batch)]


def _gathered(
    state: State, of: Sequence[Pair], places: Sequence[int], settings: Settings, replayed: Sequence[Row]
) -> tuple[dict[str, float], float]:
    """Add the gradient of the batch and of the replayed rows; returns the metrics, and the loss with both parts."""
    frozen = state.facts[FROZEN]["logps"]
    anchor = torch.tensor([frozen[place] for place in places], dtype=torch.float64)
    sums = dict.fromkeys(
        (
            "loss", "rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies", "logps/chosen",
            "logps/rejected", "chosen/shift",
        ),
        0.0,
    )  # fmt: skip
    for part, logps in _passes(state, of, places):
        tokens = torch.tensor([[each.targets for each in of[places[at]]] for at in part], dtype=torch.float64)
        away = logps.cpu() - anchor[part]  # (n, 2)
        lost = losses(settings.loss, settings.strength, away, tokens)
        (lost.sum() / len(places)).backward()  # type: ignore[no-untyped-call]
        away, lost, logps = away.detach(), lost.detach(), logps.detach()
        rewards = settings.strength * (away / tokens if settings.loss == "length" else away)
        margin = rewards[:, 0] - rewards[:, 1]
        found = (
            lost, rewards[:, 0], rewards[:, 1], margin, (margin > 0).double(), logps[:, 0], logps[:, 1],
            away[:, 0] / tokens[:, 0],
        )  # fmt: skip
        for name, values in zip(sums, found, strict=True):
            sums[name] += float(values.sum()) / len(places)
    loss = sums["loss"]
    if replayed:
        sums["replay_loss"] = state.trainee.cross_entropy(replayed, settings.replay_weight)
        loss += settings.replay_weight * sums["replay_loss"]
    return {**sums, "pairs": float(len(places)), "tokens": float(_tokens(of, places, replayed))}, loss


def losses(kind: Loss, beta: float, away: Tensor, tokens: Tensor) -> Tensor:
    """The loss (n,) of pairs whose log-ratios to the reference are `away`, chosen first, over `tokens`, both (n, 2)."""
    if kind == "length":
        away = away / tokens
    margin = away[:, 0] - away[:, 1]
    return (margin - 1 / (2 * beta)).square() if kind == "ipo" else -F.logsigmoid(beta * margin)


def _passes(state: State, of: Sequence[Pair], places: Sequence[int]) -> Any:
    """For each rectangle: which of `places` are in it, and the log-probabilities (n, 2) of their two replies, float64
    with the gradient."""
    trainee = state.trainee
    for part in together([of[place] for place in places], trainee.token_budget):
        rows = [each for at in part for each in of[places[at]]]
        batch = collate(rows, trainee.policy.tokenizer.pad_id, trainee.policy.device)
        logp = score(trainee.policy, batch).logp
        sums = torch.zeros(len(rows), dtype=torch.float64, device=logp.device).index_add(0, batch.row, logp.double())
        yield part, sums.view(-1, 2)


def _read(state: State, of: Sequence[Pair], places: Sequence[int]) -> list[list[float]]:
    """The log-probabilities of the pairs at `places`, by the same passes as an update makes (with gradients, which are
    dropped: without them other kernels would round otherwise)."""
    found: list[list[float]] = [[]] * len(places)
    for part, logps in _passes(state, of, places):
        for at, value in zip(part, logps.tolist(), strict=True):
            found[at] = value
    return found


def _tokens(of: Sequence[Pair], places: Sequence[int], replayed: Sequence[Row]) -> int:
    return sum(each.targets for place in places for each in of[place]) + sum(each.targets for each in replayed)


def _digest(of: Sequence[Pair]) -> str:
    """A name for the pairs in their order."""
    return sha256(repr([(each.ids, each.start) for pair in of for each in pair]).encode()).hexdigest()[:16]
