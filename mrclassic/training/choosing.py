"""A curriculum at work in one update: it says what is drawn, which groups count, and hears how they went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mrclassic.curricula.contract import Curriculum, Draw, Outcome
from mrclassic.curricula.core import by_arm, mean
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import Item, keyed
from mrclassic.training.grpo import GroupOutcome
from mrclassic.training.report import StepReport
from mrclassic.training.state import State


class Choosing:
    """For the next update of `state`: functions of (seed, step) and of what the curriculum has seen. Its memory goes
    into the state's facts, so that a resumed run draws the same."""

    def __init__(self, state: State, arms: Arms, curriculum: Curriculum) -> None:
        self._state, self._arms, self._curriculum = state, arms, curriculum
        if "curriculum" in state.facts:  # also where the run was resumed, or rolled back
            curriculum.load_state_dict(state.facts["curriculum"])
        self._step = state.step  # the update moves it on
        self.draws: list[Draw] = []

    def draw(self, count: int) -> list[Item]:
        """The next `count` items, for `grpo.step`."""
        begun = len(self.draws)
        rng = keyed(self._state.seed, "curriculum", self._step, begun)
        self.draws += self._curriculum.propose(count, rng)
        return [self._item(draw, place) for place, draw in enumerate(self.draws[begun:], begun)]

    def accept(self, place: int, group: GroupOutcome) -> bool:
        """Whether the group of the draw at `place` counts, for `grpo.step`."""
        return self._curriculum.accept(self._outcome(self.draws[place], group)) == "keep"

    def observe(self, report: StepReport, groups: Sequence[GroupOutcome]) -> StepReport:
        """Tell the curriculum how all groups went. Returns the update's `report` with what was found and what follows
        from it as metrics: the mean success of the arms that were drawn, how much there was to learn of each
        (`Outcome.signal`), and the share of every arm from now on."""
        outcomes = [self._outcome(draw, group) for draw, group in zip(self.draws, groups, strict=True)]
        self._curriculum.observe(outcomes)
        self._state.facts["curriculum"] = self._curriculum.state_dict()
        found = dict(report.metrics)
        for arm, seen in by_arm(outcomes).items():
            found[f"success/{arm}"] = mean([each.success for each in seen])
            found[f"signal/{arm}"] = mean([each.signal for each in seen])
        found |= {f"share/{arm}": share for arm, share in self._curriculum.report().items()}
        # A plugin's curriculum that fails is stood in for; its owner is told.
        trouble = tuple(getattr(self._curriculum, "faults", ()))
        return replace(report, metrics=found, faults=(*report.faults, *trouble))

    def _item(self, draw: Draw, place: int) -> Item:
        """An item with a name is a function of that alone, so that it can be drawn again."""
        words = ("item", draw.arm, draw.item) if draw.item else ("item", self._step, place)
        return self._arms.sample(draw.arm, keyed(self._state.seed, *words))

    def _outcome(self, draw: Draw, group: GroupOutcome) -> Outcome:
        return Outcome(draw, group.success, self._step, group.spread)
