"""What one update reports: plain numbers under the field's names, and a few samples to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sample:
    """A completion with its score; `reward` is None where every reward abstained."""

    prompt: str
    completion: str
    reward: float | None
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class StepReport:
    """One update. `metrics` hold finite numbers or NaN; a number that nothing was known about is left out. `applied` is
    False where the update was discarded; `faults` say in words what went wrong with a reward."""

    step: int
    metrics: Mapping[str, float]
    samples: tuple[Sample, ...] = ()
    seconds: float = 0.0
    applied: bool = True
    faults: tuple[str, ...] = ()
