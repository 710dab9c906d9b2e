"""`bench sandbox`: how many whole HumanEval problems a second are judged, the reference program of each, by backend."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from mrclassic.errors import UsageError
from mrclassic.sandbox import backends
from mrclassic.sandbox.judge import Judge
from mrclassic.tasks import code

_FEWEST = 120  # judged in all; a small file is gone through several times
_WARM_UP = 16


@dataclass(frozen=True)
class Speed:
    """Of one backend; `why` says why it is not there, and then nothing was judged."""

    backend: str
    problems: int = 0
    judged: int = 0
    right: int = 0
    seconds: float = 0.0
    problems_per_s: float = 0.0
    cores: int = 0
    why: str = ""


def measure(source: Path | None) -> list[Speed]:
    """Judge the reference programs of HumanEval's rows in `source` (a file or folder; None: the sample) everywhere.

    Raises UsageError where there are none.
    """
    task = code.humaneval(source)
    levels = task.loaded.levels.values()
    items = [item for item in chain(*((*level.train, *level.held_out) for level in levels)) if item.answer]
    if not items:
        raise UsageError(f"No row of {source} has a canonical_solution; name a file of HumanEval's.")
    jobs = [task.job(item, item.answer) for item in items]
    rounds = -(-_FEWEST // len(jobs))
    speeds = []
    for name in backends.BACKENDS:
        if why := backends.fault(name):
            speeds.append(Speed(name, why=why))
            continue
        with Judge(backend=name) as judge:
            judge.judge(jobs[:_WARM_UP])
            begun = time.perf_counter()
            outcomes = judge.judge(jobs * rounds)
            seconds = time.perf_counter() - begun
            right = sum(outcome.verdict == "right" for outcome in outcomes)
            rate = round(len(outcomes) / seconds, 1)
            cores = len(os.sched_getaffinity(0))
            speeds.append(Speed(name, len(jobs), len(outcomes), right, round(seconds, 3), rate, cores))
    return speeds
