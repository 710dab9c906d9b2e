"""Documents in a home: notes are added (by rules, or with a teacher's help), and learned with the book replayed; what
counts is the closed-book score on held-out questions, before and after.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from mrclassic.errors import MrClassicError, Refused, UsageError
from mrclassic.home import Home
from mrclassic.mind.teacher import Teacher
from mrclassic.night import fitting
from mrclassic.night.judging import Bench, settle
from mrclassic.night.recorder import StoreRecorder, Watch
from mrclassic.night.workplace import Workplace
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import BadRow
from mrclassic.tasks.documents import Documents, shelf, teaching
from mrclassic.tasks.documents.passages import Pair, Passage
from mrclassic.training import documents, loop
from mrclassic.training.fits import WHOLE, Fit
from mrclassic.training.memories import memories
from mrclassic.training.sentinel import SUPERVISED, Sentinel

ITEMS = 500  # held-out questions of each kind
_AT_ONCE = 4  # passages that a teacher is asked about at the same time

Say = Callable[[str], None]
Taught = tuple[Sequence[str], Sequence[Pair]]


@dataclass(frozen=True)
class Added:
    """A document that was added, and what in its file was passed over. `new` is False where it was there already."""

    document: shelf.Document
    faults: tuple[str, ...]
    new: bool


def add(
    home: Home,
    files: Sequence[Path],
    *,
    versions: int,
    teacher: Teacher | None,
    say: Say,
    passed: Callable[[int, int], None] = lambda total, done: None,
) -> list[Added]:
    """Take up `files`, one by one: a file that cannot be used ends it, and those before it are there."""
    added = []
    for path in files:
        teach = None if teacher is None else _teach(teacher, versions, say, passed)
        made_by = teacher.name if teacher else ""
        document, faults, new = shelf.prepare(path, home.documents, versions=versions, teach=teach, made_by=made_by)
        if new:
            shelf.put(document, home.documents)
        added.append(Added(document, tuple(faults), new))
    return added


def _teach(teacher: Teacher, versions: int, say: Say, passed: Callable[[int, int], None]) -> shelf.Teach:
    """What a teacher makes of passages. A reply that cannot be read is asked for once more, then passed over; a server
    that does not answer ends it, because then rules alone would be taken for a teacher's work."""

    def one(passage: Passage) -> Taught | None:
        for _ in range(2):
            try:
                return teaching.reply(teacher.ask(teaching.order(passage, versions)), passage)
            except BadRow:
                continue
        return None

    def teach(passages: Sequence[Passage]) -> Sequence[Taught]:
        say(f"The passages go to {teacher.host}.")
        asked = [place for place, passage in enumerate(passages) if passage.told and not passage.verbatim]
        found: list[Taught] = [((), ()) for _ in passages]
        passed(len(asked), 0)
        failed = 0
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            try:
                replies = pool.map(one, [passages[place] for place in asked])
                for done, (place, taught) in enumerate(zip(asked, replies, strict=True), start=1):
                    failed += taught is None
                    found[place] = taught or ((), ())
                    passed(len(asked), done)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        if failed and failed == len(asked):
            raise MrClassicError(f"The teacher {teacher.name} gave no reply that could be read; try a larger model.")
        if failed:
            say(f"{failed} of {len(asked)} passages got no reply that could be read; rules alone retell those.")
        return found

    return teach


# --- training ---


@dataclass(frozen=True)
class Order:
    """What a run was given, so that it can be resumed as it was begun; `shelf` names what the documents held."""

    documents: documents.Settings = field(default_factory=documents.Settings)
    steps: int | None = None
    shelf: str = ""
    fit: Fit = WHOLE


@dataclass(frozen=True)
class Learned:
    """Facts of a `train documents` run."""

    run: int
    checkpoint: str
    model_sha256: str
    promoted: bool
    form: str
    steps: int
    seconds: float
    documents: int
    tellings: int
    questions: int
    before: dict[str, float]
    after: dict[str, float]
    reasons: tuple[str, ...]
    forgotten: tuple[str, ...]


def plan(work: Workplace, order: Order, origin: str | None) -> fitting.Plan | None:
    """What an update is, and its memory; see `fitting.plan`."""
    own = order.documents
    of = documents.material(Documents(work.home.documents), own.form)
    telling, asking, replayed = own.split(of)
    update = (
        f"{order.steps or own.steps(of)} updates of {telling} tellings out of {len(of.told):,}, {asking} questions out "
        f"of {len(of.asked):,} and {replayed} rows replayed"
    )
    return fitting.plan(work, origin, "documents", order.fit, fitting.studying(update, own.batch))


def learn(
    work: Workplace,
    settings: documents.Settings,
    *,
    origin: str | None = None,
    steps: int | None = None,
    resume: int | None = None,
    watch: Watch | None = None,
    planned: Callable[[int, int], None] = lambda total, done: None,
) -> Learned:
    """Train the documents of the home from the checkpoint in use (or `origin`); use the result if the held-out
    questions gained and nothing was forgotten."""
    begun = time.monotonic()
    task = Documents(work.home.documents)
    order = Order(settings, steps, _digest(work.home.documents), work.fit)
    if resume is not None:
        former = work.resumable(resume, "documents")
        resume = former.id
        if former.settings["shelf"] != order.shelf:
            raise Refused(f"The documents are not those that run {resume} began with; begin another run.")
        settings = documents.Settings(**former.settings["documents"])
        order = Order(settings, former.settings["steps"], order.shelf, Fit.of(former.settings.get("fit", {})))
        origin = former.parent_checkpoint
    material = documents.material(task, order.documents.form)
    levels = [(task, level) for level in task.levels if task.held_out(level)]
    if not levels:
        raise UsageError("No question about the documents is held out, so nothing could be measured; add more notes.")
    total = order.steps or order.documents.steps(material)
    fitting.check(plan(work, order, origin))
    parent = work.parent(origin)
    with work.run("documents", order, parent.row.id, resume=resume) as run:
        work.pin_book(work.folder(run))
        bench = Bench(work, parent, items=ITEMS, rotation=0, practised=False, asked=Arms(levels))
        recorder = StoreRecorder(work.store, run, work.folder(run), watch, work.say)
        own = order.documents
        state = documents.start(parent.policy, own, work.dtype, work.moments(parent.row), order.fit)
        skills = memories(parent.policy, own.seed, bench.remembered)
        recorder.begin(state, total, planned, resume=resume is not None)
        outcome = loop.run(
            state,
            lambda s: documents.step(s, documents.draw(s, material, bench.old, skills, own), own, total),
            steps=total,
            recorder=recorder,
            sentinel=Sentinel(SUPERVISED),
        )
        recorder.save(state)  # whatever ends the measuring does not cost the training
        settled = settle(bench, state, "documents", run, outcome.ended)
    work.clear(run, outcome.ended)
    return Learned(
        run=run,
        checkpoint=settled.row.id,
        model_sha256=settled.row.model_sha256,
        promoted=settled.promoted,
        form=own.form,
        steps=state.step,
        seconds=time.monotonic() - begun,
        documents=len(task.shelf),
        tellings=len(material.told),
        questions=len(material.asked),
        before=settled.before,
        after=settled.after,
        reasons=settled.reasons,
        forgotten=settled.forgotten,
    )


def _digest(folder: Path) -> str:
    """A name for what the documents hold."""
    contents = b"".join(sha256(path.read_bytes()).digest() for path in shelf.paths(folder))
    return sha256(contents).hexdigest()[:16]
