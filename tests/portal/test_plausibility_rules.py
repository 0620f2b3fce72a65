"""What cannot be, by laws: a function of the set of scans, each looked at once; and by examples of places and hours."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from portal.plausibility import rules as numbers
from portal.plausibility.judge import (
    Flag,
    Place,
    Revocation,
    Sighting,
    bursts,
    contradictions,
    crowds,
    distance_km,
    flags_of,
    is_closed,
)
from portal.plausibility.reasons import SERIAL, Reason, flag_of
from portal.plausibility.rules import Burst, ImpossibleTravel, ManyPersons, Rules, all_rules
from portal.web.words import all_words
from schemas.events import Role
from tracing.instants import HOUR_US, MINUTE_US, SECOND_US, us_of

TUESDAY = us_of(datetime(2026, 11, 3, 3, 0, tzinfo=UTC))  # 10:00 in Jakarta
JAKARTA = Place(latitude=-6.2, longitude=106.8, capacity=0, opening_hours="24/7", time_zone="Asia/Jakarta")
BANDUNG = replace(JAKARTA, latitude=-6.9, longitude=107.6)
SURABAYA = replace(JAKARTA, latitude=-7.25, longitude=112.75)
DEPOK = replace(JAKARTA, latitude=-6.28, longitude=106.83)
PLACES = {1: JAKARTA, 2: DEPOK, 3: BANDUNG, 4: replace(SURABAYA, opening_hours="Mo-Fr 08:00-16:00")}
REVOKED = {(1, 1, 1): Revocation(TUESDAY + 30 * MINUTE_US, 7)}
SMALL = Rules(
    tuple(replace(rule, persons=3) if isinstance(rule, Burst | ManyPersons) else rule for rule in all_rules().every)
)


def phone(person: int = 1, minutes: float = 0, **changed: Any) -> Sighting:
    """Return a phone's scan at gate 1 of facility 1."""
    at = TUESDAY + int(minutes * MINUTE_US)
    made: dict[str, Any] = {
        "facility": 1,
        "gate": "entrance",
        "gate_no": 1,
        "version": 1,
        "at": at,
        "received_at": at,
    } | changed
    return Sighting(person=f"{person:032x}", scan_id=f"s{person}-{minutes}-{made['facility']}", **made)


@st.composite
def towns(draw: st.DrawFn) -> list[Sighting]:
    """Return scans of a few people in two hours: at four places, by phones, officers and systems."""
    some: list[dict[str, Any]] = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "person": st.integers(1, 5),
                    "minutes": st.integers(0, 480).map(lambda quarter: quarter / 4),
                    "facility": st.sampled_from(list(PLACES)),
                    "gate": st.sampled_from(["entrance", "exit", "zone"]),
                    "gate_no": st.sampled_from([1, 1, 1, 2, None]),
                    "version": st.sampled_from([1, 2]),
                    "role": st.sampled_from(["visitor", "visitor", "staff", "inpatient"]),
                    "channel": st.sampled_from(["app", "app", "app", "officer", "import"]),
                    "assurance": st.sampled_from(["self", "self", "otp", "officer_saw_id"]),
                    "device_id": st.sampled_from(["", "d1", "d2"]),
                    "group_id": st.sampled_from(["", "", "", "g"]),
                }
            ),
            max_size=24,
        )
    )
    return [replace(phone(**one), scan_id=f"s{number}") for number, one in enumerate(some)]


def whole(sightings: Iterable[Sighting]) -> set[Flag]:
    return flags_of(sightings, [], PLACES, REVOKED, SMALL)


def around(one: Sighting, stored: Sequence[Sighting]) -> list[Sighting]:
    """Return what the watcher reads around a scan: so near in time, of its person elsewhere, its poster, its device."""
    return [
        other
        for other in stored
        if (other.person == one.person and abs(other.at - one.at) <= SMALL.travel_us)
        or (
            (other.facility, other.gate_no, other.version) == (one.facility, one.gate_no, one.version)
            and abs(other.at - one.at) <= SMALL.burst_us
        )
        or (other.device_id and other.device_id == one.device_id and abs(other.at - one.at) <= SMALL.device_us)
    ]


@given(towns(), st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_of_scans_matters(town: list[Sighting], chance: Any) -> None:
    again = [*town, *town[:3]]
    chance.shuffle(again)
    assert whole(again) == whole(town)


@given(towns(), st.data())
def test_a_scan_more_never_takes_a_flag_away(town: list[Sighting], data: st.DataObject) -> None:
    some = [one for one in town if data.draw(st.booleans())]
    assert whole(some) <= whole(town)


@given(towns())
def test_scan_by_scan_with_those_around_it_gives_the_flags_of_all_in_whatever_order_they_come(
    town: list[Sighting],
) -> None:
    found: set[Flag] = set()
    for number, one in enumerate(town):
        found |= flags_of([one], around(one, town[: number + 1]), PLACES, REVOKED, SMALL)
    assert found == whole(town)


@given(towns())
def test_only_what_a_telephone_sent_by_itself_is_ever_flagged(town: list[Sighting]) -> None:
    flagged = {flag.scan_id for flag in whole(town)}
    for one in town:
        assert one.scan_id not in flagged or (one.channel == "app" and not one.group_id)


@given(towns())
def test_a_crowd_at_a_poster_is_what_counting_by_hand_says(town: list[Sighting]) -> None:
    at_poster = [one for one in town if one.can_be_flagged and one.role == "visitor"]
    span = 60 * SECOND_US

    def persons(first: Sighting) -> int:
        return len({one.person for one in at_poster if first.at <= one.at <= first.at + span})

    by_hand = {
        one
        for one in at_poster
        if any(first.at <= one.at <= first.at + span and persons(first) >= 3 for first in at_poster)
    }
    assert bursts(at_poster, None, SMALL) == by_hand


@given(towns())
def test_whom_a_better_proof_contradicts_is_flagged_and_not_the_other_way(town: list[Sighting]) -> None:
    rank = {"self": 0, "otp": 1, "officer_saw_id": 3}
    for one, _ in contradictions([other for other in town if other.person == f"{1:032x}"], PLACES, SMALL):
        assert any(
            rank[other.assurance] >= rank[one.assurance]
            and other.facility != one.facility
            and other.person == one.person
            for other in town
        )


@pytest.mark.parametrize(
    ("place", "minutes", "reason"),
    [
        (2, 0, None),  # across the river
        (3, 5, Reason.TWO_PLACES),
        (3, 30, Reason.IMPOSSIBLE_TRAVEL),
        (3, 60, None),  # 118 km by road
        (4, 60, Reason.IMPOSSIBLE_TRAVEL),
        (4, 100, None),  # by air
        (9, 0, None),  # nobody knows where it is
    ],
)
def test_how_soon_somebody_can_be_elsewhere(place: int, minutes: int, reason: Reason | None) -> None:
    first, second = phone(gate_no=None), phone(minutes=minutes, facility=place, gate_no=None)
    found = set(contradictions([first, second], PLACES, all_rules()))
    assert found == ({(first, reason), (second, reason)} if reason else set())


def test_the_shortest_way_is_never_longer_for_a_nearer_place() -> None:
    (rule,) = all_rules().all_of(ImpossibleTravel)
    ways = [rule.shortest_us(km) for km in range(numbers.FAR_KM)]
    assert ways == sorted(ways)
    assert ways[12] == 0
    assert all_rules().travel_us == rule.shortest_us(numbers.FAR_KM) < 8 * HOUR_US


def test_distances_are_those_of_the_map() -> None:
    assert distance_km(JAKARTA, JAKARTA) == 0
    assert distance_km(JAKARTA, BANDUNG) == pytest.approx(118, abs=2)
    assert distance_km(JAKARTA, SURABAYA) == distance_km(SURABAYA, JAKARTA) == pytest.approx(667, abs=5)


def test_what_an_officer_saw_stands_and_the_telephone_elsewhere_is_flagged() -> None:
    seen = phone(minutes=1, facility=3, channel="officer", assurance="officer_saw_id", gate_no=None)
    told = phone(assurance="otp")
    assert {flag.scan_id for flag in whole([seen, told])} == {told.scan_id}
    remembered = replace(seen, received_at=seen.at + 25 * HOUR_US)  # written down a day later: who knows the minute
    assert whole([remembered, told]) == set()


@pytest.mark.parametrize(
    "change",
    [
        {"channel": "import"},
        {"channel": "officer", "assurance": "officer_saw_id"},
        {"channel": "kiosk"},
        {"group_id": "ambulance"},
        {"assurance": "staff_account"},
        {"admitted": False},
        {"role": "staff"},
        {"role": "courier"},
        {"role": "crew"},
    ],
    ids=str,
)
def test_what_no_rule_of_crowds_and_hours_fits_is_not_flagged(change: dict[str, Any]) -> None:
    crowd = [phone(person, person / 100, device_id="d", facility=4, **change) for person in range(40)]
    night = [replace(one, at=one.at - 9 * HOUR_US, received_at=one.at) for one in crowd]
    assert flags_of([*crowd, *night], [], PLACES, {}, all_rules()) == set()


def test_a_crowd_is_judged_by_how_many_the_place_has_room_for() -> None:
    crowd = [phone(person, person / 100) for person in range(40)]
    assert bursts(crowd, 100, all_rules()) == bursts(crowd, None, all_rules()) == set(crowd)
    assert bursts(crowd, 401, all_rules()) == set(crowd)
    assert bursts(crowd, 410, all_rules()) == set()
    assert bursts(crowd[:29], None, all_rules()) == set()
    slow = [phone(person, person / 20) for person in range(40)]  # three seconds each
    assert bursts(slow, None, all_rules()) == set()
    one = [phone(1, minutes / 100) for minutes in range(40)]  # one impatient visitor
    assert bursts(one, None, all_rules()) == set()


def test_a_telephone_of_a_family_is_none_of_a_crowd_and_who_proved_himself_stays() -> None:
    town = [
        phone(person, person * 60, device_id="d", assurance="otp" if person == 1 else "self") for person in range(8)
    ]
    assert crowds(town[:7], all_rules()) == set()
    assert {one.person for one in crowds(town, all_rules())} == {one.person for one in town if one.assurance == "self"}
    spread = [phone(person, person * 240, device_id="d") for person in range(8)]
    assert crowds(spread, all_rules()) == set()


@pytest.mark.parametrize(
    ("hours", "local", "closed"),
    [
        ("Mo-Fr 08:00-16:00", "2026-11-03T10:00", False),
        ("Mo-Fr 08:00-16:00", "2026-11-03T07:01", False),  # within the hour before
        ("Mo-Fr 08:00-16:00", "2026-11-03T06:59", True),
        ("Mo-Fr 08:00-16:00", "2026-11-03T16:59", False),
        ("Mo-Fr 08:00-16:00", "2026-11-03T17:01", True),
        ("Mo-Fr 08:00-16:00", "2026-11-07T10:00", True),  # a Saturday
        ("Mo-Su 20:00-02:00", "2026-11-04T01:30", False),
        ("Mo-Su 10:00-10:30", "2026-11-04T10:15", False),
        ("24/7", "2026-11-03T03:00", False),
        ("nobody knows", "2026-11-03T03:00", False),
        ("", "2026-11-03T03:00", False),
    ],
)
def test_when_a_facility_is_closed(hours: str, local: str, *, closed: bool) -> None:
    at = us_of(datetime.fromisoformat(f"{local}:00+09:00"))
    assert is_closed(hours, "Asia/Jayapura", at, HOUR_US) is closed


def test_who_leaves_late_was_there() -> None:
    night = {"minutes": -9 * 60, "facility": 4}
    assert {flag.reason for flag in whole([phone(**night)])} == {Reason.CLOSED_HOURS}
    assert whole([phone(**night, gate="exit")]) == set()


def test_a_poster_counts_until_before_the_instant_of_its_revocation() -> None:
    before, after = phone(minutes=30 - 1 / 60_000_000), phone(minutes=30)
    (flag,) = whole([before, after])
    assert (flag.at, flag.reason, flag.serial) == (after.at, Reason.RETIRED_POSTER, 7)
    assert whole([replace(after, version=2), replace(after, gate_no=2), replace(after, facility=2)]) == set()


def test_a_rule_is_in_force_from_its_day_on_and_says_where_its_numbers_are_from() -> None:
    (now,) = all_rules().all_of(Burst)
    later = replace(now, valid_from=date(2027, 1, 1), persons=5)
    rules = Rules((now, later))
    turn = us_of(datetime(2027, 1, 1, tzinfo=UTC))
    assert rules.of(Burst, turn - 1) is now
    assert rules.of(Burst, turn) is later
    assert rules.of(Burst, us_of(datetime(2019, 12, 31, tzinfo=UTC))) is None
    assert rules.of(ManyPersons, turn) is None
    assert now.roles_except >= {Role.STAFF, Role.COURIER}
    assert now.source


def test_a_flag_is_the_same_whoever_makes_it_and_every_reason_has_words() -> None:
    one, other = (
        flag_of("a" * 32, "019ab0c4-6d2e-7c31-9a53-0d6f4b2e8c17", TUESDAY, reason) for reason in list(Reason)[:2]
    )
    assert one == flag_of("a" * 32, "019ab0c4-6d2e-7c31-9a53-0d6f4b2e8c17", TUESDAY, next(iter(Reason)))
    assert (one.serial, one.by) == (SERIAL, "system:closed_hours")
    assert one.by != other.by  # or the second would be a dead letter: the same identity with another body
    assert one.scan_at == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=TUESDAY)
    assert {f"flags.reason_{reason}" for reason in Reason} <= all_words().keys()
