"""From a positive, or a decision, to the officer's look-up: black comes, and negative tests take it away."""

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from portal.desk import Desk, open_desk
from portal.identifiers import new_uuid7
from portal.identity import normalise
from portal.registry.colours import Action
from portal.registry.importing import good, judge
from portal.registry.records import OPTIONAL, REQUIRED
from portal.registry.registry import Registry
from portal.registry.statuses import follow_statuses
from portal.registry.taking import take
from schemas.errors import Unavailable
from tests.end_to_end.house import House

WAIT_S = 60.0
AFTER_S = 2.0  # how soon black has to be there; not asserted, for other work may share the machine
COLUMNS = (*REQUIRED, *OPTIONAL)


class Door:
    """An officer's look-ups beside the running installation, by the code that its gate runs."""

    def __init__(self, house: House, desk: Desk) -> None:
        self.house, self.desk, self.registry = house, desk, Registry(desk)

    def vaccinate(self, *names: str) -> None:
        """Give three doses to people."""
        rows = [",".join(COLUMNS)]
        for name in names:
            for dose in (1, 2, 3):
                cells = dict.fromkeys(COLUMNS, "") | {
                    "identifier_type": "test", "identifier_value": name, "name": name, "birth_date": "1990-01-01",
                    "dose_number": str(dose), "vaccine_code": "X", "occurrence_date": "2022-01-01",
                }  # fmt: skip
                rows.append(",".join(cells[column] for column in COLUMNS))
        records = good(list(judge("csv", "\n".join(rows).encode(), datetime.now(UTC), demo=True)))
        assert asyncio.run(self.desk.read(take, self.desk.vault, records, "test", "csv")) == ["new"] * len(records)

    def action(self, name: str) -> Action:
        asked = self.registry.action("test", name, name, datetime.now(UTC), facility_id="RS-A", who="petugas")
        return asyncio.run(asked)

    def wait_for(self, name: str, action: Action) -> None:
        """Return when a look-up says so; tells how long it took, for whoever looks."""
        began = time.monotonic()
        while self.action(name) != action:
            assert time.monotonic() - began < WAIT_S, "it did not come true in time"
            self.house.supervisor.tick()
            time.sleep(0.01)
        print(f"{name}: {action} after {time.monotonic() - began:.2f} s")  # noqa: T201 — a figure, shown with -s

    def person(self, name: str) -> str:
        return asyncio.run(self.desk.person_ids([normalise("test", name, "", demo=True)]))[0]


@pytest.fixture(scope="module")
def door(house: House) -> Iterator[Door]:
    with open_desk(house.settings, exposed=False) as desk:
        made, stop = Door(house, desk), threading.Event()
        thread = threading.Thread(
            target=follow_statuses, args=(desk.settings, made.registry.statuses, stop), daemon=True
        )
        thread.start()
        house.wait_until(lambda: is_ready(made.registry))
        yield made
        stop.set()
        thread.join(10)


def is_ready(registry: Registry) -> bool:
    try:
        registry.statuses.black_until("0" * 32)
    except Unavailable:
        return False
    return True


def stay(house: House, name: str, start: datetime, minutes: int, assurance: str) -> None:
    scans = [
        {
            "scan_id": new_uuid7(at), "subject": {"type": "test", "value": name}, "facility_id": "RS-A", "gate": gate,
            "at": at.isoformat(), "assurance": assurance, "role": "visitor",
        }
        for gate, at in (("entrance", start), ("exit", start + timedelta(minutes=minutes)))
    ]  # fmt: skip
    with house.gate("gate") as client:
        client.post("/v1/scans", scans)


def reported(house: House, name: str, at: datetime, result: str, kind: str = "pcr") -> str:
    body = {
        "result_id": new_uuid7(datetime.now(UTC)), "subject": {"type": "test", "value": name},
        "lab_ref": secrets.token_hex(5), "test": kind, "result": result, "status": "final",
        "specimen_at": at.isoformat(), "reported_at": at.isoformat(),
    }  # fmt: skip
    with house.gate("laboratory") as client:
        client.post("/v1/test-results", body)
    return str(body["result_id"])


def decided(house: House, case_id: str, ref: str, *, identity_checked: bool) -> None:
    with house.gate("sari") as client:
        client.post(
            f"/v1/traces/{case_id}/decisions",
            {
                "contact_ref": ref, "decision": "confirmed", "reason": "wawancara",
                "identity_checked": identity_checked,
            },
        )  # fmt: skip


def case_of(house: House, result_id: str) -> str:
    found: list[str] = []

    def is_there() -> bool:
        with house.gate("laboratory") as client:
            case_id = client.get(f"/v1/test-results/{result_id}").get("case_id")
        found.extend([case_id] if case_id else [])
        return bool(found)

    house.wait_until(is_there)
    return found[0]


def settled(house: House, case_id: str, decisions: int) -> Callable[[], bool]:
    """Return what says that so many decisions are stored and their trace has run."""

    def is_so() -> bool:
        ((stored,),) = house.ask("select count(*) from contact_decision where case_id = %s", case_id)
        ((due,),) = house.ask("select bool_or(due) from trace where case_id = %s", case_id)
        return stored == decisions and not due

    return is_so


def test_black_comes_with_the_positive_and_the_decision_and_goes_with_negative_tests(house: House, door: Door) -> None:
    met = datetime.now(UTC) - timedelta(days=7)
    door.vaccinate("indeks", "terbukti", "sendiri")
    stay(house, "indeks", met, 120, "otp")
    stay(house, "terbukti", met + timedelta(minutes=10), 60, "officer_saw_id")
    stay(house, "sendiri", met + timedelta(minutes=20), 60, "self")
    house.wait_until(lambda: house.ask("select count(*) from every_visit")[0][0] >= 3)
    assert [door.action(name) for name in ("indeks", "terbukti", "sendiri")] == [Action.ADMIT] * 3

    result_id = reported(house, "indeks", met + timedelta(hours=3), "positive")
    door.wait_for("indeks", Action.TRIAGE)
    assert [door.action(name) for name in ("terbukti", "sendiri")] == [Action.ADMIT] * 2
    case_id = case_of(house, result_id)

    refs = dict(
        house.ask(
            "select replace(person::text, '-', ''), ref from reference where case_id = %s and office = ''"
            " and person is not null",
            case_id,
        )
    )
    decided(house, case_id, refs[door.person("sendiri")], identity_checked=False)
    decided(house, case_id, refs[door.person("terbukti")], identity_checked=False)
    door.wait_for("terbukti", Action.TRIAGE)
    house.wait_until(settled(house, case_id, 2))
    time.sleep(AFTER_S)
    assert door.action("sendiri") == Action.ADMIT
    decided(house, case_id, refs[door.person("sendiri")], identity_checked=True)
    door.wait_for("sendiri", Action.TRIAGE)

    reported(house, "terbukti", datetime.now(UTC) - timedelta(days=1), "negative", "antigen")
    door.wait_for("terbukti", Action.ADMIT)
    reported(house, "indeks", datetime.now(UTC) - timedelta(days=1, hours=12), "negative")
    reported(house, "indeks", datetime.now(UTC) - timedelta(hours=1), "negative", "antigen")
    assert door.action("indeks") == Action.TRIAGE
    reported(house, "indeks", datetime.now(UTC) - timedelta(hours=2), "negative")
    door.wait_for("indeks", Action.ADMIT)
