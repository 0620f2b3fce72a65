"""The one way to a database of ours, and where it is refused."""

from collections.abc import Callable

import msgspec
import pytest

from schemas.errors import InvalidSettings, Unavailable
from schemas.settings import Settings
from tracing.instants import DAY_US
from tracing.store import connect, known_weeks, make_weeks, week_of


def test_a_service_role_sees_utc_and_is_not_in_autocommit(fresh_database: Callable[[], Settings]) -> None:
    conn = connect(fresh_database(), "jejak_visits")
    with conn, conn.cursor() as cur:
        cur.execute("select current_user, current_setting('timezone')")
        assert cur.fetchone() == ("jejak_visits", "UTC")
        assert not conn.autocommit
    conn.close()


@pytest.mark.parametrize("host", ["10.0.0.5", "db.example", "192.168.1.2"])
def test_a_database_beyond_loopback_needs_tls_or_a_setting_by_name(
    fresh_database: Callable[[], Settings], host: str
) -> None:
    far = msgspec.structs.replace(fresh_database(), database=f"postgresql://{host}:5432/jejak")
    with pytest.raises(InvalidSettings, match="JEJAK_DATABASE"):
        connect(far, "jejak_visits")


def test_a_missing_address_or_password_file_is_named(fresh_database: Callable[[], Settings]) -> None:
    settings = fresh_database()
    with pytest.raises(InvalidSettings, match="JEJAK_DATABASE"):
        connect(msgspec.structs.replace(settings, database=""), "jejak_visits")
    with pytest.raises(InvalidSettings, match="JEJAK_SECRETS"):
        connect(settings, "jejak_nobody")


def test_a_server_that_does_not_answer_is_unavailable(fresh_database: Callable[[], Settings]) -> None:
    away = msgspec.structs.replace(fresh_database(), database="postgresql://127.0.0.1:1/jejak")
    with pytest.raises(Unavailable):
        connect(away, "jejak_visits")


def test_a_week_that_was_made_is_known_by_its_monday(fresh_database: Callable[[], Settings]) -> None:
    conn = connect(fresh_database(), "jejak_visits")
    days = [20_514, 20_515, 20_521, 18_262, 18_628, 22_279]  # 2026-03-02 is a Monday; years with 52 and 53 weeks
    with conn, conn.cursor() as cur:
        before = known_weeks(cur)
        make_weeks(cur, days)
        weeks = {week_of(day * DAY_US) for day in days}
        assert all((day + 3) % 7 == 0 for day in weeks)
        assert known_weeks(cur) - before == weeks - before
        make_weeks(cur, days)
        assert known_weeks(cur) - before == weeks - before
    conn.close()
