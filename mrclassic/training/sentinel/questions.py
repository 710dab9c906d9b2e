"""Rules about self-play's own questions (collapses that research on self-questioning reports).

That research bounds the forms of the questions: under 60% of a form of their own, or over 25% of one form, ends a run.
As bounds they suit no level whose questions have few forms by nature: of sums that a `tiny` asked itself 19% to 30%
were of a form of their own. So the questions themselves are counted, and of a form how far it has spread since
the first updates.
"""

from __future__ import annotations

from mrclassic.training.sentinel.history import WINDOW, History
from mrclassic.training.sentinel.verdict import CONTINUE, Verdict

_SPREAD = 0.25  # of all questions, that one form may win
_SPENT = 0.9  # of the groups, whose answers all score alike


def questions_astray(history: History) -> Verdict:
    """Self-play feeds on questions that can be read: below half, the questioner has left the game."""
    valid = history.mean("questions/valid")
    if valid is not None and valid < 0.5:
        return Verdict("roll back", "questions", f"Only {valid:.0%} of its own questions can still be read.")
    return CONTINUE


def questions_repeat(history: History) -> Verdict:
    """One question asked over and over is no practice."""
    unique = history.mean("questions/unique")
    if unique is not None and unique < 0.6:
        return Verdict("pause", "repetition", f"Only {unique:.0%} of its own questions differ from each other.")
    return CONTINUE


def form_takes_over(history: History) -> Verdict:
    """One form in ever different words is no practice either, once hardly anything is left to learn of it: its share is
    compared with that of the first updates. A form that is where the edge is may win as much: of the sums that a `tiny`
    asked itself those of one level went from 46% to 80%, and its answers to them from a fifth right to a half."""
    now, first = history.mean("questions/largest_skeleton"), history.start("questions/largest_skeleton")
    alike = history.mean("frac_reward_zero_std")
    if now is None or first is None or alike is None or now <= first + _SPREAD or alike <= _SPENT:
        return CONTINUE
    words = (
        f"{now:.0%} of its own questions are of one form, {first:.0%} at first, and of {alike:.0%} of them all answers "
        "score alike."
    )
    return Verdict("pause", "one_form", words)


def questions_beyond(history: History) -> Verdict:
    """Questions that are only ever answered wrong teach nothing: where the answerer began with three in ten right and
    has a third of that left, the questioner is looking for failure. (A question of a group of eight that all failed
    counts as one in eighteen, so half of those are as good as none.)"""
    now, first = history.mean("questions/success"), history.start("questions/success")
    if now is None or first is None or first < 0.3 or now > min(first / 3, 0.12):
        return CONTINUE
    words = f"Of its own questions it answers {now:.0%} right, {first:.0%} at first: they are beyond it."
    return Verdict("pause", "beyond", words)


def nothing_open(history: History) -> Verdict:
    """The answerer masters whatever the questioner finds: at 97% of groups without spread there is no edge left. Higher
    than for GRPO, and not before sixty updates, because the questioner needs time to find the edge: a hatched `tiny`,
    left to itself, was at 93% after its first questions and at 64% after fifty updates more."""
    share = history.mean("frac_reward_zero_std") if len(history) >= 3 * WINDOW else None
    if share is not None and share > 0.97:
        return Verdict(
            "pause", "zero_std", f"In {share:.0%} of the groups all answers scored alike: no edge left to find."
        )
    return CONTINUE
