"""From application to a manager's account, over HTTP on a real gate; the small parts by themselves."""

import csv
import html
import io
import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.store import OPERATOR, transaction
from portal.registration.branches import COLUMNS, ROWS_MAX, read_branches
from portal.registration.duplicates import Known, alike, distance_m, likeness
from portal.registration.fields import check_fields, hours_by_day, licence_key, opening_hours_of
from portal.registration.states import moved
from portal.web.pages import FormError
from portal.web.words import say
from schemas.errors import Conflict
from tests.portal.conftest import Gate
from tests.portal.person import Person
from tests.portal.test_accounts import GOOD, activated, last_link, new_address, secret_on


def form(**changed: Any) -> dict[str, str]:
    """Return a good application as a form holds it."""
    return {
        "name": f"Klinik {secrets.token_hex(4)}",
        "kind": "clinic",
        "owner": "private",
        "licence": f"SIK/{secrets.token_hex(5)}/2026",
        "address": "Jl. Melati 7",
        "province": "36",
        "district": "36.71",
        "sub_district": "36.71.01",
        "latitude": "-6.1783",
        "longitude": "106.6319",
        "responsible": "dr. Budi Santoso",
        "email": new_address(),
        "phone": "021 555 0199",
        "capacity": "60",
        "from_Mo": "08:00",
        "to_Mo": "16:00",
    } | changed


def applied(**changed: Any) -> dict[str, str]:
    """Return a good application as a file holds it."""
    fields = form(**changed)
    return {name: fields.get(name, "Mo 08:00-16:00") for name in COLUMNS}


def ministry(gate: Gate) -> Person:
    _, person = activated(gate, "ministry", area="")
    person.send("/masuk/kode-baru", code=pyotp.TOTP(secret_on(person.page)).now())
    return person


def apply(gate: Gate, **changed: Any) -> tuple[Person, str]:
    """Apply; return the applicant and the reference."""
    person = Person(gate.url)
    person.open("/daftar")
    answer = person.send("/daftar", **form(**changed))
    assert answer.status_code == 200, re.findall(r'class="why"[^>]*>([^<]+)', answer.text)
    return person, person.path.rpartition("/")[2]


def judged(person: Person, reference: str, action: str, words: str = "") -> int:
    person.open(f"/kemenkes/{reference}")
    return person.send(f"/kemenkes/{reference}", action=action, words=words).status_code


def test_a_facility_applies_is_asked_back_answers_is_approved_and_its_manager_signs_in(gate: Gate) -> None:
    email = new_address()
    applicant, reference = apply(gate, email=email, name="Klinik Kenanga")
    assert "Menunggu verifikasi" in applicant.page.text
    desk = ministry(gate)
    assert "Klinik Kenanga" in desk.open("/kemenkes").text
    assert judged(desk, reference, "ask_back", "Alamat belum lengkap") == 200
    assert "Alamat belum lengkap" in applicant.open(f"/daftar/{reference}").text
    corrected = form(email=email, name="Klinik Kenanga", address="Jl. Melati 7, RT 01/02")
    assert applicant.send(f"/daftar/{reference}", **corrected, words="sudah").status_code == 200
    assert judged(desk, reference, "approve") == 200
    found = re.search(r"F3671\d{5}", applicant.open(f"/daftar/{reference}").text)
    assert found is not None
    assert re.findall(r"<td>(Didaftarkan|Diminta perbaikan|Diperbaiki|Disetujui)</td>", applicant.page.text) == [
        "Didaftarkan",
        "Diminta perbaikan",
        "Diperbaiki",
        "Disetujui",
    ]
    manager = Person(gate.url)
    link = next(path for path in mailed(gate, email) if path.startswith("/sandi/"))
    manager.open(link)
    manager.send(link, password=GOOD, again=GOOD)
    assert found[0] in manager.open("/akun").text
    with transaction(gate.settings, OPERATOR) as conn, conn.cursor() as cur:
        cur.execute(
            "select f.kind, f.owner, f.time_zone, f.district, p.sub_district, p.capacity, p.opening_hours"
            " from facility f join place p using (facility_no) where facility_id = %s",
            (found[0],),
        )
        assert cur.fetchone() == ("clinic", "private", "Asia/Jakarta", "36.71", "36.71.01", 60, "Mo 08:00-16:00")
        cur.execute("select count(*) from audit where object = %s", (reference,))
        assert cur.fetchone() == (2,)


def mailed(gate: Gate, email: str) -> list[str]:
    with transaction(gate.settings, "jejak_gate") as conn, conn.cursor() as cur:
        cur.execute("select body from mail where receiver = %s order by mail_id", (email,))
        bodies = "\n".join(row[0] for row in cur.fetchall())
    return re.findall(re.escape(gate.url) + r"(/\S+)", bodies)


def test_an_owners_second_branch_comes_to_the_same_account(gate: Gate) -> None:
    email = new_address()
    desk = ministry(gate)
    for _ in range(2):
        _, reference = apply(gate, email=email)
        assert judged(desk, reference, "approve") == 200
    links = [path for path in mailed(gate, email) if path.startswith("/sandi/")]
    assert len(links) == 1
    manager = Person(gate.url)
    manager.open(links[0])
    manager.send(links[0], password=GOOD, again=GOOD)
    assert len(set(re.findall(r"F3671\d{5}", manager.open("/akun").text))) == 2


def test_an_applicant_whose_address_cannot_manage_is_not_approved_and_the_desk_is_told_why(gate: Gate) -> None:
    of_office, _ = activated(gate, "office", area="36.71")
    closed, _ = activated(gate)
    with transaction(gate.settings, "jejak_gate") as conn, conn.cursor() as cur:
        cur.execute("update account set closed_at = clock_timestamp() where email = %s", (closed,))
    desk = ministry(gate)
    for email in (of_office, closed):
        applicant, reference = apply(gate, email=email)
        assert judged(desk, reference, "approve") == 422
        assert "minta perbaikan dengan alamat lain" in desk.page.text
        assert judged(desk, reference, "ask_back", "alamat email lain") == 200
        applicant.open(f"/daftar/{reference}")
        applicant.send(f"/daftar/{reference}", **form(), words="")
        assert judged(desk, reference, "approve") == 200


def test_a_rejection_needs_words_and_is_final(gate: Gate) -> None:
    applicant, reference = apply(gate)
    desk = ministry(gate)
    assert judged(desk, reference, "reject") == 422
    assert judged(desk, reference, "reject", "izin palsu") == 200
    assert "izin palsu" in applicant.open(f"/daftar/{reference}").text
    assert judged(desk, reference, "approve") == 409
    assert applicant.send(f"/daftar/{reference}", **form(), words="").status_code == 409


def test_the_queue_begins_with_who_waits_longest_and_what_is_decided_with_the_latest(gate: Gate) -> None:
    (_, first), (_, second) = apply(gate), apply(gate)
    desk = ministry(gate)
    waiting = desk.open("/kemenkes").text
    assert waiting.index(first) < waiting.index(second)
    for reference in (first, second):
        judged(desk, reference, "reject", "uji")
    decided = desk.open("/kemenkes?status=rejected").text
    assert decided.index(second) < decided.index(first)


def test_the_same_licence_is_refused_however_it_is_written_and_a_like_one_is_shown_to_the_desk(gate: Gate) -> None:
    licence, name = f"SIK/{secrets.token_hex(5)}/2026", f"Klinik {secrets.token_hex(5)}"
    _, first = apply(gate, licence=licence, name=name)
    person = Person(gate.url)
    person.open("/daftar")
    again = person.send("/daftar", **form(licence=licence.lower().replace("/", " - ")))
    assert again.status_code == 422
    assert "nomor izin ini sudah terdaftar" in again.text
    _, second = apply(gate, name=name.replace("Klinik", "Klinik Pratama"))
    desk = ministry(gate)
    page = desk.open(f"/kemenkes/{second}").text
    assert first in page
    assert "nama mirip" in page


def test_only_the_ministry_verifies(gate: Gate) -> None:
    _, reference = apply(gate)
    _, manager = activated(gate)
    assert manager.open("/kemenkes").status_code == 403
    assert manager.open(f"/kemenkes/{reference}").status_code == 403
    stranger = Person(gate.url)
    stranger.open(f"/kemenkes/{reference}")
    assert stranger.path.startswith("/masuk")
    assert stranger.open("/daftar/aaaaaaaaaaaaaaaa").status_code == 404


def test_a_form_that_cannot_be_comes_back_with_every_fault_and_what_was_typed(gate: Gate) -> None:
    person = Person(gate.url)
    person.open("/daftar")
    wrong = form(name="", latitude="91", email="nobody", phone="x", capacity="0", from_Mo="", to_Mo="", licence="12")
    answer = person.send("/daftar", **wrong)
    assert answer.status_code == 422
    assert answer.text.count('class="why"') == 7
    assert 'value="Jl. Melati 7"' in answer.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "3671015508900001"),
        ("name", "a\x07b"),
        ("name", "x" * 129),
        ("name", "Klinik \u202eitaleM"),
        ("name", "مستشفى"),
        ("name", "Klinik 😀"),
        ("address", "\u200b"),
        ("kind", "spa"),
        ("owner", "me"),
        ("licence", "---"),
        ("sub_district", "36.71"),
        ("sub_district", "99.99.99"),
        ("latitude", "1e1"),
        ("latitude", "-60"),
        ("longitude", "2,5"),
        ("email", "a@b"),
        ("phone", "1"),
        ("capacity", "1.5"),
        ("capacity", "٣"),
        ("opening_hours", "whenever"),
        ("opening_hours", "off"),
    ],
)
def test_a_field_that_cannot_be_is_named(field: str, value: str) -> None:
    with pytest.raises(FormError) as caught:
        check_fields(applied() | {field: value})
    assert list(caught.value.errors) == [field]


@given(
    st.dictionaries(
        st.sampled_from(["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"]),
        st.tuples(st.sampled_from(["00:00", "07:30", "08:00"]), st.sampled_from(["12:00", "16:00", "00:00"])),
        min_size=1,
    )
)
def test_hours_of_a_form_are_openstreetmaps_and_come_back_to_the_form(days: dict[str, tuple[str, str]]) -> None:
    fields = {
        f"{which}_{day}": at for day, hours in days.items() for which, at in zip(("from", "to"), hours, strict=True)
    }
    written = opening_hours_of(fields)
    assert check_fields(applied() | {"opening_hours": written}).opening_hours == written
    assert hours_by_day(written) == fields


def test_a_text_is_kept_as_people_read_it_blanks_line_ends_and_marks_made_one() -> None:
    given = check_fields(applied() | {"name": " Klinik  Cafe\u0301\u00a0“Sehat” ", "address": "Jl. Melati 7\r\nRT 01"})
    assert (given.name, given.address) == ("Klinik Café “Sehat”", "Jl. Melati 7 RT 01")


def test_hours_that_are_half_given_are_wrong_and_always_is_always() -> None:
    assert opening_hours_of({"always": "1", "from_Mo": "08:00"}) == "24/7"
    assert hours_by_day("24/7") == {"always": "1"}
    with pytest.raises(FormError):
        check_fields(applied() | {"opening_hours": opening_hours_of({"from_Mo": "08:00"})})
    assert hours_by_day("Mo-Fr 08:00-16:00, PH off") == {}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["submit", "ask_back", "answer", "reject", "approve"]),
            st.sampled_from(["applicant", "ministry"]),
        ),
        min_size=40,
        max_size=80,
    )
)
def test_whatever_is_tried_an_application_moves_as_the_ministrys_desk_says(tries: list[tuple[Any, Any]]) -> None:
    """Say it in other words than `states.py`: whose turn it is, what he may do then, and where that leads."""
    turn, state = "applicant", None
    for action, actor in tries:
        allowed = {"submit": state is None, "answer": state == "asked_back", "ask_back": state == "submitted"}
        allowed |= {"reject": state in {"submitted", "asked_back"}, "approve": state == "submitted"}
        is_his = actor == ("ministry" if action == "reject" else turn)
        try:
            then = moved(state, action, actor)
        except Conflict:
            assert not (allowed[action] and is_his)
            continue
        assert allowed[action]
        assert is_his
        assert then == {"submit": "submitted", "answer": "submitted", "ask_back": "asked_back"}.get(
            action, "rejected" if action == "reject" else "approved"
        )
        turn, state = {"submitted": "ministry", "asked_back": "applicant"}.get(then, "nobody"), then


def test_licences_names_and_places_are_compared_as_people_would() -> None:
    assert licence_key("sik / 12-ab") == licence_key("SIK12AB")
    assert likeness("RSUD Kota Tangerang", "Rumah Sakit Umum Daerah Kota Tangerang") == 1
    assert likeness("Klinik Melati", "Klinik Kenanga") < 0.6
    assert distance_m(-6.2, 106.8, -6.2, 106.8) == 0
    assert distance_m(0, 100, 0, 101) == pytest.approx(111_195, abs=1)
    one = Known("a", "Klinik Melati", "X1", "36.71.01", -6.2, 106.8, is_facility=False)
    same = Known("b", "Klinik Lain", "X1", "31.71.01", -6.3, 106.8, is_facility=True)
    near = Known("c", "Klinik Lain", "X2", "36.71.01", -6.2005, 106.8, is_facility=True)
    far = Known("d", "Klinik Lain", "X3", "36.71.01", -6.25, 106.8, is_facility=True)
    assert [(two.known.ref, two.why) for two in alike(one, [far, near, same, one])] == [
        ("b", ("licence",)),
        ("c", ("place",)),
    ]


def elsewhere(gate: Gate) -> Person:
    """Return somebody from an address of his own: those who apply from one are limited together."""
    return Person(gate.url, address=f"198.51.{secrets.randbelow(256)}.{secrets.randbelow(256)}")


def sent(person: Person, data: bytes) -> httpx.Response:
    """Return the answer to a file of branches."""
    person.open("/daftar/banyak")
    token = re.search(r'name="_csrf_token" value="([^"]+)"', person.page.text)
    assert token is not None
    file = {"file": ("b.csv", data, "text/csv")}
    return person._ask("POST", "/daftar/banyak", data={"_csrf_token": token[1]}, files=file)


def test_a_file_of_branches_takes_the_good_rows_and_names_the_bad_ones(gate: Gate) -> None:
    email = new_address()
    good = applied(email=email)
    rows = [good, applied(email=email) | {"capacity": "0"}, good, applied(email=email)]
    text = (
        "\ufeff"
        + ",".join(COLUMNS)
        + "\r\n"
        + "\r\n".join(",".join(f'"{row[name]}"' for name in COLUMNS) for row in rows)
    )
    answer = sent(elsewhere(gate), text.encode())
    assert answer.status_code == 200
    assert "2 dari 4 baris" in answer.text
    assert "<strong>capacity</strong>" in answer.text
    assert "<strong>licence</strong>" in answer.text
    assert len(re.findall(r'href="/daftar/[a-z2-7]{16}"', answer.text)) == 2


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "missing"),
        (b"\xff\xfe", "not_csv"),
        (b"name,kind\na,b", "missing"),
        ((",".join(COLUMNS) + ",name\n").encode(), "twice"),
        ((",".join(COLUMNS) + "\n" + "x\n" * (ROWS_MAX + 1)).encode(), "too_many"),
    ],
)
def test_a_file_that_is_none_is_refused_whole_in_the_readers_language(gate: Gate, data: bytes, why: str) -> None:
    with pytest.raises(FormError) as caught:
        read_branches(data)
    assert caught.value.errors == {"file": f"branches.{why}"}
    answer = sent(elsewhere(gate), data)
    assert answer.status_code == 422
    assert html.escape(say("id", f"branches.{why}")) in answer.text


@pytest.mark.parametrize("between", [";", "\t"])
def test_a_file_of_a_spreadsheet_in_indonesian_is_read_like_any_other(between: str) -> None:
    row = applied(latitude="-6,1783", opening_hours="Mo-Fr 08:00-16:00; Sa 08:00-12:00")
    out = io.StringIO()
    sheet = csv.DictWriter(out, COLUMNS, delimiter=between)
    sheet.writeheader()
    sheet.writerow(row)
    (read,) = read_branches(out.getvalue().encode("utf-8-sig"))
    assert read.applied == check_fields(row)


def test_the_owner_of_many_branches_gets_one_mail_of_a_file_that_names_them_all(gate: Gate) -> None:
    email = new_address()
    rows = [applied(email=email) for _ in range(3)]
    text = "\n".join([",".join(COLUMNS), *(",".join(f'"{row[name]}"' for name in COLUMNS) for row in rows)])
    links = re.findall(r'href="(/daftar/[a-z2-7]{16})"', sent(elsewhere(gate), text.encode()).text)
    assert len(links) == 3
    assert mailed(gate, email) == links
    with transaction(gate.settings, "jejak_gate") as conn, conn.cursor() as cur:
        cur.execute("select count(*), max(body) from mail where receiver = %s", (email,))
        count, body = cur.fetchone() or (0, "")
    assert count == 1
    assert all(row["name"] in body for row in rows)


def test_of_many_who_apply_at_once_with_one_licence_one_does(gate: Gate) -> None:
    licence = f"SIK/{secrets.token_hex(5)}/2026"
    people = [elsewhere(gate) for _ in range(6)]
    for person in people:
        person.open("/daftar")
    with ThreadPoolExecutor(len(people)) as threads:
        answers = list(threads.map(lambda person: person.send("/daftar", **form(licence=licence)), people))
    assert sorted(answer.status_code for answer in answers) == [200] + [422] * 5


def test_lines_of_a_file_are_its_physical_lines() -> None:
    header = ",".join(COLUMNS)
    two_lines = ",".join('"a\nb"' if name == "address" else "x" for name in COLUMNS)
    rows = read_branches(f"{header}\n\n{two_lines}\nx,y\n".encode())
    assert [row.line for row in rows] == [3, 5]
    assert rows[1].errors == {"": "branches.fields"}


def test_a_new_password_link_goes_to_the_latest_mail(gate: Gate) -> None:
    email, person = activated(gate)
    person.open("/akun")
    assert person.send("/akun/sandi").status_code == 200
    assert last_link(gate, email).startswith("/sandi/")
