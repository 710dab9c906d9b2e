"""What a model can do, measured: suites of items scored one by one, so that two models can be compared in pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Literal

from mrclassic.book import Entry
from mrclassic.model.engine import Completion, Request
from mrclassic.model.policy import Policy
from mrclassic.model.tokenizer import Message, Tokenizer
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import Item, keyed
from mrclassic.training import dialogues, reading
from mrclassic.training.policy_gradient import Sampling
from mrclassic.training.room import SMALLEST, generate, halving

RECALL, PHRASINGS, TALK = "book_recall", "held_out_phrasings", "recall_in_talk"
REPLY_ROOM = 64  # tokens, at least; a worked sum of three digits takes 45

How = Literal["said", "read", "preferred", "played"]
TURN_ROOM = 12  # tokens of a turn of a dialogue, at least


@dataclass(frozen=True)
class Probe:
    """One item: what is asked, and the answer that counts. An `item` is judged by its task instead. `others` are the
    replies that the expected one was preferred to."""

    prompt: tuple[Message, ...]
    expected: str
    item: Item | None = None
    others: tuple[str, ...] = ()

    @classmethod
    def of(cls, item: Item) -> Probe:
        """An item of a task."""
        return cls(item.messages, item.answer, item)

    @property
    def chooses(self) -> bool:
        """Whether it is of the third that a choice is made by, not of those that judge what was chosen: fixed by its
        words, so that it is the one or the other for ever."""
        said = "\x1f".join(message["content"] for message in self.prompt) or self.expected
        if self.item is not None and "start" in self.item.meta:  # many dialogues open with the same words
            said = self.item.answer
        return blake2b(said.encode(), digest_size=1, person=b"choosing").digest()[0] < 256 // 3


@dataclass(frozen=True)
class Suite:
    """Named probes, and who judges those that are items of a task. `how` they are scored: "said", the greedy reply is
    right (1) or wrong (0); "read", minus the loss of the expected text by itself, nats a token; "preferred", whether
    the expected reply is likelier than each of the others; "played", whether the dialogue is won by greedy replies."""

    name: str
    probes: tuple[Probe, ...]
    arms: Arms | None = field(default=None, repr=False)
    how: How = "said"


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


def skill(arms: Arms, arm: str, limit: int | None = None, rotation: int = 0) -> Suite:
    """Held-out items of one of `arms`; `rotation` picks another `limit` of them, so that nights differ."""
    probes = tuple(map(Probe.of, arms.held_out(arm, limit, rotation)))
    return Suite(arm, probes, arms, "played" if arms.talks(arm) else "said")


def room(tokenizer: Tokenizer, items: Sequence[Item]) -> int:
    """Tokens that a worked reply to `items` may take: a quarter more than their longest."""
    longest = max((len(tokenizer.encode(item.trace or item.answer)) for item in items), default=0)
    return max(REPLY_ROOM, longest * 5 // 4)


def turn_room(tokenizer: Tokenizer, items: Sequence[Item]) -> int:
    """Tokens that a turn of a dialogue may take: a quarter more than the longest of the worked replies to `items`."""
    lines = {line for item in items for line in item.trace.splitlines()}
    longest = max((len(tokenizer.encode(line)) for line in lines), default=0)
    return max(TURN_ROOM, longest * 5 // 4)


def measure(policy: Policy, suites: Sequence[Suite], slots: int = 256) -> dict[str, SuiteResult]:
    """Scores of all items of all suites; the greedy replies to what is asked are made in one go."""
    results: dict[str, SuiteResult] = {
        suite.name: _played(policy, suite, slots) if suite.how == "played" else _unsaid(policy, suite)
        for suite in suites
        if suite.how != "said"
    }
    asked = [suite for suite in suites if suite.how == "said"]
    if not asked:
        return results
    tokenizer = policy.tokenizer
    requests = [request for suite in asked for request in _requests(suite, tokenizer, policy.shape.context)]
    rows = [group[0] for group in generate(policy, requests, slots)]
    at = 0
    for suite in asked:
        here = rows[at : at + len(suite.probes)]
        at += len(suite.probes)
        texts = tuple(tokenizer.decode(row.tokens) for row in here)
        scores = _judged(suite.arms, suite.probes, texts) if suite.arms else _by_heart(suite.probes, here, texts)
        results[suite.name] = SuiteResult(suite.name, tuple(scores), texts)
    return {suite.name: results[suite.name] for suite in suites}


def _unsaid(policy: Policy, suite: Suite) -> SuiteResult:
    """The scores of a suite in which the model says nothing: it reads."""
    if suite.how == "read":
        scores = [-loss for loss in reading.texts(policy, [probe.expected for probe in suite.probes])]
    else:
        scores = [float(yes) for yes in reading.preferred(policy, [_pair(probe) for probe in suite.probes])]
    return SuiteResult(suite.name, tuple(scores), ("",) * len(scores))


def _played(policy: Policy, suite: Suite, slots: int) -> SuiteResult:
    """Which of the dialogues are won, and what the model said in them."""
    assert suite.arms is not None
    items = [probe.item for probe in suite.probes if probe.item is not None]
    how = Sampling(turn_room(policy.tokenizer, items), temperature=0.0)
    play = partial(dialogues.play, policy, items, suite.arms, how, seed=0)
    played = halving(slots, SMALLEST["slots"], lambda most: play(slots=most))
    replies = tuple("\n".join(turn.text for turn in each.turns) for each in played)
    return SuiteResult(suite.name, tuple(float(each.won) for each in played), replies)


def _pair(probe: Probe) -> tuple[Sequence[Message], Sequence[str]]:
    return probe.prompt, (probe.expected, *probe.others)


def _requests(suite: Suite, tokenizer: Tokenizer, context: int) -> Iterator[Request]:
    shared = room(tokenizer, [probe.item for probe in suite.probes if probe.item is not None])
    for probe in suite.probes:
        # A reply by heart that is longer than expected is wrong already: there is no need to read on.
        space = len(tokenizer.encode(probe.expected)) + 2 if probe.item is None else shared
        prompt = tokenizer.encode_chat(probe.prompt)
        yield Request(tuple(prompt[-(context - 1 - min(space, context // 2)) :]), max_new=space, temperature=0.0)


def _judged(arms: Arms, probes: Sequence[Probe], replies: Sequence[str]) -> list[float]:
    items = [probe.item for probe in probes if probe.item is not None]
    return [float(judgement.right) for judgement in arms.check_all(items, replies)]


def _by_heart(probes: Sequence[Probe], rows: Sequence[Completion], replies: Sequence[str]) -> list[float]:
    # The text alone does not show that it ended: special tokens drawn after the reply are left out of it.
    return [
        float(row.finish_reason == "stop" and reply == probe.expected)
        for probe, row, reply in zip(probes, rows, replies, strict=True)
    ]


def summary(results: Mapping[str, SuiteResult]) -> dict[str, float]:
    """Scores by suite."""
    return {name: result.score for name, result in results.items()}
