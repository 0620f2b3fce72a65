from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing.instants import EPOCH, HOUR_US, us_of
from tracing.rulesets import rule_of
from tracing.windows import case_window, contact_window, local_day, midnight, source_window

JAKARTA = "Asia/Jakarta"
ONSET = date(2026, 11, 10)
ZONES = [JAKARTA, "Asia/Jayapura", "America/Sao_Paulo", "Pacific/Apia", "America/St_Johns", "Australia/Lord_Howe"]


def at(text: str, zone: str = JAKARTA) -> int:
    return us_of(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


def test_the_window_is_whole_days_and_ends_at_isolation_where_the_rule_says_so() -> None:
    rule = rule_of()
    assert case_window(rule, ONSET, None, JAKARTA) == (at("2026-11-08 00:00"), at("2026-11-25 00:00"))
    isolated = date(2026, 11, 12)
    assert case_window(rule, ONSET, isolated, JAKARTA).end == at("2026-11-13 00:00")
    assert case_window(rule_of("kmk-413-2020"), ONSET, isolated, JAKARTA).end == at("2026-11-25 00:00")


def test_an_isolation_before_the_window_leaves_nothing_of_it() -> None:
    start, end = case_window(rule_of(), ONSET, date(2026, 10, 1), JAKARTA)
    assert start == end


def test_each_time_zone_has_its_own_midnight() -> None:
    jakarta, jayapura = (case_window(rule_of(), ONSET, None, zone) for zone in (JAKARTA, "Asia/Jayapura"))
    assert jakarta.start - jayapura.start == 2 * HOUR_US


def test_sources_are_looked_for_in_the_fourteen_days_before() -> None:
    assert source_window(rule_of(), ONSET, JAKARTA) == (at("2026-10-27 00:00"), at("2026-11-10 00:00"))


def test_an_exposure_that_ends_at_midnight_belongs_to_the_day_then_beginning() -> None:
    first = at("2026-11-10 22:00")
    at_midnight = contact_window(rule_of(), first, at("2026-11-11 00:00"), JAKARTA)
    assert at_midnight == (at("2026-11-12 22:00"), at("2026-11-26 00:00"))
    assert contact_window(rule_of(), first, at("2026-11-11 00:00") - 1, JAKARTA).end == at("2026-11-25 00:00")


@given(st.dates(date(1890, 1, 1), date(2190, 1, 1)), st.sampled_from(ZONES))
def test_midnight_is_the_first_instant_of_a_day_that_is_not_before_it(day: date, zone: str) -> None:
    first = midnight(day, zone)
    assert local_day(first - 1, zone) < day <= local_day(first, zone) or _shown_twice(day, zone)


def _shown_twice(day: date, zone: str) -> bool:
    folds = [datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone), fold=fold).utcoffset() for fold in (0, 1)]
    return folds[0] != folds[1]


@pytest.mark.parametrize(
    ("day", "zone", "expected"),
    [
        (date(2018, 11, 4), "America/Sao_Paulo", "2018-11-04T03:00Z"),  # the clock went from 24:00 to 01:00
        (date(2011, 12, 30), "Pacific/Apia", "2011-12-30T10:00Z"),  # a day that was left out: nothing of it
        (date(2011, 12, 31), "Pacific/Apia", "2011-12-30T10:00Z"),
        (date(1919, 3, 31), "America/Toronto", "1919-03-31T04:30Z"),  # the clock went from 23:30 to 00:30
    ],
)
def test_a_day_begins_where_the_clock_was_moved_over_midnight(day: date, zone: str, expected: str) -> None:
    assert midnight(day, zone) == us_of(datetime.fromisoformat(expected).astimezone(UTC))


def test_a_window_of_millions_of_days_ends_with_the_calendar() -> None:
    start, end = case_window(rule_of("custom", minutes=1, days_before=10**7, days_after=10**7), ONSET, None, JAKARTA)
    assert start < us_of(EPOCH - timedelta(days=700_000))
    assert end > us_of(EPOCH + timedelta(days=2_900_000))
