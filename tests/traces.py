"""Made-up runs for tests of the sentinel: healthy ones of many kinds, noisy as real updates are, and sick ones."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from mrclassic.training.report import Sample, StepReport
from mrclassic.training.sentinel import REINFORCED, Look, Rule, Sentinel, Verdict

Change = Callable[[int, dict[str, float]], object]


@dataclass(frozen=True)
class Shape:
    """A healthy run: where its curves begin and end, over how many updates, measured on how many completions."""

    reward: tuple[float, float] = (0.2, 0.9)
    spread: tuple[float, float] = (0.3, 0.45)  # frac_reward_zero_std
    length: tuple[float, float] = (30.0, 32.0)
    entropy: tuple[float, float] = (0.4, 0.1)
    kl: float = 0.12
    clipped: float = 0.02
    not_found: tuple[float, float] = (0.04, 0.01)
    updates: int = 300
    completions: int = 256

    def at(self, step: int, rng: random.Random) -> dict[str, float]:
        """The metrics of update `step`, each with the noise of its sample."""
        done = 1 - math.exp(-3 * step / self.updates)

        def between(ends: tuple[float, float]) -> float:
            return ends[0] + (ends[1] - ends[0]) * done

        def share(p: float, n: int) -> float:
            p = min(1.0, max(0.0, p))
            return min(1.0, max(0.0, rng.gauss(p, math.sqrt(p * (1 - p) / n))))

        groups = max(4, self.completions // 16)
        return {
            "loss": rng.gauss(0, 0.01),
            "reward": share(between(self.reward), self.completions // 3),  # answers of one group are alike
            "frac_reward_zero_std": share(between(self.spread), groups),
            "completions/clipped_ratio": share(self.clipped, self.completions),
            "completions/mean_length": between(self.length) * rng.lognormvariate(0, 0.08),
            "entropy": between(self.entropy) * rng.lognormvariate(0, 0.15),
            "kl": self.kl * done**2 * rng.lognormvariate(0, 0.4),
            "answers/not_found": share(between(self.not_found), self.completions),
            "rewards/abstained": 0.0,
            "grad_norm": rng.lognormvariate(-1, 0.4),
        }

    def look(self, step: int, rng: random.Random, n: int = 96) -> Look:
        """What looking aside finds: always the same items, easy and hard ones, of which one in five goes either way
        from look to look; held-out items follow the reward, the book loses an entry or two at times."""
        done = 1 - math.exp(-3 * step / self.updates)
        p = self.reward[0] + (self.reward[1] - self.reward[0]) * done
        right = sum((rng.random() if rng.random() < 0.2 else (item + 0.5) / n) < p for item in range(n))
        return Look((right, n), (n - sum(rng.random() < 0.01 for _ in range(n)), n))


def samples(found: bool = True) -> tuple[Sample, ...]:
    return tuple(
        Sample(f"What is {n} + 1?", f"so {n + 1}." + ("" if found or n % 4 else " I hope that helps!"), float(n % 2))
        for n in range(16)
    )


def objection(
    change: Change | None = None,
    *,
    shape: Shape | None = None,
    steps: int = 300,
    begin: int = 60,
    seed: int = 1,
    rules: tuple[Rule, ...] = REINFORCED,
    look: Callable[[int], Look] | None = None,
    warnings: bool = True,
) -> tuple[int, Verdict] | None:
    """The update (from 0) at which the sentinel first says anything but continue; `change` works from `begin` on."""
    shape = shape or Shape()
    sentinel, rng = Sentinel(rules), random.Random(seed)
    if look is not None:
        sentinel.history.look(look(0), 0)
    for step in range(steps):
        metrics, applied = shape.at(step, rng), True
        if change is not None and step >= begin:
            applied = change(step - begin, metrics) is not False
        report = StepReport(step + 1, metrics, samples(), applied=applied)
        verdict = sentinel.judge(report, look(step + 1) if look is not None and (step + 1) % 25 == 0 else None)
        if verdict.action != "continue" and (warnings or verdict.action != "warn"):
            return step, verdict
    return None
