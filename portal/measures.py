"""The gate's metrics, made from the one table in schemas; no label ever holds a person, case, facility or office."""

from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from portal.neighbours import Neighbours
from schemas import metrics


class Measures:
    """The metrics of one application; a registry of its own, so that two in one process do not meet."""

    def __init__(self, neighbours: Path | None = None) -> None:
        self._registry = CollectorRegistry()
        if neighbours is not None:
            self._registry.register(Neighbours(neighbours))
        self._requests = self._counter(metrics.GATE_REQUESTS)
        self._accepted, self._invalid = map(self._counter(metrics.GATE_SCANS).labels, ("accepted", "invalid"))
        self._seconds = Histogram(
            metrics.GATE_SECONDS.name, metrics.GATE_SECONDS.doc, metrics.GATE_SECONDS.labels, registry=self._registry
        )
        self._kept: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        kept = self._kept.get((route, status))
        if kept is None:  # to find a metric by its labels costs more than to count
            kept = self._kept[route, status] = self._requests.labels(route, str(status)), self._seconds.labels(route)
        kept[0].inc()
        kept[1].observe(seconds)

    def count_scans(self, *, accepted: int, invalid: int) -> None:
        """Count the scans of one request."""
        self._accepted.inc(accepted)
        if invalid:
            self._invalid.inc(invalid)

    def text(self) -> bytes:
        """Return all as Prometheus reads it."""
        return generate_latest(self._registry)

    def _counter(self, metric: metrics.Metric) -> Counter:
        return Counter(metric.name, metric.doc, metric.labels, registry=self._registry)
