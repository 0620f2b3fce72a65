"""Every metric: name, type, labels, one sentence. A room makes its own from here; nothing else names metrics.

No label ever holds a person, a case, a facility or an office.
"""

from typing import Literal

import msgspec


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One metric in Prometheus' words."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    doc: str
    labels: tuple[str, ...] = ()


GATE_REQUESTS = Metric(
    name="jejak_gate_requests_total", kind="counter", labels=("route", "status"), doc="Requests answered by the gate."
)
GATE_SECONDS = Metric(
    name="jejak_gate_request_seconds", kind="histogram", labels=("route",), doc="Seconds from request to answer."
)
GATE_SCANS = Metric(
    name="jejak_gate_scans_total",
    kind="counter",
    labels=("result",),
    doc="Scans accepted or found invalid at the gate.",
)
FOLD_RECORDS = Metric(
    name="jejak_fold_records_total",
    kind="counter",
    labels=("topic", "result"),
    doc="Records folded: applied, duplicate or dead.",
)
FOLD_BATCH_SECONDS = Metric(
    name="jejak_fold_batch_seconds", kind="histogram", labels=("topic",), doc="Seconds of one fold transaction."
)
FOLD_LAG = Metric(
    name="jejak_fold_lag_records", kind="gauge", labels=("topic", "partition"), doc="Records in the log not yet folded."
)
FOLD_RETRIES = Metric(
    name="jejak_fold_retries_total", kind="counter", labels=("reason",), doc="Fold transactions tried again."
)
READY = Metric(
    name="jejak_ready",
    kind="gauge",
    labels=("worker",),
    doc="1 while a worker, or a lane of the relay, can do its work; 0 while it waits for something or stands still.",
)
RELAY_EVENTS = Metric(
    name="jejak_relay_events_total", kind="counter", labels=("topic",), doc="Events published by the relay."
)
RELAY_WAITING = Metric(name="jejak_relay_waiting_rows", kind="gauge", doc="Outbox rows not yet published.")
TRACE_SECONDS = Metric(name="jejak_trace_seconds", kind="histogram", doc="Seconds of one trace run.")
TRACE_ALERTS = Metric(
    name="jejak_trace_alerts_total", kind="counter", labels=("action",), doc="Alerts written for health offices."
)
ALERTS_UNACKNOWLEDGED = Metric(
    name="jejak_alerts_unacknowledged",
    kind="gauge",
    labels=("escalated",),
    doc="Alerts about candidates that no office has acknowledged; escalated: for longer than the hours allowed.",
)
FLAGS = Metric(
    name="jejak_flags_total", kind="counter", labels=("reason",), doc="Scans flagged by the rules of what cannot be."
)
AUDIT_DIFFERENCES = Metric(
    name="jejak_audit_differences", kind="gauge", labels=("check",), doc="Rows found wrong by the latest whole audit."
)
AUDIT_FINISHED = Metric(
    name="jejak_audit_finished_timestamp_seconds", kind="gauge", doc="When the latest whole audit ended."
)

METRICS: tuple[Metric, ...] = (
    GATE_REQUESTS,
    GATE_SECONDS,
    GATE_SCANS,
    FOLD_RECORDS,
    FOLD_BATCH_SECONDS,
    FOLD_LAG,
    FOLD_RETRIES,
    READY,
    RELAY_EVENTS,
    RELAY_WAITING,
    TRACE_SECONDS,
    TRACE_ALERTS,
    ALERTS_UNACKNOWLEDGED,
    FLAGS,
    AUDIT_DIFFERENCES,
    AUDIT_FINISHED,
)
