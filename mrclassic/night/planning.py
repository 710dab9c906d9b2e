"""Making the plan of a night: what fits the device, and step arithmetic from speeds measured now. The counts are then
fixed, kept with the night, and no longer depend on the clock."""

from __future__ import annotations

import time
from dataclasses import asdict

from mrclassic.errors import MrClassicError, Postponed
from mrclassic.night import drill, fitting, pleasing, practice, study
from mrclassic.night.means import Means
from mrclassic.night.opinions import Opinions
from mrclassic.night.pace import Pace, timed
from mrclassic.night.plan import Plan, PlannedStage
from mrclassic.night.workplace import Workplace
from mrclassic.titles import title
from mrclassic.training import book, fits

_TRIALS = 4  # updates that the speed of the book stage is measured on
_RESERVE = 0.9  # of the time: a machine does not keep its pace all night
_TRYING = 0.1  # of a stage's time, to find its pace; one update at least
_SMALLEST = 5.0  # seconds of practice, however short the night


def memory(work: Workplace, opinions: Opinions) -> tuple[tuple[str, ...], Opinions]:
    """What updates of the night's stages are, and the table of their memory, before what is trained is loaded; raises
    Postponed where one does not fit now (other programs may leave room later). Of what the owner said only those stages
    are left that fit."""
    order = study.Order(study.recipe(work, seed=0), fit=work.fit)
    plans = [
        study.plan(work, order, None),
        *(drill.plan(work, drill.Order(name)) for name in ("grpo", "selfplay")),
    ]
    for each in plans:
        try:
            fitting.check(each)
        except MrClassicError as error:
            raise Postponed(f"The night is put off: {error}") from error
    for name in opinions.shares:
        plan = pleasing.plan(name, work)
        try:
            fitting.check(plan)
        except MrClassicError as error:  # no reason to practise nothing
            opinions = opinions.without(name, str(error))
        plans.append(plan)
    told = [each for each in plans if each is not None]
    if not told:  # the checkpoint cannot be read: to say so is for whoever opens it
        return (), opinions
    return (*(each.words for each in told), *fits.beside({each.method: each.table for each in told})), opinions


def make(means: Means, minutes: float, tables: tuple[str, ...]) -> Plan:
    """The plan of a night of `minutes`, which count from before its parent was measured; to find the pace of its stages
    takes some of them too."""
    work, bench = means.work, means.bench
    measuring = bench.seconds + bench.judging_seconds + 5
    whole = max(2 * _SMALLEST, _RESERVE * (minutes * 60 - measuring))
    stages: list[PlannedStage] = []
    begun = time.monotonic()

    def pacing() -> float:
        return time.monotonic() - begun

    def left() -> float:
        return max(_SMALLEST, whole - pacing() - sum(each.steps * each.seconds_each for each in stages))

    if bench.new:
        stages.append(_book(means, whole))
    said, off = _opinions(means, left())
    stages += said
    if len(bench.mastered) < len(bench.success):
        stages += _practice(means, left())
    chosen = tuple(stage for stage in stages if stage.steps > 0)
    return Plan(
        minutes,
        means.parent.row.id,
        len(bench.new),
        bench.mastered,
        chosen,
        measuring,
        tables,
        work.settings.night.price_per_hour,
        (*means.opinions.lines, *off),
        asdict(means.opinions.marks),
        pacing(),
    )


def _opinions(means: Means, left: float) -> tuple[list[PlannedStage], list[str]]:
    """Stages of what the owner said, by their shares of `left` seconds, and why there are not more. There are none
    where nothing that is measured could gain, for then nobody could tell whether they were of use."""
    opinions, found, off = means.opinions, list[PlannedStage](), list[str]()
    if opinions.shares and "target" not in means.bench.kinds.values():
        why = "All is mastered and too few picks are held out, so nothing could show a gain."
        return [], [f"{', '.join(map(title, opinions.shares))}: off. {why}"]
    for name, share in opinions.shares.items():
        try:
            stage = pleasing.planned(name, means, means.parent.policy, left * share)
        except MrClassicError as error:
            off.append(f"{title(name)}: off. {error}")
            continue
        found.append(stage)
        if not stage.steps:
            off.append(f"{title(name)}: off. Its share of the time is not enough for one update.")
    return found, off


def _book(means: Means, left: float) -> PlannedStage:
    """The book stage: as many updates as the book needs, or as there is time for."""
    entries, new, recipe = len(means.work.entries), len(means.bench.new), means.book
    pace = _book_pace(means)
    needed = recipe.steps(entries, new)
    steps = min(needed, max(1, int(left / pace.seconds)))
    words = f"{new} new among {entries} entries, {recipe.batch} an update"
    return PlannedStage(
        "book", steps, recipe.batch, words, pace.seconds, pace.tokens, epochs=recipe.epochs * steps / needed
    )


def _practice(means: Means, left: float) -> list[PlannedStage]:
    """GRPO and, of what the model can ask itself about, self-play within `left` seconds."""
    by_itself = means.work.settings.practice.selfplay if means.subject.arms.domains else 0.0
    together, play = means.recipe.grpo, means.recipe.selfplay
    words = f"{together.prompts} questions x {together.group} answers = {together.completions} completions an update"
    stages = [_planned(means, "grpo", left * (1 - by_itself), together.completions, words)]
    if by_itself:
        answers = (play.questions + play.fixed) * play.group
        words = (
            f"({play.questions} own + {play.fixed} fixed questions) x {play.group} answers = {answers} completions "
            "an update"
        )
        stages.append(_planned(means, "selfplay", left * by_itself, answers, words))
    return stages


def _planned(means: Means, method: str, seconds: float, completions: int, words: str) -> PlannedStage:
    """As many updates as there is time for in `seconds`, of which finding out how long one takes has its part."""
    begun = time.monotonic()
    pace = practice.pace(
        method,
        means.parent.policy,
        means.work,
        means.subject,
        means.recipe,
        means.bench.success,
        means.work.fit,
        within=0.0 if means.bench.glance else _TRYING * seconds,
    )
    left = max(min(seconds, _SMALLEST), seconds - (time.monotonic() - begun))
    return PlannedStage(method, int(left / pace.seconds), completions, words, pace.seconds, pace.tokens)


def _book_pace(means: Means) -> Pace:
    """The pace of the book stage, measured on a copy that is thrown away."""
    work = means.work
    state = book.start(means.parent.policy, means.book, work.dtype, None, work.fit)

    def update() -> int:
        rows = book.draw(state, work.entries, means.bench.new, (), means.book)
        book.step(state, rows, means.book, _TRIALS)
        return sum(len(row.ids) for row in rows)

    return timed(update, "measuring book", _TRIALS)
