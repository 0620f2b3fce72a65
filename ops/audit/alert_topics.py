"""Every office's topic: each alert is there at least once, as it is stored, and nothing else is."""

from datetime import timedelta
from typing import Final

import msgspec

from ops.audit.findings import Findings
from ops.audit.log import Log
from ops.audit.outbox import Moving
from ops.audit.store import Row, Snapshot
from schemas.events import Alert
from schemas.topics import ALERT_PREFIX, alert_topic

CHECK: Final = "alert-topics"


def check_alert_topics(snapshot: Snapshot, log: Log, on_the_way: Moving, findings: Findings) -> None:
    """Compare each office's topic with its rows."""
    offices = {row[0] for row in snapshot.ask("select distinct office from alert")} | log.offices()
    gone = sum(_check_office(snapshot, log, office, on_the_way, findings) for office in sorted(offices))
    if gone:
        findings.note(CHECK, f"{gone:,} alerts are older than what the topics keep")
    if findings.wants("outbox"):
        _check_outbox(snapshot, log, findings)


def _check_office(snapshot: Snapshot, log: Log, office: str, on_the_way: Moving, findings: Findings) -> int:
    """Compare one topic; return how many alerts it does not keep any more."""
    topic = alert_topic(office)
    stored = {
        row[0]: row for row in snapshot.ask("select alert_id, body::text, made_at from alert where office = %s", office)
    }
    seen: set[str] = set()
    whole = True
    for partition in log.partitions(topic.name):
        whole = whole and log.bounds[topic.name, partition].is_whole
        for offset, _, value in log.read(topic.name, partition):
            _check_record(f"{topic.name} offset {offset}", value, stored, seen, on_the_way, findings)
    kept_since = snapshot.at - timedelta(days=topic.retention_days) + timedelta(hours=1)
    gone = 0
    for alert_id, (_, _, made_at) in stored.items():
        if alert_id in on_the_way.alerts:
            continue
        findings.compared(CHECK)
        if alert_id in seen:
            continue
        if not whole and made_at < kept_since:
            gone += 1
        else:
            findings.differs(CHECK, f"alert {alert_id} to office {office}", "is not on its topic")
    return gone


def _check_record(
    where: str,
    value: bytes | None,
    stored: dict[str, Row],
    seen: set[str],
    on_the_way: Moving,
    findings: Findings,
) -> None:
    try:
        alert = msgspec.json.decode(value or b"", type=Alert)
    except (msgspec.DecodeError, UnicodeDecodeError):
        findings.differs(CHECK, where, "is no alert")
        return
    seen.add(alert.id)
    if alert.id in on_the_way.alerts:
        return
    row = stored.get(alert.id)
    if row is None:
        findings.differs(CHECK, f"alert {alert.id} at {where}", "is on the topic, but not stored for this office")
    elif msgspec.json.decode(row[1], type=Alert) != alert:
        findings.differs(CHECK, f"alert {alert.id} at {where}", "has another body than the stored one")


def _check_outbox(snapshot: Snapshot, log: Log, findings: Findings) -> None:
    """Look for every alert of the rows marked as published; those are younger than what any topic drops."""
    owed: dict[str, list[tuple[int, bytes | None]]] = {}
    for row_id, topic, events in snapshot.outbox_of_offices():
        findings.compared("outbox")
        owed.setdefault(topic, []).extend((row_id, value) for _, _, value in events)
    for topic, alerts in sorted(owed.items()):
        there = {record.value for partition in log.partitions(topic) for record in log.read(topic, partition)}
        for row_id in sorted({row_id for row_id, value in alerts if value not in there}):
            missing = sum(one == row_id and value not in there for one, value in alerts)
            what = f"is marked as published, but {missing} of its events are not on {topic.removeprefix(ALERT_PREFIX)}"
            findings.differs("outbox", f"outbox row {row_id}", f"{what}'s topic")
