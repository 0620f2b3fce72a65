"""Weeks of visits, made by several workers at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from ops.store import transaction
from schemas.settings import Settings

WORKERS = 6
WEEKS = 8


def test_workers_that_need_one_week_at_one_moment_all_get_it(fresh_database: Callable[[], Settings]) -> None:
    settings = fresh_database()
    together = Barrier(WORKERS)

    def ask_for_weeks(_: int) -> list[str]:
        names = []
        for week in range(WEEKS):
            with transaction(settings, "jejak_visits") as conn, conn.cursor() as cur:
                together.wait(30)
                cur.execute("select make_visit_partition(date '2031-01-06' + %s)", (7 * week,))
                row = cur.fetchone()
                assert row is not None
                names.append(str(row[0]))
        return names

    with ThreadPoolExecutor(WORKERS) as pool:
        answers = list(pool.map(ask_for_weeks, range(WORKERS)))
    assert answers[0][:2] == ["visit_2031w02", "visit_2031w03"]
    assert all(answer == answers[0] for answer in answers)
