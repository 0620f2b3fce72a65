"""A visitor's phone without servers: its chain, its signatures, its claim, and how crowded a place may look."""

import base64
import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.bands import band_of
from portal.plausibility.flags import Reason
from portal.visitor.chain import Head, Link, follow, instant_of, is_clock_wrong
from portal.visitor.claims import age_of, check
from portal.visitor.crowd import crowd_of
from portal.visitor.shapes import ClaimBody, Guardian, PhoneScan, read
from portal.visitor.signing import is_signed, read_key, request_text, scan_text
from schemas.errors import BadInput, InvalidEvent
from tests.portal.phone import Phone, claim_of

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
NIK = "3671015508900001"
MINUTE = timedelta(minutes=1)


def honest(number: int, gaps_minutes: list[int]) -> list[Link]:
    """Return the links that a phone makes, one after the other."""
    links, prev, at = [], bytes(32), NOW
    for seq in range(1, number + 1):
        at += gaps_minutes[(seq - 1) % len(gaps_minutes)] * MINUTE
        hashed = hashlib.sha256(f"{seq}|{at}|{prev.hex()}".encode()).digest()
        links.append(Link(seq, prev, hashed, at))
        prev = hashed
    return links


def judged(links: list[Link]) -> list[tuple[Reason, ...]]:
    """Return what is wrong with each link of those that come in this order."""
    head, found = Head(), []
    for link in links:
        head, reasons = follow(head, link)
        found.append(reasons)
    return found


chains = st.builds(honest, st.integers(2, 12), st.lists(st.integers(0, 600), min_size=1, max_size=12))


@given(chains)
def test_an_honest_chain_has_nothing_wrong(links: list[Link]) -> None:
    assert judged(links) == [()] * len(links)


@given(chains, st.data())
def test_in_any_other_order_something_is_wrong(links: list[Link], data: st.DataObject) -> None:
    other = data.draw(st.permutations(links))
    assert any(judged(other)) == (other != links)


@given(chains, st.data())
def test_what_is_left_out_before_the_end_is_a_gap_and_only_the_next_one_pays(
    links: list[Link], data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, len(links) - 2))
    behind = data.draw(st.integers(first + 1, len(links) - 1))
    found = judged(links[:first] + links[behind:])
    assert found[first] == (Reason.SEQUENCE_GAP,)
    assert not any(found[:first] + found[first + 1 :])


@given(chains, st.data())
def test_a_link_that_was_made_anew_breaks_the_chain_behind_it(links: list[Link], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(links) - 2))
    forged = msgspec.structs.replace(links[place], hash=hashlib.sha256(b"forged").digest())
    found = judged([*links[:place], forged, *links[place + 1 :]])
    assert [number for number, reasons in enumerate(found) if reasons] == [place + 1]
    assert found[place + 1] == (Reason.CHAIN_BROKEN,)


@given(chains, st.data())
def test_a_link_that_comes_twice_counts_back(links: list[Link], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(links) - 1))
    found = judged([*links, links[place]])
    assert found[-1] == (Reason.SEQUENCE_BACK,)
    assert follow(Head(9, links[0].hash, NOW), links[0])[0] == Head(9, links[0].hash, NOW)


def test_a_clock_that_went_back_between_two_scans_is_wrong() -> None:
    first, second = honest(2, [5])
    earlier = msgspec.structs.replace(second, at=first.at - timedelta(seconds=1))
    assert judged([first, earlier]) == [(), (Reason.CLOCK_ERROR,)]


@pytest.mark.parametrize(
    ("at", "sent_at", "wrong"),
    [
        (-60, 0, False),
        (-60, 5, False),
        (-60, -5, False),
        (-60, 5.1, True),
        (-60, -5.1, True),
        (5, 5, False),
        (5.1, 5, True),
        (0, -4, False),
        (2, -4, True),
        (-60 * 24 * 29, 0, False),
    ],
)
def test_a_clock_may_be_wrong_by_five_minutes(at: float, sent_at: float, *, wrong: bool) -> None:
    assert is_clock_wrong(NOW + at * MINUTE, NOW + sent_at * MINUTE, NOW) is wrong


def test_a_scan_keeps_its_own_time_unless_no_scan_can_have_it() -> None:
    for back in (timedelta(), timedelta(days=2), timedelta(days=30), -timedelta(minutes=5)):
        assert {instant_of(NOW - back, NOW, wrong=wrong) for wrong in (False, True)} == {NOW - back}
    old = NOW - timedelta(days=30, seconds=1)
    assert instant_of(old, NOW, wrong=False) is None
    for strange in (old, NOW + timedelta(days=900)):
        assert instant_of(strange, NOW, wrong=True) == NOW


# Signatures


def phone_scan(phone: Phone, **changed: object) -> PhoneScan:
    phone.device_id = "0c1d2e3f-0000-4000-8000-000000000000"
    return msgspec.convert(phone.scan("v1.k1.RS-A.e1.1.x", NOW, **changed), PhoneScan)  # type: ignore[arg-type]  # a test's own


@settings(deadline=None, max_examples=40)
@given(
    field=st.sampled_from(["seq", "at", "token", "prev", "left", "device"]),
    left=st.booleans(),
    bit=st.integers(0, 64 * 8 - 1),
)
def test_a_signature_is_of_every_field_and_of_this_device(field: str, *, left: bool, bit: int) -> None:
    phone = Phone()
    scan = phone_scan(phone, left=left)
    key, device = read_key(phone.public_key), phone.device_id
    assert is_signed(key, scan.signature, scan_text(device, scan))
    changes: dict[str, dict[str, Any]] = {
        "seq": {"seq": scan.seq + 1},
        "at": {"at": scan.at.replace("08:00", "08:01")},
        "token": {"token": scan.token + "x"},
        "prev": {"prev": "f" * 64},
        "left": {"left": not scan.left},
        "device": {},
    }
    changed = msgspec.structs.replace(scan, **changes[field])
    other = device if field != "device" else device.replace("0c", "0d")
    assert not is_signed(key, scan.signature, scan_text(other, changed))
    assert not is_signed(read_key(Phone().public_key), scan.signature, scan_text(device, scan))
    raw = bytearray(base64.b64decode(scan.signature))
    raw[bit // 8] ^= 1 << bit % 8
    assert not is_signed(key, base64.b64encode(raw).decode(), scan_text(device, scan))


@given(st.binary(max_size=80))
def test_no_bytes_are_a_signature_by_themselves(data: bytes) -> None:
    phone = Phone()
    assert not is_signed(read_key(phone.public_key), base64.b64encode(data).decode(), b"anything")


def test_a_request_s_signature_is_good_for_its_own_path_time_and_code() -> None:
    phone = Phone()
    phone.device_id = "0c1d2e3f-0000-4000-8000-000000000000"
    signed = phone.signed("otp/confirm", "123456", NOW)["signed"]
    right = [phone.device_id, "/visitor/otp/confirm", signed["sent_at"], "123456"]
    key = read_key(phone.public_key)
    assert is_signed(key, signed["signature"], request_text(*right))
    for place, other in enumerate(("other", "/visitor/erase", "2026-11-24T08:00:01+00:00", "123457")):
        wrong = list(right)
        wrong[place] = other
        assert not is_signed(key, signed["signature"], request_text(*wrong))


def test_only_a_key_on_p256_is_one_and_it_has_one_spelling() -> None:
    phone = Phone()
    der = base64.b64decode(phone.public_key)
    assert read_key(phone.public_key) == der
    others: list[Any] = [
        generate_private_key(SECP384R1()).public_key(),
        Ed25519PrivateKey.generate().public_key(),
    ]
    written = [key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in others]
    short = generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    for bad in (*written, short, der[:-1], der[:-1] + b"\x00", b""):
        with pytest.raises(BadInput, match="public_key"):
            read_key(base64.b64encode(bad).decode())
    for text in ("not base64", phone.public_key[:-4] + "é==="):
        with pytest.raises(BadInput, match="public_key"):
            read_key(text)


# Claims


def claimed(**changed: object) -> ClaimBody:
    return read(ClaimBody, msgspec.json.encode(claim_of(NIK, public_key=Phone().public_key) | changed))


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"document": {"type": "nik", "number": "3671015508900000"}}, "document.number"),
        ({"document": {"type": "nik", "number": "9999015508900001"}}, "document.number"),
        ({"document": {"type": "nik", "number": "367101550890001"}}, "document.number"),
        ({"document": {"type": "passport", "number": "?"}}, "document.number"),
        ({"document": {"type": "temporary", "number": "X1"}}, "document.type"),
        ({"name": "   "}, "name"),
        ({"name": "Siti\u0007"}, "name"),
        ({"birth_date": "1990-02-30"}, "birth_date"),
        ({"birth_date": "2026-11-25"}, "birth_date"),
        ({"birth_date": "1899-12-31"}, "birth_date"),
        ({"birth_date": "15-08-1990"}, "birth_date"),
        ({"birth_date": "2010-01-01"}, "guardian"),
        ({"sub_district": "36.71.99"}, "sub_district"),
        ({"sub_district": "36.71"}, "sub_district"),
        ({"village": " "}, "village"),
        ({"phone": "call me"}, "phone"),
        ({"guardian": {"name": "Ibu", "phone": "x"}}, "guardian.phone"),
        ({"guardian": {"name": " ", "phone": "0812 345 678"}}, "guardian.name"),
        ({"public_key": "A" * 120}, "public_key"),
        ({"more": 1}, "body"),
    ],
)
def test_a_field_that_cannot_be_is_named_and_no_value_told(changed: dict[str, object], field: str) -> None:
    with pytest.raises(BadInput) as caught:
        check(claimed(**changed), NOW)
    assert caught.value.field == field
    for value in (NIK[:8], "990-02", "Siti", "36.71.9", "call"):
        assert value not in str(caught.value)


def test_a_claim_keeps_what_was_told_but_not_the_number() -> None:
    claim = check(claimed(name="  Siti   Aminah "), NOW)
    assert (claim.subject.kind, claim.subject.value, claim.subject.district) == ("nik", NIK, "36.71")
    told = msgspec.json.encode(claim.told)
    assert b"Siti Aminah" in told
    assert NIK.encode() not in told


@given(st.dates(date(1900, 1, 1), date(2026, 11, 24)))
def test_somebody_answers_for_whoever_is_under_eighteen(born: date) -> None:
    body = claimed(birth_date=born.isoformat())
    years = sum(1 for year in range(born.year + 1, 2027) if (year, born.month, born.day) <= (2026, 11, 24))
    assert age_of(born, date(2026, 11, 24)) == years
    if years >= 18:
        assert check(body, NOW).told.guardian is None
        return
    with pytest.raises(BadInput, match="guardian"):
        check(body, NOW)
    guarded = msgspec.structs.replace(body, guardian=Guardian(name="Ibu", phone="0812345678"))
    assert check(guarded, NOW).told.guardian is not None


def test_a_body_that_is_none_is_refused_by_its_field() -> None:
    with pytest.raises(InvalidEvent, match="body"):
        read(ClaimBody, b"[]")


# How crowded


@given(st.integers(0, 400), st.integers(1, 1_000))
def test_the_word_says_no_more_than_the_band(count: int, capacity: int) -> None:
    crowd = crowd_of(count, capacity)
    assert crowd.band == band_of(count)
    if count < 100:
        same = {crowd_of(other, capacity) for other in range(100) if band_of(other) == crowd.band}
    else:
        same = {crowd_of(other, capacity) for other in range(count // 50 * 50, count // 50 * 50 + 50)}
    assert same == {crowd}


@given(st.integers(0, 2_000), st.integers(0, 2_000), st.integers(1, 1_000))
def test_more_people_never_look_like_fewer(one: int, other: int, capacity: int) -> None:
    order = ["quiet", "busy", "full"]
    fewer, more = sorted((one, other))
    words = [crowd_of(count, capacity).fullness for count in (fewer, more)]
    assert order.index(str(words[0])) <= order.index(str(words[1]))


def test_a_place_whose_capacity_nobody_gave_has_a_band_only() -> None:
    assert (crowd_of(30, None).band, crowd_of(30, None).fullness) == ("20-49", None)
    assert [crowd_of(count, 100).fullness for count in (3, 30, 60, 150)] == ["quiet", "quiet", "busy", "full"]
