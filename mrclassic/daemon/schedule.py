"""When the nights start: an APScheduler job from the settings, and which night was missed while nobody was there.

The job store is memory: what should happen is declared in the settings and what did happen is in our own database, so
a scheduler's database beside them could only disagree. The job itself does nothing but tell the service that a night
is due; processes are started and stopped by the service's own thread.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from mrclassic.settings import Night

_JOB = "night"
# A week has every day that `days` can name; one more day covers a clock change at its edge.
_LOOK_BACK = timedelta(days=8)


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


def trigger(night: Night) -> Nightly:
    """The trigger of the settings: `days` at `start`, in `timezone` or else in the machine's."""
    hour, minute, second = map(int, f"{night.start}:00".split(":")[:3])
    return Nightly(
        day_of_week=night.days.replace(" ", ""),
        hour=hour,
        minute=minute,
        second=second,
        timezone=night.timezone,
    )


def next_due(night: Night, now: datetime | None = None) -> datetime | None:
    """The next start from `now` on, in the night's time zone; None where nights are switched off."""
    return trigger(night).get_next_fire_time(None, now or datetime.now(UTC)) if night.enabled else None


def last_due(night: Night, now: datetime | None = None) -> datetime | None:
    """The latest start at or before `now`; None where nights are switched off."""
    if not night.enabled:
        return None
    now = now or datetime.now(UTC)
    cron = trigger(night)
    found = None
    due = cron.get_next_fire_time(None, now - _LOOK_BACK)
    while due is not None and due <= now:
        found = due
        # Adding in UTC: local addition would lose which of two equal times is meant.
        due = cron.get_next_fire_time(None, due.astimezone(UTC) + timedelta(seconds=1))
    return found


def missed(night: Night, last_started: datetime | None, now: datetime | None = None) -> datetime | None:
    """The start that passed without a night, or None.

    A home that has never had a night missed nothing: it may be new, and a service that is installed in the morning
    must not begin by practising.
    """
    due = last_due(night, now)
    if due is None or last_started is None or last_started >= due:
        return None
    return due


def still_in_time(night: Night, due: datetime, now: datetime | None = None) -> bool:
    """Whether a night that was due then may still start."""
    return (now or datetime.now(UTC)) - due <= timedelta(hours=night.misfire_hours)


class Schedule:
    """The running schedule. `due` and `late` are called from its own thread and must only pass the word on."""

    def __init__(self, night: Night, due: Callable[[], None], late: Callable[[datetime], None]) -> None:
        self._night = night
        self._late = late
        self._scheduler = BackgroundScheduler(
            jobstores={"default": MemoryJobStore()},
            # The machine's zone is looked up only where the settings name none.
            **({"timezone": night.timezone} if night.timezone else {}),
        )
        self._scheduler.add_listener(self._missed, EVENT_JOB_MISSED)
        if night.enabled:
            self._scheduler.add_job(
                due,
                trigger(night),
                id=_JOB,
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
        self._late(event.scheduled_run_time)


def _offset(moment: datetime) -> timedelta:
    return moment.utcoffset() or timedelta(0)
