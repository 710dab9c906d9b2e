"""Whom an owner prefers: a model, or the one it came from, on questions that nobody practised."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mrclassic.lab.experiment import Result, points, score_words
from mrclassic.lab.owners import Owner
from mrclassic.lab.taste import Shown
from mrclassic.model.policy import Policy
from mrclassic.tasks.base import keyed
from mrclassic.training import policy_gradient as pg
from mrclassic.training.suites import SuiteResult

WINS = "preferred by the owner"
ROOM = 40  # tokens of a reply


def wins(first: Policy, owner: Owner, shown: Sequence[Shown], seed: int) -> Callable[[Policy], SuiteResult]:
    """Measures in how many of these prompts the owner prefers a reply of a policy to one of `first`."""

    def draw(policy: Policy, salt: int) -> list[str]:
        tokenizer = policy.tokenizer
        asked = [tokenizer.encode_chat([{"role": role, "content": words} for role, words in each]) for each, _ in shown]
        groups = pg.sample(policy, asked, 1, pg.Sampling(ROOM), seed=2 * seed + salt)
        return [tokenizer.decode(list(group[0].tokens)) for group in groups]

    against = draw(first, 0)

    def measured(policy: Policy) -> SuiteResult:
        replies = draw(policy, 1)
        scores = []
        for place, (reply, other) in enumerate(zip(replies, against, strict=True)):
            one, two = owner.likes(reply), owner.likes(other)
            scores.append(float(one > two if one != two else keyed("even", seed, place).random() < 0.5))
        return SuiteResult(WINS, tuple(scores), tuple(replies))

    return measured


def won(result: Result) -> tuple[bool, str]:
    """Whether the owner prefers it beyond chance, and the numbers in words."""
    gain, reach = result.gain(WINS)
    words = (
        f"seed {result.seed}: {score_words(result.after[WINS])}, {points(gain, reach)} after {result.trained} updates"
    )
    if result.stopped and result.verdict is not None:
        words += f", ended by the sentinel ({result.verdict.rule})"
    return reach.low > 0, words
