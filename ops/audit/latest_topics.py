"""The compacted topics: the latest value of each key is what is stored, and no key is left of what is not.

Older values of a key are gone or do not matter to a reader, so of them nothing is claimed.
"""

from typing import Final

import msgspec

from ops.audit.findings import Findings
from ops.audit.log import Log
from ops.audit.outbox import Moving
from ops.audit.recompute import Say, differing_counts, hour_name
from ops.audit.store import Snapshot, us
from schemas.events import FacilityCount, PersonStatus
from schemas.partition import partition_of
from schemas.topics import FACILITY_COUNT, PERSON_STATUS
from streams.tidings import facility_counts
from tracing.counts import Counts
from tracing.instants import us_of, utc_of
from tracing.rows import undashed

COUNTS: Final = "count-topic"
STATUS: Final = "status-topic"


def check_count_topic(snapshot: Snapshot, log: Log, on_the_way: Moving, findings: Findings, say: Say) -> None:
    """Compare the latest value of every (facility, hour, shard) with its stored row, partition by partition."""
    for partition in range(snapshot.partitions):
        say(f"{FACILITY_COUNT.name} {partition} of {snapshot.partitions}")
        told = _latest(log, FACILITY_COUNT.name, partition)
        here = [
            number
            for number, facility in snapshot.facilities.items()
            if partition_of(facility.facility_id, snapshot.partitions) == partition
        ]
        for facility_no, hour, shard, *numbers in snapshot.counts_at(here):
            stored = Counts(*numbers)
            ((_, key, value),) = facility_counts(
                [(facility_no, hour, stored)], shard, snapshot.facilities, snapshot.partitions
            )
            latest = told.pop(key, None)
            if key in on_the_way.counts:
                continue
            findings.compared(COUNTS)
            if latest == value:
                continue
            row = hour_name(snapshot.facilities[facility_no], hour, shard)
            if latest is None:
                findings.differs(COUNTS, row, "is stored, but was not told")
            elif was := differing_counts(_counts(latest), stored, "stored is"):
                findings.differs(COUNTS, row, was)
        for key, latest in told.items():
            if latest is not None and key not in on_the_way.counts:
                findings.differs(COUNTS, _key_name(key), "is told, but not stored")


def check_status_topic(snapshot: Snapshot, log: Log, on_the_way: Moving, findings: Findings) -> None:
    """Compare the latest advice about every person and case with what is stored; persons are named by their case."""
    stored = snapshot.ask(f"select person::text, case_id, {us('until')} from person_status where not ended")  # noqa: S608 — our own expression
    wanted = {f"{undashed(person)}|{case_id}".encode(): (case_id, until) for person, case_id, until in stored}
    for partition in log.partitions(PERSON_STATUS.name):
        for key, value in _latest(log, PERSON_STATUS.name, partition).items():
            case_id, until = wanted.pop(key, (key.decode().rpartition("|")[2], None))
            if key in on_the_way.statuses:
                continue
            findings.compared(STATUS)
            told = us_of(msgspec.json.decode(value, type=PersonStatus).until) if value is not None else None
            if told != until:
                findings.differs(STATUS, f"advice of case {case_id}", f"told is {_end(told)}, stored is {_end(until)}")
    for key, (case_id, until) in wanted.items():
        if key not in on_the_way.statuses:
            findings.compared(STATUS)
            findings.differs(STATUS, f"advice of case {case_id}", f"told is nothing, stored is {_end(until)}")


def _latest(log: Log, topic: str, partition: int) -> dict[bytes, bytes | None]:
    if (topic, partition) not in log.bounds:
        return {}
    return {record.key: record.value for record in log.read(topic, partition)}


def _counts(value: bytes) -> Counts:
    event = msgspec.json.decode(value, type=FacilityCount)
    return Counts(*(getattr(event, name) for name in Counts.__struct_fields__))


def _key_name(key: bytes) -> str:
    facility, hour, shard = key.decode().rsplit("|", 2)
    return f"facility {facility}, hour {hour}, shard {shard}"


def _end(until: int | None) -> str:
    return "no advice" if until is None else f"black until {utc_of(until):%Y-%m-%dT%H:%M:%SZ}"
