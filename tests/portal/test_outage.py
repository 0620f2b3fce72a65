"""Broker and database go away under a running gate: 503 while they are gone, 200 when they are back, never lost."""

import time

import httpx

from ops.embedded import Servers
from tests.commands import wait_until
from tests.portal.conftest import Gate, new_key, scan


def wait_until_accepted(client: httpx.Client, body: object) -> None:
    """Send the same again until it is accepted, as a phone does."""
    wait_until(lambda: client.post("/v1/scans", json=body).status_code == 200)


def test_while_a_server_is_away_nothing_is_accepted_and_health_says_which(own: tuple[Servers, Gate]) -> None:
    servers, gate = own
    client = gate.client(new_key(gate.settings, "gate", facility="RS-A"))
    for name in ("Kafka", "PostgreSQL"):
        assert client.post("/v1/scans", json=scan()).status_code == 200
        servers.daemons[name].stop()
        # Persons never seen before, so that the vault is asked too.
        body = [scan(subject={"type": "temporary", "value": f"{name} {n}"}) for n in range(3)]
        began_s = time.monotonic()
        answer = client.post("/v1/scans", json=body)
        assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert time.monotonic() - began_s < 20
        ready = httpx.get(f"{gate.url}/readyz")
        assert ready.status_code == 503
        assert ("broker" if name == "Kafka" else "database") in " ".join(ready.json()["reasons"])
        assert httpx.get(f"{gate.url}/healthz").status_code == 200
        servers.mend()
        servers.wait_ready()
        wait_until_accepted(client, body)
        wait_until(lambda: httpx.get(f"{gate.url}/readyz").status_code == 200)
