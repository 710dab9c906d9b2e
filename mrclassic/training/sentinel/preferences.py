"""Rules about preference training."""

from __future__ import annotations

from mrclassic.training.sentinel.history import History
from mrclassic.training.sentinel.verdict import CONTINUE, Verdict

_GONE = -0.5  # nats a token below where it began: the model is another one by then (see `optimum.divergence`)


def displaced(history: History) -> Verdict:
    """A margin can widen while both replies become unlikely, the preferred one too (likelihood displacement: Razin and
    others, arXiv 2410.08847). What then takes their place is nothing that anybody chose."""
    shift = history.mean("chosen/shift")
    if shift is not None and shift < _GONE:
        return Verdict(
            "roll back",
            "displaced",
            f"The replies that you preferred became less likely themselves, by {-shift:.2f} nats a token: it learns to "
            "avoid both of a pair. Lower the learning rate, or raise beta.",
        )
    return CONTINUE
