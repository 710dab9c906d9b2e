"""Rules about what the answers earn: nothing to choose between, less than before, or no judgement at all."""

from __future__ import annotations

from mrclassic.training.sentinel import words
from mrclassic.training.sentinel.history import BEGINNING, WINDOW, History
from mrclassic.training.sentinel.verdict import CONTINUE, Verdict

_ABSTAINED = "rewards/abstained"


def unjudged(history: History) -> Verdict:
    """Answers that no reward could judge (a verifier's error or timeout): above 1% somebody should look at it, above 5%
    its other scores are suspect too and what was learned from them is discarded. A verifier that never worked leaves
    nothing to return to."""
    early, begun = history.mean(_ABSTAINED, BEGINNING), history.start(_ABSTAINED) or 0.0
    if early is not None and early > 0.5 and begun > 0.5:
        return Verdict(
            "stop", "unjudged", f"The reward has judged hardly anything from the start: {early:.0%} without a score."
        )
    share = history.mean(_ABSTAINED)
    if share is None or share <= 0.01:
        return CONTINUE
    seen = f"the reward could not judge {share:.1%} of the answers ({begun:.1%} at first)"
    if share <= 0.05:
        return Verdict("pause", "unjudged", words.sentence(history, seen, "its verifier fails or runs out of time"))
    if begun > 0.05:
        return Verdict("stop", "unjudged", words.sentence(history, seen, "so it was from the start"))
    return Verdict("roll back", "unjudged", words.sentence(history, seen, "the other scores are suspect too"))


def zero_spread(history: History) -> Verdict:
    """With all answers of a group alike there is nothing to learn from: above 0.8 the run only drifts."""
    share = history.mean("frac_reward_zero_std")
    if share is None or share <= 0.8:
        return CONTINUE
    reward = history.mean("reward") or 0.0
    kind = "it has mastered this" if reward > 0.5 else words.cause(history) or "it cannot do this yet"
    seen = f"in {share:.0%} of the groups all answers scored alike, so nothing is left to learn"
    return Verdict("pause", "zero_std", words.sentence(history, seen, kind, show=words.poor))


def falling(history: History) -> Verdict:
    """Reward below half of its own best: learning has turned into unlearning. (Half, because a bandit that looks for
    the edge of competence moves the reward by a third and more without harm; and 15 points, because the best and the
    worst of many windows of small updates lie that far apart by chance.)"""
    now, best = history.mean("reward"), history.best
    if len(history) < 2 * WINDOW or now is None or now >= 0.5 * best or best - now <= 0.15:
        return CONTINUE
    seen = f"reward fell from its best, {best:.2f}, to {now:.2f}"
    return Verdict("roll back", "reward", words.sentence(history, seen, words.cause(history), show=words.poor))
