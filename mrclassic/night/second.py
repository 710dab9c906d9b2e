"""A second opinion on answers that were rewarded: a verifier that shares no code with the one that paid.

A reward that pays for wrong answers teaches them, and no held-out suite shows it: the same verifier judges those. So
fifty rewarded answers of a night are judged once more by other means, and fewer than 98% in agreement is a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from mrclassic.night.gate import GateVerdict
from mrclassic.store import Store
from mrclassic.store.runs import Sample
from mrclassic.tasks.answers import symbolic
from mrclassic.tasks.base import keyed

ASKED, AGREED = 50, 0.98
_FEWEST = 10  # of fewer, one alone would decide
_PAID = ("correct", "all_or_nothing")  # the rewards that mean: this is the answer

Verify = Callable[[Sequence[Sample]], list[bool | None]]


@dataclass(frozen=True)
class Opinion:
    """How many answers a second verifier could judge, and those that it does not call right."""

    asked: int
    doubted: tuple[Sample, ...]

    @property
    def refusal(self) -> str | None:
        """Why nothing that was learned from these rewards is used; None where there is no reason."""
        if self.asked < _FEWEST or self.asked - len(self.doubted) >= AGREED * self.asked:
            return None
        first = self.doubted[0]
        words = " / ".join(first.completion.split("\n"))[:120]
        return (
            f"A second verifier agrees with {self.asked - len(self.doubted)} of {self.asked} answers that were "
            f"rewarded; it doubts, for one, {first.prompt!r} -> {words!r} (paid for {first.detail.get('answer')})"
        )


def confirmed(verdict: GateVerdict, store: Store, night: int) -> GateVerdict:
    """`verdict`, or its refusal where a second verifier doubts what was rewarded in `night`."""
    refusal = opinion(store, night).refusal
    if refusal is None:
        return verdict
    against = () if verdict.promoted else verdict.reasons
    return replace(verdict, verdict="keep", reasons=(refusal, *against))


def opinion(store: Store, night: int) -> Opinion:
    """The second opinion on the answers that were rewarded in `night`."""
    paid = [
        sample
        for run in store.runs.of_night(night)
        for sample in reversed(store.runs.samples(run.id, 10_000))
        if _was_paid(sample) and sample.detail.get("task") in VERIFIERS
    ]
    chosen = paid if len(paid) <= ASKED else keyed("second opinion", night).sample(paid, ASKED)
    return of(chosen)


def of(samples: Iterable[Sample]) -> Opinion:
    """The second opinion on rewarded answers."""
    by_task: dict[str, list[Sample]] = {}
    for sample in samples:
        by_task.setdefault(str(sample.detail.get("task")), []).append(sample)
    told = [
        (sample, verdict)
        for task, those in by_task.items()
        for sample, verdict in zip(those, VERIFIERS[task](those), strict=True)
        if verdict is not None
    ]
    return Opinion(len(told), tuple(sample for sample, verdict in told if not verdict))


def _was_paid(sample: Sample) -> bool:
    rewards = sample.detail.get("rewards", {})
    return any(rewards.get(name) == 1.0 for name in _PAID)


# --- one verifier a task: (the question, the gold answer, the reply) by other means than the task's own ---


def _each(judge: Callable[[Sample], bool | None]) -> Verify:
    return lambda samples: [judge(sample) for sample in samples]


def _sum(sample: Sample) -> bool | None:
    """The question computed anew, from its digits, and the digits that end the reply."""
    words = sample.prompt.removesuffix("?").split()
    if len(words) != 5 or words[3] not in ("+", "-"):
        return None
    left, right = int(words[2]), int(words[4])
    wanted = left + right if words[3] == "+" else left - right
    said = sample.completion.rstrip().rstrip(".")
    digits = said[len(said.rstrip("0123456789")) :]
    before = said[: len(said) - len(digits)]
    return bool(digits) and int(digits) == wanted and not before.rstrip(" ").endswith(("-", ",", ".", "/"))


def _last_number(sample: Sample) -> bool | None:
    """The last number of the reply, as plainly as it can be read, against the gold's."""
    try:
        gold = _value(str(sample.detail["answer"]))
        numbers = re.findall(r"-?\d[\d,]*(?:\.\d+)?", sample.completion)
        return bool(numbers) and any(abs(float(each.replace(",", "")) - gold) < 1e-9 for each in numbers[-2:])
    except (ValueError, ZeroDivisionError, KeyError):
        return None


def _value(text: str) -> float:
    """A number, or one over another."""
    top, _, bottom = text.partition("/")
    return float(top) / float(bottom or 1)


def _algebra(samples: Sequence[Sample]) -> list[bool | None]:
    """Computer algebra in a worker, where the task itself asks it last and mostly not at all."""
    pairs = [(f"${sample.detail.get('answer', '')}$", sample.completion) for sample in samples]
    return [None if verdict == "error" else verdict == "right" for verdict in symbolic.ask(pairs)]


def _told(sample: Sample) -> bool | None:
    """Who is said to be what at the end of the reply, against the gold's own sentence."""
    gold, said = (
        dict(re.findall(r"([\w'-]+) is an? (\w+)", text.rpartition("ANSWER:")[2].casefold()))
        for text in (str(sample.detail.get("answer", "")), sample.completion)
    )
    return all(said.get(name) == kind for name, kind in gold.items()) if gold else None


VERIFIERS: dict[str, Verify] = {
    "arithmetic": _each(_sum),
    "gsm8k": _each(_last_number),
    "math": _algebra,
    "knights": _each(_told),
}
