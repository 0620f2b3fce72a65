"""What a record of a vaccination may say, as CSV and as FHIR; a fault names the field and never holds a value."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.registry.holder import Holder, seal, unseal
from portal.registry.importing import judge
from portal.registry.records import OPTIONAL, REQUIRED, Record, record_of
from schemas.errors import BadInput

NOW = datetime(2026, 11, 24, 20, tzinfo=UTC)
NIK = "3671015508900001"
GOOD = {
    "identifier_type": "nik",
    "identifier_value": NIK,
    "name": "Siti Aminah",
    "birth_date": "1990-08-15",
    "dose_number": "2",
    "vaccine_code": "CoronaVac",
    "occurrence_date": "2021-07-01",
    "phone": "0812-3456-7890",
    "location": "Puskesmas B",
}


def row(**changed: str) -> dict[str, str]:
    return dict.fromkeys((*REQUIRED, *OPTIONAL), "") | GOOD | changed


def faults(**changed: str) -> tuple[str, str]:
    with pytest.raises(BadInput) as refused:
        record_of(row(**changed), NOW, demo=False)
    return refused.value.field, refused.value.reason


def test_a_row_becomes_a_record() -> None:
    record = record_of(row(), NOW, demo=False)
    assert record.holder == Holder(name="Siti Aminah", birth_date=date(1990, 8, 15), phone="+6281234567890")
    assert (record.dose, record.given_on, record.place, record.withdrawn) == (2, date(2021, 7, 1), "Puskesmas B", False)
    assert (record.record, record.as_of) == ("dose 2 2021-07-01", NOW)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"identifier_type": "ktp"}, "identifier_type"),
        ({"identifier_type": "temporary"}, "identifier_type"),
        ({"identifier_type": "test"}, "identifier_type"),
        ({"identifier_value": "3671015508900000"}, "identifier_value"),
        ({"identifier_value": ""}, "identifier_value"),
        ({"name": ""}, "name"),
        ({"name": "..."}, "name"),
        ({"name": f"Siti {NIK}"}, "name"),
        ({"name": "S" * 129}, "name"),
        ({"name": "Siti\x00Aminah"}, "name"),
        ({"birth_date": "15-08-1990"}, "birth_date"),
        ({"birth_date": "1990-02-30"}, "birth_date"),
        ({"birth_date": "1899-12-31"}, "birth_date"),
        ({"dose_number": "0"}, "dose_number"),
        ({"dose_number": "21"}, "dose_number"),
        ({"dose_number": "two"}, "dose_number"),
        ({"vaccine_code": ""}, "vaccine_code"),
        ({"occurrence_date": "2026-11-26"}, "occurrence_date"),
        ({"occurrence_date": "2019-12-31"}, "occurrence_date"),
        ({"birth_date": "2022-01-01"}, "occurrence_date"),
        ({"occurrence_date": "2021-07"}, "occurrence_date"),
        ({"phone": "call me"}, "phone"),
        ({"status": "not-done"}, "status"),
        ({"last_updated": "2021-07-01T08:00:00"}, "last_updated"),
        ({"last_updated": "2027-07-01T08:00:00Z"}, "last_updated"),
        ({"location": NIK}, "location"),
    ],
)
def test_a_bad_field_is_named_and_its_value_is_not(changed: dict[str, str], field: str) -> None:
    named, reason = faults(**changed)
    assert named == field
    assert all(value not in reason for value in changed.values() if len(value) > 2)


@pytest.mark.parametrize("text", ["081234567890", "+62 812-3456-7890", "(0062) 81234567890", "6281234567890"])
def test_a_telephone_number_has_one_spelling(text: str) -> None:
    assert record_of(row(phone=text), NOW, demo=False).holder.phone == "+6281234567890"


def test_names_are_alike_or_they_are_not() -> None:
    holder = Holder(name="Dr. André  WIJAYA", birth_date=date(1990, 1, 1))
    assert holder.is_called("wijaya andre")
    assert not holder.is_called("andre")
    assert not holder.is_called("")


@given(st.text(min_size=1, max_size=128), st.dates(), st.text("0123456789", max_size=15))
def test_sealed_holders_look_alike_and_come_out_as_they_went_in(name: str, born: date, phone: str) -> None:
    holder, key, person = Holder(name=name, birth_date=born, phone=phone), bytes(range(32)), "ab" * 16
    sealed, mark = seal(key, person, holder)
    assert unseal(key, person, sealed) == holder
    assert len(sealed) == len(seal(key, person, Holder(name="x", birth_date=born))[0])
    assert mark == seal(key, person, holder)[1]


def bundle(*resources: dict[str, Any]) -> bytes:
    entries = [{"fullUrl": f"https://example.org/fhir/{one['resourceType']}/{one.get('id', '')}", "resource": one}
               for one in resources]  # fmt: skip
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [
        {"use": "official", "system": "https://fhir.kemkes.go.id/id/ihs-number", "value": "P001"},
        {"use": "official", "system": "https://fhir.kemkes.go.id/id/nik", "value": NIK},
    ],
    "name": [{"use": "official", "given": ["Siti"], "family": "Aminah"}],
    "telecom": [{"system": "email", "value": "x@example.org"}, {"system": "phone", "value": "081234567890"}],
    "birthDate": "1990-08-15",
}


def immunization(**changed: Any) -> dict[str, Any]:
    return {
        "resourceType": "Immunization",
        "id": "i1",
        "status": "completed",
        "identifier": [{"system": "urn:x", "value": "42"}],
        "vaccineCode": {"coding": [{"system": "http://sys-ids.kemkes.go.id/kfa", "code": "93000001"}]},
        "patient": {"reference": "Patient/p1"},
        "occurrenceDateTime": "2021-07-01T08:00:00+07:00",
        "protocolApplied": [{"doseNumberPositiveInt": 2}],
        "location": {"display": "Puskesmas B"},
        "lotNumber": "L1",
    } | changed


def judged(*resources: dict[str, Any]) -> list[Record | BadInput]:
    return [one.record for one in judge("fhir", bundle(*resources), NOW, demo=False)]


def test_an_immunization_is_the_same_record_as_its_row() -> None:
    (record,) = judged(PATIENT, immunization())
    expected = record_of(
        row(vaccine_code="93000001", lot_number="L1", record_id="urn:x|42", phone="081234567890"), NOW, demo=False
    )
    assert record == expected


@pytest.mark.parametrize(
    "reference",
    [
        {"reference": "https://example.org/fhir/Patient/p1"},
        {"reference": "https://another.example/Patient/p1"},
        {"reference": "Patient/p1", "display": "S. A."},
    ],
)
def test_a_reference_leads_to_its_patient(reference: dict[str, str]) -> None:
    (record,) = judged(PATIENT, immunization(patient=reference))
    assert isinstance(record, Record)


def test_a_contained_patient_and_one_by_uuid_are_found() -> None:
    inside = immunization(patient={"reference": "#p1"}, contained=[PATIENT])
    by_uuid = json.loads(bundle(PATIENT, immunization(patient={"reference": "urn:uuid:1"})))
    by_uuid["entry"][0]["fullUrl"] = "urn:uuid:1"
    found = [one.record for one in judge("fhir", json.dumps(by_uuid).encode(), NOW, demo=False)]
    assert [type(one) for one in (*judged(inside), *found)] == [Record, Record]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"patient": {"reference": "Patient/p2"}}, "patient"),
        ({"patient": None}, "patient"),
        ({"vaccineCode": {}}, "vaccineCode"),
        ({"protocolApplied": []}, "protocolApplied.doseNumber"),
        ({"occurrenceDateTime": "2021-07"}, "occurrenceDateTime"),
        ({"occurrenceDateTime": 7}, "occurrenceDateTime"),
        ({"status": "maybe"}, "status"),
    ],
)
def test_a_bad_element_is_named_as_fhir_names_it(changed: dict[str, Any], field: str) -> None:
    good, bad = judged(PATIENT, immunization(), immunization(**changed))
    assert isinstance(good, Record)
    assert isinstance(bad, BadInput)
    assert bad.field == field


def test_what_was_not_done_is_left_out_and_what_was_an_error_is_withdrawn() -> None:
    (record,) = judged(PATIENT, immunization(status="not-done"), immunization(status="entered-in-error"))
    assert isinstance(record, Record)
    assert record.withdrawn


def test_an_entry_that_is_no_resource_is_named_and_stops_none() -> None:
    data = json.loads(bundle(PATIENT, immunization()))
    data["entry"][:0] = [7, {}, {"resource": {"id": "x"}}, {"request": {"method": "DELETE", "url": "Immunization/i1"}}]
    found = list(judge("fhir", json.dumps(data).encode(), NOW, demo=False))
    assert [(one.at, isinstance(one.record, Record)) for one in found] == [
        (0, False), (1, False), (2, False), (3, False), (5, True),
    ]  # fmt: skip


@pytest.mark.parametrize("element", ["lotNumber", "id", "resourceType"])
def test_bytes_that_are_no_text_spoil_their_own_entry_only(element: str) -> None:
    spoiled = json.dumps(immunization(**{element: "SPOILED"})).encode().replace(b"SPOILED", b"\xff")
    data = json.loads(bundle(PATIENT, immunization()))
    good = b", ".join(json.dumps(entry).encode() for entry in data["entry"])
    body = b'{"resourceType": "Bundle", "entry": [{"resource": ' + spoiled + b"}, " + good + b"]}"
    found = list(judge("fhir", body, NOW, demo=False))
    assert [(one.at, isinstance(one.record, Record)) for one in found] == [(0, False), (2, True)]


@pytest.mark.parametrize("kind", ["transaction", "collection", "searchset", "batch", "history"])
def test_a_bundle_of_any_type_is_read_and_what_is_none_of_ours_in_it_left_alone(kind: str) -> None:
    data = json.loads(bundle(PATIENT, {"resourceType": "OperationOutcome"}, {"resourceType": "Observation", "id": "o"}))
    data["type"] = kind
    for number in (1, 2):
        one = immunization(id=f"i{number}", identifier=[], protocolApplied=[{"doseNumberString": str(number)}])
        data["entry"].append({"resource": one, "request": {"method": "PUT"}, "search": {"mode": "match"}})
    found = list(judge("fhir", json.dumps(data).encode(), NOW, demo=False))
    assert [(one.at, isinstance(one.record, Record)) for one in found] == [(3, True), (4, True)]


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"resourceType": "Patient"}', b"\xff", b"[" * 100_000])
def test_what_is_no_bundle_is_refused_whole(data: bytes) -> None:
    with pytest.raises(BadInput):
        list(judge("fhir", data, NOW, demo=False))


def test_a_version_is_when_it_was_written_down() -> None:
    later = "2022-01-01T00:00:00+07:00"
    by_meta, by_day = judged(PATIENT, immunization(meta={"lastUpdated": later}), immunization(recorded="2021-07-02"))
    assert isinstance(by_meta, Record)
    assert isinstance(by_day, Record)
    assert by_meta.as_of == datetime.fromisoformat(later)
    assert by_day.as_of == datetime(2021, 7, 2, tzinfo=UTC)
    assert NOW - by_day.as_of > timedelta(days=1)
