"""A progress bar on standard error: updates done, loss or reward, time left."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from mrclassic.training.report import StepReport


class Bar:
    """Watches a run. `planned` sets the total (and where a resumed run stands), calling it shows an update. What is
    counted may be bytes: then `stage` begins a file's journey, and `moved` goes on with it."""

    def __init__(self, title: str, *, of_bytes: bool = False) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            DownloadColumn() if of_bytes else MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(),
            console=console,
            auto_refresh=console.is_terminal,  # by a thread, whose stack is megabytes: a file needs none
        )
        self._task = self._progress.add_task(title, total=None, numbers="")

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What failed before there was a plan leaves no empty bar behind.
        if self._progress.tasks[0].total is None:
            self._progress.update(self._task, visible=False)
            self._progress.live.stop()
        else:
            self._progress.stop()

    def planned(self, total: int, done: int = 0) -> None:
        self._progress.update(self._task, total=total, completed=done)

    def stage(self, name: str, total: int | None) -> None:
        """Begin another stage on the same line; without a total the clock decides how long it is."""
        self._progress.reset(self._task, total=total, completed=0, description=name, numbers="")

    def moved(self, size: int) -> None:
        """So many more."""
        self._progress.update(self._task, advance=size)

    def __call__(self, report: StepReport) -> None:
        shown = next((key for key in ("reward", "loss") if key in report.metrics), None)
        numbers = f"{shown} {report.metrics[shown]:.3f}" if shown else ""
        self._progress.update(self._task, completed=report.step, numbers=numbers)
