"""The shape of co-visits is what its words say, and the probability moves the way it must."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from math import isclose

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.tracing import naive_ranking as naive
from tests.tracing.naive_ranking import Visit
from tracing.exposure import Ints, Visits
from tracing.instants import DAY_US, us_of
from tracing.ranking.crowds import Hours, Meetings
from tracing.ranking.infection import RISK_AN_HOUR, risks_of
from tracing.ranking.model import SCALE, Model, Weights, millionths_of, shipped_model
from tracing.ranking.shapes import Shapes, Stays, shapes_of
from tracing.ranking.words import Counted, words_of

ZONE = "Asia/Jakarta"
DAY = datetime(2021, 11, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR_US = DAY_US // 24


def at(day: int, hour: float) -> datetime:
    return DAY + timedelta(days=day, hours=hour)


def visit(person: str, day: int, begin: float, end: float, zone: str = "", *, recorded: bool = True) -> Visit:
    return Visit(person, "F", zone, at(day, begin), at(day, end), recorded)


VISITS = st.builds(
    lambda person, facility, zone, start, length, recorded: Visit(
        person, facility, zone, DAY + start * MINUTE, DAY + (start + length) * MINUTE, recorded
    ),
    st.sampled_from("ABCDE"),
    st.sampled_from("FG"),
    st.sampled_from(["", "ward", "hall"]),
    st.integers(0, 4_000),
    st.sampled_from([0, 15, 60]) | st.integers(0, 600) | st.integers(0, 9_000),
    st.booleans(),
)


def shapes(
    town: list[Visit],
    pairs: list[tuple[int, int]],
    begins: list[int],
    *,
    all_facilities: bool = False,
    time_zone: str = ZONE,
) -> Shapes:
    """Return what the product makes of meetings of rows of a town."""
    persons, facilities, zones = (
        np.array([ord(getattr(one, name)[:1] or "\0") for one in town], dtype=np.int64)
        for name in ("person", "facility", "zone")
    )
    start = np.array([us_of(one.start) for one in town], dtype=np.int64)
    end = np.array([us_of(one.end) for one in town], dtype=np.int64)
    visits = Visits(persons, facilities, start, end, np.array([one.recorded for one in town]))
    one, other = (np.array(side, dtype=np.int64) for side in zip(*pairs, strict=True))
    met = Meetings(one, other, np.maximum(start[one], start[other]), np.minimum(end[one], end[other]))
    stays = Stays(visits, zones, 0, np.ones(len(town), dtype=np.bool_))
    hours = Hours(visits, None if all_facilities else facilities[one])
    return shapes_of(stays, met, hours.around(met), np.array(begins), time_zone)


def meetings(town: list[Visit]) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """Return which rows of a town meet, by pair of persons, in the order of time."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for i, a in enumerate(town):
        for j, b in enumerate(town):
            if a.person < b.person and a.facility == b.facility and min(a.end, b.end) > max(a.start, b.start):
                found.setdefault((a.person, b.person), []).append((i, j))
    for rows in found.values():
        rows.sort(key=lambda pair: max(town[pair[0]].start, town[pair[1]].start))
    return found


@settings(max_examples=150, deadline=None)
@given(st.lists(VISITS, min_size=2, max_size=14, unique=True))
def test_a_shape_is_what_its_words_say(town: list[Visit]) -> None:
    found = meetings(town)
    assume(found)
    pairs = [pair for rows in found.values() for pair in rows]
    begins = np.cumsum([0, *(len(rows) for rows in found.values())])[:-1].tolist()
    got = shapes(town, pairs, begins)
    for number, rows in enumerate(found.values()):
        expected = asdict(naive.shape([(town[i], town[j]) for i, j in rows], town, ZONE))
        for name, value in expected.items():
            assert isclose(getattr(got, name)[number], value, rel_tol=1e-9, abs_tol=1e-9), name


@settings(max_examples=50, deadline=None)
@given(st.lists(VISITS, min_size=2, max_size=10, unique=True))
def test_a_visit_elsewhere_in_another_century_changes_no_shape(town: list[Visit]) -> None:
    # So few visits over so many hours are counted another way.
    found = meetings(town)
    assume(found)
    rows = [row for rows in found.values() for row in rows]
    begins = np.cumsum([0, *(len(rows) for rows in found.values())])[:-1].tolist()
    old = [visit("Z", -100_000, 1, 2), *(Visit("Z", f"{n}", "", at(-n, 1), at(-n, 2), recorded=True) for n in range(9))]
    for one, other in zip(
        shapes(town, rows, begins), shapes(town + old, rows, begins, all_facilities=True), strict=True
    ):
        assert one.tolist() == pytest.approx(other.tolist())


@settings(max_examples=50, deadline=None)
@given(st.lists(VISITS, min_size=2, max_size=10, unique=True))
def test_a_pair_has_one_shape_whoever_is_the_case(town: list[Visit]) -> None:
    found = meetings(town)
    assume(found)
    rows = next(iter(found.values()))
    one, other = shapes(town, rows, [0]), shapes(town, [(j, i) for i, j in rows], [0])
    for mine, theirs in zip(one, other, strict=True):
        assert mine.tolist() == pytest.approx(theirs.tolist())


@pytest.fixture(scope="module")
def model() -> Model:
    return shipped_model()


def said(model: Model, town: list[Visit]) -> int:
    """Return the probability, in millionths, that A and B were close."""
    return int(millionths_of(model, shapes(town, meetings(town)["A", "B"], [0]))[0])


OTHERS = [visit(f"{number}", 0, 2 + number / 20, 9 + number / 30) for number in range(40)]


def shape_of(**values: float) -> Shapes:
    usual = {
        "share": 0.5,
        "days": 2,
        "arrival": 0.0,
        "leaving": 0.0,
        "crowd": 50.0,
        "same_zone": 0.0,
        "other_zone": 0.0,
    }
    columns = {name: np.array([value]) for name, value in (usual | values).items()}
    return Shapes(**columns, came_together=np.zeros(1, dtype=np.int64), left_together=np.zeros(1, dtype=np.int64))


RISING = {
    "share": (0.0, 1.0),
    "days": (1.0, 30.0),
    "arrival": (-9.0, 9.0),
    "leaving": (-9.0, 9.0),
    "same_zone": (0.0, 1.0),
}
FALLING = {"crowd": (2.0, 9_000.0), "other_zone": (0.0, 1.0)}


@given(st.data())
def test_no_number_moves_the_probability_the_wrong_way(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([*RISING, *FALLING]))
    low, high = sorted(data.draw(st.floats(*(RISING | FALLING)[name])) for _ in range(2))
    less, more = (int(millionths_of(shipped_model(), shape_of(**{name: value}))[0]) for value in (low, high))
    assert less <= more if name in RISING else less >= more


def test_a_longer_time_together_of_the_same_stays_is_never_less_likely(model: Model) -> None:
    # B's stay is moved into A's, bit by bit, in a place where nobody else comes or goes at that time.
    town = [visit("A", 0, 2, 8), *(visit(f"{number}", 0, 0, 23) for number in range(20))]
    by_shift = [said(model, [*town, visit("B", 0, 7 - shift, 13 - shift)]) for shift in range(6)]
    assert by_shift == sorted(by_shift)
    assert by_shift[0] < by_shift[-1]


def test_a_bigger_crowd_is_never_more_likely(model: Model) -> None:
    pair = [visit("A", 0, 2, 8), visit("B", 0, 2, 8)]
    by_crowd = [said(model, pair + [visit(f"x{n}", 0, 0, 23) for n in range(crowd)]) for crowd in (0, 1, 10, 100)]
    assert by_crowd == sorted(by_crowd, reverse=True)
    assert by_crowd[0] > by_crowd[-1]


def test_coming_together_counts_less_in_the_rush_of_the_morning() -> None:
    pair = [visit("A", 0, 2, 8), visit("B", 0, 2, 7)]
    quiet = shapes(pair + [visit("x", 0, 5 + n / 10, 12) for n in range(20)], [(0, 1)], [0])
    rush = shapes(pair + [visit("x", 0, 2 + n / 50, 12) for n in range(20)], [(0, 1)], [0])
    assert quiet.arrival[0] > rush.arrival[0]


def test_an_end_that_nobody_scanned_proves_nothing_about_leaving_together() -> None:
    for recorded in (True, False):
        town = [visit("A", 0, 2, 8), visit("B", 0, 2, 8, recorded=recorded), *OTHERS]
        got = shapes(town, [(0, 1)], [0])
        assert (got.leaving[0] > 0, got.left_together[0]) == (recorded, recorded)


def test_weeks_in_a_ward_weigh_as_the_days_on_which_they_met() -> None:
    patient = Visit("A", "F", "ward", at(0, 1), at(20, 1), recorded=True)
    shifts = [visit("B", day, 1, 9, "ward") for day in (2, 3, 5)]
    got = shapes([patient, *shifts], [(0, 1), (0, 2), (0, 3)], [0])
    assert got.days[0] == 3
    assert got.share[0] == pytest.approx(24 / 72)
    both = shapes([patient, Visit("B", "F", "ward", at(3, 1), at(8, 1), recorded=True)], [(0, 1)], [0])
    assert (both.days[0], both.share[0]) == (6, pytest.approx(5 / 6))


def test_a_day_that_a_zone_left_out_is_no_day_on_which_they_met() -> None:
    # Samoa went from 29 to 31 December 2011 at 10:00 UTC.
    begin = (datetime(2011, 12, 30, 8, tzinfo=UTC) - DAY) / timedelta(days=1)
    town = [visit("A", 0, 24 * begin, 24 * begin + 4), visit("B", 0, 24 * begin, 24 * begin + 4)]
    assert shapes(town, [(0, 1)], [0], time_zone="Pacific/Apia").days.tolist() == [2]


def test_one_pair_alone_has_a_probability(model: Model) -> None:
    assert 0 < said(model, [visit("A", 0, 2, 8), visit("B", 0, 3, 9)]) < SCALE


def test_meetings_of_a_tail_only_have_a_probability(model: Model) -> None:
    town = [visit("A", 0, 2, 3), visit("B", 0, 3.2, 4)]
    visits = Visits(
        np.array([0, 1]),
        np.zeros(2, dtype=np.int64),
        np.array([us_of(one.start) for one in town]),
        np.array([us_of(one.end) for one in town]),
        np.ones(2, dtype=np.bool_),
    )
    met = Meetings(np.array([0]), np.array([1]), visits.check_in[1:], visits.check_in[1:] + 1)
    stays = Stays(visits, np.zeros(2, dtype=np.int64), 0, np.ones(2, dtype=np.bool_))
    got = shapes_of(stays, met, Hours(visits).around(met), np.array([0]), ZONE)
    assert got.share[0] == 0
    assert 0 <= millionths_of(model, got)[0] < SCALE


def test_a_model_with_a_sign_against_its_meaning_is_not_read() -> None:
    weights = msgspec.structs.asdict(shipped_model().weights)
    for name, value in weights.items():
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(weights | {name: -value if value else 1.0 if name in FALLING else -1.0}, Weights)


def risk(begin_h: float, end_h: float) -> float:
    """Return the infection risk of one exposure, hours from the first instant of day zero."""
    hours: list[Ints] = [np.array([int(hour * HOUR_US)]) for hour in (begin_h, end_h)]
    return float(risks_of((hours[0], hours[1]), np.array([0]))[0])


def test_infection_risk_is_greatest_around_onset_and_grows_with_the_dose() -> None:
    assert risk(11.5, 12.5) == pytest.approx(RISK_AN_HOUR, rel=0.02)  # one hour at the peak, for a small dose
    by_day = [risk(24 * day + 12, 24 * day + 13) for day in (-12, -5, -2, 0, 2, 7, 14)]
    assert by_day[:4] == sorted(by_day[:4])
    assert by_day[3:] == sorted(by_day[3:], reverse=True)
    assert by_day[0] < by_day[-1] < 1e-5
    assert 0 < risk(12, 12.25) < risk(12, 13) < risk(12, 36) < 24 * RISK_AN_HOUR
    assert risk(-24 * 20, -24 * 19) == 0


def test_the_sum_of_two_doses_is_less_than_the_sum_of_two_risks() -> None:
    start, end = np.array([0, 24 * HOUR_US]), np.array([8 * HOUR_US, 32 * HOUR_US])
    both = float(risks_of((start, end), np.array([0]))[0])
    one, other = risk(0, 8), risk(24, 32)
    assert both == pytest.approx(1 - (1 - one) * (1 - other))


def test_words_name_what_counted_in_both_languages() -> None:
    counted = Counted(0.9, 5, 4, 3, 9.0, 1.0, 0.0)
    assert words_of(counted) == [
        "same zone",
        "arrived and left within minutes of each other on 3 of 5 days",
        "on 5 days",
        "together for most of both stays",
        "few others present",
    ]
    assert words_of(counted, "id")[1] == "datang dan pergi berselang beberapa menit pada 3 dari 5 hari"
    assert words_of(Counted(0.1, 1, 0, 1, 1239.0, 0.0, 1.0)) == [
        "different zones",
        "left within minutes of each other",
        "together for a small part of both stays",
        "about 1200 others present",
    ]
    assert words_of(Counted(0.5, 1, 0, 0, 25.0, 0.0, 0.0)) == []
