"""The gate shows the metrics that workers and relay leave in files, each with its service's name."""

import os
import time
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, write_to_textfile

from portal.measures import Measures
from schemas.metrics import FOLD_BATCH_SECONDS, FOLD_LAG, FOLD_RECORDS, GATE_SCANS


def leave(path: Path, applied: int) -> None:
    """Write what a worker writes."""
    registry = CollectorRegistry()
    Counter(FOLD_RECORDS.name, FOLD_RECORDS.doc, FOLD_RECORDS.labels, registry=registry).labels(
        "scan.v1", "applied"
    ).inc(applied)
    Gauge(FOLD_LAG.name, FOLD_LAG.doc, FOLD_LAG.labels, registry=registry).labels("scan.v1", "3").set(7)
    Histogram(FOLD_BATCH_SECONDS.name, FOLD_BATCH_SECONDS.doc, FOLD_BATCH_SECONDS.labels, registry=registry).labels(
        "scan.v1"
    ).observe(0.2)
    write_to_textfile(str(path), registry)


def shown(folder: Path) -> list[str]:
    return Measures(folder).text().decode().splitlines()


def test_each_services_samples_stand_under_one_name(tmp_path: Path) -> None:
    leave(tmp_path / "visits-0.prom", 5)
    leave(tmp_path / "visits-1.prom", 8)
    lines = shown(tmp_path)
    assert 'jejak_fold_records_total{result="applied",service="visits-0",topic="scan.v1"} 5.0' in lines
    assert 'jejak_fold_records_total{result="applied",service="visits-1",topic="scan.v1"} 8.0' in lines
    assert 'jejak_fold_lag_records{partition="3",service="visits-1",topic="scan.v1"} 7.0' in lines
    assert 'jejak_fold_batch_seconds_count{service="visits-0",topic="scan.v1"} 1.0' in lines
    for name in (FOLD_RECORDS.name, FOLD_LAG.name, FOLD_BATCH_SECONDS.name):
        assert sum(line.startswith(f"# TYPE {name} ") for line in lines) == 1


def test_a_service_that_is_gone_is_not_shown(tmp_path: Path) -> None:
    leave(tmp_path / "visits-0.prom", 5)
    os.utime(tmp_path / "visits-0.prom", (time.time() - 120, time.time() - 120))
    assert not any("visits-0" in line for line in shown(tmp_path))


def test_without_neighbours_the_gates_own_are_there(tmp_path: Path) -> None:
    measures = Measures(tmp_path / "missing")
    measures.count_scans(accepted=3, invalid=0)
    assert f'{GATE_SCANS.name}{{result="accepted"}} 3.0' in measures.text().decode().splitlines()
