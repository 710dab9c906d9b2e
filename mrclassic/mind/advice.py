"""How a reply is drawn: as the request says, else as the settings do, else as the makers of the model advise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mrclassic.mind.parameters import HOTTEST, ChatRequest
from mrclassic.model.policy import WARMTH


@dataclass(frozen=True)
class Sampling:
    """See `model.sampling`."""

    temperature: float = WARMTH
    top_p: float = 1.0
    top_k: int = 0


def sampling(asked: ChatRequest, generation: Mapping[str, Any]) -> Sampling:
    """What `asked` leaves open is taken from the model's `generation_config.json`, where that gives a number that
    makes sense; five replies of a model whose makers advise greedy ones are drawn all the same."""
    open_ = Sampling()
    return Sampling(
        _first(asked.temperature, generation.get("temperature"), open_.temperature, low=0.01, high=HOTTEST),
        _first(asked.top_p, generation.get("top_p"), open_.top_p, low=0.01, high=1.0),
        int(_first(asked.top_k, generation.get("top_k"), open_.top_k, low=0, high=1_000_000)),
    )


def _first(wished: float | None, advised: object, otherwise: float, *, low: float, high: float) -> float:
    if wished is not None:
        return wished
    sound = isinstance(advised, int | float) and not isinstance(advised, bool) and low <= advised <= high
    return float(advised) if sound else otherwise  # type: ignore[arg-type]  # as `sound` says
