"""Occupancy and hours over HTTP: exact for those entitled, bands of the last quarter of an hour for the rest."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from ops.store import OWNER, connect
from portal.bands import last_refresh
from tests.portal.conftest import Gate

As = Callable[..., httpx.Client]
HOUR = datetime(2026, 3, 1, 8, tzinfo=UTC)


def add_visit(gate: Gate, facility_id: str, check_in: datetime, check_out: datetime) -> None:
    stay = check_out - check_in
    bounds = (timedelta(hours=1), timedelta(hours=4), timedelta(days=1), timedelta(days=4), timedelta(days=12))
    stay_class = sum(stay > bound for bound in bounds)
    table = "visit" if stay <= timedelta(days=1) else "visit_long"
    with closing(connect(gate.settings, OWNER)) as conn, conn, conn.cursor() as cursor:
        cursor.execute("select make_visit_partition(%s::date)", (check_in,))
        cursor.execute(
            f"insert into {table} (key, person, check_in, check_out, visit_id, check_in_estimated,"  # noqa: S608 — ours
            " check_out_estimated, role) select facility_no * 8 + %s, %s::uuid, %s, %s, %s::uuid, false, false,"
            " 'visitor' from facility where facility_id = %s",
            (stay_class, str(uuid4()), check_in, check_out, str(uuid4()), facility_id),
        )


def add_hour(gate: Gate, facility_id: str, hour: datetime, shard: int, *counts: int) -> None:
    with closing(connect(gate.settings, OWNER)) as conn, conn, conn.cursor() as cursor:
        cursor.execute(
            "insert into facility_hour select facility_no, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s from facility"
            " where facility_id = %s",
            (hour, shard, *counts, facility_id),
        )


def occupancy(client: httpx.Client, facility_id: str) -> dict[str, Any]:
    answer = client.get(f"/v1/facilities/{facility_id}/occupancy")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def hours(client: httpx.Client, facility_id: str, since: str, until: str) -> httpx.Response:
    return client.get(f"/v1/facilities/{facility_id}/hours", params={"from": since, "to": until})


def test_occupancy_counts_the_visits_open_now_of_any_length(gate: Gate, as_role: As) -> None:
    now = datetime.now(UTC)
    for before, after in ((0.01, 0.5), (3, 1), (20, 3), (50, 40), (200, 80), (500, 24)):  # one per stay class
        add_visit(gate, "PKM-B", now - timedelta(hours=before), now + timedelta(hours=after))
    add_visit(gate, "PKM-B", now - timedelta(hours=2), now - timedelta(minutes=1))
    add_visit(gate, "PKM-B", now + timedelta(minutes=5), now + timedelta(hours=1))
    add_visit(gate, "RS-A", now - timedelta(hours=1), now + timedelta(hours=1))
    answer = occupancy(as_role("gate", facility="PKM-B"), "PKM-B")
    assert (answer["count"], answer["exact"], answer["band"]) == (6, True, "5-19")
    assert answer["at"].endswith("+07:00")


@pytest.mark.parametrize(
    ("role", "scope", "exact"),
    [
        ("gate", {"facility": "RS-A"}, True),
        ("laboratory", {"facility": "RS-A"}, True),
        ("gate", {"facility": "PKM-B"}, False),
        ("laboratory", {"facility": "LAB-C"}, False),
        ("gate", {"area": "36"}, True),
        ("office", {"area": "36.71"}, True),
        ("office", {"area": "36"}, True),
        ("office", {"area": "31"}, False),
        ("epidemiologist", {"area": "36.71"}, True),
        ("epidemiologist", {"area": "73.71"}, False),
        ("office", {"area": "all"}, True),
        ("import", {"area": "all"}, True),
    ],
)
def test_exact_numbers_are_for_the_facility_its_office_and_the_country(
    as_role: As, role: str, scope: dict[str, str], *, exact: bool
) -> None:
    client = as_role(role, **scope)
    answer = occupancy(client, "RS-A")
    assert answer["exact"] is exact
    assert ("count" in answer) is exact
    counted = hours(client, "RS-A", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z").json()
    assert counted["exact"] is exact


def test_a_band_does_not_move_with_each_visit(gate: Gate, as_role: As) -> None:
    stranger = as_role("office", area="31")
    before = occupancy(stranger, "LAB-C")
    assert (before["band"], before["at"]) == (
        "<5", before["at"],
    )  # fmt: skip
    for _ in range(8):
        add_visit(gate, "LAB-C", datetime.now(UTC) - timedelta(hours=3), datetime.now(UTC) + timedelta(hours=3))
    after = occupancy(stranger, "LAB-C")
    if before["at"] == after["at"]:  # else a quarter of an hour has just begun
        assert after == before
    assert datetime.fromisoformat(after["at"]) == last_refresh(datetime.fromisoformat(after["at"]))
    assert occupancy(as_role("laboratory", facility="LAB-C"), "LAB-C")["count"] == 8


def test_hours_sum_their_shards_in_the_facilitys_own_offset(gate: Gate, as_role: As) -> None:
    add_hour(gate, "LAB-C", HOUR, 0, 1, 2, 3, 4, 61_230_000, 1, 0, 1)
    add_hour(gate, "LAB-C", HOUR, 5, 10, 20, 30, 40, 60_000_000, 0, 2, 0)
    add_hour(gate, "LAB-C", HOUR + timedelta(hours=1), 5, 0, 0, 0, 0, 0, 0, 0, 0)
    add_hour(gate, "LAB-C", HOUR + timedelta(hours=2), 5, 1, 0, 0, 1, 1, 0, 0, 0)
    client = as_role("laboratory", facility="LAB-C")
    answer = hours(client, "LAB-C", "2026-03-01T16:00:00+08:00", "2026-03-01T18:00:00+08:00")
    assert answer.json() == {
        "facility_id": "LAB-C",
        "exact": True,
        "hours": [
            {
                "hour_start": "2026-03-01T16:00:00+08:00",
                "arrivals": 11,
                "departures": 22,
                "visitors": 44,
                "person_minutes": 2.021,
                "estimated": 33,
                "refused": 1,
                "manual": 2,
                "flagged": 1,
            }
        ],
    }
    assert len(hours(client, "LAB-C", "2026-03-01T08:00:00Z", "2026-03-01T10:00:01Z").json()["hours"]) == 2


def test_others_see_the_bands_of_the_last_month(gate: Gate, as_role: As) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    add_hour(gate, "PKM-B", hour - timedelta(hours=30), 0, 1, 1, 0, 20, 100, 0, 0, 0)
    add_hour(gate, "PKM-B", hour - timedelta(days=40), 0, 1, 1, 0, 20, 100, 0, 0, 0)
    stranger = as_role("office", area="31")
    recent = hours(stranger, "PKM-B", (hour - timedelta(days=2)).isoformat(), hour.isoformat()).json()
    assert recent["hours"] == [
        {"hour_start": recent["hours"][0]["hour_start"], "visitors": "20-49", "flagged": "<5"},
    ]
    old = hours(stranger, "PKM-B", (hour - timedelta(days=41)).isoformat(), (hour - timedelta(days=39)).isoformat())
    assert old.json() == {"facility_id": "PKM-B", "exact": False, "hours": []}


@pytest.mark.parametrize(
    ("since", "until", "field"),
    [
        ("2026-03-01T00:00:00", "2026-03-02T00:00:00Z", "from"),
        ("2026-03-01T00:00:00Z", "today", "to"),
        ("2026-03-02T00:00:00Z", "2026-03-02T00:00:00Z", "to"),
        ("2026-03-01T00:00:00Z", "2026-04-02T00:00:00Z", "to"),
        ("1999-03-01T00:00:00Z", "2026-04-02T00:00:00Z", "from"),
        ("0001-01-01T00:00:00+14:00", "2026-04-02T00:00:00Z", "from"),
    ],
)
def test_a_range_that_is_none_names_its_end(as_role: As, since: str, until: str, field: str) -> None:
    answer = hours(as_role("office", area="all"), "RS-A", since, until)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_a_missing_end_and_an_unknown_facility_are_said_so(as_role: As) -> None:
    client = as_role("office", area="all")
    missing = client.get("/v1/facilities/RS-A/hours", params={"from": "2026-03-01T00:00:00Z"})
    assert (missing.status_code, missing.json()["field"]) == (422, "to")
    assert client.get("/v1/facilities/RS-Z/occupancy").status_code == 404
    assert hours(client, "RS-Z", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z").status_code == 404


def test_an_unescaped_plus_in_an_offset_is_understood(as_role: As) -> None:
    path = "/v1/facilities/RS-A/hours?from=2026-03-01T00:00:00+07:00&to=2026-03-02T00:00:00+07:00"
    assert as_role("office", area="all").get(path).status_code == 200
