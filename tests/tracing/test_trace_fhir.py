"""fhir.json: HL7's own schema of R4 accepts it, every reference leads somewhere, and it says what contacts.csv says."""

import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft6Validator

from tests.tracing.test_trace_files_output import case, everybody_meets, town, visit
from tests.tracing.trace_cases import CASES, Town, read_table, run, towns, write_rows
from tracing.fhir.forms import Filling, exposure_form, inside, number
from tracing.fhir.resources import exposure, instant
from tracing.filetrace.fhir_file import said
from tracing.filetrace.package import Question
from tracing.filetrace.run import trace_files
from tracing.rulesets import rule_of

SCHEMA = Draft6Validator(
    json.loads((Path(__file__).parent / "data" / "fhir-r4.schema.json").read_text(encoding="utf-8"))
)
_string = re.compile(r"[ \r\n\t\S]+")


def bundle_in(out: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the resources by type, after the bundle was found valid."""
    bundle = json.loads((out / "fhir.json").read_text(encoding="utf-8"))
    assert [error.message for error in SCHEMA.iter_errors(bundle)] == []
    found: dict[str, list[dict[str, Any]]] = {}
    names = [entry["fullUrl"] for entry in bundle.get("entry", [])]
    assert len(names) == len(set(names))
    assert set(re.findall(r'"reference": "([^"]*)"', json.dumps(bundle))) <= set(names)
    for entry in bundle.get("entry", []):
        found.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
        assert entry["fullUrl"] == f"urn:uuid:{entry['resource']['id']}"
    return found


def person_of(found: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """Return the person id behind each reference."""
    return {f"urn:uuid:{one['id']}": one["identifier"][0]["value"] for one in found["Patient"]}


@given(
    reason=st.text(max_size=40) | st.sampled_from(["<<name>> %s %(rule)s", 'a "b" \\ \n', "5 % é \u2028"]),
    probability=st.floats(0, 1),
    estimated=st.booleans(),
    plausible=st.sampled_from([None, True, False]),
)
def test_a_form_that_is_filled_is_the_resource_encoded(
    reason: str, probability: float, *, estimated: bool, plausible: bool | None
) -> None:
    times = "2021-07-01T08:00:00+07:00", "2021-07-01T09:00:00+07:00"
    filling = Filling(
        *("n", "s", "o", "p", *times, "cwa", inside(reason)), *("42.125", "1", "12", "3", "-2", number(probability))
    )
    plain: dict[str, Any] = dict(zip(Filling._fields, filling, strict=True)) | {"reason": reason, "minutes": 42.125}
    plain |= {"degree": 1, "rank": 12, "overlaps": 3, "days_from_onset": -2, "probability": probability}
    plain["estimated"] = estimated
    if plausible is not None:
        plain["plausible"] = plausible
        del plain["degree"]
    filled = exposure_form(estimated, plausible).filled(filling)
    assert filled.encode() == msgspec.json.encode({"fullUrl": "urn:uuid:n", "resource": exposure(plain)})


@settings(max_examples=15, deadline=None)
@given(towns())
def test_any_trace_is_a_valid_bundle_that_says_what_the_tables_say(
    tmp_path_factory: pytest.TempPathFactory, some: Town
) -> None:
    out = run(tmp_path_factory.mktemp("fhir"), some, rule_of("who-2022"), degrees=2, direction="both")
    found = bundle_in(out)
    persons = person_of(found)
    rows = [row for row in read_table(out / "contacts.csv") + read_table(out / "sources.csv") if row["overlaps"] != "0"]
    told = Counter(
        (
            persons[one["focus"][0]["reference"]],
            persons[one["subject"]["reference"]],
            one["valueQuantity"]["value"],
            one["note"][0]["text"],
        )
        for one in found.get("Observation", [])
        if one["status"] == "preliminary"
    )
    assert told == Counter((row["from"], row["to"], float(row["overlap_minutes"]), row["reason"]) for row in rows)
    assert [one["identifier"][0]["value"] for one in found["Condition"]] == sorted(row["case_id"] for row in some.cases)


def test_ids_of_every_kind_are_text_in_a_valid_bundle(tmp_path: Path) -> None:
    ids = ["7", "007", "NA", "=cmd", "<b>", "x\x01", " ", "  lead", "tail\t", "محمد", "\x85"]
    found = bundle_in(run(tmp_path, everybody_meets(ids), rule_of()))
    assert len(set(person_of(found).values())) == len(ids)
    assert {"7", "007", "NA", "=cmd", "<b>", "x\\x01", "محمد"} <= set(person_of(found).values())


def test_a_patient_is_a_pseudonym_and_nothing_else(tmp_path: Path) -> None:
    found = bundle_in(run(tmp_path, everybody_meets(["7", "a"]), rule_of()))
    for patient in found["Patient"]:
        assert set(patient) == {"resourceType", "id", "identifier"}
        assert [one["system"] for one in patient["identifier"]] == ["urn:jejak:person"]


def test_a_bundle_says_who_asked_and_a_candidate_is_preliminary(tmp_path: Path) -> None:
    found = bundle_in(run(tmp_path, everybody_meets(["7", "a"]), rule_of(), asked_by="dr. Sari", reason="PE"))
    (provenance,) = found["Provenance"]
    assert provenance["agent"][0]["who"]["display"] == "dr. Sari"
    assert provenance["reason"] == [{"text": "PE"}]
    assert [len(one["what"]["identifier"]["value"]) for one in provenance["entity"]] == [64, 64]
    assert sorted(one["status"] for one in found["Observation"]) == ["final", "preliminary"]


def test_a_bundle_without_cases_is_valid_and_a_case_without_visits_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "one").mkdir()
    assert bundle_in(run(tmp_path / "none", town([]), rule_of())) == {}
    found = bundle_in(run(tmp_path / "one", town([], case("K", "7", specimen="04", isolation="05")), rule_of()))
    assert found["Specimen"][0]["collection"] == {"collectedDateTime": "2021-11-04"}
    assert "onsetDateTime" not in found["Condition"][0]
    assert "Isolated on 2021-11-05" in found["Condition"][0]["note"][0]["text"]


@pytest.mark.parametrize(
    ("classification", "status"), [("konfirmasi", "confirmed"), ("suspek", "provisional"), ("?", None)]
)
def test_the_classification_of_a_case_is_its_verification(
    tmp_path: Path, classification: str, status: str | None
) -> None:
    rows = [case("K", "7", onset="04") | {"classification": classification}]
    cases = write_rows(tmp_path / "C.csv", (*CASES, "classification"), rows)
    visits = write_rows(tmp_path / "V.csv", tuple(visit("", "", "", "")), [])
    trace_files(visits, cases, tmp_path / "out", Question(rule=rule_of(), asked_at=datetime(2021, 12, 1, tzinfo=UTC)))
    verified = bundle_in(tmp_path / "out")["Condition"][0].get("verificationStatus")
    assert (verified and verified["coding"][0]["code"]) == status


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_text_is_written_as_fhir_can_hold_it(text: str) -> None:
    written = said(text)
    assert _string.fullmatch(written)
    assert written == written.strip()
    assert written
    if text.isalnum():
        assert written == text


def test_local_mean_time_is_sent_in_utc() -> None:
    assert instant("1867-01-01T00:00:00+07:07:12") == "1866-12-31T16:52:48Z"
    assert instant("2021-11-03T08:00:00+07:00") == "2021-11-03T08:00:00+07:00"
