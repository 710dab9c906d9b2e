"""The reward contract, TRL's: `f(prompts, completions, **columns) -> list[float | None]`, called by keyword.

`prompts` and `completions` are flat lists, one entry a completion; prompts are lists of messages, and a completion is
`[{"role": "assistant", "content": ...}]`. Every column of the items arrives under its own name. Rubric functions in the
manner of verifiers are known by their signature (`calls.py`). `None` abstains. A reward that raises, returns the wrong
length or a value that is not a finite number abstains on those rows, and says so; it is never counted as zero, because
zero teaches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean, pstdev
from typing import Any, Protocol, runtime_checkable

from mrclassic.rewards.calls import (
    Answer,
    Batch,
    Log,
    Messages,
    RewardFunction,
    Shape,
    TrainerState,
    ask,
    ask_async,
    number,
    shape,
    submit,
)
from mrclassic.rewards.metadata import metadata
from mrclassic.rewards.standing import Standing
from mrclassic.tasks.base import Item, Judgement

Values = tuple[float | None, ...]


@dataclass(frozen=True)
class Weighted:
    """A reward function with its name and its weight in the sum.

    Weight 0 is for watching: the values are recorded and teach nothing. A reward that `decides` (a verifier) takes a
    completion out of its group where it abstains; otherwise what remains, such as a share for form, would count the
    answer that nobody could check as wrong. One that is `named` by items, in their column `reward`, is asked about
    those alone, and there it decides in the verifier's place.
    """

    name: str
    function: RewardFunction
    weight: float = 1.0
    decides: bool = False
    named: bool = False

    @cached_property
    def shape(self) -> Shape:
        """How the function wants to be called."""
        return shape(self.function)


@runtime_checkable
class Judges(Protocol):
    """A reward that asks the task's verifier."""

    @property
    def judgements(self) -> Sequence[Judgement]:
        """Those of the newest batch."""
        ...


@dataclass(frozen=True)
class Scores:
    """`total`: the weighted sum a row (None where all abstained); `parts`: each reward's values; `faults` in words;
    what rewards logged; `not_found`: the share of answers that the verifier could not read, if it was asked."""

    total: Values
    parts: Mapping[str, Values]
    faults: tuple[str, ...] = ()
    logged: Mapping[str, float] = field(default_factory=dict)
    extra: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    not_found: float | None = None

    def metrics(self) -> dict[str, float]:
        """The numbers of this batch. What a reward logs stands under `logged/`, so that none can speak for another."""
        found = {f"logged/{name}": value for name, value in self.logged.items()}
        for name, values in self.parts.items():
            given = [value for value in values if value is not None]
            if given:
                found[f"rewards/{name}/mean"] = fmean(given)
                found[f"rewards/{name}/std"] = pstdev(given)
        found["rewards/abstained"] = sum(value is None for value in self.total) / max(1, len(self.total))
        if self.not_found is not None:
            found["answers/not_found"] = self.not_found
        return found


def columns_of(items: Sequence[Item]) -> dict[str, Sequence[Any]]:
    """What rewards are told of the items, one entry a completion: `item`, `answer`, and every key of `meta` (None where
    an item lacks it). The answer goes by the name `solution` too, which TRL's own rewards read."""
    answers = [item.answer for item in items]
    names = dict.fromkeys(name for item in items for name in item.meta)
    return {
        "solution": answers,
        **{name: [item.meta.get(name) for item in items] for name in names},
        "item": items,
        "answer": answers,
    }


def score(
    rewards: Sequence[Weighted],
    prompts: Sequence[Messages],
    completions: Sequence[str],
    columns: Mapping[str, Any],
    *,
    completion_ids: Sequence[Sequence[int]] | None = None,
    step: int = 0,
    standing: Standing | None = None,
) -> Scores:
    """Ask every reward about every completion; the async ones run beside the others. `columns` hold a list a name, or
    one value for all completions; `standing` counts faults and silences who has too many."""
    log = Log(len(completions))
    columns = columns if completion_ids is None else {**columns, "completion_ids": completion_ids}
    batch = Batch(prompts, completions, columns, TrainerState(step), log)
    heard = [reward for reward in rewards if standing is None or standing.heard(reward.name)]
    own = _own(columns.get("reward"), len(completions))
    everyone = range(len(completions))
    rows = {r.name: [at for at in everyone if own[at] == r.name] if r.named else everyone for r in heard}
    asked = [(r, batch.only(rows[r.name]) if r.named else batch) for r in heard if rows[r.name]]
    faults: list[str] = []
    nothing: Values = (None,) * len(completions)
    parts: dict[str, Values] = {reward.name: nothing for reward in rewards}
    for reward, answer in _ask_all(asked):
        bounds = metadata(reward.function).range
        if bounds is not None:
            answer.bound(*bounds)
        if answer.words:
            faults.append(f"reward {reward.name}: {answer.words}{standing.strike(reward.name) if standing else ''}")
        values = list(nothing)
        for at, value in zip(rows[reward.name], answer.values, strict=True):
            values[at] = value
        parts[reward.name] = tuple(values)
    sums = _sums(rewards, parts, own)
    total = tuple(None if value is None else number(value) for value in sums)
    if total != tuple(sums):
        faults.append("the weighted sum of some completions is too large to be a number")
    return Scores(
        total,
        parts,
        tuple(faults),
        {name: fmean(values) for name, values in log.metrics.items()},
        log.extra,
        _not_found([reward for reward, _ in asked if any(value is not None for value in parts[reward.name])]),
    )


def _own(column: object, rows: int) -> list[str | None]:
    """The reward that each item names for itself."""
    if not isinstance(column, Sequence) or isinstance(column, str):
        return [None] * rows
    return [name if isinstance(name, str) and name else None for name in column]


def _ask_all(asked: Sequence[tuple[Weighted, Batch]]) -> list[tuple[Weighted, Answer]]:
    """Each reward with its answer. Those that compute in this process and are not async stay in this thread, one after
    the other; all others run meanwhile."""
    running: dict[str, Future[Answer]] = {}
    try:
        for reward, batch in asked:
            if reward.shape.awaited:
                running[reward.name] = submit(ask_async(reward.function, reward.shape, batch))
            elif reward.shape.elsewhere:
                running[reward.name] = submit(asyncio.to_thread(ask, reward.function, reward.shape, batch))
        given = {r.name: ask(r.function, r.shape, batch) for r, batch in asked if r.name not in running}
        given.update((name, future.result()) for name, future in running.items())
    finally:
        for future in running.values():  # of use when interrupted
            future.cancel()
    return [(reward, given[reward.name]) for reward, _ in asked]


def _sums(rewards: Sequence[Weighted], parts: Mapping[str, Values], own: Sequence[str | None]) -> list[float | None]:
    """The weighted sum a row; None where nobody, or not the one who decides, gave a value."""
    sums: list[float | None] = [None] * len(own)
    for reward in rewards:
        if reward.weight:
            for row, value in enumerate(parts[reward.name]):
                if value is not None and not (reward.decides and own[row] not in (None, reward.name)):
                    sums[row] = (sums[row] or 0.0) + reward.weight * value
    nothing: Values = (None,) * len(own)
    judges = [parts[reward.name] for reward in rewards if reward.decides and reward.weight]
    for row, name in enumerate(own):
        if any(values[row] is None for values in (judges if name is None else [parts.get(name, nothing)])):
            sums[row] = None
    return sums


def _not_found(rewards: Sequence[Weighted]) -> float | None:
    for reward in rewards:
        function: object = reward.function
        if isinstance(function, Judges):
            judged = [each for each in function.judgements if each.verdict in ("right", "wrong")]
            return sum(not each.found for each in judged) / len(judged) if judged else None
    return None
