"""Flagged scans over HTTP on a real gate, fold and watcher: who may say what of which scan; the last one counts."""

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from psycopg2 import errors

from ops.store import OPERATOR, transaction
from portal.posters import gates
from portal.posters.keys import PosterKeys
from portal.web.secret_box import portal_secrets
from schemas.events import Gate as Kind
from tests.commands import wait_until
from tests.portal.conftest import NIK, Gate, scan
from tests.portal.person import Person
from tests.portal.services import running
from tests.portal.test_accounts import activated
from tests.portal.test_places import new_facility
from tests.portal.test_registration import ministry

PATH = "/v1/scans/decisions"
NOW = datetime.now(UTC)
As = Callable[..., httpx.Client]


@pytest.fixture(scope="module", autouse=True)
def services(gate: Gate) -> Iterator[None]:
    with running(gate.settings, ("worker", "visits"), ("plausibility",)):
        yield


def passport(who: str = "") -> dict[str, str]:
    return {"type": "passport", "value": f"P{(who or secrets.token_hex(6)).upper()}"}


def state(gate: Gate, scan_id: str) -> str | None:
    """Return what holds of a stored scan: the latest decision, or nothing; None while it is not stored."""
    with transaction(gate.settings, OPERATOR) as conn, conn.cursor() as cur:
        cur.execute(
            "select coalesce((select decision from scan_decision d where d.scan_id = s.scan_id"
            " order by serial desc, array_position(array['void', 'flag', 'clear'], decision) limit 1), '')"
            " from scan s where scan_id = %s",
            (scan_id,),
        )
        row = cur.fetchone()
    return None if row is None else str(row[0])


def taken(gate: Gate, key: httpx.Client, **changed: Any) -> dict[str, Any]:
    """Send a scan of somebody and wait until it is stored."""
    body = scan(subject=passport()) | changed
    assert key.post("/v1/scans", json=body).status_code == 200
    wait_until(lambda: state(gate, body["scan_id"]) is not None)
    return body


def decision(body: dict[str, Any], verdict: str, **changed: Any) -> dict[str, Any]:
    return {
        "scan_id": body["scan_id"],
        "facility_id": body["facility_id"],
        "subject": body["subject"],
        "decision": verdict,
        "reason": "poster yang difoto",
    } | changed


def hour(key: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    """Return the counts of a scan's hour."""
    at = datetime.fromisoformat(body["at"])
    answer = key.get(
        f"/v1/facilities/{body['facility_id']}/hours",
        params={"from": (at - timedelta(hours=1)).isoformat(), "to": (at + timedelta(minutes=1)).isoformat()},
    )
    return next(
        (one for one in reversed(answer.json()["hours"]) if datetime.fromisoformat(one["hour_start"]) <= at), {}
    )


def flagged_in(key: httpx.Client, body: dict[str, Any]) -> Any:
    return hour(key, body).get("flagged", 0)


def test_what_is_said_last_of_a_scan_holds_and_counts_show_it_apart(gate: Gate, as_role: As) -> None:
    facility_id = new_facility(gate)
    key, all_over = as_role("gate", facility=facility_id), as_role("import", principal="Kementerian")
    body = taken(gate, key, facility_id=facility_id)
    assert hour(key, body)["arrivals"] == 1
    said = []
    for verdict in ("flag", "clear", "void", "clear", "flag"):
        answer = all_over.post(PATH, json=decision(body, verdict))
        assert (answer.status_code, answer.json()["status"]) == (200, "accepted")
        said.append(answer.json()["serial"])
        wait_until(lambda wanted=verdict: state(gate, body["scan_id"]) == wanted)  # type: ignore[misc]  # bound now
    assert said == sorted(set(said))
    wait_until(lambda: flagged_in(key, body) == 1)
    assert hour(key, body)["arrivals"] == 0
    nameless = decision(body, "clear", subject=None)  # while it is flagged, its id is enough
    assert all_over.post(PATH, json=nameless).json()["status"] == "accepted"
    wait_until(lambda: flagged_in(key, body) == 0)
    assert hour(key, body)["arrivals"] == 1
    assert all_over.post(PATH, json=nameless).status_code == 404  # now it is not
    with transaction(gate.settings, OPERATOR) as conn, conn.cursor() as cur:
        cur.execute("select principal, action, reason from audit where object = %s order by id", (f"{facility_id} 1",))
        assert cur.fetchall()[-2:] == [
            ("Kementerian", "scan flag", "poster yang difoto"),
            ("Kementerian", "scan clear", "poster yang difoto"),
        ]


def test_a_key_of_the_door_or_of_an_area_takes_out_and_never_brings_back(gate: Gate, as_role: As) -> None:
    door = as_role("gate", facility="RS-A")
    body = taken(gate, door)
    for key in (door, as_role("gate", area="all"), as_role("import", facility="RS-A"), as_role("import", area="36")):
        for stands in ("", "flag"):  # neither before it is flagged, so that the flag comes too late, nor after
            if stands:
                assert key.post(PATH, json=decision(body, stands)).status_code == 200
                wait_until(lambda: state(gate, body["scan_id"]) == "flag")
            for asked in (decision(body, "clear"), decision(body, "clear", subject=None)):
                answer = key.post(PATH, json=asked)
                assert (answer.status_code, answer.json()["field"]) == (403, "decision")
    results = door.post(PATH, json=[decision(body, "clear"), decision(body, "flag")]).json()["results"]
    assert [one["status"] for one in results] == ["invalid", "accepted"]
    assert state(gate, body["scan_id"]) == "flag"


def test_the_later_decision_wins_also_across_gates(gate: Gate, as_role: As, tmp_path_factory: Any) -> None:
    key = as_role("import")
    body = taken(gate, as_role("gate", facility="RS-A"))
    other = Gate(gate.settings, tmp_path_factory.mktemp("other")).start()
    try:
        with other.client(key.headers["authorization"].removeprefix("Bearer ")) as second:
            serials = [
                (second if number % 2 else key).post(PATH, json=decision(body, verdict)).json()["serial"]
                for number, verdict in enumerate(("flag", "clear", "void") * 5)
            ]
    finally:
        other.stop()
    assert serials == sorted(set(serials))
    wait_until(lambda: state(gate, body["scan_id"]) == "void")


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"facility_id": "PKM-B"}, 403, "facility_id"),
        ({"facility_id": "RS-Z"}, 422, "facility_id"),
        ({"scan_id": "0190f6c8-7c2b-7d31-9f4a-3b1c5d7e9f00"}, 404, "scan_id"),
        ({"subject": passport("NOBODY")}, 404, "scan_id"),
        ({"subject": None}, 404, "scan_id"),
        ({"subject": {"type": "nik", "value": "1"}}, 422, "subject.value"),
        ({"decision": "drop"}, 422, "decision"),
        ({"reason": ""}, 422, "reason"),
        ({"reason": f"NIK {NIK}"}, 422, "reason"),
        ({"serial": 5}, 422, "body"),
        ({"scan_id": "x"}, 422, "scan_id"),
    ],
    ids=str,
)
def test_a_decision_that_cannot_be_is_refused_by_its_field_and_never_its_value(
    gate: Gate, as_role: As, change: dict[str, Any], status: int, field: str
) -> None:
    key = as_role("gate", facility="RS-A")
    body = taken(gate, key)
    answer = key.post(PATH, json=decision(body, "void") | change)
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert NIK not in answer.text
    assert state(gate, body["scan_id"]) == ""


def test_each_decision_of_a_batch_is_judged_by_itself(gate: Gate, as_role: As) -> None:
    key = as_role("gate", facility="RS-A")
    one, two = taken(gate, key), taken(gate, key)
    batch = [decision(one, "flag"), decision(two, "flag", facility_id="PKM-B"), decision(one, "void"), {"scan_id": 7}]
    for sent in (batch, {"decisions": batch}):
        results = key.post(PATH, json=sent).json()["results"]
        assert [(one["status"], one.get("field")) for one in results] == [
            ("accepted", None),
            ("invalid", "facility_id"),
            ("accepted", None),
            ("invalid", "scan_id"),
        ]
        assert results[0]["serial"] < results[2]["serial"]
    wait_until(lambda: state(gate, one["scan_id"]) == "void")
    assert state(gate, two["scan_id"]) == ""
    assert key.post(PATH, json=[decision(one, "void")] * 1_001).status_code == 413
    assert key.post(PATH, content=b"{").status_code == 422
    assert key.post(PATH, json=7).status_code == 422
    assert key.post(PATH, json=[]).json() == {"results": []}


def test_a_laboratory_or_an_office_says_nothing_of_scans(gate: Gate, as_role: As) -> None:
    body = taken(gate, as_role("gate", facility="RS-A"))
    for key in (as_role("laboratory", facility="LAB-C"), as_role("office", area="36.71")):
        assert key.post(PATH, json=decision(body, "void")).status_code == 403


def test_who_is_not_entitled_sees_what_is_flagged_as_a_band(gate: Gate, as_role: As) -> None:
    key = as_role("gate", facility="PKM-B")
    body = taken(gate, key, facility_id="PKM-B", at=(NOW - timedelta(hours=2)).isoformat())
    assert key.post(PATH, json=decision(body, "flag")).status_code == 200
    wait_until(lambda: flagged_in(key, body) == 1)
    assert hour(as_role("gate", facility="LAB-C"), body)["flagged"] == "<5"


def with_poster(gate: Gate) -> str:
    """Return a facility with an entrance, whose poster has hung there since yesterday."""
    facility_id = new_facility(gate)
    keys = PosterKeys(portal_secrets(gate.settings))
    with transaction(gate.settings, "jejak_gate") as conn:
        gates.add(
            conn, keys, facility_id=facility_id, kind=Kind.ENTRANCE, name="Pintu utama", zone="", by="x",
            now=NOW - timedelta(days=1),
        )  # fmt: skip
    return facility_id


def phones(gate: Gate, key: httpx.Client, facility_id: str, hours: tuple[int, ...]) -> list[dict[str, Any]]:
    """Send a phone's scan of the poster so many hours ago, each."""
    return [
        taken(
            gate,
            key,
            facility_id=facility_id,
            gate_no=1,
            poster_version=1,
            at=(NOW - timedelta(hours=back)).isoformat(),
        )
        for back in hours
    ]


def stolen(manager: Person, facility_id: str, back: int) -> None:
    way = f"/faskes/{facility_id}/gerbang/1"
    manager.open(way)
    since = (NOW - timedelta(hours=back) + timedelta(hours=7)).strftime("%Y-%m-%dT%H:%M")  # by the clock of Jakarta
    assert manager.send(way, action="stolen", version="1", since=since).status_code == 200


def test_a_stated_theft_flags_what_was_accepted_since_and_what_comes_later(gate: Gate, as_role: As) -> None:
    facility_id = with_poster(gate)
    key = as_role("gate", facility=facility_id)
    _, manager = activated(gate, facilities=[facility_id])
    before, after, cleared, void = phones(gate, key, facility_id, (8, 3, 2, 1))
    for body, verdict in ((cleared, "clear"), (void, "void")):
        assert as_role("import").post(PATH, json=decision(body, verdict)).status_code == 200
        wait_until(lambda one=body, wanted=verdict: state(gate, one["scan_id"]) == wanted)  # type: ignore[misc]  # bound now
    stolen(manager, facility_id, 4)
    wait_until(lambda: state(gate, after["scan_id"]) == state(gate, cleared["scan_id"]) == "flag")
    (late,) = phones(gate, key, facility_id, (3,))
    wait_until(lambda: state(gate, late["scan_id"]) == "flag")
    assert state(gate, before["scan_id"]) == ""
    assert state(gate, void["scan_id"]) == "void"  # out already, and for good
    stolen(manager, facility_id, 9)  # it was earlier still
    wait_until(lambda: state(gate, before["scan_id"]) == "flag")
    page = manager.open(f"/faskes/{facility_id}/tanda").text
    assert page.count('name="scan"') == 4
    assert "Posternya sudah dicabut" in page
    assert "Pintu utama" in page


def test_a_manager_clears_and_voids_what_he_picks_and_sees_whom_it_was_about_nowhere(gate: Gate, as_role: As) -> None:
    facility_id = with_poster(gate)
    key = as_role("gate", facility=facility_id)
    email, manager = activated(gate, facilities=[facility_id])
    one, two, three = bodies = phones(gate, key, facility_id, (3, 2, 1))
    stolen(manager, facility_id, 4)
    wait_until(lambda: all(state(gate, body["scan_id"]) == "flag" for body in bodies))
    way = f"/faskes/{facility_id}/tanda"
    page = manager.open(way).text
    with transaction(gate.settings, OPERATOR) as conn, conn.cursor() as cur:
        cur.execute("select person::text from scan where scan_id = any(%s::uuid[])", ([b["scan_id"] for b in bodies],))
        persons = [row[0] for row in cur.fetchall()]
    assert not any(secret in page for person in persons for secret in (person, person.replace("-", "")))
    assert not any(body["subject"]["value"] in page for body in bodies)
    assert ">3<" in manager.open(f"/faskes/{facility_id}").text.replace('data-live="waiting"', "")
    manager.open(way)
    refused: tuple[dict[str, Any], ...] = (
        {"reason": ""},
        {"decision": "flag"},
        {"reason": f"ini {NIK}"},
        {"scan": "x"},
        {"scan": []},
    )
    for wrong in refused:
        answer = manager.send(way, **{"scan": one["scan_id"], "decision": "clear", "reason": "kenal"} | wrong)
        assert answer.status_code == 422
        assert NIK not in answer.text.replace(f'value="ini {NIK}"', "")
    answer = manager.send(way, scan=one["scan_id"], decision="clear", reason="dikenal petugas")
    assert "1 pindaian sudah diputuskan" in answer.text
    assert answer.text.count('name="scan"') == 2
    assert state(gate, one["scan_id"]) == "clear"
    manager.send(way, shown=[two["scan_id"], three["scan_id"]], all="1", decision="void", reason="poster curian")
    wait_until(lambda: state(gate, two["scan_id"]) == state(gate, three["scan_id"]) == "void")
    assert "Tidak ada pindaian yang ditandai" in manager.open(way).text
    with transaction(gate.settings, OPERATOR) as conn, conn.cursor() as cur:
        cur.execute("select by, reason from scan_decision where scan_id = %s and serial > 0", (two["scan_id"],))
        assert (email, "poster curian") in cur.fetchall()


def test_nobody_decides_about_another_facilitys_scans(gate: Gate, as_role: As) -> None:
    facility_id = with_poster(gate)
    key = as_role("gate", facility=facility_id)
    _, manager = activated(gate, facilities=[facility_id])
    (body,) = phones(gate, key, facility_id, (2,))
    stolen(manager, facility_id, 4)
    wait_until(lambda: state(gate, body["scan_id"]) == "flag")
    form = {"scan": body["scan_id"], "decision": "clear", "reason": "kenal"}
    _, stranger = activated(gate, facilities=["RS-A"])
    _, officer = activated(gate, "officer", facilities=[facility_id])
    for person, way, status in (
        (stranger, f"/faskes/{facility_id}/tanda", 404),
        (stranger, "/tanda", 403),
        (officer, f"/faskes/{facility_id}/tanda", 403),
        (manager, f"/tanda/{facility_id}", 403),
    ):
        person.open("/akun")
        assert (person.send(way, **form).status_code == status) or way == "/tanda"
        assert person.open(way).status_code == status
    stranger.open("/faskes/RS-A/tanda")
    assert "0 pindaian" in stranger.send("/faskes/RS-A/tanda", **form).text  # his own page, another's scan
    assert state(gate, body["scan_id"]) == "flag"


def test_the_ministry_sees_all_by_area_and_decides(gate: Gate, as_role: As) -> None:
    facility_id = with_poster(gate)
    key = as_role("gate", facility=facility_id)
    _, manager = activated(gate, facilities=[facility_id])
    (body,) = phones(gate, key, facility_id, (2,))
    stolen(manager, facility_id, 4)
    wait_until(lambda: state(gate, body["scan_id"]) == "flag")
    desk = ministry(gate)
    assert f"/tanda/{facility_id}" in desk.open("/tanda").text
    assert f"/tanda/{facility_id}" in desk.open("/tanda?wilayah=36").text
    assert f"/tanda/{facility_id}" not in desk.open("/tanda?wilayah=73").text
    desk.open(f"/tanda/{facility_id}?alasan=retired_poster")
    answer = desk.send(f"/tanda/{facility_id}", scan=body["scan_id"], decision="void", reason="ditelepon")
    assert "1 pindaian sudah diputuskan" in answer.text
    assert state(gate, body["scan_id"]) == "void"


def test_the_watcher_reads_scans_and_writes_nothing_but_what_it_followed(gate: Gate) -> None:
    for statement in (
        "insert into scan_decision select * from scan_decision limit 0",
        "select * from vault.person",
        "update poster set revoked_at = now()",
        "select email from place",
        "select * from candidate",
    ):
        with pytest.raises(errors.InsufficientPrivilege), transaction(gate.settings, "jejak_plausibility") as conn:
            conn.cursor().execute(statement)
    with pytest.raises(errors.InsufficientPrivilege), transaction(gate.settings, "jejak_gate") as conn:
        conn.cursor().execute("select device_id from scan")
