"""What becomes of a night whose process has ended: it is over, or it goes on after a while.

A night that gave way (exit code 75: the app needed the device) goes on as often as that happens, and one that was put
off (75 with a sentence why: another program fills the memory) is tried again every five minutes. One that failed, hung
or was killed is tried again five times, after 30 seconds at first and twice as long each time; after that something is
wrong that only its owner can mend. Nothing goes on after `until`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from mrclassic.daemon.status import Job

GAVE_WAY = 75  # EX_TEMPFAIL of sysexits.h
GAVE_WAY_SECONDS, PUT_OFF_SECONDS = 30.0, 300.0
BACK_OFF = (30.0, 60.0, 120.0, 240.0, 480.0)
# 2: the settings or the words are wrong; 3: a check said no. The same again would end the same.
_FINAL = (0, 2, 3)


@dataclass(frozen=True)
class Break:
    """The night goes on with `job` in `seconds`; `why` it waits, as the rest of a sentence."""

    job: Job
    seconds: float
    why: str


def window_end(at: datetime, minutes: float, misfire_hours: float) -> str:
    """Until when a night that was due then may go on: as late as one that started as late as it may would end."""
    return (at + timedelta(minutes=minutes, hours=misfire_hours)).astimezone(UTC).isoformat(timespec="seconds")


def in_time(job: Job, now: datetime | None = None) -> bool:
    """Whether it may still go on."""
    return (now or datetime.now(UTC)) < datetime.fromisoformat(job.until)


def resumable(code: int) -> bool:
    """Whether a night that ended so, asked to end, has something left to do."""
    return code not in _FINAL


def after(job: Job, code: int, *, hung: bool = False, put_off: str = "", now: datetime | None = None) -> Break | str:
    """How `job` goes on after its process ended with `code` (negative: by a signal), or why it does not ("" where it
    is done). `hung`: it was ended because it gave no sign of life. `put_off`: why it could not begin."""
    if code in _FINAL and not hung:
        return "" if code == 0 else "the same would happen again"
    if not in_time(job, now):
        return "its time is over"
    if code == GAVE_WAY and put_off and not hung:
        return Break(job, PUT_OFF_SECONDS, f"it is tried again in {PUT_OFF_SECONDS / 60:g} minutes")
    if code == GAVE_WAY and not hung:
        return Break(job, GAVE_WAY_SECONDS, "it gave way and goes on when the device is free")
    if job.fails >= len(BACK_OFF):
        return f"it has failed {job.fails + 1} times"
    seconds = BACK_OFF[job.fails]
    return Break(replace(job, fails=job.fails + 1), seconds, f"it is tried again in {seconds:g} seconds")
