"""Instants and clock hours, also where a clock is moved and where zones had odd seconds."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracing.naive_counts import hour_start
from tracing.instants import HOUR_US, MINUTE_US, hour_clock, hour_of, hour_text, hours_between, text_of, us_of, utc_of

LAW = settings(deadline=None)
ZONES = ["Asia/Jakarta", "Asia/Jayapura", "Asia/Kathmandu", "Australia/Lord_Howe", "Europe/Berlin", "America/St_Johns"]
moments = st.datetimes(datetime(1800, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC)).map(us_of)  # noqa: DTZ001 — Hypothesis wants naive bounds


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return us_of(datetime(year, month, day, hour, minute, tzinfo=UTC))


@LAW
@given(moments)
def test_an_instant_comes_back_exactly(moment: int) -> None:
    assert us_of(utc_of(moment)) == moment


@LAW
@given(moments, st.sampled_from(ZONES))
def test_a_text_is_what_the_zones_clock_shows(moment: int, zone: str) -> None:
    text = text_of(moment, zone)
    assert text == utc_of(moment).astimezone(ZoneInfo(zone)).isoformat()
    assert us_of(datetime.fromisoformat(text)) == moment


@LAW
@given(moments, st.sampled_from(ZONES))
def test_an_hour_begins_where_the_zones_clock_showed_it_full(moment: int, zone: str) -> None:
    hour = hour_of(moment, zone)
    assert hour == hour_start(moment, zone)
    assert 0 <= moment - hour < HOUR_US
    assert (hour_clock(hour, zone).minute, hour_clock(hour, zone).second) == (0, 0)
    assert us_of(datetime.fromisoformat(hour_text(hour, zone))) == hour


@LAW
@given(moments, st.integers(0, 50 * HOUR_US), st.sampled_from(ZONES))
def test_a_stretch_of_time_falls_into_hours_without_gap_or_overlap(start: int, length: int, zone: str) -> None:
    pieces = list(hours_between(start, start + length, zone))
    at = start
    for hour, inside in pieces:
        assert inside > 0
        assert hour_of(at, zone) == hour
        assert hour_of(at + inside - 1, zone) == hour
        at += inside
    assert at == start + length


def test_an_hour_that_the_clock_repeats_is_two_hours() -> None:
    begin = utc(2021, 10, 30, 23, 30)  # Berlin's clock goes from 03:00 back to 02:00 at 01:00 UTC
    pieces = [
        (hour_text(hour, "Europe/Berlin"), us // MINUTE_US)
        for hour, us in hours_between(begin, begin + 3 * HOUR_US, "Europe/Berlin")
    ]
    assert pieces == [
        ("2021-10-31T01:00:00+02:00", 30),
        ("2021-10-31T02:00:00+02:00", 60),
        ("2021-10-31T02:00:00+01:00", 60),
        ("2021-10-31T03:00:00+01:00", 30),
    ]


def test_a_clock_moved_by_half_an_hour_leaves_half_of_the_hour_it_cuts() -> None:
    zone = "Australia/Lord_Howe"
    begin = utc(2021, 10, 2, 15)  # at 15:30 UTC the clock goes from 02:00 to 02:30
    assert [
        (hour_text(hour, zone), us // MINUTE_US) for hour, us in hours_between(begin, begin + 2 * HOUR_US, zone)
    ] == [
        ("2021-10-03T01:00:00+10:30", 30),
        ("2021-10-03T02:00:00+11:00", 30),
        ("2021-10-03T03:00:00+11:00", 60),
    ]


def test_an_hour_ends_where_the_clock_is_moved_in_its_middle() -> None:
    zone = "Asia/Jakarta"
    begin = utc(1923, 12, 31, 16)  # at 16:40 UTC local mean time ended: 23:47:12 became midnight
    assert [
        (hour_text(hour, zone), us // MINUTE_US) for hour, us in hours_between(begin, begin + 2 * HOUR_US, zone)
    ] == [
        ("1923-12-31T23:00:00+07:07:12", 40),
        ("1924-01-01T00:00:00+07:20", 60),
        ("1924-01-01T01:00:00+07:20", 20),
    ]


def test_local_mean_time_has_clock_hours_too() -> None:
    moment = us_of(datetime(1850, 1, 1, 8, 30, tzinfo=ZoneInfo("Asia/Jakarta")))
    assert text_of(moment, "Asia/Jakarta") == "1850-01-01T08:30:00+07:07:12"
    assert hour_text(hour_of(moment, "Asia/Jakarta"), "Asia/Jakarta") == "1850-01-01T08:00:00+07:07:12"


@pytest.mark.parametrize(("microseconds", "end"), [(0, "00"), (500_000, "00.500000"), (1, "00.000001")])
def test_a_text_has_microseconds_only_where_there_are_some(microseconds: int, end: str) -> None:
    assert text_of(utc(2021, 7, 1) + microseconds, "Asia/Jakarta") == f"2021-07-01T07:00:{end}+07:00"


def test_instants_before_1970_are_negative() -> None:
    assert us_of(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1
    assert us_of(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=1, microseconds=1)) == 24 * HOUR_US + 1
