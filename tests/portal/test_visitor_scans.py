"""What a phone scanned, against a real gate and broker: taken once, flagged where it cannot be believed, never lost."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from ops.embedded import Servers
from portal.identifiers import new_uuid7
from schemas.events import Gate as Kind
from tests.commands import wait_until
from tests.portal.conftest import Gate
from tests.portal.phone import ZEROS, Phone
from tests.portal.test_visitor import NOBODY, bound, positive
from tests.portal.visiting import door, execute, new_nik, person_of, replace_poster, sent

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
LATE = "late_after_positive"


@pytest.fixture(scope="module")
def entrance(gate: Gate) -> str:
    return door(gate, days_ago=60)


@pytest.fixture(scope="module")
def way_out(gate: Gate) -> str:
    return door(gate, Kind.EXIT)


@pytest.fixture
def phone(gate: Gate) -> Phone:
    return visitor(gate)


def visitor(gate: Gate) -> Phone:
    phone = Phone(gate.url)
    assert phone.claim(new_nik()).status_code == 200
    return phone


def ago(**span: float) -> datetime:
    return datetime.now(UTC) - timedelta(**span)


def statuses(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one.get("field") or one["status"] for one in answer.json()["results"]]


def reasons(gate: Gate, scans: list[dict[str, Any]]) -> list[list[str]]:
    return [flags for _, flags in sent(gate, scans)]


def test_scans_of_a_phone_that_was_offline_come_with_their_own_time_and_count_at_once(
    gate: Gate, phone: Phone, entrance: str, way_out: str
) -> None:
    inside = door(gate, Kind.ZONE)
    times = [ago(hours=hours) for hours in (40, 39, 38)]
    scans = [phone.scan(token, at) for token, at in zip((entrance, inside, way_out), times, strict=True)]
    answer = phone.send(*scans)
    assert answer.json()["results"] == [{"scan_id": one["scan_id"], "status": "accepted"} for one in scans]
    found = sent(gate, scans)
    assert [flags for _, flags in found] == [[], [], []]
    events = [event for event, _ in found]
    assert [event.gate for event in events] == ["entrance", "zone", "exit"]
    assert [event.zone for event in events] == ["", "Bangsal Melati", ""]
    assert [event.device_seq for event in events] == [1, 2, 3]
    for event, at, token in zip(events, times, (entrance, inside, way_out), strict=True):
        assert event.at == at.replace(microsecond=at.microsecond // 1000 * 1000)
        assert (event.facility_id, event.kind, event.time_zone) == ("RS-A", "hospital", "Asia/Jakarta")
        assert (event.channel, event.assurance, event.entered_by, event.admitted) == ("app", "self", "visitor", True)
        assert (event.device_id, event.poster_version) == (phone.device_id, 1)
        assert event.gate_no == int(token.split(".")[3][1:])
    assert len({event.person_id for event in events}) == 1


def test_what_a_bound_device_scans_says_how_its_owner_was_proved(gate: Gate, entrance: str) -> None:
    phone, nik, _ = bound(gate)
    other = Phone(gate.url)
    other.claim(nik)
    scans = [phone.scan(entrance), other.scan(entrance)]
    assert statuses(phone.send(scans[0])) + statuses(other.send(scans[1])) == ["accepted", "accepted"]
    (one, _), (two, _) = sent(gate, scans)
    assert (one.assurance, two.assurance) == ("otp", "self")
    assert one.person_id == two.person_id == person_of(gate, nik)


def test_what_comes_again_changes_nothing(gate: Gate, phone: Phone, entrance: str) -> None:
    first = [phone.scan(entrance, ago(minutes=minutes)) for minutes in (9, 8)]
    more = phone.scan(entrance, ago(minutes=7))
    answers = [phone.send(*first), phone.send(*first), phone.send(first[1], more, more), phone.send(first[0])]
    assert [statuses(answer) for answer in answers] == [["accepted"] * number for number in (2, 2, 3, 1)]
    assert reasons(gate, [*first, more]) == [[], [], []]
    after = phone.scan(entrance)
    assert statuses(phone.send(after)) == ["accepted"]
    assert reasons(gate, [after]) == [[]]


def test_a_gap_flags_what_follows_it_and_nothing_after(gate: Gate, phone: Phone, entrance: str) -> None:
    scans = [phone.scan(entrance, ago(minutes=30 - number)) for number in range(5)]
    assert statuses(phone.send(scans[0])) == ["accepted"]
    assert statuses(phone.send(*scans[2:])) == ["accepted"] * 3
    assert reasons(gate, [scans[0], *scans[2:]]) == [[], ["sequence_gap"], [], []]
    assert statuses(phone.send(scans[1])) == ["accepted"]
    assert reasons(gate, [scans[1]]) == [["sequence_back"]]


def test_a_forged_history_is_flagged_and_the_phone_is_not_told(gate: Gate, phone: Phone, entrance: str) -> None:
    scans = [
        phone.scan(entrance, ago(hours=5)),
        phone.scan(entrance, ago(hours=4), prev="ab" * 32),
        phone.scan(entrance, ago(hours=6)),
        phone.scan(entrance, ago(hours=3), seq=1, prev=ZEROS),
        phone.scan(entrance, ago(hours=2), seq=90),
    ]
    answer = phone.send(*scans)
    assert answer.json()["results"] == [{"scan_id": one["scan_id"], "status": "accepted"} for one in scans]
    assert reasons(gate, scans) == [
        *([], ["chain_broken"], ["clock_error"]),
        *(["sequence_back"], ["sequence_gap"]),
    ]


@pytest.mark.parametrize("minutes", [-7, 7, 60 * 24 * 400, -60 * 24 * 400])
def test_what_a_wrong_clock_scanned_is_flagged_and_never_in_the_future(
    gate: Gate, phone: Phone, entrance: str, minutes: float
) -> None:
    off = minutes * MINUTE
    scan = phone.scan(entrance, datetime.now(UTC) + off - MINUTE)
    assert statuses(phone.send(scan, sent_at=datetime.now(UTC) + off)) == ["accepted"]
    ((event, flags),) = sent(gate, [scan])
    assert flags == ["clock_error"]
    own = datetime.fromisoformat(scan["at"])
    assert (event.at == own) == (abs(off) < DAY and event.at <= datetime.now(UTC) + 5 * MINUTE and minutes < 0)
    assert ago(days=30) < event.at <= datetime.now(UTC) + 5 * MINUTE
    after = phone.scan(entrance)
    assert statuses(phone.send(after)) == ["accepted"]
    assert reasons(gate, [after]) == [["clock_error"] if minutes > 0 else []], "time went back, to the right one"


def test_a_clock_that_is_off_by_less_than_five_minutes_is_believed(gate: Gate, phone: Phone, entrance: str) -> None:
    off = timedelta(minutes=4, seconds=30)
    scan = phone.scan(entrance, datetime.now(UTC) - off)
    assert statuses(phone.send(scan, sent_at=datetime.now(UTC) - off)) == ["accepted"]
    assert reasons(gate, [scan]) == [[]]


def test_a_late_scan_of_somebody_who_is_positive_by_now_is_flagged_and_an_early_one_is_not(
    gate: Gate, entrance: str
) -> None:
    ill, well = visitor(gate), visitor(gate)
    before = ill.scan(entrance, ago(hours=60))
    assert statuses(ill.send(before)) == ["accepted"]
    ((event, _),) = sent(gate, [before])
    positive(gate, event.person_id)
    late = [phone.scan(entrance, ago(hours=hours)) for phone in (ill, well) for hours in (49, 47)]
    assert statuses(ill.send(*late[:2])) + statuses(well.send(*late[2:])) == ["accepted"] * 4
    assert reasons(gate, [before, *late]) == [[], [LATE], [], [], []]


@pytest.mark.parametrize("status", ["final", "entered_in_error"])
def test_a_positive_test_makes_late_scans_doubtful_unless_it_was_an_error(
    gate: Gate, phone: Phone, entrance: str, status: str
) -> None:
    first = phone.scan(entrance, ago(hours=60))
    phone.send(first)
    ((event, _),) = sent(gate, [first])
    execute(
        gate,
        "insert into test_result (result_id, person, lab_ref, laboratory, by, test, result, status, specimen_at,"
        " reported_at, received_at, digest) values (%s, %s, 'L', 'LAB-C', 'lab', 'pcr', 'positive', %s, now(), now(),"
        " now(), gen_random_uuid())",
        *(new_uuid7(ago()), event.person_id, status),
    )
    late = phone.scan(entrance, ago(hours=50))
    phone.send(late)
    assert reasons(gate, [late]) == [[LATE] if status == "final" else []]


def test_what_proves_nothing_is_refused_alone_and_the_rest_of_the_chain_counts(
    gate: Gate, phone: Phone, entrance: str
) -> None:
    stranger = visitor(gate)
    good, old = phone.scan(entrance, ago(days=29)), phone.scan(entrance, ago(days=30, minutes=1))
    unreadable = phone.scan(entrance[:-4] + "AAAA", ago(hours=3))
    not_yet = phone.scan(door(gate, days_ago=0), ago(hours=2))
    last = phone.scan(entrance, ago(hours=1))
    foreign = phone.scan(entrance, ago(minutes=50))
    foreign["signature"] = stranger.scan(entrance)["signature"]
    other_time = phone.scan(entrance, ago(minutes=40)) | {"at": ago(minutes=30).isoformat()}
    unknown = {"scan_id": "3671015508900001", "seq": 9}
    answer = phone.send(good, old, unreadable, not_yet, last, foreign, other_time, unknown)
    assert statuses(answer) == ["accepted", "at", "token", "token", "accepted", "signature", "signature", "scan_id"]
    assert answer.json()["results"][-1]["scan_id"] is None
    assert "3671015508900001" not in answer.text
    assert reasons(gate, [good, last]) == [[], []]
    assert statuses(phone.send(old, unreadable)) == ["at", "token"]
    after = phone.scan(entrance)
    assert statuses(phone.send(after)) == ["accepted"]
    assert reasons(gate, [after]) == [["sequence_gap"]]


def test_a_scan_of_a_poster_that_had_been_replaced_counts_once_it_is_cleared(gate: Gate, phone: Phone) -> None:
    old = door(gate)
    early = phone.scan(old, ago(hours=1))
    replace_poster(gate, old)
    later = phone.scan(old)
    assert statuses(phone.send(early, later)) == ["accepted", "accepted"]
    assert reasons(gate, [early, later]) == [[], ["retired_poster"]]


def test_the_button_is_an_exit_of_the_facility_also_by_a_poster_that_was_replaced_meanwhile(
    gate: Gate, entrance: str
) -> None:
    phone, elsewhere = visitor(gate), visitor(gate)
    old = door(gate)
    came, other = phone.scan(old, ago(hours=1)), elsewhere.scan(door(gate, facility_id="PKM-B"), ago(hours=1))
    replace_poster(gate, old)
    left, again, theirs = phone.scan(old, left=True), phone.scan(old, left=True), elsewhere.scan(old, left=True)
    assert statuses(phone.send(came, left, again)) == ["accepted"] * 3
    assert statuses(elsewhere.send(other, theirs)) == ["accepted"] * 2
    found = sent(gate, [left, again, theirs])
    assert [flags for _, flags in found] == [[], ["retired_poster"], ["retired_poster"]]
    event = found[0][0]
    assert (event.facility_id, event.gate, event.zone) == ("RS-A", "exit", "")
    assert (event.poster_version, event.gate_no) == (None, None)
    changed = phone.scan(entrance, left=True) | {"left": False}
    assert statuses(phone.send(changed)) == ["signature"]


def test_a_device_that_is_not_known_sends_nothing_and_a_request_has_its_bounds(
    gate: Gate, phone: Phone, entrance: str
) -> None:
    stranger = Phone(gate.url)
    stranger.device_id = NOBODY
    assert stranger.send(stranger.scan(entrance)).status_code == 403
    scans = [phone.scan(entrance, ago(minutes=200 - number)) for number in range(101)]
    assert phone.send(*scans).status_code == 422
    assert phone.send().status_code == 422
    assert statuses(phone.send(*scans[:100])) == ["accepted"] * 100
    now = datetime.now(UTC).isoformat()
    for body in ({"sent_at": "2026-02-30T08:00:00Z"}, {"sent_at": "x"}, {"scans": [7]}, {"more": 1}):
        answer = phone.post("scans", {"device_id": phone.device_id, "sent_at": now, "scans": [scans[0]]} | body)
        assert (answer.status_code == 200) == ("scans" in body)


def test_a_signature_with_one_bit_changed_is_none(gate: Gate, phone: Phone, entrance: str) -> None:
    scan = phone.scan(entrance)
    raw = base64.b64decode(scan["signature"])
    changed = [
        scan | {"signature": base64.b64encode(raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :]).decode()}
        for at in range(0, 64, 7)
        for bit in range(8)
    ]
    assert statuses(phone.send(*changed)) == ["signature"] * len(changed)
    assert statuses(phone.send(scan)) == ["accepted"]
    assert reasons(gate, [scan]) == [[]]


# The broker is away


def test_what_was_not_acknowledged_comes_again_and_is_judged_no_second_time(own: tuple[Servers, Gate]) -> None:
    servers, gate = own
    phone, token = visitor(gate), door(gate)
    scans = [phone.scan(token, ago(minutes=9)), phone.scan(token, ago(minutes=8)), phone.scan(token, ago(minutes=7))]
    servers.daemons["Kafka"].stop()
    answer = phone.send(scans[0], scans[2])
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    assert execute(gate, "select count(*) from visitor_scan where records is not null") == [(2,)]
    servers.mend()
    servers.wait_ready()
    wait_until(lambda: phone.send(scans[0], scans[2]).status_code == 200)
    assert reasons(gate, [scans[0], scans[2]]) == [[], ["sequence_gap"]]
    assert execute(gate, "select count(*) from visitor_scan where records is not null") == [(0,)]
