"""Does practice teach? GRPO beside supervised training on fresh items, beside random rewards, beside the run that
collapses (ten times the rate, nothing replayed), which the sentinel must stop and roll back."""

from __future__ import annotations

from collections.abc import Sequence

from mrclassic.lab.experiment import UNWATCHED, Arm, Finding, Options, Result, compare, of, points, score_words
from mrclassic.lab.ground import Ground
from mrclassic.lab.methods import imitate, no_rows, practise
from mrclassic.training.suites import RECALL

_EDGE = 0.33  # where the level starts: between 15% and 50%, so that there is much to amplify and more to gain
_WANTED = 0.35  # of gain
_REPLAYS = 0.99  # of book recall


def arms(ground: Ground, options: Options) -> list[Arm]:
    """All from the model in use, for the same time."""
    ground.edge(options.level, _EDGE, options.items)
    rate = float(options.practice.get("learning_rate", ground.work.settings.practice.learning_rate))
    ten_times = {**options.practice, "learning_rate": 10 * rate}
    return [
        Arm(
            "grpo",
            "the verifier's reward, the book replayed",
            lambda policy, seed: practise(ground, ["correct"], policy, seed, options=options.practice),
        ),
        Arm(
            "supervised",
            "fresh generated items with their worked answers, a third of each batch the book",
            lambda policy, seed: imitate(ground, policy, seed),
            UNWATCHED,
        ),
        Arm(
            "random",
            "GRPO with heads or tails for a reward",
            lambda policy, seed: practise(ground, ["chance"], policy, seed, options=options.practice),
            UNWATCHED,
        ),
        Arm(
            "collapse",
            "GRPO at ten times the rate with nothing replayed",
            lambda policy, seed: practise(ground, ["correct"], policy, seed, along=no_rows, options=ten_times),
        ),
    ]


def findings(results: Sequence[Result], ground: Ground) -> list[Finding]:
    """What the design promises of each arm."""
    (level,) = ground.levels
    found = []
    if practised := of(results, "grpo"):
        gains = [result.gain(level) for result in practised]
        words = "; ".join(
            f"seed {result.seed}: {score_words(result.before[level])} to {score_words(result.after[level])}, "
            f"{points(*gain)}"
            for result, gain in zip(practised, gains, strict=True)
        )
        held = all(gain >= _WANTED for gain, _ in gains)
        found.append(Finding(f"GRPO lifts held-out {level} by 35 points and more", held, words))
        kept = [result.after[RECALL].score for result in practised]
        words = ", ".join(f"{share:.1%}" for share in kept)
        found.append(Finding("the book stays known (99% and more)", min(kept) >= _REPLAYS, words))
    if taught := of(results, "supervised"):
        pairs = [
            (one, compare(two.after[level], one.after[level]))
            for one in of(results, "grpo")
            for two in taught
            if one.seed == two.seed
        ]
        words = "; ".join(
            f"seed {one.seed}: GRPO stands {points(*difference)} from supervised" for one, difference in pairs
        )
        better = all(difference[1].low > 0 for _, difference in pairs) if pairs else None
        found.append(Finding("in the same time GRPO gains more than supervised training", better, words))
    if controls := of(results, "random"):
        gains = [result.gain(level) for result in controls]
        words = "; ".join(points(*gain) for gain in gains)
        found.append(Finding("random rewards teach nothing", all(reach.low <= 0 for _, reach in gains), words))
    if ruined := of(results, "collapse"):
        held = all(result.stopped and result.ended in ("rolled back", "paused", "stopped") for result in ruined)
        words = "; ".join(_rescued(result) for result in ruined)
        found.append(Finding("the sentinel stops the run that collapses and rolls it back", held, words))
    return found


def _rescued(result: Result) -> str:
    looks = result.values("look/book")
    if result.verdict is None:
        return f"seed {result.seed}: never stopped"
    last = f", recall {looks[-1]:.0%} when last looked at" if looks else ""
    return (
        f"seed {result.seed}: {result.ended} after {result.trained} updates to update {result.kept}{last}, "
        f"{result.after[RECALL].score:.1%} after; {result.verdict.message}"
    )
