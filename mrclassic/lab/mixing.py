"""Does it matter what is read next? Four sources of very different sizes, learned from fresh weights: the book, stories
told in many words, sums with their working, and puzzles. Batches are filled in proportion to the sizes, evenly, or by
how much held-out loss each source took off lately; alike in tokens. What is measured is the mean over the sources of
the held-out loss, on other rows than those that the mixing is steered by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch

from mrclassic.book import Entry
from mrclassic.curricula.core import proportions
from mrclassic.curricula.learning_progress import LearningProgress
from mrclassic.curricula.mixing import Mixing, fill
from mrclassic.curricula.uniform import Uniform
from mrclassic.lab.experiment import UNWATCHED, Arm, Finding, Method, Options, Result, of
from mrclassic.lab.ground import Ground
from mrclassic.model.policy import Policy
from mrclassic.model.tokenizer import Message, Tokenizer
from mrclassic.tasks import arithmetic
from mrclassic.tasks.base import keyed
from mrclassic.tasks.knights import Knights
from mrclassic.tasks.stories import VERSIONS, Stories, text
from mrclassic.training import supervised
from mrclassic.training.report import StepReport
from mrclassic.training.rows import Row, row
from mrclassic.training.scoring import score
from mrclassic.training.state import State
from mrclassic.training.trainee import Schedule, Trainee

_SUMS, _PUZZLES, _READ = 12_000, 3_000, 1_500  # rows; those of a source that a tokenizer is learned from
_ASIDE = 48  # rows of each source to steer by, and as many to measure
_TOKENS = 4096  # of an update
_EVERY = 10  # updates between looks
_RATE = 3e-3  # that of hatching: the weights are new
_ENDLESS = 10**9  # updates of a schedule that is constant after its warm-up
_MEAN = "held_out/mean"
_BY_SIZE, _EVENLY, _STEERED = "proportional", "evenly", "learning_progress"
_ABOUT = {
    _BY_SIZE: "each source by its number of tokens",
    _EVENLY: "as many tokens of each source",
    _STEERED: "by what each source took off its held-out loss",
}

Talk = tuple[Message, ...]


@dataclass(frozen=True)
class Source:
    """What is learned, what the mixing is steered by, and what is measured."""

    learned: Sequence[Talk]
    steering: Sequence[Row]
    measured: Sequence[Row]

    @property
    def size(self) -> float:
        """In tokens, by the length of the rows that were set aside."""
        aside = [len(each.ids) for each in (*self.steering, *self.measured)]
        return len(self.learned) * sum(aside) / len(aside)


def arms(ground: Ground, options: Options) -> list[Arm]:
    """Three ways to fill a batch."""
    ground.choose([f"{Stories.name}:question"], options.items)
    ground.remarks.append("Begun from fresh weights of the same shape, with a tokenizer that has read all sources.")
    return [Arm(name, about, _beginning(ground, name), UNWATCHED) for name, about in _ABOUT.items()]


def prepare(ground: Ground, options: Options, seed: int) -> Policy:
    """Fresh weights."""
    read = [talk for talks in _talks(tuple(ground.work.entries), seed).values() for talk in talks[:_READ]]
    lines = [message["content"] for talk in read for message in talk]
    return Policy.fresh(ground.policy.shape, lines, seed, str(ground.work.device))


@lru_cache(maxsize=1)
def _talks(entries: tuple[Entry, ...], seed: int) -> dict[str, list[Talk]]:
    """What each source says, shuffled. The held-out splits of the tasks stay out."""
    world, knights = Stories(), Knights(None)
    rng = keyed("mixing", seed)
    items = {
        "sums": [arithmetic.sample(rng, rng.choice(arithmetic.levels)) for _ in range(_SUMS)],
        "puzzles": [knights.sample(rng, "2") for _ in range(_PUZZLES)],
    }
    told = [
        (person.name, telling)
        for person in world.people
        for telling in (text.telling(person), *(text.retelling(person, rng) for _ in range(VERSIONS - 1)))
    ]
    talks: dict[str, list[Talk]] = {
        "book": [tuple(entry.messages) for entry in entries],
        "stories": [_said(f"What do you know about {name}?", telling) for name, telling in told],
        **{name: [_said(item.question, item.trace) for item in found] for name, found in items.items()},
    }
    for each in talks.values():
        rng.shuffle(each)
    return talks


def _said(question: str, reply: str) -> Talk:
    return {"role": "user", "content": question}, {"role": "assistant", "content": reply}


def _source(talks: Sequence[Talk], tokenizer: Tokenizer, context: int) -> Source:
    """The first rows are set aside, at most a fifth for either purpose."""
    aside = max(1, min(_ASIDE, len(talks) // 5))
    rows = [row(tokenizer, talk, context) for talk in talks[: 2 * aside]]
    return Source(talks[2 * aside :], rows[:aside], rows[aside:])


def _beginning(ground: Ground, name: str) -> Callable[[Policy, int], Method]:
    def begin(policy: Policy, seed: int) -> Method:
        talks = _talks(tuple(ground.work.entries), seed)
        sources = {each: _source(said, policy.tokenizer, policy.shape.context) for each, said in talks.items()}
        state = State(Trainee(policy, ground.work.dtype), seed)
        sizes = proportions({each: source.size for each, source in sources.items()})
        chooser = (LearningProgress if name == _STEERED else Uniform)(list(sources))
        mixing = Mixing(chooser, _losses(state, {each: source.steering for each, source in sources.items()}))
        return Method(state, lambda s: _step(s, sources, mixing, sizes if name == _BY_SIZE else None))

    return begin


def _step(state: State, sources: Mapping[str, Source], mixing: Mixing, fixed: Mapping[str, float] | None) -> StepReport:
    """An update by the shares of `mixing`, or by `fixed` ones; now and then with a look at what it took off."""
    shares = mixing.shares() if fixed is None else fixed
    facts, policy = state.facts, state.trainee.policy
    taken: dict[str, int] = facts.setdefault("taken", dict.fromkeys(sources, 0))
    since: dict[str, float] = facts.setdefault("since", dict.fromkeys(sources, 0.0))
    rows: list[Row] = []

    def take(name: str) -> int:
        learned = sources[name].learned
        talk = learned[supervised.shuffled(state.seed, taken[name], len(learned), name)]
        rows.append(row(policy.tokenizer, talk, policy.shape.context))
        taken[name] += 1
        since[name] += len(rows[-1].ids)
        return len(rows[-1].ids)

    fill(shares, _TOKENS, facts.setdefault("due", {}), take)
    report = supervised.update(state, rows, Schedule(_RATE, _ENDLESS, 20))
    found = {f"share/{name}": share for name, share in shares.items()}
    found["tokens"] = float(sum(len(each.ids) for each in rows))
    if state.step % _EVERY == 0:
        mixing.looked(_losses(state, {name: each.steering for name, each in sources.items()}), since, state.step)
        facts["since"] = dict.fromkeys(sources, 0.0)
        losses = _losses(state, {name: each.measured for name, each in sources.items()})
        found |= {f"held_out/{name}": loss for name, loss in losses.items()}
        found[_MEAN] = sum(losses.values()) / len(losses)
    return replace(report, metrics={**report.metrics, **found})


@torch.no_grad()
def _losses(state: State, rows: Mapping[str, Sequence[Row]]) -> dict[str, float]:
    """The mean token loss of each source, in nats."""
    trainee = state.trainee
    return {
        name: -sum(float(score(trainee.policy, batch).logp.sum()) for _, batch in trainee.microbatches(each))
        / sum(one.targets for one in each)
        for name, each in rows.items()
    }


def findings(results: Sequence[Result], ground: Ground) -> list[Finding]:
    """The mean held-out loss after as many tokens, seed by seed."""
    found = []
    for other in (_BY_SIZE, _EVENLY):
        pairs = [
            (_last_common(one, two), one.seed)
            for one in of(results, _STEERED)
            for two in of(results, other)
            if one.seed == two.seed
        ]
        known = [(losses, seed) for losses, seed in pairs if losses is not None]
        if known:
            words = "; ".join(f"seed {seed}: {mine:.3f} against {theirs:.3f} nats" for (mine, theirs), seed in known)
            held = all(mine < theirs for (mine, theirs), _ in known)
            found.append(Finding(f"{_STEERED} ends below {other} on the mean held-out loss", held, words))
    return found or [Finding("nothing was measured", None, f"a look comes every {_EVERY} updates")] if results else []


def _last_common(one: Result, two: Result) -> tuple[float, float] | None:
    """The mean held-out losses at the last update that both have looked at: as many tokens."""
    first, second = ({step: each[_MEAN] for step, each in result.curve if _MEAN in each} for result in (one, two))
    common = [step for step in first if step in second]
    return (first[max(common)], second[max(common)]) if common else None
