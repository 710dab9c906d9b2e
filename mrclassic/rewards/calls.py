"""How a reward function is called, which its signature decides.

- As TRL does, once a batch: `f(prompts=, completions=, completion_ids=, **columns, trainer_state=, log_extra=,
  log_metric=)`, flat lists with one entry a completion.
- As verifiers calls its rubric functions: once a completion where the names are singular, with any subset of `prompt,
  completion, answer, state, task, info, parser`; once for all completions of a prompt where one of `answers, states,
  tasks, infos` is asked for.

Each kind may be `async`. A function without `**columns` gets what it names and no more.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import os
import threading
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import groupby
from numbers import Real
from typing import Any, Literal, TypeVar

from mrclassic.rewards.parser import Parser

RewardFunction = Callable[..., Any]
Messages = Sequence[Mapping[str, str]]

_GROUP = {"answers", "states", "tasks", "infos"}
_SINGULAR = {"prompt", "completion", "state", "task", "info", "parser"}
_BATCH = {"prompts", "completions", "completion_ids", "trainer_state"}
_LONGEST_MESSAGE = 200
_PARSER = Parser()


@dataclass(frozen=True)
class TrainerState:
    """The field of transformers' `TrainerState` that rewards read."""

    global_step: int = 0


@dataclass(frozen=True)
class Shape:
    """What a signature says: the style; the names taken (None: any), those without a default; whether to await. What
    is `elsewhere` computes in a process of its own, and is waited for beside the others."""

    style: Literal["batch", "row", "group"] = "batch"
    takes: frozenset[str] | None = None
    needs: frozenset[str] = frozenset()
    awaited: bool = False
    elsewhere: bool = False


def shape(function: object) -> Shape:
    """Read the signature of `function`. One that has none to read is called as TRL would."""
    awaited = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004
    try:
        parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return Shape(awaited=awaited)
    named = [each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    names = frozenset(each.name for each in named)
    if not names.isdisjoint(_GROUP):
        style: Literal["batch", "row", "group"] = "group"
    elif names.isdisjoint(_BATCH) and not names.isdisjoint(_SINGULAR):
        style = "row"
    else:
        style = "batch"
    return Shape(
        style,
        None if any(each.kind is each.VAR_KEYWORD for each in parameters) else names,
        frozenset(each.name for each in named if each.default is each.empty),
        awaited,
        getattr(function, "elsewhere", False) is True,
    )


@dataclass
class Log:
    """What rewards said through `log_metric` and `log_extra`."""

    rows: int
    metrics: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    extra: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def metric(self, name: str, value: object) -> None:
        """A number of this batch. NaN is passed over: a mean of nothing is no reason to lose a batch."""
        known = number(value)
        if known is not None:
            self.metrics[str(name)].append(known)

    def column(self, name: str, values: Sequence[Any]) -> None:
        """A column to show beside the completions."""
        if len(values) != self.rows:
            raise ValueError(f"log_extra({name!r}) was given {len(values)} values for {self.rows} completions")
        self.extra[str(name)] = tuple(values)


@dataclass(frozen=True)
class Batch:
    """Completions to be scored. Each function gets copies of its own: what it does to them is seen by no other."""

    prompts: Sequence[Messages]
    completions: Sequence[str]
    columns: Mapping[str, Any]
    state: TrainerState
    log: Log

    def __len__(self) -> int:
        return len(self.completions)

    def only(self, rows: Sequence[int]) -> Batch:
        """The same, of some rows; what is logged as a column would not fit the others and is dropped."""
        return Batch(
            [self.prompts[at] for at in rows],
            [self.completions[at] for at in rows],
            {**self._constants, **{name: [values[at] for at in rows] for name, values in self._lists.items()}},
            self.state,
            Log(len(rows), self.log.metrics),
        )

    def calls(self, shape: Shape) -> Iterator[tuple[range, dict[str, Any]]]:
        """The rows and keywords of each call that it takes to ask about every completion."""
        if shape.style == "batch":
            yield range(len(self)), self._flat()
        elif shape.style == "row":
            for at in range(len(self)):
                yield range(at, at + 1), self._row(at)
        else:
            for _, places in groupby(range(len(self)), key=lambda at: self.prompts[at]):
                rows = list(places)
                yield range(rows[0], rows[-1] + 1), self._group(rows)

    def _flat(self) -> dict[str, Any]:
        return {
            **self._constants,
            **{name: list(values) for name, values in self._lists.items()},
            "prompts": [_messages(prompt) for prompt in self.prompts],
            "completions": [_reply(text) for text in self.completions],
            "trainer_state": self.state,
            "log_extra": self.log.column,
            "log_metric": self.log.metric,
        }

    def _row(self, at: int) -> dict[str, Any]:
        cells = {name: values[at] for name, values in self._lists.items()}
        return {**self._constants, **cells, **self._rubric(at), "state": self._states[at], "parser": _PARSER}

    def _group(self, rows: Sequence[int]) -> dict[str, Any]:
        lists = {name: [values[at] for at in rows] for name, values in self._lists.items()}
        told = [self._rubric(at) for at in rows]
        rubric = {f"{name}s": [each[name] for each in told] for name in told[0]}
        return {**self._constants, **lists, **rubric, "states": [self._states[at] for at in rows], "parser": _PARSER}

    def _rubric(self, at: int) -> dict[str, Any]:
        """What verifiers tells of a completion."""
        cells = {name: values[at] for name, values in self._lists.items() if name != "item"}
        return {
            "prompt": _messages(self.prompts[at]),
            "completion": _reply(self.completions[at]),
            "answer": cells.get("answer", ""),
            "task": cells.get("task", ""),
            "info": cells.get("info", cells),
        }

    @cached_property
    def _states(self) -> list[dict[str, Any]]:
        """verifiers' `state` of each completion: all its functions see the same one and may write into it."""
        return [self._rubric(at) for at in range(len(self))]

    @cached_property
    def _lists(self) -> dict[str, Sequence[Any]]:
        return {name: values for name, values in self.columns.items() if _is_column(values)}

    @cached_property
    def _constants(self) -> dict[str, Any]:
        return {name: value for name, value in self.columns.items() if not _is_column(value)}


class Told(list[float | None]):
    """What a reward may return in place of a plain list: values, and in `fault` what went wrong where there is none."""

    def __init__(self, values: Sequence[float | None], fault: str) -> None:
        super().__init__(values)
        self.fault = fault


class Answer:
    """What a function said: a value a completion (None: abstained), and its faults in words."""

    def __init__(self, rows: int) -> None:
        self.values: list[float | None] = [None] * rows
        self._faults: Counter[str] = Counter()  # how many completions each concerns

    def take(self, rows: range, given: object) -> None:
        """The values of `rows`, as a call returned them."""
        if hasattr(given, "tolist"):  # an array or a tensor, as TRL takes them
            given = given.tolist()
        if not isinstance(given, Sequence) or isinstance(given, str | bytes) or len(given) != len(rows):
            what = f"{len(given)} values" if isinstance(given, list | tuple) else type(given).__name__
            self.fault(f"it returned {what}, not a list of {len(rows)} values", len(rows))
            return
        if isinstance(given, Told) and given.fault:
            self.fault(given.fault, len(rows))  # its words say on how many of them
        known = [number(value) for value in given]
        self.values[rows.start : rows.stop] = known
        odd = sum(value is None for value in known) - sum(value is None for value in given)
        if odd:
            self.fault("it gave values that are not finite numbers", odd)

    def fault(self, words: str, rows: int = 1) -> None:
        self._faults[words] += rows

    def bound(self, low: float, high: float) -> None:
        """Mask what lies outside the range that the function itself declares: nothing teaches faster than a mistake."""
        for row, value in enumerate(self.values):
            if value is not None and not low - 1e-6 <= value <= high + 1e-6:
                self.values[row] = None
                self.fault(f"it gave values outside its range {low:g} to {high:g}")

    @property
    def words(self) -> str:
        """One sentence, empty where there was no fault."""
        if not self._faults:
            return ""
        worst, rows = self._faults.most_common(1)[0]
        others = f", and {len(self._faults) - 1} other faults" if len(self._faults) > 1 else ""
        return worst + (f" (on {rows} of {len(self.values)} completions)" if rows < len(self.values) else "") + others


def ask(function: RewardFunction, shape: Shape, batch: Batch) -> Answer:
    """Ask a function that is not async, in this thread."""
    answer = Answer(len(batch))
    for rows, given in batch.calls(shape):
        try:
            value = function(**_accepted(shape, given))
            if inspect.isawaitable(value):
                value = submit(_wait(value)).result()
            answer.take(rows, [value] if shape.style == "row" else value)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever an owner's function raises must not end the night
            answer.fault(_raised(error), len(rows))
    return answer


async def ask_async(function: RewardFunction, shape: Shape, batch: Batch) -> Answer:
    """Ask an async function; its calls run concurrently."""
    answer = Answer(len(batch))

    async def one(rows: range, given: dict[str, Any]) -> None:
        try:
            value = await function(**_accepted(shape, given))
            answer.take(rows, [value] if shape.style == "row" else value)
        except (Exception, SystemExit, asyncio.CancelledError) as error:  # noqa: BLE001 - as above
            answer.fault(_raised(error), len(rows))

    await asyncio.gather(*(one(rows, given) for rows, given in batch.calls(shape)))
    return answer


T = TypeVar("T")


def submit(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Start async work beside this thread; sync rewards stay here, where signals and their alarms work."""
    return asyncio.run_coroutine_threadsafe(work, _loop(os.getpid()))


@cache
def _loop(process: int) -> asyncio.AbstractEventLoop:
    """One loop for the life of the process, as in TRL: a client that a reward keeps open is bound to its loop."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="rewards", daemon=True).start()
    return loop


async def _wait(value: Awaitable[T]) -> T:
    return await value


def number(value: object) -> float | None:
    """A finite number as a float; None for anything else, text that looks like one included."""
    if type(value) is not float:
        if not isinstance(value, Real) and hasattr(value, "item"):  # a scalar of NumPy's or torch's
            value = value.item()
        if not isinstance(value, Real):
            return None
        try:
            value = float(value)
        except (OverflowError, ValueError):
            return None
    return value if math.isfinite(value) else None


def _accepted(shape: Shape, given: dict[str, Any]) -> dict[str, Any]:
    missing = shape.needs - given.keys()
    if missing:
        raise TypeError(f"it asks for {', '.join(sorted(missing))}, which these items do not have")
    if shape.takes is None:
        return given
    accepted = {name: given[name] for name in shape.takes & given.keys()}
    if not accepted:
        raise TypeError("it takes nothing of what rewards are told: prompts, completions, columns of the items")
    return accepted


def _raised(error: BaseException) -> str:
    try:
        words = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - an error whose own message fails
        words = ""
    return f"it raised {type(error).__name__}" + (f": {words[:_LONGEST_MESSAGE]}" if words else "")


def _is_column(values: object) -> bool:
    return isinstance(values, Sequence) and not isinstance(values, str | bytes)


def _messages(prompt: Messages) -> list[dict[str, str]]:
    return [dict(message) for message in prompt]


def _reply(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]
