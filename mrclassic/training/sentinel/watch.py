"""The sentinel itself: after every update it asks its rules, and the gravest answer is its verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mrclassic.training.report import StepReport
from mrclassic.training.sentinel import answers, liking, looks, optimum, preferences, questions, scores
from mrclassic.training.sentinel.history import History, Look
from mrclassic.training.sentinel.verdict import CONTINUE, Verdict

Rule = Callable[[History], Verdict]

SUPERVISED: tuple[Rule, ...] = (optimum.not_finite, optimum.gradient, optimum.loss_explosion, looks.forgetting)

PREFERRED: tuple[Rule, ...] = (*SUPERVISED, preferences.displaced)

# Among equally grave verdicts the first counts: causes before symptoms.
REINFORCED: tuple[Rule, ...] = (
    optimum.not_finite,
    optimum.gradient,
    scores.unjudged,
    answers.first_step,
    answers.parser,
    looks.forgetting,
    looks.overfitting,
    answers.truncation,
    answers.growth,
    answers.entropy,
    optimum.divergence,
    optimum.wandering,
    scores.falling,
    scores.zero_spread,
)

# Practice by a learned taste: what is learned may be the model of the owner and not the owner.
PLEASED: tuple[Rule, ...] = (*REINFORCED, liking.apart, liking.longer, liking.beyond, liking.spent)

# The owner's rated conversations earn nothing anew and are no answers to look at.
RATED: tuple[Rule, ...] = (optimum.not_finite, optimum.gradient, looks.forgetting, optimum.divergence)

# The answerer's reward may fall in self-play because the questions get harder, so what compares rewards stays out.
SELF_PLAYED: tuple[Rule, ...] = (
    optimum.not_finite,
    optimum.gradient,
    scores.unjudged,
    questions.questions_astray,
    questions.questions_repeat,
    questions.form_takes_over,
    questions.questions_beyond,
    questions.nothing_open,
    answers.parser,
    looks.forgetting,
    answers.truncation,
    optimum.divergence,
)


class Sentinel:
    """Watches one run by its rules."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = rules
        self.history = History()

    def judge(self, report: StepReport, look: Look | None = None) -> Verdict:
        """The verdict on the run after `report`, and after what was found by looking aside."""
        self.history.note(report, look)
        verdict = max((rule(self.history) for rule in self.rules), key=lambda found: found.gravity, default=CONTINUE)
        if verdict.action == "pause":
            self.history.paused.append(verdict.rule)
        return verdict

    def healthy(self) -> bool:
        """Whether the run stands where one would want to return to: the newest update applied, the reward (where there
        is one) within a tenth of the best that it has been, and the newest look aside good."""
        history = self.history
        if not len(history) or not history.newest.applied:
            return False
        reward = history.mean("reward")
        return (reward is None or reward >= history.best - 0.1 * abs(history.best)) and looks.well(history)

    def memory(self) -> list[dict[str, Any]]:
        """What it has seen, as plain JSON, for a run that is to be resumed."""
        return self.history.memory()

    def recall(self, memory: Sequence[Mapping[str, Any]]) -> None:
        """Take over what `memory` gave, in place of what it has seen; it never forgets for what it has paused a run."""
        paused = self.history.paused
        self.history = History.recalled(memory)
        self.history.paused += [rule for rule in paused if rule not in self.history.paused]
