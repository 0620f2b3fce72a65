"""This process's metrics, made from the one table in `schemas.metrics`, written to a file that the gate serves.

A file, because nothing but the portal listens.
"""

from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, write_to_textfile

from schemas import metrics
from schemas.metrics import Metric

REGISTRY = CollectorRegistry()


def _counter(metric: Metric) -> Counter:
    return Counter(metric.name, metric.doc, metric.labels, registry=REGISTRY)


def _gauge(metric: Metric) -> Gauge:
    return Gauge(metric.name, metric.doc, metric.labels, registry=REGISTRY)


def _histogram(metric: Metric) -> Histogram:
    return Histogram(metric.name, metric.doc, metric.labels, registry=REGISTRY)


FOLD_RECORDS = _counter(metrics.FOLD_RECORDS)
FOLD_BATCH_SECONDS = _histogram(metrics.FOLD_BATCH_SECONDS)
FOLD_LAG = _gauge(metrics.FOLD_LAG)
FOLD_RETRIES = _counter(metrics.FOLD_RETRIES)
READY = _gauge(metrics.READY)
RELAY_EVENTS = _counter(metrics.RELAY_EVENTS)
RELAY_WAITING = _gauge(metrics.RELAY_WAITING)
TRACE_SECONDS = _histogram(metrics.TRACE_SECONDS)
TRACE_ALERTS = _counter(metrics.TRACE_ALERTS)
ALERTS_UNACKNOWLEDGED = _gauge(metrics.ALERTS_UNACKNOWLEDGED)
FLAGS = _counter(metrics.FLAGS)


def write_metrics(path: Path) -> None:
    """Write all metrics in Prometheus' text format, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_to_textfile(str(path), REGISTRY)
