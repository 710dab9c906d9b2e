"""When nights are due, by the calendar: weekdays, time zones, clock changes, and what was missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mrclassic.daemon import schedule
from mrclassic.daemon.schedule import Due, Window
from mrclassic.settings import Night


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_the_next_night() -> None:
    night = Night(start="04:30", timezone="Europe/Berlin")
    assert schedule.next_due(night, at("2026-11-20T12:00+01:00")) == Due(at("2026-11-21T04:30+01:00"), 60)
    weekend = Night(start="22:00", days="sat,sun", timezone="Europe/Berlin")
    assert schedule.next_due(weekend, at("2026-11-18T12:00+01:00")) == Due(at("2026-11-21T22:00+01:00"), 60)
    spaced = Night(start="22:00", days="mon, wed", timezone="Europe/Berlin")
    assert schedule.next_due(spaced, at("2026-11-17T12:00+01:00")) == Due(at("2026-11-18T22:00+01:00"), 60)
    assert schedule.next_due(Night(enabled=False)) is None
    assert schedule.last_due(Night(enabled=False)) is None


def test_the_machines_own_time_zone_is_the_default() -> None:
    due = schedule.next_due(Night())
    assert due is not None
    assert due.at.astimezone().strftime("%H:%M") == "04:30"


def test_days_with_a_start_and_minutes_of_their_own() -> None:
    night = Night(days="mon-fri", exceptions="sat,sun 01:00 240; wed 04:30 0; fri - sat 23:00 90", timezone="UTC")
    assert schedule.windows(night) == (
        Window("mon,tue,thu", "04:30", 60),
        Window("fri,sat", "23:00", 90),  # the last that names a day counts
        Window("sun", "01:00", 240),
    )
    assert schedule.next_due(night, at("2026-11-18T00:00+00:00")) == Due(at("2026-11-19T04:30+00:00"), 60)
    assert schedule.next_due(night, at("2026-11-20T12:00+00:00")) == Due(at("2026-11-20T23:00+00:00"), 90)
    assert schedule.last_due(night, at("2026-11-22T12:00+00:00")) == Due(at("2026-11-22T01:00+00:00"), 240)
    assert schedule.windows(Night(exceptions="mon-sun 04:30 0")) == ()
    assert schedule.next_due(Night(exceptions="mon-sun 04:30 0")) is None


def test_the_night_is_announced_by_its_own_window_and_by_what_the_service_will_do() -> None:
    night = Night(exceptions="sun 02:00 240; wed 04:30 0", timezone="UTC")

    def words(now: str, *, running: bool = True, paused: bool = False) -> str:
        return schedule.announced(night, running=running, paused=paused, now=at(now))

    assert words("2026-11-21T12:00+00:00") == "The next night begins on Sunday at 02:00 and has 240 minutes."
    assert words("2026-11-24T12:00+00:00") == "The next night begins on Thursday at 04:30 and has 60 minutes."
    assert words("2026-11-21T12:00+00:00", paused=True).startswith("Nights are paused; after `mrclassic daemon resume`")
    assert "would begin on Sunday at 02:00" in words("2026-11-21T12:00+00:00", running=False)
    assert "No night begins by itself" in schedule.announced(Night(enabled=False), running=True, paused=False)


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@given(
    st.lists(st.sampled_from(_DAYS), min_size=1),
    st.lists(st.tuples(st.sampled_from(_DAYS), st.integers(0, 23), st.integers(0, 300)), max_size=5),
)
@settings(max_examples=60, deadline=None)
def test_each_day_has_one_window_at_most(days: list[str], others: list[tuple[str, int, int]]) -> None:
    exceptions = ";".join(f"{day} {hour:02}:15 {minutes}" for day, hour, minutes in others)
    found = schedule.windows(Night(days=",".join(days), exceptions=exceptions))
    named = [day for window in found for day in window.days.split(",")]
    assert len(named) == len(set(named))
    asked = dict.fromkeys(days, ("04:30", 60.0)) | {day: (f"{hour:02}:15", float(n)) for day, hour, n in others}
    assert {day: (w.start, w.minutes) for w in found for day in w.days.split(",")} == {
        day: each for day, each in asked.items() if each[1] > 0
    }


def test_a_range_of_days_may_go_over_the_end_of_the_week() -> None:
    assert schedule.windows(Night(days="sat-mon")) == (Window("mon,sat,sun", "04:30", 60),)


@pytest.mark.parametrize("text", ["sat", "sat 04:30", "sat 25:00 60", "someday 04:30 60", "sat 04:30 long", "04:30 60"])
def test_exceptions_that_cannot_be_read_are_told(text: str) -> None:
    with pytest.raises(ValidationError, match="use days, a time and minutes such as"):
        Night(exceptions=text)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # Spring: 02:30 does not exist on 29 March; the night comes at 03:30 by the clock.
        ("2026-03-28T12:00+01:00", ["2026-03-29T03:30+02:00", "2026-03-30T02:30+02:00"]),
        # Autumn: 02:30 comes twice on 25 October; the night comes once.
        ("2026-10-24T12:00+02:00", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
        # A service that starts between the two does not take the second for a night of its own.
        ("2026-10-25T02:45+02:00", ["2026-10-26T02:30+01:00", "2026-10-27T02:30+01:00"]),
    ],
)
def test_clock_changes(now: str, expected: list[str]) -> None:
    cron = schedule.trigger(Window("mon,tue,wed,thu,fri,sat,sun", "02:30", 60), "Europe/Berlin")
    first = cron.get_next_fire_time(None, at(now))
    assert first is not None
    second = cron.get_next_fire_time(first, first)
    assert second is not None
    # As text: Python holds a time that comes twice for unequal to every time of another zone.
    assert [moment.isoformat(timespec="minutes") for moment in (first, second)] == expected


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)),
    st.tuples(st.integers(0, 23), st.integers(0, 59)),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
)
@settings(max_examples=60, deadline=None)
def test_the_last_and_the_next_night_enclose_now(moment: datetime, start: tuple[int, int], zone: str) -> None:
    now = moment.replace(tzinfo=UTC)
    night = Night(start=f"{start[0]:02}:{start[1]:02}", timezone=zone)
    last, following = schedule.last_due(night, now), schedule.next_due(night, now + timedelta(seconds=1))
    assert last is not None
    assert following is not None
    assert last.at <= now < following.at
    # Never two in one local day, never a day without one.
    assert timedelta(hours=22) < following.at.astimezone(UTC) - last.at.astimezone(UTC) < timedelta(hours=26)
    assert last.at.date() < following.at.date()


def test_missed_nights() -> None:
    night = Night(start="04:30", timezone="UTC", misfire_hours=3)
    now = at("2026-11-20T06:00+00:00")
    due = at("2026-11-20T04:30+00:00")
    assert schedule.missed(night, at("2026-11-19T04:30:02+00:00"), now) == Due(due, 60)
    assert schedule.missed(night, at("2026-11-20T04:30:02+00:00"), now) is None
    assert schedule.missed(night, None, now) is None
    assert schedule.missed(Night(enabled=False), at("2026-11-01T04:30:02+00:00"), now) is None
    assert schedule.still_in_time(night, due, now)
    assert not schedule.still_in_time(night, due, now + timedelta(hours=2))


def test_the_scheduler_fires() -> None:
    start = datetime.now(UTC) + timedelta(seconds=2)
    # Seconds are no setting; the schedule reads them so that this test need not wait for a full minute.
    night = Night(timezone="UTC").model_copy(update={"start": f"{start:%H:%M:%S}"})
    fired = Event()
    running = schedule.Schedule(night, fired.set, lambda: None)
    running.start()
    try:
        assert fired.wait(10)
        assert datetime.now(UTC) >= start.replace(microsecond=0)
    finally:
        running.stop()
    running.stop()
