"""A lesson: a few new answers among many old ones, learned in seconds, until all of them are known.

Book training in its short form. No weight moves on one example here either; half of each batch and more keep the model
as it is. Those rows have no answers of their own to learn: the student answers them as its teacher does, the model that
it was when the lesson began (learning without forgetting, arXiv 1606.09282). That alone lost six to ten of a hundred
phrasings that no list has; so some old questions come in words that nobody has written (see `rewording`), and what is
learned of them is to answer as the book does, which the teacher may not have known:

    loss = cross-entropy(new entries, old ones just lost, old ones reworded) + KEEP * KL(teacher || student) on the rest

Every few updates the whole book is read through (see `forced`): an old entry that was lost comes back at once, and the
lesson ends when everything is known. A high rate learns, and a falling one heals: with the rate kept as it was, what
was lost did not come back.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mrclassic.book import Entry
from mrclassic.model.policy import Policy
from mrclassic.model.tokenizer import Message
from mrclassic.tasks.base import keyed
from mrclassic.training import forced, room, supervised
from mrclassic.training.fits import WHOLE, Fit
from mrclassic.training.report import StepReport
from mrclassic.training.rewording import reworded
from mrclassic.training.rows import Batch, Row, row
from mrclassic.training.sentinel import Look
from mrclassic.training.state import State
from mrclassic.training.trainee import Schedule

LOOK_EVERY = 2  # updates; only asking for what is new costs next to nothing
READ_EVERY = 6  # updates between two readings of the whole book, each as long as two updates
SETTLE = 12  # updates from when the new is known to the end, at least: in half as many less of the old came back
TALK = 0.15  # share of learned rows that come in the middle of a talk: those are three times as long
COPIES = 4  # of a new entry in one update at most: a batch of one thing is what ruins a model
FRAIL = 0.8  # an old entry that is drawn less often (the last lessons' mostly) is rehearsed beside the new ones
KEEP = 4.0
SHARES = (0.7, 0.8, 0.9)  # of the way from the teacher to what was trained
LIKELY = 0.6  # and so likely a draw must be the taught answer there, on average


@dataclass(frozen=True)
class Settings:
    """`fresh` is the share of a batch for new entries, `skills` that for worked answers, `beside` how many more come in
    other words, as a share of it; `most` updates at most."""

    batch: int = 64
    learning_rate: float = 1e-3
    fresh: float = 0.3
    skills: float = 0.25
    beside: float = 0.25
    warmup: int = 3
    most: int = 72
    seed: int = 0


def start(policy: Policy, settings: Settings, dtype: torch.dtype, fit: Fit = WHOLE) -> State:
    """Begin from `policy` (float32), which is also the teacher."""
    state = supervised.start(policy, settings.seed, dtype, None, fit)
    state.reference = state.trainee.reference(False)
    return state


class Lesson:
    """One lesson on `new` among `old` entries; `skills` are worked answers that are to stay as they are. Hand `step`,
    `look` and `over` to the shared loop."""

    def __init__(
        self,
        new: Sequence[Entry],
        old: Sequence[Entry],
        skills: Sequence[Row],
        settings: Settings,
        before: Sequence[forced.Known],
    ) -> None:
        """`before` is how well each of the old entries was known when the lesson began."""
        self.new, self.old, self.skills, self.settings = new, old, skills, settings
        self.entries = [*old, *new]
        pairs = list(zip(old, before, strict=True))
        self._spared = {entry.hash for entry, each in pairs if not each.greedy}  # nobody waits for them
        # Known, but only just, as what the last lesson taught: kept as it is it would be lost by the next.
        self.frail = [entry for entry, each in pairs if each.greedy and each.chance < FRAIL]
        self.weak: list[Entry] = self.frail  # these, and what was lost when last looked at
        self._known_at: int | None = None  # the update after which all new entries were first known
        self._over = False

    def over(self) -> bool:
        """Whether it has settled, and at the last look all new entries were known and no old one was lost."""
        return self._over

    def rate(self, step: int) -> float:
        """The learning rate: high until the new is known, or little is left of the time; then down to a tenth, on which
        the old comes back."""
        own = self.settings
        turn = own.most - SETTLE if self._known_at is None else self._known_at
        return own.learning_rate * max(0.1, min(1.0, (step + 1) / own.warmup, 1 - (step - turn) / SETTLE))

    def step(self, state: State) -> StepReport:
        """One update, in smaller passes where memory runs out."""
        begun = time.perf_counter()
        learned, kept = self.draw(state)

        def passes() -> tuple[float, float]:
            return state.trainee.cross_entropy(learned), keep(state, kept, KEEP)

        (loss, apart), halved = room.within(state, "token_budget", passes)
        metrics = {"rows": float(len(learned) + len(kept)), "kl": apart, "microbatch/halved": float(halved)}
        rate = Schedule(self.rate(state.step), 1, 0, 1.0)
        return supervised.move(state, loss, rate, metrics, begun)

    def draw(self, state: State) -> tuple[list[Row], list[Row]]:
        """The rows of the next update, to learn and to keep: a function of seed, step and what the last look found."""
        own, policy = self.settings, state.trainee.policy
        tokenizer, context = policy.tokenizer, policy.shape.context
        fresh = supervised.walked(state, self.new, min(round(own.batch * own.fresh), COPIES * len(self.new)), "new")
        weak = supervised.walked(state, self.weak, min(own.batch // 6, COPIES * len(self.weak)), "weak")
        worked = supervised.walked(state, self.skills, round(own.batch * own.skills), "skills")
        others = supervised.walked(state, self.old, own.batch - len(fresh) - len(weak) - len(worked), "old")
        beside = supervised.walked(state, self.old, round(own.batch * own.beside), "beside")
        learned = [
            *(self._typed(each, keyed(own.seed, "vary", state.step, at)) for at, each in enumerate([*fresh, *weak])),
            *(reworded(each, keyed(own.seed, "beside", state.step, at)) for at, each in enumerate(beside)),
        ]
        kept = [reworded(each, keyed(own.seed, "reword", state.step, at)) for at, each in enumerate(others)]
        rows = [[row(tokenizer, talk, context) for talk in talks] for talks in (learned, kept)]
        return rows[0], [*rows[1], *worked]

    def _typed(self, entry: Entry, rng: random.Random) -> list[Message]:
        """The entry as a hasty person types it, now and then after something else was said."""
        *before, question, reply = entry.messages
        said = {**question, "content": supervised.vary(question["content"], rng)}
        return [*supervised.talk_before(self.entries, rng, TALK), *before, said, reply]

    def look(self, state: State) -> Look:
        """Ask for what is new and, once that is known, read the whole book through: it decides what comes next."""
        if not all(self._known(state, [talk for entry in self.new for talk in _asked(entry)])):
            self._over = False
            return Look()
        self._known_at = state.step if self._known_at is None else self._known_at
        if (state.step - self._known_at) % READ_EVERY:
            return Look()
        found = self._known(state, [entry.messages for entry in self.old])
        lost = [entry for entry, known in zip(self.old, found, strict=True) if not known]
        gone = [entry for entry in lost if entry.hash not in self._spared]
        self.weak = [*gone, *(entry for entry in self.frail if entry not in gone)]
        self._over = not gone and state.step >= self._known_at + SETTLE
        return Look(book=(len(self.old) - len(lost), len(self.old)))

    def _known(self, state: State, talks: Sequence[Sequence[Message]]) -> list[bool]:
        return [each.greedy for each in _read(state.trainee.policy, talks)]

    def between(self, mixed: Callable[[float], Policy]) -> tuple[Policy, float]:
        """Of the ways from the teacher to what was trained (1), the shortest that knows no less of what was new, frail
        or lost: it undoes most of what went astray besides. `mixed` makes the policy of a share; returns that chosen,
        and its share."""
        asked = [talk for entry in self.new for talk in _asked(entry)]
        asked, new = [*asked, *(entry.messages for entry in self.weak)], len(asked)
        policy = mixed(1.0)
        wanted = sum(each.greedy for each in _read(policy, asked))
        for share in SHARES:
            nearer = mixed(share)
            found = _read(nearer, asked)
            likely = sum(each.chance for each in found[:new]) / new
            if sum(each.greedy for each in found) >= wanted and likely >= LIKELY:
                return nearer, share
        return policy, 1.0


def _read(policy: Policy, talks: Sequence[Sequence[Message]]) -> list[forced.Known]:
    return forced.known(policy, [row(policy.tokenizer, talk, policy.shape.context) for talk in talks])


def _asked(entry: Entry) -> list[Sequence[Message]]:
    """The ways in which a new entry must be known: as it stands, and typed hastily."""
    *before, question, reply = entry.messages
    hasty = {**question, "content": question["content"].lower().rstrip(".?!") or question["content"]}
    return [entry.messages, [*before, hasty, reply]]


def keep(state: State, rows: Sequence[Row], weight: float) -> float:
    """Add the gradient of `weight` times the mean divergence from the teacher on the targets of `rows`; returns that
    mean divergence in nats a token."""
    assert state.reference is not None
    if not rows:
        return 0.0
    total, found = sum(each.targets for each in rows), 0.0
    for _, batch in state.trainee.microbatches(rows):
        with torch.no_grad():
            teacher = _scores(state.reference, batch).log_softmax(-1)
        student = _scores(state.trainee.policy, batch).log_softmax(-1)
        apart = (teacher.exp() * (teacher - student)).sum() / total
        (weight * apart).backward()  # type: ignore[no-untyped-call]
        found += float(apart.detach())
    return found


def _scores(policy: Policy, batch: Batch) -> Tensor:
    """Scores (N, V) in float32 over the vocabulary at the places whose next token is learned."""
    hidden = policy.decoder(batch.ids).flatten(0, 1)[batch.at[: len(batch.next)]]
    return torch.mm(hidden, policy.decoder.head_weight[: policy.live].t()).float()
