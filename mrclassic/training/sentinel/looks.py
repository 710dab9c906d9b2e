"""Rules about what looking aside found: held-out items that do not follow the reward, and a book that is forgotten.

Every look measures the same items. The standard error is that of two unpaired proportions, which is wider than that of
the paired items: it errs towards letting a run go on.
"""

from __future__ import annotations

import math

from mrclassic.training.sentinel.history import History, Look
from mrclassic.training.sentinel.verdict import CONTINUE, Verdict

Counts = tuple[int, int]
_RISEN = 0.05  # of the mean reward: twice the noise of a window of small updates (64 completions)


def overfitting(history: History) -> Verdict:
    """Train reward up while held-out items fall: what is learned is the reward and not the task.

    The newest two looks together stand against the best two in a row before them. The research notes pause at one
    standard error and roll back at two; but the best of many looks is flattered by chance, and one standard error
    stopped half of the generated healthy runs. So: two, and three.
    """
    if len(history.looks) < 4 or not _new(history):
        return CONTINUE
    now = _both(*history.looks[-2:])
    best = max(map(_both, history.looks, history.looks[1:-2]), key=lambda look: _share(look.held_out))
    fallen = _errors(best.held_out, now.held_out)
    if fallen < 2 or best.reward is None or now.reward is None or now.reward <= best.reward + _RISEN:
        return CONTINUE
    seen = (
        f"Reward rose from {best.reward:.2f} to {now.reward:.2f} while held-out items fell from "
        f"{_words(best.held_out)} (update {best.step}) to {_words(now.held_out)}: it learns what the reward pays, not "
        "the task."
    )
    return Verdict("roll back" if fallen >= 3 else "pause", "held_out", seen)


def forgetting(history: History) -> Verdict:
    """Book recall against the first look. The gate refuses more than 3 points in the morning; here 5 points twice in a
    row end the stage (a new optimizer's first updates cost one or two that replay brings back), and 15 are damage."""
    if len(history.looks) < 2 or not _new(history):
        return CONTINUE
    first, last, now = history.looks[0], history.looks[-2], history.looks[-1]
    lost = _share(first.book) - _share(now.book)
    if not first.book[1] or lost <= 0.05 or _errors(first.book, now.book) < 1:
        return CONTINUE
    seen = (
        f"Of the book it knew {_words(first.book)} at first and {_words(now.book)} at update {now.step}: lower the "
        "learning rate or replay more of it."
    )
    if lost > 0.15 and _errors(first.book, now.book) >= 2:
        return Verdict("roll back", "forgetting", seen)
    return Verdict("pause", "forgetting", seen) if _share(first.book) - _share(last.book) > 0.05 else CONTINUE


def well(history: History) -> bool:
    """Whether the newest look gives no reason to distrust the state it was taken at."""
    if len(history.looks) < 2:
        return True
    now = history.looks[-1]
    best = max(history.looks, key=lambda look: _share(look.held_out))
    return not lost(history.looks[0], now) and _errors(best.held_out, now.held_out) < 2


def lost(first: Look, now: Look) -> bool:
    """Whether more of the book is gone than a good state may have lost."""
    return _share(first.book) - _share(now.book) > 0.05 and _errors(first.book, now.book) >= 1


def _both(one: Look, two: Look) -> Look:
    """Two looks as one of twice as many items."""
    rewards = [look.reward for look in (one, two) if look.reward is not None]
    return Look(
        (one.held_out[0] + two.held_out[0], one.held_out[1] + two.held_out[1]),
        step=two.step,
        reward=sum(rewards) / len(rewards) if rewards else None,
    )


def _new(history: History) -> bool:
    """A look is judged once, when it was taken."""
    return history.looks[-1].step == history.newest.step


def _share(counts: Counts) -> float:
    right, n = counts
    return right / n if n else 0.0


def _errors(before: Counts, after: Counts) -> float:
    """How many standard errors `after` lies below `before` (0 where it does not). One item is added to each side, so
    that a perfect score has an error too."""
    if not before[1] or not after[1]:
        return 0.0
    fall = _share(before) - _share(after)
    spread = math.sqrt(sum(_variance(counts) for counts in (before, after)))
    return max(0.0, fall / spread)


def _variance(counts: Counts) -> float:
    right, n = counts
    share = (right + 1) / (n + 2)
    return share * (1 - share) / (n + 2)


def _words(counts: Counts) -> str:
    return f"{_share(counts):.0%} of {counts[1]}"
