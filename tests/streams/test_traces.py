"""The traces worker on a real broker and database: killed, fed with nonsense, asked twice."""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count

import msgspec
import pytest

from producers.sender import Sender
from schemas.codec import encode
from schemas.events import ContactDecision, TestResult, TraceRequest
from schemas.partition import partition_of
from schemas.settings import Settings
from schemas.topics import CONTACT_DECISION, TEST_RESULT, TRACE_REQUEST
from streams.sealing import read_seal
from tests.commands import wait_until
from tests.streams.flow import ask, closing_after, running
from tests.tracing.ward import Town, decide, positive, request, somebody, town_in
from tracing.cases.rows import person_uuid
from tracing.cases.store import read_trace

FACTS = {TestResult: TEST_RESULT, TraceRequest: TRACE_REQUEST, ContactDecision: CONTACT_DECISION}
_persons = count(1000)


@pytest.fixture(scope="module")
def town(installation: Settings) -> Iterator[Town]:
    with town_in(lambda: installation) as made:
        yield made


@pytest.fixture
def meeting(town: Town) -> tuple[str, str]:
    """Return a case and whom he met."""
    case, other = somebody(next(_persons)), somebody(next(_persons))
    start = next(_persons)  # a minute of its own, so that no two meetings are one
    day = f"2026-11-{8 + start % 10:02d}"
    town.stay(case, "PKM-1", f"{day} 08:00", f"{day} 08:40")
    town.stay(other, "PKM-1", f"{day} 08:00", f"{day} 08:30")
    return case, other


def send(settings: Settings, facts: Iterable[TestResult | TraceRequest | ContactDecision]) -> None:
    with Sender(settings, "gate") as sender:
        sender.confirm(
            [
                sender.send(
                    FACTS[type(fact)].name,
                    fact.person_id.encode(),
                    encode(fact),
                    partition_of(fact.person_id, settings.partitions),
                )
                for fact in facts
            ],
            60,
        )


def taken(settings: Settings) -> int:
    """Return how many records the ledgers of the three topics count."""
    topics = [topic.name for topic in FACTS.values()]
    sql = "select coalesce(sum(applied + duplicate + dead), 0)::int from position where topic = any(%s)"
    return int(ask(settings, sql, topics)[0][0])


def alerts_of(settings: Settings, person: str) -> list[tuple[str, str]]:
    return ask(
        settings,
        'select a.office, a.action from alert a join trace using (trace_id) join "case" c using (case_id)'
        " where c.person = %s order by a.made_at, a.office, a.action",
        person_uuid(person),
    )


def test_a_result_on_the_topic_becomes_alerts_in_the_outbox(town: Town, meeting: tuple[str, str]) -> None:
    case, _ = meeting
    with running(town.settings, "worker", "traces"):
        sent = time.monotonic()
        send(town.settings, [positive(case)])
        wait_until(lambda: len(alerts_of(town.settings, case)) > 0)
        assert time.monotonic() - sent < 60
        assert ("d3671", "summary") in alerts_of(town.settings, case)
        ((topics,),) = ask(
            town.settings,
            "select array_agg(distinct o.topic) from outbox o where source_topic = 'trace' and source_partition = %s",
            partition_of(case, town.settings.partitions),
        )
        assert {"alert.d3671", "alert.p36", "person-status.v1"} <= set(topics)
        measured = town.settings.home / "run" / "metrics" / "traces-0.prom"
        wait_until(lambda: 'jejak_trace_alerts_total{action="summary"} 2.0' in measured.read_text())


def test_a_request_waits_for_a_second_person_and_a_decision_for_its_case(town: Town, meeting: tuple[str, str]) -> None:
    case, _ = meeting
    positive_reused = positive(case, lab_ref="twice")
    with running(town.settings, "worker", "traces"):
        before = taken(town.settings)
        send(town.settings, [positive(somebody(next(_persons)), lab_ref="twice")])
        wait_until(lambda: taken(town.settings) == before + 1)
        send(town.settings, [positive_reused])
        wait_until(lambda: taken(town.settings) == before + 2)
        case_id, state, *_ = town.case(case)
        assert state == "pending"
        send(town.settings, [request(case, "approve", by="lab one", case_id=case_id)])
        wait_until(lambda: taken(town.settings) == before + 3)
        assert town.case(case)[1] == "pending"
        send(town.settings, [request(case, "approve", by="epi two", case_id=case_id)])
        wait_until(lambda: taken(town.settings) == before + 4)
        assert town.case(case)[1:] == ("open", "konfirmasi", "lab one", "epi two")
        ref = read_trace(town.conn, case_id).contacts[0].contact_ref
        town.conn.rollback()
        send(town.settings, [decide(case, case_id, ref, "confirmed")])
        wait_until(lambda: taken(town.settings) == before + 5)
        assert read_trace(town.conn, case_id).contacts[0].decision == "confirmed"
        town.conn.rollback()


def test_what_is_no_fact_becomes_a_sealed_dead_letter_and_holds_nothing_up(
    town: Town, meeting: tuple[str, str]
) -> None:
    case, _ = meeting
    partition = partition_of(case, town.settings.partitions)
    result = positive(case)
    bad = {
        "body: is not JSON": b"NIK 3671010101900001 is no event",
        "field person_id: belongs to another partition": encode(result).replace(
            case.encode(), _elsewhere(case, town.settings).encode()
        ),
        "field test: is not one of the allowed values": encode(result).replace(b'"pcr"', b'"guess"'),
        "field result_id: is used by another result": encode(result)
        .replace(b'"antigen"', b'"pcr"')
        .replace(b"2026-11-10", b"2026-11-09"),
    }
    first = _next_offset(town.settings, partition)
    with Sender(town.settings, "gate") as sender:
        values = [encode(result), *bad.values()]
        sender.confirm([sender.send(TEST_RESULT.name, b"key", value, partition) for value in values], 60)
    with running(town.settings, "worker", "traces"):
        wait_until(lambda: _next_offset(town.settings, partition) >= first + len(values))
        wait_until(lambda: len(alerts_of(town.settings, case)) > 0)
    letters = ask(
        town.settings,
        'select "offset", sealed, reason from dead_letter where topic = %s and partition = %s order by "offset"',
        TEST_RESULT.name,
        partition,
    )[-len(bad) :]
    seal = read_seal(town.settings)
    opened = [seal.unseal(bytes(sealed), TEST_RESULT.name, partition, offset) for offset, sealed, _ in letters]
    assert opened == list(bad.values())
    assert all(b"3671010101900001" not in bytes(sealed) for _, sealed, _ in letters)
    for (_, _, reason), expected in zip(letters, bad, strict=True):
        assert expected.partition(": ")[2] in reason


def test_a_decision_about_an_unknown_case_is_a_dead_letter(town: Town) -> None:
    who = somebody(next(_persons))
    with running(town.settings, "worker", "traces"):
        before = taken(town.settings)
        send(town.settings, [decide(who, "K999999", "nobody", "confirmed"), request(who, "approve", case_id="K999999")])
        wait_until(lambda: taken(town.settings) == before + 2)
    reasons = [
        row[0] for row in ask(town.settings, "select reason from dead_letter where topic = 'contact-decision.v1'")
    ]
    assert any("case_id" in reason for reason in reasons)
    assert ("unknown case",) in ask(town.settings, "select outcome from trace_request where case_id = 'K999999'")


def test_killed_between_storing_the_fact_and_running_the_trace_it_only_runs_it(
    town: Town, meeting: tuple[str, str]
) -> None:
    case, _ = meeting
    before = taken(town.settings)
    ((number,),) = ask(town.settings, "select nextval('case_number')", role="jejak_traces")
    name = f"K{number + 1:06d}|kmk-4641-2021"
    with closing_after(town.settings, "jejak_traces") as cur:
        cur.execute("select pg_advisory_lock(hashtextextended(%s, 1))", (name,))  # the run has to wait here
        with running(town.settings, "worker", "traces") as worker:
            send(town.settings, [positive(case)])
            wait_until(lambda: _due(town.settings, case) == [(True, 0)])
            worker.kill()
            worker.wait()
    assert taken(town.settings) == before
    assert alerts_of(town.settings, case) == []
    with running(town.settings, "worker", "traces"):
        wait_until(lambda: taken(town.settings) == before + 1)
    assert _due(town.settings, case) == [(False, 1)]
    assert sorted(alerts_of(town.settings, case)) == sorted(
        (office, action) for office in ("d3671", "p36") for action in ("summary", "added")
    )


def test_the_same_result_sent_again_is_a_duplicate(town: Town, meeting: tuple[str, str]) -> None:
    case, _ = meeting
    result = positive(case)
    with running(town.settings, "worker", "traces"):
        before = taken(town.settings)
        duplicates = _duplicates(town.settings)
        send(town.settings, [result] * 3)
        wait_until(lambda: taken(town.settings) == before + 3)
    assert _duplicates(town.settings) == duplicates + 2
    assert len(alerts_of(town.settings, case)) == 4


def test_black_ends_with_a_tombstone_when_its_time_is_over(town: Town, meeting: tuple[str, str]) -> None:
    case, _ = meeting
    long_ago = positive(case).specimen_at.replace(year=2021)
    with running(town.settings, "worker", "traces"):
        before = taken(town.settings)
        send(town.settings, [positive(case, specimen_at=long_ago, date_onset=None)])
        wait_until(lambda: taken(town.settings) == before + 1)
        send(town.settings, [positive(somebody(next(_persons)))])  # whatever comes next brings it out
        wait_until(lambda: taken(town.settings) == before + 2)
    ((until, ended),) = ask(
        town.settings, "select until::date::text, ended from person_status where person = %s", person_uuid(case)
    )
    assert (until, ended) == ("2021-11-20", True)
    key = f"{case}|{town.case(case)[0]}".encode()
    rows = ask(town.settings, "select events from outbox where topic = 'person-status.v1' order by id")
    values = [
        value
        for (events,) in rows
        for _, found, value in msgspec.msgpack.decode(bytes(events), type=list[tuple[int, bytes, bytes | None]])
        if found == key
    ]
    assert len(values) == 2
    assert values[0] is not None
    assert values[1] is None


def _duplicates(settings: Settings) -> int:
    return int(ask(settings, "select sum(duplicate)::int from position where topic = 'test-result.v1'")[0][0])


def _due(settings: Settings, person: str) -> list[tuple[bool, int]]:
    return ask(
        settings,
        'select due, revision from trace join "case" using (case_id) where person = %s',
        person_uuid(person),
    )


def _next_offset(settings: Settings, partition: int) -> int:
    rows = ask(
        settings, "select next_offset from position where topic = 'test-result.v1' and partition = %s", partition
    )
    return int(rows[0][0]) if rows else 0


def _elsewhere(person: str, settings: Settings) -> str:
    here = partition_of(person, settings.partitions)
    candidates: Callable[[int], str] = somebody
    return next(
        candidates(number) for number in count() if partition_of(candidates(number), settings.partitions) != here
    )
