"""What an audit finds: differences, row by row, and per check how much was compared.

A row is named in the words of people (facility, hour, visit, alert): no person id is ever in a finding.
"""

from collections.abc import Callable, Collection
from typing import Final

import msgspec

CHECKS: Final = {
    "positions": "where each fold stands, against the log",
    "ledger": "records applied and dead, against the rows that are kept of them",
    "visits": "every visit, recomputed from the scans",
    "counts": "every facility's every clock hour, recomputed from the scans",
    "outbox": "rows marked as published, against what is on the topics",
    "visit-topic": "the changes on visit.v1, replayed, against the visits",
    "count-topic": "the latest counts on facility-count.v1, against the stored ones",
    "status-topic": "the latest advice on person-status.v1, against the stored one",
    "alert-topics": "the notices on every office's topic, against the alerts",
    "alerts": "the alerts, against the candidates of every trace",
}


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One row that is not what it should be."""

    check: str
    row: str
    what: str


class Check(msgspec.Struct, kw_only=True):
    """How one check went."""

    compared: int = 0
    differences: int = 0
    note: str = ""


class Findings:
    """Takes what the checks find; each difference is handed on at once, none is kept."""

    def __init__(
        self, checks: Collection[str] = tuple(CHECKS), tell: Callable[[Difference], None] | None = None
    ) -> None:
        self.checks = {name: Check() for name in CHECKS if name in checks}
        self._tell = tell

    @property
    def differences(self) -> int:
        """Return how many there are."""
        return sum(check.differences for check in self.checks.values())

    def wants(self, *names: str) -> bool:
        """Say whether any of these checks was asked for."""
        return any(name in self.checks for name in names)

    def compared(self, name: str, rows: int = 1) -> None:
        """Count rows that were looked at."""
        if name in self.checks:
            self.checks[name].compared += rows

    def differs(self, name: str, row: str, what: str) -> None:
        """Report a row."""
        if name in self.checks:
            self.checks[name].differences += 1
            if self._tell is not None:
                self._tell(Difference(check=name, row=row, what=what))

    def note(self, name: str, text: str) -> None:
        """Say what a check could not claim, or how far it reached."""
        if name in self.checks and text:
            check = self.checks[name]
            check.note = f"{check.note}; {text}" if check.note else text
