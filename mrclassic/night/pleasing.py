"""The stages of a night in which a model learns what its owner said (see `opinions`): each a state and what an update
of it is, for the shared loop; and how much of each there is time for.

Practice by taste mixes talks, which the learned taste judges, with what is practised anyway, which the verifiers judge.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mrclassic import heartbeat
from mrclassic.errors import MrClassicError
from mrclassic.model.policy import Policy
from mrclassic.night import dialogues, fitting, practice, prefer
from mrclassic.night.means import Means
from mrclassic.night.opinions import DPO, RATED, TASTE
from mrclassic.night.pace import Pace, timed
from mrclassic.night.plan import PlannedStage
from mrclassic.night.workplace import Workplace
from mrclassic.tasks import conversation
from mrclassic.tasks.base import Item, keyed
from mrclassic.training import dpo, grpo, rated
from mrclassic.training.choosing import Choosing
from mrclassic.training.report import StepReport
from mrclassic.training.sentinel import PLEASED, PREFERRED, Rule
from mrclassic.training.sentinel import RATED as BY_RATINGS
from mrclassic.training.state import State

_EPOCHS = 3  # over rated conversations, as `train td --rated` has it
_TRIALS = 3  # updates that a pace is measured on
_SEEDS = {DPO: 2, RATED: 3, TASTE: 4}  # apart from those of the other stages
_ARM = f"{conversation.NAME}:1"


@dataclass(frozen=True)
class Method:
    """A stage that has begun: `ready` once before its first update, also where it goes on; the sentinel's `rules`."""

    state: State
    step: Callable[[State], StepReport]
    rules: tuple[Rule, ...]
    ready: Callable[[], None] = lambda: None


def settings(name: str, means: Means) -> dpo.Settings | rated.Settings | grpo.Settings:
    """What the stage `name` is asked to do, for its run's row."""
    seed = means.seed * 10 + _SEEDS[name]
    if name == DPO:
        return dpo.Settings(seed=seed, replay=means.recipe.replay)
    if name == RATED:
        return rated.Settings(seed=seed)
    subject = means.opinions.subject
    if subject is None:
        raise MrClassicError(means.opinions.off[TASTE])
    own = means.work.settings.taste
    return replace(means.recipe.grpo, seed=seed, beta=own.beta)


def plan(name: str, work: Workplace) -> fitting.Plan | None:
    """What an update of the stage `name` is, and its memory, before a model is loaded (see `fitting.plan`). The learned
    taste is there already: it is not counted, and what is free is without it."""
    if name == DPO:
        return prefer.plan(work, prefer.Order(dpo.Settings(replay=work.settings.practice.replay), fit=work.fit), None)
    if name == RATED:
        return dialogues.plan(work, order=dialogues.order_of(work, rated.Settings(), None))

    def told(found: fitting.Unloaded) -> fitting.Update:
        on = practice.subject(work)
        recipe = practice.recipe(work, found.tokenizer, on, seed=0)
        load = fitting.practising(on, recipe, "grpo", found.tokenizer)
        opening = max((len(found.tokenizer.encode_chat(each.prompt[:1])) for each in work.entries), default=0)
        load = replace(load, width=max(load.width, opening + load.learned), reference=True)
        spoken = talks(recipe.grpo.prompts)
        update = (
            f"{load.drawn} completions of up to {load.learned} tokens an update ({spoken} talk{'s' * (spoken > 1)} "
            f"among {recipe.grpo.prompts} questions), {recipe.replay} book entries replayed"
        )
        return update, load

    return fitting.plan(work, None, name, work.fit, told)


def begin(name: str, means: Means, policy: Policy, steps: int, most: int | None = None) -> Method:
    """The stage `name` of `steps` updates on `policy`; of pairs only the first `most`. Raises MrClassicError where what
    it was to learn from is not there any more."""
    work, opinions = means.work, means.opinions
    own: Any = settings(name, means)
    if name in opinions.off:
        raise MrClassicError(opinions.off[name])
    if name == DPO:
        pairs = dpo.pairs(policy, opinions.learned)[:most]
        state = dpo.start(policy, own, work.dtype, work.fit)
        rows = practice.replayed(state, work.entries, own.replay)

        def frozen() -> None:
            dpo.freeze(state, pairs, own, lambda done, of: heartbeat.beat("reading picks"))

        return Method(state, lambda s: dpo.step(s, pairs, own, steps, rows), PREFERRED, frozen)
    if name == RATED:
        state = rated.start(policy, own, work.dtype, work.fit)
        rows = practice.replayed(state, work.entries, means.recipe.replay)
        return Method(state, lambda s: rated.step(s, opinions.talks, own, rows), BY_RATINGS)
    state = grpo.start(policy, own, work.dtype, work.fit)
    return Method(state, _by_taste(means, state, own), PLEASED)


def talks(questions: int) -> int:
    """How many of them are talks."""
    return max(1, questions // 2)


def _by_taste(means: Means, state: State, own: grpo.Settings) -> Callable[[State], StepReport]:
    """An update of practice by taste: of its questions a share are talks, the others what the curriculum says."""
    subject, arms = means.opinions.subject, means.subject.arms
    assert subject is not None
    chooser = means.work.curriculum(arms, means.bench.success)
    replay = practice.replayed(state, means.work.entries, means.recipe.replay)

    def step(state: State) -> StepReport:
        choosing, begun = Choosing(state, arms, chooser), 0

        def draw(count: int) -> Sequence[Item]:
            nonlocal begun
            own = talks(count)
            places = range(begun, begun := begun + own)
            keys = [keyed(state.seed, "talk", state.step, place) for place in places]
            others = choosing.draw(count - own) if count > own else []
            return [*(subject.arms.sample(_ARM, key) for key in keys), *others]

        update = grpo.step(state, draw, subject.rewards, own, replay)
        others = [group for group in update.groups if group.item.meta["task"] != conversation.NAME]
        return choosing.observe(update.report, others)

    return step


def planned(name: str, means: Means, policy: Policy, seconds: float) -> PlannedStage:
    """The stage `name` as far as it fits into `seconds`, by a pace that is measured on a copy that is thrown away."""
    opinions, own = means.opinions, settings(name, means)
    if isinstance(own, grpo.Settings):
        assert opinions.evidence is not None
        spoken = talks(own.prompts)
        begun, pace = _paced(begin(name, means, policy, _TRIALS))
        named = f"which named {opinions.evidence.top1:.0%} of {opinions.evidence.judged} held-out picks"
        words = (
            f"({spoken} talk{'s' * (spoken > 1)} by your taste, {named}, + {own.prompts - spoken} by the verifiers) x "
            f"{own.group} answers = {own.completions} completions an update"
        )
        steps = int((seconds - begun) / pace.seconds)
        return PlannedStage(name, steps, own.completions, words, pace.seconds, pace.tokens)
    if isinstance(own, dpo.Settings):
        count = sum(len(each.pairs) for each in opinions.learned)
        begun, pace = _paced(begin(name, means, policy, _TRIALS, _TRIALS * own.batch))
        seconds -= begun * count / (_TRIALS * own.batch)  # what was read of some is read of all
        needed = own.steps(count)
        words = f"{count} pairs of {len(opinions.learned)} picks, {own.batch} an update, {len(opinions.held)} held out"
    else:
        begun, pace = _paced(begin(name, means, policy, _TRIALS))
        needed = max(1, _EPOCHS * len(opinions.talks) // own.batch)
        words = f"{len(opinions.talks)} rated conversations, {own.batch} an update"
    steps = max(0, min(needed, int(seconds / pace.seconds)))
    return PlannedStage(name, steps, own.batch, words, pace.seconds, pace.tokens)


def _paced(method: Method) -> tuple[float, Pace]:
    """Seconds that it takes to begin, and the pace of its updates."""
    begun = time.monotonic()
    method.ready()
    ready = time.monotonic() - begun
    return ready, timed(lambda: method.step(method.state).metrics["tokens"], "measuring what picks teach", _TRIALS)
