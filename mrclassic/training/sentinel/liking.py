"""Rules about practice by a learned taste, which is a guess at what its owner likes: a policy that pleases the guess
beyond what it was learned on pleases nobody (over-optimisation: Gao and others, arXiv 2210.10760).

The owner is not asked meanwhile, so all that can be seen is the guess, and how far the policy has gone. The distance is
from a run of a million parameters whose owner was known (see `mrclassic lab run overoptimization`): 55% of 150 replies
were preferred at first, 67% at 0.1 nats a token, 70% at 0.2. With a higher rate and without guards the owner liked the
replies three deviations less than at first when the guess liked them best.
"""

from __future__ import annotations

from mrclassic.rewards.taste import APART
from mrclassic.rewards.taste import NAME as TASTE
from mrclassic.training.sentinel import words
from mrclassic.training.sentinel.history import History
from mrclassic.training.sentinel.verdict import CONTINUE, Verdict

_MEAN, _BEST, _APART = f"rewards/{TASTE}/mean", f"rewards/{TASTE}/best", f"logged/{APART}"
_BUDGET = 0.2  # nats a token


def beyond(history: History) -> Verdict:
    """The mean reply is liked better than the best of a whole group was at first: taste was learned from picks among
    such groups, and says nothing true of what lies beyond them."""
    now, best, begun = history.mean(_MEAN), history.start(_BEST), history.start(_MEAN)
    if now is None or best is None or begun is None or now <= best:
        return CONTINUE
    seen = (
        f"by the learned taste the mean reply rose from {begun:.2f} to {now:.2f}, and the best of a group was "
        f"{best:.2f} at first"
    )
    return Verdict("pause", "beyond_taste", words.sentence(history, seen, "nobody ever picked among such replies"))


def apart(history: History) -> Verdict:
    """Those who were asked are twice as far apart as at first: each was taught by other picks, and where the picks do
    not reach they differ (Coste and others, arXiv 2310.02743)."""
    now, begun = history.mean(_APART), history.start(_APART)
    if now is None or not begun or now <= 2 * begun:
        return CONTINUE
    seen = f"the members of the learned taste came to lie {now / begun:.1f} times as far apart as at first"
    return Verdict("roll back", "apart", words.sentence(history, seen, "your picks do not reach as far as this"))


def spent(history: History) -> Verdict:
    """The distance that a learned reward may be followed to (see `optimum.divergence` for rewards that do not lie)."""
    now = history.distance()
    if now is None or now <= _BUDGET:
        return CONTINUE
    seen = f"the model moved {now:.2f} nats a token from where it began, and for a learned taste {_BUDGET:g} are enough"
    return Verdict("pause", "kl", words.sentence(history, seen))


def longer(history: History) -> Verdict:
    """Replies twice as long as at first, whatever they earn: length was taken off what is learned of taste only as far
    as the picks went."""
    now, begun = history.mean("completions/mean_length"), history.start("completions/mean_length")
    if not now or not begun or now <= 2 * begun:
        return CONTINUE
    return Verdict("pause", "length", words.sentence(history, words.change(history), show=words.long))
