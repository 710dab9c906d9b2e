"""What a model can do, measured: suites of items scored one by one, so that two models can be compared in pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mrclassic.book import Entry
from mrclassic.model.engine import Engine, Request
from mrclassic.model.policy import Policy
from mrclassic.model.tokenizer import Message
from mrclassic.tasks import arithmetic
from mrclassic.tasks.base import Item, keyed

RECALL, PHRASINGS, TALK = "book_recall", "held_out_phrasings", "recall_in_talk"
_REPLY_ROOM = 64  # tokens; the longest reply of the starter book takes about 30, a worked sum of three digits 45


@dataclass(frozen=True)
class Probe:
    """One item: what is asked, and the answers that count. A skill's item is checked by its task instead."""

    prompt: tuple[Message, ...]
    expected: str
    task: bool = False
    room: int = _REPLY_ROOM


@dataclass(frozen=True)
class Suite:
    """Named items. `guarded`: a night may not lower it."""

    name: str
    probes: tuple[Probe, ...]


@dataclass(frozen=True)
class SuiteResult:
    """Scores and replies, item by item."""

    name: str
    scores: tuple[float, ...]
    replies: tuple[str, ...]

    @property
    def score(self) -> float:
        return sum(self.scores) / len(self.scores) if self.scores else 0.0


def recall(entries: Sequence[Entry], name: str = RECALL) -> Suite:
    """The book by heart: the greedy reply must be the entry's, letter by letter."""
    return Suite(name, tuple(Probe(tuple(entry.prompt), entry.reply) for entry in entries))


def recall_in_talk(entries: Sequence[Entry], limit: int = 150) -> Suite:
    """Entries that open a talk in the book, asked after two other exchanges: does it keep the thread?"""
    single = [entry for entry in entries if len(entry.turns) == 1]
    rng = keyed("recall in talk")
    probes = []
    for entry in rng.sample(single, min(limit, len(single))):
        before = [message for other in rng.sample(single, min(2, len(single))) for message in other.messages]
        probes.append(Probe((*before, *entry.prompt), entry.reply))
    return Suite(TALK, tuple(probes))


def skill(level: str, limit: int | None = None, rotation: int = 0) -> Suite:
    """Held-out items of an arithmetic level; `rotation` picks another `limit` of them, so that nights differ."""
    items = list(arithmetic.held_out(level))
    if rotation:
        keyed("rotation", rotation, level).shuffle(items)
    probes = tuple(Probe(item.messages, item.answer, task=True) for item in items[:limit])
    return Suite(f"arithmetic:{level}", probes)


def measure(policy: Policy, suites: Sequence[Suite], slots: int = 256) -> dict[str, SuiteResult]:
    """Greedy replies to all items of all suites, in one go, and their scores (1 right, 0 wrong)."""
    engine = Engine(policy, slots)
    tokenizer, context = policy.tokenizer, policy.shape.context
    probes = [probe for suite in suites for probe in suite.probes]
    requests = [
        _request(probe, tokenizer.encode_chat(probe.prompt), tokenizer.encode(probe.expected), context)
        for probe in probes
    ]
    rows = [group[0] for group in engine.generate(requests)]
    replies = [tokenizer.decode(row.tokens) for row in rows]
    stopped = [row.finish_reason == "stop" for row in rows]
    results: dict[str, SuiteResult] = {}
    at = 0
    for suite in suites:
        here = slice(at, at + len(suite.probes))
        at = here.stop
        texts = tuple(replies[here])
        scores = tuple(map(_score, suite.probes, texts, stopped[here]))
        results[suite.name] = SuiteResult(suite.name, scores, texts)
    return results


def _request(probe: Probe, prompt: list[int], expected: list[int], context: int) -> Request:
    # A reply by heart that is longer than expected is wrong already: there is no need to read on.
    room = probe.room if probe.task else len(expected) + 2
    return Request(tuple(prompt[-(context - 1 - min(room, context // 2)) :]), max_new=room, temperature=0.0)


def _score(probe: Probe, reply: str, stopped: bool) -> float:
    if probe.task:
        item = Item(probe.prompt, probe.expected)
        return float(arithmetic.check(item, reply) == "right")
    # The text alone does not show that it ended: special tokens drawn after the reply are left out of it.
    return float(stopped and reply == probe.expected)


def summary(results: Mapping[str, SuiteResult]) -> dict[str, float]:
    """Scores by suite."""
    return {name: result.score for name, result in results.items()}
