"""What a model would say, found without making it say it: the expected reply is read, not written.

A greedy reply is the expected one exactly if at each of its places the likeliest next token is the expected one, its
end included. One pass over the whole reply shows that, where writing it takes a pass a token: a book of five hundred
entries is judged in a fraction of a second. The same pass gives the chance that a draw would be this very reply.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from mrclassic.model.policy import WARMTH, Policy
from mrclassic.model.tokenizer import Tokenizer
from mrclassic.training import suites
from mrclassic.training.room import halving
from mrclassic.training.rows import Batch, Row, buckets, collate, row
from mrclassic.training.suites import Probe, Suite, SuiteResult

_BUDGET, _LEAST = 8192, 256  # tokens of a rectangle; where memory is short
_PART = 2**23  # scores over the vocabulary at a time


@dataclass(frozen=True)
class Known:
    """Of one row: whether its reply is what greedy decoding gives, and the chance (0 to 1) that a draw gives it."""

    greedy: bool
    chance: float


def known(policy: Policy, rows: Sequence[Row], temperature: float = WARMTH) -> list[Known]:
    """Read the replies of `rows` as `policy` would have to write them; chances are those of draws at `temperature`."""
    return halving(_BUDGET, _LEAST, lambda budget: _known(policy, rows, temperature, budget))


@torch.inference_mode()
def _known(policy: Policy, rows: Sequence[Row], temperature: float, budget: int) -> list[Known]:
    missed, logp = [0] * len(rows), [0.0] * len(rows)
    for group in buckets(rows, budget):
        batch = collate([rows[place] for place in group], policy.tokenizer.pad_id, policy.device)
        wrong, each = _read(policy, batch, temperature)
        for place, owner in enumerate(batch.row.tolist()):
            missed[group[owner]] += wrong[place]
            logp[group[owner]] += each[place]
    return [Known(not wrong, math.exp(total)) for wrong, total in zip(missed, logp, strict=True)]


def _read(policy: Policy, batch: Batch, temperature: float) -> tuple[list[bool], list[float]]:
    """Of each target: whether another token would have been taken, and its log-probability."""
    count = len(batch.next)
    hidden = policy.decoder(batch.ids).flatten(0, 1)[batch.at]
    weight = policy.decoder.head_weight[: policy.live]
    following = F.pad(batch.next, (0, len(hidden) - count))
    ends = torch.tensor(sorted(policy.tokenizer.end_ids), device=hidden.device)
    wrong, logp = [], []
    step = max(1, _PART // len(weight))
    for at in range(0, len(hidden), step):
        scores = torch.mm(hidden[at : at + step], weight.t()).float()
        wanted, best = following[at : at + step], scores.argmax(-1)
        # Any token that ends a reply ends it.
        ended = torch.isin(wanted, ends) & torch.isin(best, ends)
        wrong.append((best != wanted) & ~ended)
        picked = scores.gather(1, wanted[:, None])[:, 0] / temperature
        logp.append(picked - (scores / temperature).logsumexp(-1))
    return torch.cat(wrong)[:count].tolist(), torch.cat(logp)[:count].tolist()


def reading(tokenizer: Tokenizer, probe: Probe, context: int) -> Row:
    """The row by which `probe` is judged: of an item, its worked answer."""
    wanted = probe.expected if probe.item is None else probe.item.trace or probe.item.answer
    return row(tokenizer, [*probe.prompt, {"role": "assistant", "content": wanted}], context)


def read(policy: Policy, wanted: Sequence[Suite], temperature: float = WARMTH) -> dict[str, list[Known]]:
    """What `known` finds of each suite's items; games have to be played, and are left out."""
    told = [suite for suite in wanted if suite.how != "played"]
    rows = [reading(policy.tokenizer, probe, policy.shape.context) for suite in told for probe in suite.probes]
    found = iter(known(policy, rows, temperature))
    return {suite.name: [next(found) for _ in suite.probes] for suite in told}


def measure(
    policy: Policy, wanted: Sequence[Suite], already: Mapping[str, Sequence[Known]] | None = None
) -> dict[str, SuiteResult]:
    """As `suites.measure`, quickly (`already`: what `read` gave for these). Where a reply by heart is not the expected
    one, the model is made to say what it says instead. An item of a task counts as right only where the worked answer
    is given word for word: less than the model can do, and enough to see whether it still can."""
    found = read(policy, wanted) if already is None else already
    played = [suite for suite in wanted if suite.how == "played"]
    results = suites.measure(policy, played) if played else {}
    spoken: list[Suite] = []
    for suite in wanted:
        if suite in played:
            continue
        right = [each.greedy for each in found[suite.name]]
        replies = tuple(probe.expected if ok else "" for probe, ok in zip(suite.probes, right, strict=True))
        results[suite.name] = SuiteResult(suite.name, tuple(map(float, right)), replies)
        if suite.arms is None and not all(right):
            lost = tuple(probe for probe, ok in zip(suite.probes, right, strict=True) if not ok)
            spoken.append(Suite(suite.name, lost))
    for name, said in suites.measure(policy, spoken).items() if spoken else ():
        results[name] = _with(results[name], said)
    return results


def _with(read: SuiteResult, said: SuiteResult) -> SuiteResult:
    """`read` with what the model said where it did not give the expected reply. The same words in other tokens, or
    another rounding, may turn out right after all."""
    replies, scores = iter(said.replies), iter(said.scores)
    pairs = [
        (score, reply) if score else (next(scores), next(replies))
        for score, reply in zip(read.scores, read.replies, strict=True)
    ]
    return SuiteResult(read.name, tuple(score for score, _ in pairs), tuple(reply for _, reply in pairs))
