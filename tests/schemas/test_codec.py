"""decode(encode(x)) = x, and everything else is refused with a field and without its value."""

import re
from datetime import UTC, datetime, timedelta, timezone
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import Codec, encode
from schemas.errors import InvalidEvent
from schemas.events import Assurance, Channel, Gate, Kind, Role, Scan, ScanDecision, Verdict

CODEC: Codec[Scan | ScanDecision] = Codec(Scan, ScanDecision)
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(datetime(2020, 1, 2), datetime(2100, 12, 30), timezones=OFFSETS)  # noqa: DTZ001 — the strategy adds zones
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=128)
IDS = st.text("0123456789abcdef", min_size=32, max_size=32)
UUID7 = st.uuids().map(lambda u: f"{str(u)[:14]}7{str(u)[15:19]}8{str(u)[20:]}")
PLACES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=128)
SCANS = st.builds(
    Scan,
    scan_id=UUID7,
    person_id=IDS,
    facility_id=PLACES,
    kind=st.sampled_from(Kind),
    time_zone=st.sampled_from(["Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"]),
    zone=TEXTS,
    group_id=TEXTS,
    gate=st.sampled_from(Gate),
    at=INSTANTS,
    admitted=st.booleans(),
    refused_reason=TEXTS,
    role=st.sampled_from(Role),
    channel=st.sampled_from(Channel),
    assurance=st.sampled_from(Assurance),
    device_id=TEXTS,
    device_seq=st.none() | st.integers(0, 2**53),
    poster_version=st.none() | st.integers(0, 2**31 - 1),
    gate_no=st.none() | st.integers(1, 999_999),
    entered_by=TEXTS,
    received_at=INSTANTS,
)
DECISIONS = st.builds(
    ScanDecision,
    scan_id=UUID7,
    person_id=IDS,
    scan_at=INSTANTS,
    decision=st.sampled_from(Verdict),
    serial=st.integers(0, 2**53),
    by=PLACES,
    reason=TEXTS,
)
BODY = msgspec.to_builtins(
    Scan(
        scan_id="019ab0c4-6d2e-7c31-9a53-0d6f4b2e8c17",
        person_id="a" * 32,
        facility_id="F",
        kind=Kind.CLINIC,
        time_zone="Asia/Jakarta",
        gate=Gate.EXIT,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
)


@given(SCANS | DECISIONS)
def test_decoding_an_encoded_event_gives_the_event(event: Scan | ScanDecision) -> None:
    assert CODEC.decode(encode(event)) == event


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scan_id", "019AB0C4-6D2E-7C31-9A53-0D6F4B2E8C17"),
        ("scan_id", "019ab0c4-6d2e-4c31-9a53-0d6f4b2e8c17"),
        ("scan_id", "019ab0c4-6d2e-7c31-9a53-0d6f4b2e8c17\n"),
        ("person_id", "3671010101900001"),
        ("person_id", "A" * 32),
        ("facility_id", ""),
        ("facility_id", "x" * 129),
        ("facility_id", None),
        ("kind", "3671010101900001"),
        ("gate", "door"),
        ("zone", "a\u0000b"),
        ("zone", "a\nb"),
        ("zone", "a\u007fb"),
        ("zone", "a\u0085b"),
        ("at", "2026-01-01T00:00:00"),
        ("at", "2026-01-01T00:00:00.1234567Z"),
        ("at", "2019-12-31T00:00:00Z"),
        ("at", "2101-01-01T00:00:00Z"),
        ("at", 1767225600),
        ("admitted", "true"),
        ("device_seq", -1),
        ("role", ""),
    ],
)
def test_a_bad_field_is_named_and_its_value_is_not(field: str, value: object) -> None:
    with pytest.raises(InvalidEvent) as caught:
        CODEC.decode(msgspec.json.encode(BODY | {field: value}))
    assert caught.value.field == field
    assert "3671010101900001" not in str(caught.value)


def test_a_field_that_is_not_ours_is_refused_without_repeating_it() -> None:
    with pytest.raises(InvalidEvent) as caught:
        CODEC.decode(msgspec.json.encode(BODY | {"3671010101900001": "Siti"}))
    assert "3671" not in str(caught.value)
    assert "Siti" not in str(caught.value)


@pytest.mark.parametrize("name", ["scan_id", "person_id", "facility_id", "gate", "at", "event"])
def test_a_missing_field_is_named(name: str) -> None:
    body = {field: value for field, value in BODY.items() if field != name}
    with pytest.raises(InvalidEvent) as caught:
        CODEC.decode(msgspec.json.encode(body))
    assert caught.value.field == name


@given(st.binary(max_size=200))
def test_any_bytes_either_decode_or_are_an_invalid_event(data: bytes) -> None:
    with pytest.raises(InvalidEvent):
        CODEC.decode(data)


@given(st.binary(max_size=20), st.data())
def test_damaged_events_never_raise_anything_else(noise: bytes, data: st.DataObject) -> None:
    whole = msgspec.json.encode(BODY)
    cut = data.draw(st.integers(0, len(whole)))
    try:
        CODEC.decode(whole[:cut] + noise + whole[cut:])
    except InvalidEvent as error:
        assert error.field  # noqa: PT017 — both outcomes are right; only another error is wrong


GOOD = msgspec.json.encode(BODY)
BAD_BODIES = [
    b"",
    b"{",
    b"{}\n{}",
    GOOD + b"\n" + GOOD,
    b"\xff",
    b"[" * 100_000,
    GOOD.replace(b'"F"', b'"F\\u0001"'),
    GOOD.replace(b'"F"', b'"F\xc2\x85"'),
    GOOD.replace(b'"F"', b"7"),
    GOOD.replace(b"2026", b"2019"),
    GOOD.replace(b"2026", b"2101"),
    re.sub(rb"(T[0-9:]{8})", rb"\1.1234567", GOOD),
]


@given(st.lists(SCANS | DECISIONS, max_size=5), st.lists(st.sampled_from(BAD_BODIES), max_size=3), st.randoms())
def test_bodies_read_at_once_are_what_each_is_alone(
    events: list[Scan | ScanDecision], bad: list[bytes], random: Random
) -> None:
    bodies = [*map(encode, events), *bad]
    random.shuffle(bodies)
    assert [_said(found) for found in CODEC.decode_all(bodies)] == [_said(_alone(body)) for body in bodies]


def _alone(body: bytes) -> Scan | ScanDecision | InvalidEvent:
    try:
        return CODEC.decode(body)
    except InvalidEvent as error:
        return error


def _said(found: Scan | ScanDecision | InvalidEvent) -> object:
    return str(found) if isinstance(found, InvalidEvent) else found
