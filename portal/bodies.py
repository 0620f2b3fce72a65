"""What callers send and get: the shapes of HTTP bodies, and the one way to read them.

A body is checked by the same codec as the events on the topics, so what a desk accepts, every reader can use.
"""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from portal.nik import holds_nik
from schemas.codec import Codec
from schemas.errors import InvalidEvent
from schemas.events import Assurance, Channel, FacilityId, Gate, Instant, Role, Text, Uuid7, Verdict
from tracing.cases.unacknowledged import Waiting

FILE_MAX: Final = 16_000_000  # bytes of an import: 5,000 records of a FHIR bundle, each with its patient
AHEAD_MAX: Final = timedelta(minutes=5)  # a phone's clock may be ahead of ours by so much

Named = Annotated[str, Meta(min_length=1, max_length=128)]
B = TypeVar("B", bound=msgspec.Struct)


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The root of all bodies that callers send."""


class SubjectBody(Body, frozen=True, kw_only=True):
    """The person, as the caller knows him; never leaves the vault."""

    type: Literal["nik", "passport", "kitas", "temporary", "test"]  # `test` only in demo mode
    value: Annotated[str, Meta(min_length=1, max_length=128)]
    district: Annotated[str, Meta(pattern=r"^([0-9]{2}\.?[0-9]{2})?$")] = ""  # of residence; a NIK does not say it


class ScanBody(Body, frozen=True, kw_only=True):
    """A scan at a gate or zone; kind, time zone, person id and principal are added here."""

    scan_id: Uuid7
    subject: SubjectBody
    facility_id: FacilityId
    zone: Text = ""
    group_id: Text = ""
    gate: Gate
    at: Instant
    admitted: bool = True
    refused_reason: Text = ""
    role: Role = Role.UNKNOWN
    channel: Channel = Channel.APP
    assurance: Assurance = Assurance.SELF
    device_id: Text = ""
    device_seq: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    poster_version: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    gate_no: Annotated[int, Meta(ge=1, le=999_999)] | None = None


class ScanBatch(Body, frozen=True, kw_only=True):
    """Up to 1,000 scans; each is judged by itself."""

    scans: list[ScanBody]


class ScanDecisionBody(Body, frozen=True, kw_only=True):
    """What somebody says of a stored scan; the one said last counts."""

    scan_id: Uuid7
    facility_id: FacilityId
    subject: SubjectBody | None = None  # may be left out while the scan is flagged
    decision: Verdict
    reason: Named


class ScanDecisionBatch(Body, frozen=True, kw_only=True):
    """Up to 1,000 decisions; each is judged by itself."""

    decisions: list[ScanDecisionBody]


class TestResultBody(Body, frozen=True, kw_only=True):
    """A test result, or its correction."""

    __test__ = False  # not a test class, whatever its name says to pytest

    result_id: Uuid7
    subject: SubjectBody
    name: Annotated[str, Meta(max_length=128)] = ""  # of the person; for the vault alone, so that gates know him by it
    lab_ref: Named
    test: Literal["pcr", "antigen"]
    result: Literal["positive", "negative", "indeterminate"]
    status: Literal["preliminary", "final", "corrected", "entered_in_error"]
    supersedes: Uuid7 | None = None
    specimen_at: Instant
    reported_at: Instant
    date_onset: date | None = None
    date_isolation: date | None = None


class TraceBody(Body, frozen=True, kw_only=True):
    """A request for a trace: of a person, or again of a case."""

    request_id: Uuid7
    subject: SubjectBody | None = None
    case_id: Text = ""
    reason: Named
    date_onset: date | None = None
    date_specimen: date | None = None
    date_isolation: date | None = None


class ApprovalBody(Body, frozen=True, kw_only=True):
    """A second person's answer to a request."""

    action: Literal["approve", "refuse"]
    reason: Named


class DecisionBody(Body, frozen=True, kw_only=True):
    """A person's judgement of a candidate."""

    contact_ref: Named
    decision: Literal["confirmed", "dropped", "undecided"]
    reason: Named
    identity_checked: bool = False  # needed for black where nobody proved a scan of the candidate's


class JudgementBody(Body, frozen=True, kw_only=True):
    """An office's judgement of the candidate whom an alert names."""

    decision: Literal["confirmed", "dropped", "undecided"]
    reason: Named
    identity_checked: bool = False  # needed for black where nobody proved a scan of the candidate's


class ScanAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one scan; `scan_id` is null where none of the right form was sent."""

    scan_id: str | None
    status: Literal["accepted", "invalid"]
    field: str = ""
    reason: str = ""


class BatchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One result per scan, in order."""

    results: list[ScanAnswer]


class ScanDecisionAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one decision; `serial` orders it among all others about the scan, the highest counts."""

    scan_id: str | None
    status: Literal["accepted", "invalid"]
    serial: int | None = None
    field: str = ""
    reason: str = ""


class ScanDecisionBatchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One result per decision, in order."""

    results: list[ScanDecisionAnswer]


class ResultAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A test result was stored."""

    result_id: str
    status: Literal["accepted"] = "accepted"


class ResultState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a test result is: `received` waits for the traces agent, `applied` is in the tables."""

    state: Literal["received", "applied"]
    case_id: str | None = None
    case_state: str | None = None


class RequestAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A request, approval, refusal or decision was stored; the traces agent carries it out."""

    request_id: str
    status: Literal["accepted"] = "accepted"


class CaseLine(msgspec.Struct, frozen=True, kw_only=True):
    """A case in a list."""

    case_id: str
    state: str
    classification: str
    area: str
    requested_by: str
    reason: str
    opened_at: datetime
    trace_state: str  # empty where there is no trace yet; `stale` waits to be asked for again


class CaseList(msgspec.Struct, frozen=True, kw_only=True):
    """Cases, those that wait for an approval first."""

    cases: list[CaseLine]


class AlertList(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts that nobody has acknowledged, the longest waiting first."""

    alerts: list[Waiting]


class OccupancyAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many are inside: exact at this moment for those entitled, else a band as of the last quarter of an hour."""

    facility_id: str
    at: datetime
    exact: bool
    band: str
    count: int | None = None


class HourCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Exact counts of one clock hour of the facility's time zone."""

    hour_start: datetime
    arrivals: int
    departures: int
    visitors: int
    person_minutes: float  # three decimals, rounded half up
    estimated: int
    refused: int
    manual: int
    flagged: int


class HourBand(msgspec.Struct, frozen=True, kw_only=True):
    """The bands of one clock hour: its visitors, and apart the scans that were flagged."""

    hour_start: datetime
    visitors: str
    flagged: str


class HoursAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The hours in which something was counted, in order."""

    facility_id: str
    exact: Literal[True] = True
    hours: list[HourCounts]


class HourBandsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The hours in which something was counted, in order, for those not entitled to the numbers."""

    facility_id: str
    exact: Literal[False] = False
    hours: list[HourBand]


READERS: Final[dict[type[msgspec.Struct], Codec[Any]]] = {
    kind: Codec(kind)
    for kind in (ScanBody, ScanDecisionBody, TestResultBody, TraceBody, ApprovalBody, DecisionBody, JudgementBody)
}

# Fields in which somebody may write anything; they go on topics and into tables in clear.
FREE_TEXT: Final[dict[type[msgspec.Struct], tuple[str, ...]]] = {
    ScanBody: ("zone", "group_id", "refused_reason", "device_id"),
    ScanDecisionBody: ("reason",),
    TestResultBody: ("lab_ref",),
    TraceBody: ("case_id", "reason"),
    ApprovalBody: ("reason",),
    DecisionBody: ("contact_ref", "reason"),
    JudgementBody: ("reason",),
}


def read_body(kind: type[B], data: bytes) -> B:
    """Return the body.

    Raises:
        InvalidEvent: names the field, never its value.
    """
    body = READERS[kind].decode(data)
    assert isinstance(body, kind)
    for field in FREE_TEXT[kind]:
        text = getattr(body, field)
        if text and holds_nik(text):
            raise InvalidEvent("holds an identity number: only subject may", field=field)
    return body


def check_not_ahead(at: datetime, now: datetime, field: str) -> None:
    """Raise InvalidEvent where an instant lies further ahead of our clock than a clock may be wrong."""
    if at > now + AHEAD_MAX:
        raise InvalidEvent("is in the future", field=field)


def check_day_not_ahead(day: date | None, now: datetime, field: str) -> None:
    """Raise InvalidEvent where a day has begun nowhere on earth yet."""
    if day is not None and day > (now + timedelta(hours=14)).date():
        raise InvalidEvent("is in the future", field=field)
