"""A small head on the policy's hidden state where a turn begins: what the conversation will still bring.

Ridge regression of the returns on a fixed random projection of the hidden states to 64 numbers, by running sums that
forget: no learning rate, no inner loop, the same on every machine that adds alike. It is warmed up before use: it
predicts each batch before it learns from it, and has a say only once those predictions were better than the mean was.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mrclassic.model.policy import Policy
from mrclassic.training import credit
from mrclassic.training.credit import Walk
from mrclassic.training.rows import Row, buckets, collate
from mrclassic.training.state import State

WIDTH = 64
_FORGETS = 0.95  # of the sums is left after an update: the hidden states move on with the policy
_RIDGE = 1.0
_WARM = 5  # batches that it has predicted before it may be believed
_BETTER = 0.9  # of the mean's squared error, at most
_BUDGET = 8192  # tokens of a rectangle
_SUMS, _RECORD = "head.sums", "head.record"


@torch.inference_mode()
def features(policy: Policy, rows: Sequence[Row], seed: int) -> Tensor:
    """Of each learned span of `rows`, in order, the projected hidden state of the token before it, and a 1: float64
    (spans, WIDTH + 1)."""
    generator = torch.Generator().manual_seed(seed)
    projection = torch.randn(policy.shape.hidden, WIDTH, generator=generator, dtype=torch.float64)
    projection /= policy.shape.hidden**0.5
    found: dict[tuple[int, int], Tensor] = {}
    for group in buckets(rows, _BUDGET):
        batch = collate([rows[place] for place in group], policy.tokenizer.pad_id, policy.device)
        hidden = policy.decoder(batch.ids)
        for line, place in enumerate(group):
            for span, (begin, _) in enumerate(rows[place].learned):
                found[place, span] = hidden[line, begin - 1].double().cpu()
    stacked = torch.stack([found[each] for each in sorted(found)]) @ projection
    return torch.cat((stacked, torch.ones(len(stacked), 1, dtype=torch.float64)), dim=1)


def predict(state: State, x: Tensor) -> Tensor | None:
    """The returns (N,) that are to be expected from `x` (N, WIDTH + 1); None while the head is not warm."""
    record = state.kept.get(_RECORD)
    if record is None or record[0] < _WARM or record[1] > _BETTER * record[2]:
        return None
    return _solved(state.kept[_SUMS], x)


def expected(
    state: State, rows: Sequence[Row], walks: Sequence[Walk], gamma: float
) -> tuple[list[list[float]] | None, dict[str, float]]:
    """V before each turn of `walks`, whose turns are the learned spans of `rows` in order (None while the head is not
    warm), and its metrics; then it learns from what these walks returned."""
    x = features(state.trainee.policy, rows, state.seed)
    found = [value for walk in walks for value in credit.returns(walk.rewards, gamma)]
    predicted = predict(state, x)
    told = learn(state, x, torch.tensor(found, dtype=torch.float64))
    if predicted is None:
        return None, told
    following = iter(predicted.tolist())
    return [[next(following) for _ in walk.rewards] for walk in walks], told


def learn(state: State, x: Tensor, returns: Tensor) -> dict[str, float]:
    """Hold the head against `returns` (N,), then let it learn from them. Returns its metrics: the share of their spread
    that it has explained lately, and whether it is believed."""
    sums = state.kept.get(_SUMS)
    if sums is None:
        sums = torch.zeros(WIDTH + 2, WIDTH + 2, dtype=torch.float64)
        state.kept[_RECORD] = torch.zeros(3, dtype=torch.float64)
    record = state.kept[_RECORD]
    if sums.any():
        missed = (_solved(sums, x) - returns).square().mean()
        mean = sums[-1, -2] / sums[-2, -2]  # of the returns so far
        around = (returns - mean).square().mean()
        record = torch.stack((record[0] + 1, _FORGETS * record[1] + missed, _FORGETS * record[2] + around))
    whole = torch.cat((x, returns[:, None]), dim=1)
    state.kept |= {_SUMS: _FORGETS * sums + whole.t() @ whole, _RECORD: record}
    if not record[2]:
        return {"head/warm": 0.0}
    warm = record[0] >= _WARM and record[1] <= _BETTER * record[2]
    return {"head/explained": float(1 - record[1] / record[2]), "head/warm": float(warm)}


def _solved(sums: Tensor, x: Tensor) -> Tensor:
    """What ridge regression with these sums says of `x`; the constant is not held back."""
    ridge = torch.full((WIDTH + 1,), _RIDGE, dtype=torch.float64)
    ridge[-1] = 1e-9
    weights = torch.linalg.solve(sums[:-1, :-1] + torch.diag(ridge), sums[:-1, -1])
    predicted: Tensor = x @ weights
    return predicted
