"""Stories told once against stories told in varied words: which of them can be asked for afterwards?

A new model of the shape in use reads about everybody in a little world, in the same words every time or in five
versions, as often in both arms, and is asked about half of the people while it learns. What is measured is the other
half: facts that it read and was never asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from mrclassic.lab.experiment import UNWATCHED, Arm, Finding, Method, Options, Result, compare, of, points, score_words
from mrclassic.lab.ground import Ground
from mrclassic.model.policy import Policy
from mrclassic.tasks.base import keyed
from mrclassic.tasks.stories import VERSIONS, Stories, text
from mrclassic.training import documents
from mrclassic.training.state import State
from mrclassic.training.trainee import Trainee

_ASKED = f"{Stories.name}:question"
_QUESTIONS = 2000  # drawn about those who may be asked about
_RATE = 3e-3  # that of hatching: the weights are new
_ENDLESS = 10**9  # updates of a schedule that is constant after its warm-up
_VERSIONS = {"once": 1, "varied": VERSIONS}


def arms(ground: Ground, options: Options) -> list[Arm]:
    """Two ways of telling."""
    ground.choose([_ASKED], options.items)
    world = Stories()
    ground.remarks.append(
        f"Begun from fresh weights; {len(world.people)} people with {len(text.WORDINGS)} facts each, "
        "every other one of them asked about while learning."
    )
    return [_told(world, name, versions, ground) for name, versions in _VERSIONS.items()]


def _told(world: Stories, name: str, versions: int, ground: Ground) -> Arm:
    def begin(policy: Policy, seed: int) -> Method:
        settings = documents.Settings(replay=0.0, learning_rate=_RATE, seed=seed)
        learned = _material(world, versions, seed)
        return Method(
            State(Trainee(policy, ground.work.dtype), seed),
            lambda state: documents.step(state, documents.draw(state, learned, (), (), settings), settings, _ENDLESS),
        )

    words = "always in the same words" if versions == 1 else f"in {versions} versions"
    return Arm(name, f"everybody told of {words}", begin, UNWATCHED)


def _material(world: Stories, versions: int, seed: int) -> documents.Material:
    """Everybody's tellings, and questions about those who may be asked about."""
    rng = keyed("stories told", seed)
    told = [
        (f"What do you know about {person.name}?", telling)
        for person in world.people
        for telling in (text.telling(person), *(text.retelling(person, rng) for _ in range(versions - 1)))
    ]
    asked = [world.sample(keyed("stories asked", seed, at), "question") for at in range(_QUESTIONS)]
    return documents.Material(tuple(told), tuple(asked))


def prepare(ground: Ground, options: Options, seed: int) -> Policy:
    """Fresh weights, with a tokenizer that has read the stories."""
    learned = _material(Stories(), VERSIONS, seed)
    lines = [line for lead, telling in learned.told for line in (lead, telling)]
    lines += [line for item in learned.asked for line in (item.question, item.trace)]
    return Policy.fresh(ground.policy.shape, lines, seed, str(ground.work.device))


def findings(results: Sequence[Result], ground: Ground) -> list[Finding]:
    """What can be asked for of what was only read, side by side on the same questions."""
    pairs = [(one, two) for one in of(results, "once") for two in of(results, "varied") if one.seed == two.seed]
    if not pairs:
        return []
    differences = [compare(one.after[_ASKED], two.after[_ASKED]) for one, two in pairs]
    words = "; ".join(
        f"{score_words(one.after[_ASKED])} against {score_words(two.after[_ASKED])}, {points(*difference)}"
        for (one, two), difference in zip(pairs, differences, strict=True)
    )
    held = all(reach.low > 0 for _, reach in differences)
    return [Finding("facts told in varied words can be asked for, those told in the same words less", held, words)]
