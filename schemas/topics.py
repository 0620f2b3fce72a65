"""The one table of topics: name, events, key, retention, who writes, who may read.

`ops` makes topics, users and access rules from it; AsyncAPI is exported from it; nothing else lists topics.
"""

from typing import Literal

import msgspec

from schemas import events

DAY_MS = 24 * 60 * 60 * 1000
Service = Literal["gate", "visits", "traces", "relay", "standing", "plausibility", "admin"]
SERVICES: tuple[Service, ...] = ("gate", "visits", "traces", "relay", "standing", "plausibility")


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic. `partitions` 0 means the installation's N (setting `JEJAK_PARTITIONS`)."""

    name: str
    events: tuple[type[msgspec.Struct], ...]
    key: str
    doc: str
    partitions: int = 0
    compacted: bool = False
    retention_days: int = 14
    log_append_time: bool = False
    writers: tuple[Service, ...]
    readers: tuple[Service, ...]

    def config(self) -> dict[str, str]:
        """Return the topic's configuration as Kafka names it."""
        made = {"message.timestamp.type": "LogAppendTime" if self.log_append_time else "CreateTime"}
        if self.compacted:
            return made | {"cleanup.policy": "compact"}
        return made | {"cleanup.policy": "delete", "retention.ms": str(self.retention_days * DAY_MS)}


SCAN = Topic(
    name="scan.v1",
    events=(events.Scan, events.ScanDecision),
    key="person_id",
    doc="Scans at gates and zones, and decisions about them.",
    log_append_time=True,
    writers=("gate", "plausibility"),
    readers=("visits", "plausibility"),
)
TEST_RESULT = Topic(
    name="test-result.v1",
    events=(events.TestResult,),
    key="person_id",
    doc="What laboratories reported, corrected or withdrew.",
    writers=("gate",),
    readers=("traces",),
)
TRACE_REQUEST = Topic(
    name="trace-request.v1",
    events=(events.TraceRequest,),
    key="person_id",
    doc="Traces asked for, approved or refused by epidemiologists.",
    writers=("gate",),
    readers=("traces",),
)
CONTACT_DECISION = Topic(
    name="contact-decision.v1",
    events=(events.ContactDecision,),
    key="person_id",
    doc="Candidates confirmed or dropped by people.",
    writers=("gate",),
    readers=("traces",),
)
VISIT = Topic(
    name="visit.v1",
    events=(events.VisitChange,),
    key="person_id",
    doc="Visits as they come, change and go.",
    writers=("relay",),
    readers=("standing",),
)
FACILITY_COUNT = Topic(
    name="facility-count.v1",
    events=(events.FacilityCount,),
    key="facility_id|hour|shard",
    doc="Absolute counts of one shard of a facility's clock hour; readers sum the shards, and ignore a lower as_of; "
    "partition by facility_id.",
    compacted=True,
    writers=("relay",),
    readers=("gate",),
)
PERSON_STATUS = Topic(
    name="person-status.v1",
    events=(events.PersonStatus,),
    key="person_id|case_id",
    doc="Advice for the gate; a tombstone ends it.",
    compacted=True,
    writers=("relay",),
    readers=("gate",),
)
TOPICS: tuple[Topic, ...] = (SCAN, TEST_RESULT, TRACE_REQUEST, CONTACT_DECISION, VISIT, FACILITY_COUNT, PERSON_STATUS)

ALERT_PREFIX = "alert."


def office_of(area: str) -> str:
    """Return the office of an area code: `36` → `p36`, `36.71` (or `3671`) → `d3671`.

    Raises:
        ValueError: the code is neither a province's (2 digits) nor a district's (4 digits).
    """
    digits = area.replace(".", "")
    if not digits.isascii() or not digits.isdigit() or len(digits) not in {2, 4}:
        raise ValueError("an area is a province code like 36 or a district code like 36.71")
    return ("p" if len(digits) == 2 else "d") + digits  # noqa: PLR2004 — digits of a province code


def alert_topic(office: str) -> Topic:
    """Return the topic of one health office; the office itself reads it with its own credentials."""
    return Topic(
        name=ALERT_PREFIX + office,
        events=(events.Alert,),
        key="trace_ref",
        doc="Notices to one health office, CloudEvents 1.0.",
        partitions=1,
        writers=("relay",),
        readers=(),
    )


def office_user(office: str) -> str:
    """Return the Kafka user of one health office, e.g. `office-d3671`."""
    return f"office-{office}"


def group_of(user: str) -> str:
    """Return the prefix of the consumer groups a Kafka user may join."""
    return f"jejak.{user}"
