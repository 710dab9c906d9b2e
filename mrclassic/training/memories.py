"""What a model could do before a supervised run, in its own words: rows to replay so that it still can afterwards.

The model answers fresh items of every level that it knows something of, and the answers that the verifier calls right
are kept; beside them stand questions as it writes them. Its own right answers keep a skill where it is (on-policy data
moves the weights least), where worked answers from the generator would teach it something else at the same time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mrclassic.model.engine import Completion, Request
from mrclassic.model.policy import Policy
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import Domain, Item, keyed
from mrclassic.training.room import generate
from mrclassic.training.rows import Row
from mrclassic.training.skills import question_room, questioner, understood
from mrclassic.training.suites import room

ITEMS, QUESTIONS = 400, 60  # of each level; of each questioner
_ALL = 2_000  # items, however many levels there are


def memories(policy: Policy, seed: int, arms: Arms) -> list[Row]:
    """Right answers of `policy` to up to `ITEMS` training items of each of `arms`, and of `QUESTIONS` questions that it
    would ask of each domain those that can be read."""
    each = max(1, min(ITEMS, _ALL // max(1, len(arms.names))))
    items = {
        arm: [arms.sample(arm, keyed(seed, "memory", arm, at)) for at in range(each)]
        for arm in arms.names
        if not arms.talks(arm)
    }
    asked = [pair for of in items.values() for pair in _answerable(policy, of)]
    domains = [domain for domain in arms.domains if any(arm in items for arm in arms.of(domain))]
    questions = [_asking(policy, domain, items, arms, seed) for domain in domains]
    drawn = generate(policy, [*(request for _, request in asked), *questions])
    answers = [(item, request, group[0]) for (item, request), group in zip(asked, drawn, strict=False)]
    written = zip(domains, questions, drawn[len(asked) :], strict=True)
    return [*_right(policy, arms, answers), *(row for each in written for row in _readable(policy, *each))]


def _answerable(policy: Policy, items: Sequence[Item]) -> Iterator[tuple[Item, Request]]:
    """The items that leave room for their answers."""
    space = room(policy.tokenizer, items)
    for item in items:
        prompt = tuple(policy.tokenizer.encode_chat(item.messages))
        if len(prompt) + space < policy.shape.context:
            yield item, Request(prompt, max_new=space, temperature=0.0)


def _asking(policy: Policy, domain: Domain, items: dict[str, list[Item]], arms: Arms, seed: int) -> Request:
    shown = (item for arm in arms.of(domain) for item in items.get(arm, ()))
    prompt = tuple(policy.tokenizer.encode_chat(questioner(domain)))
    return Request(prompt, n=QUESTIONS, max_new=question_room(policy.tokenizer, shown), seed=seed)


def _right(policy: Policy, arms: Arms, answers: Sequence[tuple[Item, Request, Completion]]) -> list[Row]:
    ended = [each for each in answers if each[2].finish_reason == "stop"]
    texts = [policy.tokenizer.decode(answer.tokens) for _, _, answer in ended]
    judged = arms.check_all([item for item, _, _ in ended], texts)
    return [_row(request, answer) for (_, request, answer), found in zip(ended, judged, strict=True) if found.right]


def _readable(policy: Policy, domain: Domain, request: Request, written: Sequence[Completion]) -> list[Row]:
    found = (understood(domain, policy.tokenizer, each) for each in written)
    return [_row(request, each) for each, item in zip(written, found, strict=True) if isinstance(item, Item)]


def _row(request: Request, said: Completion) -> Row:
    return Row((*request.tokens, *said.tokens), len(request.tokens))
