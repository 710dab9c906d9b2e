"""How an answer is judged: the reward contract, the rewards that are built in, and choosing among them by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING

from mrclassic.errors import UsageError
from mrclassic.rewards.all_or_nothing import AllOrNothing
from mrclassic.rewards.calls import RewardFunction
from mrclassic.rewards.chance import chance
from mrclassic.rewards.contract import Weighted
from mrclassic.rewards.correct import Correct, Verifier
from mrclassic.rewards.format import Format
from mrclassic.rewards.length import length
from mrclassic.rewards.metadata import metadata, reward
from mrclassic.rewards.repetition import repetition
from mrclassic.rewards.similarity import raw_similarity, similarity
from mrclassic.rewards.taste import NAME as TASTE

if TYPE_CHECKING:
    from mrclassic.tasks.base import Checks

__all__ = ["get", "names", "reward", "select"]

_OF_A_TASK: Mapping[str, Callable[[Verifier], RewardFunction]] = MappingProxyType(
    {"correct": Correct, "format": Format, "all_or_nothing": AllOrNothing}
)
_OF_ANY: Mapping[str, RewardFunction] = MappingProxyType(
    {
        "similarity": similarity,
        "raw_similarity": raw_similarity,
        "length": length,
        "repetition": repetition,
        "chance": chance,
    }
)


def names() -> tuple[str, ...]:
    """The rewards that are built in."""
    return (*_OF_A_TASK, *_OF_ANY)


def get(name: str, task: Checks) -> RewardFunction:
    """A built-in reward for answers to `task`."""
    return _get(name, Verifier(task), {})


def select(
    wanted: Sequence[str], task: Checks, plugins: Mapping[str, RewardFunction] = MappingProxyType({})
) -> list[Weighted]:
    """The rewards that words such as `correct` or `format=0.1` ask for. Without a number the weight is the one that the
    reward itself suggests, or 1. Those that judge share one verifier, so that no answer is checked twice. The rewards
    that items of the task name themselves (its `rewards`, where it has any) come along."""
    if not wanted:
        raise UsageError(f"No reward is named; name one or more of {', '.join((*names(), *plugins))}.")
    verifier = Verifier(task)
    chosen: dict[str, Weighted] = {}
    for words in wanted:
        name, equals, weight = words.partition("=")
        if name in chosen:
            raise UsageError(f"The reward {name} is named twice; name it once, with its weight: {name}=0.5.")
        function = _get(name, verifier, plugins)
        share = _weight(name, weight) if equals else metadata(function).weight
        chosen[name] = Weighted(name, function, share, bool(getattr(function, "decides", False)))
    for name in getattr(task, "rewards", ()):
        if name not in chosen:
            chosen[name] = Weighted(name, _get(name, verifier, plugins), named=True)
    return list(chosen.values())


def _get(name: str, verifier: Verifier, plugins: Mapping[str, RewardFunction]) -> RewardFunction:
    if name in plugins:
        if name in names():
            raise UsageError(f"A plugin is called {name}, as a built-in reward is; give the plugin another name.")
        return plugins[name]
    if name in _OF_A_TASK:
        return _OF_A_TASK[name](verifier)
    if name in _OF_ANY:
        return _OF_ANY[name]
    if name == TASTE:
        raise UsageError(f"The reward {TASTE} is learned from the picks of a home, and is to be had only there.")
    every = (*names(), *plugins)
    near = get_close_matches(name, every, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(every)}."
    raise UsageError(f"There is no reward {name!r}; {hint}")


def _weight(name: str, words: str) -> float:
    try:
        weight = float(words)
    except ValueError:
        weight = math.nan
    if not math.isfinite(weight):
        raise UsageError(f"The weight of the reward {name} is {words!r}; write a number, as in {name}=0.1.")
    return weight
