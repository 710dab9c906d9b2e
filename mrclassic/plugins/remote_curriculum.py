"""A plugin's curriculum. Its state comes back with each answer, so a process that was killed goes on from the last one.

A curriculum that fails never stops a night: for that call the arms are drawn evenly, and `faults` says so.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from mrclassic.curricula.contract import Curriculum, Draw, Outcome
from mrclassic.curricula.uniform import Uniform
from mrclassic.plugins.find import Plugin
from mrclassic.plugins.remote import MEMORY, PluginFault, Remote, limit, load

STRIKES = 3
"""Calls that may fail; after that it is not asked again."""


class RemoteCurriculum(Remote):
    """Built over `arms` in their order, with what is known of each one's `success`; raises PluginFault if it cannot."""

    def __init__(self, plugin: Plugin, arms: Sequence[str], success: Mapping[str, float] | None = None) -> None:
        super().__init__(plugin, __name__, list(arms), dict(success or {}))
        self._even = Uniform(arms)
        self.faults: list[str] = []
        given = self.ask({"call": "arms"})
        if list(given["answer"]) != list(arms):
            raise PluginFault(f"The plugin {plugin.name} failed: its arms are not those that it was given.")
        self._state: dict[str, Any] = given["state"]

    def arms(self) -> Sequence[str]:
        return self._even.arms()

    def propose(self, n: int, rng: random.Random) -> list[Draw]:
        seed = rng.getrandbits(64)

        def read(answer: Any) -> list[Draw]:
            draws = [Draw(arm, float(probability), str(item)) for arm, probability, item in answer]
            known = set(self.arms())
            if len(draws) != n or any(draw.arm not in known or not 0 < draw.probability <= 1 for draw in draws):
                raise ValueError(f"it proposed {answer!r:.200}, not {n} known arms with the probability of each")
            return draws

        drawn = self._call(read, "propose", n=n, seed=seed)
        return self._even.propose(n, random.Random(seed)) if drawn is None else drawn

    def accept(self, outcome: Outcome) -> Literal["keep", "redraw"]:
        def read(answer: Any) -> Any:
            if answer not in ("keep", "redraw"):
                raise ValueError(f"of a group it said {answer!r:.80}, not 'keep' or 'redraw'")
            return answer

        return "redraw" if self._call(read, "accept", outcomes=[_write(outcome)]) == "redraw" else "keep"

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        self._call(lambda _: None, "observe", outcomes=[_write(outcome) for outcome in outcomes])

    def report(self) -> Mapping[str, float]:
        def read(answer: Any) -> dict[str, float]:
            shares = {arm: float(answer.get(arm, 0.0)) for arm in self.arms()}
            if not all(math.isfinite(share) and share >= 0 for share in shares.values()):
                raise ValueError(f"it reported {answer!r:.200}, not a share of each arm")
            return shares

        shares = self._call(read, "report")
        return self._even.report() if shares is None else shares

    def state_dict(self) -> dict[str, Any]:
        return self._state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._state = dict(state)

    def _call(self, read: Callable[[Any], Any], call: str, **more: Any) -> Any:
        """The answer as `read` takes it; None where there is none."""
        if len(self.faults) >= STRIKES:
            return None
        try:
            given = self.ask({"call": call, "state": self._state, **more})
            answer = read(given["answer"])
        except PluginFault as fault:
            self.faults.append(str(fault))
            return None
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            self.faults.append(f"The plugin {self.plugin.name} failed: {error}.")
            return None
        self._state = given["state"]
        return answer


def serve(source: Mapping[str, str], arms: list[str], success: dict[str, float]) -> Callable[[Any], Any]:
    """In the worker: builds the curriculum, then makes one call a request, from the state that comes with it."""
    curriculum: Curriculum = load(source)(arms, success)
    if not callable(getattr(curriculum, "arms", None)):
        raise TypeError(f"it returned {curriculum!r:.80}, not a curriculum")
    limit(MEMORY)
    ours: Any = None  # the state that the curriculum is known to be in

    def answer(request: Any) -> Any:
        nonlocal ours
        if "state" in request and request["state"] != ours:
            curriculum.load_state_dict(request["state"])
        ours = None  # a call that fails may have changed half of it
        given = _make(curriculum, request)
        ours = json.loads(json.dumps(curriculum.state_dict()))
        return {"answer": given, "state": ours}

    return answer


def _make(curriculum: Curriculum, request: Any) -> Any:
    outcomes = [_read(*each) for each in request.get("outcomes", ())]
    match request["call"]:
        case "arms":
            return list(curriculum.arms())
        case "propose":
            drawn = curriculum.propose(request["n"], random.Random(request["seed"]))
            return [[draw.arm, draw.probability, draw.item] for draw in drawn]
        case "accept":
            return curriculum.accept(outcomes[0])
        case "observe":
            curriculum.observe(outcomes)
            return None
        case _:
            return dict(curriculum.report())


def _write(outcome: Outcome) -> list[Any]:
    draw = outcome.draw
    success = None if math.isnan(outcome.success) else outcome.success
    return [[draw.arm, draw.probability, draw.item], success, outcome.step, outcome.spread, outcome.gain]


def _read(draw: list[Any], success: float | None, *more: Any) -> Outcome:
    return Outcome(Draw(*draw), math.nan if success is None else success, *more)
