"""The gate takes in nothing from before the horizon, whoever sends it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from ops.store import OWNER, transaction
from portal.horizon import FRESH_S, Horizon
from schemas.errors import InvalidEvent
from tests.portal.conftest import Gate, scan

HORIZON = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE = HORIZON - timedelta(microseconds=1)


def test_an_import_of_what_was_before_the_horizon_is_refused_by_its_time(
    gate: Gate, as_role: Callable[..., httpx.Client]
) -> None:
    with transaction(gate.settings, OWNER) as conn, conn.cursor() as cursor:
        cursor.execute(
            "insert into position (topic, partition, cluster_id, first, next_offset, horizon)"
            " values ('scan.v1', 0, 'c', 0, 0, %s), ('scan.v1', 1, 'c', 0, 0, null)",
            (HORIZON,),
        )
    sender = as_role("import")
    refused = sender.post("/v1/scans", json=scan(at=BEFORE.isoformat()))
    assert refused.status_code == 422
    assert refused.json()["field"] == "at"
    assert "horizon" in refused.json()["reason"]
    batch = [scan(at=at.isoformat()) for at in (HORIZON, BEFORE, HORIZON + timedelta(days=1))]
    answers = sender.post("/v1/scans", json=batch).json()["results"]
    assert [(one["status"], one.get("field")) for one in answers] == [
        ("accepted", None),
        ("invalid", "at"),
        ("accepted", None),
    ]


class Clockless:
    """Loads what it is told, and counts."""

    def __init__(self) -> None:
        self.at: datetime | None = None
        self.asked = 0

    async def __call__(self) -> datetime | None:
        self.asked += 1
        return self.at


@pytest.mark.parametrize("times", [1, 3])
def test_the_horizon_is_asked_for_once_in_a_while(times: int) -> None:
    load = Clockless()
    horizon = Horizon(load)
    horizon.check(datetime(1, 1, 1, tzinfo=UTC))  # nothing is known yet
    load.at = HORIZON

    async def know() -> None:
        for _ in range(times):
            await horizon.know()

    asyncio.run(know())
    assert load.asked == 1
    horizon._loaded_s -= FRESH_S
    asyncio.run(know())
    assert load.asked == 2
    horizon.check(HORIZON)
    with pytest.raises(InvalidEvent):
        horizon.check(BEFORE)
