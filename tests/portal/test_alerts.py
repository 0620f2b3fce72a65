"""The alerts desk over HTTP: an office's own alerts only, once, by whom; what escalates and is decided."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ops.store import OWNER, connect
from schemas.events import ContactDecision
from schemas.topics import CONTACT_DECISION
from tests.commands import jejak
from tests.portal.conftest import Gate, new_key
from tests.portal.test_commands import refused
from tests.portal.test_results_and_traces import last_event, run_sql
from tests.tracing.ward import Town, positive, somebody

As = Callable[..., httpx.Client]
CASE, COMPANION = somebody(501), somebody(502)


@pytest.fixture(scope="module")
def town(gate: Gate) -> Iterator[Town]:
    made = Town(gate.settings)
    made.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-09 10:00")
    made.stay(COMPANION, "RS-1", "2026-11-09 08:30", "2026-11-09 10:00")
    made.take(positive(CASE))
    yield made
    made.close()


def alert_of(town: Town, office: str, action: str = "added") -> str:
    ((alert_id,),) = town.ask("select alert_id from alert where office = %s and action = %s", office, action)
    return str(alert_id)


def forget(gate: Gate) -> None:
    run_sql(gate, "update alert set acknowledged_by = null, acknowledged_at = null")


def audited(gate: Gate, principal: str) -> list[tuple[Any, ...]]:
    return run_sql(gate, "select action, object from audit where principal = %s order by id", principal)


def test_an_alert_is_acknowledged_once_whoever_asks_again(gate: Gate, as_role: As, town: Town) -> None:
    alert_id = alert_of(town, "d3671")
    first = as_role("office", area="36.71", principal="Sri").post(f"/v1/alerts/{alert_id}/ack")
    assert (first.status_code, first.json()["acknowledged_by"]) == (200, "Sri")
    again = as_role("office", area="36.71", principal="Tono").post(f"/v1/alerts/{alert_id}/ack")
    assert again.json() == first.json()
    assert town.ask("select acknowledged_by from alert where acknowledged_at is not null") == [("Sri",)]
    assert audited(gate, "Sri") == [("alert acknowledged", town.case(CASE)[0])]
    assert audited(gate, "Tono") == []
    forget(gate)


def test_anothers_alert_is_answered_as_one_that_does_not_exist(as_role: As, town: Town) -> None:
    alert_id = alert_of(town, "d3671")
    for area in ("31.71", "36", "all"):
        office = as_role("office", area=area)
        for path, body in (("ack", {}), ("decisions", {"decision": "confirmed", "reason": "why"})):
            theirs = office.post(f"/v1/alerts/{alert_id}/{path}", json=body)
            unknown = office.post(f"/v1/alerts/{'0' * 32}/{path}", json=body)
            assert (theirs.status_code, theirs.json()) == (unknown.status_code, unknown.json())
            assert theirs.status_code == 404
    assert as_role("epidemiologist", area="36.71").post(f"/v1/alerts/{alert_id}/ack").status_code == 403
    assert as_role("office", area="36.71").post("/v1/alerts/%00/ack").status_code == 404
    assert town.ask("select count(*) from alert where acknowledged_at is not null") == [(0,)]


def test_what_waits_is_listed_for_its_office_and_escalates_to_the_one_above(
    gate: Gate, as_role: As, town: Town
) -> None:
    forget(gate)
    district, province, ministry = (as_role("office", area=area) for area in ("36.71", "36", "all"))

    def waiting(office: httpx.Client) -> list[tuple[str, bool]]:
        answer = office.get("/v1/alerts")
        assert answer.status_code == 200
        return [(one["office"], one["escalated"]) for one in answer.json()["alerts"]]

    assert waiting(district) == [("d3671", False)]
    assert waiting(province) == [("p36", False)]
    assert waiting(ministry) == waiting(as_role("office", area="31.71")) == []
    run_sql(gate, "update alert set made_at = made_at - %s", timedelta(hours=25))
    assert waiting(district) == [("d3671", True)]
    assert sorted(waiting(province)) == [("d3671", True), ("p36", True)]
    assert waiting(ministry) == [("p36", True)]
    escalated = next(one for one in province.get("/v1/alerts").json()["alerts"] if one["office"] == "d3671")
    assert (escalated["data"]["contact_ref"], escalated["data"]["trace_ref"]) == ("", "")
    district.post(f"/v1/alerts/{alert_of(town, 'd3671')}/ack")
    assert waiting(district) == []
    assert waiting(province) == [("p36", True)]


def test_an_office_decides_about_a_candidate_by_its_alert(gate: Gate, as_role: As, town: Town) -> None:
    office = as_role("office", area="36.71", principal="Sri 2")
    path = f"/v1/alerts/{alert_of(town, 'd3671')}/decisions"
    assert office.post(path, json={"decision": "maybe", "reason": "x"}).status_code == 422
    assert office.post(path, json={"decision": "confirmed", "reason": "3671015508900001"}).status_code == 422
    summary = f"/v1/alerts/{alert_of(town, 'd3671', 'summary')}/decisions"
    assert office.post(summary, json={"decision": "confirmed", "reason": "x"}).status_code == 404
    answer = office.post(path, json={"decision": "confirmed", "reason": "shared a room"})
    assert answer.status_code == 202
    event = last_event(
        gate, CONTACT_DECISION, ContactDecision, lambda one: one.decision_id == answer.json()["request_id"]
    )
    assert (event.person_id, event.case_id, event.by, event.role) == (CASE, town.case(CASE)[0], "Sri 2", "office")
    assert town.register(event) == "applied"
    assert town.ask("select decision from contact_decision where outcome = 'done'") == [("confirmed",)]


def test_jejak_ack_and_the_list_say_who_and_what(gate: Gate, town: Town, tmp_path: Path) -> None:
    forget(gate)
    key = tmp_path / "key"
    key.write_text(new_key(gate.settings, "office", area="36.71", principal="Sri 3"))
    with_key = ("--gate", gate.url, "--key-file", str(key))
    listed = jejak(gate.settings, "alerts", "--unacknowledged", *with_key)
    alert_id = alert_of(town, "d3671")
    assert f"[{alert_id}]" in listed.stdout, listed.stderr
    done = jejak(gate.settings, "ack", alert_id, *with_key)
    assert f"{alert_id}: acknowledged by Sri 3 at " in done.stdout, done.stderr
    assert jejak(gate.settings, "alerts", "--unacknowledged", *with_key).stdout == ""
    assert "no such alert" in refused(jejak(gate.settings, "ack", "x", *with_key))
    assert "--reason" in refused(jejak(gate.settings, "ack", alert_id, "--decide", "dropped", *with_key))


def test_the_gate_can_change_nothing_of_an_alert_but_its_acknowledgement(gate: Gate, town: Town) -> None:
    assert town.ask("select 1 from alert")
    with closing(connect(gate.settings, OWNER)) as conn, conn, conn.cursor() as cur:
        cur.execute(
            "select column_name from information_schema.column_privileges where grantee = 'jejak_gate'"
            " and table_name = 'alert' and privilege_type = 'UPDATE' order by 1"
        )
        assert [row[0] for row in cur.fetchall()] == ["acknowledged_at", "acknowledged_by"]
