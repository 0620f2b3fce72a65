"""What the database must hold after a log was folded: computed without it, from the records in their order."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, TypeAlias

from schemas.events import Scan, ScanDecision
from schemas.settings import Settings
from tests.streams.flow import ask
from tracing.counts import Counts, add, counts_of
from tracing.records import standing
from tracing.visits import visits_of

Rows: TypeAlias = list[tuple[Any, ...]]
COUNTS = ", ".join(f"sum({name})::bigint" for name in Counts.__struct_fields__)


def expected_visits_and_counts(records: Iterable[Scan | ScanDecision]) -> tuple[Rows, Rows]:
    """Return the rows of visits and of counts; of one identity the first record stands."""
    by_person: defaultdict[str, list[Scan | ScanDecision]] = defaultdict(list)
    for record in records:
        by_person[record.person_id].append(record)
    visits: Rows = []
    counts: dict[Any, Counts] = {}
    for person_id, theirs in by_person.items():
        scans = standing(theirs).scans
        made = visits_of(scans)
        visits += [
            (
                person_id,
                v.visit_id,
                v.facility,
                v.check_in,
                v.check_out,
                v.check_in_estimated,
                v.check_out_estimated,
                v.role,
                [list(zone) for zone in v.zones] or None,
            )
            for v in made
        ]
        add(counts, counts_of(made, scans))
    hours = [(facility, hour, *_values(one)) for (facility, hour), one in counts.items()]
    return sorted(visits, key=str), sorted(hours, key=str)


def stored_visits_and_counts(settings: Settings) -> tuple[Rows, Rows]:
    """Return what the database holds, in the same words."""
    visits = ask(
        settings,
        "select replace(person::text, '-', ''), visit_id::text, facility_id,"
        " (extract(epoch from check_in) * 1000000)::bigint, (extract(epoch from check_out) * 1000000)::bigint,"
        " check_in_estimated, check_out_estimated, role, zones"
        " from every_visit join facility on facility_no = key >> 3",
    )
    hours = ask(
        settings,
        f"select facility_id, (extract(epoch from hour) * 1000000)::bigint, {COUNTS}"  # noqa: S608 — constants
        " from facility_hour join facility using (facility_no) group by 1, 2",
    )
    return sorted(visits, key=str), sorted(hours, key=str)


def ledger_holds(settings: Settings) -> bool:
    """Say whether every position is accounted for, record by record."""
    rows = ask(settings, "select bool_and(next_offset - first = applied + duplicate + dead) from position")
    return bool(rows[0][0])


def _values(counts: Counts) -> tuple[int, ...]:
    return tuple(int(getattr(counts, name)) for name in Counts.__struct_fields__)
