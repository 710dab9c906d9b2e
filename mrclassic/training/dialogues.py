"""Whole conversations with environments: all that are still going on take their turn in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mrclassic.model.device import rounded
from mrclassic.model.engine import Completion, Engine
from mrclassic.model.policy import Policy
from mrclassic.model.tokenizer import Message, Tokenizer
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import Item, keyed
from mrclassic.tasks.environments.base import WON, Environment
from mrclassic.training import policy_gradient as pg
from mrclassic.training.rows import Row, joined

_LEAST = 8  # tokens that a reply must find room for; where there is less the conversation is over


@dataclass(frozen=True)
class Turn:
    """One reply of the model: the prompt as it was read, what was drawn and what it says, whether the environment could
    read it, its reward, and the name of where the conversation stood before."""

    prompt: tuple[int, ...]
    completion: Completion
    text: str
    readable: bool
    reward: float
    key: str | None


@dataclass(frozen=True)
class Dialogue:
    """A conversation that has ended: its beginning, the model's turns, and all that was said. `whole` is False where
    there was no room in the context to go on."""

    item: Item
    turns: tuple[Turn, ...]
    messages: tuple[Message, ...]
    whole: bool

    @property
    def reward(self) -> float:
        """All that it earned."""
        return sum(turn.reward for turn in self.turns)

    @property
    def won(self) -> bool:
        """Whether it came to the end that the environment is about."""
        return self.reward >= WON


class _Live:
    """A conversation that is going on."""

    def __init__(self, item: Item, environment: Environment, said: Sequence[str]) -> None:
        self.item, self.environment = item, environment
        self.messages: list[Message] = list(item.messages)
        self.turns: list[Turn] = []
        self.done, self.whole = False, True
        for text in said:
            self.hear(text)

    def hear(self, text: str) -> float:
        """Give the reply to the environment; returns the reward."""
        reply = self.environment.reply(text)
        said: tuple[Message, ...] = (
            {"role": "assistant", "content": text},
            {"role": "user", "content": reply.message},
        )
        self.messages += said
        self.done = reply.done
        return reply.reward

    def take(self, prompt: tuple[int, ...], completion: Completion, text: str) -> None:
        """Take the model's turn."""
        key, readable = self.environment.state_key(self.messages), self.environment.reads(text)
        self.turns.append(Turn(prompt, completion, text, readable, self.hear(text), key))


def play(
    policy: Policy,
    items: Sequence[Item],
    arms: Arms,
    how: pg.Sampling,
    *,
    seed: int,
    slots: int = 256,
    said: Sequence[Sequence[str]] | None = None,
) -> list[Dialogue]:
    """Converse from each of `items` to the end, or go on after the replies `said`; `how.max_new` tokens a turn. Turn t
    of conversation i is row i of the draws of (seed, t), whoever else is still going on."""
    going = [
        _Live(item, arms.environment(item), said[place] if said is not None else ()) for place, item in enumerate(items)
    ]
    tokenizer, turn = policy.tokenizer, 0
    while live := [place for place, each in enumerate(going) if not each.done]:
        prompts = {place: tuple(tokenizer.encode_chat(going[place].messages)) for place in live}
        for place in live:
            if len(prompts[place]) + _LEAST > policy.shape.context:
                going[place].done, going[place].whole = True, False
        live = [place for place in live if not going[place].done]
        drawn = _draw(policy, {place: prompts[place] for place in live}, how, keyed(seed, turn).getrandbits(63), slots)
        for place, completion in zip(live, drawn, strict=True):
            going[place].take(prompts[place], completion, tokenizer.decode(list(completion.tokens)))
        turn += 1
    return [Dialogue(each.item, tuple(each.turns), tuple(each.messages), each.whole) for each in going]


def _draw(
    policy: Policy, prompts: dict[int, tuple[int, ...]], how: pg.Sampling, seed: int, slots: int
) -> list[Completion]:
    if not prompts:
        return []
    requests = [how.request(prompt, seed, place) for place, prompt in prompts.items()]
    return [drawn[0] for drawn in Engine(policy, min(slots, rounded(len(requests)))).generate(requests)]


def rows_of(dialogue: Dialogue) -> list[Row]:
    """The training rows of what the model said, every turn once and in order."""
    return joined((turn.prompt, turn.completion.tokens) for turn in dialogue.turns)


def written(tokenizer: Tokenizer, messages: Sequence[Message], context: int) -> list[Row]:
    """The training rows of a conversation that somebody else wrote: every reply in it, as far as it fits `context`."""
    turns = []
    for at, message in enumerate(messages):
        if message["role"] == "assistant":
            prompt = tokenizer.encode_chat(messages[:at])
            reply = [*tokenizer.encode(message["content"]), tokenizer.end_id]
            if len(prompt) + len(reply) > context:
                break
            turns.append((prompt, reply))
    return joined(turns)


def credited(dialogue: Dialogue, credit: Sequence[float]) -> list[pg.Rollout]:
    """The rollouts of a conversation whose tokens, in order, are credited with `credit`."""
    logprobs = [value for turn in dialogue.turns for value in turn.completion.logprobs]
    return shared(rows_of(dialogue), logprobs, credit)


def shared(rows: Sequence[Row], logprobs: Sequence[float], credit: Sequence[float]) -> list[pg.Rollout]:
    """Rollouts of `rows`, whose targets in order have these log-probabilities and this credit; rows without any credit
    are left out."""
    made, at = [], 0
    for each in rows:
        own = slice(at, at := at + each.targets)
        if any(credit[own]):
            made.append(pg.Rollout(each, tuple(logprobs[own]), tuple(credit[own])))
    assert at == len(credit) == len(logprobs)
    return made
