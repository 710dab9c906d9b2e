"""Preference optimisation while the owner is known: does a model that has learned their picks please them more?

An owner (see `owners`) picks among five replies of the model in use, as in the app. Three arms learn those picks, one
by each of the losses, as `train dpo` does if nothing else is said; a fourth learns picks that were thrown, so that what
training by itself does to the replies is told apart from taste. Before and after, the owner chooses between a reply of
the model and one of the model it came from, to questions that nobody was asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from mrclassic.choices import Choice
from mrclassic.lab import owners
from mrclassic.lab.experiment import Arm, Finding, Method, Options, Result, compare, of, points
from mrclassic.lab.ground import Ground
from mrclassic.lab.methods import book_rows
from mrclassic.lab.taste import drawn
from mrclassic.lab.wins import WINS, wins, won
from mrclassic.model.policy import Policy
from mrclassic.tasks.base import keyed
from mrclassic.training import dpo
from mrclassic.training.sentinel import PREFERRED

PICKS = 200
_ITEMS = 300  # questions of the comparison, at most
_THROWN = "thrown"


def prepare(ground: Ground, options: Options, seed: int) -> Policy:
    """Let the owner pick, and set questions aside."""
    owner = owners.named(options.level)
    shown = drawn(ground, PICKS + min(options.items, _ITEMS), seed, talk=False)
    ground.prepared[seed] = owner.pick(shown[:PICKS], seed)
    ground.also[:] = [wins(ground.policy, owner, shown[PICKS:], seed)]
    ground.remarks.append(f"Seed {seed}, the owner {owner.name} ({owner.about}), {PICKS} picks.")
    return ground.policy


def arms(ground: Ground, options: Options) -> list[Arm]:
    """One for each loss, and one whose picks mean nothing; `--level` names another owner."""
    ground.choose([], options.items)
    losses: tuple[dpo.Loss, ...] = get_args(dpo.Loss)
    learned = [
        Arm(
            loss,
            f"the owner's picks by the loss {loss}, beta {dpo.BETAS[loss]:g}",
            lambda policy, seed, loss=loss: _learn(ground, policy, seed, loss, ground.prepared[seed]),  # type: ignore[misc]
            PREFERRED,
        )
        for loss in losses
    ]
    control = Arm(
        _THROWN,
        f"the same replies, the preferred one chosen by lot, by the loss {losses[0]}",
        lambda policy, seed: _learn(ground, policy, seed, losses[0], thrown(ground.prepared[seed], seed)),
        PREFERRED,
    )
    return [*learned, control]


def thrown(picked: Sequence[Choice], seed: int) -> list[Choice]:
    """The same choices, but that the preferred reply is any of them."""
    return [replace(each, winner=keyed(seed, "thrown", place).randrange(len(each.replies)))
            for place, each in enumerate(picked)]  # fmt: skip


def _learn(ground: Ground, policy: Policy, seed: int, loss: dpo.Loss, picked: Sequence[Choice]) -> Method:
    settings = dpo.Settings(loss=loss, seed=seed)
    pairs = dpo.pairs(policy, picked)
    total = settings.steps(len(pairs))
    state = dpo.start(policy, settings, ground.work.dtype)
    dpo.freeze(state, pairs, settings)
    replay = book_rows(ground, settings.replay)
    return Method(
        state,
        lambda state: dpo.step(state, pairs, settings, total, lambda: replay(state)),
        lambda: state.step >= total,
    )


def findings(results: Sequence[Result], ground: Ground) -> list[Finding]:
    """Who is pleased, and whether it is their picks that did it."""
    found = []
    for loss in get_args(dpo.Loss):
        if learned := of(results, loss):
            told = [won(result) for result in learned]
            claim = f"after the picks by the loss {loss} its owner prefers the new model, beyond chance"
            found.append(Finding(claim, all(held for held, _ in told), "; ".join(words for _, words in told)))
        pairs = [(one, two) for one in of(results, _THROWN) for two in learned if one.seed == two.seed]
        if pairs:
            apart = [compare(one.after[WINS], two.after[WINS]) for one, two in pairs]
            words = "; ".join(
                f"seed {two.seed}: {points(*difference)} beside picks by lot"
                for (_, two), difference in zip(pairs, apart, strict=True)
            )
            held = all(reach.low > 0 for _, reach in apart)
            found.append(Finding(f"it is the picks that did it ({loss})", held, words))
    return found
