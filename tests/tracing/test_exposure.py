import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.tracing import naive_exposure as naive
from tests.tracing.naive_exposure import MINUTE, Stay
from tracing.exposure import Cases, Direction, Visits, cwa_spans, find_exposures, most_within_a_day
from tracing.instants import us_of
from tracing.overlaps import Index, Spans
from tracing.rulesets import Rule, rule_of

HOUR = 60 * MINUTE
CASE = 0
DIRECTIONS: tuple[Direction, ...] = ("forward", "backward")
Found = set[tuple[int, int, int, int]]


def columns(stays: list[Stay]) -> Visits:
    person, facility, start, end = (
        np.array([getattr(stay, field) for stay in stays], dtype=np.int64)
        for field in ("person", "facility", "start", "end")
    )
    return Visits(person, facility, start, end, np.array([stay.recorded for stay in stays], dtype=np.bool_))


def found(
    rule: Rule,
    case: list[Stay],
    window: tuple[int, int],
    others: list[Stay],
    direction: Direction = "forward",
) -> Found:
    size = len(case)
    asked = Cases(np.zeros(size, dtype=np.int64), np.full(size, window[0]), np.full(size, window[1]))
    answer = find_exposures(rule, columns(case), asked, columns(others), direction)
    return set(zip(*(column.tolist() for column in answer), strict=True))


def stays(persons: st.SearchStrategy[int]) -> st.SearchStrategy[Stay]:
    times = st.one_of(st.integers(0, 4 * 24 * 12).map(lambda n: n * 5 * MINUTE), st.integers(0, 4 * 24 * HOUR))
    lengths = st.one_of(st.integers(0, 60).map(lambda n: n * 5 * MINUTE), st.integers(0, 40 * HOUR))
    return st.builds(
        lambda person, facility, start, length, recorded: Stay(person, facility, start, start + length, recorded),
        persons,
        st.integers(1, 3),
        times,
        lengths,
        st.booleans(),
    )


RULES = st.builds(
    lambda count, minutes, tail: rule_of("custom", count=count, minutes=minutes, tail_minutes=tail),
    st.sampled_from(["visit", "24h"]),
    st.sampled_from([0, 5, 15, 60, 600]),
    st.sampled_from([0, 30]),
)
WINDOWS = st.tuples(st.integers(0, 96), st.integers(0, 96)).map(lambda w: (min(w) * HOUR, max(w) * HOUR))


@settings(max_examples=300, deadline=None)
@given(
    RULES,
    st.lists(stays(st.just(CASE)), max_size=6),
    WINDOWS,
    st.lists(stays(st.integers(0, 4)), max_size=12),
    st.sampled_from(DIRECTIONS),
)
def test_arrays_find_what_the_words_say_pair_by_pair(
    rule: Rule, case: list[Stay], window: tuple[int, int], others: list[Stay], direction: Direction
) -> None:
    backward = direction == "backward"
    assert found(rule, case, window, others, direction) == naive.exposures(
        rule, case, window, others, backward=backward
    )


@settings(deadline=None)
@given(RULES, st.lists(stays(st.just(CASE)), max_size=5), WINDOWS, st.lists(stays(st.integers(1, 4)), max_size=10))
def test_fewer_minutes_never_lose_an_exposure(
    rule: Rule, case: list[Stay], window: tuple[int, int], others: list[Stay]
) -> None:
    assert found(rule, case, window, others) <= found(replace(rule, minutes=rule.minutes // 2), case, window, others)


@settings(deadline=None)
@given(st.lists(stays(st.integers(0, 9)), min_size=1, max_size=20))
def test_cases_judged_together_equal_each_judged_alone(town: list[Stay]) -> None:
    rule = rule_of("cdc-2020", tail_minutes=10)
    size = len(town)
    persons = np.array([stay.person for stay in town])
    asked = Cases(persons, np.full(size, 6 * HOUR), np.full(size, 80 * HOUR))
    together = find_exposures(rule, columns(town), asked, columns(town))
    alone: Found = set()
    for person in set(persons.tolist()):
        rows = [row for row, stay in enumerate(town) if stay.person == person]
        own = found(rule, [town[row] for row in rows], (6 * HOUR, 80 * HOUR), town)
        alone |= {(rows[row], other, start, end) for row, other, start, end in own}
    assert set(zip(*(column.tolist() for column in together), strict=True)) == alone


@given(st.lists(stays(st.integers(1, 4)), max_size=30))
def test_looking_in_small_parts_finds_the_same_overlaps(town: list[Stay]) -> None:
    visits = columns(town)
    spans = Spans(visits.facility, visits.check_in, visits.check_out)
    whole, parts = Index(spans).overlaps(spans), Index(spans).overlaps(spans, chunk=3)
    assert [column.tolist() for column in whole] == [column.tolist() for column in parts]


def test_fifteen_minutes_count_and_a_microsecond_less_does_not() -> None:
    case = [Stay(CASE, 1, 0, HOUR)]
    rule = rule_of()
    assert found(rule, case, (0, 24 * HOUR), [Stay(1, 1, 45 * MINUTE, 2 * HOUR)])
    assert not found(rule, case, (0, 24 * HOUR), [Stay(1, 1, 45 * MINUTE + 1, 2 * HOUR)])


def test_a_tail_reaches_past_the_window_but_not_from_an_estimated_end_or_a_cut_visit() -> None:
    rule = rule_of("custom", minutes=10, tail_minutes=30)
    late = [Stay(1, 1, HOUR + MINUTE, 3 * HOUR)]
    assert found(rule, [Stay(CASE, 1, 0, HOUR)], (0, HOUR), late) == {(0, 0, HOUR + MINUTE, HOUR + 30 * MINUTE)}
    assert not found(rule, [Stay(CASE, 1, 0, HOUR, recorded=False)], (0, HOUR), late)
    assert not found(rule, [Stay(CASE, 1, 0, HOUR + 1)], (0, HOUR), late)


def test_minutes_sum_up_across_midnight_but_not_beyond_a_day() -> None:
    rule = rule_of("cdc-2020")
    case = [Stay(CASE, 1, 0, 60 * HOUR)]
    first = Stay(1, 1, 20 * HOUR, 20 * HOUR + 8 * MINUTE)
    near = Stay(1, 1, 44 * HOUR - 7 * MINUTE, 44 * HOUR + 2 * MINUTE)  # of 17 minutes at most 15 inside 24 hours
    assert len(found(rule, case, (0, 60 * HOUR), [first, near])) == 2
    far = Stay(1, 1, near.start + 1, near.end + 1)
    assert not found(rule, case, (0, 60 * HOUR), [first, far])


def test_the_ten_published_intervals_of_the_corona_warn_app_are_derived() -> None:
    path = Path(__file__).parent / "data" / "cwa_derive_time.json"
    vectors = json.loads(path.read_text())["vectors"]
    assert len(vectors) == 10
    for vector in vectors:
        start, end = (us_of(datetime.fromisoformat(vector[field])) for field in ("check_in", "check_out"))
        case = [Stay(CASE, 1, start, end)]
        answer = found(rule_of("cwa"), case, (0, 2**60), [Stay(1, 1, 0, 2**60)])
        if vector["expected_start"] is None:
            assert answer == set()
        else:
            expected = [us_of(datetime.fromisoformat(vector[f"expected_{field}"])) for field in ("start", "end")]
            assert answer == {(0, 0, *expected)}


@pytest.mark.parametrize(
    ("check_in", "check_out", "start", "end"),
    [(29, 41, 40, 60), (28, 61, 20, 80), (21, 57, 20, 90)],  # by TimeIntervalDeriver.kt, which the examples leave open
)
def test_a_derived_interval_is_the_rounded_stay_and_tail_at_the_end_that_covers_more(
    check_in: int, check_out: int, start: int, end: int
) -> None:
    case = [Stay(CASE, 1, check_in * MINUTE, check_out * MINUTE)]
    answer = found(rule_of("cwa"), case, (0, 2**60), [Stay(1, 1, 0, 2**60)])
    assert answer == {(0, 0, start * MINUTE, end * MINUTE)}


def test_a_derived_interval_is_clipped_to_the_window_and_the_shortest_meeting_counts() -> None:
    case = [Stay(CASE, 1, 0, HOUR)]
    other = [Stay(1, 1, HOUR, 3 * HOUR), Stay(2, 1, -HOUR, 1)]
    assert found(rule_of("cwa"), case, (0, HOUR + MINUTE), other) == {(0, 0, HOUR, HOUR + MINUTE), (0, 1, 0, 1)}


@pytest.mark.parametrize("size", [0, 1])
def test_nobody_met_is_no_error(size: int) -> None:
    nothing = np.empty(0, dtype=np.int64)
    assert most_within_a_day(nothing, nothing, nothing).size == 0
    assert cwa_spans(nothing, nothing, nothing, 10)[0].size == 0
    assert found(rule_of("cdc-2020"), [Stay(CASE, 1, 0, HOUR)] * size, (0, HOUR), []) == set()
