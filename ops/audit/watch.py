"""What `jejak audit --watch` shows to Prometheus, on a port of this machine only."""

from prometheus_client import CollectorRegistry, Gauge, start_http_server

from ops.audit.findings import Findings
from schemas.errors import Unavailable
from schemas.metrics import AUDIT_DIFFERENCES, AUDIT_FINISHED

LOOPBACK = "127.0.0.1"


class Watch:
    """Holds the metrics of the latest audit; serves them until `close`."""

    def __init__(self, port: int) -> None:
        registry = CollectorRegistry()
        made = (AUDIT_DIFFERENCES, AUDIT_FINISHED)
        self._differences, self._finished = (Gauge(one.name, one.doc, one.labels, registry=registry) for one in made)
        try:
            self._server, self._thread = start_http_server(port, addr=LOOPBACK, registry=registry)
        except OSError as error:
            raise Unavailable(f"port {port} is taken: name another with --port") from error

    @property
    def url(self) -> str:
        """Where the metrics are."""
        return f"http://{LOOPBACK}:{self._server.server_port}/metrics"

    def show(self, findings: Findings) -> None:
        """Show how an audit that went through to its end has gone."""
        for name, check in findings.checks.items():
            self._differences.labels(name).set(check.differences)
        self._finished.set_to_current_time()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
