"""The home folder: where everything that belongs to one owner lies. Nothing is ever written outside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mrclassic.errors import MrClassicError

VARIABLE = "MRCLASSIC_HOME"
_PRIVATE = 0o700
_LONGEST = 480  # bytes: SQLite opens no path beyond 512, and its log files have longer names than the database


@dataclass(frozen=True)
class Home:
    """The folder `root` and the names of what it holds."""

    root: Path

    @classmethod
    def locate(cls, flag: Path | None = None) -> Home:
        """The home that the flag names, else `$MRCLASSIC_HOME`, else `~/.mrclassic` (always an absolute path)."""
        named = flag if flag is not None else os.environ.get(VARIABLE) or "~/.mrclassic"
        try:
            root = Path(named).expanduser()
        except RuntimeError as error:
            raise MrClassicError(f"Cannot tell where your home folder is ({error}); name one with --home.") from error
        return cls(root.absolute())

    def ensure(self) -> Home:
        """Create the folders, readable by their owner only; raise one clear sentence where that cannot be done."""
        if len(os.fsencode(self.database)) > _LONGEST:
            raise _unusable(self.root, f"the path is longer than the database can use ({_LONGEST} bytes)")
        try:
            for folder in (self.root, *self.folders):
                folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            # Sockets and locks live here: an older, wider folder is narrowed, the rest is left as the owner set it.
            if self.run.stat().st_mode & 0o077:
                self.run.chmod(_PRIVATE)
        except FileExistsError as error:
            raise _unusable(error.filename, "there is a file of that name") from error
        except OSError as error:
            raise _unusable(error.filename or self.root, error.strerror or str(error)) from error
        for folder in (self.root, *self.folders):
            if not os.access(folder, os.W_OK | os.X_OK):
                raise _unusable(folder, "you may not write there")
        return self

    @property
    def folders(self) -> tuple[Path, ...]:
        """Every folder inside the root."""
        within = (self.checkpoints, self.taste, self.runs, self.plugins, self.tasks, self.documents)
        return (*within, self.nights, self.logs, self.run)

    @property
    def database(self) -> Path:
        """The store: conversations, picks, checkpoints, runs, nights."""
        return self.root / "mrclassic.db"

    @property
    def book(self) -> Path:
        """The training truth, a text file that the owner may edit."""
        return self.root / "book.txt"

    @property
    def draft(self) -> Path:
        """What is being written in the book and not saved there yet."""
        return self.root / "book.draft.json"

    @property
    def settings_file(self) -> Path:
        """The owner's settings."""
        return self.root / "mrclassic.toml"

    @property
    def checkpoints(self) -> Path:
        """One immutable folder a checkpoint."""
        return self.root / "checkpoints"

    @property
    def taste(self) -> Path:
        """What was learned of the owner's taste: a folder each time, of which the newest counts."""
        return self.root / "taste"

    @property
    def runs(self) -> Path:
        """What a training run needs to resume."""
        return self.root / "runs"

    @property
    def plugins(self) -> Path:
        """Drop-in rewards, curricula and tasks."""
        return self.root / "plugins"

    @property
    def tasks(self) -> Path:
        """Datasets of practice, put here or fetched by `mrclassic task add`: a folder a task."""
        return self.root / "tasks"

    @property
    def documents(self) -> Path:
        """The owner's notes, made into what can be learned and asked: a file a document."""
        return self.root / "documents"

    @property
    def nights(self) -> Path:
        """The reports of the nights."""
        return self.root / "nights"

    @property
    def lab(self) -> Path:
        """The notes of experiments; made by the first one."""
        return self.root / "lab"

    @property
    def exports(self) -> Path:
        """What the owner had written for use elsewhere; made by the first of it."""
        return self.root / "exports"

    @property
    def logs(self) -> Path:
        """What the processes wrote while nobody looked."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Sockets, process ids and locks; open to the owner only."""
        return self.root / "run"

    @property
    def socket(self) -> Path:
        """The running model's Unix socket."""
        return self.run / "mind.sock"

    @property
    def judge_socket(self) -> Path:
        """The Unix socket of a judge that runs apart."""
        return self.run / "judge.sock"


def _unusable(where: object, why: str) -> MrClassicError:
    return MrClassicError(
        f"Cannot use {where} in the home folder: {why}; mend that, or choose another with --home or ${VARIABLE}."
    )
