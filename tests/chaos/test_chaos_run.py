"""`jejak chaos` itself: everything killed, stopped, cut and poisoned for a minute, and nothing differs."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import ops.chaos.ground
from ops.chaos.page import page_of
from ops.chaos.report import report_of
from ops.chaos.run import Order, run_chaos
from ops.chaos.schedule import KINDS, Fault
from ops.services import service_groups
from ops.supervisor import Service
from schemas.settings import Settings

BAD = {"relay": "skip_a_row", "gate": "answer_early"}


@pytest.mark.timeout(420)
def test_after_a_dozen_kills_and_every_other_fault_nothing_differs(
    new_home: Callable[[], Path], tmp_path: Path
) -> None:
    order = Order(
        seed=20, seconds=66, kinds=KINDS, out=tmp_path, kills_min=12, scans_per_s=300, batch_max=60, poison=300, wards=4
    )
    lines: list[str] = []
    verdict, facts = run_chaos(Settings(home=new_home()), order, lines.append)
    assert verdict.differences == [], "\n".join(verdict.differences[:50])
    report = report_of(verdict, facts)
    assert sum(report["kills"].values()) >= 10
    assert report["witness"]["scans_accepted"] >= 3_000
    assert report["witness"]["poison"] > 0
    assert verdict.looked_at["alert"] > 0
    assert verdict.looked_at["later alert"] > 0
    assert report["kills"]["standing"] > 0
    assert {one.kind for one in facts.faults} >= {"kill", "stop", "net", "poison", "rebalance"}
    json.dumps(report)
    assert "0 lost, 0 double, 0 wrong rows" in page_of(report)


@pytest.mark.timeout(300)
def test_a_relay_that_skips_and_a_gate_that_answers_early_are_found(
    new_home: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def groups(settings: Settings) -> list[list[Service]]:
        return [[_spoilt(service) for service in group] for group in service_groups(settings)]

    monkeypatch.setattr(ops.chaos.ground, "service_groups", groups)
    planned = (Fault(4.0, "kill", ("Kafka",)), Fault(6.0, "kill", ("gate",)))
    order = Order(
        seed=3, seconds=9, kinds=("dup", "late"), out=tmp_path, planned=planned, scans_per_s=150, batch_max=30, wards=0
    )
    verdict, _ = run_chaos(Settings(home=new_home()), order, lambda _: None)
    assert verdict.lost > 0
    assert {line.split()[0] for line in verdict.differences} >= {"scan", "visit.v1"}


def _spoilt(service: Service) -> Service:
    if service.name not in BAD:
        return service
    name = BAD[service.name]
    call = f"from tests.chaos.bad_processes import {name}; {name}()"
    return Service(
        name=service.name,
        argv=[sys.executable, "-c", call, *service.argv[3:]],
        env=service.env,
        log=service.log,
        record=service.record,
    )
