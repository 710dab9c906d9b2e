"""When the nights start: APScheduler jobs from the settings, and which night was missed while nobody was there.

The job store is memory: what should happen is declared in the settings and what did happen is in our own database, so
a scheduler's database beside them could only disagree. A job does nothing but tell the service that a night is due;
processes are started and stopped by the service's own thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from mrclassic.settings import Night

# A week has every day that `days` can name; one more day covers a clock change at its edge.
_LOOK_BACK = timedelta(days=8)
_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Window:
    """Nights alike: on which weekdays ("mon,tue"), from when (local time), for how long."""

    days: str
    start: str
    minutes: float


def windows(night: Night) -> tuple[Window, ...]:
    """The week of the settings: `days` at `start`, and the exceptions, of which the last that names a day counts."""
    week = dict.fromkeys(_named(night.days), (night.start, night.minutes))
    for part in filter(str.strip, night.exceptions.split(";")):
        *days, start, minutes = part.split()
        week |= dict.fromkeys(_named("".join(days)), (start, float(minutes)))
    if not night.enabled:
        return ()
    kinds = dict.fromkeys(week[day] for day in _WEEK if day in week and week[day][1] > 0)
    return tuple(
        Window(",".join(day for day in _WEEK if week.get(day) == (start, minutes)), start, minutes)
        for start, minutes in kinds
    )


def _named(days: str) -> list[str]:
    """The weekdays that "sat-mon,wed" names; a range may go over the end of the week."""
    found: list[str] = []
    for part in days.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        begin, end = _WEEK.index(first), _WEEK.index(last or first)
        found += [_WEEK[place % 7] for place in range(begin, end + 1 + 7 * (end < begin))]
    return found


class Nightly(CronTrigger):  # type: ignore[misc]  # APScheduler 3 has no types
    """A cron trigger that fires once for each local night, also when the clocks change.

    APScheduler fires at both of two equal local times in autumn; the second is left out here. A start that spring
    leaves out comes an hour later by the clock.
    """

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        due: datetime | None = super().get_next_fire_time(previous_fire_time, now)
        # The second of two equal times is the one with the smaller offset; in spring it is the other way round.
        while due is not None and due.fold and _offset(due.replace(fold=0)) > _offset(due):
            due = super().get_next_fire_time(due, due)
        # By way of UTC a time that does not exist becomes the one the clocks then show.
        return None if due is None else due.astimezone(UTC).astimezone(self.timezone)


def trigger(window: Window, timezone: str | None) -> Nightly:
    """The trigger of a window, in `timezone` or else in the machine's."""
    hour, minute, second = map(int, f"{window.start}:00".split(":")[:3])
    return Nightly(day_of_week=window.days, hour=hour, minute=minute, second=second, timezone=timezone)


@dataclass(frozen=True)
class Due:
    """A moment at which a night is to start, and its minutes."""

    at: datetime
    minutes: float


def next_due(night: Night, now: datetime | None = None) -> Due | None:
    """The next start from `now` on, in the night's time zone; None where nights are switched off."""
    now = now or datetime.now(UTC)
    found = [
        Due(at, window.minutes)
        for window in windows(night)
        if (at := trigger(window, night.timezone).get_next_fire_time(None, now)) is not None
    ]
    return min(found, key=_instant, default=None)


def announced(night: Night, *, running: bool, paused: bool, now: datetime | None = None) -> str:
    """A sentence on when the next night begins: by its window, if a service that starts it is `running`."""
    due = next_due(night, now)
    if due is None:
        return "No night begins by itself (night.enabled is false); `mrclassic night --now` starts one."
    when = f"{due.at:%A} at {due.at:%H:%M} and has {due.minutes:g} minutes"
    if paused:
        return f"Nights are paused; after `mrclassic daemon resume` the next one begins on {when}."
    if not running:
        return f"The next night would begin on {when}, but no service runs; `mrclassic daemon run` starts it."
    return f"The next night begins on {when}."


def last_due(night: Night, now: datetime | None = None) -> Due | None:
    """The latest start at or before `now`; None where nights are switched off."""
    now = now or datetime.now(UTC)
    found = []
    for window in windows(night):
        cron = trigger(window, night.timezone)
        at = cron.get_next_fire_time(None, now - _LOOK_BACK)
        while at is not None and at <= now:
            found.append(Due(at, window.minutes))
            # Adding in UTC: local addition would lose which of two equal times is meant.
            at = cron.get_next_fire_time(None, at.astimezone(UTC) + timedelta(seconds=1))
    return max(found, key=_instant, default=None)


def missed(night: Night, last_started: datetime | None, now: datetime | None = None) -> Due | None:
    """The start that passed without a night, or None.

    A home that has never had a night missed nothing: it may be new, and a service that is installed in the morning
    must not begin by practising.
    """
    due = last_due(night, now)
    if due is None or last_started is None or last_started >= due.at:
        return None
    return due


def still_in_time(night: Night, due: datetime, now: datetime | None = None) -> bool:
    """Whether a night that was due then may still start."""
    return (now or datetime.now(UTC)) - due <= timedelta(hours=night.misfire_hours)


class Schedule:
    """The running schedule. `due` and `late` are called from its own thread and must only pass the word on."""

    def __init__(self, night: Night, due: Callable[[], None], late: Callable[[], None]) -> None:
        self._late = late
        self._scheduler = BackgroundScheduler(
            jobstores={"default": MemoryJobStore()},
            # The machine's zone is looked up only where the settings name none.
            **({"timezone": night.timezone} if night.timezone else {}),
        )
        self._scheduler.add_listener(self._missed, EVENT_JOB_MISSED)
        for window in windows(night):
            self._scheduler.add_job(
                due,
                trigger(window, night.timezone),
                # APScheduler's own default is one second, which a suspended laptop never meets.
                misfire_grace_time=max(1, int(night.misfire_hours * 3600)),
                coalesce=True,
                max_instances=1,
            )

    def start(self) -> None:
        """Start the scheduler's thread."""
        self._scheduler.start()

    def look_again(self) -> None:
        """Compare with the clock now: the thread's waiting does not pass while the machine sleeps or is set anew."""
        self._scheduler.wakeup()

    def stop(self) -> None:
        """Stop the thread; a job on its way is waited for, it takes no time."""
        if self._scheduler.running:
            self._scheduler.shutdown()

    def _missed(self, event: JobExecutionEvent) -> None:
        self._late()


def _instant(due: Due) -> datetime:
    return due.at.astimezone(UTC)


def _offset(moment: datetime) -> timedelta:
    return moment.utcoffset() or timedelta(0)
