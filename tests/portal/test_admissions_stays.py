"""The admission feed without servers: which scans a record stands for, and what a corrected one changes."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from portal.admissions.fhir import stays_of
from portal.admissions.rows import OPTIONAL, REQUIRED, unit_of
from portal.admissions.stays import Before, Passage, Unit, change_of, of_stay
from portal.fhir import Bundle
from portal.identity import Subject
from portal.scans import _uuid7
from schemas.errors import BadInput
from schemas.events import Gate, Role

NOW = datetime(2026, 11, 24, 20, tzinfo=UTC)
START = datetime(2026, 11, 1, 8, tzinfo=UTC)
NIK = "3671015508900001"
WARDS = ("Mawar", "Melati", "Isolasi")
GOOD = {
    "encounter_id": "RI-0001",
    "event": "admit",
    "at": "2026-11-01T15:00:00+07:00",
    "identifier_type": "nik",
    "identifier_value": NIK,
    "ward": "Mawar",
}

instants = st.integers(0, 96).map(lambda quarters: START + timedelta(minutes=15 * quarters))
stays = st.builds(
    lambda start, wards, hours: of_stay(
        start, sorted(wards), None if hours is None else start + timedelta(hours=hours)
    ),
    instants,
    st.lists(st.tuples(instants, st.sampled_from(WARDS)), max_size=4),
    st.none() | st.integers(1, 300),
)
units = st.builds(
    lambda passages, as_of: Unit(
        facility_id="RS-A", name="RI-1", subject=Subject("nik", NIK), passages=passages, as_of=as_of
    ),
    stays | st.just(()),
    st.none() | instants,
)


def row(**changed: str) -> dict[str, str]:
    return dict.fromkeys((*REQUIRED, *OPTIONAL), "") | GOOD | changed


def unit(**changed: str) -> Unit:
    return unit_of(row(**changed), "RS-A", NOW, demo=False)


@given(st.lists(st.tuples(units, st.sampled_from(["a" * 32, "b" * 32])), max_size=6))
def test_what_stands_after_any_feeds_is_what_the_last_one_that_counted_says(feeds: list[tuple[Unit, str]]) -> None:
    before: Before | None = None
    standing: dict[str, Passage] = {}
    sent: set[str] = set()
    for one, person in feeds:
        change = change_of(one, person, before)
        if change is None:
            continue
        for gone in change.void:
            del standing[gone.scan_id]
        for new in change.send:
            assert new.scan_id not in sent, "an id that was taken back never comes again"
            sent.add(new.scan_id)
            standing[new.scan_id] = new.passage
        before = change.after
        assert sorted(standing.values()) == sorted(set(one.passages))
        assert {one.scan_id for one in before.scans} == set(standing)


@given(st.lists(units, max_size=5))
def test_the_same_feeds_again_change_nothing_and_elsewhere_give_the_same_ids(feeds: list[Unit]) -> None:
    def play(before: Before | None) -> tuple[Before | None, list[str]]:
        ids = []
        for one in feeds:
            change = change_of(one, "a" * 32, before)
            if change is not None:
                before = change.after
                ids += [new.scan_id for new in change.send]
        return before, ids

    after, ids = play(None)
    assert play(None) == (after, ids)
    assert play(after) == (after, [])


@given(stays)
def test_ids_are_of_the_form_and_an_entrance_comes_before_its_ward(passages: tuple[Passage, ...]) -> None:
    change = change_of(
        Unit(facility_id="RS-A", name="RI-1", subject=Subject("nik", NIK), passages=passages), "a" * 32, None
    )
    assert change is not None
    assert all(_uuid7.fullmatch(one.scan_id) for one in change.send)
    by_time = sorted(change.send, key=lambda one: (one.passage.at, one.scan_id))
    assert by_time[0].passage.gate is Gate.ENTRANCE


def test_an_older_version_of_a_record_changes_nothing() -> None:
    newer, older = unit(last_updated="2026-11-03T00:00:00Z"), unit(ward="Melati", last_updated="2026-11-02T00:00:00Z")
    first = change_of(newer, "a" * 32, None)
    assert first is not None
    assert change_of(older, "a" * 32, first.after) is None


def test_rows_are_passages() -> None:
    at = datetime(2026, 11, 1, 8, tzinfo=UTC)
    assert unit().passages == (Passage(at, Gate.ENTRANCE), Passage(at, Gate.ZONE, "Mawar"))
    assert unit(ward="").passages == (Passage(at, Gate.ENTRANCE),)
    assert unit(event="transfer").passages == (Passage(at, Gate.ZONE, "Mawar"),)
    for event in ("discharge", "death"):
        assert unit(event=event, ward="").passages == (Passage(at, Gate.EXIT),)
    assert unit(role="companion").passages[0].role is Role.COMPANION
    assert unit(status="entered-in-error").passages == ()


def test_a_stay_has_one_admission_and_one_end_and_as_many_transfers_as_it_takes() -> None:
    later = "2026-11-02T10:00:00+07:00"
    assert unit().key == unit(at=later).key
    assert unit(event="death").key == unit(event="discharge", at=later).key
    assert unit(event="transfer").key != unit(event="transfer", at=later).key
    assert unit(event="transfer", event_id="T1").key == unit(event="transfer", event_id="T1", at=later).key
    assert unit().key != unit(encounter_id="RI-0002").key
    assert unit().key != unit(facility_id="RS-B").key


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"event": "visit"}, "event"),
        ({"event": ""}, "event"),
        ({"at": "2026-11-01T15:00:00"}, "at"),
        ({"at": "yesterday"}, "at"),
        ({"at": "2026-12-01T15:00:00Z"}, "at"),
        ({"at": "2019-12-01T15:00:00Z"}, "at"),
        ({"event": "transfer", "ward": ""}, "ward"),
        ({"ward": NIK}, "ward"),
        ({"encounter_id": ""}, "encounter_id"),
        ({"encounter_id": NIK}, "encounter_id"),
        ({"identifier_type": "ktp"}, "identifier_type"),
        ({"identifier_value": "12345"}, "identifier_value"),
        ({"role": "staff"}, "role"),
        ({"status": "maybe"}, "status"),
    ],
)
def test_a_bad_field_is_named_and_its_value_is_not(changed: dict[str, str], field: str) -> None:
    with pytest.raises(BadInput) as refused:
        unit(**changed)
    assert refused.value.field == field
    assert all(value not in refused.value.reason for value in changed.values() if len(value) > 2)


def encounter(**changed: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "identifier": [{"system": "http://sys-ids.kemkes.go.id/encounter/10000004", "value": "RI-1"}],
        "subject": {"reference": "Patient/p1"},
        "period": {"start": "2026-11-01T08:00:00+00:00"},
        "location": [
            {"location": {"display": "Melati"}, "period": {"start": "2026-11-03T08:00:00+00:00"}},
            {"location": {"display": "Mawar"}, "period": {"start": "2026-11-01T08:00:00+00:00"}},
            {"location": {"display": "Anggrek"}, "status": "planned"},
        ],
    } | changed


def stays_in(*encounters: dict[str, Any]) -> list[Unit | BadInput | None]:
    patient = {
        "resourceType": "Patient",
        "id": "p1",
        "identifier": [{"system": "https://fhir.kemkes.go.id/id/nik", "value": NIK}],
    }
    ward = {"resourceType": "Location", "id": "w1", "name": "Cempaka"}
    data = {"resourceType": "Bundle", "entry": [{"resource": one} for one in (*encounters, patient, ward)]}
    found = stays_of(Bundle(json.dumps(data).encode()), "RS-A", NOW, demo=False)
    return [one.fault or one.unit for one in found]


def test_an_encounter_is_a_whole_stay() -> None:
    going_on, over = stays_in(
        encounter(),
        encounter(
            status="finished",
            period={"start": "2026-11-01T08:00:00+00:00", "end": "2026-11-05T08:00:00+00:00"},
            hospitalization={"dischargeDisposition": {"coding": [{"code": "exp"}]}},
            location=[{"location": {"reference": "Location/w1"}}],
        ),
    )
    assert isinstance(going_on, Unit)
    assert isinstance(over, Unit)
    moves = [(one.gate.value, one.zone, (one.at - START).days) for one in going_on.passages]
    assert moves == [("entrance", "", 0), ("zone", "Mawar", 0), ("zone", "Melati", 2)]
    assert [(one.gate.value, one.zone, (one.at - START).days) for one in over.passages] == [
        ("entrance", "", 0), ("zone", "Cempaka", 0), ("exit", "", 4),
    ]  # fmt: skip
    assert going_on.key == over.key


def test_a_ward_may_be_contained_and_statuses_before_say_nothing() -> None:
    (stay,) = stays_in(
        encounter(
            contained=[{"resourceType": "Location", "id": "w", "name": "Dahlia"}],
            location=[{"location": {"reference": "#w"}, "status": "completed"}],
            statusHistory=[{"status": "planned", "period": {"start": "2026-10-01T00:00:00Z"}}],
        )
    )
    assert isinstance(stay, Unit)
    assert [one.zone for one in stay.passages] == ["", "Dahlia"]


def test_what_is_no_stay_has_nobody_and_what_was_cancelled_stands_for_nothing() -> None:
    outpatient, cancelled, nameless = stays_in(
        encounter(**{"class": {"code": "AMB"}}, subject=None),
        encounter(status="cancelled", period={}),
        {"resourceType": "Encounter", "status": "finished", "class": {"code": "EMER"}},
    )
    assert nameless is None
    assert isinstance(outpatient, Unit)
    assert isinstance(cancelled, Unit)
    assert (outpatient.subject, outpatient.passages, cancelled.passages) == (None, (), ())
    assert outpatient.key == cancelled.key


def test_of_a_stay_longer_than_the_horizon_the_rest_is_sent_and_what_was_sent_stands() -> None:
    whole = of_stay(START, [(START, "Mawar"), (START + timedelta(days=5), "ICU")], None)
    stay = Unit(facility_id="RS-A", name="RI-1", subject=Subject("nik", NIK), passages=whole)
    horizon = START + timedelta(days=3)
    late = change_of(stay, "a" * 32, None, horizon)
    assert late is not None
    assert [one.passage.zone for one in late.send] == ["ICU"]
    known = change_of(stay, "a" * 32, None)
    assert known is not None
    left = replace(stay, passages=of_stay(START, [(START, "Melati")], START + timedelta(days=6)))
    change = change_of(left, "a" * 32, known.after, horizon)
    assert change is not None
    assert [(one.passage.gate, one.passage.zone) for one in change.send] == [(Gate.EXIT, "")]
    assert [one.passage.zone for one in change.void] == ["ICU"]
    with pytest.raises(BadInput) as refused:
        change_of(replace(stay, passages=of_stay(START, [], None)), "a" * 32, None, horizon)
    assert refused.value.field == "at"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"period": {}}, "period.start"),
        ({"period": {"start": "2026-11-01"}}, "period.start"),
        ({"period": {"start": "2026-11-02T00:00:00Z", "end": "2026-11-01T00:00:00Z"}}, "period.end"),
        ({"location": [{"location": {"reference": "Location/w2"}}]}, "location.location.display"),
        ({"subject": {"reference": "Patient/p9"}}, "subject"),
        ({"status": "dreaming"}, "status"),
        ({"status": "finished"}, "period.end"),
        ({"contained": [{"resourceType": "Location", "id": 7}], "location": [{"location": {"reference": "#w"}}]}, "id"),
        ({"id": "", "identifier": []}, "identifier"),
        ({"location": "Mawar"}, "location"),
    ],
)
def test_a_bad_element_is_named_as_fhir_names_it(changed: dict[str, Any], field: str) -> None:
    good, bad = stays_in(encounter(), encounter(**changed))
    assert isinstance(good, Unit)
    assert isinstance(bad, BadInput)
    assert bad.field == field
