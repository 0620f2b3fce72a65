"""The gate's client against a real HTTP server that answers as a gate in trouble does."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.embedded.home import free_port
from producers.gate_client import GateClient, open_gate
from producers.gate_scans import GateScan, Sent, Subject, send_batches, send_scans
from schemas.errors import BadInput, Conflict, InvalidSettings, JejakError, NotFound, Refused, Unavailable
from schemas.events import Gate
from schemas.settings import Settings
from tests.producers.small_gate import SmallGate, small_gate

KEY = "a-key-of-256-bits"


@pytest.fixture
def gate() -> Iterator[SmallGate]:
    with small_gate() as server:
        yield server


@pytest.fixture
def client(gate: SmallGate) -> Iterator[GateClient]:
    with GateClient(gate.url, KEY, give_up_s=5) as made:
        yield made


def scans(number: int, facility_id: str = "F1") -> list[GateScan]:
    return [
        GateScan(
            scan_id=f"019b8d90-6400-7000-8000-{each:012x}",
            subject=Subject(type="test", value=f"P{each}"),
            facility_id=facility_id,
            gate=Gate.ENTRANCE,
            at="2026-01-05T08:00:00+07:00",
        )
        for each in range(number)
    ]


def test_every_scan_is_counted_and_batches_hold_a_thousand(gate: SmallGate, client: GateClient) -> None:
    sent = send_scans(client, [*scans(2_450), *scans(50, "nowhere")])
    assert (sent.accepted, sent.invalid, sent.retries) == (2_450, 50, 0)
    assert sorted(len(json.loads(body)) for body in gate.bodies) == [500, 1_000, 1_000]
    assert gate.keys == {f"Bearer {KEY}"}
    assert "facility_id is not known (50)" in sent.line()
    assert "P1" not in sent.line()


def test_several_requests_are_in_flight_but_not_more_than_four(gate: SmallGate, client: GateClient) -> None:
    gate.slow_s = 0.1
    send_batches(client, ([scan] for scan in scans(12)))
    assert 2 <= gate.busiest <= 4


@pytest.mark.parametrize(
    "trouble",
    [
        [(503, {"Retry-After": "0"}, {"reason": "broker away"})],
        [(429, {}, {}), (503, {}, {}), (502, {}, b"<html>"), (504, {}, b"")],
        [(0, {}, None), (0, {}, None)],
    ],
    ids=["503", "many", "hang up"],
)
def test_what_was_not_answered_is_sent_again_with_the_same_bytes(
    gate: SmallGate, client: GateClient, trouble: list[tuple[int, dict[str, str], object]]
) -> None:
    gate.script = list(trouble)
    sent = send_scans(client, scans(10))
    assert (sent.accepted, sent.retries) == (10, len(trouble))
    assert len(gate.bodies) == len(trouble) + 1
    assert len(set(gate.bodies)) == 1


def test_retry_after_is_waited_for(gate: SmallGate, client: GateClient) -> None:
    gate.script = [(429, {"Retry-After": "1"}, {})]
    began = time.monotonic()
    send_scans(client, scans(1))
    assert 1 <= time.monotonic() - began < 3


def test_a_request_without_an_answer_in_time_is_sent_again(gate: SmallGate) -> None:
    gate.slow_s = 0.6
    with GateClient(gate.url, KEY, timeout_s=0.3, give_up_s=3) as client, pytest.raises(Unavailable, match="in time"):
        send_scans(client, scans(1))
    assert len(gate.bodies) > 1
    assert len(set(gate.bodies)) == 1


def test_a_gate_that_stays_busy_is_given_up_in_one_line(gate: SmallGate) -> None:
    gate.script = [(503, {}, {})] * 100
    with GateClient(gate.url, KEY, give_up_s=1) as client, pytest.raises(Unavailable, match=r"busy \(503\)") as busy:
        send_scans(client, scans(1))
    assert "\n" not in str(busy.value)


def test_nobody_listening_is_said_at_once() -> None:
    began = time.monotonic()
    with GateClient("http://127.0.0.1:9", KEY) as client, pytest.raises(Unavailable, match="no gate listens"):
        client.get("/healthz")
    assert time.monotonic() - began < 3


def test_a_gate_that_answered_before_is_waited_for_while_it_restarts() -> None:
    port = free_port()  # one that the kernel gives to no client while nobody listens
    with small_gate(port) as first:
        client = GateClient(first.url, KEY, give_up_s=10)
        client.get("/healthz")
        first.script = [(0, {}, None)]  # the connection still open ends with the next request
    with client:
        started = threading.Event()

        def restart() -> None:
            time.sleep(0.8)
            with small_gate(port):
                started.wait(10)

        thread = threading.Thread(target=restart)
        thread.start()
        sent = send_scans(client, scans(3))
        started.set()
        thread.join()
    assert sent.accepted == 3
    assert sent.retries > 0


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, Refused), (403, Refused), (404, NotFound), (409, Conflict), (413, BadInput), (422, BadInput)],
)
def test_a_refusal_becomes_our_error_with_the_gates_reason(
    gate: SmallGate, client: GateClient, status: int, kind: type[JejakError]
) -> None:
    gate.script = [(status, {}, {"error": "x", "field": "at", "reason": "is in the future"})]
    with pytest.raises(kind, match="is in the future") as refused:
        client.post("/v1/scans", scans(1)[0])
    if isinstance(refused.value, BadInput):
        assert refused.value.field == "at"
    assert len(gate.bodies) == 1


@pytest.mark.parametrize("answer", [{"results": []}, {}, [], b"<html>"])
def test_an_answer_that_does_not_speak_for_every_scan_is_no_success(
    gate: SmallGate, client: GateClient, answer: object
) -> None:
    gate.script = [(200, {}, answer)]
    with pytest.raises(Unavailable):
        send_scans(client, scans(2))


def test_counts_so_far_are_there_when_sending_fails(gate: SmallGate, client: GateClient) -> None:
    def batches() -> Iterator[list[GateScan]]:
        yield scans(5)
        while sent.accepted < 5:
            yield scans(0)
        raise KeyboardInterrupt

    sent = Sent()
    with pytest.raises(KeyboardInterrupt):
        send_batches(client, batches(), sent=sent)
    assert sent.accepted == 5
    assert gate.bodies


@pytest.mark.parametrize("url", ["ftp://localhost", "localhost:80", "http://", "http://gate.example"])
def test_an_address_no_key_may_go_to_is_refused(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        GateClient(url, KEY)
    assert refused.value.field == "--gate"


def test_gate_and_key_are_found_in_the_home(tmp_path: Path, gate: SmallGate) -> None:
    settings = Settings(home=tmp_path)
    with pytest.raises(Unavailable, match="no gate runs here"):
        open_gate(settings)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "gate.json").write_text(json.dumps({"url": gate.url, "pid": 1}))
    with pytest.raises(InvalidSettings, match="--key-file"):
        open_gate(settings)
    key = tmp_path / "key"
    for text, reason in (("", "no API key"), ("é", "cannot|not a file")):
        key.write_text(text)
        with pytest.raises(BadInput, match=reason):
            open_gate(settings, key_file=str(key))
    key.write_text(f"{KEY}\n")
    with open_gate(settings, key_file=str(key)) as client:
        client.post("/v1/scans", [])
    assert gate.keys == {f"Bearer {KEY}"}


def test_a_query_is_sent_as_one(client: GateClient) -> None:
    answer = client.get("/v1/x", {"from": "2026-01-05T08:00:00+07:00"})
    assert answer == {"path": "/v1/x?from=2026-01-05T08%3A00%3A00%2B07%3A00"}
