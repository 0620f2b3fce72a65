"""The oracle is proved: code without a bug passes, and each of many planted bugs is found by a short run."""

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops.store import OWNER, transaction
from schemas.settings import Settings
from tests.chaos.bugs import BUGS
from tests.chaos.small import Small


def test_without_a_bug_nothing_differs(fresh_database: Callable[[], Settings], tmp_path: Path) -> None:
    verdict = Small(fresh_database(), tmp_path).run()
    assert verdict.differences == [], "\n".join(verdict.differences)
    least = {
        "scan": 400,
        "visit": 250,
        "hour": 800,
        "decision": 30,
        "exposure": 8,
        "candidate": 8,
        "alert": 8,
        "later alert": 10,
    }
    assert {name: number for name, number in least.items() if verdict.looked_at[name] < number} == {}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(
    name: str, fresh_database: Callable[[], Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = fresh_database()
    if name == "repeats_are_stored_again":
        with transaction(settings, OWNER) as conn, conn.cursor() as cur:
            cur.execute("drop index scan_identity; create index on scan (person, scan_id)")
    small = Small(settings, tmp_path)
    shows, plant = BUGS[name]

    def patch(owner: Any, attribute: str, value: Any) -> None:
        """Patch what is there, or hide a builtin from its module: a bug planted into nothing would prove nothing."""
        monkeypatch.setattr(owner, attribute, value, raising=not hasattr(builtins, attribute))

    plant(patch)
    verdict = small.run()
    assert {line.split()[0] for line in verdict.differences} >= {shows}


def test_there_are_many() -> None:
    assert len(BUGS) >= 20
