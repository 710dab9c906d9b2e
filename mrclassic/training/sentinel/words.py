"""How the sentinel says it: what was seen, in numbers; the probable cause; which samples show it."""

from __future__ import annotations

from collections.abc import Callable

from mrclassic.training.report import Sample
from mrclassic.training.sentinel.history import NOT_FOUND, History

_SHOWN = 3  # samples named

Badness = Callable[[Sample], float]


def unreadable(sample: Sample) -> float:
    """For the parser: answers that it did not find, then the worst paid, long ones first."""
    return 10.0 * (sample.detail.get("found") is False) + poor(sample)


def poor(sample: Sample) -> float:
    """The worst paid first; among equals the longest."""
    reward = 0.0 if sample.reward is None else sample.reward
    return -reward + min(len(sample.completion), 10_000) * 1e-5


def long(sample: Sample) -> float:
    """The longest first."""
    return float(len(sample.completion))


def sentence(history: History, seen: str, cause: str = "", *, show: Badness | None = None) -> str:
    """`seen: cause; see samples 3, 12 of update 58.`, with what there is of it."""
    if "completions" not in seen.lower():
        cause = cause.replace(" of them", " of the completions")
    text = seen + (f": {cause}" if cause else "") + (_samples(history, show) if show else "")
    return f"{text[0].upper()}{text[1:]}."


def _samples(history: History, badness: Badness) -> str:
    """The samples of the newest update that show it best, by their numbers (from 1)."""
    samples = history.newest.samples
    worst = sorted(range(len(samples)), key=lambda place: (-badness(samples[place]), place))[:_SHOWN]
    if not worst:
        return ""
    numbers = ", ".join(str(place + 1) for place in sorted(worst))
    return f"; see sample{'s' if len(worst) > 1 else ''} {numbers} of update {history.newest.step}"


def change(history: History) -> str:
    """What became of length and reward, such as `completions grew 2.3 times while reward fell from 0.61 to 0.20`."""
    parts = []
    length, begun = history.mean("completions/mean_length"), history.start("completions/mean_length")
    if length and begun and not 0.8 < length / begun < 1.2:
        grown = length > begun
        times = length / begun if grown else begun / length
        parts.append(f"completions {'grew' if grown else 'shrank'} {times:.1f} times")
    reward, before = history.mean("reward"), history.start("reward")
    if reward is not None and before is not None:
        if abs(reward - before) < 0.02:
            parts.append(f"reward stayed at {reward:.2f}")
        else:
            parts.append(f"reward {'rose' if reward > before else 'fell'} from {before:.2f} to {reward:.2f}")
    return " while ".join(parts)


def parser(history: History) -> str:
    """What the parser finds of the answers."""
    missing, before = history.mean(NOT_FOUND), history.start(NOT_FOUND)
    if missing is None or before is None:
        return ""
    return f"the parser no longer finds the answer in {missing:.0%} of them ({before:.0%} at first)"


def cause(history: History) -> str:
    """What most probably is behind it: the likeliest other thing that is out of order, or nothing."""
    missing, before = history.mean(NOT_FOUND), history.start(NOT_FOUND)
    if missing is not None and before is not None and missing >= before + 0.1:
        return parser(history)
    cut, begun = history.mean("completions/clipped_ratio"), history.start("completions/clipped_ratio")
    if cut is not None and cut > max(0.2, (begun or 0.0) + 0.1):
        return f"{cut:.0%} of them run into the length limit"
    entropy, first = history.mean("entropy"), history.start("entropy")
    if entropy is not None and first and entropy > max(2 * first, 0.3):
        return f"its choices became {entropy / first:.1f} times as random"
    kl = history.distance()
    if kl is not None and kl > 0.1:
        return f"{kl:.2f} nats a token away from where it began, the learning rate may be too high"
    alike = history.mean("frac_reward_zero_std")
    if alike is not None and alike > 0.8:
        return f"in {alike:.0%} of the groups all answers score alike, so that nothing holds it"
    return ""
