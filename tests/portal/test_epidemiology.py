"""An epidemiologist's pages on a real gate: a case by its number, its list and package, requests and decisions."""

import csv
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import networkx as nx
import pytest

from portal.epidemiology.policy import policy_of
from portal.store import ROLE
from schemas.events import ContactDecision, TraceRequest
from schemas.topics import CONTACT_DECISION, TRACE_REQUEST
from tests.portal.conftest import NIK, Gate
from tests.portal.members import Member
from tests.portal.test_alerts import audited
from tests.portal.test_results_and_traces import add_case, last_event, run_sql
from tests.tracing.ward import Town, positive, somebody
from tracing.cases.candidates import MINUS
from tracing.cases.store import TraceView, read_trace
from tracing.store import connect

CASE = somebody(801)
MET = [somebody(number) for number in range(802, 812)]
SECOND = somebody(820)
FILES = {
    *("linelist.csv", "contacts.csv", "exposures.csv", "sources.csv", "source_exposures.csv"),
    *("graph.graphml", "graph.gexf", "trace.json", "fhir.json", "report.html"),
}


@pytest.fixture(scope="module")
def town(gate: Gate) -> Iterator[Town]:
    """A case who met ten people, one of whom met somebody later, and who was met before the onset."""
    made = Town(gate.settings)
    made.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-09 12:00", check_out_estimated=True)
    made.stay(CASE, "PKM-1", "2026-11-03 08:00", "2026-11-03 10:00")
    for number, person in enumerate(MET):
        made.stay(person, "RS-1", f"2026-11-09 08:{10 + number}", f"2026-11-09 {9 + number % 3:02}:30")
    made.stay(MET[0], "PKM-1", "2026-11-03 08:10", "2026-11-03 09:50")
    made.stay(MET[0], "PKM-2", "2026-11-12 08:00", "2026-11-12 10:00")
    made.stay(SECOND, "PKM-2", "2026-11-12 08:05", "2026-11-12 09:55")
    made.take(positive(CASE))
    yield made
    made.close()


@pytest.fixture
def case_id(town: Town) -> str:
    return str(town.case(CASE)[0])


@pytest.fixture
def doctor(gate: Gate) -> Member:
    return Member(gate, "epidemiologist", "36")


def view_of(gate: Gate, case_id: str) -> TraceView:
    with closing(connect(gate.settings, ROLE)) as conn, conn:
        return read_trace(conn, case_id)


def package(doctor: Member, case_id: str) -> dict[str, bytes]:
    answer = doctor.open(f"/pelacakan/{case_id}/paket.zip")
    assert answer.status_code == 200
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def rows_in(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


def test_a_case_number_leads_to_the_ranked_and_explained_list(gate: Gate, doctor: Member, case_id: str) -> None:
    doctor.open("/pelacakan")
    page = doctor.open(f"/pelacakan?kasus={case_id}")
    assert (doctor.path, page.status_code) == (f"/pelacakan/{case_id}", 200)
    view = view_of(gate, case_id)
    places = [page.text.index(f">{one.contact_ref}<") for one in view.contacts]
    assert places == sorted(places)
    assert len(places) == len(MET) + 1
    assert "RSUD Kota Tangerang" in page.text
    assert "bersama pada" in page.text
    assert f"hari {MINUS}1 dari awitan" in page.text
    assert "waktu keluar diperkirakan" in page.text
    assert "derajat 2" in page.text
    assert "seseorang yang tidak tercatat" in page.text
    assert not any(person in page.text or person[:8] + "-" in page.text for person in (CASE, *MET, SECOND))
    assert ("trace shown", case_id) in audited(gate, doctor.email)


def test_the_same_list_is_explained_in_english(doctor: Member, case_id: str) -> None:
    doctor.open(f"/pelacakan/{case_id}")
    doctor.send("/bahasa", language="en", goal=f"/pelacakan/{case_id}")
    assert "together on" in doctor.page.text
    assert f"day {MINUS}1 of onset" in doctor.page.text
    assert "bersama pada" not in doctor.page.text


def test_outside_his_area_nobody_learns_that_there_is_a_case(gate: Gate, case_id: str) -> None:
    other = Member(gate, "epidemiologist", "31")
    other.open("/pelacakan")
    tails = ("", "/gambar", "/laporan.html", "/paket.zip", "/kontak.csv")
    for tail in tails:
        theirs, unknown = (other.open(f"/pelacakan/{number}{tail}") for number in (case_id, "K999999"))
        assert theirs.status_code == unknown.status_code == 404
    pages = [other.open(f"/pelacakan?kasus={number}").text for number in (case_id, "K999999")]
    token = re.compile(r'csrftoken":"[^"]*"|value="[^"]*"')
    assert token.sub("", pages[0]) == token.sub("", pages[1])
    assert "Tidak ada kasus dengan nomor ini" in pages[0]
    ref = run_sql(gate, "select ref from reference where case_id = %s and office = '' limit 1", case_id)[0][0]
    assert other.open(f"/pelacakan/{case_id}/kontak/{ref}").status_code == 404
    sent = other.send(f"/pelacakan/{case_id}/kontak/{ref}", decision="confirmed", reason="x")
    assert sent.status_code == 404
    assert audited(gate, other.email) == [("traces listed", "0 cases")] * 3


@pytest.mark.parametrize(("role", "area"), [("office", "36.71"), ("ministry", "all"), ("manager", "")])
def test_the_pages_are_for_epidemiologists_only(gate: Gate, case_id: str, role: str, area: str) -> None:
    member = Member(gate, role, area)
    for tail in ("", f"/{case_id}", f"/{case_id}/paket.zip", f"/{case_id}/laporan.html", "/minta"):
        assert member.open(f"/pelacakan{tail}").status_code == 403


def test_a_candidate_is_decided_on_and_the_decision_is_on_the_topic(
    gate: Gate, doctor: Member, town: Town, case_id: str
) -> None:
    ref = view_of(gate, case_id).contacts[0].contact_ref
    way = f"/pelacakan/{case_id}/kontak/{ref}"
    page = doctor.open(way)
    assert ref in page.text
    assert "2026-11-09 08:" in page.text
    assert doctor.send(way, decision="", reason="").status_code == 422
    assert doctor.send(way, decision="confirmed", reason=NIK).status_code == 422
    assert NIK not in doctor.page.text.replace(f'value="{NIK}"', "")
    doctor.send(way, decision="dropped", reason="bukan kontak")
    assert doctor.path == f"/pelacakan/{case_id}?ok=1"
    event = last_event(gate, CONTACT_DECISION, ContactDecision, lambda one: one.by == doctor.email)
    assert (event.case_id, event.contact_ref, event.decision) == (case_id, ref, "dropped")
    assert event.role == "epidemiologist"
    assert town.register(event) == "applied"
    assert "bukan kontak" in doctor.open(way).text
    assert doctor.open(f"/pelacakan/{case_id}/kontak/nobody").status_code == 404


def test_a_request_waits_for_a_second_person_and_the_number_is_not_shown_again(gate: Gate, doctor: Member) -> None:
    doctor.open("/pelacakan/minta")
    asked: dict[str, Any] = {"case_id": "", "kind": "nik", "number": NIK, "district": "36.71", "reason": "demam"}
    for changed, why in (
        ({"number": ""}, "Isi nomor kasus"),
        ({"case_id": "K1"}, "Isi nomor kasus"),
        ({"reason": ""}, "Harus diisi."),
        ({"reason": f"NIK {NIK}"}, "Jangan tulis NIK"),
        ({"number": NIK[:-4] + "0000"}, "tidak sah"),
        ({"date_onset": "kemarin"}, "tidak sah"),
        ({"date_onset": "2099-01-01"}, "tidak sah"),
    ):
        answer = doctor.send("/pelacakan/minta", **(asked | changed))
        assert answer.status_code == 422, changed
        assert why in answer.text
        assert f'name="number" type="text" maxlength="128"\n    value="{NIK}"' not in answer.text
        if "reason" not in changed:
            assert NIK[:12] not in answer.text
    assert doctor.send("/pelacakan/minta", **(asked | {"number": "", "case_id": "K999999"})).status_code == 404
    doctor.send("/pelacakan/minta", date_onset="2026-01-02", **asked)
    assert doctor.path == "/pelacakan?status=pending"
    event = last_event(gate, TRACE_REQUEST, TraceRequest, lambda one: one.by == doctor.email)
    assert (event.action, event.reason, event.area, str(event.date_onset)) == ("request", "demam", "36", "2026-01-02")


def test_only_a_second_person_approves(gate: Gate, doctor: Member) -> None:
    waiting = add_case(gate, "C-page", "36.71", doctor.email)
    page = doctor.open(f"/pelacakan/{waiting}")
    assert "Permintaan sendiri disetujui oleh orang lain." in page.text
    way = f"/pelacakan/{waiting}/persetujuan"
    own = doctor.send(way, action="approve", reason="ya")
    assert own.status_code == 409
    assert "tidak menunggu persetujuan Anda" in own.text
    second = Member(gate, "epidemiologist", "36.71")
    second.open(f"/pelacakan/{waiting}")
    assert second.send(way, action="", reason="").status_code == 422
    answer = second.send(way, action="approve", reason="setuju")
    assert answer.status_code == 200
    event = last_event(gate, TRACE_REQUEST, TraceRequest, lambda one: one.by == second.email)
    assert (event.action, event.case_id, event.reason) == ("approve", waiting, "setuju")
    far = Member(gate, "epidemiologist", "31")
    far.open("/pelacakan")
    assert far.send(way, action="approve", reason="x").status_code == 404


def test_the_package_holds_what_the_list_holds_and_its_header_counts_it(
    gate: Gate, doctor: Member, case_id: str
) -> None:
    view, files = view_of(gate, case_id), package(doctor, case_id)
    assert set(files) == FILES
    contacts = rows_in(files["contacts.csv"])
    shown = [(one.from_ref, one.contact_ref, str(one.degree), str(one.rank)) for one in view.contacts]
    assert [(row["from"], row["to"], row["degree"], row["rank"]) for row in contacts] == shown
    assert {float(row["overlap_minutes"]) for row in contacts} == {one.overlap_minutes for one in view.contacts}
    assert [row["reason"] for row in contacts] == [one.reason for one in view.contacts]
    header = json.loads(files["trace.json"])
    for name, of in header["files"].items():
        assert of["sha256"] == hashlib.sha256(files[name]).hexdigest()
        if name.endswith(".csv"):
            assert header["rows"][name] == len(rows_in(files[name]))
    assert set(header["files"]) == FILES - {"trace.json"}
    assert header["rows"]["exposures.csv"] == sum(one.overlaps for one in view.contacts)
    assert header["cases"][0]["contacts"] == {"1": len(MET), "2": 1}
    assert header["trace"]["revision"] == view.revision
    assert (header["asked_by"], header["engine"]) == (doctor.email, "online")
    people = rows_in(files["linelist.csv"])
    assert [row["degree"] for row in people].count("0") == 1
    assert len({row["id"] for row in people}) == len(people) == len(MET) + 2
    assert [row["from"] for row in rows_in(files["sources.csv"])][-1] == "unknown"
    assert ("trace handed over", case_id) in audited(gate, doctor.email)


def test_other_tools_read_the_packages_graphs(doctor: Member, case_id: str) -> None:
    files = package(doctor, case_id)
    contacts = {(row["from"], row["to"]) for row in rows_in(files["contacts.csv"])}
    for graph in (nx.read_graphml(io.BytesIO(files["graph.graphml"])), nx.read_gexf(io.BytesIO(files["graph.gexf"]))):
        assert {(one, other) for one, other, *_ in graph.edges} == contacts
        degrees = [values["degree"] for _, values in graph.nodes(data=True)]
        assert sorted(degrees) == [0, *[1] * len(MET), 2]
    bundle = json.loads(files["fhir.json"])
    kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    assert kinds.count("Patient") == len(MET) + 2


def test_nobody_is_named_in_a_package(gate: Gate, doctor: Member, case_id: str) -> None:
    files = package(doctor, case_id)
    scans = [
        row[0]
        for row in run_sql(gate, "select from_visit::text from exposure union select to_visit::text from exposure")
    ]
    secret = [CASE, *MET, SECOND, *scans]
    secret += [f"{one[:8]}-{one[8:12]}-{one[12:16]}-{one[16:20]}-{one[20:]}" for one in (CASE, *MET, SECOND)]
    for name, data in files.items():
        text = data.decode("utf-8-sig")
        assert not [one for one in secret if one in text], name


def test_the_list_is_taken_as_a_file_too(doctor: Member, gate: Gate, case_id: str) -> None:
    answer = doctor.open(f"/pelacakan/{case_id}/kontak.csv")
    assert len(rows_in(answer.content)) == int(answer.headers["x-row-count"]) == len(MET) + 1
    assert ("list exported", f"kontak-{case_id}: 11 rows") in audited(gate, doctor.email)


def test_the_report_comes_in_a_sandbox_that_knows_its_own_styles_only(doctor: Member, case_id: str) -> None:
    answer = doctor.open(f"/pelacakan/{case_id}/laporan.html")
    assert answer.headers.get_list("content-security-policy") == [policy_of(answer.text)]
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'; style-src 'unsafe-hashes' 'sha256-")
    assert "unsafe-inline" not in policy
    assert "script" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<script" not in answer.text


def test_a_case_that_nobody_approved_has_nothing_to_hand_over(gate: Gate, doctor: Member) -> None:
    waiting = add_case(gate, "C-empty", "36.71", "x")
    assert doctor.open(f"/pelacakan/{waiting}").status_code == 200
    for tail in ("gambar", "laporan.html", "paket.zip"):
        assert doctor.open(f"/pelacakan/{waiting}/{tail}").status_code == 409


@pytest.mark.parametrize(
    ("page", "allowed"),
    [
        ('<style>a{}</style><p style="color: red">', 2),
        ("<p>", 0),
        ("<style>a{}</style><style>a{}</style>", 2),
    ],
)
def test_a_policy_names_each_style_of_its_page(page: str, allowed: int) -> None:
    assert policy_of(page).count("'sha256-") == allowed
