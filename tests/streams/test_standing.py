"""The standing worker's transaction and runs on a real database: late, voided and corrected visits; closing; stale."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from ops.secrets import ensure_secret
from ops.store import OWNER, fix_partitions
from portal.scans import AGE_MAX
from portal.store import look_as
from schemas.codec import Codec
from schemas.events import VisitChange
from schemas.settings import Settings
from streams.batches import Batch, Log
from streams.sealing import read_seal
from streams.standing import StandingStore
from streams.store import BatchStore
from streams.tidings import visit_changes
from tests.tracing.ward import Town, decide, positive, request, somebody
from tracing.cases.acknowledged import TRACE_LOCK, acknowledge
from tracing.cases.rows import person_uuid
from tracing.cases.store import read_trace
from tracing.cases.touching import touched_by
from tracing.difference import Difference
from tracing.instants import MINUTE_US
from tracing.rows import Facility
from tracing.store import connect
from tracing.visits import Visit

CASE, COMPANION, LATE = somebody(1), somebody(2), somebody(3)
DAY = "2026-11-09"
LATE_DAYS = 36_500


class Standing:
    """A town whose visits change, and the worker that hears of it."""

    def __init__(self, settings: Settings) -> None:
        fix_partitions(settings)
        ensure_secret(settings, "seal", "dead-letters")
        self.settings = settings
        self.town = Town(settings)
        self.stored: list[Visit] = []
        with self.town.as_role(OWNER) as cur:  # whatever year it is, a trace of these visits is open
            cur.execute("select value from setting_dated where name = 'late_days_max'")
            self.late_days_max = cur.fetchone()[0]
            cur.execute("update setting_dated set value = %s where name = 'late_days_max'", (LATE_DAYS,))
        self.log: dict[int, list[Any]] = {number: [] for number in range(settings.partitions)}
        self.read = dict.fromkeys(self.log, 0)
        self.store = self.new_store()
        self.facilities = {
            number: Facility(number, facility_id, "hospital", "Asia/Jakarta")
            for facility_id, number in self.town.numbers.items()
        }

    def new_store(self) -> StandingStore:
        store = StandingStore(self.settings, read_seal(self.settings))
        ends = {("visit.v1", number): 10**9 for number in self.log}
        store.positions(Log("a-cluster", dict.fromkeys(ends, 0), ends))
        return store

    def change(self, gone: Sequence[Visit], come: Sequence[Visit]) -> None:
        """Change the visits of one person, and say so on the topic."""
        with self.town.as_role("jejak_visits") as cur:
            for visit in gone:
                for table in ("visit", "visit_long"):
                    cur.execute(f"delete from {table} where visit_id = %s", (visit.visit_id,))  # noqa: S608 — two names
        self.town.stays(come)
        difference = Difference(gone=list(gone), come=list(come), counts={})
        for partition, _, value in visit_changes([difference], self.facilities, self.settings.partitions):
            self.append(partition, value)

    def append(self, partition: int, value: bytes | None) -> None:
        records = self.log[partition]
        records.append(SimpleNamespace(offset=len(records), timestamp=0, key=b"", value=value))

    def hear(self, partitions: Iterable[int] | None = None) -> None:
        """Let the worker take what is new, of all partitions (or these) together, and run what is due."""
        some = self.log.keys() if partitions is None else set(partitions)
        news = {number: self.log[number][self.read[number] :] for number in some}
        self.read |= {number: len(self.log[number]) for number in some}
        self.store.apply_all([Batch("visit.v1", number, records) for number, records in news.items() if records])
        while self.store.step():
            pass

    def alerts(self) -> list[tuple[str, str, str]]:
        """Return the office, action and reason of all alerts about candidates, in the order of revisions."""
        return self.town.ask(
            "select office, action, body -> 'data' ->> 'reason' from alert where contact_ref <> ''"
            " order by revision, office, alert_id"
        )

    def revision(self) -> int:
        return int(self.town.ask("select max(revision) from trace")[0][0])


@pytest.fixture
def standing(fresh_database: Callable[[], Settings]) -> Iterator[Standing]:
    made = Standing(fresh_database())
    made.stored.append(made.town.stay(CASE, "RS-1", f"{DAY} 08:00", f"{DAY} 10:00"))
    made.stored.append(made.town.stay(COMPANION, "RS-1", f"{DAY} 08:30", f"{DAY} 10:00"))
    made.town.take(positive(CASE))
    yield made
    made.store.close()
    made.town.close()


def visit(town: Town, person: str, start: str, end: str, facility: str = "RS-1", **changes: Any) -> Visit:
    return town.visit(person, facility, f"{DAY} {start}", f"{DAY} {end}", **changes)


def test_a_late_visit_is_told_as_added_and_one_that_goes_as_withdrawn(standing: Standing) -> None:
    late = visit(standing.town, LATE, "09:00", "09:40")
    standing.change([], [late])
    standing.hear()
    assert [one[:2] for one in standing.alerts()[-2:]] == [("d3671", "added"), ("p36", "added")]
    longer = msgspec.structs.replace(late, check_out=late.check_out + 60_000_000 * 10)
    standing.change([late], [longer])
    standing.hear()
    assert [one[1] for one in standing.alerts()[-2:]] == ["changed", "changed"]
    standing.change([longer], [])
    standing.hear()
    assert [one[1] for one in standing.alerts()[-2:]] == ["withdrawn", "withdrawn"]
    assert standing.revision() == 4


def acknowledged(standing: Standing, action: str = "added", office: str = "d3671") -> str:
    """Acknowledge the office's alert about the companion; return its candidate's name."""
    ((alert_id, ref),) = standing.town.ask(
        "select alert_id, contact_ref from alert where office = %s and action = %s", office, action
    )
    with standing.town.as_role("jejak_gate") as cur:
        look_as(cur.connection, office)
        assert acknowledge(cur, alert_id, office, "Sri") is not None
    return str(ref)


def only_visit(standing: Standing, person: str) -> Visit:
    (found,) = [one for one in standing.stored if one.person == person_uuid(person)]
    return found


def test_what_was_acknowledged_becomes_a_review_and_what_was_not_is_withdrawn(standing: Standing) -> None:
    acknowledged(standing)
    standing.change([only_visit(standing, COMPANION)], [])
    standing.hear()
    office, province = standing.alerts()[-2:]
    assert office == ("d3671", "review", "no meeting is left that concerns this office; a visit was corrected")
    assert province[:2] == ("p36", "withdrawn")
    before = standing.alerts()
    standing.change([], [visit(standing.town, LATE, "09:00", "09:40")])
    standing.hear()
    assert [one[1] for one in standing.alerts()[len(before) :]] == ["added", "added"]  # asked to review once only


def test_less_time_together_is_a_review_for_who_acknowledged_and_a_change_for_who_did_not(standing: Standing) -> None:
    acknowledged(standing)
    was = only_visit(standing, COMPANION)
    shorter = msgspec.structs.replace(was, check_out=was.check_in + 20 * MINUTE_US)
    standing.change([was], [shorter])
    standing.hear()
    office, province = standing.alerts()[-2:]
    assert office[:2] == ("d3671", "review")
    assert "evidence is weaker: 15-29 min instead of 60-239" in office[2]
    assert province[:2] == ("p36", "changed")
    standing.change([shorter], [was])
    standing.hear()
    assert [one[1] for one in standing.alerts()[-2:]] == ["changed", "changed"]


def test_a_person_decides_about_a_review_and_only_then_it_is_withdrawn(standing: Standing) -> None:
    ref = acknowledged(standing)
    case_id = standing.town.case(CASE)[0]
    standing.town.take(decide(CASE, case_id, ref, "confirmed"))
    black = standing.town.ask("select person::text, until from person_status order by 1")
    assert len(black) == 2
    standing.change([only_visit(standing, COMPANION)], [])
    standing.hear()
    assert standing.town.ask("select person::text, until from person_status order by 1") == black
    standing.town.take(decide(CASE, case_id, ref, "dropped"))
    assert standing.alerts()[-1] == ("d3671", "withdrawn", "dropped by people")
    assert len(standing.town.ask("select 1 from person_status")) == 1
    held = standing.town.ask(
        "select 1 from alert a where office = 'd3671' and contact_ref <> '' and action <> 'withdrawn' and not exists"
        " (select from alert later where later.contact_ref = a.contact_ref and later.revision > a.revision)"
    )
    assert held == []


def test_a_review_whose_meeting_is_found_again_is_a_change(standing: Standing) -> None:
    acknowledged(standing)
    was = only_visit(standing, COMPANION)
    standing.change([was], [])
    standing.hear()
    standing.change([], [was])
    standing.hear()
    assert [one[:2] for one in standing.alerts()[-2:]] == [("d3671", "changed"), ("p36", "added")]


def test_a_case_taken_back_asks_for_a_review_of_what_was_acknowledged(standing: Standing) -> None:
    acknowledged(standing)
    ((result_id, lab_ref),) = standing.town.ask("select result_id::text, lab_ref from test_result")
    standing.town.take(positive(CASE, status="entered_in_error", supersedes=result_id, lab_ref=lab_ref))
    assert [one[:2] for one in standing.alerts()[-2:]] == [("d3671", "review"), ("p36", "withdrawn")]
    assert all(one[2].endswith("the trace was taken back") for one in standing.alerts()[-2:])


def test_a_visit_far_away_in_place_or_time_runs_nothing(standing: Standing) -> None:
    ran = standing.town.ask("select revised_at from trace")
    standing.change([], [visit(standing.town, somebody(4), "08:30", "09:30", "PKM-1")])
    standing.change([], [visit(standing.town, somebody(5), "12:00", "13:00")])
    standing.hear()
    assert standing.town.ask("select revised_at from trace") == ran
    standing.change([], [visit(standing.town, somebody(6), "10:20", "13:00")])  # a tail could reach so far
    standing.hear()
    assert standing.town.ask("select revised_at from trace") != ran


def test_many_changes_of_many_partitions_are_one_run_and_repeats_none(standing: Standing) -> None:
    for number in range(20, 40):
        standing.change([], [visit(standing.town, somebody(number), "09:00", "09:40")])
    assert sum(bool(records) for records in standing.log.values()) > 3
    standing.hear()
    assert standing.revision() == 2
    assert [one[1] for one in standing.alerts()] == ["added"] * 2 + ["added"] * 40
    standing.read = dict.fromkeys(standing.log, 0)
    standing.store = standing.new_store()
    standing.hear()
    assert standing.revision() == 2
    applied, dead = standing.town.ask("select sum(applied)::int, sum(dead)::int from position")[0]
    assert (applied, dead) == (20, 0)


def test_a_worker_that_dies_before_its_runs_leaves_them_due_and_the_next_one_runs_them(standing: Standing) -> None:
    standing.change([], [visit(standing.town, LATE, "09:00", "09:40")])
    (partition,) = [number for number, records in standing.log.items() if records]
    BatchStore.apply(standing.store, Batch("visit.v1", partition, standing.log[partition]))  # its first transaction
    assert standing.town.ask("select due from trace") == [(True,)]
    assert standing.revision() == 1
    standing.store.close()
    standing.store = standing.new_store()
    standing.store.tick()
    assert standing.revision() == 2
    assert standing.town.ask("select due from trace") == [(False,)]


def test_a_trace_being_run_by_another_is_waited_for_and_run_again(standing: Standing) -> None:
    far = visit(standing.town, somebody(7), "08:30", "09:30", "PKM-1")
    conn = connect(standing.settings, "jejak_traces")
    try:
        conn.autocommit = True
        with conn.cursor() as cur:
            name = f"{standing.town.case(CASE)[0]}|kmk-4641-2021"
            cur.execute(f"select pg_advisory_lock({TRACE_LOCK.format('%s')})", (name,))
        with standing.town.as_role("jejak_standing") as cur:
            touched = touched_by(cur, [_change(standing, far)])
    finally:
        conn.close()
    assert [one.case_id for one in touched] == [standing.town.case(CASE)[0]]
    with standing.town.as_role("jejak_standing") as cur:
        assert touched_by(cur, [_change(standing, far)]) == []


def _change(standing: Standing, come: Visit) -> VisitChange:
    difference = Difference(gone=[], come=[come], counts={})
    ((_, _, value),) = visit_changes([difference], standing.facilities, standing.settings.partitions)
    assert value is not None
    return Codec(VisitChange).decode(value)


def test_records_that_cannot_be_used_are_dead_and_the_others_count(standing: Standing) -> None:
    late = visit(standing.town, LATE, "09:00", "09:40")
    standing.change([], [late])
    (partition,) = [number for number, records in standing.log.items() if records]
    good = standing.log[partition][0].value
    for value in (b"{", None, good.replace(b"RS-1", b"R\\u0000")):
        standing.append(partition, value)
    standing.append((partition + 1) % standing.settings.partitions, good)
    standing.hear()
    assert [one[:2] for one in standing.alerts()[-2:]] == [("d3671", "added"), ("p36", "added")]
    reasons = [row[0] for row in standing.town.ask("select reason from dead_letter order by reason")]
    assert len(reasons) == 4
    assert "field person_id: belongs to another partition" in reasons


def test_a_trace_closes_by_the_databases_clock_and_later_data_make_it_stale_and_tell_the_owner(
    standing: Standing,
) -> None:
    ((closes, window_to),) = standing.town.ask("select closes_at, window_to from trace")
    assert closes - window_to == timedelta(days=LATE_DAYS)
    assert standing.late_days_max == AGE_MAX.days  # what the gate takes at most
    standing.store.tick()
    assert standing.town.ask("select state from trace") == [("open",)]
    _pass_by(standing)
    case_id = standing.town.case(CASE)[0]
    assert read_trace(standing.town.conn, case_id).trace_state == "closed"  # before anybody has looked at the clock
    standing.store.tick()
    assert standing.town.ask("select state from trace") == [("closed",)]
    told = standing.alerts()
    for number in (3, 4):
        standing.change([], [visit(standing.town, somebody(number), "09:00", "09:40")])
        standing.hear()
    assert read_trace(standing.town.conn, case_id).trace_state == "stale"
    assert standing.alerts() == told
    assert standing.revision() == 1
    ((office, body),) = standing.town.ask("select office, body -> 'data' from alert where action = 'review'")
    assert (office, body["contact_ref"], body["facility_id"]) == ("d3671", "", "")
    assert "ask for the trace again" in body["reason"]
    ((waiting,),) = standing.town.ask(
        "select count(*) from outbox where topic = 'alert.d3671' and source_topic = 'trace' and count = 1"
    )
    assert waiting == 1
    standing.town.take(request(CASE))
    assert [one[1] for one in standing.alerts()[len(told) :]] == ["added"] * 4
    assert read_trace(standing.town.conn, case_id).trace_state == "open"
    told = standing.alerts()
    _pass_by(standing)
    standing.town.conn.rollback()
    standing.town.take(request(CASE))  # runs, and finds nothing new
    _pass_by(standing)
    for number in (8, 9):
        standing.change([], [visit(standing.town, somebody(number), "09:00", "09:40")])
        standing.hear()
        standing.town.take(request(CASE))
        _pass_by(standing)
    assert [one[1] for one in standing.alerts()[len(told) :]] == ["added"] * 4
    assert len(standing.town.ask("select 1 from alert where action = 'review'")) == 3


def test_where_case_and_candidates_go_long_after_makes_no_trace_stale(standing: Standing) -> None:
    _pass_by(standing)
    for person in (CASE, COMPANION):
        standing.change([], [standing.town.visit(person, "RS-1", "2027-02-01 08:00", "2027-02-01 10:00")])
    standing.change([], [standing.town.visit(LATE, "RS-1", "2027-02-01 09:00", "2027-02-01 09:40")])
    standing.hear()
    standing.store.tick()
    assert standing.town.ask("select state from trace") == [("closed",)]
    standing.change([], [standing.town.visit(COMPANION, "PKM-1", "2026-11-20 08:00", "2026-11-20 10:00")])
    standing.hear()
    assert standing.town.ask("select state from trace") == [("stale",)]


def _pass_by(standing: Standing) -> None:
    with standing.town.as_role(OWNER) as cur:
        cur.execute("update trace set closes_at = now() - interval '1 second'")


def test_advice_to_the_gates_ends_while_nothing_comes(standing: Standing) -> None:
    with standing.town.as_role(OWNER) as cur:
        cur.execute("update person_status set until = now() - interval '1 second'")
    standing.store.tick()
    assert standing.town.ask("select bool_and(ended) from person_status") == [(True,)]
    assert standing.town.ask("select count(*) from outbox where topic = 'person-status.v1'") == [(1,)]


def test_who_becomes_a_case_is_labelled_in_the_traces_that_have_him(standing: Standing) -> None:
    case_id = standing.town.case(CASE)[0]
    assert not read_trace(standing.town.conn, case_id).contacts[0].already_case
    standing.town.conn.rollback()
    standing.town.take(positive(COMPANION))
    standing.store.tick()
    assert read_trace(standing.town.conn, case_id).contacts[0].already_case
    assert standing.town.ask("select max(revision) from trace where case_id = %s", case_id) == [(1,)]


def test_a_trace_that_the_database_refuses_stays_due_and_the_others_are_run(standing: Standing) -> None:
    standing.town.stay(somebody(50), "PKM-1", f"{DAY} 08:00", f"{DAY} 10:00")
    standing.town.take(positive(somebody(50)))
    first, second = (row[0] for row in standing.town.ask("select trace_id from trace order by trace_id"))
    with standing.town.as_role(OWNER) as cur:
        cur.execute(f"alter table candidate add constraint no_more check (trace_id <> {first}) not valid")
    standing.change([], [visit(standing.town, LATE, "09:00", "09:40")])
    standing.change([], [visit(standing.town, somebody(51), "09:00", "09:40", "PKM-1")])
    standing.hear()
    assert standing.town.ask("select trace_id from trace where due") == [(first,)]
    assert standing.town.ask("select revision from trace where trace_id = %s", second) == [(2,)]
    with standing.town.as_role(OWNER) as cur:
        cur.execute("alter table candidate drop constraint no_more")
    standing.store.tick()
    assert standing.town.ask("select revision from trace where trace_id = %s", first) == [(2,)]
