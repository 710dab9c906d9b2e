"""Few people first, or all sizes at once? Knights and knaves, two people to four, taught by worked answers to a very
small new model: by the curriculum `staged`, which goes on to more people as soon as it succeeds and back where it
fails, and by `uniform`. Updates are alike in tokens; both begin from the same weights.

Every few updates new puzzles of each level, which are not learned from, are answered; what became of them is what a
curriculum is told. They are drawn as the lessons are: what is measured in the end are shapes that nobody has seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mrclassic import curricula
from mrclassic.curricula.contract import Curriculum, Draw, Outcome
from mrclassic.curricula.core import mean
from mrclassic.curricula.mixing import fill
from mrclassic.curricula.staged import GROUPS
from mrclassic.errors import UsageError
from mrclassic.lab.experiment import UNWATCHED, Arm, Finding, Method, Options, Result, compare, of, points, score_words
from mrclassic.lab.ground import Ground
from mrclassic.lab.knights import fresh
from mrclassic.lab.methods import written
from mrclassic.model.policy import Policy
from mrclassic.model.shapes import Shape
from mrclassic.tasks.base import Item, keyed
from mrclassic.tasks.knights import Knights
from mrclassic.training import supervised
from mrclassic.training.report import StepReport
from mrclassic.training.rows import Row
from mrclassic.training.state import State
from mrclassic.training.suites import RECALL, Probe, Suite, SuiteResult, measure
from mrclassic.training.trainee import Schedule, Trainee

_FEWEST, _MOST = 2, 4
_SHAPE = Shape(vocab_size=1536, hidden=64, layers=4, heads=2, kv_heads=2, head_dim=32, ffn=192, context=512)
_TOKENS = 1024  # of an update: small ones, for it is the number of updates that such a model learns by
_EVERY = 50  # updates between looks
_ANSWERED = 2  # puzzles of a group of a look: its success is their mean
_RATE = 4e-3  # chosen on a seed that is not measured (11)
_ENDLESS = 10**9  # updates of a schedule that is constant after its warm-up
_STAGED, _FLAT = "staged", "uniform"
_ABOUT = {_STAGED: "more people as soon as it succeeds, fewer where it fails", _FLAT: "all sizes alike"}


def arms(ground: Ground, options: Options) -> list[Arm]:
    """The same but for the shares of the levels; `--level` is the most people there are. Raises UsageError."""
    level = options.level or str(_MOST)
    if level not in Knights.levels[1:]:
        raise UsageError(f"--level is the most people there are, {Knights.levels[1]} to {Knights.levels[-1]}.")
    most = int(level)
    ground.choose([f"knights:{people}" for people in range(_FEWEST, most + 1)], options.items)
    ground.remarks.append(
        f"Begun from fresh weights ({_SHAPE.parameters:,} parameters) whose tokenizer has read puzzles."
    )

    def arm(name: str) -> Arm:
        def begin(policy: Policy, seed: int) -> Method:
            chooser = curricula.build(name, ground.levels, {})
            state = State(Trainee(policy, ground.work.dtype), seed)
            return Method(state, lambda state: _step(ground, state, chooser))

        return Arm(name, _ABOUT[name], begin, UNWATCHED)

    return [arm(name) for name in _ABOUT]


def prepare(ground: Ground, options: Options, seed: int) -> Policy:
    """Fresh weights."""
    return fresh(ground, _SHAPE, seed)


def _step(ground: Ground, state: State, chooser: Curriculum) -> StepReport:
    """An update by the shares of `chooser`; now and then with a look at what the model can do by now."""
    shares = chooser.report()
    rows: list[Row] = []

    def take(level: str) -> int:
        item = ground.arms.sample(level, keyed(state.seed, "item", state.step, len(rows)))
        rows.append(written(state.trainee.policy, item, item.trace))
        return len(rows[-1].ids)

    fill(shares, _TOKENS, state.facts.setdefault("due", {}), take)
    report = supervised.update(state, rows, Schedule(_RATE, _ENDLESS, 20))
    found = {f"share/{level}": share for level, share in shares.items()}
    found["tokens"] = float(sum(len(each.ids) for each in rows))
    if state.step % _EVERY == 0:
        found |= {f"success/{level}": success for level, success in look(ground, state, chooser).items()}
    return replace(report, metrics={**report.metrics, **found})


def look(ground: Ground, state: State, chooser: Curriculum) -> dict[str, float]:
    """Tell `chooser` how groups of new puzzles of each level that has a share were answered; returns the success of
    each level."""
    shares = chooser.report()
    suites = [_suite(ground, level, drawn(ground, state, level)) for level, share in shares.items() if share > 0]
    scores = {name: found.scores for name, found in measure(state.trainee.policy, suites).items()}
    chooser.observe(
        [
            Outcome(Draw(level, shares[level]), mean(right[at : at + _ANSWERED]), state.step)
            for level, right in scores.items()
            for at in range(0, len(right), _ANSWERED)
        ]
    )
    return {level: mean(right) for level, right in scores.items()}


def drawn(ground: Ground, state: State, level: str) -> list[Item]:
    """As many puzzles as a decision of `staged` rests on."""
    count = GROUPS * _ANSWERED
    return [ground.arms.sample(level, keyed(state.seed, "look", state.step, at)) for at in range(count)]


def _suite(ground: Ground, level: str, items: Sequence[Item]) -> Suite:
    return Suite(level, tuple(map(Probe.of, items)), ground.arms)


def findings(results: Sequence[Result], ground: Ground) -> list[Finding]:
    """Held-out puzzles of all sizes, one against the other, seed by seed; and what became of each size."""
    pairs = [(one, two) for one in of(results, _STAGED) for two in of(results, _FLAT) if one.seed == two.seed]
    if not pairs:
        return []
    differences = [compare(_together(flat.after), _together(staged.after)) for staged, flat in pairs]
    words = "; ".join(
        f"seed {staged.seed}: {points(*difference)} after {_read(staged)} against {_read(flat)} tokens"
        for (staged, flat), difference in zip(pairs, differences, strict=True)
    )
    held = all(reach.low > 0 for _, reach in differences)
    found = [Finding(f"{_STAGED} ends ahead of {_FLAT} on held-out puzzles of all sizes", held, words)]
    for level in ground.levels:
        told = "; ".join(
            f"seed {staged.seed}: {score_words(staged.after[level])} against {score_words(flat.after[level])}"
            for staged, flat in pairs
        )
        ahead = [compare(flat.after[level], staged.after[level])[1].low > 0 for staged, flat in pairs]
        found.append(Finding(f"{_STAGED} ends ahead on {level}", all(ahead), told))
    return found


def _together(suites: Mapping[str, SuiteResult]) -> SuiteResult:
    """The items of all levels as one suite."""
    scores = tuple(score for name, each in suites.items() if name != RECALL for score in each.scores)
    return SuiteResult("all levels", scores, ("",) * len(scores))


def _read(result: Result) -> str:
    """The tokens that were learned from."""
    return f"{mean(result.values('tokens')) * result.trained:,.0f}"
