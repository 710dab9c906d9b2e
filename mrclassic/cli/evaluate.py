"""`eval`: what a checkpoint can do, with intervals."""

from __future__ import annotations

import difflib
from typing import Annotated

import typer

from mrclassic.cli import common


def evaluate(
    ctx: typer.Context,
    checkpoint: Annotated[str | None, typer.Argument(help="Default: the one in use.")] = None,
    suite: Annotated[list[str] | None, typer.Option(help="Only this suite (may be given several times).")] = None,
    items: Annotated[
        int | None, typer.Option(min=1, help="Items of each level (default: all of the held-out split).")
    ] = None,
    json: common.JsonFlag = False,
) -> None:
    """Measure book recall, held-out phrasings and held-out sums; score, items, 95% interval.

    Example: mrclassic eval --suite book_recall --suite arithmetic:3
    """
    from mrclassic.errors import UsageError

    session = common.session(ctx)
    from mrclassic.night.workplace import Workplace
    from mrclassic.stats import wilson

    with session.store() as store:
        work = Workplace(session.home, session.settings, store, common.say)
        parent = work.parent(checkpoint)
        known = {found.name: found for found in work.suites(items or 1_000_000)}
        for name in suite or ():
            if name not in known:
                near = difflib.get_close_matches(name, known, 1, 0.0)
                raise UsageError(f"There is no suite {name!r}; the nearest is {near[0]!r}.")
        chosen = [known[name] for name in suite or known]
        results = work.measure(parent.policy, chosen)
    facts = {}
    for name, result in results.items():
        right, n = round(sum(result.scores)), len(result.scores)
        interval = wilson(right, n)
        facts[name] = {"score": result.score, "n": n, "low": interval.low, "high": interval.high}
    if json:
        common.emit({"checkpoint": parent.row.id, "suites": facts})
        return
    common.out(parent.row.id)
    for name, fact in facts.items():
        common.out(f"  {name:<22} {fact['score']:6.1%}  of {fact['n']:>5}  ({fact['low']:.1%} to {fact['high']:.1%})")
