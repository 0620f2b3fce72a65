"""One audit, from the snapshot to the last check. Topics come first: read later, more would be on its way."""

from ops.audit.alert_topics import check_alert_topics
from ops.audit.alerts import check_alerts
from ops.audit.findings import Findings
from ops.audit.latest_topics import check_count_topic, check_status_topic
from ops.audit.ledger import check_ledger
from ops.audit.log import check_positions, open_log
from ops.audit.outbox import TOLD, moving, wait_published
from ops.audit.recompute import Say, check_fold
from ops.audit.store import Snapshot, open_snapshot
from ops.audit.visit_topic import check_visit_topic
from schemas.settings import Settings


def audit(settings: Settings, findings: Findings, *, wait_s: float, say: Say) -> None:
    """Run the checks that `findings` wants, on one snapshot.

    Args:
        settings: lead to the running servers.
        findings: takes what is found.
        wait_s: how long what waits in the outbox is given to come onto the topics.
        say: takes a line of progress.

    Raises:
        Unavailable: broker or database stopped answering; what was found until then stands.
        Conflict: there is no installation yet.
    """
    with open_snapshot(settings) as snapshot:
        if findings.wants("positions", *TOLD):
            _check_log(snapshot, settings, findings, wait_s, say)
        if findings.wants("ledger"):
            check_ledger(snapshot, findings)
        if findings.wants("visits", "counts"):
            check_fold(snapshot, findings, say)
        if findings.wants("alerts"):
            check_alerts(snapshot, findings)


def _check_log(snapshot: Snapshot, settings: Settings, findings: Findings, wait_s: float, say: Say) -> None:
    waiting = wait_published(snapshot, settings, wait_s) if findings.wants(*TOLD) else []
    with open_log(settings) as log:
        if findings.wants("positions"):
            check_positions(snapshot, settings, findings, log)
        if not findings.wants(*TOLD):
            return
        on_the_way = moving(snapshot, settings, waiting, findings)
        if findings.wants("visit-topic", "outbox"):
            check_visit_topic(snapshot, log, on_the_way, findings, say)
        if findings.wants("count-topic"):
            check_count_topic(snapshot, log, on_the_way, findings, say)
        if findings.wants("status-topic"):
            check_status_topic(snapshot, log, on_the_way, findings)
        if findings.wants("alert-topics", "outbox"):
            check_alert_topics(snapshot, log, on_the_way, findings)
