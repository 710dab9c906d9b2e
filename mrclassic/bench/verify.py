"""`bench verify`: how fast and how well answers in mathematics are judged, beside math-verify and against bombs."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mrclassic import shipped
from mrclassic.bench import hostile
from mrclassic.errors import UsageError
from mrclassic.tasks import rows as files
from mrclassic.tasks.answers import judge, judge_all, ladder, symbolic

_GOLDS = ("5", r"\frac{1}{2}", r"x^2+1", r"(-\infty,3]", r"\{1,2\}", r"\begin{pmatrix}1\\2\end{pmatrix}",
          r"\text{even}", r"\sin x", "x=5", r"1\pm\sqrt2", r"\frac{1}{2004!}", "1010_2", r"50\%", "3:1")  # fmt: skip
_SHOWN = 20


@dataclass(frozen=True)
class Pair:
    """A gold answer, a completion, and whether it is right (None: nobody says)."""

    gold: str
    completion: str
    right: bool | None


@dataclass(frozen=True)
class Score:
    """How a judge did on labelled pairs: `accepted` of the right ones, and of the wrong ones; `errors`: no verdict."""

    right: int
    accepted_right: int
    wrong: int
    accepted_wrong: int
    errors: int


@dataclass(frozen=True)
class Report:
    """What was measured."""

    rows: int
    rows_per_s: float
    verdicts: Mapping[str, int]
    ladder: Score
    math_verify: Score | None
    missed: Sequence[str] = field(default_factory=tuple)


def pairs(file: Path | None) -> list[Pair]:
    """Rows of `answer`, `completion` and, where known, `right`; those that travel with the program by default."""
    path = file or shipped.folder("data") / "answer_pairs.jsonl"
    found: list[Pair] = []
    for line, row in files.read(path):
        gold, completion, right = (row.get(key) for key in ("answer", "completion", "right"))
        if not (isinstance(gold, str) and isinstance(completion, str) and (right is None or isinstance(right, bool))):
            raise UsageError(f'{path} line {line}: write {{"answer": "...", "completion": "...", "right": true}}.')
        found.append(Pair(gold, completion, right))
    if not found:
        raise UsageError(f"{path} has no rows.")
    return found


def measure(found: Sequence[Pair], beside: bool = True) -> Report:
    """Judge all rows; `beside`: with math-verify alone too."""
    symbolic.pool()
    ladder.forget()
    start = time.perf_counter()
    judged = judge_all([pair.gold for pair in found], [pair.completion for pair in found])
    seconds = time.perf_counter() - start
    verdicts = [each.verdict for each in judged]
    alone = symbolic.ask([(f"${pair.gold}$", _for_math_verify(pair.completion)) for pair in found]) if beside else None
    missed = [
        f"{pair.gold}  {'=' if pair.right else '!='}  {pair.completion}: {verdict}"
        for pair, verdict in zip(found, verdicts, strict=True)
        if pair.right is not None and pair.right != (verdict == "right")
    ]
    return Report(
        len(found),
        round(len(found) / seconds, 1),
        Counter(verdicts),
        _score(found, verdicts),
        None if alone is None else _score(found, alone),
        tuple(missed[:_SHOWN]),
    )


def endure(count: int, seed: int = 0) -> dict[str, Any]:
    """Judge `count` hostile answers one by one: seconds (worst, median), verdicts, and the growth of this process."""
    judge("1", r"$\int_0^1 2x dx$")  # the worker's start is not the strings' doing
    before = _megabytes()
    verdicts: Counter[str] = Counter()
    seconds: list[float] = []
    worst = ""
    for place, text in enumerate(hostile.strings(count, seed)):
        start = time.perf_counter()
        verdicts[judge(_GOLDS[place % len(_GOLDS)], text).verdict] += 1
        seconds.append(time.perf_counter() - start)
        if seconds[-1] == max(seconds):
            worst = text[:80]
    return {
        "strings": count,
        "worst_s": round(max(seconds), 3),
        "median_s": round(statistics.median(seconds), 6),
        "above_2_s": sum(each > 2 for each in seconds),
        "verdicts": dict(verdicts),
        "grown_mib": round(_megabytes() - before, 1),
        "worst": worst,
    }


def _for_math_verify(completion: str) -> str:
    return completion if "$" in completion or "\\boxed" in completion else f"${completion}$"


def _score(found: Sequence[Pair], verdicts: Sequence[str]) -> Score:
    counts = Counter((pair.right, verdict) for pair, verdict in zip(found, verdicts, strict=True))
    total = Counter(pair.right for pair in found)
    errors = sum(number for (_, verdict), number in counts.items() if verdict == "error")
    return Score(total[True], counts[True, "right"], total[False], counts[False, "right"], errors)


def _megabytes() -> float:
    """The most memory that this process has had; Linux counts in KiB, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
