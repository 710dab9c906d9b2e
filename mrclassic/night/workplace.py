"""Where training happens in a home: the model to begin from, the device, the store, and a place for what is made."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor

from mrclassic import book, curricula, plugins, rewards, shipped, tasks
from mrclassic.book import Entry
from mrclassic.curricula.contract import Curriculum
from mrclassic.errors import MrClassicError, Refused, UsageError
from mrclassic.home import Home
from mrclassic.model import checkpoint
from mrclassic.model.adapters import Lora
from mrclassic.model.device import choose_device, choose_dtype, set_threads
from mrclassic.model.manifest import CorruptCheckpoint, Manifest, manifest, verify
from mrclassic.model.policy import Policy
from mrclassic.rewards.contract import Weighted
from mrclassic.settings import Settings
from mrclassic.store import Checkpoint, Run, Store, curation
from mrclassic.tasks.arms import Arms
from mrclassic.training.fits import Fit
from mrclassic.training.suites import PHRASINGS, Suite, SuiteResult, measure, recall, recall_in_talk, skill

Say = Callable[[str], None]


@dataclass(frozen=True)
class Parent:
    """The checkpoint that a run begins from, opened."""

    row: Checkpoint
    manifest: Manifest
    policy: Policy
    wanted: Checkpoint
    """The one that was asked for: `row` itself, or the damaged one that it stands in for."""


@contextmanager
def alone(home: Home, what: str, words: str) -> Iterator[None]:
    """One `what` at a time in a home; a second one is refused in these `words`."""
    with (home.run / f"{what}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(words) from None
        yield


def fresh_name(home: Home, method: str) -> str:
    """The id of a checkpoint that is made now by `method`."""
    name = f"{datetime.now(UTC).strftime('%Y%m%d-%H%M%S')}-{method}"
    taken = sum((home.checkpoints / other).exists() for other in (name, f"{name}-2", f"{name}-3"))
    return f"{name}-{taken + 1}" if taken else name


class Workplace:
    """A home opened for training. `say` narrates."""

    def __init__(self, home: Home, settings: Settings, store: Store, say: Say) -> None:
        self.home, self.settings, self.store, self.say = home, settings, store, say
        set_threads(settings.threads)
        self.device = choose_device(settings.device)
        self.dtype = choose_dtype(self.device, settings.dtype)
        book.ensure_book(home)
        curation.settle(store, home)

    @cached_property
    def entries(self) -> list[Entry]:
        """The book as it is when first asked for; a run does not see later edits."""
        return book.load(self.home.book)

    @property
    def digest(self) -> str:
        """A name for the book's content."""
        return sha256(" ".join(entry.hash for entry in self.entries).encode()).hexdigest()[:10]

    def parent(self, wanted: str | None = None) -> Parent:
        """Open the checkpoint `wanted`, or the one in use; if it is damaged, its nearest whole ancestor, said aloud."""
        row = self.store.checkpoints.get(wanted) if wanted else self.store.checkpoints.in_use()
        if row is None:
            raise MrClassicError("There is no model here yet; `mrclassic hatch` makes one.")
        faults: list[str] = []
        for candidate in self.store.checkpoints.lineage(row.id):
            path = self.home.checkpoints / candidate.path
            try:
                policy = checkpoint.load(path, str(self.device))
            except CorruptCheckpoint as error:
                faults.append(str(error).rstrip("."))
                continue
            if faults:
                self.say(f"{faults[0]}; its ancestor {candidate.id} is taken instead.")
            return Parent(candidate, manifest(path), policy, row)
        raise MrClassicError(
            f"Checkpoint {row.id} cannot be read ({faults[0]}), nor any it came from; choose another with "
            "`mrclassic model use`, or hatch anew with `mrclassic hatch --again`."
        )

    def moments(self, row: Checkpoint) -> dict[str, Tensor] | None:
        """The supervised optimizer's moments from the nearest ancestor that has them."""
        for ancestor in self.store.checkpoints.lineage(row.id):
            try:
                verify(self.home.checkpoints / ancestor.path)
                saved = checkpoint.load_state(self.home.checkpoints / ancestor.path)
            except CorruptCheckpoint:
                continue
            if saved is not None:
                return saved[0]
        return None

    def keep(
        self,
        policy: Policy,
        method: str,
        *,
        parent: Checkpoint | None,
        run: int,
        step: int,
        known: Sequence[str],
        metrics: Mapping[str, Any],
        state: Mapping[str, Tensor] | None = None,
    ) -> Checkpoint:
        """Save `policy` (float32) as a candidate and enter it in the store."""
        name = fresh_name(self.home, method)
        saved = checkpoint.save(
            policy,
            self.home.checkpoints / name,
            parent=parent.id if parent else None,
            run=run,
            method=method,
            step=step,
            book=tuple(known),
            metrics=metrics,
            state=state,
        )
        return self.store.checkpoints.add(
            Checkpoint(
                id=name,
                path=name,
                parent=saved.parent,
                run=run,
                status="candidate",
                parameters=saved.parameters,
                model_sha256=saved.model_sha256,
                metrics=dict(metrics),
            )
        )

    def use(self, row: Checkpoint, instead_of: Checkpoint | None = None) -> bool:
        """Promote `row`: it is the model in use from the next reply on. False, and nothing changes, where the one in
        use is no longer the one it was judged against: a promotion must not undo another."""
        with self.store.transaction():
            present = self.store.checkpoints.in_use()
            if instead_of is not None and (present is None or present.id != instead_of.id):
                return False
            self.store.checkpoints.set_status(row.id, "promoted")
            self.store.checkpoints.use(row.id)
        return True

    @property
    def fit(self) -> Fit:
        """How training is made to fit the device, as the settings say."""
        own = self.settings.training
        lora = Lora(own.lora, words(own.lora_targets)) if own.lora else None
        return Fit(lora, own.checkpoint_activations, own.optimizer_state)

    def learnt(self, parent: Parent) -> bool:
        """Whether `parent` knows every entry of the book."""
        known = set(parent.manifest.book)
        return all(entry.hash in known for entry in self.entries)

    def phrasings(self) -> Suite:
        """The held-out phrasings of the starter book that the owner's book still answers the same way."""
        known = {entry.reply for entry in self.entries}
        entries = book.load(shipped.folder("data") / "held_out.txt")
        return recall([entry for entry in entries if entry.reply in known], PHRASINGS)

    def arms(self, named: Sequence[str]) -> Arms:
        """The levels that words such as `arithmetic` or `gsm8k:1` name, of tasks that are built in, the owner's, or of
        trusted plugins. Raises UsageError for an unknown one."""
        more = plugins.tasks(self.home, self.store)
        return Arms([tasks.select(each, self.home.tasks, more) for each in named])

    def rewards(self, named: Sequence[str], arms: Arms) -> list[Weighted]:
        """The rewards that words such as `correct` or `format=0.1` name, built in or of trusted plugins. Raises
        UsageError for an unknown one."""
        return rewards.select(named, arms, plugins.rewards(self.home, self.store))

    def curriculum(self, arms: Arms, success: Mapping[str, float]) -> Curriculum:
        """The curriculum that the settings name, begun with what the model can do already."""
        more = plugins.curricula(self.home, self.store)
        return curricula.build(self.settings.practice.curriculum, arms.names, success, more)

    def practised(self) -> Arms:
        """What the settings say is practised."""
        return self.arms(words(self.settings.practice.tasks))

    def suites(self, items: int | None = None, rotation: int = 0) -> list[Suite]:
        """The book by heart, alone and in the middle of a talk; held-out phrasings; `items` held-out items of each
        level that is practised."""
        arms = self.practised()
        levels = [skill(arms, arm, items, rotation) for arm in arms.names]
        return [recall(self.entries), recall_in_talk(self.entries), self.phrasings(), *levels]

    def measure(self, policy: Policy, suites: Sequence[Suite]) -> dict[str, SuiteResult]:
        """Scores of `policy` as it will answer its owner (see `Policy.for_replies`)."""
        return measure(policy.for_replies(self.settings.dtype), [suite for suite in suites if suite.probes])

    def resumable(self, run: int, kind: str) -> Run:
        """The run to go on with; refuses one of another kind, of a night, or that is over."""
        row = self.store.runs.get(run)
        if row.night is not None:
            raise UsageError(f"Run {run} belongs to night {row.night}, which cannot be resumed; begin another.")
        if row.kind != kind:
            raise UsageError(f"Run {run} is a {row.kind} run; `mrclassic {_verb(row.kind)}` is for that.")
        if row.checkpoint is not None or row.status == "stopped":
            raise UsageError(f"Run {run} is over ({row.status}); there is nothing to resume.")
        then = row.settings.get("circumstances", {})
        changed = [name for name, value in self.circumstances.items() if then.get(name) != value]
        if changed:
            self.say(f"Changed since run {run} began: {', '.join(changed)}. It goes on, but not to the same weights.")
        return row

    @property
    def circumstances(self) -> dict[str, str]:
        """What the exact weights of a run depend on beside its settings."""
        return {
            "book": self.digest,
            "number format": dtype_name(self.dtype),
            "threads": str(torch.get_num_threads()),
            "device": self.device.type,
        }

    @contextmanager
    def run(
        self,
        kind: str,
        settings: object,
        parent: str | None = None,
        night: int | None = None,
        resume: int | None = None,
    ) -> Iterator[int]:
        """A run in the store, new or set running again; one that does not reach its end is entered as such."""
        facts = asdict(settings) if is_dataclass(settings) and not isinstance(settings, type) else {}
        facts |= {"circumstances": self.circumstances}
        run = self.store.runs.start(kind, facts, parent, night) if resume is None else self.store.runs.resume(resume).id
        try:
            yield run
        except BaseException as error:
            status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            self.store.runs.finish(run, status, facts={"error": str(error)})
            if night is None and status == "interrupted":
                again = "The same command" if kind == "hatch" else f"`mrclassic {_verb(kind)} --resume {run}`"
                self.say(f"{again} goes on from here.")
            raise


def words(text: str) -> tuple[str, ...]:
    """The parts of a list in the settings."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _verb(kind: str) -> str:
    return "hatch" if kind == "hatch" else f"train {kind}"


def dtype_name(dtype: torch.dtype) -> str:
    """`bf16` or `fp32`."""
    return {torch.bfloat16: "bf16", torch.float32: "fp32"}[dtype]
