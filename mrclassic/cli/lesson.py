"""`lesson`: what waits in the book is learned in seconds."""

from __future__ import annotations

from typing import Annotated

import typer

from mrclassic.cli import common
from mrclassic.titles import counted


def lesson(
    ctx: typer.Context,
    seed: Annotated[int, typer.Option(help="The same seed gives the same lesson.")] = 0,
    json: common.JsonFlag = False,
) -> None:
    """Learn the picks that wait, among all that is known, in seconds; use the result if nothing was forgotten.

    The model that is awake takes it up with its next reply. Nothing is kept of a lesson that is refused.

    Example: mrclassic lesson
    """
    session = common.session(ctx)
    from mrclassic.cli.progress import Bar
    from mrclassic.errors import Refused
    from mrclassic.night.lesson import lesson as learn
    from mrclassic.night.workplace import Workplace, alone

    busy = "A night is practising, or the book is being trained; what waits is learnt by it, or after it."
    with session.store() as store, alone(session.home, "night", busy, "lesson"):
        work = Workplace(session.home, session.settings, store, common.say)
        with Bar("lesson") as bar:
            facts = learn(work, seed=seed, watch=bar, planned=bar.planned)
    if facts is None:
        common.say("Nothing new waits in the book.")
        if json:
            common.emit({"run": None, "new": 0, "waiting": 0})
        return
    if json:
        common.emit(facts)
    else:
        count = f"{len(facts.learned)} of {facts.new}"
        common.say(f"Learned {count} in {facts.seconds:.1f} s ({facts.steps} updates).")
        common.say(f"  old entries known     {facts.recall['before']:6.1%} -> {facts.recall['after']:6.1%}")
        common.say(f"  a draw is the answer  {facts.drawn['before']:6.1%} -> {facts.drawn['after']:6.1%}")
        for question in facts.forgotten[:10]:
            common.say(f"  forgot: {' '.join(question.split())}")
    if not facts.promoted:
        raise Refused(f"The lesson is not used: {' '.join(facts.reasons)} The picks go on waiting.")
    if not json:
        common.say(f"{facts.checkpoint} is in use now.")
        if facts.waiting:
            waits = "waits" if facts.waiting == 1 else "wait"
            common.say(f"{counted(facts.waiting, 'entry')} still {waits}; another lesson or the night takes it up.")
