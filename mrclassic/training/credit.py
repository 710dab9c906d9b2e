"""Which turn of a conversation deserves the reward: TD(lambda) with eligibility traces (Sutton and Barto, chapter 12).

With the reward r_t after turn t and the value V(s_t) of where the conversation stood before it (0 after the end),

    delta_t = r_t + gamma V(s_{t+1}) - V(s_t)

is the news that turn t brought. A trace says who was there when it came: each turn, e <- gamma lambda e, the turn's own
tokens enter it with 1, and every token is credited with delta_t e. That sums up to the forward view,

    A_t = sum over l of (gamma lambda)^l delta_{t+l}  =  (lambda-return of t) - V(s_t),

on every token of turn t. With lambda = 1 it is the return less the value, Monte-Carlo; with 0 each turn answers for its
own news alone. In the form `tokens` the trace fades with every token instead of every turn, so that of a turn the last
tokens are credited most. `uniform`, the baseline, gives all tokens of a conversation the same: its return less the mean
of those that began alike, as GRPO would.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mrclassic.training.advantages import centred

Form = Literal["turns", "tokens", "uniform"]
FORMS: tuple[Form, ...] = ("turns", "tokens", "uniform")


@dataclass(frozen=True)
class Walk:
    """What credit is given for: of each turn its reward, its number of tokens, and the name of where the conversation
    stood before it (None: it has none). `group` names the conversations that began alike."""

    group: int
    rewards: tuple[float, ...]
    lengths: tuple[int, ...]
    keys: tuple[str | None, ...]


def returns(rewards: Sequence[float], gamma: float) -> list[float]:
    """The discounted sum of rewards from each turn on."""
    found, total = [], 0.0
    for reward in reversed(rewards):
        total = reward + gamma * total
        found.append(total)
    return found[::-1]


def news(rewards: Sequence[float], values: Sequence[float], gamma: float) -> list[float]:
    """delta of each turn; the value after the last is 0."""
    following = (*values[1:], 0.0)
    return [reward + gamma * after - before for reward, before, after in zip(rewards, values, following, strict=True)]


def traced(
    deltas: Sequence[float], lengths: Sequence[int], decay: float, per: Literal["turns", "tokens"]
) -> list[float]:
    """What each token of a conversation is credited with; the trace fades by `decay` (gamma lambda) at each turn, or at
    each token."""
    trace, credit, at = np.zeros(sum(lengths)), np.zeros(sum(lengths)), 0
    for delta, length in zip(deltas, lengths, strict=True):
        own = slice(at, at + length)
        if per == "turns":
            trace[:at] *= decay
            trace[own] = 1.0
        else:
            trace[:at] *= decay**length
            trace[own] = decay ** np.arange(length - 1, -1, -1)
        at += length
        credit[:at] += delta * trace[:at]
    return [float(each) for each in credit]


Places = Mapping[str, Sequence[float]]
"""By the name of a place: the mean of the returns that were found from there, and how many voices that mean counts
for."""


def grouped(
    walks: Sequence[Walk], gamma: float, prior: Sequence[Sequence[float]] | None = None, known: Places | None = None
) -> list[list[float]]:
    """V before each turn: the mean of the returns that the other walks found from a place of that name on.

    Those of the walk itself stay out, or a place that nobody else came to would be worth just what happened there, and
    its turn would be credited with nothing. What is `known` of the place from before has its voices; where nothing is,
    one more voice is the `prior`: without one, the mean of the others' returns from that turn on, wherever they stood.
    A place without a name has the prior alone.
    """
    found = [returns(walk.rewards, gamma) for walk in walks]
    places: dict[object, tuple[float, int]] = defaultdict(lambda: (0.0, 0))
    for walk, each in zip(walks, found, strict=True):
        for turn, (key, value) in enumerate(zip(walk.keys, each, strict=True)):
            for name in (turn,) if key is None else (turn, key):
                total, count = places[name]
                places[name] = (total + value, count + 1)
    values = []
    for at, (walk, each) in enumerate(zip(walks, found, strict=True)):
        own = []
        for turn, (key, value) in enumerate(zip(walk.keys, each, strict=True)):
            total, count = places[turn]
            expected = prior[at][turn] if prior is not None else (total - value) / (count - 1) if count > 1 else 0.0
            if key is not None:
                total, count = places[key]
                before, voices = (known or {}).get(key, (expected, 1.0))
                expected = (total - value + voices * before) / (count - 1 + voices)
            own.append(expected)
        values.append(own)
    return values


def remembered(walks: Sequence[Walk], gamma: float, known: Places, most: int) -> dict[str, list[float]]:
    """`known` with what these walks found, the newest last. Of earlier returns no more than `most` voices stay: the
    policy that found them is another by now."""
    places = {name: list(each) for name, each in known.items()}
    for walk in walks:
        for key, value in zip(walk.keys, returns(walk.rewards, gamma), strict=True):
            if key is not None:
                before, voices = places.pop(key, (0.0, 0.0))
                places[key] = [(before * voices + value) / (voices + 1.0), min(voices + 1.0, float(most))]
    return places


def credit(
    walks: Sequence[Walk],
    form: Form,
    *,
    gamma: float,
    decay: float,
    values: Sequence[Sequence[float]] | None = None,
) -> list[list[float]]:
    """What each token of each walk is credited with; `values` are V before each turn, and `decay` is gamma lambda.
    `uniform` needs neither."""
    if form == "uniform":
        return _uniform(walks, gamma)
    assert values is not None
    return [
        traced(news(walk.rewards, own, gamma), walk.lengths, decay, form)
        for walk, own in zip(walks, values, strict=True)
    ]


def _uniform(walks: Sequence[Walk], gamma: float) -> list[list[float]]:
    totals = [returns(walk.rewards, gamma)[0] for walk in walks]
    groups: dict[int, list[int]] = defaultdict(list)
    for place, walk in enumerate(walks):
        groups[walk.group].append(place)
    worth = [0.0] * len(walks)
    for places in groups.values():
        for place, advantage in zip(places, centred([totals[place] for place in places]), strict=True):
            worth[place] = advantage
    return [[worth[place]] * sum(walk.lengths) for place, walk in enumerate(walks)]
