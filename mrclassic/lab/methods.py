"""The ways to train that experiments compare: GRPO on any levels with any rewards, and imitation of worked answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mrclassic.curricula.contract import Curriculum
from mrclassic.lab.experiment import Method
from mrclassic.lab.ground import Ground
from mrclassic.model.policy import Policy
from mrclassic.night import practice
from mrclassic.tasks.base import Item, keyed
from mrclassic.training import grpo, supervised
from mrclassic.training.choosing import Choosing
from mrclassic.training.report import StepReport
from mrclassic.training.rows import Row, row
from mrclassic.training.state import State
from mrclassic.training.suites import room
from mrclassic.training.trainee import Schedule, Trainee

Rows = Callable[[State], list[Row]]
_ENDLESS = 10**9  # updates of a schedule that is constant after its warm-up
_GLANCE = 16  # items of each level that the room for answers is judged by


def no_rows(state: State) -> list[Row]:
    """Nothing goes along."""
    return []


def book_rows(ground: Ground, count: int | None = None) -> Rows:
    """`count` entries of the book (default: as the settings say), a function of (seed, step)."""
    entries = ground.work.entries
    each = ground.work.settings.practice.replay if count is None else count

    def rows(state: State) -> list[Row]:
        return practice.replayed(state, entries, each)()

    return rows


def practise(
    ground: Ground,
    rewards: Sequence[str],
    policy: Policy,
    seed: int,
    *,
    along: Rows | None = None,
    spare: int = 0,
    curriculum: Curriculum | None = None,
    options: Mapping[str, Any],
) -> Method:
    """GRPO on the ground's levels in turn (or by `curriculum`), as practice in this home is set. `along` are the rows
    replayed in each update (default: the book), `spare` tokens more than a worked answer takes, `options` fields of
    `grpo.Settings`."""
    own = ground.work.settings.practice
    shown = [ground.arms.sample(name, keyed("room", name, at)) for name in ground.levels for at in range(_GLANCE)]
    given = {
        "prompts": own.prompts,
        "group": own.group,
        "learning_rate": own.learning_rate,
        "beta": own.beta,
        "max_new": room(policy.tokenizer, shown) + spare,
        **options,
        "seed": seed,
    }
    settings = grpo.Settings(**given)
    weighted = ground.work.rewards(rewards, ground.arms)
    replay = book_rows(ground) if along is None else along

    def chosen(state: State, by: Curriculum) -> StepReport:
        choosing = Choosing(state, ground.arms, by)
        update = grpo.step(state, choosing.draw, weighted, settings, lambda: replay(state), choosing.accept)
        return choosing.observe(update.report, update.groups)

    def step(state: State) -> StepReport:
        if curriculum is not None:
            return chosen(state, curriculum)
        drawn = 0

        def draw(count: int) -> list[Item]:
            nonlocal drawn
            drawn += count
            return items(ground, state, range(drawn - count, drawn))

        return grpo.step(state, draw, weighted, settings, lambda: replay(state)).report

    return Method(grpo.start(policy, settings, ground.work.dtype), step)


def items(ground: Ground, state: State, places: Sequence[int]) -> list[Item]:
    """Training items of the state's next update, the ground's levels in turn."""
    levels = ground.levels
    return [
        ground.arms.sample(levels[(state.step + place) % len(levels)], keyed(state.seed, "item", state.step, place))
        for place in places
    ]


def imitate(
    ground: Ground,
    policy: Policy,
    seed: int,
    *,
    batch: int = 64,
    rate: float = 7e-4,
    reply: Callable[[Item, State, int], str] = lambda item, state, place: item.trace,
    draw: Callable[[State, Sequence[int]], list[Item]] | None = None,
) -> Method:
    """Supervised training on fresh generated items with their worked answers (or what `reply` makes of the item at a
    place of the batch), a third of each batch being the book. The rate is that of book training in this program."""
    book = book_rows(ground, batch // 3)

    def step(state: State) -> StepReport:
        places = range(batch - batch // 3)
        drawn = items(ground, state, places) if draw is None else draw(state, places)
        rows = [
            written(state.trainee.policy, item, reply(item, state, place))
            for place, item in zip(places, drawn, strict=True)
        ]
        return supervised.update(state, [*rows, *book(state)], Schedule(rate, _ENDLESS, 20))

    return Method(State(Trainee(policy, ground.work.dtype), seed), step)


def written(policy: Policy, item: Item, reply: str) -> Row:
    """The training row of a reply to an item."""
    return row(policy.tokenizer, [*item.messages, {"role": "assistant", "content": reply}], policy.shape.context)
