"""Rules about the optimizer: numbers that are not finite, gradients that explode, a loss or a distance that grows."""

from __future__ import annotations

from mrclassic.training.sentinel import words
from mrclassic.training.sentinel.history import WINDOW, History
from mrclassic.training.sentinel.verdict import CONTINUE, Verdict

NAN = "nan"  # the name of the rule that is about batches as much as about weights


def not_finite(history: History) -> Verdict:
    """A single NaN is discarded by the method; three of the last fifty updates mean that the weights are going."""
    spiked = set(history.spikes)
    bad = sum(not report.applied and report.step not in spiked for report in history.last(50))
    if bad >= 3:
        return Verdict("roll back", NAN, f"{bad} of the last 50 updates were not finite; back to the last good.")
    return CONTINUE


def gradient(history: History) -> Verdict:
    """One gradient of ten times the median is skipped (see `spikes`); three in fifty are no accident."""
    spiked = history.spikes
    if len(spiked) < 3:
        return CONTINUE
    middle = history.median("grad_norm") or 0.0
    largest = max(history.values("grad_norm", 50))
    return Verdict(
        "roll back",
        "gradient",
        f"The gradient was more than ten times its median {len(spiked)} times in 50 updates (up to {largest:.1f}, "
        f"median {middle:.2f}): the learning rate may be too high; see updates {', '.join(map(str, spiked))}.",
    )


def loss_explosion(history: History) -> Verdict:
    """Supervised loss far above what it was: the rate is too high. (Twice, and a nat more: a loss that has come down to
    0.05 may double without harm.)"""
    begun, now = history.start("loss"), history.mean("loss")
    if len(history) < 2 * WINDOW or begun is None or now is None:
        return CONTINUE
    if now > 2 * begun + 1.0:
        return Verdict("roll back", "loss", f"The loss rose from {begun:.2f} to {now:.2f}; try a lower learning rate.")
    return CONTINUE


def divergence(history: History) -> Verdict:
    """Distance to the reference (k3, nats a token). Past 0.5 the model is another model; a jump to ten times the
    median, twice, is damage at whatever level (above 0.1: from nothing, ten times is nothing). Where the method gives
    the median over tokens, that has to jump: one odd token is no jump."""
    key = "kl_median" if "kl_median" in history.newest.metrics else "kl"
    now, middle = history.distance(WINDOW // 2), history.median(key)
    if now is not None and now > 0.5:
        seen = f"the model moved {now:.2f} nats a token away from where it began"
        why = "; ".join(part for part in (words.change(history), "try a lower learning rate") if part)
        return Verdict("roll back", "kl", words.sentence(history, seen, why))
    jumps = [value for value in history.values(key) if middle is not None and value > max(0.1, 10 * middle)]
    if len(jumps) >= 2:
        seen = f"the distance to the model it began as jumped to ten times its median {len(jumps)} times"
        return Verdict("roll back", "kl", words.sentence(history, f"{seen} (up to {max(jumps):.2f} nats a token)"))
    return CONTINUE


def wandering(history: History) -> Verdict:
    """The research notes pause at a distance of 0.1, but healthy runs of a million parameters pass 0.1 while they
    learn; so here it pauses only a run whose reward fell meanwhile, by more than harder questions explain."""
    now, reward, before = history.distance(), history.mean("reward"), history.start("reward")
    if now is None or now <= 0.1 or reward is None or before is None or reward >= before - 0.1 - history.moved:
        return CONTINUE
    seen = f"the model moved {now:.2f} nats a token away from where it began and {words.change(history)}"
    return Verdict("pause", "kl", words.sentence(history, seen, words.cause(history), show=words.poor))
