"""What the next night will do, in the words of the morning's report."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mrclassic.night.judging import MASTERED
from mrclassic.settings import Settings
from mrclassic.titles import title


def outlook(
    begins: str,
    settings: Settings,
    scores: Mapping[str, float],
    waiting: int,
    said: Mapping[str, float] = MappingProxyType({}),
) -> tuple[str, ...]:
    """Sentences about the next night: the first says when it `begins`; `scores` are what the model in use can do of
    each level that is practised, `waiting` how many entries of the book it does not know, `said` the shares of the
    stages that learn from what the owner said."""
    lines = [begins] if begins else []
    if waiting:
        lines.append(f"It begins with the book: {waiting} {'entry waits' if waiting == 1 else 'entries wait'}.")
    if said:
        shown = ", ".join(f"{title(name)} ({share:.0%} of the time)" for name, share in said.items())
        lines.append(f"It learns from what you said: {shown}.")
    open_ = {name: score for name, score in scores.items() if score < MASTERED}
    done = [name for name in scores if name not in open_]
    if open_:
        shown = ", ".join(f"{name} ({score:.0%})" for name, score in open_.items())
        share = settings.practice.selfplay
        alone = f"; {share:.0%} of the time for questions of its own" if share else ""
        lines.append(f"It practises {shown}{alone}.")
    elif scores:
        lines.append("Everything it practises is mastered; `mrclassic task list` shows what else there is.")
    if done:
        lines.append(f"It must keep what is mastered: {', '.join(done)}.")
    return tuple(lines)
