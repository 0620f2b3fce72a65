"""The ledger: every offset between where a partition began and where it stands is applied, a duplicate or dead."""

from collections.abc import Mapping
from typing import Final

from ops.audit.findings import Findings
from ops.audit.store import Position, Snapshot
from schemas.topics import CONTACT_DECISION, SCAN, TEST_RESULT, TRACE_REQUEST

LEDGER: Final = "ledger"
FACTS: Final = {
    TEST_RESULT.name: ("test_result", "person"),
    TRACE_REQUEST.name: ("trace_request", "person"),
    CONTACT_DECISION.name: ('contact_decision d join "case" c using (case_id)', "c.person"),
}
KEEPING: Final = {SCAN.name, *FACTS}  # a change of a visit only says where to look: no row is kept of it


def check_ledger(snapshot: Snapshot, findings: Findings) -> None:
    """Compare each partition's counters with the offsets they must add up to, and with the rows that are kept.

    A fact of a trace (result, request, decision) is stored before its trace is run: a worker killed between the two
    finds it again, and counts it as a duplicate. So of those there are at least `applied` rows, and no more than
    `applied` and `duplicate` together; of scans and decisions about scans exactly `applied`. What retention dropped
    is counted as it went.
    """
    kept, dropped = _kept(snapshot), snapshot.dropped_letters()
    letters = {(topic, partition): (number, highest) for topic, partition, number, highest in snapshot.dead_letters()}
    accepted = {(row[0], row[1]) for row in snapshot.ask("select topic, partition from lost_range")}
    positions = snapshot.positions()
    for position in positions:
        findings.compared(LEDGER)
        place = (position.topic, position.partition)
        number, highest = letters.get(place, (0, -1))
        _check_position(position, kept.get(place, 0), number + dropped.get(place, 0), findings)
        # Where a loss was accepted, the position may have gone back to smaller offsets of another log.
        if highest >= position.next_offset and place not in accepted:
            findings.differs(
                LEDGER, _name(*place), f"there is a dead letter of offset {highest}, which was not read yet"
            )
    for topic, partition in sorted((kept.keys() | letters.keys()) - {(one.topic, one.partition) for one in positions}):
        findings.differs(LEDGER, _name(topic, partition), "has rows or dead letters, but no position")


def _kept(snapshot: Snapshot) -> Mapping[tuple[str, int], int]:
    kept: dict[tuple[str, int], int] = {}
    for table in ("scan", "scan_decision"):
        for shard, rows in snapshot.rows_by_partition(table).items():
            kept[SCAN.name, shard] = kept.get((SCAN.name, shard), 0) + rows
    for shard, rows in snapshot.dropped_records().items():
        kept[SCAN.name, shard] = kept.get((SCAN.name, shard), 0) + rows
    for topic, (table, person) in FACTS.items():
        kept |= {(topic, shard): rows for shard, rows in snapshot.rows_by_partition(table, person).items()}
    return kept


def _check_position(position: Position, kept: int, letters: int, findings: Findings) -> None:
    row = _name(position.topic, position.partition)
    counted = position.applied + position.duplicate + position.dead
    read = position.next_offset - position.first
    if read != counted:
        findings.differs(LEDGER, row, f"{read} offsets were read, but applied, duplicate and dead are {counted}")
    most = position.applied if position.topic == SCAN.name else position.applied + position.duplicate
    if position.topic in KEEPING and not position.applied <= kept <= most:
        findings.differs(LEDGER, row, f"applied is {position.applied}, but {kept} records are stored")
    if letters != position.dead:
        findings.differs(LEDGER, row, f"dead is {position.dead}, but {letters} dead letters are kept")


def _name(topic: str, partition: int) -> str:
    return f"{topic} {partition}"
