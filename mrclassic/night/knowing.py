"""What a model knows of the book, entry by entry: what sessions measure anyway is kept, and `measure` looks now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mrclassic.book import Entry
from mrclassic.model.policy import WARMTH
from mrclassic.night.workplace import Parent, Workplace
from mrclassic.store import Recall
from mrclassic.training import forced
from mrclassic.training.suites import RECALL, SuiteResult, recall


@dataclass(frozen=True)
class Known:
    """An entry of the book, and what a checkpoint makes of it."""

    entry: Entry
    recall: Recall


def told(found: Mapping[str, SuiteResult], **entries: Sequence[Entry]) -> list[Recall]:
    """The entries of each suite, by its name, with what was `found` of them."""
    return [
        Recall(entry.hash, score == 1.0, "" if score == 1.0 else reply)
        for name, those in entries.items()
        if name in found
        for entry, score, reply in zip(those, found[name].scores, found[name].replies, strict=True)
    ]


def measure(work: Workplace, parent: Parent) -> list[Known]:
    """Read the whole book as `parent` would have to say it, and keep what comes of it. Where its reply is another one,
    it is made to say that."""
    policy = parent.policy.for_replies(work.settings.dtype)
    suite = recall(work.entries)
    if not suite.probes:
        return []
    read = forced.read(policy, [suite], work.settings.chat.temperature or WARMTH)
    recalls = [
        Recall(each.entry, each.known, each.said, chance.chance)
        for each, chance in zip(
            told(forced.measure(policy, [suite], read), **{RECALL: work.entries}), read[RECALL], strict=True
        )
    ]
    work.store.recalls.keep(parent.row.id, recalls)
    return [Known(entry, each) for entry, each in zip(work.entries, recalls, strict=True)]
