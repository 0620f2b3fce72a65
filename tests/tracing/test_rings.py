"""Second degree and sources online against an oracle of files: random towns in a real database, one time zone."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.settings import Settings
from tests.tracing import naive_trace as naive
from tests.tracing.naive_trace import Row
from tests.tracing.trace_cases import asked_of
from tests.tracing.ward import FACILITIES, ONSET, Town, positive, somebody, town_in, uuid7
from tracing.cases.met import codes_of, halves, merged
from tracing.cases.rows import open_trace, person_uuid
from tracing.cases.sources import read_ranked_sources
from tracing.instants import MINUTE_US, us_of, utc_of
from tracing.job import run_trace
from tracing.overlaps import Spans
from tracing.rulesets import rule_of
from tracing.visits import Visit

ZONE = "Asia/Jakarta"
PLACES = ("RS-1", "PKM-1", "PKM-2")
PERSONS = [person_uuid(somebody(number)) for number in range(40)]
START = us_of(positive(somebody(0)).specimen_at) - 14 * 1_440 * MINUTE_US
ALIKE: naive.Likely = defaultdict(Fraction)  # nobody is likelier than another: by minutes
RULES = ("kmk-4641-2021", "cdc-2020", "cwa")


def stays(random: Random, town: Town) -> list[Visit]:
    made = []
    for _ in range(200):
        place = random.choice(PLACES)
        check_in = START + random.randrange(30 * 96) * 15 * MINUTE_US + random.choice([0, 0, 1, MINUTE_US - 1])
        is_open = random.random() < 0.2
        length = 120 if is_open else random.choice([0, 9, 15, 16, 60, 240, 600, 1_500, 6_000])
        made.append(
            Visit(
                visit_id=uuid7(),
                person=random.choice(PERSONS),
                facility=town.numbers[place],
                kind=FACILITIES[place][1],
                time_zone=ZONE,
                check_in=check_in,
                check_out=check_in + length * MINUTE_US,
                check_in_estimated=False,
                check_out_estimated=is_open,
                role="visitor",
            )
        )
    return made


def row_of(visit: Visit) -> Row:
    return {
        "visit_id": visit.visit_id,
        "person_id": str(visit.person),
        "facility_id": str(visit.facility),
        "zone": "",
        "check_in": utc_of(visit.check_in).isoformat(),
        "check_out": "" if visit.check_out_estimated else utc_of(visit.check_out).isoformat(),
    }


def stored_exposures(town: Town, case_id: str, rule: str) -> list[tuple[Any, ...]]:
    rows = town.ask(
        "select from_visit::text, to_visit::text, from_person::text, to_person::text, degree, starts, ends"
        " from exposure join trace using (trace_id) where case_id = %s and rule = %s",
        case_id,
        rule,
    )
    return sorted((case_id, *row[:4], str(row[4]), *(at.astimezone(UTC).isoformat() for at in row[5:])) for row in rows)


@pytest.mark.parametrize("seed", range(3))
def test_online_second_degree_and_sources_are_those_of_a_file(
    fresh_database: Callable[[], Settings], seed: int
) -> None:
    random = Random(seed)
    seen_second = seen_sources = 0
    with town_in(fresh_database) as town:
        visits = stays(random, town)
        town.stays(visits)
        rows, cases = [row_of(visit) for visit in visits], []
        for number in range(8):
            onset = ONSET + timedelta(days=random.randrange(-3, 5))
            isolation = random.choice([None, ONSET + timedelta(days=random.randrange(-4, 8))])
            town.take(positive(somebody(number), date_onset=onset, date_isolation=isolation))
            case_id = town.case(somebody(number))[0]
            cases.append(case_row(case_id, PERSONS[number], onset, isolation))
        for rule_id in RULES:
            asked = asked_of(rule_of(rule_id), ZONE, 2)
            with town.conn, town.conn.cursor() as cur:
                for case in cases:
                    open_trace(cur, case["case_id"], rule_id)
            for case in cases:
                run_trace(town.conn, case["case_id"], rule_id)
            _, expected = naive.forward(rows, cases, asked, ALIKE)
            sources = naive.backward(rows, cases, asked, ALIKE)
            for case in cases:
                case_id = case["case_id"]
                assert stored_exposures(town, case_id, rule_id) == sorted(one for one in expected if one[0] == case_id)
                ((trace_id,),) = town.ask(
                    "select trace_id from trace where case_id = %s and rule = %s", case_id, rule_id
                )
                with town.conn, town.conn.cursor() as cur:
                    ranked = read_ranked_sources(cur, trace_id, rule_of(rule_id))
                found = [(one.person or "unknown", one.plausible) for one in ranked]
                assert found == [(one.source, one.plausible) for one in sources if one.case_id == case_id]
                seen_sources += len(found)
            seen_second += sum(one[5] == "2" for one in expected)
    assert seen_second > 20
    assert seen_sources > 50


def case_row(case_id: str, person: str, onset: date, isolation: date | None) -> Row:
    return {
        "case_id": case_id,
        "person_id": person,
        "date_onset": onset.isoformat(),
        "date_specimen": "",
        "date_isolation": isolation.isoformat() if isolation else "",
    }


def test_beyond_the_limit_the_pairs_longest_together_are_kept_and_all_are_counted(
    fresh_database: Callable[[], Settings],
) -> None:
    with town_in(fresh_database) as town:
        case, contact = somebody(1), somebody(2)
        town.stay(case, "RS-1", "2026-11-09 08:00", "2026-11-09 10:00")
        town.stay(contact, "RS-1", "2026-11-09 08:00", "2026-11-09 10:00")
        town.stay(contact, "PKM-1", "2026-11-14 08:00", "2026-11-14 12:00")
        for number in range(12):
            town.stay(somebody(10 + number), "PKM-1", "2026-11-14 08:00", f"2026-11-14 09:{10 + number}")
        set_number(town, "second_degree_limit", 5)
        (run,) = town.take(positive(case))
        kept = town.ask("select person::text from candidate where degree = 2 order by overlap_us desc")
        assert kept == [(person_uuid(somebody(10 + number)),) for number in (11, 10, 9, 8, 7)]
        ((header,),) = town.ask("select header -> 'rows' from trace")
        assert header["second_degree_pairs"] == 12
        assert {alert.data.degree for alert in run.alerts if alert.data.action == "added"} == {1}
        set_number(town, "second_degree_told", 1)
        again = run_trace(town.conn, town.case(case)[0])
        district = [alert.data for alert in again.alerts if alert.data.office == "d3671" and alert.data.contact_ref]
        assert [(one.degree, one.rank) for one in district] == [(2, rank) for rank in range(2, 7)]
        set_number(town, "second_degree_limit", 0)
        without = run_trace(town.conn, town.case(case)[0])
        assert without.candidates == 1
        assert {alert.data.action for alert in without.alerts if alert.data.contact_ref} == {"withdrawn"}


def set_number(town: Town, name: str, value: int) -> None:
    with town.as_role("jejak_owner") as cur:
        cur.execute("update setting_dated set value = %s where name = %s", (value, name))


def test_each_contact_has_the_days_of_the_place_where_he_is(fresh_database: Callable[[], Settings]) -> None:
    with town_in(fresh_database) as town:
        case, contact = somebody(1), somebody(2)
        town.stay(case, "RS-1", "2026-11-09 08:00", "2026-11-09 10:00")
        town.stay(contact, "RS-1", "2026-11-09 08:00", "2026-11-09 10:00")
        # The last day is the 23rd; in Jayapura it ends two hours earlier than in Jakarta.
        for place, person, start, end in (
            ("RS-9", 3, "2026-11-23 23:40", "2026-11-24 00:10"),
            ("RS-9", 4, "2026-11-23 23:50", "2026-11-24 00:10"),
            ("RS-1", 5, "2026-11-23 23:45", "2026-11-24 02:00"),
        ):
            town.stay(contact, place, start, end, person=person_uuid(contact))
            town.stay(somebody(person), place, start, end)
        town.take(positive(case))
        found = {person for (person,) in town.ask("select person::text from candidate where degree = 2")}
        assert found == {person_uuid(somebody(3)), person_uuid(somebody(5))}


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 40), st.integers(0, 20)), max_size=12),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_merged_spans_cover_the_same_and_never_overlap(
    spans: list[tuple[int, int, int]], before: int, after: int
) -> None:
    place, start, length = (
        (np.array(column, dtype=np.int64) for column in zip(*spans, strict=True))
        if spans
        else (np.empty(0, dtype=np.int64) for _ in range(3))
    )
    found = merged(Spans(place, start, start + length), before, after)
    covered = {(p, t) for p, s, n in spans if n for t in range(s - before, s + n + after)}
    pieces = list(zip(*(column.tolist() for column in found), strict=True))
    assert {(p, t) for p, s, e in pieces for t in range(s, e)} == covered
    assert sum(e - s for _, s, e in pieces) == len(covered)


@given(st.lists(st.integers(0, 2**128 - 1) | st.integers(0, 3), max_size=12))
def test_persons_have_one_number_each_in_the_order_of_their_ids(numbers: list[int]) -> None:
    persons = [f"{number:032x}" for number in numbers]
    codes = codes_of(*halves(persons)).tolist()
    order = {person: place for place, person in enumerate(sorted(set(persons)))}
    assert codes == [order[person] for person in persons]


def test_an_instant_survives_the_way_to_the_database_and_back(fresh_database: Callable[[], Settings]) -> None:
    odd = us_of(datetime(2099, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
    with town_in(fresh_database) as town:
        assert town.ask("select (extract(epoch from instant_of(%s)) * 1000000)::bigint", odd) == [(odd,)]
