"""The practice stages in a home: GRPO by curriculum, and self-play; both through the shared loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mrclassic.book import Entry
from mrclassic.curricula.contract import Curriculum
from mrclassic.errors import UsageError
from mrclassic.model.policy import Policy
from mrclassic.model.tokenizer import Tokenizer
from mrclassic.night.pace import Pace, timed
from mrclassic.night.practised import words
from mrclassic.night.recorder import StoreRecorder
from mrclassic.night.workplace import Workplace
from mrclassic.rewards.contract import Weighted
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import Domain, keyed
from mrclassic.training import grpo, loop, questions, selfplay, supervised
from mrclassic.training.aside import ITEMS as ASIDE
from mrclassic.training.aside import looking
from mrclassic.training.choosing import Choosing
from mrclassic.training.fits import Fit
from mrclassic.training.report import StepReport
from mrclassic.training.rows import Row
from mrclassic.training.sentinel import REINFORCED, SELF_PLAYED, Sentinel
from mrclassic.training.state import State
from mrclassic.training.suites import recall, room, skill

DOMAINS = ("arithmetic", "knights", "strings", "programs", "triviaqa", "documents", "conversation")
_QUESTIONS = 5  # of its own that are remembered
_GLANCE = 16  # items of each arm that the room for answers is judged by


@dataclass(frozen=True)
class Subject:
    """What is practised, and how answers are scored."""

    arms: Arms
    rewards: tuple[Weighted, ...]


def subject(work: Workplace, tasks: Sequence[str] = (), rewards: Sequence[str] = ()) -> Subject:
    """From words such as `arithmetic:3` and `format=0.1`; without any, as the settings say. Raises UsageError."""
    own = work.settings.practice
    arms = work.arms(tasks or words(own.tasks))
    for name in arms.names:
        if arms.talks(name):
            raise UsageError(f"{name} is a dialogue: practise it with `mrclassic train td --task {name}`.")
    return Subject(arms, tuple(work.rewards(rewards or words(own.rewards), arms)))


def askable(on: Subject) -> None:
    """Raises UsageError where a model cannot write questions of what is to be practised."""
    for name, task in on.arms.tasks.items():
        if task not in on.arms.domains:
            raise UsageError(
                f"The model cannot set itself questions of {name}: no code here could read one and compute its answer. "
                f"Name one of {', '.join(DOMAINS)}."
            )


@dataclass(frozen=True)
class Recipe:
    """Both methods' settings, and how many book entries go along with each update."""

    grpo: grpo.Settings
    selfplay: selfplay.Settings
    replay: int


def recipe(
    work: Workplace,
    tokenizer: Tokenizer,
    on: Subject,
    *,
    seed: int,
    learning_rate: float | None = None,
    replay: int | None = None,
    options: Mapping[str, Any] | None = None,
    play: Mapping[str, Any] | None = None,
) -> Recipe:
    """The settings of practice in this home; `options` are fields of `grpo.Settings` that go before them, `play` those
    of `selfplay.Settings`, and there `fixed` is a share."""
    own = work.settings.practice
    rate = own.learning_rate if learning_rate is None else learning_rate
    shown = [on.arms.sample(arm, keyed("room", arm, at)) for arm in on.arms.names for at in range(_GLANCE)]
    together = grpo.Settings(
        prompts=own.prompts,
        group=own.group,
        max_new=room(tokenizer, shown),
        learning_rate=rate,
        beta=own.beta,
        seed=seed,
    )
    played = {"form": own.selfplay_form, "fixed": own.selfplay_fixed, **(play or {})}
    share = played.pop("fixed")
    alone = selfplay.Settings(
        max_new=together.max_new,
        question_max_new=questions.room(tokenizer, on.arms),
        learning_rate=rate,
        beta=own.beta,
        seed=seed,
        **played,
    ).mixed(share)
    return Recipe(replace(together, **(options or {})), alone, own.replay if replay is None else replay)


def replayed(state: State, entries: Sequence[Entry], count: int) -> Callable[[], list[Row]]:
    """`count` book rows of the state's next update: a function of (seed, step)."""

    return lambda: supervised.book_rows(state, entries, count, entries, "replay")


def begin(name: str, policy: Policy, work: Workplace, on: Subject, recipe: Recipe, fit: Fit) -> State:
    """The state of a stage before its first update."""
    if name == "selfplay":
        return selfplay.start(policy, recipe.grpo, recipe.selfplay, on.arms, work.dtype, fit)
    return grpo.start(policy, recipe.grpo, work.dtype, fit)


class Stage:
    """One stage of practice on `state`: the steps of GRPO or self-play with the curriculum between them."""

    def __init__(
        self,
        name: str,
        state: State,
        on: Subject,
        chooser: Curriculum,
        recipe: Recipe,
        entries: Sequence[Entry],
    ) -> None:
        self.name, self.state, self.on, self.chooser, self.recipe = name, state, on, chooser, recipe
        self.entries = entries
        self._replay = replayed(state, entries, recipe.replay)

    def step(self, state: State) -> StepReport:
        """One update; the curriculum learns from how its groups went."""
        choosing = Choosing(state, self.on.arms, self.chooser)
        if self.name == "selfplay":
            own = self.recipe.selfplay
            if waiting := questions.closed(state, self.on.arms, own.warming):
                return questions.warm(state, self.on.arms, waiting, own.warming, self._replay)
            fixed = choosing.draw(own.fixed)
            asked = self._asked(own.questions * own.drafts)
            played = selfplay.step(state, asked, fixed, self.on.rewards, own, self._replay)
            report, groups = played.report, played.fixed
            self._remember(dict(played.questions))
        else:
            settings = self.recipe.grpo
            update = grpo.step(state, choosing.draw, self.on.rewards, settings, self._replay, choosing.accept)
            report, groups = update.report, update.groups
        return choosing.observe(report, groups)

    def run(
        self,
        steps: int,
        recorder: StoreRecorder,
        stopping: Callable[[], bool] = lambda: False,
        enough: Callable[[], bool] = lambda: False,
    ) -> loop.Outcome:
        """Up to `steps` updates in all, unless the sentinel or the caller ends it. Now and then it looks aside: do
        held-out items follow the reward, is the book still there?"""
        outcome = loop.run(
            self.state,
            self.step,
            steps=steps,
            recorder=recorder,
            sentinel=Sentinel(SELF_PLAYED if self.name == "selfplay" else REINFORCED),
            aside=looking([skill(self.on.arms, arm, ASIDE) for arm in self.on.arms.names], recall(self.entries)),
            stopping=stopping,
            enough=enough,
        )
        recorder.flush()
        return outcome

    def _asked(self, count: int) -> list[Domain]:
        """The domains of the next questions: as often as the curriculum would draw their levels."""
        domains, shares = self.on.arms.domains, self.chooser.report()
        weights = [sum(shares.get(arm, 0.0) for arm in self.on.arms.of(domain)) for domain in domains]
        rng = keyed(self.state.seed, "domains", self.state.step)
        return rng.choices(domains, weights if any(weights) else None, k=count)

    def _remember(self, asked: Mapping[str, float]) -> None:
        """Keep with the state, of all questions that it asked itself, those nearest to the edge of what it can do."""
        ranked = sorted(
            {**self.state.facts.get("questions", {}), **asked}.items(), key=lambda pair: (abs(pair[1] - 0.5), pair[0])
        )
        self.state.facts["questions"] = dict(ranked[:_QUESTIONS])

    @property
    def best_questions(self) -> tuple[str, ...]:
        """Those, the best first."""
        return tuple(self.state.facts.get("questions", {}))


def pace(
    name: str,
    policy: Policy,
    work: Workplace,
    on: Subject,
    recipe: Recipe,
    success: Mapping[str, float],
    fit: Fit,
    trials: int = 4,
    within: float = math.inf,
) -> Pace:
    """The pace of one update, measured on a copy that is thrown away: by so many `trials`, fewer where they would take
    more than `within` seconds, but one."""
    # The pace of what goes on and on, not of the first updates that may come before it.
    recipe = replace(recipe, selfplay=replace(recipe.selfplay, warm=0, shown=0))
    state = begin(name, policy, work, on, recipe, fit)
    stage = Stage(name, state, on, work.curriculum(on.arms, success), recipe, work.entries)
    return timed(lambda: stage.step(state).metrics["tokens"], f"measuring {name}", trials, within)
