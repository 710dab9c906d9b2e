"""What becomes of a night whose process has ended, by its exit code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrclassic.daemon.again import BACK_OFF, GAVE_WAY, Break, after, in_time, window_end
from mrclassic.daemon.status import Job

NOW = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)
JOB = Job(60, "the schedule", NOW.isoformat(), window_end(NOW, 60, 3))


def test_what_is_done_or_cannot_be_mended_is_over() -> None:
    assert after(JOB, 0, now=NOW) == ""
    for code in (2, 3):
        assert after(JOB, code, now=NOW) == "the same would happen again"


def test_a_night_that_gave_way_goes_on_as_often_as_it_does() -> None:
    what = after(JOB, GAVE_WAY, now=NOW)
    assert isinstance(what, Break)
    assert what.job == JOB


def test_a_night_that_was_put_off_is_not_tried_all_the_time() -> None:
    what = after(JOB, GAVE_WAY, put_off="The night is put off: the memory is full.", now=NOW)
    assert isinstance(what, Break)
    assert (what.job, what.seconds) == (JOB, 300)


def test_nothing_goes_on_after_the_last_night_could_have_ended() -> None:
    last = NOW + timedelta(hours=4) - timedelta(seconds=1)
    assert in_time(JOB, last)
    assert isinstance(after(JOB, GAVE_WAY, now=last), Break)
    assert after(JOB, GAVE_WAY, now=NOW + timedelta(hours=4)) == "its time is over"


@given(st.lists(st.sampled_from([1, -9, -15, -11, 70, GAVE_WAY]), max_size=40), st.booleans())
def test_failures_are_bounded_and_wait_longer_each_time(codes: list[int], hung: bool) -> None:
    job, waits = JOB, []
    for code in codes:
        what = after(job, code, hung=hung, now=NOW)
        if not isinstance(what, Break):
            assert what == f"it has failed {len(BACK_OFF) + 1} times"
            break
        if what.job.fails > job.fails:
            waits.append(what.seconds)
        job = what.job
    assert tuple(waits) == BACK_OFF[: len(waits)]
    assert job.fails == len(waits)


@pytest.mark.parametrize("code", [0, GAVE_WAY])
def test_a_night_that_hung_has_failed_however_it_ended(code: int) -> None:
    what = after(JOB, code, hung=True, now=NOW)
    assert isinstance(what, Break)
    assert what.job.fails == 1
