"""Retention and the audit on the real servers; its commands; the chain of the audit after its oldest rows went."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg2
import pytest
from click.testing import CliRunner, Result

from ops.audit.findings import Difference
from ops.audit_log.chain import AuditRow, check_chain, row_hash
from ops.audit_log.store import audit_rows, read_anchor
from ops.commands.audit_log import audit_log
from ops.commands.healthy import healthy
from ops.commands.retention import retention
from ops.doctor import diagnose
from ops.retained import check_kept, read_stand
from ops.store import OPERATOR, OWNER, fix_partitions, transaction
from portal.horizon.store import read_horizon
from portal.store import append_audit
from schemas.errors import BadInput
from schemas.settings import Settings
from streams.retention import store
from streams.retention.run import Report, run
from tests.commands import wait_until
from tests.ops.audit_town import change, copy_of, differences, furnish
from tests.streams.flow import START, ask, running, with_settings
from tracing.instants import us_of

FOLDED = ("ledger", "visits", "counts", "visit-topic", "count-topic", "positions")


@pytest.fixture(scope="module")
def town(installation: Settings) -> Settings:
    furnish(installation)
    return installation


@pytest.fixture
def copy(town: Settings) -> Iterator[Settings]:
    with copy_of(town) as settings:
        yield settings


def half(settings: Settings) -> Report:
    """Drop the first three of the town's days; its traces are closed by then."""
    change(settings, "update trace set state = 'closed'")
    return run(settings, START + timedelta(days=63, hours=7), None, lambda _: None, 20)


def invoke(command: Any, settings: Settings, *options: str) -> Result:
    return CliRunner().invoke(command, options, obj=settings)


def test_a_town_that_lost_half_of_its_days_passes_the_audit(copy: Settings) -> None:
    ((before,),) = ask(copy, "select count(*) from every_visit")
    report = half(copy)
    assert (report.moved, report.step.left) == (copy.partitions, 0)
    assert 50 < report.step.visits < before - 50
    assert differences(copy, *FOLDED) == []
    assert half(copy).step.persons == 0


def test_a_town_that_lost_everything_passes_every_check(copy: Settings) -> None:
    hours = "select * from facility_hour order by 1, 2, 3"
    before = ask(copy, hours)
    done = invoke(retention, copy, "run")
    assert done.exit_code == 0, done.output
    assert "0 weeks" not in done.output
    assert ask(copy, "select count(*) from scan") == ask(copy, "select count(*) from every_visit") == [(0,)]
    assert ask(copy, hours) == before == ask(copy, "select * from dropped_hour order by 1, 2, 3")
    assert differences(copy) == []


FIRST_HOUR = "(facility_no, hour, shard) = (select facility_no, hour, shard from dropped_hour order by 1, 2, 3 limit 1)"
FIRST_DAY = "(partition, day) = (select partition, day from dropped_day order by 1, 2 limit 1)"


@pytest.mark.parametrize(
    ("sql", "check", "says"),
    [
        ("update dropped_hour set visitors = visitors + 1 where FIRST_HOUR", "counts", "visitors is "),
        ("update facility_hour set arrivals = arrivals + 1 where FIRST_HOUR", "counts", "arrivals is "),
        ("delete from dropped_hour where FIRST_HOUR", "counts", "the scans"),
        ("update dropped_day set scans = scans + 1 where FIRST_DAY", "ledger", "applied is "),
        ("delete from carry where state::jsonb -> 2 <> 'null'", "visits", "the scans do not make it"),
        ("update visit_long set check_in = check_in - interval '1 hour'", "visits", "check_in is "),
    ],
)
def test_what_somebody_changes_of_what_is_left_is_found(copy: Settings, sql: str, check: str, says: str) -> None:
    half(copy)
    change(copy, sql.replace("FIRST_HOUR", FIRST_HOUR).replace("FIRST_DAY", FIRST_DAY))
    found: list[Difference] = differences(copy, "ledger", "visits", "counts")
    assert [one for one in found if one.check == check and says in one.what], found


def test_a_visit_from_before_the_horizon_that_is_put_back_is_found(copy: Settings) -> None:
    ((visit_id,),) = ask(copy, "select visit_id::text from visit order by check_out, visit_id limit 1")
    change(copy, "create table kept as select * from visit where visit_id = %s", visit_id)
    half(copy)
    change(copy, "insert into visit select * from kept")
    (found,) = differences(copy, "visits")
    assert found.row.startswith(f"visit {visit_id}")
    assert found.what == "is stored, but the scans do not make it"


def test_the_command_says_what_would_go_where_it_stands_and_what_is_wrong(copy: Settings) -> None:
    scans = ask(copy, "select count(*) from scan")[0][0]
    dry = invoke(retention, copy, "run", "--dry-run", "--days", "30")
    assert f"{scans:,} scans" in dry.output
    assert "nothing was changed" in dry.output
    assert ask(copy, "select count(*) from scan")[0][0] == scans
    assert "none: nothing has gone yet" in invoke(retention, copy, "status").output
    change(copy, "update visit set role = 'crew' where visit_id = (select visit_id from visit limit 1)")
    done = invoke(retention, copy, "run")
    assert done.exit_code == 1
    assert "1 persons keep everything" in done.stderr
    status = invoke(retention, copy, "status").output
    assert "held back by an open trace of day zero 2026-03-0" in status
    gone = scans - ask(copy, "select count(*) from scan")[0][0]
    assert f"{gone:,} scans" in status


def test_a_horizon_that_should_have_moved_long_ago_is_noted(copy: Settings) -> None:
    now = datetime.now(UTC)
    assert not read_stand(copy, now).is_late  # its tables were made just now
    assert read_stand(copy, now + timedelta(days=3)).is_late
    with transaction(copy, "jejak_gate") as conn:
        assert read_horizon(conn) is None
    run(copy, now, None, lambda _: None)
    assert not read_stand(copy, now + timedelta(days=1)).is_late
    (said,) = [one for one in diagnose(copy) if one.subject == "horizon"]
    assert said.state == "well"
    with transaction(copy, "jejak_gate") as conn:
        assert read_horizon(conn) is not None


def test_the_service_runs_a_day_after_the_last_run(copy: Settings, new_home: Callable[[], Any]) -> None:
    home = new_home()
    settings = with_settings(copy, home=home, secrets=str(copy.secrets_dir))
    assert invoke(healthy, settings, "retention").exit_code != 0
    with running(settings, "retention", "run", "--daily"):
        wait_until((home / "run" / "ready" / "retention").exists)
        assert ask(copy, "select count(*) from position where horizon is not null") == [(0,)]
        assert invoke(healthy, settings, "retention").exit_code == 0
    change(copy, "update retention set ran_at = now() - interval '25 hours'")
    with running(settings, "retention", "run", "--daily"):
        wait_until(lambda: ask(copy, "select now() - ran_at < interval '1 hour' from retention") == [(True,)])
    assert ask(copy, "select count(*) from scan") == [(0,)]


@pytest.fixture
def empty(fresh_database: Callable[[], Settings]) -> Settings:
    settings = fresh_database()
    fix_partitions(settings)
    return settings


def aged(settings: Settings, rows: int, days: int) -> list[bytes]:
    """Write rows into the audit that are so old; return their hashes."""
    with transaction(settings, OPERATOR) as conn:
        for number in range(rows):
            append_audit(conn, "ani", "trace shown", f"K{number}")
    with transaction(settings, OWNER) as conn, conn.cursor() as cursor:
        cursor.execute("select id, at, hash, previous from audit order by id")
        cursor.execute("alter table audit disable trigger audit_never_changes")
        before = b"\x00"
        hashes = []
        for row in list(audit_rows(conn)):
            old = msgspec.structs.replace(row, at=row.at - timedelta(days=days), previous=before)
            before = rehash(cursor, old)
            hashes.append(before)
        cursor.execute("alter table audit enable trigger audit_never_changes")
    return hashes


def rehash(cursor: Any, row: AuditRow) -> bytes:
    made = row_hash(row)
    cursor.execute(
        "update audit set at = %s, previous = %s, hash = %s where id = %s", (row.at, row.previous, made, row.id)
    )
    return made


def test_the_chain_holds_after_its_oldest_rows_went(empty: Settings) -> None:
    hashes = aged(empty, 5, 400)
    with transaction(empty, OPERATOR) as conn:
        append_audit(conn, "ani", "trace shown", "K9")
    now = datetime.now(UTC)
    assert run(empty, now, None, lambda _: None).audit_rows == 5
    assert run(empty, now, None, lambda _: None).audit_rows == 0
    answer = invoke(audit_log, empty, "verify")
    assert (answer.exit_code, answer.stdout.partition(",")[0]) == (0, "2 rows hold")
    assert invoke(audit_log, empty, "verify", "--expect", hashes[-1].hex()).exit_code == 0
    assert invoke(audit_log, empty, "verify", "--expect", hashes[0].hex()).exit_code == 1


def test_rows_that_went_without_a_word_are_missed(empty: Settings) -> None:
    aged(empty, 3, 400)
    with transaction(empty, OPERATOR) as conn:
        append_audit(conn, "ani", "trace shown", "K9")
    run(empty, datetime.now(UTC), None, lambda _: None)
    with transaction(empty, OPERATOR) as conn:
        append_audit(conn, "ani", "trace shown", "K10")
    with transaction(empty, OWNER) as conn:
        with conn.cursor() as cursor:
            cursor.execute("alter table audit disable trigger audit_never_changes")
            cursor.execute("delete from audit where id = (select min(id) from audit)")
        cut = check_chain(audit_rows(conn), from_the_first=True, anchor=read_anchor(conn))
        assert "does not follow" in cut.broken
        with conn.cursor() as cursor:  # an anchor forged to fit
            cursor.execute(
                "insert into audit_anchor (last_id, last_hash, rows, said_in)"
                " select id - 1, previous, 1, id from audit order by id limit 1"
            )
        forged = check_chain(audit_rows(conn), from_the_first=True, anchor=read_anchor(conn))
        assert "rows are missing at the beginning" in forged.broken
        conn.rollback()


def test_nobody_but_retention_takes_rows_off_the_audit(empty: Settings) -> None:
    for sql in ("delete from audit", "select trim_audit('x', now())", "update audit set reason = 'x'"):
        with transaction(empty, OPERATOR) as conn, conn.cursor() as cursor:
            cursor.execute("set jejak.trim_audit = 'on'")
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(sql)
            conn.rollback()
    with store.opened(empty) as conn, conn, conn.cursor() as cur:
        assert store.trim_audit(cur, datetime.now(UTC)) == 0


@pytest.mark.parametrize(
    ("role", "sql"),
    [
        ("jejak_retention", "select sealed from dead_letter"),
        ("jejak_retention", "update visit set role = 'crew'"),
        ("jejak_retention", "insert into scan select * from scan"),
        ("jejak_retention", "update position set next_offset = 0"),
        ("jejak_retention", "select * from vault.person"),
        ("jejak_visits", "delete from scan"),
        ("jejak_visits", "update position set horizon = now(); delete from carry"),
        ("jejak_ops", "delete from visit"),
    ],
)
def test_only_retention_drops_and_it_does_nothing_else(empty: Settings, role: str, sql: str) -> None:
    with transaction(empty, role) as conn, conn.cursor() as cursor:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(sql)
        conn.rollback()


def test_an_erasure_that_waited_is_carried_out_and_its_record_goes_after_a_year(empty: Settings) -> None:
    change(
        empty,
        "insert into vault.person (person, kind, sealed, wrapped_key, key_version)"
        " values ('00000000-0000-7000-8000-000000000001', 'nik', '', '', 1)",
    )
    change(
        empty,
        "insert into vault.erasure (person, asked_by, reason, due_at)"
        " values ('00000000-0000-7000-8000-000000000001', 'ani', 'letter', now() - interval '1 hour')",
    )
    now = datetime.now(UTC)
    assert run(empty, now, None, lambda _: None).erasures == 1
    assert change(empty, "select count(*) from vault.person") == [(0,)]
    erased = change(empty, "select erased from vault.state()")
    assert run(empty, now + timedelta(days=366), None, lambda _: None).requests == 1
    assert change(empty, "select count(*) from vault.erasure") == [(0,)]
    assert change(empty, "select erased from vault.state()") == erased == [(1,)]  # gates compare it


NOTED = {
    "staff_advice": (
        "insert into staff_advice (facility_no, person, day, at)"
        " select facility_no, gen_random_uuid(), (AGO)::date, AGO from facility limit 1"
    ),
    "late_entry": (
        "with a as (insert into account (email, name, role) values (gen_random_uuid()::text, 'Ani', 'officer')"
        " returning account_id) insert into late_entry (facility_no, scan_id, scan, why, entered_by, entered_at)"
        " select facility_no, gen_random_uuid(), '{}', 'x', account_id, AGO from facility, a limit 1"
    ),
    "visitor_device": (
        "with p as (insert into vault.person (person, kind, sealed, wrapped_key, key_version)"
        " values (gen_random_uuid(), 'nik', '', '', 1) returning person)"
        " insert into visitor_device (device_id, person, public_key, district, claim, made_at, seen_at)"
        " select gen_random_uuid(), person, person::text::bytea, '', '', AGO, AGO from p"
    ),
}
STAY = (
    "insert into admission (facility_no, unit, person, revision, scans, seen, changed_by, changed_at)"
    " select facility_no, gen_random_uuid()::text::bytea, gen_random_uuid(), 0, jsonb_build_array(jsonb_build_object("
    "'scan_id', 'x', 'passage', jsonb_build_object('at', now() - %s * interval '1 day'))), '{}', 'x',"
    " now() - %s * interval '1 day' from facility limit 1"
)


def test_what_is_noted_of_persons_beside_their_scans_goes_with_them(empty: Settings) -> None:
    change(
        empty,
        "insert into facility (facility_id, name, kind, time_zone, district)"
        " values ('RS-A', 'RS A', 'hospital', 'Asia/Jakarta', '36.71')",
    )
    for sql in NOTED.values():
        for days in (10, 59, 62, 400):
            change(empty, sql.replace("AGO", f"now() - interval '{days} days'"))
    bound = "update visitor_device set bound_by = 'otp', bound_at = made_at where made_at < now() - interval '300 days'"
    change(empty, bound)
    for at, changed in ((10, 10), (80, 70), (400, 61), (400, 100), (100, 99)):
        change(empty, STAY, at, changed)
    run(empty, datetime.now(UTC), None, lambda _: None)
    left = {name: change(empty, f"select count(*)::int from {name}")[0][0] for name in (*NOTED, "admission")}  # noqa: S608 — constants
    assert left == {"staff_advice": 2, "late_entry": 2, "visitor_device": 3, "admission": 3}


def test_what_all_cases_of_a_day_met_is_asked_of_days_that_are_kept(copy: Settings) -> None:
    half(copy)
    horizon = us_of(START + timedelta(days=3))
    with transaction(copy, OPERATOR) as conn:
        check_kept(conn, horizon)
        with pytest.raises(
            BadInput, match=r"--date: asks about days before the horizon: visits from before 2026-03-05"
        ):
            check_kept(conn, horizon - 1)
