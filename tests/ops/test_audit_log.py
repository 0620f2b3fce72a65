"""The audit's chain: whatever a superuser changes in it is found, and where."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import psycopg2
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ops.audit_log.chain import FIRST, AuditRow, check_chain, row_hash
from ops.audit_log.store import audit_rows, read_last
from ops.commands.audit_log import audit_log
from ops.store import OPERATOR, OWNER, transaction
from portal.store import append_audit
from schemas.settings import Settings
from tracing.store import Connection

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
AWKWARD = 'quote " and \\ and\ttab and\nline and \x01 and \x7f and ñ and 😀 and <&> and %s'


def chain(number: int) -> list[AuditRow]:
    rows: list[AuditRow] = []
    before = FIRST
    for index in range(number):
        at = BEGAN + timedelta(seconds=index, microseconds=index)
        rows.append(rehashed(AuditRow(index + 1, at, "ani", f"did {index}", "K1", "", before, b"")))
        before = rows[-1].hash
    return rows


def rehashed(row: AuditRow) -> AuditRow:
    return msgspec.structs.replace(row, hash=row_hash(row))


@pytest.fixture(scope="module")
def settings(fresh_database: Callable[[], Settings]) -> Settings:
    return fresh_database()


@pytest.fixture
def written(settings: Settings) -> list[AuditRow]:
    """Return the audit with ten rows more than before, of awkward words too."""
    with transaction(settings, OPERATOR) as conn:
        for index in range(9):
            append_audit(conn, f"person {index}", "trace shown", f"K{index}", "why" * (index % 2))
        append_audit(conn, AWKWARD, AWKWARD, AWKWARD, AWKWARD)
    return stored(settings)


def stored(settings: Settings, since: datetime | None = None) -> list[AuditRow]:
    with transaction(settings, OPERATOR) as conn:
        return list(audit_rows(conn, since))


@contextmanager
def as_superuser(settings: Settings) -> Iterator[Connection]:
    """Yield a connection that may do anything to the audit, as the owner of the table can; undone at the end."""
    with transaction(settings, OWNER) as conn:
        with conn.cursor() as cursor:
            cursor.execute("alter table audit disable trigger audit_never_changes")
        yield conn
        conn.rollback()


def verify(settings: Settings, *options: str) -> Result:
    return CliRunner().invoke(audit_log, ["verify", *options], obj=settings)


def test_what_the_database_chained_holds_when_computed_by_other_means(
    settings: Settings, written: list[AuditRow]
) -> None:
    assert {row.reason for row in written} >= {AWKWARD, "", "why"}
    answer = verify(settings)
    assert (answer.exit_code, answer.stdout) == (0, f"{len(written)} rows hold, head {written[-1].hash.hex()}\n")


@pytest.mark.parametrize(
    ("change", "row_at", "says"),
    [
        ("update audit set reason = reason || '.' where id = %s", 0, "words were changed"),
        ("update audit set principal = 'somebody' where id = %s", 0, "words were changed"),
        ("update audit set at = at + interval '1 microsecond' where id = %s", 0, "words were changed"),
        ("delete from audit where id = %s", 1, "does not follow"),
    ],
)
def test_a_row_changed_or_taken_out_by_a_superuser_is_named(
    settings: Settings, written: list[AuditRow], change: str, row_at: int, says: str
) -> None:
    victim = written[-6].id
    with as_superuser(settings) as conn:
        with conn.cursor() as cursor:
            cursor.execute(change, (victim,))
            assert cursor.rowcount == 1
        verdict = check_chain(audit_rows(conn), from_the_first=True)
    assert says in verdict.broken
    assert f"row {victim + row_at} " in verdict.broken
    assert verdict.rows == len(written) - 6


def test_a_break_ends_the_command_with_1_and_one_line(fresh_database: Callable[[], Settings]) -> None:
    settings = fresh_database()
    with transaction(settings, OPERATOR) as conn:
        for index in range(3):
            append_audit(conn, "ani", "trace shown", f"K{index}")
    with transaction(settings, OWNER) as conn, conn.cursor() as cursor:
        cursor.execute("alter table audit disable trigger audit_never_changes")
        cursor.execute("update audit set object = 'K9' where object = 'K1'")
    answer = verify(settings)
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr.startswith("broken: row 2 of ")
    assert answer.stderr.count("\n") == 1


def test_rows_cut_off_at_the_end_show_to_who_knows_the_head_or_the_last_row(
    settings: Settings, written: list[AuditRow]
) -> None:
    with as_superuser(settings) as conn:
        with conn.cursor() as cursor:
            cursor.execute("delete from audit where id > %s", (written[-4].id,))
        blind = check_chain(audit_rows(conn), from_the_first=True)
        sighted = check_chain(audit_rows(conn), from_the_first=True, expected=written[-1].hash)
        missed = [
            check_chain(audit_rows(conn, at), from_the_first=not at, last=read_last(conn)) for at in (None, BEGAN)
        ]
    assert (blind.broken, blind.rows) == ("", len(written) - 3)
    assert "cut off" in sighted.broken
    assert ["missing at the end" in one.broken for one in missed] == [True, True]


@pytest.mark.parametrize("left", [0, 4])
def test_who_cuts_off_the_end_or_all_is_found_by_the_command_though_nobody_looked_before(
    fresh_database: Callable[[], Settings], left: int
) -> None:
    settings = fresh_database()
    written_anew(settings, [f"K{index}" for index in range(5)])
    with transaction(settings, OWNER) as conn, conn.cursor() as cursor:
        cursor.execute("alter table audit disable trigger audit_never_changes")
        cursor.execute("delete from audit where id > (select min(id) from audit) - 1 + %s", (left,))
    answer = verify(settings)
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert "missing at the end" in answer.stderr


def written_anew(settings: Settings, objects: list[str]) -> None:
    with transaction(settings, OPERATOR) as conn:
        for one in objects:
            append_audit(conn, "ani", "trace shown", one)


def test_a_chain_written_anew_as_a_whole_is_found_by_who_looked_before_from_the_same_home(
    fresh_database: Callable[[], Settings], tmp_path: Path
) -> None:
    settings = fresh_database()
    homes = [
        msgspec.structs.replace(settings, home=tmp_path / name, secrets=str(settings.secrets_dir)) for name in "ab"
    ]
    for home in homes:
        home.home.mkdir()
    written_anew(settings, ["K1", "K2"])
    assert verify(homes[0]).exit_code == 0
    assert (homes[0].home / "audit-head.json").stat().st_mode & 0o077 == 0
    written_anew(settings, ["K3"])
    assert verify(homes[0]).exit_code == 0
    with transaction(settings, OWNER) as conn, conn.cursor() as cursor:
        cursor.execute("alter table audit disable trigger audit_never_changes")
        cursor.execute("delete from audit")
        cursor.execute("alter table audit enable trigger audit_never_changes")
    written_anew(settings, ["K1", "K3"])
    assert verify(homes[1]).exit_code == 0
    answer = verify(homes[0])
    assert (answer.exit_code, "written anew" in answer.stderr) == (1, True)
    other = fresh_database()
    written_anew(other, ["K1"])
    assert verify(msgspec.structs.replace(other, home=homes[0].home, secrets=homes[0].secrets)).exit_code == 0
    (homes[0].home / "audit-head.json").write_text("{}")
    assert "holds no head" in str(verify(homes[0]).exception)


def test_an_older_head_is_still_expected_after_more_was_written(settings: Settings, written: list[AuditRow]) -> None:
    with transaction(settings, OPERATOR) as conn:
        append_audit(conn, "ani", "trace shown", "K77")
    assert verify(settings, "--expect", written[-1].hash.hex()).exit_code == 0
    assert verify(settings, "--expect", "00" * 32).exit_code == 1


@pytest.mark.parametrize("text", ["xyz", "00", "00" * 33])
def test_an_expected_head_that_is_no_hash_is_refused(settings: Settings, text: str) -> None:
    assert "--expect" in str(verify(settings, "--expect", text).exception)


def test_since_leaves_the_rows_before_out_and_still_sees_a_break(settings: Settings, written: list[AuditRow]) -> None:
    since = written[-5].at
    assert stored(settings, since) == written[-5:]
    assert verify(settings, "--since", since.isoformat()).stdout.startswith("5 rows hold")
    assert verify(settings, "--since", since.isoformat(), "--expect", written[-6].hash.hex()).exit_code == 0
    assert verify(settings, "--since", "2999-01-01").stdout == "0 rows hold, head none\n"
    with as_superuser(settings) as conn:
        with conn.cursor() as cursor:
            cursor.execute("update audit set action = 'nothing' where id = %s", (written[-2].id,))
        assert f"row {written[-2].id} " in check_chain(audit_rows(conn, since), from_the_first=False).broken


def test_an_export_can_be_checked_without_the_database(settings: Settings, written: list[AuditRow]) -> None:
    answer = CliRunner().invoke(audit_log, ["export"], obj=settings)
    rows = [json.loads(line) for line in answer.stdout.splitlines()]
    again = [
        AuditRow(
            id=row["id"],
            at=datetime.fromisoformat(row["at"]),
            principal=row["principal"],
            action=row["action"],
            object=row["object"],
            reason=row["reason"],
            previous=bytes.fromhex(row["previous"]),
            hash=bytes.fromhex(row["hash"]),
        )
        for row in rows
    ]
    assert again == written
    assert not check_chain(again, from_the_first=True).broken


def test_nobody_of_ours_can_change_the_audit(settings: Settings, written: list[AuditRow]) -> None:
    for role in (OPERATOR, OWNER):
        for change in ("update audit set reason = ''", "delete from audit", "truncate audit"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege), transaction(settings, role) as conn:
                conn.cursor().execute(change)
    assert stored(settings) == written


@hypothesis_settings(deadline=None)
@given(st.integers(2, 12), st.data())
def test_no_single_change_of_a_chain_passes(number: int, data: st.DataObject) -> None:
    rows = chain(number)
    assert not check_chain(rows, from_the_first=True, expected=rows[-1].hash).broken
    at = data.draw(st.integers(0, number - 1))
    other = data.draw(st.integers(0, number - 1).filter(lambda index: index != at))
    kind = data.draw(st.sampled_from(["drop", "swap", "twice", "word"]))
    changed = list(rows)
    if kind == "drop":
        del changed[at]
    elif kind == "swap":
        changed[at], changed[other] = changed[other], changed[at]
    elif kind == "twice":
        changed.insert(at, changed[at])
    else:
        row = rows[at]
        changed[at] = data.draw(
            st.sampled_from(
                [
                    msgspec.structs.replace(row, at=row.at + timedelta(days=1)),
                    msgspec.structs.replace(row, principal="somebody"),
                    msgspec.structs.replace(row, action=row.action + "\0"),
                    msgspec.structs.replace(row, object="K2", hash=row.hash[::-1]),
                    msgspec.structs.replace(row, previous=row.previous + b"x"),
                    rehashed(msgspec.structs.replace(row, reason="another")),
                ]
            )
        )
    assert check_chain(changed, from_the_first=True, expected=rows[-1].hash).broken


def test_an_empty_audit_holds_and_has_no_head(fresh_database: Callable[[], Settings]) -> None:
    assert verify(fresh_database()).stdout == "0 rows hold, head none\n"
