"""The short way in for scans answers as the framework does, which still serves the same desk one slash further."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.portal.conftest import NIK, Gate, new_key, scan

As = Callable[..., httpx.Client]
SHORT, LONG = "/v1/scans", "/v1/scans/"


@pytest.fixture(scope="module")
def at_rs_a(as_role: As) -> httpx.Client:
    return as_role("gate", facility="RS-A")


def both(client: httpx.Client, **request: Any) -> list[tuple[int, dict[str, str], bytes]]:
    """Return the two answers, without what differs between any two."""
    answers = [client.post(path, **request) for path in (SHORT, LONG)]
    return [(it.status_code, {**it.headers, "date": ""}, it.content) for it in answers]


BODIES: tuple[dict[str, Any], ...] = (
    {"json": scan()},
    {"json": [scan(), scan(gate="window"), scan(facility_id="PKM-B"), scan(scan_id="x"), 7]},
    {"json": {"scans": [scan(zone="ward B"), scan(zone=f"for {NIK}")]}},
    {"json": {"scans": [scan()], "more": 1}},
    {"json": scan(facility_id="nowhere")},
    {"json": scan(facility_id="PKM-B")},
    {"json": scan(at="2026-01-05T08:00:00")},
    {"json": scan(at="2020-01-05T08:00:00+07:00")},
    {"json": scan(subject={"type": "nik", "value": "1234"})},
    {"json": scan(channel="import")},
    {"json": []},
    {"json": [{}] * 1_001},
    {"json": {}},
    {"json": None},
    {"content": b""},
    {"content": b"  {"},
    {"content": b"\xff"},
    {"content": b"[" * 5_000},
    {"content": b" " * 3_000_000},
)


@pytest.mark.parametrize("number", range(len(BODIES)))
def test_both_ways_in_answer_alike(at_rs_a: httpx.Client, number: int) -> None:
    short, long = both(at_rs_a, **BODIES[number])
    assert short == long


def test_a_body_that_comes_in_pieces_of_unknown_number_is_read_and_measured(at_rs_a: httpx.Client) -> None:
    whole = at_rs_a.post(SHORT, content=iter([b"[", b"{}", b"]"]))
    assert (whole.status_code, [it["status"] for it in whole.json()["results"]]) == (200, ["invalid"])
    endless = at_rs_a.post(SHORT, content=(b" " * 100_000 for _ in range(30)))
    assert (endless.status_code, endless.json()["error"]) == (413, "too_large")


@pytest.mark.parametrize("role", ["laboratory", "office", ""])
def test_both_ways_in_refuse_alike(gate: Gate, role: str) -> None:
    scope = {"laboratory": {"facility": "LAB-C"}, "office": {"area": "36"}}
    client = gate.client(new_key(gate.settings, role, **scope[role]) if role else "")
    short, long = both(client, json=scan())
    assert short == long
    assert short[0] in {401, 403}


def test_both_ways_in_are_counted_as_one_route(gate: Gate, at_rs_a: httpx.Client) -> None:
    def counted() -> float:
        lines = httpx.get(f"{gate.url}/metrics").text.splitlines()
        wanted = 'jejak_gate_requests_total{route="/v1/scans",status="200"} '
        return next((float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted)), 0.0)

    before = counted()
    both(at_rs_a, json=scan())
    assert counted() == before + 2
