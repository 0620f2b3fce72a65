"""Bugs to plant, one at a time, into the code that runs: each is a mistake somebody could make. Product code has none.

`plant(name, patch)` with pytest's monkeypatch; in a process of its own `python -c "from tests.chaos.bugs import ..."`.
"""

import builtins
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import msgspec

import streams.joining.store
import streams.store
import streams.visits
import tracing.cases.alerts
import tracing.cases.lookup
import tracing.cases.rings
import tracing.cases.touching
import tracing.counts
import tracing.histories
import tracing.job
import tracing.lines
import tracing.records
import tracing.rulesets
import tracing.store
import tracing.visits
import tracing.windows
from streams.joining.store import JoiningStore, Part, Stand
from streams.standing import StandingStore
from streams.store import BatchStore, Result
from streams.visits import VisitFold
from tests.chaos.small import Killed
from tracing import instants, keys
from tracing.rows import dashed
from tracing.rulesets import Rule
from tracing.visits import Visit

Patch = Callable[[Any, str, Any], None]  # monkeypatch.setattr
BUGS: dict[str, tuple[str, Callable[[Patch], None]]] = {}  # by name: in which comparison it must show, how to plant it


def bug(shows: str) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    def remember(plant: Callable[[Patch], None]) -> Callable[[Patch], None]:
        BUGS[plant.__name__] = shows, plant
        return plant

    return remember


def _after(patch: Patch, owner: Any, name: str, change: Callable[[Any], Any]) -> None:
    """Let a function return `change` of what it returns."""
    right = getattr(owner, name)
    patch(owner, name, lambda *args, **more: change(right(*args, **more)))


def _every(number: int) -> Callable[[], bool]:
    seen = [0]

    def is_it() -> bool:
        seen[0] += 1
        return seen[0] % number == 0

    return is_it


def _dropping(patch: Patch, is_dropped: Callable[[Any], bool]) -> None:
    """Leave records of a batch out, and count them as repeats so that the ledger adds up."""
    right = VisitFold.fold_all

    def fold_all(self: VisitFold, cur: Any, parts: Sequence[Part]) -> list[Result]:
        kept = [Part(part.source, [one for one in part.records if not is_dropped(one)]) for part in parts]
        done = right(self, cur, kept)
        gone = [len(part.records) - len(left.records) for part, left in zip(parts, kept, strict=True)]
        return [Result(one.applied, one.duplicate + more, one.dead) for one, more in zip(done, gone, strict=True)]

    patch(VisitFold, "fold_all", fold_all)


@bug("scan")
def one_record_in_seventy_is_dropped(patch: Patch) -> None:
    it = _every(70)
    _dropping(patch, lambda _: it())


@bug("scan")
def late_scans_are_ignored(patch: Patch) -> None:
    latest: dict[str, str] = {}

    def is_late(record: Any) -> bool:
        text = bytes(record.value or b"").decode(errors="replace")
        if '"event":"scan",' not in text:
            return False
        person, at = text.partition('"person_id":"')[2][:32], text.partition('"at":"')[2][:26]
        late = at < latest.get(person, "") and at[:10] < latest[person][:10]
        latest[person] = max(at, latest.get(person, ""))
        return late

    _dropping(patch, is_late)


@bug("hour")
def a_difference_is_applied_twice(patch: Patch) -> None:
    right, it = tracing.store.add_counts, _every(7)

    def add_counts(cur: Any, differences: Mapping[int, Mapping[Any, Any]]) -> Any:
        if it():
            right(cur, differences)
        return right(cur, differences)

    patch(tracing.store, "add_counts", add_counts)


def _two_transactions(patch: Patch, first: Callable[[Any, Any], None], then: Callable[[Any, Any], None]) -> None:
    """Commit one half of a batch, then the other; the process is killed between the two now and then."""
    it = _every(9)

    def attempt(self: BatchStore, conn: Any, source: Any, records: Sequence[Any]) -> None:
        batch = SimpleNamespace(store=self, source=source, records=records, result=None)
        with conn, conn.cursor() as cur:
            at = streams.store.lock_position(cur, source, self._cluster_id)
            batch.records = streams.store.due_records(records, at)
            if not batch.records:
                return
            first(cur, batch)
        if it():
            raise Killed
        with conn, conn.cursor() as cur:
            then(cur, batch)

    patch(BatchStore, "_attempt", attempt)
    patch(JoiningStore, "apply_all", _one_by_one)


def _one_by_one(store: JoiningStore, batches: Iterable[Any]) -> None:
    for batch in batches:
        store.apply(batch)


def _folded(cur: Any, batch: Any) -> None:
    try:
        batch.result = batch.store._work.fold(cur, batch.source, batch.records)
    except streams.store.RunFirst as order:
        cur.connection.rollback()
        order.step(cur)
        batch.result = batch.store._work.fold(cur, batch.source, batch.records)


def _booked(cur: Any, batch: Any) -> None:
    result = batch.result or Result(len(batch.records), 0, ())
    batch.store._book(cur, batch.source, batch.records, result)


@bug("scan")
def the_position_is_committed_before_the_rows(patch: Patch) -> None:
    _two_transactions(patch, _booked, _folded)


@bug("hour")
def the_rows_are_committed_before_the_position(patch: Patch) -> None:
    right = tracing.store.add_scans

    def without_memory(cur: Any, scans: Iterable[Any]) -> Any:
        scans = list(scans)
        return right(cur, scans) | {(dashed(s[0].person_id), s[0].scan_id) for s in scans}

    patch(tracing.store, "add_scans", without_memory)  # the second time the batch comes, it is new again
    _two_transactions(patch, _folded, _booked)


@bug("scan")
def kafkas_offset_is_believed_instead_of_postgresqls_position(patch: Patch) -> None:
    acked: dict[Any, int] = {}
    right, begin, it = BatchStore.apply, BatchStore.positions, _every(9)

    def positions(self: BatchStore, log: Any) -> Any:
        if ("scan.v1", 0) not in log.starts:
            return begin(self, log)
        self._cluster_id = log.cluster_id
        return {place: acked.get(place, 0) for place in log.starts}

    def apply(self: BatchStore, batch: Any) -> None:
        acked[batch.topic, batch.partition] = batch.records[-1].offset + 1  # ack before commit
        if batch.topic == "scan.v1" and it():
            raise Killed
        right(self, batch)

    def lock(cur: Any, source: Any, _: str) -> int:
        cur.execute("insert into position values (%s, %s, 'c', 0, 0, 0, 0, 0) on conflict do nothing", tuple(source))
        return 0

    def advance(cur: Any, source: Any, _: int, result: Result) -> None:
        dead = len(result.dead)
        cur.execute(
            "update position set next_offset = next_offset + %s, applied = applied + %s, duplicate = duplicate + %s,"
            " dead = dead + %s where topic = %s and partition = %s",
            (result.applied + result.duplicate + dead, result.applied, result.duplicate, dead, *source),
        )

    patch(BatchStore, "positions", positions)
    patch(BatchStore, "apply", apply)
    patch(JoiningStore, "apply_all", _one_by_one)
    patch(streams.store, "lock_position", lock)
    patch(streams.store, "due_records", lambda records, _: records)
    patch(streams.store, "advance", advance)

    def lock_all(cur: Any, sources: Sequence[Any], cluster: str) -> Any:
        return {source: Stand(lock(cur, source, cluster)) for source in sources}

    def advance_all(cur: Any, moves: Sequence[Any]) -> None:
        for move in moves:
            advance(cur, *move)

    patch(streams.joining.store, "lock_positions", lock_all)
    patch(streams.joining.store, "due_records", lambda records, _: records)
    patch(streams.joining.store, "advance_all", advance_all)


@bug("scan")
def repeats_are_stored_again(patch: Patch) -> None:
    def add_scans(cur: Any, scans: Iterable[Any]) -> Any:
        tracing.store._copy(cur, "stage_scan", (tracing.lines.scan_line(*scan) for scan in scans))
        cur.execute("insert into scan select * from stage_scan returning person::text, scan_id::text")
        return set(cur.fetchall())

    patch(tracing.store, "add_scans", add_scans)


@bug("scan")
def a_scan_id_is_taken_for_the_whole_identity(patch: Patch) -> None:
    right = tracing.store.add_scans

    def add_scans(cur: Any, scans: Iterable[Any]) -> Any:
        scans = list(scans)
        cur.execute("select scan_id::text from scan where scan_id = any(%s::uuid[])", ([s[0].scan_id for s in scans],))
        known = {row[0] for row in cur.fetchall()}
        new = [scan for scan in scans if scan[0].scan_id not in known]
        return right(cur, new)

    def stored(_: VisitFold, __: Any, arrivals: Iterable[Any], new: set[Any]) -> dict[Any, Any]:
        return {arrival.identity: arrival.body for arrival in arrivals if arrival.identity not in new}

    patch(tracing.store, "add_scans", add_scans)
    patch(VisitFold, "_stored", stored)


@bug("exposure")
def the_window_begins_a_microsecond_late(patch: Patch) -> None:
    _after(patch, tracing.cases.rings, "case_window", lambda window: window._replace(start=window.start + 1))


@bug("exposure")
def the_window_is_that_of_utc(patch: Patch) -> None:
    right = tracing.windows.case_window
    patch(tracing.cases.rings, "case_window", lambda rule, day, isolation, _: right(rule, day, isolation, "UTC"))


@bug("exposure")
def isolation_does_not_end_the_window(patch: Patch) -> None:
    right = tracing.windows.case_window
    patch(tracing.cases.rings, "case_window", lambda rule, day, _, zone: right(rule, day, None, zone))


@bug("exposure")
def fifteen_minutes_exactly_do_not_count(patch: Patch) -> None:
    right: Any = Rule.minutes_us
    patch(Rule, "minutes_us", property(lambda self: right.fget(self) + 1))


@bug("exposure")
def two_short_meetings_are_added_up(patch: Patch) -> None:
    right = tracing.rulesets.rule_of
    patch(tracing.job, "rule_of", lambda rule_id: msgspec.structs.replace(right(rule_id), count="24h"))


@bug("exposure")
def an_exit_is_lost(patch: Patch) -> None:
    right, it = tracing.visits._Pairing.leave, _every(40)

    def leave(self: Any, scan: Any) -> None:
        if hash(scan.scan_id[-3:]) is None or int(scan.scan_id[-2:], 16) % 16 == 3:
            it()
            return
        right(self, scan)

    patch(tracing.visits._Pairing, "leave", leave)


@bug("visit")
def of_two_scans_at_one_instant_the_later_id_comes_first(patch: Patch) -> None:
    def backwards(scans: Iterable[Any], **_: Any) -> list[Any]:
        by_id = builtins.sorted(scans, key=lambda scan: scan.scan_id, reverse=True)
        return builtins.sorted(by_id, key=lambda scan: scan.at)

    patch(tracing.visits, "sorted", backwards)


@bug("visit")
def ten_minutes_exactly_are_too_long(patch: Patch) -> None:
    patch(tracing.visits, "TWICE_US", tracing.visits.TWICE_US - 1)


@bug("visit")
def the_longest_stay_exactly_is_too_long(patch: Patch) -> None:
    def may_hold(self: Any, opened: Any, scan: Any) -> bool:
        return bool(opened.facility == scan.facility and scan.at - opened.at < self._longest)

    patch(tracing.visits._Pairing, "_may_hold", may_hold)


@bug("visit")
def an_orphan_begins_inside_the_visit_before(patch: Patch) -> None:
    right = tracing.visits._Pairing._add_orphan

    def add_orphan(self: Any, scan: Any) -> None:
        before, self._visits = self._visits, []
        right(self, scan)
        self._visits = before + self._visits

    patch(tracing.visits._Pairing, "_add_orphan", add_orphan)


def _visits_changed(patch: Patch, change: Callable[[Visit], dict[str, Any]]) -> None:
    _after(patch, tracing.visits, "_visit", lambda visit: msgspec.structs.replace(visit, **change(visit)))


@bug("exposure")
def that_an_end_was_estimated_is_lost(patch: Patch) -> None:
    _visits_changed(patch, lambda _: {"check_out_estimated": False})


@bug("exposure")
def the_last_zone_is_lost(patch: Patch) -> None:
    _visits_changed(patch, lambda visit: {"zones": visit.zones[:-1]})


@bug("visit")
def the_role_is_that_of_nobody(patch: Patch) -> None:
    _visits_changed(patch, lambda visit: {"role": "unknown" if visit.role == "staff" else visit.role})


@bug("hour")
def a_refused_scan_is_counted_twice(patch: Patch) -> None:
    right = tracing.counts._count_scan

    def count_scan(tally: Any, scan: Any) -> None:
        right(tally, scan)
        if not scan.admitted:
            right(tally, scan)

    patch(tracing.counts, "_count_scan", count_scan)


@bug("hour")
def the_full_hour_belongs_to_the_hour_before(patch: Patch) -> None:
    right = instants.hour_of
    patch(tracing.counts, "hour_of", lambda at, zone: right(at - 1, zone))


@bug("hour")
def hours_are_those_of_utc(patch: Patch) -> None:
    hour_of, between = instants.hour_of, instants.hours_between
    patch(tracing.counts, "hour_of", lambda at, _: hour_of(at, "UTC"))
    patch(tracing.counts, "hours_between", lambda start, end, _: between(start, end, "UTC"))


@bug("hour")
def a_person_who_comes_twice_in_an_hour_is_two_visitors(patch: Patch) -> None:
    right = tracing.counts._count_visit

    def count_visit(tally: Any, visit: Any) -> None:
        before = {hour: counts.visitors for hour, counts in tally.items()}
        right(tally, visit)
        for hour, _ in instants.hours_between(visit.check_in, visit.check_out, visit.time_zone):
            tally[visit.facility, hour].visitors = before.get((visit.facility, hour), 0) + 1

    patch(tracing.counts, "_count_visit", count_visit)


@bug("hour")
def counts_go_to_the_neighbouring_shard(patch: Patch) -> None:
    right = tracing.store.add_counts

    def add_counts(cur: Any, differences: Mapping[int, Mapping[Any, Any]]) -> Any:
        added = right(cur, {shard ^ 1: counts for shard, counts in differences.items()})
        return {shard ^ 1: hours for shard, hours in added.items()}

    patch(tracing.store, "add_counts", add_counts)


@bug("visit")
def every_stay_is_of_the_shortest_class(patch: Patch) -> None:
    right = keys.visit_key
    patch(tracing.lines, "visit_key", lambda facility, check_in, _: right(facility, check_in, check_in))


@bug("visit")
def decisions_are_ignored(patch: Patch) -> None:
    patch(tracing.histories, "latest_decisions", lambda _: {})


@bug("visit")
def the_lowest_serial_wins(patch: Patch) -> None:
    right = tracing.records.latest_decisions
    turned: Any = lambda some: right((scan_id, -serial, verdict) for scan_id, serial, verdict in some)  # noqa: E731
    patch(tracing.histories, "latest_decisions", turned)


@bug("visit")
def a_clearing_beats_a_flag_of_the_same_serial(patch: Patch) -> None:
    patch(tracing.records, "VERDICTS", ("clear", "flag", "void"))


@bug("dead")
def dead_letters_are_dropped(patch: Patch) -> None:
    patch(streams.store, "write_dead", lambda *_: None)
    patch(streams.joining.store, "write_dead", lambda *_: None)


@bug("visit")
def a_late_scan_is_taken_for_the_latest(patch: Patch) -> None:
    patch(streams.visits, "is_in_order", lambda *_: True)


@bug("scan")
def of_one_identity_the_last_body_stands(patch: Patch) -> None:
    def lasts(arrivals: Iterable[Any]) -> list[Any]:
        return list({arrival.identity: arrival for arrival in arrivals}.values())

    def sort_out(some: Sequence[Any], new: set[Any], _: Any) -> tuple[int, int, list[Any]]:
        applied = len({arrival.identity for arrival in some} & new)
        return applied, len(some) - applied, []

    patch(streams.visits, "first_of_each", lasts)
    patch(streams.visits, "sort_out", sort_out)


@bug("alert")
def an_alert_goes_to_another_office(patch: Patch) -> None:
    turned = {"d3671": "d3171", "d9171": "d7371"}
    _after(patch, tracing.cases.alerts, "offices_of", lambda offices: {turned.get(one, one) for one in offices})


@bug("alert")
def the_province_hears_nothing(patch: Patch) -> None:
    _after(patch, tracing.cases.alerts, "offices_of", lambda offices: {one for one in offices if one[0] == "d"})


def _news(patch: Patch, change: Callable[[str, list[Any]], list[Any]]) -> None:
    """Let the offices hear of something else; `change` gets the part of the news and what is in it."""
    desk = tracing.cases.alerts._Desk
    for part in ("_losses", "_changes"):
        right = getattr(desk, part)
        patch(desk, part, lambda *args, right=right, part=part: change(part, right(*args)))


@bug("alert")
def a_withdrawal_is_not_told(patch: Patch) -> None:
    _news(patch, lambda part, news: [] if part == "_losses" else news)


@bug("alert")
def a_change_is_not_told(patch: Patch) -> None:
    _news(patch, lambda part, news: [] if part == "_changes" else news)


@bug("alert")
def a_change_is_told_as_it_was(patch: Patch) -> None:
    right = tracing.cases.alerts._Desk._changes

    def changes(self: Any, was: Any, now: Any) -> Any:
        return [one._replace(candidate=was[one.candidate.person]) for one in right(self, was, now)]

    patch(tracing.cases.alerts._Desk, "_changes", changes)


@bug("exposure")
def a_late_visit_of_the_case_touches_no_trace(patch: Patch) -> None:
    right = tracing.cases.touching._TOUCHED
    patch(tracing.cases.touching, "_TOUCHED", right.replace("where c.state = 'open'", "where false", 1))


@bug("exposure")
def a_late_visit_of_nobody_known_touches_no_trace(patch: Patch) -> None:
    patch(tracing.cases.touching, "_spans", lambda *_: [])


@bug("exposure")
def a_trace_that_is_due_is_forgotten_now_and_then(patch: Patch) -> None:
    right, it = StandingStore._run, _every(2)

    def run(self: StandingStore, case_id: str, rule: str, person: str) -> None:
        if it():
            right(self, case_id, rule, person)

    patch(StandingStore, "_run", run)


@bug("exposure")
def estimated_ends_are_not_told(patch: Patch) -> None:
    right = tracing.cases.lookup.exposure

    def exposure(one: Any, other: Any, span: Any, **changes: Any) -> Any:
        scanned = {"check_out_estimated": False}
        return right(one._replace(**scanned), other._replace(**scanned), span, **changes)

    patch(tracing.cases.rings, "exposure", exposure)


@bug("case")
def day_zero_is_a_day_early(patch: Patch) -> None:
    import tracing.cases.episodes

    right = tracing.cases.episodes.specimen_day
    patch(tracing.cases.episodes, "specimen_day", lambda result: right(result) - timedelta(days=1))
