"""Fifty new answers in ten lessons: are all known, is the rest of the book, do phrasings that nobody taught still work?
Beside it the same picks on the same model by single-example updates, each until it is known, and what that forgets.

The answers are those of `data/lessons.txt`; what a lesson is, is in `training/lesson.py`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence

from mrclassic import book, shipped
from mrclassic.book import Entry
from mrclassic.lab.experiment import UNWATCHED, Arm, Finding, Method, Options, Result, of, points, score_words
from mrclassic.lab.ground import Ground
from mrclassic.model.engine import Engine, Request
from mrclassic.model.policy import WARMTH, Policy
from mrclassic.night.blending import blend
from mrclassic.night.lesson import worked
from mrclassic.training import forced, lesson, supervised
from mrclassic.training.report import StepReport
from mrclassic.training.rows import row
from mrclassic.training.state import State
from mrclassic.training.suites import PHRASINGS, RECALL, Suite, recall
from mrclassic.training.trainee import Schedule, Trainee

TAUGHT = "taught"
PICKS = 5  # in a lesson
_DRAWS = 20  # of each answer, before and after its lesson
_MOST = 40  # updates on a single example; without the bound one that it cannot learn would not end
_RECALL = 0.99  # of the rest of the book, which is promised

_Way = Callable[[Ground, Policy, Sequence[Entry], Sequence[Entry], int], Policy]


def arms(ground: Ground, options: Options) -> list[Arm]:
    """Lessons, and one example at a time: each update of an arm is a lesson's worth of picks."""
    known = {entry.key for entry in ground.work.entries}
    new = [entry for entry in answers() if entry.key not in known]
    own = ground.work.phrasings()
    rest = Suite(RECALL, recall(ground.work.entries).probes)
    ground.suites = [rest, recall(new, TAUGHT), *([own] if own.probes else [])]
    batches = [new[at : at + PICKS] for at in range(0, len(new), PICKS)]
    ways = (
        ("lessons", "batches with old entries kept as they are, until all is known", _lesson),
        ("single", "one example at a time, until it is known; the same rate", _single),
    )

    def arm(name: str, about: str, way: _Way) -> Arm:
        return Arm(
            name,
            about,
            lambda policy, seed: _method(ground, policy, seed, batches, way),
            UNWATCHED,
            len(batches),
        )

    return [arm(*way) for way in ways]


def answers() -> list[Entry]:
    """What is taught."""
    return book.load(shipped.folder("data") / "lessons.txt")


def _method(ground: Ground, policy: Policy, seed: int, batches: Sequence[Sequence[Entry]], way: _Way) -> Method:
    """Teach a batch at every step, each time from the weights that the one before left."""

    def step(state: State) -> StepReport:
        begun, now = time.perf_counter(), state.trainee.full_policy()
        fresh = batches[state.step]
        old = [*ground.work.entries, *itertools.chain(*batches[: state.step])]
        before = _drawn(ground, now, fresh, state.seed)
        after = way(ground, now, old, fresh, state.seed * 100 + state.step)
        state.trainee = Trainee(after, ground.work.dtype)
        state.step += 1
        so_far = list(itertools.chain(*batches[: state.step]))
        found = forced.measure(after.for_replies(), [recall(ground.work.entries), recall(so_far, TAUGHT)])
        metrics = {
            "recall": found[RECALL].score,
            "taught": found[TAUGHT].score,
            "drawn/before": before,
            "drawn/after": _drawn(ground, after, fresh, state.seed),
        }
        return StepReport(state.step, metrics, seconds=time.perf_counter() - begun)

    return Method(State(Trainee(policy, ground.work.dtype), seed), step)


def _lesson(ground: Ground, policy: Policy, old: Sequence[Entry], fresh: Sequence[Entry], seed: int) -> Policy:
    """As `night/lesson.py` does it, without its gate."""
    own = ground.work.settings.lesson
    settings = lesson.Settings(own.batch, own.learning_rate, seed=seed)
    rows = [row(policy.tokenizer, entry.messages, policy.shape.context) for entry in old]
    before = forced.known(policy.for_replies(ground.work.settings.dtype), rows)
    # What an earlier lesson taught and a later one lost waits again.
    again = [entry for entry, each in zip(old, before, strict=True) if not each.greedy]
    pairs = [(entry, each) for entry, each in zip(old, before, strict=True) if each.greedy]
    old, before = [entry for entry, _ in pairs], [each for _, each in pairs]
    taught = lesson.Lesson([*fresh, *again], old, worked(ground.work, policy, seed), settings, before)
    state = lesson.start(policy, settings, ground.work.dtype, ground.work.fit)
    while state.step < settings.most and not taught.over():
        taught.step(state)
        if state.step % lesson.LOOK_EVERY == 0:
            taught.look(state)
    child = state.trainee.full_policy()
    return taught.between(lambda share: child if share == 1.0 else blend(policy, child, share))[0]


def _single(ground: Ground, policy: Policy, old: Sequence[Entry], fresh: Sequence[Entry], seed: int) -> Policy:
    """Each entry by itself, again and again, until it is known."""
    state = supervised.start(policy, seed, ground.work.dtype)
    schedule = Schedule(ground.work.settings.lesson.learning_rate, _MOST, 3, 1.0)
    for entry in fresh:
        only = row(policy.tokenizer, entry.messages, policy.shape.context)
        for _ in range(_MOST):
            if forced.known(state.trainee.policy, [only])[0].greedy:
                break
            supervised.update(state, [only], schedule)
    return state.trainee.full_policy()


def _drawn(ground: Ground, policy: Policy, entries: Sequence[Entry], seed: int) -> float:
    """The share of draws at the temperature of replies that are the taught answer."""
    tokenizer = policy.tokenizer
    requests = [
        Request(
            tuple(tokenizer.encode_chat(entry.prompt)),
            _DRAWS,
            len(tokenizer.encode(entry.reply)) + 2,
            ground.work.settings.chat.temperature or WARMTH,
            seed=seed,
        )
        for entry in entries
    ]
    drawn = Engine(policy.for_replies(ground.work.settings.dtype)).generate(requests)
    right = [
        each.finish_reason == "stop" and tokenizer.decode(each.tokens) == entry.reply
        for entry, rows in zip(entries, drawn, strict=True)
        for each in rows
    ]
    return sum(right) / len(right)


def findings(results: Sequence[Result], ground: Ground) -> list[Finding]:
    """What the design promises of lessons; and what single examples did."""
    found = []
    if taught := of(results, "lessons"):
        known = [result.after[TAUGHT].score for result in taught]
        words = ", ".join(f"{share:.0%} of {len(taught[0].after[TAUGHT].scores)}" for share in known)
        found.append(Finding("after ten lessons all that was taught is known", min(known) >= 1.0, words))
        kept = [result.after[RECALL].score for result in taught]
        words = ", ".join(f"{share:.1%}" for share in kept)
        found.append(Finding("the rest of the book stays known (99% and more)", min(kept) >= _RECALL, words))
        if PHRASINGS in taught[0].before:
            gains = [result.gain(PHRASINGS) for result in taught]
            words = "; ".join(
                f"seed {result.seed}: {score_words(result.before[PHRASINGS])} to "
                f"{score_words(result.after[PHRASINGS])}, {points(*gain)}"
                for result, gain in zip(taught, gains, strict=True)
            )
            held = all(reach.high >= 0 for _, reach in gains)
            found.append(Finding("held-out phrasings are not down", held, words))
        words = "; ".join(
            f"seed {each.seed}: {_mean(each, 'drawn/before')} to {_mean(each, 'drawn/after')}" for each in taught
        )
        rise = all(max(each.values("drawn/before")) < min(each.values("drawn/after")) for each in taught)
        found.append(Finding("draws at the temperature of replies show it", rise, words))
    if alone := of(results, "single"):
        lost = [result.gain(RECALL) for result in alone]
        words = "; ".join(
            f"seed {result.seed}: recall {result.after[RECALL].score:.1%} ({points(*gain)}), "
            f"{result.after[TAUGHT].score:.0%} of what was taught"
            for result, gain in zip(alone, lost, strict=True)
        )
        found.append(Finding("single-example updates forget the book", all(reach.high < 0 for _, reach in lost), words))
    return found


def _mean(result: Result, metric: str) -> str:
    values = result.values(metric)
    return f"{sum(values) / len(values):.1%}"
