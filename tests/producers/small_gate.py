"""A small gate on a real socket: answers as a gate in trouble does, and keeps what it was sent."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class SmallGate(ThreadingHTTPServer):
    """Plays `script` first, an answer a request, then accepts everything; keeps what it was sent."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Desk)
        self.script: list[tuple[int, dict[str, str], object]] = []
        self.bodies: list[bytes] = []
        self.keys: set[str] = set()
        self.lock = threading.Lock()
        self.slow_s = 0.0
        self.busy = 0
        self.busiest = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Desk(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: SmallGate

    def do_GET(self) -> None:
        self._say(200, {}, {"path": self.path})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        gate = self.server
        with gate.lock:
            gate.bodies.append(body)
            gate.keys.add(self.headers["Authorization"])
            gate.busy += 1
            gate.busiest = max(gate.busiest, gate.busy)
            planned = gate.script.pop(0) if gate.script else None
        time.sleep(gate.slow_s)
        with gate.lock:
            gate.busy -= 1
        if planned and planned[0] == 0:  # hang up without a word
            self.close_connection = True
            return
        self._say(*(planned or (200, {}, {"results": [judge(scan) for scan in json.loads(body)]})))

    def _say(self, status: int, headers: dict[str, str], answer: object) -> None:
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — the library's name
        """Keep quiet."""


def judge(scan: dict[str, Any]) -> dict[str, str]:
    if scan["facility_id"] == "nowhere":
        return {"scan_id": scan["scan_id"], "status": "invalid", "field": "facility_id", "reason": "is not known"}
    return {"scan_id": scan["scan_id"], "status": "accepted"}


@contextmanager
def small_gate(port: int = 0) -> Iterator[SmallGate]:
    with SmallGate(port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
