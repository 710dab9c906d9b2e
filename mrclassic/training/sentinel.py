"""The sentinel: watches a run's numbers and says continue, pause, roll back or stop, in words an owner understands.

A weak reward ruins a run quietly; this is who notices. A *pause* ends the stage at its last good state and the night
goes on; a *roll back* does the same for damage already done. Thresholds: each rule says where its own comes from.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from mrclassic.training.report import StepReport

Action = Literal["continue", "warn", "pause", "roll back"]
WINDOW = 20  # updates that a mean is taken over: one odd batch must not stop a night


@dataclass(frozen=True)
class Verdict:
    """What to do next and why; `rule` is empty for `continue`."""

    action: Action
    rule: str = ""
    message: str = ""


CONTINUE = Verdict("continue")
History = Sequence[StepReport]
Rule = Callable[[History], Verdict]


def _mean(history: History, key: str, last: int = WINDOW) -> float | None:
    """The mean of `key` over the last full window, or None before there is one."""
    values = [report.metrics[key] for report in history[-last:] if key in report.metrics]
    return fmean(values) if len(values) == last else None


def _start(history: History, key: str) -> float | None:
    """The mean of `key` over the first quarter window: what the run began with."""
    values = [report.metrics[key] for report in history[: WINDOW // 4] if key in report.metrics]
    return fmean(values) if values else None


def not_finite(history: History) -> Verdict:
    """A single NaN is discarded by the method; three of the last fifty updates mean that the weights are going."""
    bad = sum(not report.applied for report in history[-50:])
    if bad >= 3:
        return Verdict("roll back", "nan", f"{bad} of the last 50 updates were not finite; back to the last good.")
    return CONTINUE


def zero_spread(history: History) -> Verdict:
    """With all answers of a group alike there is nothing to learn from: above 0.8 the run only drifts."""
    share = _mean(history, "frac_reward_zero_std")
    if share is None or share <= 0.8:
        return CONTINUE
    reward = _mean(history, "reward") or 0.0
    kind = "it has mastered this" if reward > 0.5 else "it cannot do this yet"
    return Verdict(
        "pause", "zero_std", f"in {share:.0%} of the groups all answers scored alike ({kind}): nothing left to learn."
    )


def truncation(history: History) -> Verdict:
    """Answers that run into the limit: above 20% the reward is about length, above 40% damage is done."""
    share = _mean(history, "completions/clipped_ratio")
    begun = _start(history, "completions/clipped_ratio") or 0.0
    if share is None or share <= max(0.2, 1.5 * begun):
        return CONTINUE
    action: Action = "roll back" if share > max(0.4, 1.5 * begun) else "pause"
    return Verdict(action, "truncated", f"{share:.0%} of the answers ran into the length limit (at first {begun:.0%}).")


def growth(history: History) -> Verdict:
    """Answers twice as long as at first without more reward: the style leaves the parser behind."""
    length, begun = _mean(history, "completions/mean_length"), _start(history, "completions/mean_length")
    reward, before = _mean(history, "reward"), _start(history, "reward")
    if not length or not begun or reward is None or before is None:
        return CONTINUE
    if length > 2 * begun and reward <= before + 0.02:
        return Verdict(
            "pause",
            "length",
            f"answers grew {length / begun:.1f} times, reward went from {before:.2f} to {reward:.2f}.",
        )
    return CONTINUE


def collapse(history: History) -> Verdict:
    """Entropy against its start: below 0.1 times the model has stopped trying anything, above 3 times it babbles."""
    entropy, begun = _mean(history, "entropy"), _start(history, "entropy")
    reward, before = _mean(history, "reward"), _start(history, "reward")
    if entropy is None or not begun or reward is None or before is None:
        return CONTINUE
    if entropy > max(3 * begun, 0.3) and reward < before:
        return Verdict("roll back", "entropy", f"answers became {entropy / begun:.1f} times as random, reward fell.")
    if entropy < 0.1 * begun and reward <= before + 0.02:
        return Verdict(
            "roll back", "entropy", "answers froze: a tenth of their variety is left, with no gain in reward."
        )
    return CONTINUE


def divergence(history: History) -> Verdict:
    """Distance to the reference (k3, nats a token): past 0.5 the model is another model."""
    kl = _mean(history, "kl", WINDOW // 2)
    if kl is not None and kl > 0.5:
        return Verdict("roll back", "kl", f"the model moved {kl:.2f} nats a token away from where it began.")
    return CONTINUE


def falling(history: History) -> Verdict:
    """Reward far below its own best: learning has turned into unlearning."""
    if len(history) < 2 * WINDOW:
        return CONTINUE
    rewards = [report.metrics["reward"] for report in history if "reward" in report.metrics]
    if len(rewards) < 2 * WINDOW:
        return CONTINUE
    best = max(fmean(rewards[at : at + WINDOW]) for at in range(0, len(rewards) - WINDOW + 1, WINDOW // 2))
    now = fmean(rewards[-WINDOW:])
    if best > 0.1 and now < 0.5 * best:
        return Verdict("roll back", "reward", f"reward fell from {best:.2f} to {now:.2f}.")
    return CONTINUE


def loss_explosion(history: History) -> Verdict:
    """Supervised loss far above what it was: the rate is too high."""
    losses = [report.metrics["loss"] for report in history if "loss" in report.metrics]
    if len(losses) < 2 * WINDOW or not math.isfinite(losses[-1]):
        return CONTINUE
    begun, now = fmean(losses[: WINDOW // 4]), fmean(losses[-WINDOW:])
    if now > 2 * begun + 1.0:
        return Verdict("roll back", "loss", f"loss rose from {begun:.2f} to {now:.2f}.")
    return CONTINUE


def first_step(history: History) -> Verdict:
    """Said at once, so that nobody waits a night for it: all answers cut short, or all rewards equal."""
    first = history[0]
    if len(history) != 1:
        return CONTINUE
    if first.metrics.get("completions/clipped_ratio", 0.0) > 0.5:
        return Verdict("warn", "truncated", "most answers run into the length limit; raise it or shorten the task.")
    if first.metrics.get("frac_reward_zero_std", 0.0) >= 1.0:
        return Verdict("warn", "zero_std", "all rewards of the first update are equal; check the task and its reward.")
    return CONTINUE


def unjudged(history: History) -> Verdict:
    """Answers that no reward could judge: above 5% the reward is broken, and its other scores are suspect."""
    share = _mean(history, "rewards/abstained")
    if share is not None and share > 0.05:
        return Verdict("pause", "unjudged", f"the reward could not judge {share:.0%} of the answers.")
    return CONTINUE


SUPERVISED: tuple[Rule, ...] = (not_finite, loss_explosion)
REINFORCED: tuple[Rule, ...] = (
    not_finite,
    first_step,
    unjudged,
    zero_spread,
    truncation,
    growth,
    collapse,
    divergence,
    falling,
)


def questions_astray(history: History) -> Verdict:
    """Self-play feeds on questions that can be read: below half, the questioner has left the game (research on
    self-questioning reports unsolvable and unreadable questions as the usual collapse)."""
    valid = _mean(history, "questions/valid")
    if valid is not None and valid < 0.5:
        return Verdict("roll back", "questions", f"only {valid:.0%} of its own questions can still be read.")
    return CONTINUE


def questions_repeat(history: History) -> Verdict:
    """One question asked over and over is no practice."""
    unique = _mean(history, "questions/unique")
    if unique is not None and unique < 0.6:
        return Verdict("pause", "repetition", f"only {unique:.0%} of its own questions differ from each other.")
    return CONTINUE


def nothing_open(history: History) -> Verdict:
    """The answerer masters whatever the questioner finds: at 97% of groups without spread there is no edge left. Higher
    than for GRPO, because the questioner needs time to find the edge."""
    share = _mean(history, "frac_reward_zero_std")
    if share is not None and share > 0.97:
        return Verdict(
            "pause", "zero_std", f"in {share:.0%} of the groups all answers scored alike: no edge left to find."
        )
    return CONTINUE


# The answerer's reward may fall in self-play because the questions get harder, so `falling` and `collapse` stay out.
SELF_PLAYED: tuple[Rule, ...] = (
    not_finite,
    unjudged,
    questions_astray,
    questions_repeat,
    nothing_open,
    truncation,
    divergence,
)


class Sentinel:
    """Asks its rules after every update; the first that objects decides.

    It remembers how the run began and the last few hundred updates: "at first" stays the beginning, however long the
    run.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = rules
        self._begun: list[StepReport] = []
        self._recent: deque[StepReport] = deque(maxlen=400)
        self._best = -math.inf  # of the mean reward over a window

    @property
    def _history(self) -> list[StepReport]:
        return [*self._begun, *self._recent]

    def judge(self, report: StepReport) -> Verdict:
        """The verdict on the run after `report`."""
        self._note(report)
        history = self._history
        return next((found for rule in self.rules if (found := rule(history)).action != "continue"), CONTINUE)

    def _note(self, report: StepReport) -> None:
        (self._begun if len(self._begun) < WINDOW // 4 else self._recent).append(report)
        reward = _mean(self._history, "reward")
        if reward is not None:
            self._best = max(self._best, reward)

    def healthy(self) -> bool:
        """Whether the run stands where one would want to return to: the newest update applied, and the reward (where
        there is one) within a tenth of the best that it has been."""
        history = self._history
        if not history or not history[-1].applied:
            return False
        reward = _mean(history, "reward")
        return reward is None or reward >= self._best - 0.1 * abs(self._best)

    def memory(self) -> list[dict[str, Any]]:
        """What it has seen, as plain JSON, for a run that is to be resumed."""
        return [
            {"step": report.step, "metrics": dict(report.metrics), "applied": report.applied, "best": self._best}
            for report in self._history
        ]

    def recall(self, memory: Sequence[Mapping[str, Any]]) -> None:
        """Take over what `memory` gave."""
        for seen in memory:
            self._note(StepReport(seen["step"], seen["metrics"], applied=seen["applied"]))
            self._best = max(self._best, float(seen["best"]))
