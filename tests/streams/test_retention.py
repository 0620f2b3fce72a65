"""Retention on a real database: the horizon moves while records come, and nothing that is left is otherwise."""

import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from random import Random

import pytest

from ops.audit.findings import Difference, Findings
from ops.audit.ledger import check_ledger
from ops.audit.recompute import check_fold
from ops.audit.store import open_snapshot
from schemas.errors import Conflict
from schemas.events import Gate, Role, Scan, ScanDecision, Verdict
from schemas.partition import partition_of
from schemas.settings import Settings
from streams.failpoints import RETENTION
from streams.retention import run as retention
from streams.retention import store
from streams.retention.run import HELD_DAYS_MAX, days_before, goal_of, run
from tests.commands import wait_until
from tests.streams.conftest import Fold, new_fold
from tests.streams.expected import expected_visits_and_counts, stored_visits_and_counts
from tests.streams.flow import (
    START,
    add_facilities,
    ask,
    closing_after,
    folded,
    person,
    running,
    scan,
    send,
    town,
    with_settings,
)
from tracing.instants import us_of

DAYS = 60
HOUR = timedelta(hours=1)
Record = Scan | ScanDecision


def at_of(record: Record) -> datetime:
    return record.at if isinstance(record, Scan) else record.scan_at


def clock(day: int) -> datetime:
    """Return a clock at which the horizon is so many days after the start."""
    return START + timedelta(days=DAYS + day, hours=5)


def move(settings: Settings, day: int, most: int = 7) -> retention.Report:
    return run(settings, clock(day), None, lambda _: None, most)


def differences(settings: Settings) -> list[Difference]:
    """Return what the audit finds in the database itself."""
    found: list[Difference] = []
    findings = Findings(("ledger", "visits", "counts"), found.append)
    with open_snapshot(settings) as snapshot:
        check_ledger(snapshot, findings)
        check_fold(snapshot, findings, lambda _: None)
    assert findings.differences == len(found)
    return found


class Watched:
    """A fold, with what it must have taken in when horizons move between its batches."""

    def __init__(self, fold: Fold) -> None:
        self.fold = fold
        self.horizon = datetime(1, 1, 1, tzinfo=UTC)
        self.taken: list[Record] = []
        self.too_old = 0

    def take(self, *records: Record) -> None:
        self.fold.fold(*records)
        good = [one for one in records if at_of(one) >= self.horizon]
        self.taken += good
        self.too_old += len(records) - len(good)

    def move(self, day: int) -> retention.Report:
        report = move(self.fold.settings, day)
        self.horizon = max(self.horizon, START + timedelta(days=day))
        return report

    def check(self) -> None:
        settings, horizon = self.fold.settings, us_of(self.horizon)
        visits, hours = stored_visits_and_counts(settings)
        wanted, counted = expected_visits_and_counts(self.taken)
        assert hours == counted
        ids = {row[1] for row in visits}
        assert visits == [row for row in wanted if row[1] in ids]
        assert all(row[4] <= horizon for row in wanted if row[1] not in ids)
        assert self.fold.reasons().count("too_old") == self.too_old
        assert ask(settings, "select count(*) from scan where at < %s", self.horizon) == [(0,)]
        assert differences(settings) == []


@pytest.fixture
def watched(fold: Fold) -> Watched:
    return Watched(fold)


def test_a_horizon_that_moves_between_batches_in_no_order_changes_nothing_that_is_left(
    watched: Watched, random: Random
) -> None:
    records = sorted(town(random, 60, days=40), key=at_of)
    records += random.sample(records, 30)
    day = 0
    while records:
        some, records = records[:90], records[90:]
        late = random.sample(some, 20)
        random.shuffle(late)
        watched.take(*[one for one in some if one not in late], *late)
        day += random.randint(2, 9)
        watched.move(day)
        watched.check()
    assert watched.too_old > 5
    assert watched.move(200).step.scans > 0
    watched.check()
    assert stored_visits_and_counts(watched.fold.settings)[0] == []


def test_many_small_steps_leave_what_one_large_one_leaves(
    fresh_database: Callable[[], Settings], random: Random
) -> None:
    records = town(random, 40, days=12)
    left = []
    for moves, most in (([2, 3, 7, 10], 3), ([10], 500)):
        fold = new_fold(fresh_database())
        fold.fold(*records)
        for day in moves:
            move(fold.settings, day, most)
        tables = ("dropped_day", "dropped_hour", "carry", "scan", "every_visit", "facility_hour")
        left.append([sorted(map(str, ask(fold.settings, f"select * from {name}"))) for name in tables])  # noqa: S608 — constants
        fold.store.close()
    assert left[0] == left[1]
    assert len(left[0][0]) > 50


def test_what_a_carry_must_know_it_knows(watched: Watched, random: Random) -> None:
    """An open stay, a second exit within minutes, a stay that an orphan must not overlap, an hour cut by midnight."""
    inpatient, leaver, orphan, twice = (person(random) for _ in range(4))
    midnight = START + timedelta(days=10)
    watched.take(
        scan(random, inpatient, "RS-1", midnight - 50 * HOUR, role=Role.INPATIENT),
        scan(random, leaver, "RS-1", midnight - 2 * HOUR),
        scan(random, leaver, "RS-1", midnight - HOUR / 60, Gate.EXIT),
        scan(random, orphan, "PKM-1", midnight - 2 * HOUR),
        scan(random, orphan, "PKM-1", midnight - HOUR / 2, Gate.EXIT),
        scan(random, twice, "PKM-2", midnight - HOUR, Gate.ENTRANCE),
        scan(random, twice, "PKM-2", midnight - HOUR + HOUR / 10, Gate.EXIT),
        scan(random, twice, "PKM-2", midnight - HOUR / 4, Gate.ENTRANCE),
    )
    watched.move(10)
    watched.check()
    later = [
        scan(random, leaver, "RS-1", midnight + HOUR / 20, Gate.EXIT),
        scan(random, orphan, "PKM-1", midnight + HOUR, Gate.EXIT),
        scan(random, twice, "PKM-2", midnight + HOUR / 2, Gate.EXIT),
        scan(random, inpatient, "RS-1", midnight + 30 * HOUR, Gate.EXIT),
    ]
    for one in reversed(later):
        watched.take(one)
        watched.check()
    visits = stored_visits_and_counts(watched.fold.settings)[0]
    assert len(visits) == 3  # nobody left twice
    watched.take(
        ScanDecision(
            scan_id=later[1].scan_id, person_id=orphan, scan_at=later[1].at, decision=Verdict.VOID, serial=1, by="x"
        )
    )
    watched.check()


def test_what_is_older_is_dead_and_what_is_dead_is_told_apart(watched: Watched, random: Random) -> None:
    who = person(random)
    old, edge = scan(random, who, "RS-1", START), scan(random, who, "RS-1", START + timedelta(days=3))
    watched.take(old)
    watched.move(3)
    just_before = scan(random, who, "RS-1", START + timedelta(days=3) - timedelta(microseconds=1))
    about = ScanDecision(scan_id=old.scan_id, person_id=who, scan_at=old.at, decision=Verdict.VOID, serial=1, by="x")
    watched.take(old, just_before, about, edge)
    assert watched.fold.reasons() == ["too_old"] * 3
    assert watched.fold.ledger() == (2, 0, 3)
    watched.check()


def test_a_person_of_whom_nothing_is_left_is_new_when_he_comes_again(watched: Watched, random: Random) -> None:
    who = person(random)
    watched.take(scan(random, who, "PKM-1", START), scan(random, who, "PKM-1", START + HOUR, Gate.EXIT))
    watched.move(2)
    rows = "select (select count(*) from carry), (select count(*) from pairing)"
    assert ask(watched.fold.settings, rows) == [(1, 1)]
    watched.move(33)
    assert ask(watched.fold.settings, rows) == [(0, 0)]
    watched.take(scan(random, who, "PKM-1", START + timedelta(days=40), Gate.EXIT))
    watched.check()


def test_a_run_that_is_killed_at_any_place_goes_on(watched: Watched, random: Random) -> None:
    settings = watched.fold.settings
    for number, place in enumerate((*RETENTION, "statement:3", "statement:9", "statement:17", "due done:2")):
        watched.take(*_of_day(random, number))
        watched.fold.store.close()  # a fork must not share it
        assert _die_in_a_fork(with_settings(settings, failpoint=place), number + 1) == signal.SIGKILL, place
        assert differences(settings) == []
        watched.move(number + 1)
        watched.check()
        assert ask(settings, "select count(*) from retention_due") == [(0,)]


def test_somebody_whose_visits_are_not_what_his_scans_say_keeps_everything(watched: Watched, random: Random) -> None:
    settings = watched.fold.settings
    one, other = person(random), person(random)
    watched.take(scan(random, one, "PKM-1", START), scan(random, other, "PKM-1", START))
    with closing_after(settings, "jejak_owner") as cur:
        cur.execute("update visit set role = 'crew' where replace(person::text, '-', '') = %s", (one,))
    report = watched.move(2)
    assert (report.step.persons, report.step.scans, report.step.left) == (2, 1, 1)
    assert [(each.check, each.what) for each in differences(settings)] == [
        ("visits", "role is crew, the scans say unknown")
    ]


def test_another_run_does_not_begin_while_one_is_at_work(fold: Fold) -> None:
    with store.opened(fold.settings) as conn:
        assert store.alone(conn)
        with pytest.raises(Conflict):
            move(fold.settings, 1)
    move(fold.settings, 1)


def test_weeks_in_which_nothing_is_left_go_and_come_again(watched: Watched, random: Random) -> None:
    settings = watched.fold.settings
    weeks = "select count(*) from pg_inherits where inhparent = 'visit'::regclass"
    watched.take(*town(random, 20, days=20))
    ((before,),) = ask(settings, weeks)
    assert before >= 3
    assert watched.move(90).weeks == before
    assert ask(settings, weeks) == [(0,)]
    watched.fold.store.close()
    watched.fold.store = watched.fold.new_store()
    watched.take(scan(random, person(random), "PKM-1", START + timedelta(days=91)))
    assert ask(settings, weeks) == [(1,)]
    watched.check()


def test_dead_letters_go_and_stay_in_the_ledger(watched: Watched, random: Random) -> None:
    settings = watched.fold.settings
    partition = partition_of(person(random), settings.partitions)
    for _ in range(3):
        watched.fold.append(partition, b"{")
    watched.fold.store.apply(watched.fold.batch(partition))
    with closing_after(settings, "jejak_owner") as cur:
        cur.execute('update dead_letter set at = %s where "offset" < 2', (clock(1) - timedelta(days=7, hours=1),))
        cur.execute('update dead_letter set at = %s where "offset" = 2', (clock(1) - timedelta(days=6),))
    assert move(settings, 1).letters == 2
    assert ask(settings, "select count(*) from dead_letter") == [(1,)]
    assert differences(settings) == []


def test_contacts_of_whole_days_go_with_the_visits(watched: Watched) -> None:
    settings = watched.fold.settings
    with closing_after(settings, "jejak_owner") as cur:
        cur.execute(
            'insert into "case" (case_id, person, state, classification, requested_by, requested_role, reason,'
            " opened_at) values ('K1', gen_random_uuid(), 'closed', 'konfirmasi', '', '', '', now())"
        )
        for end in (START, START + timedelta(days=9)):
            cur.execute(
                "insert into bulk_contact (day, rule, asked, case_id, person, facility_no, first_start, last_end,"
                " overlap_us, exposures, estimated)"
                " values (%s, 'r', '{}', 'K1', gen_random_uuid(), 1, %s, %s, 1, 1, false)",
                (end.date(), end, end),
            )
    move(settings, 5)
    assert ask(settings, "select day from bulk_contact") == [((START + timedelta(days=9)).date(),)]


NOW = datetime(2026, 11, 24, 13, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("earliest", "horizon", "held"),
    [
        (None, date(2026, 9, 25), False),
        (date(2026, 11, 20), date(2026, 9, 25), False),
        (date(2026, 9, 30), date(2026, 9, 30) - timedelta(days=days_before()), True),
        (date(2020, 1, 1), date(2026, 9, 25) - timedelta(days=HELD_DAYS_MAX), True),
    ],
)
def test_an_open_trace_holds_the_horizon_back_for_a_while(earliest: date | None, horizon: date, *, held: bool) -> None:
    goal = goal_of(NOW, DAYS, earliest)
    assert goal.horizon == us_of(datetime(horizon.year, horizon.month, horizon.day, tzinfo=UTC))
    assert goal.held_since == (earliest if held else None)


@pytest.mark.parametrize(
    ("case", "trace", "holds"),
    [
        ("pending", None, True),
        ("open", "open", True),
        ("open", "closed", False),
        ("closed", "open", False),
        ("open", None, False),
    ],
)
def test_only_what_still_looks_holds_it(
    fresh_database: Callable[[], Settings], case: str, trace: str | None, *, holds: bool
) -> None:
    settings = fresh_database()
    with closing_after(settings, "jejak_owner") as cur:
        cur.execute(
            'insert into "case" (case_id, person, state, classification, date_specimen, requested_by, requested_role,'
            " reason, opened_at) values ('K1', gen_random_uuid(), %s, 'konfirmasi', '2026-03-02', '', '', '', now())",
            (case,),
        )
        if trace:
            cur.execute("insert into trace (case_id, rule, state) values ('K1', 'r', %s)", (trace,))
    with store.opened(settings) as conn, conn, conn.cursor() as cur:
        assert (store.earliest_day_zero(cur, NOW) is not None) == holds


def test_retention_and_a_worker_at_work_do_not_disturb_each_other(installation: Settings, random: Random) -> None:
    add_facilities(installation)
    sent: list[Record] = []
    with running(installation, "worker", "visits"):
        for day in range(4):
            records = town(random, 80, days=8)
            random.shuffle(records)
            send(installation, records)
            sent += records
            wait_until(partial(_more_than, installation, len(sent) - len(records) // 2))
            move(installation, day, most=3)  # while the rest is folded
        wait_until(lambda: folded(installation) == len(sent))
        move(installation, 4)
    assert differences(installation) == []
    assert ask(installation, "select count(*) from dead_letter where reason = 'too_old'")[0][0] > 20
    assert ask(installation, "select sum(scans)::int from dropped_day")[0][0] > 50


def _more_than(settings: Settings, records: int) -> bool:
    return folded(settings) > records


def _of_day(random: Random, day: int) -> Iterator[Record]:
    """Yield what comes after the horizon of a day."""
    for record in town(random, 12, days=3):
        if isinstance(record, Scan):
            yield scan(random, record.person_id, record.facility_id, record.at + timedelta(days=day), Gate(record.gate))


def _die_in_a_fork(settings: Settings, day: int) -> int:
    """Run retention in a child that dies at its failpoint; return the signal that ended it."""
    child = os.fork()
    if not child:
        try:
            move(settings, day, most=5)
        finally:
            os._exit(0)  # it did not die: 0 is no signal
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status)
