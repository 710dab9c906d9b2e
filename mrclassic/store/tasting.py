"""Taste, as far as the store and the home tell of it: the choices that the owner made, and why taste is on or off.

Nothing here computes: what was learned is known by its manifest, which is read as the JSON that it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mrclassic.choices import Choice, choice
from mrclassic.evidence import Evidence
from mrclassic.home import Home
from mrclassic.store.learnt import MANIFEST

if TYPE_CHECKING:
    from mrclassic.store import Store


def choices(store: Store) -> list[Choice]:
    """All choices that stand, the owner's own oldest first, then those that came from elsewhere."""
    found = (
        choice(
            [(said["role"], said["content"]) for said in each.messages],
            each.chosen,
            each.rejected,
            each.kind,  # type: ignore[arg-type]  # one of the same words
            each.pick,
        )
        for each in store.preferences.all()
        if each.chosen.strip()
    )
    return [made for made in found if made is not None]


def voted(store: Store, last: int | None = None) -> list[Choice]:
    """What votes between two checkpoints say about taste, oldest first; as it stood after the vote `last`, if one is
    given. They are numbered downwards from -1, so that no vote is taken for a pick."""
    found = []
    for vote in store.votes.decided(last):
        better, worse = vote.first_text, vote.second_text
        if vote.choice == "second":
            better, worse = worse, better
        made = choice([("user", vote.prompt)], better, [worse], "voted", -vote.id) if better.strip() else None
        if made is not None:
            found.append(made)
    return found


@dataclass(frozen=True)
class Until:
    """The newest pick and the newest vote that count; 0: none does."""

    pick: int = 0
    vote: int = 0


def said(store: Store, until: Until | None = None) -> list[Choice]:
    """Picks and votes, those up to `until` if that is given."""
    if until is None:
        return [*choices(store), *voted(store)]
    return [*(each for each in choices(store) if (each.pick or 0) <= until.pick), *voted(store, until.vote)]


def newest_of(every: Collection[Choice]) -> Until:
    """The newest of each kind among choices."""
    numbers = [each.pick or 0 for each in every]
    return Until(max([0, *numbers]), -min([0, *numbers]))


@dataclass(frozen=True)
class Taste:
    """How the learned taste stands: `on`, whether it may be a reward, and `why`, a sentence with its numbers.

    `agreed` of the newest `compared` picks that it was held against, none of which the model that judged them had
    learned from; `since` are picks made after it was learned. `evidence` is None where nothing was learned.
    """

    on: bool
    why: str
    agreed: int = 0
    compared: int = 0
    since: int = 0
    evidence: Evidence | None = None


def newest(home: Home) -> Path | None:
    """The folder of the taste that counts."""
    found = [path for path in home.taste.glob("[0-9]*") if (path / MANIFEST).is_file()] if home.taste.is_dir() else []
    return max(found, key=lambda path: path.name, default=None)


def learned_from(home: Home, picks: Collection[int], imported: str | None = None) -> tuple[Path, ...]:
    """The folders of tastes that learned from any of these picks (votes: below zero, as in `voted`), or since something
    was `imported` (a date: what was has no number); one that cannot be read may have."""
    if not (picks or imported) or not home.taste.is_dir():
        return ()
    since = re.sub(r"[-:]", "", (imported or "")[:19]).replace("T", "-")  # as their names begin
    known = {path: _evidence(path) for path in sorted(home.taste.glob("[0-9]*"))}
    return tuple(
        path
        for path, found in known.items()
        if found is None or (imported and path.name >= since) or not set(found.seen).isdisjoint(picks)
    )


def _evidence(path: Path) -> Evidence | None:
    """What the taste in a folder has to show for itself; None where that cannot be read."""
    try:
        return Evidence.of(json.loads((path / MANIFEST).read_text(encoding="utf-8"))["metrics"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def standing(store: Store, home: Home) -> Taste:
    """Why taste is on or off, and how it agrees with the owner's last picks; picks that were undone do not count."""
    path = newest(home)
    numbers = [pick.id for pick in store.picks.choices()]
    if path is None:
        return Taste(
            False, "Your taste was not learned yet; `mrclassic train reward-model` does it.", since=len(numbers)
        )
    found = _evidence(path)
    if found is None:
        why = f"What was learned of your taste ({path}) cannot be read; `mrclassic train reward-model` learns it anew."
        return Taste(False, why, since=len(numbers))
    there = set(numbers)
    last = [agreed for pick, agreed in found.last if pick in there]
    since = sum(number > max(found.seen, default=0) for number in numbers)
    why = found.words
    if found.allowed and found.checkpoint and not (home.checkpoints / found.checkpoint / MANIFEST).is_file():
        why = f"Your taste reads the states of {found.checkpoint}, which was removed; learn it anew."
        return Taste(False, why, sum(last), len(last), since, found)
    return Taste(found.allowed, why, sum(last), len(last), since, found)
