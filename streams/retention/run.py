"""One run of retention, from the horizon to the last trail. Can be killed anywhere, and goes on when it is run again.

The horizon moves first, in one transaction for all partitions: from then on nothing older comes in. Then whoever has
something before it is noted, and looked at step by step. The clock is the caller's.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple

from schemas.errors import Conflict
from schemas.settings import Settings
from streams.failpoints import arm, reach
from streams.retention import store
from streams.retention.step import Retention, Step
from streams.store import in_transaction
from tracing.cases.touching import SLACK_DAYS
from tracing.instants import DAY_US, us_of, utc_of
from tracing.rulesets import rule_sets
from tracing.stays import Stays
from tracing.store import Connection, Cursor, read_partitions, read_stay_rules

PERSONS_AT_ONCE: Final = 500
HELD_DAYS_MAX: Final = 30  # an open trace holds the horizon back for so long at most: some traces never close
Say = Callable[[str], None]


class Goal(NamedTuple):
    """Where the horizon is to be."""

    days: int
    horizon: int
    held_since: date | None  # day zero of the case whose open trace holds it back


class Report(NamedTuple):
    """What a run did."""

    goal: Goal
    moved: int  # partitions
    step: Step
    weeks: int
    letters: int
    audit_rows: int
    requests: int
    erasures: int


def goal_of(now: datetime, days: int, earliest: date | None) -> Goal:
    """Return where the horizon is to be: midnight UTC so many days ago, or before all that an open trace looks at.

    Args:
        now: the clock.
        days: for how long scans and visits are kept.
        earliest: day zero of the earliest case whose trace is open.
    """
    wished = us_of(datetime.combine(now.astimezone(UTC).date() - timedelta(days=days), time(), UTC))
    if earliest is None:
        return Goal(days, wished, None)
    needed = us_of(datetime.combine(earliest - timedelta(days=days_before()), time(), UTC))
    held = max(min(wished, needed), wished - HELD_DAYS_MAX * DAY_US)
    return Goal(days, held, earliest if held < wished else None)


def days_before() -> int:
    """Return how many days before day zero a trace looks, by the widest of all rules, and some to spare."""
    return max(max(rule.source_days, rule.days_before) for rule in rule_sets().values()) + SLACK_DAYS


def read_goal(cur: Cursor, now: datetime, days: int | None) -> Goal:
    """Return the goal by what is stored; `days` instead of the dated setting, where given."""
    kept = store.read_days(cur, now.astimezone(UTC).date()) if days is None else days
    return goal_of(now, kept, store.earliest_day_zero(cur, now))


def run(settings: Settings, now: datetime, days: int | None, say: Say, most: int = PERSONS_AT_ONCE) -> Report:
    """Do all that is due.

    Args:
        settings: lead to the database.
        now: the clock.
        days: for how long scans and visits are kept; None: as the dated setting says.
        say: takes a line of progress.
        most: persons of a step.

    Raises:
        Conflict: another run is at work, or there are no topics yet.
        Unavailable: the database went away; run again.
    """
    arm(settings.failpoint)
    with store.opened(settings) as conn:
        if not store.alone(conn):
            raise Conflict("another run of retention is at work")
        goal, moved, horizon, latest = in_transaction(conn, lambda cur: _move(cur, now, days))
        step = _drop(conn, latest, say, most)
        weeks = _drop_weeks(conn, horizon)
        letters = _delete_letters(conn, now - timedelta(days=store.LETTER_DAYS))
        aged = now - timedelta(days=store.AUDIT_DAYS)
        rows, requests, erasures = in_transaction(conn, lambda cur: _others(cur, horizon, aged, now))
        return Report(goal, moved, step, weeks, letters, rows, requests, erasures)


def _move(cur: Cursor, now: datetime, days: int | None) -> tuple[Goal, int, int, int]:
    """Move the horizon; return also where it is now, at the least and at the most: it never goes back."""
    if not read_partitions(cur):
        raise Conflict("the installation has no topics yet: run `jejak topics`")
    goal = read_goal(cur, now, days)
    moved = store.move(cur, goal.horizon)
    reach("horizon moved")
    now_at = [at for at in store.read_horizons(cur).values() if at is not None] or [goal.horizon]
    return goal, moved, min(now_at), max(now_at)


def _drop(conn: Connection, horizon: int, say: Say, most: int) -> Step:
    def find(cur: Cursor) -> tuple[int, list[int]]:
        number = store.find_due(cur, horizon, read_partitions(cur))
        reach("due found")
        return number, store.due_partitions(cur)

    number, partitions = in_transaction(conn, find)
    retention, whole = Retention(), Step()
    while partitions:
        for partition in list(partitions):
            step = in_transaction(conn, lambda cur, partition=partition: retention.take_step(cur, partition, most))  # type: ignore[misc] # bound
            if not step.persons:
                partitions.remove(partition)
            whole += step
        say(f"{whole.persons:,} of {number:,} persons, {whole.scans:,} scans and {whole.visits:,} visits gone")
    return whole


def _drop_weeks(conn: Connection, horizon: int) -> int:
    """Drop the weeks in which no visit can begin any more; one in which something is left stays."""

    def find(cur: Cursor) -> list[date]:
        return store.known_weeks_before(cur, horizon - Stays(read_stay_rules(cur)).longest)

    mondays = in_transaction(conn, find)
    return sum(in_transaction(conn, lambda cur, at=at: store.drop_empty_week(cur, at)) for at in mondays)  # type: ignore[misc] # bound


def _delete_letters(conn: Connection, before: datetime) -> int:
    whole = 0
    while some := in_transaction(conn, lambda cur: store.delete_letters(cur, before)):
        whole += some
    return whole


def _others(cur: Cursor, horizon: int, aged: datetime, now: datetime) -> tuple[int, int, int]:
    store.delete_bulk(cur, horizon)
    store.delete_beside(cur, horizon, Stays(read_stay_rules(cur)).longest)
    erasures = store.erase_due(cur)
    requests, rows = store.forget_requests(cur, aged), store.trim_audit(cur, aged)
    store.mark_run(cur, now)
    return rows, requests, erasures


def day_of(horizon: int) -> str:
    """Return a horizon as people read it."""
    return f"{utc_of(horizon):%Y-%m-%d}"
