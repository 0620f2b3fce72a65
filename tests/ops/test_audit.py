"""The audit on the real servers: a clean town passes, and each planted difference is found with the row named."""

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from threading import Event, Thread
from typing import Any

import httpx
import msgspec
import pytest

from ops.audit.findings import CHECKS, Difference, Findings
from ops.audit.latest_topics import check_count_topic
from ops.audit.log import open_log
from ops.audit.outbox import Moving, moving
from ops.audit.run import audit
from ops.audit.store import open_snapshot
from ops.audit.visit_topic import check_visit_topic
from producers.sender import Sender
from schemas.codec import encode
from schemas.events import Alert
from schemas.partition import partition_of
from schemas.settings import Settings
from streams.store import Source, write_outbox
from tests.commands import jejak, wait_until
from tests.ops.audit_town import MEETING, change, copy_of, differences, furnish
from tests.streams.flow import START, ask, closing_after, folded, running, scan, send, with_settings


class Town:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.persons = furnish(settings)


@pytest.fixture(scope="module")
def town(installation: Settings) -> Town:
    return Town(installation)


@pytest.fixture
def copy(town: Town) -> Iterator[Settings]:
    with copy_of(town.settings) as settings:
        yield settings


def rows(found: list[Difference]) -> list[tuple[str, str]]:
    return sorted((one.check, one.row) for one in found)


def one(settings: Settings, sql: str, *values: object) -> Any:
    return ask(settings, sql, *values)[0][0]


def a_visit(settings: Settings) -> tuple[str, str]:
    """Return id and facility of a visit that was told once."""
    visit = ask(
        settings,
        "select visit_id::text, facility_id from visit join facility on facility_no = key >> 3"
        " where facility_id = 'PKM-2' order by check_in, visit_id limit 1",
    )
    return visit[0][0], visit[0][1]


def test_a_clean_town_passes_every_check(town: Town) -> None:
    found: list[Difference] = []
    findings = Findings(tell=found.append)
    audit(town.settings, findings, wait_s=20, say=lambda _: None)
    assert found == []
    assert set(findings.checks) == set(CHECKS)
    visits = one(town.settings, "select count(*) from every_visit")
    assert findings.checks["visits"].compared == findings.checks["visit-topic"].compared == visits > 200
    hours = one(town.settings, "select count(*) from facility_hour")
    assert findings.checks["counts"].compared == findings.checks["count-topic"].compared == hours > 1000
    alerts = one(town.settings, "select count(*) from alert")
    assert findings.checks["alert-topics"].compared == alerts > 20
    assert findings.checks["alerts"].compared > alerts
    assert findings.checks["ledger"].compared == one(town.settings, "select count(*) from position")
    assert findings.checks["outbox"].compared > 12


def test_the_town_has_what_the_alerts_check_must_cope_with(town: Town) -> None:
    actions = {row[0] for row in ask(town.settings, "select distinct action from alert")}
    assert actions >= {"summary", "added", "withdrawn"}
    assert one(town.settings, "select max(revision) from trace") > 1
    assert {row[0] for row in ask(town.settings, "select distinct state from trace")} == {"open", "closed"}
    assert one(town.settings, "select max(n) from (select count(*) n from candidate group by trace_id) c") > 5


def test_a_visit_that_is_deleted_is_missed(copy: Settings) -> None:
    visit_id, facility = a_visit(copy)
    change(copy, "delete from visit where visit_id = %s", visit_id)
    found = differences(copy, "visits", "counts", "visit-topic")
    row = f"visit {visit_id} at {facility}"
    assert found == [
        Difference(check="visit-topic", row=row, what="is told, but not stored"),
        Difference(check="visits", row=row, what="is missing"),
    ]


def test_a_visit_whose_end_is_a_microsecond_off_is_named_with_both_ends(copy: Settings) -> None:
    visit_id, facility = a_visit(copy)
    change(copy, "update visit set check_out = check_out + interval '1 microsecond' where visit_id = %s", visit_id)
    found = differences(copy, "visits", "visit-topic")
    assert rows(found) == [(check, f"visit {visit_id} at {facility}") for check in ("visit-topic", "visits")]
    (recomputed,) = [each.what for each in found if each.check == "visits"]
    assert re.fullmatch(r"check_out is \S+\+08:00, the scans say \S+\+08:00", recomputed)


@pytest.mark.parametrize(
    ("column", "value"),
    [("role", "'crew'"), ("check_in_estimated", "not check_in_estimated"), ("zones", "'[[1, \"igd\"]]'")],
)
def test_any_other_column_of_a_visit_is_compared_too(copy: Settings, column: str, value: str) -> None:
    visit_id, facility = a_visit(copy)
    change(copy, f"update visit set {column} = {value} where visit_id = %s", visit_id)  # noqa: S608 — three constants
    (found,) = differences(copy, "visits")
    assert found.row == f"visit {visit_id} at {facility}"
    assert found.what.startswith(f"{column} is ")


def test_a_visit_stored_twice_or_in_the_wrong_table_is_found(copy: Settings) -> None:
    visit_id, facility = a_visit(copy)
    row = f"visit {visit_id} at {facility}"
    change(copy, "insert into visit select * from visit where visit_id = %s", visit_id)
    assert differences(copy, "visits") == [Difference(check="visits", row=row, what="is stored twice")]
    change(copy, "insert into visit_long select distinct * from visit where visit_id = %s", visit_id)
    change(copy, "delete from visit where visit_id = %s", visit_id)
    assert differences(copy, "visits") == [
        Difference(check="visits", row=row, what="is_long is true, the scans say false")
    ]


def test_a_count_that_is_off_by_one_is_named_by_facility_hour_and_shard(copy: Settings) -> None:
    ((facility, hour, shard, visitors),) = change(
        copy,
        "update facility_hour f set visitors = visitors + 1 from facility where facility.facility_no = f.facility_no"
        " and facility_id = 'RS-2' and (hour, shard) = (select hour, shard from facility_hour h"
        " where h.facility_no = facility.facility_no order by hour, shard limit 1)"
        " returning facility_id, to_char(hour at time zone 'Asia/Jayapura', 'YYYY-MM-DD\"T\"HH24:MI:SS'),"
        " shard, visitors",
    )
    row = f"facility {facility}, hour {hour}+09:00, shard {shard}"
    assert differences(copy, "counts", "count-topic") == [
        Difference(check="count-topic", row=row, what=f"visitors is {visitors - 1}, stored is {visitors}"),
        Difference(check="counts", row=row, what=f"visitors is {visitors}, the scans say {visitors - 1}"),
    ]


def test_an_hour_that_is_gone_or_of_a_shard_that_does_not_exist_is_found(copy: Settings) -> None:
    first = "(facility_no, hour, shard) = (select facility_no, hour, shard from facility_hour order by 1, 2, 3 limit 1)"
    change(copy, f"delete from facility_hour where {first}")  # noqa: S608 — a constant
    change(copy, f"update facility_hour set shard = 77 where {first}")  # noqa: S608 — a constant
    found = differences(copy, "counts")
    ghost = "is stored, but the scans count nothing there"
    assert sorted(each.what for each in found) == ["is missing", "is missing", ghost]
    assert [each.row.endswith("shard 77") for each in found if each.what == ghost] == [True]


def test_changes_of_visits_are_read_without_being_kept(copy: Settings) -> None:
    cluster = one(copy, "select cluster_id from position limit 1")
    change(copy, "delete from position where topic = 'visit.v1'")
    change(
        copy,
        "insert into position (topic, partition, cluster_id, first, next_offset, applied)"
        " values ('visit.v1', 3, %s, 0, 5, 5)",
        cluster,
    )
    assert differences(copy, "ledger") == []


def test_a_scan_that_is_removed_is_missed_by_the_ledger_and_its_visit_is_named(copy: Settings, town: Town) -> None:
    visit_id, facility = a_visit(copy)
    ((who,),) = change(copy, "delete from scan where scan_id = %s returning person::text", visit_id)
    partition = partition_of(who.replace("-", ""), copy.partitions)
    applied = one(copy, "select applied from position where topic = 'scan.v1' and partition = %s", partition)
    found = differences(copy, "ledger", "visits")
    assert (
        Difference(
            check="ledger",
            row=f"scan.v1 {partition}",
            what=f"applied is {applied}, but {applied - 1} records are stored",
        )
        in found
    )
    assert (
        Difference(
            check="visits", row=f"visit {visit_id} at {facility}", what="is stored, but the scans do not make it"
        )
        in found
    )
    assert not any(name in str(found) for known in town.persons for name in (known, who))


def test_a_dead_letter_that_is_removed_is_missed(copy: Settings) -> None:
    dead = one(copy, "select dead from position where topic = 'scan.v1' and partition = 5")
    last = "select max(\"offset\") from dead_letter where topic = 'scan.v1' and partition = 5"
    change(copy, f"delete from dead_letter where topic = 'scan.v1' and partition = 5 and \"offset\" = ({last})")  # noqa: S608 — a constant
    assert differences(copy, "ledger") == [
        Difference(check="ledger", row="scan.v1 5", what=f"dead is {dead}, but {dead - 1} dead letters are kept")
    ]


def test_a_dead_letter_of_an_offset_that_was_not_read_is_found_unless_a_loss_was_accepted(copy: Settings) -> None:
    change(
        copy,
        'update dead_letter d set "offset" = p.next_offset from position p'
        " where d.topic = 'scan.v1' and d.partition = 0"
        ' and (p.topic, p.partition) = (d.topic, d.partition) and d."offset" = (select max("offset") from dead_letter'
        " where topic = 'scan.v1' and partition = 0)",
    )
    (found,) = differences(copy, "ledger")
    assert found.row == "scan.v1 0"
    assert found.what.endswith("which was not read yet")
    change(copy, "insert into lost_range values ('scan.v1', 0, 1, 2, 'another', 'somebody')")
    assert differences(copy, "ledger") == []


def test_a_result_that_is_removed_is_missed_by_the_ledger(copy: Settings) -> None:
    ((who,),) = change(
        copy,
        "delete from test_result where result_id = (select min(result_id::text)::uuid from test_result)"
        " returning replace(person::text, '-', '')",
    )
    (found,) = differences(copy, "ledger")
    assert found.row == f"test-result.v1 {partition_of(who, copy.partitions)}"


def test_a_ledger_that_was_shifted_is_found(copy: Settings) -> None:
    change(
        copy, "update position set applied = applied + 1, first = first - 1 where topic = 'scan.v1' and partition = 2"
    )
    change(copy, "alter table position drop constraint position_check")
    change(copy, "update position set first = first + 3 where topic = 'scan.v1' and partition = 4")
    assert rows(differences(copy, "ledger")) == [("ledger", "scan.v1 2"), ("ledger", "scan.v1 4")]


def test_a_position_that_is_not_in_the_log_is_found(copy: Settings) -> None:
    change(copy, "alter table position drop constraint position_check")
    change(copy, "update position set next_offset = next_offset + 100000 where topic = 'scan.v1' and partition = 2")
    change(copy, "update position set cluster_id = 'another' where topic = 'scan.v1' and partition = 3")
    found = {each.row: each.what for each in differences(copy, "positions")}
    assert set(found) == {"scan.v1 2", "scan.v1 3"}
    assert "but was read up to" in found["scan.v1 2"]
    assert found["scan.v1 3"] == "the position was taken from another cluster's log"


def test_an_outbox_row_that_was_marked_but_never_sent_is_named(copy: Settings) -> None:
    visit_id, _ = a_visit(copy)
    who = one(copy, "select replace(person::text, '-', '') from every_visit where visit_id = %s", visit_id)
    partition = partition_of(who, copy.partitions)
    change_of = json.dumps(
        {"event": "visit_change", "visit_id": visit_id, "person_id": who, "before": None, "after": None}
    )
    alert = one(copy, "select body::text from alert where office = 'd3671' limit 1")
    unsent = msgspec.structs.replace(msgspec.json.decode(alert, type=Alert), id="never sent")
    with closing_after(copy, "jejak_visits") as cur:
        write_outbox(cur, Source("scan.v1", partition), "visit.v1", [(partition, who.encode(), change_of.encode())] * 1)
        write_outbox(cur, Source("test-result.v1", 0), "alert.d3671", [(0, b"ref", encode(unsent))])
    ids = [
        row[0] for row in change(copy, "update outbox set published_at = now() where published_at is null returning id")
    ]
    found = differences(copy, "outbox")
    assert [each.row for each in found] == [f"outbox row {number}" for number in sorted(ids)]
    assert found[0].what == "is marked as published, but 1 of its events are not on visit.v1"
    assert found[1].what == "is marked as published, but 1 of its events are not on d3671's topic"


def test_what_still_waits_is_said_and_not_compared(copy: Settings) -> None:
    visit_id, _ = a_visit(copy)
    change(copy, "update outbox set published_at = null where topic = 'visit.v1'")
    change(copy, "delete from visit where visit_id = %s", visit_id)
    findings = Findings(("visit-topic", "outbox"))
    audit(copy, findings, wait_s=0.1, say=lambda _: None)
    assert findings.differences == 0
    assert re.match(r"\d+ rows still wait for the relay", findings.checks["outbox"].note)
    assert findings.checks["visit-topic"].compared == 0


def test_an_alert_that_is_not_on_its_offices_topic_is_named(copy: Settings) -> None:
    ((alert_id, office),) = change(
        copy,
        "update alert set alert_id = 'x' || alert_id, body = jsonb_set(body, '{id}', to_jsonb('x' || alert_id))"
        " where alert_id = (select min(alert_id) from alert where action = 'added') returning alert_id, office",
    )
    found = differences(copy, "alert-topics")
    assert {each.row: each.what for each in found if alert_id in each.row} == {
        f"alert {alert_id} to office {office}": "is not on its topic"
    }
    (extra,) = [each for each in found if alert_id not in each.row]
    assert extra.row.startswith(f"alert {alert_id[1:]} at alert.{office} offset ")
    assert extra.what == "is on the topic, but not stored for this office"


def test_an_alert_with_another_body_than_was_sent_is_named(copy: Settings) -> None:
    ((alert_id,),) = change(
        copy,
        "update alert set body = jsonb_set(body, '{data,rank}', '99')"
        " where alert_id = (select min(alert_id) from alert where action = 'added') returning alert_id",
    )
    every = differences(copy, "alert-topics")
    assert len(every) == 1, every
    (found,) = every
    assert f"alert {alert_id} at " in found.row
    assert found.what == "has another body than the stored one"


def test_a_candidate_without_alert_is_named_and_the_gap_in_the_ranks(copy: Settings) -> None:
    ((ref, office, case_id),) = change(
        copy,
        "delete from alert a using trace t where a.trace_id = t.trace_id and t.revision = 1 and t.state = 'open'"
        " and a.action = 'added' and (body #>> '{data,rank}')::int = 3 and office = 'd3671'"
        " returning contact_ref, office, case_id",
    )
    found = differences(copy, "alerts")
    assert (
        Difference(
            check="alerts",
            row=f"candidate {ref} (case {case_id}, office {office})",
            what="is on its list, of which 5 are due, but has no alert",
        )
        in found
    )
    assert {each.what for each in found if ref not in each.row} == {
        "says 5 were told one by one, there are 4",
        "was told of others at first, but not of number 3 of its list",
    }


def test_an_alert_that_was_not_withdrawn_is_named(copy: Settings) -> None:
    ((alert_id, ref),) = change(
        copy,
        "delete from alert where alert_id = (select min(alert_id) from alert where action = 'withdrawn')"
        " returning alert_id, contact_ref",
    )
    (found,) = [each for each in differences(copy, "alerts") if ref in each.row]
    assert found.what == "is not withdrawn, but its candidate does not concern this office"
    assert alert_id not in found.row


def test_an_alert_to_an_office_not_concerned_is_named(copy: Settings) -> None:
    ((alert_id,),) = change(
        copy,
        "update alert set office = 'p73', body = jsonb_set(body, '{data,office}', '\"p73\"') where alert_id ="
        " (select min(alert_id) from alert join trace using (trace_id) where action = 'added' and state = 'open')"
        " returning alert_id",
    )
    found = differences(copy, "alerts")
    about = {each.what for each in found if alert_id in each.row}
    assert "is not withdrawn, but its candidate does not concern this office" in about


def test_a_candidate_that_is_not_what_its_exposures_say_is_named(copy: Settings) -> None:
    ((ref, case_id),) = change(
        copy,
        "update candidate c set overlap_us = overlap_us + 1 from trace t where t.trace_id = c.trace_id"
        " and (c.trace_id, c.contact_ref) ="
        " (select trace_id, min(contact_ref) from candidate group by 1 order by 1 limit 1)"
        " returning contact_ref, case_id",
    )
    assert rows(differences(copy, "alerts")) == [("alerts", f"candidate {ref} of case {case_id}")]


def test_a_summary_that_miscounts_is_named(copy: Settings) -> None:
    ((alert_id,),) = change(
        copy,
        "update alert set body = jsonb_set(body, '{data,summary,candidates}', '1') where alert_id ="
        " (select min(alert_id) from alert join trace using (trace_id) where action = 'summary' and state = 'open'"
        " and trace.revision = 1) returning alert_id",
    )
    assert {alert_id in each.row for each in differences(copy, "alerts")} == {True}


def test_advice_that_is_stored_otherwise_than_told_is_named_by_its_case(copy: Settings) -> None:
    ((case_id,),) = change(
        copy,
        "update person_status set ended = not ended where case_id = (select min(case_id) from person_status)"
        " returning case_id",
    )
    (found,) = differences(copy, "status-topic")
    assert found.row == f"advice of case {case_id}"
    assert sorted(part.split(" is ")[1].split(" until")[0] for part in found.what.split(", ")) == ["black", "no advice"]


def test_a_stale_count_on_the_topic_is_named(town: Town) -> None:
    """The topic is everybody's: what is put on it here is put right again."""
    settings = town.settings
    key, value, partition = _a_count(settings)
    stale = json.loads(value) | {"arrivals": 9999}
    facility, hour, shard = key.decode().rsplit("|", 2)
    with Sender(settings, "relay") as relay:
        relay.confirm([relay.send("facility-count.v1", key, json.dumps(stale).encode(), partition)], 30)
        try:
            (found,) = differences(settings, "count-topic")
        finally:
            relay.confirm([relay.send("facility-count.v1", key, value, partition)], 30)
    assert found.row == f"facility {facility}, hour {hour}, shard {shard}"
    assert found.what == f"arrivals is 9999, stored is {json.loads(value)['arrivals']}"
    assert differences(settings, "count-topic") == []


def _a_count(settings: Settings) -> tuple[bytes, bytes, int]:
    packed = one(settings, "select events from outbox where topic = 'facility-count.v1' order by id desc limit 1")
    partition, key, value = msgspec.msgpack.decode(bytes(packed))[-1]
    assert value is not None
    return key, value, partition


def test_what_comes_after_the_snapshot_is_left_to_the_next_audit(town: Town) -> None:
    settings, random = town.settings, Random(1)
    with open_snapshot(settings) as snapshot:
        with running(settings, "worker", "visits"), running(settings, "relay"):
            before = folded(settings)
            later = [scan(random, who, "KL-1", MEETING + timedelta(days=1)) for who in town.persons[:40]]
            send(settings, later)
            wait_until(lambda: folded(settings) == before + len(later))
            wait_until(lambda: one(settings, "select count(*) from outbox where published_at is null") == 0)
        with open_log(settings) as log:
            checks = ("visit-topic", "count-topic", "outbox")
            found, blind = Findings(checks), Findings(checks)
            on_the_way = moving(snapshot, settings, [], found)
            for findings, known in ((found, on_the_way), (blind, Moving(set(), set(), set(), set()))):
                check_visit_topic(snapshot, log, known, findings, lambda _: None)
                check_count_topic(snapshot, log, known, findings, lambda _: None)
    assert len(on_the_way.visits) >= len(later)
    assert found.differences == 0
    assert blind.differences >= len(later)
    assert differences(settings) == []


def test_an_audit_beside_a_working_installation_finds_nothing(town: Town) -> None:
    settings, random = town.settings, Random(2)
    before, sent, over = folded(settings), 0, Event()

    def go_on() -> None:
        nonlocal sent
        while not over.is_set():
            some = [
                scan(random, random.choice(town.persons), "PKM-1", START + timedelta(minutes=random.randrange(20_000)))
                for _ in range(200)
            ]
            send(settings, some)
            sent += len(some)

    with running(settings, "worker", "visits"), running(settings, "relay"):
        load = Thread(target=go_on)
        load.start()
        try:
            wait_until(lambda: folded(settings) > before)
            for _ in range(3):
                assert differences(settings) == []
        finally:
            over.set()
            load.join()
        wait_until(lambda: folded(settings) == before + sent)
        assert differences(settings) == []


def test_the_command_ends_with_0_when_all_is_well_and_1_when_not(copy: Settings, town: Town) -> None:
    done = jejak(copy, "audit")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "all is well"), done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[:-1]] == list(CHECKS)
    visit_id, facility = a_visit(copy)
    change(copy, "delete from visit where visit_id = %s", visit_id)
    done = jejak(copy, "audit", "--only", "visits")
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == f"visits: visit {visit_id} at {facility}: is missing"
    assert done.stdout.splitlines()[-1] == "1 differences"
    as_json = jejak(copy, "audit", "--only", "visits", "--only", "counts", "--json")
    assert as_json.returncode == 1
    first, last = map(json.loads, as_json.stdout.splitlines())
    assert first == {"check": "visits", "row": f"visit {visit_id} at {facility}", "what": "is missing"}
    assert last["differences"] == last["checks"]["visits"]["differences"] == 1
    assert set(last["checks"]) == {"visits", "counts"}
    assert not any(known in done.stdout + as_json.stdout for known in town.persons)


def test_the_command_says_in_one_line_what_is_away(copy: Settings) -> None:
    done = jejak(with_settings(copy, kafka="127.0.0.1:1"), "audit", "--only", "positions")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "Kafka" in done.stderr


def test_watch_shows_prometheus_what_the_latest_audit_found(copy: Settings) -> None:
    visit_id, _ = a_visit(copy)
    change(copy, "delete from visit where visit_id = %s", visit_id)
    with running(
        copy, "audit", "--watch", "1", "--port", "0", "--only", "visits", stdout=subprocess.DEVNULL
    ) as process:
        assert process.stderr is not None
        url = next(line for line in process.stderr if "metrics at" in line).split()[-1]
        assert url.startswith("http://127.0.0.1:")

        def shown() -> str:
            return httpx.get(url, timeout=5).text

        wait_until(lambda: 'jejak_audit_differences{check="visits"} 1.0' in shown())
        change(copy, "truncate scan")
        process.terminate()
        assert process.wait(20) == 0
