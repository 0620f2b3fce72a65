"""The second opinion is one: it shares no code with the product, and agrees with the words' own examples."""

import ast
from pathlib import Path

import pytest

from ops.chaos import oracle
from ops.chaos.oracle import DAY, HOUR, MINUTE, Exposure, Facility, Scan, Visit

ROOT = Path(__file__).parents[2]
PRODUCT = {"schemas", "tracing", "streams", "producers", "portal", "ops", "bench"}
SECOND_OPINION = ("oracle", "compare", "heard", "told", "diary", "load")
HOSPITAL = Facility("RS", "hospital", "Asia/Jakarta", "36.71")
CLINIC = Facility("KL", "clinic", "Asia/Kathmandu", "36.71")
START = 20_000 * DAY


def scan(at: int, gate: str = "entrance", facility: Facility = HOSPITAL, scan_id: str = "", **more: object) -> Scan:
    name = scan_id or f"{at}-{gate}-{facility.facility_id}"
    made = Scan("p", name, facility, gate, "igd" if gate == "zone" else "", START + at, True, "visitor", "app")
    return made._replace(**more)  # type: ignore[arg-type] # the test's own words


def spans(*scans: Scan) -> list[tuple[int, int, bool, bool]]:
    """Return (check_in, check_out, estimated, estimated) of the visits, from the start."""
    return [
        (v.check_in - START, v.check_out - START, v.check_in_estimated, v.check_out_estimated)
        for v in oracle.visits_of(scans, {})
    ]


def imported(module: str) -> set[str]:
    """Return the modules that a module of the chaos package imports, by their first names, its own ones in full."""
    tree = ast.parse((ROOT / "ops" / "chaos" / f"{module}.py").read_text())
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "ops.chaos":
            names |= {f"ops.chaos.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("module", SECOND_OPINION)
def test_nothing_of_the_product_is_imported(module: str) -> None:
    own = {f"ops.chaos.{name}" for name in SECOND_OPINION}
    assert {name for name in imported(module) if name.partition(".")[0] in PRODUCT} <= own


def test_an_import_of_the_product_would_be_found() -> None:
    assert "ops.store" in imported("store")


def test_the_witness_knows_the_load_and_its_diary_only() -> None:
    used = {name for name in imported("witness") if name.partition(".")[0] in PRODUCT}
    assert used == {"ops.chaos.load", "ops.chaos.diary"}


def test_who_scans_twice_passed_once() -> None:
    assert spans(scan(0), scan(10 * MINUTE), scan(HOUR, "exit")) == [(0, HOUR, False, False)]
    twice = spans(scan(0), scan(10 * MINUTE + 1), scan(HOUR, "exit"))
    assert twice == [(0, 10 * MINUTE + 1, False, True), (10 * MINUTE + 1, HOUR, False, False)]


def test_who_never_leaves_stays_as_long_as_people_do() -> None:
    assert spans(scan(0)) == [(0, 4 * HOUR, False, True)]
    assert spans(scan(0, role="inpatient")) == [(0, 30 * DAY, False, True)]
    assert spans(scan(0), scan(5 * HOUR, "zone")) == [(0, 5 * HOUR, False, True)]


def test_an_exit_alone_begins_where_the_visit_before_ended() -> None:
    assert spans(scan(5 * HOUR, "exit")) == [(HOUR, 5 * HOUR, True, False)]
    after = spans(scan(0), scan(HOUR, "exit"), scan(2 * HOUR, "exit", CLINIC))
    assert after == [(0, HOUR, False, False), (HOUR, 2 * HOUR, True, False)]


def test_the_longest_stay_still_holds_its_exit() -> None:
    assert spans(scan(0, facility=CLINIC), scan(DAY, "exit", CLINIC)) == [(0, DAY, False, False)]
    late = spans(scan(0, facility=CLINIC), scan(DAY + 1, "exit", CLINIC))
    assert late == [(0, 2 * HOUR, False, True), (DAY + 1 - 2 * HOUR, DAY + 1, True, False)]


def test_what_was_judged_is_not_seen() -> None:
    entered = scan(0)
    assert oracle.visits_of([entered], {entered.scan_id: "void"}) == []
    assert len(oracle.visits_of([entered], {entered.scan_id: "clear"})) == 1
    assert oracle.latest_verdict([(1, "clear"), (1, "flag"), (0, "void")]) == "flag"


@pytest.mark.parametrize(
    ("mine", "theirs", "apart"),
    [
        (((0, "bangsal A"),), ((0, "poli umum"),), True),
        (((0, "bangsal A"),), ((0, "bangsal A"),), False),
        (((0, "bangsal A"),), (), False),
        (((0, "bangsal A"),), ((0, "igd"),), False),
        (((14 * MINUTE, "bangsal A"),), ((0, "poli umum"),), True),
        (((15 * MINUTE, "bangsal A"),), ((0, "poli umum"),), False),
        (((0, "bangsal A"),), ((0, "poli umum"), (50 * MINUTE, "bangsal A")), False),
    ],
)
def test_who_was_in_other_zones_all_the_while_is_apart(
    mine: tuple[tuple[int, str], ...], theirs: tuple[tuple[int, str], ...], *, apart: bool
) -> None:
    stays = [
        Visit("v", who, HOSPITAL, 0, HOUR, False, False, "visitor", zones)
        for who, zones in (("c", mine), ("p", theirs))
    ]
    assert oracle.apart(Exposure(stays[0], stays[1], 0, HOUR, "")) == apart


def test_hours_are_those_of_the_facilitys_clock() -> None:
    assert oracle.hour_start(START + 20 * MINUTE, "Asia/Jakarta") == START
    assert oracle.hour_start(START + 20 * MINUTE, "Asia/Kathmandu") == START + 15 * MINUTE
