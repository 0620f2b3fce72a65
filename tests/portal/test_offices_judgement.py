"""What offices' pages work out: who uses QR codes, which case comes first, what a reason says in Indonesian. Pure."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.kept import Latest
from portal.offices.cases import decided, followed, grouped, per_case
from portal.offices.reasons import reason_in
from portal.offices.store import Held
from portal.offices.usage import DAYS, WEEKS, Bounds, FacilityDays, Use, change, counted, judge, judge_all, trends
from schemas.events import AlertData
from tests.tracing.ward import somebody
from tracing.cases.candidates import Exposure, Place, circumstances
from tracing.ranking.words import Counted, words_of

TODAY = date(2026, 11, 24)
BOUNDS = Bounds(stopped_days=7, lowest_days=14, lowest_a_day=1)
AT = datetime(2026, 11, 24, 3, tzinfo=UTC)


def facility(arrivals: list[int], *, district: str = "36.71", added: int = 400, was_used: bool = False) -> FacilityDays:
    """Return a facility whose last days are these; the days before had nobody."""
    days = [0] * (DAYS - len(arrivals)) + arrivals
    return FacilityDays(
        facility_id="F",
        name="Puskesmas",
        kind="puskesmas",
        district=district,
        added_on=TODAY - timedelta(days=added),
        was_used=was_used or any(days),
        arrivals=tuple(days),
        by_hand=0,
    )


@pytest.mark.parametrize(
    ("arrivals", "more", "use"),
    [
        ([9, 9, 9, 0, 0, 0, 0, 0, 0, 0], {}, Use.STOPPED),
        ([9, 9, 9, 9, 0, 0, 0, 0, 0, 0], {}, Use.IN_USE),  # six days without anybody: not seven
        ([], {"was_used": True}, Use.STOPPED),
        ([], {}, Use.NEVER),
        ([], {"added": 7}, Use.NEVER),
        ([], {"added": 6}, Use.NEW),
        ([1] * 14, {}, Use.LOWEST),
        ([2, *[1] * 13], {}, Use.IN_USE),
        ([0, 0, 0, 4], {}, Use.LOWEST),
        ([0, 0, 0, 4], {"added": 4}, Use.LOWEST),  # four days old: on average one a day
        ([0, 0, 1, 4], {"added": 4}, Use.IN_USE),
    ],
)
def test_a_facility_is_judged_by_its_last_whole_days(arrivals: list[int], more: dict[str, Any], use: Use) -> None:
    assert judge(facility(arrivals, **more), TODAY, BOUNDS) is use


@given(st.lists(st.lists(st.integers(0, 40), min_size=DAYS, max_size=DAYS), max_size=6))
def test_every_facility_is_judged_once_and_the_weeks_hold_every_arrival(towns: list[list[int]]) -> None:
    facilities = [facility(days) for days in towns]
    judged = judge_all(facilities, TODAY, BOUNDS)
    assert sum(counted(judged).values()) == len(facilities)
    order = [list(Use).index(one.use) for one in judged]
    assert order == sorted(order)
    found = trends(facilities, 5)
    assert sum(sum(one.weeks) for one in found) == sum(map(sum, towns))
    assert all(len(one.weeks) == WEEKS for one in found)


def test_areas_are_told_apart_by_the_length_of_their_codes() -> None:
    some = [facility([1] * 7, district=code) for code in ("36.71", "36.71", "36.03", "31.71")]
    assert [(one.area, one.facilities, one.weeks[-1]) for one in trends(some, 5)] == [
        ("31.71", 1, 7),
        ("36.03", 1, 7),
        ("36.71", 2, 14),
    ]
    assert [(one.area, one.facilities) for one in trends(some, 2)] == [("31", 1), ("36", 3)]


@pytest.mark.parametrize(
    ("weeks", "percent"), [([10, 5], -50), ([4, 9], 125), ([0, 9], None), ([7], None), ([], None), ([3, 3], 0)]
)
def test_a_week_is_compared_with_the_one_before(weeks: list[int], percent: int | None) -> None:
    assert change(weeks) == percent


def held(**changed: Any) -> Held:
    """Return an alert as an office holds it."""
    data = {name: changed.pop(name) for name in ("trace_ref", "contact_ref", "rank", "due_by") if name in changed}
    values: dict[str, Any] = {
        "alert_id": "a",
        "action": "added",
        "made_at": AT,
        "acknowledged_by": None,
        "acknowledged_at": None,
        "escalated": False,
        "decision": "",
        "decided_at": None,
        "decided_as": "",
    }
    values |= changed
    about: dict[str, Any] = {"trace_ref": "T1", "contact_ref": "C1", "rank": 1} | data
    told = AlertData(
        alert_id=values["alert_id"],
        version=1,
        action=values["action"],
        office="d3671",
        rule="kmk-4641-2021",
        **about,
    )
    return Held(data=told, **values)


def test_what_is_late_comes_before_what_waits_and_that_before_what_is_seen() -> None:
    seen = held(trace_ref="T3", acknowledged_at=AT, made_at=AT + timedelta(hours=9))
    late = held(trace_ref="T1", escalated=True, made_at=AT - timedelta(days=3))
    waits = held(trace_ref="T2")
    assert [one.trace_ref for one in grouped([seen, waits, late])] == ["T1", "T2", "T3"]


def test_within_a_case_waiting_candidates_come_by_rank_and_reviews_before_them() -> None:
    rows = [
        held(alert_id="third", rank=3, contact_ref="C3"),
        held(alert_id="seen", rank=1, contact_ref="C1", acknowledged_at=AT),
        held(alert_id="second", rank=2, contact_ref="C2"),
        held(alert_id="review", action="review", rank=0, contact_ref="C4"),
        held(alert_id="gone", action="withdrawn", rank=0, contact_ref="C5"),
        held(alert_id="summary", action="summary", contact_ref="", rank=0),
    ]
    (group,) = grouped(rows)
    assert group.summary is not None
    assert [one.alert_id for one in group.singles] == ["review", "second", "third", "seen", "gone"]
    assert group.waiting == 3


def test_whoever_is_not_decided_on_is_followed_up_first_and_a_withdrawn_one_never() -> None:
    rows = [
        held(contact_ref="A", decision="confirmed"),
        held(contact_ref="B", due_by=AT + timedelta(hours=2)),
        held(contact_ref="C", due_by=AT),
        held(contact_ref="D", decision="undecided"),
        held(contact_ref="E", action="withdrawn"),
        held(contact_ref="", action="summary"),
    ]
    found = followed(rows)
    assert [one.data.contact_ref for one in found] == ["C", "B", "D", "A"]
    assert decided(found) == {"": 2, "undecided": 1, "confirmed": 1, "dropped": 0}


@pytest.mark.parametrize(
    ("number", "band"), [(0, "limited"), (4, "limited"), (5, "moderate"), (14, "moderate"), (15, "adequate")]
)
def test_candidates_of_a_case_are_banded_as_the_ministry_bands_them(number: int, band: str) -> None:
    assert per_case([held(contact_ref=f"C{one}") for one in range(number)]) == (float(number), band)


def test_what_counted_is_said_in_indonesian_word_for_word() -> None:
    shapes = product((0.1, 0.5, 0.9), (1, 3), (0, 2), (0, 2), (3.0, 20.0, 60.0), (0.0, 1.0), (0.0, 1.0))
    for values in shapes:
        counted_ = Counted(*values)
        english, wanted = "; ".join(words_of(counted_)), "; ".join(words_of(counted_, "id"))
        assert reason_in("id", english) == wanted
        assert reason_in("en", english) == english


@pytest.mark.parametrize(
    ("english", "indonesian"),
    [
        ("1 meeting", "1 pertemuan"),
        ("12 meetings; check-in and check-out estimated", "12 pertemuan; waktu masuk dan keluar diperkirakan"),
        ("a scan was voided and a visit arrived late", "pindaian dibatalkan dan kunjungan datang terlambat"),
        ("evidence is weaker: 15-29 min instead of 60-239", "bukti melemah: 15-29 menit, sebelumnya 60-239"),
        ("evidence is weaker: degree 2 instead of 1", "bukti melemah: derajat 2, sebelumnya 1"),
        ("identity not proven; dropped by people", "identitas belum dibuktikan; digugurkan oleh petugas"),
        ("something new; 2 meetings", "something new; 2 pertemuan"),
    ],
)
def test_a_reason_is_translated_phrase_by_phrase_and_an_unknown_one_stays(english: str, indonesian: str) -> None:
    assert reason_in("id", english) == indonesian


def test_every_circumstance_that_an_alert_names_has_indonesian_words() -> None:
    place = Place(1, "F", "RS", "Asia/Jakarta", "36.71")
    for kind, apart, ppe in product(("place", "vehicle"), (False, True), (False, True)):
        met = Exposure(
            from_visit="a",
            to_visit="b",
            from_person=somebody(1),
            to_person=somebody(2),
            place=place,
            zone="",
            role="visitor",
            start=0,
            end=1,
            kind=kind,  # type: ignore[arg-type]  # one of the two
            apart=apart,
            ppe_unknown=ppe,
        )
        for told in circumstances([met]):
            assert reason_in("id", told) != told


def test_only_the_latest_answer_of_a_district_is_kept() -> None:
    asked: list[str] = []
    kept: Latest[str] = Latest()

    def answer(district: str, at: datetime, answer: str) -> str:
        async def compute() -> str:
            asked.append(answer)
            return answer

        return asyncio.run(kept.get(district, at, compute))

    later = AT + timedelta(minutes=15)
    assert answer("36.71", AT, "one") == answer("36.71", AT, "two") == "one"
    assert answer("36.03", AT, "three") == "three"
    assert answer("36.71", later, "four") == answer("36.71", later, "five") == "four"
    assert asked == ["one", "three", "four"]
