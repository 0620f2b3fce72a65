"""Every event on every topic, one frozen Struct each. Change a shape here and nowhere else.

A change that an old reader could misread is a new Struct on a new topic. No event ever carries a NIK,
a name or a free dict. Instants are time-zone aware; days (`date_…`) are whole local days.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(max_length=128)]
PersonId = Annotated[
    str, Meta(pattern="^[0-9a-f]{32}$", description="random 128 bits, lower-case hex, given by the vault")
]
Uuid7 = Annotated[
    str,
    Meta(
        pattern="^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        description="lower-case UUIDv7 made by the sender",
    ),
]
FacilityId = Annotated[str, Meta(min_length=1, max_length=128)]
Instant = Annotated[datetime, Meta(tz=True)]


class Kind(StrEnum):
    """What a facility is; its assumed stay and longest stay hang on it."""

    HOSPITAL = "hospital"
    PUSKESMAS = "puskesmas"
    CLINIC = "clinic"
    LABORATORY = "laboratory"


class Gate(StrEnum):
    """Which poster was read."""

    ENTRANCE = "entrance"
    EXIT = "exit"
    ZONE = "zone"


class Role(StrEnum):
    """Why the person was there; `inpatient` stays for days."""

    INPATIENT = "inpatient"
    OUTPATIENT = "outpatient"
    STAFF = "staff"
    COMPANION = "companion"
    VISITOR = "visitor"
    CREW = "crew"
    COURIER = "courier"
    UNKNOWN = "unknown"


class Channel(StrEnum):
    """How the scan came in; `officer` is a manual entry."""

    APP = "app"
    OFFICER = "officer"
    IMPORT = "import"
    KIOSK = "kiosk"


class Assurance(StrEnum):
    """How well we know that it was this person."""

    SELF = "self"
    OTP = "otp"
    OFFICER_SAW_ID = "officer_saw_id"
    STAFF_ACCOUNT = "staff_account"


class Verdict(StrEnum):
    """What a decision says of a scan; only the latest (highest serial) counts."""

    VOID = "void"
    FLAG = "flag"
    CLEAR = "clear"


class Event(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="event", omit_defaults=False, forbid_unknown_fields=True
):
    """The root of all events; the tag says which one a record is."""


class Scan(Event, frozen=True, kw_only=True, tag="scan"):
    """A person passed a gate (topic `scan.v1`, key person_id)."""

    scan_id: Uuid7  # repeats drop by (person_id, scan_id)
    person_id: PersonId
    facility_id: FacilityId
    kind: Kind  # stamped by the gate from the facility; never changes
    time_zone: Annotated[str, Meta(min_length=1, max_length=64)]  # stamped by the gate, IANA name
    zone: Text = ""  # empty: the whole facility
    group_id: Text = ""  # same id = rode together (ambulance)
    gate: Gate
    at: Instant  # when the QR code was read, not when we stored it
    admitted: bool = True
    refused_reason: Text = ""
    role: Role = Role.UNKNOWN
    channel: Channel = Channel.APP
    assurance: Assurance = Assurance.SELF
    device_id: Text = ""
    device_seq: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    poster_version: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    gate_no: Annotated[int, Meta(ge=1, le=999_999)] | None = None  # of the facility's gates, where a poster said it
    entered_by: Text = ""  # the principal whose key sent it; stamped by the gate
    received_at: Instant  # the gate's clock


class ScanDecision(Event, frozen=True, kw_only=True, tag="scan_decision"):
    """Somebody judged a scan (topic `scan.v1`, key person_id); may arrive before its scan."""

    scan_id: Uuid7
    person_id: PersonId
    scan_at: Instant
    decision: Verdict
    serial: Annotated[int, Meta(ge=0, le=2**53)]  # the highest wins; at a tie void before flag before clear
    by: Annotated[str, Meta(min_length=1, max_length=128)]
    reason: Text = ""


class TestResult(Event, frozen=True, kw_only=True, tag="test_result"):
    """A laboratory reported, corrected or withdrew a result (topic `test-result.v1`, key person_id)."""

    __test__ = False  # not a test class, whatever its name says to pytest

    result_id: Uuid7
    lab_ref: Annotated[str, Meta(min_length=1, max_length=128)]  # the laboratory's own number
    person_id: PersonId
    test: Literal["pcr", "antigen"]
    result: Literal["positive", "negative", "indeterminate"]
    status: Literal["preliminary", "final", "corrected", "entered_in_error"]
    supersedes: Uuid7 | None = None
    specimen_at: Instant
    reported_at: Instant
    date_onset: date | None = None
    date_isolation: date | None = None
    laboratory: Text = ""  # facility_id of the reporting laboratory; empty: no laboratory's key
    area: Text = ""  # area of the key that sent it: a province's or district's code, `all`, or empty for a laboratory's
    by: Annotated[str, Meta(min_length=1, max_length=128)]  # the principal whose key sent it
    received_at: Instant


class TraceRequest(Event, frozen=True, kw_only=True, tag="trace_request"):
    """An epidemiologist asks for, approves or refuses a trace (topic `trace-request.v1`, key person_id)."""

    request_id: Uuid7
    person_id: PersonId
    case_id: Text = ""  # empty with action `request`: open (or find) the person's case
    action: Literal["request", "approve", "refuse"]
    by: Annotated[str, Meta(min_length=1, max_length=128)]
    role: Text = ""
    area: Text = ""  # of the key that sent it: a province's or district's code, or `all`
    reason: Annotated[str, Meta(min_length=1, max_length=128)]
    date_onset: date | None = None
    date_specimen: date | None = None
    date_isolation: date | None = None
    at: Instant


class ContactDecision(Event, frozen=True, kw_only=True, tag="contact_decision"):
    """A person judged a candidate (topic `contact-decision.v1`, key: the case's person_id)."""

    decision_id: Uuid7
    person_id: PersonId  # of the case: all facts of one case meet in one partition
    case_id: Annotated[str, Meta(min_length=1, max_length=128)]
    contact_ref: Annotated[str, Meta(min_length=1, max_length=128)]
    decision: Literal["confirmed", "dropped", "undecided"]
    by: Annotated[str, Meta(min_length=1, max_length=128)]
    role: Text = ""
    reason: Annotated[str, Meta(min_length=1, max_length=128)]
    identity_checked: bool = False  # who decided made sure that it was he: black may rest on scans that nobody proved
    at: Instant


class ZoneFrom(msgspec.Struct, frozen=True, kw_only=True):
    """The visit's zone is `zone` from `at` on."""

    at: Instant
    zone: Text


class VisitState(msgspec.Struct, frozen=True, kw_only=True):
    """A visit as it stands: always both ends, recorded or estimated."""

    facility_id: FacilityId
    check_in: Instant
    check_out: Instant
    check_in_estimated: bool
    check_out_estimated: bool
    role: Role
    zones: tuple[ZoneFrom, ...] = ()


class VisitChange(Event, frozen=True, kw_only=True, tag="visit_change"):
    """A visit came, changed or went (topic `visit.v1`, key person_id)."""

    visit_id: Uuid7  # id of the scan that opened it; for an orphan, of its exit
    person_id: PersonId
    before: VisitState | None
    after: VisitState | None


class FacilityCount(Event, frozen=True, kw_only=True, tag="facility_count"):
    """Absolute counts of one shard of one facility and clock hour (topic `facility-count.v1`, compacted)."""

    facility_id: FacilityId
    hour: Instant  # start of the clock hour, in the facility's own offset
    shard: Annotated[int, Meta(ge=0)]  # the scan.v1 partition; readers sum the shards
    arrivals: int
    departures: int
    estimated: int
    visitors: int
    person_us: int  # microseconds of presence inside the hour
    refused: int
    manual: int
    flagged: int
    as_of: Annotated[int, Meta(ge=0)] = 0  # the shard's next offset then: of one key, a reader ignores a lower one


class PersonStatus(Event, frozen=True, kw_only=True, tag="person_status"):
    """Advice for the gate (topic `person-status.v1`, compacted; key person_id|case_id; the portal alone reads it)."""

    person_id: PersonId
    case_id: Text
    advice: Literal["black"]
    until: Instant


class AlertSummary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many candidates of one case concern one office, by role, zone and band."""

    candidates: int
    by_role: dict[str, int]
    by_zone: dict[str, int]
    by_minutes: dict[str, int]
    sent_one_by_one: int  # the rest stay on the list
    ppe_unknown: int = 0  # besides: staff met in isolation, whom the infection control team hears of


class AlertData(msgspec.Struct, frozen=True, kw_only=True):
    """What an office may know: never a person id, index case, onset, specimen, NIK or name."""

    alert_id: str
    version: int  # revision of the trace
    action: Literal["summary", "added", "changed", "withdrawn", "review"]
    office: str  # p36, d3671
    trace_ref: str  # random per (case, office): groups the alerts of one case
    contact_ref: str = ""  # random per (case, person, office)
    facility_id: str = ""
    facility_name: str = ""
    date: str = ""  # local day of the longest exposure
    minutes_band: str = ""
    probability_band: str = ""
    degree: int = 0
    rank: int = 0
    rule: str
    due_by: Instant | None = None  # quarantine is due within 48 h of the case's confirmation
    reason: str = ""
    already_case: bool = False
    summary: AlertSummary | None = None


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudEvents 1.0 envelope around `AlertData` (topic `alert.<office>`, structured JSON)."""

    specversion: Literal["1.0"] = "1.0"
    id: str  # = data.alert_id; consumers drop repeats by it
    source: str = "/jejak/traces"
    type: Literal["id.jejak.alert.v1"] = "id.jejak.alert.v1"
    subject: str = ""  # trace_ref
    time: Instant
    datacontenttype: Literal["application/json"] = "application/json"
    data: AlertData
