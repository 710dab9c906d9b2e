"""One reply, scored in the open: what the verifier makes of it, and each reward with its weight and what it gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mrclassic.rewards.contract import Weighted, columns_of, score
from mrclassic.tasks.base import Checks, Item, Verdict, check_all


@dataclass(frozen=True)
class Part:
    """One reward: its `value` (None: it abstained), `counted` = weight times value, and what went wrong with it."""

    reward: str
    weight: float
    value: float | None
    counted: float | None
    decides: bool
    """Whether nothing is learned from a reply on which it abstains."""
    fault: str = ""


@dataclass(frozen=True)
class Account:
    """`verdict`, `detail` and `found` are the verifier's judgement; `total` is what training would see (None: the reply
    would be left out)."""

    verdict: Verdict
    detail: str
    found: bool
    total: float | None
    parts: tuple[Part, ...]
    faults: tuple[str, ...] = ()
    logged: Mapping[str, float] = field(default_factory=dict)


def account(task: Checks, item: Item, reply: str, rewards: Sequence[Weighted]) -> Account:
    """What `reply` to `item` is worth, as training would score it. Raises nothing because of what the reply says."""
    judged = check_all(task, [item], [reply])[0]
    scores = score(rewards, [item.messages], [reply], columns_of([item]))
    own = item.meta.get("reward") or None
    parts = tuple(_part(reward, scores.parts[reward.name][0], scores.faults, own) for reward in rewards)
    return Account(judged.verdict, judged.detail, judged.found, scores.total[0], parts, scores.faults, scores.logged)


def _part(reward: Weighted, value: float | None, faults: Sequence[str], own: object) -> Part:
    """A reward that decides has no say on an item that names another one, and none that is named by other items."""
    heard = own in (None, reward.name) if reward.decides else not reward.named or own == reward.name
    beginning = f"reward {reward.name}: "
    fault = next((words.removeprefix(beginning) for words in faults if words.startswith(beginning)), "")
    counted = reward.weight * value if value is not None and heard else None
    decides = reward.weight != 0 and (own == reward.name if own is not None else reward.decides)
    return Part(reward.name, reward.weight, value, counted, decides, fault)
