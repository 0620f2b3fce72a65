"""What the topics may not hold yet, or hold already although the snapshot did not: neither is compared.

The relay publishes after the commit. So the audit waits until what the snapshot saw waiting is published, and asks
afterwards what came since: those keys are on their way, and the next audit looks at them.
"""

from collections.abc import Iterable
from datetime import timedelta
from time import monotonic, sleep
from typing import Final, NamedTuple

import msgspec

from ops.audit.findings import Findings
from ops.audit.store import Event, Snapshot, decode_events, explained
from ops.store import OPERATOR, autocommit
from schemas.settings import Settings
from schemas.topics import ALERT_PREFIX, FACILITY_COUNT, PERSON_STATUS, VISIT

TOLD: Final = ("outbox", "visit-topic", "count-topic", "status-topic", "alert-topics")
POLL_S: Final = 0.2
# Longer than any transaction of ours may last: what the snapshot did not see was written after this before it.
IN_FLIGHT: Final = timedelta(hours=1)


class _VisitId(msgspec.Struct):
    visit_id: str


class _AlertId(msgspec.Struct):
    id: str


class Moving(NamedTuple):
    """What is on its way to the topics."""

    visits: set[str]
    counts: set[bytes]
    statuses: set[bytes]
    alerts: set[str]

    def add(self, topic: str, events: Iterable[Event]) -> None:
        """Note what events are about."""
        for _, key, value in events:
            if topic == FACILITY_COUNT.name:
                self.counts.add(key)
            elif topic == PERSON_STATUS.name:
                self.statuses.add(key)
            elif topic == VISIT.name and value is not None:
                self.visits.add(msgspec.json.decode(value, type=_VisitId).visit_id)
            elif topic.startswith(ALERT_PREFIX) and value is not None:
                self.alerts.add(msgspec.json.decode(value, type=_AlertId).id)


def wait_published(snapshot: Snapshot, settings: Settings, timeout_s: float) -> list[int]:
    """Wait until what the snapshot saw waiting is published; return the ids of what still waits after the timeout."""
    waiting = [row[0] for row in snapshot.ask("select id from outbox where published_at is null")]
    deadline = monotonic() + timeout_s
    with explained(), autocommit(settings, OPERATOR) as conn, conn.cursor() as cur:
        while waiting:
            cur.execute("select id from outbox where published_at is null and id = any(%s)", (waiting,))
            waiting = [row[0] for row in cur.fetchall()]
            if not waiting or monotonic() > deadline:
                break
            sleep(POLL_S)
    return waiting


def moving(snapshot: Snapshot, settings: Settings, waiting: list[int], findings: Findings) -> Moving:
    """Return what still waits, and what came after the snapshot; asked after the topics' ends were fixed."""
    since = snapshot.at - IN_FLIGHT
    known = {row[0] for row in snapshot.ask("select id from outbox where created_at > %s", since)}
    found = Moving(set(), set(), set(), set())
    with explained(), autocommit(settings, OPERATOR) as conn, conn.cursor() as cur:
        cur.execute("select id from outbox where created_at > %s", (since,))
        ids = [row[0] for row in cur.fetchall() if row[0] not in known] + waiting
        for start in range(0, len(ids), 100):
            cur.execute("select topic, events from outbox where id = any(%s)", (ids[start : start + 100],))
            for topic, packed in cur.fetchall():
                found.add(topic, decode_events(bytes(packed)))
    if waiting:
        findings.note("outbox", f"{len(waiting)} rows still wait for the relay; what they tell was not compared")
    return found
