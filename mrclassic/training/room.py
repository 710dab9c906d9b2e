"""Where memory runs out, half the rows at a time: the same gradient, by more and smaller passes; the same scores too.

How much fits a training is kept with the state and in the journal, because sums taken in another order round otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from mrclassic.errors import out_of_memory
from mrclassic.model.device import give_back
from mrclassic.model.engine import Completion, Engine, Request
from mrclassic.model.policy import Policy
from mrclassic.training.state import State

Result = TypeVar("Result")
Measure = Literal["token_budget", "slots"]  # of the trainee: tokens of a microbatch, rows of a rollout
SMALLEST: dict[Measure, int] = {"token_budget": 256, "slots": 8}


def halving(size: int, least: int, work: Callable[[int], Result]) -> Result:
    """What `work` makes with `size`, or with half of it (of at least `least`) each time memory runs out. For what only
    looks, and may begin anew."""
    while True:
        try:
            return work(size)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error) or size // 2 < least:
                raise
        size //= 2  # outside the handler: see below
        give_back()


def generate(policy: Policy, requests: Sequence[Request], slots: int = 256) -> list[list[Completion]]:
    """What `policy` says to `requests`, `slots` replies at a time or fewer."""
    return halving(slots, SMALLEST["slots"], lambda most: Engine(policy, most).generate(requests))


def within(state: State, measure: Measure, work: Callable[[], Result]) -> tuple[Result, int]:
    """Do `work`, and again with half the `measure` each time memory runs out; also says how often that was.

    `work` may have added gradients when it failed: all of them are dropped, so it must add all that are wanted.
    """
    trainee, room = state.trainee, state.facts.get("room", {})
    written = state.journal.recall(state.step, measure)
    size = written or room.get(measure)
    if size is not None:
        setattr(trainee, measure, size)
    halved = 0
    while True:
        try:
            done = work()
        except (RuntimeError, MemoryError) as error:
            size = getattr(trainee, measure) // 2
            if not out_of_memory(error) or size < SMALLEST[measure]:
                raise
            halved += 1
        else:
            if halved or written:
                state.facts["room"] = {**room, measure: getattr(trainee, measure)}
            return done, halved
        # Outside the handler: the error's traceback holds on to the tensors that did not fit.
        trainee.discard()
        if state.other is not None:
            state.other.discard()
        give_back()  # what is kept in pieces of the size that did not fit
        setattr(trainee, measure, size)
        state.journal.note(state.step, measure, "", size)
