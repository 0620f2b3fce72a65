"""Who is black: when negative tests end it, and what it cannot rest on; laws of the pure rules, and what gates hear."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import TestResult
from schemas.settings import Settings
from tests.tracing.ward import Town, at, decide, positive, somebody, town_in, uuid7
from tracing.cases.facts import Case, Result
from tracing.cases.rows import person_uuid
from tracing.cases.status import BlackDays, black_until, is_let_go, is_recovered
from tracing.cases.store import read_trace
from tracing.instants import DAY_US, us_of
from tracing.job import run_trace
from tracing.visits import Visit

DAYS = BlackDays(case=10, contact=14, case_test_day=5, case_test_hours=24, contact_test_day=5)
HOUR_US = DAY_US // 24
POSITIVE_AT = us_of(datetime.fromisoformat("2026-11-10T09:00:00+07:00"))
CASE, COMPANION = somebody(1), somebody(2)


def result(specimen_at: int, test: str = "pcr", outcome: str = "negative", status: str = "final") -> Result:
    return Result(
        result_id=f"r{specimen_at}", laboratory="LAB-1", lab_ref="L", by="lab", result=outcome, status=status,
        specimen_at=specimen_at, reported_at=specimen_at, received_at=specimen_at, test=test,
    )  # fmt: skip


FOUND = result(POSITIVE_AT, outcome="positive")
tests = st.lists(
    st.builds(
        result,
        st.integers(-2 * 24, 20 * 24).map(lambda hours: POSITIVE_AT + hours * HOUR_US),
        st.sampled_from(["pcr", "antigen"]),
        status=st.sampled_from(["final", "corrected", "preliminary"]),
    ),
    max_size=6,
)


def day_of(one: Result) -> date:
    return (datetime(1970, 1, 1) + timedelta(microseconds=one.specimen_at, hours=7)).date()  # noqa: DTZ001 — WIB


@given(tests)
def test_two_final_pcrs_a_day_apart_from_the_fifth_day_on_and_nothing_else_end_black(negatives: list[Result]) -> None:
    good = [
        one for one in negatives
        if one.test == "pcr" and one.status != "preliminary" and (day_of(one) - date(2026, 11, 10)).days >= 5
    ]  # fmt: skip
    pairs = any(abs(a.specimen_at - b.specimen_at) >= 24 * HOUR_US for a in good for b in good)
    assert is_recovered(FOUND, negatives, DAYS) == pairs


@given(tests, st.integers(-24, 24 * 4))
def test_one_final_test_of_either_kind_from_the_fifth_day_on_lets_a_contact_go(
    negatives: list[Result], hours: int
) -> None:
    last_end = POSITIVE_AT + hours * HOUR_US
    last_day = day_of(result(last_end))
    good = [one for one in negatives if one.status != "preliminary" and (day_of(one) - last_day).days >= 5]
    assert is_let_go(last_end, negatives, DAYS) == bool(good)


@given(tests)
def test_where_the_day_is_none_no_test_ends_black(negatives: list[Result]) -> None:
    never = BlackDays(10, 14)
    assert not is_recovered(FOUND, negatives, never)
    assert not is_let_go(POSITIVE_AT, negatives, never)


@given(tests, tests)
def test_more_tests_never_make_black_longer_and_no_test_ends_that_of_another(
    mine: list[Result], others: list[Result]
) -> None:
    case = Case(
        case_id="K1", state="open", classification="konfirmasi", date_specimen=date(2026, 11, 10),
        requested_by="lab", requested_role="laboratory", reason="r", opened_at=POSITIVE_AT,
    )  # fmt: skip

    def black(negatives: dict[str, list[Result]]) -> dict[str, int]:
        return black_until(case, "a", [FOUND], {"b"}, {"b": POSITIVE_AT}, {}, DAYS, negatives)

    without, with_mine = black({}), black({"a": mine})
    assert with_mine.items() <= without.items()
    assert black({"a": mine, "b": others}).items() <= with_mine.items()
    assert "b" in with_mine
    assert set(without) == {"a", "b"}


@pytest.fixture
def town(fresh_database: Callable[[], Settings]) -> Iterator[Town]:
    with town_in(fresh_database) as made:
        made.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-09 10:00", zones=())
        made.stay(COMPANION, "RS-1", "2026-11-09 08:30", "2026-11-09 10:00", role="companion")
        yield made


def negative(person: str, day: str, test: str = "pcr") -> TestResult:
    return positive(person, result="negative", test=test, specimen_at=at(day), reported_at=at(day))


def black(town: Town) -> set[str]:
    return {row[0] for row in town.ask("select replace(person::text, '-', '') from person_status")}


def run_due(town: Town) -> list[bytes]:
    """Run what is due, as the standing worker does; return the keys of the tombstones."""
    due = town.ask("select case_id from trace where due order by 1")
    messages = [message for (case_id,) in due for message in run_trace(town.conn, case_id).messages]
    return [message.key for message in messages if message.topic == "person-status.v1" and message.value is None]


def test_two_negative_pcrs_end_a_cases_black_with_a_tombstone_and_a_withdrawn_one_brings_it_back(town: Town) -> None:
    town.take(positive(CASE))
    assert black(town) == {CASE}
    town.take(negative(CASE, "2026-11-16 06:00"))
    town.take(negative(CASE, "2026-11-17 07:00", "antigen"))
    town.take(negative(CASE, "2026-11-17 05:00"))
    assert black(town) == {CASE}
    second = negative(CASE, "2026-11-17 06:00")
    ended = [message for run in town.take(second) for message in run.messages if message.topic == "person-status.v1"]
    assert [message.value for message in ended] == [None]
    assert black(town) == set()
    wrong = msgspec.structs.replace(second, result_id=uuid7(), status="entered_in_error", supersedes=second.result_id)
    town.take(wrong)
    assert black(town) == {CASE}


def test_a_negative_test_of_a_contact_ends_his_black_in_the_trace_of_another(town: Town) -> None:
    town.take(positive(CASE))
    case_id = town.case(CASE)[0]
    town.take(decide(CASE, case_id, read_trace(town.conn, case_id).contacts[0].contact_ref, "confirmed"))
    assert black(town) == {CASE, COMPANION}
    town.take(negative(COMPANION, "2026-11-13 09:00", "antigen"))
    assert run_due(town) == []
    town.take(negative(COMPANION, "2026-11-14 09:00", "antigen"))
    assert run_due(town) == [f"{COMPANION}|{case_id}".encode()]
    assert black(town) == {CASE}
    assert town.ask("select count(*) from person_status where person = %s", person_uuid(COMPANION)) == [(0,)]


def scanned(town: Town, visit: Visit, assurance: str) -> None:
    """Store the scan that opened a visit."""
    with town.as_role("jejak_visits") as cur:
        cur.execute(
            "insert into scan (person, scan_id, facility_no, gate, at, zone, admitted, role, channel, digest,"
            " accepted_at, group_id, refused_reason, assurance, device_id, entered_by, received_at)"
            " values (%s, %s, %s, 'entrance', now(), '', true, 'visitor', 'app', gen_random_uuid(), now(), '', '', %s,"
            " '', '', now())",
            (visit.person, visit.visit_id, visit.facility, assurance),
        )


@pytest.mark.parametrize("proof", ["decision", "scan"])
def test_scans_that_prove_nobody_make_a_confirmed_contact_black_only_with_a_proof(town: Town, proof: str) -> None:
    claimed = somebody(7)
    scanned(town, town.stay(claimed, "RS-1", "2026-11-09 08:20", "2026-11-09 10:00"), "self")
    town.take(positive(CASE))
    case_id = town.case(CASE)[0]
    ref = dict(town.ask("select replace(person::text, '-', ''), contact_ref from candidate"))[claimed]
    town.take(decide(CASE, case_id, ref, "confirmed"))
    assert black(town) == {CASE}
    if proof == "decision":
        town.take(decide(CASE, case_id, ref, "confirmed", identity_checked=True))
    else:
        scanned(town, town.stay(claimed, "RS-1", "2026-11-10 08:00", "2026-11-10 09:00"), "officer_saw_id")
        town.stay(CASE, "RS-1", "2026-11-10 08:00", "2026-11-10 09:00", zones=())
        run_trace(town.conn, case_id)
    assert black(town) == {CASE, claimed}
    town.take(decide(CASE, case_id, ref, "confirmed"))
    assert black(town) == {CASE, claimed}
    town.take(decide(CASE, case_id, ref, "dropped"))
    assert black(town) == {CASE}


def test_a_case_needs_no_proof_for_a_laboratory_knows_whose_it_is(town: Town) -> None:
    patient = somebody(8)
    scanned(town, town.stay(patient, "PKM-1", "2026-11-09 08:20", "2026-11-09 10:00"), "self")
    town.take(positive(patient))
    assert black(town) == {patient}
