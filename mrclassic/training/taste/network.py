"""The second form: a transformer of its own, of about five million parameters, which has read nothing but the choices.

It knows no policy and outlives each of them, but it needs thousands of choices. Its vocabulary is learned from their
words. Five more tokens, which no text holds, are its five members: a reply's score by a member is how strongly the
network, at the reply's end, points at that token. So it is a model like any other, with the same code to train and to
keep it. Each member learns from a bootstrap sample of the choices, all on one trunk (arXiv 1602.04621).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mrclassic.choices import Choice
from mrclassic.model.decoder import Decoder
from mrclassic.model.device import choose_device
from mrclassic.model.policy import Policy
from mrclassic.model.shapes import Shape
from mrclassic.model.tokenizer import Message, Tokenizer
from mrclassic.training import supervised
from mrclassic.training.rows import Row, collate, row, together
from mrclassic.training.taste import logit
from mrclassic.training.taste.heads import MEMBERS, bootstrap
from mrclassic.training.trainee import Schedule, Trainee

SHAPE = Shape(vocab_size=2048, hidden=256, layers=6, heads=8, kv_heads=4, head_dim=32, ffn=768, context=256)
_BUDGET = 8192  # tokens of a rectangle


@dataclass(frozen=True)
class Settings:
    """`epochs` over the choices, `batch` of them an update."""

    epochs: int = 3
    batch: int = 32
    learning_rate: float = 5e-4
    warmup: int = 10
    shape: Shape = SHAPE


@dataclass(frozen=True)
class Network:
    """The transformer as a policy; see above for its members."""

    policy: Policy

    def members(self, choices: Sequence[Choice]) -> Tensor:
        """Each member's score (5, R) of the replies of `choices`, one after the other."""
        return self.replies([(each.messages, reply) for each in choices for reply in each.replies])

    @torch.no_grad()
    def replies(self, pairs: Sequence[tuple[Sequence[Message], str]]) -> Tensor:
        """Each member's score (5, R), float64, of each reply to its conversation."""
        rows = [_row(self.policy, said, text) for said, text in pairs]
        found = torch.zeros((MEMBERS, len(rows)), dtype=torch.float64)
        for places in together([[each] for each in rows], _BUDGET):
            found[:, places] = _scores(self.policy, [rows[place] for place in places]).double().cpu()
        return found

    @property
    def parameters(self) -> int:
        """How many numbers it is."""
        return self.policy.shape.parameters


def learn(
    choices: Sequence[Choice],
    seed: int,
    settings: Settings,
    device: str = "cpu",
    moved: Callable[[int, int], None] = lambda done, steps: None,
) -> Network:
    """Train a network on `choices`, from weights drawn by `seed`; `moved` hears how many updates are done, of all."""
    trainee = Trainee(_fresh(choices, settings.shape, seed, device), torch.float32, seed=seed)
    weights = torch.stack([bootstrap(len(choices), seed, member) for member in range(MEMBERS)])
    steps = max(1, -(-settings.epochs * len(choices) // settings.batch))
    schedule = Schedule(settings.learning_rate, steps, min(settings.warmup, steps), 0.05)
    for step in range(steps):
        first = step * settings.batch
        places = [
            supervised.shuffled(seed, first + at, len(choices), "choices")
            for at in range(min(settings.batch, len(choices)))
        ]
        batch = [choices[place] for place in places]
        groups = [[_row(trainee.policy, each.messages, reply) for reply in each.replies] for each in batch]
        for part in together(groups, trainee.token_budget):
            of = logit.layout([batch[place] for place in part])
            scores = _scores(trainee.policy, [each for place in part for each in groups[place]]).float()
            lost = logit.losses(logit.spread(scores.cpu(), of), of)  # (5, N)
            often = weights[:, [places[place] for place in part]].float()
            ((lost * often).sum() / (MEMBERS * len(batch))).backward()  # type: ignore[no-untyped-call]
        trainee.update(schedule.rate(step))
        moved(step + 1, steps)
    return Network(trainee.full_policy())


def _fresh(choices: Sequence[Choice], shape: Shape, seed: int, device: str) -> Policy:
    words = [text for each in choices for text in (*(said for _, said in each.prompt), *each.replies)]
    tokenizer = Tokenizer.train(words, shape.vocab_size)
    decoder = Decoder(replace(shape, vocab_size=tokenizer.size + MEMBERS))
    decoder.initialise(torch.Generator().manual_seed(seed))
    return Policy(decoder.to(choose_device(device)), tokenizer)


def _row(policy: Policy, said: Sequence[Message], reply: str) -> Row:
    """The conversation with the reply and its end, and one token more that stands for what is asked at the end."""
    whole = row(policy.tokenizer, [*said, {"role": "assistant", "content": reply}], policy.shape.context).ids
    return Row((*whole, policy.tokenizer.pad_id), len(whole))


def _scores(policy: Policy, rows: Sequence[Row]) -> Tensor:
    """Each member's score (5, R) at the last token of each row."""
    batch = collate(rows, policy.tokenizer.pad_id, policy.device)
    ends = policy.decoder(batch.ids).flatten(0, 1)[batch.at[: len(rows)]]
    return policy.decoder.logits(ends)[:, -MEMBERS:].t()
