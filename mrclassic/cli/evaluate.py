"""`eval`: what a checkpoint can do, with intervals."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from mrclassic.cli import common

if TYPE_CHECKING:
    from mrclassic.night.workplace import Workplace
    from mrclassic.store import Recall
    from mrclassic.training.suites import Suite


def evaluate(
    ctx: typer.Context,
    checkpoint: Annotated[str | None, typer.Argument(help="Default: the one in use.")] = None,
    suite: Annotated[list[str] | None, typer.Option(help="Only this suite (may be given several times).")] = None,
    items: Annotated[
        int | None, typer.Option(min=1, help="Items of each level (default: all of the held-out split).")
    ] = None,
    entries: Annotated[
        bool,
        typer.Option("--entries", help="The book alone, entry by entry; the app's page of the book shows it."),
    ] = False,
    json: common.JsonFlag = False,
) -> None:
    """Measure book recall, held-out phrasings and held-out items of what is practised; score, items, 95% interval.

    Example: mrclassic eval --suite book_recall --suite arithmetic:3 --suite knights
    """
    if entries and (suite or items):
        from mrclassic.errors import UsageError

        raise UsageError("--entries looks at the book alone; leave out --suite and --items.")
    session = common.session(ctx)
    if entries:
        _entries(session, checkpoint, json)
        return
    from mrclassic.night.workplace import Workplace
    from mrclassic.stats import wilson

    with session.store() as store:
        work = Workplace(session.home, session.settings, store, common.say)
        parent = work.parent(checkpoint)
        known = {found.name: found for found in work.suites(items)}
        chosen = [each for name in suite or known for each in _suites(work, name, known, items)]
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


def _entries(session: common.Session, checkpoint: str | None, json: bool) -> None:
    from mrclassic.night import knowing
    from mrclassic.night.workplace import Workplace

    with session.store() as store:
        work = Workplace(session.home, session.settings, store, common.say)
        parent = work.parent(checkpoint)
        found = knowing.measure(work, parent)
    known = sum(each.recall.known for each in found)
    if json:
        rows = [
            {"line": each.entry.line, "question": each.entry.turns[-1].user, **_recall(each.recall)} for each in found
        ]
        common.emit({"checkpoint": parent.row.id, "known": known, "n": len(found), "entries": rows})
        return
    common.out(f"{parent.row.id}: {known:,} of {len(found):,} entries by heart")
    for each in found:
        if not each.recall.known:
            words = " ".join(each.entry.turns[-1].user.split())
            common.out(f"  line {each.entry.line:>5}  {words} -> {' '.join(each.recall.said.split())}")


def _recall(found: Recall) -> dict[str, object]:
    return {"known": found.known, "chance": found.chance, "said": found.said}


def _suites(work: Workplace, name: str, known: Mapping[str, Suite], items: int | None) -> list[Suite]:
    """The suite of that name; the levels of any task are suites too."""
    from mrclassic import tasks
    from mrclassic.errors import UsageError
    from mrclassic.training.suites import skill

    if name in known:
        return [known[name]]
    names = tasks.names(work.home.tasks)
    if name.partition(":")[0] not in (*names, tasks.GYM):
        near = difflib.get_close_matches(name, [*known, *names], 1, 0.0)
        raise UsageError(f"There is no suite {name!r}; the nearest is {near[0]!r}.")
    arms = work.arms([name])
    return [skill(arms, arm, items) for arm in arms.names]
