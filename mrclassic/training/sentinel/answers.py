"""Rules about what the answers look like: cut short, growing, unreadable, frozen or babbling."""

from __future__ import annotations

from mrclassic.training.sentinel import words
from mrclassic.training.sentinel.history import NOT_FOUND, History
from mrclassic.training.sentinel.verdict import CONTINUE, Action, Verdict

_CUT, _LENGTH = "completions/clipped_ratio", "completions/mean_length"


def first_step(history: History) -> Verdict:
    """Said at once, so that nobody waits a night for it: most answers cut short, unreadable or unjudged, or all rewards
    equal."""
    if len(history) != 1:
        return CONTINUE
    first = history.newest.metrics
    found: list[tuple[str, str]] = []
    if (share := first.get(_CUT, 0.0)) > 0.5:
        found.append(("truncated", f"{share:.0%} of the answers run into the length limit; raise it"))
    if (share := first.get("rewards/abstained", 0.0)) > 0.5:
        found.append(("unjudged", f"the reward could not judge {share:.0%} of the answers; check it"))
    if (share := first.get(NOT_FOUND, 0.0)) > 0.5:
        found.append(("parser", f"the parser finds no answer in {share:.0%} of them; check the form that it expects"))
    if first.get("frac_reward_zero_std", 0.0) >= 1.0:
        found.append(("zero_std", "all rewards of the first update are equal; check task, level and reward"))
    if not found:
        return CONTINUE
    seen = ". ".join(text[0].upper() + text[1:] for _, text in found)
    return Verdict("warn", found[0][0], words.sentence(history, seen, show=words.poor))


def parser(history: History) -> Verdict:
    """Answers that the parser cannot find: 20 points more than at first, or twice as many (and 10 points more: from 1%
    to 2% is noise). Style and parser part slowly and reward says it late, so this looks at the cause itself. A run that
    was paused for it, went on, and still shows it has had its chance."""
    missing, begun = history.mean(NOT_FOUND), history.start(NOT_FOUND)
    if missing is None or begun is None:
        return CONTINUE
    if missing <= begun + 0.1 or (missing <= begun + 0.2 and missing < 2 * begun):
        return CONTINUE
    action: Action = "roll back" if "parser" in history.paused else "pause"
    seen = words.change(history) or "the answers changed their form"
    return Verdict(action, "parser", words.sentence(history, seen, words.parser(history), show=words.unreadable))


def truncation(history: History) -> Verdict:
    """Answers that run into the limit: above 20% the reward is about length, above 40% damage is done. A task that
    began with more of them (and was warned about it) is held to half as many again."""
    share, begun = history.mean(_CUT), history.start(_CUT) or 0.0
    if share is None or share <= max(0.2, 1.5 * begun):
        return CONTINUE
    action: Action = "roll back" if share > max(0.4, 1.5 * begun) else "pause"
    seen = f"{share:.0%} of the answers ran into the length limit ({begun:.0%} at first)"
    return Verdict(action, "truncated", words.sentence(history, seen, words.change(history), show=words.long))


def growth(history: History) -> Verdict:
    """Answers twice as long as at first without more reward: the style leaves the parser behind. (Longer answers that
    earn more are thinking.)"""
    length, begun = history.mean(_LENGTH), history.start(_LENGTH)
    if not length or not begun or length <= 2 * begun or history.gained() is not False:
        return CONTINUE
    seen = words.sentence(history, words.change(history), words.cause(history), show=words.long)
    return Verdict("pause", "length", seen)


def entropy(history: History) -> Verdict:
    """Entropy against its start, judged together with reward: a model that masters its task grows sure of it, and that
    is no collapse. Below 0.3 times without gain it is freezing, below 0.1 it has stopped trying anything; above 2 times
    with less reward it babbles. (Below 0.3 nats a token nothing babbles, however sure it was at first.)"""
    now, begun = history.mean("entropy"), history.start("entropy")
    reward, before = history.mean("reward"), history.start("reward")
    if now is None or not begun or reward is None or before is None:
        return CONTINUE
    if now > max(2 * begun, 0.3) and reward < before - 0.02:
        action: Action = "roll back" if now > 3 * begun else "pause"
        seen = f"the answers became {now / begun:.1f} times as random and {words.change(history)}"
        return Verdict(action, "entropy", words.sentence(history, seen, show=words.poor))
    if now < 0.3 * begun and not history.gained():
        action = "roll back" if now < 0.1 * begun else "pause"
        seen = f"the answers are freezing: {now / begun:.0%} of their variety is left and {words.change(history)}"
        return Verdict(action, "entropy", words.sentence(history, seen, show=words.poor))
    return CONTINUE
