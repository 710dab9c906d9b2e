"""`hatch`: make a model from nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mrclassic.bounds import LONGEST
from mrclassic.cli import common

if TYPE_CHECKING:
    from mrclassic.night.hatching import Hatched


def hatch(
    ctx: typer.Context,
    size: Annotated[str, typer.Option(help="tiny (1M), small (10M) or classic (49M).")] = "tiny",
    minutes: Annotated[
        float | None,
        typer.Option(min=0.05, max=LONGEST, help="Train about this long; default: what the size needs."),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Exactly so many updates.")] = None,
    seed: Annotated[
        int, typer.Option(help="The same size, seed, steps and book give the same model on the same machine.")
    ] = 0,
    again: Annotated[
        bool, typer.Option("--again", help="Hatch another although there is a model; the old one is kept.")
    ] = False,
    json: common.JsonFlag = False,
) -> None:
    """Make a new model from the book and the number generators, and use it.

    Ctrl-C keeps what is done; the same command goes on from there.

    Example: mrclassic hatch --size tiny --seed 7
    """
    common.one_length(steps=steps, minutes=minutes)
    session = common.session(ctx)
    facts = hatch_here(session, size, minutes=minutes, steps=steps, seed=seed, again=again)
    if json:
        common.emit(facts)
        return
    common.say(
        f"Hatched {facts.checkpoint}: {facts.parameters:,} parameters in {facts.seconds:.0f} s. "
        f"It knows {facts.book_recall:.1%} of {facts.book_pairs} book entries by heart."
    )
    for name, score in facts.suites.items():
        common.say(f"  {name:<22} {score:6.1%}")


def hatch_here(
    session: common.Session,
    size: str = "tiny",
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    again: bool = False,
) -> Hatched:
    """Hatch in an opened home, with a progress bar; refuses where a model lives already, unless `again`."""
    from mrclassic.errors import Refused

    with session.store() as store:
        living = store.checkpoints.in_use()
        if living is not None and not again:
            raise Refused(f"A model lives here already ({living.id}); --again hatches another and keeps this one.")
        common.say(f"Hatching a {size} model in {session.home.root}.")
        from mrclassic.cli.progress import Bar
        from mrclassic.night.hatching import hatch_model
        from mrclassic.night.workplace import Workplace, alone

        words = "Another model is hatching in this home; wait for it, or end it with Ctrl-C there."
        work = Workplace(session.home, session.settings, store, common.say)
        with alone(session.home, "hatch", words), Bar("hatching") as bar:
            return hatch_model(work, size, seed=seed, minutes=minutes, steps=steps, watch=bar, planned=bar.planned)
