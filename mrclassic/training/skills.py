"""The rows that hatching learns skills from: the generators' worked answers, and questions to ask.

And what they prepare for: what a questioner is told, whoever has it write, and what is made of its words.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence

from mrclassic.model.engine import Completion
from mrclassic.model.tokenizer import Message, Tokenizer
from mrclassic.tasks import arithmetic
from mrclassic.tasks.base import Asked, Item, Refusal
from mrclassic.training.rows import Row, row


def questioner(domain: Asked) -> tuple[Message, ...]:
    """What the questioner is told; as a system line it cannot be mistaken for something that the owner says."""
    return ({"role": "system", "content": domain.asking},)


QUESTIONER = questioner(arithmetic)
_SHORTEST = 24  # tokens of room for a question, at least


def question_room(tokenizer: Tokenizer, shown: Iterable[Item]) -> int:
    """Tokens that a question may take: a quarter more than the longest of those that are `shown`."""
    longest = max((len(tokenizer.encode(item.question)) for item in shown), default=0)
    return max(_SHORTEST, longest * 5 // 4)


def understood(domain: Asked, tokenizer: Tokenizer, written: Completion) -> Item | Refusal:
    """What a questioner's words are read as; a question that ran out of room is none."""
    if written.finish_reason != "stop":
        return Refusal("unparsable", "it did not end")
    return domain.parse(tokenizer.decode(written.tokens))


# How often each level is shown while hatching. Levels 1 and 2 are taught; 3 and 4 are glimpsed until a third of their
# items come out right, so that there is something to learn at night; 5 is left to practice alone.
HATCHING_LEVELS: Mapping[str, float] = {"1": 1.0, "2": 3.0, "3": 0.1, "4": 0.1}
GLIMPSED = ("3", "4")
ENOUGH = 0.3

QUESTION_SHARE = 0.05


def skill_row(
    tokenizer: Tokenizer,
    context: int,
    rng: random.Random,
    weights: Mapping[str, float],
    before: Sequence[Message] = (),
) -> Row:
    """A worked answer at a level drawn by `weights`, after what was said `before`; one time in twenty, a question to
    ask."""
    level = rng.choices(list(weights), list(weights.values()))[0]
    item = arithmetic.sample(rng, level)
    if rng.random() < QUESTION_SHARE:
        return row(tokenizer, [*QUESTIONER, {"role": "assistant", "content": item.question}], context)
    return row(tokenizer, [*before, *item.messages, {"role": "assistant", "content": item.trace}], context)
