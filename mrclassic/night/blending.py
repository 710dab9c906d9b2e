"""Between the parent and what a night made of it: the way back is tried before a night's work is given up.

    weights(share) = parent + share (child - parent)        share in {1, 0.7, 0.5, 0.3}

A little of the way back often keeps most of what was gained and undoes most of what was forgotten (robust fine-tuning,
arXiv 2109.01903). From the child down, the first that loses nothing and gains something on the items that choose is
taken; where there is none, the one that loses least. It is judged on the other items, which had no part in the choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from mrclassic import heartbeat
from mrclassic.model.policy import Policy, reply_dtype
from mrclassic.night.gate import GateVerdict, Trial
from mrclassic.night.judging import Bench
from mrclassic.training.suites import SuiteResult

SHARES = (1.0, 0.7, 0.5, 0.3)


@dataclass(frozen=True)
class Chosen:
    """What was judged: its weights (float32), how far they go from the parent to the child, scores, and the verdict."""

    policy: Policy
    share: float
    after: dict[str, SuiteResult]
    verdict: GateVerdict


def judged(bench: Bench, child: Policy) -> Chosen:
    """Choose between the bench's parent and `child`, and judge what was chosen."""
    parent = bench.parent.policy
    wanted = reply_dtype(child.shape, child.device, bench.work.settings.dtype)
    found: dict[float, dict[str, SuiteResult]] = {}
    forgotten: dict[float, tuple[str, ...]] = {}

    def mixed(share: float, dtype: torch.dtype) -> Policy:
        return child if share == 1.0 else blend(parent, child, share, dtype)

    def tried(share: float) -> GateVerdict:
        heartbeat.beat(f"judging: {share:.0%} of the way")
        found[share], verdict = bench.try_out(mixed(share, wanted))
        forgotten[share] = tuple(change.question for change in bench.changes(found[share])[0])
        return verdict

    share, verdicts = choose(tried) if bench.choosing else (1.0, {})
    heartbeat.beat("judging")
    after = bench.measure(mixed(share, wanted), found.get(share))
    trials = tuple(trial(each, verdict, forgotten[each]) for each, verdict in verdicts.items())
    verdict = replace(bench.judge(after), share=share, trials=trials)
    return Chosen(mixed(share, torch.float32), share, after, verdict)


def choose(tried: Callable[[float], GateVerdict]) -> tuple[float, dict[float, GateVerdict]]:
    """The share to judge, and what the gate would say of each that had to be `tried`."""
    verdicts: dict[float, GateVerdict] = {}
    for share in SHARES:
        verdicts[share] = tried(share)
        if not _against(verdicts[share]) and _gain(verdicts[share]) > 0:
            return share, verdicts
    return min(SHARES, key=lambda share: (_against(verdicts[share]), -_gain(verdicts[share]))), verdicts


def _against(verdict: GateVerdict) -> float:
    """How much speaks against it: what its refusing suites lost, all together."""
    return sum(max(0.0, -suite.gain) or 1e-9 for suite in verdict.suites if suite.lost)


def _gain(verdict: GateVerdict) -> float:
    gains = [suite.gain for suite in verdict.suites if suite.kind == "target"]
    return sum(gains) / max(1, len(gains))


def trial(share: float, verdict: GateVerdict, forgotten: Sequence[str]) -> Trial:
    """A try in the words of the report."""
    refused = tuple(suite.reason for suite in verdict.suites if suite.lost)
    return Trial(share, refused, _gain(verdict), tuple(forgotten))


@torch.no_grad()
def carried(parent: Policy, child: Policy, other: Policy) -> Policy:
    """A policy (float32) to which is done what made `child` of `parent`: other + (child - parent), task arithmetic
    (arXiv 2212.04089). Whether both survive that is for the gate to say."""
    summed = other.cast(torch.float32)
    weights = (each.decoder.parameters() for each in (summed, parent, child))
    for weight, old, new in zip(*weights, strict=True):
        weight.add_(new.float() - old.float())
    return summed


@torch.no_grad()
def blend(parent: Policy, child: Policy, share: float, dtype: torch.dtype = torch.float32) -> Policy:
    """A policy `share` of the way from `parent` to `child`, mixed in float32 and kept in `dtype`."""
    mixed = child.cast(dtype)
    weights = zip(mixed.decoder.parameters(), parent.decoder.parameters(), child.decoder.parameters(), strict=True)
    for weight, old, new in weights:
        weight.copy_(torch.lerp(old.float(), new.float(), share))
    return mixed
