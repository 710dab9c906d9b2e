"""Knights and Knaves by stages: worked answers for two people, then three, up to six; then GRPO on top.

The same beginning goes on with three rewards: a right answer in the right form, the form alone, and heads or tails.
Where puzzles and working do not fit into the context of the model in use, because its tokenizer has never read the like
and spells them out, the beginning is fresh weights of its shape with a tokenizer that has; the note says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mrclassic.errors import MrClassicError
from mrclassic.lab.experiment import UNWATCHED, Arm, Finding, Options, Result, of, points, score_words
from mrclassic.lab.ground import Ground
from mrclassic.lab.methods import imitate, practise
from mrclassic.lab.run import train
from mrclassic.model.policy import Policy
from mrclassic.model.shapes import Shape
from mrclassic.tasks.base import Item, keyed
from mrclassic.training.hatch import texts
from mrclassic.training.sentinel import REINFORCED
from mrclassic.training.state import State

_PEOPLE = ("2", "3", "4", "5", "6")
_READ = 100  # puzzles of each level that a tokenizer is learned from
_RATE = 2e-3  # between that of hatching and that of book training
_REWARDS = {
    "all_or_nothing": "1 for a right answer in the right form, else 0",
    "format": "1 for the form of the answer, right or wrong",
    "chance": "heads or tails",
}


def arms(ground: Ground, options: Options) -> list[Arm]:
    """Three rewards from the same beginning."""
    choose(ground, [options.level] if options.level else _PEOPLE, options.items)
    return [_paid(ground, reward, words, options) for reward, words in _REWARDS.items()]


def choose(ground: Ground, people: Sequence[str], items: int) -> None:
    """Practise and measure puzzles of so many `people`, with a policy into whose context they fit with their working:
    the one there is, or fresh weights of its shape. Raises MrClassicError where neither is large enough."""
    ground.choose([f"knights:{count}" for count in people], items)
    if not _fit(ground):
        ground.policy = fresh(ground, ground.policy.shape)
        ground.remarks.append("Begun from fresh weights of the same shape, with a tokenizer that has read puzzles.")
    if not _fit(ground):
        raise MrClassicError(
            f"These puzzles and their working do not fit into {ground.policy.shape.context} tokens; give a lower "
            "--level, or hatch a larger model with `mrclassic hatch --size small`."
        )


def fresh(ground: Ground, shape: Shape, seed: int = 0) -> Policy:
    """New weights, and a tokenizer that has read the ground's puzzles: tokenizers are learned with the weights, another
    one means beginning anew."""
    shown = [item for level in ground.levels for item in _shown(ground, level, _READ)]
    lines = [text for item in shown for text in (item.question, item.trace)]
    return Policy.fresh(shape, [*texts(ground.work.entries), *lines], seed, str(ground.work.device))


def _paid(ground: Ground, reward: str, words: str, options: Options) -> Arm:
    """The controls are not stopped: they are to show what comes of them."""
    rules = REINFORCED if reward == "all_or_nothing" else UNWATCHED
    return Arm(
        reward,
        words,
        lambda policy, seed: practise(ground, [reward], policy, seed, options=options.practice),
        rules,
    )


def _fit(ground: Ground) -> bool:
    """Whether nearly all puzzles fit with their working; the few that do not lose their beginning."""
    tokenizer = ground.policy.tokenizer
    lengths = sorted(
        len(tokenizer.encode_chat(item.messages)) + len(tokenizer.encode(item.trace))
        for level in ground.levels
        for item in _shown(ground, level, _READ // 2)
    )
    return lengths[int(0.97 * len(lengths))] < ground.policy.shape.context


def _shown(ground: Ground, level: str, count: int) -> list[Item]:
    return [ground.arms.sample(level, keyed("shown", level, at)) for at in range(count)]


def prepare(ground: Ground, options: Options, seed: int) -> Policy:
    """Worked answers, for as long as an arm has: a level more at every stage, the newest half of each batch."""
    stage = 0
    method = imitate(
        ground, ground.policy, seed, rate=_RATE, draw=lambda state, places: _staged(ground, state, places, stage)
    )
    for stage in range(len(ground.levels)):  # noqa: B007 - `draw` reads it
        train(method, replace(options, minutes=options.minutes / len(ground.levels)))
    return method.state.trainee.full_policy()


def _staged(ground: Ground, state: State, places: Sequence[int], stage: int) -> list[Item]:
    """Items of a batch: every other one of the newest level, the rest of those before it in turn."""
    levels = ground.levels
    return [
        ground.arms.sample(
            levels[stage if place % 2 else place // 2 % (stage + 1)],
            keyed(state.seed, "item", state.step, place),
        )
        for place in places
    ]


def findings(results: Sequence[Result], ground: Ground) -> list[Finding]:
    """Accuracy by number of people, before and after each reward; recorded, not promised."""
    found = []
    for reward in _REWARDS:
        for result in of(results, reward):
            words = "; ".join(
                f"{level}: {score_words(result.before[level])} to {score_words(result.after[level])}, "
                f"{points(*result.gain(level))}"
                for level in ground.levels
            )
            gains = [result.gain(level)[1] for level in ground.levels]
            if reward == "all_or_nothing":
                held, claim = any(gain.low > 0 for gain in gains), "all-or-nothing gains somewhere"
            else:
                held, claim = all(gain.low <= 0 for gain in gains), f"{reward} gains nowhere"
            found.append(Finding(f"{claim} (seed {result.seed})", held, words))
    return found
