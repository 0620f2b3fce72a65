"""The metrics of the workers and the relay: they listen nowhere, and leave theirs in files that the gate shows.

Each sample gets the label `service`, the file's name, so that two workers' counters stand beside each other.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

STALE_S: Final = 60.0  # workers write every 5 s, the relay every 10 s: who does not is gone


class Neighbours:
    """A collector of the metric files in a folder; those of services that are gone are left out."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Yield each metric once, with the samples of all files."""
        found: dict[str, Metric] = {}
        for path in sorted(self._folder.glob("*.prom")):
            for metric in text_string_to_metric_families(_read_fresh(path)):
                ours = found.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                for sample in metric.samples:
                    if not sample.name.endswith("_created"):
                        ours.add_sample(sample.name, {**sample.labels, "service": path.stem}, sample.value)
        yield from found.values()


def _read_fresh(path: Path) -> str:
    try:
        if time.time() - path.stat().st_mtime > STALE_S:
            return ""
        return path.read_text()
    except OSError:  # removed since we looked
        return ""
